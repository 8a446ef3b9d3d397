//! What facts say by choice out of a few: why an interface is down, what was wrong with a packet, how a script ended.

use serde::{Deserialize, Serialize};

/// How a script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScriptOutcome {
    /// By itself.
    Exited {
        /// Its exit status.
        status: i32,
    },
    /// By a signal.
    Killed {
        /// The signal's number.
        signal: i32,
    },
    /// It ran too long and was killed with everything it had started.
    TimedOut,
}

/// Why an interface can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkDownReason {
    /// It was switched off.
    AdminDown,
    /// It has no carrier.
    NoCarrier,
    /// It does not exist.
    Missing,
    /// It is up, but no socket could be opened on it: adverts would not be heard.
    NoSocket,
}

/// What was wrong with a refused advertisement: one variant, one counter, one object of the MIBs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdvertError {
    /// Shorter than its header says, or than any advertisement.
    PacketLength,
    /// The checksum does not match.
    Checksum,
    /// Another version than the virtual router's.
    Version,
    /// A virtual router id that nobody here has.
    VirtualRouterId,
    /// The IP TTL or hop limit is not 255.
    Ttl,
    /// Not an ADVERTISEMENT.
    Type,
    /// Another interval than ours (version 2).
    Interval,
    /// Other addresses than ours.
    AddressList,
    /// An authentication type that does not exist.
    AuthTypeInvalid,
    /// Another authentication type than ours.
    AuthTypeMismatch,
    /// The password or digest is wrong.
    AuthFailure,
}

/// Why addresses were announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnnounceOccasion {
    /// On becoming master.
    BecameMaster,
    /// The second burst, `garp_master_delay` later.
    Delayed,
    /// The periodic refresh (`garp_master_refresh`).
    Refresh,
    /// A lower-priority master was heard.
    LowerPriorityMaster,
    /// Addresses came to a router that is master already: by a reload, or because somebody had taken them off.
    AddressesChanged,
    /// Not virtual addresses, but the one that adverts are sent from: unicast peers may have forgotten it in a fault.
    LeftFault,
}

/// What about its configuration keeps a virtual router in Fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldReason {
    /// It is unicast, has no peers, and says `unicast_fault_no_peer`.
    NoPeers,
    /// It has `use_ipvlan` over IPv4 without an address.
    IpvlanWithoutAddress,
    /// An instance that takes over by itself has addresses on the same VMAC.
    SharedVmac,
    /// It has `auth_hmac`, which is not built yet: its adverts would not be signed.
    HmacNotBuilt,
}

/// What was to be done to an entry of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableChange {
    /// To put it there.
    Add,
    /// To change its parameters.
    Change,
    /// To take it away.
    Remove,
}

impl std::fmt::Display for TableChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Add => "add",
            Self::Change => "change",
            Self::Remove => "remove",
        })
    }
}

/// How the kernel's table differed from what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drift {
    /// An entry was gone.
    Missing,
    /// An entry had other parameters.
    Altered,
    /// A real server was there that should not be.
    Surplus,
}

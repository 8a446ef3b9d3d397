//! What the facts of virtual routers say by choice out of a few, with the words for each.

use std::fmt;
use std::net::IpAddr;

use keepwatch_model::ConfigFault;
use serde::{Deserialize, Serialize};

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
    /// `auth_hmac`: no signature.
    AuthExtMissing,
    /// `auth_hmac`: a signature of an unknown form.
    AuthExtMalformed,
    /// `auth_hmac`: the time of the signature is too far from ours.
    AuthExtStale,
    /// `auth_hmac`: signed with a key that is not here.
    AuthExtUnknownKey,
    /// `auth_hmac`: the digest is wrong.
    AuthExtInvalidHmac,
    /// `auth_hmac`: a signature that was seen before.
    AuthExtReplay,
}

impl fmt::Display for AdvertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PacketLength => "invalid length",
            Self::Checksum => "invalid checksum",
            Self::Version => "invalid version",
            Self::VirtualRouterId => "invalid virtual router id",
            Self::Ttl => "invalid TTL",
            Self::Type => "invalid packet type",
            Self::Interval => "advertisement interval mismatch",
            Self::AddressList => "address list mismatch",
            Self::AuthTypeInvalid => "invalid authentication type",
            Self::AuthTypeMismatch => "authentication type mismatch",
            Self::AuthFailure => "authentication failure",
            Self::AuthExtMissing => "missing authentication trailer",
            Self::AuthExtMalformed => "malformed authentication trailer",
            Self::AuthExtStale => "stale authentication trailer",
            Self::AuthExtUnknownKey => "unknown authentication key id",
            Self::AuthExtInvalidHmac => "invalid authentication HMAC",
            Self::AuthExtReplay => "replayed authentication trailer",
        })
    }
}

/// Why a virtual router became master (`vrrpv3StatisticsNewMasterReason` of RFC 6527).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MasterReason {
    /// It never did.
    #[default]
    NotMaster,
    /// The master gave up.
    Priority,
    /// It overruled a master of lower priority, or owns the addresses.
    Preempted,
    /// The master fell silent, or there never was one.
    NoResponse,
}

impl MasterReason {
    /// The number in VRRPV3-MIB.
    pub fn number(self) -> i32 {
        match self {
            Self::NotMaster => 0,
            Self::Priority => 1,
            Self::Preempted => 2,
            Self::NoResponse => 3,
        }
    }
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
    /// Somebody asked for it.
    Requested,
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
    /// Its `auth_hmac` has no key to sign with.
    #[serde(alias = "hmac_not_built")]
    HmacWithoutKey,
}

impl From<ConfigFault> for HoldReason {
    fn from(fault: ConfigFault) -> Self {
        match fault {
            ConfigFault::UnicastWithoutPeers => Self::NoPeers,
            ConfigFault::IpvlanWithoutAddress => Self::IpvlanWithoutAddress,
            ConfigFault::SharedVmac => Self::SharedVmac,
            ConfigFault::HmacWithoutKey => Self::HmacWithoutKey,
        }
    }
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPeers => "it is unicast and has no peers",
            Self::IpvlanWithoutAddress => "its ipvlan has no address",
            Self::SharedVmac => "another instance has addresses on the same VMAC",
            Self::HmacWithoutKey => "its auth_hmac has no active_key to sign adverts with",
        })
    }
}

/// There is no address that adverts could be sent from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoSource {
    /// The one that the configuration wants; none where the interface's own would do.
    pub wanted: Option<IpAddr>,
}

impl fmt::Display for NoSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.wanted {
            Some(wanted) => write!(f, "the source address {wanted} is not on this host"),
            None => f.write_str("the interface has no address to send adverts from"),
        }
    }
}

//! Virtual routers and sync groups, from their configuration to their addresses and packets.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use keepwatch_model as model;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

use crate::configured::Configured;
use crate::subject::{Name, VirtualAddress, VrrpState};
use crate::world::Change;

mod evidence;
mod fold;
mod line;
mod reasons;

pub use evidence::{LastAdvert, RefusedPackets, Silence, SplitSign, Stranger};
pub use reasons::{AdvertError, AnnounceOccasion, HoldReason, MasterReason, NoSource};

/// What happens to virtual routers and sync groups, from their configuration to their addresses and packets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum VrrpFact {
    /// A virtual router was defined, or redefined by a reload.
    InstanceConfigured {
        /// Its name.
        instance: Name,
        /// All that the configuration says of it.
        settings: Configured<model::Instance>,
    },
    /// A reload took a virtual router away.
    InstanceUnconfigured {
        /// Its name.
        instance: Name,
    },
    /// A reload gave a virtual router another name; on the wire nothing changed.
    InstanceRenamed {
        /// Its name from now on.
        instance: Name,
        /// Its name until now.
        from: Name,
    },
    /// A sync group was defined, or redefined.
    GroupConfigured {
        /// Its name.
        group: Name,
        /// All that the configuration says of it.
        settings: Configured<model::SyncGroup>,
    },
    /// A reload took a sync group away.
    GroupUnconfigured {
        /// Its name.
        group: Name,
    },
    /// A virtual router changed its state.
    StateChanged {
        /// The virtual router.
        instance: Name,
        /// The state it left.
        from: VrrpState,
        /// The state it entered.
        to: VrrpState,
        /// Its priority at that moment.
        priority: u8,
    },
    /// A sync group changed its state.
    GroupStateChanged {
        /// The group.
        group: Name,
        /// The state it left.
        from: VrrpState,
        /// The state it entered.
        to: VrrpState,
    },
    /// No advertisement came for the Master_Down_Interval (RFC 9568 §6.1).
    AdvertTimedOut {
        /// The virtual router.
        instance: Name,
        /// The master that fell silent; none if none was ever heard.
        master: Option<IpAddr>,
        /// How long it was waited for.
        waited: Duration,
        /// What that rests on; none in the history of versions that did not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<Box<Silence>>,
    },
    /// While master, another router was found to be master for the same addresses, for longer than an election takes.
    /// Published once for each other master, until [`VrrpFact::SplitBrainEnded`].
    SplitBrainBegan {
        /// The virtual router.
        instance: Name,
        /// The other master.
        address: IpAddr,
        /// The priority that it advertises.
        priority: u8,
        /// The address that our adverts come from.
        own_address: Option<IpAddr>,
        /// Our own priority.
        own: u8,
        /// How it shows itself.
        sign: SplitSign,
    },
    /// The other master is not heard any more, or we are not master any more.
    SplitBrainEnded {
        /// The virtual router.
        instance: Name,
        /// The other master.
        address: IpAddr,
        /// From its first advertisement until its last, or until we gave up.
        lasted: Duration,
    },
    /// A backup heard a master that it did not know, or the known one with another priority.
    MasterHeard {
        /// The virtual router.
        instance: Name,
        /// The master's address.
        address: IpAddr,
        /// The priority that it advertises.
        priority: u8,
    },
    /// The master gave up (an advertisement with priority 0).
    MasterResigned {
        /// The virtual router.
        instance: Name,
        /// The master's address.
        address: IpAddr,
    },
    /// While master, an advertisement of higher rank came (priority, or address at equal priority).
    HigherPriorityReceived {
        /// The virtual router.
        instance: Name,
        /// Its sender.
        address: IpAddr,
        /// Its priority.
        priority: u8,
        /// Our own priority.
        own: u8,
    },
    /// Another router advertises priority 255 for a virtual router that owns its addresses: one of the two configurations
    /// is wrong. Published once for each other router.
    OtherOwner {
        /// The virtual router.
        instance: Name,
        /// The other.
        address: IpAddr,
    },
    /// An advertisement of lower rank than ours came: another believes itself master.
    LowerPriorityReceived {
        /// The virtual router.
        instance: Name,
        /// Its sender.
        address: IpAddr,
        /// Its priority.
        priority: u8,
        /// Our own priority.
        own: u8,
    },
    /// A packet for this virtual router was refused. Every one is counted; a fact is published for the first of a
    /// kind, then at most once in ten seconds.
    AdvertRejected {
        /// The virtual router.
        instance: Name,
        /// The sender.
        address: IpAddr,
        /// What was wrong, by the name of its counter.
        error: AdvertError,
        /// What was expected and found, as data: `auth type 1, expected 0`.
        detail: String,
    },
    /// The clock of another router with `auth_hmac` is more than half of the `time_window` off; at the whole of it its
    /// advertisements are refused. Published when it is found out, then at most once in ten minutes.
    ClockSkewed {
        /// The virtual router.
        instance: Name,
        /// The other router.
        address: IpAddr,
        /// Our clock less theirs, in seconds.
        skew: i32,
        /// What is allowed, in seconds.
        window: i32,
    },
    /// An advertisement came for a virtual router id that nobody has here (`log_unknown_vrids`). Published at most once in
    /// ten seconds for each id.
    UnknownVrid {
        /// The interface that it came in by, if that is known.
        interface: Option<Name>,
        /// The id.
        vrid: u8,
        /// Who sent it.
        address: IpAddr,
    },
    /// The thread of the virtual routers ran later than `min_auto_priority_delay` allows, and raised its priority.
    ThreadLate {
        /// How late.
        late: Duration,
        /// The real-time priority that it has now; none if it was not allowed to.
        realtime: Option<u8>,
    },
    /// The effective priority changed.
    PriorityChanged {
        /// The virtual router.
        instance: Name,
        /// Before.
        from: u8,
        /// Now.
        to: u8,
    },
    /// A virtual address was put on its interface.
    AddressAdded {
        /// The virtual router.
        instance: Name,
        /// The address.
        address: VirtualAddress,
        /// It was there already, left by a run that ended badly.
        adopted: bool,
    },
    /// A virtual address is gone from the interface of a master, which did not take it off: somebody else did.
    AddressLost {
        /// The virtual router.
        instance: Name,
        /// The address.
        address: VirtualAddress,
    },
    /// A virtual address that somebody had taken off a master was put back.
    AddressRestored {
        /// The virtual router.
        instance: Name,
        /// The address.
        address: VirtualAddress,
        /// From when the kernel told of it until the address was there again.
        after: Duration,
    },
    /// A virtual address was taken off its interface.
    AddressRemoved {
        /// The virtual router.
        instance: Name,
        /// The address.
        address: VirtualAddress,
    },
    /// A virtual router gave up a virtual address that stays where it is: another one is master with it.
    AddressStays {
        /// The virtual router that gave it up.
        instance: Name,
        /// The address.
        address: VirtualAddress,
        /// The virtual router that is master with it.
        other: Name,
    },
    /// A virtual address is one of the host's own, so it is neither added nor removed; or is no longer there. Published
    /// when that is found out.
    OwnAddress {
        /// The virtual router.
        instance: Name,
        /// The address.
        address: VirtualAddress,
        /// Whether the virtual router owns its addresses (priority 255), as it should.
        owner: bool,
        /// Whether the host has it now.
        present: bool,
    },
    /// The kernel refused to add or remove a virtual address, or found that another host has it. Published when that
    /// begins, not for each try.
    AddressFailed {
        /// The virtual router.
        instance: Name,
        /// The address.
        address: VirtualAddress,
        /// True if it was to be added, false if removed.
        adding: bool,
        /// What the kernel said.
        error: String,
    },
    /// The addresses were announced by gratuitous ARP or unsolicited neighbour advertisements.
    AddressesAnnounced {
        /// The virtual router.
        instance: Name,
        /// Addresses announced.
        addresses: u32,
        /// How many of them by neighbour advertisements: those of IPv6.
        #[serde(default, skip_serializing_if = "crate::daemon::is_uncounted")]
        neighbours: u32,
        /// Frames sent for each.
        repeat: u32,
        /// The delayed second burst (`garp_master_delay`), a refresh, or an answer to a lower master.
        occasion: AnnounceOccasion,
    },
    /// Packets to and from addresses of a master that does not accept them (`no_accept`) are dropped from now on.
    DropSet {
        /// The virtual router.
        instance: Name,
        /// The table of nftables that does it.
        table: Name,
        /// The addresses.
        addresses: Vec<IpAddr>,
    },
    /// No packets are dropped for a virtual router any more.
    DropLifted {
        /// The virtual router.
        instance: Name,
    },
    /// Packets that are not to be accepted can't be dropped.
    DropFailed {
        /// The virtual router.
        instance: Name,
        /// What the kernel said.
        error: String,
    },
    /// The interface of a virtual router has another source address for its advertisements, or none any more.
    SourceAddressChanged {
        /// The virtual router.
        instance: Name,
        /// The address from now on; none is a fault.
        address: Option<IpAddr>,
        /// The one that it is configured to have.
        #[serde(default)]
        wanted: Option<IpAddr>,
    },
    /// By its configuration a virtual router can't leave Fault.
    HeldInFault {
        /// The virtual router.
        instance: Name,
        /// Why.
        reason: HoldReason,
    },
    /// The kernel has no room to send advertisements as IP packets; they leave as frames of the link layer. Published
    /// when it begins, not for each.
    AdvertDetoured {
        /// The virtual router.
        instance: Name,
        /// What the kernel said.
        error: String,
    },
    /// Advertisements could not be sent; published when it begins, not for each.
    AdvertSendFailed {
        /// The virtual router.
        instance: Name,
        /// What the kernel said.
        error: String,
    },
    /// An advertisement left more than half an interval late: the machine, not the network, is slow.
    AdvertDelayed {
        /// The virtual router.
        instance: Name,
        /// How late.
        late: Duration,
    },
}

/// A virtual router.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// Its name.
    pub name: Name,
    /// What the configuration says.
    pub settings: Configured<model::Instance>,
    /// Its state.
    pub state: VrrpState,
    /// The state that it would be in if no sync group held it back.
    pub wanted: VrrpState,
    /// Its effective priority.
    pub priority: u8,
    /// The master as last heard; none while it is master itself or has heard none.
    pub master: Option<(IpAddr, u8)>,
    /// Other routers that are master for its addresses while it is master itself.
    #[serde(default)]
    pub rivals: Vec<Rival>,
    /// Addresses that are on their interfaces because of it.
    pub addresses: Vec<VirtualAddress>,
    /// Addresses that it should have as master and has not, with the reason.
    pub missing: Vec<Missing>,
    /// Those of its addresses that the host has by itself.
    pub own_addresses: Vec<VirtualAddress>,
    /// Addresses to and from which packets are dropped, and the table of nftables that does it.
    #[serde(default)]
    pub dropped: Vec<(IpAddr, Name)>,
    /// Why packets that are not to be accepted can't be dropped.
    #[serde(default)]
    pub drop_error: Option<String>,
    /// Since when they can't.
    #[serde(default)]
    pub drop_failed: Option<Change>,
    /// While there is no address that its adverts could be sent from.
    #[serde(default)]
    pub no_source: Option<NoSource>,
    /// Last change of state.
    pub changed: Option<Change>,
    /// Changes of state since the worker began.
    pub transitions: u64,
    /// Why it last became master.
    #[serde(default)]
    pub master_reason: MasterReason,
    /// Why it would become master now.
    #[serde(default)]
    pub next_reason: MasterReason,
    /// What was wrong with the last packet that was refused for its TTL, version, checksum or id.
    #[serde(default)]
    pub protocol_error: Option<AdvertError>,
    /// When it last left Init or Fault, while it is in neither.
    #[serde(default)]
    pub running_since: Option<Timestamp>,
}

/// Another router that is master for the same addresses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rival {
    /// Where its advertisements come from.
    pub address: IpAddr,
    /// The priority that it advertises.
    pub priority: u8,
    /// How it shows itself.
    pub sign: SplitSign,
    /// Since when.
    pub changed: Change,
}

/// An address that a master should have and has not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Missing {
    /// The address.
    pub address: VirtualAddress,
    /// What the kernel said.
    pub error: String,
    /// Since when.
    pub changed: Change,
}

/// A sync group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Its name.
    pub name: Name,
    /// What the configuration says.
    pub settings: Configured<model::SyncGroup>,
    /// Its state.
    pub state: VrrpState,
    /// Last change of state.
    pub changed: Option<Change>,
}

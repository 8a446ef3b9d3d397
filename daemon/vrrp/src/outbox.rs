//! What comes out of the machine: facts for the bus, and things to do for the runner. The machine hands each over at
//! once, in order, through [`Outbox`]; it never waits for an answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use keepwatch_bus::fact::AnnounceOccasion;
use keepwatch_bus::subject::{Name, VrrpState};
use keepwatch_bus::{EventId, Fact};
use keepwatch_model::InterfaceAddress;

use crate::ids::{LinkId, RouterId};
use crate::spec::RouterSpec;

/// Takes what the machine says. Production: the bus, and the runner's queues. Tests and the simulator: a recording.
///
/// Neither method may block: both are called between reading a packet and answering it.
pub trait Outbox {
    /// Publishes a fact and returns its number at once, so that what follows from it can name it as its cause.
    fn publish(&mut self, cause: Option<EventId>, fact: Fact) -> EventId;

    /// Takes something to do. Slices in it live only during the call: copy them into buffers of your own.
    fn act(&mut self, output: Output<'_>);
}

/// Something that the runner has to do.
#[derive(Debug)]
pub enum Output<'a> {
    /// Put an advertisement on the wire.
    Send(Transmission<'a>),
    /// Put addresses on their interfaces; publish `AddressAdded` (or `AddressFailed`) with `cause` for each. One that
    /// is already there is no error: it is adopted.
    AddAddresses(AddressChange<'a>),
    /// Take addresses off their interfaces; publish `AddressRemoved` with `cause` for each that was there.
    RemoveAddresses(AddressChange<'a>),
    /// Put the routes and rules of a virtual router where they should be, and have packets dropped to addresses that it
    /// does not accept; or take them away (what is dropped stays so until [`Output::StopDropping`]). Publish a
    /// [`RoutingFact`](keepwatch_bus::fact::RoutingFact) with `cause` for each.
    Routing(RoutingChange<'a>),
    /// Have nothing dropped any more for a virtual router, once every address that it was to take off before is off.
    StopDropping {
        /// Whose addresses they were.
        router: RouterId,
        /// What led to it.
        cause: EventId,
    },
    /// Announce addresses by gratuitous ARP or unsolicited neighbour advertisement. Comes after the addresses were
    /// asked for, and after the advertisement that tells a lesser master to take them off.
    Announce(Announcement<'a>),
    /// Tell the daemon what others must follow.
    Notify(Notice),
}

/// An advertisement, ready for the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmission<'a> {
    /// Whose it is.
    pub router: RouterId,
    /// The interface that it must leave by.
    pub link: LinkId,
    /// Its destination: the multicast group, or one peer.
    pub destination: IpAddr,
    /// Its source.
    pub source: IpAddr,
    /// Its time to live, or hop limit.
    pub ttl: u8,
    /// IPv4: the whole packet, header first (`IP_HDRINCL`). IPv6: the message, checksum filled in; the socket has to
    /// see to the header.
    pub packet: &'a [u8],
}

/// Addresses to add or remove.
#[derive(Clone, Debug)]
pub struct AddressChange<'a> {
    /// Whose they are.
    pub router: RouterId,
    /// Its definition, for names.
    pub spec: &'a Arc<RouterSpec>,
    /// The addresses; those without a `dev` go on `spec.interface`.
    pub addresses: Arc<[InterfaceAddress]>,
    /// What led to it.
    pub cause: EventId,
    /// When they were found to be gone, if somebody had taken them off: publish `AddressRestored` instead.
    pub lost: Option<Instant>,
}

/// Routes and rules to be kept, or to be kept no longer.
#[derive(Clone, Debug)]
pub struct RoutingChange<'a> {
    /// Whose they are.
    pub router: RouterId,
    /// Its definition, which has them.
    pub spec: &'a Arc<RouterSpec>,
    /// Whether they shall be there.
    pub wanted: bool,
    /// Addresses whose packets are to be dropped while they are.
    pub dropped: Arc<[InterfaceAddress]>,
    /// What led to it; none where nothing did but the start.
    pub cause: Option<EventId>,
}

/// Addresses to announce; publish `AddressesAnnounced` with `cause` once the frames are out.
#[derive(Clone, Debug)]
pub struct Announcement<'a> {
    /// Whose they are.
    pub router: RouterId,
    /// Its definition, for names.
    pub spec: &'a Arc<RouterSpec>,
    /// The addresses.
    pub addresses: Arc<[InterfaceAddress]>,
    /// Frames for each address.
    pub repeat: u32,
    /// Why.
    pub occasion: AnnounceOccasion,
    /// What led to it; none for a refresh.
    pub cause: Option<EventId>,
}

/// What another part of the daemon has to follow (scripts and mails follow the bus, not these).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A virtual router changed its state.
    RouterState {
        /// Its name.
        instance: Name,
        /// The state it entered.
        state: VrrpState,
        /// The event that says so.
        event: EventId,
    },
    /// A sync group changed its state.
    GroupState {
        /// Its name.
        group: Name,
        /// The state it entered.
        state: VrrpState,
        /// The event that says so.
        event: EventId,
    },
}

//! What the machine must know of a virtual router and of a sync group: the part of the configuration that decides
//! protocol behaviour, with nothing in it of scripts, mail or display, so that comparing two of them says exactly
//! whether a reload concerns the protocol. Goes in: `keepwatch-model`'s configuration. Comes out: [`Definitions`].

mod from_config;
mod vmac_plan;

pub(crate) use from_config::preemption;
pub use vmac_plan::{VmacPlan, is_mark};
pub(crate) use vmac_plan::{mark_and_memory, room_for_memory, with_memory};

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use keepwatch_bus::Configured;
use keepwatch_bus::counters::VrrpCounters;
use keepwatch_bus::fact::{HoldReason, RoutingEntry};
use keepwatch_bus::subject::{Family, Name, VirtualAddress};
use keepwatch_bus::times::VrrpTimes;
use keepwatch_model::{
    AuthHmac, Firewall, Follow, GarpGroup, InitialState, Instance, InterfaceAddress, InterfaceDelays,
    LinkTarget, LinkbeatInterface, Priority, SyncGroup, UnicastChecksum, UnicastPeer, VirtualRouterId,
    VrrpVersion,
};

/// VRRP version and what only that version has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Version {
    /// Version 2 (RFC 3768): whole seconds, authentication.
    V2 {
        /// How its messages are authenticated.
        authentication: Authentication,
    },
    /// Version 3 (RFC 9568): centiseconds, no authentication.
    V3 {
        /// The checksum leaves out the pseudo-header over IPv4, as version 2 and some old implementations do.
        checksum_as_v2: bool,
    },
}

impl Version {
    /// The number on the wire.
    pub fn number(&self) -> u8 {
        match self {
            Self::V2 { .. } => 2,
            Self::V3 { .. } => 3,
        }
    }
}

/// Authentication of version 2 (RFC 2338 §10).
#[derive(Clone, PartialEq, Eq)]
pub enum Authentication {
    /// Type 0.
    None,
    /// Type 1: a password in clear, padded with zeros.
    Password([u8; 8]),
    /// Type 2, over IPv4 only: an IP authentication header, keyed with a password padded with zeros.
    Ah([u8; 8]),
}

impl std::fmt::Debug for Authentication {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Password(_) => "Password(…)",
            Self::Ah(_) => "Ah(…)",
        })
    }
}

/// What a backup does about a master of lower priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preemption {
    /// Takes over after the Master_Down_Interval.
    Always,
    /// Waits this long first (`preempt_delay`), counted from the first such advertisement.
    After(Duration),
    /// Leaves it alone (`nopreempt`).
    Never,
}

/// Where advertisements go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// To a multicast group, TTL 255.
    Multicast {
        /// The group.
        group: IpAddr,
    },
    /// To each of some peers (a keepalived extension).
    Unicast {
        /// The peers, with the TTL range accepted from each.
        peers: Arc<[UnicastPeer]>,
        /// TTL of what is sent.
        ttl: u8,
        /// Packets of others are refused (`check_unicast_src`).
        check_source: bool,
    },
}

/// Gratuitous ARP (and neighbour advertisement) bursts; each burst is `repeat` frames for every address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GarpTiming {
    /// Frames in the bursts of a new master.
    pub repeat: u32,
    /// From becoming master to the second burst; zero for none.
    pub delay: Duration,
    /// Period of refreshing; zero for none.
    pub refresh: Duration,
    /// Frames in a refresh.
    pub refresh_repeat: u32,
    /// Frames when a lower-priority master was heard; zero for none.
    pub lower_prio_repeat: u32,
    /// From that to a second such burst; zero for none.
    pub lower_prio_delay: Duration,
    /// Least time between two gratuitous ARP messages on an interface; zero for no limit. The runner's business.
    pub interval: Duration,
    /// The same for unsolicited neighbour advertisements.
    pub gna_interval: Duration,
    /// Addresses on interfaces that no advertisement leaves by.
    pub extra: Option<ExtraInterfaces>,
}

/// `garp_extra_if`: switches forget where an address is if nothing ever leaves its interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtraInterfaces {
    /// Period of announcing addresses there.
    pub every: Duration,
    /// On every other interface, not only on a VMAC.
    pub all: bool,
}

impl Default for GarpTiming {
    /// keepalived's: five frames, five more after 5 s, no refresh.
    fn default() -> Self {
        let five_seconds = Duration::from_secs(5);
        Self {
            repeat: 5,
            delay: five_seconds,
            refresh: Duration::ZERO,
            refresh_repeat: 1,
            lower_prio_repeat: 5,
            lower_prio_delay: five_seconds,
            interval: Duration::ZERO,
            gna_interval: Duration::ZERO,
            extra: None,
        }
    }
}

/// How much of a receive buffer a virtual router needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReceiveBuffer {
    /// So many bytes.
    Bytes(u32),
    /// So often the MTU of its interface.
    Mtu(u32),
}

/// One virtual router as the machine sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct RouterSpec {
    /// Its name: its identity over reloads.
    pub name: Name,
    /// The interface of its advertisements: they leave and are heard there alone. Without one a unicast router sends by
    /// the routing table and listens everywhere.
    pub interface: Option<Name>,
    /// Where its advertisements leave, if that is another interface: its macvlan or ipvlan.
    pub transmit_on: Option<Name>,
    /// Where its addresses go that name no other interface than `interface`, if that is another one: its macvlan. Those of
    /// the other family stay on `interface`.
    pub addresses_on: Option<Name>,
    /// Interfaces that were made for single addresses of it (`use_vmac_addr`, and `use_vmac` of an address); those name
    /// them.
    pub address_vmacs: Vec<Name>,
    /// Its macvlan on `interface` that has the virtual hardware address of its family, whichever addresses that is for: it
    /// alone gets the advertisements of others that leave by such a one.
    pub heard_beside: Option<Name>,
    /// The VRF of a unicast router without an interface: its advertisements go by the VRF's routes, and are heard there.
    pub vrf: Option<Name>,
    /// Family of its advertisements.
    pub family: Family,
    /// Version.
    pub version: Version,
    /// `auth_hmac`: signatures behind the messages of either version.
    pub hmac: Option<Box<AuthHmac>>,
    /// `old_unicast_checksum`: of version 3 unicast over IPv4.
    pub unicast_checksum: UnicastChecksum,
    /// Virtual router id.
    pub vrid: VirtualRouterId,
    /// Configured priority.
    pub priority: Priority,
    /// `state MASTER` in the configuration; see [`Router`](crate::Router) for how little that means.
    pub initial_master: bool,
    /// Time between its advertisements.
    pub advert_interval: Duration,
    /// Advertisements missed before the master counts as dead: 3 in the RFCs.
    pub down_adverts: u8,
    /// What it does about a master of lower priority.
    pub preemption: Preemption,
    /// Where its advertisements go.
    pub transport: Transport,
    /// Configured source address: it is a fault if this host does not have it. Else the first address of the interface
    /// that is not virtual.
    pub source: Option<IpAddr>,
    /// A configured source address must be on the interface itself.
    pub track_source: bool,
    /// Its addresses: first those that it advertises, in that order, then the excluded ones.
    pub addresses: Arc<[InterfaceAddress]>,
    /// How many of `addresses` are advertised.
    pub advertised: usize,
    /// Its routes and rules, there while it is master.
    pub routing: Arc<[RoutingEntry]>,
    /// Packets to its addresses are answered though it does not own them.
    pub accepts: bool,
    /// Bursts.
    pub garp: GarpTiming,
    /// `timer_expired_backup`: who was so late as master that another of this priority may have taken over is backup, and
    /// does not fight for its mastership.
    pub timer_expired_backup: Option<Priority>,
    /// No advertisement in answer to one of lower priority.
    pub lower_prio_no_advert: bool,
    /// One more advertisement before yielding to a higher priority.
    pub higher_prio_send_advert: bool,
    /// The owner (priority 255) does not look at advertisements.
    pub owner_ignore_adverts: bool,
    /// The address list of the same master is checked only once.
    pub skip_check_addresses: bool,
    /// The state of `interface` is no fault.
    pub dont_track_primary: bool,
    /// What it follows besides its interface.
    pub follows: Arc<[Follow]>,
    /// `kernel_rx_buf_size` or `vrrp_rx_bufs_policy`: its part of the receive buffer of its socket; none for the usual size.
    pub receive_buffer: Option<ReceiveBuffer>,
    /// What keeps it in Fault, whatever the network is like.
    pub held: Option<HoldReason>,
}

impl RouterSpec {
    /// A version 2 router with keepalived's defaults: priority 100, an advertisement a second to 224.0.0.18, no
    /// authentication. Addresses are IPv4 and all advertised.
    pub fn new(
        name: Name,
        interface: Name,
        vrid: VirtualRouterId,
        addresses: Arc<[InterfaceAddress]>,
    ) -> Self {
        Self {
            name,
            interface: Some(interface),
            transmit_on: None,
            addresses_on: None,
            address_vmacs: Vec::new(),
            heard_beside: None,
            vrf: None,
            family: Family::Inet,
            version: Version::V2 { authentication: Authentication::None },
            hmac: None,
            unicast_checksum: UnicastChecksum::Detect,
            vrid,
            priority: Priority::DEFAULT,
            initial_master: false,
            advert_interval: Duration::from_secs(1),
            down_adverts: 3,
            preemption: Preemption::Always,
            transport: Transport::Multicast { group: crate::wire::GROUP_V4.into() },
            source: None,
            track_source: false,
            advertised: addresses.len(),
            addresses,
            routing: Arc::from([]),
            accepts: true,
            garp: GarpTiming::default(),
            timer_expired_backup: None,
            lower_prio_no_advert: false,
            higher_prio_send_advert: false,
            owner_ignore_adverts: false,
            skip_check_addresses: false,
            dont_track_primary: false,
            follows: Arc::from([]),
            receive_buffer: None,
            held: None,
        }
    }

    /// Where its advertisements are heard, and leave unless `transmit_on` says otherwise: its interface, else its VRF;
    /// none is everywhere.
    pub fn home(&self) -> Option<&Name> {
        self.interface.as_ref().or(self.vrf.as_ref())
    }

    /// The addresses that stand in its advertisements.
    pub fn advertised_addresses(&self) -> &[InterfaceAddress] {
        &self.addresses[..self.advertised.min(self.addresses.len())]
    }

    /// One of its addresses as facts name it: with the interface that it really goes on. None if it has nowhere to go.
    pub fn virtual_address(&self, address: &InterfaceAddress) -> Option<VirtualAddress> {
        self.interface_of(address).map(|interface| address.beside(interface))
    }

    /// The interface that one of its addresses goes on; none if neither of them names one.
    pub fn interface_of<'a>(&'a self, address: &'a InterfaceAddress) -> Option<&'a Name> {
        match &address.link {
            LinkTarget::Named(name) if Some(name) != self.interface.as_ref() => Some(name),
            LinkTarget::Named(_) | LinkTarget::Instance => {
                let own = self.addresses_on.as_ref();
                own.filter(|_| Family::of(address.address) == self.family).or(self.interface.as_ref())
            }
        }
    }

    /// Whether it owns its addresses (priority 255).
    pub fn is_owner(&self) -> bool {
        self.priority == Priority::OWNER
    }
}

/// A virtual router with all that goes with it.
#[derive(Clone, Debug)]
pub struct RouterDefinition {
    /// What it is.
    pub spec: RouterSpec,
    /// What the world is told of it.
    pub settings: Configured<Instance>,
    /// Where its packets are counted.
    pub counters: Arc<VrrpCounters>,
    /// Where its times are measured.
    pub times: Arc<VrrpTimes>,
}

impl RouterDefinition {
    /// A router that counts for itself alone, and of which the world is told what `spec` says: for simulations and
    /// for programs without a configuration file.
    pub fn detached(spec: RouterSpec) -> Self {
        let (advertised, excluded) = spec.addresses.split_at(spec.advertised_addresses().len());
        let instance = Instance {
            version: match spec.version {
                Version::V2 { .. } => VrrpVersion::V2,
                Version::V3 { .. } => VrrpVersion::V3,
            },
            family: spec.family,
            state: if spec.initial_master { InitialState::Master } else { InitialState::Backup },
            priority: spec.priority,
            advert_int: spec.advert_interval,
            nopreempt: spec.preemption == Preemption::Never,
            source_address: spec.source,
            addresses: advertised.into(),
            excluded_addresses: excluded.into(),
            interface: spec.interface.clone(),
            ..Instance::new(spec.name.clone(), "".into(), spec.vrid)
        };
        let settings = Configured::new(1, instance);
        Self { spec, settings, counters: Arc::default(), times: Arc::default() }
    }
}

/// A sync group: its members change state together.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupSpec {
    /// Its name: its identity over reloads.
    pub name: Name,
    /// Names of its members.
    pub members: Vec<Name>,
}

/// A sync group with all that goes with it.
#[derive(Clone, Debug)]
pub struct GroupDefinition {
    /// What it is.
    pub spec: GroupSpec,
    /// What the world is told of it.
    pub settings: Configured<SyncGroup>,
}

/// All that should run: what [`Node::apply`](crate::Node::apply) makes true.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    /// The virtual routers, in the order of the configuration.
    pub routers: Vec<RouterDefinition>,
    /// The sync groups.
    pub groups: Vec<GroupDefinition>,
    /// `interface_up_down_delays`: how long an interface must be down or up until that counts.
    pub interface_delays: Vec<InterfaceDelays>,
    /// `linkbeat_interfaces`: interfaces that are asked for their link.
    pub linkbeat: Vec<LinkbeatInterface>,
    /// `linkbeat_use_polling`: all are asked.
    pub linkbeat_everywhere: bool,
    /// Addresses, routes and rules that are there whatever virtual routers do.
    pub statics: Arc<[RoutingEntry]>,
    /// Interfaces that share a limit on announcements.
    pub garp_groups: Arc<[GarpGroup]>,
    /// Interfaces on which the next address takes the place of a primary one that is taken off (`promote_secondaries`).
    pub promoting: Vec<Name>,
    /// Interfaces that virtual routers want to have made for them. Who makes them says so in their definitions.
    pub vmacs: Vec<VmacPlan>,
    /// Tables of the packet filter.
    pub firewall: Firewall,
    /// `log_unknown_vrids`: advertisements for virtual router ids that nobody has here are told of.
    pub tell_unknown: bool,
    /// `vrrp_startup_delay`: after the first start nobody listens or advertises for so long.
    pub startup_delay: Duration,
}

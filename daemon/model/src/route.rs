//! Routes: lines of `static_routes` and `virtual_routes`, with everything that `ip route add` takes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{AddressScope, Family, Name, Prefix, Realms, RoutingProtocol, RoutingTable};

/// A route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// `inet`, `inet6`, or what its addresses are of.
    pub family: Family,
    /// Type and destination; `default` is the whole family.
    pub destination: Prefix,
    /// What becomes of a packet; `unicast` unless another stands before the destination.
    pub kind: RouteKind,
    /// `from`: only for packets from there (IPv6 only).
    pub from: Option<Prefix>,
    /// `src`: source address of packets that this host sends along it.
    pub preferred_source: Option<IpAddr>,
    /// `tos` or `dsfield` that a packet must have; any when `None`.
    pub tos: Option<u8>,
    /// `table` or `vrf`; `main` unless given.
    pub table: RoutingTable,
    /// `protocol`: keepalived's (18) unless `no_track` lets another stand.
    pub protocol: RoutingProtocol,
    /// `scope`; `global` unless given.
    pub scope: AddressScope,
    /// `metric`, `priority` or `preference`: the lowest wins. The kernel's default when `None`.
    pub metric: Option<u32>,
    /// Where packets go: `via`, `dev`, `onlink`, `encap` and `realms` of the route itself.
    pub hop: RouteHop,
    /// `nexthop …`: where packets go when there are several ways.
    pub next_hops: Vec<NextHop>,
    /// `expires`: how long the kernel keeps it (IPv6 only); for ever when `None`.
    pub expires: Option<Duration>,
    /// `pref` that a router advertisement would have had (IPv6 only).
    pub router_preference: Option<RouterPreference>,
    /// `ttl-propagate` of MPLS: is the TTL of the label copied to the packet?
    pub ttl_propagate: Option<bool>,
    /// What TCP and IP are to take for known about the way.
    pub metrics: RouteMetrics,
    /// `add`, `prepend` or `append`.
    pub placement: RoutePlacement,
    /// `no_track`: whether the route is there does not matter to the instance.
    pub no_track: bool,
    /// `track_group`: instances that are in fault while the interface is down (static routes only).
    pub track_group: Option<Name>,
}

/// What becomes of a packet that a route matches (`RTN_*` of rtnetlink).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteKind {
    /// It is sent on (1).
    #[default]
    Unicast,
    /// It is for this host (2).
    Local,
    /// It is for this host and goes out as broadcast (3).
    Broadcast,
    /// It is for this host, received as broadcast but sent as unicast (4).
    Anycast,
    /// Multicast (5).
    Multicast,
    /// It is dropped (6).
    Blackhole,
    /// It is refused: host unreachable (7).
    Unreachable,
    /// It is refused: administratively prohibited (8).
    Prohibit,
    /// This table has no answer (9).
    Throw,
    /// Its addresses are translated (10; kernels no longer do).
    Nat,
    /// A resolver outside of the kernel knows (11; kernels no longer ask).
    Xresolve,
    /// Another number.
    Number(u8),
}

impl RouteKind {
    /// Every kind that has a name, with it.
    pub const NAMES: &[(&str, Self)] = &[
        ("unicast", Self::Unicast),
        ("local", Self::Local),
        ("broadcast", Self::Broadcast),
        ("anycast", Self::Anycast),
        ("multicast", Self::Multicast),
        ("blackhole", Self::Blackhole),
        ("unreachable", Self::Unreachable),
        ("prohibit", Self::Prohibit),
        ("throw", Self::Throw),
        ("nat", Self::Nat),
        ("xresolve", Self::Xresolve),
    ];

    /// `rtm_type` of rtnetlink.
    pub fn number(self) -> u8 {
        match self {
            Self::Unicast => 1,
            Self::Local => 2,
            Self::Broadcast => 3,
            Self::Anycast => 4,
            Self::Multicast => 5,
            Self::Blackhole => 6,
            Self::Unreachable => 7,
            Self::Prohibit => 8,
            Self::Throw => 9,
            Self::Nat => 10,
            Self::Xresolve => 11,
            Self::Number(number) => number,
        }
    }
}

/// Where packets of a route go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteHop {
    /// `via` (old: `gw`): the next router.
    pub via: Option<IpAddr>,
    /// `dev` or `oif`: the interface.
    pub interface: Option<Name>,
    /// `onlink`: `via` is on the link even if no address of the interface says so.
    pub on_link: bool,
    /// `encap`: packets go inside of others.
    pub encap: Option<Encap>,
    /// `realms` (IPv4 only).
    pub realms: Option<Realms>,
}

/// One of several ways of a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextHop {
    /// Where packets go.
    pub hop: RouteHop,
    /// `weight`, 1 to 256: its share among the others; 1 unless given. The kernel counts from 0 (`rtnh_hops`).
    pub weight: u16,
}

/// `encap`: a lightweight tunnel (`LWTUNNEL_ENCAP_*`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Encap {
    /// `mpls LABEL[/LABEL]`: one or two labels of 20 bits, the outer one first.
    Mpls {
        /// The labels.
        labels: Vec<u32>,
    },
    /// `ip`.
    Ip(IpEncap<Ipv4Addr>),
    /// `ip6`.
    Ip6(IpEncap<Ipv6Addr>),
    /// `ila LOCATOR`: identifier-locator addressing.
    Ila {
        /// 64 bits, as four groups of an IPv6 address in network order.
        locator: u64,
    },
}

/// A tunnel over IP; it has a destination or an id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpEncap<Address> {
    /// `id` of the tunnel.
    pub id: Option<u64>,
    /// `dst`: the other end.
    pub destination: Option<Address>,
    /// `src`: this end.
    pub source: Option<Address>,
    /// `tos`, or `tc` of `ip6`.
    pub traffic_class: Option<u8>,
    /// `ttl`, or `hoplimit` of `ip6`.
    pub hop_limit: Option<u8>,
    /// `flags`.
    pub flags: Option<u16>,
}

/// `pref` of an IPv6 route (RFC 4191 §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RouterPreference {
    /// 3.
    Low,
    /// 0.
    Medium,
    /// 1.
    High,
    /// Another number.
    Number(u8),
}

impl RouterPreference {
    /// `RTA_PREF` of rtnetlink.
    pub fn number(self) -> u8 {
        match self {
            Self::Medium => 0,
            Self::High => 1,
            Self::Low => 3,
            Self::Number(number) => number,
        }
    }
}

/// Where a route is put among others to the same destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoutePlacement {
    /// `prepend`: before the others, as the kernel does by itself. The default.
    #[default]
    Prepend,
    /// `append`: after the others.
    Append,
    /// `add`: refused if there is one already.
    Add,
}

/// A metric that the kernel may learn better values for, unless it is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lockable<T> {
    /// The value.
    pub value: T,
    /// `lock`: the kernel keeps to it.
    pub locked: bool,
}

/// `RTA_METRICS`: each is the kernel's own choice when `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RouteMetrics {
    /// `mtu`, bytes.
    pub mtu: Option<Lockable<u32>>,
    /// `advmss`: the segment size that is advertised, bytes.
    pub advertised_mss: Option<Lockable<u32>>,
    /// `hoplimit` of packets.
    pub hop_limit: Option<u8>,
    /// `rtt`: first estimate of the round trip, 200 ms to 120 s. The kernel counts it in eighths of a millisecond.
    pub rtt: Option<Lockable<Duration>>,
    /// `rttvar`: its variance, 200 ms to 120 s. The kernel counts it in quarters of a millisecond.
    pub rtt_variance: Option<Lockable<Duration>>,
    /// `rto_min`: shortest retransmission time, 200 ms to 120 s.
    pub rto_min: Option<Lockable<Duration>>,
    /// `reordering`: how many places a packet may be late before it counts as lost.
    pub reordering: Option<Lockable<u32>>,
    /// `window`: the greatest window that is advertised, bytes.
    pub window: Option<u32>,
    /// `cwnd`: the greatest congestion window, segments.
    pub congestion_window: Option<Lockable<u32>>,
    /// `ssthresh`: slow start ends here, segments.
    pub slow_start_threshold: Option<Lockable<u32>>,
    /// `initcwnd`: congestion window of a new connection, segments.
    pub initial_congestion_window: Option<u32>,
    /// `initrwnd`: receive window of a new connection, segments.
    pub initial_receive_window: Option<u32>,
    /// `features ecn`: explicit congestion notification.
    pub ecn: bool,
    /// `quickack`: acknowledgements are not delayed.
    pub quick_ack: Option<bool>,
    /// `fastopen_no_cookie`: TCP fast open without a cookie.
    pub fast_open_no_cookie: Option<bool>,
    /// `congctl`: the algorithm of congestion control.
    pub congestion_control: Option<Lockable<Name>>,
}

//! Routes of virtual routers, static ones as part of row 0, and the ways of a route that has several.

use std::time::Duration;

use keepwatch_bus::World;
use keepwatch_bus::fact::RoutingEntry;
use keepwatch_bus::subject::Name;
use keepwatch_model::{
    Lockable, NextHop, Route, RouteHop, RouteKind, RouteMetrics, RouterPreference, RoutingProtocol,
    RoutingTable,
};
use snmp_agentx::syntax::{
    Base, COUNTER64, DISPLAY_STRING, INET_ADDRESS, INET_ADDRESS_PREFIX_LENGTH, INET_ADDRESS_TYPE,
    INET_SCOPE_TYPE, INTEGER, INTEGER32, INTERFACE_INDEX, TRUTH_VALUE, UNSIGNED32,
};
use snmp_agentx::{At, Column, Rows, Start, Syntax, Table};

use super::addresses::scope;
use super::{Tables, encap};
use crate::cells::{Cell, address, address_type, integer, text, text_of, truth, unsigned};
use crate::source::{Keepwatch, Owner, View, part};

pub(super) const TABLES: Tables = &[&ROUTES, &NEXT_HOPS];

/// Realm, a textual convention of the module.
pub(super) const REALM: Syntax = Syntax::new("Realm", Base::Gauge32);
const ROUTE_TYPE: Syntax = Syntax::new("RouteType", Base::Integer);
const PREF_TYPE: Syntax = Syntax::new("PrefType", Base::Integer);
const ENCAP_TYPE: Syntax = Syntax::new("EncapType", Base::Integer);

struct Routes;

impl Rows for Routes {
    type Source = Keepwatch;
    type Index = [u32; 2];
    type Row<'s> = RouteRow<'s>;
}

struct RouteRow<'s> {
    world: &'s World,
    owner: Owner<'s>,
    route: &'s Route,
}

impl RouteRow<'_> {
    /// The only way of a route that is written as one of several.
    fn only_way(&self) -> Cell {
        match self.route.next_hops.as_slice() {
            [NextHop { hop: RouteHop { via: Some(via), encap: None, .. }, .. }] => address(via),
            _ => None,
        }
    }

    /// RouteType of the module.
    fn kind(&self) -> i32 {
        match self.route.kind {
            _ if !self.route.next_hops.is_empty() => 2,
            RouteKind::Blackhole => 3,
            RouteKind::Anycast => 4,
            RouteKind::Multicast => 5,
            RouteKind::Broadcast => 6,
            RouteKind::Unreachable => 7,
            RouteKind::Prohibit => 8,
            RouteKind::Throw => 9,
            RouteKind::Nat => 10,
            RouteKind::Xresolve => 11,
            RouteKind::Unicast | RouteKind::Local | RouteKind::Number(_) => 1,
        }
    }

    fn metrics(&self) -> &RouteMetrics {
        &self.route.metrics
    }
}

/// Who made a route or rule. The enumeration counts from 1 where the kernel counts from 0.
pub(super) fn protocol(protocol: RoutingProtocol) -> Cell {
    integer(i64::from(protocol.0) + 1)
}

/// Its index, where it is known.
fn interface_index(world: &World, interface: &Option<Name>) -> Cell {
    integer(world.interfaces.get(interface.as_ref()?)?.index)
}

fn locked<T>(metric: &Option<Lockable<T>>) -> Cell {
    truth(metric.as_ref()?.locked)
}

fn number(metric: &Option<Lockable<u32>>) -> Cell {
    unsigned(metric.as_ref()?.value)
}

fn milliseconds(metric: &Option<Lockable<Duration>>) -> Cell {
    unsigned(metric.as_ref()?.value.as_millis())
}

const ROUTES: Table<Routes> = Table {
    name: "vrrpRouteEntry",
    entry: &[2, 7, 1],
    index: &["vrrpInstanceIndex", "vrrpRouteIndex"],
    rows: |At(view), start| {
        let world = view.world;
        let (index, part) = part(start, |place| Owner::placed(world, place), |owner| owner.routes().len())?;
        Some((index, RouteRow { world, owner: part.of, route: part.of.routes().get(part.at)? }))
    },
    columns: &[
        Column::new(2, "vrrpRouteAddressType", INET_ADDRESS_TYPE, |r| {
            address_type(&r.route.destination.address)
        }),
        Column::new(3, "vrrpRouteDestination", INET_ADDRESS, |r| address(&r.route.destination.address)),
        Column::new(4, "vrrpRouteDestinationMask", INET_ADDRESS_PREFIX_LENGTH, |r| {
            unsigned(r.route.destination.length)
        }),
        Column::new(5, "vrrpRouteGateway", INET_ADDRESS, |r| address(r.route.hop.via.as_ref()?)),
        Column::new(6, "vrrpRouteSecondaryGateway", INET_ADDRESS, |r| r.only_way()),
        Column::new(7, "vrrpRouteSource", INET_ADDRESS, |r| address(r.route.preferred_source.as_ref()?)),
        Column::new(8, "vrrpRouteMetric", UNSIGNED32, |r| unsigned(r.route.metric.unwrap_or(0))),
        Column::new(9, "vrrpRouteScope", INET_SCOPE_TYPE, |r| integer(scope(r.route.scope.number()))),
        Column::new(10, "vrrpRouteType", ROUTE_TYPE, |r| integer(r.kind())),
        Column::new(11, "vrrpRouteIfIndex", INTERFACE_INDEX, |r| {
            interface_index(r.world, &r.route.hop.interface)
        }),
        Column::new(12, "vrrpRouteIfName", DISPLAY_STRING, |r| text_of(&r.route.hop.interface)),
        Column::new(13, "vrrpRouteRoutingTable", UNSIGNED32, |r| match r.route.table {
            RoutingTable::Id(table) => unsigned(table),
            // Which one that is, only the kernel knows.
            RoutingTable::Vrf(_) => unsigned(0u32),
        }),
        Column::new(14, "vrrpRouteStatus", INTEGER, |r| {
            truth(r.owner.has_put(r.world, &RoutingEntry::Route(Box::new(r.route.clone()))))
        }),
        Column::new(15, "vrrpRouteFromAddress", INET_ADDRESS, |r| address(&r.route.from.as_ref()?.address)),
        Column::new(16, "vrrpRouteFromAddressMask", INET_ADDRESS_PREFIX_LENGTH, |r| {
            unsigned(r.route.from.as_ref()?.length)
        }),
        Column::new(17, "vrrpRouteTos", UNSIGNED32, |r| unsigned(r.route.tos?)),
        Column::new(18, "vrrpRouteProtocol", INTEGER, |r| protocol(r.route.protocol)),
        Column::new(19, "vrrpRouteECN", TRUTH_VALUE, |r| truth(r.metrics().ecn)),
        Column::new(20, "vrrpRouteQuickAck", TRUTH_VALUE, |r| truth(r.metrics().quick_ack == Some(true))),
        Column::new(21, "vrrpRouteExpires", INTEGER32, |r| {
            integer(i64::try_from(r.route.expires?.as_secs()).unwrap_or(i64::MAX))
        }),
        Column::new(22, "vrrpRouteMTU", UNSIGNED32, |r| number(&r.metrics().mtu)),
        Column::new(23, "vrrpRouteMTULock", TRUTH_VALUE, |r| locked(&r.metrics().mtu)),
        Column::new(24, "vrrpRouteHopLimit", UNSIGNED32, |r| unsigned(r.metrics().hop_limit?)),
        Column::new(25, "vrrpRouteAdvmss", UNSIGNED32, |r| number(&r.metrics().advertised_mss)),
        Column::new(26, "vrrpRouteAdvmssLock", TRUTH_VALUE, |r| locked(&r.metrics().advertised_mss)),
        Column::new(27, "vrrpRouteRTT", UNSIGNED32, |r| milliseconds(&r.metrics().rtt)),
        Column::new(28, "vrrpRouteRTTLock", TRUTH_VALUE, |r| locked(&r.metrics().rtt)),
        Column::new(29, "vrrpRouteRTTvar", UNSIGNED32, |r| milliseconds(&r.metrics().rtt_variance)),
        Column::new(30, "vrrpRouteRTTvarLock", TRUTH_VALUE, |r| locked(&r.metrics().rtt_variance)),
        Column::new(31, "vrrpRouteReordering", UNSIGNED32, |r| number(&r.metrics().reordering)),
        Column::new(32, "vrrpRouteReorderingLock", TRUTH_VALUE, |r| locked(&r.metrics().reordering)),
        Column::new(33, "vrrpRouteWindow", UNSIGNED32, |r| unsigned(r.metrics().window?)),
        Column::new(34, "vrrpRouteCwnd", UNSIGNED32, |r| number(&r.metrics().congestion_window)),
        Column::new(35, "vrrpRouteCwndLock", TRUTH_VALUE, |r| locked(&r.metrics().congestion_window)),
        Column::new(36, "vrrpRouteSSthresh", UNSIGNED32, |r| number(&r.metrics().slow_start_threshold)),
        Column::new(37, "vrrpRouteSSthreshLock", TRUTH_VALUE, |r| locked(&r.metrics().slow_start_threshold)),
        Column::new(38, "vrrpRouteRTOMin", UNSIGNED32, |r| milliseconds(&r.metrics().rto_min)),
        Column::new(39, "vrrpRouteRTOMinLock", TRUTH_VALUE, |r| locked(&r.metrics().rto_min)),
        Column::new(40, "vrrpRouteInitCwnd", UNSIGNED32, |r| {
            unsigned(r.metrics().initial_congestion_window?)
        }),
        Column::new(41, "vrrpRouteInitRwnd", UNSIGNED32, |r| unsigned(r.metrics().initial_receive_window?)),
        Column::new(42, "vrrpRouteCongCtl", DISPLAY_STRING, |r| {
            text(&r.metrics().congestion_control.as_ref()?.value)
        }),
        Column::new(43, "vrrpRoutePref", PREF_TYPE, |r| {
            integer(match r.route.router_preference? {
                RouterPreference::Low => 1,
                RouterPreference::Medium => 2,
                RouterPreference::High => 3,
                RouterPreference::Number(_) => 0,
            })
        }),
        Column::new(44, "vrrpRouteRealmDst", REALM, |r| unsigned(r.route.hop.realms?.to)),
        Column::new(45, "vrrpRouteRealmSrc", REALM, |r| unsigned(r.route.hop.realms?.from?)),
        Column::new(46, "vrrpRouteEncapType", ENCAP_TYPE, |r| encap::kind(&r.route.hop)),
        Column::new(47, "vrrpRouteEncapMplsLabels", DISPLAY_STRING, |r| encap::labels(&r.route.hop)),
        Column::new(48, "vrrpRouteEncapId", COUNTER64, |r| encap::id(&r.route.hop)),
        Column::new(49, "vrrpRouteEncapDstAddress", INET_ADDRESS, |r| encap::destination(&r.route.hop)),
        Column::new(50, "vrrpRouteEncapSrcAddress", INET_ADDRESS, |r| encap::source(&r.route.hop)),
        Column::new(51, "vrrpRouteEncapTOS", UNSIGNED32, |r| encap::traffic_class(&r.route.hop)),
        Column::new(52, "vrrpRouteEncapTTL", UNSIGNED32, |r| encap::hop_limit(&r.route.hop)),
        Column::new(53, "vrrpRouteEncapFlags", UNSIGNED32, |r| encap::flags(&r.route.hop)),
        Column::new(54, "vrrpRouteEncapIlaLocator", COUNTER64, |r| encap::locator(&r.route.hop)),
        Column::new(55, "vrrpRouteFastOpenNoCookie", TRUTH_VALUE, |r| {
            truth(r.metrics().fast_open_no_cookie?)
        }),
    ],
};

struct NextHops;

impl Rows for NextHops {
    type Source = Keepwatch;
    type Index = [u32; 3];
    type Row<'s> = NextHopRow<'s>;
}

struct NextHopRow<'s> {
    world: &'s World,
    next: &'s NextHop,
}

/// The first way of a route at or after the start.
fn next_hop<'s>(view: View<'s>, start: Start<'_>) -> Option<([u32; 3], NextHopRow<'s>)> {
    let world = view.world;
    let [place, route, number] = start.numbers()?;
    // Of the route that the start is in, the ways from there on; of all others, every one.
    let (mut from, mut least) = ([place, route], number);
    loop {
        let (at, part) =
            part(Start::at(&from), |place| Owner::placed(world, place), |owner| owner.routes().len())?;
        if at != from {
            least = 0;
        }
        let number = least.max(1);
        let ways = &part.of.routes().get(part.at)?.next_hops;
        if let Some(next) = ways.get(number as usize - 1) {
            return Some(([at[0], at[1], number], NextHopRow { world, next }));
        }
        from = Start::after(&at).numbers()?;
        least = 0;
    }
}

const NEXT_HOPS: Table<NextHops> = Table {
    name: "vrrpRouteNextHopEntry",
    entry: &[2, 11, 1],
    index: &["vrrpInstanceIndex", "vrrpRouteIndex", "vrrpRouteNextHopIndex"],
    rows: |At(view), start| next_hop(view, start),
    columns: &[
        Column::new(2, "vrrpRouteNextHopAddressType", INET_ADDRESS_TYPE, |r| {
            address_type(r.next.hop.via.as_ref()?)
        }),
        Column::new(3, "vrrpRouteNextHopAddress", INET_ADDRESS, |r| address(r.next.hop.via.as_ref()?)),
        Column::new(4, "vrrpRouteNextHopIfIndex", INTERFACE_INDEX, |r| {
            interface_index(r.world, &r.next.hop.interface)
        }),
        Column::new(5, "vrrpRouteNextHopIfName", DISPLAY_STRING, |r| text_of(&r.next.hop.interface)),
        Column::new(6, "vrrpRouteNextHopWeight", UNSIGNED32, |r| unsigned(r.next.weight)),
        Column::new(7, "vrrpRouteNextHopOnlink", TRUTH_VALUE, |r| truth(r.next.hop.on_link)),
        Column::new(8, "vrrpRouteNextHopRealmDst", REALM, |r| unsigned(r.next.hop.realms?.to)),
        Column::new(9, "vrrpRouteNextHopRealmSrc", REALM, |r| unsigned(r.next.hop.realms?.from?)),
        Column::new(11, "vrrpRouteNextHopEncapMplsLabels", DISPLAY_STRING, |r| encap::labels(&r.next.hop)),
        Column::new(12, "vrrpRouteNextHopEncapId", COUNTER64, |r| encap::id(&r.next.hop)),
        Column::new(13, "vrrpRouteNextHopEncapDstAddress", INET_ADDRESS, |r| encap::destination(&r.next.hop)),
        Column::new(14, "vrrpRouteNextHopEncapSrcAddress", INET_ADDRESS, |r| encap::source(&r.next.hop)),
        Column::new(15, "vrrpRouteNextHopEncapTOS", UNSIGNED32, |r| encap::traffic_class(&r.next.hop)),
        Column::new(16, "vrrpRouteNextHopEncapTTL", UNSIGNED32, |r| encap::hop_limit(&r.next.hop)),
        Column::new(17, "vrrpRouteNextHopEncapFlags", UNSIGNED32, |r| encap::flags(&r.next.hop)),
        Column::new(18, "vrrpRouteNextHopEncapIlaLocator", COUNTER64, |r| encap::locator(&r.next.hop)),
    ],
};

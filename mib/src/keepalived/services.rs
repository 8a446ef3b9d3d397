//! Virtual servers.

use std::borrow::Borrow;
use std::net::IpAddr;
use std::time::Duration;

use keepwatch_bus::counters::{Gauge, ServiceCounters};
use keepwatch_bus::subject::{Family, Protocol, ServiceKey};
use keepwatch_bus::world::Service;
use keepwatch_model::{
    CheckTiming, Forwarding, Script, Tunnel, TunnelChecksum, VirtualServer, VirtualServerKey,
};
use snmp_agentx::syntax::{
    COUNTER32, COUNTER64, DISPLAY_STRING, GAUGE32, INET_ADDRESS, INET_ADDRESS_TYPE, INET_PORT_NUMBER,
    INTEGER, INTEGER32, TRUTH_VALUE, UNSIGNED32,
};
use snmp_agentx::{At, Column, Rows, Table, value};

use super::Tables;
use super::instances::script;
use super::traffic::{counter32, counter64, high, low, read};
use crate::cells::{Cell, address, integer, microseconds, seconds, text, text_of, truth, unsigned};
use crate::source::{Keepwatch, View, placed, row};

pub(super) const TABLES: Tables = &[&SERVICES];

/// How long a checker's connection may take where nothing else is said.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) struct Services;

impl Rows for Services {
    type Source = Keepwatch;
    type Index = [u32; 1];
    type Row<'s> = ServiceRow<'s>;
}

pub(crate) struct ServiceRow<'s> {
    pub(crate) view: View<'s>,
    pub(crate) service: &'s Service,
}

impl<'s> ServiceRow<'s> {
    fn settings(&self) -> &'s VirtualServer {
        &self.service.settings
    }

    fn timing(&self) -> &'s CheckTiming {
        &self.settings().timing
    }

    fn traffic(&self, field: fn(&ServiceCounters) -> &Gauge) -> u64 {
        self.view.counters.traffic_demand.ask();
        read(self.view.counters.services.get(&self.service.key), field)
    }

    /// Of a virtual server that is no group.
    fn address(&self) -> Option<(IpAddr, u16)> {
        match self.service.key {
            ServiceKey::Address { address, port, .. } if service_type(self.service) == 2 => {
                Some((address, port))
            }
            ServiceKey::Address { .. } | ServiceKey::Fwmark { .. } => None,
        }
    }

    fn mark(&self) -> Cell {
        match self.service.key {
            ServiceKey::Fwmark { fwmark, .. } if service_type(self.service) == 1 => unsigned(fwmark),
            ServiceKey::Address { .. } | ServiceKey::Fwmark { .. } => None,
        }
    }

    fn protocol(&self) -> Cell {
        match service_type(self.service) {
            1 => None,
            _ => protocol(protocol_of(self.service)),
        }
    }

    /// What counts as one client: a netmask for IPv4, the length of a prefix for IPv6. Where keepalived has no address
    /// to tell it the family it shows the same four octets as both, and where nothing was said all bits are set.
    fn granularity(&self) -> [u8; 4] {
        let said = self.settings().persistence_timeout.and(self.settings().persistence_granularity);
        match self.service.key.family() {
            Family::Inet => netmask(said.unwrap_or(32)),
            Family::Inet6 => said.filter(|prefix| *prefix < 128).map_or(u32::MAX, u32::from).to_ne_bytes(),
        }
    }

    /// Whether it stands for one address of this family.
    fn is_address_of(&self, family: Family) -> bool {
        service_type(self.service) == 2 && self.service.key.family() == family
    }

    fn netmask(&self) -> Cell {
        (!self.is_address_of(Family::Inet6)).then(|| value::octets(&self.granularity()))
    }

    fn prefix(&self) -> Cell {
        (!self.is_address_of(Family::Inet)).then(|| value::unsigned(u32::from_ne_bytes(self.granularity())))
    }
}

/// virtualServerType: fwmark(1), ip(2), group(3).
pub(crate) fn service_type(service: &Service) -> i32 {
    match (service.settings.group(), &service.key) {
        (Some(_), _) => 3,
        (None, ServiceKey::Fwmark { .. }) => 1,
        (None, ServiceKey::Address { .. }) => 2,
    }
}

/// That of a group is the group's, whatever its first member is.
pub(crate) fn protocol_of(service: &Service) -> Protocol {
    match &service.settings.key {
        VirtualServerKey::Service(key) => key.protocol(),
        VirtualServerKey::Group { protocol, .. } => *protocol,
    }
}

/// virtualServerProtocol.
pub(crate) fn protocol(protocol: Protocol) -> Cell {
    integer(match protocol {
        Protocol::Tcp => 1,
        Protocol::Udp => 2,
        Protocol::Sctp => 3,
    })
}

/// virtualServerLoadBalancingAlgo.
fn scheduler(name: &str) -> i32 {
    const NAMES: [&str; 14] =
        ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "twos"];
    (1..).zip(NAMES).find(|(_, known)| *known == name).map_or(99, |(number, _)| number)
}

/// virtualServerLoadBalancingKind and realServerForwardingMethod.
pub(super) fn forwarding(forwarding: Forwarding) -> i32 {
    match forwarding {
        Forwarding::Nat => 1,
        Forwarding::Dr => 2,
        Forwarding::Tun(_) => 3,
    }
}

fn tunnel(forwarding: Forwarding) -> Option<Tunnel> {
    match forwarding {
        Forwarding::Tun(tunnel) => Some(tunnel),
        Forwarding::Nat | Forwarding::Dr => None,
    }
}

/// ipip(1), gue(2), gre(3), of what is tunnelled.
pub(super) fn tunnel_type(of: Forwarding) -> Cell {
    integer(match tunnel(of)? {
        Tunnel::Ipip => 1,
        Tunnel::Gue { .. } => 2,
        Tunnel::Gre { .. } => 3,
    })
}

/// The port of GUE.
pub(super) fn tunnel_port(of: Forwarding) -> Cell {
    match tunnel(of)? {
        Tunnel::Gue { port, .. } => unsigned(port),
        Tunnel::Ipip | Tunnel::Gre { .. } => None,
    }
}

/// nocsum(1), csum(2), remcsum(3), of GUE and GRE.
pub(super) fn tunnel_checksum(of: Forwarding) -> Cell {
    match tunnel(of)? {
        Tunnel::Ipip => None,
        Tunnel::Gue { checksum, .. } | Tunnel::Gre { checksum } => integer(match checksum {
            TunnelChecksum::None => 1,
            TunnelChecksum::Full => 2,
            TunnelChecksum::Remote => 3,
        }),
    }
}

fn netmask(prefix: u8) -> [u8; 4] {
    let bits = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
    bits.to_be_bytes()
}

/// The program of a command.
pub(super) fn program(command: &Option<impl Borrow<Script>>) -> Cell {
    command.as_ref()?.borrow().argv.first().and_then(text)
}

pub(crate) const KIND: Column<Services> =
    Column::new(2, "virtualServerType", INTEGER, |r| integer(service_type(r.service)));
pub(crate) const GROUP: Column<Services> =
    Column::new(3, "virtualServerNameOfGroup", DISPLAY_STRING, |r| text(r.settings().group()?));
pub(crate) const MARK: Column<Services> = Column::new(4, "virtualServerFwMark", UNSIGNED32, |r| r.mark());
pub(crate) const ADDRESS_TYPE: Column<Services> =
    Column::new(5, "virtualServerAddrType", INET_ADDRESS_TYPE, |r| {
        integer(match r.service.key.family() {
            Family::Inet => 1,
            Family::Inet6 => 2,
        })
    });
pub(crate) const ADDRESS: Column<Services> =
    Column::new(6, "virtualServerAddress", INET_ADDRESS, |r| address(&r.address()?.0));
pub(crate) const PORT: Column<Services> =
    Column::new(7, "virtualServerPort", INET_PORT_NUMBER, |r| unsigned(r.address()?.1));
pub(crate) const PROTOCOL: Column<Services> =
    Column::new(8, "virtualServerProtocol", INTEGER, |r| r.protocol());
pub(crate) const REALS_TOTAL: Column<Services> =
    Column::new(20, "virtualServerRealServersTotal", UNSIGNED32, |r| unsigned(r.service.reals.len()));
pub(crate) const REALS_UP: Column<Services> =
    Column::new(21, "virtualServerRealServersUp", UNSIGNED32, |r| unsigned(r.service.reals_up()));
pub(crate) const QUORUM: Column<Services> =
    Column::new(22, "virtualServerQuorum", UNSIGNED32, |r| unsigned(r.settings().quorum));
pub(crate) const QUORUM_STATUS: Column<Services> =
    Column::new(23, "virtualServerQuorumStatus", INTEGER, |r| truth(r.service.quorum));

pub(crate) const SERVICES: Table<Services> = Table {
    name: "virtualServerEntry",
    entry: &[3, 3, 1],
    index: &["virtualServerIndex"],
    rows: |At(view), start| {
        // A virtual server that stands for a group is one row, however many services with its place it is in the
        // kernel: the first of them is found.
        let (index, service) = row(start, |place| placed(&view.world.services, place))?;
        Some((index, ServiceRow { view, service }))
    },
    columns: &[
        KIND,
        GROUP,
        MARK,
        ADDRESS_TYPE,
        ADDRESS,
        PORT,
        PROTOCOL,
        Column::new(9, "virtualServerLoadBalancingAlgo", INTEGER, |r| {
            integer(scheduler(&r.settings().scheduler))
        }),
        Column::new(10, "virtualServerLoadBalancingKind", INTEGER, |r| {
            integer(forwarding(r.settings().forwarding))
        }),
        Column::new(11, "virtualServerStatus", INTEGER, |r| truth(r.service.present)),
        Column::new(12, "virtualServerVirtualHost", DISPLAY_STRING, |r| text_of(&r.settings().virtualhost)),
        Column::new(13, "virtualServerPersist", INTEGER, |r| {
            truth(r.settings().persistence_timeout.is_some())
        }),
        Column::new(14, "virtualServerPersistTimeout", UNSIGNED32, |r| {
            seconds(r.settings().persistence_timeout?)
        }),
        Column::new(15, "virtualServerPersistGranularity", INET_ADDRESS, |r| r.netmask()),
        Column::new(16, "virtualServerDelayLoop", UNSIGNED32, |r| seconds(r.settings().delay_loop)),
        Column::new(17, "virtualServerHaSuspend", TRUTH_VALUE, |r| truth(r.settings().ha_suspend)),
        Column::new(18, "virtualServerAlpha", INTEGER, |r| truth(r.settings().alpha)),
        Column::new(19, "virtualServerOmega", INTEGER, |r| truth(r.settings().omega)),
        REALS_TOTAL,
        REALS_UP,
        QUORUM,
        QUORUM_STATUS,
        Column::new(24, "virtualServerQuorumUp", DISPLAY_STRING, |r| script(&r.settings().quorum_up)),
        Column::new(25, "virtualServerQuorumDown", DISPLAY_STRING, |r| script(&r.settings().quorum_down)),
        Column::new(26, "virtualServerHysteresis", UNSIGNED32, |r| unsigned(r.settings().hysteresis)),
        Column::new(27, "virtualServerStatsConns", GAUGE32, |r| unsigned(r.traffic(|t| &t.connections))),
        Column::new(28, "virtualServerStatsInPkts", COUNTER32, |r| counter32(r.traffic(|t| &t.packets_in))),
        Column::new(29, "virtualServerStatsOutPkts", COUNTER32, |r| counter32(r.traffic(|t| &t.packets_out))),
        Column::new(30, "virtualServerStatsInBytes", COUNTER64, |r| counter64(r.traffic(|t| &t.bytes_in))),
        Column::new(31, "virtualServerStatsOutBytes", COUNTER64, |r| counter64(r.traffic(|t| &t.bytes_out))),
        Column::new(32, "virtualServerRateCps", GAUGE32, |r| {
            unsigned(r.traffic(|t| &t.connections_per_second))
        }),
        Column::new(33, "virtualServerRateInPPS", GAUGE32, |r| {
            unsigned(r.traffic(|t| &t.packets_in_per_second))
        }),
        Column::new(34, "virtualServerRateOutPPS", GAUGE32, |r| {
            unsigned(r.traffic(|t| &t.packets_out_per_second))
        }),
        Column::new(35, "virtualServerRateInBPS", GAUGE32, |r| {
            unsigned(r.traffic(|t| &t.bytes_in_per_second))
        }),
        Column::new(36, "virtualServerRateOutBPS", GAUGE32, |r| {
            unsigned(r.traffic(|t| &t.bytes_out_per_second))
        }),
        Column::new(37, "virtualServerOPS", TRUTH_VALUE, |r| truth(r.settings().flags.one_packet)),
        Column::new(38, "virtualServerStatsConns64", COUNTER64, |r| counter64(r.traffic(|t| &t.connections))),
        Column::new(39, "virtualServerStatsInPkts64", COUNTER64, |r| counter64(r.traffic(|t| &t.packets_in))),
        Column::new(40, "virtualServerStatsOutPkts64", COUNTER64, |r| {
            counter64(r.traffic(|t| &t.packets_out))
        }),
        Column::new(41, "virtualServerRateCpsLow", UNSIGNED32, |r| {
            low(r.traffic(|t| &t.connections_per_second))
        }),
        Column::new(42, "virtualServerRateCpsHigh", UNSIGNED32, |r| {
            high(r.traffic(|t| &t.connections_per_second))
        }),
        Column::new(43, "virtualServerRateInPPSLow", UNSIGNED32, |r| {
            low(r.traffic(|t| &t.packets_in_per_second))
        }),
        Column::new(44, "virtualServerRateInPPSHigh", UNSIGNED32, |r| {
            high(r.traffic(|t| &t.packets_in_per_second))
        }),
        Column::new(45, "virtualServerRateOutPPSLow", UNSIGNED32, |r| {
            low(r.traffic(|t| &t.packets_out_per_second))
        }),
        Column::new(46, "virtualServerRateOutPPSHigh", UNSIGNED32, |r| {
            high(r.traffic(|t| &t.packets_out_per_second))
        }),
        Column::new(47, "virtualServerRateInBPSLow", UNSIGNED32, |r| {
            low(r.traffic(|t| &t.bytes_in_per_second))
        }),
        Column::new(48, "virtualServerRateInBPSHigh", UNSIGNED32, |r| {
            high(r.traffic(|t| &t.bytes_in_per_second))
        }),
        Column::new(49, "virtualServerRateOutBPSLow", UNSIGNED32, |r| {
            low(r.traffic(|t| &t.bytes_out_per_second))
        }),
        Column::new(50, "virtualServerRateOutBPSHigh", UNSIGNED32, |r| {
            high(r.traffic(|t| &t.bytes_out_per_second))
        }),
        Column::new(51, "virtualServerPersistGranularity6", UNSIGNED32, |r| r.prefix()),
        Column::new(52, "virtualServerHashed", TRUTH_VALUE, |r| truth(r.settings().flags.hashed)),
        Column::new(53, "virtualServerSHFallback", TRUTH_VALUE, |r| truth(r.settings().flags.sched_1)),
        Column::new(54, "virtualServerSHPort", TRUTH_VALUE, |r| truth(r.settings().flags.sched_2)),
        Column::new(55, "virtualServerSched3", TRUTH_VALUE, |r| truth(r.settings().flags.sched_3)),
        Column::new(56, "virtualServerActionWhenDown", INTEGER, |r| truth(!r.settings().inhibit_on_failure)),
        Column::new(57, "virtualServerRetry", UNSIGNED32, |r| unsigned(r.timing().retry.unwrap_or(0))),
        Column::new(58, "virtualServerDelayBeforeRetry", UNSIGNED32, |r| {
            seconds(r.timing().delay_before_retry.unwrap_or_default())
        }),
        Column::new(59, "virtualServerWarmup", UNSIGNED32, |r| {
            seconds(r.timing().warmup.unwrap_or_default())
        }),
        Column::new(60, "virtualServerWeight", INTEGER32, |r| integer(r.settings().weight.0)),
        Column::new(61, "virtualServerSmtpAlert", INTEGER, |r| truth(r.settings().smtp_alert)),
        Column::new(62, "virtualServerMHFallback", TRUTH_VALUE, |r| truth(r.settings().flags.sched_1)),
        Column::new(63, "virtualServerMHPort", TRUTH_VALUE, |r| truth(r.settings().flags.sched_2)),
        Column::new(64, "virtualServerDelayLoopUsec", UNSIGNED32, |r| microseconds(r.settings().delay_loop)),
        Column::new(65, "virtualServerDelayBeforeRetrUsec", UNSIGNED32, |r| {
            microseconds(r.timing().delay_before_retry.unwrap_or_default())
        }),
        Column::new(66, "virtualServerWarmupUsec", UNSIGNED32, |r| {
            microseconds(r.timing().warmup.unwrap_or_default())
        }),
        Column::new(67, "virtualServerConnTimeoutUsec", UNSIGNED32, |r| {
            microseconds(r.timing().connect_timeout.unwrap_or(CONNECT_TIMEOUT))
        }),
        Column::new(68, "virtualServerTunnelType", INTEGER, |r| tunnel_type(r.settings().forwarding)),
        Column::new(69, "virtualServerTunnelPort", INET_PORT_NUMBER, |r| {
            tunnel_port(r.settings().forwarding)
        }),
        Column::new(70, "virtualServerTunnelCsum", INTEGER, |r| tunnel_checksum(r.settings().forwarding)),
        Column::new(71, "virtualServerName", DISPLAY_STRING, |r| text_of(&r.settings().snmp_name)),
        Column::new(72, "virtualServerQuorumUpPath", DISPLAY_STRING, |r| program(&r.settings().quorum_up)),
        Column::new(73, "virtualServerQuorumDownPath", DISPLAY_STRING, |r| {
            program(&r.settings().quorum_down)
        }),
        Column::new(74, "virtualServerRateCps64", COUNTER64, |r| {
            counter64(r.traffic(|t| &t.connections_per_second))
        }),
        Column::new(75, "virtualServerRateInPPS64", COUNTER64, |r| {
            counter64(r.traffic(|t| &t.packets_in_per_second))
        }),
        Column::new(76, "virtualServerRateOutPPS64", COUNTER64, |r| {
            counter64(r.traffic(|t| &t.packets_out_per_second))
        }),
        Column::new(77, "virtualServerRateInBPS64", COUNTER64, |r| {
            counter64(r.traffic(|t| &t.bytes_in_per_second))
        }),
        Column::new(78, "virtualServerRateOutBPS64", COUNTER64, |r| {
            counter64(r.traffic(|t| &t.bytes_out_per_second))
        }),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn netmasks_of_every_length() {
        assert_eq!(netmask(0), [0, 0, 0, 0]);
        assert_eq!(netmask(24), [255, 255, 255, 0]);
        assert_eq!(netmask(32), [255, 255, 255, 255]);
        assert_eq!(netmask(200), [255, 255, 255, 255]);
    }

    #[test]
    fn schedulers_have_the_numbers_of_the_mib() {
        assert_eq!(["rr", "wlc", "twos", "sip"].map(scheduler), [1, 4, 14, 99]);
    }
}

//! Real servers, and the sorry server before them.

use std::net::SocketAddr;
use std::time::Duration;

use keepwatch_bus::counters::{Gauge, ServiceCounters};
use keepwatch_bus::fact::ManagerSet;
use keepwatch_bus::subject::RealKey;
use keepwatch_bus::world::{Checker, RealServer, Service};
use keepwatch_model::{CheckTiming, FileCheck, Forwarding};
use snmp_agentx::syntax::{
    COUNTER32, COUNTER64, DISPLAY_STRING, GAUGE32, INET_ADDRESS, INET_ADDRESS_TYPE, INET_PORT_NUMBER,
    INTEGER, INTEGER32, UNSIGNED32,
};
use snmp_agentx::{At, Column, ErrorStatus, Rows, Table, value};

use super::Tables;
use super::instances::script;
use super::services::{CONNECT_TIMEOUT, forwarding, program, tunnel_checksum, tunnel_port, tunnel_type};
use super::traffic::{counter32, counter64, high, low, read};
use crate::cells::{Cell, address, address_type, integer, microseconds, seconds, text_of, truth, unsigned};
use crate::source::{Keepwatch, View, part, placed};

pub(super) const TABLES: Tables = &[&REALS];

pub(crate) struct Reals;

impl Rows for Reals {
    type Source = Keepwatch;
    type Index = [u32; 2];
    type Row<'s> = RealRow<'s>;
}

pub(crate) struct RealRow<'s> {
    pub(crate) view: View<'s>,
    pub(crate) service: &'s Service,
    pub(crate) address: SocketAddr,
    /// None for the sorry server, which has no checkers and says nothing for any.
    pub(crate) server: Option<&'s RealServer>,
}

impl<'s> RealRow<'s> {
    fn settings(&self) -> Option<&'s keepwatch_model::RealServer> {
        self.server.map(|server| &*server.settings)
    }

    fn timing(&self) -> CheckTiming {
        self.settings().map(|settings| *settings.timing).unwrap_or_default()
    }

    fn delay_loop(&self) -> Duration {
        let inherited = self.service.settings.delay_loop;
        self.settings().map_or(Duration::ZERO, |s| s.timing.delay_loop.unwrap_or(inherited))
    }

    fn connect_timeout(&self) -> Duration {
        let written = self.settings().map(|s| s.timing.connect_timeout);
        written.map_or(Duration::ZERO, |written| written.unwrap_or(CONNECT_TIMEOUT))
    }

    fn forwarding(&self) -> Forwarding {
        self.settings().map_or(self.service.settings.forwarding, |settings| settings.forwarding)
    }

    /// What it has from its virtual server is told there.
    fn own_virtualhost(&self) -> Cell {
        let own = &self.settings()?.virtualhost;
        text_of(own).filter(|_| *own != self.service.settings.virtualhost)
    }

    /// Checkers that have not reported yet.
    fn silent_checkers(&self) -> usize {
        self.server.map_or(0, silent_checkers)
    }

    fn traffic(&self, field: fn(&ServiceCounters) -> &Gauge) -> u64 {
        let key = RealKey { service: self.service.key, real: self.address };
        self.view.counters.traffic_demand.ask();
        read(self.view.counters.reals.get(&key), field)
    }
}

/// A limit of connections; 0 is none.
fn limit(connections: u32) -> Cell {
    unsigned(connections).filter(|_| connections > 0)
}

/// Checkers that have not reported yet. A `FILE_CHECK` has no turn that it could be waiting for.
fn silent_checkers(real: &RealServer) -> usize {
    let has_reported = |checker: &&Checker| checker.ok.is_some() && &*checker.key.kind != FileCheck::KEYWORD;
    let reported = real.checkers.iter().filter(has_reported).count();
    real.settings.checkers.len().saturating_sub(reported)
}

/// Checkers that hold the real server down. One that has just failed and may try again is none of them.
fn failed_checks(real: &RealServer) -> usize {
    if real.up {
        return 0;
    }
    let unproven = if real.settings.alpha { silent_checkers(real) } else { 0 };
    real.checkers.iter().filter(|checker| checker.ok == Some(false)).count() + unproven
}

pub(crate) const ADDRESS_TYPE: Column<Reals> =
    Column::new(3, "realServerAddrType", INET_ADDRESS_TYPE, |r| address_type(&r.address.ip()));
pub(crate) const ADDRESS: Column<Reals> =
    Column::new(4, "realServerAddress", INET_ADDRESS, |r| address(&r.address.ip()));
pub(crate) const PORT: Column<Reals> =
    Column::new(5, "realServerPort", INET_PORT_NUMBER, |r| unsigned(r.address.port()));
pub(crate) const STATUS: Column<Reals> = Column::new(6, "realServerStatus", INTEGER, |r| truth(r.server?.up));

pub(crate) const REALS: Table<Reals> = Table {
    name: "realServerEntry",
    entry: &[3, 4, 1],
    index: &["virtualServerIndex", "realServerIndex"],
    rows: |At(view), start| {
        let sorry = |service: &Service| usize::from(service.settings.sorry_server.is_some());
        let services = |place| placed(&view.world.services, place);
        let (index, part) = part(start, services, |service| sorry(service) + service.reals.len())?;
        let service = part.of;
        let (address, server) = match (part.at, &service.settings.sorry_server) {
            (0, Some(sorry)) => (sorry.address, None),
            (at, _) => {
                let real = service.reals.nth(at - sorry(service))?;
                (real.address, Some(real))
            }
        };
        Some((index, RealRow { view, service, address, server }))
    },
    columns: &[
        Column::new(2, "realServerType", INTEGER, |r| integer(if r.server.is_some() { 1 } else { 2 })),
        ADDRESS_TYPE,
        ADDRESS,
        PORT,
        STATUS,
        Column::<Reals>::new(7, "realServerWeight", INTEGER32, |r| integer(r.settings()?.weight.0)).settable(
            |r, value| match value::as_integer(value).map(u16::try_from) {
                Some(Ok(to)) => {
                    let from = r.settings().ok_or(ErrorStatus::NOT_WRITABLE)?.weight.0;
                    let real = RealKey { service: r.service.key, real: r.address };
                    Ok(ManagerSet::Weight { real, from, to })
                }
                Some(Err(_)) => Err(ErrorStatus::WRONG_VALUE),
                None => Err(ErrorStatus::WRONG_TYPE),
            },
        ),
        Column::new(8, "realServerUpperConnectionLimit", UNSIGNED32, |r| {
            limit(r.settings()?.upper_threshold)
        }),
        Column::new(9, "realServerLowerConnectionLimit", UNSIGNED32, |r| {
            limit(r.settings()?.lower_threshold)
        }),
        Column::new(10, "realServerActionWhenDown", INTEGER, |r| truth(!r.settings()?.inhibit_on_failure)),
        Column::new(11, "realServerNotifyUp", DISPLAY_STRING, |r| script(&r.settings()?.notify_up)),
        Column::new(12, "realServerNotifyDown", DISPLAY_STRING, |r| script(&r.settings()?.notify_down)),
        Column::new(13, "realServerFailedChecks", UNSIGNED32, |r| unsigned(failed_checks(r.server?))),
        Column::new(14, "realServerStatsConns", GAUGE32, |r| unsigned(r.traffic(|t| &t.connections))),
        Column::new(15, "realServerStatsActiveConns", GAUGE32, |r| unsigned(r.traffic(|t| &t.active))),
        Column::new(16, "realServerStatsInactiveConns", GAUGE32, |r| unsigned(r.traffic(|t| &t.inactive))),
        Column::new(17, "realServerStatsPersistentConns", GAUGE32, |r| {
            unsigned(r.traffic(|t| &t.persistent))
        }),
        Column::new(18, "realServerStatsInPkts", COUNTER32, |r| counter32(r.traffic(|t| &t.packets_in))),
        Column::new(19, "realServerStatsOutPkts", COUNTER32, |r| counter32(r.traffic(|t| &t.packets_out))),
        Column::new(20, "realServerStatsInBytes", COUNTER64, |r| counter64(r.traffic(|t| &t.bytes_in))),
        Column::new(21, "realServerStatsOutBytes", COUNTER64, |r| counter64(r.traffic(|t| &t.bytes_out))),
        Column::new(22, "realServerRateCps", GAUGE32, |r| unsigned(r.traffic(|t| &t.connections_per_second))),
        Column::new(23, "realServerRateInPPS", GAUGE32, |r| {
            unsigned(r.traffic(|t| &t.packets_in_per_second))
        }),
        Column::new(24, "realServerRateOutPPS", GAUGE32, |r| {
            unsigned(r.traffic(|t| &t.packets_out_per_second))
        }),
        Column::new(25, "realServerRateInBPS", GAUGE32, |r| unsigned(r.traffic(|t| &t.bytes_in_per_second))),
        Column::new(26, "realServerRateOutBPS", GAUGE32, |r| {
            unsigned(r.traffic(|t| &t.bytes_out_per_second))
        }),
        Column::new(27, "realServerStatsConns64", COUNTER64, |r| counter64(r.traffic(|t| &t.connections))),
        Column::new(28, "realServerStatsInPkts64", COUNTER64, |r| counter64(r.traffic(|t| &t.packets_in))),
        Column::new(29, "realServerStatsOutPkts64", COUNTER64, |r| counter64(r.traffic(|t| &t.packets_out))),
        Column::new(
            30,
            "realServerRateCpsLow",
            UNSIGNED32,
            |r| low(r.traffic(|t| &t.connections_per_second)),
        ),
        Column::new(31, "realServerRateCpsHigh", UNSIGNED32, |r| {
            high(r.traffic(|t| &t.connections_per_second))
        }),
        Column::new(32, "realServerRateInPPSLow", UNSIGNED32, |r| {
            low(r.traffic(|t| &t.packets_in_per_second))
        }),
        Column::new(33, "realServerRateInPPSHigh", UNSIGNED32, |r| {
            high(r.traffic(|t| &t.packets_in_per_second))
        }),
        Column::new(34, "realServerRateOutPPSLow", UNSIGNED32, |r| {
            low(r.traffic(|t| &t.packets_out_per_second))
        }),
        Column::new(35, "realServerRateOutPPSHigh", UNSIGNED32, |r| {
            high(r.traffic(|t| &t.packets_out_per_second))
        }),
        Column::new(36, "realServerRateInBPSLow", UNSIGNED32, |r| low(r.traffic(|t| &t.bytes_in_per_second))),
        Column::new(37, "realServerRateInBPSHigh", UNSIGNED32, |r| {
            high(r.traffic(|t| &t.bytes_in_per_second))
        }),
        Column::new(38, "realServerRateOutBPSLow", UNSIGNED32, |r| {
            low(r.traffic(|t| &t.bytes_out_per_second))
        }),
        Column::new(39, "realServerRateOutBPSHigh", UNSIGNED32, |r| {
            high(r.traffic(|t| &t.bytes_out_per_second))
        }),
        Column::new(40, "realServerForwardingMethod", INTEGER, |r| integer(forwarding(r.forwarding()))),
        Column::new(41, "realServerVirtualHost", DISPLAY_STRING, |r| r.own_virtualhost()),
        Column::new(42, "realServerAlpha", INTEGER, |r| truth(r.settings().is_some_and(|s| s.alpha))),
        Column::new(43, "realServerRetry", UNSIGNED32, |r| unsigned(r.timing().retry.unwrap_or(0))),
        Column::new(44, "realServerDelayBeforeRetry", UNSIGNED32, |r| {
            seconds(r.timing().delay_before_retry.unwrap_or_default())
        }),
        Column::new(45, "realServerWarmup", UNSIGNED32, |r| seconds(r.timing().warmup.unwrap_or_default())),
        Column::new(46, "realServerDelayLoop", UNSIGNED32, |r| seconds(r.delay_loop())),
        Column::new(47, "realServerSmtpAlert", INTEGER, |r| {
            truth(r.settings().is_some_and(|s| s.smtp_alert))
        }),
        Column::new(48, "realServerDelayBeforeRetryUsec", UNSIGNED32, |r| {
            microseconds(r.timing().delay_before_retry.unwrap_or_default())
        }),
        Column::new(49, "realServerWarmupUsec", UNSIGNED32, |r| {
            microseconds(r.timing().warmup.unwrap_or_default())
        }),
        Column::new(50, "realServerDelayLoopUsec", UNSIGNED32, |r| microseconds(r.delay_loop())),
        Column::new(51, "realServerConnTimeoutUsec", UNSIGNED32, |r| microseconds(r.connect_timeout())),
        Column::new(52, "realServerTunnelType", INTEGER, |r| tunnel_type(r.forwarding())),
        Column::new(53, "realServerTunnelPort", INET_PORT_NUMBER, |r| tunnel_port(r.forwarding())),
        Column::new(54, "realServerTunnelCsum", INTEGER, |r| tunnel_checksum(r.forwarding())),
        Column::new(55, "realServerName", DISPLAY_STRING, |r| text_of(&r.settings()?.snmp_name)),
        Column::new(56, "realServerNotifyUpPath", DISPLAY_STRING, |r| program(&r.settings()?.notify_up)),
        Column::new(57, "realServerNotifyDownPath", DISPLAY_STRING, |r| program(&r.settings()?.notify_down)),
        Column::new(58, "realServerRateCps64", COUNTER64, |r| {
            counter64(r.traffic(|t| &t.connections_per_second))
        }),
        Column::new(59, "realServerRateInPPS64", COUNTER64, |r| {
            counter64(r.traffic(|t| &t.packets_in_per_second))
        }),
        Column::new(60, "realServerRateOutPPS64", COUNTER64, |r| {
            counter64(r.traffic(|t| &t.packets_out_per_second))
        }),
        Column::new(61, "realServerRateInBPS64", COUNTER64, |r| {
            counter64(r.traffic(|t| &t.bytes_in_per_second))
        }),
        Column::new(62, "realServerRateOutBPS64", COUNTER64, |r| {
            counter64(r.traffic(|t| &t.bytes_out_per_second))
        }),
        Column::new(63, "realServerNotRunCheckers", UNSIGNED32, |r| unsigned(r.silent_checkers())),
    ],
};

//! VRRP-MIB (RFC 2787).

use std::net::{IpAddr, Ipv4Addr};

use keepwatch_model::Authentication;
use snmp_agentx::syntax::{COUNTER32, INTEGER, INTEGER32, IP_ADDRESS, TRUTH_VALUE};
use snmp_agentx::{At, Column, Objects, Rows, Scalar, Scalars, Start, Table, value};

use super::{MAC_ADDRESS, ROW_STATUS, Routers, TIME_STAMP, of_all, routers, state, ticks};
use crate::cells::{Cell, integer, truth};
use crate::source::{Keepwatch, View};

/// `vrrpMIB`: { mib-2 68 }.
pub(crate) const ROOT: [u32; 7] = [1, 3, 6, 1, 2, 1, 68];

pub(crate) const TABLES: &[&dyn Objects<Keepwatch>] = &[&NODE, &OPER, &ASSOCIATED, &ERRORS, &STATISTICS];

const NODE: Scalars<Keepwatch> = Scalars {
    parent: &[1],
    scalars: &[
        Scalar::new(1, "vrrpNodeVersion", INTEGER32, |_| integer(2)),
        Scalar::new(2, "vrrpNotificationCntl", INTEGER, |v| truth(v.world.settings.global.snmp.traps)),
    ],
};

/// An IpAddress; four zeros where there is none.
fn ip(address: Option<IpAddr>) -> Cell {
    Some(value::address(match address {
        Some(IpAddr::V4(v4)) => v4,
        Some(IpAddr::V6(_)) | None => Ipv4Addr::UNSPECIFIED,
    }))
}

pub(crate) const MASTER: Column<Routers<2>> =
    Column::new(7, "vrrpOperMasterIpAddr", IP_ADDRESS, |r| ip(r.master()));

pub(crate) const OPER: Table<Routers<2>> = Table {
    name: "vrrpOperEntry",
    entry: &[1, 3, 1],
    index: &["ifIndex", "vrrpOperVrId"],
    rows: |At(view), start| routers(view, &view.order.v2, start),
    columns: &[
        Column::new(2, "vrrpOperVirtualMacAddr", MAC_ADDRESS, |r| r.hardware()),
        Column::new(3, "vrrpOperState", INTEGER, |r| integer(state(r.instance.state))),
        Column::new(4, "vrrpOperAdminState", INTEGER, |_| integer(1)),
        Column::new(5, "vrrpOperPriority", INTEGER32, |r| integer(r.instance.priority)),
        Column::new(6, "vrrpOperIpAddrCount", INTEGER32, |r| {
            integer(i64::try_from(r.settings().addresses.len()).unwrap_or(i64::MAX))
        }),
        MASTER,
        Column::new(8, "vrrpOperPrimaryIpAddr", IP_ADDRESS, |r| ip(r.primary())),
        Column::new(9, "vrrpOperAuthType", INTEGER, |r| {
            integer(match r.settings().authentication {
                Authentication::None => 1,
                Authentication::Pass(_) => 2,
                Authentication::Ah(_) => 3,
            })
        }),
        // 10, vrrpOperAuthKey, is not to be read.
        Column::new(11, "vrrpOperAdvertisementInterval", INTEGER32, |r| {
            integer(i64::try_from(r.settings().advert_int.as_secs()).unwrap_or(i64::MAX))
        }),
        Column::new(12, "vrrpOperPreemptMode", TRUTH_VALUE, |r| truth(!r.settings().nopreempt)),
        // The time of the daemon's own start is the zero of it.
        Column::new(13, "vrrpOperVirtualRouterUpTime", TIME_STAMP, |r| {
            let began = r.view.world.started_at?;
            let since = r.instance.running_since.map(|since| since.duration_since(began));
            ticks(since.and_then(|since| since.try_into().ok()).unwrap_or_default())
        }),
        Column::new(14, "vrrpOperProtocol", INTEGER, |_| integer(1)),
        Column::new(15, "vrrpOperRowStatus", ROW_STATUS, |_| integer(1)),
    ],
};

struct Addresses;

impl Rows for Addresses {
    type Source = Keepwatch;
    type Index = [u32; 6];
    type Row<'s> = ();
}

/// An address as part of an index.
fn numbers(address: Ipv4Addr) -> [u32; 4] {
    address.octets().map(u32::from)
}

fn associated<'s>(view: View<'s>, start: Start<'_>) -> Option<([u32; 6], ())> {
    let [interface, vrid, a, b, c, d] = start.numbers()?;
    let mut from = ([interface, vrid], [a, b, c, d]);
    loop {
        let (index, name) = view.order.v2.first(from.0)?;
        let least = if index == from.0 { from.1 } else { [0; 4] };
        let addresses = view.world.instances.get(name)?.settings.addresses.iter();
        let v4 = addresses.filter_map(|a| if let IpAddr::V4(v4) = a.address { Some(v4) } else { None });
        if let Some([a, b, c, d]) = v4.map(numbers).filter(|address| *address >= least).min() {
            return Some(([index[0], index[1], a, b, c, d], ()));
        }
        from = (Start::after(&index).numbers()?, [0; 4]);
    }
}

const ASSOCIATED: Table<Addresses> = Table {
    name: "vrrpAssoIpAddrEntry",
    entry: &[1, 4, 1],
    index: &["ifIndex", "vrrpOperVrId", "vrrpAssoIpAddr"],
    rows: |At(view), start| associated(view, start),
    columns: &[Column::new(2, "vrrpAssoIpAddrRowStatus", ROW_STATUS, |()| integer(1))],
};

const ERRORS: Scalars<Keepwatch> = Scalars {
    parent: &[2],
    scalars: &[
        Scalar::new(1, "vrrpRouterChecksumErrors", COUNTER32, |v| {
            counter(of_all(v, |r| &r.checksum_errors, |i| &i.checksum_errors))
        }),
        Scalar::new(2, "vrrpRouterVersionErrors", COUNTER32, |v| {
            counter(of_all(v, |r| &r.version_errors, |i| &i.version_errors))
        }),
        Scalar::new(3, "vrrpRouterVrIdErrors", COUNTER32, |v| {
            counter(of_all(v, |r| &r.vrid_errors, |i| &i.vrid_errors))
        }),
    ],
};

fn counter(number: u64) -> Cell {
    Some(value::counter32(number))
}

const STATISTICS: Table<Routers<2>> = Table {
    name: "vrrpRouterStatsEntry",
    entry: &[2, 4, 1],
    index: &["ifIndex", "vrrpOperVrId"],
    rows: |At(view), start| routers(view, &view.order.v2, start),
    columns: &[
        Column::new(1, "vrrpStatsBecomeMaster", COUNTER32, |r| counter(r.counter(|c| &c.became_master))),
        Column::new(2, "vrrpStatsAdvertiseRcvd", COUNTER32, |r| counter(r.counter(|c| &c.adverts_received))),
        Column::new(3, "vrrpStatsAdvertiseIntervalErrors", COUNTER32, |r| {
            counter(r.counter(|c| &c.interval_errors))
        }),
        Column::new(4, "vrrpStatsAuthFailures", COUNTER32, |r| counter(r.counter(|c| &c.auth_failures))),
        Column::new(5, "vrrpStatsIpTtlErrors", COUNTER32, |r| counter(r.counter(|c| &c.ttl_errors))),
        Column::new(6, "vrrpStatsPriorityZeroPktsRcvd", COUNTER32, |r| {
            counter(r.counter(|c| &c.priority_zero_received))
        }),
        Column::new(7, "vrrpStatsPriorityZeroPktsSent", COUNTER32, |r| {
            counter(r.counter(|c| &c.priority_zero_sent))
        }),
        Column::new(8, "vrrpStatsInvalidTypePktsRcvd", COUNTER32, |r| {
            counter(r.counter(|c| &c.invalid_type))
        }),
        Column::new(9, "vrrpStatsAddressListErrors", COUNTER32, |r| {
            counter(r.counter(|c| &c.address_list_errors))
        }),
        Column::new(10, "vrrpStatsInvalidAuthType", COUNTER32, |r| {
            counter(r.counter(|c| &c.invalid_auth_type))
        }),
        Column::new(11, "vrrpStatsAuthTypeMismatch", COUNTER32, |r| {
            counter(r.counter(|c| &c.auth_type_mismatch))
        }),
        Column::new(12, "vrrpStatsPacketLengthErrors", COUNTER32, |r| {
            counter(r.counter(|c| &c.packet_length_errors))
        }),
    ],
};

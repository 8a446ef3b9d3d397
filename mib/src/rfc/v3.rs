//! VRRPV3-MIB (RFC 6527).

use std::net::IpAddr;

use keepwatch_bus::fact::AdvertError;
use snmp_agentx::syntax::{
    Base, COUNTER32, COUNTER64, INET_ADDRESS, INTEGER, INTEGER32, TIME_TICKS, TRUTH_VALUE, UNSIGNED32,
};
use snmp_agentx::{At, Column, Objects, Rows, Scalar, Scalars, Start, Syntax, Table, value};

use super::{MAC_ADDRESS, ROW_STATUS, Routers, TIME_STAMP, of_all, routers, state, ticks};
use crate::cells::{Cell, address, integer, truth, unsigned};
use crate::source::{Keepwatch, View};

/// `vrrpv3MIB`: { mib-2 207 }.
pub(crate) const ROOT: [u32; 7] = [1, 3, 6, 1, 2, 1, 207];

pub(crate) const TABLES: &[&dyn Objects<Keepwatch>] = &[&OPERATIONS, &ASSOCIATED, &ERRORS, &STATISTICS];

const TIME_INTERVAL: Syntax = Syntax::new("TimeInterval", Base::Integer);

/// An InetAddress; no octets where there is none.
fn inet(found: Option<IpAddr>) -> Cell {
    found.map_or_else(|| Some(value::octets(&[])), |found| address(&found))
}

pub(crate) const MASTER: Column<Routers<3>> =
    Column::new(3, "vrrpv3OperationsMasterIpAddr", INET_ADDRESS, |r| inet(r.master()));
pub(crate) const REASON: Column<Routers<3>> =
    Column::new(2, "vrrpv3StatisticsNewMasterReason", INTEGER, |r| {
        integer(r.instance.master_reason.number())
    });
pub(crate) const ERROR: Column<Routers<3>> = Column::new(6, "vrrpv3StatisticsProtoErrReason", INTEGER, |r| {
    integer(r.instance.protocol_error.and_then(protocol_error).unwrap_or(0))
});

/// The number of what is a protocol error in this MIB.
pub(crate) fn protocol_error(error: AdvertError) -> Option<i32> {
    match error {
        AdvertError::Ttl => Some(1),
        AdvertError::Version => Some(2),
        AdvertError::Checksum => Some(3),
        AdvertError::VirtualRouterId => Some(4),
        _ => None,
    }
}

pub(crate) const OPERATIONS: Table<Routers<3>> = Table {
    name: "vrrpv3OperationsEntry",
    entry: &[1, 1, 1, 1],
    index: &["ifIndex", "vrrpv3OperationsVrId", "vrrpv3OperationsInetAddrType"],
    rows: |At(view), start| routers(view, &view.order.v3, start),
    columns: &[
        MASTER,
        Column::new(4, "vrrpv3OperationsPrimaryIpAddr", INET_ADDRESS, |r| inet(r.primary())),
        Column::new(5, "vrrpv3OperationsVirtualMacAddr", MAC_ADDRESS, |r| r.hardware()),
        Column::new(6, "vrrpv3OperationsStatus", INTEGER, |r| integer(state(r.instance.state))),
        Column::new(7, "vrrpv3OperationsPriority", UNSIGNED32, |r| unsigned(r.settings().priority.0)),
        Column::new(8, "vrrpv3OperationsAddrCount", INTEGER32, |r| {
            integer(i64::try_from(r.settings().addresses.len()).unwrap_or(i64::MAX))
        }),
        Column::new(9, "vrrpv3OperationsAdvInterval", TIME_INTERVAL, |r| {
            integer(i64::try_from(r.settings().advert_int.as_millis() / 10).unwrap_or(i64::MAX))
        }),
        Column::new(10, "vrrpv3OperationsPreemptMode", TRUTH_VALUE, |r| truth(!r.settings().nopreempt)),
        Column::new(11, "vrrpv3OperationsAcceptMode", TRUTH_VALUE, |r| truth(r.settings().accept)),
        Column::new(12, "vrrpv3OperationsUpTime", TIME_TICKS, |r| ticks(r.running())),
        Column::new(13, "vrrpv3OperationsRowStatus", ROW_STATUS, |_| integer(1)),
    ],
};

struct Addresses;

impl Rows for Addresses {
    type Source = Keepwatch;
    type Index = Vec<u32>;
    type Row<'s> = ();
}

/// An address as part of an index: its octets behind how many they are (RFC 2578 section 7.7).
fn numbers(address: &IpAddr) -> Vec<u32> {
    let octets = match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    std::iter::once(octets.len() as u32).chain(octets.into_iter().map(u32::from)).collect()
}

fn associated(view: View<'_>, start: Start<'_>) -> Option<(Vec<u32>, ())> {
    let (given, include) = start.index();
    let mut from: [u32; 3] = Start::at(given.get(..3).unwrap_or(given)).numbers()?;
    loop {
        let (index, name) = view.order.v3.first(from)?;
        let named = |address: &keepwatch_model::InterfaceAddress| {
            index.into_iter().chain(numbers(&address.address)).collect::<Vec<u32>>()
        };
        let addresses = view.world.instances.get(name)?.settings.addresses.iter();
        let is_next = |row: &Vec<u32>| if include { row.as_slice() >= given } else { row.as_slice() > given };
        if let Some(row) = addresses.map(named).filter(is_next).min() {
            return Some((row, ()));
        }
        from = Start::after(&index).numbers()?;
    }
}

const ASSOCIATED: Table<Addresses> = Table {
    name: "vrrpv3AssociatedIpAddrEntry",
    entry: &[1, 1, 2, 1],
    index: &[
        "ifIndex",
        "vrrpv3OperationsVrId",
        "vrrpv3OperationsInetAddrType",
        "vrrpv3AssociatedIpAddrAddress",
    ],
    rows: |At(view), start| associated(view, start),
    columns: &[Column::new(2, "vrrpv3AssociatedIpAddrRowStatus", ROW_STATUS, |()| integer(1))],
};

fn counter(number: u64) -> Cell {
    Some(value::counter64(number))
}

const ERRORS: Scalars<Keepwatch> = Scalars {
    parent: &[1, 2],
    scalars: &[
        Scalar::new(1, "vrrpv3RouterChecksumErrors", COUNTER64, |v| {
            counter(of_all(v, |r| &r.checksum_errors, |i| &i.checksum_errors))
        }),
        Scalar::new(2, "vrrpv3RouterVersionErrors", COUNTER64, |v| {
            counter(of_all(v, |r| &r.version_errors, |i| &i.version_errors))
        }),
        Scalar::new(3, "vrrpv3RouterVrIdErrors", COUNTER64, |v| {
            counter(of_all(v, |r| &r.vrid_errors, |i| &i.vrid_errors))
        }),
        // Counters never jump while the daemon lives.
        Scalar::new(4, "vrrpv3GlobalStatisticsDiscontinuityTime", TIME_STAMP, |_| Some(value::ticks(0))),
    ],
};

pub(crate) const STATISTICS: Table<Routers<3>> = Table {
    name: "vrrpv3StatisticsEntry",
    entry: &[1, 2, 5, 1],
    index: &["ifIndex", "vrrpv3OperationsVrId", "vrrpv3OperationsInetAddrType"],
    rows: |At(view), start| routers(view, &view.order.v3, start),
    columns: &[
        Column::new(1, "vrrpv3StatisticsMasterTransitions", COUNTER32, |r| {
            Some(value::counter32(r.counter(|c| &c.became_master)))
        }),
        REASON,
        Column::new(3, "vrrpv3StatisticsRcvdAdvertisements", COUNTER64, |r| {
            counter(r.counter(|c| &c.adverts_received))
        }),
        Column::new(4, "vrrpv3StatisticsAdvIntervalErrors", COUNTER64, |r| {
            counter(r.counter(|c| &c.interval_errors))
        }),
        Column::new(5, "vrrpv3StatisticsIpTtlErrors", COUNTER64, |r| counter(r.counter(|c| &c.ttl_errors))),
        ERROR,
        Column::new(7, "vrrpv3StatisticsRcvdPriZeroPackets", COUNTER64, |r| {
            counter(r.counter(|c| &c.priority_zero_received))
        }),
        Column::new(8, "vrrpv3StatisticsSentPriZeroPackets", COUNTER64, |r| {
            counter(r.counter(|c| &c.priority_zero_sent))
        }),
        Column::new(9, "vrrpv3StatisticsRcvdInvalidTypePackets", COUNTER64, |r| {
            counter(r.counter(|c| &c.invalid_type))
        }),
        Column::new(10, "vrrpv3StatisticsAddressListErrors", COUNTER64, |r| {
            counter(r.counter(|c| &c.address_list_errors))
        }),
        Column::new(11, "vrrpv3StatisticsPacketLengthErrors", COUNTER64, |r| {
            counter(r.counter(|c| &c.packet_length_errors))
        }),
        Column::new(12, "vrrpv3StatisticsRowDiscontinuityTime", TIME_STAMP, |_| Some(value::ticks(0))),
        // Milliseconds: the figures of a virtual router change with each advertisement.
        Column::new(13, "vrrpv3StatisticsRefreshRate", UNSIGNED32, |r| {
            unsigned(r.settings().advert_int.as_millis())
        }),
    ],
};

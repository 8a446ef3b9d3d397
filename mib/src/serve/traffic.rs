//! What IPVS counts for virtual and real servers, read when it is asked for.

use std::sync::Arc;

use keepwatch_bus::counters::{Gauge, ServiceCounters};
use snmp_agentx::{VarBindValue, value};

use super::columns::{Row, unsigned};

/// The columns in which a table tells traffic. Rates come three times: as a gauge, as two halves, and whole.
pub(super) struct TrafficColumns {
    /// Connections, packets in, packets out, bytes in, bytes out.
    totals: u32,
    /// Connections a second, packets in, packets out, bytes in, bytes out.
    rates: u32,
    /// Connections, packets in, packets out: as Counter64.
    wide_totals: u32,
    /// The rates, each as a low and a high half.
    halves: u32,
    /// The rates as Counter64.
    wide_rates: u32,
    /// Active, inactive and persistent connections.
    present: Option<u32>,
}

pub(super) const SERVICE_TRAFFIC: TrafficColumns =
    TrafficColumns { totals: 27, rates: 32, wide_totals: 38, halves: 41, wide_rates: 74, present: None };

pub(super) const REAL_TRAFFIC: TrafficColumns =
    TrafficColumns { totals: 14, rates: 22, wide_totals: 27, halves: 30, wide_rates: 58, present: Some(15) };

type Field = fn(&ServiceCounters) -> &Gauge;

pub(super) fn traffic(counters: &Arc<ServiceCounters>, columns: &TrafficColumns, r: &mut Row<'_>) {
    let mut live = |column: u32, field: Field, show: fn(u64) -> VarBindValue| {
        let counters = counters.clone();
        r.put_live(column, move || show(u64::try_from(field(&counters).get()).unwrap_or(0)));
    };
    let gauge: fn(u64) -> VarBindValue = |number| unsigned(number.into());

    // Connections are a gauge in this MIB, though they only rise. Real servers have three more between.
    live(columns.totals, |c| &c.connections, gauge);
    let mut next = columns.totals + 1;
    if let Some(present) = columns.present {
        let fields: [Field; 3] = [|c| &c.active, |c| &c.inactive, |c| &c.persistent];
        for (column, field) in (present..).zip(fields) {
            live(column, field, gauge);
        }
        next = present + 3;
    }
    live(next, |c| &c.packets_in, value::counter32);
    live(next + 1, |c| &c.packets_out, value::counter32);
    live(next + 2, |c| &c.bytes_in, value::counter64);
    live(next + 3, |c| &c.bytes_out, value::counter64);

    let rates: [Field; 5] = [
        |c| &c.connections_per_second,
        |c| &c.packets_in_per_second,
        |c| &c.packets_out_per_second,
        |c| &c.bytes_in_per_second,
        |c| &c.bytes_out_per_second,
    ];
    for (place, rate) in (0..).zip(rates) {
        live(columns.rates + place, rate, gauge);
        live(columns.halves + 2 * place, rate, |number| value::unsigned(number as u32));
        live(columns.halves + 2 * place + 1, rate, |number| value::unsigned((number >> 32) as u32));
        live(columns.wide_rates + place, rate, value::counter64);
    }
    let totals: [Field; 3] = [|c| &c.connections, |c| &c.packets_in, |c| &c.packets_out];
    for (column, total) in (columns.wide_totals..).zip(totals) {
        live(column, total, value::counter64);
    }
}

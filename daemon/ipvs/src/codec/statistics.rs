//! Statistics from their attributes.

use super::attribute::StatisticsAttribute as Attribute;
use crate::statistics::Statistics;

/// Reads statistics of either width; what the kernel does not send is 0.
pub(super) fn read_statistics(attributes: &[Attribute]) -> Statistics {
    let mut statistics = Statistics::default();
    for attribute in attributes {
        match attribute {
            Attribute::Connections(n) => statistics.connections = *n,
            Attribute::PacketsIn(n) => statistics.packets_in = *n,
            Attribute::PacketsOut(n) => statistics.packets_out = *n,
            Attribute::BytesIn(n) => statistics.bytes_in = *n,
            Attribute::BytesOut(n) => statistics.bytes_out = *n,
            Attribute::ConnectionRate(n) => statistics.connection_rate = *n,
            Attribute::PacketRateIn(n) => statistics.packet_rate_in = *n,
            Attribute::PacketRateOut(n) => statistics.packet_rate_out = *n,
            Attribute::ByteRateIn(n) => statistics.byte_rate_in = *n,
            Attribute::ByteRateOut(n) => statistics.byte_rate_out = *n,
            Attribute::Other(_) => (),
        }
    }
    statistics
}

//! SNMP.

use crate::schema::{Arg, Keyword, Kind, flag, kw, one};

const AGE: &[Arg] = &[one("SECONDS", Kind::Seconds(1000, 30_000_000))];

pub(super) const SNMP: &[Keyword] = &[
    kw("snmp_socket", &[one("SOCKET", Kind::Word)], "Where the SNMP master agent listens.")
        .first_counts()
        .default("unix:/var/agentx/master")
        .exact()
        .example("snmp_socket tcp:192.0.2.4:705"),
    flag("enable_snmp_vrrp", "Serve the VRRP part of KEEPALIVED-MIB.")
        .old(&["enable_snmp_keepalived"])
        .example("enable_snmp_vrrp"),
    flag("enable_snmp_checker", "Serve the checker part of KEEPALIVED-MIB.").example("enable_snmp_checker"),
    flag("enable_snmp_rfc", "Serve VRRP-MIB and VRRPV3-MIB.").example("enable_snmp_rfc"),
    flag("enable_snmp_rfcv2", "Serve VRRP-MIB (RFC 2787).").example("enable_snmp_rfcv2"),
    flag("enable_snmp_rfcv3", "Serve VRRPV3-MIB (RFC 6527).").example("enable_snmp_rfcv3"),
    flag("enable_traps", "Send SNMP traps.").example("enable_traps"),
    kw("snmp_vs_stats_update_interval", AGE, "How old virtual servers' figures may be.")
        .default("5")
        .example("snmp_vs_stats_update_interval 2.5"),
    kw("snmp_rs_stats_update_interval", AGE, "How old real servers' figures may be.")
        .default("snmp_vs_stats_update_interval")
        .example("snmp_rs_stats_update_interval 2.5"),
];

//! The kernel's IPVS table.

use crate::schema::{Keyword, Kind, any, flag, kw, one, opt, some};

pub(super) const IPVS: &[Keyword] = &[
    kw(
        "lvs_timeouts",
        &[some("[tcp SECONDS] [tcpfin SECONDS] [udp SECONDS]", Kind::Options("timeouts"))],
        "Timeouts of IPVS connections.",
    )
    .default("the kernel's")
    .example("lvs_timeouts tcp 900 tcpfin 120 udp 300"),
    flag("lvs_flush", "Empty the IPVS table at start.").example("lvs_flush"),
    kw("lvs_flush_on_stop", &[opt("VS", Kind::Choice(&["VS"]))], "Empty the IPVS table on stopping.")
        .old(&["lvs_flush_onstop"])
        .example("lvs_flush_on_stop"),
    kw(
        "lvs_sync_daemon",
        &[
            one("INTERFACE", Kind::Interface),
            any(
                "[inst] INSTANCE [id ID] [maxlen BYTES] [port PORT] [ttl TTL] [group ADDRESS]",
                Kind::Options("sync daemon"),
            ),
        ],
        "Synchronise IPVS connections with the other director.",
    )
    .first_counts()
    .example("lvs_sync_daemon eth1 inst VI_1 id 51"),
];

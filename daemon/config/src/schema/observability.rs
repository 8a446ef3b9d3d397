//! keepwatch's own block.

use super::{BlockId, Keyword, Kind, kw, one};

/// `observability { … }`.
pub(super) const OBSERVABILITY: &[Keyword] = &[
    kw(
        "listen",
        &[one("ADDRESS[:PORT] | off", Kind::Word)],
        "Where `/metrics` and the status page are served.",
    )
    .default("127.0.0.1:9165")
    .example("listen [::1]:9165"),
    kw("control_socket", &[one("PATH", Kind::Word)], "Unix socket of the `keepwatch` command.")
        .default("keepwatch.sock in the run directory")
        .example("control_socket /run/keepwatch.sock"),
    kw("history", &[], "What is remembered of the past.")
        .block(BlockId::History)
        .example("history {\n    events 10000\n}"),
];

/// `observability { history { … } }`.
pub(super) const HISTORY: &[Keyword] = &[
    kw("file", &[one("PATH | off", Kind::Word)], "JSON-lines file that survives a restart, or `off`.")
        .default("history.jsonl in the state directory")
        .example("file /var/lib/keepwatch/history.jsonl"),
    kw(
        "max_bytes",
        &[one("BYTES", Kind::Int(4096, i64::MAX))],
        "Bound of that file; one older file is kept beside it.",
    )
    .default("16777216")
    .example("max_bytes 67108864"),
    kw("events", &[one("NUMBER", Kind::Int(1, 100_000_000))], "How many events are kept in memory.")
        .default("10000")
        .example("events 50000"),
];

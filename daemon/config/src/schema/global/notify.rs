//! Named pipes that are told of changes.

use crate::schema::{Arg, Keyword, Kind, flag, kw, one, opt, script, switch};

const FIFO: &[Arg] = &[one("PATH", Kind::Word), opt("USER", Kind::Word), opt("GROUP", Kind::Word)];

pub(super) const NOTIFY: &[Keyword] = &[
    kw("notify_fifo", FIFO, "FIFO that is told of every change.")
        .first_counts()
        .example("notify_fifo /run/keepalived.fifo"),
    script("notify_fifo_script", "Command that reads it.")
        .first_counts()
        .example("notify_fifo_script \"/etc/keepalived/fifo.sh\""),
    kw("vrrp_notify_fifo", FIFO, "FIFO that is told of VRRP changes.")
        .first_counts()
        .example("vrrp_notify_fifo /run/vrrp.fifo"),
    script("vrrp_notify_fifo_script", "Command that reads it.")
        .first_counts()
        .example("vrrp_notify_fifo_script \"/etc/keepalived/fifo.sh\""),
    kw("lvs_notify_fifo", FIFO, "FIFO that is told of virtual and real server changes.")
        .first_counts()
        .example("lvs_notify_fifo /run/lvs.fifo"),
    script("lvs_notify_fifo_script", "Command that reads it.")
        .first_counts()
        .example("lvs_notify_fifo_script \"/etc/keepalived/fifo.sh\""),
    switch("vrrp_notify_priority_changes", "Tell FIFOs of priority changes too.")
        .default("off")
        .example("vrrp_notify_priority_changes"),
    flag("fifo_write_vrrp_states_on_reload", "Write all states to FIFOs on a reload.")
        .example("fifo_write_vrrp_states_on_reload"),
];

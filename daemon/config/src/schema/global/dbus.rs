//! D-Bus.

use super::GlobalDraft;
use crate::schema::entry::Block;
use crate::schema::{Kind, flag, kw, one};

pub(super) const DBUS: Block<GlobalDraft> = Block(&[
    flag("enable_dbus", "Be seen on D-Bus.")
        .example("enable_dbus")
        .sets(|to, _, _| to.model.dbus.enabled = true),
    kw("dbus_service_name", &[one("NAME", Kind::Word)], "Name on D-Bus.")
        .default("org.keepalived.Vrrp1")
        .example("dbus_service_name org.example.Vrrp")
        .sets(|to, node, _| to.model.dbus.service_name = node.text(0).unwrap_or_default()),
    kw("dbus_no_interface_name", &[one("NAME", Kind::Word)], "What stands for no interface in D-Bus paths.")
        .default("none")
        .example("dbus_no_interface_name nowhere")
        .sets(|to, node, _| to.model.dbus.no_interface_name = node.text(0).unwrap_or_default()),
]);

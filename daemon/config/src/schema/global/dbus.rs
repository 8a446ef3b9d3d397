//! D-Bus.

use crate::schema::{Keyword, Kind, flag, kw, one};

pub(super) const DBUS: &[Keyword] = &[
    flag("enable_dbus", "Be seen on D-Bus.").example("enable_dbus"),
    kw("dbus_service_name", &[one("NAME", Kind::Word)], "Name on D-Bus.")
        .default("org.keepalived.Vrrp1")
        .example("dbus_service_name org.example.Vrrp"),
    kw("dbus_no_interface_name", &[one("NAME", Kind::Word)], "What stands for no interface in D-Bus paths.")
        .default("none")
        .example("dbus_no_interface_name nowhere"),
];

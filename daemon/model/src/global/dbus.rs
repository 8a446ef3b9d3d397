//! The daemon on D-Bus.

use serde::{Deserialize, Serialize};

use crate::Name;

/// D-Bus settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dbus {
    /// `enable_dbus`.
    pub enabled: bool,
    /// `dbus_service_name`; `org.keepalived.Vrrp1` unless given.
    pub service_name: Name,
    /// `dbus_no_interface_name`: what stands in object paths of instances without an interface; `none` unless given.
    pub no_interface_name: Name,
}

impl Default for Dbus {
    fn default() -> Self {
        Self { enabled: false, service_name: "org.keepalived.Vrrp1".into(), no_interface_name: "none".into() }
    }
}

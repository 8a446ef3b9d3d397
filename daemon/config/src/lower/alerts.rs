//! Who sends mail: the own `smtp_alert`, else that of the kind, else the global one, else a default.

use crate::model::Global;

/// For instances and groups.
pub(super) fn vrrp(own: Option<bool>, global: &Global) -> bool {
    own.or(global.smtp_alert_vrrp).or(global.smtp_alert).unwrap_or(false)
}

/// For virtual servers (`default` off) and real servers (`default` on).
pub(super) fn checker(own: Option<bool>, global: &Global, default: bool) -> bool {
    own.or(global.smtp_alert_checker).or(global.smtp_alert).unwrap_or(default)
}

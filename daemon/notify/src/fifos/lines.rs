//! An occasion as keepalived's FIFOs are told it. Pure.
//!
//! ```text
//! INSTANCE "VI_1" MASTER 100
//! GROUP "G1" MASTER 0
//! INSTANCE "VI_1" MASTER_PRIORITY 90
//! INSTANCE "VI_1" MASTER_RX_LOWER_PRI 100
//! RS [10.0.1.1]:tcp:80 [10.0.0.1]:tcp:80 DOWN
//! VS [10.0.0.1]:tcp:80 DOWN
//! VS [GROUP]:0 UP
//! ```

use crate::occasions::{About, priority_word};

/// Its line, with the line feed.
pub(super) fn line(about: &About) -> String {
    match about {
        About::Instance { name, state, priority } => format!("INSTANCE \"{name}\" {state} {priority}\n"),
        About::Group { name, state } => format!("GROUP \"{name}\" {state} 0\n"),
        About::LowerPriority { instance, priority } => {
            format!("INSTANCE \"{instance}\" MASTER_RX_LOWER_PRI {priority}\n")
        }
        About::Priority { instance, master, priority } => {
            format!("INSTANCE \"{instance}\" {} {priority}\n", priority_word(*master))
        }
        About::Real { .. } | About::Service { .. } => format!("{about}\n"),
    }
}

/// Whether the FIFO of virtual routers is told it, and not that of virtual servers.
pub(super) fn is_vrrp(about: &About) -> bool {
    match about {
        About::Instance { .. }
        | About::Group { .. }
        | About::LowerPriority { .. }
        | About::Priority { .. } => true,
        About::Real { .. } | About::Service { .. } => false,
    }
}

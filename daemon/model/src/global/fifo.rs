//! Named pipes that are told of every change, in order, and scripts that read them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Script, ScriptUser};

/// The pipes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifyFifos {
    /// `notify_fifo`, `notify_fifo_script`: told of everything.
    pub all: Option<NotifyFifo>,
    /// `vrrp_notify_fifo`, `vrrp_notify_fifo_script`: told of instances and sync groups. Never the pipe of `all`.
    pub vrrp: Option<NotifyFifo>,
    /// `lvs_notify_fifo`, `lvs_notify_fifo_script`: told of virtual and real servers. Never the pipe of `all`; it may be
    /// that of `vrrp`, and then has no script.
    pub lvs: Option<NotifyFifo>,
    /// `fifo_write_vrrp_states_on_reload`: a reload tells all states again.
    pub states_on_reload: bool,
}

/// A named pipe that is told of changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifyFifo {
    /// Where it is; made if it is not there.
    pub path: PathBuf,
    /// Who owns it when it is made: the user written after the path, else as for scripts (see [`Script::user`]).
    pub owner: Option<ScriptUser>,
    /// `…_fifo_script`: runs as long as the daemon does and reads the pipe, whose path is its last argument.
    pub script: Option<Script>,
}

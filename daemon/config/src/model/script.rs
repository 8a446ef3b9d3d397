//! A command to run: notify scripts, tracked scripts, quorum scripts.

use serde::Serialize;

use super::Name;

/// A command with its arguments, and who runs it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Script {
    /// Program and arguments, already split and unquoted; never empty.
    pub argv: Vec<Name>,
    /// User to run it as: the keyword's own, else `script_user`, else `keepalived_script` if there is such a user,
    /// else root.
    pub user: Option<Name>,
    /// Group to run it as; the user's primary group when `None`.
    pub group: Option<Name>,
}

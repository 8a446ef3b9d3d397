//! A command to run: notify scripts, tracked scripts, quorum scripts.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Name;

/// A command with its arguments, and who runs it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Script {
    /// Program and arguments, already split and unquoted; never empty.
    pub argv: Vec<Name>,
    /// Who runs it: the user of the keyword itself, else `script_user`. When `None`: `keepalived_script` if this machine has
    /// such a user, else the user of the daemon, but nobody with `enable_script_security`.
    pub user: Option<ScriptUser>,
}

/// Each word in single quotes, as keepalived shows commands; a quote in a word as `'\\''`.
impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, word) in self.argv.iter().enumerate() {
            let space = if at == 0 { "" } else { " " };
            write!(f, "{space}'{}'", word.replace('\'', r"'\''"))?;
        }
        Ok(())
    }
}

/// `USER [[:]GROUP]`: who runs a command, or owns a pipe.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ScriptUser {
    /// The user.
    pub name: Name,
    /// The group; the user's primary group when `None`.
    pub group: Option<Name>,
    /// A `:` before the group, or `set_supplementary_groups`: with the user's supplementary groups, else with none.
    pub supplementary_groups: bool,
}

//! The environment of a command: the daemon's, without what is the daemon's own affair or changes how programs are read.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// Where programs are looked for where the daemon itself was given no `PATH`.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Variables of these names are not handed on. With the service manager's (systemd.exec(5), sd_notify(3)) a command
/// could speak for the daemon; the others change what a program or shell loads before its first line.
const WITHHELD: &[&str] = &[
    "NOTIFY_SOCKET",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "CREDENTIALS_DIRECTORY",
    "SYSTEMD_EXEC_PID",
    "MAINPID",
    "FDSTORE",
    "MEMORY_PRESSURE_WATCH",
    "MEMORY_PRESSURE_WRITE",
    "IFS",
    "ENV",
    "BASH_ENV",
];
/// Nor are variables that begin like this.
const WITHHELD_KINDS: &[&str] = &["KEEPWATCH_", "LISTEN_", "WATCHDOG_", "LD_"];

/// The `PATH` on which commands are looked for, and that they get.
pub fn search_path() -> OsString {
    std::env::var_os("PATH").unwrap_or_else(|| PATH.into())
}

/// What a command gets.
pub(crate) fn handed_on() -> Vec<(OsString, OsString)> {
    let mut variables: Vec<_> = std::env::vars_os().filter(|(name, _)| !is_withheld(name)).collect();
    if !variables.iter().any(|(name, _)| name == "PATH") {
        variables.push(("PATH".into(), PATH.into()));
    }
    variables
}

fn is_withheld(name: &OsStr) -> bool {
    WITHHELD.iter().any(|withheld| name == *withheld)
        || WITHHELD_KINDS.iter().any(|kind| name.as_bytes().starts_with(kind.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_daemon_s_own_is_withheld() {
        for name in [
            "NOTIFY_SOCKET",
            "LISTEN_FDS",
            "LISTEN_PID",
            "WATCHDOG_USEC",
            "KEEPWATCH_PARENT",
            "LD_PRELOAD",
            "IFS",
        ] {
            assert!(is_withheld(OsStr::new(name)), "{name}");
        }
        for name in ["PATH", "HOME", "LANG", "MY_OWN_SETTING", "DBUS_SYSTEM_BUS_ADDRESS"] {
            assert!(!is_withheld(OsStr::new(name)), "{name}");
        }
    }
}

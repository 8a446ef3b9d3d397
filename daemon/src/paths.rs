//! Where the daemon keeps its files. In: what the command line says. Out: the path of each file, such that several
//! daemons on one machine (one per network namespace, say) get apart as soon as each has its own `--pid`.

use std::path::{Path, PathBuf};

use keepwatch_config::model::{Global, Name};

/// Directory of the pid files and of the control socket, unless `--pid` says otherwise.
pub const RUN: &str = "/run/keepwatch";
/// Directory of what must survive a reboot.
pub const STATE: &str = "/var/lib/keepwatch";
/// Where the configuration is looked for, in this order.
pub const CONFIGURATIONS: [&str; 2] = ["/etc/keepwatch/keepalived.conf", "/etc/keepalived/keepalived.conf"];

/// Where keepalived puts the pid files of a daemon that is one of several.
pub const AMONG: &str = "/run/keepalived";

/// Which of several daemons on one host this is, where the configuration says so: by `instance` and `net_namespace`, or
/// only that it is one (`use_pid_dir`). Its pid files are then where keepalived has them, under keepalived's names;
/// socket, history file and mails keep their places and have the names in theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Among {
    directory: PathBuf,
    /// `_INSTANCE`, or nothing.
    instance: String,
    /// `_NAMESPACE_INSTANCE`, as far as there are such.
    suffix: String,
}

impl Among {
    /// What `config` says; none if this is the only one.
    pub fn of(global: &Global) -> Option<Self> {
        if !global.use_pid_dir {
            return None;
        }
        let part = |name: &Option<Name>| name.as_ref().map_or_else(String::new, |name| format!("_{name}"));
        let instance = part(&global.instance_name);
        let directory = match &global.net_namespace {
            Some(namespace) => Path::new(AMONG).join(&**namespace),
            None => PathBuf::from(AMONG),
        };
        Some(Self { directory, suffix: part(&global.net_namespace) + &instance, instance })
    }

    /// A pid file: of the daemon (`keepalived`), or of one side of it (`vrrp`, `checkers`).
    pub fn pid_file(&self, of: &str) -> PathBuf {
        self.directory.join(format!("{of}{}.pid", self.instance))
    }

    /// The control socket.
    pub fn control_socket(&self) -> PathBuf {
        Path::new(RUN).join(format!("control{}.sock", self.suffix))
    }

    /// The history file.
    pub fn history_file(&self) -> PathBuf {
        Path::new(STATE).join(format!("history{}.jsonl", self.suffix))
    }

    /// The directory in which mails wait.
    pub fn mail_queue(&self) -> PathBuf {
        Path::new(STATE).join(format!("mail{}", self.suffix))
    }
}

/// The configuration file to read when none is named: the first that exists, else the first.
pub fn default_configuration() -> PathBuf {
    let found = CONFIGURATIONS.iter().find(|path| Path::new(path).exists());
    PathBuf::from(found.unwrap_or(&CONFIGURATIONS[0]))
}

/// Pid file of a daemon that was started by the name `keepalived` and is not one of several (`keepalived`), or of one side
/// of it (`vrrp`, `checkers`): where keepalived has it.
pub fn as_keepalived(of: &str) -> PathBuf {
    Path::new("/run").join(format!("{of}.pid"))
}

/// Pid file of the daemon.
pub fn pid_file(pid: Option<&Path>) -> PathBuf {
    pid.map_or_else(|| Path::new(RUN).join("keepwatchd.pid"), Path::to_path_buf)
}

/// Pid file of the process that runs one side of the daemon: `/run/a.pid` has `/run/a_vrrp.pid`.
pub fn worker_pid_file(pid: Option<&Path>, side: &str) -> PathBuf {
    let own = pid_file(pid);
    let stem = own.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    own.with_file_name(format!("{stem}_{side}.pid"))
}

/// The control socket: beside the pid file where one was named (`/run/a.pid` has `/run/a.sock`).
pub fn control_socket(pid: Option<&Path>) -> PathBuf {
    pid.map_or_else(|| Path::new(RUN).join("control.sock"), |pid| pid.with_extension("sock"))
}

/// The history file: under [`STATE`], by the pid file's name where one was named; beside a pid file that is not
/// under `/run`, for that is somebody's own place.
pub fn history_file(pid: Option<&Path>) -> PathBuf {
    let Some(pid) = pid else { return Path::new(STATE).join("history.jsonl") };
    let name = pid.with_extension("history.jsonl");
    let under_run = pid.starts_with("/run") || pid.starts_with("/var/run");
    match name.file_name() {
        Some(file) if under_run => Path::new(STATE).join(file),
        _ => name,
    }
}

/// The directory in which mails wait: beside the history file, with its name.
pub fn mail_queue(pid: Option<&Path>) -> PathBuf {
    match pid {
        None => Path::new(STATE).join("mail"),
        // `blue.history.jsonl` has `blue.mail`.
        Some(pid) => history_file(Some(pid)).with_extension("").with_extension("mail"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_pid_file_the_system_places_are_used() {
        assert_eq!(pid_file(None), Path::new("/run/keepwatch/keepwatchd.pid"));
        assert_eq!(control_socket(None), Path::new("/run/keepwatch/control.sock"));
        assert_eq!(history_file(None), Path::new("/var/lib/keepwatch/history.jsonl"));
    }

    #[test]
    fn two_daemons_with_their_own_pid_files_share_nothing() {
        let (a, b) = (Some(Path::new("/tmp/x/r0.pid")), Some(Path::new("/tmp/x/r1.pid")));
        assert_eq!(worker_pid_file(a, "vrrp"), Path::new("/tmp/x/r0_vrrp.pid"));
        assert_eq!(control_socket(a), Path::new("/tmp/x/r0.sock"));
        assert_eq!(history_file(b), Path::new("/tmp/x/r1.history.jsonl"));
    }

    #[test]
    fn one_of_several_has_keepalived_s_pid_files_and_shares_nothing() {
        let global = |instance: Option<&str>, namespace: Option<&str>| Global {
            use_pid_dir: true,
            instance_name: instance.map(Name::from),
            net_namespace: namespace.map(Name::from),
            ..Global::default()
        };
        assert_eq!(Among::of(&Global::default()), None);
        for (instance, namespace, pid, vrrp, control, history) in [
            (None, None, "keepalived.pid", "vrrp.pid", "control.sock", "history.jsonl"),
            (Some("a"), None, "keepalived_a.pid", "vrrp_a.pid", "control_a.sock", "history_a.jsonl"),
            (None, Some("n"), "n/keepalived.pid", "n/vrrp.pid", "control_n.sock", "history_n.jsonl"),
            (
                Some("a"),
                Some("n"),
                "n/keepalived_a.pid",
                "n/vrrp_a.pid",
                "control_n_a.sock",
                "history_n_a.jsonl",
            ),
        ] {
            let among = Among::of(&global(instance, namespace)).unwrap();
            assert_eq!(among.pid_file("keepalived"), Path::new("/run/keepalived").join(pid));
            assert_eq!(among.pid_file("vrrp"), Path::new("/run/keepalived").join(vrrp));
            assert_eq!(among.control_socket(), Path::new(RUN).join(control));
            assert_eq!(among.history_file(), Path::new(STATE).join(history));
        }
    }

    #[test]
    fn history_survives_a_reboot_even_where_the_pid_file_does_not() {
        let history = history_file(Some(Path::new("/run/blue.pid")));
        assert_eq!(history, Path::new("/var/lib/keepwatch/blue.history.jsonl"));
    }
}

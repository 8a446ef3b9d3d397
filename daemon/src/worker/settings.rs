//! What the worker goes by: the configuration file's word, overridden by the command line's. In: both. Out: plain
//! values, decided once per (re)load.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keepwatch_bus::{FileSettings, Process};
use keepwatch_config::Config;
use keepwatch_config::model::{Global, Name, ReloadMarker};

use crate::cli::{AS_KEEPALIVED, Cli, DataplaneKind, Listen};
use crate::logging::LogSettings;
use crate::paths::{self, Among};
use crate::supervisor::line::{PidFiles, Terms};

/// What the command line has decided for good: it holds for every reload.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The command line.
    pub cli: Cli,
    /// The configuration file.
    pub file: PathBuf,
}

impl Settings {
    /// From the command line.
    pub fn new(cli: Cli) -> Self {
        let file = cli.use_file.clone().unwrap_or_else(paths::default_configuration);
        Self { cli, file }
    }

    /// Whether the virtual routers run.
    pub fn vrrp(&self) -> bool {
        !self.cli.check
    }

    /// Whether the checkers and virtual servers run.
    pub fn checkers(&self) -> bool {
        !self.cli.vrrp
    }

    /// Where virtual servers are programmed.
    pub fn dataplane(&self) -> DataplaneKind {
        self.cli.dataplane()
    }

    /// By what the supervisor is to supervise.
    pub(crate) fn terms(&self) -> Terms {
        Terms {
            respawn: !self.cli.dont_respawn,
            release: !self.cli.dont_release_vrrp,
            umask: self.cli.umask,
            log: LogSettings::of(&self.cli),
        }
    }

    /// The pid files: keepalived has a process for each of its sides, we have one for both.
    pub(crate) fn pid_files(&self, config: &Config) -> PidFiles {
        let cli = &self.cli;
        let among = self.among(&config.global);
        let beside = |side: &str| match &among {
            Some(among) => among.pid_file(side),
            None if cli.pid.is_none() && cli.as_keepalived => paths::as_keepalived(side),
            None => paths::worker_pid_file(cli.pid.as_deref(), side),
        };
        let vrrp = self.vrrp().then(|| cli.vrrp_pid.clone().unwrap_or_else(|| beside("vrrp")));
        let checkers =
            self.checkers().then(|| cli.checkers_pid.clone().unwrap_or_else(|| beside("checkers")));
        let own = self.own_pid_file(&config.global);
        PidFiles { own, worker: vrrp.into_iter().chain(checkers).chain(cli.bfd_pid.clone()).collect() }
    }

    /// That of the daemon itself.
    fn own_pid_file(&self, global: &Global) -> PathBuf {
        match self.among(global) {
            Some(among) => among.pid_file(AS_KEEPALIVED),
            None if self.cli.pid.is_none() && self.cli.as_keepalived => paths::as_keepalived(AS_KEEPALIVED),
            None => paths::pid_file(self.cli.pid.as_deref()),
        }
    }

    /// What the worker is called in lists of processes, where the configuration says so: by its virtual routers if it has
    /// any.
    pub(crate) fn process_name<'a>(&self, config: &'a Config) -> Option<&'a str> {
        let names = &config.global.processes.names;
        if self.vrrp() { names.vrrp.as_deref() } else { names.checker.as_deref() }
    }

    /// Which of several daemons this is, unless `--pid` says it.
    fn among(&self, global: &Global) -> Option<Among> {
        Among::of(global).filter(|_| self.cli.pid.is_none())
    }

    /// The control socket.
    pub fn control_socket(&self, config: &Config) -> PathBuf {
        let derived = || match self.among(&config.global) {
            Some(among) => among.control_socket(),
            None => paths::control_socket(self.cli.pid.as_deref()),
        };
        self.cli
            .control_socket
            .clone()
            .or_else(|| config.observability.control_socket.clone())
            .unwrap_or_else(derived)
    }

    /// The history file; none if it is switched off.
    pub fn history(&self, config: &Config) -> Option<FileSettings> {
        let written = &config.observability.history;
        let path = match &self.cli.history_file {
            Some(path) if path == Path::new("none") => return None,
            Some(path) => path.clone(),
            None if written.file_off => return None,
            None => written.file.clone().unwrap_or_else(|| match self.among(&config.global) {
                Some(among) => among.history_file(),
                None => paths::history_file(self.cli.pid.as_deref()),
            }),
        };
        Some(FileSettings { path, max_bytes: self.cli.history_bytes.unwrap_or(written.max_bytes) })
    }

    /// The directory in which mails wait; none if they wait in memory only.
    pub fn mail_queue(&self, config: &Config) -> Option<PathBuf> {
        let mail = &config.observability.mail;
        let derived = || match self.among(&config.global) {
            Some(among) => among.mail_queue(),
            None => paths::mail_queue(self.cli.pid.as_deref()),
        };
        (!mail.queue_off).then(|| mail.queue.clone().unwrap_or_else(derived))
    }

    /// `reload_file`: the file that is there during a reload.
    pub fn reload_marker(&self, global: &Global) -> Option<PathBuf> {
        global.reload.marker.as_ref().map(|marker| match marker {
            ReloadMarker::At(path) => path.clone(),
            ReloadMarker::BesidePid => self.own_pid_file(global).with_extension("reload"),
        })
    }

    /// The address of the HTTP server; none if it is switched off, or nobody asked for it of a daemon that was started by
    /// the name `keepalived`: what starts it so expects no port of it, and the usual exporter wants the same one.
    pub fn listen(&self, config: &Config) -> Option<SocketAddr> {
        match self.cli.listen {
            None if self.cli.as_keepalived && !config.observability.listen_is_written => None,
            None => config.observability.listen,
            Some(Listen::Nowhere) => None,
            Some(Listen::At(address)) => Some(address),
        }
    }

    /// What says how the HTTP server is protected, if anything does.
    pub fn web_config_file(&self, config: &Config) -> Option<PathBuf> {
        self.cli.web_config_file.clone().or_else(|| config.observability.web_config_file.clone())
    }

    /// What the world is told of the process, and of what `config` says of the whole of it.
    pub fn process(&self, config: &Config) -> Process {
        Process {
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            config_file: self.file.display().to_string(),
            dataplane: self.dataplane_name().into(),
            vrrp_enabled: self.vrrp(),
            checkers_enabled: self.checkers(),
            global: Arc::new(config.global.clone()),
            virtual_server_groups: config.virtual_server_groups.clone().into(),
            static_addresses: config.static_addresses.clone().into(),
            static_routes: config.static_routes.clone().into(),
            static_rules: config.static_rules.clone().into(),
            static_links: static_links(config),
        }
    }

    /// The name of where virtual servers are programmed, as the world shows it: `none` where none are.
    pub fn dataplane_name(&self) -> &'static str {
        match (self.checkers(), self.dataplane()) {
            (false, _) => "none",
            (true, DataplaneKind::Ipvs) => "ipvs",
            (true, DataplaneKind::Memory) => "memory",
            (true, DataplaneKind::Shadow) => "shadow",
        }
    }
}

/// The interfaces that virtual routers need for what is static, each once.
fn static_links(config: &Config) -> Arc<[(Name, Name)]> {
    let members = config.track_groups.iter().flat_map(|group| &group.members);
    let links = members.flat_map(|member| {
        config.static_links_of(member).map(|interface| (member.clone(), interface.clone()))
    });
    let mut all: Vec<(Name, Name)> = Vec::new();
    for link in links {
        if !all.contains(&link) {
            all.push(link);
        }
    }
    all.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(line: &str) -> Settings {
        let words = std::iter::once("keepwatchd").chain(line.split_whitespace());
        Settings::new(Cli::read(words.map(Into::into)).unwrap())
    }

    #[test]
    fn the_command_line_wins_over_the_file() {
        let mut config = Config::default();
        config.observability.listen = Some("10.0.0.1:1".parse().unwrap());
        config.observability.history.file = Some("/a".into());
        assert_eq!(settings("").listen(&config), config.observability.listen);
        assert_eq!(settings("--listen none").listen(&config), None);
        assert_eq!(settings("--listen 10.0.0.2:5").listen(&config), Some("10.0.0.2:5".parse().unwrap()));
        assert_eq!(settings("").history(&config).unwrap().path, Path::new("/a"));
        assert_eq!(settings("--history-file none").history(&config), None);
        assert_eq!(settings("--history-file /b --history-bytes 9").history(&config).unwrap().max_bytes, 9);
    }

    #[test]
    fn by_the_name_keepalived_pid_files_are_where_it_has_them_and_no_port_is_opened_unasked() {
        let called = |line: &str| {
            let words = std::iter::once("/usr/sbin/keepalived").chain(line.split_whitespace());
            Settings::new(Cli::read(words.map(Into::into)).unwrap())
        };
        let mut config = Config::default();
        let of = |line: &str| called(line).pid_files(&Config::default());
        let worker = vec!["/run/vrrp.pid".into(), "/run/checkers.pid".into()];
        assert_eq!(of(""), PidFiles { own: "/run/keepalived.pid".into(), worker });
        assert_eq!(of("-P -p /x.pid"), PidFiles { own: "/x.pid".into(), worker: vec!["/x_vrrp.pid".into()] });
        assert_eq!(called("").control_socket(&config), settings("").control_socket(&config));
        assert_eq!(called("").listen(&config), None);
        assert_eq!(called("--listen ::1").listen(&config), Some("[::1]:9165".parse().unwrap()));
        config.observability.listen_is_written = true;
        assert_eq!(called("").listen(&config), config.observability.listen);
    }

    #[test]
    fn the_pid_files_are_those_of_one_of_several_unless_the_command_line_says_it() {
        let mut config = Config::default();
        (config.global.use_pid_dir, config.global.instance_name) = (true, Some("a".into()));
        let among = settings("-r /v.pid").pid_files(&config);
        assert_eq!(among.own, Path::new("/run/keepalived/keepalived_a.pid"));
        assert_eq!(among.worker, [Path::new("/v.pid"), Path::new("/run/keepalived/checkers_a.pid")]);
        assert_eq!(settings("").mail_queue(&config), Some("/var/lib/keepwatch/mail_a".into()));
        assert_eq!(settings("-p /run/x.pid").mail_queue(&config), Some("/var/lib/keepwatch/x.mail".into()));
        config.global.reload.marker = Some(ReloadMarker::BesidePid);
        let marker = settings("").reload_marker(&config.global);
        assert_eq!(marker, Some("/run/keepalived/keepalived_a.reload".into()));
        let own = settings("-P -p /x.pid").pid_files(&config);
        assert_eq!(own, PidFiles { own: "/x.pid".into(), worker: vec!["/x_vrrp.pid".into()] });
    }

    #[test]
    fn one_side_alone_says_so() {
        assert_eq!(settings("-P").dataplane_name(), "none");
        assert!(!settings("-C").vrrp());
        assert_eq!(settings("--dataplane memory").dataplane_name(), "memory");
    }
}

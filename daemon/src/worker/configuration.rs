//! Loading the configuration. In: a file. Out: a configuration that can run, with what was said about it as facts;
//! or what is wrong with it.

use std::collections::HashMap;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use keepwatch_bus::fact::{ConfigChange, DaemonFact};
use keepwatch_bus::{Bus, EventId, WeakBus, own_file};
use keepwatch_config::model::{Checker, CheckerKind, Global, Rare, Url};
use keepwatch_config::source::SourceMap;
use keepwatch_config::{Config, Diagnostic, Diagnostics, Host, HostAddress, Loaded, Options, Severity};
use keepwatch_net::address::{PROTOCOL_KEEPALIVED, kernel_keeps_marks};
use keepwatch_net::link::{LinkIndex, LinkKind, MACVLAN_MODE_PRIVATE, Notification};
use keepwatch_net::netlink::Monitor;
use keepwatch_vrrp::spec::is_mark;

use super::settings::Settings;
use crate::cli::DataplaneKind;
use crate::kept::Kept;
use crate::logging::sink::Sinks;
use crate::logging::{self as log, LogSettings};
use crate::terminal;

/// Diagnostics that become events. A file with more mistakes than this is looked at with `keepwatchd -t`.
const TOLD: usize = 100;

/// A configuration that runs, and what was said about it.
pub struct Accepted {
    /// The configuration.
    pub config: Config,
    /// The files that it stands in, includes among them.
    pub files: Vec<PathBuf>,
    diagnostics: Diagnostics,
    /// What of it does not fit this host.
    misfits: Diagnostics,
    /// Its texts, for the worker after this one.
    texts: Option<Vec<u8>>,
    /// It is what was in force before, whatever has become of its files.
    pub is_kept: bool,
}

impl Accepted {
    /// The texts that it stands in.
    pub fn sources(&self) -> &SourceMap {
        self.diagnostics.sources()
    }

    /// Has it taken up by the worker after this one.
    pub fn keep(&mut self, kept: Option<&Kept>) {
        let Some(kept) = kept.filter(|_| !self.is_kept) else { return };
        // Without it the next one goes by the file, not by what was in force before this.
        let _ = match self.texts.take() {
            Some(texts) => kept.keep(&texts),
            None => kept.forget(),
        };
    }

    /// Makes what of it stays anew, on the heap of the calling thread: what was needed to read it is free soon, but lies around
    /// it, and only whole pages can be given back.
    pub fn gather(&mut self) {
        let reals = self.config.virtual_servers.iter_mut().flat_map(|server| &mut server.real_servers);
        // Real servers that stand together are looked at in the same way, mostly: they share what they ask for.
        let mut urls: Arc<[Url]> = Arc::default();
        for checker in reals.flat_map(|real| &mut real.checkers) {
            let mut anew = Checker::clone(checker);
            if let CheckerKind::Http(settings) = &mut anew.kind {
                if settings.urls != urls {
                    urls = settings.urls.iter().cloned().collect();
                }
                settings.urls = urls.clone();
            }
            *checker = Arc::new(anew);
        }
    }

    /// Publishes what was said about it.
    pub fn tell(&self, bus: &Bus, cause: EventId) {
        for all in [&self.diagnostics, &self.misfits] {
            for diagnostic in all.iter().take(TOLD) {
                bus.publish(Some(cause), diagnosed(all, diagnostic));
            }
        }
    }
}

/// How the command line wants configurations to be read.
pub fn options(config_id: Option<&str>, expansion_limit: Option<u64>, all_files: bool) -> Options {
    let default = Options::default();
    Options {
        config_id: config_id.map(str::to_owned),
        expansion_limit: expansion_limit.unwrap_or(default.expansion_limit),
        all_files,
        ..default
    }
}

fn options_of(settings: &Settings) -> Options {
    let cli = &settings.cli;
    options(cli.config_id.as_deref(), cli.expansion_limit, cli.all_config)
}

/// Loads the file, to begin with it.
pub fn load(settings: &Settings) -> Loaded {
    let before = Global::default();
    ready(keepwatch_config::load(&settings.file, &options_of(settings)), settings, &before)
}

/// The same configuration as the worker before had in force, of these texts.
fn load_kept(settings: &Settings, texts: &[u8]) -> Option<Loaded> {
    let loaded = keepwatch_config::load_kept(texts, &options_of(settings))?;
    // Packets on their way have the marks that the worker before gave to its groups.
    let before = loaded.config.as_ref().map(|config| config.global.clone()).unwrap_or_default();
    Some(ready(loaded, settings, &before))
}

/// What was loaded, as the command line has it. `before`: what is in force.
fn ready(mut loaded: Loaded, settings: &Settings, before: &Global) -> Loaded {
    let cli = &settings.cli;
    if let (Some(config), Some(name)) = (&mut loaded.config, &cli.namespace) {
        // The command line's word counts, as if the file had said it.
        (config.global.net_namespace, config.global.use_pid_dir) = (Some(name.as_str().into()), true);
    }
    if let Some(config) = &mut loaded.config {
        config.give_marks(before);
        if cli.no_bfd {
            config.bfd_sessions.clear();
        }
        if cli.no_bfd || settings.dataplane() == DataplaneKind::Shadow {
            follow_no_session(config);
        }
    }
    loaded
}

/// Nothing waits for a BFD session: with `--no_bfd` there is none, and in shadow mode, which sends nothing, none comes up,
/// while those of the daemon that really serves may all be.
fn follow_no_session(config: &mut Config) {
    for instance in config.instances.iter_mut().filter(|instance| !instance.tracking.bfds.is_empty()) {
        instance.tracking.make_mut().bfds.clear();
    }
    config.sync_groups.iter_mut().for_each(|group| group.tracking.bfds.clear());
    let reals = config.virtual_servers.iter_mut().flat_map(|server| &mut server.real_servers);
    reals.for_each(|real| real.bfd_checks = Rare::default());
}

/// What of a configuration does not fit this host, its interfaces and addresses: nothing if it runs in a namespace of its
/// own, whose interfaces are others.
pub fn misfits(loaded: &Loaded) -> Diagnostics {
    if loaded.config.as_ref().is_none_or(|config| config.global.net_namespace.is_some()) {
        return Diagnostics::default();
    }
    // Whoever cannot be told what there is cannot say that something is missing.
    this_host().map_or_else(|_| Diagnostics::default(), |host| keepwatch_config::check_host(loaded, &host))
}

/// The interfaces and addresses that the kernel knows.
fn this_host() -> Result<Host, keepwatch_net::Error> {
    let (mut names, mut present) = (HashMap::new(), Vec::new());
    let (mut vmacs, mut ipvlans) = (Vec::new(), Vec::new());
    Monitor::open()?.dump(|notification| match notification {
        Notification::Link(link) => {
            if link.alias.as_deref().is_some_and(is_mark) {
                // A run of ours has made it, and makes another of that name in its place.
                vmacs.push(link.name.to_string());
                ipvlans.push(link.name.to_string());
            }
            match link.kind {
                LinkKind::Macvlan { mode: MACVLAN_MODE_PRIVATE, .. } => vmacs.push(link.name.to_string()),
                LinkKind::Ipvlan { .. } => ipvlans.push(link.name.to_string()),
                LinkKind::Macvlan { .. } | LinkKind::Vrf { .. } | LinkKind::Other => {}
            }
            names.insert(link.index, link.name);
        }
        Notification::Address(address) => present.push(address),
        Notification::LinkGone(_) | Notification::AddressGone(_) | Notification::RoutingGone { .. } => {}
    })?;
    // Without marks a virtual address that somebody left behind looks like the host's own.
    let marked = kernel_keeps_marks();
    let addresses = present.into_iter().filter_map(|present| {
        Some(HostAddress {
            address: present.address,
            interface: names.get(&present.link)?.to_string(),
            is_own: marked && present.protocol != PROTOCOL_KEEPALIVED,
        })
    });
    let addresses = addresses.collect();
    let mut interfaces: Vec<(LinkIndex, String)> =
        names.into_iter().map(|(index, name)| (index, name.to_string())).collect();
    interfaces.sort();
    let interfaces = interfaces.into_iter().map(|(_, name)| name).collect();
    Ok(Host { interfaces, vmacs, ipvlans, addresses })
}

/// The configuration to start with: as keepalived, one with mistakes runs without what is wrong; unlike keepalived, an
/// interface that is not there is waited for, with or without `dynamic_interfaces`, though it is said. Tells the operator's
/// terminal, if there is one, about every mistake. None if nothing can be run; then the log says why.
///
/// `in_force`: the texts of the configuration that the worker before this one ran with. They are taken up, so that what it has
/// put on this host goes on to be looked after.
pub fn at_start(settings: &Settings, in_force: Option<&[u8]>) -> Option<Accepted> {
    let read = || read_at_start(settings, in_force);
    // Reading takes much that is never needed again: a thread has a heap of its own for it.
    let accepted = thread::scope(|scope| {
        match thread::Builder::new().name("configuration".into()).spawn_scoped(scope, read) {
            Ok(reading) => reading.join().unwrap_or_else(|panicked| resume_unwind(panicked)),
            Err(_) => read(),
        }
    });
    accepted.map(|mut accepted| {
        accepted.gather();
        accepted
    })
}

fn read_at_start(settings: &Settings, in_force: Option<&[u8]>) -> Option<Accepted> {
    let kept = in_force.and_then(|texts| load_kept(settings, texts));
    let is_kept = kept.is_some();
    let loaded = kept.unwrap_or_else(|| load(settings));
    let texts = if is_kept { None } else { loaded.keep() };
    let misfits = misfits(&loaded);
    let Loaded { config, diagnostics, files, .. } = loaded;
    let styled = terminal::has_colours(&std::io::stderr());
    for all in [&diagnostics, &misfits] {
        if all.has_errors() {
            eprint!("{}", all.render_text(styled));
        }
    }
    if config.is_none() {
        // Not to the console: it has just been told.
        let mut log = Sinks::open_and_tell(&LogSettings { console: false, ..LogSettings::of(&settings.cli) });
        diagnostics.render_short().take(TOLD).for_each(|line| log.now(log::Severity::Error, line));
    }
    config.map(|config| Accepted { config, files, diagnostics, misfits, texts, is_kept })
}

/// The configuration to go on with: one with mistakes is refused, by the fact that says so. `global`: what the one in force
/// says of reloads.
///
/// # Errors
/// The fact.
pub fn at_reload(settings: &Settings, global: &Global) -> Result<Accepted, Box<DaemonFact>> {
    let marker = Marker::set(settings, global);
    // What this worker may not read any more may hold what runs.
    let options = Options { may_read_all: true, ..options_of(settings) };
    let loaded = ready(keepwatch_config::load(&settings.file, &options), settings, global);
    drop(marker);
    let texts = loaded.keep();
    let misfits = misfits(&loaded);
    if let Some(log) = global.reload.check_log.as_deref().filter(|log| *log != Path::new("/dev/null")) {
        let text = loaded.diagnostics.render_text(false) + &misfits.render_text(false);
        if let Err(error) = own_file::replace(log, own_file::PRIVATE, text.as_bytes()) {
            let message = format!("{}: {}", log.display(), terminal::plain(&error));
            Sinks::open(&LogSettings::of(&settings.cli)).now(log::Severity::Warning, message);
        }
    }
    let Loaded { config, diagnostics, files, .. } = loaded;
    // What writes files for keepalived may write lines in them, each time, that keepalived leaves out.
    let tolerated = settings.cli.as_keepalived && diagnostics.cost_their_own_lines_only();
    // What does not fit this host is said; with this the virtual router would have another interface than is written.
    let taken =
        misfits.iter().find(|said| said.code == "interface-taken").filter(|_| !settings.cli.as_keepalived);
    if let Some(config) = config.filter(|_| taken.is_none() && (tolerated || !diagnostics.has_errors())) {
        return Ok(Accepted { config, files, diagnostics, misfits, texts, is_kept: false });
    }
    let worst = taken.filter(|_| !diagnostics.has_errors());
    let worst =
        worst.or(diagnostics.iter().find(|d| d.severity == Severity::Error)).or(diagnostics.iter().next());
    let first = worst.map_or_else(String::new, |d| match place(&diagnostics, d) {
        place if place.is_empty() => d.message.clone(),
        place => format!("{place}: {}", d.message),
    });
    let errors = u32::try_from(diagnostics.errors().max(1)).unwrap_or(u32::MAX);
    Err(Box::new(DaemonFact::ConfigRejected { file: settings.file.display().to_string(), errors, first }))
}

/// Says which of the files are other than what runs, of a worker that has taken up what was in force before it. `file` is the
/// name that they are read by.
pub fn tell_changes(texts: &[u8], file: &Path, bus: &WeakBus, cause: EventId) {
    let tell = |files: Vec<PathBuf>, message: &str| {
        for file in files {
            let fact = DaemonFact::ConfigDiagnosed {
                severity: Severity::Warning,
                code: "not-in-force".into(),
                place: file.display().to_string(),
                message: message.into(),
            };
            bus.publish(Some(cause), fact);
        }
    };
    tell(
        keepwatch_config::changed_since(texts),
        "what runs is this file as it was when it was last taken into use; it has changed since, or is gone. A reload takes \
         it into use",
    );
    tell(
        keepwatch_config::come_since(texts, file),
        "what runs is without this file, which has come since and is among those that are included. A reload takes it into use",
    );
}

/// `reload_file`: there, and empty, while the configuration is read; who changes its files waits for it to go.
struct Marker(Option<PathBuf>);

impl Marker {
    fn set(settings: &Settings, global: &Global) -> Self {
        let path = settings.reload_marker(global);
        if let Some(path) = &path
            && let Err(error) = own_file::replace(path, own_file::PRIVATE, &[])
        {
            let message = format!("{}: {}", path.display(), terminal::plain(&error));
            Sinks::open(&LogSettings::of(&settings.cli)).now(log::Severity::Warning, message);
        }
        Self(path)
    }
}

impl Drop for Marker {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // Somebody may have been faster.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The fact that a configuration is in force; `changes` is what a reload changed, `None` at the start.
pub fn loaded(settings: &Settings, config: &Config, changes: Option<Vec<ConfigChange>>) -> DaemonFact {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    DaemonFact::ConfigLoaded {
        file: settings.file.display().to_string(),
        settings: Box::new(settings.process(config)),
        instances: count(config.instances.len()),
        virtual_servers: count(config.virtual_servers.len()),
        real_servers: count(config.virtual_servers.iter().map(|vs| vs.real_servers.len()).sum()),
        reload: changes.is_some(),
        changes: changes.unwrap_or_default(),
    }
}

fn diagnosed(all: &Diagnostics, diagnostic: &Diagnostic) -> DaemonFact {
    DaemonFact::ConfigDiagnosed {
        severity: diagnostic.severity,
        code: diagnostic.code.into(),
        place: place(all, diagnostic),
        message: diagnostic.message.clone(),
    }
}

/// `file:line:column`, or nothing where it is about the whole.
fn place(all: &Diagnostics, diagnostic: &Diagnostic) -> String {
    let place = diagnostic.span.map(|span| all.sources().place(span));
    place.map(|place| format!("{}:{}:{}", place.path.display(), place.line, place.column)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use caps::{CapSet, Capability};

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn by_the_name_keepalived_a_reload_goes_on_without_the_lines_that_are_wrong() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("main");
        let instance =
            "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {\n 10.0.0.1\n }\n";
        let reload = |called: &str, text: String| {
            std::fs::write(&file, text).unwrap();
            let words = [called.into(), "-f".into(), file.clone().into_os_string()];
            at_reload(&Settings::new(Cli::read(words).unwrap()), &Global::default()).is_ok()
        };
        for (called, line, end, expected) in [
            ("keepalived", "garp_interval 1\n", "}\n", true),
            ("/usr/sbin/keepalived", "garp_interval 1\n", "}\n", true),
            ("keepwatchd", "garp_interval 1\n", "}\n", false),
            ("keepalived", "", "", false),
            ("keepalived", "", "}\n}\n", false),
            ("keepalived", "", "}\nincludea missing\n", false),
        ] {
            assert_eq!(reload(called, format!("{instance}{line}{end}")), expected, "{called} {line} {end}");
        }
    }

    #[test]
    fn a_worker_that_takes_over_leaves_groups_the_marks_that_they_have() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("main");
        let words = ["keepwatchd".into(), "-f".into(), file.clone().into_os_string()];
        let settings = Settings::new(Cli::read(words).unwrap());
        let write = |groups: &[&str]| {
            let group = |name: &&str| {
                format!(
                    "virtual_server_group {name} {{\n10.0.0.0/30 80\n}}\nvirtual_server group {name} {{\nprotocol TCP\n\
                     lvs_sched rr\nlvs_method NAT\nreal_server 10.2.0.1 80 {{\n}}\n}}\n"
                )
                .replace("10.0.0.0", if *name == "A" { "10.0.0.0" } else { "10.0.1.0" })
            };
            let text = groups.iter().map(group).collect::<String>();
            std::fs::write(&file, format!("global_defs {{\nnftables_ipvs\n}}\n{text}")).unwrap();
        };
        write(&["A"]);
        let first = at_start(&settings, None).unwrap();
        write(&["B", "A"]);
        let second = at_reload(&settings, &first.config.global).unwrap();
        let marks = |accepted: &Accepted| accepted.config.global.group_marks.clone();
        assert_eq!(marks(&second)[0].mark, marks(&first)[0].mark, "a reload leaves A its mark");
        let next = at_start(&settings, second.texts.as_deref()).unwrap();
        assert!(next.is_kept);
        let by_name = |mut marks: Vec<_>| {
            marks.sort_by_key(|one: &keepwatch_config::model::GroupMark| one.group.clone());
            marks
        };
        assert_eq!(by_name(marks(&next)), by_name(marks(&second)));
    }

    #[test]
    fn a_reload_is_refused_where_an_included_file_may_not_be_read_any_more() {
        let directory = tempfile::tempdir().unwrap();
        let (main, included) = (directory.path().join("main"), directory.path().join("included"));
        std::fs::write(&main, "include included\ninclude nothing\n").unwrap();
        std::fs::write(&included, "").unwrap();
        std::fs::set_permissions(&included, std::fs::Permissions::from_mode(0o000)).unwrap();
        let words = ["keepwatchd".into(), "-f".into(), main.clone().into_os_string()];
        let settings = Settings::new(Cli::read(words).unwrap());
        // In a thread of its own, whose rights do not come back.
        let (begun, reloaded) = std::thread::spawn(move || {
            for capability in [Capability::CAP_DAC_OVERRIDE, Capability::CAP_DAC_READ_SEARCH] {
                caps::drop(None, CapSet::Effective, capability).unwrap();
            }
            (at_start(&settings, None).is_some(), at_reload(&settings, &Global::default()).err())
        })
        .join()
        .unwrap();
        assert!(begun);
        let Some(DaemonFact::ConfigRejected { errors: 1, first, .. }) = reloaded.as_deref() else {
            panic!("{reloaded:?}");
        };
        assert!(first.contains("included"), "{first}");
    }
}

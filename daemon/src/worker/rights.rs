//! What the worker may do: it keeps the capabilities that its configuration needs and gives up the others, so that a
//! mistake in it is worth less to whoever finds it. In: the command line and the configuration. Out: [`Rights`], taken
//! before there are other threads, for good: a reload that needs more needs another worker.
//!
//! | capability | kept for |
//! |---|---|
//! | NET_ADMIN, NET_RAW | virtual routers, IPVS, sockets of checkers: always |
//! | NET_BIND_SERVICE | a listener or a source port below 1024 |
//! | SYS_NICE | real time for VRRP and BFD, unless the configuration says otherwise, and priorities that it asks for |
//! | SYS_RESOURCE, IPC_LOCK | a limit of real time, locked memory, where the configuration asks for them |
//! | SETUID, SETGID, KILL, CHOWN, FOWNER, DAC_OVERRIDE | scripts and notify FIFOs: both belong to other users, and scripts lie where only those may look. Where there are some of one kind a reload may bring the other: another worker for that would cost an election |
//! | SYS_ADMIN | IPVS in another network namespace (`net_namespace_ipvs`) |
//! | DAC_OVERRIDE | files in directories of other users, and the socket of snmpd |
//!
//! Without any script the worker also gives up ever to gain anything by executing a program (`no_new_privs`). With
//! scripts it can't: one of root's would no longer be root's, and `sudo` in one would fail.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use caps::{CapSet, Capability, CapsHashSet};
use keepwatch_config::Config;
use keepwatch_config::model::{
    AutoPriority, CheckerKind, Notify, NotifyFifo, ProcessScheduling, Processes, Script, VirtualServer,
};
use nix::unistd::geteuid;

use super::configuration::Accepted;
use super::settings::Settings;
use crate::cli::DataplaneKind;
use crate::stage;

/// What virtual routers need.
const FOR_ROUTERS: [Capability; 2] = [Capability::CAP_NET_ADMIN, Capability::CAP_NET_RAW];
/// What scripts and notify FIFOs need.
const FOR_SCRIPTS: [Capability; 6] = [
    Capability::CAP_SETUID,
    Capability::CAP_SETGID,
    Capability::CAP_KILL,
    Capability::CAP_CHOWN,
    Capability::CAP_FOWNER,
    Capability::CAP_DAC_OVERRIDE,
];
/// Ports below are for those with the right to them (`net.ipv4.ip_unprivileged_port_start` may say otherwise).
const FIRST_FREE_PORT: u16 = 1024;

/// What a worker may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rights {
    capabilities: CapsHashSet,
    /// Programs may have rights of their own when they are executed.
    new_privileges: bool,
}

impl Rights {
    /// What a configuration needs.
    pub(super) fn needed(settings: &Settings, accepted: &Accepted) -> Self {
        Self::of(settings, &accepted.config, &accepted.files)
    }

    /// Of a configuration that stands in these files.
    fn of(settings: &Settings, config: &Config, read: &[PathBuf]) -> Self {
        let scripts = has_scripts(config) || fifos(config).next().is_some();
        let mut all = CapsHashSet::from(FOR_ROUTERS);
        if scripts {
            all.extend(FOR_SCRIPTS);
        }
        if low_ports(settings, config) {
            all.insert(Capability::CAP_NET_BIND_SERVICE);
        }
        if settings.checkers() && config.global.net_namespace_ipvs.is_some() {
            all.insert(Capability::CAP_SYS_ADMIN);
        }
        let processes = &config.global.processes;
        [&processes.vrrp, &processes.checker, &processes.bfd]
            .into_iter()
            .for_each(|part| scheduling(part, &mut all));
        raises_itself(processes, &mut all);
        if [&processes.vrrp, &processes.bfd].into_iter().any(|part| processes.urgent(part).realtime.is_some())
        {
            all.insert(Capability::CAP_SYS_NICE);
        }
        let snmp = &config.global.snmp;
        let snmp = settings.cli.snmp || snmp.vrrp || snmp.checker || snmp.rfc_v2 || snmp.rfc_v3;
        if snmp || files(settings, config, read).iter().any(|path| is_out_of_reach(path)) {
            all.insert(Capability::CAP_DAC_OVERRIDE);
        }
        Self { capabilities: all, new_privileges: scripts }
    }

    /// Gives up everything else. To be called before there are other threads, which inherit it.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn keep(&self) -> Result<(), caps::errors::CapsError> {
        for set in [CapSet::Effective, CapSet::Permitted] {
            let kept = caps::read(None, set)?.intersection(&self.capabilities).copied().collect();
            caps::set(None, set, &kept)?;
        }
        // What came with the supervisor's program by way of these (`setcap`) is ours alone, and not for scripts. What is not
        // inheritable is not ambient either (capabilities(7)).
        caps::clear(None, CapSet::Inheritable)?;
        if !self.new_privileges {
            // Kernels before 3.5 do not know it; nothing is lost there.
            let _ = nix::sys::prctl::set_no_new_privs();
        }
        Ok(())
    }

    /// What `needed` has more, in words; none if these are enough.
    pub(super) fn lack(&self, needed: &Self) -> Option<String> {
        let mut lacking: Vec<String> =
            needed.capabilities.difference(&self.capabilities).map(ToString::to_string).collect();
        lacking.sort();
        if needed.new_privileges && !self.new_privileges {
            lacking.push("programs with rights of their own".into());
        }
        (!lacking.is_empty()).then(|| lacking.join(", "))
    }
}

/// What this process lacks to run virtual routers, in a sentence that says how to mend it.
pub(crate) fn lacking(dataplane: DataplaneKind) -> Option<String> {
    let needed = match dataplane {
        DataplaneKind::Shadow => &FOR_ROUTERS[1..],
        DataplaneKind::Ipvs | DataplaneKind::Memory => &FOR_ROUTERS[..],
    };
    // Whoever can't be told what there is finds out by trying.
    let held = caps::read(None, CapSet::Effective).ok()?;
    let names: Vec<String> = needed.iter().filter(|c| !held.contains(c)).map(ToString::to_string).collect();
    if names.is_empty() {
        return None;
    }
    Some(format!(
        "virtual routers need {}, which this process does not have. Start it as root; or give it to the program: \
         `setcap {}+ep {}`; or in a unit of systemd: `AmbientCapabilities={}`",
        names.join(" and "),
        names.join(",").to_lowercase(),
        stage::supervisor().display(),
        names.join(" ")
    ))
}

/// For `max_auto_priority`.
fn raises_itself(processes: &Processes, all: &mut CapsHashSet) {
    if let AutoPriority::UpTo(_) = processes.auto_priority {
        all.extend([Capability::CAP_SYS_NICE, Capability::CAP_SYS_RESOURCE]);
    }
}

fn scheduling(part: &ProcessScheduling, all: &mut CapsHashSet) {
    if part.nice.is_some() || part.realtime.is_some() {
        all.insert(Capability::CAP_SYS_NICE);
    }
    if part.realtime.is_some() {
        all.insert(Capability::CAP_SYS_RESOURCE);
    }
    if part.no_swap {
        all.insert(Capability::CAP_IPC_LOCK);
    }
}

fn low_ports(settings: &Settings, config: &Config) -> bool {
    let low = |port: u16| (1..FIRST_FREE_PORT).contains(&port);
    let listener = settings.listen(config).map(|address| address.port());
    let reals = config.virtual_servers.iter().flat_map(|server| &server.real_servers);
    let sources = reals.flat_map(|real| &real.checkers).filter_map(|checker| source_port(&checker.kind));
    listener.into_iter().chain(sources).any(low)
}

/// The port that a checker's connections come from, if it is told one.
fn source_port(kind: &CheckerKind) -> Option<u16> {
    match kind {
        CheckerKind::Tcp(connection) | CheckerKind::Ping(connection) => connection.bind_port,
        CheckerKind::Http(check) => check.connection.bind_port,
        CheckerKind::Smtp(check) => check.connection.bind_port,
        CheckerKind::Dns(check) => check.connection.bind_port,
        CheckerKind::Udp(check) => check.connection.bind_port,
        CheckerKind::Misc(_) => None,
    }
}

/// Files that are read again or written while the worker runs.
fn files(settings: &Settings, config: &Config, read: &[PathBuf]) -> Vec<PathBuf> {
    let history = settings.history(config).map(|file| file.path);
    let sockets = [settings.control_socket(config), settings.file.clone()];
    let tracked = config.track_files.iter().map(|tracked| tracked.file.clone());
    let dumps = super::parts::dumps::files(&config.global);
    let reload = &config.global.reload;
    let marker = settings.reload_marker(&config.global);
    let saved = reload.save_directory.as_ref().map(|directory| directory.join("keepalived.conf"));
    let reload = [reload.check_log.clone(), reload.time_file.clone(), marker, saved];
    history
        .into_iter()
        .chain(settings.cli.log_file.clone())
        .chain(sockets)
        .chain(tracked)
        .chain(dumps)
        .chain(reload.into_iter().flatten())
        .chain(settings.web_config_file(config))
        .chain(read.iter().cloned())
        .collect()
}

/// Whether a file, or the directory that it is made in, is another user's.
fn is_out_of_reach(path: &Path) -> bool {
    let own = geteuid().as_raw();
    let others = |path: &Path| std::fs::metadata(path).is_ok_and(|found| found.uid() != own);
    others(path) || path.parent().is_some_and(others)
}

fn has_scripts(config: &Config) -> bool {
    let global = &config.global;
    let notify = config.instances.iter().map(|instance| &*instance.notify);
    let notify = notify.chain(config.sync_groups.iter().map(|group| &group.notify));
    notify.map(notify_scripts).any(|scripts| scripts.into_iter().any(Option::is_some))
        || config.virtual_servers.iter().any(service_has_scripts)
        || !config.track_scripts.is_empty()
        || global.startup_script.is_some()
        || global.shutdown_script.is_some()
        || fifos(config).any(|fifo| fifo.script.is_some())
}

fn notify_scripts(notify: &Notify) -> [&Option<Script>; 7] {
    let Notify { master, backup, fault, stop, tell_deleted: _, deleted, any, master_rx_lower_priority } =
        notify;
    [master, backup, fault, stop, deleted, any, master_rx_lower_priority]
}

fn service_has_scripts(server: &VirtualServer) -> bool {
    server.quorum_up.is_some()
        || server.quorum_down.is_some()
        || server.real_servers.iter().any(|real| {
            real.notify_up.is_some()
                || real.notify_down.is_some()
                || real.checkers.iter().any(|checker| matches!(checker.kind, CheckerKind::Misc(_)))
        })
}

fn fifos(config: &Config) -> impl Iterator<Item = &NotifyFifo> {
    let fifos = &config.global.notify_fifos;
    [&fifos.all, &fifos.vrrp, &fifos.lvs].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use keepwatch_config::model::{ReloadFiles, ReloadMarker};
    use keepwatch_config::{Options, load_text};

    use super::*;
    use crate::cli::Cli;

    fn needed(text: &str) -> Rights {
        let flags =
            ["keepwatchd", "--pid", "/proc/self/d.pid", "--history-file", "none", "-f", "/proc/self/c"];
        let mut settings = Settings::new(Cli::read(flags.map(Into::into)).unwrap());
        // Whoever runs the tests owns it.
        settings.cli.control_socket = Some("/proc/self/control.sock".into());
        let config = load_text(Path::new("t.conf"), text.into(), &Options::default()).config.unwrap();
        Rights::of(&settings, &config, &[])
    }

    fn instance(line: &str) -> String {
        format!(
            "vrrp_instance VI {{\n interface eth0\n virtual_router_id 5\n virtual_ipaddress {{\n 10.0.0.9\n }}\n {line}\n}}\n"
        )
    }

    fn server(line: &str, real: &str) -> String {
        format!(
            "virtual_server 10.0.0.9 80 {{\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n {line}\n real_server 10.0.0.1 80 {{\n {real}\n }}\n}}\n"
        )
    }

    #[test]
    fn a_plain_configuration_needs_the_network_and_real_time_and_no_more() {
        let plain = instance("") + &server("", "TCP_CHECK {\n }");
        let rights = needed(&plain);
        let mut network = CapsHashSet::from(FOR_ROUTERS);
        assert_eq!(
            needed(&("global_defs {\n max_auto_priority -1\n}\n".to_owned() + &plain)).capabilities,
            network
        );
        network.insert(Capability::CAP_SYS_NICE);
        assert_eq!(rights.capabilities, network);
        assert!(!rights.new_privileges);
    }

    #[test]
    fn scripts_are_found_wherever_they_may_stand() {
        let group =
            |line: &str| format!("vrrp_sync_group G {{\n group {{\n VI\n }}\n {line}\n}}\n") + &instance("");
        let global = |line: &str| format!("global_defs {{\n {line}\n}}\n") + &instance("");
        let mut all = vec![
            group("notify_master /bin/true"),
            server("quorum_up /bin/true", ""),
            server("quorum_down /bin/true", ""),
            server("", "notify_up /bin/true"),
            server("", "notify_down /bin/true"),
            server("", "MISC_CHECK {\n misc_path /bin/true\n }"),
            "vrrp_script s {\n script /bin/true\n}\n".to_owned() + &instance(""),
            global("startup_script /bin/true"),
            global("shutdown_script /bin/true"),
            global("notify_fifo /run/f\n notify_fifo_script /bin/true"),
        ];
        for keyword in ["notify", "notify_master", "notify_backup", "notify_fault", "notify_stop"] {
            all.push(instance(&format!("{keyword} /bin/true")));
        }
        all.push(instance("notify_deleted /bin/true"));
        all.push(instance("notify_master_rx_lower_pri /bin/true"));
        for text in all {
            let rights = needed(&text);
            assert!(rights.new_privileges, "{text}");
            assert!(FOR_SCRIPTS.iter().all(|c| rights.capabilities.contains(c)), "{text}");
        }
    }

    #[test]
    fn what_is_asked_for_beyond_that_is_kept() {
        for (text, kept) in [
            ("global_defs {\n vrrp_rt_priority 5\n}\n", Capability::CAP_SYS_NICE),
            ("global_defs {\n vrrp_rt_priority 5\n}\n", Capability::CAP_SYS_RESOURCE),
            ("global_defs {\n max_auto_priority 5\n}\n", Capability::CAP_SYS_NICE),
            ("global_defs {\n vrrp_no_swap\n}\n", Capability::CAP_IPC_LOCK),
            ("observability {\n listen 127.0.0.1:80\n}\n", Capability::CAP_NET_BIND_SERVICE),
            ("global_defs {\n enable_snmp_vrrp\n}\n", Capability::CAP_DAC_OVERRIDE),
        ] {
            let rights = needed(&(text.to_owned() + &instance("")));
            assert!(rights.capabilities.contains(&kept), "{text}: {rights:?}");
        }
    }

    #[test]
    fn whoever_owns_a_file_that_is_read_again_keeps_us_able_to_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("included");
        std::fs::write(&file, "").unwrap();
        let settings = Settings::new(
            Cli::read(
                ["keepwatchd", "--pid", "/proc/self/d.pid", "--history-file", "none", "-f", "/proc/self/c"]
                    .map(Into::into),
            )
            .unwrap(),
        );
        let kept = |config: &Config, read: &[PathBuf]| {
            Rights::of(&settings, config, read).capabilities.contains(&Capability::CAP_DAC_OVERRIDE)
        };
        let mut config = Config::default();
        config.observability.control_socket = Some("/proc/self/control.sock".into());
        assert!(!kept(&config, std::slice::from_ref(&file)));
        if std::os::unix::fs::chown(&file, Some(12345), None).is_err() {
            return; // Not root: nothing of it can be shown.
        }
        assert!(kept(&config, std::slice::from_ref(&file)));
        for reload in [
            ReloadFiles { check_log: Some(file.clone()), ..ReloadFiles::default() },
            ReloadFiles { time_file: Some(file.clone()), ..ReloadFiles::default() },
            ReloadFiles { marker: Some(ReloadMarker::At(file.clone())), ..ReloadFiles::default() },
        ] {
            config.global.reload = reload;
            assert!(kept(&config, &[]), "{:?}", config.global.reload);
        }
    }

    #[test]
    fn what_is_kept_is_not_handed_on_to_programs() {
        // In a thread of its own, whose rights do not come back.
        let left = std::thread::spawn(|| {
            let right = Capability::CAP_NET_ADMIN;
            caps::raise(None, CapSet::Inheritable, right).ok()?;
            caps::raise(None, CapSet::Ambient, right).ok()?;
            needed(&instance("notify /bin/true")).keep().unwrap();
            let sets = [CapSet::Permitted, CapSet::Effective, CapSet::Inheritable, CapSet::Ambient];
            Some(sets.map(|set| caps::has_cap(None, set, right).unwrap()))
        });
        // Whoever has not the right can't show it.
        let left = left.join().unwrap();
        assert!(left.is_none_or(|left| left == [true, true, false, false]), "{left:?}");
    }

    #[test]
    fn what_was_given_up_is_named() {
        let (plain, scripts) = (needed(&instance("")), needed(&instance("notify /bin/true")));
        assert_eq!(scripts.lack(&plain), None);
        let fifo = needed(&("global_defs {\n notify_fifo /run/f\n}\n".to_owned() + &instance("")));
        assert_eq!(scripts, fifo, "a reload from one to the other costs no election");
        let lack = plain.lack(&scripts).unwrap();
        assert_eq!(
            lack,
            "CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_KILL, CAP_SETGID, CAP_SETUID, programs with rights of \
             their own"
        );
    }
}

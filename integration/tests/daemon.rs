//! The daemon as an operator meets it: flags, pid files, signals, reload, a worker that dies or hangs, and what the
//! `keepwatch` command says about it all.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use integration::{
    Capture, Host, Instance, Lab, binaries, capture, conf, http, keepwatchd::Keepwatchd, wait, web::WebServer,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const VIP: &str = "10.78.9.9";
const OURS: &str = "10.78.0.1";

/// One host on a LAN that is recorded.
struct Scene {
    _lab: Lab,
    wire: Capture,
    host: Host,
}

impl Scene {
    fn new(name: &str) -> Result<Self> {
        let lab = Lab::new(name)?;
        let (lan, mut hosts) = lab.routers(1)?;
        Ok(Self { wire: lan.capture()?, host: hosts.remove(0), _lab: lab })
    }

    /// A daemon on this configuration that is master of the VIP.
    fn master(&self, config: &str, flags: &[&str]) -> Result<Keepwatchd> {
        let daemon = Keepwatchd::on(&self.host).config(config).flag("--vrrp").flags(flags).start()?;
        wait::until("the VIP is up", wait::LONG, || self.host.has("eth0", VIP))
            .with_context(|| daemon.process().log())?;
        daemon.wait_for_log("(VI_1) Entering MASTER STATE")?;
        wait::until("it answers questions", wait::LONG, || {
            daemon.ask(&["status"]).is_ok_and(|output| output.status.success())
        })?;
        Ok(daemon)
    }

    fn pid_in(&self, file: &str) -> Option<Pid> {
        let text = fs::read_to_string(self.host.directory().join(file)).ok()?;
        text.trim().parse().ok().map(Pid::from_raw)
    }

    fn worker(&self) -> Result<Pid> {
        wait::value("the worker's pid is known", wait::SHORT, || self.pid_in("keepwatchd-vrrp.pid"))
    }
}

/// A second of patience for a master: nobody else is there.
fn quick() -> Instance {
    Instance::new("VI_1").interval("0.1")
}

/// Half a second between adverts, so that one that is missing is told from one that a busy machine delayed.
fn calm() -> Instance {
    Instance::new("VI_1").interval("0.5")
}

fn keepwatchd(arguments: &[&str]) -> Result<Output> {
    Ok(Command::new(binaries::path("keepwatchd")?).args(arguments).output()?)
}

fn keepwatch(arguments: &[&str]) -> Result<Output> {
    Ok(Command::new(binaries::path("keepwatch")?).args(arguments).output()?)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn file(directory: &Path, name: &str, text: &str) -> Result<String> {
    let path = directory.join(name);
    fs::write(&path, text)?;
    Ok(path.to_string_lossy().into_owned())
}

#[test]
fn an_unknown_flag_is_an_error_and_help_and_version_are_not() -> Result<()> {
    for flags in [&["-Z"][..], &["--bfd_pid", "x"], &["stray"], &["-P", "-C"]] {
        let refused = keepwatchd(flags)?;
        assert_eq!(refused.status.code(), Some(1), "{flags:?}");
        assert!(!refused.stderr.is_empty(), "{flags:?}");
    }
    let help = keepwatchd(&["--help"])?;
    assert_eq!(help.status.code(), Some(0));
    for flag in ["--use-file", "--vrrp_pid", "--checkers_pid", "--snmp-agent-socket", "--dataplane"] {
        assert!(text(&help.stdout).contains(flag), "{flag}");
    }
    assert!(text(&keepwatchd(&["-v"])?.stdout).starts_with("keepwatchd "));
    assert_eq!(text(&keepwatchd(&["--signum=RELOAD"])?.stdout), "1\n");
    Ok(())
}

#[test]
fn config_test_exits_as_keepalived_does() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let good = file(directory.path(), "good.conf", &Instance::new("VI_1").version_2(""))?;
    let wrong =
        file(directory.path(), "wrong.conf", &Instance::new("VI_1").line("prioritty 5").version_2(""))?;
    let log = directory.path().join("log").to_string_lossy().into_owned();

    let output = keepwatchd(&["-t", "-f", &good])?;
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));

    let output = keepwatchd(&["--config-test", "--use-file", &wrong])?;
    assert_eq!(output.status.code(), Some(4));
    assert!(text(&output.stderr).contains("prioritty"), "{}", text(&output.stderr));

    let output = keepwatchd(&[&format!("-t={log}"), "-f", &wrong])?;
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(4), String::new()));
    assert!(fs::read_to_string(&log)?.contains("prioritty"));

    assert_eq!(keepwatchd(&["-t", "-f", "/nonexistent/keepalived.conf"])?.status.code(), Some(3));
    assert_eq!(keepwatch(&["check", &good])?.status.code(), Some(0));
    let output = keepwatch(&["check", &good, &wrong])?;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("good.conf: good") && text(&output.stdout).contains("prioritty"));
    Ok(())
}

#[test]
fn a_daemon_without_a_configuration_says_so_and_ends() -> Result<()> {
    let scene = Scene::new("no-config")?;
    let pid = scene.host.directory().join("d.pid").to_string_lossy().into_owned();
    let program = binaries::path("keepwatchd")?;
    let flags = ["-n", "-l", "-P", "-p", &pid, "-f", "/nonexistent/keepalived.conf"];
    let output = scene.host.output(program, &flags)?;
    assert_eq!(output.status.code(), Some(6), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("/nonexistent/keepalived.conf"));
    assert!(!Path::new(&pid).exists());
    Ok(())
}

#[test]
fn a_clean_stop_takes_everything_along() -> Result<()> {
    let scene = Scene::new("clean-stop")?;
    let mut daemon = scene.master(&quick().version_3(""), &[])?;
    let left = |name: &str| scene.host.directory().join(name).exists();
    for name in ["keepwatchd.pid", "keepwatchd-vrrp.pid", "control.sock"] {
        assert!(left(name), "{name}");
    }
    assert!(!left("keepwatchd-checkers.pid"), "only VRRP runs");
    assert_eq!(scene.pid_in("keepwatchd.pid"), Some(daemon.process().pid()));
    let mode = fs::metadata(daemon.control_path())?.permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let began = Instant::now();
    let status = daemon.process_mut().stop(wait::SHORT)?;
    let took = began.elapsed();

    assert!(status.success(), "{status}: {}", daemon.process().log());
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(!scene.host.has("eth0", VIP));
    for name in ["keepwatchd.pid", "keepwatchd-vrrp.pid", "control.sock"] {
        assert!(!left(name), "{name}");
    }
    let last = scene.wire.adverts_from(OURS).pop().context("an advert")?.1;
    assert_eq!(last.priority, 0);
    let history = fs::read_to_string(scene.host.directory().join("history.jsonl"))?;
    assert!(history.contains("daemon_stopping") && history.contains("address_removed"), "{history}");
    Ok(())
}

#[test]
fn addresses_stay_if_they_shall() -> Result<()> {
    let scene = Scene::new("dont-release")?;
    let mut daemon = scene.master(&quick().version_3(""), &["--dont-release-vrrp"])?;
    assert!(daemon.process_mut().stop(wait::SHORT)?.success());
    assert!(scene.host.has("eth0", VIP));
    // The next run finds them and takes them over.
    let daemon = scene.master(&quick().version_3(""), &[])?;
    daemon.wait_for_log("adopting VIP 10.78.9.9")?;
    let events = daemon.answer(&["events"])?;
    assert!(events.contains("Stopping (SIGTERM)"), "the run before is remembered: {events}");
    Ok(())
}

#[test]
fn a_second_daemon_is_refused_and_a_stale_pid_file_is_not_in_the_way() -> Result<()> {
    let scene = Scene::new("second")?;
    fs::write(scene.host.directory().join("keepwatchd.pid"), "1\n")?;
    let daemon = scene.master(&quick().version_3(""), &[])?;
    let mut second = Keepwatchd::on(&scene.host).config(quick().version_3("")).flag("-P").start()?;
    second.wait_for_log("daemon is already running")?;
    assert!(!second.process_mut().wait(wait::SHORT)?.success());
    assert_eq!(scene.pid_in("keepwatchd.pid"), Some(daemon.process().pid()));
    assert!(scene.host.has("eth0", VIP));
    Ok(())
}

#[test]
fn a_reload_with_a_mistake_changes_nothing() -> Result<()> {
    let scene = Scene::new("bad-reload")?;
    let daemon = scene.master(&calm().version_3(""), &[])?;
    fs::write(daemon.config_path(), calm().vip("10.78.9.10/32").line("prioritty 5").version_3(""))?;
    let since = capture::now();
    daemon.process().signal(Signal::SIGHUP)?;
    daemon.wait_for_log("refused, the running configuration stays")?;
    assert!(daemon.process().log().contains("prioritty"));
    assert!(scene.host.has("eth0", VIP) && !scene.host.has("eth0", "10.78.9.10"));
    assert!(daemon.answer(&["status"])?.contains("the last reload was refused"));
    no_gap(&scene.wire, since)
}

#[test]
fn a_reload_touches_only_what_changed() -> Result<()> {
    let scene = Scene::new("reload")?;
    let other = Instance::new("VI_2").vrid(52).interval("0.1");
    let config = |second: &str| format!("{}{}", calm().version_3(""), other.clone().vip(second));
    let daemon = scene.master(&config("10.78.9.20/32"), &[])?;
    wait::until("VI_2 is master", wait::LONG, || scene.host.has("eth0", "10.78.9.20"))?;
    let worker = scene.worker()?;
    let since = capture::now();
    fs::write(daemon.config_path(), config("10.78.9.21/32"))?;
    daemon.process().signal(Signal::SIGHUP)?;
    wait::until("VI_2 has its new address only", wait::LONG, || {
        scene.host.has("eth0", "10.78.9.21") && !scene.host.has("eth0", "10.78.9.20")
    })
    .with_context(|| daemon.process().log())?;
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(scene.worker()?, worker);
    let resigned = scene
        .wire
        .adverts()
        .iter()
        .any(|(at, advert)| *at > since && advert.vrid == 51 && advert.priority == 0);
    assert!(!resigned);
    assert_eq!(daemon.process().log().matches("(VI_1) Entering MASTER STATE").count(), 1);
    no_gap(&scene.wire, since)
}

/// No two adverts of virtual router 51 since then were further apart than one that got lost would make them.
fn no_gap(wire: &Capture, since: Duration) -> Result<()> {
    let times = || -> Vec<Duration> {
        let ours = wire.adverts_from(OURS).into_iter();
        ours.filter(|(at, advert)| *at > since && advert.vrid == 51).map(|(at, _)| at).collect()
    };
    wait::until("there are enough adverts to tell", wait::SHORT, || times().len() > 4)?;
    let gap = times().windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max().unwrap_or_default();
    ensure!(gap < Duration::from_millis(950), "an advert is missing: {gap:?}");
    Ok(())
}

#[test]
fn a_killed_worker_is_replaced_and_its_addresses_stay() -> Result<()> {
    let scene = Scene::new("kill-worker")?;
    let daemon = scene.master(&quick().version_3(""), &[])?;
    let first = scene.worker()?;
    kill(first, Signal::SIGKILL)?;
    let mut always = true;
    wait::until("another worker runs", wait::LONG, || {
        always &= scene.host.has("eth0", VIP);
        scene.pid_in("keepwatchd-vrrp.pid").is_some_and(|pid| pid != first)
            && daemon.process().log().contains("adopting VIP 10.78.9.9")
    })
    .with_context(|| daemon.process().log())?;
    assert!(always, "the VIP was away");
    daemon.wait_for_log("Worker restarted: was killed by SIGKILL")?;
    assert!(daemon.answer(&["events"])?.contains("Worker restarted: was killed by SIGKILL"));
    Ok(())
}

#[test]
fn a_stop_between_two_workers_takes_the_addresses_off_too() -> Result<()> {
    let scene = Scene::new("stop-between")?;
    let mut daemon = scene.master(&quick().version_3(""), &[])?;
    // The third worker in a row is waited for longest.
    for round in 1..=4 {
        kill(scene.worker()?, Signal::SIGKILL)?;
        wait::until("that was seen", wait::LONG, || {
            daemon.process().log().matches("The worker was killed by SIGKILL: starting another").count()
                == round
        })?;
        if round < 4 {
            wait::until("the next one runs", wait::LONG, || {
                daemon.process().log().matches("Worker restarted").count() == round
            })?;
        }
    }
    assert!(scene.host.has("eth0", VIP));
    assert!(daemon.process_mut().stop(wait::LONG)?.success(), "{}", daemon.process().log());
    assert!(!scene.host.has("eth0", VIP));
    Ok(())
}

#[test]
fn a_killed_worker_costs_no_election() -> Result<()> {
    let lab = Lab::new("kill-quietly")?;
    let (_lan, hosts) = lab.routers(2)?;
    let start = |host: &Host, priority| {
        let config = Instance::new("VI_1").priority(priority).version_2("");
        Keepwatchd::on(host).config(config).flag("--vrrp").start()
    };
    let (left, right) = (&hosts[0], &hosts[1]);
    let backup = start(right, 100)?;
    let master = start(left, 200)?;
    master.wait_for_log("(VI_1) Entering MASTER STATE")?;
    let elections = || backup.process().log().matches("(VI_1) Entering MASTER STATE").count();
    wait::until("the other is backup", wait::LONG, || left.has("eth0", VIP) && !right.has("eth0", VIP))?;
    let before = elections();
    let worker: i32 = fs::read_to_string(left.directory().join("keepwatchd-vrrp.pid"))?.trim().parse()?;
    kill(Pid::from_raw(worker), Signal::SIGKILL)?;
    wait::throughout("the VIP stays", Duration::from_secs(6), || left.has("eth0", VIP))?;
    master.wait_for_log("Worker restarted")?;
    assert_eq!(elections(), before, "{}", backup.process().log());
    assert_eq!(master.process().log().matches("(VI_1) Entering MASTER STATE").count(), 2);
    Ok(())
}

#[test]
fn a_worker_that_hangs_is_replaced() -> Result<()> {
    let scene = Scene::new("hung-worker")?;
    let daemon = scene.master(&quick().version_3(""), &[])?;
    let first = scene.worker()?;
    kill(first, Signal::SIGSTOP)?;
    daemon.wait_for_log("The worker hangs")?;
    daemon.wait_for_log("adopting VIP 10.78.9.9")?;
    assert_ne!(scene.worker()?, first);
    assert!(scene.host.has("eth0", VIP));
    Ok(())
}

#[test]
fn without_respawn_a_dead_worker_ends_the_daemon() -> Result<()> {
    let scene = Scene::new("no-respawn")?;
    let mut daemon = scene.master(&quick().version_3(""), &["--dont-respawn"])?;
    kill(scene.worker()?, Signal::SIGKILL)?;
    assert!(!daemon.process_mut().wait(wait::SHORT)?.success());
    assert!(scene.pid_in("keepwatchd.pid").is_none());
    Ok(())
}

#[test]
fn a_worker_does_not_outlive_its_supervisor() -> Result<()> {
    let scene = Scene::new("orphan")?;
    let daemon = scene.master(&quick().version_3(""), &[])?;
    let worker = scene.worker()?;
    daemon.process().signal(Signal::SIGKILL)?;
    wait::until("the worker has stopped, and taken its address off", wait::LONG, || {
        kill(worker, None).is_err() || !scene.host.has("eth0", VIP)
    })?;
    let last = wait::value("it has resigned", wait::SHORT, || {
        scene.wire.adverts_from(OURS).pop().filter(|(_, advert)| advert.priority == 0)
    });
    assert!(last.is_ok());
    Ok(())
}

#[test]
fn in_the_background_the_command_ends_when_the_daemon_runs() -> Result<()> {
    let scene = Scene::new("background")?;
    let at = |name: &str| scene.host.directory().join(name).to_string_lossy().into_owned();
    let config = file(scene.host.directory(), "b.conf", &quick().version_3(""))?;
    let (pid, log, control) = (at("keepwatchd.pid"), at("b.log"), at("keepwatchd.sock"));
    let flags = ["-P", "-G", "-D", "-f", &config, "-p", &pid, "-g", &log];
    let output = scene.host.output(binaries::path("keepwatchd")?, &flags)?;
    let daemon = scene.pid_in("keepwatchd.pid").context("a pid file")?;
    let _end = KillOnDrop(daemon);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let status = scene.host.output(binaries::path("keepwatch")?, &["--socket", &control, "status"])?;
    assert!(status.status.success(), "{}", text(&status.stderr));
    wait::until("the VIP is up", wait::LONG, || scene.host.has("eth0", VIP))?;
    wait::until("the log file tells", wait::SHORT, || {
        fs::read_to_string(&log).is_ok_and(|log| log.contains("(VI_1) Entering MASTER STATE"))
    })?;

    // A mistake in the flags of a second one is told at once.
    let refused = scene.host.output(binaries::path("keepwatchd")?, &flags)?;
    assert!(!refused.status.success() && text(&refused.stderr).contains("daemon is already running"));

    kill(daemon, Signal::SIGTERM)?;
    wait::until("it has stopped", wait::SHORT, || !PathBuf::from(&pid).exists())?;
    assert!(!scene.host.has("eth0", VIP));
    Ok(())
}

struct KillOnDrop(Pid);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGTERM);
    }
}

#[test]
fn the_operator_is_told_what_is_and_why() -> Result<()> {
    let scene = Scene::new("operator")?;
    let config = quick().version_3("") + &conf::sync_group("VG_1", &["VI_1"]);
    let daemon = scene.master(&config, &[])?;

    let status = daemon.answer(&["status"])?;
    assert!(status.contains("VI_1") && status.contains("MASTER") && status.contains(VIP), "{status}");
    assert!(!status.contains('\x1b'), "no colours but on a terminal");

    let status: serde_json::Value = serde_json::from_slice(&daemon.ask(&["status", "--json"])?.stdout)?;
    assert_eq!(status["world"]["instances"][0]["state"], "MASTER", "{status}");

    let why = daemon.answer(&["why", "VI_1"])?;
    let timeout = why.find("Receive advertisement timeout").context(why.clone())?;
    let change = why.find("Entering MASTER STATE").context(why.clone())?;
    let address = why.find("setting VIP 10.78.9.9").context(why.clone())?;
    assert!(timeout < change && change < address, "{why}");
    assert!(why.starts_with("instance VI_1: MASTER (priority 100), since "), "{why}");

    let events = daemon.answer(&["events", "-n", "3"])?;
    assert_eq!(events.lines().count(), 3, "{events}");
    let lines = text(&daemon.ask(&["events", "--json"])?.stdout);
    assert!(lines.lines().count() > 3);
    for line in lines.lines() {
        serde_json::from_str::<serde_json::Value>(line).context(line.to_owned())?;
    }

    let nothing = daemon.ask(&["why", "VI_9"])?;
    assert_eq!(nothing.status.code(), Some(1));
    assert!(text(&nothing.stderr).contains("VI_1"), "{}", text(&nothing.stderr));
    Ok(())
}

#[test]
fn without_ip_vs_in_the_kernel_it_says_so_and_the_virtual_routers_go_on() -> Result<()> {
    let scene = Scene::new("no-ipvs")?;
    if scene.host.inside(|| Ok(Path::new("/proc/net/ip_vs").exists()))? {
        // A kernel with IPVS has its own tests.
        return Ok(());
    }
    let daemon = Keepwatchd::on(&scene.host).config(quick().version_3("") + WEB).start()?;
    daemon.wait_for_log("the kernel has no IPVS")?;
    daemon.wait_for_log("(VI_1) Entering MASTER STATE")?;
    wait::until("the VIP is up", wait::LONG, || scene.host.has("eth0", VIP))?;
    assert!(daemon.answer(&["status"])?.contains("the kernel has no IPVS"));
    Ok(())
}

/// A virtual server with one real server on the host itself.
const WEB: &str = "virtual_server 10.78.9.9 80 {
    delay_loop 1
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server 127.0.0.1 8080 {
        TCP_CHECK {
            connect_timeout 1
            retry 0
        }
    }
}
";

#[test]
fn a_dead_web_server_leaves_the_table_and_why_says_so() -> Result<()> {
    let scene = Scene::new("web")?;
    let at = "127.0.0.1:8080".parse()?;
    let web = WebServer::start(&scene.host, at, "hello")?;
    let daemon = Keepwatchd::on(&scene.host)
        .config(quick().version_3("") + WEB)
        .flags(&["--dataplane", "memory"])
        .start()?;
    daemon.wait_for_log("Adding service [127.0.0.1]:tcp:8080 to VS [10.78.9.9]:tcp:80")?;
    daemon.wait_for_log("TCP connection to [127.0.0.1]:tcp:8080 success")?;
    drop(web);
    daemon.wait_for_log("Removing service [127.0.0.1]:tcp:8080 from VS [10.78.9.9]:tcp:80")?;
    let why = daemon.answer(&["why", "127.0.0.1:8080"])?;
    assert!(why.contains("connection refused") && why.contains("Removing service"), "{why}");
    assert!(daemon.answer(&["status"])?.contains("0 of 1 real servers up"));
    let _web = WebServer::start(&scene.host, at, "hello again")?;
    wait::until("it is back", wait::LONG, || {
        daemon.process().log().matches("Adding service [127.0.0.1]:tcp:8080").count() == 2
    })?;
    Ok(())
}

#[test]
fn scripts_are_run_and_a_reload_changes_them() -> Result<()> {
    let scene = Scene::new("scripts")?;
    // Also whoever runs scripts without being root must be able to write there.
    let directory = tempfile::tempdir()?;
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777))?;
    let made = |name: &str| directory.path().join(name).exists();
    let config = |name: &str| {
        let touch = |what: &str| {
            format!("notify_{what} \"/usr/bin/touch {}/{name}-{what}\"", directory.path().display())
        };
        quick().line(&touch("master")).line(&touch("stop")).version_3("")
    };
    let mut daemon = scene.master(&config("first"), &[])?;
    wait::until("notify_master was run", wait::SHORT, || made("first-master"))
        .with_context(|| daemon.process().log())?;
    fs::write(daemon.config_path(), config("second"))?;
    daemon.process().signal(Signal::SIGHUP)?;
    daemon.wait_for_log("Reloaded")?;
    assert!(daemon.process_mut().stop(wait::SHORT)?.success());
    wait::until("notify_stop was run", wait::SHORT, || made("second-stop"))?;
    assert!(!made("second-master") && !made("first-stop"));
    Ok(())
}

#[test]
fn a_terminal_that_stands_still_delays_no_advert() -> Result<()> {
    let scene = Scene::new("stuck-console")?;
    let config = file(scene.host.directory(), "c.conf", &calm().version_3(""))?;
    let pid = scene.host.directory().join("keepwatchd.pid").to_string_lossy().into_owned();
    let program = binaries::path("keepwatchd")?;
    let line = format!("exec {} -n -l -D -P -f {config} -p {pid} 2>&1 | sleep 1000", program.display());
    let _shell = scene.host.spawn("shell", "sh", &["-c", &line])?;
    wait::until("the VIP is up", wait::LONG, || scene.host.has("eth0", VIP))?;
    let daemon = wait::value("its pid is known", wait::SHORT, || scene.pid_in("keepwatchd.pid"))?;
    let since = capture::now();
    // 64 KiB fill the pipe.
    for _ in 0..1500 {
        kill(daemon, Signal::SIGHUP)?;
        std::thread::sleep(Duration::from_millis(2));
    }
    no_gap(&scene.wire, since)?;
    kill(daemon, Signal::SIGTERM)?;
    wait::until("it has stopped all the same", wait::SHORT, || scene.pid_in("keepwatchd.pid").is_none())?;
    assert!(!scene.host.has("eth0", VIP));
    Ok(())
}

#[test]
fn what_only_watches_may_fail() -> Result<()> {
    let scene = Scene::new("broken")?;
    let _taken = scene.host.listen("127.0.0.1:9165".parse()?)?;
    let config = file(scene.host.directory(), "c.conf", &quick().version_3(""))?;
    let pid = scene.host.directory().join("keepwatchd.pid");
    let daemon = scene
        .host
        .process("keepwatchd", binaries::path("keepwatchd")?)
        .args(["-n", "-l", "-P", "-x", "-A", "unix:/proc/none", "-f", &config])
        .args([
            "--control-socket",
            "/proc/none/c.sock",
            "--history-file",
            "/proc/none/h",
            "-g",
            "/proc/none/l",
        ])
        .arg("-p")
        .arg(&pid)
        .start()?;
    for line in [
        "http: 127.0.0.1:9165: ",
        "control socket: /proc/none/c.sock: ",
        "history: /proc/none/h: ",
        "log: log file",
    ] {
        daemon.wait_for_log(line, wait::LONG)?;
    }
    wait::until("the VIP is up all the same", wait::LONG, || scene.host.has("eth0", VIP))?;
    Ok(())
}

#[test]
fn a_listener_that_was_handed_in_outlives_a_worker() -> Result<()> {
    let scene = Scene::new("activation")?;
    let at = "127.0.0.1:9999".parse()?;
    let daemon = Keepwatchd::on(&scene.host)
        .config(quick().version_3(""))
        .flag("-P")
        .listen_fd(scene.host.listen(at)?)
        .start()?;
    let served = || {
        http::get(&scene.host, at, "/metrics", wait::SHORT)
            .is_ok_and(|page| page.body.contains("keepalived_up"))
    };
    wait::until("it serves on the listener", wait::LONG, served)?;
    assert!(http::get(&scene.host, Keepwatchd::METRICS.parse()?, "/metrics", wait::SHORT).is_err());
    kill(scene.worker()?, Signal::SIGKILL)?;
    daemon.wait_for_log("Worker restarted")?;
    wait::until("it serves on it again", wait::LONG, served)
}

#[test]
fn dump_signals_end_nobody_and_the_service_manager_is_told() -> Result<()> {
    let scene = Scene::new("systemd")?;
    let path = scene.host.directory().join("notify.sock");
    let manager = std::os::unix::net::UnixDatagram::bind(&path)?;
    manager.set_read_timeout(Some(wait::LONG))?;
    let told = || -> Result<String> {
        let mut buffer = [0; 256];
        let length = manager.recv(&mut buffer)?;
        Ok(text(buffer.get(..length).unwrap_or_default()))
    };
    let config = file(scene.host.directory(), "c.conf", &quick().version_3(""))?;
    let pid = scene.host.directory().join("keepwatchd.pid");
    let mut daemon = scene
        .host
        .process("keepwatchd", binaries::path("keepwatchd")?)
        .args(["-n", "-l", "-P", "-f", &config, "-p"])
        .arg(&pid)
        .env("NOTIFY_SOCKET", &path)
        .start()?;
    assert_eq!(told()?, "READY=1");
    for signal in [Signal::SIGUSR1, Signal::SIGUSR2] {
        daemon.signal(signal)?;
    }
    daemon.signal(Signal::SIGHUP)?;
    assert!(told()?.starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(told()?, "READY=1");
    daemon.wait_for_log("Reloaded", wait::SHORT)?;
    assert!(daemon.stop(wait::SHORT)?.success());
    assert_eq!(told()?, "STOPPING=1");
    Ok(())
}

#[test]
fn events_are_followed_as_they_happen() -> Result<()> {
    let scene = Scene::new("follow")?;
    let daemon = scene.master(&quick().version_3(""), &[])?;
    let socket = daemon.control_path().to_string_lossy().into_owned();
    let follower = scene.host.spawn(
        "follower",
        binaries::path("keepwatch")?,
        &["--socket", &socket, "events", "--follow"],
    )?;
    follower.wait_for_log("(VI_1) Entering MASTER STATE", wait::SHORT)?;
    scene.host.down("eth0")?;
    follower.wait_for_log("(VI_1) Entering FAULT STATE", wait::SHORT)?;
    let why = daemon.answer(&["why", "VI_1"])?;
    assert!(why.contains("Netlink reports eth0 down"), "{why}");
    Ok(())
}

#[test]
fn without_a_daemon_the_command_says_so() -> Result<()> {
    let output = keepwatch(&["--socket", "/nonexistent/control.sock", "status"])?;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("Is keepwatchd running?"), "{}", text(&output.stderr));
    Ok(())
}

#[test]
fn a_client_that_never_reads_delays_no_advert() -> Result<()> {
    use std::{io::Write, os::unix::net::UnixStream};
    let scene = Scene::new("stuck-client")?;
    let daemon = scene.master(&calm().version_3(""), &[])?;
    let since = capture::now();
    let mut clients = Vec::new();
    for _ in 0..40 {
        let mut client = UnixStream::connect(daemon.control_path())?;
        client.write_all(b"{\"ask\":\"events\",\"follow\":true}\n")?;
        clients.push(client);
    }
    // Garbage, and half a question.
    UnixStream::connect(daemon.control_path())?.write_all(&[0xff; 200_000]).ok();
    std::thread::sleep(Duration::from_secs(2));
    assert!(daemon.answer(&["status"])?.contains("MASTER"), "others are still answered");
    // Those that hang up leave their places to others.
    drop(clients);
    let program = binaries::path("keepwatch")?;
    let socket = daemon.control_path().to_string_lossy().into_owned();
    wait::until("there is room for a follower again", wait::SHORT, || {
        let arguments = ["--socket", &socket, "events", "--follow"];
        let Ok(follower) = scene.host.spawn("follower", &program, &arguments) else { return false };
        follower.wait_for_log("Entering MASTER STATE", Duration::from_millis(500)).is_ok()
    })?;
    no_gap(&scene.wire, since)
}

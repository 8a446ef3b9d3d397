//! SIGHUP and the other signals.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration::{
    Instance, binaries, capture,
    conf::{self, VIP},
    stuck::StuckFile,
    wait,
};
use nix::sys::signal::Signal;

use crate::scene::{Scene, a_web_server, calm, file, no_gap, quick, text};

#[test]
fn a_reload_with_a_mistake_changes_nothing() -> Result<()> {
    let scene = Scene::new("bad-reload")?;
    let daemon = scene.master(&calm().version_3(""), &[])?;
    fs::write(daemon.config_path(), calm().vip("10.78.9.10/32").line("prioritty 5").version_3(""))?;
    let since = capture::now();
    daemon.process().signal(Signal::SIGHUP)?;
    daemon.wait_for_log("refused, the running configuration stays")?;
    daemon.wait_for_log("prioritty")?;
    assert!(scene.host.has("eth0", VIP) && !scene.host.has("eth0", "10.78.9.10"));
    assert!(daemon.answer(&["status"])?.contains("the last reload was refused"));
    no_gap(&scene, since)
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
    no_gap(&scene, since)
}

#[test]
fn a_virtual_router_that_a_reload_took_away_and_another_brings_back_is_counted_from_the_start() -> Result<()>
{
    let scene = Scene::new("recount")?;
    let (one, other) =
        (quick().version_3(""), Instance::new("VI_2").vrid(52).interval("0.1").vip("10.78.9.20/32"));
    let both = format!("{one}{other}");
    let daemon = scene.master(&both, &[])?;
    let transitions =
        |instance: &str| daemon.metric("keepalived_become_master_total", &[&format!("iname=\"{instance}\"")]);
    wait::until("both are counted", wait::LONG, || {
        ["VI_1", "VI_2"].iter().all(|instance| transitions(instance) == Some(1.0))
    })?;
    for (config, there) in [(&one, false), (&both, true)] {
        fs::write(daemon.config_path(), config)?;
        daemon.process().signal(Signal::SIGHUP)?;
        wait::until("VI_2 is as the file says", wait::LONG, || {
            scene.host.has("eth0", "10.78.9.20") == there
        })?;
    }
    wait::until("VI_2 is counted again", wait::LONG, || {
        transitions("VI_2").is_some_and(|count| count > 0.0)
    })?;
    ensure!(transitions("VI_2") == Some(1.0), "{:?}: with what went before", transitions("VI_2"));
    ensure!(transitions("VI_1") == Some(1.0), "{:?}: VI_1 was there all the time", transitions("VI_1"));
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
        .env("WATCHDOG_USEC", "600000")
        .start()?;
    // Beside what it says once there is the watchdog, which is fed all the time, and the line for people.
    let mut statuses = Vec::new();
    let mut fed = 0;
    let mut told = || -> Result<String> {
        loop {
            match told()? {
                watchdog if watchdog == "WATCHDOG=1" => fed += 1,
                status if status.starts_with("STATUS=") => statuses.push(status),
                other => return Ok(other),
            }
        }
    };
    assert_eq!(told()?, "READY=1");
    for signal in [Signal::SIGUSR1, Signal::SIGUSR2] {
        daemon.signal(signal)?;
    }
    daemon.signal(Signal::SIGHUP)?;
    assert!(told()?.starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(told()?, "READY=1");
    daemon.wait_for_log("Reloaded", wait::SHORT)?;
    daemon.wait_for_log("(VI_1) Entering MASTER STATE", wait::LONG)?;
    std::thread::sleep(Duration::from_millis(900));
    assert!(daemon.stop(wait::SHORT)?.success());
    assert_eq!(told()?, "STOPPING=1");
    assert!(fed >= 3, "fed {fed} times");
    assert!(
        statuses.iter().any(|status| status == "STATUS=Virtual routers: 1 MASTER. Virtual servers: 0."),
        "{statuses:?}"
    );
    Ok(())
}

#[test]
fn a_configuration_that_can_t_be_read_to_its_end_does_not_keep_the_daemon_from_stopping() -> Result<()> {
    let scene = Scene::new("endless-reload")?;
    let mut daemon = scene.master(&calm().version_3(""), &[])?;
    let stuck = StuckFile::new(&scene.host.directory().join("stuck.conf"))?;
    let include = format!("include {}\n", stuck.path().display());
    fs::write(daemon.config_path(), calm().version_3("") + &include)?;
    let since = capture::now();
    for _ in 0..3 {
        daemon.process().signal(Signal::SIGHUP)?;
    }
    no_gap(&scene, since)?;
    assert!(daemon.answer(&["status"])?.contains("MASTER"));
    let log = daemon.process().log();
    assert!(!log.contains("Reloaded") && !log.contains("refused"), "it was read after all: {log}");
    assert!(daemon.process_mut().stop(wait::SHORT)?.success(), "{}", daemon.process().log());
    assert!(!scene.host.has("eth0", VIP));
    Ok(())
}

#[test]
fn a_reload_that_would_end_everything_is_refused() -> Result<()> {
    let scene = Scene::new("empty-reload")?;
    let directory = scene.host.directory().join("conf.d");
    fs::create_dir(&directory)?;
    fs::write(directory.join("vi.conf"), calm().to_string())?;
    let whole = calm().version_3("");
    let included = format!("{}include {}/*.conf\n", conf::global_defs(3, ""), directory.display());
    let daemon = scene.master(&included, &[])?;
    let since = capture::now();
    let refusals = || daemon.process().log().matches("so all that runs would end (1 virtual routers").count();
    // What was written, or what happened to the directory; each leaves nothing.
    let empty: [&dyn Fn() -> Result<()>; 4] = [
        &|| Ok(fs::remove_file(directory.join("vi.conf"))?),
        &|| Ok(fs::write(daemon.config_path(), "")?),
        &|| Ok(fs::write(daemon.config_path(), "# nothing here\n\n! nor here\n")?),
        // Only the virtual routers run here.
        &|| Ok(fs::write(daemon.config_path(), conf::global_defs(3, "") + &a_web_server())?),
    ];
    for (i, make) in empty.iter().enumerate() {
        make()?;
        daemon.process().signal(Signal::SIGHUP)?;
        wait::until("it is refused", wait::LONG, || refusals() > i)
            .with_context(|| daemon.process().log())?;
        assert!(scene.host.has("eth0", VIP));
    }
    let status = daemon.answer(&["status"])?;
    let told = status.lines().find(|line| line.contains("the last reload was refused since "));
    assert!(told.is_some_and(|line| line.contains(": there is no vrrp_instance in it")), "{status}");
    let successful = |value| {
        let what = format!("the metric of the last reload is {value}");
        wait::until(&what, wait::SHORT, || {
            daemon.metric("keepwatch_config_last_reload_successful", &[]) == Some(value)
        })
    };
    successful(0.0)?;
    let why = daemon.answer(&["why", "configuration"])?;
    assert!(why.contains("refused") && why.contains("so all that runs would end"), "{why}");

    fs::write(daemon.config_path(), whole)?;
    daemon.process().signal(Signal::SIGHUP)?;
    daemon.wait_for_log("Reloaded")?;
    successful(1.0)?;
    assert!(daemon.answer(&["why", "configuration"])?.contains("Reloaded"));
    assert_eq!(daemon.process().log().matches("(VI_1) Entering MASTER STATE").count(), 1);
    no_gap(&scene, since)
}

/// Where a process is that has just been executed: past the loader, in Rust's own start or behind it. By then it holds
/// signals.
fn has_begun(process: &integration::Process) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap_or_default();
    let has = |field: &str, signal: Signal| {
        let set = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(":\t"));
        let set = set.and_then(|set| u64::from_str_radix(set, 16).ok()).unwrap_or_default();
        set & (1 << (signal as u64 - 1)) != 0
    };
    // Rust ignores SIGPIPE before it calls `main`.
    let begun = status.starts_with("Name:\tkeepwatchd\n") && has("SigIgn", Signal::SIGPIPE);
    assert!(
        !begun || has("SigBlk", Signal::SIGHUP),
        "it does not hold signals before Rust's start: {status}"
    );
    begun
}

#[test]
fn no_signal_that_keepalived_survives_ends_the_daemon_in_its_first_moments() -> Result<()> {
    let scene = Scene::new("early-signals")?;
    let config = file(scene.host.directory(), "c.conf", &quick().version_3(""))?;
    let pid = scene.host.directory().join("keepwatchd.pid");
    let json = 36;
    let signals = [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGCHLD, Signal::SIGPIPE];
    let numbers = signals.map(|signal| signal as i32).into_iter().chain([Signal::SIGQUIT as i32, json]);
    for number in numbers {
        for delay in [0, 5, 20, 60] {
            let mut daemon = scene
                .host
                .process("keepwatchd", binaries::path("keepwatchd")?)
                .args(["-n", "-l", "-G", "-P", "-f", &config, "-p"])
                .arg(&pid)
                .start()?;
            wait::until("its program runs", wait::SHORT, || has_begun(&daemon))?;
            std::thread::sleep(Duration::from_millis(delay));
            signal_number(daemon.pid(), number)?;
            wait::until("it is master", wait::LONG, || !daemon.is_running() || scene.host.has("eth0", VIP))?;
            let log = daemon.log();
            assert!(daemon.is_running(), "signal {number} after {delay} ms ended it: {log}");
            assert!(daemon.stop(wait::SHORT)?.success(), "{log}");
        }
    }
    Ok(())
}

/// Sends a signal that may be a real-time one, which nix does not know.
fn signal_number(to: nix::unistd::Pid, number: i32) -> Result<()> {
    let sent =
        std::process::Command::new("/bin/kill").args([format!("-{number}"), to.to_string()]).status()?;
    ensure!(sent.success(), "kill -{number} {to}");
    Ok(())
}

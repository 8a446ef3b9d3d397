//! Flags, exit codes, pid files, starting and stopping.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use integration::{Instance, binaries, conf::VIP, keepwatchd::Keepwatchd, pair::OURS, wait};
use nix::sys::signal::{Signal, kill};

use crate::scene::{KillOnDrop, Scene, file, keepwatch, keepwatchd, quick, text};

#[test]
fn an_unknown_flag_is_an_error_and_help_and_version_are_not() -> Result<()> {
    for flags in [&["-Z"][..], &["--debug=D"], &["stray"], &["-P", "-C"]] {
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
fn values_are_checked_at_once_and_errors_are_sentences_that_name_a_path_once() -> Result<()> {
    for (flags, says) in [
        (&["--listen", "banana"][..], "expected an IP address"),
        (&["--listen", "127.0.0.1:99999"], "expected an IP address"),
        (&["-n", "--snmp-agent-socket", "banana"], "no AgentX address"),
        (&["--history-bytes", "many"], "invalid digit"),
    ] {
        let refused = keepwatchd(flags)?;
        assert_eq!(refused.status.code(), Some(1), "{flags:?}");
        let said = text(&refused.stderr);
        assert!(said.contains(says) && said.contains(flags[flags.len() - 1]), "{flags:?}: {said}");
    }
    let directory = tempfile::tempdir()?;
    let there = directory.path().to_string_lossy().into_owned();
    let config = file(directory.path(), "good.conf", &Instance::new("VI_1").version_2("dynamic_interfaces"))?;
    let missing = format!("{there}/control.sock");
    let log_option = format!("-t={there}");
    let errors = [
        (keepwatch(&["--socket", &missing, "status"])?, &missing, "No daemon answers at the socket"),
        (keepwatchd(&[&log_option, "-f", &config])?, &there, "can't be written: it is no regular file"),
    ];
    for (refused, path, says) in errors {
        assert_eq!(refused.status.code(), Some(1));
        let said = text(&refused.stderr);
        assert!(said.contains(says), "{said}");
        assert_eq!(said.matches(&**path).count(), 1, "{said}");
        assert!(!said.contains("os error"), "{said}");
    }
    Ok(())
}

#[test]
fn config_test_exits_as_keepalived_does() -> Result<()> {
    let directory = tempfile::tempdir()?;
    // Whatever interfaces this machine has.
    let anywhere = "dynamic_interfaces";
    let good = file(directory.path(), "good.conf", &Instance::new("VI_1").version_2(anywhere))?;
    let wrong = Instance::new("VI_1").line("prioritty 5").version_2(anywhere);
    let wrong = file(directory.path(), "wrong.conf", &wrong)?;
    let log = directory.path().join("log").to_string_lossy().into_owned();

    let output = keepwatchd(&["-t", "-f", &good])?;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));

    let output = keepwatchd(&["--config-test", "--use-file", &wrong])?;
    assert_eq!(output.status.code(), Some(5));
    assert!(text(&output.stderr).contains("prioritty"), "{}", text(&output.stderr));

    let output = keepwatchd(&[&format!("-t={log}"), "-f", &wrong])?;
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(5), String::new()));
    assert!(fs::read_to_string(&log)?.contains("prioritty"));

    // keepalived's says 0, and then does not start, with this status.
    let missing = directory.path().join("missing.conf").to_string_lossy().into_owned();
    assert_eq!(keepwatchd(&["-t", "-f", &missing])?.status.code(), Some(6));
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
    let missing = scene.host.directory().join("missing.conf").to_string_lossy().into_owned();
    let flags = ["-n", "-l", "-P", "-p", &pid, "-f", &missing];
    let output = scene.host.output(program, &flags)?;
    assert_eq!(output.status.code(), Some(6), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains(&missing));
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
    assert!(took < Duration::from_secs(5) + scene.machine.allowance(), "{took:?}");
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

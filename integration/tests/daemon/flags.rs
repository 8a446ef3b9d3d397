//! The flags of keepalived(8).

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration::{Instance, conf::VIP, wait};
use nix::sys::signal::Signal;

use crate::scene::{Scene, calm, file, keepwatchd, quick, text};

/// The long names in a text of help, with their short ones where they have any.
fn flags(help: &str) -> Vec<(Option<String>, String)> {
    let flag = |line: &str| {
        let line = line.trim_start();
        let (short, rest) = match line.split_once(", --") {
            Some((short, rest)) if short.len() == 2 && short.starts_with('-') => {
                (Some(short.to_owned()), rest)
            }
            _ => (None, line.strip_prefix("--")?),
        };
        let long: String = rest.chars().take_while(|c| c.is_alphanumeric() || "-_".contains(*c)).collect();
        Some((short, long))
    };
    help.lines().filter_map(flag).collect()
}

#[test]
fn every_flag_of_keepalived_is_there_in_both_forms_and_signals_have_its_numbers() -> Result<()> {
    let help = |output: std::process::Output| text(&output.stdout) + &text(&output.stderr);
    let theirs = flags(&help(Command::new("keepalived").arg("--help").output()?));
    let ours = flags(&help(keepwatchd(&["--help"])?));
    ensure!(theirs.len() > 25, "{theirs:?}");
    let missing: Vec<_> = theirs.iter().filter(|flag| !ours.contains(flag)).collect();
    // What runs in a namespace is told by `net_namespace`.
    ensure!(missing.iter().all(|(_, long)| long == "namespace"), "{missing:?}");
    for name in ["STOP", "RELOAD", "DATA", "STATS", "STATS_CLEAR", "JSON"] {
        let number = |output: std::process::Output| text(&output.stdout).trim().parse::<i32>();
        let theirs = number(Command::new("keepalived").arg(format!("--signum={name}")).output()?)?;
        let ours = number(keepwatchd(&[&format!("--signum={name}")])?)?;
        ensure!(theirs == ours, "{name}: {theirs} {ours}");
    }
    let version = text(&keepwatchd(&["--version"])?.stdout);
    for part in ["keepwatchd ", "Keepalived v2.", "Running on: Linux ", "Config options: "] {
        ensure!(version.contains(part), "{part}: {version}");
    }
    Ok(())
}

#[test]
fn genhash_is_inside() -> Result<()> {
    let output = keepwatchd(&["--genhash", "--help"])?;
    ensure!(output.status.success() && text(&output.stdout).contains("--use-virtualhost"), "{output:?}");
    let late = keepwatchd(&["-n", "--genhash"])?;
    ensure!(
        late.status.code() == Some(1) && text(&late.stderr).contains("must be the first argument"),
        "{late:?}"
    );
    Ok(())
}

#[test]
fn a_missing_include_is_an_error_where_that_is_asked_for() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let config = Instance::new("VI_1").version_2("dynamic_interfaces") + "include nowhere.conf\n";
    let config = file(directory.path(), "c.conf", &config)?;
    ensure!(keepwatchd(&["-t", "-f", &config])?.status.code() == Some(0));
    for flag in ["-e", "--all-config"] {
        let output = keepwatchd(&["-t", flag, "-f", &config])?;
        ensure!(
            output.status.code() != Some(0) && text(&output.stderr).contains("nowhere.conf"),
            "{output:?}"
        );
    }
    Ok(())
}

#[test]
fn addresses_are_told_a_core_may_be_written_and_an_interrupt_ends_nothing() -> Result<()> {
    let scene = Scene::new("flags")?;
    let bfd = scene.host.directory().join("bfd.pid");
    let named = bfd.to_string_lossy().into_owned();
    let flags =
        ["--address-monitoring", "--core-dump", "--ignore-sigint", "--all", "-X", "-B", "--bfd_pid", &named];
    let mut daemon = scene.master(&calm().version_3(""), &flags)?;
    daemon.wait_for_log(&format!("Netlink reflector reports IP {VIP} added (eth0)"))?;
    scene.host.address("eth0", "10.78.9.77/32")?;
    daemon.wait_for_log("Netlink reflector reports IP 10.78.9.77 added (eth0)")?;
    scene.host.remove_address("10.78.9.77")?;
    daemon.wait_for_log("Netlink reflector reports IP 10.78.9.77 removed (eth0)")?;
    let worker = scene.worker()?;
    ensure!(fs::read_to_string(&bfd)?.trim() == worker.to_string());
    let limits = fs::read_to_string(format!("/proc/{worker}/limits"))?;
    let cores =
        limits.lines().find(|line| line.starts_with("Max core file size")).context("the limit is told")?;
    ensure!(cores.contains("unlimited"), "{cores}");
    // Both: a terminal would interrupt the whole group.
    daemon.process().signal_all(Signal::SIGINT);
    wait::throughout("it runs on", Duration::from_millis(500), || scene.host.has("eth0", VIP))?;
    ensure!(daemon.answer(&["status"])?.contains("MASTER") && scene.worker()? == worker);
    ensure!(daemon.process_mut().stop(wait::SHORT)?.success());
    ensure!(!scene.host.has("eth0", VIP) && !bfd.exists());
    Ok(())
}

#[test]
fn without_bfd_nobody_waits_for_a_session() -> Result<()> {
    let scene = Scene::new("no-bfd")?;
    let session = "bfd_instance peer {\n neighbor_ip 10.78.0.9\n}\n";
    let config = quick().line("track_bfd {\n peer\n}").version_3("");
    let daemon = scene.master(&(session.to_owned() + &config), &["--no_bfd"])?;
    ensure!(!daemon.answer(&["status"])?.contains("peer"));
    Ok(())
}

//! Several daemons on one host, and what their processes are called and how they are scheduled.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use integration::{Process, binaries, conf::VIP, wait};
use nix::unistd::{Pid, getuid};

use crate::scene::{KillOnDrop, Scene, file, quick, text};

const ONE_OF_SEVERAL: u64 = 1 << 20;

/// A daemon without `--pid`, which sees directories of its own where pid files, sockets and history lie.
fn without_pid_file(scene: &Scene, config: &str, flags: &[&str]) -> Result<Process> {
    let daemon = scene
        .host
        .process("keepwatchd", binaries::path("keepwatchd")?)
        .args(["-n", "-l", "-G", "-P", "--listen", "none", "-f", config])
        .args(flags)
        .small_disk("/run/keepalived", ONE_OF_SEVERAL)
        .small_disk("/run/keepwatch", ONE_OF_SEVERAL)
        .small_disk("/var/lib/keepwatch", ONE_OF_SEVERAL)
        .start()?;
    wait::until("it is master", wait::LONG, || daemon.log().contains("(VI_1) Entering MASTER STATE"))
        .with_context(|| daemon.log())?;
    Ok(daemon)
}

fn pid_in(daemon: &Process, path: &str) -> Option<u32> {
    fs::read_to_string(daemon.seen(Path::new(path))).ok()?.trim().parse().ok()
}

#[test]
fn an_instance_has_keepalived_s_pid_files_and_a_second_one_of_that_name_is_refused() -> Result<()> {
    if !getuid().is_root() {
        return Ok(());
    }
    let scene = Scene::new("several")?;
    let named = |name: &str| format!("instance {name}\n{}", quick().version_3(""));
    let config = file(scene.host.directory(), "a.conf", &named("east"))?;
    let mut daemon = without_pid_file(&scene, &config, &[])?;
    assert_eq!(
        pid_in(&daemon, "/run/keepalived/keepalived_east.pid"),
        Some(daemon.pid().as_raw().cast_unsigned())
    );
    let worker = pid_in(&daemon, "/run/keepalived/vrrp_east.pid").context("the worker's pid file")?;
    assert_ne!(worker, daemon.pid().as_raw().cast_unsigned());
    let control = daemon.seen(Path::new("/run/keepwatch/control_east.sock"));
    wait::until("it has a socket of its own", wait::SHORT, || control.exists())?;

    // One more, that sees the same files.
    let pid = daemon.pid().to_string();
    let program = binaries::path("keepwatchd")?.to_string_lossy().into_owned();
    let beside = ["-t", &pid, "-m", &program, "-P", "-G", "--listen", "none", "-f"];
    let refused = scene.host.output("nsenter", &[&beside[..], &[&config]].concat())?;
    let said = text(&refused.stderr);
    ensure!(!refused.status.success() && said.contains("daemon is already running"), "{said}");
    ensure!(scene.host.has("eth0", VIP), "{}", daemon.log());

    // One of another name is not in its way.
    let other = quick().vrid(52).vip("10.78.9.20/32").version_3("");
    let other = file(scene.host.directory(), "b.conf", &format!("instance west\n{other}"))?;
    let started = scene.host.output("nsenter", &[&beside[..], &[&other]].concat())?;
    ensure!(started.status.success(), "{}", text(&started.stderr));
    let west = pid_in(&daemon, "/run/keepalived/keepalived_west.pid").context("its pid file")?;
    let west = KillOnDrop(Pid::from_raw(west.cast_signed()));
    wait::until("both are master", wait::LONG, || {
        scene.host.has("eth0", "10.78.9.20") && scene.host.has("eth0", VIP)
    })?;
    drop(west);
    wait::until("the second has ended", wait::LONG, || {
        pid_in(&daemon, "/run/keepalived/keepalived_west.pid").is_none()
    })?;

    ensure!(daemon.stop(wait::LONG)?.success(), "{}", daemon.log());
    Ok(())
}

#[test]
fn the_command_line_s_namespace_is_where_it_runs() -> Result<()> {
    if !getuid().is_root() {
        return Ok(());
    }
    let scene = Scene::new("namespace")?;
    // The host's own, under a name; the daemon itself is started outside, by way of a network without anything.
    let name = format!("kw-{}", std::process::id());
    let config = file(scene.host.directory(), "n.conf", &quick().version_3(""))?;
    let pid = scene.host.directory().join("n.pid").to_string_lossy().into_owned();
    let attach = |name: &str| -> Result<()> {
        let sleeper = scene.host.process("sleep", "sleep").arg("60").start()?;
        let attached = scene.host.output("ip", &["netns", "attach", name, &sleeper.pid().to_string()])?;
        ensure!(attached.status.success(), "{}", text(&attached.stderr));
        Ok(())
    };
    attach(&name)?;
    let program = binaries::path("keepwatchd")?.to_string_lossy().into_owned();
    let mut daemon = scene
        .host
        .process("keepwatchd", "unshare")
        .args(["-n", &program, "-n", "-l", "-G", "-P", "--listen", "none", "-f", &config])
        .args(["-p", &pid, "-s", &name])
        .start()?;
    let came = wait::until("it is master there", wait::LONG, || scene.host.has("eth0", VIP))
        .with_context(|| daemon.log());
    let stopped = daemon.stop(wait::LONG);
    let left = scene.host.has("eth0", VIP);
    let _ = scene.host.output("ip", &["netns", "del", &name]);
    came?;
    ensure!(stopped?.success() && !left, "{}", daemon.log());
    Ok(())
}

#[test]
fn processes_are_called_and_scheduled_as_the_configuration_says() -> Result<()> {
    let scene = Scene::new("names")?;
    let global =
        "process_names\n    process_name kw-main\n    checker_priority 7\n    checker_cpu_affinity 0";
    let mut daemon = integration::keepwatchd::Keepwatchd::on(&scene.host)
        .config(quick().version_3(global))
        .flags(&["--dataplane", "memory"])
        .start()?;
    daemon.wait_for_log("(VI_1) Entering MASTER STATE")?;
    let called = |path: String| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let main = daemon.process().pid();
    wait::until("the main process has its name", wait::SHORT, || {
        called(format!("/proc/{main}/comm")) == "kw-main"
    })?;
    let worker = scene.worker()?;
    assert_eq!(called(format!("/proc/{worker}/comm")), "keepalived_vrrp");
    let mut checkers = Vec::new();
    for thread in fs::read_dir(format!("/proc/{worker}/task"))? {
        let at = thread?.path();
        let stat = fs::read_to_string(at.join("stat"))?;
        let (name, rest) = stat.rsplit_once(") ").context("a stat line")?;
        // proc_pid_stat(5): the nice value is field 19, the third of which begins after the name.
        let nice = rest.split(' ').nth(16).unwrap_or_default().to_owned();
        let status = fs::read_to_string(at.join("status"))?;
        let cpus =
            status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or_default();
        if name.ends_with("(keepalived_lvs") {
            checkers.push((nice, cpus.trim().to_owned()));
        } else {
            ensure!(nice != "7", "{stat}");
        }
    }
    ensure!(!checkers.is_empty(), "there is no thread of the checkers");
    ensure!(checkers.iter().all(|checker| *checker == ("7".into(), "0".into())), "{checkers:?}");
    ensure!(daemon.process_mut().stop(wait::LONG)?.success(), "{}", daemon.process().log());
    Ok(())
}

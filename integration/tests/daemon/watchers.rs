//! What only watches may be missing, broken, slow or hung: the virtual routers go on.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use integration::{binaries, capture, conf::VIP, keepwatchd::Keepwatchd, wait};
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use crate::scene::{Scene, a_web_server, calm, file, no_gap, quick};

#[test]
fn without_ip_vs_in_the_kernel_it_says_so_and_the_virtual_routers_go_on() -> Result<()> {
    let scene = Scene::new("no-ipvs")?;
    if scene.host.inside(|| Ok(Path::new("/proc/net/ip_vs").exists()))? {
        // A kernel with IPVS has its own tests.
        return Ok(());
    }
    let daemon = Keepwatchd::on(&scene.host).config(quick().version_3("") + &a_web_server()).start()?;
    daemon.wait_for_log("the kernel has no IPVS")?;
    daemon.wait_for_log("(VI_1) Entering MASTER STATE")?;
    wait::until("the VIP is up", wait::LONG, || scene.host.has("eth0", VIP))?;
    assert!(daemon.answer(&["status"])?.contains("the kernel has no IPVS"));
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
    no_gap(&scene, since)?;
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
        "history: /proc/none/h can't be used: ",
        "Log file: /proc/none/l can't be written: ",
    ] {
        daemon.wait_for_log(line, wait::LONG)?;
    }
    wait::until("the VIP is up all the same", wait::LONG, || scene.host.has("eth0", VIP))?;
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
    no_gap(&scene, since)
}

/// One thread of a process that is held, as if the kernel did not return from its call; it goes on when this is dropped.
struct Held(Pid);

impl Held {
    fn thread(process: Pid, name: &str) -> Result<Self> {
        let threads = fs::read_dir(format!("/proc/{process}/task"))?.flatten();
        let named = |entry: &fs::DirEntry| {
            fs::read_to_string(entry.path().join("comm")).is_ok_and(|comm| comm.trim() == name)
        };
        let id = threads.into_iter().find(named).context("no such thread")?.file_name();
        let thread = Pid::from_raw(id.to_string_lossy().parse()?);
        ptrace::seize(thread, ptrace::Options::empty())?;
        ptrace::interrupt(thread)?;
        waitpid(thread, Some(WaitPidFlag::__WALL))?;
        Ok(Self(thread))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = ptrace::detach(self.0, None);
    }
}

#[test]
fn addresses_that_the_kernel_does_not_change_are_told_of_and_delay_no_advert() -> Result<()> {
    let scene = Scene::new("stuck-addresses")?;
    let daemon = scene.master(&calm().version_3(""), &[])?;
    let worker = scene.worker()?;
    let since = capture::now();
    let held = Held::thread(worker, "vrrp-addresses")?;
    daemon.wait_for_log("addresses hangs since ")?;
    let hung = || daemon.metric("keepwatch_part_hung", &["part=\"addresses\""]);
    wait::until("the metric says so", wait::SHORT, || hung() == Some(1.0))?;
    drop(held);
    daemon.wait_for_log("addresses moves again")?;
    wait::until("the metric says so", wait::SHORT, || hung() == Some(0.0))?;
    assert_eq!(scene.worker()?, worker);
    no_gap(&scene, since)
}

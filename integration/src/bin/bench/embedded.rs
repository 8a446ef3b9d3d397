//! Many small daemons on one host, as OpenStack Neutron runs them: one for each router, in a network namespace of its own,
//! started by the name `keepalived` in the background with pid files of its own. What one of them costs in memory, and
//! how long it takes until all of them run.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use integration::{Host, Instance, Lab, binaries, process::tree, wait};
use nix::{
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

use crate::router::Router;

/// How long a command that goes into the background may take on a machine that is busy.
const COMMAND: Duration = Duration::from_secs(60);
/// Until a daemon that has started is at rest.
const SETTLE: Duration = Duration::from_secs(10);
/// How long a daemon may take to stop.
const STOP: Duration = Duration::from_secs(20);

/// What so many daemons needed: the memory of one, and the time until all were masters.
struct Cost {
    pss_kib: f64,
    masters: Duration,
}

/// Measures each and prints the costs and their ratios.
pub(crate) fn compare(routers: &[Router; 2], daemons: u16) -> Result<()> {
    println!(
        "{daemons} daemons of one virtual router each, in as many network namespaces, as Neutron starts them"
    );
    let costs = routers.iter().map(|router| measure(router, daemons)).collect::<Result<Vec<_>>>()?;
    if let [ours, theirs] = &costs[..] {
        println!(
            "  ratio of the memory of one: {:.2}, of the time until all are masters: {:.2}\n",
            ours.pss_kib / theirs.pss_kib.max(1.0),
            ours.masters.as_secs_f64() / theirs.masters.as_secs_f64()
        );
    }
    Ok(())
}

/// A daemon in the background; killed with all below it when this is dropped.
struct Daemon {
    host: Host,
    pid: Pid,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        for pid in tree::below(self.pid).into_iter().chain([self.pid]) {
            let _ = kill(pid, Signal::SIGKILL);
            // The lab made us the reaper of orphans.
            let _ = waitpid(pid, None);
        }
    }
}

fn config(number: u16) -> String {
    let vrid = u8::try_from(number % 255 + 1).unwrap_or(1);
    Instance::new(&format!("VR_{number}"))
        .vrid(vrid)
        .priority(50)
        .interval("2")
        .vip("169.254.0.1/24 dev eth0")
        .line("garp_master_delay 60")
        .line("nopreempt")
        .line("track_interface {\n        eth0\n    }")
        .line("virtual_ipaddress_excluded {\n        192.168.1.1/24 dev eth0 no_track\n    }")
        .to_string()
}

/// The program under the name by which Neutron starts it.
fn program(lab: &Lab, router: &Router) -> Result<PathBuf> {
    let program = match router {
        Router::Keepwatchd => binaries::path("keepwatchd")?,
        Router::Keepalived(program) => which(program).context("find keepalived")?,
    };
    let named = lab.directory().join("keepalived");
    symlink(&program, &named).with_context(|| format!("link to {}", program.display()))?;
    Ok(named)
}

/// The program as the shell would find it.
fn which(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return fs::canonicalize(program).ok();
    }
    let path = std::env::var_os("PATH")?;
    let more = ["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(more).map(|at| at.join(program)).find(|at| at.is_file())
}

fn start(program: &Path, host: &Host, number: u16) -> Result<Daemon> {
    let config = host.file("keepalived.conf", &config(number))?;
    let pid_file = host.directory().join("pid.keepalived");
    let mut command = host
        .process("keepalived", program)
        .args(["-P", "-G", "-f"])
        .arg(config)
        .arg("-p")
        .arg(&pid_file)
        .arg("-r")
        .arg(host.directory().join("pid.keepalived-vrrp"))
        .start()?;
    let status = command.wait(COMMAND)?;
    ensure!(status.success(), "{} in the background: {status}: {}", program.display(), command.log());
    // keepalived's command may end before the daemon has written its pid file.
    let pid = wait::value("the daemon has written its pid", wait::LONG, || {
        fs::read_to_string(&pid_file).ok()?.trim().parse().ok()
    })?;
    Ok(Daemon { host: host.clone(), pid: Pid::from_raw(pid) })
}

fn measure(router: &Router, count: u16) -> Result<Cost> {
    let lab = Lab::new("embedded")?;
    let program = program(&lab, router)?;
    let hosts = (0..count)
        .map(|i| {
            let host = lab.host(&format!("r{i}"))?;
            let lan = lab.bridge(&format!("lan{i}"))?;
            host.plug("eth0", &lan)?.address("eth0", "169.254.192.1/18")?;
            Ok(host)
        })
        .collect::<Result<Vec<_>>>()?;
    let began = Instant::now();
    let daemons = (0..).zip(&hosts).map(|(i, host)| start(&program, host, i)).collect::<Result<Vec<_>>>()?;
    let commands = began.elapsed();
    let mut next = 0;
    wait::until("all are masters", 4 * wait::LONG, || {
        while hosts.get(next).is_some_and(|host| host.has("eth0", "192.168.1.1")) {
            next += 1;
        }
        next == hosts.len()
    })?;
    let masters = began.elapsed();

    // What a start needs is given back.
    std::thread::sleep(SETTLE);
    let costs: Vec<_> = daemons.iter().map(|daemon| tree::cost(daemon.pid).pss_kib).collect();
    let processes: usize = daemons.iter().map(|daemon| 1 + tree::below(daemon.pid).len()).sum();
    let each = |sum: f64| sum / f64::from(count);
    let pss_kib = each(costs.iter().sum::<u64>() as f64);

    let stopped = Instant::now();
    for daemon in &daemons {
        kill(daemon.pid, Signal::SIGTERM).context("stop a daemon")?;
    }
    for daemon in &daemons {
        wait::until("a daemon has stopped", STOP, || {
            !matches!(waitpid(daemon.pid, Some(WaitPidFlag::WNOHANG)), Ok(WaitStatus::StillAlive))
        })?;
        ensure!(!daemon.host.has("eth0", "192.168.1.1"), "{} left its address", daemon.host.name());
    }
    println!(
        "  {:<10}  memory (PSS) of one {:.0} KiB in {:.1} processes; the commands took {:.1} s, all were masters after \
         {:.1} s, and had stopped after {:.1} s",
        router.name(),
        pss_kib,
        each(processes as f64),
        commands.as_secs_f64(),
        masters.as_secs_f64(),
        stopped.elapsed().as_secs_f64()
    );
    Ok(Cost { pss_kib, masters })
}

//! OpenStack Neutron's L3 agent: one keepalived for each router, in its namespace, started in the background by a command
//! with pid files of its own. The agent takes a process for keepalived's if its command line has the router's UUID in it,
//! and learns of a failover from `ip monitor`.

use anyhow::{Context, Result, ensure};
use integration::wait;

use crate::machine::{Machine, Make, Service, Stage};

crate::with_both!();

const UUID: &str = "6f8a2c1e-5b7d-4f0a-9c3e-2d1b4a5c6e7f";
const STATE: &str = "/var/lib/neutron/ha_confs";
/// The address that is never changed, by which the agent knows the master.
const PRIMARY: &str = "169.254.0.1/24";

fn config_file() -> String {
    format!("{STATE}/{UUID}/keepalived.conf")
}

fn pid_file() -> String {
    format!("{STATE}/{UUID}.pid.keepalived")
}

fn vrrp_pid_file() -> String {
    format!("{}-vrrp", pid_file())
}

fn config(floating: &[&str], no_track: &str) -> String {
    let excluded: String =
        floating.iter().map(|address| format!("        {address} dev eth0{no_track}\n")).collect();
    format!(
        "global_defs {{
    notification_email_from neutron@cloud.example
    router_id neutron
}}
vrrp_instance VR_1 {{
    state BACKUP
    interface eth0
    virtual_router_id 1
    priority 50
    garp_master_delay 60
    nopreempt
    advert_int 2
    authentication {{
        auth_type PASS
        auth_pass pass123
    }}
    track_interface {{
        eth0
    }}
    virtual_ipaddress {{
        {PRIMARY} dev eth0
    }}
    virtual_ipaddress_excluded {{
{excluded}        fe80::3e97:eff:fe26:3bfa/64 dev eth0 scope link{no_track}
    }}
    virtual_routes {{
        0.0.0.0/0 via 10.78.0.254 dev eth0{no_track} protocol static
        30.0.0.0/8 dev eth0 scope link{no_track} protocol static
    }}
}}"
    )
}

/// `no_track`, if the version that standard error tells knows it (2.0.3 and later).
fn no_track(machine: &Machine) -> Result<&'static str> {
    let text = machine.run("keepalived --version 2>&1 >/dev/null")?;
    let version =
        text.lines().next().and_then(|line| line.split_whitespace().nth(1)).context("no version")?;
    let numbers = version.trim_start_matches('v').split('.').map(str::parse).collect::<Result<Vec<u32>, _>>();
    let numbers = numbers.with_context(|| text.clone())?;
    Ok(if numbers >= vec![2, 0, 3] { " no_track" } else { "" })
}

/// The process of a pid file, if its command line names the router.
fn active(machine: &Machine, pid_file: &str) -> Option<String> {
    let pid = machine.read(pid_file).trim().parse::<u32>().ok()?.to_string();
    let line = machine.run(&format!("tr '\\0' ' ' < /proc/{pid}/cmdline")).ok()?;
    line.contains(UUID).then_some(pid)
}

/// What the agent does where there is no active process: an orphan is killed, what is left of pid files removed.
fn spawn(machine: &Machine) -> Result<()> {
    if let Some(orphan) = active(machine, &vrrp_pid_file()) {
        // It may have ended meanwhile.
        machine.shell(&format!("kill -9 {orphan}"))?;
    }
    let (config, own, vrrp) = (config_file(), pid_file(), vrrp_pid_file());
    machine.run(&format!(
        "rm -f {own} {vrrp}; env PROCESS_TAG=keepalived-{UUID} keepalived -P -f {config} -p {own} -r {vrrp} -D"
    ))?;
    wait::until("both processes are active", wait::LONG, || {
        active(machine, &own).is_some() && active(machine, &vrrp).is_some()
    })
}

/// What the agent's watcher takes for the state, by the lines of `ip -o monitor address`.
fn state(monitor: &Service) -> Option<&'static str> {
    let log = monitor.log();
    log.lines().rev().find_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let (at, state) = if words.first() == Some(&"Deleted") { (1, "backup") } else { (0, "primary") };
        let interface = words.get(at + 1)?.split('@').next()?;
        (interface == "eth0" && words.get(at + 3) == Some(&PRIMARY)).then_some(state)
    })
}

fn wait_for(monitor: &Service, wanted: &str) -> Result<()> {
    wait::until(&format!("the agent takes the router for {wanted}"), wait::LONG, || {
        state(monitor) == Some(wanted)
    })
    .with_context(|| monitor.log())
}

fn play(make: Make) -> Result<()> {
    let stage = Stage::set("neutron", make)?;
    let machine = &stage.machine;
    let no_track = no_track(machine)?;
    ensure!(no_track == " no_track", "the agent takes it for an old version");
    let monitor = machine.start("monitor", "ip", &["-o", "monitor", "address"])?;

    machine.write(&config_file(), &config(&["192.0.2.4/32"], no_track))?;
    spawn(machine)?;
    wait_for(&monitor, "primary")?;
    stage.wait_for("eth0", "192.0.2.4")?;
    machine.wait_until(
        "the primary address is there by `ip -br`",
        &format!("ip -br address show dev eth0 | tr ' ' '\\n' | grep -Fxq -- {PRIMARY}"),
    )?;
    machine.wait_until(
        "the routes are there",
        "ip route | grep -q '^default via 10.78.0.254 dev eth0 proto static' &&
        ip route | grep -q '^30.0.0.0/8 dev eth0 proto static'",
    )?;

    // A floating address more: the file is written anew, and the process told.
    let first = active(machine, &pid_file()).context("it has ended")?;
    machine.write(&config_file(), &config(&["192.0.2.4/32", "192.0.2.5/32"], no_track))?;
    machine.run(&format!("kill -HUP {first}"))?;
    stage.wait_for("eth0", "192.0.2.5")?;
    ensure!(active(machine, &pid_file()).as_ref() == Some(&first), "another process after the reload");
    ensure!(state(&monitor) == Some("primary") && !monitor.log().contains("Deleted"), "{}", monitor.log());

    // The agent's own tests make a router fail so.
    machine.host().down("eth0")?;
    wait_for(&monitor, "backup")?;
    machine.host().up("eth0")?;
    wait_for(&monitor, "primary")?;

    // Its monitor finds the process gone, and starts another.
    machine.run(&format!("kill -9 {first}"))?;
    wait::until("the process is not active", wait::LONG, || active(machine, &pid_file()).is_none())?;
    spawn(machine)?;
    let second = active(machine, &pid_file()).context("it has ended")?;
    ensure!(second != first, "the same process");
    stage.wait_for("eth0", "192.0.2.5").context("after the second start")?;

    // The agent removes the pid file as soon as it has sent the signal, and so takes the process for gone: it never comes
    // to kill it.
    machine.run(&format!("kill -15 {second}; rm -f {}", pid_file()))?;
    wait::until("the process has ended", wait::LONG, || !machine.is(&format!("kill -0 {second}")))?;
    ensure!(active(machine, &vrrp_pid_file()).is_none(), "the second pid file names a process that is left");
    wait_for(&monitor, "backup")?;
    stage.wait_without("eth0", "192.0.2.5")?;
    machine.wait_until("no process is left", "! pgrep keepalived")
}

//! VyOS: `keepalived.service` with a drop-in of its own and files in `/run/keepalived`; a script reads the FIFO, and what
//! operators ask for comes from the dumps, which it takes to be written when they are closed after writing.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use inotify::{EventMask, Inotify, WatchMask};
use integration::{Instance, conf, wait};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::machine::{Machine, Make, Stage};

crate::with_both!();

const CONFIG: &str = "/run/keepalived/keepalived.conf";
const PID: &str = "/run/keepalived/keepalived.pid";
const LINES: &str = "/run/keepalived/lines";
/// How long the product waits for a dump.
const WRITTEN_WITHIN: Duration = Duration::from_secs(30);

fn config(second: bool) -> String {
    let global = "global_defs {
    dynamic_interfaces
    script_user root
    vrrp_startup_delay 1
    vrrp_garp_interval 0.1
    vrrp_garp_master_delay 4
    vrrp_garp_master_refresh 8
    vrrp_garp_master_refresh_repeat 2
    vrrp_garp_master_repeat 3
    vrrp_version 3
    notify_fifo /run/keepalived/keepalived_notify_fifo
    notify_fifo_script /run/keepalived/fifo.sh
}
";
    let more = if second {
        "vrrp_instance guests {
    # added by a commit
    state BACKUP
    interface eth0
    virtual_router_id 22
    priority 120
    advert_int 1
    preempt_delay 0
    virtual_ipaddress {
        10.78.5.1/24
    }
}
"
    } else {
        ""
    };
    format!(
        "{global}vrrp_script healthcheck_sg_MAIN {{
    script \"/usr/bin/test -e /run/keepalived/well\"
    interval 1
    fall 1
    rise 1
}}
vrrp_instance lan-1 {{
    state BACKUP
    interface eth0
    virtual_router_id 21
    priority 120
    advert_int 1
    garp_interval 0.1
    preempt_delay 0
    use_vmac eth0v21v4
    authentication {{
        auth_pass \"s3cret\"
        auth_type PASS
    }}
    virtual_ipaddress {{
        10.78.4.1/24
        10.78.4.2/24 dev eth0
    }}
    virtual_ipaddress_excluded {{
        fd99::1/64
    }}
    track_interface {{
        eth0
    }}
}}
{more}vrrp_sync_group MAIN {{
    group {{
        lan-1
    }}
    track_script {{
        healthcheck_sg_MAIN
    }}
}}
"
    )
}

/// Sends a signal to the process of the pid file, waits until the dump is closed by who wrote it, reads and removes it.
fn collect(machine: &Machine, signal: i32, name: &str) -> Result<String> {
    let mut watch = Inotify::init()?;
    watch.watches().add(machine.path("/tmp"), WatchMask::ALL_EVENTS)?;
    machine.run(&format!("kill -{signal} $(cat {PID})"))?;
    let (began, mut buffer) = (Instant::now(), [0; 4096]);
    let mut seen = Vec::new();
    loop {
        match watch.read_events(&mut buffer) {
            Ok(events) => {
                for event in events {
                    if event.name.is_some_and(|found| found == name)
                        && event.mask.contains(EventMask::CLOSE_WRITE)
                    {
                        let path = format!("/tmp/{name}");
                        let text = machine.read(&path);
                        std::fs::remove_file(machine.path(&path))?;
                        return Ok(text);
                    }
                    seen.push(format!("{:?} {:?}", event.mask, event.name));
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        ensure!(began.elapsed() < WRITTEN_WITHIN, "{name} was not closed after writing: {seen:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A line of the summary: name, interface, virtual router id, state, priority.
type Line = (String, String, u64, u64, u64);

/// The summary.
fn summary(machine: &Machine) -> Result<Vec<Line>> {
    let text = collect(machine, 36, "keepalived.json")?;
    let groups: Vec<Value> = serde_json::from_str(&text).with_context(|| text.clone())?;
    let line = |group: &Value| {
        let data = &group["data"];
        let word =
            |key: &str| data[key].as_str().map(str::to_owned).with_context(|| format!("{key} in {data}"));
        let number = |key: &str| data[key].as_u64().with_context(|| format!("{key} in {data}"));
        data["last_transition"].as_f64().context("last_transition")?;
        Ok((
            word("iname")?,
            word("ifp_ifname")?,
            number("vrid")?,
            number("state")?,
            number("effective_priority")?,
        ))
    };
    groups.iter().map(line).collect()
}

fn wait_for_summary(machine: &Machine, wanted: &[(&str, u64)]) -> Result<()> {
    let mut last = Vec::new();
    wait::until(&format!("the summary is {wanted:?}"), wait::LONG, || {
        last = summary(machine).unwrap_or_default();
        last.iter().map(|line| (line.0.as_str(), line.3)).eq(wanted.iter().copied())
    })
    .with_context(|| format!("{last:?}"))
}

/// The lines of the FIFO that are of the form which the product's script takes: a word, a name in quotes, a state, a
/// priority.
fn transitions(machine: &Machine) -> Vec<(String, String, String)> {
    let word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_');
    let read = |line: &str| {
        let (kind, rest) = line.split_once(" \"")?;
        let (name, rest) = rest.split_once("\" ")?;
        let (state, priority) = rest.split_once(' ')?;
        let good =
            word(kind) && word(&name.replace('-', "_")) && word(state) && priority.parse::<u8>().is_ok();
        good.then(|| (kind.to_owned(), name.to_owned(), state.to_owned()))
    };
    machine.read(LINES).lines().filter_map(read).collect()
}

fn wait_for_transition(machine: &Machine, kind: &str, name: &str, state: &str) -> Result<()> {
    wait::until(&format!("the script hears that {kind} {name} is {state}"), wait::LONG, || {
        transitions(machine).iter().any(|line| line == &(kind.into(), name.into(), state.into()))
    })
    .with_context(|| machine.read(LINES))
}

fn play(make: Make) -> Result<()> {
    const MASTER: u64 = 2;
    const BACKUP: u64 = 1;
    const FAULT: u64 = 3;
    let stage = Stage::set("vyos", make)?;
    let machine = &stage.machine;
    machine.write(CONFIG, &config(false))?;
    machine.write("/run/keepalived/well", "")?;
    machine.script("/run/keepalived/fifo.sh", &format!("#!/bin/sh\nexec cat \"$1\" >> {LINES}\n"))?;
    let mut service =
        machine.start("keepalived", "keepalived", &["--use-file", CONFIG, "--pid", PID, "--dont-fork"])?;
    for address in ["10.78.4.1", "10.78.4.2"] {
        stage.wait_for("eth0v21v4", address)?;
    }
    machine.wait_until("its process is found", &format!("kill -0 $(cat {PID}) && pgrep keepalived"))?;
    wait_for_summary(machine, &[("lan-1", MASTER)])?;
    wait_for_transition(machine, "INSTANCE", "lan-1", "MASTER")?;
    wait_for_transition(machine, "GROUP", "MAIN", "MASTER")?;

    // A commit with another group.
    machine.write(CONFIG, &config(true))?;
    service.signal(Signal::SIGHUP)?;
    stage.wait_for("eth0", "10.78.5.1")?;
    wait_for_summary(machine, &[("lan-1", MASTER), ("guests", MASTER)])?;
    let lines = summary(machine)?;
    ensure!(lines[1] == ("guests".into(), "eth0".into(), 22, MASTER, 120), "{lines:?}");

    // The health check of the sync group fails, and is well again.
    std::fs::remove_file(machine.path("/run/keepalived/well"))?;
    wait_for_summary(machine, &[("lan-1", FAULT), ("guests", MASTER)])?;
    stage.wait_without("eth0v21v4", "10.78.4.2")?;
    wait_for_transition(machine, "GROUP", "MAIN", "FAULT")?;
    machine.write("/run/keepalived/well", "")?;
    wait_for_summary(machine, &[("lan-1", MASTER), ("guests", MASTER)])?;

    // Another router of a higher priority, which goes again.
    let guests = Instance::new("guests").vrid(22).priority(200).vip("10.78.5.1/24");
    let mut rival = stage.rival(&format!("{}{guests}", conf::global_defs(3, "")))?;
    wait_for_summary(machine, &[("lan-1", MASTER), ("guests", BACKUP)])?;
    wait_for_transition(machine, "INSTANCE", "guests", "BACKUP")?;
    rival.process_mut().stop(wait::SHORT)?;
    wait_for_summary(machine, &[("lan-1", MASTER), ("guests", MASTER)])?;

    // What operators are shown as it is.
    let state = collect(machine, 10, "keepalived.data")?;
    ensure!(state.contains(" VRRP Instance = guests") && state.contains("   State = MASTER"), "{state}");
    let counted = collect(machine, 12, "keepalived.stats")?;
    ensure!(counted.contains("VRRP Instance: lan-1") && counted.contains("  Advertisements:"), "{counted}");

    // The unit has KillMode=process.
    ensure!(service.stop(wait::LONG)?.success());
    stage.wait_without("eth0", "10.78.5.1")?;
    machine.wait_until("no process of that name is left", "! pgrep keepalived")
}

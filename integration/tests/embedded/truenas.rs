//! TrueNAS with two controllers: a drop-in starts keepalived without pid files; the middleware has made the FIFO before,
//! reads it again and again, and takes each line of four words for an event of an interface.

use anyhow::{Context, Result, ensure};
use integration::{conf, wait};
use nix::sys::signal::Signal;

use crate::machine::{Machine, Make, Service, Stage};

crate::with_both!();

const CONFIG: &str = "/etc/keepalived/keepalived.conf";
const FIFO: &str = "/run/vrrpd.fifo";
const LINES: &str = "/run/events";

fn config(addresses: &[&str]) -> String {
    instances(254, "10.78.0.1", "10.78.0.2", "fd78::1", "fd78::2", addresses)
}

fn instances(priority: u8, own4: &str, peer4: &str, own6: &str, peer6: &str, addresses: &[&str]) -> String {
    let instance = |name: &str, own: &str, peer: &str, addresses: &str| {
        format!(
            "vrrp_instance eth0_{name} {{
    interface eth0
    state BACKUP
    advert_int .68
    preempt
    virtual_router_id 20
    priority {priority}
    version 3
    unicast_src_ip {own}
    unicast_peer {{
        {peer}
    }}
    virtual_ipaddress {{
        {addresses}
    }}
}}
"
        )
    };
    format!(
        "global_defs {{
    vrrp_notify_fifo {FIFO}
}}
{}{}{}",
        conf::sync_group("eth0", &["eth0_v4", "eth0_v6"]),
        instance("v4", own4, peer4, &addresses.join("\n        ")),
        instance("v6", own6, peer6, "fd78::99")
    )
}

/// The events that the middleware acts on: interface and state; a fault counts as `BACKUP`.
fn events(machine: &Machine) -> Vec<(String, &'static str)> {
    let read = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let [_, name, state, _] = words[..] else { return None };
        let interface = name.trim_matches('"').split('_').next()?.to_owned();
        let state = match state {
            "MASTER" => "MASTER",
            "BACKUP" | "FAULT" => "BACKUP",
            _ => return None,
        };
        Some((interface, state))
    };
    machine.read(LINES).lines().filter_map(read).collect()
}

/// Waits for an event that makes more than `seen` of them, and is the last.
fn wait_for(machine: &Machine, seen: usize, state: &str) -> Result<usize> {
    wait::value(&format!("the middleware hears of {state}"), wait::LONG, || {
        let events = events(machine);
        let last = events.last()?;
        (events.len() > seen && last.0 == "eth0" && last.1 == state).then_some(events.len())
    })
    .with_context(|| machine.read(LINES))
}

fn start(machine: &Machine) -> Result<Service> {
    machine.start("keepalived", "keepalived", &["--dont-fork", "--log-detail", "--vrrp"])
}

fn play(make: Make) -> Result<()> {
    let stage = Stage::set("truenas", make)?;
    let machine = &stage.machine;
    machine.run(&format!("mkfifo {FIFO}"))?;
    let _reader =
        machine.start("reader", "sh", &["-c", &format!("while :; do cat {FIFO} >> {LINES}; done")])?;
    let other = instances(100, "10.78.0.2", "10.78.0.1", "fd78::2", "fd78::1", &["10.78.9.1"]);
    let _rival = stage.rival(&other.replace(FIFO, "/tmp/other.fifo"))?;

    machine.write(CONFIG, &config(&["10.78.9.1"]))?;
    let mut service = start(machine)?;
    stage.wait_for("eth0", "10.78.9.1")?;
    stage.wait_for("eth0", "fd78::99")?;
    let seen = wait_for(machine, 0, "MASTER")?;

    // An alias more, and `systemctl reload keepalived`: nobody is to hear of a change.
    machine.write(CONFIG, &config(&["10.78.9.1", "10.78.9.2"]))?;
    service.signal(Signal::SIGHUP)?;
    stage.wait_for("eth0", "10.78.9.2")?;
    ensure!(events(machine)[seen..].iter().all(|event| event.1 == "MASTER"), "{}", machine.read(LINES));

    // The middleware stops keepalived to hand its addresses over.
    ensure!(service.stop(wait::LONG)?.success());
    wait::until("the other controller has the address", wait::LONG, || stage.other.has("eth0", "10.78.9.1"))?;
    stage.wait_without("eth0", "10.78.9.1")?;
    stage.wait_without("eth0", "fd78::99")?;
    ensure!(machine.is(&format!("test -p {FIFO}")), "the FIFO of the middleware is gone");

    let seen = events(machine).len();
    let mut service = start(machine)?;
    let seen = wait_for(machine, seen, "MASTER")?;
    stage.wait_for("eth0", "10.78.9.1")?;

    machine.host().down("eth0")?;
    let seen = wait_for(machine, seen, "BACKUP")?;
    // IPv6 addresses go with the link, and who configured them has to do so again.
    machine.host().up("eth0")?.address("eth0", "fd78::1/64")?;
    wait_for(machine, seen, "MASTER")?;
    ensure!(service.stop(wait::LONG)?.success());
    machine.wait_until("no process of that name is left", "! pgrep keepalived")
}

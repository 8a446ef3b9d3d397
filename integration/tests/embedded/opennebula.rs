//! OpenNebula's virtual router: files in `conf.d`, an init script that finds the daemon by its pid file, program and name,
//! and a failover service that reads the FIFO and goes by the sync group alone.

use anyhow::{Context, Result, ensure};
use integration::{Instance, wait};

use crate::machine::{Machine, Make, Stage};

crate::with_both!();

const FIFO: &str = "/run/keepalived/vrrp_notify_fifo.sock";
const LINES: &str = "/run/failover";
/// The daemon's own place for it.
const PID: &str = "/run/keepalived.pid";

fn instances(addresses: &[&str]) -> String {
    let addresses: String = addresses.iter().map(|address| format!("        {address} dev eth0\n")).collect();
    format!(
        "vrrp_sync_group VRouter {{
    group {{
        ETH0
    }}
}}
vrrp_instance ETH0 {{
    state             BACKUP
    interface         eth0
    virtual_router_id 31
    priority          100
    advert_int        1
    virtual_ipaddress {{
{addresses}    }}
    virtual_routes {{
        0.0.0.0/0 via 10.78.0.254
    }}
    authentication {{
        auth_type PASS
        auth_pass onepass
    }}
}}
"
    )
}

fn write_configuration(machine: &Machine) -> Result<()> {
    machine.write("/etc/keepalived/keepalived.conf", "include /etc/keepalived/conf.d/*.conf\n")?;
    machine.write(
        "/etc/keepalived/conf.d/global.conf",
        &format!("global_defs {{\n    vrrp_notify_fifo {FIFO}\n    fifo_write_vrrp_states_on_reload\n}}\n"),
    )?;
    machine.write("/etc/keepalived/conf.d/vrrp.conf", &instances(&["10.78.9.1/24"]))
}

/// The states of the sync group that the failover service has read, a word each line without quotes.
fn states(machine: &Machine) -> Vec<String> {
    let read = |line: &str| {
        let words: Vec<_> = line.split_whitespace().map(|word| word.trim_matches('"')).collect();
        let ["GROUP", "VRouter", state, _] = words[..] else { return None };
        Some(state.to_owned())
    };
    machine.read(LINES).lines().filter_map(read).collect()
}

fn wait_for(machine: &Machine, seen: usize, state: &str) -> Result<usize> {
    wait::value(&format!("the failover service hears of {state}"), wait::LONG, || {
        let states = states(machine);
        (states.len() > seen && states.last().is_some_and(|last| last == state)).then_some(states.len())
    })
    .with_context(|| machine.read(LINES))
}

fn play(make: Make) -> Result<()> {
    let stage = Stage::set("opennebula", make)?;
    let machine = &stage.machine;
    machine.run("mkdir -p /run/keepalived")?;
    write_configuration(machine)?;
    // It opens the FIFO again, a second after its end.
    let follow = format!("while :; do [ -p {FIFO} ] && cat {FIFO} >> {LINES}; sleep 1; done");
    let _reader = machine.start("failover", "sh", &["-c", &follow])?;
    let start =
        format!("start-stop-daemon --start --quiet --pidfile {PID} --exec \"$(command -v keepalived)\" --");
    let signal =
        |how: &str| format!("start-stop-daemon --stop --quiet {how} --pidfile {PID} --name keepalived");
    let stop = signal("--retry=TERM/30/KILL/5");

    machine.run(&start)?;
    stage.wait_for("eth0", "10.78.9.1")?;
    machine.wait_until("the route is there", "ip route | grep -q '^default via 10.78.0.254'")?;
    let seen = wait_for(machine, 0, "MASTER")?;
    ensure!(!machine.is(&start), "a second start of the service is no start");

    // A virtual address more; the states are written into the FIFO again.
    machine.write("/etc/keepalived/conf.d/vrrp.conf", &instances(&["10.78.9.1/24", "10.78.9.2/24"]))?;
    machine.run(&signal("--signal HUP"))?;
    stage.wait_for("eth0", "10.78.9.2")?;
    let seen = wait_for(machine, seen, "MASTER")?;

    let rival = Instance::new("ETH0")
        .vrid(31)
        .priority(200)
        .password("onepass")
        .vip("10.78.9.1/24\n        10.78.9.2/24");
    let mut rival = stage.rival(&rival.to_string())?;
    let seen = wait_for(machine, seen, "BACKUP")?;
    stage.wait_without("eth0", "10.78.9.1")?;
    rival.process_mut().stop(wait::SHORT)?;
    wait_for(machine, seen, "MASTER")?;
    // It asks so whether the router is ready.
    machine.wait_until("the router is ready", "ip -j addr show eth0 | grep -q '\"local\":\"10.78.9.1\"'")?;

    // Configured anew, it is restarted.
    machine.run(&format!("{stop} && {start}"))?;
    stage.wait_for("eth0", "10.78.9.2")?;
    machine.run(&stop)?;
    stage.wait_without("eth0", "10.78.9.1")?;
    machine.wait_until("no process is left", &format!("! pgrep keepalived && ! test -e {PID}"))
}

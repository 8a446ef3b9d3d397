//! OpenStack Octavia's amphora in active/standby: a forking service with one pid file; a script that runs all checks decides
//! whether this amphora may be master; the health daemon looks whether the process of the pid file is there. (The
//! load balancer for UDP, which needs IPVS, is in the tests of the virtual machine.)

use anyhow::{Context, Result, ensure};
use integration::wait;

use crate::machine::{Machine, Make, Stage};

crate::with_both!();

const DIRECTORY: &str = "/var/lib/octavia/vrrp";
const CONFIG: &str = "/var/lib/octavia/vrrp/octavia-keepalived.conf";
const PID: &str = "/var/lib/octavia/vrrp/octavia-keepalived.pid";
const VIP: &str = "10.78.3.3";
/// A second address, of the other family.
const VIP6: &str = "fd00:78::3:3";

/// The routes of a subnet have a word in them, `gateway`, that no keepalived knows: it leaves these out, and takes the rest.
fn config(priority: u8, own: &str, peer: &str, more: &str) -> String {
    format!(
        "vrrp_script check_script {{
    script {DIRECTORY}/check_script.sh
    interval 1
    fall 1
    rise 1
}}

vrrp_instance d2c5b9e0a1 {{
    interface eth0
    virtual_router_id 1
    priority {priority}
    nopreempt
    accept
    garp_master_refresh 5
    garp_master_refresh_repeat 2
    advert_int 1
    authentication {{
        auth_type PASS
        auth_pass 1a2b3c4
    }}

    unicast_src_ip {own}
    unicast_peer {{
        {peer}
    }}

    virtual_ipaddress {{
        {VIP}
    }}

    virtual_ipaddress_excluded {{
        {VIP6}
{more}    }}

    virtual_routes {{
        10.78.0.0/16 dev eth0 src {VIP} scope link table 1
        default via 10.78.0.254 dev eth0 onlink table 1
        192.0.2.0/24 dev eth0 gateway 10.78.0.253 onlink table 1
        fd00:78::/64 dev eth0 src {VIP6} scope link table 1
        default via fd00:78::ff dev eth0 onlink table 1
    }}

    virtual_rules {{
        from {VIP}/32 table 1 priority 100
        from {VIP6}/128 table 1 priority 100
    }}

    track_script {{
        check_script
    }}
}}
"
    )
}

/// What the health daemon goes by.
fn is_running(machine: &Machine) -> bool {
    machine.is(&format!("kill -0 $(head -1 {PID})"))
}

fn play(make: Make) -> Result<()> {
    let stage = Stage::set("octavia", make)?;
    let machine = &stage.machine;
    let other = config(90, "10.78.0.2", "10.78.0.1", "");
    let other = other.replace(&format!("{DIRECTORY}/check_script.sh"), "/usr/bin/true");
    machine.write(CONFIG, &config(100, "10.78.0.1", "10.78.0.2", ""))?;
    // As it has it: a directory of scripts, all of which have to succeed.
    machine.script(
        &format!("{DIRECTORY}/check_script.sh"),
        &format!("#!/bin/sh\nstatus=0\nfor file in {DIRECTORY}/check_scripts/*; do\n    sh $file || status=1\ndone\nexit $status\n"),
    )?;
    let haproxy = format!("{DIRECTORY}/check_scripts/haproxy_check_script.sh");
    machine.write(&haproxy, "exit 0")?;

    // Type=forking: when the command has ended, the service manager wants the pid.
    machine.run(&format!("keepalived --log-facility=1 -f {CONFIG} -p {PID}"))?;
    wait::until("the health daemon finds the process", wait::SHORT, || is_running(machine))?;
    stage.wait_for("eth0", VIP)?;
    stage.wait_for("eth0", VIP6)?;
    let routed = format!(
        "ip rule | grep -q '^100:.*from {VIP} lookup 1' && ip route show table 1 | grep -q '^default via 10.78.0.254 dev eth0' &&
         ip route show table 1 | grep -q '^10.78.0.0/16 dev eth0.*src {VIP}' && ! ip route show table 1 | grep -q 192.0.2.0 &&
         ip -6 rule | grep -q '^100:.*from {VIP6} lookup 1' &&
         ip -6 route show table 1 | grep -q '^default via fd00:78::ff dev eth0'"
    );
    machine.wait_until("its routes and its rule are there", &routed)?;

    // Another address; a start of a service that runs is a reload.
    let pid = machine.read(PID);
    machine.write(CONFIG, &config(100, "10.78.0.1", "10.78.0.2", "        10.78.3.4\n"))?;
    machine.run(&format!("kill -HUP $(head -1 {PID})"))?;
    stage.wait_for("eth0", "10.78.3.4")?;
    ensure!(machine.read(PID) == pid && stage.machine.host().has("eth0", VIP));

    // haproxy is gone: the other amphora takes over, and keeps what it has when haproxy is back.
    let mut rival = stage.rival(&other)?;
    machine.write(&haproxy, "exit 1")?;
    wait::until("the other amphora is master", wait::LONG, || stage.other.has("eth0", VIP))?;
    stage.wait_without("eth0", VIP)?;
    machine.wait_until("the rule is gone", &format!("! ip rule | grep -q 'from {VIP}'"))?;
    machine.write(&haproxy, "exit 0")?;
    wait::throughout("the other amphora stays master", std::time::Duration::from_secs(4), || {
        stage.other.has("eth0", VIP) && !machine.host().has("eth0", VIP)
    })?;
    rival.process_mut().stop(wait::SHORT)?;
    stage.wait_for("eth0", VIP)?;
    machine.wait_until("its routes and its rule are there again", &routed)?;

    // KillMode=process.
    let pid = machine.read(PID);
    machine.run(&format!("kill -TERM {}", pid.trim())).context("stop")?;
    wait::until("the process has ended", wait::LONG, || !machine.is(&format!("kill -0 {}", pid.trim())))?;
    stage.wait_without("eth0", VIP)?;
    machine.wait_until("no process is left", &format!("! pgrep keepalived && ! test -e {PID}"))
}

//! The load balancer of kubeadm's guide for control planes, in a container of osixia/keepalived: the daemon in the foreground
//! with its configuration dumped at the start, a check whose failure costs two points, a notify script that writes to
//! the first process, and a start that first takes the address away by hand.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration::{Instance, conf::VIP, wait};
use nix::sys::signal::Signal;

use crate::machine::{Machine, Make, Service, Stage};

crate::with_both!();

/// What `docker stop` waits before it kills.
const STOP_WITHIN: Duration = Duration::from_secs(10);

fn config(priority: u8) -> String {
    format!(
        "! Configuration File for keepalived
global_defs {{
    router_id LVS_DEVEL
    script_user root
    enable_script_security
}}
vrrp_script check_apiserver {{
  script \"/etc/keepalived/check_apiserver.sh\"
  interval 1
  weight -2
  fall 2
  rise 2
}}

vrrp_instance VI_1 {{
    state MASTER
    interface eth0
    virtual_router_id 51
    priority {priority}
    authentication {{
        auth_type PASS
        auth_pass 42
    }}
    virtual_ipaddress {{
        {VIP}
    }}
    track_script {{
        check_apiserver
    }}
    notify \"/etc/keepalived/notify.sh\"
}}
"
    )
}

/// What the container runs before the daemon, and the daemon.
fn start(machine: &Machine) -> Result<Service> {
    machine.shell(&format!(
        "info=$(ip addr list | grep {VIP}) && ip addr del {VIP} dev $(echo $info | awk '{{print $NF}}'); rm -f /run/keepalived.pid"
    ))?;
    machine.start(
        "container",
        "keepalived",
        &[
            "-f",
            "/etc/keepalived/keepalived.conf",
            "--dont-fork",
            "--log-console",
            "--log-detail",
            "--dump-conf",
        ],
    )
}

fn wait_for_news(machine: &Machine, wanted: &str) -> Result<()> {
    wait::until(&format!("the notify script says {wanted:?}"), wait::LONG, || machine.log().contains(wanted))
        .with_context(|| machine.log())
}

fn play(make: Make) -> Result<()> {
    let stage = Stage::set("kubeadm", make)?;
    let machine = &stage.machine;
    machine.write("/etc/keepalived/keepalived.conf", &config(101))?;
    machine.script(
        "/etc/keepalived/check_apiserver.sh",
        "#!/bin/sh\ntest -e /run/apiserver || { echo '*** no apiserver' 1>&2; exit 1; }\n",
    )?;
    machine.script(
        "/etc/keepalived/notify.sh",
        "#!/bin/bash\ncase $3 in\n    MASTER|BACKUP|FAULT) echo \"$1 $2 is $3 now\" > /proc/1/fd/1; exit 0 ;;\n    *) exit 1 ;;\nesac\n",
    )?;
    machine.write("/run/apiserver", "")?;
    let rival = Instance::new("VI_1").priority(100).password("42").vip(VIP);
    let rival = stage.rival(&rival.to_string())?;

    let mut container = start(machine)?;
    stage.wait_for("eth0", VIP)?;
    wait_for_news(machine, "INSTANCE VI_1 is MASTER now")?;
    // Its log goes to whoever collects those of containers.
    wait::until("it logs to the console", wait::LONG, || {
        container.log().contains("(VI_1) Entering MASTER STATE")
    })?;

    // The API server is gone: two points less are less than the other has.
    std::fs::remove_file(machine.path("/run/apiserver"))?;
    stage.wait_for_rival(&rival, VIP)?;
    stage.wait_without("eth0", VIP)?;
    wait_for_news(machine, "INSTANCE VI_1 is BACKUP now")?;
    machine.write("/run/apiserver", "")?;
    stage.wait_for("eth0", VIP)?;

    // A configuration that another file is mounted over: 98 is less than the other has.
    machine.write("/etc/keepalived/keepalived.conf", &config(98).replace("state MASTER", "state BACKUP"))?;
    container.signal(Signal::SIGHUP)?;
    stage.wait_without("eth0", VIP)?;
    machine.write("/etc/keepalived/keepalived.conf", &config(101))?;
    container.signal(Signal::SIGHUP)?;
    stage.wait_for("eth0", VIP)?;

    // A node that lost its container finds the address where it left it, and starts another one.
    container.signal(Signal::SIGKILL)?;
    machine.run("sleep 0.1; pkill -9 keepalived || true")?;
    container.wait(wait::LONG)?;
    let mut container = start(machine)?;
    stage.wait_for("eth0", VIP)?;
    wait::until("it is the master again", wait::LONG, || {
        container.log().contains("(VI_1) Entering MASTER STATE")
    })
    .with_context(|| container.log())?;

    ensure!(container.stop(STOP_WITHIN)?.success());
    stage.wait_without("eth0", VIP)
}

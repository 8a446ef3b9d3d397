//! OpenShift on bare metal: a static pod whose shell starts the daemon in the background, tells it of a new file by the
//! oldest process of the name `keepalived`, and is alive as long as SIGUSR1 writes a dump without `State = FAULT`.

use anyhow::{Context, Result, ensure};
use integration::{Instance, wait};

use crate::machine::{Machine, Make, Stage};

crate::with_both!();

const CONFIG: &str = "/etc/keepalived/keepalived.conf";
/// The API's address.
const API: &str = "10.78.6.5";
/// The ingress's address.
const INGRESS: &str = "10.78.6.6";
const START: &str =
    "keepalived -f /etc/keepalived/keepalived.conf --dont-fork --vrrp --log-detail --log-console &";
/// Started if there is none.
const RELOAD: &str = "if pid=$(pgrep -o keepalived); then kill -s SIGHUP \"$pid\"; else exit 9; fi";
const ALIVE: &str =
    "echo 'State = FAULT' > /tmp/keepalived.data && kill -s SIGUSR1 \"$(pgrep -o keepalived)\" || exit 1
    for i in 1 2 3 4 5; do
        grep -q 'State = FAULT' /tmp/keepalived.data || exit 0
        sleep 1
    done
    exit 1";

fn instance(name: &str, vrid: u8, priority: u8, address: &str, script: &str) -> String {
    format!(
        "vrrp_script {script} {{
    script \"/usr/bin/timeout 1.9 /usr/bin/test -e /run/{script}\"
    interval 1
    weight 50
    rise 1
    fall 1
}}
vrrp_instance {name} {{
    state BACKUP
    interface eth0
    virtual_router_id {vrid}
    priority {priority}
    advert_int 1
    unicast_src_ip 10.78.0.1
    unicast_peer {{
        10.78.0.2
    }}
    authentication {{
        auth_type PASS
        auth_pass lab_vip
    }}
    virtual_ipaddress {{
        {address}/32 label vip
    }}
    track_script {{
        {script}
    }}
}}
"
    )
}

fn config(ingress: bool) -> String {
    let global = "global_defs {
    enable_script_security
    script_user root
    max_auto_priority -1
    vrrp_garp_master_refresh 60
}
";
    let ingress =
        if ingress { instance("lab_INGRESS_0", 12, 20, INGRESS, "chk_ingress") } else { String::new() };
    format!("{global}{}{ingress}", instance("lab_API_0", 11, 40, API, "chk_ocp"))
}

/// Where the address is, as `ip -o` tells it: the interface and the address with its prefix.
fn placed(machine: &Machine, address: &str) -> Result<String> {
    machine.run(&format!("ip -o a | awk '/ {address}\\// {{print $2, $4}}'"))
}

fn play(make: Make) -> Result<()> {
    let stage = Stage::set("openshift", make)?;
    let machine = &stage.machine;
    machine.write(CONFIG, &config(false))?;
    machine.write("/run/chk_ocp", "")?;
    // The shell stays, as the one that waits for messages does.
    let pod = machine.start("pod", "bash", &["-c", &format!("{START} sleep 600")])?;
    stage.wait_for("eth0", API)?;
    ensure!(placed(machine, API)?.trim() == format!("eth0 {API}/32"), "{}", placed(machine, API)?);
    machine.wait_until("the pod is alive", ALIVE)?;

    machine.write("/run/chk_ingress", "")?;
    machine.write(CONFIG, &config(true))?;
    machine.run(RELOAD)?;
    stage.wait_for("eth0", INGRESS)?;
    machine.wait_until("the pod is alive", ALIVE).with_context(|| pod.log())?;

    // The API server of this node fails: fifty points less, and the other node is better.
    let rival = Instance::new("lab_API_0")
        .vrid(11)
        .priority(60)
        .password("lab_vip")
        .unicast("10.78.0.2", "10.78.0.1");
    let _rival = stage.rival(&rival.vip(&format!("{API}/32 label vip")).to_string())?;
    std::fs::remove_file(machine.path("/run/chk_ocp"))?;
    wait::until("the other node has the API's address", wait::LONG, || stage.other.has("eth0", API))?;
    stage.wait_without("eth0", API)?;
    machine.wait_until("the pod is alive as a backup", ALIVE)?;
    machine.write("/run/chk_ocp", "")?;
    stage.wait_for("eth0", API)?;

    // Without its interface it is not alive by that, and is to be started again.
    machine.host().down("eth0")?;
    machine.wait_until(
        "the dump says so",
        "kill -s SIGUSR1 \"$(pgrep -o keepalived)\"; sleep 0.2; grep -q 'State = FAULT' /tmp/keepalived.data",
    )?;
    machine.host().up("eth0")?;
    stage.wait_for("eth0", API)?;

    machine.run("kill -TERM \"$(pgrep -o keepalived)\"")?;
    machine.wait_until("no process of that name is left", "! pgrep keepalived")?;
    stage.wait_without("eth0", INGRESS)
}

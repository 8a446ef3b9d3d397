//! Red Hat's keepalived-operator: pods of one configuration, whose lines the name of the pod chooses (`--config-id`), a
//! process beside it that sends SIGHUP to the pid file's process, and gen2brain's exporter, which looks for a process
//! whose first argument is `keepalived`, sends it signal 36, and reads the JSON a tenth of a second later.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration::{Instance, wait};
use serde_json::Value;

use crate::machine::{Machine, Make, Stage};

crate::with_both!();

const CONFIG: &str = "/etc/keepalived/keepalived.conf";
const PID: &str = "/run/pid/keepalived.pid";

fn instance(name: &str, vrid: u8, owner: &str, address: &str) -> String {
    format!(
        "vrrp_instance {name} {{
    @{owner} state MASTER
    @^{owner} state BACKUP
    @{owner} priority 200
    @^{owner} priority 100
    interface eth0

    virtual_router_id {vrid}

    virtual_ipaddress {{
      {address}
    }}
    track_script {{
      shop/web
    }}

}}
"
    )
}

fn config(instances: &[String]) -> String {
    format!(
        "global_defs {{
    router_id edge
    script_user root
    enable_script_security
}}
vrrp_script shop/web {{
  script \"/usr/bin/test -e /run/healthy\"
  timeout 10
  rise 1
  fall 1
}}
{}",
        instances.concat()
    )
}

/// An instance as the exporter has it: name, interface, virtual router id, state, advertisements sent.
type Instanced = (String, String, u64, u64, u64);

/// What the exporter makes of the JSON.
fn scrape(machine: &Machine) -> Result<Vec<Instanced>> {
    let found = "ps -axwwo pid,pcpu,pmem,args | awk 'NR > 1 { n = split($4, part, \"/\"); if (part[n] == \"keepalived\") { print $1; exit } }'";
    machine.run(&format!("pid=$({found}); test -n \"$pid\" && kill -36 $pid"))?;
    std::thread::sleep(Duration::from_millis(100));
    let text = machine.read("/tmp/keepalived.json");
    let all: Vec<Value> = serde_json::from_str(&text).with_context(|| text.clone())?;
    let one = |entry: &Value| {
        let word = |key: &str| entry["data"][key].as_str().map(str::to_owned).context("no text");
        let number =
            |part: &str, key: &str| entry[part][key].as_u64().with_context(|| format!("{key} in {entry}"));
        for key in [
            "advert_rcvd",
            "become_master",
            "release_master",
            "packet_len_err",
            "advert_interval_err",
            "ip_ttl_err",
            "invalid_type_rcvd",
            "addr_list_err",
            "invalid_authtype",
            "authtype_mismatch",
            "auth_failure",
            "pri_zero_rcvd",
            "pri_zero_sent",
        ] {
            number("stats", key)?;
        }
        number("data", "wantstate")?;
        entry["data"]["last_transition"].as_f64().context("last_transition")?;
        Ok((
            word("iname")?,
            word("ifp_ifname")?,
            number("data", "vrid")?,
            number("data", "state")?,
            number("stats", "advert_sent")?,
        ))
    };
    all.iter().map(one).collect()
}

fn wait_for_states(machine: &Machine, wanted: &[(&str, u64)]) -> Result<()> {
    let mut last = Vec::new();
    wait::until(&format!("the exporter has {wanted:?}"), wait::LONG, || {
        last = scrape(machine).unwrap_or_default();
        last.iter().map(|one| (one.0.as_str(), one.3)).eq(wanted.iter().copied())
    })
    .with_context(|| format!("{last:?}"))
}

fn play(make: Make) -> Result<()> {
    let stage = Stage::set("operator", make)?;
    let machine = &stage.machine;
    let first = instance("shop/web/10.78.7.1", 61, "pod-1", "10.78.7.1");
    let second = instance("shop/web/10.78.7.2", 62, "pod-2", "10.78.7.2");
    machine.run("mkdir /run/pid && touch /run/healthy")?;
    machine.write(CONFIG, &config(std::slice::from_ref(&first)))?;
    let pod = "exec keepalived --log-console --log-detail --dont-fork --config-id=pod-1 \
         --use-file=/etc/keepalived/keepalived.conf --pid=/run/pid/keepalived.pid";
    let mut pod = machine.start("pod", "bash", &["-c", pod])?;
    stage.wait_for("eth0", "10.78.7.1")?;
    wait_for_states(machine, &[("shop/web/10.78.7.1", 2)])?;
    let sent = scrape(machine)?;
    ensure!(sent[0].1 == "eth0" && sent[0].2 == 61 && sent[0].4 > 0, "{sent:?}");

    // A service more, whose master is the other pod. `@^` lines say so here.
    let rival = Instance::new("two").vrid(62).priority(200).vip("10.78.7.2");
    let mut rival = stage.rival(&rival.to_string())?;
    machine.write(CONFIG, &config(&[first, second]))?;
    machine.run(&format!("kill -s SIGHUP $(cat {PID})"))?;
    wait_for_states(machine, &[("shop/web/10.78.7.1", 2), ("shop/web/10.78.7.2", 1)])?;
    rival.process_mut().stop(wait::SHORT)?;
    wait_for_states(machine, &[("shop/web/10.78.7.1", 2), ("shop/web/10.78.7.2", 2)])?;

    // The health check of the service fails here.
    std::fs::remove_file(machine.path("/run/healthy"))?;
    wait_for_states(machine, &[("shop/web/10.78.7.1", 3), ("shop/web/10.78.7.2", 3)])?;
    stage.wait_without("eth0", "10.78.7.1")?;
    ensure!(pod.stop(wait::LONG)?.success());
    machine.wait_until("no process of that name is left", &format!("! pgrep keepalived && ! test -e {PID}"))
}

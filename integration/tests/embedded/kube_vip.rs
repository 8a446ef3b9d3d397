//! kube-keepalived-vip in proxy mode: the controller starts `keepalived` itself, without a file or pid file of its own, and is
//! healthy if both of the daemon's pid files are there and the addresses are where the state says.

use anyhow::{Context, Result, ensure};
use integration::{Instance, wait};
use nix::sys::signal::Signal;

use crate::machine::{Machine, Make, Stage};

crate::with_both!();

const STATE: &str = "/run/keepalived.state";

fn config(addresses: &[&str]) -> String {
    format!(
        "

global_defs {{
  vrrp_version 3
  script_user root
  enable_script_security

}}


vrrp_script chk_haproxy {{
  script \"/usr/bin/test -e /run/haproxy\"
  interval 1
}}


vrrp_instance vips {{
  state BACKUP
  interface eth0
  virtual_router_id 50
  priority 101
  nopreempt
  advert_int 1

  track_interface {{
    eth0
  }}

  unicast_src_ip 10.78.0.1
  unicast_peer {{
    10.78.0.2
  }}

  virtual_ipaddress {{
    {}
  }}

  notify /etc/keepalived/keepalived-check.sh

  track_script {{
    chk_haproxy
  }}

}}
",
        addresses.join("\n    ")
    )
}

/// What the controller's health check asks.
fn is_healthy(machine: &Machine, addresses: &[&str]) -> Result<bool> {
    if !machine.is("test -e /var/run/keepalived.pid && test -e /var/run/vrrp.pid") {
        return Ok(false);
    }
    let state = machine.read(STATE);
    let there = machine.run("ip -brief address show eth0 up")?;
    let master = state.contains("MASTER");
    Ok(!state.is_empty()
        && addresses.iter().all(|address| there.contains(&format!(" {address}/32 ")) == master))
}

fn wait_for(machine: &Machine, state: &str, addresses: &[&str]) -> Result<()> {
    wait::until(&format!("it is healthy as {state}"), wait::LONG, || {
        machine.read(STATE).contains(state) && is_healthy(machine, addresses).unwrap_or_default()
    })
    .with_context(|| machine.read(STATE))
}

fn play(make: Make) -> Result<()> {
    let stage = Stage::set("kubevip", make)?;
    let machine = &stage.machine;
    machine.write("/etc/keepalived/keepalived.conf", &config(&["10.78.8.1"]))?;
    machine.script("/etc/keepalived/keepalived-check.sh", &format!("#!/bin/sh\necho \"$3\" > {STATE}\n"))?;
    machine.write("/run/haproxy", "")?;
    let mut service =
        machine.start("keepalived", "keepalived", &["--dont-fork", "--log-console", "--log-detail"])?;
    wait_for(machine, "MASTER", &["10.78.8.1"]).with_context(|| service.log())?;

    // A service more.
    machine.write("/etc/keepalived/keepalived.conf", &config(&["10.78.8.1", "10.78.8.2"]))?;
    service.signal(Signal::SIGHUP)?;
    stage.wait_for("eth0", "10.78.8.2")?;
    wait_for(machine, "MASTER", &["10.78.8.1", "10.78.8.2"])?;

    let rival = Instance::new("vips")
        .vrid(50)
        .priority(90)
        .unicast("10.78.0.2", "10.78.0.1")
        .vip("10.78.8.1\n        10.78.8.2");
    let mut rival = stage.rival(&rival.version_3("script_user root\nenable_script_security"))?;
    std::fs::remove_file(machine.path("/run/haproxy"))?;
    wait_for(machine, "FAULT", &["10.78.8.1", "10.78.8.2"])?;
    stage.wait_for_rival(&rival, "10.78.8.1")?;
    machine.write("/run/haproxy", "")?;
    wait_for(machine, "BACKUP", &["10.78.8.1", "10.78.8.2"])?;
    rival.process_mut().stop(wait::SHORT)?;
    wait_for(machine, "MASTER", &["10.78.8.1", "10.78.8.2"])?;

    // It takes the addresses away itself, and then stops the daemon.
    machine.run("ip addr del 10.78.8.1/32 dev eth0; ip addr del 10.78.8.2/32 dev eth0 || true")?;
    ensure!(service.stop(wait::LONG)?.success());
    stage.wait_without("eth0", "10.78.8.1")?;
    stage.wait_without("eth0", "10.78.8.2")?;
    machine.wait_until("its pid files are gone", "! test -e /run/keepalived.pid && ! test -e /run/vrrp.pid")
}

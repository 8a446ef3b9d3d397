//! Chef's cookbook keepalived (sous-chefs): a file for each resource, included by pattern, one of them empty but for a comment;
//! real servers and checks are files that virtual servers include; what changes restarts the distribution's service.

use anyhow::{Result, ensure};
use integration::Instance;

use crate::machine::{Machine, Make, Stage};
use crate::unit::Unit;

crate::with_both!();

fn resource(machine: &Machine, name: &str, text: &str) -> Result<()> {
    machine.write(&format!("/etc/keepalived/{name}.conf"), text)
}

fn instance(priority: u8) -> String {
    format!(
        "vrrp_instance inside_network {{

  virtual_router_id 1


  state MASTER


  interface eth0



  dont_track_primary


  unicast_peer {{
      10.78.0.2

  }}


  priority {priority}



  virtual_ipaddress {{
      10.78.9.92

  }}


  track_script {{
      chk_proxy

  }}


}}
"
    )
}

fn write_resources(machine: &Machine) -> Result<()> {
    resource(machine, "keepalived", "include /etc/keepalived/conf.d/*.conf\n")?;
    resource(machine, "conf.d/empty", "# Some versions of Keepalived won't start when include dir is empty")?;
    resource(
        machine,
        "conf.d/global_defs",
        "global_defs {\n\n  notification_email {\n      root@localhost\n\n  }\n\n  router_id my_router\n\n  enable_script_security\n  script_user root\n}\n",
    )?;
    resource(
        machine,
        "conf.d/static_ipaddress",
        "static_ipaddress {\n  10.78.20.1/24 dev eth0 scope global\n}\n",
    )?;
    resource(
        machine,
        "conf.d/static_routes",
        "static_routes {\n  10.99.2.0/24 via 10.78.0.254 dev eth0\n}\n",
    )?;
    resource(
        machine,
        "conf.d/00_keepalived_vrrp_script__chk_proxy__",
        "vrrp_script chk_proxy {\n  script \"/usr/bin/test -e /run/proxy\"\n\n  interval 1\n\n\n  weight 50\n\n\n\n\n  user root\n\n}\n",
    )?;
    resource(machine, "conf.d/keepalived_vrrp_instance__inside_network__", &instance(50))?;
    resource(
        machine,
        "checks.d/keepalived_tcp_check__port-80__",
        "TCP_CHECK {\n  connect_port 80\n  connect_timeout 5\n}\n",
    )?;
    resource(
        machine,
        "servers.d/keepalived_real_server__10.78.9.13-80__",
        "real_server 10.78.9.13 80 {\n  weight 5\n\n  inhibit_on_failure\n\n  include /etc/keepalived/checks.d/keepalived_tcp_check__port-80__.conf\n}\n",
    )?;
    resource(
        machine,
        "conf.d/keepalived_virtual_server__10.78.9.5-80__",
        "virtual_server 10.78.9.5 80 {\n\n\n  delay_loop 5\n\n\n  lvs_sched rr\n\n\n  lvs_method NAT\n\n\n  protocol TCP\n\n\n  virtualhost www.example.com\n\n\n  quorum 1\n\n\n  include /etc/keepalived/servers.d/keepalived_real_server__10.78.9.13-80__.conf\n\n\n}\n",
    )
}

fn play(make: Make) -> Result<()> {
    let stage = Stage::set("chef", make)?;
    let machine = &stage.machine;
    write_resources(machine)?;
    machine.write("/run/proxy", "")?;
    machine.run("keepalived -t")?;
    // This kernel has no IPVS.
    let service = Unit::start(machine, "--vrrp")?;
    stage.wait_for("eth0", "10.78.9.92")?;
    ensure!(machine.host().has("eth0", "10.78.20.1"), "the static address is not there");
    machine.wait_until("the static route is there", "ip route | grep -q '^10.99.2.0/24 via 10.78.0.254'")?;

    // Something changed: the service is restarted. A reload does too.
    resource(
        machine,
        "conf.d/keepalived_vrrp_instance__inside_network__",
        &instance(60).replace("9.92", "9.93"),
    )?;
    service.reload()?;
    stage.wait_for("eth0", "10.78.9.93")?;
    service.stop()?;
    stage.wait_without("eth0", "10.78.9.93")?;
    let service = Unit::start(machine, "--vrrp")?;
    stage.wait_for("eth0", "10.78.9.93")?;

    let rival = Instance::new("inside_network")
        .vrid(1)
        .priority(80)
        .vip("10.78.9.93")
        .unicast("10.78.0.2", "10.78.0.1");
    let rival = stage.rival(&rival.to_string())?;
    std::fs::remove_file(machine.path("/run/proxy"))?;
    stage.wait_for_rival(&rival, "10.78.9.93")?;
    stage.wait_without("eth0", "10.78.9.93")?;
    machine.write("/run/proxy", "")?;
    stage.wait_for("eth0", "10.78.9.93")?;
    service.stop()?;
    stage.wait_without("eth0", "10.78.9.93")
}

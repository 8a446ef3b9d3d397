//! Ansible's role keepalived (evrardjp): the version decides whether the file can be checked before it is put in its place, the
//! distribution's service is started, and reloaded when a file has changed.

use anyhow::{Context, Result, ensure};
use integration::wait;

use crate::machine::{Machine, Make, Stage};
use crate::unit::Unit;

crate::with_both!();

const CONFIG: &str = "/etc/keepalived/keepalived.conf";

fn config(vips: &[&str]) -> String {
    let vips: String = vips.iter().map(|vip| format!("    {vip}\n")).collect();
    format!(
        "#
# Ansible managed
#

global_defs {{
  enable_script_security
  script_user root
}}

vrrp_script chk_haproxy {{
  script \"/usr/bin/test -e /run/haproxy\"
  interval 1   # checking every 1 seconds (default: 5 seconds)
  fall 1           # require 1 failures for KO (default: 3)
  rise 1           # require 1 successes for OK (default: 6)
  timeout 5                  # allow scripts like ping to succeed, before timing out
  user root                        # user/group names to run script under.
}}
vrrp_track_file maintenance {{
  file \"/run/maintenance\"
  weight 0 # multiply with weight in file (default: 1, i.e. literal value from file)
  init_file 0
}}

vrrp_sync_group all {{
  group {{
    external
    internal
  }}
  notify \"/etc/keepalived/keepalived_notifications.sh\"
  track_script {{
    chk_haproxy
  }}
  track_file {{
    maintenance
  }}
}}

vrrp_instance external {{
  interface eth0
  state BACKUP
  virtual_router_id 10
  priority 100
  nopreempt                                        # Override VRRP RFC preemption default
  accept

  authentication {{
    auth_type PASS
    auth_pass secret
  }}
  virtual_ipaddress {{
{vips}  }}
  notify_master \"/etc/keepalived/keepalived_notifications.sh\"
}}
vrrp_instance internal {{
  interface eth0
  state BACKUP
  virtual_router_id 11
  priority 100
  virtual_ipaddress {{
    10.78.9.11
  }}
}}
"
    )
}

/// Whether a file can be checked with this version: what is between the name and the last blank of the first line that is
/// on standard error, read as a version.
fn is_testable(machine: &Machine) -> Result<bool> {
    let text = machine.run("keepalived --version 2>&1 >/dev/null")?;
    let first = text.lines().next().unwrap_or_default();
    let (_, rest) = first.split_once("eepalived v").with_context(|| text.clone())?;
    let (version, _) = rest.rsplit_once(' ').with_context(|| text.clone())?;
    let numbers: Vec<u32> =
        version.split('.').map(str::parse).collect::<Result<_, _>>().with_context(|| first.to_owned())?;
    Ok(numbers >= vec![2, 0, 4])
}

/// What the role does with a file: checks it where it was put first, and then puts it in its place.
fn put(machine: &Machine, text: &str) -> Result<bool> {
    machine.write("/tmp/source", text)?;
    if !machine.is("keepalived --config-test -f /tmp/source") {
        return Ok(false);
    }
    machine.write(CONFIG, text)?;
    Ok(true)
}

fn play(make: Make) -> Result<()> {
    let stage = Stage::set("ansible", make)?;
    let machine = &stage.machine;
    machine.script(
        "/etc/keepalived/keepalived_notifications.sh",
        "#!/bin/bash\necho \"$@\" >> /run/notifications\n",
    )?;
    machine.write("/run/haproxy", "")?;
    ensure!(is_testable(machine)?, "the role takes it for an old version");
    ensure!(
        !put(machine, &config(&["10.78.9.1"]).replace("interface eth0", "interfaces eth0"))?,
        "a bad file is taken"
    );
    ensure!(put(machine, &config(&["10.78.9.1"]))?, "a good file is refused");
    let service = Unit::start(machine, "-D")?;
    stage.wait_for("eth0", "10.78.9.1")?;
    let notified = |what: &str| {
        wait::until(&format!("the script is told {what}"), wait::LONG, || {
            machine.read("/run/notifications").contains(what)
        })
        .with_context(|| machine.read("/run/notifications"))
    };
    notified("GROUP all MASTER")?;

    ensure!(put(machine, &config(&["10.78.9.1", "10.78.9.2 dev eth0"]))?);
    service.reload()?;
    stage.wait_for("eth0", "10.78.9.2")?;

    let other = config(&["10.78.9.1", "10.78.9.2 dev eth0"])
        .replace("priority 100", "priority 90")
        .replace("/run/haproxy", "/")
        .replace("/etc/keepalived/keepalived_notifications.sh", "/usr/bin/true");
    let mut rival = stage.rival(&other.replace("/run/maintenance", "/tmp/maintenance"))?;
    std::fs::remove_file(machine.path("/run/haproxy"))?;
    stage.wait_for_rival(&rival, "10.78.9.1")?;
    stage.wait_without("eth0", "10.78.9.1")?;
    notified("GROUP all FAULT")?;
    machine.write("/run/haproxy", "")?;
    rival.process_mut().stop(wait::SHORT)?;
    stage.wait_for("eth0", "10.78.9.1")?;
    service.stop()?;
    stage.wait_without("eth0", "10.78.9.2")
}

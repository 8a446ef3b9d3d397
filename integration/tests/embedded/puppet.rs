//! Puppet's module keepalived (voxpupuli): a fact from the version's line, a file in fragments that `keepalived -l -t` has to
//! take before it is put in its place, and the distribution's service with `-D --vrrp`.

use anyhow::{Context, Result, ensure};
use integration::{Instance, wait};

use crate::machine::{Machine, Make, Stage};
use crate::unit::Unit;

crate::with_both!();

const CONFIG: &str = "/etc/keepalived/keepalived.conf";

fn config(global: &str, address: &str) -> String {
    format!(
        "# Managed by Puppet
global_defs {{
{global}}}

vrrp_track_process check_sleep {{
  process sleeper
  weight 10
}}

vrrp_instance VI_50 {{
  interface                 eth0
  state                     MASTER
  virtual_router_id         50
  priority                  101
  advert_int                1
  garp_master_delay         5

  # notify scripts and alerts are optional
  notify_master \"/etc/keepalived/notify.sh master\"
  notify_stop \"/etc/keepalived/notify.sh stop\"

  authentication {{
    auth_type PASS
    auth_pass secret
  }}

  virtual_ipaddress {{
    {address} dev eth0
  }}

}}

include /etc/keepalived/external.conf

"
    )
}

/// `keepalived_version`: from both outputs, whose first line has to be of this form.
fn fact(machine: &Machine) -> Result<String> {
    let text = machine.run("keepalived --version 2>&1")?;
    let rest = text
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("Keepalived v"))
        .with_context(|| text.clone())?;
    let (version, more) = rest.split_once(' ').with_context(|| text.clone())?;
    let numbers = version.split('.').filter(|part| part.parse::<u32>().is_ok()).count();
    ensure!(numbers == 3 && version.split('.').count() == 3 && !more.is_empty(), "{text}");
    Ok(version.to_owned())
}

fn put(machine: &Machine, text: &str) -> Result<bool> {
    machine.write("/etc/keepalived/.new", text)?;
    if !machine.is("keepalived -l -t -f /etc/keepalived/.new") {
        return Ok(false);
    }
    machine.write(CONFIG, text)?;
    Ok(true)
}

fn play(make: Make) -> Result<()> {
    const GLOBAL: &str =
        "  notification_email {\n    nospan@example.com\n  }\n  script_user root\n  enable_script_security\n";
    let stage = Stage::set("puppet", make)?;
    let machine = &stage.machine;
    fact(machine)?;
    machine.script("/etc/keepalived/notify.sh", "#!/bin/sh\necho \"$1\" >> /run/notifications\n")?;
    machine.write(
        "/etc/keepalived/external.conf",
        "vrrp_instance VI_60 { interface eth0\n          virtual_ipaddress { 10.78.9.60/16 }\n          virtual_router_id 60 }",
    )?;
    ensure!(
        !put(machine, &config("  notification_email_from \n  smtp_server \n", "10.78.9.1/16"))?,
        "a bad file is taken"
    );
    ensure!(put(machine, &config(GLOBAL, "10.78.9.1/16"))?, "a good file is refused");
    let service = Unit::start(machine, "-D --vrrp")?;
    // As the module's own test looks.
    machine.wait_until("the address is there", "ip addr | grep -q 'inet 10\\.78\\.9\\.1/16 '")?;
    stage.wait_for("eth0", "10.78.9.60")?;
    wait::until("the script is told", wait::LONG, || machine.read("/run/notifications") == "master\n")?;

    ensure!(put(machine, &config(GLOBAL, "10.78.9.2/16"))?);
    service.reload()?;
    stage.wait_for("eth0", "10.78.9.2")?;
    stage.wait_without("eth0", "10.78.9.1")?;

    let rival = Instance::new("VI_60").vrid(60).priority(200).vip("10.78.9.60/16");
    let mut rival = stage.rival(&rival.to_string())?;
    stage.wait_without("eth0", "10.78.9.60")?;
    rival.process_mut().stop(wait::SHORT)?;
    stage.wait_for("eth0", "10.78.9.60")?;
    service.stop()?;
    stage.wait_without("eth0", "10.78.9.2")?;
    wait::until("the script is told of the stop", wait::LONG, || {
        machine.read("/run/notifications").ends_with("stop\n")
    })
    .with_context(|| machine.read("/run/notifications"))
}

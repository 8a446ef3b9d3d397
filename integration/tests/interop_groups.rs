//! Sync groups against Debian's keepalived: what happens to one member happens to all, whoever the master is.

use anyhow::Result;
use integration::{Host, Instance, Lab, conf, keepalived::Keepalived, keepwatchd::Keepwatchd, wait};

const INSIDE: &str = "10.79.9.9";
const OUTSIDE: &str = "10.78.9.9";

/// A router between two LANs: `eth0` outside, `eth1` inside.
fn two_hosts(lab: &Lab) -> Result<(Host, Host)> {
    let (_, mut hosts) = lab.routers(2)?;
    let inside = lab.bridge("inside")?;
    for (i, host) in hosts.iter().enumerate() {
        host.plug("eth1", &inside)?.address("eth1", &format!("10.79.0.{}/16", i + 1))?;
    }
    let theirs = hosts.remove(1);
    Ok((hosts.remove(0), theirs))
}

fn config(priority: u8) -> String {
    let instance = |name: &str| Instance::new(name).interval("0.1").priority(priority);
    conf::global_defs(3, "")
        + &conf::sync_group("VG_1", &["VI_OUT", "VI_IN"])
        + &instance("VI_OUT").to_string()
        + &instance("VI_IN").interface("eth1").vrid(52).vip("10.79.9.9/32").to_string()
}

fn has_both(host: &Host) -> bool {
    host.has("eth0", OUTSIDE) && host.has("eth1", INSIDE)
}

fn has_none(host: &Host) -> bool {
    !host.has("eth0", OUTSIDE) && !host.has("eth1", INSIDE)
}

#[test]
fn one_of_our_interfaces_fails_and_it_takes_over_both_addresses() -> Result<()> {
    let lab = Lab::new("our-group")?;
    let (ours, theirs) = two_hosts(&lab)?;
    let we = Keepwatchd::on(&ours).config(config(200)).flag("--vrrp").start()?;
    let _it = Keepalived::start(&theirs, &config(100), &[])?;
    wait::until("both addresses are ours", wait::LONG, || has_both(&ours) && has_none(&theirs))?;

    ours.down("eth1")?;
    wait::until("both addresses are theirs", wait::LONG, || has_both(&theirs) && !ours.has("eth0", OUTSIDE))?;
    we.wait_for_log("VRRP_Group(VG_1) Syncing instances to FAULT state")?;

    ours.up("eth1")?;
    wait::until("both addresses are ours again", wait::LONG, || has_both(&ours) && has_none(&theirs))
}

#[test]
fn one_of_its_interfaces_fails_and_we_take_over_both_addresses() -> Result<()> {
    let lab = Lab::new("their-group")?;
    let (ours, theirs) = two_hosts(&lab)?;
    let _it = Keepalived::start(&theirs, &config(200), &[])?;
    let _we = Keepwatchd::on(&ours).config(config(100)).flag("--vrrp").start()?;
    wait::until("both addresses are theirs", wait::LONG, || has_both(&theirs) && has_none(&ours))?;

    theirs.down("eth0")?;
    wait::until("both addresses are ours", wait::LONG, || has_both(&ours) && !theirs.has("eth1", INSIDE))?;

    theirs.up("eth0")?;
    wait::until("both addresses are theirs again", wait::LONG, || has_both(&theirs) && has_none(&ours))
}

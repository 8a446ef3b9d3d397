//! What is below a VMAC: a VLAN, a bond; and an ipvlan, beside which there can be none.

use super::*;

const VIRTUAL: &str = "00:00:5e:00:01:33";

#[test]
fn vlans_and_bonds_carry_vmacs() -> Result<()> {
    Scenario::of_this_test("--test-threads=2 below::")?
        .module("8021q")
        .module("bonding")
        .module("ipvlan")
        .module("macvlan")
        .module("veth")
        .module("bridge")
        .limit(Duration::from_secs(700))
        .succeed()
}

fn link(host: &Host, name: &str) -> String {
    host.run("ip", &["-d", "-o", "link", "show", "dev", name]).unwrap_or_default()
}

/// Whether a host of the LAN reaches the address, by the virtual hardware address.
fn is_reached(from: &Host, address: &str) -> bool {
    let reached =
        format!("{address}:80").parse().is_ok_and(|to| from.connect(to, Duration::from_secs(3)).is_ok());
    let known = from.run("ip", &["neigh", "show", address]).unwrap_or_default();
    reached && known.contains(VIRTUAL)
}

#[test]
#[ignore = "plays inside the virtual machine"]
fn a_vmac_on_a_vlan_takes_over_from_keepalived_s_and_it_again() -> Result<()> {
    let lab = Lab::new("vlan")?;
    let (_lan, hosts) = lab.routers(3)?;
    let vip = "10.90.9.9";
    for (host, number) in hosts.iter().zip(1..) {
        host.run("ip", &["link", "add", "link", "eth0", "name", "eth0.7", "type", "vlan", "id", "7"])?;
        host.up("eth0.7")?.address("eth0.7", &format!("10.90.0.{number}/16"))?;
    }
    let config = |priority| {
        let block = Instance::new("VI_1").interface("eth0.7").line("use_vmac").priority(priority);
        block.vip(&format!("{vip}/16")).version_2("")
    };
    let one_has = |holder: usize| hosts[holder].has("vrrp.51", vip) && !hosts[1 - holder].has("vrrp.51", vip);
    let _far = [hosts[0].listen("0.0.0.0:80".parse()?)?, hosts[1].listen("0.0.0.0:80".parse()?)?];
    let theirs = Keepalived::start(&hosts[1], &config(150), &[])?;
    until("keepalived is master", || one_has(1))?;
    let mut ours = start(&hosts[0], &config(200))?;
    until("we take over", || one_has(0))
        .with_context(|| format!("{}\n{}", ours.process().log(), theirs.process().log()))?;
    let made = link(&hosts[0], "vrrp.51");
    ensure!(made.contains("vrrp.51@eth0.7") && made.contains(VIRTUAL), "{made}");
    until("it is reached", || is_reached(&hosts[2], vip))?;
    // What is below the VLAN takes it along.
    hosts[0].down("eth0")?;
    until("it takes over", || one_has(1))?;
    until("and is reached", || is_reached(&hosts[2], vip))?;
    hosts[0].up("eth0")?;
    until("we take over again", || one_has(0))
        .with_context(|| format!("{}\n{}", ours.process().log(), theirs.process().log()))?;
    until("it is reached again", || is_reached(&hosts[2], vip))?;
    // The VLAN is made anew, and the VMAC with it.
    hosts[0].remove_interface("eth0.7")?;
    until("it takes over", || one_has(1))?;
    hosts[0].run("ip", &["link", "add", "link", "eth0", "name", "eth0.7", "type", "vlan", "id", "7"])?;
    hosts[0].up("eth0.7")?.address("eth0.7", "10.90.0.1/16")?;
    until("we take over once more", || one_has(0))
        .with_context(|| format!("{}\n{}", ours.process().log(), theirs.process().log()))?;
    ours.process_mut().stop(PATIENT)?;
    until("it takes over when we stop", || one_has(1))?;
    ensure!(link(&hosts[0], "vrrp.51").is_empty(), "left behind: {}", link(&hosts[0], "vrrp.51"));
    Ok(())
}

#[test]
#[ignore = "plays inside the virtual machine"]
fn a_vmac_on_a_bond_stays_when_the_bond_changes_its_interface() -> Result<()> {
    let lab = Lab::new("bond")?;
    let (lan, hosts) = lab.routers(3)?;
    let host = lab.host("bonded")?;
    host.plug("eth0", &lan)?.plug("eth1", &lan)?;
    host.run("ip", &["link", "add", "bond0", "type", "bond", "mode", "active-backup", "miimon", "100"])?;
    for port in ["eth0", "eth1"] {
        host.down(port)?;
        host.run("ip", &["link", "set", port, "master", "bond0"])?;
    }
    host.up("bond0")?.address("bond0", "10.78.0.9/16")?;
    until("the bond runs", || link(&host, "bond0").contains("state UP"))?;
    let active = || {
        let all = link(&host, "bond0");
        let name = all.split("active_slave ").nth(1).unwrap_or_default();
        name.split_whitespace().next().unwrap_or_default().to_owned()
    };
    let _far = host.listen("0.0.0.0:80".parse()?)?;
    let mut ours =
        start(&host, &Instance::new("VI_1").interface("bond0").line("use_vmac").priority(200).version_2(""))?;
    until("we are master", || host.has("vrrp.51", VIP)).with_context(|| ours.process().log())?;
    let theirs = Keepalived::start(&hosts[0], &Instance::new("VI_1").line("use_vmac").version_2(""), &[])?;
    theirs.process().wait_for_log("Entering BACKUP STATE", PATIENT)?;
    until("it is reached", || is_reached(&hosts[1], VIP))?;
    let entered = ours.process().log().matches("Entering").count();
    for _ in 0..2 {
        let (before, since) = (active(), capture::now());
        let wire = lan.capture()?;
        host.down(&before)?;
        until("the other interface is in use", || active() != before)?;
        until("adverts go on", || wire.adverts_since("10.78.0.9", since).len() > 2)?;
        until("it is reached by the other interface", || is_reached(&hosts[1], VIP))?;
        host.up(&before)?;
        until("both run", || {
            !link(&host, &before).contains("NO-CARRIER") && link(&host, &before).contains("state UP")
        })?;
    }
    // The other one may have come forward meanwhile, where this machine stood still for long; we give nothing up.
    let log = ours.process().log();
    ensure!(log.matches("Entering").count() == entered && host.has("vrrp.51", VIP), "{log}");
    host.down("eth0")?.down("eth1")?;
    until("keepalived takes over when there is none", || {
        hosts[0].has("vrrp.51", VIP) && !host.has("vrrp.51", VIP)
    })
    .with_context(|| ours.process().log())?;
    host.up("eth1")?;
    until("we take over again", || host.has("vrrp.51", VIP) && !hosts[0].has("vrrp.51", VIP))
        .with_context(|| ours.process().log())?;
    ours.process_mut().stop(PATIENT)?;
    ensure!(link(&host, "vrrp.51").is_empty(), "left behind: {}", link(&host, "vrrp.51"));
    Ok(())
}

/// The kernel has either kind on an interface: who comes second is refused, and tried again until the first is gone.
#[test]
#[ignore = "plays inside the virtual machine"]
fn beside_an_ipvlan_there_is_no_vmac_until_that_is_gone() -> Result<()> {
    let lab = Lab::new("beside")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    host.run("ip", &["link", "add", "link", "eth0", "name", "foreign0", "type", "ipvlan", "mode", "l2"])?;
    let config = Instance::new("VI_1").line("use_vmac").version_2("");
    let mut daemon = start(host, &config)?;
    daemon.wait_for_log("Unable to create VMAC interface vrrp.51: ")?;
    daemon.wait_for_log("(VI_1) Entering FAULT STATE")?;
    host.remove_interface("foreign0")?;
    until("it is master", || host.has("vrrp.51", VIP)).with_context(|| daemon.process().log())?;
    daemon.process_mut().stop(PATIENT)?;
    host.run(
        "ip",
        &["link", "add", "link", "eth0", "name", "foreign0", "type", "macvlan", "mode", "private"],
    )?;
    let config = Instance::new("VI_1").line("use_ipvlan ipv51 10.78.0.51/16").version_2("");
    let daemon = start(host, &config)?;
    daemon.wait_for_log("Unable to create VMAC interface ipv51: ")?;
    daemon.wait_for_log("(VI_1) Entering FAULT STATE")?;
    host.remove_interface("foreign0")?;
    until("it is master by the ipvlan", || host.has("ipv51", "10.78.0.51") && host.has("eth0", VIP))
        .with_context(|| daemon.process().log())
}

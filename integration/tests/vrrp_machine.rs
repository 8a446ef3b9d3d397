//! Virtual routers on interfaces that most kernels of test machines lack: ipvlans (`use_ipvlan`) and VRFs (`vrf`, VMACs on
//! members of one), and routes that wrap packets as most of them can't (`encap mpls`, `encap ila`). Beside Debian's
//! keepalived where it knows the word.
//!
//! The test boots a machine and runs itself in it: what is marked `ignore` is the part that plays inside. A process takes
//! long to start there, so it is one story.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration::{
    Bridge, Host, Instance, Lab,
    capture::{self, Capture},
    conf::VIP,
    keepalived::Keepalived,
    keepwatchd::Keepwatchd,
    vm::Scenario,
    wait,
};

#[path = "vrrp_machine/below.rs"]
mod below;

/// The machine is some ten times slower than the one that it runs on.
const PATIENT: Duration = Duration::from_secs(60);

#[test]
fn ipvlans_and_vrfs_carry_virtual_routers() -> Result<()> {
    Scenario::of_this_test("--test-threads=2 --skip below::")?
        .module("ipvlan")
        .module("vrf")
        .module("mpls_iptunnel")
        .module("ila")
        .module("veth")
        .module("bridge")
        .limit(Duration::from_secs(700))
        .succeed()
}

fn instance(priority: u8, more: &str) -> Instance {
    Instance::new("VI_1").priority(priority).line(more)
}

fn start(host: &Host, config: &str) -> Result<Keepwatchd> {
    Keepwatchd::on(host).config(config).flag("--vrrp").start()
}

fn until(what: &str, holds: impl FnMut() -> bool) -> Result<()> {
    wait::until(what, PATIENT, holds)
}

/// What `ip` says of an interface, without its number and what else differs from one to the next.
fn shape(host: &Host, name: &str) -> String {
    let all = host.run("ip", &["-d", "-o", "link", "show", "dev", name]).unwrap_or_default();
    let word = |after: &str| all.split(after).nth(1).and_then(|rest| rest.split_whitespace().next());
    let part = |after: &str| format!("{after}{} ", word(after).unwrap_or("-"));
    ["link/ether ", "mtu ", "state ", "ipvlan mode ", "ipvlan mode l2 ", "group "].map(part).concat()
}

fn addresses(host: &Host, name: &str) -> Vec<String> {
    let mut all: Vec<String> =
        host.addresses(name).unwrap_or_default().iter().map(ToString::to_string).collect();
    all.sort();
    all
}

#[test]
#[ignore = "plays inside the virtual machine"]
fn an_ipvlan_is_that_which_keepalived_makes() -> Result<()> {
    let lab = Lab::new("ipvlan")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    for mode in ["", "vepa"] {
        let config = instance(200, &format!("use_ipvlan ipv51 10.78.0.51/16 {mode}")).version_2("");
        let ready = || host.has("ipv51", "10.78.0.51") && host.has("eth0", VIP);
        let mut theirs = Keepalived::start(host, &config, &[])?;
        until("keepalived has made its ipvlan", ready)?;
        let expected = (shape(host, "ipv51"), addresses(host, "ipv51").len(), addresses(host, "eth0"));
        theirs.process_mut().stop(PATIENT)?;
        until("it is gone", || shape(host, "ipv51").contains("link/ether - "))?;
        let mut ours = start(host, &config)?;
        until("keepwatchd has made its ipvlan", ready)?;
        ours.wait_for_log("(VI_1): Success creating VMAC interface ipv51")?;
        let made = (shape(host, "ipv51"), addresses(host, "ipv51").len(), addresses(host, "eth0"));
        ensure!(made.0 == expected.0 && made.2 == expected.2, "{mode}: {made:?}, keepalived {expected:?}");
        ours.process_mut().stop(PATIENT)?;
        ensure!(shape(host, "ipv51").contains("link/ether - "), "left behind: {}", shape(host, "ipv51"));
    }
    Ok(())
}

#[test]
#[ignore = "plays inside the virtual machine"]
fn by_way_of_an_ipvlan_each_takes_over_from_the_other() -> Result<()> {
    let lab = Lab::new("ipvlan-pair")?;
    let (lan, hosts) = lab.routers(2)?;
    let wire = lan.capture()?;
    let mut theirs = Keepalived::start(&hosts[1], &instance(150, "").version_2(""), &[])?;
    until("keepalived is master", || hosts[1].has("eth0", VIP))?;
    let mut ours = start(&hosts[0], &instance(200, "use_ipvlan ipv51 10.78.0.51/16").version_2(""))?;
    until("we take over", || hosts[0].has("eth0", VIP) && !hosts[1].has("eth0", VIP))?;
    let since = capture::now();
    until("adverts come from the ipvlan's address", || !wire.adverts_since("10.78.0.51", since).is_empty())?;
    ensure!(wire.adverts_from("10.78.0.1").is_empty(), "adverts from the interface's own address");
    ours.process_mut().stop(PATIENT)?;
    until("it takes over", || hosts[1].has("eth0", VIP))?;
    theirs.process_mut().stop(PATIENT)?;
    Ok(())
}

#[test]
#[ignore = "plays inside the virtual machine"]
fn an_ipvlan_over_ipv6_needs_no_address() -> Result<()> {
    let lab = Lab::new("ipvlan-6")?;
    let (lan, hosts) = lab.routers(1)?;
    let wire = lan.capture()?;
    let config = Instance::new("VI_1").vip("fe80::9/64").line("use_ipvlan").version_3("");
    let daemon = start(&hosts[0], &config)?;
    daemon.wait_for_log("Entering MASTER STATE")?;
    until("its address is there", || hosts[0].has("eth0", "fe80::9"))?;
    let host = &hosts[0];
    until("it advertises", || !wire.adverts().is_empty()).with_context(|| {
        let routes = host.run("ip", &["-6", "route", "show", "table", "all"]).unwrap_or_default();
        let all = host.run("ip", &["-d", "addr", "show"]).unwrap_or_default();
        format!("{}\n{routes}\n{all}", daemon.process().log())
    })?;
    Ok(())
}

#[test]
#[ignore = "plays inside the virtual machine"]
fn an_ipvlan_has_its_address_whatever_somebody_or_a_reload_does() -> Result<()> {
    let lab = Lab::new("ipvlan-kept")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    let four =
        |name: &str| instance(100, &format!("use_ipvlan {name} 10.78.0.51/16")).interval("0.5").version_3("");
    let six =
        Instance::new("VI_6").vrid(56).vip("fe80::9/64").interval("0.5").line("use_ipvlan ipv56 fe80::56");
    let six = six.version_3("");
    let daemon = start(host, &format!("{}{six}", four("ipv51")))?;
    until("both are master", || host.has("eth0", VIP) && host.has("eth0", "fe80::9"))
        .with_context(|| daemon.process().log())?;
    host.run("ip", &["address", "del", "10.78.0.51/16", "dev", "ipv51"])?;
    until("its address is back", || host.has("ipv51", "10.78.0.51"))?;
    until("it is master again", || host.has("eth0", VIP))?;
    // Two of one interface can't have the same address.
    daemon.reload(&format!("{}{six}", four("ipx51")))?;
    until("it is master by another", || host.has("ipx51", "10.78.0.51") && host.has("eth0", VIP))
        .with_context(|| daemon.process().log())?;
    Ok(())
}

/// A host with `eth1` in a VRF `red`; nothing of the main table leads to the other's 10.80.0.
fn in_a_vrf(host: &Host, lan: &Bridge, number: u8) -> Result<()> {
    host.run("ip", &["link", "add", "red", "type", "vrf", "table", "77"])?;
    host.up("red")?.plug("eth1", lan)?;
    host.run("ip", &["link", "set", "eth1", "master", "red"])?;
    host.address("eth1", &format!("10.80.0.{number}/16"))?;
    Ok(())
}

#[test]
#[ignore = "plays inside the virtual machine"]
fn in_a_vrf_adverts_go_by_its_routes() -> Result<()> {
    let lab = Lab::new("vrf")?;
    let (_lan, hosts) = lab.routers(2)?;
    let second = lab.bridge("second")?;
    for (host, number) in hosts.iter().zip(1..) {
        in_a_vrf(host, &second, number)?;
    }
    let wire: Capture = second.capture()?;
    let config = |own: u8, priority| {
        let (from, to) = (format!("10.80.0.{own}"), format!("10.80.0.{}", 3 - own));
        let block = Instance::new("VI_1").anywhere().unicast(&from, &to).line("vrf red").priority(priority);
        block.vip(&format!("{VIP}/32 dev eth1")).version_3("")
    };
    let one_has = |holder: usize| hosts[holder].has("eth1", VIP) && !hosts[1 - holder].has("eth1", VIP);
    let _low = start(&hosts[1], &config(2, 100))?;
    until("the first is master", || one_has(1))?;
    let mut high = start(&hosts[0], &config(1, 200))?;
    until("the second takes over", || one_has(0))?;
    ensure!(!wire.adverts_from("10.80.0.1").is_empty(), "none of its adverts is on the LAN of the VRF");
    high.process_mut().stop(PATIENT)?;
    until("the first takes over again", || one_has(1))?;
    hosts[1].down("red")?;
    until("without its VRF it is none", || !hosts[1].has("eth1", VIP))?;
    Ok(())
}

#[test]
#[ignore = "plays inside the virtual machine"]
fn a_vmac_is_in_the_vrf_of_the_interface_below() -> Result<()> {
    let lab = Lab::new("vrf-vmac")?;
    let lan = lab.bridge("lan")?;
    let host = lab.host("a")?;
    in_a_vrf(&host, &lan, 1)?;
    let block = Instance::new("VI_1").interface("eth1").line("use_vmac");
    let block = block.line("virtual_routes {\n 10.90.0.0/16 via 10.80.0.7 dev vrrp.51 vrf red\n }");
    let config = block.vip("10.80.9.9/16").version_2("");
    let daemon = start(&host, &config)?;
    daemon.wait_for_log("Entering MASTER STATE")?;
    until("its address is there", || host.has("vrrp.51", "10.80.9.9"))?;
    let shown = host.run("ip", &["-o", "link", "show", "dev", "vrrp.51"])?;
    ensure!(shown.contains("master red"), "{shown}");
    until("its route is in the VRF's table", || {
        host.run("ip", &["route", "show", "table", "77"]).is_ok_and(|all| all.contains("10.90.0.0/16 via"))
    })?;
    let is_in = || {
        host.run("ip", &["-o", "link", "show", "dev", "vrrp.51"]).unwrap_or_default().contains("master red")
    };
    host.run("ip", &["link", "set", "eth1", "nomaster"])?;
    until("it leaves the VRF with the interface below", || !is_in())?;
    host.run("ip", &["link", "set", "eth1", "master", "red"])?;
    until("it is in the VRF again", is_in)?;
    until("its address is there again", || host.has("vrrp.51", "10.80.9.9"))?;
    Ok(())
}

/// Routes that a keepalived or keepwatch made.
fn wrapped(host: &Host) -> Vec<String> {
    let families = ["-4", "-6"].map(|family| {
        host.run("ip", &["-d", family, "route", "show", "table", "all", "proto", "18"]).unwrap_or_default()
    });
    families.concat().lines().map(|line| line.trim().to_owned()).collect()
}

#[test]
#[ignore = "plays inside the virtual machine"]
fn routes_by_labels_and_locators_are_those_that_keepalived_makes() -> Result<()> {
    let lab = Lab::new("labels")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    let routes = "virtual_routes {
        10.40.0.0/16 encap mpls 100 via inet 10.78.0.5 dev eth0
        10.41.0.0/16 encap mpls 100/1048575 via inet 10.78.0.5 dev eth0 ttl-propagate enabled
        fd41::2000:2:3:4/128 encap ila 1:2:3:ffff via fd78::5 dev eth0 metric 5
    }";
    let config = instance(200, routes).version_2("");
    let ready = || wrapped(host).len() == 3;
    let mut theirs = Keepalived::start(host, &config, &[])?;
    until("keepalived has set them", ready)
        .with_context(|| format!("{:#?}\n{}", wrapped(host), theirs.process().log()))?;
    let expected = wrapped(host);
    theirs.process_mut().stop(PATIENT)?;
    until("they are gone", || wrapped(host).is_empty())?;
    let mut ours = start(host, &config)?;
    until("keepwatchd has set them", ready)
        .with_context(|| format!("{:#?}\n{}", wrapped(host), ours.process().log()))?;
    ensure!(wrapped(host) == expected, "{:#?}, keepalived {expected:#?}", wrapped(host));
    for part in ["encap mpls  100 ", "encap mpls  100/1048575", "1:2:3:ffff"] {
        ensure!(expected.iter().any(|line| line.contains(part)), "{part} is not in {expected:#?}");
    }
    ours.process_mut().stop(PATIENT)?;
    ensure!(wrapped(host).is_empty(), "left behind: {:#?}", wrapped(host));
    Ok(())
}

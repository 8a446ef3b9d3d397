//! What somebody does to a VMAC, or to the interface below it, while the virtual router is master.

use super::*;

/// Waits until the address is where it belongs, and the router says that it is master.
fn serves(host: &Host, daemon: &Keepwatchd, what: &str) -> Result<()> {
    wait::until(&format!("{what}: master with its address"), wait::LONG, || host.has("vrrp.51", VIP))
        .map_err(|error| anyhow::anyhow!("{error}: {}", daemon.process().log()))
}

/// Waits until it says for this many times in all that it is in fault, and has no address.
fn in_fault(host: &Host, daemon: &Keepwatchd, what: &str, times: usize) -> Result<()> {
    wait::until(&format!("{what}: in fault without its address"), wait::LONG, || {
        daemon.process().log().matches("(VI_1) Entering FAULT STATE").count() >= times
            && !host.has("vrrp.51", VIP)
    })
    .map_err(|error| anyhow::anyhow!("{error}: {}", daemon.process().log()))
}

#[test]
fn whatever_somebody_does_to_the_interfaces_the_address_is_back_when_it_can_be() -> Result<()> {
    let lab = Lab::new("vmac-hands")?;
    let (lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    let wire = lan.capture()?;
    let mut daemon = start(host, &instance(100, "use_vmac"))?;
    serves(host, &daemon, "at the start")?;
    let number = index(host, "vrrp.51");
    host.down("eth0")?;
    in_fault(host, &daemon, "the base is down", 1)?;
    host.up("eth0")?;
    serves(host, &daemon, "the base is up again")?;
    host.down("vrrp.51")?;
    in_fault(host, &daemon, "the VMAC was set down", 2)?;
    host.up("vrrp.51")?;
    serves(host, &daemon, "the VMAC was set up again")?;
    host.run("ip", &["addr", "del", "10.78.0.1/16", "dev", "eth0"])?;
    in_fault(host, &daemon, "the base has no address to speak from", 3)?;
    ensure!(!link(host, "vrrp.51").is_empty(), "the VMAC went");
    host.address("eth0", "10.78.0.1/16")?;
    serves(host, &daemon, "the base has its address again")?;
    ensure!(index(host, "vrrp.51") == number, "it was made anew");
    let since = capture::now();
    wait::until("it advertises", wait::LONG, || wire.is_master_since("10.78.0.1", since))?;
    let macs = hardware_of_adverts(&wire, "10.78.0.1");
    ensure!(macs.iter().all(|mac| mac == VIRTUAL), "{macs:?}");
    daemon.process_mut().stop(wait::LONG)?;
    ensure!(macvlans(host)?.is_empty(), "left behind: {:?}", macvlans(host)?);
    Ok(())
}

/// Two families may have one id, and so may two interfaces: each VMAC has a name of its own, and they are keepalived's.
#[test]
fn families_and_interfaces_that_share_an_id_have_vmacs_of_their_own() -> Result<()> {
    let (_lab, _lans, host) = two_lans("vmac-names")?;
    let on = |name: &str, interface: &str, vip: &str| {
        Instance::new(name)
            .interface(interface)
            .vip(vip)
            .interval("0.1")
            .line("version 3")
            .line("use_vmac")
            .to_string()
    };
    let config = on("VI_1", "eth0", "10.78.9.9/32")
        + &on("VI_2", "eth0", "fe80::9/64\n fd78::9/64")
        + &on("VI_3", "eth1", "10.80.9.9/32");
    let addresses = ["10.78.9.9", "fd78::9", "10.80.9.9"];
    let [theirs, ours] = placements(&host, &config, &addresses)?;
    ensure!(theirs == ours, "keepalived {theirs:?}, keepwatchd {ours:?}");
    let names: std::collections::BTreeSet<_> = ours.iter().map(|[_, name, ..]| name).collect();
    ensure!(names.len() == 3, "{ours:?}");
    Ok(())
}

/// What a VMAC has changed of the kernel's settings is what it was when it goes, whoever was killed in between.
#[test]
fn settings_are_as_before_also_after_a_run_that_was_killed() -> Result<()> {
    let lab = Lab::new("vmac-settings")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    host.run("sysctl", &["-q", "-w", "net.ipv4.conf.all.rp_filter=1", "net.ipv4.conf.eth0.arp_ignore=2"])?;
    let all = || -> Vec<String> { SETTINGS.iter().map(|name| sysctl(host, name)).collect() };
    let before = all();
    let serves = || wait::until("its address is there", wait::LONG, || host.has("vrrp.51", VIP));
    let config = instance(100, "use_vmac");
    let mut daemon = start(host, &config)?;
    serves()?;
    ensure!(all() != before, "nothing was changed");
    daemon.process_mut().kill();
    let mut daemon = start(host, &config)?;
    daemon.wait_for_log("Entering MASTER STATE")?;
    serves()?;
    daemon.process_mut().stop(wait::LONG)?;
    ensure!(all() == before, "the next run left {:?}, and it was {before:?}", all());
    // A run that has no VMAC any more, from its start on and by a reload.
    let mut daemon = start(host, &config)?;
    serves()?;
    daemon.process_mut().kill();
    let mut daemon = start(host, &instance(100, ""))?;
    wait::until("its address is on eth0", wait::LONG, || host.has("eth0", VIP))?;
    wait::until("settings are as before", wait::LONG, || all() == before)?;
    daemon.process_mut().stop(wait::LONG)?;
    Ok(())
}

/// The interface below gets another name, and another network comes under the old one: adverts leave there, and so must the
/// address be there.
#[test]
fn one_whose_base_was_renamed_is_made_anew_on_the_interface_that_has_its_name_now() -> Result<()> {
    const ARP: [&str; 2] = ["net.ipv4.conf.far0.arp_ignore", "net.ipv4.conf.eth0.arp_ignore"];
    let lab = Lab::new("vmac-renamed")?;
    let (_lan, hosts) = lab.routers(1)?;
    let other = lab.bridge("other")?;
    let host = &hosts[0];
    let config = "global_defs {\n dynamic_interfaces allow_if_changes\n}\n".to_owned();
    let mut daemon = start(host, &(config + &instance(100, "use_vmac")))?;
    serves(host, &daemon, "at the start")?;
    let number = index(host, "vrrp.51");
    host.down("eth0")?;
    host.run("ip", &["link", "set", "eth0", "name", "far0"])?;
    host.up("far0")?;
    in_fault(host, &daemon, "the base is called otherwise", 1)?;
    host.plug("eth0", &other)?.address("eth0", "10.78.0.5/16")?;
    serves(host, &daemon, "there is another base")?;
    ensure!(link(host, "vrrp.51").contains("vrrp.51@eth0"), "{}", link(host, "vrrp.51"));
    ensure!(index(host, "vrrp.51") != number, "it was not made anew");
    ensure!(
        sysctl(host, ARP[0]) == "0" && sysctl(host, ARP[1]) == "1",
        "settings are on the wrong interface"
    );
    daemon.process_mut().stop(wait::LONG)?;
    ensure!(macvlans(host)?.is_empty(), "left behind: {:?}", macvlans(host)?);
    ensure!(ARP.iter().all(|name| sysctl(host, name) == "0"), "settings were left changed");
    Ok(())
}

#[test]
fn what_a_killed_run_left_goes_with_its_virtual_router_and_what_another_daemon_has_stays() -> Result<()> {
    let lab = Lab::new("vmac-orphan")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    let all = || -> Vec<String> { SETTINGS.iter().map(|name| sysctl(host, name)).collect() };
    let before = all();
    let of = |name: &str, vrid: u8, vip: &str, more: &str| {
        let instance = Instance::new(name).vrid(vrid).vip(vip).interval("0.1").line("version 3");
        instance.line(more).to_string()
    };
    let next = of("VI_3", 53, "10.78.9.3/32", "");
    let mut killed = start(host, &instance(100, "use_vmac"))?;
    wait::until("its address is there", wait::LONG, || host.has("vrrp.51", VIP))?;
    killed.process_mut().kill();
    ensure!(macvlans(host)? == ["vrrp.51"], "{:?}", macvlans(host)?);
    let mut daemon = start(host, &next)?;
    wait::until("it is gone", wait::LONG, || macvlans(host).is_ok_and(|all| all.is_empty()))
        .map_err(|error| anyhow::anyhow!("{error}: {}", daemon.process().log()))?;
    wait::until("settings are as before", wait::LONG, || all() == before)?;
    daemon.process_mut().stop(wait::LONG)?;
    // One whose maker runs, and one that says nothing of its maker.
    let _another = Keepwatchd::beside(host, &of("VI_2", 52, "10.78.9.2/32", "use_vmac"))?;
    wait::until("the other is there", wait::LONG, || host.has("vrrp.52", "10.78.9.2"))?;
    let hand = ["link", "add", "old0", "link", "eth0", "type", "macvlan", "mode", "private"];
    host.run("ip", &hand)?;
    host.run("ip", &["link", "set", "old0", "alias", "keepwatch IPv4 VI_OLD"])?;
    let mut daemon = start(host, &next)?;
    wait::until("it serves", wait::LONG, || host.has("eth0", "10.78.9.3"))?;
    daemon.process_mut().stop(wait::LONG)?;
    let mut left = macvlans(host)?;
    left.sort();
    ensure!(left == ["old0", "vrrp.52"], "{left:?}");
    ensure!(sysctl(host, "net.ipv4.conf.eth0.arp_ignore") == "1", "the other daemon needs that");
    Ok(())
}

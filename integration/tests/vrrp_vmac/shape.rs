//! What a VMAC is like: its size, its name, its hardware address, whose it was before.

use super::*;

/// Its hardware address, its MTU and how it stands.
fn shape(host: &Host, name: &str) -> [String; 3] {
    let link = link(host, name);
    ["link/ether ", "mtu ", "state "].map(|after| {
        let rest = link.split(after).nth(1).unwrap_or_default();
        rest.split_whitespace().next().unwrap_or_default().to_owned()
    })
}

#[test]
fn it_is_as_large_as_the_interface_below_and_up_as_a_backup_too() -> Result<()> {
    let lab = Lab::new("vmac-shape")?;
    let (_lan, hosts) = lab.routers(2)?;
    let host = &hosts[0];
    host.run("ip", &["link", "set", "eth0", "mtu", "1400"])?;
    let _better = start(&hosts[1], &instance(200, "use_vmac"))?;
    wait::until("the other is master", wait::LONG, || hosts[1].has("vrrp.51", VIP))?;
    let expected = [VIRTUAL, "1400", "UP"].map(str::to_owned);
    let mut theirs = Keepalived::start(host, &instance(100, "use_vmac"), &[])?;
    wait::until("keepalived's is so", wait::LONG, || shape(host, "vrrp.51") == expected)?;
    theirs.process_mut().stop(wait::LONG)?;
    let daemon = start(host, &instance(100, "use_vmac"))?;
    daemon.wait_for_log("Entering BACKUP STATE")?;
    wait::until("ours is so", wait::LONG, || shape(host, "vrrp.51") == expected)
        .map_err(|error| anyhow::anyhow!("{error}: {:?}", shape(host, "vrrp.51")))?;
    // The kernel takes over what becomes of the one below; and so it does without a carrier.
    host.run("ip", &["link", "set", "eth0", "mtu", "1300"])?;
    wait::until("it is smaller", wait::LONG, || shape(host, "vrrp.51")[1] == "1300")?;
    host.down("eth0")?;
    daemon.wait_for_log("(VI_1) Entering FAULT STATE")?;
    let below = || shape(host, "vrrp.51")[2].clone();
    wait::until("it has no carrier", wait::LONG, || ["LOWERLAYERDOWN", "DOWN"].contains(&&*below()))?;
    host.up("eth0")?;
    wait::until("it runs again", wait::LONG, || below() == "UP")?;
    wait::until("as a backup", wait::LONG, || {
        daemon.process().log().matches("(VI_1) Entering BACKUP STATE").count() == 2
    })
}

#[test]
fn it_has_the_name_and_the_hardware_address_that_are_written_as_keepalived_s_has() -> Result<()> {
    let lab = Lab::new("vmac-written")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    for (global, words, name, hardware) in [
        ("", "use_vmac v0 02:00:00:00:00:77", "v0", "02:00:00:00:00:77"),
        ("", "use_vmac 02:00:00:00:00:78", "vrrp.51", "02:00:00:00:00:78"),
        ("vmac_prefix vip", "use_vmac", "vip.51", VIRTUAL),
        ("", "use_vmac fifteen_letters", "fifteen_letters", VIRTUAL),
        ("", "use_vmac sixteen__letters", "vrrp.51", VIRTUAL),
    ] {
        let config = format!("global_defs {{\n {global}\n}}\n{}", instance(100, words));
        let stands = || host.has(name, VIP) && shape(host, name)[0] == hardware;
        let mut theirs = Keepalived::start(host, &config, &[])?;
        wait::until(&format!("keepalived, {words}"), wait::LONG, stands)?;
        theirs.process_mut().stop(wait::LONG)?;
        let mut ours = start(host, &config)?;
        wait::until(&format!("keepwatchd, {words}"), wait::LONG, stands)
            .map_err(|error| anyhow::anyhow!("{error}: {:?} {}", macvlans(host), ours.process().log()))?;
        ours.process_mut().stop(wait::LONG)?;
        ensure!(macvlans(host)?.is_empty(), "left behind: {:?}", macvlans(host)?);
    }
    Ok(())
}

/// The kernel has none that begins with an odd byte.
#[test]
fn a_multicast_hardware_address_is_refused_where_it_is_written() -> Result<()> {
    let lab = Lab::new("vmac-multicast")?;
    let (_lan, hosts) = lab.routers(1)?;
    let config = hosts[0].file("m.conf", &instance(100, "use_vmac v0 01:00:5e:00:00:77"))?;
    let program = integration::binaries::path("keepwatchd")?;
    let judged = hosts[0].output(program, &["-t", "-f", &config.to_string_lossy()])?;
    let text =
        String::from_utf8_lossy(&judged.stderr).into_owned() + &String::from_utf8_lossy(&judged.stdout);
    ensure!(!judged.status.success() && text.contains("01:00:5e:00:00:77"), "{:?} {text}", judged.status);
    Ok(())
}

/// Whoever gives it another hardware address takes it from the virtual router: hosts of the LAN know the one that was announced.
#[test]
fn a_hardware_address_that_somebody_changes_is_put_back() -> Result<()> {
    let lab = Lab::new("vmac-mac")?;
    let (lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    let mut daemon = start(host, &instance(100, "use_vmac"))?;
    daemon.wait_for_log("Entering MASTER STATE")?;
    wait::until("its address is there", wait::LONG, || host.has("vrrp.51", VIP))?;
    host.run("ip", &["link", "set", "vrrp.51", "address", "02:00:00:00:00:99"])?;
    daemon.wait_for_log("The hardware address of vrrp.51 was changed by someone; put back")?;
    wait::until("it has its own again", wait::LONG, || shape(host, "vrrp.51")[0] == VIRTUAL)
        .map_err(|error| anyhow::anyhow!("{error}: {} {}", link(host, "vrrp.51"), daemon.process().log()))?;
    let (wire, since) = (lan.capture()?, capture::now());
    wait::until("it advertises", wait::LONG, || wire.adverts_since("10.78.0.1", since).len() > 3)?;
    let from = hardware_of_adverts(&wire, "10.78.0.1");
    ensure!(from.iter().all(|hardware| hardware == VIRTUAL), "{from:?}");
    wait::until("its address is there", wait::LONG, || host.has("vrrp.51", VIP))?;
    daemon.process_mut().stop(wait::LONG)?;
    ensure!(macvlans(host)?.is_empty(), "left behind: {:?}", macvlans(host)?);
    Ok(())
}

/// One that stands where it should is taken over, also if it is down and whatever its name; one of another mode is not.
#[test]
fn one_that_is_as_it_should_be_is_taken_over_and_others_are_left_alone() -> Result<()> {
    let lab = Lab::new("vmac-found")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    let make = |name: &str, hardware: &str, mode: &str| {
        let of = ["link", "add", name, "link", "eth0", "address", hardware, "type", "macvlan", "mode", mode];
        host.run("ip", &of)
    };
    make("vrrp.51", "02:00:00:00:00:51", "private")?;
    make("vrrp1.51", "02:00:00:00:00:52", "bridge")?;
    let mut daemon = start(host, &instance(100, "use_vmac"))?;
    wait::until("it has the next name", wait::LONG, || host.has("vrrp2.51", VIP))
        .map_err(|error| anyhow::anyhow!("{error}: {}", daemon.process().log()))?;
    daemon.process_mut().stop(wait::LONG)?;
    ensure!(macvlans(host)? == ["vrrp.51", "vrrp1.51"], "{:?}", macvlans(host)?);
    make("hand0", VIRTUAL, "private")?;
    let number = index(host, "hand0");
    let mut daemon = start(host, &instance(100, "use_vmac"))?;
    daemon.wait_for_log("(VI_1) Found matching interface hand0")?;
    wait::until("its address is on it", wait::LONG, || host.has("hand0", VIP))
        .map_err(|error| anyhow::anyhow!("{error}: {}", daemon.process().log()))?;
    ensure!(index(host, "hand0") == number, "it was made anew");
    daemon.process_mut().stop(wait::LONG)?;
    ensure!(macvlans(host)? == ["vrrp.51", "vrrp1.51"], "{:?}", macvlans(host)?);
    Ok(())
}

/// Where the interface below has no link-local address there is nothing to send adverts of IPv6 from.
#[test]
fn without_a_link_local_address_below_there_is_none_of_ipv6_until_it_has_one() -> Result<()> {
    let lab = Lab::new("vmac-eui")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    for address in link_local(host, "eth0") {
        host.remove_address(&address)?;
    }
    let six = instance(100, "use_vmac").replace("10.78.9.9/32", "fe80::9/64\n fd78::9/64");
    let daemon = start(host, &six)?;
    daemon.wait_for_log("(VI_1) Entering FAULT STATE").map_err(|error| {
        anyhow::anyhow!("{error}: {} {:?}", daemon.process().log(), host.addresses("eth0"))
    })?;
    ensure!(!link(host, "vrrp.51").is_empty(), "no VMAC");
    daemon.wait_for_control()?;
    let status = daemon.answer(&["status"])?;
    println!("{status}");
    host.address("eth0", "fe80::1/64")?;
    wait::until("it is master", wait::LONG, || host.has("vrrp.51", "fd78::9"))
        .map_err(|error| anyhow::anyhow!("{error}: {}", daemon.process().log()))
}

/// The filter by the way back counts for each interface by itself, and for all together: what all say is said by each, also by
/// those that come, and is as before in the end.
#[test]
fn the_filter_by_the_way_back_is_as_strict_as_before_on_every_other_interface() -> Result<()> {
    let (_lab, _lans, host) = two_lans("vmac-filter")?;
    let name = |of: &str| format!("net.ipv4.conf.{of}.rp_filter");
    let all = || ["all", "default", "eth0", "eth1", "lo"].map(|of| sysctl(&host, &name(of)));
    for setting in ["all=1", "default=0", "eth0=0", "eth1=2"] {
        let (of, value) = setting.split_once('=').unwrap_or_default();
        host.run("sysctl", &["-q", "-w", &format!("{}={value}", name(of))])?;
    }
    let before = all();
    let mut theirs = Keepalived::start(&host, &instance(100, "use_vmac"), &[])?;
    wait::until("keepalived has its address", wait::LONG, || host.has("vrrp.51", VIP))?;
    let changed = all();
    ensure!(changed[..4] == ["0", "1", "1", "2"].map(str::to_owned), "keepalived {changed:?}");
    theirs.process_mut().stop(wait::LONG)?;
    for (of, value) in ["all", "default", "eth0", "eth1", "lo"].iter().zip(&before) {
        host.run("sysctl", &["-q", "-w", &format!("{}={value}", name(of))])?;
    }
    let mut ours = start(&host, &instance(100, "use_vmac"))?;
    wait::until("keepwatchd has its address", wait::LONG, || host.has("vrrp.51", VIP))?;
    // The loopback interface counts for us, too.
    ensure!(all()[..4] == changed[..4] && all()[4] == "1", "{:?}, keepalived {changed:?}", all());
    ensure!(sysctl(&host, &name("vrrp/51")) == "0");
    ours.process_mut().stop(wait::LONG)?;
    ensure!(all() == before, "{:?}, before {before:?}", all());
    Ok(())
}

/// With addresses of IPv6 only, nothing is changed of the interface below; with those of IPv4 only there is no table of
/// nftables, since nothing has to be moved.
#[test]
fn each_family_needs_its_own_settings_only() -> Result<()> {
    let lab = Lab::new("vmac-families")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    let below = || SETTINGS.map(|name| sysctl(host, name));
    let own = |names: &[&str]| -> Vec<String> {
        names.iter().map(|name| sysctl(host, &name.replace('@', "vrrp/51"))).collect()
    };
    let names = [
        "net.ipv4.conf.@.arp_ignore",
        "net.ipv4.conf.@.accept_local",
        "net.ipv4.conf.@.promote_secondaries",
        "net.ipv6.conf.@.addr_gen_mode",
        "net.ipv6.conf.@.disable_ipv6",
    ];
    let before = below();
    let six = instance(100, "use_vmac").replace("10.78.9.9/32", "fe80::9/64\n fd78::9/64");
    let mut daemon = start(host, &six)?;
    wait::until("its address is there", wait::LONG, || host.has("vrrp.51", "fd78::9"))?;
    // As 2.4.3 has them; Debian's keepalived does not set the first.
    ensure!(own(&names) == ["1", "0", "0", "1", "0"], "{:?}", own(&names));
    ensure!(below() == before, "{:?}, before {before:?}", below());
    ensure!(host.run("nft", &["list", "tables"])?.trim() == "table ip6 keepalived");
    daemon.process_mut().stop(wait::LONG)?;
    ensure!(host.run("nft", &["list", "tables"])?.is_empty(), "a table was left behind");
    let mut daemon = start(host, &instance(100, "use_vmac"))?;
    wait::until("its address is there", wait::LONG, || host.has("vrrp.51", VIP))?;
    ensure!(own(&names) == ["1", "1", "1", "1", "1"], "{:?}", own(&names));
    ensure!(host.run("nft", &["list", "tables"])?.is_empty(), "{}", host.run("nft", &["list", "ruleset"])?);
    daemon.process_mut().stop(wait::LONG)?;
    Ok(())
}

/// The kernel has no ipvlans, or none beside a macvlan: that costs this virtual router only.
#[test]
fn an_ipvlan_that_can_t_be_made_or_has_no_address_is_a_fault_and_others_go_on() -> Result<()> {
    let lab = Lab::new("vmac-ipvlan")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    host.run("ip", &["link", "add", "other0", "link", "eth0", "type", "macvlan", "mode", "private"])?;
    let other =
        Instance::new("VI_2").vrid(52).vip("10.78.9.8/32").interval("0.1").line("version 3").to_string();
    let mut daemon = start(host, &format!("{}{other}", instance(100, "use_ipvlan ipv51 10.78.0.51/16")))?;
    daemon.wait_for_log("(VI_1): Unable to create VMAC interface ipv51: ")?;
    daemon.wait_for_log("(VI_1) Entering FAULT STATE")?;
    wait::until("the other is master", wait::LONG, || host.has("eth0", "10.78.9.8"))?;
    ensure!(!host.has("eth0", VIP) && link(host, "ipv51").is_empty(), "{}", link(host, "ipv51"));
    daemon.process_mut().stop(wait::LONG)?;
    let daemon = start(host, &format!("{}{other}", instance(100, "use_ipvlan ipv51")))?;
    daemon.wait_for_log("(VI_1) Entering FAULT STATE")?;
    wait::until("the other is master", wait::LONG, || host.has("eth0", "10.78.9.8"))?;
    ensure!(!host.has("eth0", VIP), "{}", daemon.process().log());
    Ok(())
}

#[test]
fn a_vmac_is_in_the_group_of_the_interface_below_unless_it_names_another() -> Result<()> {
    let lab = Lab::new("vmac-group")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    host.run("ip", &["link", "set", "eth0", "group", "7"])?;
    for (words, group) in [("use_vmac", "group 7"), ("use_vmac group 9", "group 9")] {
        let mut daemon = start(host, &instance(100, words))?;
        wait::until("it is there", wait::LONG, || !link(host, "vrrp.51").is_empty())?;
        ensure!(link(host, "vrrp.51").contains(group), "{}", link(host, "vrrp.51"));
        daemon.process_mut().stop(wait::LONG)?;
    }
    Ok(())
}

/// The lines of a dump (SIGUSR1) that tell of the interface, and of what others must match.
fn dumped(host: &Host, signal: impl Fn() -> Result<()>) -> Result<Vec<String>> {
    let path = host.directory().join("tmp/keepalived.data");
    let _ = fs::remove_file(&path);
    signal()?;
    let told = ["Use VMAC", "Interface = ", "Unicast checksum compatibility", "Gratuitous ARP"];
    wait::value("it has written its data", wait::LONG, || {
        let text = fs::read_to_string(&path).ok()?;
        let instance = text.split("VRRP Topology").nth(1)?.split("------<").next()?;
        let lines =
            instance.lines().map(str::trim).filter(|line| told.iter().any(|begin| line.starts_with(begin)));
        let lines: Vec<String> = lines.map(ToOwned::to_owned).collect();
        (lines.len() > 3).then_some(lines)
    })
}

#[test]
fn a_dump_tells_of_it_as_keepalived_s_does() -> Result<()> {
    let lab = Lab::new("vmac-dump")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    for words in ["use_vmac", "use_vmac own0\n vmac_xmit_base"] {
        let config = instance(100, words);
        let there = || host.has("vrrp.51", VIP) || host.has("own0", VIP);
        let mut theirs = Keepalived::start(host, &config, &[])?;
        wait::until("keepalived is master", wait::LONG, there)?;
        let expected = dumped(host, || theirs.process().signal(Signal::SIGUSR1))?;
        theirs.process_mut().stop(wait::LONG)?;
        let place = host.directory().join("tmp").display().to_string();
        let ours = Keepwatchd::on(host).config(config.as_str()).flag("--vrrp").variable("TMPDIR", &place);
        let mut ours = ours.start()?;
        wait::until("keepwatchd is master", wait::LONG, there)?;
        let told = dumped(host, || ours.process().signal(Signal::SIGUSR1))?;
        ensure!(told == expected, "{told:#?}, keepalived {expected:#?}");
        ours.process_mut().stop(wait::LONG)?;
    }
    Ok(())
}

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

//! Addresses of ours that are the first of their network on an interface, and what a reload changes of an address.

use super::*;

/// What `ip` says of an address of eth0.
fn shown(host: &Host, address: &str) -> String {
    let all = host.run("ip", &["-o", "-4", "addr", "show", "dev", "eth0"]).unwrap_or_default();
    all.lines().find(|line| line.contains(&format!(" {address}/"))).unwrap_or_default().to_owned()
}

/// Somebody takes the host's own address off for a moment, as when a lease is renewed: ours is the first then. Where the kernel
/// takes those after the first along (`promote_secondaries` 0), the own one would go with ours at the stop.
#[test]
fn the_host_s_own_address_stays_when_one_of_ours_goes_that_came_before_it() -> Result<()> {
    const OWN: &str = "10.78.0.1";
    const STATIC: &str = "10.78.9.8";
    const SETTINGS: [&str; 2] =
        ["net.ipv4.conf.all.promote_secondaries", "net.ipv4.conf.eth0.promote_secondaries"];
    let lab = Lab::new("first")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    // Meanwhile adverts leave from here.
    host.address("eth0", "10.5.0.1/24")?;
    for setting in SETTINGS {
        host.run("sysctl", &["-q", "-w", &format!("{setting}=0")])?;
    }
    let statics = format!("static_ipaddress {{\n {STATIC}/16 dev eth0\n}}\n");
    for (ours, config) in [
        (VIP, instance("VI_1", 51, 100, &format!("{VIP}/16"), "")),
        (STATIC, statics + &instance("VI_1", 51, 100, "10.99.0.1/32", "")),
    ] {
        let mut daemon = start(host, config)?;
        is_master(&daemon, "VI_1")?;
        wait::until("ours is there", wait::LONG, || shown(host, ours).contains("secondary"))?;
        ensure!(host.remove_address(OWN)?, "{ours}: there was no {OWN}");
        wait::until("ours is the first", wait::LONG, || {
            !shown(host, ours).is_empty() && !shown(host, ours).contains("secondary")
        })?;
        host.address("eth0", &format!("{OWN}/16"))?;
        ensure!(shown(host, OWN).contains("secondary"), "{ours}: {}", shown(host, OWN));
        ensure!(daemon.process_mut().stop(wait::LONG)?.success(), "{}", daemon.process().log());
        ensure!(shown(host, ours).is_empty(), "{ours} was left behind");
        ensure!(host.has("eth0", OWN), "{ours} took the own address along: {}", daemon.process().log());
        for setting in SETTINGS {
            ensure!(
                host.run("sysctl", &["-n", setting])?.trim() == "0",
                "{ours}: {setting} was left changed"
            );
        }
    }
    Ok(())
}

#[test]
fn an_address_that_a_reload_gives_another_form_is_not_said_to_be_taken_by_somebody() -> Result<()> {
    let lab = Lab::new("form")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    let with = |form: &str| instance("VI_1", 51, 100, &format!("{VIP}{form}"), "");
    let daemon = start(host, with("/24"))?;
    is_master(&daemon, "VI_1")?;
    wait::until("it is there", wait::LONG, || host.has("eth0", VIP))?;
    for (form, says) in [
        ("/24 label eth0:kw", "eth0:kw"),
        ("/24 scope link", "scope link"),
        ("/24 noprefixroute", "noprefixroute"),
        ("/25", "/25"),
    ] {
        reload(&daemon, with(form))?;
        wait::until(form, wait::LONG, || shown(host, VIP).contains(says))?;
    }
    // It is looked after as ever.
    ensure!(host.remove_address(VIP)?, "it was not there");
    daemon.wait_for_log("put back after")?;
    let log = daemon.process().log();
    let lost = log.lines().filter(|line| line.contains("is gone from eth0")).count();
    ensure!(lost == 1 && !log.contains("adopting"), "{log}");
    Ok(())
}

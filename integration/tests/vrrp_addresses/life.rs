//! What the kernel makes of virtual addresses: how long they live, when they can be used, and what goes with the link.

use std::net::UdpSocket;

use integration::keepalived::Keepalived;

use super::*;

/// What `ip` says of virtual addresses of an interface: its own, and what the kernel has made, are left out.
fn shown(host: &Host, name: &str) -> Vec<String> {
    let all = host.run("ip", &["-o", "address", "show", "dev", name]).unwrap_or_default();
    let lines = all
        .lines()
        .filter(|line| line.contains("10.78.9.") || line.contains("::9") || line.contains("10.77."));
    // Without the interface's number.
    let line = |line: &str| line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ");
    let mut lines: Vec<String> = lines.map(line).collect();
    lines.sort();
    lines
}

#[test]
fn each_form_of_an_address_is_as_keepalived_s_is() -> Result<()> {
    let lab = Lab::new("forms")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    for more in ["", "use_vmac"] {
        let four = "10.78.9.1\n 10.78.9.2/24\n 10.78.9.3/16 brd 10.78.9.255 label eth0:vip\n 10.78.9.4/32 scope link\n \
                    10.77.0.1/24\n 10.77.0.2/24 noprefixroute";
        let four = if more.is_empty() { four.to_owned() } else { four.replace(" label eth0:vip", "") };
        let six = "fe80::9/64\n fd78::9\n fd78::9:1/64\n fd78::9:2/64 home\n fd78::9:3/128 preferred_lft 0\n fd78::9:4/64 -nodad";
        for (addresses, count) in [(four.as_str(), 6), (six, 6)] {
            let config = instance("VI_1", 51, 100, addresses, more);
            let name = if more.is_empty() { "eth0" } else { "vrrp.51" };
            let mut theirs = Keepalived::start(host, &config, &[])?;
            let settled = || {
                let all = shown(host, name);
                all.len() == count && !all.iter().any(|line| line.contains("tentative"))
            };
            wait::until("keepalived has set all", wait::LONG, settled).map_err(|error| {
                anyhow::anyhow!("{error}: {:#?}\n{}", shown(host, name), theirs.process().log())
            })?;
            let expected = shown(host, name);
            theirs.process_mut().stop(wait::LONG)?;
            let mut ours = start(host, config)?;
            wait::until("they are the same", wait::LONG, || shown(host, name) == expected).map_err(
                |error| {
                    anyhow::anyhow!(
                        "{error}: {:#?}\nkeepalived {expected:#?}\n{}",
                        shown(host, name),
                        ours.process().log()
                    )
                },
            )?;
            ours.process_mut().stop(wait::LONG)?;
            ensure!(shown(host, name).is_empty(), "left behind: {:#?}", shown(host, name));
        }
    }
    Ok(())
}

/// The kernel would look for others with an address of IPv6 for seconds; nobody could use it so long.
#[test]
fn an_address_of_ipv6_can_be_used_at_once() -> Result<()> {
    let lab = Lab::new("at-once")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    for setting in
        ["eth0.accept_dad=1", "eth0.dad_transmits=5", "default.accept_dad=1", "default.dad_transmits=5"]
    {
        host.run("sysctl", &["-q", "-w", &format!("net.ipv6.conf.{setting}")])?;
    }
    // Of what asks for it the kernel does look.
    host.run("ip", &["address", "add", "fd78::77/64", "dev", "eth0"])?;
    let tentative = |address: &str| {
        let all = host.run("ip", &["-6", "-o", "address", "show", "tentative"]).unwrap_or_default();
        all.contains(&format!(" {address}/"))
    };
    ensure!(tentative("fd78::77"), "nothing is looked for here");
    for more in ["", "use_vmac"] {
        let mut daemon = start(host, instance("VI_1", 51, 100, "fe80::9/64\n fd78::9/64", more))?;
        let name = if more.is_empty() { "eth0" } else { "vrrp.51" };
        wait::until("it is there", wait::LONG, || host.has(name, "fd78::9"))
            .map_err(|error| anyhow::anyhow!("{error}: {}", daemon.process().log()))?;
        host.inside(|| Ok(UdpSocket::bind(("fd78::9", 0))?))?;
        ensure!(!tentative("fd78::9") && !tentative("fe80::9"));
        daemon.process_mut().stop(wait::LONG)?;
    }
    Ok(())
}

/// An interface that goes down keeps its addresses of IPv4 and loses those of IPv6, static ones too.
#[test]
fn addresses_of_both_families_are_there_again_after_the_link_was_down() -> Result<()> {
    let lab = Lab::new("link-down")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    let statics = "static_ipaddress {\n 10.79.0.1/24 dev eth0\n fd79::1/64 dev eth0\n}\n";
    let four = instance("VI_1", 51, 100, "10.78.9.9/32", "virtual_ipaddress_excluded {\n fd78::9:1/64\n }");
    let six = instance("VI_2", 52, 100, "fe80::9/64\n fd78::9/64", "");
    let all = ["10.78.9.9", "fd78::9:1", "fe80::9", "fd78::9", "10.79.0.1", "fd79::1"];
    let daemon = start(host, format!("{statics}{four}{six}"))?;
    let complete = || all.iter().all(|address| host.has("eth0", address));
    wait::until("all are there", wait::LONG, complete)?;
    for times in 1..=2 {
        host.down("eth0")?;
        wait::until("both are in fault", wait::LONG, || {
            let log = daemon.process().log();
            ["(VI_1)", "(VI_2)"]
                .iter()
                .all(|name| log.matches(&format!("{name} Entering FAULT STATE")).count() == times)
        })?;
        wait::until("no virtual address is there", wait::LONG, || {
            !all[..4].iter().any(|address| host.has("eth0", address))
        })?;
        host.up("eth0")?;
        wait::until("all are back", wait::LONG, complete).map_err(|error| {
            anyhow::anyhow!("{error}: {:?} {}", host.addresses("eth0"), daemon.process().log())
        })?;
    }
    Ok(())
}

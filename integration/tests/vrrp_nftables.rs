//! Addresses that a master does not accept packets to (`no_accept`, strict mode): real connections, and the tables of
//! nftables beside those of Debian's keepalived.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use integration::{Host, Instance, Lab, conf::VIP, keepalived::Keepalived, keepwatchd::Keepwatchd, wait};
use keepwatch_net::netlink::{FilterBatch, FilterFamily, Requests};
use nix::sys::signal::Signal;
use socket2::{Domain, Socket, Type};

const QUICKLY: Duration = Duration::from_millis(400);

fn instance(name: &str, vrid: u8, vip: &str, more: &str) -> Instance {
    Instance::new(name).vrid(vrid).vip(vip).interval("0.1").line("version 3").line(more)
}

fn start(host: &Host, config: &str) -> Result<Keepwatchd> {
    Keepwatchd::on(host).config(config).flag("--vrrp").start()
}

fn reload(daemon: &Keepwatchd, config: &str) -> Result<()> {
    let before = daemon.process().log().matches("Reloaded").count();
    fs::write(daemon.config_path(), config)?;
    daemon.process().signal(Signal::SIGHUP)?;
    wait::until("it has reloaded", wait::LONG, || daemon.process().log().matches("Reloaded").count() > before)
}

/// Whether somebody answers there.
fn connects(from: &Host, to: &str) -> bool {
    let to: Result<SocketAddr, _> = format!("{to}:80").parse();
    to.is_ok_and(|to| from.connect(to, QUICKLY).is_ok())
}

/// The host knows the hardware address of another.
fn knows(host: &Host, address: &str) -> bool {
    host.run("ip", &["neigh", "show", address])
        .is_ok_and(|line| line.contains("lladdr") && !line.contains("FAILED"))
}

/// The ruleset, without what says whose a table is.
fn ruleset(host: &Host) -> Result<String> {
    let all = host.run("nft", &["-s", "list", "ruleset"])?;
    let lines = all.lines().filter(|line| line.trim() != "flags owner");
    let lines = lines.map(|line| line.split(" # progname").next().unwrap_or_default());
    Ok(lines.filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("\n"))
}

#[test]
fn packets_to_an_address_that_is_not_accepted_are_dropped_while_arp_goes_on() -> Result<()> {
    let lab = Lab::new("no-accept")?;
    let (_lan, hosts) = lab.routers(2)?;
    let (host, other) = (&hosts[0], &hosts[1]);
    let _web = host.listen("0.0.0.0:80".parse()?)?;
    let refusing = instance("VI_1", 51, VIP, "no_accept").to_string();
    let accepting = instance("VI_2", 52, "10.78.9.8", "accept").to_string();
    let mut daemon = start(host, &format!("{refusing}{accepting}"))?;
    daemon.wait_for_log("(VI_1) setting VIP")?;
    daemon.wait_for_log("(VI_2) setting VIP")?;
    let log = daemon.process().log();
    let at = |text: &str| log.find(text).unwrap_or(usize::MAX);
    ensure!(at("(VI_1) setting firewall drop rule") < at("(VI_1) setting VIP"), "{log}");
    ensure!(!connects(other, VIP), "a connection was accepted: {}", ruleset(host)?);
    ensure!(knows(other, VIP), "ARP is not answered");
    ensure!(connects(other, "10.78.9.8") && connects(other, "10.78.0.1"), "{}", ruleset(host)?);
    daemon.wait_for_control()?;
    let why = daemon.answer(&["why", VIP])?;
    ensure!(why.contains("packets to it are dropped (no_accept, table keepalived of nftables)"), "{why}");
    let why = daemon.answer(&["why", "10.78.9.8"])?;
    ensure!(why.contains("virtual address of VI_2, which is MASTER") && !why.contains("dropped"), "{why}");
    // The firewall is reloaded.
    host.run("nft", &["flush", "ruleset"])?;
    wait::throughout("still dropped", QUICKLY, || !connects(other, VIP))?;
    // Reloads give the word to the other, and take it away from all.
    let swapped = format!(
        "{}{}",
        instance("VI_1", 51, VIP, ""),
        instance("VI_2", 52, "10.78.9.8\n 10.78.9.7", "no_accept")
    );
    reload(&daemon, &swapped)?;
    daemon.wait_for_log("(VI_1) removing firewall drop rule")?;
    ensure!(connects(other, VIP), "{}", ruleset(host)?);
    wait::until("the other is dropped", wait::SHORT, || {
        ruleset(host).is_ok_and(|rules| rules.contains("10.78.9.7"))
    })?;
    ensure!(!connects(other, "10.78.9.8") && !connects(other, "10.78.9.7"), "{}", ruleset(host)?);
    reload(&daemon, &swapped.replace("no_accept", ""))?;
    daemon.wait_for_log("(VI_2) removing firewall drop rule")?;
    ensure!(connects(other, "10.78.9.8") && connects(other, "10.78.9.7"), "{}", ruleset(host)?);
    reload(&daemon, &format!("{refusing}{accepting}"))?;
    wait::until("it is dropped again", wait::LONG, || !connects(other, VIP))?;
    daemon.process_mut().stop(wait::LONG)?;
    ensure!(ruleset(host)?.is_empty(), "left behind: {}", ruleset(host)?);
    Ok(())
}

/// Nobody uses the address for anything but ARP: the host itself neither, in either direction. As a backup it is only an
/// address of somebody else.
#[test]
fn the_host_itself_neither_reaches_the_address_nor_speaks_from_it_until_it_is_backup() -> Result<()> {
    let lab = Lab::new("no-accept-own")?;
    let (_lan, hosts) = lab.routers(2)?;
    let (host, other) = (&hosts[0], &hosts[1]);
    let (_web, _far) = (host.listen("0.0.0.0:80".parse()?)?, other.listen("0.0.0.0:80".parse()?)?);
    let refusing = instance("VI_1", 51, VIP, "no_accept").to_string();
    let daemon = start(host, &(refusing + &instance("VI_2", 52, "10.78.9.8", "accept").to_string()))?;
    daemon.wait_for_log("(VI_1) setting VIP")?;
    wait::until("the other address is there", wait::LONG, || host.has("eth0", "10.78.9.8"))?;
    let speaks = |from: &str| -> Result<bool> {
        let from: SocketAddr = format!("{from}:0").parse()?;
        let to: SocketAddr = "10.78.0.2:80".parse()?;
        host.inside(|| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            socket.bind(&from.into())?;
            Ok(socket.connect_timeout(&to.into(), QUICKLY).is_ok())
        })
    };
    ensure!(!connects(host, VIP), "the host reaches it: {}", ruleset(host)?);
    ensure!(!speaks(VIP)? && speaks("10.78.9.8")?, "the host speaks from it: {}", ruleset(host)?);
    ensure!(connects(host, "10.78.0.2") && connects(host, "10.78.0.1"), "{}", ruleset(host)?);
    let better = start(other, &instance("VI_1", 51, VIP, "accept").priority(200).to_string())?;
    better.wait_for_log("Entering MASTER STATE")?;
    daemon.wait_for_log("(VI_1) removing firewall drop rule")?;
    wait::until("the address of the other is reached", wait::LONG, || connects(host, VIP))?;
    ensure!(!ruleset(host)?.contains(VIP), "{}", ruleset(host)?);
    Ok(())
}

/// The table `guard` of a family as sorted lines, the elements of its sets among them, without what says whose it is.
fn guard(host: &Host, family: &str) -> Result<Vec<String>> {
    let all = host.run("nft", &["-s", "list", "table", family, "guard"])?;
    let mut lines: Vec<String> = Vec::new();
    let mut inside = None;
    for line in all.lines().map(|line| line.split(" # ").next().unwrap_or_default().trim()) {
        // Elements are written over several lines, in the order of the kernel's hashes.
        if let Some(rest) = line.strip_prefix("elements = {") {
            inside = Some(rest.to_owned());
        } else if let Some(all) = &mut inside {
            all.push_str(line);
        } else if line != "flags owner" && !line.is_empty() {
            lines.push(line.to_owned());
        }
        if let Some(all) = inside.take_if(|all| all.contains('}')) {
            lines.extend(all.trim_end_matches('}').split(',').map(|one| format!("element {}", one.trim())));
        }
    }
    lines.sort();
    Ok(lines)
}

/// Both daemons on hosts of their own with this file; their tables of these families are the same in the end.
fn same_tables(name: &str, config: &str, families: &[&str], expected: &[&str]) -> Result<()> {
    let lab = Lab::new(name)?;
    let (_lan, hosts) = lab.routers(1)?;
    let apart = lab.bridge("apart")?;
    let other = lab.host("other")?;
    other.plug("eth0", &apart)?.address("eth0", "10.78.0.1/16")?;
    let theirs = Keepalived::start(&other, config, &[])?;
    theirs.process().wait_for_log("Entering MASTER STATE", wait::LONG)?;
    let ours = start(&hosts[0], config)?;
    ours.wait_for_log("(VI_1) setting VIP")?;
    for family in families {
        let same =
            || guard(&hosts[0], family).is_ok_and(|ours| guard(&other, family).is_ok_and(|it| it == ours));
        wait::until("both have set all", wait::LONG, same).map_err(|_| {
            anyhow::anyhow!("ours {:#?}\nkeepalived's {:#?}", ruleset(&hosts[0]), ruleset(&other))
        })?;
    }
    let rules = ruleset(&hosts[0])?;
    for part in expected {
        ensure!(rules.contains(part), "{part} is not in {rules}");
    }
    Ok(())
}

const GUARD: &str =
    "global_defs {\n nftables guard\n nftables_priority -5\n nftables_counters\n nftables_ifindex\n}\n";

#[test]
fn the_tables_are_those_that_keepalived_makes() -> Result<()> {
    let more = "no_accept\n virtual_ipaddress_excluded {\n 10.78.9.7\n fd78::7/64\n }";
    let config = format!("{GUARD}{}", instance("VI_1", 51, VIP, more));
    let expected = ["priority filter - 5", "ip daddr @vips counter drop", "fd78::7"];
    same_tables("tables", &config, &["ip", "ip6"], &expected)
}

#[test]
fn the_tables_of_ipv6_are_those_that_keepalived_makes() -> Result<()> {
    let more = "no_accept\n virtual_ipaddress_excluded {\n fd78::8/64\n 10.78.9.7\n }";
    let config = format!("{GUARD}{}", instance("VI_1", 51, "fe80::9/64\n fd78::9/64", more));
    let expected = ["counter goto in_link_local", "fe80::9 . \"eth0\"", "10.78.9.7"];
    same_tables("tables-6", &config, &["ip", "ip6"], &expected)
}

/// Counters count what is dropped, and what is let through; without the word there are none.
#[test]
fn what_is_dropped_is_counted_where_that_is_wanted() -> Result<()> {
    let lab = Lab::new("counted")?;
    let (_lan, hosts) = lab.routers(2)?;
    let (host, other) = (&hosts[0], &hosts[1]);
    let six = instance("VI_1", 51, "fe80::9/64\n fd78::9/64", "no_accept").to_string();
    let block = six + &instance("VI_2", 52, VIP, "no_accept").to_string();
    let daemon = start(host, &format!("global_defs {{\n nftables_counters\n}}\n{block}"))?;
    wait::until("the addresses are there", wait::LONG, || {
        host.has("eth0", "fd78::9") && host.has("eth0", VIP)
    })?;
    ensure!(!connects(other, VIP) && !connects(other, "[fd78::9]"), "{}", ruleset(host)?);
    let counted = |rule: &str| {
        let all = host.run("nft", &["list", "ruleset"]).unwrap_or_default();
        let line = all.lines().find(|line| line.trim().starts_with(rule)).unwrap_or_default().to_owned();
        let packets = line.split("packets ").nth(1).and_then(|rest| rest.split(' ').next());
        packets.and_then(|packets| packets.parse::<u64>().ok()).unwrap_or_default()
    };
    for rule in ["ip daddr @vips", "ip6 daddr @vips", "icmpv6 type @neighbor-discovery"] {
        ensure!(counted(rule) > 0, "{rule} has counted nothing: {}", host.run("nft", &["list", "ruleset"])?);
    }
    reload(&daemon, &block)?;
    wait::until("nothing is counted any more", wait::LONG, || {
        ruleset(host).is_ok_and(|rules| rules.contains("vips") && !rules.contains("counter"))
    })?;
    ensure!(!connects(other, VIP) && !connects(other, "[fd78::9]"), "{}", ruleset(host)?);
    Ok(())
}

#[test]
fn ipv6_is_dropped_but_for_neighbour_discovery_and_link_local_addresses_on_their_link_only() -> Result<()> {
    let lab = Lab::new("no-accept-6")?;
    let (_lan, hosts) = lab.routers(2)?;
    let (host, other) = (&hosts[0], &hosts[1]);
    let _web = host.listen("[::]:80".parse()?)?;
    let daemon = start(host, &instance("VI_1", 51, "fe80::9/64\n fd78::9/64", "no_accept").to_string())?;
    daemon.wait_for_log("(VI_1) setting VIP fd78::9")?;
    ensure!(connects(other, "[fd78::1]"), "{}", ruleset(host)?);
    ensure!(!connects(other, "[fd78::9]"), "{}", ruleset(host)?);
    ensure!(knows(other, "fd78::9"), "neighbour discovery is not answered");
    let rules = ruleset(host)?;
    for part in [
        "ip6 daddr . iif @vips_link_local drop",
        "ip6 saddr fe80::/10 goto out_link_local",
        "fe80::9 . \"eth0\"",
    ] {
        ensure!(rules.contains(part), "no {part} in {rules}");
    }
    Ok(())
}

#[test]
fn strict_mode_drops_an_owner_does_not_and_a_killed_run_leaves_no_table() -> Result<()> {
    let lab = Lab::new("strict")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    let owner = instance("VI_2", 52, "10.78.9.8", "no_accept").priority(255);
    let config = format!("global_defs {{\n vrrp_strict\n}}\n{}{owner}", instance("VI_1", 51, VIP, ""));
    let mut daemon = start(host, &config)?;
    daemon.wait_for_log("(VI_1) setting VIP")?;
    daemon.wait_for_log("(VI_2) setting VIP")?;
    let rules = ruleset(host)?;
    ensure!(rules.contains(VIP) && !rules.contains("10.78.9.8"), "{rules}");
    daemon.process_mut().kill();
    wait::until("the table is gone", wait::LONG, || ruleset(host).is_ok_and(|rules| rules.is_empty()))
}

#[test]
fn two_daemons_on_one_host_do_not_take_each_other_s_table() -> Result<()> {
    let lab = Lab::new("two-tables")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    let first = start(host, &instance("VI_1", 51, VIP, "no_accept").to_string())?;
    first.wait_for_log("(VI_1) setting VIP")?;
    let second = Keepwatchd::beside(host, &instance("VI_2", 52, "10.78.9.8", "no_accept").to_string())?;
    second.wait_for_log("(VI_2) setting VIP", wait::LONG)?;
    let rules = ruleset(host)?;
    ensure!(rules.contains("table ip keepalived {") && rules.contains("table ip keepalived_2 {"), "{rules}");
    ensure!(rules.contains(VIP) && rules.contains("10.78.9.8"), "{rules}");
    Ok(())
}

/// The kernel may have no nftables, or have the names taken by others: that is told, and costs nobody the mastership.
#[test]
fn tables_that_the_kernel_refuses_are_told_and_mastership_goes_on() -> Result<()> {
    let lab = Lab::new("refused-tables")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    let names = (2..=9).map(|number| format!("keepalived_{number}"));
    let names: Vec<String> = ["keepalived".to_owned()].into_iter().chain(names).collect();
    let _taken = host.inside(|| {
        let mut requests = Requests::filter()?;
        for (family, name) in
            names.iter().flat_map(|name| [(FilterFamily::Ip, name), (FilterFamily::Ip6, name)])
        {
            let mut batch = FilterBatch::new(&mut requests, family, name);
            batch.table(true);
            batch.carry_out()?;
        }
        Ok(requests)
    })?;
    let refusing = instance("VI_1", 51, VIP, "no_accept").to_string();
    let six = instance("VI_2", 52, "fe80::8/64\n fd78::8/64", "use_vmac").to_string();
    let mut daemon = start(host, &format!("{refusing}{six}"))?;
    daemon.wait_for_log(
        "What the kernel reports of multicast groups of vrrp.52 leaves with its own hardware address",
    )?;
    daemon
        .wait_for_log("(VI_1) packets to its addresses are accepted: can't set the firewall drop rule: ")?;
    wait::until("both are masters", wait::LONG, || host.has("eth0", VIP) && host.has("vrrp.52", "fd78::8"))?;
    daemon.process_mut().stop(wait::LONG)?;
    let left = host.run("nft", &["list", "tables"])?;
    ensure!(left.lines().count() == 2 * names.len(), "{left}");
    Ok(())
}

#[test]
fn the_words_of_iptables_mean_the_table_of_nftables() -> Result<()> {
    let lab = Lab::new("iptables")?;
    let (_lan, hosts) = lab.routers(2)?;
    let (host, other) = (&hosts[0], &hosts[1]);
    let _web = host.listen("0.0.0.0:80".parse()?)?;
    let global = "global_defs {\n vrrp_iptables INPUT OUTPUT\n vrrp_ipsets set4\n nftables_ifindex\n}\n\
                  namespace_with_ipsets\n";
    let block = instance("VI_1", 51, VIP, "no_accept").to_string();
    let mut daemon = start(host, &format!("{global}{block}"))?;
    wait::until("the address is there", wait::LONG, || host.has("eth0", VIP))?;
    daemon.wait_for_log("iptables is not used: a table of nftables drops the packets")?;
    wait::until("packets to it are dropped", wait::LONG, || {
        ruleset(host).is_ok_and(|rules| rules.contains("table ip keepalived") && rules.contains(VIP))
    })?;
    ensure!(!connects(other, VIP) && knows(other, VIP), "{}", ruleset(host)?);
    // So it is with IPv6; and such a file can be reloaded.
    reload(&daemon, &format!("{global}{}", block.replace(VIP, "fd78::9/64").replace("/64/32", "/64")))?;
    wait::until("packets over IPv6 are dropped", wait::LONG, || {
        ruleset(host).is_ok_and(|rules| rules.contains("table ip6 keepalived") && rules.contains("fd78::9"))
    })
    .map_err(|error| anyhow::anyhow!("{error}: {:?} {}", ruleset(host), daemon.process().log()))?;
    reload(&daemon, &format!("{global}{}", block.replace("no_accept", "accept")))?;
    wait::until("they are let through", wait::LONG, || connects(other, VIP))?;
    daemon.process_mut().stop(wait::LONG)?;
    Ok(())
}

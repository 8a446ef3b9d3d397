//! Routes and rules of virtual routers, and static addresses, routes and rules: in the kernel's tables, beside Debian's
//! keepalived.

use std::{fs, time::Duration};

use anyhow::{Result, ensure};
use integration::{Host, Instance, Lab, conf::VIP, keepalived::Keepalived, keepwatchd::Keepwatchd, wait};
use nix::sys::signal::Signal;

#[path = "vrrp_routes/hands.rs"]
mod hands;

fn instance(more: &str) -> String {
    Instance::new("VI_1").vip(&format!("{VIP}/16")).interval("0.1").line("version 3").line(more).to_string()
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

/// Every route that a keepalived or keepwatch made, and every rule that is not the kernel's, in the order of their text.
fn tables(host: &Host) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for family in ["-4", "-6"] {
        let routes = host.run("ip", &["-d", family, "route", "show", "table", "all", "proto", "18"])?;
        all.extend(routes.lines().map(|line| format!("{family} {}", line.trim())));
        let rules = host.run("ip", &["-d", family, "rule", "show"])?;
        let own = |line: &&str| !line.contains("proto kernel");
        all.extend(rules.lines().filter(own).map(|line| format!("{family} {}", line.trim())));
    }
    all.sort();
    Ok(all)
}

fn has(host: &Host, what: &str) -> bool {
    tables(host).is_ok_and(|all| all.iter().any(|line| line.contains(what)))
}

/// Every kind of line that this kernel takes.
const ROUTING: &str = "virtual_routes {
        10.20.0.0/16 via 10.78.0.2 dev eth0
        10.21.0.0/16 via 10.78.0.2 src 10.78.9.9 metric 7
        10.22.0.0/16 via 10.78.0.2 table 77 mtu lock 1300 advmss 1200 rto_min 300ms initcwnd 12 quickack 1
        10.23.0.0/16 dev eth0 scope link tos 0x10
        10.24.0.0/16 nexthop via 10.78.0.2 dev eth0 weight 3 nexthop via 10.78.0.3 dev eth0 weight 1
        10.25.0.0/16 via 192.0.2.1 dev eth0 onlink realms 3/4
        blackhole 10.26.0.0/16
        unreachable 10.27.0.0/16 metric 9
        prohibit 10.28.0.0/16 table 1000
        default via 10.78.0.9 table 78 window 8192 cwnd lock 20 reordering 4 congctl reno
        fd20::/64 via fd78::2 dev eth0 metric 5
        fd21::/64 via fd78::2 dev eth0 metric 6 table 77 mtu 1400 pref high
        blackhole fd22::/64 metric 8
    }
    virtual_rules {
        from 10.30.0.0/16 table 77 priority 100
        to 10.31.0.0/16 tos 0x10 lookup 78 priority 101
        from 10.32.0.0/16 fwmark 5/0xff iif eth0 table 77 priority 102
        not from 10.33.0.0/16 oif eth0 lookup 1000 priority 103 suppress_prefixlength 8
        from 10.34.0.0/16 uidrange 10-20 ipproto tcp sport 10-20 dport 443-444 blackhole priority 104
        from 10.35.0.0/16 goto 200 priority 105
        from 10.36.0.0/16 unreachable priority 200
        from 10.37.0.0/16 table 77 realms 5/6 priority 106
        from fd30::/64 table 77 priority 107
        to fd31::/64 prohibit priority 108
    }";

#[test]
fn routes_and_rules_of_a_master_are_those_that_keepalived_makes() -> Result<()> {
    let lab = Lab::new("routes")?;
    let (_lan, hosts) = lab.routers(1)?;
    let apart = lab.bridge("apart")?;
    let other = lab.host("other")?;
    other.plug("eth0", &apart)?.address("eth0", "10.78.0.1/16")?.address("eth0", "fd78::1/64")?;
    let before = tables(&hosts[0])?;
    ensure!(before == tables(&other)?, "the hosts differ from the start: {before:?}");
    let mut theirs = Keepalived::start(&other, &instance(ROUTING), &[])?;
    theirs.process().wait_for_log("Entering MASTER STATE", wait::LONG)?;
    let mut ours = start(&hosts[0], &instance(ROUTING))?;
    ours.wait_for_log("Entering MASTER STATE")?;
    let settled = |host: &Host| tables(host).is_ok_and(|all| all.len() > before.len() + 20);
    wait::until("keepalived has set all", wait::LONG, || settled(&other))?;
    wait::until("keepwatch has set all", wait::LONG, || tables(&hosts[0]).ok() == tables(&other).ok())
        .map_err(|_| {
            let all = (tables(&hosts[0]).unwrap_or_default(), tables(&other).unwrap_or_default());
            let ours_only: Vec<_> = all.0.iter().filter(|line| !all.1.contains(line)).collect();
            let theirs_only: Vec<_> = all.1.iter().filter(|line| !all.0.contains(line)).collect();
            let log = ours.process().log();
            anyhow::anyhow!("only ours: {ours_only:#?}\nonly keepalived's: {theirs_only:#?}\n{log}")
        })?;
    ours.wait_for_control()?;
    ensure!(ours.metric("keepwatch_routing_entries", &["VI_1"]) == Some(23.0), "{}", ours.process().log());
    ours.process_mut().stop(wait::LONG)?;
    theirs.process_mut().stop(wait::LONG)?;
    ensure!(tables(&hosts[0])? == before, "left behind: {:?}", tables(&hosts[0])?);
    Ok(())
}

/// Packets that are wrapped, several ways and rules of VRFs; what ends by itself has a life of its own below.
const WRAPPED: &str = "virtual_routes {
        10.40.0.0/16 encap ip id 7 dst 10.78.0.5 src 10.78.0.1 tos 16 ttl 20 dev eth0
        10.41.0.0/16 encap ip6 id 7 dst fd78::5 src fd78::1 tc 16 hoplimit 20 dev eth0
        fd40::/64 encap ip6 dst fd78::5 dev eth0 metric 4
        10.42.0.0/16 nexthop via 10.78.0.2 dev eth0 weight 3 nexthop via 192.0.2.3 dev eth0 onlink
        fd42::/64 metric 6 nexthop via fd78::5 dev eth0 weight 2 nexthop via fd78::6 dev eth0 weight 255
    }
    virtual_rules {
        from 10.43.0.0/16 l3mdev priority 98
        l3mdev priority 99
        from fd43::/64 l3mdev priority 97
    }";

#[test]
fn wrapped_packets_several_ways_and_rules_of_vrfs_are_those_that_keepalived_makes() -> Result<()> {
    let lab = Lab::new("wrapped")?;
    let (_lan, hosts) = lab.routers(1)?;
    let apart = lab.bridge("apart")?;
    let other = lab.host("other")?;
    other.plug("eth0", &apart)?.address("eth0", "10.78.0.1/16")?.address("eth0", "fd78::1/64")?;
    let before = tables(&hosts[0])?;
    let mut theirs = Keepalived::start(&other, &instance(WRAPPED), &[])?;
    wait::until("keepalived has set all", wait::LONG, || {
        has(&other, "fd42::/64") && has(&other, "10.42.0.0/16") && has(&other, "97:")
    })?;
    let mut ours = start(&hosts[0], &instance(WRAPPED))?;
    wait::until("keepwatch has set all", wait::LONG, || tables(&hosts[0]).ok() == tables(&other).ok())
        .map_err(|_| anyhow::anyhow!("{:#?}, keepalived {:#?}", tables(&hosts[0]), tables(&other)))?;
    for part in ["encap ip id 7 src 10.78.0.1 dst 10.78.0.5 ttl 20 tos 16", "weight 255", "[l3mdev-table]"] {
        ensure!(has(&hosts[0], part), "{part} is not in {:#?}", tables(&hosts[0])?);
    }
    for daemon in [ours.process_mut(), theirs.process_mut()] {
        daemon.stop(wait::LONG)?;
    }
    ensure!(tables(&hosts[0])? == before, "left behind: {:?}", tables(&hosts[0])?);
    Ok(())
}

#[test]
fn each_of_several_ways_wraps_packets_in_its_own_way() -> Result<()> {
    let lab = Lab::new("ways")?;
    let (_lan, hosts) = lab.routers(1)?;
    let routes = "virtual_routes {
        10.45.0.0/16 nexthop encap ip id 8 dst 10.78.0.6 via 10.78.0.2 dev eth0 nexthop encap ip id 9 dst 10.78.0.7 via 10.78.0.3 dev eth0
    }";
    let _daemon = start(&hosts[0], &instance(routes))?;
    for way in ["encap ip id 8", "encap ip id 9"] {
        wait::until(way, wait::LONG, || has(&hosts[0], way))?;
    }
    Ok(())
}

/// The kernel's own clean-up may take away an expired route half a minute later; from the end on it leads nowhere.
#[test]
fn a_route_that_has_lived_its_time_is_left_to_the_kernel() -> Result<()> {
    let lab = Lab::new("expires")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    let routes = "virtual_routes {
        fd46::/64 via fd78::5 dev eth0 metric 5 expires 100
        fd47::/64 via fd78::5 dev eth0 metric 5 expires 1
        10.20.0.0/16 via 10.78.0.2
    }";
    host.inside(|| Ok(fs::write("/proc/sys/net/ipv6/route/gc_interval", "1")?))?;
    let mut daemon = start(host, &instance(routes))?;
    wait::until("they are there", wait::LONG, || has(host, "fd46::/64") && has(host, "10.20.0.0/16"))?;
    let left = || -> Option<u32> {
        let all = host.run("ip", &["-6", "route", "show", "fd46::/64"]).ok()?;
        let after = all.split("expires ").nth(1)?;
        after.split("sec").next()?.parse().ok()
    };
    ensure!(left().is_some_and(|left| left > 0 && left <= 100), "{:?}", left());
    wait::until("a second of it is over", wait::LONG, || left().is_some_and(|left| left < 99))?;
    let lived = left();
    // What makes the daemon look after its entries does not begin their lives anew.
    host.run("ip", &["route", "del", "10.20.0.0/16"])?;
    daemon.wait_for_log("route 10.20.0.0/16 via 10.78.0.2 was removed by someone")?;
    ensure!(left().is_some() && left() <= lived, "{lived:?} s were left, and now {:?}", left());
    let leads =
        || host.run("ip", &["-6", "route", "get", "fd47::9"]).is_ok_and(|way| way.contains("fd78::5"));
    wait::until("the short-lived one leads nowhere", wait::LONG, || !leads())?;
    wait::until("the kernel has taken it away", Duration::from_secs(120), || !has(host, "fd47::/64"))?;
    host.run("ip", &["route", "del", "10.20.0.0/16"])?;
    wait::until("the other is put back", wait::LONG, || has(host, "10.20.0.0/16"))?;
    let log = daemon.process().log();
    ensure!(!has(host, "fd47::/64") && log.matches("Entering").count() == 2, "{log}");
    ensure!(!log.contains("fd47::/64 via fd78::5 dev eth0 metric 5 was removed"), "{log}");
    daemon.process_mut().stop(wait::LONG)?;
    ensure!(!has(host, "fd4"), "left behind: {:?}", tables(host)?);
    Ok(())
}

#[test]
fn ipv6_routes_without_a_metric_go_with_the_mastership() -> Result<()> {
    let lab = Lab::new("metricless")?;
    let (_lan, hosts) = lab.routers(2)?;
    let routes = "virtual_routes {
        fd20::/64 via fd78::7 dev eth0
        fd21::/64 dev eth0
        blackhole fd22::/64
    }";
    let daemon = start(&hosts[0], &instance(routes))?;
    wait::until("they are there", wait::LONG, || {
        ["fd20::/64", "fd21::/64", "blackhole fd22::/64"].iter().all(|route| has(&hosts[0], route))
    })?;
    let better = Instance::new("VI_1").vip(VIP).interval("0.1").priority(200).line("version 3").to_string();
    let _better = start(&hosts[1], &better)?;
    daemon.wait_for_log("Entering BACKUP STATE\n")?;
    wait::until("they are gone", wait::LONG, || !has(&hosts[0], "fd2"))
}

#[test]
fn one_reload_changes_what_a_line_says_and_leaves_nothing_of_the_old() -> Result<()> {
    let lab = Lab::new("altered")?;
    let (_lan, hosts) = lab.routers(1)?;
    hosts[0].address("eth0", "10.78.0.5/16")?;
    let lines = [
        "10.20.0.0/16 via 10.78.0.2",
        "10.20.0.0/16 via 10.78.0.2 src 10.78.0.5",
        "10.20.0.0/16 via 10.78.0.2 src 10.78.9.9",
        "10.20.0.0/16 via 10.78.0.2 src 10.78.9.9 metric 5",
        "10.20.0.0/16 via 10.78.0.3 src 10.78.9.9 metric 5",
        "10.20.0.0/16 via 10.78.0.3 src 10.78.9.9 metric 5 table 77",
        "10.20.0.0/16 via 10.78.0.3 table 77",
        "10.20.0.0/16 via 10.78.0.3 table 77 mtu 1300",
        "10.20.0.0/16 via 10.78.0.3 table 77 mtu 1200",
        "blackhole 10.20.0.0/16 table 77",
        "fd20::/64 via fd78::2 dev eth0",
        "fd20::/64 via fd78::2 dev eth0 src fd78::1",
        "fd20::/64 via fd78::3 dev eth0",
        "fd20::/64 via fd78::3 dev eth0 metric 7",
    ];
    let with = |line: &str| instance(&format!("virtual_routes {{\n {line}\n }}"));
    let daemon = start(&hosts[0], &with(lines[0]))?;
    wait::until("the first is there", wait::LONG, || has(&hosts[0], "10.20.0.0/16"))?;
    let rules = tables(&hosts[0])?.len() - 1;
    for line in &lines[1..] {
        reload(&daemon, &with(line))?;
        // The words of the line that `ip` writes too.
        let words: Vec<&str> = line.split_whitespace().collect();
        let same =
            |text: &String| words.iter().all(|word| text.split_whitespace().any(|other| other == *word));
        wait::until(&format!("`{line}` alone is there"), wait::SHORT, || {
            tables(&hosts[0]).is_ok_and(|all| all.len() == rules + 1 && all.iter().any(same))
        })
        .map_err(|error| anyhow::anyhow!("{error}: {:#?}\n{}", tables(&hosts[0]), daemon.process().log()))?;
    }
    let log = daemon.process().log();
    ensure!(log.matches("Entering MASTER").count() == 1, "{log}");
    Ok(())
}

#[test]
fn what_somebody_removes_is_put_back_and_told_but_for_what_is_not_tracked() -> Result<()> {
    let lab = Lab::new("removed")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    let config = format!(
        "static_ipaddress {{\n 10.79.0.1/24 dev eth0\n }}\nstatic_routes {{\n 10.50.0.0/16 via 10.79.0.9 dev eth0\n }}\n\
         static_rules {{\n from 10.51.0.0/16 table 77 priority 300\n }}\n{}",
        instance(
            "virtual_routes {\n 10.20.0.0/16 via 10.78.0.2\n 10.21.0.0/16 via 10.78.0.2 no_track\n }\n \
             virtual_rules {\n from 10.30.0.0/16 table 77 priority 100\n }"
        )
    );
    let mut daemon = start(host, &config)?;
    daemon.wait_for_log("(VI_1) setting rule 100")?;
    let log = daemon.process().log();
    let at = |text: &str| log.find(text).unwrap_or(usize::MAX);
    ensure!(at("static setting address 10.79.0.1/24") < at("(VI_1) Entering BACKUP STATE (init)"), "{log}");
    for (removed, told) in [
        (
            vec!["route", "del", "10.20.0.0/16"],
            "(VI_1) route 10.20.0.0/16 via 10.78.0.2 was removed by someone; put back after",
        ),
        (
            vec!["rule", "del", "priority", "100"],
            "(VI_1) rule 100: from 10.30.0.0/16 lookup 77 was removed by someone",
        ),
        (
            vec!["route", "del", "10.50.0.0/16"],
            "static route 10.50.0.0/16 via 10.79.0.9 dev eth0 was removed by someone",
        ),
        (
            vec!["rule", "del", "priority", "300"],
            "static rule 300: from 10.51.0.0/16 lookup 77 was removed by someone",
        ),
        (
            vec!["addr", "del", "10.79.0.1/24", "dev", "eth0"],
            "static address 10.79.0.1/24 dev eth0 was removed by someone",
        ),
        (
            vec!["addr", "del", "10.78.9.9/16", "dev", "eth0"],
            "(VI_1) VIP 10.78.9.9/16 was removed from eth0 by someone; put back after",
        ),
    ] {
        host.run("ip", &removed)?;
        daemon.wait_for_log(told)?;
    }
    for there in ["10.20.0.0/16", "10.30.0.0/16", "10.50.0.0/16", "10.51.0.0/16"] {
        wait::until(&format!("{there} is there"), wait::SHORT, || has(host, there))?;
    }
    ensure!(host.has("eth0", "10.79.0.1") && host.has("eth0", VIP));
    host.run("ip", &["route", "del", "10.21.0.0/16"])?;
    host.run("ip", &["route", "del", "10.20.0.0/16"])?;
    wait::until("the other is put back", wait::LONG, || has(host, "10.20.0.0/16"))?;
    ensure!(!has(host, "10.21.0.0/16"), "what is not tracked was put back");
    daemon.wait_for_control()?;
    let restored = || daemon.metric("keepwatch_routing_restored_total", &["VI_1"]);
    wait::until("the metric says so", wait::LONG, || restored() >= Some(3.0))?;
    // An interface that goes takes routes along without a word (IPv4); they come back with it.
    host.down("eth0")?;
    daemon.wait_for_log("Entering FAULT STATE")?;
    host.up("eth0")?;
    for there in ["10.20.0.0/16", "10.21.0.0/16", "10.50.0.0/16"] {
        wait::until(&format!("{there} is back"), wait::LONG, || has(host, there))?;
    }
    daemon.process_mut().stop(wait::LONG)?;
    ensure!(!host.has("eth0", "10.79.0.1") && !has(host, "10."), "left behind: {:?}", tables(host)?);
    Ok(())
}

#[test]
fn a_route_that_can_t_be_set_is_told_of_and_set_when_it_can_be() -> Result<()> {
    let lab = Lab::new("unreachable")?;
    let (_lan, hosts) = lab.routers(1)?;
    let daemon = start(&hosts[0], &instance("virtual_routes {\n 10.20.0.0/16 via 10.99.0.2\n }"))?;
    daemon.wait_for_log("(VI_1) can't add route 10.20.0.0/16 via 10.99.0.2: ")?;
    daemon.wait_for_control()?;
    wait::until("the status names it", wait::LONG, || {
        daemon
            .answer(&["status"])
            .is_ok_and(|s| s.contains("VI_1: route 10.20.0.0/16 via 10.99.0.2 is not there"))
    })?;
    ensure!(daemon.answer(&["why", "VI_1"])?.contains("without route 10.20.0.0/16 via 10.99.0.2 ("));
    hosts[0].address("eth0", "10.99.0.1/24")?;
    wait::until("it is set", wait::LONG, || has(&hosts[0], "10.20.0.0/16"))
}

#[test]
fn what_a_killed_run_left_goes_at_the_next_start_of_a_backup() -> Result<()> {
    let lab = Lab::new("killed")?;
    let (_lan, hosts) = lab.routers(2)?;
    let config = instance(
        "virtual_routes {\n 10.20.0.0/16 via 10.78.0.2\n }\n virtual_rules {\n from 10.30.0.0/16 table 77 priority 100\n }",
    );
    let mut killed = start(&hosts[0], &config)?;
    killed.wait_for_log("(VI_1) setting rule 100")?;
    killed.process_mut().kill();
    ensure!(has(&hosts[0], "10.20.0.0/16") && has(&hosts[0], "10.30.0.0/16"), "nothing was left");
    let better =
        Instance::new("VI_1").vip(&format!("{VIP}/16")).interval("0.1").priority(200).line("version 3");
    let better = start(&hosts[1], &better.to_string())?;
    better.wait_for_log("Entering MASTER STATE")?;
    let _again = start(&hosts[0], &config)?;
    wait::until("it is gone", wait::LONG, || {
        !has(&hosts[0], "10.20.0.0/16") && !has(&hosts[0], "10.30.0.0/16")
    })
}

#[test]
fn names_are_those_of_the_directories_that_are_named() -> Result<()> {
    let lab = Lab::new("names")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    let directory = |name: &str, file: &str, text: &str| -> Result<String> {
        let directory = host.directory().join(name);
        fs::create_dir_all(&directory)?;
        fs::write(directory.join(file), text)?;
        Ok(directory.display().to_string())
    };
    let etc = directory("etc", "rt_tables", "4321 blue\n")?;
    let usr = directory("usr", "rt_realms", "9 far\n")?;
    directory("usr", "rt_tables", "4322 blue\n")?;
    let global = format!("global_defs {{\n iproute_etc_dir {etc}\n iproute_usr_dir {usr}\n}}\n");
    let routing = "virtual_routes {\n 10.20.0.0/16 via 10.78.0.2 table blue realms far\n }";
    let daemon = start(host, &format!("{}{global}", instance(routing)))?;
    daemon.wait_for_log("Entering MASTER STATE")?;
    wait::until("it is in the table of that name", wait::LONG, || {
        has(host, "10.20.0.0/16 via 10.78.0.2 dev eth0 table 4321") && has(host, "realm 9")
    })
}

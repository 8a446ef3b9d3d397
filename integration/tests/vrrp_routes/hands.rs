//! What somebody else does to whole tables, and what of somebody else stands beside: rules and routes of the host.

use std::process::{Command, Stdio};

use super::*;

const BOTH: &str = "virtual_routes {
        10.20.0.0/16 via 10.78.0.2 table 77
        10.21.0.0/16 via 10.78.0.2
        fd20::/64 via fd78::2 dev eth0 table 77
    }
    virtual_rules {
        from 10.30.0.0/16 table 77 priority 100
        from fd30::/64 table 77 priority 101
    }";

const STATICS: &str = "static_ipaddress {
        10.79.0.1/24 dev eth0
    }
    static_routes {
        10.50.0.0/16 via 10.79.0.9 dev eth0 table 88
    }
    static_rules {
        from 10.51.0.0/16 table 88 priority 300
    }
";

/// The lines of the host's own rules, which are not of a kernel's new namespace.
fn rules(host: &Host, family: &str) -> Vec<String> {
    let all = host.run("ip", &["-d", family, "rule", "show"]).unwrap_or_default();
    all.lines().map(|line| line.trim().to_owned()).collect()
}

fn entries() -> [&'static str; 7] {
    [
        "10.20.0.0/16",
        "10.21.0.0/16",
        "fd20::/64",
        "from 10.30.0.0/16",
        "from fd30::/64",
        "10.50.0.0/16",
        "10.51.0.0/16",
    ]
}

#[test]
fn whole_tables_that_somebody_flushes_are_filled_again_and_mastership_is_kept() -> Result<()> {
    let lab = Lab::new("flushed")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    let mut daemon = start(host, &format!("{STATICS}{}", instance(BOTH)))?;
    let complete = |what: &str| {
        wait::until(what, wait::LONG, || {
            entries().iter().all(|entry| has(host, entry)) && host.has("eth0", VIP)
        })
        .map_err(|error| anyhow::anyhow!("{error}: {:#?}\n{}", tables(host), daemon.process().log()))
    };
    complete("all is there")?;
    daemon.wait_for_control()?;
    for (flush, told) in [
        (vec!["rule", "flush"], "(VI_1) rule 100: from 10.30.0.0/16 lookup 77 was removed by someone"),
        (vec!["-6", "rule", "flush"], "(VI_1) rule 101: from fd30::/64 lookup 77 was removed by someone"),
        (
            vec!["route", "flush", "table", "77"],
            "(VI_1) route 10.20.0.0/16 via 10.78.0.2 table 77 was removed by someone",
        ),
        (
            vec!["-6", "route", "flush", "table", "77"],
            "(VI_1) route fd20::/64 via fd78::2 dev eth0 table 77 was removed by someone",
        ),
        (
            vec!["route", "flush", "table", "88"],
            "static route 10.50.0.0/16 via 10.79.0.9 dev eth0 table 88 was removed by someone",
        ),
        (
            vec!["route", "flush", "proto", "18"],
            "(VI_1) route 10.21.0.0/16 via 10.78.0.2 was removed by someone",
        ),
    ] {
        host.run("ip", &flush)?;
        daemon.wait_for_log(told)?;
        if flush.contains(&"rule") {
            // It takes the kernel's own along, but for that of priority 0; gateways are not found without. Whoever flushed
            // them puts them back.
            let family = if flush[0] == "-6" { "-6" } else { "-4" };
            host.run("ip", &[family, "rule", "add", "priority", "32766", "table", "main"])?;
            wait::until("nothing is told as missing", wait::LONG, || {
                daemon.answer(&["status"]).is_ok_and(|status| !status.contains("is not there"))
            })?;
        }
        complete(&format!("after `ip {}` all is there", flush.join(" ")))?;
    }
    let log = daemon.process().log();
    ensure!(log.matches("Entering").count() == 2, "{log}");
    daemon.process_mut().stop(wait::LONG)?;
    ensure!(!entries().iter().any(|entry| has(host, entry)), "left behind: {:#?}", tables(host)?);
    Ok(())
}

/// `ip addr flush` takes the address to speak from along: a fault, until the host has one again.
#[test]
fn all_addresses_of_an_interface_may_go_and_come_back() -> Result<()> {
    let lab = Lab::new("addr-flush")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    let daemon = start(host, &format!("{STATICS}{}", instance(BOTH)))?;
    wait::until("all is there", wait::LONG, || entries().iter().all(|entry| has(host, entry)))?;
    host.run("ip", &["addr", "flush", "dev", "eth0"])?;
    daemon.wait_for_log("Entering FAULT STATE")?;
    wait::until("it takes its own along", wait::LONG, || {
        !has(host, "10.30.0.0/16") && !host.has("eth0", VIP)
    })?;
    host.address("eth0", "10.78.0.1/16")?.address("eth0", "fd78::1/64")?;
    wait::until("all is back", wait::LONG, || {
        entries().iter().all(|entry| has(host, entry))
            && host.has("eth0", VIP)
            && host.has("eth0", "10.79.0.1")
    })
    .map_err(|error| anyhow::anyhow!("{error}: {:#?}\n{}", tables(host), daemon.process().log()))
}

/// The kernel takes a second copy of a rule, and has no word of its own for whose one is: a run after one that was killed makes
/// no copies, and takes none away that is somebody else's.
#[test]
fn rules_are_there_once_whoever_was_killed_and_those_of_others_stay() -> Result<()> {
    let lab = Lab::new("copies")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    let other = ["from", "10.30.0.0/16", "table", "77", "priority", "100"];
    host.run("ip", &[&["rule", "add"], &other[..], &["protocol", "static"]].concat())?;
    host.run("ip", &["route", "add", "10.21.0.0/16", "via", "10.78.0.3", "metric", "9", "proto", "static"])?;
    host.run("ip", &["route", "add", "10.20.0.0/16", "via", "10.78.0.3", "table", "77", "metric", "9"])?;
    // With it a route comes.
    wait::until("the address of the interface's own can be used", wait::LONG, || {
        let own = host.run("ip", &["-6", "-o", "address", "show", "dev", "eth0", "scope", "link"]);
        own.is_ok_and(|own| !own.is_empty() && !own.contains("tentative"))
    })?;
    let before = (rules(host, "-4"), host.run("ip", &["route", "show", "table", "all"])?);
    let config = format!("{STATICS}{}", instance(BOTH));
    let count = || rules(host, "-4").iter().filter(|line| line.contains("10.30.0.0/16")).count();
    let mut daemon = start(host, &config)?;
    wait::until("its own stands beside", wait::LONG, || {
        count() == 2 && has(host, "10.21.0.0/16 via 10.78.0.2")
    })
    .map_err(|error| anyhow::anyhow!("{error}: {:#?}\n{}", rules(host, "-4"), daemon.process().log()))?;
    for _ in 0..2 {
        daemon.process_mut().kill();
        daemon = start(host, &config)?;
        daemon.wait_for_log("(VI_1) Entering MASTER STATE")?;
        daemon.wait_for_log("(VI_1) adopting rule 100")?;
        wait::until("all is there", wait::LONG, || entries().iter().all(|entry| has(host, entry)))?;
        ensure!(count() == 2, "{:#?}", rules(host, "-4"));
        let statics = rules(host, "-4").iter().filter(|line| line.contains("10.51.0.0/16")).count();
        ensure!(statics == 1, "{:#?}", rules(host, "-4"));
    }
    // Also what a killed run had set of static entries goes at the stop.
    daemon.process_mut().stop(wait::LONG)?;
    let after = (rules(host, "-4"), host.run("ip", &["route", "show", "table", "all"])?);
    ensure!(after == before && !host.has("eth0", "10.79.0.1"), "{before:#?} {after:#?}");
    Ok(())
}

#[test]
fn a_reload_changes_static_entries_and_leaves_those_that_stay_alone() -> Result<()> {
    let lab = Lab::new("statics")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    let block = instance("");
    let daemon = start(host, &format!("{STATICS}{block}"))?;
    wait::until("they are there", wait::LONG, || {
        has(host, "10.50.0.0/16") && has(host, "10.51.0.0/16") && host.has("eth0", VIP)
    })?;
    let monitor = host.spawn("monitor", "ip", &["-o", "monitor", "route", "rule", "address"])?;
    wait::until("the monitor listens", wait::LONG, || {
        let probe = ["192.0.2.1/32", "dev", "lo"];
        let _ = host.run("ip", &[&["addr", "add"], &probe[..]].concat());
        let _ = host.run("ip", &[&["addr", "del"], &probe[..]].concat());
        monitor.log().contains("192.0.2.1")
    })?;
    let changed = STATICS
        .replace(
            "10.50.0.0/16 via 10.79.0.9 dev eth0 table 88",
            "10.50.0.0/16 via 10.79.0.8 dev eth0 table 88\n 10.52.0.0/16 via 10.79.0.9 dev eth0",
        )
        .replace("10.79.0.1/24 dev eth0", "10.79.0.1/24 dev eth0\n 10.80.0.1/24 dev eth0");
    reload(&daemon, &format!("{changed}{block}"))?;
    wait::until("the new ones are there", wait::LONG, || {
        has(host, "10.50.0.0/16 via 10.79.0.8") && has(host, "10.52.0.0/16") && host.has("eth0", "10.80.0.1")
    })?;
    ensure!(!has(host, "10.79.0.9 dev eth0 table 88"), "{:#?}", tables(host)?);
    reload(&daemon, &format!("{}{block}", STATICS.replace("from 10.51.0.0/16", "from 10.53.0.0/16")))?;
    wait::until("as before, but for the rule", wait::LONG, || {
        has(host, "10.50.0.0/16 via 10.79.0.9")
            && has(host, "10.53.0.0/16")
            && !["10.51.0.0/16", "10.52.0.0/16"].iter().any(|gone| has(host, gone))
            && !host.has("eth0", "10.80.0.1")
    })
    .map_err(|error| anyhow::anyhow!("{error}: {:#?}\n{}", tables(host), daemon.process().log()))?;
    let touched = |what: &str| monitor.log().lines().any(|line| line.contains(what));
    ensure!(!touched("10.79.0.1/24") && !touched(VIP), "{}", monitor.log());
    let log = daemon.process().log();
    ensure!(log.matches("Entering MASTER").count() == 1, "{log}");
    Ok(())
}

/// A virtual router's own priorities of rules that name none, and tables that nobody knows, are said where they stand.
#[test]
fn what_a_rule_or_a_route_leaves_open_is_said() -> Result<()> {
    let lab = Lab::new("open")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    let judged = |lines: &str| -> Result<(Option<i32>, String)> {
        let path = host.file("open.conf", &instance(lines))?;
        let program = integration::binaries::path("keepwatchd")?;
        let output = host.output(program, &["-t", "-f", &path.to_string_lossy()])?;
        let text = [output.stdout, output.stderr].concat();
        Ok((output.status.code(), String::from_utf8_lossy(&text).into_owned()))
    };
    for (lines, status, said) in [
        ("virtual_rules {\n from 10.30.0.0/16 table 77\n }", 5, "16384"),
        ("virtual_routes {\n 10.20.0.0/16 via 10.78.0.2 table named\n }", 5, "named"),
        ("virtual_rules {\n from 10.30.0.0/16 table 0 priority 7\n }", 5, "0"),
    ] {
        let (code, text) = judged(lines)?;
        println!("{code:?} {text}");
        ensure!(code == Some(status) && text.contains(said), "{lines}: {code:?} {text}");
    }
    let _daemon = start(
        host,
        &instance("virtual_rules {\n from 10.30.0.0/16 table 77\n from 10.31.0.0/16 table 77\n }"),
    )?;
    for line in ["16384:\tfrom 10.30.0.0/16", "16383:\tfrom 10.31.0.0/16"] {
        wait::until(line, wait::LONG, || rules(host, "-4").iter().any(|rule| rule.starts_with(line)))?;
    }
    Ok(())
}

/// Nothing says whose it is, so nothing is taken away, and it is said once; not where another daemon runs, whose it is.
#[test]
fn what_a_killed_run_left_and_the_next_does_not_want_is_told() -> Result<()> {
    const SAID: &str = "Left behind, it seems, by a program that was killed";
    let lab = Lab::new("left-told")?;
    let (_lan, hosts) = lab.routers(2)?;
    let host = &hosts[0];
    let all = format!("{STATICS}{}", instance(BOTH));
    let mut killed = start(host, &all)?;
    wait::until("all is there", wait::LONG, || {
        entries().iter().all(|entry| has(host, entry)) && host.has("eth0", VIP)
    })?;
    killed.process_mut().kill();
    let mut again = start(host, &all)?;
    again.wait_for_log("Entering MASTER STATE")?;
    ensure!(!again.process().log().contains(SAID), "it is wanted: {}", again.process().log());
    again.process_mut().kill();
    // Neither one that runs in another network nor one that has ended, for which its parent has not asked, runs here.
    let elsewhere = Instance::new("VI_7").vrid(57).vip("10.78.9.5").interval("0.1").line("version 3");
    let elsewhere = Keepalived::start(&hosts[1], &elsewhere.to_string(), &[])?;
    wait::until("keepalived serves elsewhere", wait::LONG, || hosts[1].has("eth0", "10.78.9.5"))?;
    let mut ended = Command::new("keepalived").arg("--version").stderr(Stdio::null()).spawn()?;
    wait::until("it has ended", wait::LONG, || {
        std::fs::read_link(format!("/proc/{}/exe", ended.id())).is_err()
    })?;
    let other = Instance::new("VI_9").vrid(59).vip("10.78.9.7").interval("0.1").line("version 3");
    // Whatever it is called.
    let names = "global_defs {\n process_name other\n vrrp_process_name other_vrrp\n}\n";
    let mut next = start(host, &format!("{names}{other}"))?;
    next.wait_for_log(SAID)?;
    let log = next.process().log();
    let said: Vec<&str> = log.lines().filter(|line| line.contains(SAID)).collect();
    for what in [
        &*format!("address {VIP}/16 dev eth0"),
        "address 10.79.0.1/24 dev eth0",
        " route 10.20.0.0/16 table 77",
        " -6 route fd20::/64 table 77",
        " route 10.50.0.0/16 table 88",
        " rule 300",
    ] {
        ensure!(said.len() == 1 && said[0].contains(what), "{what}: {said:?}");
    }
    // Another daemon beside that one does not know whose it is.
    let third = Instance::new("VI_8").vrid(58).vip("10.78.9.6").interval("0.1").line("version 3");
    let third = Keepwatchd::beside(host, &third.to_string())?;
    wait::until("it serves", wait::LONG, || host.has("eth0", "10.78.9.6"))?;
    ensure!(!third.log().contains(SAID), "{}", third.log());
    next.process_mut().stop(wait::LONG)?;
    ensure!(host.has("eth0", VIP) && has(host, "10.50.0.0/16"), "it was taken away");
    ended.wait()?;
    drop(elsewhere);
    Ok(())
}

/// Routes of one network that differ in nothing by which the kernel tells them apart: which is used depends on their order,
/// and with IPv6 they are ways of one route.
#[test]
fn beside_a_route_of_somebody_else_ours_is_where_keepalived_s_is() -> Result<()> {
    let lab = Lab::new("order")?;
    let (_lan, hosts) = lab.routers(1)?;
    let host = &hosts[0];
    host.run("ip", &["route", "add", "10.20.0.0/16", "via", "10.78.0.3", "metric", "5", "proto", "static"])?;
    host.run("ip", &["-6", "route", "add", "fd20::/64", "via", "fd78::3", "metric", "5", "proto", "static"])?;
    let shown = || -> Result<Vec<String>> {
        let of = |family, network| host.run("ip", &[family, "route", "show", network]);
        let all = of("-4", "10.20.0.0/16")? + &of("-6", "fd20::/64")?;
        Ok(all.split_whitespace().map(ToOwned::to_owned).collect())
    };
    let before = shown()?;
    for word in ["", "append", "prepend"] {
        let routes = format!(
            "virtual_routes {{\n {word} 10.20.0.0/16 via 10.78.0.2 metric 5\n \
             {word} fd20::/64 via fd78::2 dev eth0 metric 5\n 10.21.0.0/16 via 10.78.0.2\n }}"
        );
        let config = instance(&routes);
        let there =
            || has(host, "10.21.0.0/16") && shown().is_ok_and(|all| all.contains(&"fd78::2".to_owned()));
        let mut theirs = Keepalived::start(host, &config, &[])?;
        wait::until(&format!("keepalived, {word}"), wait::LONG, there)
            .map_err(|error| anyhow::anyhow!("{error}: {:?} {}", shown(), theirs.process().log()))?;
        let expected = shown()?;
        theirs.process_mut().stop(wait::LONG)?;
        wait::until("the other's are as before", wait::LONG, || shown().is_ok_and(|all| all == before))
            .map_err(|error| anyhow::anyhow!("{error}: {:?}, before {before:?}", shown()))?;
        let mut ours = start(host, &config)?;
        wait::until(&format!("keepwatchd, {word}"), wait::LONG, there)
            .map_err(|error| anyhow::anyhow!("{error}: {:?} {}", shown(), ours.process().log()))?;
        ensure!(shown()? == expected, "{word}: {:?}, keepalived {expected:?}", shown()?);
        // What makes the daemon look after its entries makes no second one.
        host.run("ip", &["route", "del", "10.21.0.0/16"])?;
        ours.wait_for_log("(VI_1) route 10.21.0.0/16 via 10.78.0.2 was removed by someone")?;
        ensure!(shown()? == expected, "{word}: {:?}, before {expected:?}", shown()?);
        ours.process_mut().stop(wait::LONG)?;
        ensure!(shown()? == before, "{word}: {:?}, before {before:?}", shown()?);
    }
    Ok(())
}

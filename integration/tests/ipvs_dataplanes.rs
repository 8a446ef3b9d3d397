//! The data planes without IPVS in the kernel: `memory`, where everything is as if, `shadow`, which only says what it
//! would do, and `ipvs` on a kernel that has none and refuses everything. The checks are real in all of them.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use integration::{
    Host, Instance, Lab, capture::now, conf::TWO_SERVERS, keepwatchd::Keepwatchd, metronome::Metronome,
    pair::OURS, wait, web::WebServer,
};
use keepwatch_ipvs::Kernel;
use nix::sys::signal::Signal;

fn director(host: &Host, dataplane: &str) -> Result<Keepwatchd> {
    Keepwatchd::on(host).config(TWO_SERVERS).flags(&["--check", "--dataplane", dataplane]).start()
}

#[test]
fn in_memory_servers_die_and_come_back_and_a_reload_raises_no_dead() -> Result<()> {
    let lab = Lab::new("dataplane-memory")?;
    let host = lab.host("director")?;
    let (two, _three) = (WebServer::of_two(&host, 2)?, WebServer::of_two(&host, 3)?);
    let mut daemon = director(&host, "memory")?;
    daemon.wait_for_log("TCP connection to [127.0.0.2]:tcp:8080 success.")?;
    daemon.wait_for_log("TCP connection to [127.0.0.3]:tcp:8080 success.")?;

    drop(two);
    daemon.wait_for_log("Removing service [127.0.0.2]:tcp:8080 from VS [10.78.9.9]:tcp:80")?;
    let why = daemon.answer(&["why", "127.0.0.2:8080"])?;
    in_order(
        &why,
        &["connection refused", "[127.0.0.2]:tcp:8080 of VS [10.78.9.9]:tcp:80 is down", "Removing service"],
    )?;

    // Another weight for the one that lives: the dead one stays out.
    fs::write(daemon.config_path(), TWO_SERVERS.replace("weight 3", "weight 4"))?;
    daemon.process().signal(Signal::SIGHUP)?;
    daemon.wait_for_log("Changing weight from 3 to 4 for active service [127.0.0.3]:tcp:8080")?;
    let log = daemon.process().log();
    let raised = log.matches("Adding service [127.0.0.2]:tcp:8080").count();
    ensure!(raised == 1, "a dead server came back with the reload\n{log}");

    let _two = WebServer::of_two(&host, 2)?;
    let back = || daemon.process().log().matches("Adding service [127.0.0.2]:tcp:8080").count() == 2;
    wait::until("the server is back", wait::LONG, back)?;
    daemon.process().signal(Signal::SIGTERM)?;
    let status = daemon.process_mut().wait(wait::LONG)?;
    ensure!(status.success(), "{status}");
    let log = daemon.process().log();
    ensure!(log.contains("Removed Virtual Server [10.78.9.9]:tcp:80"), "{log}");
    ensure!(!log.contains("IPVS: "), "something failed\n{log}");
    Ok(())
}

/// Of a group nobody is told that it is gone and another one there when only its entries are others.
#[test]
fn a_group_is_the_same_one_over_a_reload_whatever_entries_it_has() -> Result<()> {
    let lab = Lab::new("dataplane-group")?;
    let host = lab.host("director")?;
    let _three = WebServer::of_two(&host, 3)?;
    let config = |lines: &str| {
        format!(
            "global_defs {{\n script_user root\n}}\nvirtual_server_group G {{\n{lines}\n}}\n\
             virtual_server group G {{\n protocol TCP\n delay_loop 1\n quorum_up \"/bin/echo up\"\n\
             quorum_down \"/bin/echo down\"\n\
             real_server 127.0.0.2 8080 {{\n TCP_CHECK {{\n retry 0\n warmup 0\n connect_port 8081\n }}\n }}\n\
             real_server 127.0.0.3 8080 {{\n TCP_CHECK {{\n retry 0\n warmup 0\n }}\n }}\n}}\n"
        )
    };
    let daemon = Keepwatchd::on(&host)
        .config(config("10.78.9.20 80\n10.78.9.22 80"))
        .flags(&["--check", "--dataplane", "memory"])
        .start()?;
    daemon.wait_for_log("TCP connection to [127.0.0.3]:tcp:8080 success.")?;
    daemon.wait_for_log("Removing service [127.0.0.2]:tcp:8080 from VS [10.78.9.22]:tcp:80")?;
    daemon.wait_for_log("Script /bin/echo up for VS [G]:0 UP succeeded")?;
    for (lines, last) in [
        ("10.78.9.22 80\n10.78.9.20 80", 22),
        ("10.78.9.20-24 80", 24),
        ("10.78.9.23 80\n10.78.9.22 80", 23),
        ("10.78.9.30-31 80", 31),
    ] {
        fs::write(daemon.config_path(), config(lines))?;
        daemon.answer(&["reload"])?;
        daemon.wait_for_log(&format!("Adding service [127.0.0.3]:tcp:8080 to VS [10.78.9.{last}]:tcp:80"))?;
        let status = daemon.answer(&["status", "G"])?;
        let downs = status.lines().filter(|line| line.contains("127.0.0.2:8080") && line.contains("down"));
        let entries = status.matches("127.0.0.2:8080").count();
        ensure!(entries > 1 && downs.count() == entries, "{lines}\n{status}");
    }
    let why = daemon.answer(&["why", "G"])?;
    ensure!(why.contains("has its quorum (1 of 2 real servers up)"), "{why}");
    let why = daemon.answer(&["why", "127.0.0.2:8080"])?;
    ensure!(why.contains("connection refused (at 127.0.0.2:8081)"), "{why}");
    let log = daemon.process().log();
    for (line, times) in [
        ("Gained quorum", 2),
        ("Lost quorum", 0),
        ("Script ", 1),
        ("TCP_CHECK on service", 1),
        ("Adding service [127.0.0.2]:tcp:8080", 2),
    ] {
        let is = log.matches(line).count();
        ensure!(is == times, "{line:?} is said {is} times and not {times}\n{log}");
    }
    Ok(())
}

/// The texts are in it, one after the other.
fn in_order(all: &str, texts: &[&str]) -> Result<()> {
    let mut rest = all;
    for text in texts {
        let Some((_, after)) = rest.split_once(text) else {
            bail!("{text:?} is not there, or too early, in\n{all}")
        };
        rest = after;
    }
    Ok(())
}

#[test]
fn a_server_that_nobody_checks_is_told_as_unchecked_everywhere() -> Result<()> {
    let lab = Lab::new("dataplane-unchecked")?;
    let host = lab.host("director")?;
    let _three = WebServer::of_two(&host, 3)?;
    // Two that have none, and one that has.
    let config = TWO_SERVERS
        .replacen("TCP_CHECK { connect_timeout 2 }", "", 1)
        .replace("sorry_server 127.0.0.9 8080", "real_server 127.0.0.4 8080 {\n weight 1\n }");
    let daemon = Keepwatchd::on(&host).config(config).flags(&["--check", "--dataplane", "memory"]).start()?;
    daemon.wait_for_log("TCP connection to [127.0.0.3]:tcp:8080 success.")?;
    let status = daemon.answer(&["status"])?;
    let state = |server: &str| {
        let line = status.lines().find(|line| line.contains(server)).unwrap_or_default();
        line.split_whitespace().nth(1).unwrap_or_default().to_owned()
    };
    for (server, expected, up) in [
        ("127.0.0.2:8080", "unchecked", None),
        ("127.0.0.4:8080", "unchecked", None),
        ("127.0.0.3:8080", "up", Some(1.0)),
    ] {
        ensure!(state(server) == expected, "{server} is not {expected} in\n{status}");
        let why = daemon.answer(&["why", server])?;
        ensure!(why.contains(&format!(": {expected} (weight ")), "{server} is not {expected} in\n{why}");
        let page = daemon.get("/")?.body;
        let row = page.lines().find(|line| line.contains(&format!("\"real\">{server}"))).unwrap_or_default();
        ensure!(row.contains(&format!(">{expected}<")), "{server} is not {expected} in\n{page}");
        let label = format!("real_server=\"{server}\"");
        let is = daemon.metric("keepwatch_real_server_up", &[&label]);
        ensure!(is == up, "keepwatch_real_server_up of {server} is {is:?}");
        let checked = daemon.metric("keepwatch_real_server_checked", &[&label]);
        ensure!(checked == Some(f64::from(u8::from(up.is_some()))), "{server}: {checked:?}");
    }
    ensure!(status.contains("1 of 3 real servers up, 2 unchecked"), "{status}");
    let unchecked = daemon.metric("keepwatch_virtual_server_real_servers", &["state=\"unchecked\""]);
    ensure!(unchecked == Some(2.0), "{unchecked:?}");
    let world = daemon.get("/api/v1/world")?.body;
    ensure!(world.matches("\"checked\":false").count() == 2, "{world}");
    Ok(())
}

/// Whether this kernel refuses everything. One that has IPVS is tested in the virtual machine.
fn has_no_ipvs() -> bool {
    let none = Kernel::open().is_err();
    if !none {
        eprintln!("this kernel has IPVS: that one without is refused can't be seen here");
    }
    none
}

#[test]
fn without_ipvs_nothing_is_told_as_done_and_everything_as_refused() -> Result<()> {
    if !has_no_ipvs() {
        return Ok(());
    }
    const REASON: &str = "the kernel has no IPVS (module ip_vs)";
    let lab = Lab::new("dataplane-none")?;
    let host = lab.host("director")?;
    let (two, _three) = (WebServer::of_two(&host, 2)?, WebServer::of_two(&host, 3)?);
    let daemon = director(&host, "ipvs")?;
    let refused = format!("IPVS refused to add VS [10.78.9.9]:tcp:80: {REASON}");
    daemon.wait_for_log(&refused)?;
    daemon.wait_for_log("TCP connection to [127.0.0.2]:tcp:8080 success.")?;
    daemon.wait_for_log("TCP connection to [127.0.0.3]:tcp:8080 success.")?;

    let real = ["real_server=\"127.0.0.2:8080\""];
    let value = |name: &str, labels: &[&str]| daemon.metric(name, labels);
    ensure!(value("keepwatch_real_server_present", &real) == Some(0.0), "a real server is present");
    ensure!(value("keepwatch_real_server_up", &real) == Some(1.0), "it is down");
    ensure!(value("keepwatch_virtual_server_present", &[]) == Some(0.0), "the virtual server is present");
    ensure!(value("keepwatch_virtual_server_refused", &[]) == Some(1.0), "it is not told as refused");
    ensure!(value("keepwatch_ipvs_working", &[]) == Some(0.0), "IPVS is said to work");
    for (question, expected) in [
        (&["status"][..], format!("IPVS refuses to add: {REASON}")),
        (&["why", "10.78.9.9:80"], format!("IPVS refuses to add: {REASON}")),
        (&["why", "10.78.9.9:80"], refused.clone()),
        (&["why", "127.0.0.2:8080"], format!("up (not in the table); IPVS refuses to add: {REASON}")),
    ] {
        let answer = daemon.answer(question)?;
        ensure!(answer.contains(&expected), "{expected:?} is not in\n{answer}");
    }
    let page = daemon.get("/")?.body;
    ensure!(page.contains(&format!("IPVS refuses to add: {REASON}")), "the page is silent\n{page}");

    // The checks go on, and another try that is refused in the same words is not told again.
    drop(two);
    daemon.wait_for_log("TCP_CHECK on service [127.0.0.2]:tcp:8080 failed after 1 retries")?;
    let why = || daemon.answer(&["why", "127.0.0.2:8080"]).unwrap_or_default();
    wait::until("it is told as down", wait::LONG, || why().contains("is down"))?;
    fs::write(daemon.config_path(), TWO_SERVERS.replace("weight 3", "weight 4"))?;
    daemon.process().signal(Signal::SIGHUP)?;
    daemon.wait_for_log("Reloaded")?;
    wait::until("the reload came to the engine", wait::LONG, || {
        daemon.answer(&["events"]).is_ok_and(|events| events.matches(" configured").count() > 3)
    })?;
    let log = daemon.process().log();
    ensure!(log.matches("IPVS refused").count() == 1, "not told once\n{log}");
    for lie in
        ["Adding service", "Adding Virtual Server", "Removing service", "Adding sorry", "Changing weight"]
    {
        ensure!(!log.contains(lie), "{lie:?} was not done\n{log}");
    }
    Ok(())
}

#[test]
fn a_call_that_the_kernel_does_not_return_from_is_told_of_and_holds_nothing_up() -> Result<()> {
    if !has_no_ipvs() {
        return Ok(());
    }
    let (lan, mut hosts) = Lab::new("dataplane-hung")?.routers(1)?;
    let (host, wire, machine) = (hosts.remove(0), lan.capture()?, Metronome::start()?);
    let (two, _three) = (WebServer::of_two(&host, 2)?, WebServer::of_two(&host, 3)?);
    // The engine asks for the module, and waits until that was loaded.
    let gate = host.file("gate", "")?;
    let script = format!("#!/bin/sh\nwhile [ -e {} ]; do sleep 0.1; done\n", gate.display());
    let loader = host.file("modprobe", &script)?;
    fs::set_permissions(&loader, fs::Permissions::from_mode(0o755))?;
    let daemon = Keepwatchd::on(&host)
        .config(Instance::new("VI_1").interval("0.5").version_3("") + TWO_SERVERS)
        .flags(&["--dataplane", "ipvs"])
        .module_loader(loader)
        .start()?;
    daemon.wait_for_log("(VI_1) Entering MASTER STATE")?;
    let since = now();
    daemon.wait_for_log("ipvs hangs since ")?;
    let status = daemon.answer(&["status"])?;
    ensure!(status.contains("! ipvs hangs since ") && status.contains(": read the table"), "{status}");
    let hung = |part| daemon.metric("keepwatch_part_hung", &[part]);
    ensure!(
        hung("part=\"ipvs\"") == Some(1.0) && hung("part=\"checkers\"") == Some(0.0),
        "the metric is wrong"
    );

    drop(two);
    daemon.wait_for_log("TCP_CHECK on service [127.0.0.2]:tcp:8080 failed after 1 retries")?;
    fs::remove_file(&gate)?;
    daemon.wait_for_log("ipvs moves again, after ")?;
    daemon.wait_for_log("IPVS refused to add VS [10.78.9.9]:tcp:80")?;
    ensure!(hung("part=\"ipvs\"") == Some(0.0), "the metric stays");
    ensure!(!daemon.answer(&["status"])?.contains("hangs"), "status stays");
    let why = daemon.answer(&["why", "127.0.0.2:8080"])?;
    ensure!(why.starts_with("real server [127.0.0.2]:tcp:8080 of VS [10.78.9.9]:tcp:80: down"), "{why}");
    let log = daemon.process().log();
    ensure!(!log.contains("Worker restarted"), "{log}");
    let gap = wire.largest_gap(OURS, since).context("no adverts")?;
    // Two intervals and a bit less; what the machine is late by itself is not the daemon's.
    let bound = Duration::from_millis(950) + machine.allowance();
    ensure!(gap < bound, "an advert is missing: {gap:?} (bound {bound:?})");
    Ok(())
}

#[test]
fn in_shadow_it_says_what_it_would_do() -> Result<()> {
    let lab = Lab::new("dataplane-shadow")?;
    let host = lab.host("director")?;
    let (two, three) = (WebServer::of_two(&host, 2)?, WebServer::of_two(&host, 3)?);
    let daemon = director(&host, "shadow")?;
    daemon.wait_for_log("IPVS (shadow): would add service [10.78.9.9]:tcp:80 (wrr)")?;
    daemon.wait_for_log(
        "IPVS (shadow): would add real server 127.0.0.3:8080 to [10.78.9.9]:tcp:80 (weight 3)",
    )?;
    daemon.wait_for_log("TCP connection to [127.0.0.3]:tcp:8080 success.")?;
    drop((two, three));
    daemon.wait_for_log("IPVS (shadow): would delete real server 127.0.0.3:8080 from [10.78.9.9]:tcp:80")?;
    daemon.wait_for_log(
        "IPVS (shadow): would add real server 127.0.0.9:8080 to [10.78.9.9]:tcp:80 (weight 1)",
    )?;
    Ok(())
}

//! `keepwatch observe` on LANs with keepalived, FRR and ourselves: each virtual router is told as it is, from its adverts
//! alone.

use anyhow::{Context, Result, ensure};
use integration::{
    Host, Instance, Lab, Process, binaries, conf::global_defs, frr::Frr, hostile, keepalived::Keepalived,
    keepwatchd::Keepwatchd, wait,
};
use nix::sys::signal::Signal;
use serde_json::Value;

const KEY: &str = "auth_hmac sha256 {\n key 7 abcdefghijklmnopqrstuvwxyz012345\n active_key 7\n }";

const METRICS: &str = "127.0.0.1:9166";

/// The command, listening on a host of its own until it is told to stop.
struct Observer(Process);

impl Observer {
    fn start(host: &Host) -> Result<Self> {
        let process = host
            .process("observe", binaries::path("keepwatch")?)
            .args(["observe", "--json", "-i", "eth0", "--listen", METRICS]);
        Ok(Self(process.start()?))
    }

    /// All that it told so far, a value a line.
    fn told(&self) -> Vec<Value> {
        self.0.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits for an event of this kind at this virtual router, that is also what `fits` says.
    fn event(&self, vrid: u64, kind: &str, fits: impl Fn(&Value) -> bool) -> Result<Value> {
        let told =
            || self.told().into_iter().find(|it| it["event"] == kind && it["vrid"] == vrid && fits(it));
        wait::value(&format!("{kind} of {vrid}"), wait::LONG, told).with_context(|| self.0.log())
    }

    /// What it says at `/metrics`.
    fn metrics(&self, host: &Host) -> Result<String> {
        host.run("curl", &["-sS", "--fail", &format!("http://{METRICS}/metrics")])
    }

    /// Ends it; its exit status and its last line.
    fn end(mut self) -> Result<(Option<i32>, Value)> {
        self.0.signal(Signal::SIGINT)?;
        let status = self.0.wait(wait::SHORT)?;
        let last = self.told().pop().context("a summary")?;
        ensure!(last["routers"].is_array(), "{}", self.0.log());
        Ok((status.code(), last))
    }
}

fn router(summary: &Value, vrid: u64) -> &Value {
    let all = summary["routers"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().find(|router| router["vrid"] == vrid).unwrap_or(&Value::Null)
}

fn ours(host: &Host, config: String) -> Result<Keepwatchd> {
    Keepwatchd::on(host).config(config).flag("--vrrp").start()
}

#[test]
fn each_virtual_router_of_a_lan_of_many_is_told_as_it_is() -> Result<()> {
    let lab = Lab::new("observe")?;
    let (_lan, hosts) = lab.routers(4)?;
    let observer = Observer::start(&hosts[0])?;
    let plain = Instance::new("OLD").vrid(10).priority(150).vip("10.78.9.10/32").password("swordfish");
    let _keepalived = Keepalived::start(&hosts[1], plain.version_2("").as_ref(), &[])?;
    let _frr = Frr::start(&hosts[2], 200)?;
    let new = |name: &str, vrid| Instance::new(name).vrid(vrid).interval("0.5");
    let signed = new("SIGNED", 20).vip("10.78.9.20/32").line(KEY);
    let six = new("SIX", 40).vip("fe80::40/128").line("version 3");
    let header = new("HEADER", 30).interval("1").vip("10.78.9.30/32").line("version 2").header_key("trout");
    let _we = ours(&hosts[3], format!("{}{signed}{six}{header}", global_defs(3, "")))?;

    for (vrid, version, interval, authentication, address) in [
        (10, 2, 1.0, "PASS", "10.78.9.10"),
        (51, 3, 0.1, "none", "10.78.9.9"),
        (20, 3, 0.5, "HMAC", "10.78.9.20"),
        (40, 3, 0.5, "none", "fe80::40"),
        (30, 2, 1.0, "AH", "10.78.9.30"),
    ] {
        let master = observer.event(vrid, "found", |_| true)?["master"].take();
        let seen =
            (&master["version"], &master["interval"], &master["authentication"], &master["addresses"][0]);
        let expected = (version.into(), interval.into(), authentication.into(), address.into());
        assert_eq!(seen, (&expected.0, &expected.1, &expected.2, &expected.3), "{vrid}: {master}");
    }
    let metrics = observer.metrics(&hosts[0])?;
    for line in [
        r#"keepwatch_observed_router_has_master{interface="eth0",family="IPv4",vrid="10"} 1"#,
        r#"keepwatch_observed_router_two_masters{interface="eth0",family="IPv6",vrid="40"} 0"#,
        r#"keepwatch_observed_sender_info{interface="eth0",family="IPv4",vrid="10",sender="10.78.0.2",version="2",authentication="PASS"} 1"#,
        r#"keepwatch_observed_sender_info{interface="eth0",family="IPv4",vrid="51",sender="10.78.0.3",version="3",authentication="none"} 1"#,
        r#"keepwatch_observed_sender_master{interface="eth0",family="IPv4",vrid="20",sender="10.78.0.4"} 1"#,
        r#"keepwatch_observed_sender_priority{interface="eth0",family="IPv4",vrid="10",sender="10.78.0.2"} 150"#,
        r#"keepwatch_observed_sender_interval_seconds{interface="eth0",family="IPv4",vrid="20",sender="10.78.0.4"} 0.5"#,
    ] {
        ensure!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    let file = hosts[0].file("metrics", &metrics)?;
    hosts[0].run("sh", &["-c", &format!("promtool check metrics <{}", file.display())])?;
    ensure!(!metrics.contains("swordfish") && !metrics.contains("trout"), "{metrics}");
    ensure!(!observer.0.log().contains("swordfish") && !observer.0.log().contains("trout"));
    let (status, summary) = observer.end()?;
    assert_eq!(status, Some(0), "{summary}");
    assert_eq!(summary["routers"].as_array().map(Vec::len), Some(5), "{summary}");
    assert_eq!(summary["flawed"], Value::Array(Vec::new()));
    let frr = router(&summary, 51);
    // FRR sends from the MAC address of the virtual router.
    assert_eq!(frr["senders"][0]["hardware"], "00:00:5e:00:01:33", "{frr}");
    Ok(())
}

#[test]
fn a_failover_and_its_cause_are_told_and_who_comes_back() -> Result<()> {
    let lab = Lab::new("observe-failover")?;
    let (_lan, hosts) = lab.routers(3)?;
    let observer = Observer::start(&hosts[0])?;
    let file = |priority| Instance::new("VI_1").priority(priority).version_2("");
    let mut we = ours(&hosts[1], file(200))?;
    observer.event(51, "found", |_| true)?;
    let _it = Keepalived::start(&hosts[2], file(100).as_ref(), &[])?;
    wait::until("keepalived follows", wait::LONG, || _it.process().log().contains("BACKUP"))?;

    we.process().signal_all(Signal::SIGKILL);
    let changed = observer.event(51, "master_changed", |it| it["to"]["address"] == "10.78.0.3")?;
    assert_eq!(
        (&changed["from"], &changed["how"]["how"]),
        (&"10.78.0.2".into(), &"silence".into()),
        "{changed}"
    );
    let silence = changed["how"]["seconds"].as_f64().context("seconds")?;
    ensure!((3.0..8.0).contains(&silence), "{changed}");

    we = ours(&hosts[1], file(200))?;
    let back = |it: &Value| it["to"]["address"] == "10.78.0.2" && it["how"]["how"] == "preempted";
    observer.event(51, "master_changed", back)?;
    we.process_mut().stop(wait::SHORT)?;
    observer.event(51, "resigned", |it| it["who"] == "10.78.0.2")?;
    observer.event(51, "master_changed", |it| it["how"]["how"] == "resignation")?;
    let (status, summary) = observer.end()?;
    assert_eq!(status, Some(0), "{summary}");
    assert_eq!(router(&summary, 51)["master_changes"], 3, "{summary}");
    Ok(())
}

#[test]
fn two_masters_are_told_of_with_what_they_refuse_each_other_for() -> Result<()> {
    let lab = Lab::new("observe-two")?;
    let (_lan, hosts) = lab.routers(3)?;
    let observer = Observer::start(&hosts[0])?;
    let text = hosts[0].process("text", binaries::path("keepwatch")?).args(["observe", "-i", "eth0"]);
    let mut text = text.start()?;
    text.wait_for_log("listening on eth0", wait::LONG)?;
    let here = Instance::new("A").vrid(60).vip("10.78.9.60/32").priority(150);
    let there = here.clone().priority(100);
    let duplicate = |vip| Instance::new("B").vrid(61).vip(vip).interval("1");
    let sealed = |key| Instance::new("C").vrid(62).vip("10.78.9.63/32").line("version 2").header_key(key);
    let signed = |key: &str| {
        let key = format!("auth_hmac sha256 {{\n key 7 {key}klmnopqrstuvwxyz012345\n active_key 7\n }}");
        Instance::new("D").vrid(63).vip("10.78.9.64/32").interval("1").line("version 3").line(&key)
    };
    let file = |all: [Instance; 4]| global_defs(2, "") + &all.map(|one| one.to_string()).concat();
    let mine = [
        here.password("swordfish"),
        duplicate("10.78.9.61/32").password("one"),
        sealed("perch"),
        signed("abcdefghij"),
    ];
    let _we = ours(&hosts[1], file(mine))?;
    let theirs = [
        there.password("trout"),
        duplicate("10.78.9.62/32").password("two"),
        sealed("roach"),
        signed("bcdefghija"),
    ];
    let mut it = ours(&hosts[2], file(theirs))?;

    let password = observer.event(60, "two_masters", |_| true)?;
    assert_eq!(password["differences"], serde_json::json!(["password"]), "{password}");
    let mut masters =
        [&password["masters"][0], &password["masters"][1]].map(|it| it.as_str().unwrap_or_default());
    masters.sort_unstable();
    assert_eq!(masters, ["10.78.0.2", "10.78.0.3"]);
    let other = observer.event(61, "two_masters", |_| true)?;
    assert_eq!(other["differences"], serde_json::json!(["other_router", "password"]), "{other}");
    // What is sealed or signed with different keys of one number looks the same from outside; both refuse each other.
    for vrid in [62, 63] {
        let sealed = observer.event(vrid, "two_masters", |_| true)?;
        assert_eq!(sealed["differences"], serde_json::json!(["sealed"]), "{sealed}");
    }
    let metrics = observer.metrics(&hosts[0])?;
    let two = r#"keepwatch_observed_router_two_masters{interface="eth0",family="IPv4",vrid="60"} 1"#;
    ensure!(metrics.contains(two), "{metrics}");
    for secret in ["swordfish", "trout", "perch", "roach", "abcdefghij"] {
        ensure!(!observer.0.log().contains(secret) && !text.log().contains(secret), "{secret}");
    }

    it.process_mut().stop(wait::SHORT)?;
    let left = |it: &Value| it["left"] == "10.78.0.2";
    for vrid in [60, 61, 62, 63] {
        observer.event(vrid, "one_master", left)?;
    }
    // The same in words.
    text.signal(Signal::SIGINT)?;
    ensure!(text.wait(wait::SHORT)?.success(), "{}", text.log());
    for words in [
        "eth0 VRID 60 (IPv4): the master is 10.78.0.2 (priority 150, every 1.0 s, version 2, PASS, 10.78.9.60)",
        "(priority 150) and 10.78.0.3 (priority 100); their passwords differ, so each refuses the other",
        "they have no address in common: two virtual routers with the same id; their passwords differ",
        "their keys may differ: that cannot be seen from outside",
        "one master again: 10.78.0.2",
        "4 virtual routers, ",
    ] {
        ensure!(text.log().contains(words), "{words:?} is not in\n{}", text.log());
    }
    let (status, summary) = observer.end()?;
    assert_eq!(status, Some(0), "{summary}");
    Ok(())
}

#[test]
fn a_flood_costs_bounded_memory_and_few_words() -> Result<()> {
    let lab = Lab::new("observe-flood")?;
    let (_lan, hosts) = lab.routers(3)?;
    let observer = Observer::start(&hosts[0])?;
    let _we = ours(&hosts[1], Instance::new("VI_1").version_3(""))?;
    observer.event(51, "found", |_| true)?;
    let memory = || -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", observer.0.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    };
    let (attacker, vip) = ([10, 78, 0, 3].into(), [10, 78, 9, 9].into());
    let flood = |count| hostile::flood(&hosts[2], attacker, 52, vip, count, 20_000);
    // What it keeps of the first ones it keeps; the others add nothing.
    flood(5_000)?;
    let (before, told) = (memory()?, observer.told().len());
    flood(40_000)?;
    let (after, words) = (memory()?, observer.told().len() - told);
    ensure!(after < before + 4096, "{before} kB, then {after} kB");
    ensure!(words < 300, "{words} lines about 40,000 packets");
    // Good adverts of 65,000 routers that there are not, for all ids: what it keeps of them is bounded as well.
    hostile::impersonate(&hosts[2], attacker, 20_000, 10_000)?;
    let (before, told) = (memory()?, observer.told().len());
    hostile::impersonate(&hosts[2], attacker, 40_000, 10_000)?;
    let (after, words) = (memory()?, observer.told().len() - told);
    ensure!(after < before + 4096, "{before} kB, then {after} kB");
    ensure!(words < 40_000, "{words} lines about 40,000 adverts");
    let metrics = observer.metrics(&hosts[0])?;
    for line in [
        "keepwatch_observed_flawed_packets_total{interface=\"eth0\",family=\"IPv4\",sender=\"10.78.0.3\",flaw=\"checksum\"}",
        "keepwatch_observed_router_has_master{interface=\"eth0\",family=\"IPv4\",vrid=\"51\"} 1",
    ] {
        ensure!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    Ok(())
}

#[test]
fn what_is_wrong_with_the_command_line_is_said_at_once() -> Result<()> {
    let lab = Lab::new("observe-words")?;
    let host = lab.host("a")?;
    let program = binaries::path("keepwatch")?;
    for (arguments, expected) in [
        (vec!["observe"], "no interface but loopback"),
        (vec!["observe", "-i", "eth9"], "no interface eth9"),
        (vec!["observe", "--for", "soon"], "expected a time such as 10s"),
    ] {
        let output = host.output(&program, &arguments)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(expected), "{arguments:?}: {said}");
    }
    let output = host.output(&program, &["observe", "-i", "lo", "-i", "eth9", "--for", "50ms"])?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("no interface eth9 yet"), "{said}");
    // With a time it ends by itself; nothing was heard, which is no trouble.
    let output = host.output(&program, &["observe", "-i", "lo", "--for", "50ms"])?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("0 virtual routers, 0 packets"), "{said}");
    Ok(())
}

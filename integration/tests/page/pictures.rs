//! The pictures of the documentation, made by the real thing.

use std::{
    fs,
    io::Write,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use integration::{
    Instance, Lab, binaries,
    browser::{Browser, Setup},
    conf::{self, VIP},
    keepwatchd::Keepwatchd,
    wait,
    web::WebServer,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{PAGE, open_event};

/// The pictures of the README and the documentation, in `docs/screenshots`:
/// `cargo test -p integration --test page -- --ignored pictures`.
///
/// What happened is real, but it happened within a minute: between two runs of the director its history is spread over
/// the hour before, so that timelines have something to show.
#[test]
#[ignore = "makes the pictures of the documentation"]
fn pictures() -> Result<()> {
    let lab = Lab::new("pictures")?;
    let (lan, hosts) = lab.routers(2)?;
    let host = hosts[1].clone();
    host.plug("eth1", &lan)?.address("eth1", "10.79.0.2/24")?;
    let web = |port: u16| WebServer::start(&host, SocketAddr::from(([127, 0, 0, 1], port)), "here");
    let instance = |name: &str, vrid, priority, vip: &str| {
        Instance::new(name).vrid(vrid).priority(priority).interval("0.3").vip(vip)
    };
    let first = |priority: u8| {
        instance("VI_web", 51, priority, "10.78.9.9/32").version_3("")
            + &instance("VI_mail", 52, priority, "10.78.9.10/32").to_string()
    };
    let second = {
        let store = instance("VI_store", 53, 120, "10.79.0.9/24").interface("eth1").to_string();
        let reals: String = [8081, 8082, 8083]
            .iter()
            .map(|port| conf::real_server(&format!("127.0.0.1:{port}"), "weight 2"))
            .collect();
        let mail: String =
            [8091, 8092].iter().map(|port| conf::real_server(&format!("127.0.0.1:{port}"), "")).collect();
        let others = conf::virtual_server(&mail)
            .replace(VIP, "10.78.9.10")
            .replace(" 80 {\n    delay", " 25 {\n    delay");
        first(100).replace("router_id lab", "router_id director2")
            + &store
            + &conf::sync_group("VG_front", &["VI_web", "VI_mail"])
            + &conf::virtual_server(&reals)
            + &others
    };
    let other = || Keepwatchd::on(&hosts[0]).config(first(150)).flag("--vrrp").start();
    let director = || Keepwatchd::on(&host).config(second.clone()).flags(&["--dataplane", "memory"]).start();
    let says = |director: &Keepwatchd, text: &str| {
        wait::until(&format!("the status says {text}"), wait::LONG, || {
            director.answer(&["status"]).is_ok_and(|status| status.contains(text))
        })
        .with_context(|| director.process().log())
    };

    // What happened within the hour.
    let mut webs: Vec<_> = [8081, 8083, 8091, 8092].into_iter().map(web).collect::<Result<_>>()?;
    let mut us = director()?;
    let mut them = other()?;
    says(&us, "master is 10.78.0.1")?;
    let flapping = web(8082)?;
    says(&us, "3 of 3 real servers up")?;
    them.process_mut().kill();
    says(&us, "10.78.9.9")?;
    drop(flapping);
    says(&us, "2 of 3 real servers up")?;
    host.down("eth1")?;
    says(&us, "FAULT")?;
    let again = web(8082)?;
    says(&us, "3 of 3 real servers up")?;
    host.up("eth1")?;
    let mut them = other()?;
    says(&us, "master is 10.78.0.1")?;
    us.process_mut().stop(wait::LONG)?;
    spread(&host.directory().join("history.jsonl"))?;

    let us = director()?;
    says(&us, "master is 10.78.0.1")?;
    says(&us, "3 of 3 real servers up")?;
    let browser = Browser::start(&host, Setup { size: (1280, 1180), ..Setup::default() })?;
    browser.open(PAGE)?;
    browser.wait_for("#live", "live")?;
    // Sparklines want some samples.
    wait::until("checks were measured", 6 * wait::LONG, || {
        browser.run("return document.querySelectorAll('.spark').length").is_ok_and(|n| n.as_u64() >= Some(6))
            && browser
                .run("return document.querySelector('#servers .spark polyline').points.length")
                .is_ok_and(|n| n.as_u64() >= Some(16))
    })?;
    picture(&browser, "well")?;
    them.process_mut().kill();
    browser.wait_for("tr[data-k='router VI_web']", "MASTER")?;
    browser.wait_for("tr[data-k='group VG_front']", "MASTER")?;
    wait::until("the row is calm again", wait::LONG, || {
        browser.text("#events").contains("Sending gratuitous")
    })?;
    picture(&browser, "failover")?;
    webs.remove(0);
    drop(again);
    host.down("eth1")?;
    browser.wait_for("#summary", "1\nFAULT")?;
    browser.wait_for("#servers", "1 of 3 real servers up")?;
    picture(&browser, "trouble")?;
    browser.prefer("dark")?;
    picture(&browser, "dark")?;
    open_event(&browser, "(VI_web) Entering MASTER STATE")?;
    browser.prefer("light")?;
    picture(&browser, "event")
}

/// The page of a thousand virtual routers of which a quarter has lost its LAN, into the same directory:
/// `cargo test -p integration --test page -- --ignored a_thousand`.
#[test]
#[ignore = "makes a picture of the documentation"]
fn a_thousand() -> Result<()> {
    let lab = Lab::new("thousand")?;
    let host = lab.host("director1")?;
    let mut config = conf::global_defs_of("director1", 3, "vrrp_garp_master_delay 0");
    for lan in 0..4 {
        let (bridge, interface) = (lab.bridge(&format!("lan{lan}"))?, format!("eth{lan}"));
        host.plug(&interface, &bridge)?.address(&interface, &format!("10.{}.0.1/16", 80 + lan))?;
        for vrid in 1..=250 {
            let vip = format!("10.{}.1.{vrid}/32", 80 + lan);
            let instance = Instance::new(&format!("VI_{lan}_{vrid}")).interface(&interface).vrid(vrid);
            config += &instance.interval("1").vip(&vip).to_string();
        }
    }
    let _web = WebServer::start(&host, SocketAddr::from(([127, 0, 0, 1], 8081)), "here")?;
    for number in 1..=100 {
        let reals = conf::real_server("127.0.0.1:8081", "");
        config += &conf::virtual_server(&reals).replace(VIP, &format!("10.80.1.{number}"));
    }
    let director = Keepwatchd::on(&host).config(config).flags(&["--dataplane", "memory"]).start()?;
    let browser = Browser::start(&host, Setup { size: (1280, 1180), ..Setup::default() })?;
    browser.open(PAGE)?;
    browser.wait_for("#live", "live")?;
    let summary = |text: &str| {
        wait::until(&format!("the summary says {text:?}"), 4 * wait::LONG, || {
            browser.text("#summary").contains(text)
        })
        .with_context(|| director.process().log())
    };
    summary("1000\nMASTER")?;
    summary("100/100\nreal servers up")?;
    host.down("eth2")?;
    summary("250\nFAULT")?;
    browser.wait_for("#trouble", "VI_2_1 is in FAULT and 249 more likewise")?;
    browser.wait_for("#routers tbody", "VI_2_50")?;
    picture(&browser, "thousand")
}

/// Spreads what a history file holds over the last hour.
fn spread(history: &Path) -> Result<()> {
    let text = fs::read_to_string(history)?;
    let mut events: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let time = |event: &Value| event["at"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
    let all: Vec<Timestamp> = events.iter().filter_map(time).collect();
    let (begin, end) = (all.iter().min().context("no events")?, all.iter().max().context("no events")?);
    let (now, whole) = (Timestamp::now(), end.duration_since(*begin).as_secs_f64().max(1.0));
    for (event, at) in events.iter_mut().zip(&all) {
        let part = at.duration_since(*begin).as_secs_f64() / whole;
        let ago = 3500.0 * (1.0 - part) + 2.0;
        event["at"] = json!(now.checked_sub(SignedDuration::from_secs_f64(ago))?);
    }
    fs::write(history, events.iter().map(|event| format!("{event}\n")).collect::<String>())?;
    Ok(())
}

fn picture(browser: &Browser, name: &str) -> Result<()> {
    let directory = binaries::workspace().join("docs/screenshots");
    fs::create_dir_all(&directory)?;
    // What is new is lit up for three seconds.
    wait::until("nothing is lit up", wait::LONG, || {
        browser.run("return document.getAnimations().length").is_ok_and(|count| count == 0)
    })?;
    let mut decode = Command::new("base64")
        .arg("--decode")
        .stdin(Stdio::piped())
        .stdout(fs::File::create(directory.join(format!("{name}.png")))?)
        .spawn()?;
    decode.stdin.take().context("no input")?.write_all(browser.screenshot()?.as_bytes())?;
    ensure!(decode.wait()?.success(), "base64 failed");
    Ok(())
}

//! The lab itself: its networks carry what routers say, its peers run, and it leaves nothing behind.

use std::{fs, time::Duration};

use anyhow::Result;
use integration::{
    Instance, Lab, aiosmtpd::Aiosmtpd, conf::VIP, http, keepalived::Keepalived, nginx::Nginx, process::tree,
    snmpd::Snmpd, wait, web::WebServer,
};

/// A router that is master soon.
fn director() -> String {
    Instance::new("VI_1").interval("0.1").version_3("")
}

#[test]
fn a_router_is_seen_on_the_wire_and_its_statistics_are_read() -> Result<()> {
    let lab = Lab::new("self")?;
    let (lan, hosts) = lab.routers(2)?;
    let wire = lan.capture()?;
    let router = Keepalived::start(&hosts[0], &director(), &[])?;

    wait::until("the VIP is announced", wait::LONG, || !wire.gratuitous_arps(VIP).is_empty())?;
    wait::until("adverts are sent", wait::LONG, || wire.adverts_from("10.78.0.1").len() > 5)?;
    let (_, advert) = wire.adverts_from("10.78.0.1").remove(0);
    assert_eq!((advert.version, advert.vrid, advert.priority, advert.interval), (3, 51, 100, 10));
    assert!(hosts[0].has("eth0", VIP));
    assert!(!hosts[1].has("eth0", VIP));

    let sent = router.statistics("VI_1")?.get("Advertisements/Sent").copied();
    assert!(sent.is_some_and(|sent| sent > 5), "sent {sent:?}");
    Ok(())
}

#[test]
fn an_isolated_host_hears_and_says_nothing() -> Result<()> {
    let lab = Lab::new("isolated")?;
    let (lan, hosts) = lab.routers(2)?;
    let _web = WebServer::start(&hosts[0], "10.78.0.1:80".parse()?, "here\n")?;
    let page = http::get(&hosts[1], "10.78.0.1:80".parse()?, "/", wait::SHORT)?;
    assert_eq!((page.status, page.body.as_str()), (200, "here\n"));

    hosts[0].isolate()?;
    let wire = lan.capture()?;
    assert!(hosts[1].connect("10.78.0.1:80".parse()?, Duration::from_millis(300)).is_err());
    assert!(hosts[0].connect("10.78.0.2:80".parse()?, Duration::from_millis(300)).is_err());
    assert!(wire.frames().iter().all(|frame| frame.from != [0; 6]));

    hosts[0].open_firewall()?;
    wait::until("it is reachable again", wait::SHORT, || {
        hosts[1].connect("10.78.0.1:80".parse().unwrap(), Duration::from_secs(1)).is_ok()
    })
}

#[test]
fn a_web_server_that_is_dropped_refuses_connections() -> Result<()> {
    let lab = Lab::new("web")?;
    let (_lan, hosts) = lab.routers(1)?;
    let at = "10.78.0.1:80".parse()?;
    drop(WebServer::start(&hosts[0], at, "one")?);
    assert!(hosts[0].connect(at, wait::SHORT).is_err());
    let _again = WebServer::start(&hosts[0], at, "two")?;
    assert_eq!(http::get(&hosts[0], at, "/", wait::SHORT)?.body, "two");
    Ok(())
}

#[test]
fn the_peers_run() -> Result<()> {
    let lab = Lab::new("peers")?;
    let (_lan, hosts) = lab.routers(1)?;
    let snmpd = Snmpd::start(&hosts[0])?;
    assert!(snmpd.walk(".1.3.6.1.2.1.1.3")?.contains("Timeticks"));
    let _nginx = Nginx::start(&hosts[0], "10.78.0.1:8080".parse()?, "hello")?;
    assert_eq!(http::get(&hosts[0], "10.78.0.1:8080".parse()?, "/", wait::SHORT)?.body, "hello");
    let mail = Aiosmtpd::start(&hosts[0], "127.0.0.1:2525".parse()?)?;
    assert!(mail.mails().is_empty());
    Ok(())
}

#[test]
fn a_dropped_process_takes_its_children_with_it() -> Result<()> {
    let lab = Lab::new("tree")?;
    let host = lab.host("alone")?;
    let process = host.spawn("shell", "/bin/sh", &["-c", "sleep 1000 & setsid sleep 1000 & wait"])?;
    let mut below = Vec::new();
    wait::until("both sleep", wait::SHORT, || {
        below = tree::below(process.pid());
        below.len() == 2
    })?;
    drop(process);
    wait::until("all are gone", wait::SHORT, || {
        below.iter().all(|pid| {
            fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| s.contains(") Z "))
                || !fs::exists(format!("/proc/{pid}")).unwrap_or(true)
        })
    })
}

//! Two keepwatchd with the files of real-life documents (`daemon/config/tests/seeds`): they elect a master, watch
//! their web servers, and take over from each other.

use std::{fs, time::Duration};

use anyhow::{Context, Result, ensure};
use integration::{Host, Lab, binaries, keepwatchd::Keepwatchd, wait, web::WebServer};

/// A minute: these files check every six seconds, try three times more, and advertise every five seconds.
const PATIENCE: Duration = Duration::from_secs(60);

fn seed(name: &str) -> Result<String> {
    let path = binaries::workspace().join("daemon/config/tests/seeds").join(name);
    fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
}

fn director(host: &Host, file: &str) -> Result<Keepwatchd> {
    Keepwatchd::on(host).config(seed(file)?).flags(&["--dataplane", "memory"]).start()
}

#[test]
fn the_pair_of_the_first_document_elects_checks_and_fails_over() -> Result<()> {
    let lab = Lab::new("seed-001")?;
    let lan = lab.bridge("lan")?;
    let host = |name: &str, interface: &str, address: &str| -> Result<Host> {
        let host = lab.host(name)?;
        host.plug(interface, &lan)?.address(interface, address)?;
        Ok(host)
    };
    let (left, right) = (host("left", "eth1", "192.168.4.1/24")?, host("right", "eth2", "192.168.4.2/24")?);
    let servers = host("servers", "eth0", "192.168.4.7/24")?;
    servers.address("eth0", "192.168.4.8/24")?;
    let _seven = WebServer::start(&servers, "192.168.4.7:80".parse()?, "seven")?;
    let eight = WebServer::start(&servers, "192.168.4.8:80".parse()?, "eight")?;
    let wire = lan.capture()?;

    let backup = director(&right, "001-backup.conf")?;
    let mut master = director(&left, "001-master.conf")?;
    wait::until("the higher priority has the address", PATIENCE, || {
        left.has("eth1", "192.168.4.10") && !right.has("eth2", "192.168.4.10")
    })
    .with_context(|| master.process().log())?;
    let up = |director: &Keepwatchd, address: &str| {
        let label = format!("real_server=\"{address}:80\"");
        director.metric("keepwatch_real_server_present", &[&label])
    };
    wait::until("both web servers serve", PATIENCE, || {
        ["192.168.4.7", "192.168.4.8"]
            .iter()
            .all(|a| up(&master, a) == Some(1.0) && up(&backup, a) == Some(1.0))
    })?;

    drop(eight);
    let removed = "Removing service [192.168.4.8]:tcp:80 from VS [192.168.4.10]:tcp:80";
    for director in [&master, &backup] {
        director.process().wait_for_log(removed, PATIENCE)?;
        // A page of metrics may be some moments old (`keepwatch_export` keeps it for clients that ask in a loop).
        wait::until("the metrics tell it too", wait::SHORT, || up(director, "192.168.4.8") == Some(0.0))?;
        assert_eq!(up(director, "192.168.4.7"), Some(1.0), "the other one stays");
    }
    let _eight = WebServer::start(&servers, "192.168.4.8:80".parse()?, "eight")?;
    wait::until("it serves again", PATIENCE, || up(&master, "192.168.4.8") == Some(1.0))?;

    master.process_mut().kill();
    let outage =
        wait::value("the backup takes over", PATIENCE, || wire.outage("192.168.4.1", "192.168.4.10"))?;
    // RFC 3768 6.1 with priority 99.
    let expected = Duration::from_secs(3) + Duration::from_secs(1) * 157 / 256;
    println!("takeover after {outage:?}, {expected:?} by the RFC");
    ensure!(outage >= expected - Duration::from_millis(5), "too early: {outage:?}");
    // Another skew would make it a second later.
    let late = Duration::from_millis(500) + wire.machine().allowance().min(Duration::from_millis(400));
    ensure!(outage <= expected + late, "too late: {outage:?} (bound {late:?} after it)");
    wait::until("it has the address", wait::SHORT, || right.has("eth2", "192.168.4.10"))
}

#[test]
fn of_two_directors_each_is_master_of_one_address_and_takes_the_other_over() -> Result<()> {
    let lab = Lab::new("seed-multi")?;
    let lan = lab.bridge("lan")?;
    let (web, ctcp) = ("61.135.93.99", "61.135.93.100");
    let mut hosts = Vec::new();
    for i in 1..=2 {
        let host = lab.host(&format!("lvs_{i}"))?;
        host.plug("eth0", &lan)?.address("eth0", &format!("61.135.93.{i}/24"))?;
        hosts.push(host);
    }
    let mut first = director(&hosts[0], "000-multi-lvs_1.conf")?;
    let second = director(&hosts[1], "000-multi-lvs_2.conf")?;
    wait::until("each has one address", PATIENCE, || {
        hosts[0].has("eth0", web)
            && hosts[1].has("eth0", ctcp)
            && !hosts[0].has("eth0", ctcp)
            && !hosts[1].has("eth0", web)
    })
    .with_context(|| first.process().log() + &second.process().log())?;

    first.process_mut().stop(wait::SHORT)?;
    wait::until("the second has both", PATIENCE, || hosts[1].has("eth0", web) && hosts[1].has("eth0", ctcp))?;
    assert!(!hosts[0].has("eth0", web));
    assert!(second.answer(&["why", "VI_WEB"])?.contains("priority 0"));
    Ok(())
}

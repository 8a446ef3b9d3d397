//! BFD: how soon a pair takes over when a session of 3 × 10 ms ends, and what 200 sessions of 50 ms cost.

use std::{fmt::Write, thread::sleep, time::Duration};

use anyhow::{Context, Result};
use integration::{
    Bridge, Host, Instance, Lab, capture,
    conf::{self, VIP},
    process::tree,
    wait,
};

use crate::{
    router::{Router, Running},
    takeover::median,
};

/// Sessions that are measured for what they cost.
const SESSIONS: u16 = 200;
/// The neighbour beyond both routers, on a network of its own.
const BEYOND: &str = "10.79.0.9";

/// Measures both and prints times, costs and their ratios.
pub(crate) fn compare(routers: &[Router; 2], trials: usize, span: Duration) -> Result<()> {
    println!(
        "takeover after the cable between the master and its BFD neighbour (3 x 10 ms) was cut, advert_int 0.1 s, {trials} \
         times\n  (20 to 30 ms until the session is down, 22 ms skew of the backup)"
    );
    let mut medians = Vec::new();
    for router in routers {
        let mut times: Vec<f64> =
            takeovers(router, trials)?.iter().map(|it| it.as_secs_f64() * 1e3).collect();
        times.sort_by(f64::total_cmp);
        let (least, most) = (times.first().context("no trial")?, times.last().context("no trial")?);
        let middle = median(&times);
        println!("  {:<10}  min {least:.1} ms, median {middle:.1} ms, max {most:.1} ms", router.name());
        medians.push(middle);
    }
    if let [ours, theirs] = medians[..] {
        println!("  ratio of the medians: {:.2}", ours / theirs);
    }
    println!("\n{SESSIONS} BFD sessions, a packet each 50 ms both ways, for {} s", span.as_secs());
    let costs = routers.iter().map(|router| sessions(router, span)).collect::<Result<Vec<_>>>()?;
    if let [ours, theirs] = costs[..] {
        println!("  ratio of the processor times: {:.2}\n", ours / theirs.max(0.01));
    }
    Ok(())
}

fn session(name: &str, from: &str, to: &str, (milliseconds, multiplier): (u32, u32)) -> String {
    format!(
        "bfd_instance {name} {{\n neighbor_ip {to}\n source_ip {from}\n min_rx {milliseconds}\n min_tx {milliseconds}\n \
         multiplier {multiplier}\n}}\n"
    )
}

fn is_up(running: &Running, sessions: usize) -> impl Fn() -> bool + '_ {
    move || running.process().log().matches("Entering Up state").count() >= sessions
}

/// A neighbour that speaks BFD, the same for both.
fn neighbour(host: &Host, sessions: &str) -> Result<Running> {
    let instance =
        Instance::new("BFD").vrid(99).vip("10.99.0.1/32").priority(10).interval("1").line("version 3");
    Router::Keepwatchd.start(host, &format!("{sessions}{instance}"))
}

/// From the cut of the cable to the first gratuitous ARP of the backup.
fn takeovers(router: &Router, trials: usize) -> Result<Vec<Duration>> {
    let lab = Lab::new("bfdover")?;
    let (lan, hosts) = lab.routers(2)?;
    let (uplink, nowhere) = (lab.bridge("uplink")?, lab.bridge("nowhere")?);
    let beyond = lab.host("beyond")?;
    beyond.plug("eth0", &uplink)?.address("eth0", &format!("{BEYOND}/24"))?;
    hosts[0].plug("eth1", &uplink)?.address("eth1", "10.79.0.1/24")?;
    let _neighbour = neighbour(&beyond, &session("b1", BEYOND, "10.79.0.1", (10, 3)))?;
    let instance = |priority| Instance::new("VI_1").interval("0.1").priority(priority);
    let _backup = router.start(&hosts[1], &instance(200).version_3(""))?;
    // keepalived tracks no session that is defined further down.
    let session = session("b1", "10.79.0.1", BEYOND, (10, 3));
    let tracked = instance(250).line("track_bfd {\n b1\n }").to_string();
    let master = router.start(&hosts[0], &(conf::global_defs(3, "") + &session + &tracked))?;
    let mut times = Vec::new();
    for trial in 0..trials {
        wait::until("the session is up", wait::LONG, is_up(&master, trial + 1))
            .with_context(|| master.process().log())?;
        let wire = lan.capture()?;
        let since = capture::now();
        wait::until("the master is master", wait::LONG, || {
            hosts[0].has("eth0", VIP) && wire.is_master_since("10.78.0.1", since)
        })?;
        sleep(Duration::from_millis(300));
        times.push(takeover(&hosts[0], &wire, &nowhere)?);
        hosts[0].replug("eth1", &uplink)?;
    }
    Ok(times)
}

fn takeover(master: &Host, wire: &capture::Capture, nowhere: &Bridge) -> Result<Duration> {
    let cut = capture::now();
    master.replug("eth1", nowhere)?;
    let announced =
        || wire.gratuitous_arps(VIP).into_iter().find(|at| *at > cut).map(|at| at.saturating_sub(cut));
    wait::value("the backup takes over", wait::LONG, announced)
}

/// Processor time that the daemon takes, in percent of a processor.
fn sessions(router: &Router, span: Duration) -> Result<f64> {
    let lab = Lab::new("bfdmany")?;
    let lan = lab.bridge("lan")?;
    let mut hosts = Vec::new();
    let (mut here, mut there) = (String::new(), String::new());
    for (number, name) in [(1, "a"), (2, "b")] {
        let host = lab.host(name)?;
        host.plug("eth0", &lan)?.address("eth0", &format!("10.78.0.{number}/16"))?;
        for i in 1..=SESSIONS {
            host.address("eth0", &format!("10.78.{number}.{i}/16"))?;
        }
        hosts.push(host);
    }
    for i in 1..=SESSIONS {
        let (one, two) = (format!("10.78.1.{i}"), format!("10.78.2.{i}"));
        write!(here, "{}", session(&format!("b{i}"), &one, &two, (50, 5)))?;
        write!(there, "{}", session(&format!("b{i}"), &two, &one, (50, 5)))?;
    }
    let [a, b] = &hosts[..] else { return Err(anyhow::anyhow!("two hosts")) };
    let _neighbour = neighbour(b, &there)?;
    let config = conf::global_defs(3, "") + &Instance::new("VI_1").priority(10).to_string();
    let running = router.start(a, &(config + &here))?;
    wait::until("all sessions are up", 3 * wait::LONG, is_up(&running, SESSIONS.into()))
        .context("200 sessions")?;
    sleep(Duration::from_secs(2));
    let cost = || tree::cost_with_children(running.process().pid());
    let before = cost();
    sleep(span);
    let cpu = 100.0 * cost().saturating_sub(before).as_secs_f64() / span.as_secs_f64();
    let lost = running.process().log().matches("Entering Down state").count();
    println!("  {:<10}  CPU {cpu:.2} %, {lost} sessions lost meanwhile", router.name());
    Ok(cpu)
}

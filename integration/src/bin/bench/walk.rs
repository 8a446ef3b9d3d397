//! What a walk through net-snmp's master agent costs the daemon: one AgentX round trip for each object, because snmpd
//! makes a GetNext of each repetition of a GETBULK.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use integration::{Host, Lab, process::tree, snmpd::Snmpd, wait};

use crate::{constant::Constant, load, router::Router};

/// Where both serve their objects.
const ROOT: &str = ".1.3.6.1.4.1.9586.100.5";
/// Walks that are measured, after one that is not.
const WALKS: u32 = 5;

/// What a walk costs.
#[derive(Clone, Copy)]
struct Cost {
    /// The shortest of the walks: what disturbs it is not its own.
    wall: Duration,
    /// Microseconds of processor time for an object.
    each: f64,
}

/// Measures each and prints the costs and their ratios.
pub(crate) fn compare(routers: &[Router; 2], instances: u32) -> Result<()> {
    println!("{WALKS} walks over {instances} virtual routers, ten repetitions a request");
    let least = constant(instances)?;
    let costs = routers.iter().map(|router| measure(router, instances)).collect::<Result<Vec<_>>>()?;
    if let [ours, theirs] = &costs[..] {
        let wall = |other: Cost| ours.wall.as_secs_f64() / other.wall.as_secs_f64();
        println!(
            "  ratio of the processor times: {:.2}; of the walks' times: {:.2}, to the constant's {:.2}\n",
            ours.each / theirs.each.max(0.01),
            wall(*theirs),
            wall(least)
        );
    }
    Ok(())
}

/// A subagent that answers from a constant.
fn constant(rows: u32) -> Result<Cost> {
    let host: Host = Lab::new("walk")?.host("a")?;
    let snmpd = Snmpd::start(&host)?;
    let subagent = Constant::start(snmpd.socket(), rows)?;
    let objects = walk(&snmpd)?;
    ensure!(objects > 30 * rows, "only {objects} objects");
    let (before, mut wall, mut seen) = (subagent.cpu()?, Duration::MAX, 0);
    for _ in 0..WALKS {
        let began = Instant::now();
        seen += walk(&snmpd)?;
        wall = wall.min(began.elapsed());
    }
    let cpu = subagent.cpu()?.saturating_sub(before).as_secs_f64();
    let each = cpu * 1e6 / f64::from(seen);
    println!(
        "  constant    {objects} objects; the shortest walk took {:.2} s; {each:.1} µs of processor time an object",
        wall.as_secs_f64()
    );
    Ok(Cost { wall, each })
}

fn walk(snmpd: &Snmpd) -> Result<u32> {
    Ok(u32::try_from(snmpd.walk(ROOT)?.lines().count())?)
}

fn measure(router: &Router, instances: u32) -> Result<Cost> {
    let lab = Lab::new("walk")?;
    let host: Host = lab.host("a")?;
    for lan in 0..load::lans(instances) {
        let interface = format!("eth{lan}");
        host.plug(&interface, &lab.bridge(&format!("lan{lan}"))?)?
            .address(&interface, &format!("10.{}.0.1/16", 78 + lan))?;
    }
    let snmpd = Snmpd::start(&host)?;
    let global = format!("enable_snmp_vrrp\nsnmp_socket unix:{}", snmpd.socket().display());
    // Rare adverts: what they cost is not asked here.
    let running = router.start(&host, &load::config(instances, 100, "100", &global)?)?;
    let mut objects = 0;
    wait::until("two walks in a row show all", 2 * wait::LONG, || {
        let before = std::mem::replace(&mut objects, walk(&snmpd).unwrap_or(0));
        objects > 30 * instances && objects == before
    })?;

    let pid = running.process().pid();
    let (before, began) = (tree::cost(pid), Instant::now());
    let (mut seen, mut wall) = (0, Duration::MAX);
    for _ in 0..WALKS {
        let began = Instant::now();
        seen += walk(&snmpd)?;
        wall = wall.min(began.elapsed());
    }
    let (after, took) = (tree::cost(pid), began.elapsed());
    ensure!(seen >= WALKS * objects, "a walk showed less: {seen} objects in {WALKS} walks, {objects} in one");
    // What it does anyway.
    std::thread::sleep(took.min(Duration::from_secs(5)));
    let idle = tree::cost(pid).cpu.saturating_sub(after.cpu).as_secs_f64()
        / took.min(Duration::from_secs(5)).as_secs_f64();
    let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64() - idle * took.as_secs_f64();
    let each = cpu * 1e6 / f64::from(seen);
    println!(
        "  {:<10}  {objects} objects; the shortest walk took {:.2} s; a walk took {:.3} s of the daemon's processor time, {each:.1} µs an \
         object; memory (PSS) {} KiB, {:+} KiB after the walks",
        router.name(),
        wall.as_secs_f64(),
        cpu / f64::from(WALKS),
        after.pss_kib,
        i64::try_from(after.pss_kib)? - i64::try_from(before.pss_kib)?
    );
    Ok(Cost { wall, each })
}

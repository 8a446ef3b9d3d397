//! How soon the real servers of a large virtual server stand in the kernel's table: after the start, and after a reload that
//! changes one of them.
//!
//! The servers are checked seldom here, so that what is measured is the way to the table and not the checks. It needs a kernel
//! with IPVS.

use std::{
    fs,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use integration::{
    Host, Lab,
    background::Acceptor,
    process::tree::{self, Cost},
    wait,
};

use crate::{
    checks::{self, PORT},
    router::{Router, Running, TABLE, has_ipvs},
};

/// How long either may take.
const LIMIT: Duration = Duration::from_secs(600);

/// Measures each, and prints the times and their ratios.
pub(crate) fn compare(routers: &[Router; 2], servers: u32, trials: usize) -> Result<()> {
    println!("{servers} real servers of one virtual server in the kernel's table, {trials} times");
    let mut best = Vec::new();
    for router in routers {
        let mut least = [Duration::MAX; 2];
        for _ in 0..trials {
            let (times, spent) = measure(router, servers)?;
            println!(
                "  {:<10}  all after {:.3} s ({:.2} s of processor time, {:.2} s of it in the kernel), a changed weight \
                 {:.3} s after the reload",
                router.name(),
                times[0].as_secs_f64(),
                spent.cpu.as_secs_f64(),
                spent.kernel.as_secs_f64(),
                times[1].as_secs_f64()
            );
            least = [least[0].min(times[0]), least[1].min(times[1])];
        }
        best.push(least);
    }
    if let [ours, theirs] = best[..] {
        let ratio = |at: usize| ours[at].as_secs_f64() / theirs[at].as_secs_f64().max(0.001);
        println!("  ratio of the shortest times: {:.2} for all, {:.2} for a reload\n", ratio(0), ratio(1));
    }
    Ok(())
}

/// Both times, and what the daemon had spent when all was there.
fn measure(router: &Router, servers: u32) -> Result<([Duration; 2], Cost)> {
    let host: Host = Lab::new("table")?.host("a")?;
    ensure!(has_ipvs(&host)?, "this kernel has no IPVS: load it with `modprobe ip_vs`");
    // Somebody is there when a server is checked, and does nothing else.
    let acceptor = Acceptor::start(&host, ([0, 0, 0, 0], PORT).into(), "servers", drop)?;
    acceptor.let_wait(servers)?;
    let began = Instant::now();
    let mut running = router.start_checking(&host, &config(servers, 1)?)?;
    let start = seen(&host, &mut running, "all real servers are in the table", began, |table| {
        table.matches("-> 7F01").count() == servers as usize
    })?;
    let spent = tree::cost(running.process().pid());
    let began = Instant::now();
    running.reload(&config(servers, 77)?)?;
    let reload = seen(&host, &mut running, "the new weight is in the table", began, |table| {
        table.lines().any(|line| line.split_whitespace().nth(3) == Some("77"))
    })?;
    running.process_mut().stop(4 * wait::LONG)?;
    Ok(([start, reload], spent))
}

/// How long after `began` the table is so. It is looked at for a fifth of the time at most, since the kernel prints all of it.
fn seen(
    host: &Host,
    running: &mut Running,
    what: &str,
    began: Instant,
    holds: impl Fn(&str) -> bool,
) -> Result<Duration> {
    loop {
        ensure!(running.process_mut().is_running(), "the daemon ended before {what}");
        let from = Instant::now();
        let table = host.inside(|| Ok(fs::read_to_string(TABLE)?))?;
        if holds(&table) {
            return Ok(from - began);
        }
        if began.elapsed() > LIMIT {
            bail!("waited {} s in vain until {what}", LIMIT.as_secs());
        }
        sleep((4 * from.elapsed()).max(Duration::from_millis(2)));
    }
}

fn config(servers: u32, first_weight: u32) -> Result<String> {
    checks::config("TCP_CHECK {\n connect_timeout 2\n }", servers, 60, first_weight)
}

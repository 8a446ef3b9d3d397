//! How long a takeover takes beyond what the RFC allows, for each router as the backup of a keepalived.

use std::{path::Path, thread::sleep, time::Duration};

use anyhow::{Context, Result};
use integration::{Instance, Lab, conf::VIP, wait};

use crate::router::{self, Router};

const MASTER: &str = "10.78.0.1";
const PRIORITY: u8 = 100;

/// Measures each and prints the times and their ratio.
pub(crate) fn compare(
    routers: &[Router; 2],
    master: &Path,
    advert: &str,
    trials: usize,
    busy: bool,
) -> Result<()> {
    let seconds: f64 = advert.parse().with_context(|| format!("{advert} is no time"))?;
    let expected = (3.0 + (256.0 - f64::from(PRIORITY)) / 256.0) * seconds;
    let load = if busy { ", every core busy twice over" } else { "" };
    println!("takeover at advert_int {advert} s ({:.1} ms by the RFC), {trials} times{load}", expected * 1e3);
    let mut medians = Vec::new();
    for router in routers {
        let mut over = measure(router, master, advert, seconds, trials, busy)?;
        for time in &mut over {
            *time = (*time - expected) * 1e3;
        }
        over.sort_by(f64::total_cmp);
        let (least, most) = (over.first().context("no trial")?, over.last().context("no trial")?);
        let median = median(&over);
        println!(
            "  {:<10}  beyond it: min {least:.2} ms, median {median:.2} ms, max {most:.2} ms",
            router.name()
        );
        medians.push(median);
    }
    if let [ours, theirs] = medians[..] {
        println!("  ratio of the medians: {:.2}\n", ours / theirs);
    }
    Ok(())
}

/// The middle of sorted numbers, or between the two of it.
pub(crate) fn median(sorted: &[f64]) -> f64 {
    let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { at(half) } else { (at(half.saturating_sub(1)) + at(half)) / 2.0 }
}

/// The takeover times in seconds.
fn measure(
    router: &Router,
    master: &Path,
    advert: &str,
    seconds: f64,
    trials: usize,
    busy: bool,
) -> Result<Vec<f64>> {
    let lab = Lab::new("takeover")?;
    let (lan, hosts) = lab.routers(2)?;
    let config = |priority| {
        let instance = Instance::new("VI_1").interval(advert).priority(priority);
        if seconds.fract() == 0.0 { instance.version_2("") } else { instance.version_3("") }
    };
    let _busy = router::busy(busy)?;
    let _backup = router.start(&hosts[1], &config(PRIORITY))?;
    let master = Router::Keepalived(master.to_owned());
    let mut times = Vec::new();
    for _ in 0..trials {
        let wire = lan.capture()?;
        let mut dying = master.start(&hosts[0], &config(200))?;
        let heard = 5 + (1.0 / seconds) as usize;
        wait::until("the master is heard", wait::LONG, || wire.adverts_from(MASTER).len() > heard)?;
        // Killed anywhere between two adverts.
        sleep(Duration::from_secs_f64(seconds * (times.len() % 7) as f64 / 7.0));
        dying.process_mut().kill();
        let time = wait::value("the backup takes over", wait::LONG, || wire.outage(MASTER, VIP))?;
        times.push(time.as_secs_f64());
        hosts[0].remove_address(VIP)?;
    }
    Ok(times)
}

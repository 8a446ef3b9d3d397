//! How large the programs are, and how long it takes from the start of a daemon to its first advert.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use integration::{Instance, Lab, binaries, capture, wait};

use crate::router::Router;
use crate::takeover::median;

/// The only router of the LAN.
const OURS: &str = "10.78.0.1";

/// Measures both and prints sizes, times and their ratio.
pub(crate) fn compare(routers: &[Router; 2], trials: usize) -> Result<()> {
    println!("start to first advert, of an address owner (who waits for nobody), {trials} times");
    let mut medians = Vec::new();
    for router in routers {
        let mut times = measure(router, trials)?;
        times.sort_by(f64::total_cmp);
        let (least, most) = (times.first().context("no trial")?, times.last().context("no trial")?);
        let median = median(&times);
        let size = size(router)? as f64 / 1e6;
        println!(
            "  {:<10}  min {least:.1} ms, median {median:.1} ms, max {most:.1} ms; programs of {size:.1} MB",
            router.name()
        );
        medians.push(median);
    }
    if let [ours, theirs] = medians[..] {
        println!("  ratio of the medians: {:.2}\n", ours / theirs);
    }
    Ok(())
}

/// The bytes of its programs.
fn size(router: &Router) -> Result<u64> {
    let bytes =
        |path: &Path| Ok(path.metadata().with_context(|| format!("look at {}", path.display()))?.len());
    match router {
        Router::Keepwatchd => {
            Ok(bytes(&binaries::path("keepwatchd")?)? + bytes(&binaries::path("keepwatch-worker")?)?)
        }
        Router::Keepalived(path) if path.is_absolute() => bytes(path),
        // By its name it is found where the shell would find it.
        Router::Keepalived(name) => std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .chain(["/usr/sbin".into()])
            .find_map(|directory| bytes(&directory.join(name)).ok())
            .with_context(|| format!("{} is nowhere", name.display())),
    }
}

/// The times in milliseconds.
fn measure(router: &Router, trials: usize) -> Result<Vec<f64>> {
    let (lan, hosts) = Lab::new("start")?.routers(1)?;
    // One that is to begin as a backup waits, whatever its priority.
    let config = Instance::new("VI_1").priority(255).version_2("").replace("state BACKUP", "state MASTER");
    let mut times = Vec::new();
    for _ in 0..trials {
        let wire = lan.capture()?;
        let began = capture::now();
        let mut daemon = router.start(&hosts[0], &config)?;
        let first = wait::value("it advertises", wait::LONG, || {
            wire.adverts_since(OURS, began).first().map(|(at, _)| *at)
        })?;
        times.push((first - began).as_secs_f64() * 1e3);
        daemon.process_mut().stop(wait::LONG)?;
        // The last advert of this one is not the first of the next.
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(times)
}

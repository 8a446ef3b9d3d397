//! What tracking costs: processor time of scripts that run all the time, and how punctual adverts stay beside many scripts
//! and files that change without end.

use std::{
    fmt::Write,
    fs,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use integration::{Instance, Lab, background::Background, capture, conf, process::tree, wait};

use crate::router::Router;

/// Scripts that are run once a second to see what they cost …
const COSTED: usize = 200;
/// … and beside files, to see what they disturb.
const DISTURBING: usize = 500;
/// Files that change, and how often all of them together, a second.
const FILES: usize = 100;
const CHANGES: u32 = 10_000;

/// Measures both and prints the costs, their ratio and the gaps.
pub(crate) fn compare(routers: &[Router; 2], span: Duration) -> Result<()> {
    println!("{COSTED} tracked scripts a second for {} s", span.as_secs());
    let costs = routers.iter().map(|router| scripts(router, span)).collect::<Result<Vec<_>>>()?;
    if let [ours, theirs] = costs[..] {
        println!("  ratio of the processor times: {:.2}\n", ours / theirs.max(0.01));
    }
    println!(
        "{DISTURBING} tracked scripts and {CHANGES} changes of {FILES} tracked files a second at advert_int 0.1 s for {} s",
        span.as_secs()
    );
    for router in routers {
        gap(router, span)?;
    }
    println!();
    Ok(())
}

fn blocks(scripts: usize, files: Option<&std::path::Path>) -> Result<(String, String)> {
    let (mut blocks, mut tracked) = (String::new(), "track_script {\n".to_owned());
    for i in 0..scripts {
        // Not by way of `/bin`: keepalived 2.4.3 runs no script whose path leads over a symbolic link.
        writeln!(blocks, "vrrp_script s{i} {{\n script /usr/bin/true\n interval 1\n weight 1\n}}")?;
        writeln!(tracked, " s{i}")?;
    }
    tracked += "}\n";
    if let Some(directory) = files {
        tracked += "track_file {\n";
        for i in 0..FILES {
            let file = directory.join(format!("f{i}"));
            writeln!(blocks, "vrrp_track_file f{i} {{\n file {}\n}}", file.display())?;
            writeln!(tracked, " f{i}")?;
        }
        tracked += "}\n";
    }
    Ok((blocks, tracked))
}

/// Processor time that the daemon with its scripts takes, in percent of a processor.
fn scripts(router: &Router, span: Duration) -> Result<f64> {
    let (_lan, hosts) = Lab::new("track")?.routers(1)?;
    let (blocks, tracked) = blocks(COSTED, None)?;
    let config = conf::global_defs(3, "script_user root") + &blocks;
    let config = config + &Instance::new("VI_1").priority(10).line(&tracked).to_string();
    let running = router.start(&hosts[0], &config)?;
    wait::until("it is master", wait::LONG, || hosts[0].has("eth0", conf::VIP))?;
    sleep(Duration::from_secs(2));
    let cost = || tree::cost_with_children(running.process().pid());
    let before = cost();
    sleep(span);
    let cpu = 100.0 * cost().saturating_sub(before).as_secs_f64() / span.as_secs_f64();
    println!("  {:<10}  CPU {cpu:.2} %, scripts included", router.name());
    Ok(cpu)
}

fn gap(router: &Router, span: Duration) -> Result<()> {
    let (lan, hosts) = Lab::new("gap")?.routers(1)?;
    let directory = hosts[0].directory().join("files");
    fs::create_dir(&directory)?;
    let (blocks, tracked) = blocks(DISTURBING, Some(&directory))?;
    let config = conf::global_defs(3, "script_user root") + &blocks;
    let config = config + &Instance::new("VI_1").interval("0.1").priority(10).line(&tracked).to_string();
    let wire = lan.capture()?;
    let _running = router.start(&hosts[0], &config)?;
    wait::until("it is master", wait::LONG, || hosts[0].has("eth0", conf::VIP))?;
    let at = directory.clone();
    let changer = Background::start("changer", move |end| {
        let (began, mut done) = (Instant::now(), 0_u32);
        while !end.is_near() {
            let due = (began.elapsed().as_secs_f64() * f64::from(CHANGES)) as u32;
            while done < due && !end.is_near() {
                // A change that fails is one less.
                let _ = fs::write(at.join(format!("f{}", done as usize % FILES)), format!("{}", done % 3));
                done += 1;
            }
            sleep(Duration::from_millis(1));
        }
    })?;
    sleep(Duration::from_secs(2));
    let since = capture::now();
    sleep(span);
    let gap = wire.largest_gap("10.78.0.1", since).context("there are no adverts")?;
    drop(changer);
    println!("  {:<10}  largest gap between two adverts {:.1} ms", router.name(), 1000.0 * gap.as_secs_f64());
    Ok(())
}

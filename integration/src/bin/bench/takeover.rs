//! How long a takeover takes beyond what the RFC allows, for each router as the backup of a keepalived, with little or much
//! to take over.

use std::{fmt::Write, path::Path, thread::sleep, time::Duration};

use anyhow::{Context, Result};
use integration::{
    Host, Instance, Lab,
    conf::{self, VIP},
    wait,
};

use crate::router::{self, Router};

const MASTER: &str = "10.78.0.1";
const PRIORITY: u8 = 100;
/// Virtual addresses of an instance that has many.
const MANY: u16 = 1000;
/// Routes, and rules, of one that has them.
const FEW: u8 = 50;

/// What is taken over.
#[derive(Clone, Copy)]
pub(crate) enum What {
    /// One virtual address.
    Address,
    /// One, with a virtual MAC address.
    Vmac,
    /// A thousand: the time is that of the last.
    Addresses,
    /// One, beside notify and tracked scripts, virtual routes and rules.
    Routes,
}

impl What {
    fn label(self) -> &'static str {
        match self {
            Self::Address => "one address",
            Self::Vmac => "one address with a virtual MAC",
            Self::Addresses => "the last of a thousand addresses",
            Self::Routes => "one address, with scripts, routes and rules",
        }
    }

    /// The file for the instance, with all that belongs to it.
    fn config(self, instance: Instance, version: u8) -> String {
        let script = match self {
            Self::Address | Self::Vmac | Self::Addresses => "",
            Self::Routes => "vrrp_script alive {\n    script \"/bin/true\"\n    interval 1\n}\n",
        };
        format!("{}{script}{}", conf::global_defs(version, "    script_user root"), self.instance(instance))
    }

    fn instance(self, instance: Instance) -> Instance {
        match self {
            Self::Address => instance,
            Self::Vmac => instance.line("use_vmac"),
            Self::Addresses => {
                let others = (1..MANY).map(|no| format!("10.79.{}.{}/32", no >> 8, no & 255));
                let all = others.chain([format!("{VIP}/32")]).collect::<Vec<_>>();
                instance.vip(&all.join("\n        "))
            }
            Self::Routes => {
                let (mut routes, mut rules) = (String::new(), String::new());
                for no in 1..=FEW {
                    // Writing to a String can't fail.
                    let _ = writeln!(routes, "        10.80.{no}.0/24 via 10.78.0.99 dev eth0");
                    let _ = writeln!(rules, "        from 10.81.{no}.0/24 table 100");
                }
                instance
                    .line("track_script {\n        alive\n    }")
                    .line("notify_master /bin/true")
                    .line("notify /bin/true")
                    .line(&format!("virtual_routes {{\n{routes}    }}"))
                    .line(&format!("virtual_rules {{\n{rules}    }}"))
            }
        }
    }

    /// Takes off the host what a killed master left there.
    fn clean(self, host: &Host) -> Result<()> {
        host.remove_address(VIP)?;
        match self {
            Self::Address => {}
            Self::Vmac => {
                host.remove_interface("vrrp.51")?;
            }
            Self::Addresses => {
                host.run("ip", &["address", "flush", "to", "10.79.0.0/16", "dev", "eth0"])?;
            }
            Self::Routes => {
                host.run("ip", &["route", "flush", "root", "10.80.0.0/16"])?;
                for no in 1..=FEW {
                    host.run("ip", &["rule", "delete", "from", &format!("10.81.{no}.0/24"), "table", "100"])?;
                }
            }
        }
        Ok(())
    }
}

/// Measures each and prints the times and their ratio.
pub(crate) fn compare(
    routers: &[Router; 2],
    what: What,
    master: &Path,
    advert: &str,
    trials: usize,
    busy: bool,
) -> Result<()> {
    let seconds: f64 = advert.parse().with_context(|| format!("{advert} is no time"))?;
    let expected = (3.0 + (256.0 - f64::from(PRIORITY)) / 256.0) * seconds;
    let load = if busy { ", every core busy twice over" } else { "" };
    println!(
        "takeover of {} at advert_int {advert} s ({:.1} ms by the RFC), {trials} times{load}",
        what.label(),
        expected * 1e3
    );
    let mut medians = Vec::new();
    for router in routers {
        let mut over = measure(router, what, master, advert, seconds, trials, busy)?;
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
    what: What,
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
        what.config(instance, if seconds.fract() == 0.0 { 2 } else { 3 })
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
        drop(dying);
        what.clean(&hosts[0])?;
    }
    Ok(times)
}

//! What many virtual routers cost: processor time and memory of master and backup, and whether mastership held.

use std::{fmt::Write, thread::sleep, time::Duration};

use anyhow::{Context, Result};
use integration::{Host, Instance, Lab, conf, process::tree, wait};

use crate::{
    least,
    router::{self, Router},
};

/// Virtual router ids of one LAN that are used.
const PER_LAN: u32 = 250;

/// What a pair of routers needed.
struct Cost {
    cpu_percent: f64,
    pss_kib: u64,
}

/// Measures each and prints the costs and their ratios.
pub(crate) fn compare(
    routers: &[Router; 2],
    instances: u32,
    advert: &str,
    span: Duration,
    busy: bool,
) -> Result<()> {
    let load = if busy { ", every core busy twice over" } else { "" };
    println!("{instances} virtual routers at advert_int {advert} s for {} s{load}", span.as_secs());
    let each_second = f64::from(instances) / advert.parse::<f64>().context("advert_int")?;
    let [sends, reads] = least::adverts(each_second as u32, span)?;
    println!(
        "  {:<10}  CPU {sends:.2} % to send so many adverts, {reads:.2} % to read them, and nothing else",
        "least"
    );
    let costs = routers
        .iter()
        .map(|router| measure(router, instances, advert, span, busy))
        .collect::<Result<Vec<_>>>()?;
    if let [ours, theirs] = &costs[..] {
        println!(
            "  ratio of the processor times: {:.2}, of the memory: {:.2}\n",
            ours.cpu_percent / theirs.cpu_percent.max(0.01),
            ours.pss_kib as f64 / theirs.pss_kib.max(1) as f64
        );
    }
    Ok(())
}

/// How many LANs so many virtual routers need.
pub(crate) fn lans(instances: u32) -> u32 {
    instances.div_ceil(PER_LAN)
}

/// A configuration of so many, with these lines in its `global_defs`.
pub(crate) fn config(instances: u32, priority: u8, advert: &str, global: &str) -> Result<String> {
    let version = if advert.parse::<f64>().context("advert_int")?.fract() == 0.0 { 2 } else { 3 };
    let mut text = conf::global_defs(version, &format!("vrrp_garp_master_delay 0\n{global}"));
    for i in 0..instances {
        let (lan, vrid) = (i / PER_LAN, i % PER_LAN + 1);
        let instance = Instance::new(&format!("VI_{i}"))
            .interface(&format!("eth{lan}"))
            .vrid(u8::try_from(vrid)?)
            .priority(priority)
            .interval(advert)
            .vip(&format!("10.{}.{vrid}.200/32", 78 + lan));
        write!(text, "{instance}")?;
    }
    Ok(text)
}

/// How many virtual addresses a host has.
fn virtual_addresses(host: &Host, lans: u32) -> Result<usize> {
    let mut count = 0;
    for lan in 0..lans {
        let addresses = host.addresses(&format!("eth{lan}"))?;
        count += addresses.iter().filter(|a| a.to_string().ends_with(".200")).count();
    }
    Ok(count)
}

fn measure(router: &Router, instances: u32, advert: &str, span: Duration, busy: bool) -> Result<Cost> {
    let lab = Lab::new("load")?;
    let lans = lans(instances);
    let hosts = [lab.host("a")?, lab.host("b")?];
    for lan in 0..lans {
        let bridge = lab.bridge(&format!("lan{lan}"))?;
        for (i, host) in hosts.iter().enumerate() {
            let interface = format!("eth{lan}");
            host.plug(&interface, &bridge)?
                .address(&interface, &format!("10.{}.0.{}/16", 78 + lan, i + 1))?;
        }
    }
    let master = router.start(&hosts[0], &config(instances, 200, advert, "")?)?;
    let backup = router.start(&hosts[1], &config(instances, 100, advert, "")?)?;
    let all = usize::try_from(instances)?;
    wait::until("the master has every address", 2 * wait::LONG, || {
        virtual_addresses(&hosts[0], lans).is_ok_and(|count| count == all)
            && virtual_addresses(&hosts[1], lans).is_ok_and(|count| count == 0)
    })?;
    sleep(Duration::from_secs(2));

    let _busy = router::busy(busy)?;
    let cost = |running: &crate::router::Running| tree::cost(running.process().pid());
    let before = (cost(&master), cost(&backup));
    let mut lost = 0;
    for _ in 0..span.as_secs() {
        sleep(Duration::from_secs(1));
        let held = virtual_addresses(&hosts[0], lans)?;
        lost = lost.max(all - held).max(virtual_addresses(&hosts[1], lans)?);
    }
    let after = (cost(&master), cost(&backup));
    let percent = |from: tree::Cost, to: tree::Cost| {
        100.0 * to.cpu.saturating_sub(from.cpu).as_secs_f64() / span.as_secs_f64()
    };
    let (cpu_master, cpu_backup) = (percent(before.0, after.0), percent(before.1, after.1));
    println!(
        "  {:<10}  CPU master {cpu_master:.2} %, backup {cpu_backup:.2} %; memory (PSS) {} KiB and {} KiB; \
         mastership lost or doubled: {lost}",
        router.name(),
        after.0.pss_kib,
        after.1.pss_kib
    );
    Ok(Cost { cpu_percent: cpu_master + cpu_backup, pss_kib: after.0.pss_kib + after.1.pss_kib })
}

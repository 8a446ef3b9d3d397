//! Adverts and the kernel's table of neighbours. The table is one for all networks of a machine, so it is filled (its
//! limit set to nothing) in a machine of its own: the test boots one and runs itself in it; what is marked `ignore` is
//! the part that plays inside.

use std::{fs, time::Duration};

use anyhow::{Context, Result, ensure};
use integration::{Host, Instance, Lab, keepwatchd::Keepwatchd, vm::Scenario, wait};

/// Instance, virtual router id, address.
const ROUTERS: [(&str, u8, &str); 4] = [
    ("GROUP4", 51, "10.78.9.51"),
    ("GROUP6", 61, "fd78::961"),
    ("PEER4", 71, "10.78.9.71"),
    ("PEER6", 81, "fd78::981"),
];

#[test]
fn adverts_leave_though_the_kernel_s_neighbour_table_is_full() -> Result<()> {
    Scenario::of_this_test("--exact inside_the_machine")?.module("veth").module("bridge").succeed()
}

/// Every kind of router, as number `own` of two.
fn config(own: u8, priority: u8) -> String {
    let other = 3 - own;
    let blocks = ROUTERS.iter().map(|(name, vrid, address)| {
        let instance = Instance::new(name).vrid(*vrid).priority(priority).interval("1").vip(address);
        let instance = match *name {
            "PEER4" => instance.unicast(&format!("10.78.0.{own}"), &format!("10.78.0.{other}")),
            "PEER6" => instance.unicast(&format!("fd78::{own}"), &format!("fd78::{other}")),
            _ => instance,
        };
        instance.line("version 3").to_string()
    });
    blocks.collect()
}

fn has_all(host: &Host) -> bool {
    ROUTERS.iter().all(|(_, _, address)| host.has("eth0", address))
}

fn has_none(host: &Host) -> bool {
    ROUTERS.iter().all(|(_, _, address)| !host.has("eth0", address))
}

fn limit(entries: u32) -> Result<()> {
    for family in ["ipv4", "ipv6"] {
        for threshold in 1..=3 {
            let setting = format!("/proc/sys/net/{family}/neigh/default/gc_thresh{threshold}");
            fs::write(setting, entries.to_string())?;
        }
    }
    Ok(())
}

fn keeps(host: &Host, count: usize) -> bool {
    host.run("ip", &["neighbour"]).is_ok_and(|all| all.matches("extern_learn").count() == count)
}

fn count(daemon: &Keepwatchd, what: &str, instance: &str) -> f64 {
    let label = format!("iname=\"{instance}\"");
    daemon.metric(&format!("keepwatch_vrrp_{what}_total"), &[&label]).unwrap_or_default()
}

#[test]
#[ignore = "plays inside the virtual machine"]
fn inside_the_machine() -> Result<()> {
    let lab = Lab::new("neighbours")?;
    let (lan, hosts) = lab.routers(2)?;
    let start = |i: usize, priority| {
        Keepwatchd::on(&hosts[i]).config(config(i as u8 + 1, priority)).flag("--vrrp").start()
    };
    let master = start(0, 200)?;
    wait::until("the first is master of all", wait::LONG, || has_all(&hosts[0]))?;
    let backup = start(1, 100)?;
    backup.wait_for_control()?;
    wait::until("the second is backup of all", wait::LONG, || {
        backup.process().log().matches("Entering BACKUP STATE").count() == ROUTERS.len()
    })?;
    wait::until("each keeps the other's two addresses in mind", wait::LONG, || {
        hosts.iter().all(|host| keeps(host, 2))
    })?;

    // No room for anything that is not kept.
    limit(0)?;
    let steady = || has_all(&hosts[0]) && has_none(&hosts[1]);
    let stays_master = |seconds| {
        let span = Duration::from_secs(seconds);
        wait::throughout("the master stays master", span, steady).with_context(|| {
            format!("master:\n{}\nbackup:\n{}", master.process().log(), backup.process().log())
        })
    };
    // The kernel makes room as long as it finds another entry for a group to throw away; there are only few.
    for (instance, group) in [("GROUP4", "224.0.0.18"), ("GROUP6", "ff02::12")] {
        let told = format!("({instance}) the kernel has no room for adverts as IP packets");
        wait::until(&format!("{instance} makes a detour"), wait::LONG, || {
            // It may be gone already.
            let _ = hosts[0].output("ip", &["neighbour", "del", group, "dev", "eth0"]);
            master.process().log().contains(&told)
        })?;
    }
    let wire = lan.capture()?;
    stays_master(6)?;
    let vrids: Vec<u8> = wire.adverts().iter().map(|(_, advert)| advert.vrid).collect();
    for (instance, vrid, _) in ROUTERS {
        ensure!(vrids.contains(&vrid), "no advert of {instance} on the wire: {vrids:?}");
    }

    // Now even what was kept is gone: an advert to a peer is refused, that is told, and the kernel is asked again.
    hosts[0].run("ip", &["-4", "neighbour", "flush", "all"])?;
    wait::until("the peer is kept again", wait::LONG, || keeps(&hosts[0], 2))?;
    stays_master(8)?;
    ensure!(master.process().log().contains("(PEER4) send advert error"), "it was not said");

    // A cable that is pulled empties all.
    hosts[0].down("eth0")?;
    wait::until("the other is master", wait::LONG, || has_all(&hosts[1]) && has_none(&hosts[0]))?;
    hosts[0].up("eth0")?.address("eth0", "fd78::1/64")?;
    wait::until("the master is back", wait::LONG, steady)?;
    stays_master(4)?;

    // There is room again (for loopback too, over which metrics come), and adverts take the ordinary way.
    limit(1024)?;
    stays_master(2)?;
    ensure!(count(&master, "send_errors", "PEER4") > 0.0, "no refused advert was counted");
    for (instance, ..) in &ROUTERS[..2] {
        let before = count(&master, "adverts_detoured", instance);
        ensure!(before > 0.0, "no detour of {instance} was counted");
        stays_master(3)?;
        let after = count(&master, "adverts_detoured", instance);
        ensure!(after == before, "{instance} goes on with its detour: {before}, {after}");
    }

    for mut daemon in [backup, master] {
        daemon.process_mut().stop(wait::LONG)?;
    }
    for host in &hosts {
        let left = host.run("ip", &["neighbour"])?;
        ensure!(!left.contains("extern_learn"), "left behind: {left}");
    }
    Ok(())
}

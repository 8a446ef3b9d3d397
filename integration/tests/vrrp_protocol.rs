//! Keywords of the protocol on the running daemon, each by what it changes that others can see; and every kind of advert
//! as tshark reads it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration::sockets::receive_buffers;
use integration::{
    Host, Instance, Lab, Pair, capture, conf, keepwatchd::Keepwatchd, pair::OURS, process::tree, wait,
};
use nix::sys::signal::Signal;

fn start(host: &Host, config: impl Into<String>) -> Result<Keepwatchd> {
    Keepwatchd::on(host).config(config).flag("--vrrp").start()
}

fn fast(global: &str) -> String {
    Instance::new("VI_1").interval("0.1").version_3(global)
}

#[test]
fn adverts_for_unknown_ids_are_told_of() -> Result<()> {
    let lab = Lab::new("unknown")?;
    let (_lan, hosts) = lab.routers(2)?;
    let _other = start(&hosts[1], Instance::new("VI_2").vrid(77).interval("0.1").version_3(""))?;
    let we = start(&hosts[0], fast("log_unknown_vrids"))?;
    we.wait_for_log("Unknown VRID(77) received on interface(eth0) from 10.78.0.2. ignoring...")?;
    std::thread::sleep(Duration::from_secs(1));
    ensure!(we.process().log().matches("Unknown VRID").count() == 1, "once in a while, not for each");
    Ok(())
}

#[test]
fn membership_of_groups_of_the_link_is_kept_quiet_and_put_back() -> Result<()> {
    let lab = Lab::new("igmp")?;
    let (_lan, hosts) = lab.routers(1)?;
    let setting = || hosts[0].run("cat", &["/proc/sys/net/ipv4/igmp_link_local_mcast_reports"]);
    ensure!(setting()?.trim() == "1");
    let mut we = start(&hosts[0], fast("disable_local_igmp"))?;
    wait::until("it is off", wait::LONG, || setting().is_ok_and(|is| is.trim() == "0"))?;
    we.process_mut().stop(wait::LONG)?;
    ensure!(setting()?.trim() == "1", "put back");
    Ok(())
}

#[test]
fn receive_buffers_are_as_configured() -> Result<()> {
    let lab = Lab::new("buffers")?;
    let (_lan, hosts) = lab.routers(1)?;
    for (global, line, expected) in [
        ("", "kernel_rx_buf_size 50000", 100_000),
        ("vrrp_rx_bufs_policy 30000\nvrrp_rx_bufs_multiplier 2", "", 120_000),
        ("vrrp_rx_bufs_policy MTU\nvrrp_rx_bufs_multiplier 10", "", 30_000),
    ] {
        let config = Instance::new("VI_1").interval("0.1").line(line).version_3(global);
        let we = start(&hosts[0], config)?;
        we.wait_for_log("(VI_1) Entering MASTER STATE")?;
        let all = receive_buffers(&hosts[0], we.process().pid(), "raw 112 ")?;
        ensure!(all.contains(&expected), "{global} {line}: {all:?}");
    }
    let global = "vrrp_netlink_monitor_rcv_bufs 70000\nvrrp_netlink_monitor_rcv_bufs_force\n\
                  vrrp_netlink_cmd_rcv_bufs 60000\nvrrp_netlink_cmd_rcv_bufs_force";
    let we = start(&hosts[0], fast(global))?;
    we.wait_for_log("(VI_1) Entering MASTER STATE")?;
    let all = receive_buffers(&hosts[0], we.process().pid(), "netlink 0 ")?;
    ensure!(all.contains(&140_000) && all.contains(&120_000), "{all:?}");
    Ok(())
}

#[test]
fn a_thread_that_runs_late_raises_its_priority() -> Result<()> {
    let lab = Lab::new("late")?;
    let (_lan, hosts) = lab.routers(1)?;
    let we = start(&hosts[0], fast("max_auto_priority 5\nmin_auto_priority_delay 200000"))?;
    we.wait_for_log("(VI_1) Entering MASTER STATE")?;
    we.process().signal_all(Signal::SIGSTOP);
    std::thread::sleep(Duration::from_millis(600));
    we.process().signal_all(Signal::SIGCONT);
    we.wait_for_log("A thread timer expired 0.")?;
    we.wait_for_log("its priority is SCHED_RR 1 now")
}

/// Policy and real-time priority of the thread of a process, or of one below it, that has this name (proc_pid_stat(5)).
fn scheduling(daemon: &Keepwatchd, thread: &str) -> Result<(u32, u32)> {
    let mut names = tree::below(daemon.process().pid()).into_iter().flat_map(|pid| {
        std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten().map(|task| task.path())
    });
    let is = |path: &std::path::PathBuf| {
        std::fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim() == thread)
    };
    let path = names.find(is).context("no such thread")?;
    let stat = std::fs::read_to_string(path.join("stat"))?;
    // The fields after the name, which stands in brackets, begin with the third.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field =
        |number: usize| Ok::<_, anyhow::Error>(fields.get(number - 3).context("a field")?.parse::<u32>()?);
    Ok((field(41)?, field(40)?))
}

#[test]
fn virtual_routers_run_in_real_time_unless_told_otherwise() -> Result<()> {
    const OTHER: (u32, u32) = (0, 0);
    const LOWEST: (u32, u32) = (2, 1);
    let lab = Lab::new("realtime")?;
    let (_lan, hosts) = lab.routers(1)?;
    // Who is root only in a user namespace may not.
    let may = hosts[0].run("chrt", &["--rr", "1", "true"]).is_ok();
    for (global, wanted) in [
        ("", if may { LOWEST } else { OTHER }),
        ("max_auto_priority -1", OTHER),
        ("vrrp_priority 3", OTHER),
        ("vrrp_rt_priority 5\nvrrp_rlimit_rttime 1000000", if may { (2, 5) } else { OTHER }),
    ] {
        let mut we = start(&hosts[0], fast(global))?;
        we.wait_for_log("(VI_1) Entering MASTER STATE")?;
        for thread in ["vrrp", "vrrp-addresses"] {
            ensure!(
                scheduling(&we, thread)? == wanted,
                "{thread} with {global:?}: {:?}",
                scheduling(&we, thread)?
            );
        }
        ensure!(scheduling(&we, "history")? == OTHER, "only what is urgent");
        we.process_mut().stop(wait::LONG)?;
    }
    Ok(())
}

#[test]
fn tshark_reads_every_kind_of_advert_without_a_complaint() -> Result<()> {
    let pair = Pair::new("tshark")?;
    let unicast = Instance::new("VI_5").vrid(55).vip("10.78.9.5/32").unicast(OURS, "10.78.0.2");
    let six = |name: &str, vrid| Instance::new(name).vrid(vrid).line("version 3");
    let config = [
        conf::global_defs(2, ""),
        Instance::new("VI_1").to_string(),
        Instance::new("VI_2").vrid(52).vip("10.78.9.2/32").password("1111").to_string(),
        Instance::new("VI_3").vrid(53).vip("10.78.9.3/32").header_key("1111").to_string(),
        Instance::new("VI_4").vrid(54).vip("10.78.9.4/32").line("version 3").to_string(),
        unicast.line("version 3").to_string(),
        six("VI_6", 56).vip("fe80::9:6/128").to_string(),
        six("VI_7", 57).vip("fd78::9:7/128").unicast("fd78::1", "fd78::2").to_string(),
    ];
    let mut we = pair.keepwatchd(config.concat())?;
    for instance in 1..=7 {
        we.wait_for_log(&format!("(VI_{instance}) Entering MASTER STATE"))?;
    }
    let fields = ["vrrp.version", "vrrp.virt_rtr_id", "vrrp.prio", "vrrp.checksum.status", "_ws.expert"];
    let filter = "proto 112 or ip6 proto 112 or proto 51";
    let reader = pair.theirs.process("tshark", "tshark").args(["-i", "eth0", "-l", "-f", filter]);
    let reader = reader.args(["-o", "ip.check_checksum:TRUE", "-T", "fields"]);
    let reader = fields.iter().fold(reader, |reader, field| reader.args(["-e", field])).start()?;
    let read = || -> Vec<Vec<String>> {
        let log = reader.log();
        let whole = log.rfind('\n').map_or("", |end| &log[..end]);
        let lines = whole.lines().map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>());
        lines.filter(|line| line.len() >= 4).collect()
    };
    let has_each = |priority: &str| {
        let lines = read();
        let of = |vrid: i32| lines.iter().any(|line| line[1] == vrid.to_string() && line[2] == priority);
        (51..=57).all(of)
    };
    wait::until("an advert of each is read", wait::LONG, || has_each("100")).with_context(|| reader.log())?;
    // Resignations are adverts too.
    we.process_mut().stop(wait::LONG)?;
    wait::until("a resignation of each is read", wait::LONG, || has_each("0"))
        .with_context(|| reader.log())?;
    let lines = read();
    for line in &lines {
        // 1: the checksum is right; an advert without one that tshark knows how to check says nothing.
        ensure!(matches!(&*line[3], "1" | ""), "checksum: {line:?}");
        ensure!(line.get(4).is_none_or(|expert| expert.is_empty()), "{line:?}");
    }
    Ok(())
}

#[test]
fn of_two_masters_that_refuse_each_other_each_keeps_its_rhythm() -> Result<()> {
    let lab = Lab::new("rhythm")?;
    let (lan, hosts) = lab.routers(2)?;
    let wire = lan.capture()?;
    let config =
        |priority, password| Instance::new("VI_1").priority(priority).password(password).version_2("");
    let one = start(&hosts[0], config(150, "1111"))?;
    let other = start(&hosts[1], config(100, "2222"))?;
    for daemon in [&one, &other] {
        daemon.wait_for_log("(VI_1) Entering MASTER STATE")?;
    }
    let since = capture::now();
    std::thread::sleep(Duration::from_secs(5));
    for address in [OURS, "10.78.0.2"] {
        wire.keeps_its_rhythm(address, since, Duration::from_secs(1))?;
    }
    Ok(())
}

//! Gratuitous ARP at the pace and on the interfaces that the configuration says; and settings of the kernel that are
//! changed meanwhile.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use integration::{
    Capture, Host, Instance, Lab, capture, capture::frame::Payload, keepalived::Keepalived,
    keepwatchd::Keepwatchd, wait,
};

const HERE: &str = "10.78.9.9";
const THERE: &str = "10.80.9.9";

fn instance(more: &str) -> Instance {
    Instance::new("VI_1")
        .vip(&format!("{HERE}\n {THERE}/16 dev eth1"))
        .interval("0.1")
        .line("version 3")
        .line("garp_master_delay 0")
        .line(more)
}

fn start(host: &Host, config: &str) -> Result<Keepwatchd> {
    Keepwatchd::on(host).config(config).flag("--vrrp").start()
}

#[test]
fn interfaces_of_a_garp_group_share_one_limit() -> Result<()> {
    let lab = Lab::new("garp-group")?;
    let (lan, hosts) = lab.routers(1)?;
    let other = lab.bridge("other")?;
    hosts[0].plug("eth1", &other)?.address("eth1", "10.80.0.1/16")?;
    let (near, far) = (lan.capture()?, other.capture()?);
    let group = "garp_group {\n garp_interval 0.1\n interfaces {\n eth0\n eth1\n }\n}\n";
    let _daemon = start(&hosts[0], &format!("{group}{}", instance("garp_master_repeat 3")))?;
    let all = || {
        let mut times = [near.gratuitous_arps(HERE), far.gratuitous_arps(THERE)].concat();
        times.sort_unstable();
        times
    };
    wait::until("three for each of two addresses", wait::LONG, || all().len() == 6)?;
    ensure!(near.gratuitous_arps(HERE).len() == 3, "{:?}", near.gratuitous_arps(HERE));
    keep_a_distance(&all(), Duration::from_millis(80), &near)
}

#[test]
fn addresses_on_interfaces_without_adverts_are_announced_again_and_again() -> Result<()> {
    let lab = Lab::new("garp-extra")?;
    let (lan, hosts) = lab.routers(1)?;
    let other = lab.bridge("other")?;
    hosts[0].plug("eth1", &other)?.address("eth1", "10.80.0.1/16")?;
    let (near, far) = (lan.capture()?, other.capture()?);
    let _daemon = start(&hosts[0], &instance("garp_extra_if all 1\n garp_master_repeat 1").to_string())?;
    wait::until("it is announced again", wait::LONG, || far.gratuitous_arps(THERE).len() >= 3)?;
    ensure!(near.gratuitous_arps(HERE).len() == 1, "{:?}", near.gratuitous_arps(HERE));
    Ok(())
}

#[test]
fn secondary_addresses_are_promoted_while_an_instance_wants_it() -> Result<()> {
    let lab = Lab::new("promoted")?;
    let (_lan, hosts) = lab.routers(1)?;
    let setting =
        || hosts[0].run("sysctl", &["-n", "net.ipv4.conf.eth0.promote_secondaries"]).unwrap_or_default();
    let vips = Instance::new("VI_1").vip("10.99.9.9/24\n 10.99.9.8/24").interval("0.1").line("version 3");
    let mut daemon = start(&hosts[0], &vips.line("promote_secondaries").to_string())?;
    wait::until("both are there", wait::LONG, || {
        hosts[0].has("eth0", "10.99.9.9") && hosts[0].has("eth0", "10.99.9.8")
    })?;
    ensure!(setting().trim() == "1");
    daemon.process_mut().stop(wait::LONG)?;
    ensure!(setting().trim() == "0", "it was not restored");
    Ok(())
}

const SIX: &str = "fd78::9:9";

/// When an address was announced: by ARP, or by neighbour advertisements.
fn announced(wire: &Capture, address: &str) -> Vec<Duration> {
    let neighbour = wire.pick(|frame| match &frame.payload {
        Payload::NeighbourAdvertisement { target, .. } if target.to_string() == address => Some(frame.at),
        _ => None,
    });
    [wire.gratuitous_arps(address), neighbour].concat()
}

/// Sees to it that so many announcements took as long as their distances together: one that left late is nearer to the next,
/// and moves no other.
fn keep_a_distance(times: &[Duration], distance: Duration, wire: &Capture) -> Result<()> {
    let (Some(first), Some(last)) = (times.first(), times.last()) else { bail!("no announcements") };
    let least = (distance * (times.len() as u32 - 1))
        .saturating_sub(wire.machine().allowance_since(first.saturating_sub(Duration::from_secs(1))));
    ensure!(last.saturating_sub(*first) >= least, "{times:?} (bound {least:?})");
    Ok(())
}

/// Times as bursts: how many in each, and how long after the first one each began.
fn bursts(times: &[Duration]) -> Vec<(usize, Duration)> {
    let mut all: Vec<(usize, Duration, Duration)> = Vec::new();
    for &at in times {
        match all.last_mut() {
            Some((count, _, last)) if at.saturating_sub(*last) < Duration::from_millis(400) => {
                (*count, *last) = (*count + 1, at);
            }
            _ => all.push((1, at, at)),
        }
    }
    let begin = all.first().map(|(_, first, _)| *first).unwrap_or_default();
    all.into_iter().map(|(count, first, _)| (count, first.saturating_sub(begin))).collect()
}

/// An instance over each family.
fn of_both_families(lines: &str) -> String {
    let four = Instance::new("VI_1").interval("0.1").line("version 3").line(lines);
    let six = Instance::new("VI_6").vrid(56).vip(&format!("fe80::9:9/64\n {SIX}/64"));
    format!("{four}{}", six.interval("0.1").line("version 3").line(lines))
}

#[test]
fn bursts_are_as_long_and_as_often_as_they_should_be_and_as_keepalived_s() -> Result<()> {
    // Lines, and the bursts in the first seconds of a mastership: how many, and when in seconds.
    type Row = (&'static str, &'static str, &'static [(usize, u64)], u64);
    let rows: [Row; 6] = [
        ("", "garp_master_repeat 3\n garp_master_delay 1", &[(3, 0), (3, 1)], 3),
        ("", "garp_master_repeat 2\n garp_master_delay 0", &[(2, 0)], 2),
        ("", "garp_master_repeat 0\n garp_master_delay 1", &[(1, 0), (1, 1)], 2),
        ("vrrp_garp_master_repeat 4\n vrrp_garp_master_delay 1", "", &[(4, 0), (4, 1)], 2),
        ("vrrp_min_garp", "", &[(1, 0)], 2),
        (
            "",
            "garp_master_repeat 1\n garp_master_delay 0\n garp_master_refresh 1\n garp_master_refresh_repeat 2",
            &[(1, 0), (2, 1), (2, 2)],
            2,
        ),
    ];
    std::thread::scope(|scope| {
        let running: Vec<_> = rows
            .iter()
            .enumerate()
            .map(|(number, row)| {
                scope.spawn(move || -> Result<()> {
                    let (global, lines, expected, seconds) = *row;
                    let config = format!("global_defs {{\n{global}\n}}\n{}", of_both_families(lines));
                    let lab = Lab::new(&format!("garp-rows{number}"))?;
                    let (lan, hosts) = lab.routers(1)?;
                    let apart = lab.bridge("apart")?;
                    let other = lab.host("other")?;
                    other.plug("eth0", &apart)?.address("eth0", "10.78.0.1/16")?;
                    let (ours_on, theirs_on) = (lan.capture()?, apart.capture()?);
                    let theirs = Keepalived::start(&other, &config, &[])?;
                    let ours = start(&hosts[0], &config)?;
                    for name in ["VI_1", "VI_6"] {
                        let line = format!("({name}) Entering MASTER STATE");
                        ours.wait_for_log(&line)?;
                        theirs.process().wait_for_log(&line, wait::LONG)?;
                    }
                    std::thread::sleep(Duration::from_millis(seconds * 1000 + 500));
                    let all_there = |wire: &Capture| {
                        ["10.78.9.9", SIX]
                            .iter()
                            .all(|at| bursts(&announced(wire, at)).len() >= expected.len())
                    };
                    wait::until(&format!("all bursts have begun: {row:?}"), wait::LONG, || {
                        all_there(&ours_on) && all_there(&theirs_on)
                    })?;
                    for address in ["10.78.9.9", SIX] {
                        let [mine, its] = [&ours_on, &theirs_on].map(|wire| {
                            let all = bursts(&announced(wire, address)).into_iter();
                            // A refresh may have come since.
                            all.take(expected.len()).collect::<Vec<_>>()
                        });
                        let counts =
                            |all: &[(usize, Duration)]| all.iter().map(|(n, _)| *n).collect::<Vec<_>>();
                        let wanted: Vec<usize> = expected.iter().map(|(count, _)| *count).collect();
                        ensure!(counts(&mine) == wanted, "{row:?} {address}: {mine:?}, keepalived {its:?}");
                        ensure!(counts(&its) == wanted, "{row:?} {address}: keepalived {its:?}, we {mine:?}");
                        for ((_, at), (_, seconds)) in mine.iter().zip(expected) {
                            let off = at.abs_diff(Duration::from_secs(*seconds));
                            let bound = Duration::from_millis(350) + ours_on.machine().allowance();
                            ensure!(off < bound, "{row:?} {address}: {mine:?} (bound {bound:?})");
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        for thread in running {
            thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("it panicked")))?;
        }
        Ok(())
    })
}

#[test]
fn announcements_keep_the_distance_that_is_set_for_their_kind() -> Result<()> {
    let lab = Lab::new("garp-pace")?;
    let (lan, hosts) = lab.routers(1)?;
    let wire = lan.capture()?;
    let global = "global_defs {\n vrrp_garp_interval 0.1\n vrrp_gna_interval 0.2\n}\n";
    let _daemon = start(&hosts[0], &(global.to_owned() + &of_both_families("garp_master_delay 0")))?;
    for (addresses, each, least) in [(vec!["10.78.9.9"], 5, 80), (vec![SIX, "fe80::9:9"], 5, 170)] {
        let all = || {
            let mut times: Vec<Duration> =
                addresses.iter().flat_map(|address| announced(&wire, address)).collect();
            times.sort_unstable();
            times
        };
        wait::until("all are announced", wait::LONG, || all().len() == each * addresses.len())?;
        keep_a_distance(&all(), Duration::from_millis(least), &wire)
            .with_context(|| format!("{addresses:?}"))?;
    }
    Ok(())
}

#[test]
fn a_lower_master_is_answered_with_as_many_announcements_as_are_set() -> Result<()> {
    for (lines, repeat) in
        [("garp_lower_prio_repeat 2\n garp_lower_prio_delay 0", 2), ("garp_lower_prio_repeat 0", 0)]
    {
        let lab = Lab::new("garp-lower")?;
        let (lan, hosts) = lab.routers(2)?;
        // The lower one hears nobody, and so is master as well.
        hosts[1].firewall("table inet lab {\n chain in { type filter hook input priority -300; ip protocol 112 drop; }\n}\n")?;
        let wire = lan.capture()?;
        let config =
            |priority, lines: &str| Instance::new("VI_1").priority(priority).line(lines).version_2("");
        let quiet = "garp_master_repeat 1\n garp_master_delay 0";
        let ours = start(&hosts[0], &config(200, &format!("{quiet}\n {lines}")))?;
        ours.wait_for_log("Entering MASTER STATE")?;
        wait::until("it has announced its address", wait::LONG, || {
            !announced(&wire, "10.78.9.9").is_empty()
        })?;
        let since = capture::now();
        let low = start(&hosts[1], &config(100, "garp_master_repeat 0\n garp_master_delay 0"))?;
        low.wait_for_log("Entering MASTER STATE")?;
        let heard = || wire.adverts_since("10.78.0.2", since).len();
        wait::until("it advertises", wait::LONG, || heard() >= 3)?;
        let from = wire.pick(|frame| match &frame.payload {
            Payload::Vrrp(advert) if advert.source.to_string() == "10.78.0.1" => Some(frame.from),
            _ => None,
        });
        let answers = || {
            let ours = wire.pick(|frame| {
                let arp = matches!(&frame.payload, Payload::Arp(arp) if arp.is_gratuitous());
                (arp && frame.at > since && from.first() == Some(&frame.from)).then_some(())
            });
            ours.len()
        };
        if repeat > 0 {
            wait::until("each is answered", wait::SHORT, || answers() >= 2 * repeat)?;
        }
        // One more may have come meanwhile, whose answer has not.
        let (before, all) = (heard(), answers());
        ensure!(all <= repeat * (before + 1), "{all} announcements for {before} adverts, {lines}");
        ensure!(wire.adverts_since("10.78.0.1", since).len() > before, "we advertise at once, too");
    }
    Ok(())
}

#[test]
fn addresses_on_a_vmac_that_no_advert_leaves_by_are_announced_again() -> Result<()> {
    let lab = Lab::new("garp-vmac")?;
    let (lan, hosts) = lab.routers(1)?;
    let wire = lan.capture()?;
    let lines = "garp_master_repeat 1\n garp_master_delay 0\n garp_extra_if 1\n use_vmac\n vmac_xmit_base";
    let config = Instance::new("VI_1").interval("0.1").line("version 3").line(lines).to_string();
    let _daemon = start(&hosts[0], &config)?;
    wait::until("it is announced again and again", wait::LONG, || announced(&wire, "10.78.9.9").len() >= 3)
}

//! Walks while a configuration is read again and again, and virtual routers and servers come and go: through a real snmpd,
//! with Debian's keepalived beside us for the part that it can serve without IPVS.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use anyhow::{Context, Result, ensure};
use integration::{
    Host, Instance, Lab, conf, keepalived::Keepalived, keepwatchd::Keepwatchd, snmpd::Snmpd, wait,
};

const ROOT: &str = ".1.3.6.1.4.1.9586.100.5";
/// What stays in each of the configurations.
const STAYS: u8 = 5;

fn lonely(name: &str) -> Result<Host> {
    let (_lan, mut hosts) = Lab::new(name)?.routers(1)?;
    Ok(hosts.remove(0))
}

/// The virtual routers of a round: some come before those that stay, others behind them, and their addresses change.
fn routers(round: u8) -> String {
    let instance = |vrid: u8, address: u8| {
        let instance = Instance::new(&format!("VI_{vrid}")).vrid(vrid).interval("3");
        instance.vip(&format!("10.78.{address}.{vrid}/32")).to_string()
    };
    let first = (0..round % 4).map(|n| instance(100 + n, 1));
    let stay = (1..=STAYS).map(|vrid| instance(vrid, 1 + round % 3));
    let last = (0..round % 5).map(|n| instance(200 + n, 1));
    first.chain(stay).chain(last).collect()
}

/// The same of virtual servers, and of real servers within them.
fn servers(round: u8) -> String {
    let server = |number: u8| {
        let both = number.wrapping_add(round);
        let reals = 1 + both % 4;
        let real = |n: u8| {
            format!(
                " real_server 127.0.{number}.{n} 80 {{\n  weight {}\n }}\n",
                1 + n.wrapping_add(round) % 7
            )
        };
        let reals: String = (1..=reals).map(real).collect();
        let sorry = if both.is_multiple_of(3) { " sorry_server 127.0.0.9 80\n" } else { "" };
        format!(
            "virtual_server 10.9.{number}.1 80 {{\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n{sorry}{reals}}}\n"
        )
    };
    let first = (0..round % 4).map(|n| server(100 + n));
    let stay = (1..=STAYS).map(server);
    first.chain(stay).chain((0..round % 5).map(|n| server(200 + n))).collect()
}

/// The names of a walk, in its order.
fn walk(snmpd: &Snmpd) -> Result<Vec<Vec<u32>>> {
    let text = snmpd.walk(ROOT)?;
    ensure!(!text.contains("Error"), "{text}");
    let names = text.lines().filter_map(|line| line.strip_prefix('.')?.split_once(" = "));
    Ok(names.map(|(name, _)| name.split('.').filter_map(|arc| arc.parse().ok()).collect()).collect())
}

/// Walks until it is over, and counts them. Returns what was wrong with those that were not in order or did not go on to
/// `last`, an object that is always there.
fn walks(snmpd: &Snmpd, last: Option<&[u32]>, over: &AtomicBool, count: &AtomicU32) -> Vec<String> {
    let mut wrong = Vec::new();
    while !over.load(Ordering::Relaxed) {
        match walk(snmpd) {
            Ok(names) if !names.is_sorted_by(|a, b| a < b) => {
                let pair = names.windows(2).find(|pair| pair[0] >= pair[1]);
                wrong.push(format!("twice, or out of order: {pair:?}"));
            }
            Ok(names) if last.is_some() && names.last().map(Vec::as_slice) != last => {
                wrong.push(format!("ended at {:?}, {} objects", names.last(), names.len()));
            }
            Ok(_) => {}
            // The machine was too busy for this one.
            Err(error) if format!("{error:#}").contains("Timeout") => continue,
            Err(error) => wrong.push(format!("{error:#}")),
        }
        count.fetch_add(1, Ordering::Relaxed);
    }
    wrong
}

/// 16 reloads and 4 walkers, or 60 and 8 with `KEEPWATCH_FULL`. Of keepalived only what it did is printed.
#[test]
fn walks_go_on_in_order_while_reloads_bring_and_take_routers_and_servers() -> Result<()> {
    let (rounds, walkers) = (integration::amount(16, 60), integration::amount(4, 8));
    let (ours, theirs) = (lonely("snmp-reloads-ours")?, lonely("snmp-reloads-theirs")?);
    let (our_snmpd, their_snmpd) = (Snmpd::start(&ours)?, Snmpd::start(&theirs)?);
    let global = |snmpd: &Snmpd, which: &str| {
        conf::global_defs(2, &format!("{which}\nsnmp_socket unix:{}", snmpd.socket().display()))
    };
    let our_text = |round: u8| {
        global(&our_snmpd, "enable_snmp_vrrp\nenable_snmp_checker") + &routers(round) + &servers(round)
    };
    let their_text = |round: u8| global(&their_snmpd, "enable_snmp_vrrp") + &routers(round);
    let we = Keepwatchd::on(&ours).config(our_text(0)).flags(&["--dataplane", "memory"]).start()?;
    let it = Keepalived::start(&theirs, &their_text(0), &["--snmp"])?;
    let shows = |snmpd: &Snmpd, what: &str| {
        wait::until(&format!("{what} is shown"), wait::LONG, || {
            snmpd.get(&format!("{ROOT}{what}")).is_ok_and(|line| !line.contains("No Such"))
        })
    };
    shows(&our_snmpd, &format!(".2.3.1.4.{STAYS}")).with_context(|| we.process().log())?;
    shows(&our_snmpd, &format!(".3.3.1.20.{STAYS}")).with_context(|| we.process().log())?;
    shows(&their_snmpd, &format!(".2.3.1.4.{STAYS}")).with_context(|| it.process().log())?;
    // A scalar of the checker part.
    let last = walk(&our_snmpd)?.pop().context("a walk shows nothing")?;
    ensure!(last.ends_with(&[0]), "{last:?}");
    let (over, of_ours, of_theirs) = (AtomicBool::new(false), AtomicU32::new(0), AtomicU32::new(0));
    let (our_wrong, their_wrong) = std::thread::scope(|scope| -> Result<_> {
        let ours = || walks(&our_snmpd, Some(&last), &over, &of_ours);
        let ours: Vec<_> = (0..walkers).map(|_| scope.spawn(ours)).collect();
        let theirs = scope.spawn(|| walks(&their_snmpd, None, &over, &of_theirs));
        // For as long as it takes each walker to go some rounds.
        let enough = |round: u32| round > rounds && of_ours.load(Ordering::Relaxed) >= 3 * walkers;
        let reloaded = (1..).take_while(|round| !enough(*round)).try_for_each(|round| {
            let round = (round % 60) as u8;
            we.reload(&our_text(round))?;
            it.reload(&their_text(round))?;
            // As many rows as the round has, in both parts.
            let count = u32::from(STAYS + round % 4 + round % 5);
            wait::until(&format!("round {round} is shown"), wait::LONG, || {
                let is = |table: &str, row: u32, there: bool| {
                    let line = our_snmpd.get(&format!("{ROOT}{table}.{row}"));
                    line.is_ok_and(|line| line.contains("No Such") != there)
                };
                let tables = [".2.3.1.2", ".3.3.1.20"];
                tables.iter().all(|table| is(table, count, true) && is(table, count + 1, false))
            })
        });
        over.store(true, Ordering::Relaxed);
        reloaded.with_context(|| we.process().log())?;
        let ours = ours.into_iter().flat_map(|walker| walker.join().expect("a walker panicked"));
        Ok((ours.collect::<Vec<_>>(), theirs.join().expect("a walker panicked")))
    })?;
    println!("{of_ours:?} walks of ours; of {of_theirs:?} of keepalived's were wrong: {their_wrong:#?}");
    ensure!(our_wrong.is_empty(), "{our_wrong:#?}\n{}", we.process().log());
    Ok(())
}

//! `cargo run --release --bin bench`: keepwatchd and keepalived side by side, as root, on this machine, now.
//!
//! `takeover` measures how long a backup takes beyond the Master_Down_Interval of the RFC, from the last advert of a
//! killed master to the first gratuitous ARP, as a packet socket on the LAN sees both. `load` measures what many
//! virtual routers cost the master and the backup, and whether mastership holds; `walk` what it costs to be walked
//! through snmpd; `start` how long it takes to the first advert. Ratios below 1 are in our favour.
//!
//! Both daemons run with `--no-syslog`, because a log is no part of a takeover. That is keepalived's best case: it logs
//! from its VRRP loop, before it announces the addresses, and so takes about 0.3 ms here, 0.9 ms as it logs by default,
//! and 1.8 ms with `--log-detail` as well (where nothing listens on /dev/log). keepwatchd's lines are written by another
//! thread: about 0.45 ms in each case, of which a part is the way to the thread that changes addresses, which keepalived
//! does not have. A measurement that leaves syslog on therefore comes out the other way round.

mod bfd;
mod checks;
mod constant;
mod embedded;
mod everything;
mod house;
mod least;
mod load;
mod page;
mod router;
mod start;
mod table;
mod takeover;
mod top;
mod track;
mod walk;

use std::{env, path::PathBuf, str::FromStr, time::Duration};

use anyhow::{Context, Result, bail};
use integration::{binaries, netns};

use router::Router;
use takeover::What;

const USAGE: &str = "\
usage: bench [takeover|vmac|vips|routes|load|walk|track|bfd|start|page|top|everything|embedded|checks|table] [OPTION…]

Runs keepwatchd and keepalived side by side, as root or as an ordinary user, in network namespaces of its own.
Without a word it measures all; ratios below 1 are in keepwatch's favour.

  takeover             how long a backup takes beyond the Master_Down_Interval, from the last advert of a master that
                       is killed to the first gratuitous ARP, as a packet socket on the LAN sees both
  vmac, vips, routes   the same with a virtual MAC address; with a thousand addresses, to the last of them; with
                       scripts, virtual routes and rules
  load                 processor time and memory of many virtual routers, beside what the kernel needs for their adverts,
                       and whether mastership holds
  walk                 time and processor time of an SNMP walk, beside a subagent that answers from a constant
  track                processor time of 200 tracked scripts a second, and the largest gap between adverts beside 500
                       of them and 10,000 changes of tracked files a second
  bfd                  takeover after a cut cable that a BFD session of 3 x 10 ms notices, and processor time of 200
                       sessions of 50 ms
  start                size of the programs, and the time from the start to the first advert
  page                 the status page of many virtual routers and 10,000 real servers: how soon it is painted, and
                       what 50 open pages cost; how long a scrape takes; ours alone, and only if asked for
  everything           processor time of many virtual routers and 2000 checks a second with everything on that tells of
                       them, beside the same with everything off; ours alone, and only if asked for
  top                  `keepwatch top` beside many virtual routers and 10,000 real servers; only if asked for
  embedded             many daemons of one virtual router each, in network namespaces of their own: memory of one, and
                       the time until all are masters; only if asked for
  checks               processor time of a TCP_CHECK and of an HTTP_GET of many real servers, and memory; only if asked
                       for
  table                how soon many real servers are all in the kernel's table, and a reload of one of them; needs a
                       kernel with IPVS, and only if asked for

  --keepalived PATH    the keepalived to measure; it is the master of both in `takeover` (default: keepalived)
  --advert SECONDS     advert_int (default: 0.1 for takeovers, 1 for `load`)
  --trials N           takeovers, starts and tables of each (default: 10)
  --instances N        virtual routers of `load`, `walk`, `page`, `top` and `everything` (default: 1000)
  --servers N          real servers of `checks` and `table` (default: 10000)
  --daemons N          daemons of `embedded` (default: 100)
  --seconds N          how long `load`, `track`, `page`, `top`, `everything` and `checks` look (default: 20)
  --busy               every core is kept busy twice over meanwhile
  -h, --help           this";

/// What is to be measured, and how.
struct Plan {
    /// Which of [`MEASUREMENTS`].
    words: Vec<String>,
    keepalived: PathBuf,
    advert: Option<String>,
    trials: usize,
    instances: u32,
    servers: u32,
    daemons: u16,
    span: Duration,
    busy: bool,
}

impl Plan {
    fn advert<'p>(&'p self, usual: &'p str) -> &'p str {
        self.advert.as_deref().unwrap_or(usual)
    }
}

type Measure = fn(&[Router; 2], &Plan) -> Result<()>;

/// The word for each, whether it is also measured when no word is given, and how.
const MEASUREMENTS: [(&str, bool, Measure); 15] = [
    ("takeover", true, |routers, plan| take_over(routers, What::Address, plan)),
    ("vmac", true, |routers, plan| take_over(routers, What::Vmac, plan)),
    ("vips", true, |routers, plan| take_over(routers, What::Addresses, plan)),
    ("routes", true, |routers, plan| take_over(routers, What::Routes, plan)),
    ("load", true, |routers, plan| {
        load::compare(routers, plan.instances, plan.advert("1"), plan.span, plan.busy)
    }),
    ("walk", true, |routers, plan| walk::compare(routers, plan.instances)),
    ("track", true, |routers, plan| track::compare(routers, plan.span)),
    ("bfd", true, |routers, plan| bfd::compare(routers, plan.trials, plan.span)),
    ("start", true, |routers, plan| start::compare(routers, plan.trials)),
    ("page", false, |_, plan| page::measure(plan.instances, plan.span)),
    ("everything", false, |_, plan| everything::compare(plan.instances, plan.span)),
    ("top", false, |_, plan| top::measure(plan.instances, plan.span)),
    ("checks", false, |routers, plan| checks::compare(routers, plan.servers, plan.span)),
    ("table", false, |routers, plan| table::compare(routers, plan.servers, plan.trials)),
    ("embedded", false, |routers, plan| embedded::compare(routers, plan.daemons)),
];

fn take_over(routers: &[Router; 2], what: What, plan: &Plan) -> Result<()> {
    takeover::compare(routers, what, &plan.keepalived, plan.advert("0.1"), plan.trials, plan.busy)
}

fn main() -> Result<()> {
    let Some(plan) = read_arguments()? else {
        println!("{USAGE}");
        return Ok(());
    };
    binaries::prepare()?;
    let own = binaries::path("keepwatchd")?;
    println!("keepwatchd: {}\nkeepalived: {}\n", own.display(), plan.keepalived.display());
    netns::become_root_in_user_namespace()?;
    let routers = [Router::Keepwatchd, Router::Keepalived(plan.keepalived.clone())];
    for (word, usual, measure) in MEASUREMENTS {
        if plan.words.iter().any(|wanted| wanted == word) || (plan.words.is_empty() && usual) {
            measure(&routers, &plan)?;
        }
    }
    Ok(())
}

/// None if only help is wanted.
fn read_arguments() -> Result<Option<Plan>> {
    let mut plan = Plan {
        words: Vec::new(),
        keepalived: PathBuf::from("keepalived"),
        advert: None,
        trials: 10,
        instances: 1000,
        servers: 10_000,
        daemons: 100,
        span: Duration::from_secs(20),
        busy: false,
    };
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value\n{USAGE}"));
        match argument.as_str() {
            "-h" | "--help" => return Ok(None),
            "--busy" => plan.busy = true,
            "--keepalived" => plan.keepalived = value()?.into(),
            "--advert" => plan.advert = Some(value()?),
            "--trials" => plan.trials = number(&value()?)?,
            "--instances" => plan.instances = number(&value()?)?,
            "--servers" => plan.servers = number(&value()?)?,
            "--daemons" => plan.daemons = number(&value()?)?,
            "--seconds" => plan.span = Duration::from_secs(number(&value()?)?),
            word if MEASUREMENTS.iter().any(|(known, ..)| *known == word) => plan.words.push(argument),
            _ => bail!("{argument}: no such word or option\n{USAGE}"),
        }
    }
    Ok(Some(plan))
}

fn number<T: FromStr>(text: &str) -> Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().with_context(|| format!("{text} is no number"))
}

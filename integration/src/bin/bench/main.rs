//! `cargo run --release --bin bench`: keepwatchd and keepalived side by side, as root, on this machine, now.
//!
//! `takeover` measures how long a backup takes beyond the Master_Down_Interval of the RFC, from the last advert of a
//! killed master to the first gratuitous ARP, as a packet socket on the LAN sees both. `load` measures what many
//! virtual routers cost the master and the backup, and whether mastership holds; `walk` what it costs to be walked
//! through snmpd. Ratios below 1 are in our favour.
//!
//! Both daemons run with `--no-syslog`, because a log is no part of a takeover. That is keepalived's best case: it logs
//! from its VRRP loop, before it announces the addresses, and so takes about 0.3 ms here, 0.9 ms as it logs by default,
//! and 1.8 ms with `--log-detail` as well (where nothing listens on /dev/log). keepwatchd's lines are written by another
//! thread: about 0.45 ms in each case, of which a part is the way to the thread that changes addresses, which keepalived
//! does not have. A measurement that leaves syslog on therefore comes out the other way round.

mod load;
mod router;
mod takeover;
mod walk;

use std::{env, path::PathBuf, str::FromStr, time::Duration};

use anyhow::{Context, Result, bail};
use integration::{binaries, netns};

use router::Router;

const USAGE: &str = "\
usage: bench [takeover|load|walk] [--keepalived PATH] [--advert SECONDS] [--trials N] [--instances N] [--seconds N] [--busy]

  takeover  only the takeover times     --advert 0.1  --trials 10
  load      only the cost               --advert 1    --instances 1000  --seconds 20
  walk      only the cost of an SNMP walk       --instances 1000
  --busy    every core is kept busy twice over meanwhile";

/// What is to be measured.
struct Plan {
    takeover: bool,
    load: bool,
    walk: bool,
    keepalived: PathBuf,
    advert: Option<String>,
    trials: usize,
    instances: u32,
    span: Duration,
    busy: bool,
}

fn main() -> Result<()> {
    let plan = read_arguments()?;
    binaries::prepare()?;
    let own = binaries::path("keepwatchd")?;
    println!("keepwatchd: {}\nkeepalived: {}\n", own.display(), plan.keepalived.display());
    netns::become_root_in_user_namespace()?;
    let routers = [Router::Keepwatchd, Router::Keepalived(plan.keepalived.clone())];
    if plan.takeover {
        let advert = plan.advert.as_deref().unwrap_or("0.1");
        takeover::compare(&routers, &plan.keepalived, advert, plan.trials, plan.busy)?;
    }
    if plan.load {
        let advert = plan.advert.as_deref().unwrap_or("1");
        load::compare(&routers, plan.instances, advert, plan.span, plan.busy)?;
    }
    if plan.walk {
        walk::compare(&routers, plan.instances)?;
    }
    Ok(())
}

fn read_arguments() -> Result<Plan> {
    let mut plan = Plan {
        takeover: false,
        load: false,
        walk: false,
        keepalived: PathBuf::from("keepalived"),
        advert: None,
        trials: 10,
        instances: 1000,
        span: Duration::from_secs(20),
        busy: false,
    };
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value\n{USAGE}"));
        match argument.as_str() {
            "takeover" => plan.takeover = true,
            "load" => plan.load = true,
            "walk" => plan.walk = true,
            "--busy" => plan.busy = true,
            "--keepalived" => plan.keepalived = value()?.into(),
            "--advert" => plan.advert = Some(value()?),
            "--trials" => plan.trials = number(&value()?)?,
            "--instances" => plan.instances = number(&value()?)?,
            "--seconds" => plan.span = Duration::from_secs(number(&value()?)?),
            _ => bail!("{argument}?\n{USAGE}"),
        }
    }
    if !plan.takeover && !plan.load && !plan.walk {
        (plan.takeover, plan.load, plan.walk) = (true, true, true);
    }
    Ok(plan)
}

fn number<T: FromStr>(text: &str) -> Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().with_context(|| format!("{text} is no number"))
}

//! What the worker tells its supervisor, over the stream socket that it has as standard input: one short text line
//! per message. In: lines. Out: [`Report`]s.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use keepwatch_bus::subject::VirtualAddress;

/// The loops of the worker whose beats are counted.
pub const LOOPS: [&str; 3] = [VRRP, "hub", "runtime"];
/// The loop that matters most; its thread has the same name.
pub const VRRP: &str = "vrrp";

/// One line from the worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// How often each of [`LOOPS`] went round so far; `None` where that loop does not run.
    Beat([Option<u64>; LOOPS.len()]),
    /// From now on a peer takes over, at the earliest, when it has heard nothing for so long; `None` where no virtual
    /// router runs.
    Patience(Option<Duration>),
    /// A virtual address is on its interface now.
    Placed(VirtualAddress),
    /// It was taken off again.
    Removed(VirtualAddress),
    /// Everything runs.
    Ready,
    /// The configuration needs another worker, one that has given nothing up yet: why.
    Replace(String),
    /// A script runs that comes before everything, and may take so long: there is nothing to clean up yet, and a stop
    /// need not wait.
    Preparing(Duration),
    /// Everything has stopped, and what comes after it may take so long.
    Ending(Duration),
    /// A reload was begun.
    Reloading,
    /// A reload is over, well or not.
    Reloaded,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beat(counts) => {
                f.write_str("beat")?;
                counts.iter().try_for_each(|count| number(f, *count))
            }
            Self::Patience(patience) => {
                f.write_str("patience")?;
                number(f, patience.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
            }
            Self::Placed(at) => write!(f, "placed {} {} {}", at.address, at.prefix, at.interface),
            Self::Removed(at) => write!(f, "removed {} {} {}", at.address, at.prefix, at.interface),
            Self::Ready => f.write_str("ready"),
            Self::Replace(why) => write!(f, "replace {}", why.replace('\n', " ")),
            Self::Preparing(within) => write!(f, "preparing {}", within.as_millis()),
            Self::Ending(within) => write!(f, "ending {}", within.as_millis()),
            Self::Reloading => f.write_str("reloading"),
            Self::Reloaded => f.write_str("reloaded"),
        }
    }
}

fn number(f: &mut fmt::Formatter<'_>, number: Option<u64>) -> fmt::Result {
    match number {
        Some(number) => write!(f, " {number}"),
        None => f.write_str(" -"),
    }
}

impl Report {
    /// Reads one line, without its end; `None` for anything that is not a report.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        match words.next()? {
            "beat" => {
                let mut counts = [None; LOOPS.len()];
                for count in &mut counts {
                    *count = parse_number(words.next()?)?;
                }
                Some(Self::Beat(counts))
            }
            "patience" => Some(Self::Patience(parse_number(words.next()?)?.map(Duration::from_millis))),
            "placed" => parse_address(&mut words).map(Self::Placed),
            "removed" => parse_address(&mut words).map(Self::Removed),
            "ready" => Some(Self::Ready),
            "replace" => Some(Self::Replace(words.collect::<Vec<_>>().join(" "))),
            "preparing" => Some(Self::Preparing(parse_time(words.next()?)?)),
            "ending" => Some(Self::Ending(parse_time(words.next()?)?)),
            "reloading" => Some(Self::Reloading),
            "reloaded" => Some(Self::Reloaded),
            _ => None,
        }
    }
}

fn parse_number(word: &str) -> Option<Option<u64>> {
    if word == "-" { Some(None) } else { word.parse().ok().map(Some) }
}

fn parse_time(word: &str) -> Option<Duration> {
    word.parse().ok().map(Duration::from_millis)
}

fn parse_address<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<VirtualAddress> {
    let address: IpAddr = words.next()?.parse().ok()?;
    let prefix = words.next()?.parse().ok()?;
    Some(VirtualAddress { address, prefix, interface: words.next()?.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_report_survives_the_way() {
        let at =
            VirtualAddress { address: "fd00::9".parse().unwrap(), prefix: 64, interface: "eth0.100".into() };
        for report in [
            Report::Beat([Some(1), None, Some(u64::MAX)]),
            Report::Patience(Some(Duration::from_millis(3609))),
            Report::Patience(None),
            Report::Placed(at.clone()),
            Report::Removed(at),
            Report::Ready,
            Report::Replace("it needs CAP_SETUID".into()),
            Report::Preparing(Duration::from_secs(10)),
            Report::Ending(Duration::from_millis(13_000)),
            Report::Reloading,
            Report::Reloaded,
        ] {
            assert_eq!(Report::parse(&report.to_string()), Some(report));
        }
    }

    #[test]
    fn other_lines_are_nothing() {
        for line in
            ["", "beat", "beat 1 2", "beat a b c", "hello", "placed", "placed 1.2.3 4 eth0", "patience x"]
        {
            assert_eq!(Report::parse(line), None, "{line}");
        }
    }
}

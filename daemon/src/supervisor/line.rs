//! What the worker tells its supervisor, over the stream socket that it has as standard input: one short text line
//! per message, each written in one piece. In: lines. Out: [`Report`]s.

use std::fmt;

/// The loops of the worker whose beats are counted.
pub const LOOPS: [&str; 3] = [VRRP, "hub", "runtime"];
/// The loop that matters most.
pub const VRRP: &str = "vrrp";

/// One line from the worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// How often each of [`LOOPS`] went round so far; `None` where that loop does not run.
    Beat([Option<u64>; LOOPS.len()]),
    /// Everything runs.
    Ready,
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
                for count in counts {
                    match count {
                        Some(count) => write!(f, " {count}")?,
                        None => f.write_str(" -")?,
                    }
                }
                Ok(())
            }
            Self::Ready => f.write_str("ready"),
            Self::Reloading => f.write_str("reloading"),
            Self::Reloaded => f.write_str("reloaded"),
        }
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
                    *count = match words.next()? {
                        "-" => None,
                        number => Some(number.parse().ok()?),
                    };
                }
                Some(Self::Beat(counts))
            }
            "ready" => Some(Self::Ready),
            "reloading" => Some(Self::Reloading),
            "reloaded" => Some(Self::Reloaded),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_report_survives_the_way() {
        for report in [
            Report::Beat([Some(1), None, Some(u64::MAX)]),
            Report::Ready,
            Report::Reloading,
            Report::Reloaded,
        ] {
            assert_eq!(Report::parse(&report.to_string()), Some(report));
        }
    }

    #[test]
    fn other_lines_are_nothing() {
        for line in ["", "beat", "beat 1 2", "beat a b c", "hello"] {
            assert_eq!(Report::parse(line), None, "{line}");
        }
    }
}

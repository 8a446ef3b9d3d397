//! `keepwatch status --check`: a plugin of Nagios and its like. In: what the daemon answers. Out: one line with figures behind
//! a bar, further lines with what is wrong, and the exit status that those programs go by.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use keepwatch_bus::World;
use keepwatch_bus::subject::VrrpState;
use keepwatch_bus::world::{Trouble, Weight};

use super::Asking;
use crate::control::client::{self, ClientError};
use crate::control::protocol::{Answer, Question};
use crate::paths;

/// How long an answer may take: less than the time after which those who ask give up themselves, and say less of it (10 s of
/// check_nrpe, 5 s of the health check of a container).
const PATIENCE: Duration = Duration::from_secs(4);

/// How bad it is; as a number, the exit status of a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Ok = 0,
    Warning = 1,
    Critical = 2,
    Unknown = 3,
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// Asks, judges, tells.
pub(super) fn run(asking: Asking, out: &mut impl Write) -> Result<ExitCode> {
    let socket = asking.socket.unwrap_or_else(|| paths::control_socket(None));
    let answer =
        client::ask(&socket, &Question::Status, Some(PATIENCE)).and_then(|mut answers| answers.one_more());
    let verdict = match answer {
        Ok(Some(Answer::Status { world, .. })) => tell(out, &world)?,
        Err(error @ (ClientError::NotRunning { .. } | ClientError::Late(_) | ClientError::Silent(_))) => {
            alone(out, Verdict::Critical, &error)?
        }
        Err(error) => alone(out, Verdict::Unknown, &error)?,
        Ok(_) => alone(out, Verdict::Unknown, &"the daemon answered something else")?,
    };
    out.flush()?;
    Ok(ExitCode::from(verdict as u8))
}

impl From<Weight> for Verdict {
    fn from(weight: Weight) -> Self {
        match weight {
            Weight::Split | Weight::Outage => Self::Critical,
            Weight::Degraded | Weight::Configuration | Weight::Telling => Self::Warning,
        }
    }
}

/// As it may stand in an answer: a bar would begin the figures, and a second line is not shown everywhere.
fn on_one_line(text: &str) -> String {
    text.replace('|', "/").replace(['\n', '\r'], " ")
}

fn alone(out: &mut impl Write, verdict: Verdict, why: &dyn std::fmt::Display) -> io::Result<Verdict> {
    writeln!(out, "KEEPWATCH {} - {}", verdict.name(), on_one_line(&why.to_string()))?;
    Ok(verdict)
}

fn tell(out: &mut impl Write, world: &World) -> io::Result<Verdict> {
    let wrong = world.trouble().into_iter().map(|Trouble { weight, what, error, .. }| {
        let colon = if error.is_empty() { "" } else { ": " };
        (Verdict::from(weight), on_one_line(&format!("{what}{colon}{error}")))
    });
    // What weighs most stands first.
    let wrong: Vec<(Verdict, String)> = wrong.collect();
    let verdict = wrong.first().map_or(Verdict::Ok, |(verdict, _)| *verdict);
    let routers = |state| world.instances.values().filter(move |instance| instance.state == state).count();
    let all: usize = world.services.values().map(|service| service.reals.len()).sum();
    let up: usize = world.services.values().map(|service| service.reals_up()).sum();
    let (masters, backups, faults) =
        (routers(VrrpState::Master), routers(VrrpState::Backup), routers(VrrpState::Fault));
    let lost = world.services.values().filter(|service| !service.quorum).count();
    let summary = match wrong.first() {
        Some((_, first)) => {
            let more =
                if wrong.len() > 1 { format!(", and {} more", wrong.len() - 1) } else { String::new() };
            format!("{first}{more}")
        }
        None => format!("{masters} master, {backups} backup; {up} of {all} real servers up"),
    };
    writeln!(
        out,
        "KEEPWATCH {} - {summary} | masters={masters} backups={backups} faults={faults};;0 real_servers_up={up};;;0;{all} \
         quorums_lost={lost};;0 problems={}",
        verdict.name(),
        wrong.len()
    )?;
    for (verdict, what) in wrong.iter().skip(1) {
        writeln!(out, "{}: {what}", verdict.name())?;
    }
    Ok(verdict)
}

#[cfg(test)]
mod tests {
    use keepwatch_bus::Fact;
    use keepwatch_bus::fact::{DaemonFact, VrrpFact};

    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::operator::happened::{configured, instance, split_brain, world};

    /// What is answered once these things happened to `VI_1`, and how bad that is.
    fn answer(happened: impl IntoIterator<Item = Fact>) -> (Verdict, String) {
        let world = world(std::iter::once(configured(instance("VI_1"))).chain(happened));
        let mut out = Vec::new();
        let verdict = tell(&mut out, &world).unwrap();
        (verdict, String::from_utf8(out).unwrap())
    }

    fn state(to: VrrpState) -> Fact {
        VrrpFact::StateChanged { instance: "VI_1".into(), from: VrrpState::Init, to, priority: 100 }.into()
    }

    fn refused(error: &str) -> Fact {
        DaemonFact::ConfigRejected { file: "keepalived.conf".into(), errors: 1, first: error.into() }.into()
    }

    #[test]
    fn a_daemon_that_hangs_is_critical_before_those_who_ask_give_up() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("control.sock");
        // The kernel takes the question; nobody reads it.
        let _listener = UnixListener::bind(&socket).unwrap();
        let begun = std::time::Instant::now();
        let mut out = Vec::new();
        run(Asking { socket: Some(socket), json: false }, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.starts_with("KEEPWATCH CRITICAL - The daemon does not answer: it took the question"),
            "{text}"
        );
        assert!(text.contains("for 4 s") && begun.elapsed() >= PATIENCE, "{text}");
    }

    #[test]
    fn all_well_is_told_with_the_figures() {
        let (verdict, text) = answer([state(VrrpState::Master)]);
        assert_eq!(verdict, Verdict::Ok);
        assert!(
            text.starts_with("KEEPWATCH OK - 1 master, 0 backup; 0 of 0 real servers up | masters=1 "),
            "{text}"
        );
    }

    #[test]
    fn two_masters_are_critical() {
        let (verdict, text) = answer([state(VrrpState::Master), split_brain()]);
        assert_eq!(verdict, Verdict::Critical);
        assert!(
            text.starts_with("KEEPWATCH CRITICAL - VI_1: split brain with 10.0.0.2 (priority 50)"),
            "{text}"
        );
    }

    #[test]
    fn a_fault_is_told_once() {
        let (verdict, text) = answer([state(VrrpState::Fault)]);
        assert_eq!((verdict, text.matches("is in FAULT").count()), (Verdict::Critical, 1), "{text}");
        assert!(text.contains(" problems=1\n") && text.lines().count() == 1, "{text}");
    }

    #[test]
    fn each_trouble_has_one_line_and_no_bar() {
        let (verdict, text) = answer([state(VrrpState::Master), refused("line 1 | here\nline 2")]);
        assert_eq!(
            (verdict, text.lines().count(), text.matches('|').count()),
            (Verdict::Warning, 1, 1),
            "{text}"
        );
        let (verdict, text) = answer([refused("line 1 | here\nline 2"), state(VrrpState::Fault)]);
        assert_eq!(
            (verdict, text.lines().count(), text.matches('|').count()),
            (Verdict::Critical, 2, 1),
            "{text}"
        );
        assert!(text.contains("\nWARNING: the last reload was refused: line 1 / here line 2\n"), "{text}");
    }
}

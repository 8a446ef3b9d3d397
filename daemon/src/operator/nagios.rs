//! `keepwatch status --check`: a plugin of Nagios and its like. In: what the daemon answers. Out: one line with figures behind
//! a bar, further lines with what is wrong, and the exit status that those programs go by.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use keepwatch_bus::World;
use keepwatch_bus::subject::VrrpState;
use keepwatch_bus::world::RealState;

use super::{Asking, PATIENCE};
use crate::control::client::{self, ClientError};
use crate::control::protocol::{Answer, Question};
use crate::paths;

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
        Err(error @ (ClientError::NotRunning { .. } | ClientError::Silent(_))) => {
            alone(out, Verdict::Critical, &error)?
        }
        Err(error) => alone(out, Verdict::Unknown, &error)?,
        Ok(_) => alone(out, Verdict::Unknown, &"the daemon answered something else")?,
    };
    out.flush()?;
    Ok(ExitCode::from(verdict as u8))
}

fn alone(out: &mut impl Write, verdict: Verdict, why: &dyn std::fmt::Display) -> io::Result<Verdict> {
    // A bar would begin the figures, and a second line is not shown everywhere.
    let why = why.to_string().replace('|', "/").replace('\n', " ");
    writeln!(out, "KEEPWATCH {} - {why}", verdict.name())?;
    Ok(verdict)
}

fn tell(out: &mut impl Write, world: &World) -> io::Result<Verdict> {
    let mut wrong: Vec<(Verdict, String)> = Vec::new();
    let routers = |state| world.instances.values().filter(move |instance| instance.state == state).count();
    let faults = world.instances.values().filter(|instance| instance.state == VrrpState::Fault);
    wrong.extend(faults.map(|instance| (Verdict::Critical, format!("{} is in FAULT", instance.name))));
    let (mut up, mut all) = (0, 0);
    for service in world.services.values() {
        all += service.reals.len();
        up += service.reals_up();
        if !service.quorum {
            wrong.push((Verdict::Critical, format!("{} has no quorum", service.settings.key)));
        }
        let down = service.reals.values().filter(|real| real.state() == RealState::Down);
        wrong.extend(
            down.map(|real| {
                (Verdict::Warning, format!("{} of {} is down", real.address, service.settings.key))
            }),
        );
    }
    let trouble = world.trouble().into_iter();
    wrong.extend(trouble.map(|trouble| (Verdict::Warning, format!("{}: {}", trouble.what, trouble.error))));
    wrong.sort_by_key(|(verdict, _)| std::cmp::Reverse(*verdict));
    let verdict = wrong.first().map_or(Verdict::Ok, |(verdict, _)| *verdict);
    let (masters, backups, faults) =
        (routers(VrrpState::Master), routers(VrrpState::Backup), routers(VrrpState::Fault));
    let lost = world.services.values().filter(|service| !service.quorum).count();
    let summary = match wrong.first() {
        Some((_, first)) => {
            let more =
                if wrong.len() > 1 { format!(", and {} more", wrong.len() - 1) } else { String::new() };
            format!("{}{more}", first.replace('|', "/"))
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
        writeln!(out, "{}: {}", verdict.name(), what.replace('|', "/"))?;
    }
    Ok(verdict)
}

//! `keepwatch reload`: asks for a reload, waits for it, and tells what it changed or why it was refused.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Result, bail};

use super::{Asking, PATIENCE};
use crate::control::client;
use crate::control::protocol::{Answer, Question};
use crate::paths;
use crate::worker::reload::Outcome;

/// Asks, and waits as long as it takes: the files may be large. Only a daemon that answers nothing is not waited for.
pub(super) fn run(asking: Asking, out: &mut impl Write) -> Result<ExitCode> {
    let socket = asking.socket.unwrap_or_else(|| paths::control_socket(None));
    client::answers(&socket, PATIENCE)?;
    let mut answers = client::ask(&socket, &Question::Reload, None)?;
    let Some(answer) = answers.one_more()? else { bail!("the daemon ended before it answered") };
    if asking.json {
        serde_json::to_writer(&mut *out, &answer).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
    }
    let Answer::Reload { outcome } = answer else { bail!("the daemon answered something else") };
    if !asking.json {
        write(out, &outcome)?;
    }
    out.flush()?;
    Ok(if matches!(outcome, Outcome::Refused { .. }) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Tells it to people.
pub(super) fn write(out: &mut impl Write, outcome: &Outcome) -> io::Result<()> {
    match outcome {
        Outcome::InForce { changes } if changes.is_empty() => writeln!(out, "Reloaded: nothing has changed."),
        Outcome::InForce { changes } => {
            writeln!(out, "Reloaded:")?;
            changes
                .iter()
                .try_for_each(|change| writeln!(out, "  {:<8} {}", change.change.to_string(), change.block))
        }
        Outcome::Replaced { lacking } => {
            writeln!(out, "Another worker takes over with the new configuration, which needs {lacking}.")
        }
        Outcome::Refused { errors, first } => {
            let more = if *errors > 1 {
                format!(" ({errors} errors; `keepwatchd -t` shows all)")
            } else {
                String::new()
            };
            writeln!(out, "Refused, and nothing has changed: {first}{more}")
        }
    }
}

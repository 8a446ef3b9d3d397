//! `keepwatch status`: once, of everything or of what is called by a name, or again and again (`--watch`). The exit status
//! tells whether anything is wrong.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use jiff::Timestamp;
use keepwatch_bus::World;

use super::follow::{Mirror, News};
use super::paint::Paint;
use super::status::{self, Only};
use super::{Asking, PATIENCE, TROUBLE};
use crate::control::client;
use crate::control::protocol::{Answer, Question};
use crate::{paths, terminal};

/// From one status to the next at least.
const PACE: Duration = Duration::from_millis(500);
/// How often a terminal is shown that time passes.
const TICK: Duration = Duration::from_secs(1);
/// Home, and everything below it away.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// Tells the status once; with a name, of what is called so. Exit status 0 if all is well, 3 if not.
pub(super) fn once(name: &[String], asking: Asking, out: &mut impl Write) -> Result<ExitCode> {
    let socket = asking.socket.unwrap_or_else(|| paths::control_socket(None));
    let only = Only::called(&name.join(" "));
    let mut answers = client::ask(&socket, &Question::Status, Some(PATIENCE))?;
    let Some(answer) = answers.one_more()? else { bail!("the daemon has ended") };
    let Answer::Status { now, world } = &answer else { bail!("the daemon answers something else") };
    find(world, &only)?;
    match (asking.json, only.is_all()) {
        (true, true) => serde_json::to_writer(&mut *out, &answer).map_err(io::Error::from)?,
        (true, false) => write!(out, "{}", status::json(*now, world, &only))?,
        (false, _) => {
            let paint = Paint { on: terminal::has_colours(&io::stdout()) };
            status::write(out, paint, *now, world, &only)?;
        }
    }
    if asking.json {
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(if status::is_well(world, &only) { ExitCode::SUCCESS } else { ExitCode::from(TROUBLE) })
}

/// Tells it whenever it has changed, until the daemon ends: on a terminal in place, else one after the other.
pub(super) fn again(name: &[String], asking: Asking, out: &mut impl Write) -> Result<ExitCode> {
    let socket = asking.socket.unwrap_or_else(|| paths::control_socket(None));
    let only = Only::called(&name.join(" "));
    let terminal = io::stdout().is_terminal() && !asking.json;
    let paint = Paint { on: terminal::has_colours(&io::stdout()) };
    let mut mirror = Mirror::new(&socket)?;
    find(&mirror.world, &only)?;
    let (mut before, mut shown, mut changed) = (String::new(), None::<Instant>, true);
    loop {
        let pause = if changed { PACE } else { TICK };
        let wait = shown.map_or(Duration::ZERO, |at| pause.saturating_sub(at.elapsed()));
        if wait.is_zero() {
            // What is compared has no times in it.
            let told = status::json(Timestamp::UNIX_EPOCH, &mirror.world, &only).to_string();
            if terminal || told != before {
                before = told;
                tell(out, asking.json, terminal, paint, &mirror, &only)?;
            }
            (shown, changed) = (Some(Instant::now()), false);
            continue;
        }
        match mirror.next(wait)? {
            News::Event(_) => changed = true,
            News::Nothing => {}
            News::Ended => bail!("the daemon has ended"),
        }
    }
}

fn tell(
    out: &mut impl Write,
    json: bool,
    terminal: bool,
    paint: Paint,
    mirror: &Mirror,
    only: &Only,
) -> io::Result<()> {
    if json {
        writeln!(out, "{}", status::json(mirror.now(), &mirror.world, only))?;
        return out.flush();
    }
    // In one piece, so that a terminal does not flicker.
    let mut text = if terminal { CLEAR.as_bytes().to_vec() } else { Vec::new() };
    status::write(&mut text, paint, mirror.now(), &mirror.world, only)?;
    if !terminal {
        text.push(b'\n');
    }
    out.write_all(&text)?;
    out.flush()
}

fn find(world: &World, only: &Only) -> Result<()> {
    if !only.is_all() && !only.finds(world) {
        bail!("nothing is called {:?}: `keepwatch status` shows what there is", only.name());
    }
    Ok(())
}

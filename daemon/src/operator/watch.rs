//! `keepwatch status`: once, of everything or of what is called by a name, or again and again (`--watch`). The exit status
//! tells whether anything is wrong.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use jiff::Timestamp;
use keepwatch_bus::World;
use ratatui::crossterm::terminal as screen;

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
/// The cursor into the first column of the first row.
const HOME: &str = "\x1b[H";
/// What stands in the row from the cursor on away, and what stands below it.
const ROW_AWAY: &str = "\x1b[K";
const BELOW_AWAY: &str = "\x1b[J";
/// Whether a long line goes on in the next row.
const WRAP: &str = "\x1b[?7h";
const NO_WRAP: &str = "\x1b[?7l";

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
            let differs = changed && !terminal && {
                // What is compared has no times in it.
                let told = status::json(Timestamp::UNIX_EPOCH, &mirror.world, &only).to_string();
                let differs = told != before;
                before = told;
                differs
            };
            if terminal || differs {
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
    let mut text = Vec::new();
    status::write(&mut text, paint, mirror.now(), &mirror.world, only)?;
    if terminal {
        // Who does not say how high it is has room for all.
        let rows = screen::size().map_or(0, |(_, rows)| usize::from(rows));
        let rows = if rows == 0 { usize::MAX } else { rows };
        text = screenful(&String::from_utf8_lossy(&text), rows).into_bytes();
    } else {
        text.push(b'\n');
    }
    // In one piece, so that a terminal does not flicker.
    out.write_all(&text)?;
    out.flush()
}

/// What there is room for on a terminal of so many rows, in place of what it shows: one line of the text is one row, cut
/// where the terminal ends, and what has no room is counted.
fn screenful(text: &str, rows: usize) -> String {
    let count = text.lines().count();
    let shown = if count > rows { rows.saturating_sub(1) } else { count };
    let mut lines: Vec<String> = text.lines().take(shown).map(|line| format!("{ROW_AWAY}{line}")).collect();
    if shown < count {
        let more = count - shown;
        lines.push(format!("and {more} more lines; `keepwatch top` scrolls, `status NAME` "));
    }
    format!("{NO_WRAP}{HOME}{}{BELOW_AWAY}{WRAP}", lines.join("\r\n"))
}

fn find(world: &World, only: &Only) -> Result<()> {
    if !only.is_all() && !only.finds(world) {
        bail!("nothing is called {:?}: `keepwatch status` shows what there is", only.name());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_shown_as_many_lines_as_it_has_rows() {
        let text: String = (1..=30).map(|line| format!("line {line}\n")).collect();
        let shown = |rows| {
            let screen = screenful(&text, rows);
            let breaks = screen.matches("\r\n").count();
            (breaks + 1, screen)
        };
        let (rows, screen) = shown(24);
        assert!(
            rows == 24 && screen.contains("line 23\r\n") && screen.contains("and 7 more lines"),
            "{screen:?}"
        );
        let (rows, screen) = shown(30);
        assert!(
            rows == 30 && screen.contains("line 30\u{1b}") && !screen.contains("more lines"),
            "{screen:?}"
        );
        assert!(screen.starts_with(NO_WRAP) && screen.ends_with(WRAP), "{screen:?}");
    }
}

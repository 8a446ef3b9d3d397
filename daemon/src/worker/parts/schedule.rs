//! `reload_time_file`: a file that says when the configuration is to be read again. In: the file, once a second. Out: a request
//! to reload when the time has come, and facts that say what is planned. All routers of a LAN may so change in one moment.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use keepwatch_bus::fact::DaemonFact;
use keepwatch_bus::{Reader, WeakBus, local_time, own_file};
use tokio::sync::mpsc;

use crate::terminal::plain;
use crate::worker::reload::Wanted;

/// How often the file is looked at, and the clock.
const PACE: Duration = Duration::from_secs(1);
/// More than any time is long.
const LONGEST: u64 = 64;

/// Watches the file that the configuration in force names, until nobody reloads any more.
pub(in crate::worker) async fn follow(reader: Reader, bus: WeakBus, reload: mpsc::Sender<Wanted>) {
    let mut plan = Plan::default();
    while !reload.is_closed() {
        tokio::time::sleep(PACE).await;
        let (path, repeat) = {
            let world = reader.world();
            let files = &world.settings.global.reload;
            (files.time_file.clone(), files.repeat)
        };
        let seen = match &path {
            None => None,
            Some(path) => {
                let path = path.clone();
                // It may lie on a disk that hangs; only this waits for it.
                tokio::task::spawn_blocking(move || look(&path)).await.ok().flatten()
            }
        };
        if path.is_none() && !plan.is_there() {
            continue;
        }
        let now = Timestamp::now().to_zoned(local_time::zone());
        let step = plan.step(path.as_deref(), seen, &now, repeat);
        for fact in step.facts {
            bus.publish(None, fact);
        }
        if step.reload {
            if let Some(path) = path.filter(|_| !repeat) {
                // Without its date the time would come again tomorrow.
                let _ = tokio::task::spawn_blocking(move || std::fs::remove_file(path)).await;
            }
            if reload.send(None).await.is_err() {
                return;
            }
        }
    }
}

/// The first line of the file; `None` if there is none.
fn look(path: &Path) -> Option<Result<String, String>> {
    let read = || {
        let mut text = String::new();
        own_file::read(path)?.take(LONGEST).read_to_string(&mut text)?;
        Ok(text.lines().next().unwrap_or_default().trim().to_owned())
    };
    match read() {
        Err(error) if std::io::Error::kind(&error) == std::io::ErrorKind::NotFound => None,
        read => Some(read.map_err(|error| plain(&error).to_string())),
    }
}

/// What is planned.
#[derive(Default)]
struct Plan {
    /// What the file said when it was last looked at.
    seen: Option<(PathBuf, Result<String, String>)>,
    /// When the next reload is to be.
    due: Option<Timestamp>,
}

#[derive(Default)]
struct Step {
    facts: Vec<DaemonFact>,
    reload: bool,
}

impl Plan {
    /// Whether something was planned, or is.
    fn is_there(&self) -> bool {
        self.seen.is_some() || self.due.is_some()
    }

    /// The file says this now.
    fn step(
        &mut self,
        path: Option<&Path>,
        seen: Option<Result<String, String>>,
        now: &Zoned,
        repeat: bool,
    ) -> Step {
        let mut step = Step::default();
        let seen = path.map(Path::to_path_buf).zip(seen);
        if seen != self.seen {
            let before = std::mem::replace(&mut self.seen, seen);
            let planned = self.due.take().is_some();
            match (&self.seen, before) {
                (Some((path, text)), _) => self.due = plan(path, text.clone(), now, &mut step.facts),
                (None, Some((path, _))) if planned => {
                    step.facts.push(DaemonFact::ReloadUnscheduled { file: path.display().to_string() });
                }
                (None, _) => {}
            }
        }
        if self.due.is_some_and(|due| due <= now.timestamp()) {
            step.reload = true;
            self.due = None;
            match &self.seen {
                // A time without a date comes again; one with a date is over, which nobody need be told.
                Some((path, Ok(text))) if repeat => {
                    let mut facts = Vec::new();
                    self.due = plan(path, Ok(text.clone()), now, &mut facts);
                    step.facts.extend(facts.into_iter().filter(|_| self.due.is_some()));
                }
                // The file goes, and that is no cancellation.
                _ => self.seen = None,
            }
        }
        step
    }
}

fn plan(
    path: &Path,
    text: Result<String, String>,
    now: &Zoned,
    facts: &mut Vec<DaemonFact>,
) -> Option<Timestamp> {
    let file = path.display().to_string();
    match text.and_then(|text| next(&text, now)) {
        Ok(when) => {
            facts.push(DaemonFact::ReloadScheduled { file, when });
            Some(when)
        }
        Err(error) => {
            facts.push(DaemonFact::ReloadTimeRefused { file, error });
            None
        }
    }
}

/// When that is: `HH:MM:SS`, the next one that comes; `YY-MM-DD HH:MM:SS` or `YYYY-MM-DD HH:MM:SS`, if it is to come; each in
/// the host's time, or with a `Z` at its end in UTC.
fn next(text: &str, now: &Zoned) -> Result<Timestamp, String> {
    let expected = || {
        format!(
            "`{text}`: expected HH:MM:SS, YY-MM-DD HH:MM:SS or YYYY-MM-DD HH:MM:SS, with Z at its end for UTC"
        )
    };
    let (time, now) = match text.strip_suffix('Z') {
        Some(time) => (time, now.with_time_zone(TimeZone::UTC)),
        None => (text, now.clone()),
    };
    let zoned =
        |at: DateTime| at.to_zoned(now.time_zone().clone()).map_err(|error| format!("`{text}`: {error}"));
    let format = match time.len() {
        8 => {
            let time = Time::strptime("%H:%M:%S", time).map_err(|_| expected())?;
            let today = zoned(now.date().to_datetime(time))?;
            let tomorrow = || zoned(now.date().saturating_add(1.day()).to_datetime(time));
            let next = if today > now { today } else { tomorrow()? };
            return Ok(next.timestamp());
        }
        17 => "%y-%m-%d %H:%M:%S",
        19 => "%Y-%m-%d %H:%M:%S",
        _ => return Err(expected()),
    };
    let when = zoned(DateTime::strptime(format, time).map_err(|_| expected())?)?;
    if when <= now {
        return Err(format!("`{text}` is over"));
    }
    Ok(when.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Zoned {
        "2026-11-28T12:00:00[UTC]".parse().unwrap()
    }

    #[test]
    fn times_are_read_as_keepalived_reads_them() {
        for (text, expected) in [
            ("12:00:01", Some("2026-11-28T12:00:01Z")),
            ("12:00:00", Some("2026-11-29T12:00:00Z")),
            ("03:04:05Z", Some("2026-11-29T03:04:05Z")),
            ("26-12-01 00:00:00", Some("2026-12-01T00:00:00Z")),
            ("2027-01-02 03:04:05Z", Some("2027-01-02T03:04:05Z")),
            ("2026-11-28 11:59:59", None),
            ("12:00", None),
            ("24:00:00", None),
            ("2026-13-01 00:00:00", None),
            ("", None),
        ] {
            let expected = expected.map(|text| text.parse::<Timestamp>().unwrap());
            assert_eq!(next(text, &now()).ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_time_is_kept_once_and_a_file_that_goes_cancels_it() {
        let path = Path::new("/f");
        let text = |text: &str| Some(Ok(text.to_owned()));
        let mut plan = Plan::default();
        let step = plan.step(Some(path), text("12:00:05"), &now(), false);
        assert!(matches!(step.facts[..], [DaemonFact::ReloadScheduled { .. }]) && !step.reload);
        let step = plan.step(Some(path), text("12:00:05"), &now(), false);
        assert!(step.facts.is_empty() && !step.reload, "nothing is new");
        let later = now().saturating_add(5.seconds());
        assert!(plan.step(Some(path), text("12:00:05"), &later, false).reload);
        let step = plan.step(Some(path), None, &later, false);
        assert!(step.facts.is_empty() && !step.reload, "the file went because its time had come");

        plan.step(Some(path), text("13:00:00"), &later, false);
        let step = plan.step(Some(path), None, &later, false);
        assert!(matches!(step.facts[..], [DaemonFact::ReloadUnscheduled { .. }]));
        assert!(!plan.step(Some(path), None, &later.saturating_add(2.hours()), false).reload);
    }

    #[test]
    fn a_repeated_time_comes_again_the_next_day() {
        let (path, mut plan) = (Path::new("/f"), Plan::default());
        let text = || Some(Ok("12:00:05".to_owned()));
        plan.step(Some(path), text(), &now(), true);
        let first = now().saturating_add(5.seconds());
        assert!(plan.step(Some(path), text(), &first, true).reload);
        assert!(!plan.step(Some(path), text(), &first, true).reload);
        assert!(plan.step(Some(path), text(), &first.saturating_add(24.hours()), true).reload);
    }
}

//! Which events `keepwatch events` shows: by time, kind and subject. In: the command line. Out: the filter that the daemon
//! goes by.

use anyhow::{Result, anyhow, bail, ensure};
use jiff::civil::{DateTime, Time};
use jiff::{SignedDuration, Timestamp, Zoned};
use keepwatch_bus::Fact;

use crate::control::protocol::Filter;

/// How alike a name must be (of 1) to be what was meant.
const LIKELY: f64 = 0.85;

/// The conditions; each that is given must hold.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Choice {
    /// Not before this: `10m`, `2h 30m`, `1d` ago, `14:30` today, `2026-11-28 14:30`, or with a zone as RFC 3339 has it
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Not after this, written likewise
    #[arg(long, value_name = "TIME", conflicts_with = "follow")]
    until: Option<String>,
    /// Only events of this kind, by its name in JSON (`state_changed`); may be given more than once
    #[arg(long = "kind", value_name = "KIND", value_delimiter = ',')]
    kinds: Vec<String>,
    /// Only events about this subject, named as for `why`
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
}

impl Choice {
    /// The filter, with times told from `now`.
    ///
    /// # Errors
    /// When a time can't be read, or no event is of such a kind.
    pub(super) fn filter(self, now: Zoned) -> Result<Filter> {
        if let Some(unknown) = self.kinds.iter().find(|kind| Fact::kinds().all(|known| known != **kind)) {
            let guess = Fact::kinds()
                .map(|known| (strsim::jaro_winkler(unknown, known), known))
                .filter(|(alike, _)| *alike >= LIKELY)
                .max_by(|(one, _), (other, _)| one.total_cmp(other));
            match guess {
                Some((_, known)) => {
                    bail!("there are no events of the kind {unknown:?}; did you mean {known}?")
                }
                None => {
                    let mut kinds: Vec<&str> = Fact::kinds().collect();
                    kinds.sort_unstable();
                    bail!("there are no events of the kind {unknown:?}; the kinds are {}", kinds.join(", "))
                }
            }
        }
        let time = |text: Option<String>| text.map(|text| moment(&text, &now)).transpose();
        let (since, until) = (time(self.since)?, time(self.until)?);
        if let (Some(since), Some(until)) = (since, until) {
            ensure!(since <= until, "nothing is both after {since} (--since) and before {until} (--until)");
        }
        Ok(Filter { since, until, kinds: self.kinds, subject: self.subject })
    }
}

/// A moment as people write it.
fn moment(text: &str, now: &Zoned) -> Result<Timestamp> {
    let text = text.trim();
    if let Ok(ago) = text.trim_end_matches("ago").trim().parse::<SignedDuration>() {
        return before(now, ago.abs(), text);
    }
    if let Some(days) = text.strip_suffix('d').and_then(|days| days.parse::<i64>().ok()) {
        let hours = days.saturating_abs().saturating_mul(24).min(i64::MAX / 3600);
        return before(now, SignedDuration::from_hours(hours), text);
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    if let Ok(moment) = text.parse::<DateTime>() {
        return Ok(moment.to_zoned(now.time_zone().clone())?.timestamp());
    }
    if let Ok(time) = text.parse::<Time>() {
        return Ok(now.date().to_datetime(time).to_zoned(now.time_zone().clone())?.timestamp());
    }
    bail!("{text:?} is no time: write it as `10m`, `2h 30m`, `1d`, `14:30` or `2026-11-28 14:30`")
}

fn before(now: &Zoned, ago: SignedDuration, text: &str) -> Result<Timestamp> {
    now.timestamp().checked_sub(ago).map_err(|_| anyhow!("{text:?} ago is before all calendars"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now: Zoned = "2026-11-28T15:00:00[UTC]".parse().unwrap();
        for (written, meant) in [
            ("10m", "2026-11-28T14:50:00Z"),
            ("2h 30m", "2026-11-28T12:30:00Z"),
            ("90s ago", "2026-11-28T14:58:30Z"),
            ("2d", "2026-11-26T15:00:00Z"),
            ("14:30", "2026-11-28T14:30:00Z"),
            ("2026-11-27 14:30", "2026-11-27T14:30:00Z"),
            ("2026-11-27", "2026-11-27T00:00:00Z"),
            ("2026-11-27T14:30:00+01:00", "2026-11-27T13:30:00Z"),
        ] {
            assert_eq!(moment(written, &now).unwrap().to_string(), meant, "{written}");
        }
        assert!(moment("soon", &now).is_err());
        for long in ["99999999999d", "9223372036854775807d", "9999999999999h"] {
            let refused = moment(long, &now).unwrap_err().to_string();
            assert!(refused.contains(long), "{refused}");
        }
    }

    #[test]
    fn an_end_before_the_beginning_is_refused() {
        let choice = |since: &str, until: &str| Choice {
            since: Some(since.into()),
            until: Some(until.into()),
            ..Choice::default()
        };
        assert!(choice("2m", "1m").filter(Zoned::now()).is_ok());
        let refused = choice("1m", "2m").filter(Zoned::now()).unwrap_err().to_string();
        assert!(refused.contains("--until"), "{refused}");
    }

    #[test]
    fn a_kind_that_there_is_not_is_refused_with_what_was_likely_meant() {
        let choice = Choice { kinds: vec!["state_change".into()], ..Choice::default() };
        let refused = choice.filter(Zoned::now()).unwrap_err().to_string();
        assert!(refused.contains("did you mean state_changed?"), "{refused}");
        let choice = Choice { kinds: vec!["nonsense".into()], ..Choice::default() };
        let refused = choice.filter(Zoned::now()).unwrap_err().to_string();
        assert!(refused.contains("the kinds are ") && refused.contains(", state_changed, "), "{refused}");
    }
}

//! Colours, where a terminal is there to show them; and how times are told.

use std::fmt::Display;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use keepwatch_bus::subject::VrrpState;

/// Paints, or does not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    pub(super) on: bool,
}

impl Paint {
    fn with(self, code: &str, text: &dyn Display) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }

    /// A heading.
    pub(super) fn head(self, text: &str) -> String {
        self.with("1", &text)
    }

    /// Something that matters less.
    pub(super) fn dim(self, text: &str) -> String {
        self.with("2", &text)
    }

    /// All is well.
    pub(super) fn good(self, text: &str) -> String {
        self.with("32", &text)
    }

    /// Something to look at.
    pub(super) fn warn(self, text: &str) -> String {
        self.with("33", &text)
    }

    /// Something does not work.
    pub(super) fn bad(self, text: &str) -> String {
        self.with("31", &text)
    }

    /// A state, padded to a column.
    pub(super) fn state(self, state: VrrpState) -> String {
        let text = format!("{:<6}", state.to_string());
        match state {
            VrrpState::Master => self.good(&text),
            VrrpState::Fault => self.bad(&text),
            VrrpState::Backup | VrrpState::Init => text,
        }
    }
}

/// The local time of an event, to the millisecond.
pub(super) fn clock(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

/// How long ago, as people say it: `3h 12m`.
pub(super) fn ago(now: Timestamp, then: Timestamp) -> String {
    let seconds = now.duration_since(then).as_secs().max(0);
    let (d, h, m, s) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    match (d, h, m) {
        (0, 0, 0) => format!("{s}s"),
        (0, 0, _) => format!("{m}m {s}s"),
        (0, _, _) => format!("{h}h {m}m"),
        _ => format!("{d}d {h}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_two_units() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        for (then, told) in [
            ("2026-11-21T11:59:58Z", "2s"),
            ("2026-11-21T11:57:00Z", "3m 0s"),
            ("2026-11-21T09:58:00Z", "2h 2m"),
            ("2026-11-18T11:00:00Z", "3d 1h"),
            ("2026-11-21T12:00:05Z", "0s"),
        ] {
            assert_eq!(ago(now, then.parse().unwrap()), told);
        }
    }

    #[test]
    fn nothing_is_painted_without_a_terminal() {
        assert_eq!(Paint { on: false }.state(VrrpState::Master), "MASTER");
        assert_eq!(Paint { on: true }.bad("x"), "\x1b[31mx\x1b[0m");
    }
}

//! What came out of each step, beside what the RFC says, as a table for people.

use std::time::Duration;

use crate::{client::Summary, network::ADVERT_INT};

/// How far a measured outage may be from the RFC's time.
pub(crate) const TOLERANCE: Duration = Duration::from_millis(5);

/// One step of the play.
pub(crate) struct Row {
    /// What happened.
    pub(crate) step: &'static str,
    /// How long nobody had the address, and how long that should take; none where that is not the question.
    pub(crate) outage: Option<Outage>,
    /// What the client saw; none before it had anything to see.
    pub(crate) client: Option<Summary>,
}

/// A time that the RFC foretells.
#[derive(Clone, Copy)]
pub(crate) struct Outage {
    /// By the RFC.
    pub(crate) expected: Duration,
    /// As it was.
    pub(crate) measured: Duration,
}

impl Outage {
    fn off(self) -> Duration {
        self.measured.abs_diff(self.expected)
    }

    /// Whether it is as foretold.
    pub(crate) fn holds(self) -> bool {
        self.off() <= TOLERANCE
    }
}

/// Skew_Time of a backup (RFC 3768 6.1).
pub(crate) fn skew(priority: u8) -> Duration {
    Duration::from_secs(ADVERT_INT.into()) * (256 - u32::from(priority)) / 256
}

/// Master_Down_Interval of a backup (RFC 3768 6.1).
pub(crate) fn master_down(priority: u8) -> Duration {
    3 * Duration::from_secs(ADVERT_INT.into()) + skew(priority)
}

/// The lines of the table.
pub(crate) fn lines(rows: &[Row]) -> Vec<String> {
    let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    let head = format!(
        "{:<44} {:>11} {:>11} {:>9}   {}",
        "step", "by the RFC", "measured", "off by", "the client, one poll every 10 ms"
    );
    let mut lines = vec![head.clone(), "─".repeat(head.chars().count())];
    for row in rows {
        let [expected, measured, off] = match row.outage {
            Some(outage) => [
                ms(outage.expected),
                ms(outage.measured),
                format!("{:+.1} ms", (outage.measured.as_secs_f64() - outage.expected.as_secs_f64()) * 1e3),
            ],
            None => ["", "", ""].map(str::to_owned),
        };
        let client = match &row.client {
            Some(seen) if seen.lost == 0 => format!("all {} answered", seen.asked),
            Some(seen) => {
                format!("{} of {} lost, longest gap {}", seen.lost, seen.asked, ms(seen.outage))
            }
            None => String::new(),
        };
        lines.push(
            format!("{:<44} {expected:>11} {measured:>11} {off:>9}   {client}", row.step)
                .trim_end()
                .to_owned(),
        );
    }
    lines
}

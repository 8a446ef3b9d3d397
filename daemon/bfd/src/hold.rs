//! When packets that have come are read. One that comes alone is read at once. Where many sessions are up, packets come so
//! often that each would wake the thread by itself; then they are left in the socket for a moment and read together. The
//! kernel notes when each came, so nothing is measured less exactly; what a neighbour says is heard that moment later.

use std::time::{Duration, Instant};

/// Of the shortest detection time, at most this part: a neighbour that says Down is believed so much later.
const PART: u32 = 48;
/// And at most this.
const LONGEST: Duration = Duration::from_millis(4);
/// So many at once, and the next ones are read sooner: the socket has room for many times as many.
const MANY: usize = 128;
/// How much sooner. More than nothing also when somebody floods the port: all other threads get their turn.
const SOON: Duration = Duration::from_millis(1);
/// Reads that follow each other within so many holds are often.
const OFTEN: u32 = 4;

/// Knows until when packets are left where they are.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    most: Duration,
    read: Option<Instant>,
    until: Option<Instant>,
}

impl Hold {
    /// The shortest detection time of the sessions that are up, where there are any.
    pub(crate) fn set(&mut self, shortest: Option<Duration>) {
        self.most = shortest.map_or(Duration::ZERO, |time| (time / PART).min(LONGEST));
    }

    /// At `now` so many packets were read.
    pub(crate) fn read(&mut self, now: Instant, count: usize) {
        let before = if count > 0 { self.read.replace(now) } else { None };
        let often = before.is_some_and(|before| now.saturating_duration_since(before) < OFTEN * self.most);
        let length = if count < MANY { self.most } else { SOON };
        self.until = (often || count >= MANY).then(|| now + length);
    }

    /// Until then nothing is read; `None`: what comes is read at once.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// What is held after each of these reads: milliseconds since the one before, and packets.
    fn held(detection: u64, reads: &[(u64, usize)]) -> Vec<Option<Duration>> {
        let mut hold = Hold::default();
        hold.set(Some(detection as u32 * MS));
        let mut now = Instant::now();
        reads
            .iter()
            .map(|(since, count)| {
                now += *since as u32 * MS;
                hold.read(now, *count);
                hold.until().map(|until| until - now)
            })
            .collect()
    }

    #[test]
    fn what_comes_now_and_then_is_read_at_once() {
        assert_eq!(held(30, &[(0, 1), (8, 1), (9, 1), (8, 2)]), [None; 4]);
    }

    #[test]
    fn what_comes_often_is_read_together_until_it_ends() {
        let moment = Some(4 * MS);
        assert_eq!(
            held(250, &[(0, 1), (1, 1), (4, 9), (4, 8), (4, 0)]),
            [None, moment, moment, moment, None]
        );
        assert_eq!(held(96, &[(0, 1), (1, 1)]), [None, Some(2 * MS)], "a part of a short detection time");
    }

    #[test]
    fn a_flood_is_read_soon_but_not_all_the_time() {
        assert_eq!(held(250, &[(0, 500), (1, 500)]), [Some(MS); 2]);
        let mut nobody = Hold::default();
        let now = Instant::now();
        nobody.set(None);
        nobody.read(now, 500);
        assert_eq!(nobody.until(), Some(now + MS), "also where no session is up");
        nobody.read(now + MS, 3);
        assert_eq!(nobody.until(), None);
    }
}

//! What repeats is counted, not repeated: of the same line only so many are written in a while, and then how often it
//! came. Pure: lines and times in, lines out.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use super::sink::Line;

/// So many of one kind are written within [`WHILE`].
const ALLOWED: u32 = 5;
/// How long the same line is counted together.
const WHILE: Duration = Duration::from_secs(10);
/// Different lines that are watched at a time; further ones are written as they come.
const WATCHED: usize = 4096;

struct Seen {
    since: Instant,
    came: u32,
    /// The last that was not written.
    held: Option<Line>,
}

/// The lines of the last while.
#[derive(Default)]
pub struct Repeats(HashMap<u64, Seen>);

impl Repeats {
    /// Whether this line is to be written; if not, it is counted.
    pub fn admits(&mut self, now: Instant, line: &Line) -> bool {
        let mut hasher = DefaultHasher::new();
        line.text.hash(&mut hasher);
        let room = self.0.len() < WATCHED;
        match self.0.entry(hasher.finish()) {
            Entry::Occupied(mut known) => {
                let seen = known.get_mut();
                seen.came += 1;
                if seen.came <= ALLOWED {
                    return true;
                }
                seen.held = Some(line.clone());
                false
            }
            Entry::Vacant(place) => {
                if room {
                    place.insert(Seen { since: now, came: 1, held: None });
                }
                true
            }
        }
    }

    /// Ends every while that is over, and says how often what was not written came in it.
    pub fn over(&mut self, now: Instant) -> Vec<Line> {
        self.end(|seen| now.duration_since(seen.since) >= WHILE)
    }

    /// Ends all of them.
    pub fn all(&mut self) -> Vec<Line> {
        self.end(|_| true)
    }

    fn end(&mut self, is_over: impl Fn(&Seen) -> bool) -> Vec<Line> {
        let mut told = Vec::new();
        self.0.retain(|_, seen| {
            let over = is_over(seen);
            if over && let Some(mut line) = seen.held.take() {
                line.text = format!("{} (and {} times more)", line.text, seen.came - ALLOWED);
                told.push(line);
            }
            !over
        });
        // What a burst needed is given back once it is over.
        if self.0.is_empty() {
            self.0.shrink_to_fit();
        }
        told.sort_by_key(|line| line.at);
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logging::Severity;

    #[test]
    fn what_repeats_is_counted_and_everything_is_accounted_for() {
        let (mut repeats, begin) = (Repeats::default(), Instant::now());
        let line = |text: &str| Line::now(Severity::Info, text);
        let written = (0..1000).filter(|_| repeats.admits(begin, &line("again"))).count();
        assert_eq!(written, 5);
        assert!(repeats.admits(begin, &line("another")), "another line is not held up");
        assert!(repeats.over(begin + Duration::from_secs(9)).is_empty());
        let told: Vec<String> =
            repeats.over(begin + Duration::from_secs(10)).into_iter().map(|line| line.text).collect();
        assert_eq!(told, ["again (and 995 times more)"]);
        assert!(repeats.admits(begin + Duration::from_secs(11), &line("again")), "a new while");
    }

    #[test]
    fn it_remembers_a_bounded_number_of_lines() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        for n in 0..3 * WATCHED {
            assert!(repeats.admits(now, &Line::now(Severity::Info, format!("line {n}"))));
        }
        assert_eq!(repeats.0.len(), WATCHED);
        assert!(repeats.all().is_empty() && repeats.0.is_empty());
    }
}

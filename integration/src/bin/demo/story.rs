//! The story as it is printed: a line an event, with the time since the beginning and who says it. Colours on a
//! terminal only.

use std::{
    env,
    io::{self, IsTerminal, Write},
    sync::{Mutex, PoisonError},
    thread::sleep,
    time::{Duration, Instant},
};

use keepwatch_bus::{Event, line::Level};

/// Who says a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voice {
    /// The demo itself: what it does to the others.
    Demo,
    /// The director with the higher priority.
    Director1,
    /// The other one.
    Director2,
    /// The client that polls.
    Client,
}

impl Voice {
    fn name(self) -> &'static str {
        match self {
            Self::Demo => "demo",
            Self::Director1 => "director1",
            Self::Director2 => "director2",
            Self::Client => "client",
        }
    }

    fn colour(self) -> &'static str {
        match self {
            Self::Demo => "1;37",
            Self::Director1 => "36",
            Self::Director2 => "35",
            Self::Client => "32",
        }
    }
}

/// The printer of the story; lines of different threads do not mix.
pub(crate) struct Story {
    began: Instant,
    /// The beginning by the clock that events carry.
    began_monotonic: Duration,
    colours: bool,
    out: Mutex<io::Stdout>,
}

impl Story {
    /// A story that begins now.
    pub(crate) fn new() -> Self {
        let out = io::stdout();
        let colours = out.is_terminal() && env::var_os("NO_COLOR").is_none();
        Self { began: Instant::now(), began_monotonic: monotonic(), colours, out: Mutex::new(out) }
    }

    /// Text in a colour (an SGR parameter list), if there are colours.
    pub(crate) fn paint(&self, colour: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Prints a line of text as it is.
    pub(crate) fn plain(&self, text: &str) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody may be there to read; the play goes on.
        let _ = writeln!(out, "{text}");
    }

    /// A heading.
    pub(crate) fn act(&self, title: &str) {
        self.plain(&format!("\n{}", self.paint("1", title)));
    }

    /// Says something now.
    pub(crate) fn say(&self, voice: Voice, text: &str) {
        self.line(self.began.elapsed(), voice, text);
    }

    /// Says something that was so at `at`, after giving those who speak of earlier things the time to do so.
    pub(crate) fn say_of(&self, at: Instant, voice: Voice, text: &str) {
        sleep(Duration::from_millis(30).saturating_sub(at.elapsed()));
        self.line(at.saturating_duration_since(self.began), voice, text);
    }

    /// Tells an event of a director, at the time when it happened. Facts that a log has no line for are left out.
    pub(crate) fn tell(&self, voice: Voice, event: &Event) {
        let Some(line) = event.line() else { return };
        let at = Duration::from_nanos(event.mono).saturating_sub(self.began_monotonic);
        let text = match line.level {
            Level::Detail => self.paint("2", &line.text),
            Level::Info => line.text,
            Level::Warning => self.paint("33", &line.text),
            Level::Error => self.paint("31", &line.text),
        };
        let cause = event.cause.map(|cause| self.paint("2", &format!("  ← {cause}"))).unwrap_or_default();
        self.line(
            at,
            voice,
            &format!("{} {text}{cause}", self.paint("2", &format!("{:>4}", event.id.to_string()))),
        );
    }

    fn line(&self, at: Duration, voice: Voice, text: &str) {
        let name = self.paint(voice.colour(), &format!("{:<9}", voice.name()));
        self.plain(&format!("{:8.3} s  {name}  {text}", at.as_secs_f64()));
    }
}

/// `CLOCK_MONOTONIC`, which events are stamped with.
fn monotonic() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default()
}

//! What a director says on its bus, while it happens: the typed events that `keepwatch events --follow --json`
//! writes. In: a running keepwatchd; out: events, in order, to whoever asks.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use keepwatch_bus::Event;
use serde::Deserialize;

use crate::{
    Host, Process,
    background::{Background, Ending},
    binaries,
    keepwatchd::Keepwatchd,
};

/// How often the file that the operator's command writes is looked at.
const PACE: Duration = Duration::from_millis(5);

/// A line that the operator's command writes: an event, with its text beside it.
#[derive(Deserialize)]
struct Line {
    event: Event,
}

/// Follows the events of one daemon until it is dropped.
pub struct Follower {
    _reader: Background,
    // Lives until the last of what it wrote has been read.
    _command: Process,
}

impl Follower {
    /// Calls `tell` with every event that `director` holds and with every one that it will publish.
    pub fn start(
        host: &Host,
        director: &Keepwatchd,
        mut tell: impl FnMut(Event) + Send + 'static,
    ) -> Result<Self> {
        let command = host
            .process("events", binaries::path("keepwatch")?)
            .arg("--socket")
            .arg(director.control_path())
            .args(["--json", "events", "--follow", "--lines", "10000"])
            .start()?;
        let started = director.started();
        let tell = move |event: Event| {
            if event.at >= started {
                tell(event);
            }
        };
        let output = File::open(command.log_path()).context("open what the operator's command writes")?;
        let reader = Background::start("events", move |ending| read(output, &ending, tell))?;
        Ok(Self { _reader: reader, _command: command })
    }
}

fn read(output: File, ending: &Ending, mut tell: impl FnMut(Event)) {
    let mut lines = BufReader::new(output);
    let mut line = String::new();
    // At the end there is one more look, for what was written last.
    let mut last_look = false;
    loop {
        match lines.read_line(&mut line) {
            Ok(length) if length > 0 && line.ends_with('\n') => {
                // Lines without an event say how many were missed.
                if let Ok(Line { event }) = serde_json::from_str(&line) {
                    tell(event);
                }
                line.clear();
            }
            // Nothing new, or half a line so far.
            Ok(_) if last_look => return,
            Ok(_) => {
                last_look = ending.is_near();
                thread::sleep(PACE);
            }
            Err(_) => return,
        }
    }
}

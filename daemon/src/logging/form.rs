//! The forms of a line on the console and in a file.

use jiff::Timestamp;
use keepwatch_bus::local_time;
use serde_json::{Map, Value};

use super::Severity;
use super::sink::Line;

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// As keepalived writes them: `Sat Nov 21 00:03:14 2026: text`, in a file with nanoseconds.
    #[default]
    Keepalived,
    /// With microseconds, level, subsystem and the number of the event, for `keepwatch why`.
    Full,
    /// An object of JSON on each line, with the data of the event.
    Json,
}

/// The time of a line, by the clock on the wall.
pub(super) fn local(at: Timestamp) -> jiff::Zoned {
    at.to_zoned(local_time::zone())
}

impl Form {
    /// A line for the console, with its end.
    pub(super) fn console(self, line: &Line) -> String {
        match self {
            Self::Keepalived => {
                format!("{}: {}\n", local(line.at).strftime("%a %b %e %H:%M:%S %Y"), line.text)
            }
            Self::Full => full(line),
            Self::Json => json(line),
        }
    }

    /// A line for a file, with its end.
    pub(super) fn file(self, line: &Line) -> String {
        match self {
            Self::Keepalived => {
                format!("{}: {}\n", local(line.at).strftime("%a %b %d %H:%M:%S.%9f %Y"), line.text)
            }
            Self::Full => full(line),
            Self::Json => json(line),
        }
    }
}

fn full(line: &Line) -> String {
    let at = local(line.at);
    let about = line.event.as_ref().map(|event| format!(" {} {}", event.fact.subsystem(), event.id));
    let (about, severity) = (about.unwrap_or_default(), line.severity.name());
    format!("{} {severity}{about}: {}\n", at.strftime("%Y-%m-%dT%H:%M:%S.%6f%:z"), line.text)
}

fn json(line: &Line) -> String {
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    put("time", line.at.to_string().into());
    put("level", line.severity.name().into());
    if let Some(event) = &line.event {
        put("subsystem", event.fact.subsystem().to_string().into());
        put("event", event.id.0.into());
        if let Some(cause) = event.cause {
            put("cause", cause.0.into());
        }
        put("kind", event.fact.kind().into());
    }
    put("message", line.text.clone().into());
    if let Some(event) = &line.event {
        // What the line itself says of the event comes first.
        for (name, value) in event.fact.data() {
            object.entry(name).or_insert(value);
        }
    }
    format!("{}\n", Value::Object(object))
}

impl Severity {
    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use keepwatch_bus::fact::DaemonFact;
    use keepwatch_bus::{Event, EventId};

    use super::*;

    fn line() -> Line {
        let fact = DaemonFact::DaemonStopping { reason: "SIGTERM".into() }.into();
        let at: Timestamp = "2026-11-21T00:03:14.123456789Z".parse().unwrap();
        let event = Event { id: EventId(12), at, mono: 0, cause: Some(EventId(11)), fact };
        let text = event.line().unwrap().text;
        Line { at, severity: Severity::Info, text, event: Some(Arc::new(event)) }
    }

    #[test]
    fn the_full_form_has_microseconds_level_subsystem_and_number() {
        let text = Form::Full.file(&line());
        assert!(text.contains(":14.123456"), "{text}");
        assert!(text.ends_with(" info daemon #12: Stopping (SIGTERM)\n"), "{text}");
    }

    #[test]
    fn each_line_of_json_is_an_object_with_the_data_of_the_event() {
        let text = Form::Json.console(&line());
        let object: Value = serde_json::from_str(&text).unwrap();
        for (name, value) in [
            ("time", Value::from("2026-11-21T00:03:14.123456789Z")),
            ("level", "info".into()),
            ("subsystem", "daemon".into()),
            ("event", 12.into()),
            ("cause", 11.into()),
            ("kind", "daemon_stopping".into()),
            ("message", "Stopping (SIGTERM)".into()),
            ("reason", "SIGTERM".into()),
        ] {
            assert_eq!(object[name], value, "{name}");
        }
        assert_eq!(text.matches('\n').count(), 1);
    }
}

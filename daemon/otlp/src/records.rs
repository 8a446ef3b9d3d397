//! An event as a span and as a log record, in OpenTelemetry's protobuf. Pure.

use std::time::Duration;

use jiff::Timestamp;
use keepwatch_bus::fact::{ConsumerFact, DaemonFact, ServiceFact, VrrpFact};
use keepwatch_bus::line::{Level, Line};
use keepwatch_bus::{Event, Fact};
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value::Value as Any};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};
use opentelemetry_proto::tonic::trace::v1::{Span, Status, span::SpanKind, status::StatusCode};
use serde_json::Value;

use crate::chains::{Place, Told};

/// What is before the names of our own attributes.
const OURS: &str = "keepwatch.";
/// The flag of a trace that is sampled (W3C Trace Context, section 3.2.2.5.1).
const SAMPLED: u32 = 1;
/// Nothing is nested deeper than this in a fact.
const DEEPEST: u8 = 4;

/// What a span and a log record of an event have in common, made once for both.
#[derive(Clone, Debug)]
pub struct Described {
    line: Line,
    attributes: Vec<KeyValue>,
}

impl Described {
    /// Of an event with this line.
    pub fn new(event: &Event, line: Line) -> Self {
        Self { attributes: attributes(event), line }
    }
}

/// A span: from what led to the event, or from where what took time began, to the event.
pub fn span(told: &Told, described: Described) -> Span {
    let Told { event, trace, span, parent, caused } = told;
    let Described { line, mut attributes } = described;
    let end = nanoseconds(event.at);
    let start = match took(&event.fact) {
        Some(took) => end.saturating_sub(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)),
        None => caused.map_or(end, nanoseconds).min(end),
    };
    attributes.push(text("keepwatch.line", &line.text));
    Span {
        trace_id: trace.to_vec(),
        span_id: span.to_vec(),
        parent_span_id: parent.map(|parent| parent.to_vec()).unwrap_or_default(),
        flags: SAMPLED,
        name: event.fact.kind().to_owned(),
        kind: SpanKind::Internal as i32,
        start_time_unix_nano: start,
        end_time_unix_nano: end,
        attributes,
        status: (line.level == Level::Error)
            .then(|| Status { message: line.text, code: StatusCode::Error as i32 }),
        ..Span::default()
    }
}

/// A log record of an event.
pub fn log(event: &Event, described: Described, place: Place, observed: Timestamp) -> LogRecord {
    let Described { line, attributes } = described;
    let severity = match line.level {
        Level::Detail => SeverityNumber::Debug,
        Level::Info => SeverityNumber::Info,
        Level::Warning => SeverityNumber::Warn,
        Level::Error => SeverityNumber::Error,
    };
    let severity_text = severity.as_str_name().trim_start_matches("SEVERITY_NUMBER_");
    LogRecord {
        time_unix_nano: nanoseconds(event.at),
        observed_time_unix_nano: nanoseconds(observed),
        severity_number: severity as i32,
        severity_text: severity_text.to_owned(),
        body: Some(AnyValue { value: Some(Any::StringValue(line.text)) }),
        attributes,
        trace_id: place.trace.to_vec(),
        span_id: place.span.map(|span| span.to_vec()).unwrap_or_default(),
        event_name: format!("{OURS}{}", event.fact.kind()),
        ..LogRecord::default()
    }
}

/// An attribute.
pub fn text(key: &str, value: &str) -> KeyValue {
    attribute(key.to_owned(), Any::StringValue(value.to_owned()))
}

fn attribute(key: String, value: Any) -> KeyValue {
    KeyValue { key, value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn nanoseconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_nanosecond()).unwrap_or(0)
}

/// The number of the event, that of its cause, and the data of its fact, but not the settings that it may carry.
fn attributes(event: &Event) -> Vec<KeyValue> {
    let id = |id: u64| Any::IntValue(i64::try_from(id).unwrap_or(i64::MAX));
    let mut all = vec![attribute(format!("{OURS}event"), id(event.id.0))];
    if let Some(cause) = event.cause {
        all.push(attribute(format!("{OURS}cause"), id(cause.0)));
    }
    for (name, value) in &event.fact.data() {
        put(format!("{OURS}{name}"), value, 0, &mut all);
    }
    all
}

fn put(key: String, value: &Value, depth: u8, all: &mut Vec<KeyValue>) {
    match value {
        Value::Object(fields) if is_duration(value) => {
            let part = |name: &str| fields.get(name).and_then(Value::as_f64).unwrap_or(0.0);
            all.push(attribute(key + "_seconds", Any::DoubleValue(part("secs") + part("nanos") / 1e9)));
        }
        Value::Object(fields) if depth < DEEPEST => {
            fields.iter().for_each(|(name, value)| put(format!("{key}.{name}"), value, depth + 1, all));
        }
        value => all.extend(scalar(value).map(|value| attribute(key, value))),
    }
}

fn scalar(value: &Value) -> Option<Any> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(value) => Any::BoolValue(*value),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Any::IntValue(number),
            None => Any::DoubleValue(number.as_f64()?),
        },
        Value::String(text) => Any::StringValue(text.clone()),
        Value::Array(values) => {
            let values = values.iter().filter_map(|value| Some(AnyValue { value: Some(scalar(value)?) }));
            Any::ArrayValue(ArrayValue { values: values.collect() })
        }
        Value::Object(_) => Any::StringValue(value.to_string()),
    })
}

fn is_duration(value: &Value) -> bool {
    value.as_object().is_some_and(|fields| {
        fields.len() == 2 && fields.contains_key("secs") && fields.contains_key("nanos")
    })
}

/// How long what has ended with this fact took, where it says so. Of most facts nobody measured anything, so that not
/// every one is named here.
fn took(fact: &Fact) -> Option<Duration> {
    match fact {
        Fact::Vrrp(VrrpFact::AdvertTimedOut { waited, .. }) => Some(*waited),
        Fact::Vrrp(VrrpFact::AddressRestored { after, .. }) => Some(*after),
        Fact::Vrrp(VrrpFact::AdvertDelayed { late, .. } | VrrpFact::ThreadLate { late, .. }) => Some(*late),
        Fact::Service(ServiceFact::CheckSucceeded { took, .. } | ServiceFact::CheckFailed { took, .. }) => {
            Some(*took)
        }
        Fact::Consumer(
            ConsumerFact::ScriptExited { took, .. }
            | ConsumerFact::MailSent { took, .. }
            | ConsumerFact::FifoReaderEnded { took, .. },
        ) => Some(*took),
        Fact::Consumer(ConsumerFact::DeliveryResumed { stood, .. })
        | Fact::Daemon(DaemonFact::PartMoves { stood, .. }) => Some(*stood),
        Fact::Daemon(DaemonFact::DaemonStopped { took }) => Some(*took),
        _ => None,
    }
}

#[cfg(test)]
mod tests;

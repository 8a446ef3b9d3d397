use std::sync::Arc;

use keepwatch_bus::EventId;
use keepwatch_bus::fact::ScriptOutcome;
use keepwatch_bus::subject::VrrpState;

use super::*;

const SECOND: u64 = 1_000_000_000;

fn told(fact: impl Into<Fact>, caused: Option<i64>) -> Told {
    let at = |second| Timestamp::from_second(second).unwrap();
    let event =
        Event { id: EventId(7), at: at(100), mono: 0, cause: caused.map(|_| EventId(6)), fact: fact.into() };
    Told { event: Arc::new(event), trace: [1; 16], span: [2; 8], parent: None, caused: caused.map(at) }
}

fn described(event: &Event) -> Described {
    Described::new(event, event.line().unwrap())
}

fn span(told: &Told) -> Span {
    super::span(told, described(&told.event))
}

fn value<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Any> {
    attributes.iter().find(|attribute| attribute.key == key)?.value.as_ref()?.value.as_ref()
}

#[test]
fn a_span_lasts_from_its_cause_or_as_long_as_was_measured() {
    let state = VrrpFact::StateChanged {
        instance: "VI_1".into(),
        from: VrrpState::Backup,
        to: VrrpState::Master,
        priority: 100,
    };
    let one = span(&told(state.clone(), Some(97)));
    assert_eq!((one.start_time_unix_nano, one.end_time_unix_nano), (97 * SECOND, 100 * SECOND));
    let root = span(&told(state, None));
    assert_eq!(root.start_time_unix_nano, root.end_time_unix_nano);
    let waited = VrrpFact::AdvertTimedOut {
        instance: "VI_1".into(),
        master: None,
        waited: Duration::from_millis(3600),
        evidence: None,
    };
    assert_eq!(span(&told(waited, None)).start_time_unix_nano, 96_400_000_000);
}

#[test]
fn attributes_are_the_data_of_the_fact() {
    let fact = ConsumerFact::ScriptExited {
        script: "/bin/true".into(),
        about: "INSTANCE VI_1 MASTER".into(),
        outcome: ScriptOutcome::Exited { status: 3 },
        took: Duration::from_millis(1500),
        output: String::new(),
    };
    let span = span(&told(fact, Some(99)));
    let attributes = &span.attributes;
    assert_eq!(span.name, "script_exited");
    assert_eq!(value(attributes, "keepwatch.event"), Some(&Any::IntValue(7)));
    assert_eq!(value(attributes, "keepwatch.cause"), Some(&Any::IntValue(6)));
    assert_eq!(value(attributes, "keepwatch.script"), Some(&Any::StringValue("/bin/true".into())));
    assert_eq!(value(attributes, "keepwatch.outcome.exited.status"), Some(&Any::IntValue(3)));
    assert_eq!(value(attributes, "keepwatch.took_seconds"), Some(&Any::DoubleValue(1.5)));
    assert_eq!(span.start_time_unix_nano, 98_500_000_000);
}

#[test]
fn a_log_record_is_the_line_with_its_level_and_trace() {
    let fact = DaemonFact::DaemonStopping { reason: "SIGTERM".into() };
    let told = told(fact, None);
    let place = Place { trace: told.trace, span: Some(told.span) };
    let record = log(&told.event, described(&told.event), place, Timestamp::from_second(101).unwrap());
    assert_eq!(record.body.unwrap().value, Some(Any::StringValue("Stopping (SIGTERM)".into())));
    assert_eq!((record.severity_number, &*record.severity_text), (9, "INFO"));
    assert_eq!((record.trace_id, record.span_id), (vec![1; 16], vec![2; 8]));
    assert_eq!(record.event_name, "keepwatch.daemon_stopping");
    assert_eq!((record.time_unix_nano, record.observed_time_unix_nano), (100 * SECOND, 101 * SECOND));
}

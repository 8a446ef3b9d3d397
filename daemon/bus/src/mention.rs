//! Whom an event names: for whoever looks for the events of one subject. In: an event. Out: every name in it, each in the
//! forms that people write: an address with and without its prefix or port, a tracked thing with and without its kind.
//!
//! It goes by the JSON form of the fact, so that a fact needs to say nothing for itself. What a fact carries of the
//! configuration (`settings`) names much that the event is not about, and is left out.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde_json::{Map, Value};

use crate::event::Event;

impl Event {
    /// Every name that stands in it.
    pub fn mentions(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        if let Ok(Value::Object(mut fact)) = serde_json::to_value(&self.fact) {
            fact.remove("kind");
            object(&fact, &mut names);
        }
        names
    }
}

/// Every name that stands in a part of a fact, in its JSON form.
pub fn names(part: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    value(part, &mut names);
    names
}

fn value(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            if let Ok(socket) = text.parse::<SocketAddr>() {
                names.insert(socket.ip().to_string());
            }
            names.insert(text.clone());
        }
        Value::Array(all) => all.iter().for_each(|one| self::value(one, names)),
        Value::Object(fields) => object(fields, names),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn object(fields: &Map<String, Value>, names: &mut BTreeSet<String>) {
    let text = |field: &str| fields.get(field).and_then(Value::as_str);
    let number = |field: &str| fields.get(field).and_then(Value::as_u64);
    if let (Some(address), Some(prefix)) = (text("address"), number("prefix")) {
        names.insert(format!("{address}/{prefix}"));
    }
    if let (Some(address), Some(port), Some(protocol)) = (text("address"), number("port"), text("protocol")) {
        let protocol = protocol.to_lowercase();
        names.insert(format!("[{address}]:{protocol}:{port}"));
        names.insert(match address.contains(':') {
            true => format!("[{address}]:{port}"),
            false => format!("{address}:{port}"),
        });
    }
    if let Some(mark) = number("fwmark") {
        names.extend([format!("FWM {mark}"), format!("fwmark {mark}")]);
    }
    if let Some(vrid) = number("vrid") {
        names.insert(format!("VRID {vrid}"));
    }
    for (field, inner) in fields {
        match field.as_str() {
            "settings" | "evidence" => {}
            // `INSTANCE VI_1 MASTER`.
            "about" => {
                names.extend(inner.as_str().into_iter().flat_map(str::split_whitespace).map(Into::into))
            }
            _ => value(inner, names),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::fact::{ConsumerFact, Fact, ScriptOutcome, VrrpFact};
    use crate::sample;
    use crate::subject::VirtualAddress;
    use crate::{Event, EventId};

    fn mentions(fact: impl Into<Fact>) -> Vec<String> {
        let at = jiff::Timestamp::UNIX_EPOCH;
        let event = Event { id: EventId(1), at, mono: 0, cause: None, fact: fact.into() };
        event.mentions().into_iter().collect()
    }

    #[test]
    fn an_event_names_its_subjects_in_every_form() {
        let interface = "eth0".into();
        let address = VirtualAddress { address: [10, 0, 0, 9].into(), prefix: 24, interface };
        let instance = "VI_1".into();
        let removed = mentions(VrrpFact::AddressRemoved { instance, address });
        assert_eq!(removed, ["10.0.0.9", "10.0.0.9/24", "VI_1", "eth0"]);

        let real = sample::real_key(([10, 0, 0, 1], 80), ([10, 0, 1, 1], 8080));
        let down = mentions(crate::fact::ServiceFact::RealServerDown { real });
        for name in ["[10.0.0.1]:tcp:80", "10.0.0.1:80", "10.0.1.1:8080", "10.0.1.1"] {
            assert!(down.iter().any(|known| known == name), "{name}: {down:?}");
        }

        let ran = mentions(ConsumerFact::ScriptExited {
            script: "/bin/x y".into(),
            about: "INSTANCE VI_1 MASTER".into(),
            outcome: ScriptOutcome::TimedOut,
            took: std::time::Duration::ZERO,
            output: String::new(),
        });
        assert!(
            ran.iter().any(|name| name == "VI_1") && ran.iter().any(|name| name == "/bin/x y"),
            "{ran:?}"
        );
    }
}

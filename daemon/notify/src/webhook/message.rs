//! An event with what led to it, in JSON. Pure.

use std::sync::Arc;

use keepwatch_bus::{Event, EventId, History};
use keepwatch_model::Name;
use serde_json::{Map, Value, json};

use super::settings::Sender;

/// Of a chain that is longer, its beginning and its end are told.
const LONGEST: usize = 32;

/// An event that waits to be posted, with what led to it. It is written only when it goes: of a flood most never do.
#[derive(Clone, Debug)]
pub struct Draft {
    event: Arc<Event>,
    chain: Vec<Arc<Event>>,
    group: Option<Name>,
}

impl Draft {
    /// Of an event; `history` says what led to it, `group` which virtual server group it is about.
    pub fn new(event: &Arc<Event>, group: Option<&Name>, history: &History) -> Self {
        let mut chain = history.chain(event.id);
        if chain.len() > LONGEST {
            chain.drain(LONGEST / 2..chain.len() - LONGEST / 2);
        }
        Self { event: event.clone(), chain, group: group.cloned() }
    }

    /// The event's number.
    pub fn id(&self) -> EventId {
        self.event.id
    }

    /// `{"host", "router_id", "event": {…}, "chain": [{…}, …]}`: the chain has the root first and the event itself last.
    /// With `"virtual_server_group"` where what it says of one entry holds for all of a group.
    pub fn written(&self, sender: &Sender) -> Value {
        let mut message = self.message(sender);
        if let Some(group) = &self.group {
            message["virtual_server_group"] = (**group).into();
        }
        message
    }

    fn message(&self, sender: &Sender) -> Value {
        let chain: Vec<Value> = self.chain.iter().map(|event| described(event)).collect();
        json!({
            "host": sender.host,
            "router_id": sender.router_id,
            "event": described(&self.event),
            "chain": chain,
        })
    }
}

/// An event as `/api/v1/events` has it: number, times, kind, data, and its line in the log.
fn described(event: &Event) -> Value {
    let mut object = Map::new();
    object.insert("id".into(), event.id.0.into());
    object.insert("at".into(), event.at.to_string().into());
    object.insert("cause".into(), event.cause.map(|cause| cause.0).into());
    object.insert("kind".into(), event.fact.kind().into());
    if let Some(line) = event.line() {
        object.insert("level".into(), <&str>::from(line.level).into());
        object.insert("text".into(), line.text.into());
    }
    for (name, value) in event.fact.data() {
        object.entry(name).or_insert(value);
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use keepwatch_bus::fact::DaemonFact;
    use keepwatch_bus::sample;

    use super::*;

    #[test]
    fn an_event_comes_with_its_chain() {
        let stopping = || DaemonFact::DaemonStopping { reason: "SIGTERM".into() };
        let mut history = History::new(100);
        for id in 1..=100 {
            let cause = (id > 1).then(|| EventId(id - 1));
            history.push(Arc::new(sample::event(id, cause, stopping())));
        }
        let event = history.get(EventId(100)).cloned().unwrap();
        let sender = Sender { host: "director".into(), router_id: "r1".into() };
        let message = Draft::new(&event, None, &history).written(&sender);
        assert_eq!(message["event"]["id"], 100);
        assert_eq!(message["event"]["cause"], 99);
        assert_eq!(message["event"]["text"], "Stopping (SIGTERM)");
        assert_eq!(message["event"]["reason"], "SIGTERM");
        assert_eq!((&message["host"], &message["router_id"]), (&"director".into(), &"r1".into()));
        let chain = message["chain"].as_array().unwrap();
        assert_eq!((chain.len(), &chain[0]["id"], &chain[31]["id"]), (32, &1.into(), &100.into()));
    }
}

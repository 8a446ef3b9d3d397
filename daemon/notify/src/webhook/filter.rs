//! Which events a receiver wants. Pure.

use std::net::{IpAddr, SocketAddr};

use keepwatch_bus::line::{Level, Subsystem};
use keepwatch_bus::{Event, Fact, mention};
use keepwatch_model::{Name, Webhook};
use serde_json::Value;

/// The fields of facts that say whom they are about.
const ABOUT: &[&str] = &[
    "instance",
    "group",
    "interface",
    "service",
    "real",
    "tracker",
    "script",
    "session",
    "fifo",
    "consumer",
    "address",
    "part",
];

/// What one receiver wants.
#[derive(Clone, Debug)]
pub struct Filter {
    kinds: Vec<Box<str>>,
    subsystems: Vec<Subsystem>,
    subjects: Vec<Box<str>>,
    /// What is about its own troubles is no news to it.
    own: String,
}

impl Filter {
    /// By the words of the configuration.
    ///
    /// # Errors
    /// When a kind is none.
    pub fn new(webhook: &Webhook) -> Result<Self, String> {
        let (mut kinds, mut subsystems) = (Vec::new(), Vec::new());
        for word in &webhook.kinds {
            if let Ok(subsystem) = word.parse::<Subsystem>() {
                subsystems.push(subsystem);
            } else if Fact::kinds().any(|kind| *kind == **word) {
                kinds.push(word.clone());
            } else {
                return Err(format!(
                    "`kinds`: `{word}` is neither a kind of event (as `keepwatch events --json` names them) nor a \
                     subsystem of the log"
                ));
            }
        }
        let subjects = webhook.subjects.iter().map(|subject| canonical(subject)).collect();
        let own = format!("webhook {}", webhook.name);
        Ok(Self { kinds, subsystems, subjects, own })
    }

    /// Whether an event is wanted. What only describes the configuration is not. `group` is the virtual server group that
    /// it is about.
    pub fn wants(&self, event: &Event, group: Option<&Name>) -> bool {
        let any = self.kinds.is_empty() && self.subsystems.is_empty();
        let chosen = || {
            self.subsystems.contains(&event.fact.subsystem())
                || self.kinds.iter().any(|kind| **kind == *event.fact.kind())
        };
        // The line last: it has to be written for that.
        (any || chosen())
            && self.is_about(event, group)
            && event.line().is_some_and(|line| !any || line.level >= Level::Info)
    }

    /// Whether an event names its virtual server by an address or mark that is among the subjects.
    pub fn asks_for_its_service(&self, event: &Event) -> bool {
        !self.subjects.is_empty()
            && event.fact.data().get("service").is_some_and(|service| self.names(service))
    }

    /// Whether it is about somebody who matters.
    pub fn is_about(&self, event: &Event, group: Option<&Name>) -> bool {
        if self.subjects.is_empty() && event.fact.subsystem() != Subsystem::Notify {
            return true;
        }
        let data = event.fact.data();
        if data.get("consumer").and_then(Value::as_str) == Some(&self.own) {
            return false;
        }
        self.subjects.is_empty()
            || group.is_some_and(|group| self.subjects.iter().any(|subject| **subject == **group))
            || ABOUT.iter().filter_map(|name| data.get(*name)).any(|value| self.names(value))
    }

    /// Whether a value is, or has in it, one of the names, in any of the forms that people write.
    fn names(&self, value: &Value) -> bool {
        let names = mention::names(value);
        self.subjects.iter().any(|subject| names.contains(&**subject))
    }
}

/// A name as events write it: of an address there are several forms.
fn canonical(subject: &str) -> Box<str> {
    let bare = subject.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(subject);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return address.to_string().into();
    }
    if let Ok(socket) = subject.parse::<SocketAddr>() {
        return socket.to_string().into();
    }
    match subject
        .split_once('/')
        .and_then(|(address, prefix)| Some((address.parse::<IpAddr>().ok()?, prefix)))
    {
        Some((address, prefix)) => format!("{address}/{prefix}").into(),
        None => subject.into(),
    }
}

#[cfg(test)]
mod tests {
    use keepwatch_bus::fact::{ConsumerFact, ServiceFact, VrrpFact};
    use keepwatch_bus::sample;
    use keepwatch_bus::subject::{Family, Protocol, ServiceKey, VrrpState};

    use super::*;

    fn filter(kinds: &[&str], subjects: &[&str]) -> Filter {
        let words = |words: &[&str]| words.iter().map(|word| (*word).into()).collect();
        let webhook =
            Webhook { kinds: words(kinds), subjects: words(subjects), ..Webhook::new("pager".into()) };
        Filter::new(&webhook).unwrap()
    }

    fn state() -> Event {
        let fact = VrrpFact::StateChanged {
            instance: "VI_1".into(),
            from: VrrpState::Backup,
            to: VrrpState::Master,
            priority: 100,
        };
        sample::event(1, None, fact)
    }

    fn down() -> Event {
        let real = sample::real_key(([10, 0, 0, 1], 80), ([10, 0, 1, 1], 8080));
        sample::event(2, None, ServiceFact::RealServerDown { real })
    }

    #[test]
    fn kinds_and_subsystems_choose() {
        assert!(filter(&[], &[]).wants(&state(), None));
        assert!(filter(&["vrrp"], &[]).wants(&state(), None));
        assert!(filter(&["state_changed"], &[]).wants(&state(), None));
        assert!(!filter(&["real_server_down", "check"], &[]).wants(&state(), None));
        let unknown = Webhook { kinds: vec!["state_change".into()], ..Webhook::new("x".into()) };
        assert!(Filter::new(&unknown).unwrap_err().contains("state_change"));
    }

    #[test]
    fn subjects_choose() {
        assert!(filter(&[], &["VI_1"]).wants(&state(), None));
        assert!(!filter(&[], &["VI_2", "VI"]).wants(&state(), None));
        for subject in ["10.0.0.1", "10.0.1.1", "10.0.1.1:8080"] {
            assert!(filter(&[], &[subject]).is_about(&down(), None), "{subject}");
        }
        assert!(!filter(&[], &["10.0.1.10"]).is_about(&down(), None));
    }

    /// As `docs/keepwatchd.md` has it.
    #[test]
    fn a_virtual_server_is_named_by_address_and_port() {
        let docs = filter(&["vrrp", "real_server_removed", "quorum_lost"], &["VI_1", "10.0.0.1:80"]);
        assert!(docs.wants(&state(), None));
        let lost = |address: IpAddr, port| {
            let service = ServiceKey::Address { address, port, protocol: Protocol::Tcp };
            sample::event(4, None, ServiceFact::QuorumLost { service, quorum: 1, hysteresis: 0, weight: 0 })
        };
        assert!(docs.wants(&lost([10, 0, 0, 1].into(), 80), None));
        assert!(!docs.wants(&lost([10, 0, 0, 1].into(), 8080), None));
        assert!(!docs.wants(&lost([10, 0, 0, 10].into(), 80), None));
        let six = lost("2001:db8::1".parse().unwrap(), 80);
        for subject in
            ["2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80", "[2001:DB8:0::1]:80", "[2001:db8::1]:tcp:80"]
        {
            assert!(filter(&[], &[subject]).is_about(&six, None), "{subject}");
        }
        for subject in ["2001", "2001:db8::", "[2001:db8::1]:81", "80"] {
            assert!(!filter(&[], &[subject]).is_about(&six, None), "{subject}");
        }
        let service = ServiceKey::Fwmark { fwmark: 7, family: Family::Inet };
        let marked = ServiceFact::QuorumLost { service, quorum: 1, hysteresis: 0, weight: 0 };
        let marked = sample::event(5, None, marked);
        assert!(
            filter(&[], &["FWM 7"]).is_about(&marked, None)
                && filter(&[], &["fwmark 7"]).is_about(&marked, None)
        );
        assert!(!filter(&[], &["fwmark 70"]).is_about(&marked, None));
    }

    #[test]
    fn its_own_troubles_are_no_news() {
        let trouble = |name: &str| {
            let fact =
                ConsumerFact::DeliveryInterrupted { consumer: name.into(), error: "x".into(), waiting: 1 };
            sample::event(3, None, fact)
        };
        assert!(!filter(&[], &[]).wants(&trouble("webhook pager"), None));
        assert!(filter(&[], &[]).wants(&trouble("webhook other"), None));
    }
}

//! Webhooks: events, or alerts made of them, are posted to whoever wants to know. In: every event, from a queue
//! of the bus. Out: POST requests, each receiver with a queue and retries of its own ([`keepwatch_deliver::Courier`]), so
//! that one which is dead delays nobody.
//!
//! | module | what |
//! |---|---|
//! | [`filter`] | which events a receiver wants; pure |
//! | [`message`] | an event with what led to it, in JSON; pure |
//! | [`alerts`] | what begins and ends, as Alertmanager takes it; pure |
//! | `gone` | which alerts have outlived their trouble; pure |

pub mod alerts;
pub mod filter;
mod gone;
pub mod message;
mod settings;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{join_all, select_all};
use jiff::Timestamp;
use keepwatch_bus::fact::ConsumerFact;
use keepwatch_bus::subject::Name;
use keepwatch_bus::{Deliveries, Event, Reader, WeakBus};
use keepwatch_deliver::http::{Answer, Client, TYPE};
use keepwatch_deliver::{Batch, Carrier, Courier, Patience, Verdict, made_aside};
use keepwatch_model::{Webhook, WebhookForm};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use alerts::Alerts;
use filter::Filter;
use message::Draft;
pub use settings::WebhookSettings;

use crate::entries::{Entries, Place};

/// How long what waits is still tried when the daemon ends.
const FAREWELL: Duration = Duration::from_millis(700);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Alerts that travel together.
const ALERTS: usize = 64;
/// How often alerts that last are said again: Alertmanager forgets those of which it hears nothing for five minutes.
const AGAIN: Duration = Duration::from_secs(60);

/// Posts what `events` (a queue from `Hub::deliver`) says to the receivers of `settings`, which may change at any time,
/// until the queue ends. `reader` tells why things happened; what becomes of messages is counted, and told on `bus`, which
/// is not kept alive.
pub async fn run(
    mut events: Deliveries,
    mut settings: watch::Receiver<Option<WebhookSettings>>,
    reader: Reader,
    bus: WeakBus,
) {
    let mut hooks: Vec<Hook> = Vec::new();
    let mut entries = Entries::default();
    let mut again = Instant::now() + AGAIN;
    loop {
        let changed = tokio::select! {
            // A change first: what happens after it is posted by it. Events last: there may be no end of them.
            biased;
            Ok(()) = settings.changed() => true,
            () = step(&mut hooks) => false,
            () = sleep_until(again) => {
                again = Instant::now() + AGAIN;
                hooks.iter_mut().for_each(|hook| hook.say_again(&reader));
                false
            }
            event = events.recv() => {
                let Some(event) = event else { break };
                entries.note(&event.fact);
                let place = entries.place(&event.fact);
                hooks.iter_mut().for_each(|hook| hook.note(&event, place, &reader));
                false
            }
        };
        if changed {
            let wanted = settings.borrow_and_update().clone();
            hooks = change(hooks, wanted, &reader, &bus).await;
        }
        hooks.iter_mut().for_each(Hook::go_on);
    }
    join_all(hooks.into_iter().map(|hook| hook.courier.finish())).await;
}

/// The next thing of any of them.
async fn step(hooks: &mut [Hook]) {
    if hooks.is_empty() {
        return std::future::pending().await;
    }
    select_all(hooks.iter_mut().map(|hook| {
        let step: Pin<Box<dyn Future<Output = ()> + Send + '_>> = Box::pin(hook.courier.step());
        step
    }))
    .await;
}

/// Those that stay as they are keep what waits; others begin anew, but of the same name go on with the alerts that last.
async fn change(
    old: Vec<Hook>,
    wanted: Option<WebhookSettings>,
    reader: &Reader,
    bus: &WeakBus,
) -> Vec<Hook> {
    let about = wanted.unwrap_or_default();
    let mut left: Vec<Option<Hook>> = old.into_iter().map(Some).collect();
    let mut hooks = Vec::new();
    for webhook in &about.webhooks {
        let same = |hook: &&mut Option<Hook>| {
            hook.as_ref().is_some_and(|hook| hook.webhook == *webhook && hook.about == about.sender)
        };
        let kept = left.iter_mut().find(same).and_then(Option::take);
        match kept {
            Some(hook) => hooks.push(hook),
            None => hooks.extend(Hook::start(webhook.clone(), &about, reader, bus).await),
        }
    }
    for hook in left.into_iter().flatten() {
        let heir = hooks.iter_mut().find(|heir| heir.webhook.name == hook.webhook.name);
        if let Some(heir) = heir {
            heir.inherit(hook.alerts);
        }
        hook.courier.dismiss();
    }
    tell_works(&about, &hooks, reader, bus);
    hooks
}

/// Of those that had failed: which work now, or are not wanted any more.
fn tell_works(wanted: &WebhookSettings, hooks: &[Hook], reader: &Reader, bus: &WeakBus) {
    let fails = |name: &str| {
        wanted.webhooks.iter().any(|webhook| *webhook.name == *name)
            && !hooks.iter().any(|hook| *hook.webhook.name == *name)
    };
    let works = |consumer: &&Name| consumer.strip_prefix("webhook ").is_some_and(|name| !fails(name));
    let over: Vec<Name> = reader.world().failed_consumers.keys().filter(works).cloned().collect();
    for consumer in over {
        bus.publish(None, ConsumerFact::ConsumerWorks { consumer });
    }
}

/// One receiver.
struct Hook {
    webhook: Webhook,
    about: settings::Sender,
    filter: Filter,
    alerts: Alerts,
    /// Alerts that are still to be said again.
    again: VecDeque<alerts::Key>,
    courier: Courier<Post>,
}

impl Hook {
    async fn start(
        webhook: Webhook,
        about: &WebhookSettings,
        reader: &Reader,
        bus: &WeakBus,
    ) -> Option<Self> {
        let name: Name = format!("webhook {}", webhook.name).into();
        let failed = |error: String| {
            bus.publish(None, ConsumerFact::ConsumerFailed { consumer: name.clone(), error });
        };
        let filter = match Filter::new(&webhook) {
            Ok(filter) => filter,
            Err(error) => {
                failed(error);
                return None;
            }
        };
        let (http, form) = (settings::http(&webhook), webhook.form);
        let client = match made_aside(move || Client::new(&http)).await {
            Ok(client) => client,
            Err(error) => {
                failed(error);
                return None;
            }
        };
        let size = if form == WebhookForm::Alertmanager { ALERTS } else { 1 };
        let batch = Batch { size, linger: Duration::ZERO };
        let patience = Patience {
            capacity: usize::try_from(webhook.queue).unwrap_or(usize::MAX),
            longest_pause: LONGEST_PAUSE,
            farewell: FAREWELL,
            ..Patience::default()
        };
        let about = about.sender.clone();
        let post = Post { client, about: about.clone(), form };
        let courier = Courier::new(name, post, batch, patience, reader.counters(), bus.clone());
        Some(Self { filter, alerts: Alerts::default(), again: VecDeque::new(), courier, webhook, about })
    }

    fn note(&mut self, event: &Arc<Event>, place: Place<'_>, reader: &Reader) {
        // Who asks for one of the entries of a group hears of that one.
        if place.repeats && !self.filter.asks_for_its_service(event) {
            return;
        }
        match self.webhook.form {
            WebhookForm::Event => {
                if self.filter.wants(event, place.group) {
                    self.courier.offer(Message::Event(Draft::new(event, place.group, &reader.history())));
                }
            }
            WebhookForm::Alertmanager => {
                let filter = &self.filter;
                let matters = |event: &Event| filter.is_about(event, place.group);
                let alerts = self.alerts.note(event, matters, place.group, &self.about);
                self.offer(alerts);
            }
        }
    }

    fn offer(&mut self, alerts: Vec<Value>) {
        for alert in alerts {
            self.courier.offer(Message::Alert(alert.to_string()));
        }
    }

    /// Goes on with the alerts of the one before: the trouble lasts, whatever else is otherwise.
    fn inherit(&mut self, alerts: Alerts) {
        if self.webhook.form != WebhookForm::Alertmanager {
            return;
        }
        self.alerts = alerts;
        let filter = &self.filter;
        let ended = self.alerts.end_others(|event, group| filter.is_about(event, group), Timestamp::now());
        self.offer(ended);
        // It may be another receiver.
        self.again = self.alerts.keys().cloned().collect();
    }

    /// Alerts that last are to be said again, as [`Hook::go_on`] does it. Those whose trouble is over end.
    fn say_again(&mut self, reader: &Reader) {
        let ended = self.alerts.end_gone(&reader.world(), Timestamp::now());
        self.offer(ended);
        if self.again.is_empty() {
            self.again = self.alerts.keys().cloned().collect();
        }
    }

    /// Says the next of the alerts that are to be said again, as many as travel together, when the receiver has taken what
    /// came before: what is new waits behind a few of them only, and none is lost for another.
    fn go_on(&mut self) {
        while self.courier.is_idle() && !self.again.is_empty() {
            let count = self.courier.room().min(ALERTS).min(self.again.len());
            for key in self.again.drain(..count) {
                if let Some(alert) = self.alerts.get(&key) {
                    self.courier.offer(Message::Alert(alert.to_string()));
                }
            }
        }
    }
}

/// One message.
enum Message {
    Event(Draft),
    /// In JSON.
    Alert(String),
}

/// Posts messages.
struct Post {
    client: Client,
    about: settings::Sender,
    form: WebhookForm,
}

impl Carrier for Post {
    type Parcel = Message;

    async fn carry(&self, batch: &[Message]) -> Verdict {
        let texts: Vec<String> = batch
            .iter()
            .map(|message| match message {
                Message::Event(draft) => draft.written(&self.about).to_string(),
                Message::Alert(text) => text.clone(),
            })
            .collect();
        let body = match self.form {
            WebhookForm::Event => texts.concat(),
            WebhookForm::Alertmanager => format!("[{}]", texts.join(",")),
        };
        // So that a receiver which got it twice can tell.
        let number = batch.first().and_then(|message| match message {
            Message::Event(draft) => Some(draft.id().0.to_string()),
            Message::Alert(_) => None,
        });
        let mut headers = vec![(TYPE, "application/json")];
        if let Some(number) = &number {
            headers.push(("x-keepwatch-event", number));
        }
        match self.client.post(&headers, body.into_bytes()).await {
            Answer::Taken(_) => Verdict::taken(),
            // Too late, too early, too many, and whatever is the receiver's own fault: it may be mended.
            Answer::Status { status: 408 | 425 | 429 | 500..=599, text, again } => {
                Verdict::NotNow { error: text, again }
            }
            Answer::Status { text, .. } => Verdict::Never(text),
            Answer::Nothing(error) => Verdict::NotNow { error, again: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use keepwatch_bus::fact::ServiceFact;
    use keepwatch_bus::{Bus, BusSettings, Hub, sample};

    use super::*;

    fn wanted(change: impl Fn(&mut Webhook)) -> Option<WebhookSettings> {
        let url = "http://127.0.0.1:9".into();
        let mut webhook = Webhook { url, form: WebhookForm::Alertmanager, ..Webhook::new("am".into()) };
        change(&mut webhook);
        Some(WebhookSettings { webhooks: vec![webhook], ..WebhookSettings::default() })
    }

    fn house() -> (Bus, Reader) {
        let (bus, hub) = Hub::new(BusSettings::default()).unwrap();
        let reader = hub.reader();
        tokio::spawn(hub.run());
        (bus, reader)
    }

    #[tokio::test]
    async fn alerts_outlive_a_reload_and_are_said_again_as_far_as_there_is_room() {
        let (bus, reader) = house();
        let weak = bus.downgrade();
        let begin = wanted(|webhook| webhook.queue = 10);
        let mut hooks = change(Vec::new(), begin, &reader, &weak).await;
        for port in 1..=200 {
            let real = sample::real_key(([10, 0, 0, 1], 80), ([10, 0, 1, 1], port));
            let down = sample::event(port.into(), None, ServiceFact::RealServerDown { real });
            hooks[0].note(&Arc::new(down), Place::default(), &reader);
        }
        let other = wanted(|webhook| (webhook.queue, webhook.timeout) = (10, Duration::from_secs(1)));
        let mut hooks = change(hooks, other, &reader, &weak).await;
        let lost = || reader.counters().deliveries.get(&"webhook am".into()).unwrap().lost.get();
        let before = lost();
        assert_eq!((hooks[0].alerts.keys().count(), hooks[0].again.len()), (200, 200));
        hooks[0].go_on();
        hooks[0].go_on();
        assert_eq!((hooks[0].courier.room(), hooks[0].again.len(), lost()), (0, 190, before));
        // Those that it has nothing to do with any more end.
        let narrow = wanted(|webhook| webhook.subjects = vec!["10.0.1.1:7".into()]);
        let hooks = change(hooks, narrow, &reader, &weak).await;
        assert_eq!(hooks[0].alerts.keys().count(), 1);
    }

    #[tokio::test]
    async fn one_that_works_again_or_is_not_wanted_is_no_trouble_any_more() {
        let (bus, reader) = house();
        let weak = bus.downgrade();
        let broken = || wanted(|webhook| webhook.kinds = vec!["typo".into()]);
        let fails = async |fails: bool| {
            let told = async {
                while reader.world().failed_consumers.is_empty() == fails {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(10), told).await.unwrap();
        };
        for mended in [wanted(|_| {}), None] {
            let hooks = change(Vec::new(), broken(), &reader, &weak).await;
            fails(true).await;
            change(hooks, mended, &reader, &weak).await;
            fails(false).await;
        }
    }
}

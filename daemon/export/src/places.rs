//! Places for clients. A listener has so many; whoever comes when all are taken gets the place of the client that has
//! been idle for longest. So nobody who only sits there, reads slowly or never ends a question keeps others out, and a
//! client that gets on with it is the last to go.
//!
//! Both listeners of the daemon use it: HTTP, and the control socket.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::task::{AbortHandle, JoinSet};

/// The places of one listener.
#[derive(Clone)]
pub struct Places(Arc<Inner>);

struct Inner {
    most: usize,
    began: Instant,
    next: AtomicU64,
    clients: Mutex<HashMap<u64, Client>>,
}

struct Client {
    activity: Arc<Activity>,
    conversation: AbortHandle,
}

struct Activity {
    /// Microseconds from the beginning to the last octet that went either way.
    last: AtomicU64,
    /// How many streams it gets that say something only when there is something to say.
    streams: AtomicUsize,
}

/// The place that one client has; it is free again when this is dropped.
#[derive(Clone)]
pub struct Place(Arc<Taken>);

struct Taken {
    id: u64,
    places: Places,
    activity: Arc<Activity>,
}

/// Says, while it lives, that a client waits for us and not we for it.
pub struct Streaming(Place);

impl Places {
    /// Places for `most` clients at a time, at least one.
    pub fn new(most: usize) -> Self {
        let clients = Mutex::default();
        Self(Arc::new(Inner { most: most.max(1), began: Instant::now(), next: AtomicU64::new(0), clients }))
    }

    /// Starts a conversation among `all`, which ends early if its place is needed for another client. Never waits.
    pub fn admit<F>(&self, all: &mut JoinSet<()>, conversation: impl FnOnce(Place) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let activity = Arc::new(Activity { last: AtomicU64::new(self.now()), streams: AtomicUsize::new(0) });
        let place = Place(Arc::new(Taken { id, places: self.clone(), activity: activity.clone() }));
        let held = place.clone();
        let conversation = conversation(place);
        let mut clients = self.clients();
        while clients.len() >= self.0.most
            && let Some(idle) = longest_idle(&clients)
        {
            if let Some(client) = clients.remove(&idle) {
                client.conversation.abort();
            }
        }
        // It ends only after this: it needs the same lock to give its place back.
        let conversation = all.spawn(async move {
            let _held = held;
            conversation.await;
        });
        clients.insert(id, Client { activity, conversation });
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<u64, Client>> {
        self.0.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// Who goes first: those that get a stream are silent because we are.
fn longest_idle(clients: &HashMap<u64, Client>) -> Option<u64> {
    let rank = |client: &Client| {
        let activity = &client.activity;
        (activity.streams.load(Ordering::Relaxed) > 0, activity.last.load(Ordering::Relaxed))
    };
    clients.iter().min_by_key(|(id, client)| (rank(client), **id)).map(|(id, _)| *id)
}

impl Place {
    /// The client sent or took something.
    pub(crate) fn touch(&self) {
        self.0.activity.last.store(self.0.places.now(), Ordering::Relaxed);
    }

    /// The client gets a stream from now on.
    pub fn stream(&self) -> Streaming {
        self.0.activity.streams.fetch_add(1, Ordering::Relaxed);
        Streaming(self.clone())
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        self.0.0.activity.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.places.clients().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use tokio::sync::mpsc;

    use super::*;

    /// Tells when it is dropped.
    struct Tell(usize, mpsc::UnboundedSender<usize>);

    impl Drop for Tell {
        fn drop(&mut self) {
            let _ = self.1.send(self.0);
        }
    }

    #[tokio::test]
    async fn the_longest_idle_goes_and_those_that_get_a_stream_go_last() {
        let (gone, mut told) = mpsc::unbounded_channel();
        let places = Places::new(3);
        let mut all = JoinSet::new();
        let mut held = Vec::new();
        let mut admit = |number| {
            let tell = Tell(number, gone.clone());
            let mut place = None;
            places.admit(&mut all, |given| {
                place = Some(given.0.activity.clone());
                let keep = given.clone();
                held.push(given.clone());
                async move {
                    let _both = (tell, keep);
                    pending().await
                }
            });
            std::thread::sleep(Duration::from_millis(1));
            held.last().cloned().unwrap()
        };
        let stream = admit(0).stream();
        let second = admit(1);
        let _third = admit(2);
        second.touch();
        admit(3);
        assert_eq!(told.recv().await, Some(2));
        admit(4);
        assert_eq!(told.recv().await, Some(1));
        drop(stream);
        admit(5);
        assert_eq!(told.recv().await, Some(0));
    }

    #[tokio::test]
    async fn a_client_that_ends_leaves_its_place() {
        let places = Places::new(2);
        let mut all = JoinSet::new();
        for _ in 0..5 {
            places.admit(&mut all, |_place| async {});
            while all.join_next().await.is_some() {}
            assert!(places.clients().is_empty());
        }
    }
}

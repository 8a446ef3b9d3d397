//! The thread that closes sockets. Closing a packet socket waits until every processor has done with it, and leaving a group
//! waits for whoever else changes something of interfaces: tens of milliseconds in which the thread "vrrp" would send no
//! advert. In: sockets that nobody listens to any more.

use std::sync::mpsc::{Sender, channel};

/// The thread, once it is needed; it ends when this is dropped.
pub(super) struct Closing<T>(Option<Sender<T>>);

impl<T> Default for Closing<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Send + 'static> Closing<T> {
    /// Closes a socket, soon. Without a thread it is closed here.
    pub(super) fn close(&mut self, socket: T) {
        if self.0.is_none() {
            let (sender, inbox) = channel();
            let started = std::thread::Builder::new()
                .name("vrrp-closing".into())
                .spawn(move || inbox.into_iter().for_each(drop));
            self.0 = started.is_ok().then_some(sender);
        }
        if let Some(sender) = &self.0 {
            // What can't be sent is dropped with the error.
            let _ = sender.send(socket);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread::{ThreadId, current};

    use super::*;

    struct Told(Sender<ThreadId>);

    impl Drop for Told {
        fn drop(&mut self) {
            let _ = self.0.send(current().id());
        }
    }

    #[test]
    fn what_is_closed_is_dropped_on_another_thread_and_always_on_the_same() {
        let (told, hears) = channel();
        let mut closing = Closing::default();
        closing.close(Told(told.clone()));
        closing.close(Told(told));
        let threads: Vec<ThreadId> = hears.into_iter().collect();
        assert_eq!(threads.len(), 2);
        assert!(threads[0] == threads[1] && threads[0] != current().id());
    }
}

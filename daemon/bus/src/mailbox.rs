//! An unbounded queue whose sender never waits: one push on a lock-free queue and, if the receiver may be asleep,
//! one write to an eventfd. The way out of the VRRP thread (facts) and the way into it (commands).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_queue::SegQueue;
use nix::sys::eventfd::{EfdFlags, EventFd};

struct Shared<T> {
    queue: SegQueue<T>,
    /// True between a sender's wake-up and the receiver's next look: later senders need not wake again.
    woken: AtomicBool,
    bell: EventFd,
    senders: AtomicU64,
}

/// The sending half; clone it freely.
pub struct Sender<T>(Arc<Shared<T>>);

/// A sender that does not keep the mailbox open.
pub struct WeakSender<T>(Arc<Shared<T>>);

/// The receiving half. Drive it either with [`Receiver::recv`] (tokio) or from an event loop of your own: wait
/// until [`AsFd`] is readable, call [`Receiver::rearm`], then [`Receiver::try_recv`] until it is empty.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    watch: Option<tokio::io::unix::AsyncFd<OwnedFd>>,
}

/// Makes a mailbox.
///
/// # Errors
/// When the kernel gives no eventfd (out of file descriptors).
pub fn mailbox<T: Send>() -> io::Result<(Sender<T>, Receiver<T>)> {
    let bell = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
    let (queue, woken, senders) = (SegQueue::new(), AtomicBool::new(false), AtomicU64::new(1));
    let shared = Arc::new(Shared { queue, woken, bell, senders });
    Ok((Sender(shared.clone()), Receiver { shared, watch: None }))
}

/// A descriptor of which a task can wait until it is readable; to be called on the runtime of that task.
///
/// # Errors
/// When the runtime can't watch it.
#[allow(unsafe_code)]
pub fn watch(descriptor: OwnedFd) -> io::Result<tokio::io::unix::AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor is open, owned by the `AsyncFd` from here on, and `OwnedFd` always names the same one.
    let watch = unsafe {
        tokio::io::unix::AsyncFd::register_with_interest(descriptor, tokio::io::Interest::READABLE)
    };
    watch.map_err(|e| e.into_parts().1)
}

impl<T> Sender<T> {
    /// Puts `item` in the queue and wakes the receiver. Never waits, never fails: if the receiver is gone the item
    /// is dropped with the queue.
    pub fn send(&self, item: T) {
        self.0.queue.push(item);
        self.wake();
    }

    /// A handle that does not keep the mailbox open.
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender(self.0.clone())
    }

    fn wake(&self) {
        if !self.0.woken.swap(true, Ordering::SeqCst) {
            // The eventfd is non-blocking; EAGAIN means that its counter is full, thus readable, thus awake.
            let _ = self.0.bell.write(1);
        }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.senders.fetch_add(1, Ordering::Relaxed);
        Self(self.0.clone())
    }
}

impl<T> WeakSender<T> {
    /// Items waiting.
    pub fn len(&self) -> usize {
        self.0.queue.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.0.queue.is_empty()
    }

    /// A sender; `None` once every other one is gone.
    pub fn upgrade(&self) -> Option<Sender<T>> {
        let more = |n| (n > 0).then_some(n + 1);
        self.0.senders.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Sender(self.0.clone()))
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if self.0.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.wake();
        }
    }
}

impl<T> Receiver<T> {
    /// Takes the oldest item, if there is one.
    pub fn try_recv(&self) -> Option<T> {
        self.shared.queue.pop()
    }

    /// Items waiting.
    pub fn len(&self) -> usize {
        self.shared.queue.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.shared.queue.is_empty()
    }

    /// Whether every sender is gone.
    pub fn is_closed(&self) -> bool {
        self.shared.senders.load(Ordering::Acquire) == 0
    }

    /// Lets the next `send` ring again. Call it after the descriptor became readable and *before* emptying the
    /// queue, else an item may lie unseen.
    pub fn rearm(&self) {
        let _ = self.shared.bell.read();
        self.shared.woken.store(false, Ordering::SeqCst);
    }

    /// Waits for the next item; `None` when the queue is empty and every sender is gone.
    ///
    /// # Errors
    /// When the eventfd can't be watched by the runtime.
    pub async fn recv(&mut self) -> io::Result<Option<T>> {
        loop {
            if let Some(item) = self.shared.queue.pop() {
                return Ok(Some(item));
            }
            if self.is_closed() {
                return Ok(self.shared.queue.pop());
            }
            let watch = match self.watch.take() {
                Some(watch) => watch,
                None => watch(self.shared.bell.as_fd().try_clone_to_owned()?)?,
            };
            let ready = watch.readable().await;
            ready?.clear_ready();
            self.watch = Some(watch);
            self.rearm();
        }
    }
}

impl<T> AsFd for Receiver<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.bell.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn items_arrive_in_order_and_the_end_is_seen() {
        let (tx, mut rx) = mailbox().unwrap();
        let sender = std::thread::spawn(move || (0..100_000u32).for_each(|i| tx.send(i)));
        let mut next = 0;
        while let Some(item) = rx.recv().await.unwrap() {
            assert_eq!(item, next);
            next += 1;
        }
        assert_eq!(next, 100_000);
        sender.join().unwrap();
    }

    #[tokio::test]
    async fn many_senders_lose_nothing() {
        let (tx, mut rx) = mailbox().unwrap();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let tx = tx.clone();
                std::thread::spawn(move || (0..20_000u32).for_each(|i| tx.send(i)))
            })
            .collect();
        drop(tx);
        let mut count = 0;
        while rx.recv().await.unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, 80_000);
        threads.into_iter().for_each(|t| t.join().unwrap());
    }
}

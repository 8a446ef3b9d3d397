//! An answer that is made at most so often, however many ask for it: clients that ask in a loop share one, and the world
//! is looked at no more often for them.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;

/// How long an answer counts as new.
const AGE: Duration = Duration::from_millis(100);

/// The last answer of one path, while it is new.
#[derive(Default)]
pub(crate) struct Fresh(Arc<Mutex<Option<(Instant, Bytes)>>>);

impl Fresh {
    /// The last answer if it is new, else what `make` makes, on a thread where it may take its time; `None` when that
    /// fails. Only one is made at a time.
    pub(crate) async fn get(&self, make: impl FnOnce() -> Option<Bytes> + Send + 'static) -> Option<Bytes> {
        self.get_in_turn(None, make).await
    }

    /// The same; one that has to be made waits for its turn among all that have the same `turns`.
    async fn get_in_turn(
        &self,
        turns: Option<&Turns>,
        make: impl FnOnce() -> Option<Bytes> + Send + 'static,
    ) -> Option<Bytes> {
        let mut last = self.0.clone().lock_owned().await;
        if let Some((at, answer)) = &*last
            && at.elapsed() < AGE
        {
            return Some(answer.clone());
        }
        // A client that hangs up ends our waiting, but not what has begun: that has the lock to its end, or whoever asks
        // and hangs up in a loop would have as many made at a time as he likes.
        let make = move || {
            let answer = make()?;
            *last = Some((Instant::now(), answer.clone()));
            Some(answer)
        };
        match turns {
            Some(turns) => turns.run(make).await?,
            None => tokio::task::spawn_blocking(make).await.ok()?,
        }
    }
}

/// Those who wait for each other: one at a time works, on a thread where it may take its time.
#[derive(Clone)]
pub(crate) struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Turns {
    /// What `make` makes when it is its turn; `None` when it panicked. What has begun keeps its turn to its end, even
    /// when nobody waits for it any more.
    pub(crate) async fn run<T: Send + 'static>(&self, make: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let turn = self.0.clone().acquire_owned().await.ok()?;
        let make = move || {
            let made = make();
            drop(turn);
            made
        };
        tokio::task::spawn_blocking(make).await.ok()
    }
}

/// Answers that are kept of one path with a query.
const QUERIES: usize = 64;

/// The same for a path that answers otherwise by its query: one [`Fresh`] a query, of the last ones asked for.
pub(crate) struct FreshOf<K>(Lock<HashMap<K, Arc<Fresh>>>);

impl<K> Default for FreshOf<K> {
    fn default() -> Self {
        Self(Lock::default())
    }
}

impl<K: Clone + Eq + Hash> FreshOf<K> {
    /// As [`Fresh::get`], of this query; one that has to be made waits for its turn, for there may be any number of
    /// queries.
    pub(crate) async fn get(
        &self,
        query: &K,
        turns: &Turns,
        make: impl FnOnce() -> Option<Bytes> + Send + 'static,
    ) -> Option<Bytes> {
        let fresh = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if all.len() >= QUERIES && !all.contains_key(query) {
                all.clear();
            }
            all.entry(query.clone()).or_default().clone()
        };
        fresh.get_in_turn(Some(turns), make).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn queries_do_not_share_an_answer_and_are_forgotten() {
        let (all, turns) = (FreshOf::default(), Turns::default());
        assert_eq!(all.get(&1, &turns, || Some("one".into())).await, Some("one".into()));
        assert_eq!(all.get(&2, &turns, || Some("two".into())).await, Some("two".into()));
        assert_eq!(all.get(&1, &turns, || None).await, Some("one".into()));
        for query in 0..1000 {
            all.get(&query, &turns, || Some("x".into())).await;
        }
        assert!(all.0.lock().unwrap().len() <= QUERIES);
    }

    #[tokio::test]
    async fn an_answer_is_made_again_only_when_it_is_old() {
        let fresh = Fresh::default();
        assert_eq!(fresh.get(|| Some("one".into())).await, Some("one".into()));
        assert_eq!(fresh.get(|| Some("two".into())).await, Some("one".into()));
        tokio::time::sleep(AGE).await;
        assert_eq!(fresh.get(|| Some("three".into())).await, Some("three".into()));
        tokio::time::sleep(AGE).await;
        assert_eq!(fresh.get(|| None).await, None);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_hangs_up_does_not_have_more_made_at_a_time() {
        let (fresh, all, turns) = (Fresh::default(), FreshOf::default(), Turns::default());
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let slow = || {
            let (now, most) = (now.clone(), most.clone());
            move || {
                most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                std::thread::sleep(Duration::from_millis(100));
                now.fetch_sub(1, SeqCst);
                Some("x".into())
            }
        };
        for _ in 0..3 {
            assert!(timeout(Duration::from_millis(20), fresh.get(slow())).await.is_err());
        }
        assert_eq!(fresh.get(slow()).await, Some("x".into()));
        for query in 0..3 {
            assert!(timeout(Duration::from_millis(20), all.get(&query, &turns, slow())).await.is_err());
        }
        assert_eq!(all.get(&4, &turns, slow()).await, Some("x".into()));
        assert_eq!(most.load(SeqCst), 1);
    }
}

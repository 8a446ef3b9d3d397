//! An answer that is made at most so often, however many ask for it: clients that ask in a loop share one, and the world
//! is looked at no more often for them.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long an answer counts as new.
const AGE: Duration = Duration::from_millis(100);

/// The last answer of one path, while it is new.
#[derive(Default)]
pub(crate) struct Fresh(Mutex<Option<(Instant, Bytes)>>);

impl Fresh {
    /// The last answer if it is new, else what `make` makes; `None` when that fails. Only one is made at a time.
    pub(crate) async fn get(&self, make: impl FnOnce() -> Option<Bytes>) -> Option<Bytes> {
        self.get_later(async || make()).await
    }

    /// The same for an answer that is made elsewhere, and waited for.
    pub(crate) async fn get_later(&self, make: impl AsyncFnOnce() -> Option<Bytes>) -> Option<Bytes> {
        let mut last = self.0.lock().await;
        if let Some((at, answer)) = &*last
            && at.elapsed() < AGE
        {
            return Some(answer.clone());
        }
        let answer = make().await?;
        *last = Some((Instant::now(), answer.clone()));
        Some(answer)
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
    /// As [`Fresh::get`], of this query.
    pub(crate) async fn get(&self, query: &K, make: impl FnOnce() -> Option<Bytes>) -> Option<Bytes> {
        let fresh = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if all.len() >= QUERIES && !all.contains_key(query) {
                all.clear();
            }
            all.entry(query.clone()).or_default().clone()
        };
        fresh.get(make).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn queries_do_not_share_an_answer_and_are_forgotten() {
        let all = FreshOf::default();
        assert_eq!(all.get(&1, || Some("one".into())).await, Some("one".into()));
        assert_eq!(all.get(&2, || Some("two".into())).await, Some("two".into()));
        assert_eq!(all.get(&1, || None).await, Some("one".into()));
        for query in 0..1000 {
            all.get(&query, || Some("x".into())).await;
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
}

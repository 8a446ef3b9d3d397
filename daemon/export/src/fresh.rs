//! An answer that is made at most so often, however many ask for it: clients that ask in a loop share one, and the world
//! is looked at no more often for them.

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

#[cfg(test)]
mod tests {
    use super::*;

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

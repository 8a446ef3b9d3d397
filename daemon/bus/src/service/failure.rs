//! Why a check failed: a class that can be counted, and the words for people. Both are made where the check is made.

use std::fmt;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize, Serializer};
use strum::{EnumIter, IntoEnumIterator, IntoStaticStr};

use crate::counters::Counter;

/// In what way a real server did not answer as it should; a label of metrics, so there are few.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    IntoStaticStr,
    EnumIter,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum FailureReason {
    /// It refused: a TCP reset in answer to our SYN, or ICMP port unreachable.
    Refused,
    /// No way to it: no route, no such host, the network is down.
    Unreachable,
    /// It did not do what it should in the time that it had.
    Timeout,
    /// It broke the connection, before or within its answer.
    Reset,
    /// It ended the connection in an orderly way before its answer was complete.
    Closed,
    /// The TLS handshake or the encrypted stream went wrong.
    Tls,
    /// What it sent is nothing that the protocol knows.
    Garbage,
    /// What it sent is larger than a check takes.
    TooLarge,
    /// An HTTP status, an SMTP reply or a DNS response code that is not among the right ones.
    Status,
    /// The page has another digest.
    Digest,
    /// The page does not hold what it should, or holds what it should not.
    Regex,
    /// An answer came, with other bytes than it should have.
    Mismatch,
    /// A script failed.
    Script,
    /// What it follows (a file, a BFD session) says that it is down.
    Followed,
    /// Anything else; also what an older version recorded without saying.
    #[default]
    Other,
}

impl FailureReason {
    /// How many there are.
    pub const COUNT: usize = Self::Other as usize + 1;

    /// Its name, as in JSON and in labels.
    pub fn label(self) -> &'static str {
        self.into()
    }

    /// Every reason.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::iter()
    }
}

/// Why a check failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// In what way.
    #[serde(default)]
    pub reason: FailureReason,
    /// In words: `connection refused`, `status 503 for /health`.
    pub error: Box<str>,
}

impl Failure {
    /// One of this kind, in these words: lower case, no full stop.
    pub fn new(reason: FailureReason, error: impl Into<Box<str>>) -> Self {
        Self { reason, error: error.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)
    }
}

/// How often a checker failed for each reason. Takes room only once it has failed.
#[derive(Debug, Default)]
pub struct FailureCounts(OnceLock<Box<[Counter; FailureReason::COUNT]>>);

impl FailureCounts {
    /// Counts one.
    pub fn inc(&self, reason: FailureReason) {
        self.0.get_or_init(Box::default)[reason as usize].inc();
    }

    /// The reasons that there were, with how often.
    pub fn iter(&self) -> impl Iterator<Item = (FailureReason, u64)> + '_ {
        let counts = self.0.get();
        FailureReason::all()
            .filter_map(move |reason| Some((reason, counts?.get(reason as usize)?.get())))
            .filter(|(_, count)| *count > 0)
    }
}

impl Serialize for FailureCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_counted_by_itself_under_its_name() {
        assert_eq!(FailureReason::all().count(), FailureReason::COUNT);
        let counts = FailureCounts::default();
        assert_eq!(counts.iter().count(), 0);
        for reason in [FailureReason::TooLarge, FailureReason::Refused, FailureReason::TooLarge] {
            counts.inc(reason);
        }
        assert_eq!(serde_json::to_string(&counts).unwrap_or_default(), r#"{"refused":1,"too_large":2}"#);
        assert_eq!(FailureReason::TooLarge.label(), "too_large");
    }
}

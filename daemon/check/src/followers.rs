//! Real servers that follow what somebody else watches: the number in a file (`FILE_CHECK`), a BFD session (`BFD_CHECK`).
//! Nothing is run for them.

use std::time::Duration;

use keepwatch_bus::fact::{Failure, FailureReason, ServiceFact};
use keepwatch_bus::subject::{CheckerKey, RealKey, TrackedKey};
use keepwatch_model::{Config, Followed, Level};

/// A real server that follows something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follower {
    /// Which one it is, as a checker.
    pub key: CheckerKey,
    /// What it follows, and what that means for it.
    pub followed: Followed,
}

/// What the real servers of a configuration follow. A virtual server that answers to nothing is left out.
#[must_use]
pub fn followers(config: &Config) -> Vec<Follower> {
    let mut followers = Vec::new();
    for (server, services) in config.services() {
        let Some(service) = services.first().copied() else { continue };
        for real in &server.real_servers {
            for (index, followed) in real.followed() {
                let real = RealKey { service, real: real.address };
                let key = CheckerKey::new(real, followed.keyword(), index);
                followers.push(Follower { key, followed });
            }
        }
    }
    followers
}

/// One that is at work.
#[derive(Debug)]
pub(crate) struct Following {
    follower: Follower,
    /// What was told of it: that it holds, or that it does not.
    told: Option<bool>,
}

impl Following {
    /// In the place of one of before that follows the same thing in the same way, as if nothing had happened; else anew.
    pub(crate) fn after(before: &[Self], follower: Follower) -> Self {
        let same = before.iter().find(|before| before.follower.followed == follower.followed);
        Self { told: same.and_then(|before| before.told), follower }
    }

    pub(crate) fn is_told(&self) -> bool {
        self.told.is_some()
    }

    pub(crate) fn followed(&self) -> &Followed {
        &self.follower.followed
    }

    pub(crate) fn tracked(&self) -> TrackedKey {
        self.follower.followed.tracked()
    }

    /// What there is to tell at this level, once.
    pub(crate) fn says(&mut self, level: Level) -> Option<ServiceFact> {
        let holds = self.follower.followed.at(level).is_some();
        if self.told.replace(holds) == Some(holds) {
            return None;
        }
        let (checker, took) = (self.follower.key.clone(), Duration::ZERO);
        if holds {
            return Some(ServiceFact::CheckSucceeded { checker, took });
        }
        let TrackedKey { name, kind } = self.tracked();
        let text = match level {
            Level::Number(number) => format!("the number in {name} is {number}"),
            level => format!("{kind} {name} is {level}"),
        };
        let failure = Failure::new(FailureReason::Followed, text);
        let (attempt, attempts, log_always) = (1, 1, false);
        Some(ServiceFact::CheckFailed { checker, failure, attempt, attempts, log_always, took })
    }
}

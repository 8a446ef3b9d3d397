//! One virtual router.

use std::sync::Arc;
use std::time::Instant;

use keepwatch_bus::subject::VrrpState;

use crate::link::LinkId;
use crate::node::{RouterId, Subscription};
use crate::spec::{RouterSpec, Transport};

/// One virtual router.
#[derive(Debug)]
pub struct Router {
    id: RouterId,
    spec: Arc<RouterSpec>,
    link: LinkId,
}

impl Router {
    /// Its number.
    pub fn id(&self) -> RouterId {
        self.id
    }

    /// Its definition.
    pub fn spec(&self) -> &Arc<RouterSpec> {
        &self.spec
    }

    /// The interface of its advertisements.
    pub fn link(&self) -> LinkId {
        self.link
    }

    /// Its state.
    pub fn state(&self) -> VrrpState {
        VrrpState::Init
    }

    /// When it wants to act next.
    pub fn deadline(&self) -> Option<Instant> {
        None
    }

    /// What it must be able to receive on.
    pub fn subscription(&self) -> Subscription {
        let group = match &self.spec.transport {
            Transport::Multicast { group } => Some(*group),
            Transport::Unicast { .. } => None,
        };
        Subscription { link: self.link, family: self.spec.family, group }
    }
}

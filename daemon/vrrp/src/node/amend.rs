//! One thing of a virtual router is changed while it runs, until the next reload.

use std::time::Instant;

use keepwatch_bus::subject::Name;
use keepwatch_bus::{Configured, EventId};
use keepwatch_model::{Instance, Priority};

use super::Node;
use crate::outbox::Outbox;
use crate::spec::{RouterDefinition, preemption};
use crate::step::Context;

/// What can be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amendment {
    /// Its base priority; what follows from what it tracks comes on top.
    Priority(Priority),
    /// Whether it overrules a master of lower priority.
    Preempt(bool),
}

impl Node {
    /// Changes one thing of a virtual router, if there is one of this name, as a reload with that change would.
    pub fn amend(
        &mut self,
        now: Instant,
        instance: &Name,
        amendment: Amendment,
        cause: Option<EventId>,
        out: &mut dyn Outbox,
    ) {
        self.step(now, cause, out, |node, cx| node.amended(cx, instance, amendment));
    }

    fn amended(&mut self, cx: &mut Context<'_>, instance: &Name, amendment: Amendment) {
        let Some(id) = self.by_name.get(instance).copied() else { return };
        let Some(router) = self.router(id) else { return };
        let mut model: Instance = (*router.settings.model).clone();
        let mut spec = (*router.spec).clone();
        match amendment {
            Amendment::Priority(priority) => (model.priority, spec.priority) = (priority, priority),
            Amendment::Preempt(preempt) => {
                model.nopreempt = !preempt;
                spec.preemption = preemption(&model);
            }
        }
        let settings = Configured::new(router.settings.position, model);
        let (counters, times) = (router.counters.clone(), router.times.clone());
        self.redefine(cx, id, RouterDefinition { spec, settings, counters, times });
        self.weigh(id);
        self.reconsider(cx, id);
    }
}

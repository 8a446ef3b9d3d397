//! The virtual routers as events tell of them, one after the other. The world may be further: what is signalled must be as
//! far as the queue of events, or a change would be signalled before its event comes, and once more when it does.

use std::collections::BTreeMap;

use keepwatch_bus::fact::VrrpFact;
use keepwatch_bus::subject::{Name, VrrpState};
use keepwatch_bus::{Configured, Fact};
use keepwatch_model::Instance;

/// What is known of one.
pub(crate) struct Router {
    pub(crate) settings: Configured<Instance>,
    pub(crate) state: VrrpState,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Routers(BTreeMap<Name, Router>);

impl Routers {
    /// Takes in the next event of the queue.
    pub(crate) fn take(&mut self, fact: &Fact) {
        let Fact::Vrrp(fact) = fact else { return };
        match fact {
            VrrpFact::InstanceConfigured { instance, settings } => {
                let state = self.0.get(instance).map_or(VrrpState::Init, |before| before.state);
                let router = Router { settings: settings.clone(), state };
                self.0.insert(instance.clone(), router);
            }
            VrrpFact::InstanceUnconfigured { instance } => {
                self.0.remove(instance);
            }
            VrrpFact::InstanceRenamed { instance, from } => {
                if let Some(router) = self.0.remove(from) {
                    self.0.insert(instance.clone(), router);
                }
            }
            VrrpFact::StateChanged { instance, to, .. } => {
                if let Some(router) = self.0.get_mut(instance) {
                    router.state = *to;
                }
            }
            _ => {}
        }
    }

    pub(crate) fn get(&self, name: &Name) -> Option<&Router> {
        self.0.get(name)
    }

    /// All, by their names.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Name, &Router)> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use keepwatch_model::VirtualRouterId;

    use super::*;

    #[test]
    fn a_virtual_router_is_what_the_last_event_made_it() {
        let mut routers = Routers::default();
        let configured = |name: &str, id| -> Fact {
            let settings = Instance::new(name.into(), "eth0".into(), VirtualRouterId(id));
            VrrpFact::InstanceConfigured { instance: name.into(), settings: Configured::new(1, settings) }
                .into()
        };
        let changed = |name: &str, to| -> Fact {
            let from = VrrpState::Init;
            VrrpFact::StateChanged { instance: name.into(), from, to, priority: 100 }.into()
        };
        let renamed = VrrpFact::InstanceRenamed { instance: "B".into(), from: "A".into() };
        let all = |routers: &Routers| -> Vec<(String, u8, VrrpState)> {
            routers.all().map(|(name, it)| (name.to_string(), it.settings.vrid.0, it.state)).collect()
        };
        routers.take(&configured("A", 1));
        assert_eq!(all(&routers), [("A".to_owned(), 1, VrrpState::Init)]);
        routers.take(&changed("A", VrrpState::Master));
        routers.take(&changed("unknown", VrrpState::Master));
        routers.take(&configured("A", 2));
        routers.take(&renamed.into());
        assert_eq!(all(&routers), [("B".to_owned(), 2, VrrpState::Master)]);
        routers.take(&VrrpFact::InstanceUnconfigured { instance: "B".into() }.into());
        assert_eq!(all(&routers), []);
    }
}

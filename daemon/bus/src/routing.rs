//! What the daemon puts into the kernel beside virtual addresses: routes and rules of virtual routers, and what is there
//! whatever they do (`static_ipaddress`, `static_routes`, `static_rules`).

use std::fmt::{self, Write};
use std::time::Duration;

use keepwatch_model as model;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

use crate::line::{Level, Written};
use crate::subject::Name;
use crate::world::{Change, World};

/// What happens to entries of the kernel's tables that the daemon keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum RoutingFact {
    /// An entry was put there.
    RoutingAdded {
        /// The virtual router whose it is; none if it is static.
        instance: Option<Name>,
        /// The entry.
        entry: RoutingEntry,
        /// It was there already, left by a run that ended badly.
        adopted: bool,
    },
    /// An entry was taken away, or is no longer wanted and was gone already.
    RoutingRemoved {
        /// The virtual router whose it was; none if it was static.
        instance: Option<Name>,
        /// The entry.
        entry: RoutingEntry,
        /// It is left there: another virtual router wants it too, or it is an address that the host has by itself.
        #[serde(default)]
        stays: bool,
    },
    /// An entry that somebody had removed was put back.
    RoutingRestored {
        /// The virtual router whose it is; none if it is static.
        instance: Option<Name>,
        /// The entry.
        entry: RoutingEntry,
        /// From when the kernel told of it until it was there again.
        after: Duration,
    },
    /// The kernel refused to add an entry, or to remove one. Published when that begins, not for each try.
    RoutingFailed {
        /// The virtual router whose it is; none if it is static.
        instance: Option<Name>,
        /// The entry.
        entry: RoutingEntry,
        /// True if it was to be added, false if removed.
        adding: bool,
        /// What the kernel said.
        error: String,
    },
    /// There is something that a program left behind which was killed, and that this one does not want. Published once, at
    /// the start, if there is any.
    LeftOver {
        /// Each, as the arguments of `ip` have it: `address 10.0.0.5/24 dev eth0`.
        what: Vec<String>,
    },
    /// Virtual addresses of this configuration were where it does not want them, left by a program that was killed: they were
    /// taken off, for with them this host would answer for a master elsewhere.
    StraysRemoved {
        /// Each, as the arguments of `ip` have it.
        what: Vec<String>,
    },
}

/// An entry of one of the kernel's tables, as the configuration has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoutingEntry {
    /// A route.
    Route(Box<model::Route>),
    /// A rule.
    Rule(Box<model::Rule>),
    /// A static address.
    Address(Box<model::InterfaceAddress>),
}

impl fmt::Display for RoutingEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Route(route) => write!(f, "route {route}"),
            Self::Rule(rule) => write!(f, "rule {rule}"),
            Self::Address(address) => {
                write!(f, "address {address}")?;
                match &address.link {
                    model::LinkTarget::Named(name) => write!(f, " dev {name}"),
                    model::LinkTarget::Instance => Ok(()),
                }
            }
        }
    }
}

/// An entry that the daemon keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoutingState {
    /// The virtual router whose it is; none if it is static.
    pub instance: Option<Name>,
    /// The entry.
    pub entry: RoutingEntry,
    /// Why it is not there, if it is not.
    pub error: Option<String>,
    /// How often it was put back.
    pub restored: u64,
    /// Last change.
    pub changed: Change,
}

/// Whose it is, and what it is in words.
pub type RoutingKey = (Option<Name>, String);

impl RoutingFact {
    /// What it does to the world.
    pub(crate) fn fold(&self, w: &mut World, changed: Change) {
        let (instance, entry, error, again) = match self {
            Self::RoutingAdded { instance, entry, .. } => (instance, entry, None, 0),
            Self::RoutingRestored { instance, entry, .. } => (instance, entry, None, 1),
            Self::RoutingFailed { instance, entry, adding: true, error } => (instance, entry, Some(error), 0),
            // What can't be removed is no longer wanted all the same, and not looked after.
            Self::RoutingFailed { instance, entry, adding: false, .. }
            | Self::RoutingRemoved { instance, entry, .. } => {
                w.routing.shift_remove(&(instance.clone(), entry.to_string()));
                return;
            }
            Self::LeftOver { .. } | Self::StraysRemoved { .. } => return,
        };
        let key = (instance.clone(), entry.to_string());
        let restored = w.routing.get(&key).map_or(0, |known| known.restored) + again;
        let (instance, entry, error) = (instance.clone(), entry.clone(), error.cloned());
        w.routing.insert(key, RoutingState { instance, entry, error, restored, changed });
    }

    /// Writes its line.
    pub(crate) fn line(&self, out: &mut String) -> Written {
        match self {
            Self::RoutingAdded { instance, entry, adopted } => {
                let how = if *adopted { "adopting" } else { "setting" };
                (Level::Detail, write!(out, "{}{how} {entry}", Owner(instance)))
            }
            Self::RoutingRemoved { instance, entry, stays: false } => {
                (Level::Detail, write!(out, "{}removing {entry}", Owner(instance)))
            }
            Self::RoutingRemoved { instance, entry, stays: true } => {
                (Level::Detail, write!(out, "{}no longer wants {entry}, which stays", Owner(instance)))
            }
            Self::RoutingRestored { instance, entry, after } => (
                Level::Warning,
                write!(
                    out,
                    "{}{entry} was removed by someone; put back after {}",
                    Owner(instance),
                    Short(*after)
                ),
            ),
            Self::LeftOver { what } => {
                let said = "Left behind, it seems, by a program that was killed; it stays, since whose it is can't be known";
                (Level::Warning, write!(out, "{said}: {}", some(what)))
            }
            Self::StraysRemoved { what } => (
                Level::Warning,
                write!(
                    out,
                    "Removed what a program that was killed left where it does not belong: {}",
                    some(what)
                ),
            ),
            Self::RoutingFailed { instance, entry, adding, error } => {
                let verb = if *adding { "add" } else { "remove" };
                (Level::Error, write!(out, "{}can't {verb} {entry}: {error}", Owner(instance)))
            }
        }
    }
}

/// The first of them, and how many there are more.
fn some(what: &[String]) -> String {
    const NAMED: usize = 8;
    let named = what.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match what.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

impl World {
    /// A virtual router is called otherwise from now on: its entries, and interfaces that were made for it, are known by its
    /// new name.
    pub(crate) fn rename_routing(&mut self, from: &Name, to: &Name) {
        self.made.values_mut().filter(|owner| *owner == from).for_each(|owner| *owner = to.clone());
        if !self.routing.values().any(|state| state.instance.as_ref() == Some(from)) {
            return;
        }
        let renamed =
            |(key, mut state): (RoutingKey, RoutingState)| match state.instance.as_ref() == Some(from) {
                true => {
                    state.instance = Some(to.clone());
                    ((Some(to.clone()), key.1), state)
                }
                false => (key, state),
            };
        self.routing = std::mem::take(&mut self.routing).into_iter().map(renamed).collect();
    }

    /// A virtual router is gone: none of its entries is wanted.
    pub(crate) fn forget_routing(&mut self, instance: &Name) {
        self.routing.retain(|_, state| state.instance.as_ref() != Some(instance));
    }
}

/// What a line begins with.
struct Owner<'a>(&'a Option<Name>);

impl fmt::Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(instance) => write!(f, "({instance}) "),
            None => f.write_str("static "),
        }
    }
}

/// A short time, in milliseconds.
pub(crate) struct Short(pub(crate) Duration);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_secs_f64() * 1000.0;
        if ms < 10.0 { write!(f, "{ms:.1} ms") } else { write!(f, "{ms:.0} ms") }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::fact::VrrpFact;
    use crate::{Configured, Event, EventId, sample};

    fn world(facts: impl IntoIterator<Item = crate::Fact>) -> World {
        let mut world = World::default();
        for (id, fact) in (1..).zip(facts) {
            let at = Timestamp::UNIX_EPOCH;
            world.apply(&Event { id: EventId(id), at, mono: id, cause: None, fact });
        }
        world
    }

    fn entry() -> RoutingEntry {
        let address = std::net::Ipv4Addr::LOCALHOST.into();
        RoutingEntry::Address(Box::new(model::InterfaceAddress::host(address)))
    }

    fn added(instance: &str) -> [crate::Fact; 2] {
        let settings = Configured::new(1, sample::instance());
        let instance = Name::from(instance);
        let configured = VrrpFact::InstanceConfigured { instance: instance.clone(), settings };
        let instance = Some(instance);
        [configured.into(), RoutingFact::RoutingAdded { instance, entry: entry(), adopted: false }.into()]
    }

    #[test]
    fn entries_go_with_their_virtual_router() {
        let gone = VrrpFact::InstanceUnconfigured { instance: "A".into() };
        let world = world(added("A").into_iter().chain(added("B")).chain([gone.into()]));
        let left: Vec<_> = world.routing.values().map(|state| state.instance.as_deref()).collect();
        assert_eq!(left, [Some("B")]);
    }

    #[test]
    fn entries_follow_the_name_of_their_virtual_router() {
        let renamed = VrrpFact::InstanceRenamed { instance: "B".into(), from: "A".into() };
        let facts = || added("A").into_iter().chain([renamed.clone().into()]);
        let key = (Some(Name::from("B")), entry().to_string());
        let there = world(facts());
        assert_eq!(there.routing.get(&key).map(|state| state.instance.as_deref()), Some(Some("B")));
        assert_eq!(there.routing.len(), 1);
        let removed = RoutingFact::RoutingRemoved { instance: key.0, entry: entry(), stays: true };
        assert!(world(facts().chain([removed.into()])).routing.is_empty());
    }

    #[test]
    fn what_can_not_be_removed_is_not_kept_in_mind() {
        let (instance, error) = (Some("A".into()), String::new());
        let refused = RoutingFact::RoutingFailed { instance, entry: entry(), adding: false, error };
        assert!(world(added("A").into_iter().chain([refused.into()])).routing.is_empty());
    }
}

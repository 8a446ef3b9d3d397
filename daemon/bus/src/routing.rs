//! What the daemon puts into the kernel beside virtual addresses: routes and rules of virtual routers, and what is there
//! whatever they do (`static_ipaddress`, `static_routes`, `static_rules`).

use std::fmt::{self, Write};
use std::time::Duration;

use keepwatch_model as model;
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::line::{Level, Written};
use crate::subject::Name;
use crate::world::{Change, World};

/// What happens to entries of the kernel's tables that the daemon keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr)]
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
            Self::RoutingFailed { adding: false, .. } => return,
            Self::RoutingRemoved { instance, entry } => {
                w.routing.shift_remove(&(instance.clone(), entry.to_string()));
                return;
            }
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
            Self::RoutingRemoved { instance, entry } => {
                (Level::Detail, write!(out, "{}removing {entry}", Owner(instance)))
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
            Self::RoutingFailed { instance, entry, adding, error } => {
                let verb = if *adding { "add" } else { "remove" };
                (Level::Error, write!(out, "{}can't {verb} {entry}: {error}", Owner(instance)))
            }
        }
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

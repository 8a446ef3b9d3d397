//! What the configuration says, as facts carry it and the world keeps it: parts of the model, shared and with their place.

use std::ops::Deref;
use std::sync::Arc;

use keepwatch_model::{Global, InterfaceAddress, Name, Route, Rule, VirtualServerGroup};
use serde::{Deserialize, Serialize};

/// A part of the configuration (an instance, a sync group, a virtual or a real server), and its place among its like.
/// Read it as the part itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Configured<T> {
    /// Place in the configuration, from 1: the index of the SNMP tables. Virtual servers of one
    /// `virtual_server group` share it; real servers are counted within their virtual server.
    pub position: u32,
    /// What it says.
    #[serde(flatten)]
    pub model: Arc<T>,
}

impl<T> Configured<T> {
    /// What stands at this place.
    pub fn new(position: u32, model: impl Into<Arc<T>>) -> Self {
        Self { position, model: model.into() }
    }
}

impl<T> Deref for Configured<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.model
    }
}

/// The process, and what the configuration says of the whole of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// Version of keepwatch.
    pub version: String,
    /// Process id of the worker.
    pub pid: u32,
    /// The configuration file.
    pub config_file: String,
    /// `ipvs`, `memory` or `shadow`; `none` where the checkers are not run.
    pub dataplane: String,
    /// Whether the VRRP side runs.
    pub vrrp_enabled: bool,
    /// Whether the checker side runs.
    pub checkers_enabled: bool,
    /// `global_defs`.
    #[serde(flatten)]
    pub global: Arc<Global>,
    /// `virtual_server_group` blocks.
    #[serde(default)]
    pub virtual_server_groups: Arc<[VirtualServerGroup]>,
    /// `static_ipaddress` blocks.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub static_addresses: Arc<[InterfaceAddress]>,
    /// `static_routes` blocks.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub static_routes: Arc<[Route]>,
    /// `static_rules` blocks.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub static_rules: Arc<[Rule]>,
    /// Interfaces that virtual routers need for what is static (`track_group`): each with the router that needs it.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub static_links: Arc<[(Name, Name)]>,
}

fn is_empty<T>(list: &Arc<[T]>) -> bool {
    list.is_empty()
}

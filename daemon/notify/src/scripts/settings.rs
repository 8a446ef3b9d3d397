//! Which scripts a configuration has, by what they are about.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use keepwatch_bus::subject::{Name, ServiceKey};
use keepwatch_model::Config;
use keepwatch_model::{Notify, Script, VirtualServer};
use keepwatch_process::Manner;

use crate::occasions::Watched;

/// All scripts of a configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScriptSettings {
    /// What is looked at.
    pub watched: Arc<Watched>,
    /// Of virtual routers.
    pub instances: HashMap<Name, RouterScripts>,
    /// Of sync groups.
    pub groups: HashMap<Name, RouterScripts>,
    /// Of virtual servers and their real servers.
    pub services: HashMap<ServiceKey, ServiceScripts>,
    /// How they are run.
    pub manner: Manner,
}

/// Scripts of a virtual router or sync group.
pub type RouterScripts = Notify;

/// Scripts of a virtual server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceScripts {
    /// `quorum_up`.
    pub up: Option<Script>,
    /// `quorum_down`.
    pub down: Option<Script>,
    /// Of its real servers.
    pub reals: HashMap<SocketAddr, RealScripts>,
}

/// Scripts of a real server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RealScripts {
    /// `notify_up`.
    pub up: Option<Script>,
    /// `notify_down`.
    pub down: Option<Script>,
}

impl ScriptSettings {
    /// What a configuration says. `umask` is the command line's.
    pub fn of(config: &Config, umask: Option<u32>) -> Self {
        let services = config
            .services()
            .filter_map(|(server, services)| Some((*services.first()?, service_scripts(server))));
        Self {
            watched: Arc::new(Watched::of(config)),
            instances: config.instances.iter().map(|i| (i.name.clone(), Notify::clone(&i.notify))).collect(),
            groups: config.sync_groups.iter().map(|g| (g.name.clone(), g.notify.clone())).collect(),
            services: services.collect(),
            manner: Manner::of(&config.global, umask),
        }
    }
}

fn service_scripts(server: &VirtualServer) -> ServiceScripts {
    let reals = server.real_servers.iter().map(|real| {
        let scripts = RealScripts { up: real.notify_up.clone(), down: real.notify_down.clone() };
        (real.address, scripts)
    });
    ServiceScripts { up: server.quorum_up.clone(), down: server.quorum_down.clone(), reals: reals.collect() }
}

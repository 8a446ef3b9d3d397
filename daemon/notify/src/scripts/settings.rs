//! Which scripts a configuration has, by what they are about.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use keepwatch_bus::FlatMap;
use keepwatch_bus::subject::{Name, ServiceKey};
use keepwatch_model::Config;
use keepwatch_model::{Notify, Rare, Script, Usual, VirtualServer};
use keepwatch_process::Manner;

use crate::occasions::Watched;

/// All scripts of a configuration. Who has none is in it all the same, and takes little: so it is known who stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScriptSettings {
    /// What is looked at.
    pub watched: Arc<Watched>,
    /// Of virtual routers.
    pub instances: BTreeMap<Name, Rare<RouterScripts>>,
    /// Of sync groups.
    pub groups: BTreeMap<Name, Rare<RouterScripts>>,
    /// Of virtual servers and their real servers.
    pub services: BTreeMap<ServiceKey, ServiceScripts>,
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
    pub reals: FlatMap<SocketAddr, Rare<RealScripts>>,
}

/// Scripts of a real server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RealScripts {
    /// `notify_up`.
    pub up: Option<Box<Script>>,
    /// `notify_down`.
    pub down: Option<Box<Script>>,
}

impl Usual for RealScripts {
    fn usual() -> &'static Self {
        static USUAL: RealScripts = RealScripts { up: None, down: None };
        &USUAL
    }
}

impl ScriptSettings {
    /// What a configuration says. `umask` is the command line's.
    pub fn of(config: &Config, umask: Option<u32>) -> Self {
        let services = config
            .services()
            .filter_map(|(server, services)| Some((*services.first()?, service_scripts(server))));
        Self {
            watched: Arc::new(Watched::of(config)),
            instances: config.instances.iter().map(|i| (i.name.clone(), i.notify.clone())).collect(),
            groups: config.sync_groups.iter().map(|g| (g.name.clone(), g.notify.clone().into())).collect(),
            services: services.collect(),
            manner: Manner::of(&config.global, umask),
        }
    }
}

fn service_scripts(server: &VirtualServer) -> ServiceScripts {
    let reals = server.real_servers.iter().map(|real| {
        let scripts = RealScripts { up: real.notify_up.clone(), down: real.notify_down.clone() };
        (real.address, scripts.into())
    });
    ServiceScripts { up: server.quorum_up.clone(), down: server.quorum_down.clone(), reals: reals.collect() }
}

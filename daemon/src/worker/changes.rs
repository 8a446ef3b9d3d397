//! What a reload changes. In: what is in force, of which the world holds the most, and the configuration that comes. Out:
//! the blocks that are new, gone or different, in the order of the configuration.
//!
//! A configuration is taken apart here without a rest, twice: a kind of block that is added to it has to be compared
//! before this compiles again.

use std::fmt::{self, Display};
use std::hash::Hash;

use indexmap::IndexMap;
use keepwatch_bus::World;
use keepwatch_bus::fact::{BlockChange, ConfigChange};
use keepwatch_bus::world::Service;
use keepwatch_config::Config;
use keepwatch_config::model::subject::{ServiceKey, endpoint};
use keepwatch_config::model::{
    BfdSession, GarpGroup, Global, InterfaceAddress, InterfaceDelays, LeftOutScript, LinkTarget,
    LinkbeatInterface, Name, Observability, Protocol, Ssl, StaticTrackGroup, TrackFile, TrackProcess,
    TrackScript, VirtualServer, VirtualServerGroup, VirtualServerKey,
};

use super::settings::Settings;

/// What of the configuration that is in force the world does not hold, or only of what somebody follows.
#[derive(Debug)]
pub(super) struct InForce {
    track_groups: Vec<StaticTrackGroup>,
    garp_groups: Vec<GarpGroup>,
    track_scripts: Vec<TrackScript>,
    left_out_scripts: Vec<LeftOutScript>,
    track_files: Vec<TrackFile>,
    track_processes: Vec<TrackProcess>,
    bfd_sessions: Vec<BfdSession>,
    ssl: Option<Ssl>,
    observability: Observability,
}

impl InForce {
    /// Of a configuration that comes into force.
    pub(super) fn of(config: &Config) -> Self {
        let Config {
            // Facts tell of these as they are, and the world keeps them.
            global: _,
            sync_groups: _,
            instances: _,
            static_addresses: _,
            static_routes: _,
            static_rules: _,
            virtual_server_groups: _,
            virtual_servers: _,
            // By which entry a group is known is no setting.
            leads: _,
            track_groups,
            garp_groups,
            track_scripts,
            left_out_scripts,
            track_files,
            track_processes,
            bfd_sessions,
            ssl,
            observability,
        } = config;
        Self {
            track_groups: track_groups.clone(),
            garp_groups: garp_groups.clone(),
            track_scripts: track_scripts.clone(),
            left_out_scripts: left_out_scripts.clone(),
            track_files: track_files.clone(),
            track_processes: track_processes.clone(),
            bfd_sessions: bfd_sessions.clone(),
            ssl: ssl.clone(),
            observability: observability.clone(),
        }
    }

    /// What differs between what is in force and `new`, as far as the command line lets it run.
    pub(super) fn changes(&self, world: &World, settings: &Settings, new: &Config) -> Vec<ConfigChange> {
        let Config {
            global,
            sync_groups,
            instances,
            static_addresses,
            static_routes,
            static_rules,
            track_groups,
            garp_groups,
            track_scripts,
            left_out_scripts,
            track_files,
            track_processes,
            bfd_sessions,
            virtual_server_groups,
            ssl,
            // Each with the services that it answers to.
            virtual_servers: _,
            leads: _,
            observability,
        } = new;
        let (mut all, old) = (Changes::default(), &world.settings);
        all.global(&old.global, global);
        if settings.vrrp() {
            let known = world.groups.values().map(|known| (&known.name, &*known.settings.model));
            all.blocks("vrrp_sync_group", known, sync_groups.iter().map(|group| (&group.name, group)));
            let known = world.instances.values().map(|known| (&known.name, &*known.settings.model));
            all.blocks("vrrp_instance", known, instances.iter().map(|new| (&new.name, new)));
            all.listed("static_ipaddress", &old.static_addresses, static_addresses, line_of);
            all.listed("static_routes", &old.static_routes, static_routes, ToString::to_string);
            all.listed("static_rules", &old.static_rules, static_rules, ToString::to_string);
            all.listed("track_group", &self.track_groups, track_groups, |group| group.name.clone());
            all.listed("garp_group", &self.garp_groups, garp_groups, |group| group.interfaces.join(" "));
        }
        let known = scripts(&self.track_scripts, &self.left_out_scripts);
        all.blocks("vrrp_script", known, scripts(track_scripts, left_out_scripts));
        all.listed("track_file", &self.track_files, track_files, |file| file.name.clone());
        let name = |process: &TrackProcess| process.name.clone();
        all.listed("vrrp_track_process", &self.track_processes, track_processes, name);
        all.listed("bfd_instance", &self.bfd_sessions, bfd_sessions, |session| session.name.clone());
        if settings.checkers() {
            let name = |group: &VirtualServerGroup| group.name.clone();
            all.listed("virtual_server_group", &old.virtual_server_groups, virtual_server_groups, name);
            all.single("SSL", self.ssl.as_ref(), ssl.as_ref());
            all.services(world, new);
        }
        all.single("observability", Some(&self.observability), Some(observability));
        all.0
    }
}

/// As the block has it, and two of them on one interface differ.
fn line_of(address: &InterfaceAddress) -> String {
    match &address.link {
        LinkTarget::Named(interface) => format!("{address} dev {interface}"),
        LinkTarget::Instance => address.to_string(),
    }
}

/// Scripts that are run and those that can't be: one may become the other.
fn scripts<'a>(
    run: &'a [TrackScript],
    left_out: &'a [LeftOutScript],
) -> impl Iterator<Item = (&'a Name, ScriptBlock<'a>)> {
    let left_out = left_out.iter().map(|script| (&script.name, ScriptBlock::LeftOut(&script.why)));
    run.iter().map(|script| (&script.name, ScriptBlock::Run(script))).chain(left_out)
}

#[derive(PartialEq)]
enum ScriptBlock<'a> {
    Run(&'a TrackScript),
    LeftOut(&'a str),
}

/// What says which virtual server one is: a group may get another family and stay the same.
#[derive(PartialEq, Eq, Hash)]
enum ServerBlock<'a> {
    Service(&'a ServiceKey),
    Group(&'a Name, Protocol),
}

impl<'a> ServerBlock<'a> {
    fn of(key: &'a VirtualServerKey) -> Self {
        match key {
            VirtualServerKey::Service(key) => Self::Service(key),
            VirtualServerKey::Group { name, protocol, .. } => Self::Group(name, *protocol),
        }
    }

    fn protocol(&self) -> Protocol {
        match self {
            Self::Service(key) => key.protocol(),
            Self::Group(_, protocol) => *protocol,
        }
    }
}

impl Display for ServerBlock<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(key) => key.fmt(f),
            Self::Group(name, _) => write!(f, "group {name}"),
        }
    }
}

#[derive(Default)]
struct Changes(Vec<ConfigChange>);

impl Changes {
    fn add(&mut self, change: BlockChange, keyword: &str, name: &dyn Display) {
        self.0.push(ConfigChange { change, block: format!("{keyword} {name}") });
    }

    /// A block that there is once.
    fn single<T: PartialEq>(&mut self, keyword: &str, old: Option<T>, new: Option<T>) {
        let change = match (old, new) {
            (None, Some(_)) => BlockChange::Added,
            (Some(_), None) => BlockChange::Removed,
            (Some(old), Some(new)) if old != new => BlockChange::Changed,
            (Some(_), Some(_)) | (None, None) => return,
        };
        self.0.push(ConfigChange { change, block: keyword.to_owned() });
    }

    /// Blocks of one kind, by what tells them apart. Several may have that in common.
    fn blocks<K: Eq + Hash + Display, T: PartialEq>(
        &mut self,
        keyword: &str,
        old: impl Iterator<Item = (K, T)>,
        new: impl Iterator<Item = (K, T)>,
    ) {
        let (old, new) = (by_key(old), by_key(new));
        for (key, blocks) in &new {
            match old.get(key) {
                None => self.add(BlockChange::Added, keyword, key),
                Some(known) if known != blocks => self.add(BlockChange::Changed, keyword, key),
                Some(_) => {}
            }
        }
        for gone in old.keys().filter(|key| !new.contains_key(*key)) {
            self.add(BlockChange::Removed, keyword, gone);
        }
    }

    /// The same, of lists.
    fn listed<K: Eq + Hash + Display, T: PartialEq>(
        &mut self,
        keyword: &str,
        old: &[T],
        new: &[T],
        key: impl Fn(&T) -> K,
    ) {
        let keyed = |block| (key(block), block);
        self.blocks(keyword, old.iter().map(keyed), new.iter().map(keyed));
    }

    /// `global_defs`, and what stands beside it in the file.
    fn global(&mut self, old: &Global, new: &Global) {
        let beside = |global: &Global| Global {
            interface_delays: Vec::new(),
            linkbeat_interfaces: Vec::new(),
            // It may come from an instance.
            lvs_sync_daemon: None,
            // What virtual server groups make of it.
            group_marks: Vec::new(),
            ..global.clone()
        };
        self.single("global_defs", Some(beside(old)), Some(beside(new)));
        self.single("lvs_sync_daemon", old.lvs_sync_daemon.as_ref(), new.lvs_sync_daemon.as_ref());
        let name = |delays: &InterfaceDelays| delays.interface.clone();
        self.listed("interface_up_down_delays", &old.interface_delays, &new.interface_delays, name);
        let name = |polled: &LinkbeatInterface| polled.interface.clone();
        self.listed("linkbeat_interfaces", &old.linkbeat_interfaces, &new.linkbeat_interfaces, name);
    }

    fn services(&mut self, world: &World, new: &Config) {
        // Each service of a group is one in the world: the first of them stands for all.
        let mut old: IndexMap<ServerBlock<'_>, &Service> = IndexMap::new();
        for service in world.services.values() {
            old.entry(ServerBlock::of(&service.settings.key)).or_insert(service);
        }
        // Those that nothing is left of do not run.
        let new: Vec<&VirtualServer> =
            new.services().filter(|(_, keys)| !keys.is_empty()).map(|(server, _)| server).collect();
        let known = old.values().map(|known| (ServerBlock::of(&known.settings.key), known.settings.alone()));
        let coming = new.iter().map(|server| (ServerBlock::of(&server.key), server.alone()));
        self.blocks("virtual_server", known, coming);
        for server in new {
            let Some(known) = old.get(&ServerBlock::of(&server.key)) else { continue };
            let block = ServerBlock::of(&server.key);
            let name = |address| format!("{} of {block}", endpoint(address, block.protocol()));
            let reals = known.reals.values().map(|real| (name(&real.address), &*real.settings.model));
            let coming = server.real_servers.iter().map(|real| (name(&real.address), real));
            self.blocks("real_server", reals, coming);
        }
    }
}

/// What has a key in common is together, in its order.
fn by_key<K: Eq + Hash, T>(blocks: impl Iterator<Item = (K, T)>) -> IndexMap<K, Vec<T>> {
    let mut all: IndexMap<K, Vec<T>> = IndexMap::new();
    blocks.for_each(|(key, block)| all.entry(key).or_default().push(block));
    all
}

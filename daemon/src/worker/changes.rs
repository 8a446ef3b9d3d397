//! What a reload changes. In: the world, which holds the configuration that is in force part by part, and the one that comes.
//! Out: the blocks that are new, gone or different, in the order of the configuration.

use std::collections::HashSet;

use keepwatch_bus::World;
use keepwatch_bus::fact::{BlockChange, ConfigChange};
use keepwatch_config::Config;
use keepwatch_config::model::subject::{ServiceKey, endpoint};
use keepwatch_config::model::{Name, TrackedKind, Tracker, VirtualServer};

use super::settings::Settings;

/// What differs between what is in force and `new`.
pub(super) fn changes(world: &World, settings: &Settings, new: &Config) -> Vec<ConfigChange> {
    let mut all = Changes::default();
    if *world.settings.global != new.global {
        all.add(BlockChange::Changed, "global_defs".into());
    }
    if settings.vrrp() {
        groups(&mut all, world, new);
        instances(&mut all, world, new);
        trackers(&mut all, world, new);
    }
    if settings.checkers() {
        if *world.settings.virtual_server_groups != *new.virtual_server_groups {
            all.add(BlockChange::Changed, "virtual_server_group".into());
        }
        services(&mut all, world, new);
    }
    all.0
}

#[derive(Default)]
struct Changes(Vec<ConfigChange>);

impl Changes {
    fn add(&mut self, change: BlockChange, block: String) {
        self.0.push(ConfigChange { change, block });
    }

    /// One block, by what is known of it: nothing, or whether it is the same.
    fn block(&mut self, same: Option<bool>, block: impl FnOnce() -> String) {
        match same {
            None => self.add(BlockChange::Added, block()),
            Some(false) => self.add(BlockChange::Changed, block()),
            Some(true) => {}
        }
    }
}

fn groups(all: &mut Changes, world: &World, new: &Config) {
    for group in &new.sync_groups {
        let same = world.groups.get(&group.name).map(|known| *known.settings.model == *group);
        all.block(same, || format!("vrrp_sync_group {}", group.name));
    }
    let kept: HashSet<&Name> = new.sync_groups.iter().map(|group| &group.name).collect();
    for gone in world.groups.values().filter(|known| !kept.contains(&known.name)) {
        all.add(BlockChange::Removed, format!("vrrp_sync_group {}", gone.name));
    }
}

fn instances(all: &mut Changes, world: &World, new: &Config) {
    for instance in &new.instances {
        let same = world.instances.get(&instance.name).map(|known| *known.settings.model == *instance);
        all.block(same, || format!("vrrp_instance {}", instance.name));
    }
    let kept: HashSet<&Name> = new.instances.iter().map(|instance| &instance.name).collect();
    for gone in world.instances.values().filter(|known| !kept.contains(&known.name)) {
        all.add(BlockChange::Removed, format!("vrrp_instance {}", gone.name));
    }
}

/// Those that somebody follows; nobody watches others.
fn trackers(all: &mut Changes, world: &World, new: &Config) {
    let scripts = new.track_scripts.iter().cloned().map(Tracker::Script);
    let files = new.track_files.iter().cloned().map(Tracker::File);
    let processes = new.track_processes.iter().cloned().map(Tracker::Process);
    let sessions = new.bfd_sessions.iter().cloned().map(Tracker::Bfd);
    let defined: Vec<Tracker> = scripts.chain(files).chain(processes).chain(sessions).collect();
    let mut kept = HashSet::new();
    for tracker in &defined {
        let key = tracker.key();
        if let Some(known) = world.trackers.get(key.kind, &key.name) {
            all.block(Some(*known.settings.model == *tracker), || {
                format!("{} {}", keyword(key.kind), key.name)
            });
        }
        kept.insert(key);
    }
    for gone in world.trackers.all().map(|known| known.key()).filter(|key| !kept.contains(key)) {
        all.add(BlockChange::Removed, format!("{} {}", keyword(gone.kind), gone.name));
    }
}

fn keyword(kind: TrackedKind) -> &'static str {
    match kind {
        TrackedKind::Link => "track_interface",
        TrackedKind::Script => "vrrp_script",
        TrackedKind::File => "track_file",
        TrackedKind::Process => "vrrp_track_process",
        TrackedKind::Bfd => "bfd_instance",
    }
}

fn services(all: &mut Changes, world: &World, new: &Config) {
    let mut kept = HashSet::new();
    for (server, keys) in new.services() {
        kept.extend(keys.iter().copied());
        // The first stands for all of a group.
        let Some(key) = keys.first() else { continue };
        let known = world.services.get(key);
        let same = known.map(|known| known.settings.alone() == server.alone());
        all.block(same, || format!("virtual_server {}", server.key));
        if known.is_some() {
            reals(all, world, *key, server);
        }
    }
    let mut told = HashSet::new();
    for gone in world.services.values().filter(|known| !kept.contains(&known.key)) {
        if told.insert(&gone.settings.key) {
            all.add(BlockChange::Removed, format!("virtual_server {}", gone.settings.key));
        }
    }
}

fn reals(all: &mut Changes, world: &World, key: ServiceKey, server: &VirtualServer) {
    let Some(known) = world.services.get(&key) else { return };
    let name = |address| format!("real_server {} of {}", endpoint(address, key.protocol()), server.key);
    for real in &server.real_servers {
        let same = known.reals.get(&real.address).map(|known| *known.settings.model == *real);
        all.block(same, || name(&real.address));
    }
    let kept: HashSet<_> = server.real_servers.iter().map(|real| real.address).collect();
    for gone in known.reals.values().filter(|known| !kept.contains(&known.address)) {
        all.add(BlockChange::Removed, name(&gone.address));
    }
}

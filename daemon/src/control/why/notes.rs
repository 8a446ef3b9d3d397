//! Why a thing stands as it does, where no event says so: a lower master is left alone because of `nopreempt`, a group
//! waits for a member, a script has not run yet; and that another router is master too. In: the world. Out: sentences.

use keepwatch_bus::World;
use keepwatch_bus::subject::{Name, VrrpState};
use keepwatch_bus::world::{Group, Instance, Rival, Tracker};
use keepwatch_config::model::Level;

/// Of a virtual router.
pub(super) fn instance(world: &World, instance: &Instance) -> Vec<String> {
    let mut notes = split_brain(instance);
    match instance.state {
        VrrpState::Backup => notes.extend(backup(world, instance)),
        VrrpState::Fault => notes.push(format!("in FAULT: {}", world.fault_in_words(instance))),
        VrrpState::Init => notes.extend(waits_for(world, instance)),
        VrrpState::Master => {}
    }
    let group = instance.settings.group.as_ref();
    let misses = |name: &Name| *name == instance.name || Some(name) == group;
    let missed = world.trackers.left_out.iter().filter(|(_, left_out)| left_out.followers.iter().any(misses));
    notes.extend(missed.map(|(name, left_out)| format!("goes on without script {name}: {}", left_out.why)));
    if world.is_shadow() {
        notes.push(
            "shadow mode: it sends no advert and puts no address anywhere; this is what it would do".into(),
        );
    }
    notes
}

/// Of a virtual router and of its addresses: who else is master for them, and by which event that began to be known.
pub(super) fn split_brain(instance: &Instance) -> Vec<String> {
    let rivals = instance.rivals.iter();
    let in_words = rivals.map(|Rival { address, priority, sign, changed }| {
        format!("split brain with {address} (priority {priority}), {}: {sign}", changed.event)
    });
    in_words.collect()
}

/// What keeps a backup from being master.
fn backup(world: &World, instance: &Instance) -> Option<String> {
    let settings = &instance.settings;
    let own = instance.priority;
    let Some((address, priority)) = instance.master else {
        return Some(match waiting_members(world, instance) {
            members if members.is_empty() => "no master heard yet".into(),
            members => format!("no master heard; its sync group waits for {}", members.join(", ")),
        });
    };
    let master = format!("{address} is master with priority {priority}");
    if priority > own {
        return Some(format!("{master}, ours is {own}"));
    }
    if priority == own {
        return Some(format!("{master}, the same as ours: who is master stays master"));
    }
    if settings.nopreempt {
        return Some(format!(
            "{master}, lower than ours ({own}), and is left alone: `nopreempt`. It becomes master when that one falls \
             silent or resigns"
        ));
    }
    if !settings.preempt_delay.is_zero() {
        let delay = settings.preempt_delay.as_secs_f64();
        return Some(format!(
            "{master}, lower than ours ({own}), and is left alone for {delay} s: `preempt_delay`"
        ));
    }
    match waiting_members(world, instance) {
        members if members.is_empty() => {
            Some(format!("{master}, lower than ours ({own}): it takes over when its timer runs out"))
        }
        members => Some(format!(
            "{master}, lower than ours ({own}), and its sync group waits for {}",
            members.join(", ")
        )),
    }
}

/// Members of its group that would not be master.
fn waiting_members(world: &World, instance: &Instance) -> Vec<String> {
    let group = instance.settings.group.as_ref().and_then(|name| world.groups.get(name));
    let others = group.into_iter().flat_map(|group| &group.settings.members);
    let others = others.filter(|name| **name != instance.name).filter_map(|name| world.instances.get(name));
    others
        .filter(|other| other.wanted != VrrpState::Master)
        .map(|other| format!("{} ({})", other.name, other.state))
        .collect()
}

/// What a virtual router that has not begun waits for.
fn waits_for(world: &World, instance: &Instance) -> Option<String> {
    let influences = world.influences(instance);
    let undecided = influences.iter().filter(|influence| influence.meaning.undecided);
    let names: Vec<String> = undecided.map(|influence| influence.tracker.to_string()).collect();
    (!names.is_empty()).then(|| format!("it does not begin before the first result of {}", names.join(", ")))
}

/// Of a sync group: its members, and who keeps it where it is.
pub(super) fn group(world: &World, group: &Group) -> Vec<String> {
    let members = group.settings.members.iter().filter_map(|name| world.instances.get(name));
    let states: Vec<String> =
        members.clone().map(|member| format!("{} {}", member.name, member.state)).collect();
    let mut notes = vec![format!("its members: {}", states.join(", "))];
    for member in members {
        notes.extend(split_brain(member).into_iter().map(|split| format!("{}: {split}", member.name)));
        match (group.state, member.state) {
            (VrrpState::Fault, VrrpState::Fault) => {
                notes.push(format!("{}: {}", member.name, world.fault_in_words(member)));
            }
            (VrrpState::Backup | VrrpState::Init, VrrpState::Backup) => {
                notes.extend(backup(world, member).map(|why| format!("{}: {why}", member.name)));
            }
            _ => {}
        }
    }
    notes
}

/// Of something that is tracked: who follows it, and what that does to them; and that nothing is known yet.
pub(super) fn tracker(world: &World, tracker: &Tracker) -> Vec<String> {
    let key = tracker.key();
    let mut notes = Vec::new();
    if tracker.level == Level::Undecided {
        notes.push("nothing is known yet: its first result is still to come".into());
    }
    notes.extend(world.instances.values().filter_map(|instance| {
        let influence = world.influences(instance).into_iter().find(|influence| influence.tracker == key)?;
        let does = match influence.meaning {
            meaning if meaning.fault => "is in fault by it".to_owned(),
            meaning if meaning.undecided => "does not begin before it is decided".to_owned(),
            meaning => format!("has {:+} to its priority by it", meaning.weight),
        };
        Some(format!("{} {does}", instance.name))
    }));
    notes
}

/// Of an interface: which virtual routers stand on it.
pub(super) fn interface(world: &World, name: &str) -> Vec<String> {
    let stands = |instance: &&Instance| instance.settings.interface.as_deref() == Some(name);
    let on_it: Vec<String> = world
        .instances
        .values()
        .filter(stands)
        .map(|instance| format!("{} ({})", instance.name, instance.state))
        .collect();
    if on_it.is_empty() { Vec::new() } else { vec![format!("virtual routers on it: {}", on_it.join(", "))] }
}

//! Instances and sync groups: defaults, inheritance, and the checks that need more than one line.
//!
//! Where keepalived changes a value and goes on, so do we, with a diagnostic that says what was changed; an instance
//! that cannot be run is left out.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::contradictions::{self, Shared};
use super::routers::Routers;
use super::settled::Settled;
use super::vmac_users::VmacUsers;
use super::{advert, auth_hmac, authentication, link, strict_mode, vmac};
use crate::diagnostics::{Diagnostic, Outcome};
use crate::lower::resolve_group::{self, Role};
use crate::lower::tracked_names::{self, Definitions};
use crate::model::{
    Config, ConfigFault, Family, Garp, Global, InitialState, Instance, Name, Priority, Rare, SyncGroup,
    Tracking, VrrpVersion,
};
use crate::preprocess::Context;
use crate::schema::groups::GroupDraft;
use crate::schema::instance::InstanceDraft;
use crate::source::Span;

/// Makes the instances and groups of the model.
#[allow(clippy::vec_box)] // as in the draft
pub(in crate::lower) fn resolve(
    mut instances: Vec<Box<InstanceDraft>>,
    groups: Vec<GroupDraft>,
    places: &HashMap<Name, Span>,
    skipped: &HashSet<&str>,
    config: &mut Config,
    context: &mut Context,
) {
    let tracked = Definitions::of(config, skipped);
    let group_places = groups.iter().map(|draft| (draft.name.clone(), draft.at)).collect();
    config.sync_groups = resolve_group::sync_groups(groups, places, skipped, &tracked, config, context);
    let membership: HashMap<Name, usize> = config
        .sync_groups
        .iter()
        .enumerate()
        .flat_map(|(index, group)| group.members.iter().map(move |member| (member.clone(), index)))
        .collect();
    let roles = instances
        .iter()
        .filter(|draft| membership.contains_key(&draft.name))
        .map(|draft| (draft.name.clone(), role(draft)))
        .collect();
    resolve_group::check_owners(&mut config.sync_groups, &group_places, &roles, context);
    vmac::drop_taken_names(&mut instances, context);
    config.instances.reserve_exact(instances.len());
    // That of the last instance, mostly that of the next one as well.
    let mut garp = Arc::new(config.global.garp.clone());
    let mut routers = Routers::default();
    let mut vmacs = VmacUsers::default();
    let mut shared = Shared::default();
    for draft in instances {
        let at = draft.at;
        let vrid_at = draft.vrid.map_or(at, |(_, span)| span);
        contradictions::within(&draft, context);
        shared.add(&draft, places, context);
        let group_index = membership.get(&draft.name).copied();
        let group = group_index.and_then(|index| config.sync_groups.get(index));
        let Some(mut instance) = resolve_one(*draft, group, &tracked, &mut garp, config, context) else {
            continue;
        };
        if let Some(first) = routers.same_as(&instance, &config.instances) {
            let interface = instance.interface.as_deref().unwrap_or("no interface");
            let message = format!(
                "virtual router {} is already used on {interface} ({})",
                instance.vrid, instance.family
            );
            let mut diagnostic =
                Diagnostic::error("duplicate-vrid", message).fatal().at(vrid_at, "used again here");
            if let Some(place) = places.get(&first.name) {
                diagnostic = diagnostic.also(*place, "first used by this one");
            }
            context.report(diagnostic);
            continue;
        }
        share_no_vmac(&mut instance, &mut vmacs, (group_index, at), places, context);
        routers.add(&instance, config.instances.len());
        config.instances.push(instance);
    }
    shared.say_virtual_peers(context);
    leave_missing_members(config);
}

/// Two instances cannot have addresses on one VMAC, unless a group makes them take over together.
fn share_no_vmac(
    instance: &mut Instance,
    vmacs: &mut VmacUsers,
    (group, at): (Option<usize>, Span),
    places: &HashMap<Name, Span>,
    context: &mut Context,
) {
    let name = &instance.name;
    let found = match (vmacs.shared_with(instance, group), vmacs.same_hardware(instance)) {
        (Some(other), _) => {
            let message = format!("`{name}` and `{other}` have addresses on the same VMAC");
            let diagnostic = Diagnostic::error("conflict", message).at(at, "this instance stays in FAULT");
            let help = "one `vrrp_sync_group` with both of them makes them take over together";
            Some((diagnostic.help(help), other, Some(ConfigFault::SharedVmac)))
        }
        (None, Some(other)) => {
            let message = format!("the VMACs of `{name}` and `{other}` have the same hardware address");
            let diagnostic = Diagnostic::warning("conflict", message);
            Some((diagnostic.at(at, "both are one interface"), other, None))
        }
        (None, None) => None,
    };
    if let Some((diagnostic, other, fault)) = found {
        let diagnostic = match places.get(other) {
            Some(place) => diagnostic.also(*place, "the other one"),
            None => diagnostic,
        };
        context.report(diagnostic);
        instance.config_fault = instance.config_fault.or(fault);
    }
    vmacs.add(instance, group);
}

fn role(draft: &InstanceDraft) -> Role {
    let state = draft.state.map(|(state, _)| state);
    let owner = match draft.priority {
        Some((priority, _)) => Priority(priority) == Priority::OWNER,
        None => state == Some(InitialState::Master),
    };
    Role { state, owner }
}

/// An instance that was left out is no member of its group any more.
fn leave_missing_members(config: &mut Config) {
    let names: std::collections::HashSet<Name> =
        config.instances.iter().map(|instance| instance.name.clone()).collect();
    for group in &mut config.sync_groups {
        group.members.retain(|member| names.contains(member));
    }
    config.sync_groups.retain(|group| !group.members.is_empty());
}

/// Makes one instance; `None` when it cannot be run (reported).
fn resolve_one(
    mut draft: InstanceDraft,
    group: Option<&SyncGroup>,
    tracked: &Definitions,
    shared: &mut Arc<Garp>,
    config: &Config,
    context: &mut Context,
) -> Option<Instance> {
    let global = &config.global;
    let (settled, runs) = settle(&mut draft, global, context);
    let tracking = tracking(&mut draft, &settled, group, tracked, context);
    let garp = draft.garp.resolve(&global.garp, settled.strict);
    if garp != **shared {
        *shared = Arc::new(garp);
    }
    let tell_priority = group.and_then(|group| group.notify_priority_changes);
    let instance = settled.into_instance(draft, tracking, shared.clone(), tell_priority, global, context);
    runs.then(|| Instance { group: group.map(|group| group.name.clone()), ..instance })
}

/// Settles what one line decides for others; can the instance run? What cannot is looked at to its end all the same: one
/// reading of a file tells everything.
fn settle(draft: &mut InstanceDraft, global: &Global, context: &mut Context) -> (Settled, bool) {
    let vrid = vrid(draft, context);
    let family = draft.family.filter(|_| !draft.family_is_meant).unwrap_or_default();
    let strict = draft.strict.unwrap_or(global.vrrp_strict);
    let version = version_of(draft, family, strict, global.vrrp_version, context);
    link::check_vmac(draft, strict, context);
    let found = link::interface(draft, context);
    let interface = found.clone().flatten();
    let (state, priority) = state_and_priority(draft, strict, context);
    let fault = link::unicast(draft, strict, interface.is_some(), context);
    strict_mode::check(draft, strict, version, priority, context);
    advert::check_preemption(draft, state, priority, strict, context);
    let advert_int = advert::advert_int(draft, version, context);
    let mut authentication = authentication::resolve(draft, version, family, strict, context);
    let vrf = link::vrf(draft, interface.is_some(), context);
    if found.is_some() {
        let default = global.default_interface.as_ref();
        link::place_addresses(draft, family, (interface.as_ref(), default), context);
    }
    let addresses = advert::addresses(draft, (family, version, strict), context);
    let runs = vrid.is_some() && found.is_some() && fault.is_some() && addresses.is_some();
    let hmac = draft.auth.written().and_then(|auth| auth.hmac.take());
    let hmac = auth_hmac::resolve(hmac, &mut authentication, (advert_int, strict), context);
    let state = authentication::initial_state(&authentication, draft, (state, priority), context);
    let (addresses, excluded_addresses) = addresses.unwrap_or_default();
    let settled = Settled {
        vrid: vrid.unwrap_or_default(),
        family,
        version,
        strict,
        state,
        priority,
        advert_int,
        interface,
        vrf,
        fault: fault.flatten().or(hmac.as_ref().err().copied()),
        authentication,
        auth_hmac: hmac.ok().flatten(),
        addresses,
        excluded_addresses,
    };
    (settled, runs)
}

/// `virtual_router_id`, which nothing runs without.
fn vrid(draft: &InstanceDraft, context: &mut Context) -> Option<u8> {
    if let Some((vrid, _)) = draft.vrid {
        return Some(vrid);
    }
    if draft.bad.contains(&"virtual_router_id") {
        context.leads_to(Outcome::CannotRun);
        return None;
    }
    context.report(
        Diagnostic::error("missing-vrid", format!("`{}` has no `virtual_router_id`", draft.name))
            .fatal()
            .at(draft.at, "this instance cannot run")
            .help("for example: `virtual_router_id 51`, the same number on all routers of the group"),
    );
    None
}

/// What it follows, as far as it may.
fn tracking(
    draft: &mut InstanceDraft,
    settled: &Settled,
    group: Option<&SyncGroup>,
    tracked: &Definitions,
    context: &mut Context,
) -> Rare<Tracking> {
    let following = std::mem::take(&mut draft.following);
    let mut tracking = tracked_names::tracking(following, tracked, context);
    advert::drop_own_interface(&mut tracking, (&draft.name, settled.interface.as_ref()), draft.at, context);
    let grouped = group.is_some_and(|group| !group.tracking_weight);
    if grouped || settled.priority == Priority::OWNER {
        let why = match (grouped, draft.priority) {
            (true, _) => advert::Weightless::Grouped,
            (false, Some(_)) => advert::Weightless::Owner,
            (false, None) => advert::Weightless::OwnerByState,
        };
        advert::drop_weights(&mut tracking, &draft.name, draft.at, why, context);
    }
    tracking.into()
}

fn version_of(
    draft: &InstanceDraft,
    family: Family,
    strict: bool,
    default: VrrpVersion,
    context: &mut Context,
) -> VrrpVersion {
    match (draft.version, family) {
        (Some((VrrpVersion::V2, span)), Family::Inet6) if strict => {
            context.report(
                Diagnostic::error("strict", "strict mode has no version 2 over IPv6")
                    .at(span, "version 3 is used"),
            );
            VrrpVersion::V3
        }
        (Some((version, _)), _) => version,
        (None, Family::Inet6) => VrrpVersion::V3,
        (None, Family::Inet) => default,
    }
}

fn state_and_priority(
    draft: &InstanceDraft,
    strict: bool,
    context: &mut Context,
) -> (InitialState, Priority) {
    let master = matches!(draft.state, Some((InitialState::Master, _)));
    let priority = match draft.priority {
        Some((priority, _)) => Priority(priority),
        None if master => Priority::OWNER,
        None => Priority::DEFAULT,
    };
    let owner = priority == Priority::OWNER;
    let by_priority = if owner { InitialState::Master } else { InitialState::Backup };
    match draft.state {
        None => (by_priority, priority),
        Some((_, span)) if strict && master != owner => {
            context.report(
                Diagnostic::error("strict", "in strict mode only the owner (priority 255) begins as MASTER")
                    .at(span, "changed to fit the priority"),
            );
            (by_priority, priority)
        }
        Some((state, _)) => (state, priority),
    }
}

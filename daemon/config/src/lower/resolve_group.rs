//! Sync groups: members that exist, each in one group.

use std::collections::{HashMap, HashSet};

use super::alerts;
use super::tracked_names::{self, Definitions};
use crate::diagnostics::Diagnostic;
use crate::model::{Config, InitialState, Name, SyncGroup, Tracking};
use crate::preprocess::Context;
use crate::schema::groups::GroupDraft;
use crate::source::Span;

/// Makes the groups of the model; a member that does not exist, or is in two groups, is left out.
pub(super) fn sync_groups(
    drafts: Vec<GroupDraft>,
    instances: &HashMap<Name, Span>,
    skipped: &HashSet<&str>,
    tracked: &Definitions,
    config: &Config,
    context: &mut Context,
) -> Vec<SyncGroup> {
    let mut taken: HashMap<Name, (Name, Span)> = HashMap::new();
    let mut groups = Vec::new();
    for draft in drafts {
        let members = members(&draft, instances, skipped, &mut taken, context);
        if members.is_empty() {
            // Why was said at each member.
            continue;
        }
        if let ([_], [_]) = (members.as_slice(), draft.members.as_slice()) {
            context.report(
                Diagnostic::note(
                    "single-member",
                    format!("the sync group `{}` has only one member", draft.name),
                )
                .at(draft.at, "there is nothing to keep in step"),
            );
        }
        groups.push(SyncGroup {
            smtp_alert: alerts::vrrp(draft.smtp_alert, &config.global),
            name: draft.name,
            members,
            notify: (*draft.notify).clone(),
            notify_priority_changes: draft.notify_priority_changes,
            tracking_weight: draft.tracking_weight,
            global_tracking: draft.global_tracking,
            tracking: tracked_names::tracking(draft.following, tracked, context),
        });
    }
    groups
}

/// The members of a group that exist and are in no other; what is wrong with the rest is reported. `taken` has the group
/// of each instance so far, and where that says so.
fn members(
    draft: &GroupDraft,
    instances: &HashMap<Name, Span>,
    skipped: &HashSet<&str>,
    taken: &mut HashMap<Name, (Name, Span)>,
    context: &mut Context,
) -> Vec<Name> {
    let mut members: Vec<Name> = Vec::new();
    for word in &draft.members {
        let member: Name = (&*word.text).into();
        if !instances.contains_key(&member) {
            if !skipped.contains(&*member) {
                context.report(unknown_member(draft, word, instances));
            }
            continue;
        }
        if let Some((group, first)) = taken.get(&member) {
            let message = match *group == draft.name {
                true => format!("`{member}` stands twice in the sync group `{group}`"),
                false => format!("`{member}` is a member of the sync group `{group}` already"),
            };
            let diagnostic = Diagnostic::error("duplicate-member", message).at(word.span, "left out here");
            context.report(diagnostic.also(*first, "first here"));
            continue;
        }
        taken.insert(member.clone(), (draft.name.clone(), word.span));
        members.push(member);
    }
    members
}

/// What members say of themselves that matters to their group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Role {
    pub(super) state: Option<InitialState>,
    pub(super) owner: bool,
}

/// Address owners (priority 255) in groups: all of the group must be, and nothing may change their priority.
pub(super) fn check_owners(
    groups: &mut [SyncGroup],
    places: &HashMap<Name, Span>,
    roles: &HashMap<Name, Role>,
    context: &mut Context,
) {
    for group in groups {
        let Some(at) = places.get(&group.name).copied() else { continue };
        let roles: Vec<Role> = group.members.iter().filter_map(|member| roles.get(member).copied()).collect();
        let is_first = |role: &&Role| role.owner && role.state == Some(InitialState::Master);
        let owners = roles.iter().take_while(is_first).count();
        if owners > 0 && roles.get(owners).is_some_and(|role| role.state == Some(InitialState::Backup)) {
            let message = format!(
                "some members of the sync group `{}` own their addresses and some do not",
                group.name
            );
            context.report(Diagnostic::error("conflict", message).at(at, "they can't change state together"));
        }
        if roles.iter().any(|role| role.owner) && clear_weights(&mut group.tracking) {
            let message = format!("a member of the sync group `{}` is the owner (priority 255)", group.name);
            context.report(
                Diagnostic::error("weight-ignored", message)
                    .at(at, "what it tracks with weights is a fault when it fails")
                    .help("the priority of an owner can't change"),
            );
        }
    }
}

/// Makes everything that is tracked a matter of fault; were there weights?
fn clear_weights(tracking: &mut Tracking) -> bool {
    let lists = [&mut tracking.scripts, &mut tracking.files, &mut tracking.processes, &mut tracking.bfds];
    let objects = lists.into_iter().flatten().map(|object| &mut object.weight);
    let interfaces = tracking.interfaces.iter_mut().map(|interface| &mut interface.weight);
    let mut weighted = false;
    for weight in objects.chain(interfaces) {
        weighted |= std::mem::take(weight) != 0;
    }
    weighted
}

fn unknown_member(
    draft: &GroupDraft,
    word: &crate::words::Word,
    instances: &HashMap<Name, Span>,
) -> Diagnostic {
    let diagnostic = Diagnostic::error(
        "unknown-instance",
        format!("there is no instance `{}` for the sync group `{}`", word.text, draft.name),
    )
    .at(word.span, "no `vrrp_instance` has this name");
    let others = instances.keys().map(|name| &**name);
    diagnostic.suggest_nearest(
        word,
        others.filter(|name| !draft.members.iter().any(|member| *member.text == **name)),
    )
}

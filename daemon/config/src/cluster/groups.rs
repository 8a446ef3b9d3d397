//! Sync groups: what changes state together on one machine should on the others too.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::Cluster;
use super::file::{File, Member};
use crate::diagnostics::Diagnostic;
use crate::model::SyncGroup;

/// Holds the sync groups of a file against those of another. Said is what is in a group here and not there.
pub(super) fn compare<'a>(cluster: &Cluster<'a>, here: &'a File<'a>, there: &'a File<'a>) -> Vec<Diagnostic> {
    let groups = here.config.sync_groups.iter();
    let known = by_member(there);
    groups.flat_map(|group| differences(cluster, group, here, (there, &known))).collect()
}

/// The sync groups of a file, by each of their members: there may be tens of thousands.
type Groups<'a> = HashMap<&'a str, &'a SyncGroup>;

fn by_member<'a>(file: &'a File<'a>) -> Groups<'a> {
    let groups = file.config.sync_groups.iter();
    groups.flat_map(|group| group.members.iter().map(move |member| (&**member, group))).collect()
}

fn differences<'a>(
    cluster: &Cluster<'a>,
    group: &'a SyncGroup,
    here: &'a File<'a>,
    (there, known): (&'a File<'a>, &Groups<'a>),
) -> Vec<Diagnostic> {
    let Some(block) = here.block("vrrp_sync_group", &group.name) else { return Vec::new() };
    let partners: Vec<(&str, Member<'a>)> = group
        .members
        .iter()
        .filter_map(|name| Some((&**name, cluster.partner(here, name, there)?)))
        .collect();
    let group_there = |member: &Member<'a>| known.get(&*member.instance.name).copied();
    // A group of one does nothing.
    if partners.len() < 2 {
        return Vec::new();
    }
    let code = "cluster-sync-group";
    let help =
        "they change state together on one machine only: after a takeover each may be master on another one";
    let Some((anchor, other)) =
        partners.iter().find_map(|(name, partner)| Some((*name, group_there(partner)?)))
    else {
        let message = format!("the sync group `{}` is not in {}", group.name, there.path.display());
        return vec![Diagnostic::warning(code, message).at(block.head(), "only here").help(help)];
    };
    let apart =
        partners.iter().filter(|(_, partner)| group_there(partner).is_none_or(|its| its.name != other.name));
    apart
        .map(|(name, _)| {
            let message = format!(
                "`{name}` is in one sync group with `{anchor}` here but not in {}",
                there.path.display()
            );
            let place = block.line_word(&["group"], |word| word == *name).unwrap_or_else(|| block.head());
            let diagnostic = Diagnostic::warning(code, message).at(place, "only here").help(help);
            match there.block("vrrp_sync_group", &other.name) {
                Some(other) => diagnostic.also(other.head(), "the group in the other file"),
                None => diagnostic,
            }
        })
        .collect()
}

/// Groups whose members do not agree which of two routers should be master: then neither can be master of all.
pub(super) fn crossed<'a>(cluster: &Cluster<'a>, here: &'a File<'a>, there: &'a File<'a>) -> Vec<Diagnostic> {
    let groups = here.config.sync_groups.iter();
    let known = by_member(there);
    groups.filter_map(|group| crossed_in(cluster, group, here, (there, &known))).collect()
}

fn crossed_in<'a>(
    cluster: &Cluster<'a>,
    group: &'a SyncGroup,
    here: &'a File<'a>,
    (there, known): (&'a File<'a>, &Groups<'a>),
) -> Option<Diagnostic> {
    let pairs: Vec<(Member<'a>, Member<'a>)> =
        group.members.iter().filter_map(|name| cluster.pair(here, name, there)).collect();
    let find = |order: Ordering| {
        pairs.iter().find(|(one, other)| one.instance.priority.cmp(&other.instance.priority) == order)
    };
    let ((higher, _), (lower, lower_there)) = (find(Ordering::Greater)?, find(Ordering::Less)?);
    known.get(&*lower_there.instance.name)?;
    let file = there.path.display();
    let message = format!(
        "`{}` has the higher priority here and `{}` in {file}, though they change state together",
        higher.instance.name, lower.instance.name
    );
    let place =
        |member: &Member<'_>| member.block.keyword(&["priority"]).unwrap_or_else(|| member.block.head());
    Some(
        Diagnostic::warning("cluster-group-priority", message)
            .at(place(lower), "the lower one here")
            .also(place(higher), "the higher one here")
            .also(place(lower_there), "the higher one in the other file")
            .help("the members of a group on one router are all higher than on the other, or all lower"),
    )
}

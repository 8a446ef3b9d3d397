//! Sync groups: what changes state together on one machine should on the others too.

use super::Cluster;
use super::file::{File, Member};
use crate::diagnostics::Diagnostic;
use crate::model::SyncGroup;

/// Holds the sync groups of a file against those of another. Said is what is in a group here and not there.
pub(super) fn compare<'a>(cluster: &Cluster<'a>, here: &'a File<'a>, there: &'a File<'a>) -> Vec<Diagnostic> {
    let groups = here.config.sync_groups.iter();
    groups.flat_map(|group| differences(cluster, group, here, there)).collect()
}

fn differences<'a>(
    cluster: &Cluster<'a>,
    group: &'a SyncGroup,
    here: &'a File<'a>,
    there: &'a File<'a>,
) -> Vec<Diagnostic> {
    let Some(block) = here.block("vrrp_sync_group", &group.name) else { return Vec::new() };
    let partners: Vec<(&str, Member<'a>)> = group
        .members
        .iter()
        .filter_map(|name| Some((&**name, cluster.partner(here, name, there)?)))
        .collect();
    let group_there = |member: &Member<'a>| there.config.sync_group_of(&member.instance.name);
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

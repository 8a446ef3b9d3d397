//! What in a virtual server must fit together: families, protocol, scheduler, what its real servers follow.

use std::collections::{HashMap, HashSet};

use super::checker::idle::no_weights;
use crate::diagnostics::Diagnostic;
use crate::model::{
    BfdCheck, Config, Family, FileCheck, Global, GroupEntry, Name, Protocol, TrackFile, VirtualServerGroup,
};
use crate::preprocess::Context;
use crate::schema::servers::{RealDraft, ServerDraft, Target};
use crate::words::Word;

/// The family that a virtual server serves; `None` for a group of both.
pub(super) struct Serves(pub(super) Option<Family>);

/// What servers name, by its name: there may be tens of thousands.
pub(super) struct Defined<'a> {
    groups: HashMap<&'a str, &'a VirtualServerGroup>,
    files: HashMap<&'a str, &'a TrackFile>,
    bfds: &'a HashSet<Name>,
    /// Names of blocks that were left out.
    skipped: &'a HashSet<&'a str>,
    pub(super) global: &'a Global,
}

impl<'a> Defined<'a> {
    pub(super) fn of(config: &'a Config, bfds: &'a HashSet<Name>, skipped: &'a HashSet<&'a str>) -> Self {
        let groups = config.virtual_server_groups.iter().map(|group| (&*group.name, group)).collect();
        let files = config.track_files.iter().map(|file| (&*file.name, file)).collect();
        Self { groups, files, bfds, skipped, global: &config.global }
    }

    /// The entries of a group, if there is one of the name.
    pub(super) fn entries(&self, group: &str) -> &'a [GroupEntry] {
        self.groups.get(group).map_or(&[], |group| &group.entries)
    }
}

/// What it serves; `None` when its group is missing or of another family (reported).
pub(super) fn serves(draft: &ServerDraft, defined: &Defined<'_>, context: &mut Context) -> Option<Serves> {
    let Target::Group(name) = &draft.target else {
        return Some(Serves(Some(draft.family.unwrap_or_else(|| family_of_tunnels(draft)))));
    };
    let Some(group) = defined.groups.get(&**name) else {
        if !defined.skipped.contains(&&**name) {
            context.report(
                Diagnostic::error(
                    "unknown-group",
                    format!("there is no `virtual_server_group` of the name `{name}`"),
                )
                .at(draft.at, "this virtual server is left out"),
            );
        }
        return None;
    };
    let families = Families::of(&group.entries);
    let left_out = |context: &mut Context, message: String| {
        context
            .report(Diagnostic::error("family-mix", message).at(draft.at, "this virtual server is left out"));
    };
    match (draft.family, families.v4, families.v6) {
        (None, true, true) => Some(Serves(None)),
        (Some(family), true, true) => {
            let other = if family == Family::Inet { Family::Inet6 } else { Family::Inet };
            let message = format!(
                "the group `{name}` has entries of {other}, which real servers of {family} can't serve"
            );
            let diagnostic = Diagnostic::warning("family-mix", message).at(draft.at, "nobody answers there");
            context.report(diagnostic.help(format!(
                "a group of its own for {other}, or tunnels, which reach servers of either family"
            )));
            Some(Serves(None))
        }
        (None, true, false) => Some(Serves(Some(Family::Inet))),
        (None, false, true) => Some(Serves(Some(Family::Inet6))),
        // Only marks without a family, and only tunnels.
        (None, false, false) => Some(Serves(Some(Family::Inet))),
        (Some(family), v4, v6) => {
            let other = if family == Family::Inet { v6 } else { v4 };
            if other {
                left_out(context, format!("this virtual server is {family}, but its group `{name}` is not"));
            }
            (!other).then_some(Serves(Some(family)))
        }
    }
}

/// The family of a firewall mark whose real servers are all reached by tunnels.
fn family_of_tunnels(draft: &ServerDraft) -> Family {
    let mut families = draft.sorry.iter().chain(&draft.reals).map(|real| Family::of(real.address));
    let first = families.next().unwrap_or(Family::Inet);
    if families.all(|family| family == first) { first } else { Family::Inet }
}

/// Which families the lines of a group name.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Families {
    pub(super) v4: bool,
    pub(super) v6: bool,
    /// There is a mark without a family.
    pub(super) unsaid: bool,
}

impl Families {
    pub(super) fn of(entries: &[GroupEntry]) -> Self {
        let mut families = Self::default();
        for entry in entries {
            let family = match entry {
                GroupEntry::Addresses { range, .. } => Some(Family::of(range.first)),
                GroupEntry::FwMark { family, .. } => *family,
            };
            match family {
                Some(Family::Inet) => families.v4 = true,
                Some(Family::Inet6) => families.v6 = true,
                None => families.unsaid = true,
            }
        }
        families
    }
}

/// The entries of its group, if it has one.
fn entries<'a>(draft: &ServerDraft, defined: &Defined<'a>) -> &'a [GroupEntry] {
    match &draft.target {
        Target::Group(name) => defined.entries(name),
        Target::Address(_) | Target::Mark(_) => &[],
    }
}

/// Checkers cannot rest while an address is not here if there are firewall marks, which are always everywhere.
pub(super) fn ha_suspend(draft: &ServerDraft, defined: &Defined<'_>, context: &mut Context) -> bool {
    let Some(span) = draft.ha_suspend else { return false };
    let marks = matches!(draft.target, Target::Mark(_))
        || entries(draft, defined).iter().any(|entry| matches!(entry, GroupEntry::FwMark { .. }));
    if marks {
        context.report(
            Diagnostic::error("conflict", "`ha_suspend` does not go with firewall marks")
                .at(span, "has no effect"),
        );
    }
    !marks
}

/// Does it have addresses, rather than only firewall marks?
fn has_addresses(draft: &ServerDraft, defined: &Defined<'_>) -> bool {
    match &draft.target {
        Target::Address(_) => true,
        Target::Mark(_) => false,
        Target::Group(_) => {
            entries(draft, defined).iter().any(|entry| matches!(entry, GroupEntry::Addresses { .. }))
        }
    }
}

pub(super) fn protocol(
    draft: &mut ServerDraft,
    defined: &Defined<'_>,
    name: &str,
    context: &mut Context,
) -> Protocol {
    if !has_addresses(draft, defined) {
        if let Some((_, span)) = draft.protocol {
            context.report(
                Diagnostic::warning("conflict", "a firewall mark has no `protocol`")
                    .changes()
                    .at(span, "has no effect"),
            );
        }
        return Protocol::Udp;
    }
    let protocol = match draft.protocol {
        Some((protocol, _)) => protocol,
        None if draft.bad.contains(&"protocol") => Protocol::Udp,
        None => {
            context.report(
                Diagnostic::warning("default-used", format!("the virtual server {name} has no `protocol`"))
                    .changes()
                    .at(draft.at, "UDP is used")
                    .help("for TCP, say so: `protocol TCP`"),
            );
            Protocol::Udp
        }
    };
    if let Some(span) = draft.one_packet.filter(|_| protocol != Protocol::Udp) {
        context.report(Diagnostic::error("conflict", "`ops` is for UDP only").at(span, "has no effect"));
        draft.flags.one_packet = false;
    }
    protocol
}

/// The files and sessions that a real server follows; each must be there, and no session twice. A number in a file may
/// be of no use to the scheduler.
pub(super) fn followed(
    real: &mut RealDraft,
    (alpha, blind_scheduler): (bool, Option<&str>),
    defined: &Defined<'_>,
    context: &mut Context,
) -> (Vec<FileCheck>, Vec<BfdCheck>) {
    let unknown = |what: &str, name: &Word, known: Vec<&str>, context: &mut Context| {
        context.report(
            Diagnostic::error("unknown-tracked", format!("there is no `{what}` of the name `{}`", name.text))
                .at(name.span, "left out")
                .suggest_nearest(name, known),
        );
    };
    let mut files = Vec::new();
    for check in std::mem::take(&mut real.file_checks) {
        match defined.files.get(&*check.name.text) {
            Some(file) => {
                let span = check.name.span;
                let check = check.resolve(file);
                if let Some(scheduler) = blind_scheduler.filter(|_| check.weight != 0) {
                    no_weights(span, scheduler, context);
                }
                files.push(check);
            }
            None => {
                let known = defined.files.keys().copied().collect();
                unknown("track_file", &check.name, known, context);
            }
        }
    }
    let mut sessions: Vec<BfdCheck> = Vec::new();
    for check in std::mem::take(&mut real.bfd_checks) {
        if !defined.bfds.contains(&*check.name.text) {
            unknown("bfd_instance", &check.name, defined.bfds.iter().map(|name| &**name).collect(), context);
        } else if sessions.iter().any(|other| *other.session == *check.name.text) {
            context.report(
                Diagnostic::error(
                    "duplicate-member",
                    format!("this real server follows `{}` already", check.name.text),
                )
                .at(check.name.span, "left out"),
            );
        } else {
            sessions.push(check.resolve(alpha));
        }
    }
    (files, sessions)
}

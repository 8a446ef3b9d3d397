//! What in a virtual server must fit together: families, protocol, scheduler, what its real servers follow.

use std::collections::HashSet;

use super::resolve_server::PERSISTENCE;
use super::server::{RealDraft, ServerDraft, Target};
use crate::diagnostics::Diagnostic;
use crate::model::{Config, Family, Forwarding, GroupEntry, Name, Protocol};
use crate::preprocess::Context;

/// The family that it serves; `None` when its group is missing or mixed (reported).
pub(super) fn family(
    draft: &mut ServerDraft,
    skipped: &[Box<str>],
    config: &Config,
    context: &mut Context,
) -> Option<Family> {
    let by_servers = |draft: &ServerDraft| {
        draft.reals.first().or(draft.sorry.as_ref()).map_or(Family::V4, |real| Family::of(real.address))
    };
    let family = match &draft.target {
        Target::Address(address) => Family::of(address.ip()),
        Target::Mark(_) => draft.family.map_or_else(|| by_servers(draft), |(family, _)| family),
        Target::Group(name) => {
            let Some(group) = config.virtual_server_groups.iter().find(|group| group.name == *name) else {
                if !skipped.iter().any(|skipped| **skipped == **name) {
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
            let mut families = group.entries.iter().filter_map(|entry| match entry {
                GroupEntry::Addresses { range, .. } => Some(Family::of(range.first)),
                GroupEntry::FwMark(_) => None,
            });
            families.next().or(draft.family.map(|(family, _)| family)).unwrap_or_else(|| by_servers(draft))
        }
    };
    if let Some((written, span)) = draft.family.filter(|(written, _)| *written != family) {
        context.report(
            Diagnostic::error(
                "family-mix",
                format!("`ip_family` says {written}, but the virtual server is {family}"),
            )
            .at(span, "has no effect"),
        );
    }
    Some(family)
}

/// Real and sorry servers of another family are left out, except for tunnels.
pub(super) fn check_families(draft: &mut ServerDraft, family: Family, name: &str, context: &mut Context) {
    let outer = draft.forwarding;
    let mut fits = |real: &RealDraft, what: &str| {
        let tunnel = real.forwarding.or(outer) == Some(Forwarding::Tun);
        let fits = tunnel || Family::of(real.address) == family;
        if !fits {
            context.report(
                Diagnostic::error(
                    "family-mix",
                    format!("the {what} {} is not {family} as its virtual server {name} is", real.address),
                )
                .at(real.at, "left out")
                .help("only `lvs_method TUN` can go from one family to the other"),
            );
        }
        fits
    };
    draft.reals.retain(|real| fits(real, "real server"));
    draft.sorry = draft.sorry.take().filter(|sorry| fits(sorry, "sorry server"));
    if let Some((_, _, span)) =
        draft.granularity.filter(|(length, v4, _)| (*v4 || *length > 32) && (*v4 != (family == Family::V4)))
    {
        context.report(
            Diagnostic::error("family-mix", format!("this `persistence_granularity` is not of {family}"))
                .at(span, "has no effect"),
        );
        draft.granularity = None;
    }
    if draft.granularity.is_some() && draft.persistence_timeout.is_none() {
        draft.persistence_timeout = Some(PERSISTENCE);
    }
}

/// Does it have addresses, rather than only firewall marks?
fn has_addresses(draft: &ServerDraft, config: &Config) -> bool {
    match &draft.target {
        Target::Address(_) => true,
        Target::Mark(_) => false,
        Target::Group(name) => config
            .virtual_server_groups
            .iter()
            .filter(|group| group.name == *name)
            .flat_map(|group| &group.entries)
            .any(|entry| matches!(entry, GroupEntry::Addresses { .. })),
    }
}

pub(super) fn protocol(
    draft: &mut ServerDraft,
    config: &Config,
    name: &str,
    context: &mut Context,
) -> Protocol {
    if !has_addresses(draft, config) {
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

/// What `FILE_CHECK` and `BFD_CHECK` follow must be there.
pub(super) fn check_tracked(
    draft: &mut ServerDraft,
    bfds: &HashSet<Name>,
    config: &Config,
    context: &mut Context,
) {
    for real in &mut draft.reals {
        real.tracked.retain(|(keyword, object)| {
            let name = &*object.name.text;
            let (known, what) = if *keyword == "BFD_CHECK" {
                (bfds.contains(name), "bfd_instance")
            } else {
                (config.track_files.iter().any(|file| &*file.name == name), "track_file")
            };
            if !known {
                context.report(
                    Diagnostic::error(
                        "unknown-tracked",
                        format!("there is no `{what}` of the name `{name}`"),
                    )
                    .at(object.name.span, "left out"),
                );
            }
            known
        });
    }
}

/// `sh-port` and the like go with their own scheduler only.
pub(super) fn scheduler_flags(draft: &mut ServerDraft, scheduler: &str, context: &mut Context) {
    for (keyword, wanted, span) in std::mem::take(&mut draft.scheduler_flags) {
        if scheduler != wanted {
            context.report(
                Diagnostic::error("conflict", format!("`{keyword}` goes with the scheduler {wanted} only"))
                    .at(span, format!("has no effect with {scheduler}")),
            );
        } else if keyword.ends_with("port") {
            draft.flags.sched_2 = true;
        } else {
            draft.flags.sched_1 = true;
        }
    }
}

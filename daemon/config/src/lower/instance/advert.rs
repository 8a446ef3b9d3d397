//! What goes into adverts and when: interval, addresses, preemption; and weights that cannot count.

use std::time::Duration;

use crate::diagnostics::{Diagnostic, Outcome};
use crate::model::{Family, InitialState, InterfaceAddress, Name, Priority, Tracking, VrrpVersion};
use crate::preprocess::Context;
use crate::schema::instance::InstanceDraft;
use crate::source::Span;

/// Most addresses that the count field of an advert has room for (RFC 9568 §5.2.5).
const MOST_ADDRESSES: usize = 255;
/// Most IPv6 addresses that fit into a packet of 1500 bytes, without what stands before them: Ethernet 14, IPv6 40,
/// VRRP 8 bytes.
const MOST_IPV6_ADDRESSES: usize = (1500 - 14 - 40 - 8) / 16;

/// The advert interval, as the version can say it.
pub(super) fn advert_int(draft: &InstanceDraft, version: VrrpVersion, context: &mut Context) -> Duration {
    let Some((written, span)) = draft.advert_int else { return Duration::from_secs(1) };
    let (unit, most, unit_text) = match version {
        VrrpVersion::V2 => (1_000_000, 255, "whole seconds"),
        VrrpVersion::V3 => (10_000, 4095, "hundredths of a second"),
    };
    let micros = written.as_micros() as u64;
    let units = (micros + unit / 2) / unit;
    let used = Duration::from_micros(units.clamp(1, most) * unit);
    if used != written {
        context.report(
            Diagnostic::error(
                "advert-int",
                format!(
                    "version {version} of VRRP has advert intervals in {unit_text}, up to {:?}",
                    Duration::from_micros(most * unit)
                ),
            )
            .at(span, format!("{used:?} is used")),
        );
    }
    used
}

/// `nopreempt` and `preempt_delay` beside the initial state and the owner's priority.
pub(super) fn check_preemption(
    draft: &mut InstanceDraft,
    state: InitialState,
    priority: Priority,
    strict: bool,
    context: &mut Context,
) {
    let master = state == InitialState::Master;
    let mut conflict = |span: Span, message: String| {
        context.report(Diagnostic::error("conflict", message).at(span, "has no effect"));
    };
    if let Some(span) = draft.nopreempt {
        if priority == Priority::OWNER {
            conflict(span, "`nopreempt` does not go with priority 255".into());
            draft.nopreempt = None;
        } else if master {
            conflict(span, "`nopreempt` does not go with `state MASTER`".into());
            draft.nopreempt = None;
        }
    }
    if let Some((_, span)) = draft.preempt_delay.filter(|(delay, _)| !delay.is_zero()) {
        let against = if master {
            Some("`state MASTER`")
        } else if strict {
            Some("strict mode")
        } else if draft.nopreempt.is_some() {
            Some("`nopreempt`")
        } else {
            None
        };
        if let Some(against) = against {
            conflict(span, format!("`preempt_delay` does not go with {against}"));
            draft.preempt_delay = None;
        }
    }
}

/// Advertised and other addresses; `None` when the instance cannot run without.
pub(super) fn addresses(
    draft: &mut InstanceDraft,
    (family, version, strict): (Family, VrrpVersion, bool),
    context: &mut Context,
) -> Option<(Vec<InterfaceAddress>, Vec<InterfaceAddress>)> {
    let take = |list: &mut Vec<(InterfaceAddress, Span)>| -> Vec<InterfaceAddress> {
        list.drain(..).map(|(address, _)| address).collect()
    };
    let mut advertised = take(&mut draft.addresses);
    let mut excluded = take(&mut draft.excluded);
    let most = match family {
        Family::Inet => MOST_ADDRESSES,
        Family::Inet6 => MOST_IPV6_ADDRESSES,
    };
    if advertised.len() > most {
        context.report(
            Diagnostic::error(
                "too-many-addresses",
                format!(
                    "an advert of `{}` has room for {most} addresses of {}",
                    draft.name,
                    advertised.len()
                ),
            )
            .at(draft.at, "the rest is moved to the excluded addresses"),
        );
        excluded.append(&mut advertised.split_off(most));
    }
    if !advertised.is_empty() || draft.no_virtual_ipaddress.is_some() {
        return Some((advertised, excluded));
    }
    // Version 3 cannot do without any (RFC 9568 §5.2.5).
    let needs_one = version == VrrpVersion::V3 || strict;
    if draft.addresses_written || draft.bad.contains(&"virtual_ipaddress") {
        // What is wrong with them was said.
        if needs_one {
            context.leads_to(Outcome::CannotRun);
        }
        return (!needs_one).then_some((advertised, excluded));
    }
    let message = format!("`{}` has no virtual addresses", draft.name);
    if needs_one {
        let diagnostic = Diagnostic::error("no-addresses", message).fatal();
        context.report(diagnostic.at(draft.at, "this instance cannot run"));
        return None;
    }
    let diagnostic =
        Diagnostic::warning("no-addresses", message).changes().at(draft.at, "nothing to take over");
    context.report(diagnostic.help("`no_virtual_ipaddress` says that this is meant so"));
    Some((advertised, excluded))
}

/// An instance follows its own interface anyway (or does not, by `dont_track_primary`): tracking it is left out.
pub(super) fn drop_own_interface(
    tracking: &mut Tracking,
    (name, own): (&str, Option<&Name>),
    at: Span,
    context: &mut Context,
) {
    let before = tracking.interfaces.len();
    tracking.interfaces.retain(|tracked| Some(&tracked.name) != own);
    if tracking.interfaces.len() != before {
        context.report(
            Diagnostic::warning("own-interface", format!("`{name}` tracks its own interface"))
                .changes()
                .at(at, "left out: it follows that one anyway"),
        );
    }
}

/// Why an instance may not have weights.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Weightless {
    /// It is in a sync group without `sync_group_tracking_weight`.
    Grouped,
    /// It has priority 255.
    Owner,
    /// It has `state MASTER` and no priority.
    OwnerByState,
}

/// Takes the weights from what a grouped instance or an owner tracks, as keepalived does: its priority must not change. What
/// becomes of each is said.
pub(super) fn drop_weights(
    tracking: &mut Tracking,
    name: &str,
    at: Span,
    why: Weightless,
    context: &mut Context,
) {
    let grouped = why == Weightless::Grouped;
    let (mut faults, mut out): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let Tracking { interfaces, scripts, files, bfds, processes: _ } = tracking;
    let lists = [
        ("interface", interfaces, grouped),
        ("script", scripts, false),
        ("file", files, false),
        ("BFD session", bfds, false),
    ];
    for (kind, list, all_stay) in lists {
        list.retain_mut(|tracked| {
            if tracked.weight == 0 {
                return true;
            }
            // 1 is what a file has without being told.
            let stays = all_stay || (kind == "file" && tracked.weight == 1);
            let becomes = if stays { &mut faults } else { &mut out };
            becomes.push(format!("{kind} `{}`", tracked.name));
            tracked.weight = 0;
            stays
        });
    }
    let is_are = |list: &[String], what: &str| match list {
        [] => None,
        [one] => Some(format!("{one} is {what}")),
        more => Some(format!("{} are {what}", more.join(", "))),
    };
    let parts = [is_are(&faults, "tracked without weight (a failure is a fault)"), is_are(&out, "left out")];
    let label = parts.into_iter().flatten().collect::<Vec<_>>().join("; ");
    if !label.is_empty() {
        let (why, mend) = match why {
            Weightless::Grouped => {
                ("a member of a sync group", "`sync_group_tracking_weight` in the group allows them")
            }
            Weightless::Owner => ("the owner (priority 255)", "the priority of an owner can't change"),
            Weightless::OwnerByState => (
                "the owner (priority 255)",
                "`state MASTER` without a `priority` means 255, which can't change: give it a `priority`",
            ),
        };
        context.report(
            Diagnostic::error("weight-ignored", format!("`{name}` is {why} and cannot track with weights"))
                .at(at, label)
                .help(mend),
        );
    }
}

//! What goes into adverts and when: interval, addresses, preemption; and weights that cannot count.

use std::time::Duration;

use super::instance::InstanceDraft;
use crate::diagnostics::{Diagnostic, Outcome};
use crate::model::{Family, InitialState, Instance, InterfaceAddress, Priority, VrrpVersion};
use crate::preprocess::Context;
use crate::source::Span;

/// Most addresses that the count field of an advert has room for (RFC 9568 §5.2.5).
const MOST_ADDRESSES: usize = 255;

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
    family: Family,
    version: VrrpVersion,
    context: &mut Context,
) -> Option<(Vec<InterfaceAddress>, Vec<InterfaceAddress>)> {
    let strict = draft.strict.unwrap_or(false);
    let mut advertised: Vec<InterfaceAddress> = Vec::with_capacity(draft.addresses.len());
    let mut excluded = Vec::with_capacity(draft.excluded.len());
    for (address, span) in draft.addresses.drain(..) {
        if Family::of(address.address) != family {
            context.report(
                Diagnostic::error(
                    "family-mix",
                    format!("{address} is not {family} as the adverts of `{}` are", draft.name),
                )
                .at(span, "moved to the excluded addresses")
                .help("addresses of the other family go into `virtual_ipaddress_excluded`"),
            );
            excluded.push(address);
        } else {
            advertised.push(address);
        }
    }
    excluded.extend(draft.excluded.drain(..).map(|(address, _)| address));
    if advertised.len() > MOST_ADDRESSES {
        context.report(
            Diagnostic::error(
                "too-many-addresses",
                format!("`{}` has more than {MOST_ADDRESSES} addresses", draft.name),
            )
            .at(draft.at, "the rest is moved to the excluded addresses"),
        );
        let rest = advertised.split_off(MOST_ADDRESSES);
        excluded.splice(0..0, rest);
    }
    if advertised.is_empty() && draft.addresses_written {
        // What is wrong with them was said; version 3 cannot do without any (RFC 9568 §5.2.5).
        if version == VrrpVersion::V3 || strict {
            context.leads_to(Outcome::CannotRun);
            return None;
        }
    } else if advertised.is_empty() && draft.no_virtual_ipaddress.is_none() {
        let diagnostic =
            Diagnostic::error("no-addresses", format!("`{}` has no virtual addresses", draft.name));
        if version == VrrpVersion::V3 || strict {
            context.report(diagnostic.fatal().at(draft.at, "this instance cannot run"));
            return None;
        }
        context.report(
            Diagnostic { severity: crate::diagnostics::Severity::Warning, ..diagnostic }
                .at(draft.at, "nothing to take over"),
        );
    }
    Some((advertised, excluded))
}

/// An instance follows its own interface anyway (or does not, by `dont_track_primary`): tracking it is left out.
pub(super) fn drop_own_interface(instance: &mut Instance, at: Span, context: &mut Context) {
    let before = instance.track_interfaces.len();
    let own = instance.interface.clone();
    instance.track_interfaces.retain(|tracked| Some(&tracked.interface) != own.as_ref());
    if instance.track_interfaces.len() != before {
        context.report(
            Diagnostic::warning("own-interface", format!("`{}` tracks its own interface", instance.name))
                .changes()
                .at(at, "left out: it follows that one anyway"),
        );
    }
}

/// Takes the weights from what a grouped instance or an owner tracks: its priority must not change.
pub(super) fn drop_weights(instance: &mut Instance, at: Span, grouped: bool, context: &mut Context) {
    let mut weighted = false;
    for interface in &mut instance.track_interfaces {
        weighted |= interface.weight != 0;
        if grouped {
            interface.weight = 0;
        }
    }
    if !grouped {
        instance.track_interfaces.retain(|interface| interface.weight == 0);
    }
    for list in [&mut instance.track_scripts, &mut instance.track_processes, &mut instance.track_bfds] {
        let before = list.len();
        list.retain(|object| object.weight == 0);
        weighted |= list.len() != before;
    }
    let before = instance.track_files.len();
    instance.track_files.retain(|file| matches!(file.weight, 0 | 1));
    weighted |= instance.track_files.len() != before;
    for file in &mut instance.track_files {
        weighted |= file.weight != 0;
        file.weight = 0;
    }
    if weighted {
        let why = if grouped { "a member of a sync group" } else { "the owner (priority 255)" };
        context.report(
            Diagnostic::error(
                "weight-ignored",
                format!("`{}` is {why} and cannot track with weights", instance.name),
            )
            .at(at, "its weighted trackers are left out")
            .help("`sync_group_tracking_weight` in the group allows them"),
        );
    }
}

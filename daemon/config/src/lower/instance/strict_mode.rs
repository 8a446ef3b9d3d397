//! What `strict_mode` (or `vrrp_strict`) does not go with: keepalived leaves it out and says so, and so do we.

use crate::diagnostics::Diagnostic;
use crate::link_local::is_link_local;
use crate::model::{Family, Global, Priority, VrrpVersion};
use crate::preprocess::Context;
use crate::schema::instance::InstanceDraft;
use crate::source::Span;

/// Adverts that may be missed before the master counts as dead (RFC 9568 §6.1, Active_Down_Interval).
const DOWN_TIMER_ADVERTS: u8 = 3;

/// Takes out of the draft what strict mode does not allow. State, authentication, version and `preempt_delay` are
/// looked at where they are settled.
pub(super) fn check(
    draft: &mut InstanceDraft,
    strict: bool,
    version: VrrpVersion,
    priority: Priority,
    context: &mut Context,
) {
    if !strict {
        return;
    }
    let mut leave_out = |keyword: &str, span: Span, instead: &str| {
        context.report(
            Diagnostic::error("strict", format!("strict mode does not go with `{keyword}`"))
                .at(span, instead.to_owned()),
        );
    };
    let garp = draft.garp.make_mut();
    if let Some((_, span)) = garp.lower_repeat.take_if(|(number, _)| *number != 0) {
        leave_out("garp_lower_prio_repeat", span, "0 is used");
    }
    if let Some((_, span)) = garp.lower_delay.take_if(|(delay, _)| !delay.is_zero()) {
        leave_out("garp_lower_prio_delay", span, "0 is used");
    }
    if let Some((_, span)) = draft.lower_prio_no_advert.take_if(|(on, _)| !*on) {
        leave_out("lower_prio_no_advert off", span, "on is used");
    }
    if let Some((_, span)) = draft.higher_prio_send_advert.take_if(|(on, _)| *on) {
        leave_out("higher_prio_send_advert", span, "off is used");
    }
    let owner = priority == Priority::OWNER;
    if version == VrrpVersion::V2
        && !owner
        && let Some((_, span)) = draft.accept.take_if(|(on, _)| *on)
    {
        leave_out("accept", span, "only the owner answers packets to the addresses (RFC 3768 §6.4.3)");
    }
    // Without any address, that is what is said.
    if let Some(span) = draft.no_virtual_ipaddress.take().filter(|_| !draft.addresses.is_empty()) {
        leave_out("no_virtual_ipaddress", span, "left out");
    }
    if let Some((address, span)) = draft.addresses.first()
        && Family::of(address.address) == Family::Inet6
        && !is_link_local(address.address)
    {
        let message = "in strict mode the first IPv6 address is a link-local one (RFC 9568 §5.2.9)";
        context.report(Diagnostic::error("strict", message).at(*span, "not link-local"));
    }
}

/// `down_timer_adverts`, else the general one; strict mode has that of the RFC.
pub(super) fn down_timer_adverts(
    draft: &InstanceDraft,
    strict: bool,
    global: &Global,
    context: &mut Context,
) -> u8 {
    let (number, at) = draft.down_timer_adverts.unwrap_or((global.vrrp_down_timer_adverts, draft.at));
    if !strict || number == DOWN_TIMER_ADVERTS {
        return number;
    }
    context.report(
        Diagnostic::error("strict", format!("strict mode does not go with `down_timer_adverts {number}`"))
            .at(at, format!("{DOWN_TIMER_ADVERTS} is used")),
    );
    DOWN_TIMER_ADVERTS
}

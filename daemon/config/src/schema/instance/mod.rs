//! `vrrp_instance`: what each of its keywords does to the draft of it, by what they are about: how it is elected and runs
//! (here), how its adverts are authenticated (`auth`), its `addresses`, the `path` of adverts, an interface of its own
//! (`vmac`), gratuitous ARP (`garp`); and what it has in common with groups.

mod addresses;
pub(crate) mod auth;
mod draft;
pub(crate) mod garp;
mod path;
mod vmac;

use self::addresses::ADDRESSES;
use self::auth::AUTHENTICATED;
pub(crate) use self::draft::{InstanceDraft, KindDraft, VmacDraft};
use self::garp::GARP;
use self::path::PATH;
use self::vmac::VMAC;
use super::bounds::U32;
use super::compose::compose;
use super::entry::{Block, keywords_of};
use super::notify::{self, NOTIFY, PRIORITY_CHANGES, SMTP_ALERT};
use super::track::following::FOLLOWING;
use super::{Keyword, Kind, flag, kw, one, opt, switch};
use crate::diagnostics::Diagnostic;
use crate::model::{Family, InitialState, Priority, VrrpVersion};
use crate::preprocess::Context;
use crate::tree::Node;

/// Which virtual router it is, and how it is elected.
const ELECTION: Block<InstanceDraft> = Block(&[
    kw(
        "state",
        &[one("STATE", Kind::Choice(&["MASTER", "BACKUP"]))],
        "State to begin in; it decides nothing after the first election.",
    )
    .default("BACKUP, or MASTER with priority 255")
    // It says more of a second one itself; so does `version`.
    .repeats()
    .example("state MASTER")
    .sets(InstanceDraft::state),
    kw("interface", &[one("INTERFACE", Kind::Interface)], "Interface that adverts use and addresses go on.")
        .example("interface eth0")
        .sets(InstanceDraft::interface),
    kw(
        "virtual_router_id",
        &[one("ID", Kind::Int(1, 255))],
        "Number of the virtual router, the same on all its routers.",
    )
    .example("virtual_router_id 51")
    .sets(|to, node, _| to.vrid = node.placed(node.number(0))),
    kw(
        "priority",
        &[one("PRIORITY", Kind::Int(1, 255))],
        "The highest becomes master; 255 is the owner of the addresses.",
    )
    .default("100, or 255 with state MASTER")
    .example("priority 150")
    .sets_or(
        |to, node, _| to.priority = node.placed(node.number(0)),
        // One that is out of range becomes the default, not the owner's.
        |to, node, _| to.priority = Some((Priority::DEFAULT.0, node.name.span)),
    ),
    kw(
        "advert_int",
        &[one("SECONDS", Kind::Seconds(10_000, 255_000_000))],
        "Time between adverts: whole seconds in version 2, hundredths in version 3.",
    )
    .default("1")
    .example("advert_int 2")
    .sets(|to, node, _| to.advert_int = node.placed(node.seconds(0))),
    kw("version", &[one("VERSION", Kind::Int(2, 3))], "Version of VRRP.")
        .repeats()
        .default("vrrp_version; 3 for IPv6")
        .example("version 3")
        .sets(InstanceDraft::version),
    flag("nopreempt", "Leave a master of lower priority alone.")
        .example("nopreempt")
        .sets(|to, node, _| to.nopreempt = Some(node.name.span)),
    flag("preempt", "Take over from a master of lower priority.")
        .default("on")
        .example("preempt")
        .sets(|to, _, _| to.nopreempt = None),
    kw(
        "preempt_delay",
        &[one("SECONDS", Kind::Seconds(0, 1_000_000_000))],
        "How long to wait before preempting.",
    )
    .default("0")
    .example("preempt_delay 30")
    .sets(|to, node, _| to.preempt_delay = node.placed(node.seconds(0))),
    kw(
        "down_timer_adverts",
        &[one("NUMBER", Kind::Int(1, 100))],
        "Adverts missed before the master counts as dead.",
    )
    .default("vrrp_down_timer_adverts")
    .example("down_timer_adverts 4")
    .sets(|to, node, _| to.down_timer_adverts = node.placed(node.number(0))),
    kw(
        "timer_expired_backup",
        &[opt("PRIORITY", Kind::Int(1, 254))],
        "Become backup rather than master when the timer ran out late.",
    )
    .example("timer_expired_backup 120")
    .sets(InstanceDraft::timer_expired),
    kw(
        "thread_timer_expired",
        &[opt("PRIORITY", Kind::Int(1, 254))],
        "Become backup rather than master when the timer ran out late.",
    )
    .replaced_by("timer_expired_backup")
    .example("thread_timer_expired")
    .sets(InstanceDraft::timer_expired),
    switch("lower_prio_no_advert", "No advert in answer to a lower priority.")
        .default("vrrp_lower_prio_no_advert")
        .example("lower_prio_no_advert")
        .sets(|to, node, _| to.lower_prio_no_advert = Some((node.on(), node.name.span))),
    switch("higher_prio_send_advert", "One more advert before yielding to a higher priority.")
        .default("vrrp_higher_prio_send_advert")
        .example("higher_prio_send_advert")
        .sets(|to, node, _| to.higher_prio_send_advert = Some((node.on(), node.name.span))),
    switch("owner_ignore_adverts", "The owner does not look at adverts.")
        .default("vrrp_owner_ignore_adverts")
        .example("owner_ignore_adverts")
        .sets(|to, node, _| to.owner_ignore_adverts = Some((node.on(), node.name.span))),
]);

/// The rest that it says of itself.
const OTHERS: Block<InstanceDraft> = Block(&[
    flag("native_ipv6", "Adverts by IPv6 even with no IPv6 address first.")
        .example("native_ipv6")
        .sets(InstanceDraft::native_ipv6),
    flag("dont_track_primary", "Ignore the state of `interface`.")
        .example("dont_track_primary")
        .sets(|to, _, _| to.dont_track_primary = true),
    flag("linkbeat_use_polling", "Poll the link.")
        .replaced_by("linkbeat_interfaces")
        .example("linkbeat_use_polling")
        .sets(|to, _, _| to.poll_link = true),
    switch("v3_checksum_as_v2", "No pseudo-header in the checksum of version 3 over IPv4.")
        .default("v3_checksum_as_v2 of global_defs")
        .example("v3_checksum_as_v2 on")
        .sets(|to, node, _| to.v3_checksum_as_v2 = Some(node.on())),
    flag("accept", "Answer packets to the addresses.")
        .default("on, unless strict")
        .example("accept")
        .sets(|to, node, _| to.accept = Some((true, node.name.span))),
    flag("no_accept", "Drop packets to the addresses.")
        .example("no_accept")
        .sets(|to, node, _| to.accept = Some((false, node.name.span))),
    switch("skip_check_adv_addr", "Check the address list of a master's adverts only once.")
        .default("vrrp_skip_check_adv_addr")
        .example("skip_check_adv_addr")
        .sets(|to, node, _| to.skip_check_adv_addr = Some(node.on())),
    switch("strict_mode", "Keep to the RFC.")
        .default("vrrp_strict")
        .example("strict_mode")
        .sets(|to, node, _| to.strict = Some(node.on())),
    kw(
        "debug",
        &[one("LEVEL", Kind::Int(0, 4))],
        "A line of the dump (`keepalived.data`) and no more: nothing is logged by it.",
    )
    .default("0")
    .example("debug 0")
    .sets(|to, node, _| to.debug = node.number(0).unwrap_or(0)),
    SMTP_ALERT.sets(|to, node, _| to.smtp_alert = Some(node.on())),
    PRIORITY_CHANGES
        .default("its sync group's, else vrrp_notify_priority_changes")
        .sets(|to, node, _| to.notify_priority_changes = Some(node.on())),
    kw(
        "lvs_sync_daemon_interface",
        &[one("INTERFACE", Kind::Interface)],
        "Interface of the IPVS connection synchronisation that follows this instance; `lvs_sync_daemon` in global_defs says more.",
    )
    .old(&["lvs_sync_daemon_inteface"])
    .superseded_by("`lvs_sync_daemon` in `global_defs`")
    .example("lvs_sync_daemon_interface eth1")
    .first_counts()
    .sets(|to, node, _| to.lvs_sync_daemon_interface = node.text(0)),
    kw("kernel_rx_buf_size", &[one("BYTES", Kind::Int(0, U32))], "Receive buffer of the socket.")
        .default("as vrrp_rx_bufs_policy has it")
        .example("kernel_rx_buf_size 1000000")
        .exact()
        .sets(|to, node, _| to.kernel_rx_buf_size = node.number(0)),
]);

/// `vrrp_instance NAME { … }`.
pub(super) const INSTANCE: &[Keyword] = compose!(
    keywords_of!(ELECTION),
    keywords_of!(AUTHENTICATED),
    keywords_of!(ADDRESSES),
    keywords_of!(PATH),
    keywords_of!(VMAC),
    keywords_of!(FOLLOWING),
    keywords_of!(OTHERS),
    keywords_of!(NOTIFY),
    keywords_of!(notify::OF_INSTANCE),
    keywords_of!(GARP),
);

impl InstanceDraft {
    /// Takes the keywords of its block.
    pub(crate) fn read(&mut self, node: &Node, context: &mut Context) {
        self.bad = node.bad_children();
        for child in &node.children {
            let _ = ELECTION.take(self, child, context)
                || ADDRESSES.take(self, child, context)
                || PATH.take(self, child, context)
                || VMAC.take(self, child, context)
                || FOLLOWING.take(&mut self.following, child, context)
                || OTHERS.take(self, child, context)
                || NOTIFY.take(&mut self.notify, child, context)
                || notify::OF_INSTANCE.take(&mut self.notify, child, context)
                || GARP.take(&mut self.garp, child, context)
                || AUTHENTICATED.take(self, child, context);
        }
    }

    /// `state`; MASTER stays once it is said.
    fn state(&mut self, node: &Node, context: &mut Context) {
        let at = node.arg_span(0);
        match (node.arg(0) == Some("MASTER"), self.state) {
            (false, Some((InitialState::Master, first))) => {
                let diagnostic =
                    Diagnostic::error("conflict", "`state` was MASTER before").at(at, "has no effect");
                context.report(diagnostic.also(first, "here"));
            }
            (is_master, before) => {
                if let Some((_, first)) = before {
                    let diagnostic = Diagnostic::warning("duplicate-keyword", "`state` was given before");
                    context.report(diagnostic.at(node.name.span, "this one counts").also(first, "here"));
                }
                let state = if is_master { InitialState::Master } else { InitialState::Backup };
                self.state = Some((state, at));
            }
        }
    }

    fn interface(&mut self, node: &Node, context: &mut Context) {
        if node.arg(0) != Some("lo") {
            self.interface = node.text(0);
            return;
        }
        let diagnostic =
            Diagnostic::error("invalid-value", "virtual routers can't be on the loopback interface");
        context.report(diagnostic.at(node.arg_span(0), "left out"));
        self.interface = None;
        self.bad.push(node.keyword.name);
    }

    /// The version must fit what is known so far; IPv6 that is known already has version 3.
    fn version(&mut self, node: &Node, context: &mut Context) {
        let version = if node.int(0) == Some(3) { VrrpVersion::V3 } else { VrrpVersion::V2 };
        let settled = match self.version {
            Some((settled, _)) => Some(settled),
            None => (self.family == Some(Family::Inet6) && !self.family_is_meant).then_some(VrrpVersion::V3),
        };
        match settled.filter(|settled| *settled != version) {
            Some(settled) => {
                let message = format!("`{}` is of version {settled} already", self.name);
                context.report(Diagnostic::error("conflict", message).at(node.arg_span(0), "has no effect"));
            }
            None => self.version = Some((version, node.arg_span(0))),
        }
    }

    fn native_ipv6(&mut self, node: &Node, context: &mut Context) {
        if self.family == Some(Family::Inet) {
            let message = format!("`native_ipv6` comes after what says that `{}` is of IPv4", self.name);
            context.report(Diagnostic::error("family-mix", message).at(node.name.span, "has no effect"));
            return;
        }
        (self.family, self.family_is_meant) = (Some(Family::Inet6), false);
        self.version = Some((VrrpVersion::V3, node.name.span));
    }

    /// Without a value it is the highest that is not the owner's: the shortest wait.
    fn timer_expired(&mut self, node: &Node, _: &mut Context) {
        let priority = node.number(0).unwrap_or(Priority::OWNER.0 - 1);
        self.timer_expired = Some((Priority(priority), node.name.span));
    }
}

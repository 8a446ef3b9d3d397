//! Groups of instances and of interfaces.

use std::time::Duration;

use super::bounds::MICROS;
use super::compose::compose;
use super::entry::{Block, keywords_of};
use super::notify::{NOTIFY, PRIORITY_CHANGES, SMTP_ALERT};
use super::track::following::{FOLLOWING, FollowingDraft};
use super::{Keyword, Kind, flag, kw, one};
use crate::diagnostics::Diagnostic;
use crate::model::{Name, Notify, Rare};
use crate::preprocess::Context;
use crate::source::Span;
use crate::tree::Node;
use crate::words::Word;

/// A sync group as written.
#[derive(Debug, Default)]
pub(crate) struct GroupDraft {
    pub(crate) name: Name,
    pub(crate) at: Span,
    pub(crate) members: Vec<Word>,
    pub(crate) smtp_alert: Option<bool>,
    pub(crate) notify: Rare<Notify>,
    pub(crate) notify_priority_changes: Option<bool>,
    pub(crate) tracking_weight: bool,
    pub(crate) global_tracking: bool,
    pub(crate) following: FollowingDraft,
}

const GROUP: Keyword = kw("group", &[], "The instances of the group.").lines("INSTANCE …");

/// The words of all lines.
fn words(node: &Node) -> Vec<Word> {
    node.lines.iter().flatten().cloned().collect()
}

/// What a sync group says of itself.
const OF_GROUP: Block<GroupDraft> = Block(&[
    GROUP
        .example("group {\n    VI_1\n    VI_2\n}")
        .first_counts()
        .sets(|to, node, _| to.members = words(node)),
    SMTP_ALERT.sets(|to, node, _| to.smtp_alert = Some(node.on())),
    flag("global_tracking", "Tracking by the group only.")
        .replaced_by("sync_group_tracking_weight")
        .example("global_tracking")
        .sets(|to, _, _| (to.global_tracking, to.tracking_weight) = (true, true)),
    flag("sync_group_tracking_weight", "Members may track with weights and keep different priorities.")
        .example("sync_group_tracking_weight")
        .sets(|to, _, _| to.tracking_weight = true),
    PRIORITY_CHANGES
        .default("vrrp_notify_priority_changes")
        .sets(|to, node, _| to.notify_priority_changes = Some(node.on())),
]);

/// `vrrp_sync_group NAME { … }`.
pub(super) const SYNC_GROUP: &[Keyword] =
    compose!(keywords_of!(OF_GROUP), keywords_of!(FOLLOWING), keywords_of!(NOTIFY));

impl GroupDraft {
    /// Takes the keywords of its block.
    pub(crate) fn read(&mut self, node: &Node, context: &mut Context) {
        for child in &node.children {
            let _ = OF_GROUP.take(self, child, context)
                || FOLLOWING.take(&mut self.following, child, context)
                || NOTIFY.take(&mut self.notify, child, context);
        }
    }
}

/// `track_group NAME { … }`: its members; `None` when none are written.
pub(crate) const STATIC_TRACK_GROUP: Block<Option<Vec<Word>>> =
    Block(&[GROUP.example("group {\n    VI_1\n}").first_counts().sets(|to, node, context| {
        if to.is_none() {
            *to = Some(words(node));
            return;
        }
        let diagnostic = Diagnostic::error("duplicate-keyword", "`group` was given before");
        context.report(diagnostic.at(node.name.span, "this one is left out"));
    })]);

/// A group of interfaces with limits in common, as written.
#[derive(Debug, Default)]
pub(crate) struct GarpGroupDraft {
    pub(crate) interval: Option<Duration>,
    pub(crate) gna_interval: Option<Duration>,
    /// As often as they are named.
    pub(crate) interfaces: Vec<Word>,
}

/// `garp_group { … }`.
pub(crate) const GARP_GROUP: Block<GarpGroupDraft> = Block(&[
    kw(
        "garp_interval",
        &[one("SECONDS", Kind::Seconds(0, MICROS))],
        "Least time between gratuitous ARP messages.",
    )
    .example("garp_interval 0.1")
    .sets(|to, node, _| to.interval = node.seconds(0)),
    kw(
        "gna_interval",
        &[one("SECONDS", Kind::Seconds(0, MICROS))],
        "Least time between unsolicited neighbour advertisements.",
    )
    .example("gna_interval 0.1")
    .sets(|to, node, _| to.gna_interval = node.seconds(0)),
    kw("interface", &[one("INTERFACE", Kind::Interface)], "The interface of the group.")
        .repeats()
        .example("interface eth0")
        .sets(|to, node, _| to.interfaces.extend(node.args.first().cloned())),
    kw("interfaces", &[], "The interfaces that share the limits.")
        .lines("INTERFACE …")
        .example("interfaces {\n    eth0\n    eth1\n}")
        .sets(|to, node, context| {
            if node.lines.is_empty() {
                let diagnostic = Diagnostic::error("missing-value", "`interfaces` names none");
                context.report(diagnostic.at(node.name.span, "nothing to share the limits"));
            }
            to.interfaces.extend(words(node));
        }),
]);

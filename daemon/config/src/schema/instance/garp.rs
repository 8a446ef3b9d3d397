//! Gratuitous ARP of an instance: delays and repeats.

use std::time::Duration;

use crate::diagnostics::Diagnostic;
use crate::line_values::line_number;
use crate::model::{GarpExtraInterfaces, Rare, Usual};
use crate::preprocess::Context;
use crate::schema::bounds::{DAY, I32, SECS, U32};
use crate::schema::entry::Block;
use crate::schema::{Kind, kw, one, some};
use crate::source::Placed;
use crate::tree::Node;

/// As written; what is `None` is as in `global_defs`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct GarpDraft {
    pub(crate) delay: Option<Duration>,
    pub(crate) repeat: Option<u32>,
    pub(crate) refresh: Option<Duration>,
    pub(crate) refresh_repeat: Option<u32>,
    pub(crate) lower_delay: Placed<Duration>,
    pub(crate) lower_repeat: Placed<u32>,
    pub(crate) extra: Option<GarpExtraInterfaces>,
}

impl Usual for GarpDraft {
    fn usual() -> &'static Self {
        static USUAL: GarpDraft = GarpDraft {
            delay: None,
            repeat: None,
            refresh: None,
            refresh_repeat: None,
            lower_delay: None,
            lower_repeat: None,
            extra: None,
        };
        &USUAL
    }
}

/// What it says of gratuitous ARP.
pub(super) const GARP: Block<Rare<GarpDraft>> = Block(&[
    kw(
        "garp_master_delay",
        &[one("SECONDS", Kind::Int(0, SECS))],
        "From becoming master to the second burst of gratuitous ARP.",
    )
    .default("vrrp_garp_master_delay")
    .example("garp_master_delay 10")
    .sets(|to, node, _| to.make_mut().delay = node.whole_seconds(0)),
    kw("garp_master_repeat", &[one("NUMBER", Kind::Int(0, U32))], "Messages per address in each burst.")
        .default("vrrp_garp_master_repeat")
        .example("garp_master_repeat 3")
        .sets(|to, node, context| to.make_mut().repeat = at_least_one(node, context)),
    kw(
        "garp_master_refresh",
        &[one("SECONDS", Kind::Int(0, U32))],
        "Period of refreshing gratuitous ARP while master.",
    )
    .default("vrrp_garp_master_refresh")
    .example("garp_master_refresh 60")
    .sets(|to, node, _| to.make_mut().refresh = node.whole_seconds(0)),
    kw(
        "garp_master_refresh_repeat",
        &[one("NUMBER", Kind::Int(0, U32))],
        "Messages per address in each refresh.",
    )
    .default("vrrp_garp_master_refresh_repeat")
    .example("garp_master_refresh_repeat 2")
    .sets(|to, node, context| to.make_mut().refresh_repeat = at_least_one(node, context)),
    kw(
        "garp_lower_prio_delay",
        &[one("SECONDS", Kind::Int(0, SECS))],
        "Delay of the second burst after a lower priority was heard.",
    )
    .default("vrrp_garp_lower_prio_delay; 0 in strict mode")
    .example("garp_lower_prio_delay 10")
    .sets(|to, node, _| to.make_mut().lower_delay = node.placed(node.whole_seconds(0))),
    kw(
        "garp_lower_prio_repeat",
        &[one("NUMBER", Kind::Int(0, I32))],
        "Messages per address after a lower priority was heard.",
    )
    .default("vrrp_garp_lower_prio_repeat; 0 in strict mode")
    .example("garp_lower_prio_repeat 1")
    .sets(|to, node, _| to.make_mut().lower_repeat = node.placed(node.number(0))),
    kw(
        "garp_extra_if",
        &[some("[all] SECONDS", Kind::Word)],
        "Repeat gratuitous ARP on interfaces other than the instance's.",
    )
    .old(&["vmac_garp_intvl"])
    .default("vrrp_garp_extra_if")
    .example("garp_extra_if all 100")
    .sets(|to, node, context| {
        if let Some(extra) = extra_interfaces(node, 0, context) {
            to.make_mut().extra = Some(extra);
        }
    }),
]);

/// A number of repeats; 0 becomes 1, as in keepalived (reported).
pub(crate) fn at_least_one(node: &Node, context: &mut Context) -> Option<u32> {
    let number: u32 = node.number(0)?;
    if number == 0 {
        context.report(
            Diagnostic::error("out-of-range", format!("`{}` must be 1 or more", node.keyword.name))
                .at(node.arg_span(0), "1 is used"),
        );
    }
    Some(number.max(1))
}

/// `[all] SECONDS` of `garp_extra_if` and `vrrp_garp_extra_if`; `None` when it is left out (reported).
pub(crate) fn extra_interfaces(
    node: &Node,
    least: i64,
    context: &mut Context,
) -> Option<GarpExtraInterfaces> {
    let (mut all, mut every) = (false, None);
    for word in &node.args {
        match &*word.text {
            "all" => all = true,
            _ => every = Some(line_number(word, least, DAY, node.keyword.name, context)?),
        }
    }
    if every.is_none() {
        let message = format!("`{}` needs a time", node.keyword.name);
        context.report(Diagnostic::error("missing-value", message).at(node.span().after(), "missing here"));
    }
    Some(GarpExtraInterfaces { every: Duration::from_secs(every?), all })
}

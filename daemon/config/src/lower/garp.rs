//! Gratuitous ARP of an instance: delays and repeats.

use std::time::Duration;

use crate::diagnostics::Diagnostic;
use crate::line_values::line_number;
use crate::model::{Garp, GarpExtraInterfaces, Rare, Usual};
use crate::preprocess::Context;
use crate::schema::bounds::DAY;
use crate::source::Placed;
use crate::tree::Node;

/// As written; what is `None` is as in `global_defs`.
#[derive(Debug, Default, PartialEq)]
pub(super) struct GarpDraft {
    delay: Option<Duration>,
    repeat: Option<u32>,
    refresh: Option<Duration>,
    refresh_repeat: Option<u32>,
    pub(super) lower_delay: Placed<Duration>,
    pub(super) lower_repeat: Placed<u32>,
    extra: Option<GarpExtraInterfaces>,
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

/// Takes a keyword; false when it is about something else.
pub(super) fn read(draft: &mut Rare<GarpDraft>, node: &Node, context: &mut Context) -> bool {
    let at = node.arg_span(0);
    let seconds = || node.whole_seconds(0);
    match node.keyword.name {
        "garp_master_delay" => draft.make_mut().delay = seconds(),
        "garp_master_repeat" => draft.make_mut().repeat = node.number(0).map(|value: u32| value.max(1)),
        "garp_master_refresh" => draft.make_mut().refresh = seconds(),
        "garp_master_refresh_repeat" => {
            draft.make_mut().refresh_repeat = node.number(0).map(|value: u32| value.max(1))
        }
        "garp_lower_prio_delay" => draft.make_mut().lower_delay = seconds().map(|value| (value, at)),
        "garp_lower_prio_repeat" => draft.make_mut().lower_repeat = node.number(0).map(|value| (value, at)),
        "garp_extra_if" => {
            if let Some(extra) = extra_interfaces(node, 0, context) {
                draft.make_mut().extra = Some(extra);
            }
        }
        _ => return false,
    }
    true
}

impl GarpDraft {
    /// With the general settings where the instance has none.
    pub(super) fn resolve(&self, global: &Garp, strict: bool) -> Garp {
        let lower_delay = if strict { Duration::ZERO } else { global.lower_prio_delay };
        let lower_repeat = if strict { 0 } else { global.lower_prio_repeat };
        Garp {
            master_delay: self.delay.unwrap_or(global.master_delay),
            master_repeat: self.repeat.unwrap_or(global.master_repeat),
            master_refresh: self.refresh.unwrap_or(global.master_refresh),
            master_refresh_repeat: self.refresh_repeat.unwrap_or(global.master_refresh_repeat),
            lower_prio_delay: self.lower_delay.map_or(lower_delay, |(delay, _)| delay),
            lower_prio_repeat: self.lower_repeat.map_or(lower_repeat, |(number, _)| number),
            interval: global.interval,
            gna_interval: global.gna_interval,
            extra_interfaces: self.extra.clone().or(global.extra_interfaces.clone()),
        }
    }
}

/// Repeats of 0 become 1, as in keepalived (reported).
pub(super) fn at_least_one(node: &Node, context: &mut Context) {
    let repeats = matches!(
        node.keyword.name,
        "garp_master_repeat"
            | "garp_master_refresh_repeat"
            | "vrrp_garp_master_repeat"
            | "vrrp_garp_master_refresh_repeat"
    );
    if repeats && node.int(0) == Some(0) {
        context.report(
            Diagnostic::error("out-of-range", format!("`{}` must be 1 or more", node.keyword.name))
                .at(node.arg_span(0), "1 is used"),
        );
    }
}

/// `[all] SECONDS` of `garp_extra_if` and `vrrp_garp_extra_if`; `None` when it is left out (reported).
pub(super) fn extra_interfaces(
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

//! Keywords of the top level that hold for the whole daemon.

use super::GlobalDraft;
use super::links::{delays, linkbeat};
use crate::model::IpvsNamespace;
use crate::schema::bounds::U32;
use crate::schema::entry::Block;
use crate::schema::{Kind, flag, kw, one, opt};

pub(crate) const OF_ROOT: Block<GlobalDraft> = Block(&[
    flag("linkbeat_use_polling", "Poll links rather than listen to the kernel.")
        .example("linkbeat_use_polling")
        .sets(|to, _, _| to.model.linkbeat_use_polling = true),
    kw("net_namespace", &[one("NAME", Kind::Word)], "Network namespace that the whole daemon runs in.")
        .first_counts()
        .example("net_namespace blue")
        .sets(|to, node, _| (to.model.net_namespace, to.model.use_pid_dir) = (node.text(0), true)),
    kw("net_namespace_ipvs", &[opt("NAME", Kind::Word)], "Network namespace whose IPVS table is used.")
        .first_counts()
        .example("net_namespace_ipvs blue")
        .sets(|to, node, _| {
            let namespace = node.text(0).map_or(IpvsNamespace::Default, IpvsNamespace::Named);
            to.model.net_namespace_ipvs = Some(namespace);
        }),
    flag("namespace_with_ipsets", "Was for ipsets, of which none are made.")
        .example("namespace_with_ipsets")
        .sets_nothing(),
    flag("use_pid_dir", "Put pid files in a directory of their own.")
        .example("use_pid_dir")
        .sets(|to, _, _| to.model.use_pid_dir = true),
    kw("instance", &[one("NAME", Kind::Word)], "Name of this daemon among several on one host.")
        .first_counts()
        .example("instance east")
        .sets(|to, node, _| (to.model.instance_name, to.model.use_pid_dir) = (node.text(0), true)),
    kw(
        "child_wait_time",
        &[one("SECONDS", Kind::Int(0, U32))],
        "How long stopping waits for child processes.",
    )
    .default("5")
    .example("child_wait_time 10")
    .sets(|to, node, _| {
        let wait = &mut to.model.child_wait_time;
        *wait = node.whole_seconds(0).unwrap_or(*wait);
    }),
    kw("interface_up_down_delays", &[], "Delays before an interface that went down or up counts as such.")
        .lines("INTERFACE DOWN_DELAY [UP_DELAY]")
        .example("interface_up_down_delays {\n    eth0 0.5 1\n}")
        .sets(|to, node, context| {
            for words in &node.lines {
                let (Some(first), Some(delays)) = (words.first(), delays(words, context)) else { continue };
                to.delay_places.push(first.span);
                to.model.interface_delays.push(delays);
            }
        }),
    kw("linkbeat_interfaces", &[], "Interfaces whose link is polled.")
        .lines("INTERFACE [MII | ETHTOOL | IOCTL]")
        .example("linkbeat_interfaces {\n    eth0 ETHTOOL\n}")
        .sets(|to, node, context| {
            let lines = node.lines.iter().filter_map(|words| linkbeat(words, context));
            to.model.linkbeat_interfaces.extend(lines);
        }),
]);

//! Receive buffers.

use super::GlobalDraft;
use crate::diagnostics::Diagnostic;
use crate::line_values::line_number;
use crate::model::{AdvertBuffers, AdvertsMultiplier, KernelBuffer};
use crate::preprocess::Context;
use crate::schema::bounds::U32;
use crate::schema::entry::Block;
use crate::schema::{Arg, Keyword, Kind, kw, one, some, switch};
use crate::tree::Node;
use crate::words::Word;

const BYTES: &[Arg] = &[one("BYTES", Kind::Int(0, U32))];

const fn bytes(name: &'static str, help: &'static str) -> Keyword {
    kw(name, BYTES, help).default("the system's; 0 is that too")
}
const fn force(name: &'static str) -> Keyword {
    switch(name, "Go beyond the system's limit.").default("off")
}

pub(super) const BUFFERS: Block<GlobalDraft> = Block(&[
    bytes("vrrp_netlink_cmd_rcv_bufs", "Receive buffer of the VRRP part's commands to the kernel.")
        .example("vrrp_netlink_cmd_rcv_bufs 1000000").sets(|to, node, _| bytes_of(&mut to.model.receive_buffers.vrrp_commands, node)),
    force("vrrp_netlink_cmd_rcv_bufs_force").example("vrrp_netlink_cmd_rcv_bufs_force").sets(|to, node, _| to.model.receive_buffers.vrrp_commands.force = node.on()),
    bytes("vrrp_netlink_monitor_rcv_bufs", "Receive buffer of what the kernel tells the VRRP part.")
        .example("vrrp_netlink_monitor_rcv_bufs 1000000").sets(|to, node, _| bytes_of(&mut to.model.receive_buffers.vrrp_monitor, node)),
    force("vrrp_netlink_monitor_rcv_bufs_force").example("vrrp_netlink_monitor_rcv_bufs_force").sets(|to, node, _| to.model.receive_buffers.vrrp_monitor.force = node.on()),
    bytes("process_monitor_rcv_bufs", "Receive buffer of what the kernel tells of processes.")
        .example("process_monitor_rcv_bufs 1000000").sets(|to, node, _| bytes_of(&mut to.model.receive_buffers.process_monitor, node)),
    force("process_monitor_rcv_bufs_force").example("process_monitor_rcv_bufs_force").sets(|to, node, _| to.model.receive_buffers.process_monitor.force = node.on()),
    bytes("lvs_netlink_cmd_rcv_bufs", "Receive buffer of the checker part's commands to the kernel.")
        .example("lvs_netlink_cmd_rcv_bufs 1000000").sets(|to, node, _| bytes_of(&mut to.model.receive_buffers.lvs_commands, node)),
    force("lvs_netlink_cmd_rcv_bufs_force").example("lvs_netlink_cmd_rcv_bufs_force").sets(|to, node, _| to.model.receive_buffers.lvs_commands.force = node.on()),
    bytes("lvs_netlink_monitor_rcv_bufs", "Receive buffer of what the kernel tells the checker part.")
        .example("lvs_netlink_monitor_rcv_bufs 1000000").sets(|to, node, _| bytes_of(&mut to.model.receive_buffers.lvs_monitor, node)),
    force("lvs_netlink_monitor_rcv_bufs_force").example("lvs_netlink_monitor_rcv_bufs_force").sets(|to, node, _| to.model.receive_buffers.lvs_monitor.force = node.on()),
    kw(
        "vrrp_rx_bufs_policy",
        &[some("MTU | ADVERT | BYTES", Kind::Word)],
        "Receive buffers of sockets that hear adverts: for messages as large as the MTU or an advert, or so many bytes.",
    )
    .default("the system's")
    .example("vrrp_rx_bufs_policy ADVERT").sets(|to, node, context| {
        let adverts = &mut to.model.receive_buffers.adverts;
        *adverts = policy(node, context).unwrap_or(*adverts);
    }),
    kw("vrrp_rx_bufs_multiplier", &[one("NUMBER", Kind::Int(1, U32))], "For how many messages of each instance.")
        .default("3")
        .exact()
        .example("vrrp_rx_bufs_multiplier 5").sets(|to, node, _| {
            let multiplier = &mut to.model.receive_buffers.adverts_multiplier;
            *multiplier = node.number(0).map_or(*multiplier, AdvertsMultiplier);
        }),
]);

fn bytes_of(buffer: &mut KernelBuffer, node: &Node) {
    // 0 is no size.
    buffer.bytes = node.number(0).filter(|bytes| *bytes > 0).or(buffer.bytes);
}

/// `MTU`, `ADVERT` or a number; of several a number counts, then `MTU` (reported).
fn policy(node: &Node, context: &mut Context) -> Option<AdvertBuffers> {
    let mut read = |word: &Word| match &*word.text.to_ascii_uppercase() {
        "MTU" => Some(AdvertBuffers::Mtu),
        "ADVERT" => Some(AdvertBuffers::Advert),
        _ => line_number(word, 0, u32::MAX.into(), "vrrp_rx_bufs_policy", context).map(AdvertBuffers::Bytes),
    };
    let all: Vec<AdvertBuffers> = node.args.iter().filter_map(&mut read).collect();
    let rank = |policy: &AdvertBuffers| match policy {
        AdvertBuffers::System => 0,
        AdvertBuffers::Advert => 1,
        AdvertBuffers::Mtu => 2,
        AdvertBuffers::Bytes(_) => 3,
    };
    let counts = all.iter().copied().max_by_key(rank)?;
    if all.iter().any(|policy| rank(policy) != rank(&counts)) {
        let used = match counts {
            AdvertBuffers::Bytes(bytes) => bytes.to_string(),
            AdvertBuffers::Mtu => "MTU".into(),
            AdvertBuffers::Advert | AdvertBuffers::System => "ADVERT".into(),
        };
        context.report(
            Diagnostic::error("conflict", "`vrrp_rx_bufs_policy` takes one of MTU, ADVERT and a number")
                .at(node.span(), format!("{used} is used")),
        );
    }
    Some(counts)
}

//! Receive buffers: `…_rcv_bufs`, `vrrp_rx_bufs_…`.

use super::GlobalDraft;
use crate::diagnostics::Diagnostic;
use crate::line_values::line_number;
use crate::model::{AdvertBuffers, AdvertsMultiplier};
use crate::preprocess::Context;
use crate::tree::Node;
use crate::words::Word;

impl GlobalDraft {
    pub(super) fn buffers(&mut self, node: &Node, context: &mut Context) -> bool {
        let buffers = &mut self.model.receive_buffers;
        let name = node.keyword.name;
        let (socket, force) = name.strip_suffix("_force").map_or((name, false), |socket| (socket, true));
        let buffer = match socket {
            "vrrp_netlink_cmd_rcv_bufs" => &mut buffers.vrrp_commands,
            "vrrp_netlink_monitor_rcv_bufs" => &mut buffers.vrrp_monitor,
            "process_monitor_rcv_bufs" => &mut buffers.process_monitor,
            "lvs_netlink_cmd_rcv_bufs" => &mut buffers.lvs_commands,
            "lvs_netlink_monitor_rcv_bufs" => &mut buffers.lvs_monitor,
            "vrrp_rx_bufs_policy" => {
                buffers.adverts = policy(node, context).unwrap_or(buffers.adverts);
                return true;
            }
            "vrrp_rx_bufs_multiplier" => {
                buffers.adverts_multiplier =
                    node.number(0).map_or(buffers.adverts_multiplier, AdvertsMultiplier);
                return true;
            }
            _ => return false,
        };
        if force {
            buffer.force = node.on();
        } else {
            // 0 is no size.
            buffer.bytes = node.number(0).filter(|bytes| *bytes > 0).or(buffer.bytes);
        }
        true
    }
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

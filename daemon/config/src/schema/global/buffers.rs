//! Receive buffers.

use crate::schema::bounds::U32;
use crate::schema::{Arg, Keyword, Kind, kw, one, some, switch};

const BYTES: &[Arg] = &[one("BYTES", Kind::Int(0, U32))];

const fn bytes(name: &'static str, help: &'static str) -> Keyword {
    kw(name, BYTES, help).default("the system's; 0 is that too")
}
const fn force(name: &'static str) -> Keyword {
    switch(name, "Go beyond the system's limit.").default("off")
}

pub(super) const BUFFERS: &[Keyword] = &[
    bytes("vrrp_netlink_cmd_rcv_bufs", "Receive buffer of the VRRP part's commands to the kernel.")
        .example("vrrp_netlink_cmd_rcv_bufs 1000000"),
    force("vrrp_netlink_cmd_rcv_bufs_force").example("vrrp_netlink_cmd_rcv_bufs_force"),
    bytes("vrrp_netlink_monitor_rcv_bufs", "Receive buffer of what the kernel tells the VRRP part.")
        .example("vrrp_netlink_monitor_rcv_bufs 1000000"),
    force("vrrp_netlink_monitor_rcv_bufs_force").example("vrrp_netlink_monitor_rcv_bufs_force"),
    bytes("process_monitor_rcv_bufs", "Receive buffer of what the kernel tells of processes.")
        .example("process_monitor_rcv_bufs 1000000"),
    force("process_monitor_rcv_bufs_force").example("process_monitor_rcv_bufs_force"),
    bytes("lvs_netlink_cmd_rcv_bufs", "Receive buffer of the checker part's commands to the kernel.")
        .example("lvs_netlink_cmd_rcv_bufs 1000000"),
    force("lvs_netlink_cmd_rcv_bufs_force").example("lvs_netlink_cmd_rcv_bufs_force"),
    bytes("lvs_netlink_monitor_rcv_bufs", "Receive buffer of what the kernel tells the checker part.")
        .example("lvs_netlink_monitor_rcv_bufs 1000000"),
    force("lvs_netlink_monitor_rcv_bufs_force").example("lvs_netlink_monitor_rcv_bufs_force"),
    kw(
        "vrrp_rx_bufs_policy",
        &[some("MTU | ADVERT | BYTES", Kind::Word)],
        "Receive buffers of sockets that hear adverts: for messages as large as the MTU or an advert, or so many bytes.",
    )
    .default("the system's")
    .example("vrrp_rx_bufs_policy ADVERT"),
    kw("vrrp_rx_bufs_multiplier", &[one("NUMBER", Kind::Int(1, U32))], "For how many messages of each instance.")
        .default("3")
        .exact()
        .example("vrrp_rx_bufs_multiplier 5"),
];

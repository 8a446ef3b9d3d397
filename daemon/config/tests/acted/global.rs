//! `global_defs`, keywords of the whole daemon, what can be tracked, BFD, and keepwatch's own block.

use keepwatch_config::schema::BlockId;

use super::Area;

pub(super) const AREA: Area = Area {
    root: &[
        "global_defs",
        "observability",
        "linkbeat_use_polling",
        "net_namespace",
        "net_namespace_ipvs",
        "namespace_with_ipsets",
        "use_pid_dir",
        "instance",
        "child_wait_time",
        "interface_up_down_delays",
        "linkbeat_interfaces",
        "bfd_instance",
        "vrrp_script",
        "track_file",
        "vrrp_track_process",
    ],
    blocks: &[
        BlockId::Global,
        BlockId::Observability,
        BlockId::History,
        BlockId::Otlp,
        BlockId::Webhook,
        BlockId::Mail,
        BlockId::VrrpScript,
        BlockId::TrackFile,
        BlockId::TrackProcess,
        BlockId::Bfd,
    ],
    base,
    no_change: &[
        (BlockId::Global, "random_seed", "only for `${_RANDOM}`"),
        (BlockId::Global, "include_check", "only for `include`"),
        (BlockId::Global, "notify_fifo", "the first counts, and there is one already for the script"),
        (BlockId::Global, "vrrp_notify_fifo", "the first counts, and there is one already for the script"),
        (BlockId::Root, "namespace_with_ipsets", "no ipset is made"),
        (BlockId::Global, "vrrp_ipsets", "no ipset is made, which is said"),
        (BlockId::Global, "nftables_ifindex", "interfaces are by their numbers in any case"),
        (BlockId::Global, "lvs_notify_fifo", "the first counts, and there is one already for the script"),
    ],
};

fn base(block: BlockId, extra: &str) -> String {
    let at = |here: BlockId| if here == block { extra } else { "" };
    format!(
        "global_defs {{\nnotify_fifo /run/a\nvrrp_notify_fifo /run/b\nlvs_notify_fifo /run/c\n{}\n}}\nobservability {{\n{}\nhistory {{\n{}\n}}\notlp {{\n{}\n}}\n\
         webhook pager {{\nurl http://10.0.0.9/\n{}\n}}\nmail {{\n{}\n}}\n}}\n\
         vrrp_script down {{\nscript \"/bin/true\"\ninterval 9\nuser root\n{}\n}}\n\
         track_file down {{\n{}\nfile /run/other\nweight 9\n}}\n\
         vrrp_track_process down {{\nquorum 2\n{}\nprocess other\n}}\n\
         bfd_instance down {{\nneighbor_ip 192.0.2.9\nmin_rx 20\nmin_tx 20\nidle_tx 2000\nmultiplier 3\n{}\n}}\n\
         vrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {{\n10.0.0.1\n}}\n}}\n\
         {}\n",
        at(BlockId::Global),
        at(BlockId::Observability),
        at(BlockId::History),
        at(BlockId::Otlp),
        at(BlockId::Webhook),
        at(BlockId::Mail),
        at(BlockId::VrrpScript),
        at(BlockId::TrackFile),
        at(BlockId::TrackProcess),
        at(BlockId::Bfd),
        at(BlockId::Root),
    )
}

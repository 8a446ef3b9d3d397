//! Virtual routers, sync groups, and what is there without one: static addresses, routes and rules.

use keepwatch_config::schema::BlockId;

use super::Area;

pub(super) const AREA: Area = Area {
    root: &[
        "track_group",
        "static_ipaddress",
        "static_routes",
        "static_rules",
        "garp_group",
        "vrrp_sync_group",
        "vrrp_instance",
    ],
    blocks: &[
        BlockId::StaticTrackGroup,
        BlockId::GarpGroup,
        BlockId::SyncGroup,
        BlockId::Instance,
        BlockId::Authentication,
        BlockId::AuthHmac,
    ],
    base,
    no_change: &[
        (BlockId::Root, "vrrp_sync_group", "its example is what is there already"),
        (BlockId::Root, "vrrp_instance", "its example is what is there already"),
        (BlockId::SyncGroup, "group", "its example is what is there already"),
        (BlockId::Instance, "interface", "its example is what is there already"),
        (BlockId::Instance, "preempt", "the default"),
        (BlockId::Instance, "accept", "the default"),
        (BlockId::Instance, "owner_ignore_adverts", "only with priority 255"),
        (BlockId::Instance, "linkbeat_use_polling", "old, and said to be so"),
        (BlockId::Instance, "thread_timer_expired", "old, and said to be so"),
        (BlockId::Authentication, "auth_type", "its example is what is there already"),
        (BlockId::Authentication, "auth_pass", "passwords are not shown"),
    ],
    not_yet: &[
        (BlockId::Root, "track_group"),
        (BlockId::Root, "static_ipaddress"),
        (BlockId::Root, "static_routes"),
        (BlockId::Root, "static_rules"),
        (BlockId::Root, "garp_group"),
        (BlockId::StaticTrackGroup, "group"),
        (BlockId::GarpGroup, "garp_interval"),
        (BlockId::GarpGroup, "gna_interval"),
        (BlockId::GarpGroup, "interface"),
        (BlockId::GarpGroup, "interfaces"),
        (BlockId::Instance, "virtual_routes"),
        (BlockId::Instance, "virtual_rules"),
        (BlockId::Instance, "use_vmac_addr"),
        (BlockId::Instance, "vmac_xmit_base"),
        (BlockId::Instance, "garp_extra_if"),
        (BlockId::Instance, "unicast_fault_no_peer"),
        (BlockId::Instance, "old_unicast_checksum"),
        (BlockId::Instance, "vrf"),
        (BlockId::Instance, "debug"),
        (BlockId::Instance, "timer_expired_backup"),
        (BlockId::AuthHmac, "key"),
        (BlockId::AuthHmac, "active_key"),
        (BlockId::AuthHmac, "time_window"),
        (BlockId::AuthHmac, "anti_replay"),
        (BlockId::AuthHmac, "mode"),
    ],
};

fn base(block: BlockId, extra: &str) -> String {
    let at = |here: BlockId| if here == block { extra } else { "" };
    format!(
        "vrrp_script chk {{\nscript \"/bin/true\"\n}}\ntrack_file offset {{\nfile /run/offset\n}}\n\
         vrrp_track_process web {{\nprocess nginx\n}}\nbfd_instance B1 {{\nneighbor_ip 192.0.2.9\n}}\n\
         track_group TG {{\n{}\n}}\ngarp_group {{\n{}\n}}\n\
         vrrp_sync_group S {{\ngroup {{\nVI_1\nVI_2\n}}\n{}\n}}\n\
         vrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {{\n10.0.0.1\n}}\n{}\n}}\n\
         vrrp_instance VI_2 {{\ninterface eth0\nvirtual_router_id 2\nvirtual_ipaddress {{\n10.0.0.2\n}}\n}}\n\
         vrrp_instance A {{\ninterface eth0\nvirtual_router_id 3\nvirtual_ipaddress {{\n10.0.0.3\n}}\nauthentication {{\n\
         auth_type PASS\nauth_pass x\n{}\nauth_hmac {{\n{}\n}}\n}}\n}}\n{}\n",
        at(BlockId::StaticTrackGroup),
        at(BlockId::GarpGroup),
        at(BlockId::SyncGroup),
        at(BlockId::Instance),
        at(BlockId::Authentication),
        at(BlockId::AuthHmac),
        at(BlockId::Root),
    )
}

//! Virtual routers, their groups, and what goes with them.

use super::bounds::{I32, MICROS, SECS, U32};
use super::{BlockId, Keyword, Kind, any, flag, kw, line_options, one, opt, script, some, switch};

const TRACK_INTERFACE: Keyword = kw("track_interface", &[], "Interfaces whose state is followed.")
    .lines("INTERFACE [weight -253…253] [reverse]")
    .repeats()
    .example("track_interface {\n    eth1 weight -20\n}");
const TRACK_SCRIPT: Keyword = kw("track_script", &[], "Scripts (`vrrp_script`) whose result is followed.")
    .lines("NAME [weight -253…253] [reverse]")
    .repeats()
    .example("track_script {\n    chk\n}");
const TRACKED_FILE: Keyword =
    kw("track_file", &[], "Files (`track_file` at the top level) whose number is followed.")
        .lines("NAME [weight -254…254] [reverse]")
        .repeats()
        .example("track_file {\n    offset weight 1\n}");
const TRACKED_PROCESS: Keyword =
    kw("track_process", &[], "Processes (`vrrp_track_process`) whose presence is followed.")
        .lines("NAME [weight -254…254] [reverse]")
        .repeats()
        .example("track_process {\n    web\n}");
const TRACK_BFD: Keyword = kw("track_bfd", &[], "BFD sessions (`bfd_instance`) whose state is followed.")
    .lines("NAME [weight -253…253] [reverse]")
    .repeats()
    .example("track_bfd {\n    B1\n}");
const NOTIFY_MASTER: Keyword = script("notify_master", "Command to run on becoming master.")
    .example("notify_master \"/etc/keepalived/to_master.sh\"")
    .first_counts();
const NOTIFY_BACKUP: Keyword = script("notify_backup", "Command to run on becoming backup.")
    .example("notify_backup \"/etc/keepalived/to_backup.sh\"")
    .first_counts();
const NOTIFY_FAULT: Keyword = script("notify_fault", "Command to run on a fault.")
    .example("notify_fault \"/etc/keepalived/fault.sh\"")
    .first_counts();
const NOTIFY_STOP: Keyword = script("notify_stop", "Command to run on stopping VRRP.")
    .example("notify_stop \"/etc/keepalived/stop.sh\"")
    .first_counts();
const NOTIFY: Keyword = script(
    "notify",
    "Command to run on every change, with type, name, state and priority added to its arguments.",
)
.example("notify \"/etc/keepalived/notify.sh\"")
.first_counts();
const SMTP_ALERT: Keyword = switch("smtp_alert", "Mail on state changes.")
    .default("smtp_alert_vrrp, else smtp_alert of global_defs, else off")
    .example("smtp_alert");
const NOTIFY_PRIORITY_CHANGES: Keyword =
    switch("notify_priority_changes", "Tell FIFOs of priority changes too.")
        .example("notify_priority_changes");

/// `vrrp_sync_group NAME { … }`.
pub(super) const SYNC_GROUP: &[Keyword] = &[
    kw("group", &[], "The instances of the group.")
        .lines("INSTANCE …")
        .example("group {\n    VI_1\n    VI_2\n}")
        .first_counts(),
    TRACK_INTERFACE,
    TRACK_SCRIPT,
    TRACKED_FILE,
    TRACKED_PROCESS,
    TRACK_BFD,
    NOTIFY_MASTER,
    NOTIFY_BACKUP,
    NOTIFY_FAULT,
    NOTIFY_STOP,
    NOTIFY,
    SMTP_ALERT,
    flag("global_tracking", "Tracking by the group only.")
        .replaced_by("sync_group_tracking_weight")
        .example("global_tracking"),
    flag("sync_group_tracking_weight", "Members may track with weights and keep different priorities.")
        .example("sync_group_tracking_weight"),
    NOTIFY_PRIORITY_CHANGES.default("vrrp_notify_priority_changes"),
];

/// `track_group NAME { … }`.
pub(super) const STATIC_TRACK_GROUP: &[Keyword] = &[kw("group", &[], "The instances of the group.")
    .lines("INSTANCE …")
    .example("group {\n    VI_1\n}")
    .first_counts()];

/// `garp_group { … }`.
pub(super) const GARP_GROUP: &[Keyword] = &[
    kw(
        "garp_interval",
        &[one("SECONDS", Kind::Seconds(0, MICROS))],
        "Least time between gratuitous ARP messages.",
    )
    .example("garp_interval 0.1"),
    kw(
        "gna_interval",
        &[one("SECONDS", Kind::Seconds(0, MICROS))],
        "Least time between unsolicited neighbour advertisements.",
    )
    .example("gna_interval 0.1"),
    kw("interface", &[one("INTERFACE", Kind::Interface)], "The interface of the group.")
        .example("interface eth0"),
    kw("interfaces", &[], "The interfaces that share the limits.")
        .lines("INTERFACE …")
        .example("interfaces {\n    eth0\n    eth1\n}"),
];

/// `authentication { … }`.
pub(super) const AUTHENTICATION: &[Keyword] = &[
    kw(
        "auth_type",
        &[one("TYPE", Kind::Choice(&["PASS", "AH"]))],
        "How adverts are authenticated (version 2 only).",
    )
    .example("auth_type PASS"),
    kw(
        "auth_pass",
        &[one("PASSWORD", Kind::Word).secret()],
        "The password; only its first eight bytes count.",
    )
    .example("auth_pass 1111"),
];

/// `auth_hmac { … }`.
pub(super) const AUTH_HMAC: &[Keyword] = &[
    kw(
        "key",
        &[one("ID", Kind::Int(1, 255)), some("KEY", Kind::Word).secret()],
        "A key: its number and its secret (32 to 64 bytes of text, or of hexadecimal digits after `hex:`, or of a file after `file:`).",
    )
    .repeats()
    .example("key 1 hex:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"),
    kw("active_key", &[one("ID", Kind::Int(1, 255))], "The key that adverts are signed with.")
        .example("active_key 1"),
    kw("time_window", &[one("SECONDS", Kind::Int(1, 300))], "How old an advert may be.")
        .default("3 × advert_int, at least 5")
        .example("time_window 10"),
    kw(
        "anti_replay",
        &[one("METHOD", Kind::Choice(&["time", "monotonic"]))],
        "How replayed adverts are recognised.",
    )
    .default("time")
    .example("anti_replay monotonic"),
    kw(
        "mode",
        &[one("MODE", Kind::Choice(&["enforce", "permissive", "receive-only"]))],
        "What happens to adverts that are not signed.",
    )
    .default("enforce")
    .example("mode permissive"),
];

/// `vrrp_instance NAME { … }`.
pub(super) const INSTANCE: &[Keyword] = &[
    kw(
        "state",
        &[one("STATE", Kind::Choice(&["MASTER", "BACKUP"]))],
        "State to begin in; it decides nothing after the first election.",
    )
    .default("BACKUP, or MASTER with priority 255")
    .example("state MASTER"),
    kw("interface", &[one("INTERFACE", Kind::Interface)], "Interface that adverts use and addresses go on.")
        .example("interface eth0"),
    kw(
        "virtual_router_id",
        &[one("ID", Kind::Int(1, 255))],
        "Number of the virtual router, the same on all its routers.",
    )
    .example("virtual_router_id 51"),
    kw(
        "priority",
        &[one("PRIORITY", Kind::Int(1, 255))],
        "The highest becomes master; 255 is the owner of the addresses.",
    )
    .default("100, or 255 with state MASTER")
    .example("priority 150"),
    kw(
        "advert_int",
        &[one("SECONDS", Kind::Seconds(10_000, 255_000_000))],
        "Time between adverts: whole seconds in version 2, hundredths in version 3.",
    )
    .default("1")
    .example("advert_int 2"),
    kw("version", &[one("VERSION", Kind::Int(2, 3))], "Version of VRRP.")
        .default("vrrp_version; 3 for IPv6")
        .example("version 3"),
    kw("authentication", &[], "Authentication of version 2.")
        .block(BlockId::Authentication)
        .example("authentication {\n    auth_type PASS\n    auth_pass 1111\n}"),
    kw("auth_hmac", &[opt("ALGORITHM", Kind::Word)], "keepalived's own HMAC authentication, of both versions of VRRP.")
        .block(BlockId::AuthHmac)
        .since("2.4.0")
        .example("auth_hmac sha256 {\n    key 1 0123456789abcdef0123456789abcdef\n    active_key 1\n}"),
    kw("virtual_ipaddress", &[], "The addresses of the virtual router.")
        .lines("ADDRESS[/PREFIX] [dev INTERFACE] [label LABEL] [brd ADDRESS] [scope SCOPE] …").options(line_options::ADDRESS)
        .repeats()
        .example("virtual_ipaddress {\n    192.0.2.10/24\n}"),
    kw(
        "virtual_ipaddress_excluded",
        &[],
        "Addresses that come and go with the others but are not in adverts.",
    )
    .lines("ADDRESS[/PREFIX] [dev INTERFACE] …").options(line_options::ADDRESS)
    .repeats()
    .example("virtual_ipaddress_excluded {\n    2001:db8::10/64\n}"),
    flag("no_virtual_ipaddress", "Having no address is meant so.")
        .since("2.3.0")
        .example("no_virtual_ipaddress"),
    kw("virtual_routes", &[], "Routes that come and go with the addresses.")
        .lines("ROUTE as of `ip route add`").options(line_options::ROUTE)
        .repeats()
        .example("virtual_routes {\n    192.168.2.0/24 via 192.0.2.1 dev eth0\n}"),
    kw("virtual_rules", &[], "Rules that come and go with the addresses.")
        .lines("RULE as of `ip rule add`").options(line_options::RULE)
        .repeats()
        .example("virtual_rules {\n    from 192.168.2.0/24 table 1\n}"),
    flag("promote_secondaries", "Keep secondary addresses when the primary one goes.")
        .example("promote_secondaries"),
    flag("nopreempt", "Leave a master of lower priority alone.").example("nopreempt"),
    flag("preempt", "Take over from a master of lower priority.").default("on").example("preempt"),
    kw(
        "preempt_delay",
        &[one("SECONDS", Kind::Seconds(0, 1_000_000_000))],
        "How long to wait before preempting.",
    )
    .default("0")
    .example("preempt_delay 30"),
    flag("use_vmac_addr", "Put addresses on other interfaces on VMAC interfaces too.")
        .example("use_vmac_addr"),
    kw(
        "use_vmac",
        &[any("[NAME] [MAC] [group GROUP] [netlink_notify_msg]", Kind::Options("vmac"))],
        "Use a VMAC interface with the virtual router's hardware address. With `netlink_notify_msg` the kernel tells \
         whoever listens of the interface below, when the VMAC is made or removed.",
    )
    .example("use_vmac vrrp.51"),
    flag("vmac_xmit_base", "Send adverts from the interface below the VMAC.").example("vmac_xmit_base"),
    kw(
        "use_ipvlan",
        &[any("[NAME] [ADDRESS] [bridge | private | vepa]", Kind::Options("ipvlan"))],
        "Use an ipvlan interface.",
    )
    .example("use_ipvlan ipv.51 192.0.2.51"),
    kw(
        "garp_extra_if",
        &[some("[all] SECONDS", Kind::Word)],
        "Repeat gratuitous ARP on interfaces other than the instance's.",
    )
    .old(&["vmac_garp_intvl"])
    .default("vrrp_garp_extra_if")
    .example("garp_extra_if all 100"),
    flag("dont_track_primary", "Ignore the state of `interface`.").example("dont_track_primary"),
    TRACK_INTERFACE,
    TRACK_SCRIPT,
    TRACKED_FILE,
    TRACKED_PROCESS,
    TRACK_BFD,
    kw("mcast_src_ip", &[one("ADDRESS", Kind::Host)], "Source address of adverts.")
        .default("the interface's first")
        .example("mcast_src_ip 192.0.2.2"),
    kw("unicast_src_ip", &[one("ADDRESS", Kind::Host)], "Source address of adverts to peers.")
        .default("the interface's first")
        .example("unicast_src_ip 192.0.2.2"),
    kw("mcast_dst_ip", &[one("ADDRESS", Kind::Multicast)], "Multicast group of adverts.")
        .default("vrrp_mcast_group4 or vrrp_mcast_group6")
        .example("mcast_dst_ip 224.0.0.20"),
    flag("track_src_ip", "A source address that is gone is a fault.").example("track_src_ip"),
    kw("unicast_peer", &[], "The other routers; adverts go to them and not to a multicast group.")
        .lines("ADDRESS [min_ttl 0…255] [max_ttl 0…255]")
        .repeats()
        .example("unicast_peer {\n    192.0.2.3\n}"),
    flag("unicast_fault_no_peer", "Unicast without peers is a fault.").example("unicast_fault_no_peer"),
    kw("unicast_ttl", &[one("TTL", Kind::Int(0, 255))], "TTL of adverts to peers.")
        .default("255")
        .example("unicast_ttl 64"),
    flag("check_unicast_src", "Refuse adverts from others than the peers.")
        .default("vrrp_check_unicast_src")
        .example("check_unicast_src"),
    kw(
        "old_unicast_checksum",
        &[opt("never", Kind::Choice(&["never"]))],
        "Checksum of version 3 unicast as before keepalived 1.3.6.",
    )
    .example("old_unicast_checksum"),
    flag("native_ipv6", "Adverts by IPv6 even with no IPv6 address first.").example("native_ipv6"),
    kw("vrf", &[one("INTERFACE", Kind::Interface)], "VRF of a unicast instance without interface.")
        .example("vrf red").first_counts(),
    flag("linkbeat_use_polling", "Poll the link.")
        .replaced_by("linkbeat_interfaces")
        .example("linkbeat_use_polling"),
    switch("v3_checksum_as_v2", "No pseudo-header in the checksum of version 3 over IPv4.")
        .default("v3_checksum_as_v2 of global_defs")
        .example("v3_checksum_as_v2 on"),
    flag("accept", "Answer packets to the addresses.").default("on, unless strict").example("accept"),
    flag("no_accept", "Drop packets to the addresses.").example("no_accept"),
    switch("skip_check_adv_addr", "Check the address list of a master's adverts only once.")
        .default("vrrp_skip_check_adv_addr")
        .example("skip_check_adv_addr"),
    switch("strict_mode", "Keep to the RFC.").default("vrrp_strict").example("strict_mode"),
    kw(
        "debug",
        &[one("LEVEL", Kind::Int(0, 4))],
        "A line of the dump (`keepalived.data`) and no more: nothing is logged by it.",
    )
    .default("0")
    .example("debug 0"),
    NOTIFY_MASTER,
    NOTIFY_BACKUP,
    NOTIFY_FAULT,
    NOTIFY_STOP,
    kw(
        "notify_deleted",
        &[opt("COMMAND [USER [GROUP]]", Kind::Script)],
        "Tell DELETED and not FAULT when a reload removed the instance, and run a command.",
    )
        .example("notify_deleted \"/etc/keepalived/deleted.sh\"").first_counts(),
    NOTIFY,
    script("notify_master_rx_lower_pri", "Command to run when a master hears a lower priority.")
        .example("notify_master_rx_lower_pri \"/etc/keepalived/lower.sh\"").first_counts(),
    SMTP_ALERT,
    NOTIFY_PRIORITY_CHANGES.default("its sync group's, else vrrp_notify_priority_changes"),
    kw(
        "lvs_sync_daemon_interface",
        &[one("INTERFACE", Kind::Interface)],
        "Interface of the IPVS connection synchronisation that follows this instance; `lvs_sync_daemon` in global_defs says more.",
    )
    .old(&["lvs_sync_daemon_inteface"])
    .superseded_by("`lvs_sync_daemon` in `global_defs`")
    .example("lvs_sync_daemon_interface eth1").first_counts(),
    kw(
        "garp_master_delay",
        &[one("SECONDS", Kind::Int(0, SECS))],
        "From becoming master to the second burst of gratuitous ARP.",
    )
    .default("vrrp_garp_master_delay")
    .example("garp_master_delay 10"),
    kw("garp_master_repeat", &[one("NUMBER", Kind::Int(0, U32))], "Messages per address in each burst.")
        .default("vrrp_garp_master_repeat")
        .example("garp_master_repeat 3"),
    kw(
        "garp_master_refresh",
        &[one("SECONDS", Kind::Int(0, U32))],
        "Period of refreshing gratuitous ARP while master.",
    )
    .default("vrrp_garp_master_refresh")
    .example("garp_master_refresh 60"),
    kw(
        "garp_master_refresh_repeat",
        &[one("NUMBER", Kind::Int(0, U32))],
        "Messages per address in each refresh.",
    )
    .default("vrrp_garp_master_refresh_repeat")
    .example("garp_master_refresh_repeat 2"),
    kw(
        "garp_lower_prio_delay",
        &[one("SECONDS", Kind::Int(0, SECS))],
        "Delay of the second burst after a lower priority was heard.",
    )
    .default("vrrp_garp_lower_prio_delay; 0 in strict mode")
    .example("garp_lower_prio_delay 10"),
    kw(
        "garp_lower_prio_repeat",
        &[one("NUMBER", Kind::Int(0, I32))],
        "Messages per address after a lower priority was heard.",
    )
    .default("vrrp_garp_lower_prio_repeat; 0 in strict mode")
    .example("garp_lower_prio_repeat 1"),
    kw(
        "down_timer_adverts",
        &[one("NUMBER", Kind::Int(1, 100))],
        "Adverts missed before the master counts as dead.",
    )
    .default("vrrp_down_timer_adverts")
    .example("down_timer_adverts 4"),
    kw(
        "timer_expired_backup",
        &[opt("PRIORITY", Kind::Int(1, 254))],
        "Become backup rather than master when the timer ran out late.",
    )
    .example("timer_expired_backup 120"),
    kw(
        "thread_timer_expired",
        &[opt("PRIORITY", Kind::Int(1, 254))],
        "Become backup rather than master when the timer ran out late.",
    )
    .replaced_by("timer_expired_backup")
    .example("thread_timer_expired"),
    switch("lower_prio_no_advert", "No advert in answer to a lower priority.")
        .default("vrrp_lower_prio_no_advert")
        .example("lower_prio_no_advert"),
    switch("higher_prio_send_advert", "One more advert before yielding to a higher priority.")
        .default("vrrp_higher_prio_send_advert")
        .example("higher_prio_send_advert"),
    switch("owner_ignore_adverts", "The owner does not look at adverts.")
        .default("vrrp_owner_ignore_adverts")
        .example("owner_ignore_adverts"),
    kw("kernel_rx_buf_size", &[one("BYTES", Kind::Int(0, U32))], "Receive buffer of the socket.")
        .default("as vrrp_rx_bufs_policy has it")
        .example("kernel_rx_buf_size 1000000").exact(),
];

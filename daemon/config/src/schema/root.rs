//! The top level.

use super::compose::compose;
use super::entry::keywords_of;
use super::global::OF_ROOT;
use super::static_entries::STATIC;
use super::{BlockId, Keyword, Kind, kw, one, opt};

/// Keywords outside of every block.
pub(super) const ROOT: &[Keyword] = compose!(BLOCKS, keywords_of!(OF_ROOT), keywords_of!(STATIC));

/// Those that `lower` makes something of by their names: what it makes is known to nobody else.
const BLOCKS: &[Keyword] = &[
    kw("global_defs", &[], "Settings of the whole daemon.")
        .block(BlockId::Global)
        .repeats()
        .example("global_defs {\n    router_id LVS_MAIN\n}"),
    kw("observability", &[], "keepwatch's own settings; keepalived does not know this block.")
        .block(BlockId::Observability)
        .example("observability {\n    listen 127.0.0.1:9165\n}"),
    kw(
        "track_group",
        &[one("NAME", Kind::Word)],
        "Group of instances that static addresses, routes and rules are tracked for.",
    )
    .block(BlockId::StaticTrackGroup)
    .repeats()
    .example("track_group GROUP1 {\n    group {\n        VI_1\n    }\n}")
    .exact(),
    kw("bfd_instance", &[one("NAME", Kind::Limited(31))], "A BFD session (RFC 5880) with a neighbour.")
        .block(BlockId::Bfd)
        .repeats()
        .example("bfd_instance B1 {\n    neighbor_ip 192.0.2.2\n}"),
    kw("vrrp_sync_group", &[one("NAME", Kind::Word)], "Instances that change state together.")
        .block(BlockId::SyncGroup)
        .repeats()
        .example("vrrp_sync_group VG_1 {\n    group {\n        VI_1\n        VI_2\n    }\n}")
        .exact(),
    kw("garp_group", &[], "Limits on gratuitous ARP that several interfaces share.")
        .block(BlockId::GarpGroup)
        .repeats()
        .example(
            "garp_group {\n    garp_interval 0.1\n    interfaces {\n        eth0\n        eth1\n    }\n}",
        ),
    kw("vrrp_instance", &[one("NAME", Kind::Word)], "A virtual router.")
        .block(BlockId::Instance)
        .repeats()
        .example("vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 51\n}")
        .exact(),
    kw("vrrp_script", &[one("NAME", Kind::Word)], "A script whose result instances can track.")
        .block(BlockId::VrrpScript)
        .repeats()
        .example("vrrp_script chk {\n    script \"/usr/bin/true\"\n}"),
    kw("track_file", &[one("NAME", Kind::Word)], "A file whose number instances and real servers can track.")
        .old(&["vrrp_track_file"])
        .block(BlockId::TrackFile)
        .repeats()
        .example("track_file offset {\n    file /run/offset\n}"),
    kw("vrrp_track_process", &[one("NAME", Kind::Word)], "A process whose presence instances can track.")
        .block(BlockId::TrackProcess)
        .repeats()
        .example("vrrp_track_process web {\n    process nginx\n}"),
    kw("SSL", &[], "Certificates that SSL_GET uses.")
        .block(BlockId::Ssl)
        .example("SSL {\n    ca /etc/ssl/ca.pem\n}")
        .last_counts(),
    kw(
        "virtual_server_group",
        &[one("NAME", Kind::Word)],
        "Addresses and firewall marks that share one definition.",
    )
    .lines("ADDRESS | A-LAST | A-B | NETWORK/LENGTH [PORT], or fwmark MARK [inet | inet6]")
    .repeats()
    .exact()
    .example("virtual_server_group WEB {\n    192.0.2.10 80\n    fwmark 3\n}"),
    kw(
        "virtual_server",
        &[one("ADDRESS | fwmark | group", Kind::Word), opt("PORT | MARK | NAME", Kind::Word)],
        "A service that is balanced over real servers.",
    )
    .block(BlockId::VirtualServer)
    .repeats()
    .example("virtual_server 192.0.2.10 80 {\n    protocol TCP\n    real_server 192.0.2.11 80 {\n    }\n}"),
];

//! Virtual and real servers.

use super::bounds::{I32, IPVS_TIMEOUT, U16, U32};
use super::compose::compose;
use super::{BlockId, Keyword, Kind, any, flag, kw, one, opt, script, switch, timing};

const METHODS: &[&str] = &["NAT", "DR", "TUN"];
const SCHEDULERS: &[&str] =
    &["rr", "wrr", "lc", "wlc", "lblc", "sh", "mh", "dh", "fo", "ovf", "lblcr", "sed", "nq", "twos"];

const METHOD: Keyword = kw(
    "lvs_method",
    &[
        one("METHOD", Kind::Choice(METHODS)),
        any("[type ipip | gue | gre] [port PORT] [nocsum | csum | remcsum]", Kind::Options("tunnel")),
    ],
    "How packets reach the real servers: rewritten (NAT), by hardware address (DR), wrapped (TUN).",
)
.alias(&["lb_kind"])
.default("NAT")
.example("lvs_method DR");
const VIRTUALHOST: Keyword =
    kw("virtualhost", &[one("NAME", Kind::Word)], "Host header for HTTP_GET and SSL_GET.")
        .example("virtualhost www.example.com")
        .last_counts();
const SNMP_NAME: Keyword = kw("snmp_name", &[one("NAME", Kind::Word)], "Name in SNMP.")
    .example("snmp_name web")
    .exact()
    .last_counts();

/// `SSL { … }`.
pub(super) const SSL: &[Keyword] = &[
    kw("password", &[one("PASSWORD", Kind::Word).secret()], "Password of the key.")
        .example("password secret")
        .last_counts(),
    kw("ca", &[one("PATH", Kind::Word)], "Certificates to trust.")
        .example("ca /etc/ssl/ca.pem")
        .last_counts(),
    kw("certificate", &[one("PATH", Kind::Word)], "Own certificate.")
        .example("certificate /etc/ssl/me.pem")
        .last_counts(),
    kw("key", &[one("PATH", Kind::Word)], "Own key.").example("key /etc/ssl/me.key").last_counts(),
];

/// `virtual_server … { … }`.
pub(super) const VIRTUAL_SERVER: &[Keyword] =
    compose!(timing::OF_VIRTUAL_SERVER, &[
    kw("ip_family", &[one("FAMILY", Kind::Choice(&["inet", "inet6"]))], "Family of a firewall mark.")
        .default("the real servers'")
        .example("ip_family inet"),
    flag("inhibit_on_failure", "A failed server gets weight 0 and stays.").example("inhibit_on_failure"),
    kw("lvs_sched", &[one("SCHEDULER", Kind::Choice(SCHEDULERS))], "How a server is chosen.")
        .alias(&["lb_algo"])
        .default("wlc")
        .example("lvs_sched wlc"),
    flag("hashed", "Accepted; today's kernels always do so.").example("hashed"),
    flag("ops", "Schedule each UDP packet by itself.").example("ops"),
    flag("flag-1", "First flag of the scheduler.").example("flag-1"),
    flag("flag-2", "Second flag of the scheduler.").example("flag-2"),
    flag("flag-3", "Third flag of the scheduler.").example("flag-3"),
    flag("sh-port", "`sh`: count the port in.").example("sh-port"),
    flag("sh-fallback", "`sh`: take another server when the chosen one is away.").example("sh-fallback"),
    flag("mh-port", "`mh`: count the port in.").example("mh-port"),
    flag("mh-fallback", "`mh`: take another server when the chosen one is away.").example("mh-fallback"),
    METHOD,
    kw("nat_mask", &[opt("NETMASK", Kind::Address4)], "Of kernel 2.2.")
        .replaced_by("nothing")
        .example("nat_mask 255.255.255.0"),
    kw(
        "persistence_engine",
        &[one("ENGINE", Kind::Limited(16))],
        "What decides who is the same client, e.g. `sip`.",
    )
    .example("persistence_engine sip"),
    kw(
        "persistence_timeout",
        &[opt("SECONDS", Kind::Int(1, IPVS_TIMEOUT))],
        "How long a client stays with its server.",
    )
    .default("not persistent; 360 without a number")
    .example("persistence_timeout 50"),
    kw(
        "persistence_granularity",
        &[one("NETMASK | PREFIX", Kind::Granularity)],
        "Clients of one network that count as one.",
    )
    .default("each address")
    .example("persistence_granularity 255.255.255.0"),
    kw("protocol", &[one("PROTOCOL", Kind::ChoiceNoCase(&["TCP", "UDP", "SCTP"]))], "Transport protocol.")
        .default("UDP")
        .example("protocol TCP"),
    flag("ha_suspend", "Checkers rest while the address is not here.").example("ha_suspend"),
    switch("smtp_alert", "Mail on quorum changes.")
        .default("smtp_alert_checker, else smtp_alert of global_defs, else off")
        .example("smtp_alert"),
    VIRTUALHOST,
    SNMP_NAME,
    flag("alpha", "Real servers begin as failed.").example("alpha"),
    flag("omega", "Run `quorum_down` and `notify_down` on stopping.").example("omega"),
    script("quorum_up", "Command to run when quorum is gained.")
        .example("quorum_up \"/etc/keepalived/up.sh\"")
        .first_counts(),
    script("quorum_down", "Command to run when quorum is lost.")
        .example("quorum_down \"/etc/keepalived/down.sh\"")
        .first_counts(),
    kw("quorum", &[one("WEIGHT", Kind::Int(1, U32))], "Weight of living servers that keeps the service up.")
        .default("1")
        .example("quorum 2"),
    kw("hysteresis", &[one("WEIGHT", Kind::Int(0, U32))], "Margin around the quorum.")
        .default("0")
        .example("hysteresis 1"),
    kw("weight", &[one("WEIGHT", Kind::Int(1, I32))], "Weight of real servers that have none.")
        .default("1")
        .example("weight 5"),
    kw(
        "sorry_server",
        &[one("ADDRESS", Kind::Host), opt("PORT", Kind::Int(0, U16))],
        "Serves when the quorum is lost.",
    )
    .example("sorry_server 192.0.2.99 80"),
    flag("sorry_server_inhibit", "The sorry server fails with weight 0 and stays.")
        .example("sorry_server_inhibit"),
    Keyword {
        name: "sorry_server_lvs_method",
        aliases: &[],
        help: "How packets reach the sorry server.",
        default: "lvs_method",
        example: "sorry_server_lvs_method NAT",
        ..METHOD
    },
    kw(
        "real_server",
        &[one("ADDRESS", Kind::Host), opt("PORT", Kind::Int(0, U16))],
        "A server that does the work.",
    )
    .block(BlockId::RealServer)
    .repeats()
    .example(
        "real_server 192.0.2.11 80 {\n    weight 1\n    TCP_CHECK {\n        connect_timeout 3\n    }\n}",
    ),
]);

/// `real_server … { … }`.
pub(super) const REAL_SERVER: &[Keyword] = compose!(
    timing::OF_REAL_SERVER,
    &[
        kw("weight", &[one("WEIGHT", Kind::Int(0, I32))], "Share of connections; 0 takes no new ones.",)
            .default("the virtual server's")
            .example("weight 5"),
        Keyword { aliases: &[], default: "the virtual server's", ..METHOD },
        kw("uthreshold", &[one("CONNECTIONS", Kind::Int(0, U32))], "Most connections.")
            .default("0, no limit")
            .example("uthreshold 1000"),
        kw(
            "lthreshold",
            &[one("CONNECTIONS", Kind::Int(0, U32))],
            "Below this an overloaded server takes connections again.",
        )
        .default("3/4 of uthreshold")
        .example("lthreshold 800"),
        switch("inhibit_on_failure", "When failed, gets weight 0 and stays.")
            .default("the virtual server's")
            .example("inhibit_on_failure"),
        script("notify_up", "Command to run when it is up.")
            .example("notify_up \"/etc/keepalived/up.sh\"")
            .first_counts(),
        script("notify_down", "Command to run when it is down.")
            .example("notify_down \"/etc/keepalived/down.sh\"")
            .first_counts(),
        switch("alpha", "Begins as failed.").default("the virtual server's").example("alpha"),
        switch("smtp_alert", "Mail when it goes up or down.")
            .default("smtp_alert_checker, else smtp_alert of global_defs, else on")
            .example("smtp_alert off"),
        VIRTUALHOST,
        SNMP_NAME,
        kw("TCP_CHECK", &[], "A connection can be opened.")
            .block(BlockId::TcpCheck)
            .repeats()
            .example("TCP_CHECK {\n    connect_timeout 3\n}"),
        kw("HTTP_GET", &[], "A page is as it should be.")
            .block(BlockId::HttpGet)
            .repeats()
            .example("HTTP_GET {\n    url {\n        path /\n        status_code 200\n    }\n}"),
        kw("SSL_GET", &[], "A page over TLS is as it should be.")
            .block(BlockId::SslGet)
            .repeats()
            .example("SSL_GET {\n    url {\n        path /\n        status_code 200\n    }\n}"),
        kw("SMTP_CHECK", &[], "A mail server answers.")
            .block(BlockId::SmtpCheck)
            .repeats()
            .example("SMTP_CHECK {\n    helo_name me.example.com\n}"),
        kw("DNS_CHECK", &[], "A DNS server answers.")
            .block(BlockId::DnsCheck)
            .repeats()
            .example("DNS_CHECK {\n    type A\n    name example.com\n}"),
        kw("MISC_CHECK", &[], "A command succeeds.")
            .block(BlockId::MiscCheck)
            .repeats()
            .example("MISC_CHECK {\n    misc_path \"/usr/bin/true\"\n}"),
        kw("PING_CHECK", &[], "It answers ICMP echo.")
            .block(BlockId::PingCheck)
            .repeats()
            .example("PING_CHECK {\n    retry 2\n}"),
        kw("UDP_CHECK", &[], "It answers a packet.")
            .block(BlockId::UdpCheck)
            .repeats()
            .example("UDP_CHECK {\n    payload 00\n}"),
        kw("FILE_CHECK", &[], "The number in a file sets the weight.")
            .block(BlockId::FileCheck)
            .repeats()
            .example("FILE_CHECK {\n    track_file offset\n}"),
        kw("BFD_CHECK", &[], "A BFD session is up.")
            .block(BlockId::BfdCheck)
            .repeats()
            .example("BFD_CHECK {\n    name B1\n}"),
    ]
);

//! Virtual servers, their groups, real servers, and every checker.

use keepwatch_config::schema::BlockId;

use super::Area;

pub(super) const AREA: Area = Area {
    root: &["SSL", "virtual_server_group", "virtual_server"],
    blocks: &[
        BlockId::Ssl,
        BlockId::VirtualServer,
        BlockId::RealServer,
        BlockId::TcpCheck,
        BlockId::HttpGet,
        BlockId::Url,
        BlockId::SslGet,
        BlockId::SslUrl,
        BlockId::SmtpCheck,
        BlockId::SmtpHost,
        BlockId::DnsCheck,
        BlockId::MiscCheck,
        BlockId::PingCheck,
        BlockId::UdpCheck,
        BlockId::FileCheck,
        BlockId::BfdCheck,
    ],
    base,
    no_change: &[
        (BlockId::VirtualServer, "ip_family", "only for firewall marks"),
        (BlockId::VirtualServer, "mh-port", "only with the scheduler mh"),
        (BlockId::VirtualServer, "mh-fallback", "only with the scheduler mh"),
        (BlockId::VirtualServer, "nat_mask", "of Linux 2.2"),
        (BlockId::VirtualServer, "hysteresis", "only with a quorum above 1"),
        (BlockId::VirtualServer, "sorry_server_lvs_method", "only after a sorry server"),
        (BlockId::RealServer, "lthreshold", "only below an uthreshold"),
        (BlockId::HttpGet, "enable_sni", "only for TLS"),
        (BlockId::HttpGet, "sni_name", "only for TLS"),
        (BlockId::HttpGet, "delay_before_retry", "its example is the default"),
        (BlockId::SslGet, "delay_before_retry", "its example is the default"),
        (BlockId::DnsCheck, "retry", "its example is the default"),
        (BlockId::BfdCheck, "name", "its example is what is there already"),
    ],
};

fn base(block: BlockId, extra: &str) -> String {
    let at = |here: BlockId| if here == block { extra } else { "" };
    let checked = |port: u16, checker: &str, inside: String| {
        format!("real_server 10.1.0.2 {port} {{\nweight 9\n{checker} {{\n{inside}\n}}\n}}\n")
    };
    let others = [
        checked(
            81,
            "HTTP_GET",
            format!("url {{\npath /\nregex x\n{}\n}}\n{}", at(BlockId::Url), at(BlockId::HttpGet)),
        ),
        checked(
            89,
            "SSL_GET",
            format!(
                "virtualhost example.com\nurl {{\npath /\nregex x\n{}\n}}\n{}",
                at(BlockId::SslUrl),
                at(BlockId::SslGet)
            ),
        ),
        checked(
            82,
            "SMTP_CHECK",
            format!(
                "host {{\nconnect_ip 10.1.0.3\n{}\n}}\n{}",
                at(BlockId::SmtpHost),
                at(BlockId::SmtpCheck)
            ),
        ),
        checked(83, "DNS_CHECK", at(BlockId::DnsCheck).into()),
        checked(84, "MISC_CHECK", format!("misc_path /bin/true\n{}", at(BlockId::MiscCheck))),
        checked(85, "PING_CHECK", at(BlockId::PingCheck).into()),
        checked(86, "UDP_CHECK", format!("require_reply 00\n{}", at(BlockId::UdpCheck))),
        checked(87, "FILE_CHECK", format!("track_file other\n{}", at(BlockId::FileCheck))),
        checked(88, "BFD_CHECK", format!("name B1\n{}", at(BlockId::BfdCheck))),
    ];
    format!(
        "track_file offset {{\nfile /run/offset\n}}\ntrack_file other {{\nfile /run/other\nweight 2\n}}\nbfd_instance B1 {{\nneighbor_ip 192.0.2.9\n}}\nSSL {{\n{}\n}}\n\
         virtual_server 10.0.0.1 80 {{\nlvs_sched sh\nlvs_method NAT\nprotocol UDP\nsorry_server 10.9.9.9 80\n\
         real_server 10.1.0.1 80 {{\nweight 9\nTCP_CHECK {{\nconnect_timeout 9\n{}\n}}\n{}\n}}\n{}{}\n}}\n{}\n",
        at(BlockId::Ssl),
        at(BlockId::TcpCheck),
        at(BlockId::RealServer),
        others.concat(),
        at(BlockId::VirtualServer),
        at(BlockId::Root),
    )
}

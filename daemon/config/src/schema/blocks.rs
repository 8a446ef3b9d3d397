//! The blocks of the language.

use std::fmt;

/// A block whose lines are keywords.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // Each is what its title says.
pub enum BlockId {
    Root,
    Global,
    Observability,
    History,
    Otlp,
    StaticTrackGroup,
    GarpGroup,
    SyncGroup,
    Instance,
    Authentication,
    AuthHmac,
    VrrpScript,
    TrackFile,
    TrackProcess,
    Bfd,
    Ssl,
    VirtualServer,
    RealServer,
    TcpCheck,
    HttpGet,
    Url,
    SslGet,
    SslUrl,
    SmtpCheck,
    SmtpHost,
    DnsCheck,
    MiscCheck,
    PingCheck,
    UdpCheck,
    FileCheck,
    BfdCheck,
}

impl BlockId {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Root,
        Self::Global,
        Self::Observability,
        Self::History,
        Self::Otlp,
        Self::StaticTrackGroup,
        Self::GarpGroup,
        Self::SyncGroup,
        Self::Instance,
        Self::Authentication,
        Self::AuthHmac,
        Self::VrrpScript,
        Self::TrackFile,
        Self::TrackProcess,
        Self::Bfd,
        Self::Ssl,
        Self::VirtualServer,
        Self::RealServer,
        Self::TcpCheck,
        Self::HttpGet,
        Self::Url,
        Self::SslGet,
        Self::SslUrl,
        Self::SmtpCheck,
        Self::SmtpHost,
        Self::DnsCheck,
        Self::MiscCheck,
        Self::PingCheck,
        Self::UdpCheck,
        Self::FileCheck,
        Self::BfdCheck,
    ];

    /// What it is called: the keyword that opens it, within the one around it where that is needed to tell.
    pub fn title(self) -> &'static str {
        match self {
            Self::Root => "the top level",
            Self::Global => "global_defs",
            Self::Observability => "observability",
            Self::History => "history",
            Self::Otlp => "otlp",
            Self::StaticTrackGroup => "track_group",
            Self::GarpGroup => "garp_group",
            Self::SyncGroup => "vrrp_sync_group",
            Self::Instance => "vrrp_instance",
            Self::Authentication => "authentication",
            Self::AuthHmac => "auth_hmac",
            Self::VrrpScript => "vrrp_script",
            Self::TrackFile => "track_file",
            Self::TrackProcess => "vrrp_track_process",
            Self::Bfd => "bfd_instance",
            Self::Ssl => "SSL",
            Self::VirtualServer => "virtual_server",
            Self::RealServer => "real_server",
            Self::TcpCheck => "TCP_CHECK",
            Self::HttpGet => "HTTP_GET",
            Self::Url => "url",
            Self::SslGet => "SSL_GET",
            Self::SslUrl => "url",
            Self::SmtpCheck => "SMTP_CHECK",
            Self::SmtpHost => "host",
            Self::DnsCheck => "DNS_CHECK",
            Self::MiscCheck => "MISC_CHECK",
            Self::PingCheck => "PING_CHECK",
            Self::UdpCheck => "UDP_CHECK",
            Self::FileCheck => "FILE_CHECK",
            Self::BfdCheck => "BFD_CHECK",
        }
    }
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str(self.title()),
            _ => write!(f, "`{}`", self.title()),
        }
    }
}

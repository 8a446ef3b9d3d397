//! keepwatch's own block, `observability { … }`. keepalived does not know it: every setting is also an option of
//! keepwatchd's command line, so that the same file can serve both.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::mail::Mail;
use crate::otlp::Otlp;
use crate::webhook::Webhook;

/// The block `observability`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observability {
    /// `listen ADDRESS[:PORT]` or `listen off`: where `/metrics` and the status page are served;
    /// 127.0.0.1:9165 unless given, `None` when off.
    pub listen: Option<SocketAddr>,
    /// Whether `listen` was given at all.
    #[serde(default)]
    pub listen_is_written: bool,
    /// `web_config_file PATH`: TLS and users of what is served there, in the format of Prometheus's programs.
    #[serde(default)]
    pub web_config_file: Option<PathBuf>,
    /// `control_socket PATH`: the Unix socket of the `keepwatch` command; the daemon's own default when `None`.
    pub control_socket: Option<PathBuf>,
    /// `history { … }`.
    pub history: History,
    /// `otlp { … }`.
    #[serde(default)]
    pub otlp: Otlp,
    /// `webhook NAME { … }`, each of them.
    #[serde(default)]
    pub webhooks: Vec<Webhook>,
    /// `mail { … }`.
    #[serde(default)]
    pub mail: Mail,
}

impl Default for Observability {
    fn default() -> Self {
        Self {
            listen: Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), Self::DEFAULT_PORT)),
            listen_is_written: false,
            web_config_file: None,
            control_socket: None,
            history: History::default(),
            otlp: Otlp::default(),
            webhooks: Vec::new(),
            mail: Mail::default(),
        }
    }
}

impl Observability {
    /// The port of the default listen address; the one keepalived exporters use.
    pub const DEFAULT_PORT: u16 = 9165;
}

/// What is remembered of the past.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// `file PATH` or `file off`: JSON-lines file that survives restarts; the daemon's own default when `None`.
    pub file: Option<PathBuf>,
    /// `file off` was written: keep the history in memory only.
    pub file_off: bool,
    /// `max_bytes N`: bound of the file, with its one rotated predecessor; 16 MiB unless given.
    pub max_bytes: u64,
    /// `events N`: bound of the history in memory; 10,000 unless given.
    pub events: usize,
}

impl Default for History {
    fn default() -> Self {
        Self { file: None, file_off: false, max_bytes: 16 * 1024 * 1024, events: 10_000 }
    }
}

//! `observability { mail { … } }`: what keepalived has no keywords for.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::names::Name;
use crate::secret::{self, Secret};

/// The block `mail`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// `tls off | starttls | implicit`; if not given, off, but STARTTLS where there is a `user`.
    pub tls: Option<MailTls>,
    /// `certificates FILE`: whom to trust (PEM), instead of the system's list.
    pub certificates: Option<PathBuf>,
    /// `user NAME PASSWORD`.
    pub user: Option<MailUser>,
    /// `group NUMBER [SECONDS]`.
    pub group: Option<MailGroup>,
    /// `queue DIRECTORY`: where mails wait over a restart; the daemon's own default when `None`.
    pub queue: Option<PathBuf>,
    /// `queue off` was written: mails wait in memory only.
    pub queue_off: bool,
}

impl Mail {
    /// How the connection is encrypted.
    pub fn encryption(&self) -> MailTls {
        self.tls.unwrap_or(if self.user.is_some() { MailTls::StartTls } else { MailTls::Off })
    }
}

/// How the connection to the mail server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailTls {
    /// Not at all.
    Off,
    /// After the greeting (RFC 3207); a server that does not offer it gets no mail.
    #[serde(rename = "starttls")]
    StartTls,
    /// From the beginning (RFC 8314 section 3.3; port 465).
    Implicit,
}

/// Who we are to the mail server (RFC 4954).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailUser {
    /// The name.
    pub name: Name,
    /// The password.
    #[serde(serialize_with = "secret::hidden", deserialize_with = "secret::absent")]
    pub password: Secret<Box<str>>,
}

/// When many mails become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailGroup {
    /// From so many mails that wait on.
    pub least: u32,
    /// How long a mail waits for others.
    pub wait: Duration,
}

//! `SMTP_CHECK`: a mail server greets.

use serde::{Deserialize, Serialize};

use super::Connection;
use crate::Name;

/// An `SMTP_CHECK` block, or one `host` in it: each is a checker of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmtpCheck {
    /// Whom to talk to.
    #[serde(flatten)]
    pub connection: Connection,
    /// `helo_name`: who we say we are; `smtpchecker.keepalived.org` unless given.
    pub helo_name: Name,
}

impl SmtpCheck {
    /// What it says in HELO when nothing is configured.
    pub const HELO_NAME: &str = "smtpchecker.keepalived.org";
}

//! What sending mail needs of the configuration.

use std::time::Duration;

use keepwatch_model::Config;
use keepwatch_model::{Mail, MailServer};

use crate::Wishes;

/// From whom, to whom, over which server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailSettings {
    /// `router_id`: in the brackets of each subject.
    pub router_id: String,
    /// `smtp_server`: a host name or address, and the port.
    pub server: (String, u16),
    /// `smtp_helo_name`.
    pub helo: String,
    /// `smtp_connect_timeout`: for the connection; the whole exchange may take twice as long.
    pub connect_timeout: Duration,
    /// `notification_email_from`: `USER@HOST` or `NAME <USER@HOST>`.
    pub from: String,
    /// `notification_email`.
    pub to: Vec<String>,
    /// What is not to be mailed.
    pub wishes: Wishes,
    /// `observability { mail { … } }`.
    pub mail: Mail,
}

impl MailSettings {
    /// What a configuration says; `None` where it wants no mail: no server, or nobody to send it to.
    pub fn of(config: &Config) -> Option<Self> {
        let global = &config.global;
        let server = match global.smtp_server.as_ref()? {
            MailServer::Address(address) => (address.ip().to_string(), address.port()),
            MailServer::Host(name, port) => (name.to_string(), *port),
        };
        if global.notification_email.is_empty() {
            return None;
        }
        let from = match &global.notification_email_from {
            Some(from) => from.to_string(),
            None => format!("root@{}", global.router_id),
        };
        Some(Self {
            router_id: global.router_id.to_string(),
            server,
            helo: global.smtp_helo_name.to_string(),
            connect_timeout: global.smtp_connect_timeout,
            from,
            to: global.notification_email.iter().map(ToString::to_string).collect(),
            wishes: Wishes { no_faults: global.no_email_faults, no_checkers: global.no_checker_emails },
            mail: config.observability.mail.clone(),
        })
    }
}

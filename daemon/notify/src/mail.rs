//! One letter to the mail server: the message and the exchange, over lettre.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use lettre::message::header::{
    ContentTransferEncoding, ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0,
};
use lettre::message::{Body, Mailbox, Message};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use tokio::time::timeout;

use crate::{Letter, MailSettings};

/// Why a letter was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// An address of the configuration is none.
    #[error("`{address}` is no mail address")]
    Address {
        /// The address as configured.
        address: String,
    },
    /// The message can not be written.
    #[error("{0}")]
    Message(lettre::error::Error),
    /// The server can't be reached, hung up, or refused for now or for ever.
    #[error("{server}: {}", reason(.error))]
    Server {
        /// The server.
        server: String,
        /// What went wrong.
        error: lettre::transport::smtp::Error,
    },
    /// The server did not go through with it in time.
    #[error("{server}: no answer within {limit:?}")]
    TimedOut {
        /// The server.
        server: String,
        /// The limit.
        limit: Duration,
    },
}

impl SendError {
    /// Whether it is no use to try again with the same letter.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Address { .. } | Self::Message(_) => true,
            Self::Server { error, .. } => error.is_permanent(),
            Self::TimedOut { .. } => false,
        }
    }
}

/// The error with what caused it: lettre's own text says only `Connection error`.
fn reason(error: &lettre::transport::smtp::Error) -> String {
    let text = error.to_string();
    match std::error::Error::source(error) {
        Some(source) if !text.contains(&source.to_string()) => format!("{text}: {source}"),
        _ => text,
    }
}

/// Sends `letter` and returns to how many recipients it went. Takes at most twice the connect timeout.
pub(crate) async fn send(settings: &MailSettings, letter: &Letter) -> Result<u32, SendError> {
    let message = message(settings, letter)?;
    let recipients = u32::try_from(message.envelope().to().len()).unwrap_or(u32::MAX);
    let (host, port) = &settings.server;
    let server = || match host.parse() {
        Ok(IpAddr::V6(_)) => format!("[{host}]:{port}"),
        _ => format!("{host}:{port}"),
    };
    let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
        .port(*port)
        .hello_name(ClientId::Domain(settings.helo.clone()))
        .timeout(Some(settings.connect_timeout))
        .build();
    let limit = settings.connect_timeout * 2;
    match timeout(limit, transport.send(message)).await {
        Ok(Ok(_)) => Ok(recipients),
        Ok(Err(error)) => Err(SendError::Server { server: server(), error }),
        Err(_) => Err(SendError::TimedOut { server: server(), limit }),
    }
}

fn message(settings: &MailSettings, letter: &Letter) -> Result<Message, SendError> {
    let date = u64::try_from(letter.at).unwrap_or(0);
    let mut builder = Message::builder()
        .from(mailbox(&settings.from, &settings.helo)?)
        .subject(format!("[{}] {}", settings.router_id, letter.subject))
        .date(SystemTime::UNIX_EPOCH + Duration::from_nanos(date))
        // The same on every try, so that a server that got it twice can tell.
        .message_id(Some(format!("<keepwatch.{}.{date}@{}>", letter.event.0, settings.helo)))
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("X-Mailer"),
            format!("keepwatch {}", env!("CARGO_PKG_VERSION")),
        ));
    for recipient in &settings.to {
        builder = builder.to(mailbox(recipient, &settings.helo)?);
    }
    builder = builder.header(MIME_VERSION_1_0).header(ContentType::TEXT_PLAIN);
    builder.body(body(&letter.body)).map_err(SendError::Message)
}

/// The body as it is wherever it can be (RFC 5322 section 2.1.1 allows 998 characters a line), because people search
/// their mail by its text; else as lettre encodes it.
fn body(text: &str) -> Body {
    let plain = text.bytes().all(|byte| matches!(byte, b'\n' | b' '..=b'~'))
        && text.lines().all(|line| line.len() <= 998);
    if plain {
        let bytes = text.replace('\n', "\r\n").into_bytes();
        Body::dangerous_pre_encoded(bytes, ContentTransferEncoding::SevenBit)
    } else {
        Body::new(text.to_owned())
    }
}

/// Reads `USER@HOST`, `USER` (of the host that `helo` names) or `NAME <…>` of either. What the mail server may take is
/// its own business, so that an address which the standards forbid (`root@my_host`) is passed on; only what would break
/// out of its line is refused.
fn mailbox(text: &str, helo: &str) -> Result<Mailbox, SendError> {
    let (name, address) = match text.trim().strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
        Some((name, address)) => (Some(name.trim().trim_matches('"').to_owned()), address.trim()),
        None => (None, text.trim()),
    };
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',');
    let refused = || SendError::Address { address: text.to_owned() };
    let (user, host) = address.rsplit_once('@').unwrap_or((address, helo));
    if user.is_empty() || host.is_empty() || address.contains(forbidden) {
        return Err(refused());
    }
    let address = Address::new(user, host).unwrap_or_else(|_| Address::new_dangerous(user, host));
    Ok(Mailbox::new(name.filter(|name| !name.is_empty()), address))
}

#[cfg(test)]
mod tests {
    use keepwatch_bus::EventId;

    use super::*;

    fn settings() -> MailSettings {
        MailSettings {
            router_id: "LVS_DEVEL".into(),
            server: ("127.0.0.1".into(), 25),
            helo: "director.example".into(),
            connect_timeout: Duration::from_secs(1),
            from: "Keepwatch <director@example.org>".into(),
            to: vec!["admin@example.org".into(), "Second Admin <second@example.org>".into()],
            no_email_faults: false,
        }
    }

    fn letter(subject: &str) -> Letter {
        Letter {
            subject: subject.into(),
            body: format!("=> VRRP Instance is now owning VRRP VIPs <=\n.\n{}=\n", "long ".repeat(40)),
            event: EventId(7),
            at: 0,
        }
    }

    #[test]
    fn a_message_has_the_headers_people_filter_by() {
        let message = message(&settings(), &letter("VRRP Instance VI_1 - Entering MASTER state")).unwrap();
        let text = String::from_utf8(message.formatted()).unwrap();
        for header in [
            "Subject: [LVS_DEVEL] VRRP Instance VI_1 - Entering MASTER state\r\n",
            "From: Keepwatch <director@example.org>\r\n",
            "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n",
            "Message-ID: <keepwatch.7.0@director.example>\r\n",
            "Content-Type: text/plain; charset=utf-8\r\n",
            "\r\n\r\n=> VRRP Instance is now owning VRRP VIPs <=\r\n",
            "long long long =\r\n",
        ] {
            assert!(text.contains(header), "{header}is missing in\n{text}");
        }
        let recipients: Vec<_> = message.envelope().to().iter().map(ToString::to_string).collect();
        assert_eq!(recipients, ["admin@example.org", "second@example.org"]);
    }

    #[test]
    fn a_name_can_not_add_a_header() {
        let message = message(&settings(), &letter("VRRP Instance VI\r\nBcc: evil@example.org - x")).unwrap();
        let text = String::from_utf8(message.formatted()).unwrap();
        assert!(!text.lines().any(|line| line.starts_with("Bcc:")), "{text}");
    }

    #[test]
    fn an_address_that_is_none_is_named() {
        let settings = MailSettings { to: vec!["admin at example".into()], ..settings() };
        let error = message(&settings, &letter("x")).unwrap_err();
        assert_eq!(error.to_string(), "`admin at example` is no mail address");
        assert!(error.is_permanent());
    }

    #[test]
    fn addresses_are_taken_as_people_write_them() {
        let cases = [
            ("admin@example.org", Some("admin@example.org")),
            ("root", Some("root@director.example")),
            ("root@my_host", Some("root@my_host")),
            ("Admin <admin@firewall.loc>", Some("Admin <admin@firewall.loc>")),
            ("\"Admin, A.\" <admin@[10.0.0.1]>", Some("\"Admin, A.\" <admin@[10.0.0.1]>")),
            ("a@b>\r\nRCPT TO:<c@d", None),
            ("@example.org", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let read = mailbox(text, "director.example").ok().map(|mailbox| mailbox.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }
}

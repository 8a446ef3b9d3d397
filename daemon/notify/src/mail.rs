//! One letter to the mail server: the message and the exchange, over lettre.

use std::io;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use lettre::Address;
use lettre::message::header::{
    ContentTransferEncoding, ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0,
};
use lettre::message::{Body, Mailbox, Message};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use nix::errno::Errno;
use tokio::time::timeout;

use crate::{Letter, MailSettings};

mod secure;

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
    /// The connection can't be encrypted as it should be, so that nothing is sent.
    #[error("{server}: {reason}")]
    Unencrypted {
        /// The server.
        server: String,
        /// Why not.
        reason: String,
    },
    /// The server does not know us by the configured name and password, or not any more.
    #[error("{server}: it refuses the user {user}: {reason}")]
    User {
        /// The server.
        server: String,
        /// The name.
        user: String,
        /// What the server said.
        reason: String,
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
            // Whoever mends the configuration, or the server, wants the mails then.
            Self::Unencrypted { .. } | Self::User { .. } | Self::TimedOut { .. } => false,
        }
    }
}

/// The error with what caused it: lettre's own text says only `Connection error`, and of what the system answered that is
/// nothing more.
fn reason(error: &lettre::transport::smtp::Error) -> String {
    let text = error.to_string();
    let source = std::error::Error::source(error);
    let system =
        source.and_then(|source| source.downcast_ref::<io::Error>()).and_then(io::Error::raw_os_error);
    if let Some(number) = system {
        return Errno::from_raw(number).desc().into();
    }
    match source {
        Some(source) if !text.contains(&source.to_string()) => format!("{text}: {source}"),
        _ => text,
    }
}

/// What became of a letter that the mail server took for somebody, or for nobody.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    /// For how many recipients the server took it.
    pub(crate) taken: u32,
    /// Whom it will never take it for, and why.
    pub(crate) refused: Vec<(String, String)>,
    /// Whom it does not take it for now.
    pub(crate) deferred: Vec<String>,
    /// Why, of the last of them.
    pub(crate) why_deferred: String,
}

/// The least that the server's last word is waited for: it may be busy with the letter, and who hangs up now would send
/// it twice (RFC 5321 section 4.5.3.2.6 would even wait for ten minutes).
const LAST_WORD: Duration = Duration::from_secs(60);
/// For a farewell that changes nothing any more.
const GOODBYE: Duration = Duration::from_secs(1);

/// Sends `letter` to these of the configured recipients. One who is refused costs the others nothing. Up to the letter
/// itself it takes at most twice the connect timeout.
pub(crate) async fn send(
    settings: &MailSettings,
    letter: &Letter,
    to: &[String],
) -> Result<Delivery, SendError> {
    let message = message(settings, letter)?;
    let limit = settings.connect_timeout * 2;
    let late = |limit| SendError::TimedOut { server: server(settings), limit };
    let failed = |error| SendError::Server { server: server(settings), error };
    let (mut connection, delivery) =
        timeout(limit, announce(settings, &message, to)).await.map_err(|_| late(limit))??;
    let result = if delivery.taken > 0 {
        let limit = limit.max(LAST_WORD);
        match timeout(limit, hand_over(&mut connection, &message)).await {
            Ok(Ok(())) => Ok(delivery),
            Ok(Err(error)) => Err(failed(error)),
            Err(_) => Err(late(limit)),
        }
    } else {
        Ok(delivery)
    };
    // Whatever it says to that: the letter is taken, or not.
    let _ = timeout(GOODBYE, connection.quit()).await;
    result
}

fn server(settings: &MailSettings) -> String {
    let (host, port) = &settings.server;
    match host.parse() {
        Ok(IpAddr::V6(_)) => format!("[{host}]:{port}"),
        _ => format!("{host}:{port}"),
    }
}

/// Connects and says from whom and to whom.
async fn announce(
    settings: &MailSettings,
    message: &Message,
    to: &[String],
) -> Result<(AsyncSmtpConnection, Delivery), SendError> {
    let failed = |error| SendError::Server { server: server(settings), error };
    let mut connection = secure::connect(settings).await?;
    let from = message.envelope().from().cloned();
    connection.command(Mail::new(from, Vec::new())).await.map_err(failed)?;
    let mut delivery = Delivery::default();
    for recipient in to {
        let address = match mailbox(recipient, &settings.helo) {
            Ok(mailbox) => mailbox.email,
            Err(error) => {
                delivery.refused.push((recipient.clone(), error.to_string()));
                continue;
            }
        };
        match connection.command(Rcpt::new(address, Vec::new())).await {
            Ok(_) => delivery.taken += 1,
            Err(error) if error.is_permanent() => {
                delivery.refused.push((recipient.clone(), reason(&error)));
            }
            Err(error) if error.is_transient() => {
                delivery.deferred.push(recipient.clone());
                delivery.why_deferred = format!("{recipient}: {}", reason(&error));
            }
            Err(error) => return Err(failed(error)),
        }
    }
    Ok((connection, delivery))
}

/// Hands the message over; without an error, the server is responsible for it from now on.
async fn hand_over(
    connection: &mut AsyncSmtpConnection,
    message: &Message,
) -> Result<(), lettre::transport::smtp::Error> {
    connection.command(Data).await?;
    connection.message(&message.formatted()).await.map(drop)
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
    for recipient in settings.to.iter().filter_map(|text| mailbox(text, &settings.helo).ok()) {
        builder = builder.to(recipient);
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
        Some((name, address)) => (Some(unquoted(name.trim())), address.trim()),
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

/// A name as it is meant: without the quotes and backslashes of RFC 5322 section 3.2.4.
fn unquoted(name: &str) -> String {
    let Some(inner) = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) else {
        return name.to_owned();
    };
    let mut characters = inner.chars();
    let mut text = String::new();
    while let Some(character) = characters.next() {
        text.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    text
}

#[cfg(test)]
mod tests {
    use keepwatch_bus::EventId;

    use super::*;
    use crate::Wishes;

    fn settings() -> MailSettings {
        MailSettings {
            router_id: "LVS_DEVEL".into(),
            server: ("127.0.0.1".into(), 25),
            helo: "director.example".into(),
            connect_timeout: Duration::from_secs(1),
            from: "Keepwatch <director@example.org>".into(),
            to: vec!["admin@example.org".into(), "Second Admin <second@example.org>".into()],
            wishes: Wishes::default(),
            mail: keepwatch_model::Mail::default(),
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
    fn a_sender_that_is_none_is_named() {
        let settings = MailSettings { from: "admin at example".into(), ..settings() };
        let error = message(&settings, &letter("x")).unwrap_err();
        assert_eq!(error.to_string(), "`admin at example` is no mail address");
        assert!(error.is_permanent());
    }

    #[test]
    fn names_stand_in_the_header_and_never_in_the_envelope() {
        let to =
            vec!["Night Watch <night@example.net>".into(), r#""Watch, \"Day\"" <day@example.net>"#.into()];
        let message = message(&MailSettings { to, ..settings() }, &letter("x")).unwrap();
        let text = String::from_utf8(message.formatted()).unwrap().replace("\r\n ", " ");
        // The second name is an encoded word (RFC 2047).
        let line = r#"To: "Night Watch" <night@example.net>, =?utf-8?b?V2F0Y2gsICJEYXki?= <day@example.net>"#;
        assert!(text.contains(line), "{text}");
        let recipients: Vec<_> = message.envelope().to().iter().map(ToString::to_string).collect();
        assert_eq!(recipients, ["night@example.net", "day@example.net"]);
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

//! `SMTP_CHECK`: a mail server greets, answers HELO, and says goodbye.
//!
//! ```text
//!   server                       we
//!   220 (or many 220- lines)
//!                                HELO name
//!   250
//!                                QUIT
//!   anything
//! ```

use std::{io, time::Duration};

use keepwatch_bus::fact::FailureReason;
use keepwatch_model::SmtpCheck;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    connect::{self, plain, refusal},
    outcome::Outcome,
};

/// The most bytes of one reply, all of its lines together. RFC 5321 section 4.5.3.1.5 allows 512 for a line.
const REPLY: usize = 64 << 10;

/// How much of what a server said is repeated when it is wrong.
const QUOTED: usize = 80;

/// Makes one check.
pub(super) async fn check(settings: &SmtpCheck) -> Outcome {
    talk(settings).await.map_or_else(|failed| failed, |()| Outcome::GOOD)
}

async fn talk(settings: &SmtpCheck) -> Result<(), Outcome> {
    let stream = connect::tcp(&settings.connection).await?;
    let mut talk = Talk { stream, received: Vec::new(), limit: settings.connection.connect_timeout };
    talk.expect("the greeting", Some("220")).await?;
    talk.say(&format!("HELO {}\r\n", settings.helo_name)).await?;
    talk.expect("the answer to HELO", Some("250")).await?;
    talk.say("QUIT\r\n").await?;
    talk.expect("the answer to QUIT", None).await
}

/// A dialogue under way.
struct Talk {
    stream: TcpStream,
    /// What came and was not looked at.
    received: Vec<u8>,
    /// For each reply.
    limit: Duration,
}

impl Talk {
    async fn say(&mut self, command: &str) -> Result<(), Outcome> {
        match timeout(self.limit, self.stream.write_all(command.as_bytes())).await {
            Ok(sent) => sent.map_err(|error| refusal(&error)),
            Err(_) => Err(connect::timed_out(self.limit)),
        }
    }

    /// Waits for a reply to its last line, and for its code if one is given. `what` it is, for the failure.
    async fn expect(&mut self, what: &str, code: Option<&str>) -> Result<(), Outcome> {
        let reply = match timeout(self.limit, self.reply(what)).await {
            Ok(reply) => reply?,
            Err(_) => {
                let limit = connect::seconds(self.limit);
                return Err(Outcome::failed(
                    FailureReason::Timeout,
                    format!("no end of {what} within {limit}"),
                ));
            }
        };
        match code {
            Some(code) if !reply.starts_with(code) => {
                Err(Outcome::failed(reason(&reply), format!("{what} is {}", quoted(&reply))))
            }
            _ => Ok(()),
        }
    }

    /// The last line of the next reply (RFC 5321 section 4.2.1: all lines but the last have a `-` after the code).
    async fn reply(&mut self, what: &str) -> Result<String, Outcome> {
        let mut length = 0;
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                length += line.len();
                if !is_continued(&line) {
                    return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
                }
                continue;
            }
            if length + self.received.len() > REPLY {
                let error = format!("{what} is longer than {REPLY} bytes");
                return Err(Outcome::failed(FailureReason::TooLarge, error));
            }
            match self.stream.read_buf(&mut self.received).await {
                Ok(0) => {
                    let error = format!("connection closed before the end of {what}");
                    return Err(Outcome::failed(FailureReason::Closed, error));
                }
                Ok(_) => (),
                Err(error) => return Err(broken(what, &error)),
            }
        }
    }
}

fn broken(what: &str, error: &io::Error) -> Outcome {
    match error.kind() {
        io::ErrorKind::ConnectionReset => {
            Outcome::failed(FailureReason::Reset, format!("{} before the end of {what}", plain(error)))
        }
        _ => refusal(error),
    }
}

/// Does another line of the same reply follow this one?
fn is_continued(line: &[u8]) -> bool {
    line.get(3) == Some(&b'-') && line.iter().take(3).all(u8::is_ascii_digit)
}

/// Is it a reply of the protocol, only not the right one?
fn reason(reply: &str) -> FailureReason {
    let code = reply.as_bytes();
    let digits = code.len() >= 3 && code.iter().take(3).all(u8::is_ascii_digit);
    match digits && code.get(3).is_none_or(|byte| *byte == b' ') {
        true => FailureReason::Status,
        false => FailureReason::Garbage,
    }
}

/// For people: its beginning, without what would spoil a terminal.
fn quoted(reply: &str) -> String {
    let text: String = reply.chars().take(QUOTED).map(|c| if c.is_control() { '?' } else { c }).collect();
    format!("`{text}`")
}

//! systemd's journal, by its own protocol (systemd.io, "Journal Native Protocol"): a datagram of fields for each line, so
//! that `journalctl KEEPWATCH_INSTANCE=VI_1` finds what is about one virtual router.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use serde_json::Value;

use super::sink::Line;
use crate::cli::Facility;

/// Where the journal listens.
pub(super) const SOCKET: &str = "/run/systemd/journal/socket";
/// The longest name of a field (systemd.journal-fields(7)).
const LONGEST_NAME: usize = 64;

/// The journal of this machine, if there is one.
pub(super) struct Journal {
    path: &'static str,
    facility: Facility,
    waits: bool,
    socket: Option<UnixDatagram>,
}

impl Journal {
    /// `waits`: whether a line waits until the journal has room, or is refused then.
    pub(super) fn new(path: &'static str, facility: Facility, waits: bool) -> Self {
        Self { path, facility, waits, socket: None }
    }

    /// Whether there is one now.
    pub(super) fn is_there(&self) -> bool {
        Path::new(self.path).exists()
    }

    pub(super) fn socket(&self) -> Option<&UnixDatagram> {
        self.socket.as_ref()
    }

    /// Sends a line.
    ///
    /// # Errors
    /// When the journal does not take it.
    pub(super) fn write(&mut self, line: &Line) -> io::Result<()> {
        let fields = fields(line, self.facility);
        match self.socket.as_ref().map(|socket| socket.send(&fields)) {
            Some(Ok(_)) => return Ok(()),
            Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
            Some(Err(_)) | None => {}
        }
        // The first line, or journald was started again: its new socket has to be connected to.
        self.socket = None;
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(!self.waits)?;
        socket.connect(self.path)?;
        socket.send(&fields)?;
        self.socket = Some(socket);
        Ok(())
    }
}

fn fields(line: &Line, facility: Facility) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    put(&mut out, "MESSAGE", &line.text);
    put(&mut out, "PRIORITY", &(line.severity as i32).to_string());
    put(&mut out, "SYSLOG_FACILITY", &(facility.0 >> 3).to_string());
    put(&mut out, "SYSLOG_IDENTIFIER", "keepwatchd");
    put(&mut out, "SYSLOG_PID", &std::process::id().to_string());
    let Some(event) = &line.event else { return out };
    put(&mut out, "KEEPWATCH_EVENT", &event.id.0.to_string());
    if let Some(cause) = event.cause {
        put(&mut out, "KEEPWATCH_CAUSE", &cause.0.to_string());
    }
    put(&mut out, "KEEPWATCH_KIND", event.fact.kind());
    put(&mut out, "KEEPWATCH_SUBSYSTEM", event.fact.subsystem().into());
    for (name, value) in event.fact.data() {
        let name = name.to_ascii_uppercase();
        match value {
            Value::Null => {}
            Value::String(text) => put(&mut out, &format!("KEEPWATCH_{name}"), &text),
            value => put(&mut out, &format!("KEEPWATCH_{name}"), &value.to_string()),
        }
    }
    out
}

/// Adds a field; one whose value has more lines than one goes with its length.
fn put(out: &mut Vec<u8>, name: &str, value: &str) {
    let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    if name.len() > LONGEST_NAME || !name.chars().all(fits) {
        return;
    }
    out.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        out.push(b'\n');
        out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        out.push(b'=');
    }
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use keepwatch_bus::fact::ConsumerFact;
    use keepwatch_bus::{Event, EventId};

    use super::*;
    use crate::logging::Severity;

    #[test]
    fn the_journal_gets_fields_and_a_restarted_one_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let path: &'static str = dir.path().join("journal").to_string_lossy().into_owned().leak();
        let mut journal = Journal::new(path, Facility(nix::libc::LOG_LOCAL3), true);
        assert!(!journal.is_there());
        let fact = ConsumerFact::MailFailed { subject: "x".into(), error: "two\nlines".into() }.into();
        let event = Event { id: EventId(7), at: Timestamp::UNIX_EPOCH, mono: 0, cause: None, fact };
        let mut line = Line::now(Severity::Warning, "Mail not sent");
        line.event = Some(Arc::new(event));
        for _ in 0..2 {
            let daemon = UnixDatagram::bind(path).unwrap();
            journal.write(&line).unwrap();
            let mut buffer = [0; 2048];
            let length = daemon.recv(&mut buffer).unwrap();
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            for field in [
                "MESSAGE=Mail not sent\n",
                "PRIORITY=4\n",
                "SYSLOG_FACILITY=19\n",
                "SYSLOG_IDENTIFIER=keepwatchd\n",
                "KEEPWATCH_EVENT=7\n",
                "KEEPWATCH_KIND=mail_failed\n",
                "KEEPWATCH_SUBSYSTEM=notify\n",
                "KEEPWATCH_SUBJECT=x\n",
                "KEEPWATCH_ERROR\n\u{9}\0\0\0\0\0\0\0two\nlines\n",
            ] {
                assert!(text.contains(field), "{field:?} is missing in {text:?}");
            }
            drop(daemon);
            std::fs::remove_file(path).unwrap();
        }
    }
}

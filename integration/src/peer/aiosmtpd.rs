//! A real SMTP server (Debian's python3-aiosmtpd) that keeps what it gets in a maildir.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;

use crate::{Host, Process, process::Spawn, wait};

const GREETED: &str = r"
from aiosmtpd.handlers import Mailbox

class Greeted(Mailbox):
    def prepare_message(self, session, envelope):
        message = super().prepare_message(session, envelope)
        message['X-Helo'] = session.host_name
        return message
";

const CHOOSY: &str = r"
from aiosmtpd.handlers import Mailbox

class Choosy(Mailbox):
    put_off = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith('gone'):
            return '550 5.1.1 no such user here'
        if address.startswith('later') and address not in self.put_off:
            self.put_off.add(address)
            return '450 4.2.1 come again'
        envelope.rcpt_tos.append(address)
        return '250 OK'
";

/// Takes mail over an encrypted connection only, from `keepwatch` with the password `right`.
const SECURE: &str = r"
import ssl, sys, time
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import AuthResult

host, port, certificate, key, maildir = sys.argv[1:]

def known(server, session, envelope, mechanism, data):
    good = data.login == b'keepwatch' and data.password == b'right'
    return AuthResult(success=good, handled=False)

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
Controller(Mailbox(maildir), hostname=host, port=int(port), tls_context=context, require_starttls=True,
           auth_required=True, authenticator=known).start()
while True:
    time.sleep(60)
";

/// A running mail server in a host.
pub struct Aiosmtpd {
    process: Process,
    maildir: PathBuf,
}

impl Aiosmtpd {
    /// Starts it at an address of `host` and waits until it accepts connections.
    pub fn start(host: &Host, at: SocketAddr) -> Result<Self> {
        Self::handling(host, at, "aiosmtpd.handlers.Mailbox")
    }

    /// The same, for one that says in `X-Helo` of each mail who the client said it is.
    pub fn greeted(host: &Host, at: SocketAddr) -> Result<Self> {
        host.file("greeted.py", GREETED)?;
        Self::handling(host, at, "greeted.Greeted")
    }

    /// The same, for a server that refuses whoever begins with `gone`, and puts off for once whoever begins with `later`.
    pub fn choosy(host: &Host, at: SocketAddr) -> Result<Self> {
        host.file("choosy.py", CHOOSY)?;
        Self::handling(host, at, "choosy.Choosy")
    }

    /// The same, for one that takes mail only after STARTTLS with this certificate and key (PEM files), and only from
    /// `keepwatch`, whose password is `right`.
    pub fn secure(host: &Host, at: SocketAddr, certificate: &Path, key: &Path) -> Result<Self> {
        let program = host.file("secure.py", SECURE)?;
        let (ip, port) = (at.ip().to_string(), at.port().to_string());
        Self::running(host, at, |process| process.arg(program).args([&*ip, &*port]).arg(certificate).arg(key))
    }

    fn handling(host: &Host, at: SocketAddr, class: &str) -> Result<Self> {
        Self::running(host, at, |process| {
            process.args(["-m", "aiosmtpd", "-n", "-l"]).arg(at.to_string()).args(["-c", class])
        })
    }

    fn running(host: &Host, at: SocketAddr, what: impl FnOnce(Spawn) -> Spawn) -> Result<Self> {
        let maildir = host.directory().join("maildir");
        let python = host
            .process("aiosmtpd", "/usr/bin/python3")
            .env("PYTHONPATH", host.directory())
            .env("PYTHONDONTWRITEBYTECODE", "1");
        let process = what(python).arg(&maildir).start()?;
        wait::until("the mail server accepts connections", wait::LONG, || {
            host.connect(at, Duration::from_secs(1)).is_ok()
        })?;
        Ok(Self { process, maildir })
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// All mails so far, header and body, in order of arrival.
    pub fn mails(&self) -> Vec<String> {
        let mut found: Vec<PathBuf> = fs::read_dir(self.maildir.join("new"))
            .into_iter()
            .flatten()
            .flatten()
            .map(|e| e.path())
            .collect();
        found.sort_by_key(|path| place(&path.file_name().unwrap_or_default().to_string_lossy()));
        found.iter().filter_map(|path| fs::read_to_string(path).ok()).collect()
    }
}

/// The running number of a mail: in a name such as `1763686530.M4711P99Q12.host` the one after `Q`.
fn place(name: &str) -> Option<u64> {
    let (_, rest) = name.split_once('Q')?;
    rest.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tenth_mail_comes_after_the_second() {
        assert!(place("1763686530.M999P99Q2.lab") < place("1763686530.M12P99Q10.lab"));
    }
}

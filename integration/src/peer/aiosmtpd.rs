//! A real SMTP server (Debian's python3-aiosmtpd) that keeps what it gets in a maildir.

use std::{fs, net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::Result;

use crate::{Host, Process, wait};

/// A running mail server in a host.
pub struct Aiosmtpd {
    process: Process,
    maildir: PathBuf,
}

impl Aiosmtpd {
    /// Starts it at an address of `host` and waits until it accepts connections.
    pub fn start(host: &Host, at: SocketAddr) -> Result<Self> {
        let maildir = host.directory().join("maildir");
        let process = host
            .process("aiosmtpd", "/usr/bin/python3")
            .args(["-m", "aiosmtpd", "-n", "-l"])
            .arg(at.to_string())
            .args(["-c", "aiosmtpd.handlers.Mailbox"])
            .arg(&maildir)
            .start()?;
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
        // Names of a maildir begin with the time of delivery and a running number.
        found.sort();
        found.iter().filter_map(|path| fs::read_to_string(path).ok()).collect()
    }
}

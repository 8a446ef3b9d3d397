//! Master agents that are no use: each takes a subagent's connection in its own manner, and is gone.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use integration::wait;
use snmp_agentx::framer::Framer;
use snmp_agentx::pdu::CloseReason;
use snmp_agentx::{Body, ErrorStatus, Header, Packet, SearchRange, oid};

/// What one does with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Hangs up at once.
    Slams,
    /// Refuses the Open.
    Refuses,
    /// Takes the Open, and refuses what is to be registered.
    RefusesRegistration,
    /// Answers the Open with noise.
    Raves,
    /// Answers half of it, and hangs up.
    Chokes,
    /// Serves, and then sends noise.
    ServesAndRaves,
    /// Serves, and hangs up in the middle of a question.
    ServesAndChokes,
    /// Serves, asks, and hangs up before the answer.
    ServesAndLeaves,
    /// Serves, and closes the session in good order.
    ServesAndCloses,
    /// Answers nothing, and stays.
    Ignores,
    /// Serves, sends half a question, and stays without another word.
    ServesAndFreezes,
}

impl Manner {
    /// Those that are soon over, so that most attempts succeed: after each failure the next attempt waits for longer.
    pub(crate) const QUICK: [Self; 9] = [
        Self::ServesAndRaves,
        Self::Slams,
        Self::ServesAndChokes,
        Self::Refuses,
        Self::ServesAndLeaves,
        Self::Raves,
        Self::ServesAndCloses,
        Self::Chokes,
        Self::RefusesRegistration,
    ];
    /// Those that a subagent has to give up by itself.
    pub(crate) const SILENT: [Self; 2] = [Self::Ignores, Self::ServesAndFreezes];
}

/// Where such masters listen, one after the other.
pub(crate) struct Masters(UnixListener);

impl Masters {
    /// In the place of whoever listened there before.
    pub(crate) fn listen(at: &Path) -> Result<Self> {
        if at.exists() {
            std::fs::remove_file(at)?;
        }
        let listener = UnixListener::bind(at)?;
        listener.set_nonblocking(true)?;
        Ok(Self(listener))
    }

    /// Waits for a subagent, and treats it so. Returns how long it was waited for.
    pub(crate) fn meet(&self, manner: Manner) -> Result<Duration> {
        let began = Instant::now();
        let (stream, _) = wait::value("a subagent comes", wait::LONG, || self.0.accept().ok())?;
        let waited = began.elapsed();
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(Duration::from_millis(300)))?;
        let mut met = Met { stream, framer: Framer::default() };
        // It may hang up on us in the middle of it: all the better.
        match met.treat(manner) {
            Err(error) if error.downcast_ref::<std::io::Error>().is_none() => Err(error),
            _ => Ok(waited),
        }
    }
}

struct Met {
    stream: UnixStream,
    framer: Framer,
}

impl Met {
    fn treat(&mut self, manner: Manner) -> Result<()> {
        const NOISE: [u8; 4096] = [0xff; 4096];
        let question = Body::GetNext(vec![SearchRange {
            start: oid(&[1, 3, 6, 1, 4, 1, 9586, 100, 5]),
            include: true,
            end: oid(&[]),
        }]);
        match manner {
            Manner::Slams => {}
            Manner::Refuses => {
                if let Some(open) = self.next()? {
                    self.answer(&open, ErrorStatus::OPEN_FAILED)?;
                }
            }
            Manner::RefusesRegistration => {
                if let Some(open) = self.next()? {
                    self.answer(&open, ErrorStatus::NO_ERROR)?;
                }
                if let Some(register) = self.next()? {
                    self.answer(&register, ErrorStatus::REQUEST_DENIED)?;
                }
            }
            Manner::Raves => {
                self.next()?;
                self.stream.write_all(&NOISE)?;
            }
            Manner::Chokes => {
                if let Some(open) = self.next()? {
                    let raw = response(&open, ErrorStatus::NO_ERROR).encode()?;
                    self.stream.write_all(&raw[..raw.len() / 2])?;
                }
            }
            Manner::ServesAndRaves => {
                self.serve()?;
                self.stream.write_all(&NOISE)?;
            }
            Manner::ServesAndChokes => {
                self.serve()?;
                let raw = request(question).encode()?;
                self.stream.write_all(&raw[..raw.len() - 7])?;
            }
            Manner::ServesAndLeaves => {
                self.serve()?;
                self.stream.write_all(&request(question).encode()?)?;
            }
            Manner::ServesAndCloses => {
                self.serve()?;
                self.stream.write_all(&request(Body::Close(CloseReason::Shutdown)).encode()?)?;
                self.next()?;
            }
            Manner::Ignores => self.is_left()?,
            Manner::ServesAndFreezes => {
                self.serve()?;
                let raw = request(question).encode()?;
                self.stream.write_all(&raw[..raw.len() / 2])?;
                self.is_left()?;
            }
        }
        Ok(())
    }

    /// Agrees to everything, until nothing more is asked.
    fn serve(&mut self) -> Result<()> {
        while let Some(asked) = self.next()? {
            if !matches!(asked.body, Body::Response { .. }) {
                self.answer(&asked, ErrorStatus::NO_ERROR)?;
            }
        }
        Ok(())
    }

    /// Waits until the subagent hangs up.
    fn is_left(&mut self) -> Result<()> {
        wait::until("the subagent gives it up", wait::LONG, || {
            let mut raw = [0; 4096];
            match self.stream.read(&mut raw) {
                Ok(count) => count == 0,
                Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
            }
        })
    }

    /// The next packet; none if nothing comes for a while.
    fn next(&mut self) -> Result<Option<Packet>> {
        loop {
            if let Some(raw) = self.framer.next_packet().context("a subagent's packet")? {
                return Ok(Some(Packet::decode(&raw).context("a subagent's packet")?));
            }
            let mut raw = [0; 4096];
            match self.stream.read(&mut raw) {
                Ok(0) => return Ok(None),
                Ok(count) => self.framer.push(&raw[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn answer(&mut self, asked: &Packet, error: ErrorStatus) -> Result<()> {
        Ok(self.stream.write_all(&response(asked, error).encode()?)?)
    }
}

/// The session's number, as this master gives it.
const SESSION: u32 = 9;

fn response(asked: &Packet, error: ErrorStatus) -> Packet {
    let body = Body::Response { uptime: 0, error, index: 0, binds: Vec::new() };
    Packet { header: Header { session: SESSION, ..asked.header }, context: None, body }
}

fn request(body: Body) -> Packet {
    Packet { header: Header { session: SESSION, packet: 1, ..Header::default() }, context: None, body }
}

//! A subagent that answers from a constant: what a walk costs when nothing has to be looked up. It serves as many columns
//! and rows below the same root as the daemons do, each an INTEGER, with a read and a write for a request and nothing else.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::unistd::{Pid, gettid};
use snmp_agentx::{Body, Header, Packet, Settings, Subtree, oid};

/// `vrrpInstanceEntry`, of which it has these columns.
const ENTRY: [u32; 12] = [1, 3, 6, 1, 4, 1, 9586, 100, 5, 2, 3, 1];
const COLUMNS: u32 = 35;
/// Bytes of a packet's header.
const HEADER: usize = 20;

/// One that serves in a thread of its own, until its connection ends.
pub(crate) struct Constant {
    thread: Pid,
    stream: UnixStream,
    serving: Option<JoinHandle<()>>,
}

impl Constant {
    /// Opens a session and registers.
    pub(crate) fn start(socket: &Path, rows: u32) -> Result<Self> {
        let mut stream = UnixStream::connect(socket).context("the constant subagent")?;
        let Settings { id, description, .. } = Settings::new("constant", Vec::new());
        let open = Body::Open { timeout: 0, id, description: description.into_bytes().into() };
        let session = ask(&mut stream, 0, open)?.header.session;
        let subtree = Subtree { priority: 127, root: oid(&ENTRY), range: None };
        ask(&mut stream, session, Body::Register { timeout: 0, instance: false, subtree })?;
        let (tell, told) = std::sync::mpsc::channel();
        let mut own = stream.try_clone()?;
        let serving = std::thread::spawn(move || {
            let _ = tell.send(gettid());
            let mut raw = vec![0; 64 * 1024];
            while let Ok(length) = receive(&mut own, &mut raw) {
                if own.write_all(&answer(&raw[..length], rows)).is_err() {
                    break;
                }
            }
        });
        Ok(Self { thread: told.recv()?, stream, serving: Some(serving) })
    }

    /// The processor time that it has used.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let text = fs::read_to_string(format!("/proc/self/task/{}/schedstat", self.thread))?;
        let used = text.split_whitespace().next().context("schedstat")?;
        Ok(Duration::from_nanos(used.parse()?))
    }
}

impl Drop for Constant {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
        if let Some(serving) = self.serving.take() {
            let _ = serving.join();
        }
    }
}

fn ask(stream: &mut UnixStream, session: u32, body: Body) -> Result<Packet> {
    let header = Header { session, ..Header::default() };
    stream.write_all(&Packet { header, context: None, body }.encode()?)?;
    let mut raw = vec![0; 4096];
    let length = receive(stream, &mut raw)?;
    let answer = Packet::decode(&raw[..length])?;
    ensure!(matches!(answer.body, Body::Response { error, .. } if error.0 == 0), "{answer:?}");
    Ok(answer)
}

/// One packet: there is never a second one behind it.
fn receive(stream: &mut UnixStream, raw: &mut [u8]) -> Result<usize> {
    let mut have = 0;
    while have < HEADER || have < HEADER + number(raw, 16) as usize {
        let count = stream.read(&mut raw[have..])?;
        ensure!(count > 0, "the end");
        have += count;
    }
    Ok(have)
}

/// In network byte order, as the session was opened.
fn number(raw: &[u8], at: usize) -> u32 {
    raw.get(at..at + 4).and_then(|raw| raw.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// The answer to a GetNext of one range: the next row of the column, the next column's first, or the end.
fn answer(asked: &[u8], rows: u32) -> Vec<u8> {
    // The name: how many numbers follow the prefix (1.3.6.1.4), the prefix, include, and the numbers.
    const BEFORE: usize = 5;
    let numbers = usize::from(asked[HEADER]);
    let at = |index: usize| match index.checked_sub(BEFORE) {
        Some(index) if index < numbers => number(asked, HEADER + 4 + 4 * index),
        _ => 0,
    };
    let (column, row) = (at(ENTRY.len()), at(ENTRY.len() + 1));
    let (column, row) = if row >= rows { (column + 1, 1) } else { (column.max(1), row + 1) };
    let mut out = Vec::with_capacity(128);
    out.extend_from_slice(&[1, 18, 0x10, 0]);
    out.extend_from_slice(&asked[4..16]);
    out.extend_from_slice(&[0; 12]);
    if column > COLUMNS {
        out.extend_from_slice(&[0, 130, 0, 0]);
        out.extend_from_slice(&asked[HEADER..HEADER + 4 + 4 * numbers]);
    } else {
        out.extend_from_slice(&[0, 2, 0, 0, (ENTRY.len() + 2 - BEFORE) as u8, 4, 0, 0]);
        for arc in ENTRY[BEFORE..].iter().chain(&[column, row, 7]) {
            out.extend_from_slice(&arc.to_be_bytes());
        }
    }
    let payload = (out.len() - HEADER) as u32;
    out[16..HEADER].copy_from_slice(&payload.to_be_bytes());
    out
}

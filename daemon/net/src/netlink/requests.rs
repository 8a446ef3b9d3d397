//! Asks the kernel to change something and hears what it says: for a thread that may wait. The bodies of the messages are
//! their senders' business ([`Attributes`]).

use std::io;
use std::os::fd::AsFd;

use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, NLMSG_DONE};
use netlink_sys::protocols::{NETLINK_NETFILTER, NETLINK_ROUTE};
use netlink_sys::{Socket, SocketAddr};
use nix::errno::Errno;
use nix::sys::socket::{getsockopt, setsockopt, sockopt};

use super::attributes::Attributes;
use super::message::{self, Message};
use crate::address::{AddressOperation, AddressSpec};
use crate::error::{Error, Result};
use crate::link::LinkIndex;

/// Requests in one write: their answers must fit the receive buffer.
const PER_WRITE: usize = 64;
/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;

/// A socket for requests of any kind.
pub struct Requests {
    socket: Socket,
    /// Under which the kernel names this socket as the cause of what it tells others.
    port: u32,
    sequence: u32,
    /// Empty where a request can't be said in a message.
    waiting: Vec<Vec<u8>>,
    buffer: Vec<u8>,
}

impl Requests {
    /// For links, addresses, routes and rules.
    ///
    /// # Errors
    /// When the kernel gives no netlink socket.
    pub fn routing() -> Result<Self> {
        Self::open(NETLINK_ROUTE).map_err(|e| Error::system("open", "a routing socket", e))
    }

    /// For the packet filter.
    ///
    /// # Errors
    /// When the kernel gives no such socket.
    pub fn filter() -> Result<Self> {
        Self::open(NETLINK_NETFILTER).map_err(|e| Error::system("open", "a socket of the packet filter", e))
    }

    fn open(protocol: isize) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        let port = socket.bind_auto()?.port_number();
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_cap_ack(true)?;
        socket.set_non_blocking(true)?;
        Ok(Self { socket, port, sequence: 0, waiting: Vec::new(), buffer: Vec::with_capacity(32 << 10) })
    }

    /// Its number: a notification that bears it tells of what was asked here.
    pub fn port(&self) -> u32 {
        self.port
    }

    /// Queues a request: its type (`RTM_…`), its flags besides those that every request has, and its body.
    pub fn push(&mut self, kind: u16, flags: u16, body: &Attributes) {
        self.sequence = self.sequence.wrapping_add(1);
        let flags = flags | NLM_F_REQUEST | NLM_F_ACK;
        let fits = !body.is_too_long();
        self.waiting.push(if fits { frame(kind, flags, self.sequence, body) } else { Vec::new() });
    }

    /// Queues that an address is put on an interface, or taken off.
    pub fn push_address(&mut self, operation: AddressOperation, link: LinkIndex, spec: &AddressSpec) {
        let (kind, flags) = match operation {
            AddressOperation::Add => (libc::RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL),
            AddressOperation::Remove => (libc::RTM_DELADDR, 0),
        };
        self.push(kind, flags, &Attributes::after(&message::address_body(operation, link, spec)));
    }

    /// Has everything that was queued done, in order, and returns what became of each: `EMSGSIZE` for one whose body is
    /// [too long](Attributes::is_too_long).
    pub fn carry_out(&mut self) -> Vec<std::result::Result<(), Errno>> {
        self.carry_out_and_hear(|_, _| {})
    }

    /// Lists have what fits their request, and nothing else, where the kernel can do that.
    pub(super) fn filter_lists(&mut self) {
        let _ = self.socket.set_netlink_get_strict_chk(true);
    }

    /// Asks for a list of things; `each` gets the type and the body of every message that tells of one.
    ///
    /// # Errors
    /// What the kernel said instead.
    pub(super) fn list(
        &mut self,
        kind: u16,
        body: &Attributes,
        mut each: impl FnMut(u16, &[u8]),
    ) -> std::result::Result<(), Errno> {
        self.push(kind, NLM_F_DUMP, body);
        let mut done = false;
        let results = self.carry_out_and_hear(|kind, body| match kind {
            NLMSG_DONE => done = true,
            _ => each(kind, body),
        });
        // A list has an end, and no answer.
        results.into_iter().find(|_| !done).unwrap_or(Ok(()))
    }

    /// As [`Self::carry_out`]; `told` gets the type and the body of every message that comes.
    pub(super) fn carry_out_and_hear(
        &mut self,
        mut told: impl FnMut(u16, &[u8]),
    ) -> Vec<std::result::Result<(), Errno>> {
        let waiting = std::mem::take(&mut self.waiting);
        let mut first = self.sequence.wrapping_sub(waiting.len() as u32).wrapping_add(1);
        let mut results = Vec::with_capacity(waiting.len());
        for some in waiting.chunks(PER_WRITE) {
            let unanswered =
                |request: &Vec<u8>| Err(if request.is_empty() { Errno::EMSGSIZE } else { Errno::EIO });
            let mut answers: Vec<_> = some.iter().map(unanswered).collect();
            match self.socket.send(&some.concat(), 0) {
                Ok(_) => self.hear(
                    |sequence, errno| {
                        let at = sequence.wrapping_sub(first) as usize;
                        if let Some(answer) = answers.get_mut(at) {
                            *answer = if errno == 0 { Ok(()) } else { Err(Errno::from_raw(errno)) };
                        }
                    },
                    &mut told,
                ),
                Err(error) => answers.fill(Err(Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))),
            }
            first = first.wrapping_add(some.len() as u32);
            results.append(&mut answers);
        }
        results
    }

    /// Has everything that was queued done in one write, between the two given messages, as nfnetlink wants what is to be
    /// done as a whole or not at all.
    ///
    /// # Errors
    /// The first thing that the kernel refused; then nothing was done.
    pub fn carry_out_whole(
        &mut self,
        begin: (u16, &Attributes),
        end: (u16, &Attributes),
    ) -> std::result::Result<(), Errno> {
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.iter().any(Vec::is_empty) {
            return Err(Errno::EMSGSIZE);
        }
        let mut bytes = frame(begin.0, NLM_F_REQUEST, self.sequence.wrapping_add(1), begin.1);
        bytes.extend(waiting.concat());
        bytes.extend(frame(end.0, NLM_F_REQUEST, self.sequence.wrapping_add(2), end.1));
        self.sequence = self.sequence.wrapping_add(2);
        self.make_room(bytes.len());
        if let Err(error) = self.socket.send(&bytes, 0) {
            return Err(Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)));
        }
        let mut refused = None;
        let mut answers = 0;
        let answer = |_, errno| {
            answers += 1;
            if errno != 0 {
                refused.get_or_insert(Errno::from_raw(errno));
            }
        };
        self.hear(answer, |_, _| {});
        match refused {
            Some(errno) => Err(errno),
            None if answers == 0 && !waiting.is_empty() => Err(Errno::EIO),
            None => Ok(()),
        }
    }

    /// The kernel takes no message that is larger than the send buffer of its socket (`netlink_sendmsg`).
    fn make_room(&self, bytes: usize) {
        let fd = self.socket.as_fd();
        // It counts twice what is asked for.
        if getsockopt(&fd, sockopt::SndBuf).is_ok_and(|room| room / 2 < bytes)
            && setsockopt(&fd, sockopt::SndBufForce, &bytes).is_err()
        {
            // As much as may be had without the right to more; if that is not enough, sending says so.
            let _ = setsockopt(&fd, sockopt::SndBuf, &bytes);
        }
    }

    /// Reads the answers that are there: the kernel has given them by the time that the request is written.
    fn hear(&mut self, mut each: impl FnMut(u32, i32), mut told: impl FnMut(u16, &[u8])) {
        loop {
            self.buffer.clear();
            match self.socket.recv(&mut &mut self.buffer, 0) {
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) if e.raw_os_error() == Some(libc::ENOBUFS) => continue,
                Err(_) => return,
            }
            // What can't be read answers nothing.
            let _ = message::read(&self.buffer, |message| {
                if let Message::Answer { sequence, errno } = message {
                    each(sequence, errno);
                }
            });
            message::bodies(&self.buffer, &mut told);
        }
    }
}

fn frame(kind: u16, flags: u16, sequence: u32, body: &Attributes) -> Vec<u8> {
    let body = body.as_bytes();
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend(((HEADER + body.len()) as u32).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend(0u32.to_ne_bytes());
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_message_can_say_is_refused_as_a_whole() {
        let Ok(mut requests) = Requests::routing() else { return };
        let mut body = Attributes::default();
        body.bytes(1, &[0; 70_000]);
        requests.push(libc::RTM_GETLINK, 0, &body);
        assert_eq!(requests.carry_out_whole((0, &body), (0, &body)), Err(Errno::EMSGSIZE));
    }

    /// As much as 8000 elements of a set take.
    #[test]
    fn what_is_done_together_may_be_larger_than_a_send_buffer_at_first() {
        let mut requests = Requests::routing().unwrap();
        let mut body = Attributes::default();
        body.bytes(1, &[0; 1000]);
        for _ in 0..300 {
            requests.push(libc::RTM_GETRULE, 0, &body);
        }
        let none = Attributes::default();
        assert_ne!(requests.carry_out_whole((1, &none), (1, &none)), Err(Errno::EMSGSIZE));
    }
}

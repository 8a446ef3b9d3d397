//! Puts addresses on interfaces and takes them off: requests are queued, leave many to a write, and each is answered.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_sys::Socket;
use nix::errno::Errno;

use crate::address::{AddressOperation, AddressSpec};
use crate::error::{Error, Result};
use crate::link::LinkIndex;

use super::message::{self, Message};

/// Requests that are written before their answers are read: their answers must fit the receive buffer.
const PER_WRITE: usize = 64;

/// The kernel's answer to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<T> {
    /// What the requester gave with the request.
    pub token: T,
    /// What was asked.
    pub operation: AddressOperation,
    /// What became of it, or why nothing did.
    pub result: std::result::Result<Outcome, Errno>,
}

/// How a request was fulfilled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The kernel changed what was asked.
    Changed,
    /// It was so already: the address to add was there, the one to remove was not.
    AlreadySo,
}

struct Pending<T> {
    sequence: u32,
    operation: AddressOperation,
    token: T,
}

/// The socket for address changes. `T` is what the requester wants back with the answer.
///
/// Call [`AddressSocket::request`] any number of times, then [`AddressSocket::work`] until nothing waits. The kernel
/// carries a request out while it is written, so answers are there right after; the descriptor is readable for
/// those that are not.
pub struct AddressSocket<T> {
    socket: Socket,
    buffer: Vec<u8>,
    waiting: VecDeque<(AddressOperation, LinkIndex, AddressSpec, T)>,
    sent: VecDeque<Pending<T>>,
    sequence: u32,
}

impl<T> AddressSocket<T> {
    /// Opens the socket.
    ///
    /// # Errors
    /// When the kernel gives no netlink socket.
    pub fn open() -> Result<Self> {
        let socket = super::request_socket().map_err(|e| Error::system("open", "the address socket", e))?;
        Ok(Self {
            socket,
            buffer: Vec::with_capacity(8 << 10),
            waiting: VecDeque::new(),
            sent: VecDeque::new(),
            sequence: 0,
        })
    }

    /// Sets the size of its receive buffer, of which the kernel makes twice as much: at most the system's limit
    /// (`net.core.rmem_max`), unless `force`d.
    ///
    /// # Errors
    /// When it is forced without CAP_NET_ADMIN.
    pub fn set_receive_buffer(&self, bytes: u32, force: bool) -> Result<()> {
        super::set_receive_buffer(&self.socket, bytes, force)
    }

    /// Queues a request.
    pub fn request(&mut self, operation: AddressOperation, link: LinkIndex, spec: AddressSpec, token: T) {
        self.waiting.push_back((operation, link, spec, token));
    }

    /// Requests that were not yet written.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether every request has been answered.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.sent.is_empty()
    }

    /// Keeps room for `usual` requests only, if none waits.
    pub fn slim(&mut self, usual: usize) {
        if self.is_idle() && self.waiting.capacity().max(self.sent.capacity()) > usual {
            self.waiting.shrink_to(usual);
            self.sent.shrink_to(usual);
        }
    }

    /// Writes up to `limit` waiting requests and reads the answers that are there, in order, into `answered`.
    /// Returns whether requests still wait to be written. A limit keeps a takeover of thousands of addresses from
    /// holding up the adverts that fall due meanwhile.
    pub fn work(&mut self, limit: usize, mut answered: impl FnMut(Answer<T>)) -> bool {
        if !self.waiting.is_empty() && self.sent.len() < PER_WRITE {
            self.write(limit.min(PER_WRITE), &mut answered);
        }
        self.read(&mut answered);
        !self.waiting.is_empty()
    }

    fn write(&mut self, limit: usize, answered: &mut impl FnMut(Answer<T>)) {
        let mut bytes = Vec::with_capacity(limit.min(self.waiting.len()) * 96);
        let first = self.sent.len();
        for _ in 0..limit {
            let Some((operation, link, spec, token)) = self.waiting.pop_front() else { break };
            self.sequence = self.sequence.wrapping_add(1);
            message::write_address(&mut bytes, self.sequence, operation, link, &spec);
            self.sent.push_back(Pending { sequence: self.sequence, operation, token });
        }
        if let Err(error) = self.socket.send(&bytes, 0) {
            let errno = Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
            for pending in self.sent.drain(first..) {
                answered(Answer { token: pending.token, operation: pending.operation, result: Err(errno) });
            }
        }
    }

    fn read(&mut self, answered: &mut impl FnMut(Answer<T>)) {
        while !self.sent.is_empty() {
            self.buffer.clear();
            match self.socket.recv(&mut &mut self.buffer, 0) {
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(e) => {
                    // Answers were lost (ENOBUFS): what they would have said is unknown, and must not be waited for.
                    let errno = Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO));
                    for pending in self.sent.drain(..) {
                        answered(Answer {
                            token: pending.token,
                            operation: pending.operation,
                            result: Err(errno),
                        });
                    }
                    return;
                }
            }
            let sent = &mut self.sent;
            let _ = message::read(&self.buffer, |message| {
                if let Message::Answer { sequence, errno } = message {
                    while let Some(pending) = sent.pop_front() {
                        let own = pending.sequence == sequence;
                        let result = if own { judge(pending.operation, errno) } else { Err(Errno::ENOMSG) };
                        answered(Answer { token: pending.token, operation: pending.operation, result });
                        if own {
                            break;
                        }
                    }
                }
            });
        }
    }
}

fn judge(operation: AddressOperation, errno: i32) -> std::result::Result<Outcome, Errno> {
    match (operation, Errno::from_raw(errno)) {
        _ if errno == 0 => Ok(Outcome::Changed),
        (AddressOperation::Add, Errno::EEXIST) => Ok(Outcome::AlreadySo),
        // The address is not there, or its interface is gone and took it along.
        (AddressOperation::Remove, Errno::EADDRNOTAVAIL | Errno::ENODEV) => Ok(Outcome::AlreadySo),
        (_, errno) => Err(errno),
    }
}

impl<T> AsFd for AddressSocket<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

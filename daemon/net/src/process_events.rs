//! The kernel's process events (the connector of `linux/cn_proc.h`): which processes begin, become another program, and
//! end. A plain descriptor for an event loop.
//!
//! Only the first network namespace is told, and only who has CAP_NET_ADMIN there: elsewhere [`ProcessEvents::open`] says
//! why not. Threads are left out. When a process is told to have ended it may be about to go on under the same number (a
//! thread that executes a program takes the place of the first one), or not be done with ending: look at `/proc`.
//!
//! ```text
//!  nlmsghdr (16)              cn_msg (20)                        proc_event
//! ┌───────┬────┬─────┬───┬───┬─────┬─────┬─────┬─────┬─────┬─────┬──────┬─────┬───────────┬──────────────┐
//! │ len 4 │ type 2, flags 2 │ … │ idx │ val │ seq │ ack │ len │ fl. │ what │ cpu │ time (8)  │ by kind      │
//! └───────┴────┴─────┴───┴───┴─────┴─────┴─────┴─────┴─────┴─────┴──────┴─────┴───────────┴──────────────┘
//! ```

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use netlink_sys::protocols::NETLINK_CONNECTOR;
use netlink_sys::{Socket, SocketAddr};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::error::{Error, Result};

/// `CN_IDX_PROC` and `CN_VAL_PROC`: the connector of process events, which is its multicast group as well.
const PROC: u32 = 1;
/// `PROC_CN_MCAST_LISTEN`.
const LISTEN: u32 = 1;
/// `NLMSG_DONE`, as the type of every message of a connector.
const DONE: u16 = 3;
/// Octets of `nlmsghdr`, `cn_msg`, and of `proc_event` before what depends on its kind.
const NETLINK_HEADER: usize = 16;
const CONNECTOR_HEADER: usize = 20;
const EVENT_HEADER: usize = 16;

/// `proc_event.what`.
mod what {
    pub(super) const FORK: u32 = 0x1;
    pub(super) const EXEC: u32 = 0x2;
    pub(super) const COMM: u32 = 0x200;
    pub(super) const EXIT: u32 = 0x8000_0000;
}

/// A machine that starts ten thousand processes a second fills this in a few of them.
const RECEIVE_BUFFER: usize = 4 << 20;
const PATIENCE: Duration = Duration::from_secs(1);

/// What happened to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessEvent {
    /// It began, as a copy of another.
    Forked {
        /// The other.
        parent: u32,
        /// Its number.
        process: u32,
    },
    /// It became another program, or got another name.
    Changed {
        /// Its number.
        process: u32,
    },
    /// Its first thread ended.
    Ended {
        /// Its number.
        process: u32,
    },
}

/// What a look at the socket brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Something that happened.
    Event(ProcessEvent),
    /// More happened than the kernel could keep: look at everything.
    Lost,
    /// Nothing more for now.
    Nothing,
}

/// The subscription.
pub struct ProcessEvents {
    socket: Socket,
    buffer: Vec<u8>,
}

impl ProcessEvents {
    /// Subscribes, and waits for the kernel to say that it does.
    ///
    /// # Errors
    /// In another network namespace (ECONNREFUSED), without the right (EPERM), or from a kernel without such events.
    pub fn open() -> Result<Self> {
        Self::try_open().map_err(|error| Error::system("subscribe to", "process events", error))
    }

    /// Sets the size of its receive buffer, of which the kernel makes twice as much: at most the system's limit
    /// (`net.core.rmem_max`), unless `force`d.
    ///
    /// # Errors
    /// When it is forced without CAP_NET_ADMIN.
    pub fn set_receive_buffer(&self, bytes: u32, force: bool) -> Result<()> {
        crate::netlink::set_receive_buffer(&self.socket, bytes, force)
    }

    /// Sets it to what it is unless somebody says otherwise.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn set_usual_receive_buffer(&self) -> Result<()> {
        usual_receive_buffer(&self.socket)
            .map_err(|e| Error::system("set the receive buffer of", "process events", e))
    }

    fn try_open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_CONNECTOR)?;
        socket.bind(&SocketAddr::new(0, PROC))?;
        usual_receive_buffer(&socket)?;
        socket.set_non_blocking(true)?;
        socket.send_to(&request(LISTEN), &SocketAddr::new(0, 0), 0)?;
        let mut events = Self { socket, buffer: Vec::with_capacity(4096) };
        events.await_answer()?;
        Ok(events)
    }

    /// The kernel answers with an event of kind 0, which carries an error number; it is seen here because without the right
    /// a kernel does not answer the request itself. Events may come before it.
    fn await_answer(&mut self) -> io::Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.receive() {
                Ok(()) => match parse(&self.buffer) {
                    Some(Parsed::Answer(0)) | None | Some(Parsed::Event(_) | Parsed::Other) => return Ok(()),
                    Some(Parsed::Answer(error)) => return Err(io::Error::from_raw_os_error(error)),
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Errno::ETIMEDOUT.into());
            }
            let timeout = PollTimeout::try_from(left.as_millis()).unwrap_or(PollTimeout::ZERO);
            poll(&mut [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)], timeout)?;
        }
    }

    fn receive(&mut self) -> io::Result<()> {
        self.buffer.clear();
        self.socket.recv_from(&mut self.buffer, 0).map(|_| ())
    }

    /// What has happened since the last call, one thing at a time.
    pub fn look(&mut self) -> Told {
        loop {
            match self.receive() {
                Ok(()) => {
                    if let Some(Parsed::Event(event)) = parse(&self.buffer) {
                        return Told::Event(event);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Told::Nothing,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // ENOBUFS, and whatever else keeps us from knowing what happened.
                Err(_) => return Told::Lost,
            }
        }
    }
}

impl AsFd for ProcessEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Past the system's limit where we may, up to it else.
fn usual_receive_buffer(socket: &Socket) -> io::Result<()> {
    let forced = nix::sys::socket::setsockopt(
        &socket.as_fd(),
        nix::sys::socket::sockopt::RcvBufForce,
        &RECEIVE_BUFFER,
    );
    forced.or_else(|_| socket.set_rx_buf_sz(RECEIVE_BUFFER as i32).map_err(|_| Errno::EPERM))?;
    Ok(())
}

fn request(operation: u32) -> Vec<u8> {
    let length = NETLINK_HEADER + CONNECTOR_HEADER + 4;
    let mut message = Vec::with_capacity(length);
    message.extend((length as u32).to_ne_bytes());
    message.extend(DONE.to_ne_bytes());
    message.extend([0; NETLINK_HEADER - 6]);
    message.extend(PROC.to_ne_bytes());
    message.extend(PROC.to_ne_bytes());
    // Sequence, acknowledgement.
    message.extend([0; 8]);
    message.extend(4_u16.to_ne_bytes());
    message.extend(0_u16.to_ne_bytes());
    message.extend(operation.to_ne_bytes());
    message
}

#[derive(Debug, PartialEq, Eq)]
enum Parsed {
    /// To the subscription: an error number, 0 for none.
    Answer(i32),
    Event(ProcessEvent),
    /// Of a thread, or of a kind that does not matter here.
    Other,
}

/// One message; `None` if it is not whole.
fn parse(message: &[u8]) -> Option<Parsed> {
    let event = message.get(NETLINK_HEADER + CONNECTOR_HEADER..)?;
    let number = |at: usize| Some(u32::from_ne_bytes(event.get(at..at + 4)?.try_into().ok()?));
    let of_kind = |place: usize| number(EVENT_HEADER + 4 * place);
    let leader = |event: ProcessEvent, id: u32, process: u32| {
        if id == process { Parsed::Event(event) } else { Parsed::Other }
    };
    Some(match number(0)? {
        0 => Parsed::Answer(of_kind(0)? as i32),
        what::FORK => {
            let (parent, id, process) = (of_kind(1)?, of_kind(2)?, of_kind(3)?);
            leader(ProcessEvent::Forked { parent, process }, id, process)
        }
        what::EXEC | what::COMM => {
            let (id, process) = (of_kind(0)?, of_kind(1)?);
            leader(ProcessEvent::Changed { process }, id, process)
        }
        what::EXIT => {
            let (id, process) = (of_kind(0)?, of_kind(1)?);
            leader(ProcessEvent::Ended { process }, id, process)
        }
        _ => Parsed::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message with this event in it.
    fn message(what: u32, numbers: &[u32]) -> Vec<u8> {
        let mut all = vec![0; NETLINK_HEADER + CONNECTOR_HEADER];
        all.extend(what.to_ne_bytes());
        all.extend([0; EVENT_HEADER - 4]);
        numbers.iter().for_each(|number| all.extend(number.to_ne_bytes()));
        all
    }

    #[test]
    fn processes_are_told_from_threads() {
        let event = |event| Some(Parsed::Event(event));
        for (what, numbers, expected) in [
            (what::FORK, &[7, 7, 9, 9][..], event(ProcessEvent::Forked { parent: 7, process: 9 })),
            (what::FORK, &[1, 1, 9, 7], Some(Parsed::Other)),
            (what::EXEC, &[9, 9], event(ProcessEvent::Changed { process: 9 })),
            (what::COMM, &[9, 9, 0, 0, 0, 0], event(ProcessEvent::Changed { process: 9 })),
            (what::EXIT, &[9, 9, 0, 17, 0, 0], event(ProcessEvent::Ended { process: 9 })),
            (what::EXIT, &[9, 7, 0, 17, 0, 0], Some(Parsed::Other)),
            (0x4, &[9, 9, 0, 0], Some(Parsed::Other)),
            (0, &[1], Some(Parsed::Answer(1))),
            (what::FORK, &[7, 7, 9], None),
        ] {
            assert_eq!(parse(&message(what, numbers)), expected, "{what:#x} {numbers:?}");
        }
        assert_eq!(parse(&[0; 20]), None);
    }
}

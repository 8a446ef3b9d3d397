//! Watches interfaces and addresses: one dump at the start, then the kernel's notifications.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::LinkMessage;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::error::{Error, Result};
use crate::link::Notification;

use super::message::{self, Message};

const GROUP_LINK: u32 = 1;
const GROUP_IPV4_ADDRESS: u32 = 5;
const GROUP_IPV6_ADDRESS: u32 = 9;
/// Routes and rules of both families (`RTNLGRP_…`).
const GROUPS_ROUTING: [u32; 4] = [7, 8, 11, 19];

/// Thousands of virtual addresses that come at once make thousands of notifications.
const RECEIVE_BUFFER: usize = 8 << 20;
/// The kernel makes dump datagrams as large as the reader's buffer, up to this.
const DATAGRAM: usize = 32 << 10;
const DUMP_PATIENCE: Duration = Duration::from_secs(5);
/// How often everything is asked for, if more changes meanwhile than there is room for.
const DUMP_TRIES: usize = 3;

/// The subscription to the kernel's notifications.
pub struct Monitor {
    socket: Socket,
    buffer: Vec<u8>,
    sequence: u32,
    /// Notifications were lost, and no dump has made up for them.
    lost: bool,
}

impl Monitor {
    /// Subscribes; nothing that happens from now on is missed.
    ///
    /// # Errors
    /// When the kernel gives no netlink socket.
    pub fn open() -> Result<Self> {
        Self::try_open().map_err(|e| Error::system("subscribe to", "interface changes", e))
    }

    /// Is also told of routes and rules that vanish.
    ///
    /// # Errors
    /// When the kernel has no such notifications: one without IPv6, say. Those of the others come all the same.
    pub fn follow_routing(&mut self) -> Result<()> {
        let joined = GROUPS_ROUTING.map(|group| self.socket.add_membership(group));
        let joined: io::Result<Vec<()>> = joined.into_iter().collect();
        joined.map(|_| ()).map_err(|e| Error::system("subscribe to", "changes of routes and rules", e))
    }

    fn try_open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        // Past the system's limit where we may, up to it else.
        let forced = nix::sys::socket::setsockopt(
            &socket.as_fd(),
            nix::sys::socket::sockopt::RcvBufForce,
            &RECEIVE_BUFFER,
        );
        if forced.is_err() {
            socket.set_rx_buf_sz(RECEIVE_BUFFER as i32)?;
        }
        for group in [GROUP_LINK, GROUP_IPV4_ADDRESS, GROUP_IPV6_ADDRESS] {
            socket.add_membership(group)?;
        }
        socket.set_non_blocking(true)?;
        Ok(Self { socket, buffer: Vec::with_capacity(DATAGRAM), sequence: 0, lost: false })
    }

    /// Sets the size of its receive buffer, of which the kernel makes twice as much: at most the system's limit
    /// (`net.core.rmem_max`), unless `force`d.
    ///
    /// # Errors
    /// When it is forced without CAP_NET_ADMIN.
    pub fn set_receive_buffer(&self, bytes: u32, force: bool) -> Result<()> {
        super::set_receive_buffer(&self.socket, bytes, force)
    }

    /// Asks for everything that is there and waits for the answer; call it at the start, or after [`Monitor::poll`]
    /// told that notifications were lost. What waits from before is thrown away: of an address that came and went, the
    /// coming may be in the queue and the going be lost. Notifications that come meanwhile are among what `each` gets.
    ///
    /// # Errors
    /// When the kernel refuses or does not finish; what was lost stays so.
    pub fn dump(&mut self, mut each: impl FnMut(Notification)) -> Result<()> {
        let deadline = Instant::now() + DUMP_PATIENCE;
        let mut found = Vec::new();
        for _ in 0..DUMP_TRIES {
            self.throw_away(deadline);
            self.lost = false;
            found.clear();
            if let Err(error) = self.dump_all(deadline, |notification| found.push(notification)) {
                self.lost = true;
                return Err(error);
            }
            // Whoever changes more than can be read meanwhile is waited for in the next turn.
            if !self.lost {
                break;
            }
        }
        found.into_iter().for_each(&mut each);
        Ok(())
    }

    /// Whether notifications were lost and no [`Monitor::dump`] has made up for them: the socket may have nothing to read
    /// then, and there is something to do all the same.
    pub fn is_behind(&self) -> bool {
        self.lost
    }

    fn dump_all(&mut self, deadline: Instant, mut each: impl FnMut(Notification)) -> Result<()> {
        let links = RouteNetlinkMessage::GetLink(LinkMessage::default());
        self.dump_one("interfaces", links, deadline, &mut each)?;
        let addresses = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        self.dump_one("addresses", addresses, deadline, &mut each)
    }

    /// Reads what waits, and forgets it.
    fn throw_away(&mut self, deadline: Instant) {
        while Instant::now() < deadline {
            match self.receive() {
                Ok(true) => {}
                Err(error) if is_loss(&error) => {}
                Ok(false) | Err(_) => return,
            }
        }
    }

    fn dump_one(
        &mut self,
        what: &'static str,
        request: RouteNetlinkMessage,
        deadline: Instant,
        each: &mut impl FnMut(Notification),
    ) -> Result<()> {
        self.sequence += 1;
        let mut bytes = Vec::new();
        message::append(&mut bytes, self.sequence, NLM_F_REQUEST | NLM_F_DUMP, request);
        self.socket
            .send_to(&bytes, &SocketAddr::new(0, 0), 0)
            .map_err(|e| Error::system("ask the kernel for", what, e))?;
        let mut done = false;
        let mut refused = None;
        while !done {
            if !self.wait(deadline)? {
                return Err(Error::NoAnswer(what));
            }
            match self.receive() {
                Ok(true) => message::read(&self.buffer, |message| match message {
                    Message::Notification(notification) => each(notification),
                    Message::Done => done = true,
                    Message::Answer { errno, .. } => {
                        done = true;
                        refused = (errno != 0).then_some(errno);
                    }
                    Message::Route(_) | Message::Other => {}
                })?,
                Ok(false) => {}
                // Of notifications: an answer is not lost for want of room.
                Err(error) if is_loss(&error) => {}
                Err(e) => return Err(Error::system("read the kernel's", what, e)),
            }
        }
        match refused {
            Some(errno) => {
                Err(Error::system("ask the kernel for", what, io::Error::from_raw_os_error(errno)))
            }
            None => Ok(()),
        }
    }

    fn wait(&self, deadline: Instant) -> Result<bool> {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, timeout) {
            Ok(n) => Ok(n > 0),
            Err(nix::errno::Errno::EINTR) => Ok(true),
            Err(e) => Err(Error::system("wait for", "netlink", e)),
        }
    }

    /// Receives one datagram into the buffer; false if there is none.
    fn receive(&mut self) -> io::Result<bool> {
        self.buffer.clear();
        match self.socket.recv(&mut &mut self.buffer, 0) {
            Ok(_) => Ok(true),
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(false),
            Err(e) => {
                self.lost |= is_loss(&e);
                Err(e)
            }
        }
    }

    /// Reads up to `limit` datagrams of notifications without waiting. Returns whether more may wait.
    ///
    /// # Errors
    /// `ENOBUFS` when the kernel had to drop notifications, and until a [`Monitor::dump`] has brought everything. Others:
    /// the socket is unusable.
    pub fn poll(&mut self, limit: usize, mut each: impl FnMut(Notification)) -> Result<bool> {
        if self.lost {
            let error = io::Error::from_raw_os_error(libc::ENOBUFS);
            return Err(Error::system("read", "interface changes", error));
        }
        for _ in 0..limit {
            let got = self.receive().map_err(|e| Error::system("read", "interface changes", e))?;
            if !got {
                return Ok(false);
            }
            message::read(&self.buffer, |message| {
                if let Message::Notification(notification) = message {
                    each(notification);
                }
            })?;
        }
        Ok(true)
    }
}

/// Whether the kernel says that notifications were lost. It says so once, before what waits from before.
fn is_loss(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOBUFS)
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

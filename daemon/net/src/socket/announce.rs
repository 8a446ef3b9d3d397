//! The packet socket through which gratuitous ARP and neighbour advertisements leave, on whichever interface.

use std::os::fd::AsFd;

use socket2::Socket;

use crate::error::{Error, Result};
use crate::link::LinkIndex;
use crate::wire::ethernet::{TYPE_ARP, TYPE_IPV6};
use crate::wire::{arp, ndisc};

use super::detour::packet_socket;
use super::send::{Destination, Refusal, SendBatch, Shape};

/// Sends announcements; collects them first, so that a burst for many addresses is a few system calls.
#[derive(Debug)]
pub struct Announcer {
    socket: Socket,
    batch: SendBatch,
}

impl Announcer {
    /// Opens the socket. Its protocol is 0: it receives nothing.
    ///
    /// # Errors
    /// When the process may not open packet sockets.
    pub fn open() -> Result<Self> {
        let socket =
            packet_socket().map_err(|e| Error::system("open", "the packet socket for announcements", e))?;
        Ok(Self { socket, batch: SendBatch::new() })
    }

    /// Adds a gratuitous ARP frame to the burst.
    pub fn push_arp(&mut self, link: LinkIndex, repr: &arp::Repr) {
        let mut frame = [0; arp::FRAME_LEN];
        repr.emit(&mut frame);
        self.batch.push(Destination::Frame { link, ethertype: TYPE_ARP }, &frame);
    }

    /// Adds an unsolicited neighbour advertisement to the burst.
    pub fn push_ndisc(&mut self, link: LinkIndex, repr: &ndisc::Repr) {
        let mut frame = [0; ndisc::FRAME_LEN];
        repr.emit(&mut frame);
        self.batch.push(Destination::Frame { link, ethertype: TYPE_IPV6 }, &frame);
    }

    /// Keeps room for `usual` frames only, if none waits.
    pub fn slim(&mut self, usual: usize) {
        self.batch.slim(usual);
    }

    /// Whether a burst is waiting.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Sends the burst; a refused frame is reported to `failed` and left out.
    pub fn send(&mut self, failed: impl FnMut(Refusal<'_>)) {
        self.batch.flush(self.socket.as_fd(), Shape::Frame, usize::MAX, failed);
    }
}

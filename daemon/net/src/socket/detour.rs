//! The way of an advertisement past the kernel's IP, as a link-layer frame. A packet to a multicast group needs no
//! resolution, but the kernel makes an entry in its table of neighbours for it all the same, and drops the packet if
//! there is no room. That table is one for all network namespaces of the machine: a scan of a large subnet fills it.

use std::io;
use std::os::fd::AsFd;

use socket2::{Domain, Socket, Type};

use crate::error::{Error, Result};
use crate::link::LinkIndex;
use crate::wire::ethernet::{self, MacAddress, TYPE_IPV4, TYPE_IPV6};

use super::send::{Destination, Refusal, SendBatch, Shape};
use super::vrrp::prefer;

/// Sends packets to multicast groups as frames.
#[derive(Debug)]
pub struct Detour {
    socket: Socket,
    batch: SendBatch,
}

impl Detour {
    /// Opens the socket. Its protocol is 0: it receives nothing.
    ///
    /// # Errors
    /// When the process may not open packet sockets.
    pub fn open() -> Result<Self> {
        let socket = packet_socket()
            .and_then(|socket| prefer(&socket).map(|()| socket))
            .map_err(|e| Error::system("open", "the packet socket for adverts", e))?;
        Ok(Self { socket, batch: SendBatch::new() })
    }

    /// The interface by which a refused packet can leave as a frame: it goes to a group, and what failed is the look at
    /// the neighbours. The packet has passed the host's firewall then.
    pub fn of(refusal: &Refusal<'_>) -> Option<LinkIndex> {
        let (link, group) = match refusal.destination {
            Destination::Ipv4 { link, destination } => (link, destination.is_multicast()),
            Destination::Ipv6 { link, destination, .. } => (link, destination.is_multicast()),
            Destination::Frame { .. } => (None, false),
        };
        link.filter(|_| group && refusal.lacks_neighbour())
    }

    /// Sends a refused packet from an interface that has this hardware address.
    ///
    /// # Errors
    /// What the kernel answers, such as that the interface is down or its queue full; or that there is no such way.
    pub fn send(&mut self, refusal: &Refusal<'_>, hardware: MacAddress) -> io::Result<()> {
        let (group, ethertype) = match refusal.destination {
            Destination::Ipv4 { destination, .. } => (destination.into(), TYPE_IPV4),
            Destination::Ipv6 { destination, .. } => (destination.into(), TYPE_IPV6),
            Destination::Frame { .. } => return Err(io::ErrorKind::InvalidInput.into()),
        };
        let (Some(link), Some(to)) = (Self::of(refusal), MacAddress::of_group(group)) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let mut frame = vec![0; ethernet::HEADER_LEN + refusal.bytes.len()];
        ethernet::emit(&mut frame, to, hardware, ethertype);
        frame[ethernet::HEADER_LEN..].copy_from_slice(refusal.bytes);
        self.batch.push(Destination::Frame { link, ethertype }, &frame);
        let mut result = Ok(());
        self.batch.flush(self.socket.as_fd(), Shape::Frame, 1, |refusal| result = Err(refusal.error));
        result
    }
}

/// A packet socket that only sends.
pub(super) fn packet_socket() -> io::Result<Socket> {
    let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

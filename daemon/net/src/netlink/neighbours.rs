//! Keeps an entry of the kernel's table of neighbours for whoever must be reached, also when the table is full: the entry
//! is learned and renewed as any other, but counts against no limit and is not collected (`extern_learn`, Linux 5.0).
//! Without one, a full table would silence a unicast router both ways: it can't send, and does not answer who asks for it.
//! Over IPv6 the question for an address goes to a multicast group, which needs an entry too: a permanent one.

use std::io;
use std::net::{IpAddr, Ipv6Addr};

use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_REPLACE, NLM_F_REQUEST};
use netlink_packet_route::neighbour::{
    NeighbourAttribute, NeighbourFlags, NeighbourHeader, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{RouteAttribute, RouteHeader, RouteMessage, RouteProtocol};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::Socket;
use nix::errno::Errno;

use crate::address::PROTOCOL_KEEPALIVED;
use crate::error::{Error, Result};
use crate::link::LinkIndex;
use crate::wire::ethernet::MacAddress;

use super::message::{self, Message, Route};

/// A neighbour: what is on the link at the next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Neighbour {
    /// The link.
    pub link: LinkIndex,
    /// Its address there: that of the host looked for, or of the gateway to it.
    pub address: IpAddr,
}

/// Asks the kernel for routes and neighbours, and waits for its answer: for a thread that may.
pub struct Neighbours {
    socket: Socket,
    buffer: Vec<u8>,
    sequence: u32,
}

impl Neighbours {
    /// Opens the socket.
    ///
    /// # Errors
    /// When the kernel gives no netlink socket.
    pub fn open() -> Result<Self> {
        let socket = super::request_socket().map_err(|e| Error::system("open", "the neighbour socket", e))?;
        Ok(Self { socket, buffer: Vec::with_capacity(8 << 10), sequence: 0 })
    }

    /// Keeps the neighbour by which `host` is reached, out of `link` if one is named; says which it is.
    ///
    /// # Errors
    /// When there is no route to it, or the kernel refuses the entry.
    pub fn keep(&mut self, link: Option<LinkIndex>, host: IpAddr) -> Result<Neighbour> {
        let neighbour = self.next_hop(link, host)?;
        if let Some((group, hardware)) = neighbour.solicited() {
            let mut message = group.message();
            message.header.state = NeighbourState::Permanent;
            message.attributes.push(NeighbourAttribute::LinkLayerAddress(hardware.0.to_vec()));
            self.add(message).map_err(|e| Error::system("keep the group", group.address, e))?;
        }
        let mut message = neighbour.message();
        // The kernel looks for it at once.
        message.header.flags = NeighbourFlags::Use | NeighbourFlags::ExtLearned;
        self.add(message).map_err(|e| Error::system("keep the neighbour", neighbour.address, e))?;
        Ok(neighbour)
    }

    fn add(&mut self, mut message: NeighbourMessage) -> io::Result<()> {
        message.attributes.push(NeighbourAttribute::Protocol(RouteProtocol::from(PROTOCOL_KEEPALIVED)));
        let request = RouteNetlinkMessage::NewNeighbour(message);
        self.ask(request, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK).map(|_| ())
    }

    /// Leaves a neighbour to the kernel again: it learns it anew when it needs it.
    ///
    /// # Errors
    /// When it is not there any more.
    pub fn release(&mut self, neighbour: Neighbour) -> Result<()> {
        for neighbour in
            [Some(neighbour), neighbour.solicited().map(|(group, _)| group)].into_iter().flatten()
        {
            self.ask(RouteNetlinkMessage::DelNeighbour(neighbour.message()), NLM_F_ACK)
                .map_err(|e| Error::system("release the neighbour", neighbour.address, e))?;
        }
        Ok(())
    }

    /// The next hop on the way to `host`.
    fn next_hop(&mut self, link: Option<LinkIndex>, host: IpAddr) -> Result<Neighbour> {
        let mut message = RouteMessage::default();
        message.header = RouteHeader {
            address_family: family(host),
            destination_prefix_length: if host.is_ipv4() { 32 } else { 128 },
            ..RouteHeader::default()
        };
        message.attributes.push(RouteAttribute::Destination(host.into()));
        if let Some(link) = link {
            message.attributes.push(RouteAttribute::Oif(link.0));
        }
        let failed = |e: io::Error| Error::system("find the route to", host, e);
        match self.ask(RouteNetlinkMessage::GetRoute(message), 0).map_err(failed)? {
            Some(Message::Route(Route { link: Some(link), gateway })) => {
                Ok(Neighbour { link, address: gateway.unwrap_or(host) })
            }
            _ => Err(failed(Errno::ENETUNREACH.into())),
        }
    }

    /// Sends one request; its answer is there as soon as it is written.
    fn ask(&mut self, request: RouteNetlinkMessage, flags: u16) -> io::Result<Option<Message>> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut bytes = Vec::new();
        message::append(&mut bytes, self.sequence, NLM_F_REQUEST | flags, request);
        self.socket.send(&bytes, 0)?;
        let mut answer = None;
        self.buffer.clear();
        self.socket.recv(&mut &mut self.buffer, 0)?;
        message::read(&self.buffer, |message| answer = Some(message)).map_err(io::Error::other)?;
        match answer {
            Some(Message::Answer { errno, .. }) if errno != 0 => Err(Errno::from_raw(errno).into()),
            answer => Ok(answer),
        }
    }
}

impl Neighbour {
    /// The group that is asked for an IPv6 address (RFC 4291 §2.7.1), with its hardware address.
    fn solicited(&self) -> Option<(Self, MacAddress)> {
        let IpAddr::V6(address) = self.address else { return None };
        let [.., high, low] = address.segments();
        let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | (high & 0xff), low).into();
        Some((Self { link: self.link, address: group }, MacAddress::of_group(group)?))
    }

    fn message(&self) -> NeighbourMessage {
        let mut message = NeighbourMessage::default();
        message.header = NeighbourHeader {
            family: family(self.address),
            ifindex: self.link.0,
            ..NeighbourHeader::default()
        };
        message.attributes.push(NeighbourAttribute::Destination(self.address.into()));
        message
    }
}

fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

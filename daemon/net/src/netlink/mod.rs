//! The kernel's routing socket (rtnetlink): what is there (dump and notifications), and what shall be there.
//!
//! Both halves are plain descriptors for an event loop and never wait once they are open. [`Monitor`] dumps
//! interfaces and addresses once and then reports changes; [`AddressSocket`] puts addresses on and takes them off,
//! many requests in one write, each answered by one acknowledgement. [`Neighbours`] keeps entries of the table of
//! neighbours; its calls wait for the kernel, as those of [`Requests`] do, which asks for anything else.

mod addresses;
mod attributes;
mod filter;
mod marked;
mod message;
mod monitor;
mod neighbours;
mod requests;

use std::io;
use std::os::fd::AsFd;

use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::sys::socket::{setsockopt, sockopt};

use crate::error::{Error, Result};

pub use addresses::{AddressSocket, Answer, Outcome};
pub use attributes::Attributes;
pub use filter::{
    FilterBatch, FilterFamily, FilterField, FilterHook, FilterRule, FilterTable, FilterType, FilterVerdict,
    MarkedPackets, filter_tables, mark_packets, marks_packets,
};
pub use marked::Marked;
pub use monitor::Monitor;
pub use neighbours::{Neighbour, Neighbours};
pub use requests::Requests;

/// Sets the size of a socket's receive buffer, beyond the system's limit if `force`d.
pub(crate) fn set_receive_buffer(socket: &impl AsFd, bytes: u32, force: bool) -> Result<()> {
    let bytes = (bytes as usize).min(i32::MAX as usize / 2);
    let (fd, set) = (socket.as_fd(), "set the receive buffer of");
    let result = match force {
        true => setsockopt(&fd, sockopt::RcvBufForce, &bytes),
        false => setsockopt(&fd, sockopt::RcvBuf, &bytes),
    };
    result.map_err(|e| Error::system(set, "a netlink socket", e))
}

/// A socket for requests: its acknowledgements leave out what was asked, and it never waits.
fn request_socket() -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.set_cap_ack(true)?;
    socket.set_non_blocking(true)?;
    Ok(socket)
}

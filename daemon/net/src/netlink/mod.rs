//! The kernel's routing socket (rtnetlink): what is there (dump and notifications), and what shall be there.
//!
//! Both halves are plain descriptors for an event loop and never wait once they are open. [`Monitor`] dumps
//! interfaces and addresses once and then reports changes; [`AddressSocket`] puts addresses on and takes them off,
//! many requests in one write, each answered by one acknowledgement. [`Neighbours`] keeps entries of the table of
//! neighbours; its calls wait for the kernel.

mod addresses;
mod message;
mod monitor;
mod neighbours;

pub use addresses::{AddressSocket, Answer, Outcome};
pub use monitor::Monitor;
pub use neighbours::{Neighbour, Neighbours};

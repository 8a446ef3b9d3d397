//! An AgentX (RFC 2741) subagent: what a program needs to serve a part of the SNMP tree through a master agent such
//! as net-snmp's snmpd.
//!
//! From the wire to the program:
//! - [`wire`] and [`value`]: integers, strings, object identifiers and variable bindings, on the types of the `rasn`
//!   family; [`pdu`]: the packets; [`framer`]: packets cut from a stream. Every length is checked before it is
//!   believed: a packet can be refused, and that is the worst it can do.
//! - [`tree`]: what is served. [`Tree`] is the question, [`Index`] the usual answer: a sorted table.
//! - [`session`]: the protocol (open, register, serve, ping, close, come back) as a machine without I/O.
//! - [`runner`]: that machine over a socket ([`Address`]) with tokio.
//!
//! ```no_run
//! use std::sync::Arc;
//! use snmp_agentx::{Address, IndexBuilder, Settings, Subagent, Subtree, oid, value};
//!
//! # async fn serve() {
//! let root = [1, 3, 6, 1, 4, 1, 8072, 9999, 9999];
//! let mut builder = IndexBuilder::default();
//! builder.add(&root, &[1, 0], value::text("hello"));
//! let index = Arc::new(builder.build());
//!
//! let subtree = Subtree { priority: 127, root: oid(&root), range: None };
//! let settings = Settings::new("an example", vec![subtree]);
//! let (handle, subagent) = Subagent::new(Address::default(), settings, move || index.clone());
//! subagent.run(|change| println!("{change:?}")).await;
//! # drop(handle);
//! # }
//! ```

pub mod address;
mod body;
pub mod framer;
pub mod pdu;
#[cfg(test)]
mod proptests;
pub mod runner;
pub mod session;
pub mod tree;
pub mod value;
pub mod wire;

pub use crate::address::Address;
pub use crate::pdu::{Body, ErrorStatus, Header, Packet, SearchRange, Subtree};
pub use crate::runner::{Handle, SharedTree, Subagent};
pub use crate::session::{Change, Reason, Session, Settings};
pub use crate::tree::{Cell, Index, IndexBuilder, Tree};
pub use crate::value::{VarBind, VarBindValue};
pub use crate::wire::oid;

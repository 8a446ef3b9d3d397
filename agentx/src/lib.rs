//! An AgentX (RFC 2741) subagent: what a program needs to serve a part of the SNMP tree through a master agent such
//! as net-snmp's snmpd.
//!
//! From the wire to the program:
//! - [`wire`] and [`value`]: integers, strings, object identifiers and variable bindings, on the types of the `rasn`
//!   family; [`pdu`]: the packets; [`framer`]: packets cut from a stream. Every length is checked before it is
//!   believed: a packet can be refused, and that is the worst it can do.
//! - [`table`]: what is served: constant tables and scalars, and [`syntax`], what their cells are. [`mib`]: all of
//!   them in order, read cell by cell from the state of the moment. [`tree`]: the question that this answers.
//! - [`session`]: the protocol (open, register, serve, ping, close, come back) as a machine without I/O.
//! - [`runner`]: that machine over a socket ([`Address`]), in a task of tokio or on a thread without a runtime.
//!
//! ```no_run
//! use std::sync::{Arc, Mutex};
//! use snmp_agentx::syntax::DISPLAY_STRING;
//! use snmp_agentx::{Address, Mib, Scalar, Scalars, Settings, Source, Subagent, Subtree, oid, value};
//!
//! /// The program's own data.
//! struct Greeting(String);
//!
//! impl Source for Greeting {
//!     type State<'s> = &'s Greeting;
//!     type Change = ();
//! }
//!
//! const ROOT: [u32; 9] = [1, 3, 6, 1, 4, 1, 8072, 9999, 9999];
//! const OBJECTS: Scalars<Greeting> = Scalars {
//!     parent: &[],
//!     scalars: &[Scalar::new(1, "greeting", DISPLAY_STRING, |g| Some(value::text(&g.0)))],
//! };
//!
//! # async fn serve() {
//! let greeting = Arc::new(Mutex::new(Greeting("hello".into())));
//! let mib = Mib::new(&ROOT, &[&OBJECTS]);
//! let subtree = Subtree { priority: 127, root: oid(&ROOT), range: None };
//! let settings = Settings::new("an example", vec![subtree]);
//! let (handle, subagent) = Subagent::new(Address::default(), settings, move |answer| {
//!     answer(&mib.over(&greeting.lock().unwrap()));
//! });
//! subagent.run(|change| println!("{change:?}")).await;
//! # drop(handle);
//! # }
//! ```

pub mod address;
mod body;
pub mod framer;
pub mod mib;
pub mod pdu;
#[cfg(test)]
mod proptests;
pub mod runner;
pub mod session;
pub mod syntax;
pub mod table;
pub mod tree;
pub mod value;
pub mod wire;

pub use crate::address::Address;
pub use crate::mib::{Described, Mib, Objects, Served};
pub use crate::pdu::{Body, ErrorStatus, Header, IndexChoice, Packet, SearchRange, Subtree};
pub use crate::runner::{Handle, Room, Subagent};
pub use crate::session::{Ask, AskError, Change, Reason, Session, Settings};
pub use crate::syntax::Syntax;
pub use crate::table::{At, Column, Rows, Scalar, Scalars, SetCell, Source, Start, State, Table};
pub use crate::tree::Tree;
pub use crate::value::{VarBind, VarBindValue};
pub use crate::wire::oid;

// What an own `Tree` is written with.
pub use bytes::Bytes;
pub use rasn::types::ObjectIdentifier;

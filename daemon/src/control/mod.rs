//! The Unix socket over which the `keepwatch` command asks the daemon: one JSON object a line, both ways.
//!
//! | file | what |
//! |---|---|
//! | [`protocol`] | questions and answers |
//! | [`why`] | what led to the last change of something: pure, from world and history |
//! | [`server`] | the socket, its clients, and what a slow or hostile one can't do |
//! | [`client`] | the other end, for the command |

pub mod client;
pub mod protocol;
pub mod server;
pub mod why;

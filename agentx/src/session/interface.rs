//! What a session takes and gives: its settings, what happens to it, what it wants done, and what it reports.

use std::time::Duration;

use rasn::types::ObjectIdentifier;
use rasn_snmp::v2::VarBind;

use crate::pdu::{CloseReason, ErrorStatus, Subtree};
use crate::wire::DecodeError;

/// What a session offers, and its patience.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `o.id`: identifies the subagent; may be without sub-identifiers.
    pub id: ObjectIdentifier,
    /// `o.descr`: the subagent in words.
    pub description: String,
    /// The subtrees that the tree serves.
    pub subtrees: Vec<Subtree>,
    /// Rows for sysORTable: what this agent implements, and its description.
    pub capabilities: Vec<(ObjectIdentifier, String)>,
    /// How long a connect, or the answer to an Open, a registration or a Ping, may take.
    pub answer_within: Duration,
    /// A Ping goes out when the master has said nothing for so long.
    pub ping_every: Duration,
    /// The wait before the first attempt after a failure; it doubles with each further one.
    pub retry_first: Duration,
    /// The longest wait between attempts.
    pub retry_most: Duration,
}

impl Settings {
    /// Settings for these subtrees, with patience that suits a master agent on the same host.
    pub fn new(description: impl Into<String>, subtrees: Vec<Subtree>) -> Self {
        Self {
            id: crate::wire::oid(&[]),
            description: description.into(),
            subtrees,
            capabilities: Vec::new(),
            answer_within: Duration::from_secs(5),
            ping_every: Duration::from_secs(15),
            retry_first: Duration::from_millis(500),
            retry_most: Duration::from_secs(10),
        }
    }
}

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// Begin.
    Start,
    /// The connection that [`Output::Connect`] asked for is there.
    Connected,
    /// The connection could not be made, or it broke: an end of stream, an error, or writes that stalled.
    ConnectionLost(String),
    /// [`deadline`](super::Session::deadline) has come.
    Timer,
    /// Send this notification: snmpTrapOID.0 first (sysUpTime.0 may stand before it), then its objects.
    Notify(Vec<VarBind>),
    /// End the session in good order.
    Stop,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Make a new connection to the master; answer with `Connected` or `ConnectionLost`.
    Connect,
    /// Write these bytes.
    Send(Vec<u8>),
    /// Close the connection, whatever state it is in. Needs no answer.
    Disconnect,
    /// The session's state changed.
    Changed(Change),
}

/// A change that somebody may want to know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The session is open and all is registered.
    Serving {
        /// `h.sessionID` that the master gave.
        session: u32,
    },
    /// A session that was serving is lost.
    Lost(Reason),
    /// An attempt to open a session failed.
    Unreachable(Reason),
    /// The master refused something other than an Open or a registration, usually a notification.
    Refused(ErrorStatus),
    /// The session has ended because it was told to.
    Stopped,
}

/// Why a session or an attempt at one ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The connection could not be made or broke.
    #[error("{0}")]
    Connection(String),
    /// The master did not answer in time.
    #[error("no answer to {0} in time")]
    Timeout(&'static str),
    /// The master closed the session.
    #[error("the master closed the session ({0:?})")]
    Closed(CloseReason),
    /// The master answered an Open, a registration or a Ping with an error.
    #[error("the master refused {0}: {1}")]
    Refused(&'static str, ErrorStatus),
    /// The stream of bytes can't be followed any more.
    #[error("the master does not speak AgentX: {0}")]
    Protocol(DecodeError),
}

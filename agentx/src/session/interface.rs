//! What a session takes and gives: its settings, what happens to it, what it wants done, and what it reports.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use bytes::Bytes;
use rasn::types::ObjectIdentifier;
use rasn_snmp::v2::VarBind;

use crate::pdu::{Body, CloseReason, ErrorStatus, IndexChoice, Subtree};
use crate::wire::{DecodeError, octet_string};

/// What a session offers, and its patience.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `o.id`: identifies the subagent; may be without sub-identifiers.
    pub id: ObjectIdentifier,
    /// `o.descr`: the subagent in words.
    pub description: String,
    /// The subtrees that the tree serves. Where another subagent has one already with its priority, the next lower priority
    /// that is free is taken, and [`Change::Behind`] reported.
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
    /// What the jitter of these waits is drawn from: each is a quarter longer or shorter, so that many subagents of one
    /// master do not all come back at once.
    pub seed: u64,
    /// `r.timeout`: seconds that the master is to wait for an answer below the subtrees; 0 leaves it to the master.
    pub timeout: u8,
    /// The context that the subtrees are in; none is the default one. Requests for it reach the tree with its name.
    pub context: Option<Bytes>,
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
            seed: RandomState::new().build_hasher().finish(),
            timeout: 0,
            context: None,
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
    /// Ask the master for this; [`Output::Answered`] with the same token says what it answered.
    Ask(u64, Ask),
    /// End the session in good order.
    Stop,
}

/// What a subagent may ask of the master while it serves. It is of that session only: after the next
/// [`Change::Serving`] it has to be asked for again.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// Indexes of a shared table (RFC 2741 section 6.2.12): each binding is an index object with the value that is wanted.
    AllocateIndexes(IndexChoice, Vec<VarBind>),
    /// To take indexes back.
    DeallocateIndexes(Vec<VarBind>),
    /// One more subtree, or with true one more instance (INSTANCE_REGISTRATION).
    Register(Subtree, bool),
    /// To take a subtree out.
    Unregister(Subtree),
    /// One more row of sysORTable.
    AddCapability(ObjectIdentifier, String),
    /// To take that row out.
    RemoveCapability(ObjectIdentifier),
}

impl Ask {
    pub(super) fn into_body(self, timeout: u8) -> Body {
        match self {
            Self::AllocateIndexes(choice, binds) => Body::IndexAllocate(choice, binds),
            Self::DeallocateIndexes(binds) => Body::IndexDeallocate(binds),
            Self::Register(subtree, instance) => Body::Register { timeout, instance, subtree },
            Self::Unregister(subtree) => Body::Unregister(subtree),
            Self::AddCapability(id, description) => {
                Body::AddAgentCaps(id, octet_string(description.as_bytes()))
            }
            Self::RemoveCapability(id) => Body::RemoveAgentCaps(id),
        }
    }
}

/// Why the master did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// It said no, about the binding of this number (from 1, or 0).
    #[error("the master refused: {0}")]
    Refused(ErrorStatus, u16),
    /// There is no session, or it ended before the answer came.
    #[error("no session with a master")]
    NotOpen,
    /// It did not answer.
    #[error("no answer in time")]
    NoAnswer,
}

/// The bindings of the master's answer: the indexes that were allocated.
pub type Answered = Result<Vec<VarBind>, AskError>;

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Make a new connection to the master; answer with `Connected` or `ConnectionLost`.
    Connect,
    /// Write these bytes.
    Send(Vec<u8>),
    /// Close the connection, whatever state it is in. Needs no answer.
    Disconnect,
    /// The answer to what was asked with this token.
    Answered(u64, Answered),
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
    /// This subtree, of which [`Serving`](Self::Serving) is told next, was another subagent's already: ours is registered with
    /// a lower priority (a higher number), and is asked once the other has gone.
    Behind(ObjectIdentifier),
    /// A session that was serving is lost.
    Lost(Reason),
    /// An attempt to open a session failed.
    Unreachable(Reason),
    /// The master took a notification, and sends it on.
    Notified,
    /// So many notifications will reach nobody: none came who could take them, too many waited, or the session ended
    /// before the master said that it took them.
    NotificationsLost(u64),
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

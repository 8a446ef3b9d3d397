//! One operation on its way to the data plane, with what is said when it is done: of whom, and why.

use std::net::SocketAddr;

use keepwatch_bus::{EventId, fact::TableChange};

use crate::table::{Operation, ServiceKey};

/// Who stands at a place of the table, as the configuration names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Occupant {
    /// A real server.
    Real(SocketAddr),
    /// The sorry server.
    Sorry(SocketAddr),
}

impl Occupant {
    /// Its address and port, as configured.
    pub(crate) fn address(&self) -> SocketAddr {
        match self {
            Self::Real(address) | Self::Sorry(address) => *address,
        }
    }
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// What is to be done.
    pub(crate) operation: Operation,
    /// Who stands there when it is done; of what is taken away, who had stood there. Usually it is one; several real
    /// servers share a place where the forwarding method can't tell their ports apart.
    pub(crate) occupants: Vec<Occupant>,
    /// The event that demands it.
    pub(crate) cause: Option<EventId>,
    /// It is the second half of something that has been told.
    pub(crate) quiet: bool,
}

impl Step {
    /// The entry that it is about, as facts name it: the virtual server, and the real or sorry server if it is about
    /// one.
    pub(crate) fn subject(&self) -> (ServiceKey, Option<SocketAddr>) {
        let named = self.occupants.first().map(Occupant::address);
        (*self.operation.service(), self.operation.place().map(|place| named.unwrap_or(place)))
    }

    /// What it does to that entry.
    pub(crate) fn change(&self) -> TableChange {
        match self.operation {
            Operation::AddService(..) | Operation::AddDestination(..) => TableChange::Add,
            Operation::SetService(..) | Operation::SetDestination(..) => TableChange::Change,
            Operation::DeleteService(_) | Operation::DeleteDestination(..) => TableChange::Remove,
        }
    }
}

//! The kernel's `IPVS` generic-netlink family on the wire: `linux/ip_vs.h` in Rust.
//!
//! ```text
//!  nlmsghdr  type = id of the family "IPVS", resolved by name
//!  genlmsghdr  cmd = Command, version = 1
//!  attributes  Service { Af, Protocol, Address, Port | Mark, Scheduler, Flags, Timeout, Netmask, Stats64 … }
//!              Destination { Address, Port, Family, Forwarding, Weight, thresholds, connections, Stats64 … }
//!              Daemon { State, Interface, SyncId … }
//!              TimeoutTcp, TimeoutTcpFin, TimeoutUdp
//! ```
//!
//! [`Message`] is one such request or answer and fits netlink-packet-generic's `GenlMessage`. The modules below turn
//! [`crate::table`]'s types into attributes and back.

mod attribute;
mod destination;
mod encode;
mod service;
mod statistics;

use netlink_packet_core::{DecodeError, Emitable, NlasIterator, ParseableParametrized};
use netlink_packet_generic::{GenlFamily, GenlHeader};

pub use attribute::{
    Attribute, DaemonAttribute, DestinationAttribute, ServiceAttribute, StatisticsAttribute,
};
pub(crate) use destination::{destination_attributes, destination_identity, read_destination};
pub(crate) use service::{read_service, service_attributes, service_identity};

/// What a message asks for or answers (`IPVS_CMD_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Command {
    /// Add a service; in answers to `GetService` too.
    NewService = 1,
    /// Change a service.
    SetService = 2,
    /// Remove a service.
    DelService = 3,
    /// Read one service, or all of them.
    GetService = 4,
    /// Add a real server; in answers to `GetDest` too.
    NewDest = 5,
    /// Change a real server.
    SetDest = 6,
    /// Remove a real server.
    DelDest = 7,
    /// Read the real servers of a service.
    GetDest = 8,
    /// Start a sync daemon; in answers to `GetDaemon` too.
    NewDaemon = 9,
    /// Stop a sync daemon.
    DelDaemon = 10,
    /// Read the sync daemons.
    GetDaemon = 11,
    /// Set the connection timeouts; in answers to `GetConfig` too.
    SetConfig = 12,
    /// Read the connection timeouts.
    GetConfig = 13,
    /// The answer to `GetInfo`.
    SetInfo = 14,
    /// Read the version of IPVS.
    GetInfo = 15,
    /// Set the statistics to zero.
    Zero = 16,
    /// Remove every service.
    Flush = 17,
}

impl Command {
    const ALL: [Self; 17] = [
        Self::NewService,
        Self::SetService,
        Self::DelService,
        Self::GetService,
        Self::NewDest,
        Self::SetDest,
        Self::DelDest,
        Self::GetDest,
        Self::NewDaemon,
        Self::DelDaemon,
        Self::GetDaemon,
        Self::SetConfig,
        Self::GetConfig,
        Self::SetInfo,
        Self::GetInfo,
        Self::Zero,
        Self::Flush,
    ];
}

impl TryFrom<u8> for Command {
    type Error = DecodeError;

    fn try_from(number: u8) -> Result<Self, DecodeError> {
        Self::ALL
            .into_iter()
            .find(|command| *command as u8 == number)
            .ok_or_else(|| DecodeError::from(format!("IPVS has no command {number}")))
    }
}

/// One request to, or answer from, the family `IPVS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What is asked for or answered.
    pub command: Command,
    /// With what.
    pub attributes: Vec<Attribute>,
}

impl GenlFamily for Message {
    fn family_name() -> &'static str {
        "IPVS"
    }

    fn command(&self) -> u8 {
        self.command as u8
    }

    fn version(&self) -> u8 {
        1
    }
}

impl Emitable for Message {
    fn buffer_len(&self) -> usize {
        encode::payload(&self.attributes).len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(&encode::payload(&self.attributes));
    }
}

impl ParseableParametrized<[u8], GenlHeader> for Message {
    fn parse_with_param(payload: &[u8], header: GenlHeader) -> Result<Self, DecodeError> {
        let command = Command::try_from(header.cmd)?;
        let attributes = NlasIterator::new(payload)
            .map(|attribute| Attribute::parse(command, &attribute?))
            .collect::<Result<_, DecodeError>>()?;
        Ok(Self { command, attributes })
    }
}

#[cfg(test)]
mod strange;
#[cfg(test)]
mod tests;

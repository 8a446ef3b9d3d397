//! The kernel's IPVS, spoken to through a generic-netlink socket.
//!
//! In go operations; they travel in batches, many requests in one message, and each is answered. Out come the table,
//! with what the kernel has counted, and errors with the operation and its subject in them. The kernel answers at
//! once, so the socket blocks; the engine keeps it off the runtime's threads.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    net::SocketAddr,
    time::Duration,
};

use keepwatch_bus::FlatMap;
use keepwatch_model::{Global, IpvsNamespace, KernelBuffer};
use keepwatch_net::namespace::{self, Namespace};
use netlink_packet_core::{DecodeError, NLM_F_ACK, NLM_F_DUMP};

use crate::{
    codec::{
        Attribute, Command, DaemonAttribute, Message, destination_attributes, destination_identity,
        read_destination, read_service, service_attributes, service_identity,
    },
    leaving::Activities,
    netlink::Connection,
    statistics::{Activity, Statistics},
    table::{Destination, Operation, Service, ServiceKey, Table, VirtualService},
};

/// Requests that are sent before their answers are read; the answers must fit into the socket's buffer.
const BATCH: usize = 64;

/// Why the kernel did not do something.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// The kernel has no IPVS, and no module of that name could be loaded.
    #[error("the kernel has no IPVS (module ip_vs)")]
    NoIpvs,
    /// The namespace could not be entered, or something other than IPVS in it not be reached.
    #[error("{0}")]
    Network(#[source] keepwatch_net::Error),
    /// The socket failed.
    #[error("netlink socket: {0}")]
    Socket(#[source] io::Error),
    /// The kernel refused a request.
    #[error("{request}: {error}")]
    Refused {
        /// What was asked for.
        request: String,
        /// What the kernel said.
        error: io::Error,
    },
    /// The kernel's answer could not be understood.
    #[error("the kernel's answer to {request}: {error}")]
    Answer {
        /// What was asked for.
        request: String,
        /// What is wrong with the answer.
        error: DecodeError,
    },
}

impl KernelError {
    /// What the kernel said, without what it was asked for.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Refused { error, .. } => error.to_string(),
            Self::NoIpvs | Self::Network(_) | Self::Socket(_) | Self::Answer { .. } => self.to_string(),
        }
    }
}

/// All that the kernel knows at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Services and real servers.
    pub table: Table,
    /// What was counted for each service.
    pub services: BTreeMap<ServiceKey, Statistics>,
    /// What was counted for each real server, and its connections.
    pub servers: BTreeMap<(ServiceKey, SocketAddr), (Statistics, Activity)>,
    /// What is wrong with the entries that can't be read; they are none of the above.
    pub unread: Vec<String>,
}

/// Timeouts of connections (`lvs_timeouts`); what is not given stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timeouts {
    /// Of idle TCP connections.
    pub tcp: Option<Duration>,
    /// Of TCP connections after their FIN.
    pub tcp_fin: Option<Duration>,
    /// Of UDP clients.
    pub udp: Option<Duration>,
}

/// Which half of connection synchronisation runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SyncRole {
    /// Tells the others of its connections.
    Master,
    /// Listens.
    Backup,
}

impl fmt::Display for SyncRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Master => "master",
            Self::Backup => "backup",
        })
    }
}

/// What the sync daemon uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncDaemon {
    /// Only the half runs that goes with the state of a virtual router; else both do, all the time.
    pub follows: bool,
    /// Interface that its multicasts go through.
    pub interface: String,
    /// Number of the group of daemons that listen to each other.
    pub sync_id: u8,
    /// Longest UDP payload.
    pub maximum_length: Option<u16>,
    /// UDP port.
    pub port: Option<u16>,
    /// Time to live of the multicasts.
    pub ttl: Option<u8>,
    /// Multicast group.
    pub group: Option<std::net::IpAddr>,
}

/// How the kernel is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// The network namespace whose table it is, if not that of the process (`net_namespace_ipvs`).
    pub namespace: Option<Namespace>,
    /// Of the socket; [`crate::netlink`] has a size for it unless one is given (`lvs_netlink_cmd_rcv_bufs`).
    pub receive_buffer: KernelBuffer,
}

impl Access {
    /// What a configuration says.
    #[must_use]
    pub fn of(global: &Global) -> Self {
        let namespace = global.net_namespace_ipvs.as_ref().map(|namespace| match namespace {
            IpvsNamespace::Default => Namespace::First,
            IpvsNamespace::Named(name) => Namespace::Named(name.to_string()),
        });
        Self { namespace, receive_buffer: global.receive_buffers.lvs_commands }
    }

    /// Opens something in that namespace.
    ///
    /// # Errors
    /// When it can't be entered.
    pub(crate) fn within<T: Send>(&self, open: impl FnOnce() -> T + Send) -> Result<T, KernelError> {
        match &self.namespace {
            Some(namespace) => namespace::within(namespace, open).map_err(KernelError::Network),
            None => Ok(open()),
        }
    }
}

/// A connection to the kernel's IPVS.
pub struct Kernel(Connection);

impl Kernel {
    /// Connects to the IPVS of this network namespace, loading the module if it is not there.
    ///
    /// # Errors
    /// If there is no IPVS, or no netlink socket.
    pub fn open() -> Result<Self, KernelError> {
        Self::reach(&Access::default())
    }

    /// Connects to the IPVS of another namespace, or with another receive buffer.
    ///
    /// # Errors
    /// If there is no IPVS, or no netlink socket; if there is no such namespace.
    pub fn reach(access: &Access) -> Result<Self, KernelError> {
        Connection::open(access).map(Self)
    }

    /// Why its socket has not the receive buffer that it should have, once after it was opened.
    pub(crate) fn take_refused_buffer(&mut self) -> Option<KernelError> {
        self.0.refused_buffer.take()
    }

    /// Gives its socket another receive buffer.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn resize(&mut self, buffer: KernelBuffer) -> Result<(), KernelError> {
        self.0.resize(buffer)
    }

    /// Version of IPVS, as (1, 2, 1).
    ///
    /// # Errors
    /// If the kernel does not answer as it should.
    pub fn version(&mut self) -> Result<(u8, u8, u8), KernelError> {
        let answers = self.0.ask("get info", Command::GetInfo, Vec::new(), 0)?;
        let version =
            answers.iter().flat_map(|answer| &answer.attributes).find_map(|attribute| match attribute {
                Attribute::InfoVersion(version) => Some(*version),
                _ => None,
            });
        let [_, major, minor, patch] = version.unwrap_or_default().to_be_bytes();
        Ok((major, minor, patch))
    }

    /// Does the operations in their order. What was refused is given back by its place, with its error; the others are
    /// done.
    ///
    /// # Errors
    /// If the socket fails; the table may then have been changed in part.
    pub fn apply(&mut self, operations: &[Operation]) -> Result<Vec<(usize, KernelError)>, KernelError> {
        let mut refused = Vec::new();
        for (number, batch) in operations.chunks(BATCH).enumerate() {
            for (place, error) in self.0.batch(batch.iter().map(request))? {
                if let Some(operation) = batch.get(place) {
                    let error = KernelError::Refused {
                        request: operation.to_string(),
                        error: explain(operation, error),
                    };
                    refused.push((number * BATCH + place, error));
                }
            }
        }
        Ok(refused)
    }

    /// Reads everything.
    ///
    /// # Errors
    /// If the kernel does not answer as it should.
    pub fn snapshot(&mut self) -> Result<Snapshot, KernelError> {
        let mut snapshot = Snapshot::default();
        for answer in self.0.ask("read services", Command::GetService, Vec::new(), NLM_F_DUMP)? {
            for attribute in &answer.attributes {
                let Attribute::Service(attributes) = attribute else { continue };
                let (key, service, statistics) = match read_service(attributes) {
                    Ok(Some(read)) => read,
                    Ok(None) => continue,
                    Err(error) => {
                        snapshot.unread.push(error.to_string());
                        continue;
                    }
                };
                snapshot.services.insert(key, statistics);
                snapshot.table.services.insert(key, VirtualService { service, destinations: FlatMap::new() });
            }
        }
        for (key, service) in &mut snapshot.table.services {
            let destinations = self.read_servers(key, &mut snapshot.servers, &mut snapshot.unread)?;
            service.destinations = destinations.into_iter().collect();
        }
        Ok(snapshot)
    }

    /// Reads the connections of the real servers of these services; those that are not there have none.
    pub(crate) fn activities(&mut self, services: &BTreeSet<ServiceKey>) -> Result<Activities, KernelError> {
        let mut all = Activities::new();
        for key in services {
            let mut servers = BTreeMap::new();
            // That some can't be read is told when the table is.
            self.read_servers(key, &mut servers, &mut Vec::new())?;
            all.extend(servers.into_iter().map(|(key, (_, activity))| (key, activity)));
        }
        Ok(all)
    }

    /// As the kernel has them: the last that was added first, which is why they are not sorted one by one.
    fn read_servers(
        &mut self,
        key: &ServiceKey,
        servers: &mut BTreeMap<(ServiceKey, SocketAddr), (Statistics, Activity)>,
        unread: &mut Vec<String>,
    ) -> Result<Vec<(SocketAddr, Destination)>, KernelError> {
        let mut destinations = Vec::new();
        let request = format!("read real servers of {key}");
        let identity = vec![Attribute::Service(service_identity(key))];
        for answer in self.0.ask(&request, Command::GetDest, identity, NLM_F_DUMP)? {
            for attribute in &answer.attributes {
                let Attribute::Destination(attributes) = attribute else { continue };
                match read_destination(attributes, key.family()) {
                    Ok(read) => {
                        servers.insert((*key, read.key), (read.statistics, read.activity));
                        destinations.push((read.key, read.destination));
                    }
                    Err(error) => unread.push(format!("{error} in service {key}")),
                }
            }
        }
        Ok(destinations)
    }

    /// Removes every service, ours or not (`lvs_flush`).
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn flush(&mut self) -> Result<(), KernelError> {
        self.0.ask("flush", Command::Flush, Vec::new(), NLM_F_ACK).map(drop)
    }

    /// The timeouts in force.
    ///
    /// # Errors
    /// If the kernel does not answer as it should.
    pub fn timeouts(&mut self) -> Result<Timeouts, KernelError> {
        let mut timeouts = Timeouts::default();
        let answers = self.0.ask("read timeouts", Command::GetConfig, Vec::new(), 0)?;
        for attribute in answers.iter().flat_map(|answer| &answer.attributes) {
            let seconds = |n: &u32| Some(Duration::from_secs((*n).into()));
            match attribute {
                Attribute::TimeoutTcp(n) => timeouts.tcp = seconds(n),
                Attribute::TimeoutTcpFin(n) => timeouts.tcp_fin = seconds(n),
                Attribute::TimeoutUdp(n) => timeouts.udp = seconds(n),
                _ => (),
            }
        }
        Ok(timeouts)
    }

    /// Sets the timeouts that are given.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn set_timeouts(&mut self, timeouts: Timeouts) -> Result<(), KernelError> {
        // To the kernel 0 means: as it was.
        let seconds =
            |time: Option<Duration>| time.map_or(0, |t| u32::try_from(t.as_secs()).unwrap_or(u32::MAX));
        let attributes = vec![
            Attribute::TimeoutTcp(seconds(timeouts.tcp)),
            Attribute::TimeoutTcpFin(seconds(timeouts.tcp_fin)),
            Attribute::TimeoutUdp(seconds(timeouts.udp)),
        ];
        self.0.ask("set timeouts", Command::SetConfig, attributes, NLM_F_ACK).map(drop)
    }

    /// Starts one half of connection synchronisation.
    ///
    /// # Errors
    /// If the kernel refuses: it runs already, or there is no such interface.
    pub fn start_sync(&mut self, role: SyncRole, daemon: &SyncDaemon) -> Result<(), KernelError> {
        let mut attributes = vec![
            DaemonAttribute::State(role_number(role)),
            DaemonAttribute::Interface(daemon.interface.clone()),
            DaemonAttribute::SyncId(daemon.sync_id.into()),
        ];
        attributes.extend(daemon.maximum_length.map(DaemonAttribute::MaximumLength));
        attributes.extend(daemon.port.map(DaemonAttribute::Port));
        attributes.extend(daemon.ttl.map(DaemonAttribute::Ttl));
        attributes.extend(daemon.group.map(|group| match group {
            std::net::IpAddr::V4(v4) => DaemonAttribute::Group(v4.octets()),
            std::net::IpAddr::V6(v6) => DaemonAttribute::Group6(v6.octets()),
        }));
        let request = format!("start sync daemon on {}", daemon.interface);
        self.0.ask(&request, Command::NewDaemon, vec![Attribute::Daemon(attributes)], NLM_F_ACK).map(drop)
    }

    /// Stops one half of connection synchronisation. Of one that was started a moment ago the kernel may do so without ever
    /// saying it (the thread is interrupted before it has begun, and netlink drops the acknowledgement with that): then it
    /// is looked for.
    ///
    /// # Errors
    /// If the kernel refuses: it does not run.
    pub fn stop_sync(&mut self, role: SyncRole, daemon: &SyncDaemon) -> Result<(), KernelError> {
        let attributes = vec![
            DaemonAttribute::State(role_number(role)),
            DaemonAttribute::Interface(daemon.interface.clone()),
            DaemonAttribute::SyncId(daemon.sync_id.into()),
        ];
        let request = format!("stop sync daemon on {}", daemon.interface);
        if self.0.try_to_ask(&request, Command::DelDaemon, vec![Attribute::Daemon(attributes)])?
            || !self.runs_sync(role)?
        {
            return Ok(());
        }
        Err(KernelError::Socket(io::ErrorKind::TimedOut.into()))
    }

    /// Whether a half of connection synchronisation runs.
    ///
    /// # Errors
    /// If the kernel does not say.
    pub fn runs_sync(&mut self, role: SyncRole) -> Result<bool, KernelError> {
        let answers = self.0.ask("list sync daemons", Command::GetDaemon, Vec::new(), NLM_F_DUMP)?;
        let state = DaemonAttribute::State(role_number(role));
        Ok(answers.iter().flat_map(|answer| &answer.attributes).any(|attribute| match attribute {
            Attribute::Daemon(daemon) => daemon.contains(&state),
            _ => false,
        }))
    }
}

/// Says in words what the kernel only says by a number that stands for many things.
fn explain(operation: &Operation, error: io::Error) -> io::Error {
    match (operation, error.kind()) {
        (Operation::AddService(_, service) | Operation::SetService(_, service), io::ErrorKind::NotFound) => {
            let Service { scheduler, persistence, .. } = service;
            let engine = persistence.as_ref().and_then(|persistence| persistence.engine.as_ref());
            let engine =
                engine.map(|name| format!(", or no persistence engine `{name}`")).unwrap_or_default();
            io::Error::other(format!(
                "the kernel has no scheduler `{scheduler}` (module ip_vs_{scheduler}){engine}"
            ))
        }
        _ => error,
    }
}

fn role_number(role: SyncRole) -> u32 {
    match role {
        SyncRole::Master => 1,
        SyncRole::Backup => 2,
    }
}

/// The message to the kernel that stands for an operation.
fn request(operation: &Operation) -> Message {
    let service = |key| Attribute::Service(service_identity(key));
    let (command, attributes) = match operation {
        Operation::AddService(key, how) => {
            (Command::NewService, vec![Attribute::Service(service_attributes(key, how))])
        }
        Operation::SetService(key, how) => {
            (Command::SetService, vec![Attribute::Service(service_attributes(key, how))])
        }
        Operation::DeleteService(key) => (Command::DelService, vec![service(key)]),
        Operation::AddDestination(key, server, how) => (
            Command::NewDest,
            vec![service(key), Attribute::Destination(destination_attributes(server, how))],
        ),
        Operation::SetDestination(key, server, how) => (
            Command::SetDest,
            vec![service(key), Attribute::Destination(destination_attributes(server, how))],
        ),
        Operation::DeleteDestination(key, server) => {
            (Command::DelDest, vec![service(key), Attribute::Destination(destination_identity(server))])
        }
    };
    Message { command, attributes }
}

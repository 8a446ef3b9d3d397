//! What stands in for the kernel's IPVS: on a director, takes the connections to the VIP and forwards each to the
//! next real server of the table that keepwatchd keeps in memory, as its events tell it. It decides nothing.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use anyhow::Result;
use integration::{Host, background::Acceptor};
use keepwatch_bus::fact::{DaemonFact, ServiceFact};
use keepwatch_bus::{Event, Fact};

/// How long either side may be silent.
const PATIENCE: Duration = Duration::from_millis(500);

/// The real servers that a director would send connections to now.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table(Arc<Mutex<Vec<SocketAddr>>>);

impl Table {
    /// Follows what the director's IPVS engine did.
    pub(crate) fn apply(&self, event: &Event) {
        let mut servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &event.fact {
            Fact::Daemon(DaemonFact::DaemonStarted { .. }) => servers.clear(),
            Fact::Service(ServiceFact::RealServerAdded { real, .. }) if !servers.contains(&real.real) => {
                servers.push(real.real)
            }
            Fact::Service(ServiceFact::RealServerRemoved { real }) => {
                servers.retain(|&server| server != real.real)
            }
            _ => {}
        }
    }

    /// How many real servers are in it.
    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn pick(&self, turn: usize) -> Option<SocketAddr> {
        let servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        servers.get(turn % servers.len().max(1)).copied()
    }
}

/// The forwarder of one director; its port is closed when it is dropped.
pub(crate) struct StandIn {
    _acceptor: Acceptor,
}

impl StandIn {
    /// Forwards what comes to `port` of any address of `host` by `table`.
    pub(crate) fn start(host: &Host, port: u16, table: Table) -> Result<Self> {
        let mut turn = 0;
        let at = (Ipv4Addr::UNSPECIFIED, port).into();
        let acceptor = Acceptor::start(host, at, "stand-in", move |client| {
            let Some(server) = table.pick(turn) else { return };
            turn += 1;
            // Connections to the real servers are the director's too.
            let _ = thread::Builder::new().spawn(move || forward(client, server));
        })?;
        Ok(Self { _acceptor: acceptor })
    }
}

/// One request of a client that says all before it reads.
fn forward(mut client: TcpStream, server: SocketAddr) -> io::Result<()> {
    let mut server = TcpStream::connect_timeout(&server, PATIENCE)?;
    for stream in [&client, &server] {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
    }
    let mut part = [0; 2048];
    let length = client.read(&mut part)?;
    server.write_all(part.get(..length).unwrap_or_default())?;
    io::copy(&mut server, &mut client)?;
    client.shutdown(Shutdown::Write)
}

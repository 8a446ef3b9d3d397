//! The HTTP server. In: an address, or a listener that was handed in. Out: pages for people and programs.

use std::net::{SocketAddr, TcpListener};

use keepwatch_bus::fact::DaemonFact;
use keepwatch_bus::{Bus, Reader};
use keepwatch_config::{Config, Severity};
use tokio::task::JoinHandle;

use crate::terminal::plain;
use crate::worker::settings::Settings;

/// The server.
pub(in crate::worker) struct Http(JoinHandle<()>);

impl Http {
    /// Listens, if that is wanted.
    ///
    /// # Errors
    /// Why it can't.
    pub(in crate::worker) fn start(
        settings: &Settings,
        config: &Config,
        handed_in: Option<TcpListener>,
        reader: Reader,
        bus: &Bus,
    ) -> Result<Option<Self>, String> {
        let listener = match (handed_in, settings.listen(config)) {
            (Some(listener), _) => listener,
            (None, None) => return Ok(None),
            (None, Some(address)) => {
                TcpListener::bind(address).map_err(|error| format!("{address}: {}", plain(&error)))?
            }
        };
        if let Ok(address) = listener.local_addr()
            && !address.ip().is_loopback()
        {
            bus.publish(None, exposed(address));
        }
        let listener = listener
            .set_nonblocking(true)
            .and_then(|()| tokio::net::TcpListener::from_std(listener))
            .map_err(|error| plain(&error))?;
        let limits = keepwatch_export::Limits::default();
        Ok(Some(Self(tokio::spawn(keepwatch_export::serve(listener, reader, limits)))))
    }

    /// Closes it, and the connections of all clients.
    pub(in crate::worker) async fn stop(self) {
        self.0.abort();
        let _ = self.0.await;
    }
}

/// What everybody can read who reaches this address.
fn exposed(address: SocketAddr) -> DaemonFact {
    DaemonFact::ConfigDiagnosed {
        severity: Severity::Warning,
        code: "listen-exposed".into(),
        place: String::new(),
        message: format!(
            "the HTTP server listens on {address}, which is not loopback: whoever reaches it can read the state of all \
             virtual routers and servers, their addresses and interfaces, and what happened (no password is among it, \
             and nothing can be changed)"
        ),
    }
}

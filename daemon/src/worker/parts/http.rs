//! The HTTP server. In: an address, or a listener that was handed in. Out: pages for people and programs.

use std::net::{SocketAddr, TcpListener};

use keepwatch_bus::fact::DaemonFact;
use keepwatch_bus::{Bus, Reader};
use keepwatch_config::{Config, Severity};
use keepwatch_export::Web;
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
        let web = match settings.web_config_file(config) {
            None => None,
            Some(file) => {
                let bus = bus.downgrade();
                let complain = move |error| {
                    bus.publish(None, unusable(error));
                };
                Some(Web::open(file, complain)?)
            }
        };
        if let Ok(address) = listener.local_addr()
            && !address.ip().is_loopback()
            && !web.as_ref().is_some_and(|web| web.asks_who_it_is())
        {
            bus.publish(None, exposed(address));
        }
        let listener = listener
            .set_nonblocking(true)
            .and_then(|()| tokio::net::TcpListener::from_std(listener))
            .map_err(|error| plain(&error))?;
        let limits = keepwatch_export::Limits::default();
        Ok(Some(Self(tokio::spawn(keepwatch_export::serve_behind(listener, reader, limits, web)))))
    }

    /// Closes it, and the connections of all clients.
    pub(in crate::worker) async fn stop(self) {
        self.0.abort();
        let _ = self.0.await;
    }
}

/// A web-config file that can't be used any more.
fn unusable(message: String) -> DaemonFact {
    let code = "web-config".into();
    DaemonFact::ConfigDiagnosed { severity: Severity::Error, code, place: String::new(), message }
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

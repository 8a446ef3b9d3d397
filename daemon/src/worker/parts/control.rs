//! The control socket. In: where it is. Out: a listener that answers the `keepwatch` command.

use keepwatch_bus::Reader;
use keepwatch_config::Config;
use tokio::task::JoinHandle;

use crate::control::server::Server;
use crate::terminal::plain;
use crate::worker::parts::dumps::Zero;
use crate::worker::settings::Settings;

/// The listener.
pub(in crate::worker) struct Control(JoinHandle<()>);

impl Control {
    /// Binds the socket.
    ///
    /// # Errors
    /// Why it can't be bound.
    pub(in crate::worker) async fn start(
        settings: &Settings,
        config: &Config,
        reader: Reader,
        zero: Zero,
    ) -> Result<Self, String> {
        let path = settings.control_socket(config);
        let bound = Server::bind(&path).await;
        let server = bound.map_err(|error| format!("{}: {}", path.display(), plain(&error)))?;
        Ok(Self(tokio::spawn(server.run(reader, zero))))
    }

    /// Closes it, and the connections of all clients.
    pub(in crate::worker) async fn stop(self) {
        self.0.abort();
        let _ = self.0.await;
    }
}

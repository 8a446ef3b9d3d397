//! Calls of the data plane, and what is said when one fails and when it works again.

use keepwatch_bus::fact::IpvsFact;
use tokio::task::spawn_blocking;

use super::{READ_ENTRY, RESIZE, Reconciler};
use crate::{dataplane::Dataplane, desk::Desk, kernel::KernelError};

impl Reconciler {
    /// Works with the data plane on a thread where it may block. A failure is said.
    pub(super) async fn on_dataplane<T: Send + 'static>(
        &mut self,
        operation: &'static str,
        desk: &mut Desk,
        work: impl FnOnce(&mut Dataplane) -> Result<T, KernelError> + Send + 'static,
    ) -> Result<T, KernelError> {
        let mut dataplane = self.dataplane.take().unwrap_or_else(|| Dataplane::new(self.kind, &self.access));
        let call = desk.beat.begin(operation);
        let work = spawn_blocking(move || {
            let done = work(&mut dataplane);
            (dataplane, done)
        });
        // The thread gives no answer only when the runtime ends.
        let done = desk.meanwhile(call, work).await;
        let (mut dataplane, done) =
            done.map_err(|error| KernelError::Socket(std::io::Error::other(error)))?;
        if let Some(error) = dataplane.take_refused_buffer() {
            self.failed(RESIZE, &error);
        }
        self.dataplane = Some(dataplane);
        match &done {
            Ok(_) => {
                if self.complaints.dataplane_works(operation) {
                    self.recovered();
                }
            }
            Err(error) => self.failed(operation, error),
        }
        done
    }

    /// Entries that can't be read are told of, and that there are none any more.
    pub(super) fn judge_unread(&mut self, unread: &[String]) {
        match unread {
            [] if self.complaints.dataplane_works(READ_ENTRY) => self.recovered(),
            [] => (),
            [one] => self.complain(READ_ENTRY, one.clone()),
            [first, others @ ..] => self.complain(READ_ENTRY, format!("{first}, and {} more", others.len())),
        }
    }

    /// Something of the data plane does not work: that is said, if it is new.
    pub(super) fn failed(&mut self, operation: &'static str, error: &KernelError) {
        self.complain(operation, error.reason());
    }

    pub(super) fn complain(&mut self, operation: &'static str, error: String) {
        if self.complaints.of_dataplane(operation, &error) {
            self.bus.publish(None, IpvsFact::IpvsFailed { operation: operation.to_owned(), error });
        }
    }

    /// Something that did not work does: when it was the last, that is said.
    pub(super) fn recovered(&self) {
        if self.complaints.is_empty() {
            self.bus.publish(None, IpvsFact::IpvsRecovered {});
        }
    }
}

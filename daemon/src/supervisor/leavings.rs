//! What workers have left on the host beside addresses: settings of the kernel, named pipes. In: what they told. Out: word of
//! it for the next worker; all taken back, where the daemon ends without a worker that did.

use super::Supervisor;
use super::line::Report;
use super::network::Network;
use crate::left::Left;
use crate::logging::Severity;

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Leavings {
    left: Vec<Left>,
    /// That of the workers; none before one has changed anything there.
    network: Option<Network>,
}

impl Leavings {
    /// A worker has left this, or is about to.
    pub(super) fn add(&mut self, worker: u32, left: Left) {
        if matches!(&left, Left::Setting(changed) if changed.setting.is_of_the_network()) {
            self.network = Some(Network::of(worker, self.network.take()));
        }
        self.remove(&left);
        self.left.push(left);
    }

    /// A worker took it back.
    pub(super) fn remove(&mut self, left: &Left) {
        self.left.retain(|other| !other.is_about(left));
    }

    /// What the next worker is to know, in the words of the line.
    pub(super) fn words(&self) -> String {
        self.left.iter().map(|left| format!("{}\n", Report::Left(left.clone()))).collect()
    }

    /// Takes all back; what was done, for people, or why it could not be.
    pub(super) fn take_back(&mut self) -> Vec<Result<String, String>> {
        let all = std::mem::take(&mut self.left);
        all.into_iter().filter_map(|left| self.take_one_back(&left).transpose()).collect()
    }

    /// None if there was nothing to do: somebody else has seen to it.
    fn take_one_back(&self, left: &Left) -> Result<Option<String>, String> {
        match left {
            Left::Pipe(pipe) => Ok(pipe
                .remove()
                .then(|| format!("Removed FIFO {}, which a worker had left", pipe.path.display()))),
            Left::Setting(changed) => {
                let path = changed.setting.path();
                let failed = |error: String| format!("{path} could not be put back: {error}");
                let put = || changed.put_back();
                let done = match &self.network {
                    Some(network) if changed.setting.is_of_the_network() => {
                        network.inside(put).map_err(failed)?
                    }
                    Some(_) | None => put(),
                };
                let done = done.map_err(|error| failed(crate::terminal::plain(&error)))?;
                Ok(done.then(|| format!("Put {path} back, which a worker had changed")))
            }
        }
    }
}

impl Supervisor<'_> {
    /// Takes back what workers have left.
    pub(super) fn take_leavings_back(&mut self) {
        for done in self.leavings.take_back() {
            match done {
                Ok(done) => self.log.now(Severity::Warning, done),
                Err(error) => self.log.now(Severity::Error, error),
            }
        }
    }
}

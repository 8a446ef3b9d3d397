//! The network that a worker lives in: it may be another than the supervisor's (`net_namespace`).

use std::fs::File;
use std::os::unix::fs::MetadataExt;

use caps::{CapSet, Capability};
use nix::sched::{CloneFlags, setns};

/// The network of a worker.
#[derive(Debug)]
pub(super) enum Network {
    /// That of the supervisor.
    Own,
    /// Another one.
    Other(File),
    /// It could not be told, because of this.
    Unknown(String),
}

impl Network {
    /// That in which this process lives. One that has just died can't be asked any more: then it is that of the one `before`.
    pub(super) fn of(process: u32, before: Option<Self>) -> Self {
        match (find(process), before) {
            (Ok(network), _) => network,
            (Err(_), Some(before @ (Self::Own | Self::Other(_)))) => before,
            // What has the same name in another network is not ours to touch.
            (Err(error), None | Some(Self::Unknown(_))) => Self::Unknown(error.to_string()),
        }
    }

    /// Does `work` in it.
    ///
    /// # Errors
    /// When it is not known, or can't be entered.
    pub(super) fn inside<T>(&self, work: impl FnOnce() -> T) -> Result<T, String> {
        let own = match self {
            Self::Own => None,
            Self::Unknown(error) => return Err(format!("their network can't be found: {error}")),
            Self::Other(network) => {
                let own =
                    enter(network).map_err(|error| format!("their network can't be entered: {error}"))?;
                Some(own)
            }
        };
        let done = work();
        if let Some(own) = own {
            // It was possible a moment ago; only worker processes need the network that this one is in.
            let _ = setns(&own, CloneFlags::CLONE_NEWNET);
        }
        Ok(done)
    }
}

fn find(process: u32) -> std::io::Result<Network> {
    // Whoever may not enter another (setns(2)) has not started anybody who may.
    if caps::has_cap(None, CapSet::Effective, Capability::CAP_SYS_ADMIN).is_ok_and(|may| !may) {
        return Ok(Network::Own);
    }
    let theirs = File::open(format!("/proc/{process}/ns/net"))?;
    let own = std::fs::metadata("/proc/self/ns/net")?;
    Ok(if theirs.metadata()?.ino() == own.ino() { Network::Own } else { Network::Other(theirs) })
}

/// Enters a network; the one that this process was in.
fn enter(network: &File) -> std::io::Result<File> {
    let own = File::open("/proc/self/ns/net")?;
    setns(network, CloneFlags::CLONE_NEWNET)?;
    Ok(own)
}

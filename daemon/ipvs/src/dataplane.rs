//! Where the table is put: into the kernel, into memory, or nowhere.

use std::{collections::BTreeSet, io, time::Duration};

use keepwatch_model::KernelBuffer;
use nix::{errno::Errno, net::if_::if_nametoindex};

use crate::{
    kernel::{Access, Kernel, KernelError, Snapshot, SyncDaemon, SyncRole, Timeouts},
    leaving::Activities,
    marking::Marking,
    table::{Operation, Refused, ServiceKey, Table},
};

/// Which data plane is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataplaneKind {
    /// The kernel's IPVS.
    Kernel,
    /// A table in memory: for tests, demonstrations and kernels without IPVS. Never chosen silently.
    Memory,
    /// Nothing is programmed; what would have been done is published.
    Shadow,
}

/// A data plane that is in use.
pub(crate) enum Dataplane {
    /// The kernel.
    Kernel(Reach),
    /// The table itself.
    Memory(Table),
    /// The table that would be.
    Shadow(Table),
    /// A table that refuses some operations.
    #[cfg(test)]
    Stubborn(Table, fn(&Operation) -> bool),
    /// A table of which something can't be read.
    #[cfg(test)]
    Blurred(Table, Vec<String>),
}

impl Dataplane {
    pub(crate) fn new(kind: DataplaneKind, access: &Access) -> Self {
        match kind {
            DataplaneKind::Kernel => Self::Kernel(Reach { open: None, access: access.clone() }),
            DataplaneKind::Memory => Self::Memory(Table::default()),
            DataplaneKind::Shadow => Self::Shadow(Table::default()),
        }
    }

    /// Does the operations; gives back those that were refused, by their places.
    pub(crate) fn apply(
        &mut self,
        operations: &[Operation],
    ) -> Result<Vec<(usize, KernelError)>, KernelError> {
        match self {
            Self::Kernel(kernel) => with(kernel, |kernel| kernel.apply(operations)),
            Self::Memory(table) | Self::Shadow(table) => {
                let refused = table.apply_all(operations).into_iter();
                let told = refused
                    .filter_map(|(place, why)| Some((place, refusal(operations.get(place)?, as_error(why)))));
                Ok(told.collect())
            }
            #[cfg(test)]
            Self::Stubborn(table, refuses) => Ok(each(operations, |operation| match refuses(operation) {
                true => Err(Errno::EPERM.into()),
                false => table.apply(operation).map_err(as_error),
            })),
            #[cfg(test)]
            Self::Blurred(table, _) => {
                Ok(each(operations, |operation| table.apply(operation).map_err(as_error)))
            }
        }
    }

    /// Reads everything.
    pub(crate) fn snapshot(&mut self) -> Result<Snapshot, KernelError> {
        match self {
            Self::Kernel(kernel) => with(kernel, Kernel::snapshot),
            Self::Memory(table) | Self::Shadow(table) => {
                Ok(Snapshot { table: table.clone(), ..Snapshot::default() })
            }
            #[cfg(test)]
            Self::Stubborn(table, _) => Ok(Snapshot { table: table.clone(), ..Snapshot::default() }),
            #[cfg(test)]
            Self::Blurred(table, unread) => {
                Ok(Snapshot { table: table.clone(), unread: unread.clone(), ..Snapshot::default() })
            }
        }
    }

    /// Reads the connections of the real servers of these services.
    pub(crate) fn activities(&mut self, services: &BTreeSet<ServiceKey>) -> Result<Activities, KernelError> {
        let there = |reach| with(reach, |kernel| kernel.activities(services));
        self.reach().map_or_else(|| Ok(Activities::new()), there)
    }

    /// Removes everything, ours or not.
    pub(crate) fn flush(&mut self) -> Result<(), KernelError> {
        match self {
            Self::Kernel(kernel) => with(kernel, Kernel::flush),
            Self::Memory(table) | Self::Shadow(table) => {
                table.services.clear();
                Ok(())
            }
            #[cfg(test)]
            Self::Stubborn(..) | Self::Blurred(..) => Err(KernelError::NoIpvs),
        }
    }

    /// Sets the timeouts that are given; gives what they were.
    pub(crate) fn set_timeouts(&mut self, timeouts: Timeouts) -> Result<Timeouts, KernelError> {
        let Some(reach) = self.reach() else { return Ok(Timeouts::default()) };
        with(reach, |kernel| {
            let before = kernel.timeouts()?;
            kernel.set_timeouts(timeouts)?;
            Ok(before)
        })
    }

    /// Marks packets as this says, in place of what was said `before`.
    pub(crate) fn mark(&mut self, marking: &Marking, before: &Marking) -> Result<(), KernelError> {
        self.reach().map_or(Ok(()), |reach| marking.carry_out(before, &reach.access))
    }

    /// Removes what runs that are no more have left of marks, where this does not replace it.
    pub(crate) fn clear_marks(&mut self, marking: &Marking) -> Result<(), KernelError> {
        self.reach().map_or(Ok(()), |reach| marking.clear(&reach.access))
    }

    /// Whether packets are marked as this says.
    pub(crate) fn marks(&mut self, marking: &Marking) -> Result<bool, KernelError> {
        self.reach().map_or(Ok(true), |reach| marking.is_there(&reach.access))
    }

    /// Why a socket that was opened since this was last asked has not the receive buffer that it should have.
    pub(crate) fn take_refused_buffer(&mut self) -> Option<KernelError> {
        self.reach()?.open.as_mut()?.take_refused_buffer()
    }

    /// Reaches the kernel in this way from now on. Where its table is does not change while the daemon runs.
    pub(crate) fn resize(&mut self, buffer: KernelBuffer) -> Result<(), KernelError> {
        let Some(reach) = self.reach() else { return Ok(()) };
        reach.access.receive_buffer = buffer;
        reach.open.as_mut().map_or(Ok(()), |kernel| kernel.resize(buffer))
    }

    /// Runs these halves of connection synchronisation and no others; gives the number of the interface that they use.
    pub(crate) fn synchronize(
        &mut self,
        daemon: &SyncDaemon,
        halves: &[SyncRole],
    ) -> Result<Option<u32>, KernelError> {
        let Some(reach) = self.reach() else { return Ok(None) };
        // Before they are started: one that is another by then is found at the next look.
        let interface = interface(reach, daemon)?;
        with(reach, |kernel| {
            for other in [SyncRole::Master, SyncRole::Backup] {
                // It is no matter if it did not run.
                match kernel.stop_sync(other, daemon) {
                    Ok(()) | Err(KernelError::Refused { .. }) => (),
                    Err(error) => return Err(error),
                }
            }
            halves.iter().try_for_each(|half| kernel.start_sync(*half, daemon))
        })?;
        Ok(interface)
    }

    /// What is amiss with connection synchronisation that was started so, on an interface that had this number. The kernel
    /// leaves it running when its interface goes, and sends nothing from then on.
    pub(crate) fn synchronizes(
        &mut self,
        daemon: &SyncDaemon,
        halves: &[SyncRole],
        started_on: Option<u32>,
    ) -> Result<Option<String>, KernelError> {
        let Some(reach) = self.reach() else { return Ok(None) };
        let name = &daemon.interface;
        match interface(reach, daemon)? {
            None => return Ok(Some(format!("there is no interface {name}"))),
            other if other != started_on => return Ok(Some(format!("{name} is not what it was started on"))),
            Some(_) => (),
        }
        with(reach, |kernel| {
            for half in halves {
                if !kernel.runs_sync(*half)? {
                    return Ok(Some(format!("its {half} half does not run")));
                }
            }
            Ok(None)
        })
    }

    /// The way to the kernel; none where the table is in memory, and nothing but it.
    fn reach(&mut self) -> Option<&mut Reach> {
        match self {
            Self::Kernel(reach) => Some(reach),
            Self::Memory(_) | Self::Shadow(_) => None,
            #[cfg(test)]
            Self::Stubborn(..) | Self::Blurred(..) => None,
        }
    }
}

/// The number of a sync daemon's interface, while there is one.
fn interface(reach: &Reach, daemon: &SyncDaemon) -> Result<Option<u32>, KernelError> {
    reach.access.within(|| if_nametoindex(daemon.interface.as_str()).ok())
}

/// The way to the kernel.
pub(crate) struct Reach {
    /// None while it can't be reached.
    open: Option<Box<Kernel>>,
    access: Access,
}

/// Reaches for the kernel, and lets go of the socket if that fails: the next use begins anew.
fn with<T>(
    reach: &mut Reach,
    action: impl FnOnce(&mut Kernel) -> Result<T, KernelError>,
) -> Result<T, KernelError> {
    let mut open = match reach.open.take() {
        Some(open) => open,
        None => Box::new(Kernel::reach(&reach.access)?),
    };
    let done = action(&mut open);
    if !matches!(done, Err(KernelError::Socket(_) | KernelError::Answer { .. })) {
        reach.open = Some(open);
    }
    done
}

/// Does the operations, one after the other; gives the errors by their places.
#[cfg(test)]
fn each(
    operations: &[Operation],
    mut apply: impl FnMut(&Operation) -> io::Result<()>,
) -> Vec<(usize, KernelError)> {
    let done = operations.iter().enumerate().map(|(place, operation)| {
        let error = apply(operation).err()?;
        Some((place, refusal(operation, error)))
    });
    done.flatten().collect()
}

fn refusal(operation: &Operation, error: io::Error) -> KernelError {
    KernelError::Refused { request: operation.to_string(), error }
}

fn as_error(refused: Refused) -> io::Error {
    match refused {
        Refused::Exists => Errno::EEXIST,
        Refused::NoService => Errno::ESRCH,
        Refused::NoDestination => Errno::ENOENT,
    }
    .into()
}

/// How often the table is compared with what it should be, unless said otherwise.
pub const AUDIT_PERIOD: Duration = Duration::from_secs(10);

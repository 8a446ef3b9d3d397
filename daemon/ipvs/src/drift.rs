//! What was wrong with the table, told by what an audit did about it.

use keepwatch_bus::fact::{Drift, IpvsFact};

use crate::{step::Step, table::Operation};

/// The drifts that these steps, in their order, have put right. A service that was gone stands for its real servers too.
pub(crate) fn drifts<'a>(done: impl Iterator<Item = &'a Step>) -> impl Iterator<Item = IpvsFact> {
    let mut restored = None;
    done.filter_map(move |step| {
        let (service, real) = step.subject();
        let drift = match &step.operation {
            Operation::AddService(..) => {
                restored = Some(service);
                Drift::Missing
            }
            Operation::AddDestination(..) if restored == Some(service) => return None,
            Operation::AddDestination(..) => Drift::Missing,
            Operation::SetService(..) | Operation::SetDestination(..) => Drift::Altered,
            Operation::DeleteService(_) | Operation::DeleteDestination(..) => Drift::Surplus,
        };
        Some(IpvsFact::DriftRepaired { service, real, drift })
    })
}

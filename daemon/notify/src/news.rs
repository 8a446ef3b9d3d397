//! The facts that anybody is told of, out of all that happen. One place that knows every fact, so that the rest of
//! this crate need not.

use keepwatch_bus::Fact;
use keepwatch_bus::settings::{GroupSettings, InstanceSettings, RealServerSettings, ServiceSettings};
use keepwatch_bus::subject::{Name, RealKey, ServiceKey, VrrpState};

/// A fact that a mail or a script may follow from.
#[derive(Debug)]
pub(crate) enum News<'a> {
    Started,
    Stopping,
    InstanceConfigured { instance: &'a Name, settings: &'a InstanceSettings },
    InstanceRemoved { instance: &'a Name },
    InstanceState { instance: &'a Name, to: VrrpState, priority: u8 },
    LowerPriorityHeard { instance: &'a Name },
    GroupConfigured { group: &'a Name, settings: &'a GroupSettings },
    GroupRemoved { group: &'a Name },
    GroupState { group: &'a Name, to: VrrpState },
    ServiceConfigured { service: ServiceKey, settings: &'a ServiceSettings },
    ServiceRemoved { service: ServiceKey },
    RealConfigured { real: RealKey, settings: &'a RealServerSettings },
    RealRemoved { real: RealKey },
    RealState { real: RealKey, up: bool },
    Quorum { service: ServiceKey, up: bool, quorum: u32, hysteresis: u32, weight: i64 },
}

impl<'a> News<'a> {
    /// What is new in a fact, if anything is.
    pub(crate) fn of(fact: &'a Fact) -> Option<Self> {
        Some(match fact {
            Fact::DaemonStarted { .. } => Self::Started,
            Fact::DaemonStopping { .. } => Self::Stopping,
            Fact::InstanceConfigured { instance, settings } => {
                Self::InstanceConfigured { instance, settings }
            }
            Fact::InstanceUnconfigured { instance } => Self::InstanceRemoved { instance },
            Fact::StateChanged { instance, to, priority, .. } => {
                Self::InstanceState { instance, to: *to, priority: *priority }
            }
            Fact::LowerPriorityReceived { instance, .. } => Self::LowerPriorityHeard { instance },
            Fact::GroupConfigured { group, settings } => Self::GroupConfigured { group, settings },
            Fact::GroupUnconfigured { group } => Self::GroupRemoved { group },
            Fact::GroupStateChanged { group, to, .. } => Self::GroupState { group, to: *to },
            Fact::VirtualServerConfigured { service, settings } => {
                Self::ServiceConfigured { service: *service, settings }
            }
            Fact::VirtualServerUnconfigured { service } => Self::ServiceRemoved { service: *service },
            Fact::RealServerConfigured { real, settings } => Self::RealConfigured { real: *real, settings },
            Fact::RealServerUnconfigured { real } => Self::RealRemoved { real: *real },
            Fact::RealServerUp { real } => Self::RealState { real: *real, up: true },
            Fact::RealServerDown { real } => Self::RealState { real: *real, up: false },
            Fact::QuorumGained { service, quorum, hysteresis, weight } => Self::Quorum {
                service: *service,
                up: true,
                quorum: *quorum,
                hysteresis: *hysteresis,
                weight: *weight,
            },
            Fact::QuorumLost { service, quorum, hysteresis, weight } => Self::Quorum {
                service: *service,
                up: false,
                quorum: *quorum,
                hysteresis: *hysteresis,
                weight: *weight,
            },
            Fact::WorkerRestarted { .. }
            | Fact::ConfigLoaded { .. }
            | Fact::ConfigRejected { .. }
            | Fact::ConfigDiagnosed { .. }
            | Fact::HistoryFailed { .. }
            | Fact::HistoryRecovered { .. }
            | Fact::ConsumerFailed { .. }
            | Fact::LinkUp { .. }
            | Fact::LinkDown { .. }
            | Fact::AdvertTimedOut { .. }
            | Fact::MasterHeard { .. }
            | Fact::MasterResigned { .. }
            | Fact::HigherPriorityReceived { .. }
            | Fact::AdvertRejected { .. }
            | Fact::PriorityChanged { .. }
            | Fact::AddressAdded { .. }
            | Fact::AddressRemoved { .. }
            | Fact::AddressFailed { .. }
            | Fact::AddressesAnnounced { .. }
            | Fact::AdvertSendFailed { .. }
            | Fact::SourceAddressChanged { .. }
            | Fact::AdvertDelayed { .. }
            | Fact::CheckSucceeded { .. }
            | Fact::CheckFailed { .. }
            | Fact::CheckNotRun { .. }
            | Fact::VirtualServerAdded { .. }
            | Fact::VirtualServerRemoved { .. }
            | Fact::RealServerAdded { .. }
            | Fact::RealServerRemoved { .. }
            | Fact::RealServerWeightChanged { .. }
            | Fact::SorryServerAdded { .. }
            | Fact::SorryServerRemoved { .. }
            | Fact::DriftRepaired { .. }
            | Fact::IpvsFailed { .. }
            | Fact::IpvsWithheld { .. }
            | Fact::IpvsRecovered { .. }
            | Fact::ScriptExited { .. }
            | Fact::ScriptNotRun { .. }
            | Fact::MailSent { .. }
            | Fact::MailDelayed { .. }
            | Fact::MailFailed { .. }
            | Fact::MasterAgentConnected { .. }
            | Fact::MasterAgentLost { .. } => return None,
        })
    }
}

//! The facts that anybody is told of, out of all that happen. One place that knows every fact, so that the rest of
//! this crate need not.

use keepwatch_bus::Fact;
use keepwatch_bus::fact::{DaemonFact, ServiceFact, VrrpFact};
use keepwatch_bus::subject::{CheckerKey, Name, RealKey, ServiceKey, VirtualAddress, VrrpState};
use keepwatch_model::{Instance, RealServer, SyncGroup, VirtualServer};

/// A fact that a mail or a script may follow from.
#[derive(Debug)]
pub(crate) enum News<'a> {
    Started,
    Stopping,
    InstanceConfigured {
        instance: &'a Name,
        settings: &'a Instance,
    },
    InstanceRemoved {
        instance: &'a Name,
    },
    InstanceRenamed {
        instance: &'a Name,
        from: &'a Name,
    },
    AddressMissing {
        instance: &'a Name,
        address: &'a VirtualAddress,
        error: &'a str,
    },
    InstanceState {
        instance: &'a Name,
        to: VrrpState,
        priority: u8,
    },
    PriorityChanged {
        instance: &'a Name,
        to: u8,
    },
    LowerPriorityHeard {
        instance: &'a Name,
    },
    GroupConfigured {
        group: &'a Name,
        settings: &'a SyncGroup,
    },
    GroupRemoved {
        group: &'a Name,
    },
    GroupState {
        group: &'a Name,
        to: VrrpState,
    },
    ServiceConfigured {
        service: ServiceKey,
        settings: &'a VirtualServer,
    },
    /// A group is known by another of its entries.
    ServiceRenamed {
        service: ServiceKey,
        from: ServiceKey,
    },
    ServiceRemoved {
        service: ServiceKey,
    },
    RealConfigured {
        real: RealKey,
        starts_up: bool,
        settings: &'a RealServer,
    },
    RealRemoved {
        real: RealKey,
    },
    /// A checker succeeded, or failed for the last time that it may.
    Checked {
        checker: &'a CheckerKey,
        up: bool,
    },
    RealState {
        real: RealKey,
        up: bool,
    },
    Quorum {
        service: ServiceKey,
        up: bool,
        quorum: u32,
        hysteresis: u32,
        weight: i64,
    },
}

impl<'a> News<'a> {
    /// What is new in a fact, if anything is.
    pub(crate) fn of(fact: &'a Fact) -> Option<Self> {
        match fact {
            Fact::Daemon(fact) => Self::of_daemon(fact),
            Fact::Vrrp(fact) => Self::of_vrrp(fact),
            Fact::Service(fact) => Self::of_service(fact),
            Fact::Link(_) | Fact::Track(_) | Fact::Routing(_) | Fact::Ipvs(_) | Fact::Consumer(_) => None,
        }
    }

    fn of_daemon(fact: &DaemonFact) -> Option<Self> {
        Some(match fact {
            DaemonFact::DaemonStarted { .. } => Self::Started,
            DaemonFact::DaemonStopping { .. } => Self::Stopping,
            DaemonFact::WorkerRestarted { .. }
            | DaemonFact::DaemonStopped { .. }
            | DaemonFact::ConfigLoaded { .. }
            | DaemonFact::ConfigRejected { .. }
            | DaemonFact::ConfigDiagnosed { .. }
            | DaemonFact::HistoryFailed { .. }
            | DaemonFact::HistoryRecovered { .. }
            | DaemonFact::HistoryPassedOver { .. }
            | DaemonFact::ReloadScheduled { .. }
            | DaemonFact::ReloadUnscheduled { .. }
            | DaemonFact::ReloadTimeRefused { .. }
            | DaemonFact::LogLevelsSet { .. }
            | DaemonFact::DumpWritten { .. }
            | DaemonFact::DumpFailed { .. }
            | DaemonFact::PartHung { .. }
            | DaemonFact::PartMoves { .. } => return None,
        })
    }

    fn of_vrrp(fact: &'a VrrpFact) -> Option<Self> {
        Some(match fact {
            VrrpFact::InstanceConfigured { instance, settings } => {
                Self::InstanceConfigured { instance, settings }
            }
            VrrpFact::InstanceUnconfigured { instance } => Self::InstanceRemoved { instance },
            VrrpFact::StateChanged { instance, to, priority, .. } => {
                Self::InstanceState { instance, to: *to, priority: *priority }
            }
            VrrpFact::PriorityChanged { instance, to, .. } => Self::PriorityChanged { instance, to: *to },
            VrrpFact::LowerPriorityReceived { instance, .. } => Self::LowerPriorityHeard { instance },
            VrrpFact::GroupConfigured { group, settings } => Self::GroupConfigured { group, settings },
            VrrpFact::GroupUnconfigured { group } => Self::GroupRemoved { group },
            VrrpFact::GroupStateChanged { group, to, .. } => Self::GroupState { group, to: *to },
            VrrpFact::AddressFailed { instance, address, adding: true, error } => {
                Self::AddressMissing { instance, address, error }
            }
            VrrpFact::InstanceRenamed { instance, from } => Self::InstanceRenamed { instance, from },
            VrrpFact::AdvertTimedOut { .. }
            | VrrpFact::MasterHeard { .. }
            | VrrpFact::MasterResigned { .. }
            | VrrpFact::HigherPriorityReceived { .. }
            | VrrpFact::OtherOwner { .. }
            | VrrpFact::AdvertRejected { .. }
            | VrrpFact::AddressAdded { .. }
            | VrrpFact::AddressRemoved { .. }
            | VrrpFact::AddressLost { .. }
            | VrrpFact::AddressRestored { .. }
            | VrrpFact::SplitBrainBegan { .. }
            | VrrpFact::SplitBrainEnded { .. }
            | VrrpFact::DropSet { .. }
            | VrrpFact::DropLifted { .. }
            | VrrpFact::DropFailed { .. }
            | VrrpFact::AddressStays { .. }
            | VrrpFact::OwnAddress { .. }
            | VrrpFact::AddressFailed { adding: false, .. }
            | VrrpFact::AddressesAnnounced { .. }
            | VrrpFact::AdvertSendFailed { .. }
            | VrrpFact::AdvertDetoured { .. }
            | VrrpFact::ClockSkewed { .. }
            | VrrpFact::UnknownVrid { .. }
            | VrrpFact::ThreadLate { .. }
            | VrrpFact::SourceAddressChanged { .. }
            | VrrpFact::HeldInFault { .. }
            | VrrpFact::AdvertDelayed { .. } => return None,
        })
    }

    fn of_service(fact: &'a ServiceFact) -> Option<Self> {
        Some(match *fact {
            ServiceFact::VirtualServerConfigured { service, ref settings } => {
                Self::ServiceConfigured { service, settings }
            }
            ServiceFact::VirtualServerRenamed { service, from } => Self::ServiceRenamed { service, from },
            ServiceFact::VirtualServerUnconfigured { service } => Self::ServiceRemoved { service },
            ServiceFact::RealServerConfigured { real, starts_up, ref settings, .. } => {
                Self::RealConfigured { real, starts_up, settings }
            }
            ServiceFact::RealServerUnconfigured { real } => Self::RealRemoved { real },
            ServiceFact::RealServerUp { real } => Self::RealState { real, up: true },
            ServiceFact::RealServerDown { real } => Self::RealState { real, up: false },
            ServiceFact::QuorumGained { service, quorum, hysteresis, weight } => {
                Self::Quorum { service, up: true, quorum, hysteresis, weight }
            }
            ServiceFact::QuorumLost { service, quorum, hysteresis, weight } => {
                Self::Quorum { service, up: false, quorum, hysteresis, weight }
            }
            ServiceFact::CheckFailed { ref checker, attempt, attempts, .. } if attempt >= attempts => {
                Self::Checked { checker, up: false }
            }
            ServiceFact::CheckSucceeded { ref checker, .. } => Self::Checked { checker, up: true },
            ServiceFact::CheckFailed { .. }
            | ServiceFact::CheckNotRun { .. }
            | ServiceFact::PageDigestSeen { .. }
            | ServiceFact::CertificateSeen { .. }
            | ServiceFact::QuorumAwaited { .. }
            | ServiceFact::ChecksSuspended { .. }
            | ServiceFact::ChecksResumed { .. }
            | ServiceFact::VirtualServerAdded { .. }
            | ServiceFact::VirtualServerRemoved { .. }
            | ServiceFact::RealServerAdded { .. }
            | ServiceFact::RealServerRemoved { .. }
            | ServiceFact::RealServerWeightChanged { .. }
            | ServiceFact::SorryServerAdded { .. }
            | ServiceFact::SorryServerRemoved { .. } => return None,
        })
    }
}

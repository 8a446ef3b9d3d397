//! The name of each fact.

use super::{ConsumerFact, DaemonFact, Fact, IpvsFact, LinkFact, ServiceFact, VrrpFact};

impl Fact {
    /// The fact's name, as in its JSON form and as the `kind` label of `keepwatch_events_total`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Daemon(fact) => fact.kind(),
            Self::Link(fact) => fact.kind(),
            Self::Vrrp(fact) => fact.kind(),
            Self::Service(fact) => fact.kind(),
            Self::Ipvs(fact) => fact.kind(),
            Self::Consumer(fact) => fact.kind(),
        }
    }
}

impl DaemonFact {
    fn kind(&self) -> &'static str {
        match self {
            Self::DaemonStarted { .. } => "daemon_started",
            Self::DaemonStopping { .. } => "daemon_stopping",
            Self::WorkerRestarted { .. } => "worker_restarted",
            Self::ConfigLoaded { .. } => "config_loaded",
            Self::ConfigRejected { .. } => "config_rejected",
            Self::ConfigDiagnosed { .. } => "config_diagnosed",
            Self::HistoryFailed { .. } => "history_failed",
            Self::HistoryRecovered { .. } => "history_recovered",
            Self::PartHung { .. } => "part_hung",
            Self::PartMoves { .. } => "part_moves",
        }
    }
}

impl LinkFact {
    fn kind(&self) -> &'static str {
        match self {
            Self::LinkUp { .. } => "link_up",
            Self::LinkDown { .. } => "link_down",
        }
    }
}

impl VrrpFact {
    fn kind(&self) -> &'static str {
        match self {
            Self::InstanceConfigured { .. } => "instance_configured",
            Self::InstanceUnconfigured { .. } => "instance_unconfigured",
            Self::InstanceRenamed { .. } => "instance_renamed",
            Self::GroupConfigured { .. } => "group_configured",
            Self::GroupUnconfigured { .. } => "group_unconfigured",
            Self::StateChanged { .. } => "state_changed",
            Self::GroupStateChanged { .. } => "group_state_changed",
            Self::AdvertTimedOut { .. } => "advert_timed_out",
            Self::MasterHeard { .. } => "master_heard",
            Self::MasterResigned { .. } => "master_resigned",
            Self::HigherPriorityReceived { .. } => "higher_priority_received",
            Self::OtherOwner { .. } => "other_owner",
            Self::LowerPriorityReceived { .. } => "lower_priority_received",
            Self::AdvertRejected { .. } => "advert_rejected",
            Self::PriorityChanged { .. } => "priority_changed",
            Self::AddressAdded { .. } => "address_added",
            Self::AddressRemoved { .. } => "address_removed",
            Self::AddressStays { .. } => "address_stays",
            Self::OwnAddress { .. } => "own_address",
            Self::AddressFailed { .. } => "address_failed",
            Self::AddressesAnnounced { .. } => "addresses_announced",
            Self::SourceAddressChanged { .. } => "source_address_changed",
            Self::HeldInFault { .. } => "held_in_fault",
            Self::AdvertSendFailed { .. } => "advert_send_failed",
            Self::AdvertDetoured { .. } => "advert_detoured",
            Self::AdvertDelayed { .. } => "advert_delayed",
        }
    }
}

impl ServiceFact {
    fn kind(&self) -> &'static str {
        match self {
            Self::VirtualServerConfigured { .. } => "virtual_server_configured",
            Self::VirtualServerUnconfigured { .. } => "virtual_server_unconfigured",
            Self::RealServerConfigured { .. } => "real_server_configured",
            Self::RealServerUnconfigured { .. } => "real_server_unconfigured",
            Self::CheckSucceeded { .. } => "check_succeeded",
            Self::CheckFailed { .. } => "check_failed",
            Self::CheckNotRun { .. } => "check_not_run",
            Self::RealServerUp { .. } => "real_server_up",
            Self::RealServerDown { .. } => "real_server_down",
            Self::VirtualServerAdded { .. } => "virtual_server_added",
            Self::VirtualServerRemoved { .. } => "virtual_server_removed",
            Self::RealServerAdded { .. } => "real_server_added",
            Self::RealServerRemoved { .. } => "real_server_removed",
            Self::RealServerWeightChanged { .. } => "real_server_weight_changed",
            Self::QuorumGained { .. } => "quorum_gained",
            Self::QuorumLost { .. } => "quorum_lost",
            Self::SorryServerAdded { .. } => "sorry_server_added",
            Self::SorryServerRemoved { .. } => "sorry_server_removed",
        }
    }
}

impl IpvsFact {
    fn kind(&self) -> &'static str {
        match self {
            Self::DriftRepaired { .. } => "drift_repaired",
            Self::IpvsWithheld { .. } => "ipvs_withheld",
            Self::IpvsRefused { .. } => "ipvs_refused",
            Self::IpvsAccepted { .. } => "ipvs_accepted",
            Self::IpvsFailed { .. } => "ipvs_failed",
            Self::IpvsRecovered { .. } => "ipvs_recovered",
        }
    }
}

impl ConsumerFact {
    fn kind(&self) -> &'static str {
        match self {
            Self::ConsumerFailed { .. } => "consumer_failed",
            Self::ScriptExited { .. } => "script_exited",
            Self::ScriptNotRun { .. } => "script_not_run",
            Self::MailSent { .. } => "mail_sent",
            Self::MailDelayed { .. } => "mail_delayed",
            Self::MailFailed { .. } => "mail_failed",
            Self::MasterAgentConnected { .. } => "master_agent_connected",
            Self::MasterAgentLost { .. } => "master_agent_lost",
        }
    }
}

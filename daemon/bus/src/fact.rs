//! Everything that can happen, one variant a thing, in the past tense. Facts name their subject and carry data,
//! never text made for people: log lines, metrics, traps and mails are all renderings of these.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::settings::{DaemonSettings, GroupSettings, InstanceSettings, RealServerSettings, ServiceSettings};
use crate::subject::{CheckerKey, Name, RealKey, ServiceKey, VirtualAddress, VrrpState};

pub use reasons::{AdvertError, AnnounceOccasion, DiagnosticSeverity, Drift, LinkDownReason, ScriptOutcome};

mod kind;
mod reasons;

/// A thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fact {
    // --- the daemon ---
    /// A worker began; what the world held before it is gone.
    DaemonStarted {
        /// Settings of the process and of `global_defs`.
        settings: Box<DaemonSettings>,
    },
    /// A clean stop began.
    DaemonStopping {
        /// What asked for it: `SIGTERM`, `SIGINT`, …
        reason: String,
    },
    /// The supervisor found the last worker dead or hung, and started this one.
    WorkerRestarted {
        /// How it ended: exit status, signal, or which loop stopped beating.
        reason: String,
    },
    /// A configuration came into force.
    ConfigLoaded {
        /// Its file.
        file: String,
        /// Settings of `global_defs` from now on.
        settings: Box<DaemonSettings>,
        /// Virtual routers in it.
        instances: u32,
        /// Virtual servers in it.
        virtual_servers: u32,
        /// Real servers in it.
        real_servers: u32,
        /// False for the first one, true for a reload.
        reload: bool,
    },
    /// A reload was refused; the old configuration stays in force.
    ConfigRejected {
        /// The file.
        file: String,
        /// Errors found.
        errors: u32,
        /// The first of them, on one line: place and message.
        first: String,
    },
    /// A configuration that came into force has a mistake, or something worth knowing.
    ConfigDiagnosed {
        /// How bad it is.
        severity: DiagnosticSeverity,
        /// Stable name of the kind of diagnostic: `unknown-keyword`.
        code: String,
        /// Where: `file:line:column`; empty where it is about the whole.
        place: String,
        /// What, on one line.
        message: String,
    },
    /// The history file could not be written; events are kept in memory only.
    HistoryFailed {
        /// The file.
        file: String,
        /// What the system said.
        error: String,
    },
    /// The history file can be written again.
    HistoryRecovered {
        /// The file.
        file: String,
        /// Events that did not reach it meanwhile.
        lost: u64,
    },
    /// A listener, socket or other part that only watches could not start; failover goes on without it.
    ConsumerFailed {
        /// Which: `metrics`, `control`, `smtp`, …
        consumer: Name,
        /// What went wrong.
        error: String,
    },

    // --- interfaces ---
    /// An interface became usable (up, with carrier).
    LinkUp {
        /// Its name.
        interface: Name,
        /// Its kernel index.
        index: u32,
    },
    /// An interface became unusable.
    LinkDown {
        /// Its name.
        interface: Name,
        /// Why.
        reason: LinkDownReason,
    },

    // --- VRRP ---
    /// A virtual router was defined, or redefined by a reload.
    InstanceConfigured {
        /// Its name.
        instance: Name,
        /// All that the configuration says of it.
        settings: Box<InstanceSettings>,
    },
    /// A reload took a virtual router away.
    InstanceUnconfigured {
        /// Its name.
        instance: Name,
    },
    /// A sync group was defined, or redefined.
    GroupConfigured {
        /// Its name.
        group: Name,
        /// All that the configuration says of it.
        settings: Box<GroupSettings>,
    },
    /// A reload took a sync group away.
    GroupUnconfigured {
        /// Its name.
        group: Name,
    },
    /// A virtual router changed its state.
    StateChanged {
        /// The virtual router.
        instance: Name,
        /// The state it left.
        from: VrrpState,
        /// The state it entered.
        to: VrrpState,
        /// Its priority at that moment.
        priority: u8,
    },
    /// A sync group changed its state.
    GroupStateChanged {
        /// The group.
        group: Name,
        /// The state it left.
        from: VrrpState,
        /// The state it entered.
        to: VrrpState,
    },
    /// No advertisement came for the Master_Down_Interval (RFC 9568 §6.1).
    AdvertTimedOut {
        /// The virtual router.
        instance: Name,
        /// The master that fell silent; none if none was ever heard.
        master: Option<IpAddr>,
        /// How long it was waited for.
        waited: Duration,
    },
    /// A backup heard a master that it did not know, or the known one with another priority.
    MasterHeard {
        /// The virtual router.
        instance: Name,
        /// The master's address.
        address: IpAddr,
        /// The priority that it advertises.
        priority: u8,
    },
    /// The master gave up (an advertisement with priority 0).
    MasterResigned {
        /// The virtual router.
        instance: Name,
        /// The master's address.
        address: IpAddr,
    },
    /// While master, an advertisement of higher rank came (priority, or address at equal priority).
    HigherPriorityReceived {
        /// The virtual router.
        instance: Name,
        /// Its sender.
        address: IpAddr,
        /// Its priority.
        priority: u8,
        /// Our own priority.
        own: u8,
    },
    /// An advertisement of lower rank than ours came: another believes itself master.
    LowerPriorityReceived {
        /// The virtual router.
        instance: Name,
        /// Its sender.
        address: IpAddr,
        /// Its priority.
        priority: u8,
        /// Our own priority.
        own: u8,
    },
    /// A packet for this virtual router was refused. Every one is counted; a fact is published for the first of a
    /// kind, then at most once in ten seconds.
    AdvertRejected {
        /// The virtual router.
        instance: Name,
        /// The sender.
        address: IpAddr,
        /// What was wrong, by the name of its counter.
        error: AdvertError,
        /// What was expected and found, as data: `auth type 1, expected 0`.
        detail: String,
    },
    /// The effective priority changed.
    PriorityChanged {
        /// The virtual router.
        instance: Name,
        /// Before.
        from: u8,
        /// Now.
        to: u8,
    },
    /// A virtual address was put on its interface.
    AddressAdded {
        /// The virtual router.
        instance: Name,
        /// The address.
        address: VirtualAddress,
        /// It was there already, left by a run that ended badly.
        adopted: bool,
    },
    /// A virtual address was taken off its interface.
    AddressRemoved {
        /// The virtual router.
        instance: Name,
        /// The address.
        address: VirtualAddress,
    },
    /// The kernel refused to add or remove a virtual address.
    AddressFailed {
        /// The virtual router.
        instance: Name,
        /// The address.
        address: VirtualAddress,
        /// True if it was to be added, false if removed.
        adding: bool,
        /// What the kernel said.
        error: String,
    },
    /// The addresses were announced by gratuitous ARP or unsolicited neighbour advertisements.
    AddressesAnnounced {
        /// The virtual router.
        instance: Name,
        /// Addresses announced.
        addresses: u32,
        /// Frames sent for each.
        repeat: u32,
        /// The delayed second burst (`garp_master_delay`), a refresh, or an answer to a lower master.
        occasion: AnnounceOccasion,
    },
    /// The interface of a virtual router has another source address for its advertisements, or none any more.
    SourceAddressChanged {
        /// The virtual router.
        instance: Name,
        /// The address from now on; none is a fault.
        address: Option<IpAddr>,
    },
    /// Advertisements could not be sent; published when it begins, not for each.
    AdvertSendFailed {
        /// The virtual router.
        instance: Name,
        /// What the kernel said.
        error: String,
    },
    /// An advertisement left more than half an interval late: the machine, not the network, is slow.
    AdvertDelayed {
        /// The virtual router.
        instance: Name,
        /// How late.
        late: Duration,
    },

    // --- checkers and IPVS ---
    /// A virtual server was defined, or redefined by a reload.
    VirtualServerConfigured {
        /// Its key.
        service: ServiceKey,
        /// All that the configuration says of it but its real servers.
        settings: Box<ServiceSettings>,
    },
    /// A reload took a virtual server away.
    VirtualServerUnconfigured {
        /// Its key.
        service: ServiceKey,
    },
    /// A real server was defined, or redefined by a reload.
    RealServerConfigured {
        /// Virtual server and real server.
        #[serde(flatten)]
        real: RealKey,
        /// All that the configuration says of it.
        settings: Box<RealServerSettings>,
    },
    /// A reload took a real server away.
    RealServerUnconfigured {
        /// Virtual server and real server.
        #[serde(flatten)]
        real: RealKey,
    },
    /// A checker succeeded: for the first time, or after failures.
    CheckSucceeded {
        /// The checker.
        #[serde(flatten)]
        checker: CheckerKey,
        /// How long the check took.
        took: Duration,
    },
    /// A check failed.
    CheckFailed {
        /// The checker.
        #[serde(flatten)]
        checker: CheckerKey,
        /// What went wrong: `connection refused`, `timed out after 3s`.
        error: String,
        /// Which try it was, from 1.
        attempt: u32,
        /// Tries before the real server counts as down.
        attempts: u32,
        /// How long the check took.
        took: Duration,
    },
    /// A check could not be made for a reason on this side (no such source address, no permission); nothing is
    /// known of the real server. Published once for each reason, not for each check.
    CheckNotRun {
        /// The checker.
        #[serde(flatten)]
        checker: CheckerKey,
        /// Why not.
        error: String,
    },
    /// All checkers of a real server hold: it may serve.
    RealServerUp {
        /// Virtual server and real server.
        #[serde(flatten)]
        real: RealKey,
    },
    /// A checker of a real server gave up on it.
    RealServerDown {
        /// Virtual server and real server.
        #[serde(flatten)]
        real: RealKey,
    },
    /// A virtual server was put into the table.
    VirtualServerAdded {
        /// Its key.
        service: ServiceKey,
        /// It was there already, left by a run that ended badly.
        adopted: bool,
    },
    /// A virtual server was taken out of the table.
    VirtualServerRemoved {
        /// Its key.
        service: ServiceKey,
    },
    /// A real server was put into the table of its virtual server.
    RealServerAdded {
        /// Virtual server and real server.
        #[serde(flatten)]
        real: RealKey,
        /// With this weight.
        weight: i32,
        /// It was there already, left by a run that ended badly.
        adopted: bool,
    },
    /// A real server was taken out of the table of its virtual server.
    RealServerRemoved {
        /// Virtual server and real server.
        #[serde(flatten)]
        real: RealKey,
    },
    /// The weight of a real server changed (0 keeps its connections and gives it no new ones).
    RealServerWeightChanged {
        /// Virtual server and real server.
        #[serde(flatten)]
        real: RealKey,
        /// Before.
        from: i32,
        /// Now.
        to: i32,
    },
    /// Enough weight is up again.
    QuorumGained {
        /// The virtual server.
        service: ServiceKey,
        /// Weight needed.
        quorum: u32,
        /// Hysteresis.
        hysteresis: u32,
        /// Weight that is up.
        weight: i64,
    },
    /// Too little weight is up.
    QuorumLost {
        /// The virtual server.
        service: ServiceKey,
        /// Weight needed.
        quorum: u32,
        /// Hysteresis.
        hysteresis: u32,
        /// Weight that is up.
        weight: i64,
    },
    /// The sorry server took over.
    SorryServerAdded {
        /// The virtual server.
        service: ServiceKey,
        /// The sorry server.
        sorry: SocketAddr,
    },
    /// The sorry server is not needed any more.
    SorryServerRemoved {
        /// The virtual server.
        service: ServiceKey,
        /// The sorry server.
        sorry: SocketAddr,
    },
    /// The kernel's table was not what it should be, and was put right.
    DriftRepaired {
        /// The virtual server.
        service: ServiceKey,
        /// The real server, if it was about one.
        real: Option<SocketAddr>,
        /// What was wrong.
        drift: Drift,
    },
    /// In shadow mode: an operation that would have been done, and was not.
    IpvsWithheld {
        /// What would have been done: `add service [10.0.0.1]:tcp:80 (wlc)`.
        operation: String,
    },
    /// IPVS refused an operation, or can't be reached.
    IpvsFailed {
        /// What was tried: `add service [10.0.0.1]:tcp:80`.
        operation: String,
        /// What the kernel said.
        error: String,
    },

    /// Everything that IPVS had refused has been done since.
    IpvsRecovered {},

    // --- consumers with a life of their own ---
    /// A script of the configuration was run and has ended.
    ScriptExited {
        /// The command: program and arguments.
        script: String,
        /// About what it was run: `INSTANCE VI_1 MASTER`.
        about: String,
        /// How it ended.
        outcome: ScriptOutcome,
        /// How long it ran.
        took: Duration,
    },
    /// A script of the configuration should have been run and was not.
    ScriptNotRun {
        /// The command: program and arguments.
        script: String,
        /// About what it should have been run.
        about: String,
        /// Why not.
        error: String,
    },
    /// A mail was handed to the mail server.
    MailSent {
        /// Its subject.
        subject: String,
        /// Its recipients.
        recipients: u32,
        /// From the event to the server's answer.
        took: Duration,
    },
    /// The mail server did not take a mail, which waits now and is tried again; published when that begins and when
    /// the reason changes, not for each try.
    MailDelayed {
        /// Its subject.
        subject: String,
        /// What went wrong.
        error: String,
        /// Mails that wait.
        waiting: u32,
        /// Time to the next try.
        retry_in: Duration,
    },
    /// A mail was given up.
    MailFailed {
        /// Its subject.
        subject: String,
        /// What went wrong.
        error: String,
    },
    /// The AgentX session with the SNMP master agent stands.
    MasterAgentConnected {
        /// The master's socket.
        socket: String,
    },
    /// The AgentX session ended; it is being tried again.
    MasterAgentLost {
        /// The master's socket.
        socket: String,
        /// What went wrong.
        error: String,
    },
}

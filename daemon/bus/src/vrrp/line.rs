//! Facts of virtual routers and sync groups as lines of the log.

use std::fmt::Write;

use super::{AdvertError, AnnounceOccasion, NoSource, VrrpFact};
use crate::line::{Level, Written};
use crate::routing::Short;
use crate::subject::{VirtualAddress, VrrpState};

impl VrrpFact {
    /// Writes its line; none for what only describes the configuration.
    pub(crate) fn line(&self, out: &mut String) -> Option<Written> {
        Some(match self {
            Self::InstanceConfigured { .. } | Self::GroupConfigured { .. } => return None,
            Self::InstanceUnconfigured { instance } => {
                (Level::Info, write!(out, "({instance}) removed by reload"))
            }
            Self::InstanceRenamed { instance, from } => {
                (Level::Info, write!(out, "({instance}) was called {from} before the reload"))
            }
            Self::GroupUnconfigured { group } => {
                (Level::Info, write!(out, "VRRP_Group({group}) removed by reload"))
            }
            Self::StateChanged { instance, from, to, .. } => {
                let init = if *from == VrrpState::Init { " (init)" } else { "" };
                (Level::Info, write!(out, "({instance}) Entering {to} STATE{init}"))
            }
            Self::GroupStateChanged { group, to, .. } => {
                (Level::Info, write!(out, "VRRP_Group({group}) Syncing instances to {to} state"))
            }
            Self::AdvertTimedOut { instance, .. } => {
                (Level::Detail, write!(out, "({instance}) Receive advertisement timeout"))
            }
            Self::MasterHeard { instance, address, .. } => {
                (Level::Detail, write!(out, "({instance}) master set to {address}"))
            }
            Self::MasterResigned { instance, .. } => {
                (Level::Info, write!(out, "({instance}) Backup received priority 0 advertisement"))
            }
            Self::HigherPriorityReceived { instance, address, priority, own } if priority == own => (
                Level::Info,
                write!(
                    out,
                    "({instance}) Master received advert from {address} with same priority {priority} but higher IP address than ours"
                ),
            ),
            Self::HigherPriorityReceived { instance, address, priority, own } => (
                Level::Info,
                write!(
                    out,
                    "({instance}) Master received advert from {address} with higher priority {priority}, ours {own}"
                ),
            ),
            Self::LowerPriorityReceived { instance, address, priority, own } => (
                Level::Info,
                write!(
                    out,
                    "({instance}) Received advert from {address} with lower priority {priority}, ours {own}, forcing new election"
                ),
            ),
            Self::OtherOwner { instance, address } => (
                Level::Error,
                write!(
                    out,
                    "({instance}) {address} claims to be the owner of the addresses too: only one router may have priority 255"
                ),
            ),
            Self::AdvertRejected { instance, address, error, detail } => {
                // keepalived's words, where its line has more in it than the kind of error.
                let said = if *error == AdvertError::AuthExtStale {
                    write!(out, "({instance}) {error} from {address}, {detail}")
                } else if *error == AdvertError::AuthExtUnknownKey {
                    write!(out, "({instance}) unknown authentication {detail} from {address}")
                } else {
                    write!(out, "({instance}) {error} from {address}: {detail}")
                };
                (Level::Warning, said)
            }
            Self::UnknownVrid { interface, vrid, address } => {
                let on = interface.as_deref().unwrap_or("any");
                (
                    Level::Info,
                    write!(
                        out,
                        "Unknown VRID({vrid}) received on interface({on}) from {address}. ignoring..."
                    ),
                )
            }
            Self::ThreadLate { late, realtime } => {
                let now = realtime
                    .map_or("is as it was".to_owned(), |priority| format!("is SCHED_RR {priority} now"));
                let late = late.as_secs_f64();
                (
                    Level::Warning,
                    write!(out, "A thread timer expired {late:.6} seconds ago: its priority {now}"),
                )
            }
            Self::ClockSkewed { instance, address, skew, window } => (
                Level::Warning,
                write!(
                    out,
                    "({instance}) authentication clock skew {skew} sec from {address} approaching window {window} sec"
                ),
            ),
            Self::PriorityChanged { instance, from, to } => {
                (Level::Info, write!(out, "({instance}) Changing effective priority from {from} to {to}"))
            }
            Self::AddressAdded { instance, address, adopted } => {
                let how = if *adopted { "adopting" } else { "setting" };
                (Level::Detail, write!(out, "({instance}) {how} VIP {address} on {}", address.interface))
            }
            Self::SplitBrainBegan { instance, address, priority, own_address, own, sign } => {
                let ours = own_address.map_or_else(String::new, |ours| format!(" ({ours})"));
                (
                    Level::Error,
                    write!(
                        out,
                        "({instance}) split brain: {address} is master too, with priority {priority}; we{ours} have {own}: {sign}"
                    ),
                )
            }
            Self::SplitBrainEnded { instance, address, lasted } => (
                Level::Warning,
                write!(
                    out,
                    "({instance}) split brain is over: {address} was master too for {:.1} s",
                    lasted.as_secs_f64()
                ),
            ),
            Self::AddressLost { instance, address } => (
                Level::Warning,
                write!(out, "({instance}) VIP {address} is gone from {}: not by us", address.interface),
            ),
            Self::AddressRestored { instance, address, after } => (
                Level::Warning,
                write!(
                    out,
                    "({instance}) VIP {address} was removed from {} by someone; put back after {}",
                    address.interface,
                    Short(*after)
                ),
            ),
            Self::AddressRemoved { instance, address } => {
                (Level::Detail, write!(out, "({instance}) removing VIP {address} from {}", address.interface))
            }
            Self::AddressStays { instance, address, other } => {
                let on = &address.interface;
                (
                    Level::Info,
                    write!(out, "({instance}) VIP {address} stays on {on}: {other} is master with it"),
                )
            }
            Self::OwnAddress { instance, address, owner, present } => {
                own_address(out, instance, address, *owner, *present)
            }
            Self::AddressFailed { instance, address, adding, error } => {
                let (verb, to) = if *adding { ("add", "to") } else { ("remove", "from") };
                let on = &address.interface;
                (Level::Error, write!(out, "({instance}) can't {verb} VIP {address} {to} {on}: {error}"))
            }
            Self::AddressesAnnounced { instance, addresses, neighbours, repeat, occasion } => {
                let why = match occasion {
                    AnnounceOccasion::BecameMaster => "on becoming master",
                    AnnounceOccasion::Delayed => "again",
                    AnnounceOccasion::Refresh => "as refresh",
                    AnnounceOccasion::LowerPriorityMaster => "because of a lower-priority master",
                    AnnounceOccasion::AddressesChanged => "for new addresses",
                    AnnounceOccasion::LeftFault => "for its unicast peers",
                    AnnounceOccasion::Requested => "on request",
                };
                let what = match *neighbours {
                    0 => "gratuitous ARPs",
                    all if all == *addresses => "unsolicited Neighbour Adverts",
                    _ => "gratuitous ARPs and unsolicited Neighbour Adverts",
                };
                let told =
                    write!(out, "({instance}) Sending {what} {why}: {addresses} addresses, {repeat} each");
                (Level::Detail, told)
            }
            Self::DropSet { instance, table, addresses } => (
                Level::Detail,
                write!(
                    out,
                    "({instance}) setting firewall drop rule: {} addresses in table {table}",
                    addresses.len()
                ),
            ),
            Self::DropLifted { instance } => {
                (Level::Detail, write!(out, "({instance}) removing firewall drop rule"))
            }
            Self::DropFailed { instance, error } => (
                Level::Error,
                write!(
                    out,
                    "({instance}) packets to its addresses are accepted: can't set the firewall drop rule: {error}"
                ),
            ),
            Self::AdvertSendFailed { instance, error } => {
                (Level::Error, write!(out, "({instance}) send advert error: {error}"))
            }
            Self::AdvertDetoured { instance, error } => (
                Level::Warning,
                write!(
                    out,
                    "({instance}) the kernel has no room for adverts as IP packets ({error}; is its neighbour table full?): \
                     they leave as frames"
                ),
            ),
            Self::SourceAddressChanged { instance, address: Some(address), wanted: _ } => {
                (Level::Info, write!(out, "({instance}) adverts are sent from {address} now"))
            }
            Self::SourceAddressChanged { instance, address: None, wanted } => {
                let level = if wanted.is_some() { Level::Error } else { Level::Info };
                (level, write!(out, "({instance}) {}", NoSource { wanted: *wanted }))
            }
            Self::HeldInFault { instance, reason } => {
                (Level::Error, write!(out, "({instance}) stays in FAULT: {reason}"))
            }
            Self::AdvertDelayed { instance, late } => {
                (Level::Warning, write!(out, "({instance}) advert left {} ms late", late.as_millis()))
            }
        })
    }
}

fn own_address(
    out: &mut String,
    instance: &str,
    address: &VirtualAddress,
    owner: bool,
    present: bool,
) -> Written {
    let on = &address.interface;
    match (owner, present) {
        (true, true) => (
            Level::Info,
            write!(out, "({instance}) owns {address}, which is the host's own on {on}: it is left as it is"),
        ),
        (true, false) => {
            (Level::Warning, write!(out, "({instance}) the host's own address {address} is gone from {on}"))
        }
        (false, true) => (
            Level::Error,
            write!(
                out,
                "({instance}) VIP {address} is the host's own address on {on}: it is neither added nor removed (only an owner, priority 255, may share it). If a killed program left it there: ip addr del {}/{} dev {on}",
                address.address, address.prefix
            ),
        ),
        (false, false) => {
            (Level::Info, write!(out, "({instance}) VIP {address} is no longer the host's own address"))
        }
    }
}

//! What is written of an instance, with its places: what the readers beside it fill in, and `resolve` makes the model of.

use std::net::IpAddr;
use std::time::Duration;

use super::auth_hmac::HmacDraft;
use crate::diagnostics::Diagnostic;
use crate::lower::garp::GarpDraft;
use crate::lower::track::TrackedDraft;
use crate::model::{
    Family, InitialState, InterfaceAddress, IpvlanMode, Name, Notify, Prefix, Priority, Rare, Route, Rule,
    Tracked, UnicastChecksum, UnicastPeer, Usual, Vmac, VmacKind, VrrpVersion,
};
use crate::preprocess::Context;
use crate::source::{Placed, Span};

/// An instance as written.
#[derive(Debug, Default)]
pub(in crate::lower) struct InstanceDraft {
    pub(in crate::lower) name: Name,
    pub(in crate::lower) at: Span,
    /// Keywords whose values are wrong.
    pub(super) bad: Vec<&'static str>,
    pub(super) state: Placed<InitialState>,
    pub(super) interface: Option<Name>,
    pub(super) vrid: Placed<u8>,
    pub(super) priority: Placed<u8>,
    pub(super) advert_int: Placed<Duration>,
    pub(super) version: Placed<VrrpVersion>,
    /// How they are authenticated.
    pub(super) auth: Rare<AuthDraft>,
    /// Where adverts go and come from.
    pub(super) path: Rare<PathDraft>,
    pub(super) garp: Rare<GarpDraft>,
    /// Of the first address, source, peer or multicast group in the file, which the others must be of too.
    pub(super) family: Option<Family>,
    /// Nothing but lines that are left out says so.
    pub(super) family_is_meant: bool,
    pub(super) addresses: Vec<(InterfaceAddress, Span)>,
    pub(super) excluded: Vec<(InterfaceAddress, Span)>,
    pub(super) routes: Vec<Route>,
    pub(super) rules: Vec<Rule>,
    /// There are lines in `virtual_ipaddress`, whether they are right or not.
    pub(super) addresses_written: bool,
    pub(super) nopreempt: Option<Span>,
    pub(super) preempt_delay: Placed<Duration>,
    pub(super) down_timer_adverts: Placed<u8>,
    pub(super) accept: Placed<bool>,
    pub(super) strict: Option<bool>,
    pub(super) lower_prio_no_advert: Placed<bool>,
    pub(super) higher_prio_send_advert: Placed<bool>,
    pub(super) owner_ignore_adverts: Placed<bool>,
    pub(super) dont_track_primary: bool,
    pub(super) interfaces: Vec<Tracked>,
    pub(super) scripts: Vec<TrackedDraft>,
    pub(super) files: Vec<TrackedDraft>,
    pub(super) processes: Vec<TrackedDraft>,
    pub(super) bfds: Vec<TrackedDraft>,
    pub(super) skip_check_adv_addr: Option<bool>,
    pub(super) v3_checksum_as_v2: Option<bool>,
    pub(super) poll_link: bool,
    pub(super) promote_secondaries: Option<Span>,
    pub(super) timer_expired: Placed<Priority>,
    pub(super) smtp_alert: Option<bool>,
    pub(super) notify: Rare<Notify>,
    pub(super) notify_priority_changes: Option<bool>,
    pub(super) lvs_sync_daemon_interface: Option<Name>,
    pub(super) vmac: Option<Box<VmacDraft>>,
    pub(super) vmac_xmit_base: Option<Span>,
    pub(super) vmac_addr: bool,
    pub(super) no_virtual_ipaddress: Option<Span>,
    pub(super) kernel_rx_buf_size: Option<u32>,
    pub(super) debug: u8,
}

impl InstanceDraft {
    /// Is this of the family of the instance? The first that is asked about settles it; another one is reported.
    pub(super) fn is_of_family(
        &mut self,
        address: IpAddr,
        what: &str,
        at: Span,
        context: &mut Context,
    ) -> bool {
        let family = *self.family.get_or_insert(Family::of(address));
        let right = family == Family::of(address);
        self.family_is_meant &= !right;
        if !right {
            let message = format!("`{}` is of {family}, and this {what} is not", self.name);
            context.report(Diagnostic::error("family-mix", message).at(at, "left out"));
        }
        right
    }
}

/// How adverts are authenticated, as written.
#[derive(Debug, Default, PartialEq)]
pub(super) struct AuthDraft {
    /// `auth_type`.
    pub(super) kind: Placed<Name>,
    /// `auth_pass`.
    pub(super) password: Placed<Name>,
    /// `auth_hmac`.
    pub(super) hmac: Option<Box<HmacDraft>>,
}

impl Usual for AuthDraft {
    fn usual() -> &'static Self {
        static USUAL: AuthDraft = AuthDraft { kind: None, password: None, hmac: None };
        &USUAL
    }
}

/// Where adverts go and come from, as written.
#[derive(Debug, Default, PartialEq)]
pub(super) struct PathDraft {
    pub(super) source: Placed<IpAddr>,
    pub(super) track_source: bool,
    pub(super) multicast: Placed<IpAddr>,
    /// Each with its place.
    pub(super) peers: Vec<(UnicastPeer, Span)>,
    /// There are lines in `unicast_peer`, whether they are right or not.
    pub(super) peers_written: bool,
    /// The first keyword that is only for unicast.
    pub(super) unicast_keyword: Option<Span>,
    pub(super) fault_without_peers: bool,
    pub(super) unicast_checksum: UnicastChecksum,
    pub(super) unicast_ttl: Placed<u8>,
    pub(super) check_unicast_source: bool,
    pub(super) vrf: Placed<Name>,
}

impl Usual for PathDraft {
    fn usual() -> &'static Self {
        static USUAL: PathDraft = PathDraft {
            source: None,
            track_source: false,
            multicast: None,
            peers: Vec::new(),
            peers_written: false,
            unicast_keyword: None,
            fault_without_peers: false,
            unicast_checksum: UnicastChecksum::Detect,
            unicast_ttl: None,
            check_unicast_source: false,
            vrf: None,
        };
        &USUAL
    }
}

/// `use_vmac` or `use_ipvlan` as written.
#[derive(Debug)]
pub(super) struct VmacDraft {
    pub(super) at: Span,
    pub(super) interface: Option<(Name, Span)>,
    pub(super) group: Option<u32>,
    pub(super) kind: KindDraft,
}

/// Which of the two, and what only one of them has.
#[derive(Debug)]
pub(super) enum KindDraft {
    Macvlan { mac: Option<Mac>, netlink_notify: bool },
    Ipvlan { mode: Option<IpvlanMode>, address: Option<Prefix>, address_written: bool },
}

/// A hardware address; with five bytes, the last is the VRID.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mac {
    pub(super) bytes: [u8; 6],
    pub(super) ends_in_vrid: bool,
    pub(super) at: Span,
}

impl VmacDraft {
    pub(super) fn finish(self, vrid: u8, xmit_base: bool) -> Vmac {
        let kind = match self.kind {
            KindDraft::Macvlan { mac, netlink_notify } => VmacKind::Macvlan {
                mac: mac.map(|mac| {
                    let [a, b, c, d, e, f] = mac.bytes;
                    [a, b, c, d, e, if mac.ends_in_vrid { vrid } else { f }]
                }),
                netlink_notify,
                xmit_base,
            },
            KindDraft::Ipvlan { mode, address, .. } => {
                VmacKind::Ipvlan { mode: mode.unwrap_or_default(), address }
            }
        };
        Vmac { interface: self.interface.map(|(name, _)| name), group: self.group, kind }
    }
}

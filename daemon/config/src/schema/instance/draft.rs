//! What is written of an instance, with its places: what its keywords fill in, and `lower` makes the model of.

use std::net::IpAddr;
use std::time::Duration;

use super::auth::HmacDraft;
use super::garp::GarpDraft;
use crate::diagnostics::Diagnostic;
use crate::model::{
    Family, InitialState, InterfaceAddress, IpvlanMode, Name, Notify, Prefix, Priority, Rare, Route, Rule,
    UnicastChecksum, UnicastPeer, Usual, VrrpVersion,
};
use crate::preprocess::Context;
use crate::schema::track::following::FollowingDraft;
use crate::source::{Placed, Span};

/// An instance as written.
#[derive(Debug, Default)]
pub(crate) struct InstanceDraft {
    pub(crate) name: Name,
    pub(crate) at: Span,
    /// Keywords whose values are wrong.
    pub(crate) bad: Vec<&'static str>,
    pub(crate) state: Placed<InitialState>,
    pub(crate) interface: Option<Name>,
    pub(crate) vrid: Placed<u8>,
    pub(crate) priority: Placed<u8>,
    pub(crate) advert_int: Placed<Duration>,
    pub(crate) version: Placed<VrrpVersion>,
    /// How they are authenticated.
    pub(crate) auth: Rare<AuthDraft>,
    /// Where adverts go and come from.
    pub(crate) path: Rare<PathDraft>,
    pub(crate) garp: Rare<GarpDraft>,
    /// Of the first address, source, peer or multicast group in the file, which the others must be of too.
    pub(crate) family: Option<Family>,
    /// Nothing but lines that are left out says so.
    pub(crate) family_is_meant: bool,
    pub(crate) addresses: Vec<(InterfaceAddress, Span)>,
    pub(crate) excluded: Vec<(InterfaceAddress, Span)>,
    pub(crate) routes: Vec<Route>,
    pub(crate) rules: Vec<Rule>,
    /// There are lines in `virtual_ipaddress`, whether they are right or not.
    pub(crate) addresses_written: bool,
    pub(crate) nopreempt: Option<Span>,
    pub(crate) preempt_delay: Placed<Duration>,
    pub(crate) down_timer_adverts: Placed<u8>,
    pub(crate) accept: Placed<bool>,
    pub(crate) strict: Option<bool>,
    pub(crate) lower_prio_no_advert: Placed<bool>,
    pub(crate) higher_prio_send_advert: Placed<bool>,
    pub(crate) owner_ignore_adverts: Placed<bool>,
    pub(crate) dont_track_primary: bool,
    pub(crate) following: FollowingDraft,
    pub(crate) skip_check_adv_addr: Option<bool>,
    pub(crate) v3_checksum_as_v2: Option<bool>,
    pub(crate) poll_link: bool,
    pub(crate) promote_secondaries: Option<Span>,
    pub(crate) timer_expired: Placed<Priority>,
    pub(crate) smtp_alert: Option<bool>,
    pub(crate) notify: Rare<Notify>,
    pub(crate) notify_priority_changes: Option<bool>,
    pub(crate) lvs_sync_daemon_interface: Option<Name>,
    pub(crate) vmac: Option<Box<VmacDraft>>,
    pub(crate) vmac_xmit_base: Option<Span>,
    pub(crate) vmac_addr: bool,
    pub(crate) no_virtual_ipaddress: Option<Span>,
    pub(crate) kernel_rx_buf_size: Option<u32>,
    pub(crate) debug: u8,
}

impl InstanceDraft {
    /// Is this of the family of the instance? The first that is asked about settles it; another one is reported.
    pub(crate) fn is_of_family(
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
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct AuthDraft {
    /// `auth_type`.
    pub(crate) kind: Placed<Name>,
    /// `auth_pass`.
    pub(crate) password: Placed<Name>,
    /// `auth_hmac`.
    pub(crate) hmac: Option<Box<HmacDraft>>,
}

impl Usual for AuthDraft {
    fn usual() -> &'static Self {
        static USUAL: AuthDraft = AuthDraft { kind: None, password: None, hmac: None };
        &USUAL
    }
}

/// Where adverts go and come from, as written.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PathDraft {
    pub(crate) source: Placed<IpAddr>,
    pub(crate) track_source: bool,
    pub(crate) multicast: Placed<IpAddr>,
    /// Each with its place.
    pub(crate) peers: Vec<(UnicastPeer, Span)>,
    /// There are lines in `unicast_peer`, whether they are right or not.
    pub(crate) peers_written: bool,
    /// The first keyword that is only for unicast.
    pub(crate) unicast_keyword: Option<Span>,
    pub(crate) fault_without_peers: bool,
    pub(crate) unicast_checksum: UnicastChecksum,
    pub(crate) unicast_ttl: Placed<u8>,
    pub(crate) check_unicast_source: bool,
    pub(crate) vrf: Placed<Name>,
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
pub(crate) struct VmacDraft {
    pub(crate) at: Span,
    pub(crate) interface: Option<(Name, Span)>,
    pub(crate) group: Option<u32>,
    pub(crate) kind: KindDraft,
}

/// Which of the two, and what only one of them has.
#[derive(Debug)]
pub(crate) enum KindDraft {
    Macvlan { mac: Option<Mac>, netlink_notify: bool },
    Ipvlan { mode: Option<IpvlanMode>, address: Option<Prefix>, address_written: bool },
}

/// A hardware address; with five bytes, the last is the VRID.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Mac {
    pub(crate) bytes: [u8; 6],
    pub(crate) ends_in_vrid: bool,
    pub(crate) at: Span,
}

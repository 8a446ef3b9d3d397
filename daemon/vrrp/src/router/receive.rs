//! Is this packet an advertisement that we may believe? The checks stand in the order in which keepalived makes them
//! (which decides what a packet with two faults is counted as), each with its section of RFC 9568 §7.1 or RFC 3768 §7.1.

use std::net::IpAddr;
use std::time::Duration;

use keepwatch_bus::EventId;
use keepwatch_bus::fact::VrrpFact;
use keepwatch_bus::subject::Family;
use keepwatch_model::UnicastChecksum;
use subtle::ConstantTimeEq;

use super::witness::may_be_of_a_master;
use super::{Reaction, Router, State};
use crate::spec::{Authentication, Transport, Version};
use crate::step::Context;
use crate::wire::{AuthType, Datagram, DecodeError, GROUP_V4, Message, PacketType, VRRP_TTL};

/// What a believed advertisement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Advert {
    pub(crate) source: IpAddr,
    pub(crate) priority: u8,
    pub(crate) interval: Duration,
}

impl Router {
    /// Whether a packet with this router's id is for it rather than for another that has the same id here.
    pub(crate) fn expects(&self, datagram: &Datagram<'_>) -> bool {
        match &self.spec.transport {
            Transport::Multicast { group } => datagram.destination == *group,
            Transport::Unicast { peers, .. } => {
                !datagram.destination.is_multicast()
                    && peers.iter().any(|peer| peer.address == datagram.source)
            }
        }
    }

    /// A packet for this virtual router id came in.
    pub(crate) fn receive(&mut self, cx: &mut Context<'_>, datagram: &Datagram<'_>) -> Reaction {
        if matches!(self.state, State::Init | State::Fault) {
            return Reaction::None;
        }
        match self.verify(cx, datagram) {
            Ok(Some(advert)) => {
                self.times.heard(cx.now, advert.source, advert.priority);
                match self.state {
                    State::Init | State::Fault => Reaction::None,
                    State::Backup(_) => self.backup_hears(cx, advert),
                    State::Master(_) => self.master_hears(cx, advert),
                }
            }
            Ok(None) => Reaction::None,
            Err(error) => {
                let of_a_master = may_be_of_a_master(datagram, &self.spec, &error);
                let event = self.reject(cx, datagram.source, error, of_a_master);
                if of_a_master {
                    self.sees_refused(cx, datagram, error.kind(), event);
                }
                Reaction::None
            }
        }
    }

    /// Counts a fault of a packet, and tells of it unless that was done a moment ago. The event that tells of it, or of
    /// another of its kind. `of_a_master`: it [may be one's](may_be_of_a_master).
    fn reject(
        &mut self,
        cx: &mut Context<'_>,
        address: IpAddr,
        error: DecodeError,
        of_a_master: bool,
    ) -> Option<EventId> {
        let kind = error.kind();
        self.counters.error(kind).inc();
        let told = self.limits.rejection(cx.now, kind).then(|| {
            let instance = self.spec.name.clone();
            let detail = error.to_string();
            cx.publish(VrrpFact::AdvertRejected { instance, address, error: kind, detail })
        });
        self.witness.refuses(cx.now, (address, kind), of_a_master, told)
    }

    /// The advertisement in a packet, if it may be believed; none if it is nothing to us though nothing is wrong.
    fn verify(
        &mut self,
        cx: &mut Context<'_>,
        datagram: &Datagram<'_>,
    ) -> Result<Option<Advert>, DecodeError> {
        self.check_header(datagram)?;
        let message = Message::new_signed(self.spec.family, datagram.message)?;
        if self.signed.is_none() && message.trailer().is_some() {
            return Err(DecodeError::TrailerUnexpected { actual: datagram.message.len() });
        }
        self.check_ttl(datagram)?;
        self.check_version(&message)?;
        self.check_signature(cx, &message, datagram)?;
        self.check_authentication(&message, datagram)?;
        self.check_interval(&message)?;
        if let PacketType::Unknown(actual) = message.packet_type() {
            return Err(DecodeError::Type { actual });
        }
        self.check_checksum(&message, datagram)?;
        self.check_destination(datagram)?;
        if self.spec.owner_ignore_adverts && self.spec.is_owner() {
            return Ok(None);
        }
        self.counters.adverts_received.inc();
        if let Err(error) = self.check_addresses(&message, datagram.source) {
            // Not refused: RFC 9568 §7.1 says MAY, and keepalived counts it and goes on.
            self.reject(cx, datagram.source, error, true);
        }
        self.check_peer(datagram)?;
        if message.priority() == 0 {
            self.counters.priority_zero_received.inc();
        }
        Ok(Some(Advert {
            source: datagram.source,
            priority: message.priority(),
            interval: message.advert_interval(),
        }))
    }

    /// A router with an authentication header takes only packets with one, and others only packets without.
    fn check_header(&self, datagram: &Datagram<'_>) -> Result<(), DecodeError> {
        let expected = self.authenticated.is_some();
        if datagram.ah.is_some() == expected { Ok(()) } else { Err(DecodeError::AuthHeader { expected }) }
    }

    /// "MUST verify that the IPv4 TTL / IPv6 Hop Limit is 255"; peers of a unicast router may be further away.
    fn check_ttl(&self, datagram: &Datagram<'_>) -> Result<(), DecodeError> {
        match (&self.spec.transport, datagram.ttl) {
            (Transport::Multicast { .. }, Some(actual)) if actual != VRRP_TTL => {
                Err(DecodeError::Ttl { expected: VRRP_TTL, actual })
            }
            (Transport::Multicast { .. } | Transport::Unicast { .. }, _) => Ok(()),
        }
    }

    fn check_version(&self, message: &Message<'_>) -> Result<(), DecodeError> {
        let expected = self.spec.version.number();
        match message.version() {
            actual if actual == expected => Ok(()),
            actual => Err(DecodeError::Version { expected, actual }),
        }
    }

    /// `auth_hmac`: what is signed must be signed rightly, in every mode.
    fn check_signature(
        &mut self,
        cx: &mut Context<'_>,
        message: &Message<'_>,
        datagram: &Datagram<'_>,
    ) -> Result<(), DecodeError> {
        let Some(signed) = &mut self.signed else { return Ok(()) };
        let trailer = message.trailer();
        let skew = signed.check(trailer.as_ref(), datagram.source, &self.spec.transport, cx.wall())?;
        if let Some(skew) = skew.filter(|_| self.limits.skewed(cx.now)) {
            let (instance, window) = (self.spec.name.clone(), signed.window());
            cx.publish(VrrpFact::ClockSkewed { instance, address: datagram.source, skew, window });
        }
        Ok(())
    }

    fn check_authentication(
        &mut self,
        message: &Message<'_>,
        datagram: &Datagram<'_>,
    ) -> Result<(), DecodeError> {
        let Version::V2 { authentication } = &self.spec.version else { return Ok(()) };
        let expected = match authentication {
            Authentication::None => AuthType::None,
            Authentication::Password(_) => AuthType::Password,
            Authentication::Ah(_) => AuthType::Ah,
        };
        let actual = message.auth_type();
        if let AuthType::Unknown(actual) = actual {
            return Err(DecodeError::AuthTypeInvalid { actual });
        }
        if actual != expected {
            return Err(DecodeError::AuthTypeMismatch {
                expected: expected.number(),
                actual: actual.number(),
            });
        }
        match authentication {
            Authentication::None => Ok(()),
            Authentication::Password(password) => {
                let same = password.as_slice().ct_eq(message.auth_data());
                if bool::from(same) { Ok(()) } else { Err(DecodeError::AuthFailure) }
            }
            Authentication::Ah(_) => match (&mut self.authenticated, &datagram.ah) {
                (Some(authenticated), Some(header)) => authenticated.check(header, datagram.source),
                (None, _) | (_, None) => Err(DecodeError::AuthHeader { expected: true }),
            },
        }
    }

    /// Version 2: "MUST verify that the Adver Interval in the packet is the same as the locally configured". Version 3
    /// takes the master's; only zero means nothing (RFC 9568 §5.2.7).
    fn check_interval(&self, message: &Message<'_>) -> Result<(), DecodeError> {
        let expected = self.interval();
        let actual = message.advert_interval();
        let wrong = match &self.spec.version {
            Version::V2 { .. } => actual != expected,
            Version::V3 { .. } => actual.is_zero(),
        };
        if wrong { Err(DecodeError::Interval { expected, actual }) } else { Ok(()) }
    }

    fn check_checksum(&mut self, message: &Message<'_>, datagram: &Datagram<'_>) -> Result<(), DecodeError> {
        let fits = if self.pseudo_header() {
            message.checksum_fits_between(datagram.source, datagram.destination)
                || self.is_old_unicast_sum(message, datagram)
        } else {
            // A version 3 router told to use the short checksum understands the whole one too.
            message.checksum_fits()
                || (message.version() == 3
                    && message.checksum_fits_between(datagram.source, datagram.destination))
        };
        if fits { Ok(()) } else { Err(DecodeError::Checksum { actual: message.checksum() }) }
    }

    /// Whether a unicast packet over IPv4 is summed as if it had gone to the multicast group. If so, our own are too
    /// from now on, as in keepalived: such a peer understands no others.
    fn is_old_unicast_sum(&mut self, message: &Message<'_>, datagram: &Datagram<'_>) -> bool {
        let old = self.spec.unicast_checksum != UnicastChecksum::Never
            && matches!(self.spec.transport, Transport::Unicast { .. })
            && self.spec.family == Family::Inet
            && message.checksum_fits_between(datagram.source, GROUP_V4.into());
        self.old_unicast_sum |= old;
        old
    }

    fn check_destination(&self, datagram: &Datagram<'_>) -> Result<(), DecodeError> {
        let destination = datagram.destination;
        match &self.spec.transport {
            Transport::Multicast { .. } if !destination.is_multicast() => {
                Err(DecodeError::Destination { destination })
            }
            Transport::Unicast { .. } if destination.is_multicast() => {
                Err(DecodeError::Destination { destination })
            }
            Transport::Multicast { .. } | Transport::Unicast { .. } => Ok(()),
        }
    }

    /// "MAY verify that the IPvX address(es) are valid": a backup that was told to checks a master's only once.
    fn check_addresses(&self, message: &Message<'_>, source: IpAddr) -> Result<(), DecodeError> {
        let known = self.spec.skip_check_addresses
            && matches!(self.state, State::Backup(_))
            && self.heard.is_some_and(|heard| heard.address == source);
        let expected = self.advertised.len().min(usize::from(u8::MAX)) as u8;
        let differs = message.count() != expected
            || (!known
                && !message.addresses().eq(self.advertised.iter().copied())
                && !self.advertised.iter().all(|ours| message.addresses().any(|theirs| theirs == *ours)));
        if differs { Err(DecodeError::AddressList { expected, actual: message.count() }) } else { Ok(()) }
    }

    fn check_peer(&self, datagram: &Datagram<'_>) -> Result<(), DecodeError> {
        let Transport::Unicast { peers, check_source: true, .. } = &self.spec.transport else {
            return Ok(());
        };
        let Some(peer) = peers.iter().find(|peer| peer.address == datagram.source) else {
            return Err(DecodeError::UnknownPeer { source_address: datagram.source });
        };
        let range = peer.min_ttl.unwrap_or(0)..=peer.max_ttl.unwrap_or(u8::MAX);
        match datagram.ttl {
            Some(actual) if !range.contains(&actual) => {
                Err(DecodeError::Ttl { expected: *range.start(), actual })
            }
            Some(_) | None => Ok(()),
        }
    }
}

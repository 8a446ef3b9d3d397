//! What a router with an authentication header (AH) remembers: its key, and the sequence number that all routers of
//! one virtual router share (RFC 2402 §3.3.2, §3.4.3, as keepalived has it).
//!
//! There is one number, the greatest that was seen or sent. A master adds one for each advertisement. Everybody else
//! takes an advertisement only if its number is greater, and keeps that; so a backup that takes over goes on counting
//! where the old master stopped, and a router that was away learns the number before it sends: unless it has heard
//! nobody, it knows it by the time it is master.

use std::net::{IpAddr, Ipv4Addr};

use keepwatch_bus::subject::Family;

use crate::spec::{Authentication, RouterSpec, Transport, Version};
use crate::wire::{AuthHeader, DecodeError, Seal};

/// The last number that is sent; the numbers begin again only with the next master.
const LAST: u32 = u32::MAX - 1;

/// Key and sequence number.
#[derive(Debug)]
pub(crate) struct Authenticated {
    pub(crate) seal: Seal,
    /// The greatest number seen or sent.
    sequence: u32,
    /// All numbers were used up by us as master.
    exhausted: bool,
}

impl Authenticated {
    /// What `spec` needs, keeping what `old` knew.
    pub(crate) fn renew(old: Option<Box<Self>>, spec: &RouterSpec) -> Option<Box<Self>> {
        let Version::V2 { authentication: Authentication::Ah(password) } = &spec.version else { return None };
        if spec.family != Family::Inet {
            return None;
        }
        let unicast = matches!(spec.transport, Transport::Unicast { .. });
        let seal = Seal::new(password, unicast);
        match old {
            Some(mut old) => {
                old.seal = seal;
                Some(old)
            }
            None => Some(Box::new(Self { seal, sequence: 0, exhausted: false })),
        }
    }

    /// The number of the next advertisement.
    pub(crate) fn next(&mut self) -> u32 {
        if self.sequence < LAST {
            self.sequence += 1;
        } else {
            self.exhausted = true;
        }
        self.sequence
    }

    /// Whether a packet may be believed: the value first, for without it nothing in it means anything.
    pub(crate) fn check(&mut self, header: &AuthHeader<'_>, source: IpAddr) -> Result<(), DecodeError> {
        if !self.seal.fits(header) {
            return Err(DecodeError::AuthIntegrity);
        }
        let actual: Ipv4Addr = header.spi();
        if source != IpAddr::V4(actual) {
            return Err(DecodeError::AuthSpi { expected: source, actual });
        }
        let (last, actual) = (self.sequence, header.sequence());
        if actual <= last {
            return Err(DecodeError::AuthReplayed { last, actual });
        }
        self.sequence = actual;
        self.exhausted = false;
        Ok(())
    }

    /// We are master, and heard another of lower rank: it may be sending its next at this moment, so ours steps over
    /// that one.
    pub(crate) fn step_over(&mut self) {
        self.sequence = self.sequence.saturating_add(1);
    }

    /// Becomes master: numbers that were used up begin again.
    pub(crate) fn begin(&mut self) {
        if std::mem::take(&mut self.exhausted) {
            self.sequence = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(sequence: u32) -> Authenticated {
        Authenticated { seal: Seal::new(b"12345678", false), sequence, exhausted: false }
    }

    #[test]
    fn numbers_are_used_up_and_begin_again_with_the_next_mastership() {
        let mut ours = at(LAST - 1);
        ours.begin();
        assert_eq!([ours.next(), ours.next(), ours.next()], [LAST; 3]);
        ours.begin();
        assert_eq!(ours.next(), 1);
    }

    #[test]
    fn a_number_beyond_the_last_neither_panics_nor_wraps() {
        let mut ours = at(u32::MAX);
        ours.step_over();
        assert_eq!(ours.next(), u32::MAX);
    }
}

//! Building and sending advertisements.

use std::net::IpAddr;

use keepwatch_bus::subject::Family;
use keepwatch_model::UnicastChecksum;

use super::Router;
use crate::outbox::{Output, Transmission};
use crate::spec::{Authentication, Transport, Version};
use crate::step::Context;
use crate::wire::{AdvertFields, GROUP_V4, VRRP_TTL};

impl Router {
    /// Builds the packet anew: after a change of the definition or of the source address.
    pub(crate) fn rebuild_packet(&mut self) {
        self.advertised.clear();
        self.advertised.extend(self.spec.advertised_addresses().iter().map(|a| a.address));
        let Some(source) = self.source else { return };
        let (timing, auth_data) = self.timing_and_auth();
        self.packet.build(&AdvertFields {
            version: self.spec.version.number(),
            vrid: self.spec.vrid.0,
            timing,
            addresses: &self.advertised,
            auth_data,
            pseudo_header: self.pseudo_header(),
            source,
            ttl: self.ttl(),
            ah: self.authenticated.is_some(),
            trailer: self.signed.as_ref().is_some_and(|signed| signed.signs()),
        });
    }

    /// What advertisements leave with: all of it to a group, what the definition says to peers.
    fn ttl(&self) -> u8 {
        match &self.spec.transport {
            Transport::Multicast { .. } => VRRP_TTL,
            Transport::Unicast { ttl, .. } => *ttl,
        }
    }

    /// Whether checksums cover the pseudo-header: always over IPv6, where the kernel of a keepalived does it for any
    /// version; over IPv4 in version 3.
    pub(crate) fn pseudo_header(&self) -> bool {
        match (self.spec.family, &self.spec.version) {
            (Family::Inet6, _) => true,
            (Family::Inet, Version::V2 { .. }) => false,
            (Family::Inet, Version::V3 { checksum_as_v2 }) => !checksum_as_v2,
        }
    }

    fn timing_and_auth(&self) -> ([u8; 2], [u8; 8]) {
        let interval = self.interval();
        match &self.spec.version {
            Version::V2 { authentication } => {
                let seconds = interval.as_secs().clamp(1, 255) as u8;
                match authentication {
                    Authentication::None => ([0, seconds], [0; 8]),
                    Authentication::Password(password) => ([1, seconds], *password),
                    Authentication::Ah(_) => ([2, seconds], [0; 8]),
                }
            }
            Version::V3 { .. } => {
                let centiseconds = (interval.as_millis() / 10).clamp(1, 0x0fff) as u16;
                (centiseconds.to_be_bytes(), [0; 8])
            }
        }
    }

    /// Sends an advertisement to the group, or to each peer.
    pub(crate) fn send(&mut self, cx: &mut Context<'_>, priority: u8) {
        let Some(source) = self.source else { return };
        self.packet.advertise(priority);
        if let Some(authenticated) = &mut self.authenticated {
            self.packet.number(authenticated.next());
        }
        if let Some((id, key, stamp)) = self.signed.as_mut().and_then(|signed| signed.next(cx.wall())) {
            self.packet.sign(id, key, stamp, source);
        }
        let spec = self.spec.clone();
        match &spec.transport {
            Transport::Multicast { group } => self.send_to(cx, source, *group),
            Transport::Unicast { peers, .. } => {
                peers.iter().for_each(|peer| self.send_to(cx, source, peer.address));
            }
        }
        self.counters.adverts_sent.inc();
        self.times.interrupted();
        if priority == 0 {
            self.counters.priority_zero_sent.inc();
        }
    }

    /// Whether the checksums of unicast messages of version 3 over IPv4 are those of keepalived before 1.3.7.
    fn sums_as_of_old(&self) -> bool {
        match self.spec.unicast_checksum {
            UnicastChecksum::Detect => self.old_unicast_sum,
            UnicastChecksum::Old => {
                self.spec.family == Family::Inet && matches!(self.spec.transport, Transport::Unicast { .. })
            }
            UnicastChecksum::Never => false,
        }
    }

    fn send_to(&mut self, cx: &mut Context<'_>, source: IpAddr, destination: IpAddr) {
        let ttl = self.ttl();
        let packet = match &self.authenticated {
            Some(authenticated) => self.packet.packet_sealed(destination, &authenticated.seal),
            None => {
                let summed = if self.sums_as_of_old() { GROUP_V4.into() } else { destination };
                self.packet.packet_summed(destination, summed)
            }
        };
        cx.out.act(Output::Send(Transmission {
            router: self.id,
            link: self.leaves_by,
            destination,
            source,
            ttl,
            packet,
        }));
    }
}

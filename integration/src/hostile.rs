//! A host that sends what no router should: broken, forged and random VRRP packets, as many as it is told to.
//! The sequence is the same on every run.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use socket2::{Domain, Protocol, Socket, Type};

use crate::Host;

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const VRRP: i32 = 112;

/// What is wrong with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malice {
    /// Right in all but its checksum.
    Checksum,
    /// Version 2 with a password that nobody knows, and the highest priority.
    Password,
    /// A forwarded packet: TTL 254.
    Ttl,
    /// Cut off in its addresses.
    Short,
    /// Neither version 2 nor 3.
    Version,
    /// No advertisement.
    Type,
    /// Nothing but noise.
    Noise,
}

impl Malice {
    /// All kinds.
    pub const ALL: [Self; 7] =
        [Self::Checksum, Self::Password, Self::Ttl, Self::Short, Self::Version, Self::Type, Self::Noise];
}

/// Sends `count` packets from `host` (whose own address is `source`) at about `rate` a second, for the virtual
/// router `vrid` with the one address `vip`; every kind in turn.
pub fn flood(host: &Host, source: Ipv4Addr, vrid: u8, vip: Ipv4Addr, count: u32, rate: u32) -> Result<()> {
    let socket = host.inside(|| {
        let socket =
            Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(VRRP))).context("raw socket")?;
        socket.set_multicast_if_v4(&source)?;
        socket.set_multicast_loop_v4(false)?;
        Ok(socket)
    })?;
    let to = SocketAddrV4::new(GROUP, 0).into();
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let began = Instant::now();
    for i in 0..count {
        let malice = Malice::ALL[i as usize % Malice::ALL.len()];
        let packet = forge(malice, source, vrid, vip, &mut noise);
        socket.set_multicast_ttl_v4(if malice == Malice::Ttl { 254 } else { 255 })?;
        // A full queue is no failure of the test: there are more packets to come.
        let _ = socket.send_to(&packet, &to);
        let due = began + Duration::from_secs_f64(f64::from(i) / f64::from(rate));
        sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

/// Sends resignations (version 3, priority 0) of virtual router `vrid` from `host`, whose own address is `source`, as if
/// `master` had sent them: at about `rate` a second, for `span`.
pub fn resign(
    host: &Host,
    source: Ipv4Addr,
    master: Ipv4Addr,
    (vrid, vip): (u8, Ipv4Addr),
    rate: u32,
    span: Duration,
) -> Result<()> {
    let socket = forging(host, source)?;
    let packet = whole(master, vec![0x31, vrid, 0, 1, 0, 10, 0, 0], vip);
    let to = SocketAddrV4::new(GROUP, 0).into();
    let began = Instant::now();
    while began.elapsed() < span {
        socket.send_to(&packet, &to)?;
        sleep(Duration::from_secs(1) / rate);
    }
    Ok(())
}

/// Sends good adverts (version 3) from `host`, whose own address is `source`, as if each came from another router of
/// 10.78.0.0/16, for any id and address: `count` of them, at about `rate` a second.
pub fn impersonate(host: &Host, source: Ipv4Addr, count: u32, rate: u32) -> Result<()> {
    let socket = forging(host, source)?;
    let to = SocketAddrV4::new(GROUP, 0).into();
    let mut noise = Noise(0x2545_f491_4f6c_dd1d);
    let began = Instant::now();
    for i in 0..count {
        let [a, b, vrid, priority, c, d, ..] = noise.next().to_be_bytes().map(|byte| byte.max(1));
        let message = vec![0x31, vrid, priority, 1, 0, 100, 0, 0];
        let packet = whole(Ipv4Addr::new(10, 78, a, b), message, Ipv4Addr::new(10, 78, c, d));
        // A full queue is no failure of the test: there are more packets to come.
        let _ = socket.send_to(&packet, &to);
        let due = began + Duration::from_secs_f64(f64::from(i) / f64::from(rate));
        sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

/// Sends these messages from `host`, whose own address is `source`, to all routers, each with its hop limit: in order, and no
/// faster than a receiver takes them.
pub fn send(host: &Host, source: Ipv4Addr, messages: impl IntoIterator<Item = (u8, Vec<u8>)>) -> Result<()> {
    let socket = host.inside(|| {
        let socket =
            Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(VRRP))).context("raw socket")?;
        socket.set_multicast_if_v4(&source)?;
        Ok(socket)
    })?;
    for (ttl, message) in messages {
        socket.set_multicast_ttl_v4(ttl.into())?;
        socket.send_to(&message, &SocketAddrV4::new(GROUP, 0).into())?;
        sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// A message of version 2 with its checksum, which covers nothing else (RFC 2338 5.3.8).
pub fn sealed(mut message: Vec<u8>) -> Vec<u8> {
    message[6..8].fill(0);
    let sum = checksum(&message);
    message[6..8].copy_from_slice(&sum.to_be_bytes());
    message
}

/// A socket for whole packets, that leave by the interface with this address.
fn forging(host: &Host, source: Ipv4Addr) -> Result<Socket> {
    host.inside(|| {
        let socket =
            Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(VRRP))).context("raw socket")?;
        socket.set_header_included_v4(true)?;
        socket.set_multicast_if_v4(&source)?;
        Ok(socket)
    })
}

/// A whole packet from `sender` with a message of version 3 that has one address.
fn whole(sender: Ipv4Addr, mut message: Vec<u8>, vip: Ipv4Addr) -> Vec<u8> {
    message.extend(vip.octets());
    let sum = checksum(&with_pseudo_header(sender, &message));
    message[6..8].copy_from_slice(&sum.to_be_bytes());
    // The kernel fills in the sum of the header.
    let mut packet = vec![0x45, 0xc0, 0, 20 + message.len() as u8, 0, 0, 0, 0, 255, VRRP as u8, 0, 0];
    packet.extend(sender.octets().into_iter().chain(GROUP.octets()).chain(message));
    packet
}

/// What the checksum of version 3 covers (RFC 5798 5.2.8).
fn with_pseudo_header(source: Ipv4Addr, message: &[u8]) -> Vec<u8> {
    let mut summed: Vec<u8> = source.octets().into_iter().chain(GROUP.octets()).collect();
    summed.extend([0, VRRP as u8]);
    summed.extend((message.len() as u16).to_be_bytes());
    summed.extend(message);
    summed
}

/// One packet.
fn forge(malice: Malice, source: Ipv4Addr, vrid: u8, vip: Ipv4Addr, noise: &mut Noise) -> Vec<u8> {
    if malice == Malice::Noise {
        let length = noise.next() as usize % 200;
        return (0..length).map(|_| noise.next() as u8).collect();
    }
    let mut packet = vec![0x31, vrid, 255, 1, 0, 10, 0, 0];
    packet.extend(vip.octets());
    match malice {
        Malice::Password => {
            packet[0] = 0x21;
            packet[4..6].copy_from_slice(&[1, 1]);
            packet.extend(b"forged!\0");
            let sum = checksum(&packet);
            packet[6..8].copy_from_slice(&sum.to_be_bytes());
            return packet;
        }
        Malice::Short => packet.truncate(10),
        Malice::Version => packet[0] = 0x71,
        Malice::Type => packet[0] = 0x35,
        Malice::Checksum | Malice::Ttl | Malice::Noise => {}
    }
    let sum =
        checksum(&with_pseudo_header(source, &packet)) ^ if malice == Malice::Checksum { 0x5555 } else { 0 };
    packet[6..8].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 =
        bytes.chunks(2).map(|c| u32::from(c[0]) << 8 | c.get(1).map_or(0, |&b| u32::from(b))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Xorshift: noise that is the same on every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_wrong_checksum_is_wrong() {
        let (source, vip) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 9));
        let sums_up = |malice| {
            let packet = forge(malice, source, 51, vip, &mut Noise(1));
            let mut summed: Vec<u8> = source.octets().into_iter().chain(GROUP.octets()).collect();
            summed.extend([0, 112, 0, packet.len() as u8]);
            summed.extend(packet);
            checksum(&summed) == 0
        };
        assert!(sums_up(Malice::Ttl) && sums_up(Malice::Type) && !sums_up(Malice::Checksum));
    }
}

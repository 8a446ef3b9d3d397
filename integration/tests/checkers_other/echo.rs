//! PING_CHECK beside hosts that answer otherwise than the kernel does: late, wrongly, without end.

use std::{
    io::{self, Read},
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use integration::{Host, background::Background, wait};
use socket2::{Domain, Protocol, Socket, Type};

use super::{Cell, Fails, Scene, all_are, down, is, line, up};

/// Types of ICMP (RFC 792).
const REPLY: u8 = 0;
const UNREACHABLE: u8 = 3;
const REQUEST: u8 = 8;
/// Where a message has its identifier, its number and its data.
const IDENTIFIER: usize = 4;
const NUMBER: usize = 7;
const DATA: usize = 8;

/// What is sent back for a request, each as a message of ICMP without a checksum. The packet is the request's, IP header
/// and all.
type Answer = fn(packet: &[u8], message: &[u8]) -> Vec<Vec<u8>>;

/// A host's address whose pings are not the kernel's affair.
struct EchoHost {
    does_well: Arc<AtomicBool>,
    _thread: Background,
}

impl EchoHost {
    fn start(host: &Host, at: Ipv4Addr, answer: Answer) -> Result<Self> {
        let socket = host.inside(|| {
            let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
            socket.bind(&SocketAddr::from((at, 0)).into()).with_context(|| format!("take {at}"))?;
            socket.set_read_timeout(Some(Duration::from_millis(20)))?;
            Ok(socket)
        })?;
        let does_well = Arc::new(AtomicBool::new(false));
        let well = Arc::clone(&does_well);
        let thread = Background::start("echo", move |ending| {
            let mut buffer = [0; 2048];
            while !ending.is_near() {
                let Ok((packet, message, from)) = request(&socket, &mut buffer) else { continue };
                let answer = if well.load(Ordering::Relaxed) { right } else { answer };
                for mut message in answer(packet, message) {
                    seal(&mut message);
                    // Who asked may have gone.
                    let _ = socket.send_to(&message, &SocketAddr::from((from, 0)).into());
                }
            }
        })?;
        Ok(Self { does_well, _thread: thread })
    }

    /// From now on it answers as it should.
    fn does_well(&self) {
        self.does_well.store(true, Ordering::Relaxed);
    }
}

/// The next echo request: the packet, its message, and who sent it.
fn request<'a>(mut socket: &Socket, buffer: &'a mut [u8]) -> io::Result<(&'a [u8], &'a [u8], Ipv4Addr)> {
    let length = socket.read(buffer)?;
    let packet = &buffer[..length];
    let header = usize::from(packet.first().copied().unwrap_or(0) & 0xf) * 4;
    let other = || io::Error::other("something else");
    let message = packet.get(header..).ok_or_else(other)?;
    if message.len() < DATA || message.first() != Some(&REQUEST) {
        return Err(other());
    }
    let from: [u8; 4] = packet.get(12..16).and_then(|from| from.try_into().ok()).ok_or_else(other)?;
    Ok((packet, message, from.into()))
}

/// Sets the checksum (RFC 1071).
fn seal(message: &mut [u8]) {
    let Some(place) = message.get_mut(2..4) else { return };
    place.fill(0);
    let words =
        message.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    message[2..4].copy_from_slice(&(!(sum as u16)).to_be_bytes());
}

/// The answer, with one byte of it as it should not be.
fn reply_but(message: &[u8], at: usize) -> Vec<Vec<u8>> {
    let mut reply = message.to_vec();
    reply[0] = REPLY;
    reply[at] ^= 0x40;
    vec![reply]
}

fn right(_: &[u8], message: &[u8]) -> Vec<Vec<u8>> {
    let mut reply = message.to_vec();
    reply[0] = REPLY;
    vec![reply]
}

fn late(packet: &[u8], message: &[u8]) -> Vec<Vec<u8>> {
    thread::sleep(Duration::from_millis(1500));
    right(packet, message)
}

fn short(_: &[u8], message: &[u8]) -> Vec<Vec<u8>> {
    let mut reply = message[..DATA].to_vec();
    reply[0] = REPLY;
    vec![reply]
}

/// Another's request, and messages of no kind.
fn garbage(_: &[u8], message: &[u8]) -> Vec<Vec<u8>> {
    vec![message.to_vec(), vec![200; 64], vec![REPLY, 0, 0, 0]]
}

fn endless(_: &[u8], message: &[u8]) -> Vec<Vec<u8>> {
    (0..2000).flat_map(|_| reply_but(message, DATA)).collect()
}

fn noise_before(packet: &[u8], message: &[u8]) -> Vec<Vec<u8>> {
    [garbage(packet, message), reply_but(message, DATA), right(packet, message)].concat()
}

/// A router on the way says that it is forbidden.
fn forbidden(packet: &[u8], _: &[u8]) -> Vec<Vec<u8>> {
    let mut error = vec![UNREACHABLE, 13, 0, 0, 0, 0, 0, 0];
    error.extend(&packet[..(20 + DATA).min(packet.len())]);
    vec![error]
}

/// Each way, and why such a host fails. keepalived 2.4.3 takes those whose answer has other data, or none, for up (2.2.7: also
/// one with another number); of the others it says the same.
const HOSTS: [(&str, Answer, Fails); 10] = [
    ("10.78.0.11:53", right, None),
    ("10.78.0.12:53", late, Some(("timeout", "no answer within 0.7s"))),
    ("10.78.0.13:53", |_, message| reply_but(message, DATA), Some(("timeout", "no answer within 0.7s"))),
    (
        "10.78.0.14:53",
        |_, message| reply_but(message, IDENTIFIER),
        Some(("timeout", "no answer within 0.7s")),
    ),
    ("10.78.0.15:53", |_, message| reply_but(message, NUMBER), Some(("timeout", "no answer within 0.7s"))),
    ("10.78.0.16:53", short, Some(("timeout", "no answer within 0.7s"))),
    ("10.78.0.17:53", garbage, Some(("timeout", "no answer within 0.7s"))),
    ("10.78.0.18:53", endless, Some(("timeout", "no answer within 0.7s"))),
    ("10.78.0.19:53", noise_before, None),
    ("10.78.0.20:53", forbidden, Some(("unreachable", "no route to host"))),
];

#[test]
fn hosts_that_answer_wrongly_late_or_without_end_fail_and_come_back() -> Result<()> {
    let scene = Scene::new("check-echo")?;
    let host = &scene.neighbour;
    host.inside(|| Ok(std::fs::write("/proc/sys/net/ipv4/icmp_echo_ignore_all", "1")?))?;
    let mut hosts = Vec::new();
    let mut cells: Vec<Cell> = Vec::new();
    for (at, answer, fails) in HOSTS {
        let address: Ipv4Addr = at.trim_end_matches(":53").parse()?;
        host.address("eth0", &format!("{address}/24"))?;
        hosts.push(EchoHost::start(host, address, answer)?);
        cells.push(match fails {
            None => up(at, "PING_CHECK {\n }"),
            Some((reason, says)) => down(at, "PING_CHECK {\n }", reason, says),
        });
    }
    let config = Scene::config("", &cells);
    let daemon = scene.start(&config)?;
    all_are(&daemon, &cells)?;
    hosts.iter().for_each(EchoHost::does_well);
    for (at, ..) in HOSTS {
        wait::until("it is up", wait::LONG, || is(&daemon, at, "up"))
            .with_context(|| format!("{at}: {}", line(&daemon, at)))?;
    }
    let missed = daemon.process().log().matches("10.78.0.11]:udp:53 failed").count();
    // Once in a while a busy machine is late.
    ensure!(missed <= 1, "who did well was missed:\n{}", daemon.process().log());
    Ok(())
}

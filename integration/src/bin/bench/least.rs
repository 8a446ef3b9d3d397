//! What the kernel alone needs for the work of a daemon: a bound that no daemon comes below.

use std::{
    io,
    mem::MaybeUninit,
    net::{Ipv4Addr, SocketAddr},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use integration::{Host, Lab};
use nix::sys::resource::{UsageWho, getrusage};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// IP protocol of VRRP (RFC 9568, section 5.1.1.4) and its group (5.1.1.2).
const VRRP: i32 = 112;
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// How often adverts are sent and looked for: so many are due together.
const TURN: Duration = Duration::from_millis(10);

/// The processor time that the calling thread has used.
pub(crate) fn cpu() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_THREAD)?;
    let both = [usage.user_time(), usage.system_time()];
    let micros: i64 = both.iter().map(|time| time.tv_sec() * 1_000_000 + time.tv_usec()).sum();
    Ok(Duration::from_micros(micros.unsigned_abs()))
}

/// Processor time, in percent, of a thread that sends so many adverts a second from one router and of one that reads them at
/// another, through sockets as daemons use them, and that do nothing else: no timer of an instance, no state, no checksum.
pub(crate) fn adverts(each_second: u32, span: Duration) -> Result<[f64; 2]> {
    let lab = Lab::new("least")?;
    let bridge = lab.bridge("lan0")?;
    let hosts = [lab.host("a")?, lab.host("b")?];
    for (host, address) in hosts.iter().zip(["10.78.0.1/16", "10.78.0.2/16"]) {
        host.plug("eth0", &bridge)?.address("eth0", address)?;
    }
    let [sender, receiver] = &hosts;
    let each_turn = f64::from(each_second) * TURN.as_secs_f64();
    let mut due = 0.0;
    let to = SockAddr::from(SocketAddr::from((GROUP, 0)));
    let send = |socket: &Socket| {
        due += each_turn;
        while due >= 1.0 {
            due -= 1.0;
            // As long as one of version 2 with one address and its empty authentication.
            socket.send_to(&[0x21, 1, 100, 1, 0, 1, 0, 0, 10, 78, 1, 200, 0, 0, 0, 0, 0, 0, 0, 0], &to)?;
        }
        Ok(())
    };
    let mut buffer = [MaybeUninit::uninit(); 128];
    let read = |socket: &Socket| {
        loop {
            match socket.recv(&mut buffer) {
                Ok(_) => (),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    };
    thread::scope(|scope| {
        let reads = scope.spawn(|| percent(receiver, "10.78.0.2", span, read));
        let sends = percent(sender, "10.78.0.1", span, send)?;
        let reads = reads.join().ok().context("the reader is gone")??;
        Ok([sends, reads])
    })
}

/// The processor time, in percent, of a thread of this host that does this every turn.
fn percent(
    host: &Host,
    own: &str,
    span: Duration,
    mut work: impl FnMut(&Socket) -> Result<()> + Send,
) -> Result<f64> {
    let own: Ipv4Addr = own.parse()?;
    host.inside(move || {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(VRRP)))?;
        socket.set_nonblocking(true)?;
        socket.set_multicast_if_v4(&own)?;
        socket.set_multicast_loop_v4(false)?;
        socket.join_multicast_v4(&GROUP, &own)?;
        let (began, before) = (Instant::now(), cpu()?);
        while began.elapsed() < span {
            thread::sleep(TURN);
            work(&socket)?;
        }
        Ok(100.0 * (cpu()? - before).as_secs_f64() / began.elapsed().as_secs_f64())
    })
}

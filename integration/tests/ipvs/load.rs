//! Reloads while requests go through a virtual address: none may fail, and nobody who talks to a server that stays may
//! notice anything. The part marked `ignore` plays inside the virtual machine.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::OwnedFd,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use integration::{binaries, netns, vm::Scenario};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Says how many reloads there are; 20 unless given, 40 with `KEEPWATCH_FULL`.
const RELOADS: &str = "KEEPWATCH_TEST_RELOADS";
const ADDRESS: ([u8; 4], u16) = ([10, 0, 0, 1], 80);
/// Requests in a second, all threads together, and how many of them there are.
const RATE: u32 = 250;
const CLIENTS: u32 = 20;
/// Connections that live all the time.
const TALKERS: usize = 6;
const PORTS: u16 = 4;
/// Servers on this port stay all the time.
const STAYS: u16 = 8001;
/// How long a server thinks about its answer.
const THOUGHT: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(90);

#[test]
fn reloads_cost_no_request_and_no_connection() {
    let reloads: u32 = env::var(RELOADS)
        .ok()
        .and_then(|given| given.parse().ok())
        .unwrap_or_else(|| integration::amount(20, 40));
    let outcome = Scenario::new(include_str!("load.sh"))
        .env("TEST", env::current_exe().unwrap())
        .env("NETWORK", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ipvs/network.sh"))
        .env("KEEPWATCHD", binaries::path("keepwatchd").unwrap())
        .env(RELOADS, reloads.to_string())
        .limit(Duration::from_secs(450) + Duration::from_secs(6) * reloads)
        .run()
        .unwrap();
    println!("{}", outcome.chapter("load"));
    assert_eq!(outcome.code, 0, "{}", outcome.output);
}

/// What has happened so far.
#[derive(Default)]
struct Tally {
    ends: AtomicBool,
    answered: AtomicU32,
    failed: Mutex<Vec<String>>,
}

impl Tally {
    fn fail(&self, what: String) {
        self.failed.lock().unwrap().push(what);
    }

    fn goes_on(&self) -> bool {
        !self.ends.load(Ordering::Relaxed)
    }
}

#[test]
#[ignore = "plays inside the virtual machine"]
fn inside() {
    let daemon = Pid::from_raw(env::var("DAEMON").unwrap().parse().unwrap());
    let config = env::var("CONFIG").unwrap();
    let reloads: u32 = env::var(RELOADS).unwrap().parse().unwrap();
    for n in 2..=4u8 {
        for port in STAYS..STAYS + PORTS {
            serve(&format!("web{n}"), SocketAddr::from(([192, 168, n, n], port)));
        }
    }
    let mut dice = 1;
    change(&config, daemon, &mut dice);
    let tally = Arc::new(Tally::default());
    let mut threads = Vec::new();
    for n in 0..CLIENTS {
        let tally = tally.clone();
        threads.push(in_host("client", move || requests(n, &tally)));
    }
    for _ in 0..TALKERS {
        let tally = tally.clone();
        threads.push(in_host("client", move || talk(&tally)));
    }
    let began = Instant::now();
    let mut longest = Duration::ZERO;
    for _ in 0..reloads {
        let before = Instant::now();
        change(&config, daemon, &mut dice);
        longest = longest.max(before.elapsed());
    }
    let took = began.elapsed();
    tally.ends.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let (answered, failed) = (tally.answered.load(Ordering::Relaxed), tally.failed.lock().unwrap());
    println!(
        "{reloads} reloads in {took:?} (the longest {longest:?}), {answered} requests ({:.0} a second), {} failed",
        f64::from(answered) / took.as_secs_f64(),
        failed.len()
    );
    assert!(failed.is_empty(), "{:#?}", failed.iter().take(20).collect::<Vec<_>>());
    assert!(answered > reloads, "nobody asked anything");
}

/// Does something on a thread inside a host.
fn in_host(name: &str, work: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
    let host = OwnedFd::from(fs::File::open(format!("/run/netns/{name}")).unwrap());
    thread::spawn(move || {
        netns::inside(&host, || {
            work();
            Ok(())
        })
        .unwrap();
    })
}

/// A server that answers the first line with its own address, and each further one with the same line.
fn serve(host: &str, at: SocketAddr) {
    drop(in_host(host, move || {
        let listener = TcpListener::bind(at).unwrap();
        for stream in listener.incoming().flatten() {
            thread::spawn(move || converse(stream, at));
        }
    }));
}

fn converse(mut stream: TcpStream, own: SocketAddr) {
    let _ = stream.set_nodelay(true);
    let mut line = [0; 64];
    let Ok(length) = stream.read(&mut line) else { return };
    // A checker says nothing.
    if length == 0 {
        return;
    }
    thread::sleep(THOUGHT);
    if stream.write_all(format!("{own}\n").as_bytes()).is_err() || line.first() == Some(&b'G') {
        return;
    }
    while let Ok(length @ 1..) = stream.read(&mut line) {
        if stream.write_all(&line[..length]).is_err() {
            return;
        }
    }
}

fn requests(number: u32, tally: &Tally) {
    let pause = Duration::from_secs(1) * CLIENTS / RATE;
    let mut next = Instant::now() + pause * number / CLIENTS;
    while tally.goes_on() {
        thread::sleep(next.saturating_duration_since(Instant::now()));
        // Who is late does not catch up.
        next = (next + pause).max(Instant::now());
        match request() {
            Ok(()) => drop(tally.answered.fetch_add(1, Ordering::Relaxed)),
            Err(error) => tally.fail(format!("request: {error}")),
        }
    }
}

fn connect() -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&ADDRESS.into(), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn request() -> std::io::Result<()> {
    let mut stream = connect()?;
    stream.write_all(b"GET\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.ends_with('\n') {
        true => Ok(()),
        false => Err(std::io::Error::other(format!("the answer is {answer:?}"))),
    }
}

/// Talks to one of the servers that stay, all the time.
fn talk(tally: &Tally) {
    let mut line = [0; 64];
    while tally.goes_on() {
        let mut begin = || -> std::io::Result<(TcpStream, bool)> {
            let mut stream = connect()?;
            stream.write_all(b"HELLO\n")?;
            let length = stream.read(&mut line)?;
            let stays = String::from_utf8_lossy(&line[..length]).trim().ends_with(&format!(":{STAYS}"));
            Ok((stream, stays))
        };
        let mut stream = match begin() {
            Ok((stream, true)) => stream,
            Ok((_, false)) => continue,
            Err(error) => return tally.fail(format!("connection: {error}")),
        };
        while tally.goes_on() {
            thread::sleep(Duration::from_millis(50));
            match stream.write_all(b"?").and_then(|()| stream.read(&mut line)) {
                Ok(1) => {}
                other => return tally.fail(format!("a connection to a server that stays: {other:?}")),
            }
        }
    }
}

/// Another set of servers with other weights: written, reloaded, and in the table.
fn change(config: &str, daemon: Pid, dice: &mut u32) {
    let mut throw = || {
        *dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *dice >> 16
    };
    let mut wanted = BTreeMap::new();
    for n in 2..=4u8 {
        for port in STAYS..STAYS + PORTS {
            let weight = 1 + throw() % 5;
            if port == STAYS || throw() % 10 < 7 {
                wanted.insert((Ipv4Addr::new(192, 168, n, n), port), weight);
            }
        }
    }
    let mut text =
        "virtual_server 10.0.0.1 80 {\ndelay_loop 5\nlvs_sched wrr\nlvs_method NAT\nprotocol TCP\n"
            .to_owned();
    for ((address, port), weight) in &wanted {
        text += &format!(
            "real_server {address} {port} {{\nweight {weight}\nTCP_CHECK {{\nconnect_timeout 10\n}}\n}}\n"
        );
    }
    text += "}\n";
    fs::write(config, text).unwrap();
    kill(daemon, Signal::SIGHUP).unwrap();
    let began = Instant::now();
    loop {
        let there = table();
        if there == wanted {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "the table is {there:?}, not {wanted:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// What the kernel has: addresses, ports and weights.
fn table() -> BTreeMap<(Ipv4Addr, u16), u32> {
    let text = fs::read_to_string("/proc/net/ip_vs").unwrap_or_default();
    let servers = text.lines().filter_map(|line| {
        let mut words = line.trim().strip_prefix("-> ")?.split_whitespace();
        let (address, port) = words.next()?.split_once(':')?;
        let address = Ipv4Addr::from(u32::from_str_radix(address, 16).ok()?);
        let port = u16::from_str_radix(port, 16).ok()?;
        Some(((address, port), words.nth(1)?.parse().ok()?))
    });
    servers.collect()
}

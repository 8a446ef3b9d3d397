//! What the checks of many real servers cost: processor time of one, memory, and how late they begin.

use std::{
    fmt::Write as _,
    fs,
    io::{Read, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use integration::{Host, Lab, background::Acceptor, keepwatchd::Keepwatchd, process::tree, wait};

use crate::{
    least,
    router::{Router, Running, has_ipvs},
};

pub(crate) const PORT: u16 = 8080;
/// Connections by which it is found out what one costs at least.
const LEAST: u64 = 20_000;

/// How a server is looked at.
#[derive(Clone, Copy)]
enum Kind {
    Tcp,
    Http,
}

impl Kind {
    fn block(self) -> &'static str {
        match self {
            Self::Tcp => "TCP_CHECK {\n connect_timeout 2\n }",
            Self::Http => {
                "HTTP_GET {\n url {\n path /\n status_code 200\n }\n connect_timeout 2\n connect_port 8080\n }"
            }
        }
    }

    fn answer(self, mut stream: TcpStream) {
        if let Self::Http = self {
            let mut question = [0; 1024];
            // Whoever has gone by now is not counted on.
            let _ = stream.read(&mut question);
            let _ = stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    }
}

/// What one daemon needed.
struct Cost {
    /// Microseconds of processor time a check.
    each: f64,
    pss_kib: u64,
}

/// Measures each way with each daemon, and prints the costs and their ratios.
pub(crate) fn compare(routers: &[Router; 2], servers: u32, span: Duration) -> Result<()> {
    for (kind, name) in [(Kind::Tcp, "TCP_CHECK"), (Kind::Http, "HTTP_GET")] {
        println!("{servers} real servers, a {name} of each every second, for {} s", span.as_secs());
        if let Kind::Tcp = kind {
            println!(
                "  least       {:.1} µs for a connection that is made and closed, and nothing else",
                least()?
            );
        }
        let mut costs = Vec::new();
        for router in routers {
            match measure(router, kind, servers, span) {
                Ok(cost) => costs.push(cost),
                Err(error) => println!("  {:<10}  {error:#}", router.name()),
            }
        }
        if let [ours, theirs] = &costs[..] {
            println!(
                "  ratio of the processor times: {:.2}, of the memory: {:.2}",
                ours.each / theirs.each.max(0.01),
                ours.pss_kib as f64 / theirs.pss_kib.max(1) as f64
            );
        }
        println!();
    }
    Ok(())
}

/// A listener behind all of them, which counts.
fn serve(host: &Host, kind: Kind, servers: u32) -> Result<(Acceptor, Arc<AtomicU64>)> {
    let checks = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&checks);
    let acceptor = Acceptor::start(host, SocketAddr::from(([0, 0, 0, 0], PORT)), "servers", move |stream| {
        kind.answer(stream);
        counted.fetch_add(1, Ordering::Relaxed);
    })?;
    host.inside(|| {
        for (name, value) in [("core/somaxconn", "65535"), ("ipv4/ip_local_port_range", "1024 65535")] {
            fs::write(Path::new("/proc/sys/net").join(name), value)?;
        }
        Ok(())
    })?;
    acceptor.let_wait(2 * servers)?;
    Ok((acceptor, checks))
}

/// Microseconds of processor time that a thread needs for one connection.
fn least() -> Result<f64> {
    let host = Lab::new("checks")?.host("a")?;
    let _server = serve(&host, Kind::Tcp, 1000)?;
    host.inside(|| {
        let before = least::cpu()?;
        for number in 0..LEAST {
            drop(TcpStream::connect(SocketAddr::from(([127, 1, (number >> 8) as u8, number as u8], PORT)))?);
        }
        Ok((least::cpu()? - before).as_secs_f64() * 1e6 / LEAST as f64)
    })
}

/// So many real servers of one virtual server, each with this checker and looked at every so many seconds; the first has a
/// weight of its own.
pub(crate) fn config(checker: &str, servers: u32, delay_loop: u32, first_weight: u32) -> Result<String> {
    let mut text = format!(
        "global_defs {{\n router_id c\n}}\nvirtual_server 10.9.9.9 80 {{\n delay_loop {delay_loop}\n lvs_sched rr\n \
         lvs_method NAT\n protocol TCP\n"
    );
    for number in 1..=servers {
        let (high, low) = (number >> 8, number & 255);
        let weight = if number == 1 { first_weight } else { 1 };
        writeln!(text, " real_server 127.1.{high}.{low} {PORT} {{\n weight {weight}\n {checker}\n }}")?;
    }
    Ok(text + "}\n")
}

fn measure(router: &Router, kind: Kind, servers: u32, span: Duration) -> Result<Cost> {
    let host: Host = Lab::new("checks")?.host("a")?;
    let (_acceptor, checks) = serve(&host, kind, servers)?;
    let running = router.start_checking(&host, &config(kind.block(), servers, 1, 1)?)?;
    let each_was_checked = || checks.load(Ordering::Relaxed) >= u64::from(2 * servers);
    if wait::until("two checks of each", 2 * wait::LONG, each_was_checked).is_err() {
        let checks = checks.load(Ordering::Relaxed);
        let why = if has_ipvs(&host)? {
            ""
        } else {
            ": this kernel has no IPVS, and without it keepalived makes none"
        };
        bail!("only {checks} checks were made{why}");
    }
    let pid = running.process().pid();
    let (cpu, made, from) = (tree::cost(pid).cpu, checks.load(Ordering::Relaxed), Instant::now());
    sleep(span);
    let (cost, passed) = (tree::cost(pid), from.elapsed());
    let made = checks.load(Ordering::Relaxed) - made;
    let each = cost.cpu.saturating_sub(cpu).as_secs_f64() * 1e6 / made.max(1) as f64;
    let mut said = format!(
        "{:.0} checks a second, {each:.1} µs each, memory (PSS) {} KiB",
        made as f64 / passed.as_secs_f64(),
        cost.pss_kib
    );
    if let Running::Keepwatchd(daemon) = &running
        && let Some(late) = late(daemon)?
    {
        write!(said, "; 99 of 100 begin at most {late} s late")?;
    }
    println!("  {:<10}  {said}", router.name());
    Ok(Cost { each, pss_kib: cost.pss_kib })
}

/// The bound, in seconds, of what 99 of 100 checks were late to begin.
fn late(daemon: &Keepwatchd) -> Result<Option<String>> {
    const BUCKET: &str = "keepwatch_check_start_delay_seconds_bucket{le=\"";
    let page = daemon.get("/metrics")?.body;
    let buckets: Vec<(&str, f64)> = page
        .lines()
        .filter_map(|line| line.strip_prefix(BUCKET)?.split_once("\"} "))
        .filter_map(|(bound, count)| Some((bound, count.parse().ok()?)))
        .collect();
    let Some((_, all)) = buckets.last() else { return Ok(None) };
    Ok(buckets.iter().find(|(_, count)| *count >= 0.99 * all).map(|(bound, _)| (*bound).to_owned()))
}

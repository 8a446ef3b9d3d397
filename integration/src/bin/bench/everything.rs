//! What it costs to tell of everything: the processor time of many virtual routers and 2000 checks a second while some
//! servers come and go, with everything on that tells, beside the same with everything off.

use std::{
    fmt::Write as _,
    fs,
    io::{Read, Write as _},
    net::{SocketAddr, TcpListener},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use integration::{
    Host, Lab, Process,
    aiosmtpd::Aiosmtpd,
    background::{Acceptor, Background},
    binaries,
    keepwatchd::Keepwatchd,
    process::tree,
    receiver::Receiver,
    snmpd::Snmpd,
    snmptrapd::Snmptrapd,
    wait,
};
use nix::libc::O_NONBLOCK;

use crate::load;

/// Virtual servers, and real servers of each: each real server is checked once a second.
const SERVERS: (u8, u8) = (100, 20);
/// Real servers that go and come: up for a second, down for a second.
const RESTLESS: u8 = 1;
/// Where they listen.
const STEADY_PORT: u16 = 8081;
const RESTLESS_PORT: u16 = 8082;
/// From one scrape to the next: as people usually have it, and as often as it can be asked for.
const SCRAPES: [Duration; 2] = [Duration::from_secs(15), Duration::from_secs(1)];
/// Each way is measured so often, in turn.
const ROUNDS: usize = 2;

/// What one run needed.
#[derive(Clone, Copy, Default)]
struct Cost {
    cpu: Duration,
    span: Duration,
    pss_kib: u64,
    checks: u64,
}

impl Cost {
    fn percent(self) -> f64 {
        100.0 * self.cpu.as_secs_f64() / self.span.as_secs_f64().max(0.001)
    }
}

/// Measures all ways in turn, and prints them with their ratios.
pub(crate) fn compare(instances: u32, span: Duration) -> Result<()> {
    let checks = u32::from(SERVERS.0) * u32::from(SERVERS.1);
    // A whole number of scrapes.
    let [usual, _] = SCRAPES;
    let span = usual * u32::try_from(span.as_secs().div_ceil(usual.as_secs()))?.max(2);
    println!(
        "{instances} virtual routers and {checks} checks a second for {} s, {ROUNDS} times with everything off and with \
         everything on: OTLP, SNMP with traps, mail, webhook, FIFO, history, log as JSON, metrics scraped",
        span.as_secs()
    );
    let ways = [None, Some(SCRAPES[0]), Some(SCRAPES[1])];
    let mut sums = [Duration::ZERO; 3];
    for _ in 0..ROUNDS {
        for (way, sum) in ways.into_iter().zip(&mut sums) {
            let cost = measure(instances, span, way)?;
            *sum += cost.cpu;
            println!(
                "  {:<20}  CPU {:.2} %, memory (PSS) {} KiB, {:.0} checks a second",
                way.map_or("off".to_owned(), |every| format!("on, scraped every {} s", every.as_secs())),
                cost.percent(),
                cost.pss_kib,
                cost.checks as f64 / cost.span.as_secs_f64()
            );
        }
    }
    let [off, usual, often] = sums.map(|sum| sum.as_secs_f64());
    println!(
        "  ratio of the processor times, on to off: {:.2}; scraped every second: {:.2}\n",
        usual / off.max(0.01),
        often / off.max(0.01)
    );
    Ok(())
}

fn measure(instances: u32, span: Duration, scrape: Option<Duration>) -> Result<Cost> {
    let lab = Lab::new("everything")?;
    let host = lab.host("a")?;
    for lan in 0..load::lans(instances) {
        let bridge = lab.bridge(&format!("lan{lan}"))?;
        let interface = format!("eth{lan}");
        host.plug(&interface, &bridge)?.address(&interface, &format!("10.{}.0.1/16", 78 + lan))?;
    }
    let checks = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&checks);
    let steady = SocketAddr::from(([0, 0, 0, 0], STEADY_PORT));
    let acceptor = Acceptor::start(&host, steady, "steady", move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    })?;
    // On a busy machine a second's checks may wait together: they are to be late, and not to fail.
    acceptor.let_wait(2 * u32::from(SERVERS.0) * u32::from(SERVERS.1))?;
    let told = if scrape.is_some() { Some(Told::start(&host)?) } else { None };
    let daemon = start(&host, instances, told.as_ref())?;
    let held = |lan| host.addresses(&format!("eth{lan}")).map_or(0, |all| all.len().saturating_sub(1));
    wait::until("all are master", 4 * wait::LONG, || {
        (0..load::lans(instances)).map(held).sum::<usize>() >= instances as usize
    })
    .with_context(|| daemon.log())?;
    sleep(Duration::from_secs(5));
    if let Some(told) = &told {
        told.settle()?;
    }
    let _restless = restless(&host)?;
    sleep(Duration::from_secs(3));
    let (before, counted, begun) = (tree::cost(daemon.pid()), checks.load(Ordering::Relaxed), Instant::now());
    let scraper = told.as_ref().zip(scrape).map(|(told, every)| told.scrape(&host, every)).transpose()?;
    sleep(span);
    drop(scraper);
    let (after, passed) = (tree::cost(daemon.pid()), begun.elapsed());
    if let Some(told) = &told {
        told.say()?;
    }
    Ok(Cost {
        cpu: after.cpu.saturating_sub(before.cpu),
        span: passed,
        pss_kib: after.pss_kib,
        checks: checks.load(Ordering::Relaxed) - counted,
    })
}

/// A port that somebody listens on every other second.
fn restless(host: &Host) -> Result<Background> {
    let host = host.clone();
    Background::start("restless", move |end| {
        while !end.is_near() {
            let at = SocketAddr::from(([0, 0, 0, 0], RESTLESS_PORT));
            let listener: Option<TcpListener> = host.listen(at).ok();
            sleep(Duration::from_secs(1));
            drop(listener);
            sleep(Duration::from_secs(1));
        }
    })
}

fn start(host: &Host, instances: u32, told: Option<&Told>) -> Result<Process> {
    let at = |name: &str| host.directory().join(name);
    let global = told.map(Told::global).unwrap_or_default();
    let mut text = load::config(instances, 200, "1", &global)?;
    text += &servers()?;
    text += if told.is_some() { Told::BLOCKS } else { "" };
    let config = host.file("keepwatch.conf", &text)?;
    let mut spawn = host
        .process("keepwatchd", binaries::path("keepwatchd")?)
        .args(["--dont-fork", "--no-syslog", "--dataplane", "memory", "--use-file"])
        .arg(config)
        .arg("--pid")
        .arg(at("keepwatchd.pid"))
        .arg("--control-socket")
        .arg(at("control.sock"));
    spawn = match told {
        None => spawn.args(["--history-file", "none", "--listen", "off"]),
        Some(_) => spawn
            .arg("--history-file")
            .arg(at("history.jsonl"))
            .arg("--log-file")
            .arg(at("log.json"))
            .args(["--log-format", "json"]),
    };
    spawn.start()
}

fn servers() -> Result<String> {
    let mut text = String::new();
    let mut service = |address: &str, reals: &str, count: u8, port: u16| -> Result<()> {
        writeln!(
            text,
            "virtual_server {address} 80 {{\n delay_loop 1\n lb_algo rr\n lb_kind NAT\n protocol TCP"
        )?;
        for number in 0..count {
            let checker = "TCP_CHECK {\n connect_timeout 5\n retry 0\n }";
            writeln!(text, " real_server {reals}.{} {port} {{\n {checker}\n }}", number + 1)?;
        }
        text += "}\n";
        Ok(())
    };
    for number in 0..SERVERS.0 {
        service(&format!("10.200.0.{number}"), &format!("127.1.{number}"), SERVERS.1, STEADY_PORT)?;
    }
    service("10.200.1.1", "127.2.0", RESTLESS, RESTLESS_PORT)?;
    Ok(text)
}

/// Everybody who is told.
struct Told {
    collector: Receiver,
    webhook: Receiver,
    snmpd: Snmpd,
    traps: Snmptrapd,
    mail: Aiosmtpd,
    fifo: PathBuf,
    lines: Arc<AtomicU64>,
    _reader: Background,
    log: PathBuf,
    scraped: Arc<AtomicU64>,
}

impl Told {
    /// Blocks of the configuration that have them told.
    const BLOCKS: &str = "observability {\n otlp {\n endpoint http://127.0.0.1:4318\n }\n \
                          webhook w {\n url http://127.0.0.1:4319/hook\n queue 100000\n }\n \
                          mail {\n group 10 1\n }\n}\n";

    fn start(host: &Host) -> Result<Self> {
        let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let traps = Snmptrapd::start(host)?;
        let snmpd = Snmpd::start_with(host, Snmptrapd::SINK)?;
        let fifo = host.directory().join("fifo");
        let lines = Arc::new(AtomicU64::new(0));
        Ok(Self {
            collector: Receiver::start(host, at(4318))?,
            webhook: Receiver::start(host, at(4319))?,
            mail: Aiosmtpd::start(host, at(2525))?,
            _reader: reader(&fifo, &lines)?,
            log: host.directory().join("log.json"),
            scraped: Arc::default(),
            snmpd,
            traps,
            fifo,
            lines,
        })
    }

    /// Lines of `global_defs` that have them told.
    fn global(&self) -> String {
        format!(
            "enable_snmp_vrrp\nenable_snmp_checker\nenable_snmp_rfc\nenable_traps\nsnmp_socket unix:{}\nnotify_fifo {}\n\
             notification_email {{\n admin@example.org\n}}\nnotification_email_from keepwatch@example.org\n\
             smtp_server 127.0.0.1 2525\nsmtp_alert true",
            self.snmpd.socket().display(),
            self.fifo.display()
        )
    }

    /// Waits until the start has been told everywhere.
    fn settle(&self) -> Result<()> {
        let told = || (self.webhook.taken().len(), self.mail.mails().len(), self.traps.traps().len());
        let mut before = told();
        wait::until("everybody has heard of the start", 8 * wait::LONG, || {
            sleep(Duration::from_secs(3));
            std::mem::replace(&mut before, told()) == before
        })
    }

    /// Scrapes as Prometheus does, at once and then again and again, until it is dropped.
    fn scrape(&self, host: &Host, every: Duration) -> Result<Background> {
        let at: SocketAddr = Keepwatchd::METRICS.parse()?;
        let (host, scraped) = (host.clone(), Arc::clone(&self.scraped));
        Background::start("scraper", move |end| {
            let mut next = Instant::now();
            while !end.is_near() {
                if Instant::now() < next {
                    sleep(Duration::from_millis(10));
                    continue;
                }
                next += every;
                if let Ok(bytes) = scrape(&host, at) {
                    scraped.store(bytes, Ordering::Relaxed);
                }
            }
        })
    }

    /// Says what came, and that something came everywhere.
    fn say(&self) -> Result<()> {
        let records = self.collector.taken().len();
        let counts = [
            ("bytes of a scrape", self.scraped.load(Ordering::Relaxed)),
            ("batches of OTLP", records as u64),
            ("posts", self.webhook.taken().len() as u64),
            ("notifications", self.traps.traps().len() as u64),
            ("mails", self.mail.mails().len() as u64),
            ("lines of the FIFO", self.lines.load(Ordering::Relaxed)),
            ("bytes of the log", fs::metadata(&self.log).map_or(0, |file| file.len())),
        ];
        let words: Vec<String> = counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
        println!("       told: {}", words.join(", "));
        let silent = counts.iter().find(|(_, count)| *count == 0);
        ensure!(silent.is_none(), "there are no {}", silent.map_or("", |(what, _)| what));
        Ok(())
    }
}

/// Reads a FIFO, once it is there, and counts its lines.
fn reader(fifo: &Path, lines: &Arc<AtomicU64>) -> Result<Background> {
    let (fifo, lines) = (fifo.to_owned(), Arc::clone(lines));
    Background::start("fifo", move |end| {
        let mut file = None;
        let mut buffer = [0; 65_536];
        while !end.is_near() {
            if file.is_none() {
                file = fs::OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(&fifo).ok();
            }
            let read = file.as_mut().and_then(|file| file.read(&mut buffer).ok()).unwrap_or(0);
            let ends = buffer.iter().take(read).filter(|byte| **byte == b'\n').count();
            lines.fetch_add(ends as u64, Ordering::Relaxed);
            if read == 0 {
                sleep(Duration::from_millis(100));
            }
        }
    })
}

/// How many bytes one answer has.
fn scrape(host: &Host, at: SocketAddr) -> Result<u64> {
    let mut stream = host.connect(at, wait::SHORT)?;
    stream.set_read_timeout(Some(wait::SHORT))?;
    write!(
        stream,
        "GET /metrics HTTP/1.1\r\nHost: {at}\r\nAccept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;\
         q=0.5,*/*;q=0.1\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"
    )?;
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(bytes),
            read => bytes += read as u64,
        }
    }
}

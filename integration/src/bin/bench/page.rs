//! What the status page costs: the first paint of a large one in a real browser, and the processor time of many open
//! pages while things change.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use integration::{
    Host, Lab,
    browser::{Browser, Setup},
    http,
    keepwatchd::Keepwatchd,
    process::tree,
    wait,
    web::WebServer,
};

use crate::load;

/// Virtual servers, and real servers of each.
const SERVERS: (u16, u16) = (100, 100);
/// Open pages.
const PAGES: usize = 50;

/// Measures and prints it.
pub(crate) fn measure(instances: u32, span: Duration) -> Result<()> {
    let (services, reals) = SERVERS;
    let lab = Lab::new("page")?;
    let host = lab.host("a")?;
    for lan in 0..load::lans(instances) {
        let bridge = lab.bridge(&format!("lan{lan}"))?;
        let interface = format!("eth{lan}");
        host.plug(&interface, &bridge)?.address(&interface, &format!("10.{}.0.1/16", 78 + lan))?;
    }
    let daemon = Keepwatchd::on(&host)
        .config(load::config(instances, 200, "1", "")? + &servers()?)
        .flags(&["--dataplane", "memory", "--no-syslog"])
        .start()?;
    let at: SocketAddr = Keepwatchd::METRICS.parse()?;
    let get = |path: &str| http::get(&host, at, path, Duration::from_secs(20));
    wait::until("all are master", 4 * wait::LONG, || {
        get("/").is_ok_and(|page| page.body.contains(&format!("<b>{instances}</b> MASTER")))
    })
    .with_context(|| daemon.process().log())?;
    // Real servers of this configuration do not exist: all of them have to be found out.
    wait::until("every server was looked at", 8 * wait::LONG, || {
        get("/").is_ok_and(|page| {
            page.body.contains(&format!("<b>1/{}</b> real servers up", services * reals + 1))
        }) || get("/").is_ok_and(|page| {
            page.body.contains(&format!("<b>0/{}</b> real servers up", services * reals + 1))
        })
    })?;
    println!("the page of {instances} virtual routers and {} real servers", services * reals);

    let mut made = Vec::new();
    for number in 0..20 {
        let began = Instant::now();
        // Each asks for something else, so that it is made anew.
        let page = get(&format!("/?servers=1&routers={number}"))?;
        made.push((began.elapsed(), page.body.len()));
    }
    made.sort();
    println!(
        "  made and sent in {:.1} ms (median of {}), {} KiB",
        ms(made[10].0),
        made.len(),
        made[10].1 / 1024
    );
    let browser = Browser::start(&host, Setup::default())?;
    browser.open(&format!("http://{at}/"))?;
    browser.wait_for("#live", "live")?;
    let paint = browser.run("return performance.getEntriesByName('first-contentful-paint')[0].startTime")?;
    println!("  first paint in Chromium after {:.0} ms", paint.as_f64().unwrap_or(f64::NAN));
    drop(browser);

    let alone = cpu(&host, &daemon, span, 0)?;
    let watched = cpu(&host, &daemon, span, PAGES)?;
    println!(
        "  a real server changes every second: {:.2} % of a core with no page open, {:.2} % with {PAGES}: {:.2} ms for \
         each of {} updates\n",
        alone.percent,
        watched.percent,
        (watched.percent - alone.percent).max(0.0) * 10.0 * span.as_secs_f64() / watched.words.max(1.0),
        watched.words
    );
    Ok(())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn servers() -> Result<String> {
    let mut text = String::new();
    let real = |text: &mut String, address: &str, port: u16| {
        writeln!(
            text,
            "    real_server {address} {port} {{\n        TCP_CHECK {{\n            connect_timeout 1\n            \
             retry 0\n        }}\n    }}"
        )
    };
    // The one that changes.
    writeln!(
        text,
        "virtual_server 10.200.255.1 80 {{\n    delay_loop 1\n    lb_algo rr\n    lb_kind NAT\n    protocol TCP"
    )?;
    real(&mut text, "127.0.0.1", 8081)?;
    text += "}\n";
    for service in 0..SERVERS.0 {
        writeln!(
            text,
            "virtual_server 10.200.0.{service} 80 {{\n    delay_loop 60\n    lb_algo rr\n    lb_kind NAT\n    protocol TCP"
        )?;
        for number in 0..SERVERS.1 {
            real(&mut text, &format!("127.1.{service}.{number}"), 9)?;
        }
        text += "}\n";
    }
    Ok(text)
}

struct Cost {
    percent: f64,
    /// Updates that one page was told of.
    words: f64,
}

/// What the daemon needs while a real server goes and comes every second and so many pages are open.
fn cpu(host: &Host, daemon: &Keepwatchd, span: Duration, pages: usize) -> Result<Cost> {
    let at: SocketAddr = Keepwatchd::METRICS.parse()?;
    let (over, words) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut open = Vec::new();
    for _ in 0..pages {
        let mut stream = host.connect(at, wait::SHORT)?;
        write!(stream, "GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        let (host, over, words) = (host.clone(), Arc::clone(&over), Arc::clone(&words));
        open.push(thread::spawn(move || {
            let mut lines = BufReader::new(stream);
            let mut line = String::new();
            while !over.load(Ordering::Relaxed) {
                // A second without a word is no error.
                let _ = lines.read_line(&mut line);
                if !line.ends_with('\n') {
                    continue;
                }
                if line.starts_with("data: ") {
                    words.fetch_add(1, Ordering::Relaxed);
                    if line.contains("\"again\":true") {
                        let _ = http::get(&host, at, "/", Duration::from_secs(5));
                    }
                }
                line.clear();
            }
        }));
    }
    let mut web = None;
    let toggle = |web: &mut Option<WebServer>| -> Result<()> {
        *web = match web.take() {
            Some(_) => None,
            None => Some(WebServer::start(host, SocketAddr::from(([127, 0, 0, 1], 8081)), "here")?),
        };
        Ok(())
    };
    toggle(&mut web)?;
    thread::sleep(Duration::from_secs(3));
    words.store(0, Ordering::Relaxed);
    let before = tree::cost(daemon.process().pid()).cpu;
    let began = Instant::now();
    while began.elapsed() < span {
        toggle(&mut web)?;
        thread::sleep(Duration::from_secs(1));
    }
    let (used, passed) = (tree::cost(daemon.process().pid()).cpu.saturating_sub(before), began.elapsed());
    over.store(true, Ordering::Relaxed);
    for page in open {
        let _ = page.join();
    }
    let words = words.load(Ordering::Relaxed) as f64 / pages.max(1) as f64;
    Ok(Cost { percent: 100.0 * used.as_secs_f64() / passed.as_secs_f64(), words })
}

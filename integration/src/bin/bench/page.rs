//! What the status page costs: the first paint of a large one in a real browser, and the processor time of many open
//! pages while things change. And how long a scrape takes.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime},
};

use anyhow::Result;
use integration::{
    Host,
    browser::{Browser, Setup},
    wait,
};

use crate::house::{House, While, ms};

/// Open pages.
const PAGES: usize = 50;
/// How long after a word that asks for it a page is fetched, and how often without one: as the page's script has it.
const SOON: Duration = Duration::from_millis(150);
const AGAIN: Duration = Duration::from_secs(30);
/// How often the page is painted.
const PAINTS: usize = 5;
/// How often it is scraped in each way.
const SCRAPES: usize = 10;

/// Measures and prints it.
pub(crate) fn measure(instances: u32, span: Duration) -> Result<()> {
    let mut house = House::new("page", instances)?;
    println!("the page of {instances} virtual routers and {} real servers", House::SERVERS);

    let mut made = Vec::new();
    for number in 0..20 {
        let began = Instant::now();
        // Each asks for something else, so that it is made anew.
        let page = house.get(&format!("/?servers=1&routers={number}"))?;
        made.push((began.elapsed(), page.body.len()));
    }
    made.sort();
    let packed = fetch(&house.host, house.at()?)?;
    println!(
        "  made and sent in {:.1} ms (median of {}), {} KiB, {} KiB packed",
        ms(made[10].0),
        made.len(),
        made[10].1 / 1024,
        packed / 1024
    );
    scrapes(&house)?;
    let browser = Browser::start(&house.host, Setup::default())?;
    let mut paints = Vec::new();
    for _ in 0..PAINTS {
        browser.open(&format!("http://{}/", house.at()?))?;
        browser.wait_for("#live", "live")?;
        // The browser may be a moment behind with its own account.
        let paint = wait::value("the first paint", wait::LONG, || {
            let script =
                "return performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null";
            browser.run(script).ok()?.as_f64()
        })?;
        paints.push(paint);
    }
    drop(browser);
    println!("  first paint in Chromium after {paints:.0?} ms");

    let second = Duration::from_secs(1);
    compare(&mut house, span, "a real server changes every second", 0, |house| {
        house.toggle()?;
        thread::sleep(second);
        Ok(())
    })?;
    compare(
        &mut house,
        span,
        "a LAN of 250 virtual routers goes and comes every five seconds",
        1,
        |house| {
            house.host.down("eth0")?;
            thread::sleep(5 * second);
            house.host.up("eth0")?;
            thread::sleep(5 * second);
            Ok(())
        },
    )?;
    println!();
    Ok(())
}

/// How long a scrape takes, from the question to its last byte: as text; packed, of which the first one packs everything and
/// the others what has changed since.
fn scrapes(house: &House) -> Result<()> {
    let (text, length) = scrape(house, "identity")?;
    let (packed, packed_length) = scrape(house, "gzip")?;
    let median = |times: &[Duration]| {
        let mut times = times.to_vec();
        times.sort();
        times.get(times.len() / 2).copied().map_or(f64::NAN, ms)
    };
    println!(
        "  scraped in {:.1} ms, {} KiB; packed in {:.1} ms, {} KiB, the first in {:.1} ms (medians of {SCRAPES})",
        median(&text),
        length / 1024,
        median(packed.get(1..).unwrap_or_default()),
        packed_length / 1024,
        packed.first().copied().map_or(f64::NAN, ms)
    );
    Ok(())
}

fn scrape(house: &House, encoding: &str) -> Result<(Vec<Duration>, usize)> {
    let (mut times, mut length) = (Vec::new(), 0);
    for _ in 0..=SCRAPES {
        let began = Instant::now();
        let mut stream = house.host.connect(house.at()?, wait::SHORT)?;
        stream.set_read_timeout(Some(wait::SHORT))?;
        write!(
            stream,
            "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: application/openmetrics-text;version=1.0.0\r\n\
             Accept-Encoding: {encoding}\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = Vec::new();
        length = stream.read_to_end(&mut answer)?;
        times.push(began.elapsed());
        // What was written lately is given to whoever asks.
        thread::sleep(Duration::from_millis(500));
    }
    Ok((times, length))
}

/// What the daemon needs while something happens, without an open page and with many; adverts of the first `quiet` LANs
/// may be missing.
fn compare(
    house: &mut House,
    span: Duration,
    what: &str,
    quiet: usize,
    mut act: impl FnMut(&mut House) -> Result<()>,
) -> Result<()> {
    let (alone, _) = cpu(house, span, 0, &mut act)?;
    let (watched, words) = cpu(house, span, PAGES, &mut act)?;
    let gap = |cost: &While| cost.gaps.iter().skip(quiet).max().map_or(f64::NAN, |gap| ms(*gap));
    let more = (watched.percent() - alone.percent()).max(0.0);
    println!(
        "  {what}: {:.2} % of a core with no page open, {:.2} % with {PAGES}: {:.2} ms for each of {words:.0} updates\n             largest time between two adverts of one virtual router (advert_int 1 s): {:.0} ms and {:.0} ms",
        alone.percent(),
        watched.percent(),
        more * 10.0 * watched.passed.as_secs_f64() / words.max(1.0),
        gap(&alone),
        gap(&watched)
    );
    Ok(())
}

/// What the daemon needs while something happens and so many pages are open; and of how many updates each of them was
/// told.
fn cpu(
    house: &mut House,
    span: Duration,
    pages: usize,
    act: impl FnMut(&mut House) -> Result<()>,
) -> Result<(While, f64)> {
    let (over, words) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let open: Vec<JoinHandle<()>> = (0..pages)
        .map(|_| open(&house.host, house.at()?, Arc::clone(&over), Arc::clone(&words)))
        .collect::<Result<_>>()?;
    house.toggle()?;
    thread::sleep(Duration::from_secs(3));
    words.store(0, Ordering::Relaxed);
    let cost = house.watch(span, act)?;
    over.store(true, Ordering::Relaxed);
    let told = words.load(Ordering::Relaxed) as f64 / pages.max(1) as f64;
    for page in open {
        let _ = page.join();
    }
    Ok((cost, told))
}

/// Opens a page and does what its script does, but for showing it.
fn open(host: &Host, at: SocketAddr, over: Arc<AtomicBool>, words: Arc<AtomicU64>) -> Result<JoinHandle<()>> {
    let mut stream = host.connect(at, wait::SHORT)?;
    write!(stream, "GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    stream.set_read_timeout(Some(Duration::from_millis(50)))?;
    let host = host.clone();
    Ok(thread::spawn(move || {
        let (mut lines, mut line) = (BufReader::new(stream), String::new());
        let (mut wanted, mut next) = (Some(Instant::now() + SOON), Instant::now() + until_again());
        while !over.load(Ordering::Relaxed) {
            if wanted.is_some_and(|at| at <= Instant::now()) || next <= Instant::now() {
                wanted = None;
                next = Instant::now() + until_again();
                let _ = fetch(&host, at);
            }
            // A while without a word is no error.
            let _ = lines.read_line(&mut line);
            if !line.ends_with('\n') {
                continue;
            }
            if line.starts_with("data: ") {
                words.fetch_add(1, Ordering::Relaxed);
                if line.contains("\"again\":true") {
                    wanted.get_or_insert_with(|| Instant::now() + SOON);
                }
            }
            line.clear();
        }
    }))
}

/// All pages fetch themselves at the same moments.
fn until_again() -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    AGAIN - Duration::from_nanos(u64::try_from(now.as_nanos() % AGAIN.as_nanos()).unwrap_or(0))
}

/// The page as a browser gets it, packed: how long it was.
fn fetch(host: &Host, at: SocketAddr) -> Result<usize> {
    let mut stream = host.connect(at, wait::SHORT)?;
    stream.set_read_timeout(Some(wait::SHORT))?;
    write!(
        stream,
        "GET / HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    Ok(stream.read_to_end(&mut answer)?)
}

//! The status page in a real browser: it shows a failover without being loaded anew, leads from an event to what caused
//! it, and filters; and it does the same where scripts are forbidden. And what there is for a terminal.

use std::{
    io::{BufRead, BufReader, Write},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use integration::{
    Host, Instance, Lab,
    browser::{Browser, Setup},
    capture,
    conf::{self, VIP},
    keepwatchd::Keepwatchd,
    pair::OURS,
    wait,
    web::WebServer,
};

mod pictures;
mod top;

const PAGE: &str = "http://127.0.0.1:9165/";
const ROUTER: &str = "tr[data-k='router VI_1']";
const DEAD: &str = "tr[data-k$=' 127.0.0.1:8082']";

/// Two directors; the second one, which is looked at, has a real server that lives and one that does not.
struct Scene {
    _lab: Lab,
    first: Keepwatchd,
    _second: Keepwatchd,
    _web: WebServer,
    host: Host,
}

impl Scene {
    fn new(name: &str) -> Result<Self> {
        let lab = Lab::new(name)?;
        let (_lan, hosts) = lab.routers(2)?;
        let host = hosts[1].clone();
        let web = WebServer::start(&host, "127.0.0.1:8081".parse()?, "one")?;
        let instance = |priority| Instance::new("VI_1").priority(priority).interval("0.3").version_3("");
        let first = Keepwatchd::on(&hosts[0]).config(instance(150)).flag("--vrrp").start()?;
        // Or the second may be master for a moment too.
        wait::until("the first is master", wait::LONG, || hosts[0].has("eth0", VIP))?;
        let reals = conf::real_server("127.0.0.1:8081", "") + &conf::real_server("127.0.0.1:8082", "");
        let config = instance(100) + &conf::virtual_server(&reals);
        let second = Keepwatchd::on(&host).config(config).flags(&["--dataplane", "memory"]).start()?;
        wait::until("the first is master and the second knows it", wait::LONG, || {
            hosts[0].has("eth0", VIP)
                && second.answer(&["status"]).is_ok_and(|s| s.contains("master is 10.78.0.1"))
        })
        .with_context(|| second.process().log())?;
        Ok(Self { _lab: lab, first, _second: second, _web: web, host })
    }
}

/// What a reader does, and sees, from before a failover to its cause and to what a filter leaves.
fn look(browser: &Browser) -> Result<()> {
    browser.open(PAGE)?;
    browser.wait_for(ROUTER, "BACKUP")?;
    browser.wait_for(DEAD, "down")?;
    browser.wait_for(ROUTER, "10.78.0.1").context("the master is named")?;
    wait::until("its timeline shows a backup", wait::LONG, || {
        browser.all(&format!("{ROUTER} svg.line rect.t-calm")).is_ok_and(|bars| bars.len() == 1)
    })
}

/// Opens the page of the first event, among the last ones, whose line has `text` in it. The page may write its rows anew
/// at any moment, so a row that is gone is looked for again.
fn open_event(browser: &Browser, text: &str) -> Result<()> {
    wait::until(&format!("the page of {text:?} is open"), wait::LONG, || {
        let follow = || -> Result<()> {
            for event in browser.all("#events tr")? {
                // Those that followed name it as their cause.
                if event.text()?.split("because of").next().is_some_and(|line| line.contains(text)) {
                    let number = event.attribute("id")?.context("an event has a number")?;
                    return browser.one(&format!("#events tr#{number} a"))?.click();
                }
            }
            Ok(())
        };
        let there = || browser.address().is_ok_and(|address| address.contains("/event/"));
        there() || (follow().is_ok() && there())
    })
}

fn follow_the_cause(browser: &Browser) -> Result<()> {
    open_event(browser, "(VI_1) Entering MASTER STATE")?;
    // What follows may still be happening; the page goes on with it.
    wait::until("it leads from the cause to the effect, and on to the address", wait::LONG, || {
        let chain = browser.text("ol.chain");
        let place = |text| chain.find(text);
        let (cause, effect) = (place("Receive advertisement timeout"), place("Entering MASTER STATE"));
        cause.is_some() && cause < effect && effect < place(VIP)
    })
    .with_context(|| browser.text("body"))
}

#[test]
fn a_page_that_is_open_shows_a_failover_and_leads_to_its_cause() -> Result<()> {
    let mut scene = Scene::new("page-live")?;
    let browser = Browser::start(&scene.host, Setup::default())?;
    look(&browser)?;
    browser.wait_for("#live", "live")?;
    browser.run("window.same = true")?;
    scene.first.process_mut().kill();
    browser.wait_for(ROUTER, "MASTER")?;
    browser.wait_for("#events", "(VI_1) Entering MASTER STATE")?;
    browser.wait_for("#summary", "1\nMASTER")?;
    wait::until("its timeline shows a master after a backup", wait::LONG, || {
        browser.all(&format!("{ROUTER} svg.line rect.t-good")).is_ok_and(|bars| bars.len() == 1)
    })?;
    ensure!(browser.run("return window.same")? == true, "the page was loaded anew");
    let zone = browser.run("return document.querySelector('#events time').textContent")?;
    ensure!(!zone.as_str().context("no time")?.contains("UTC"), "times are the reader's: {zone}");

    browser.one("input[name=q]")?.write("8082")?;
    wait::until("the filter leaves one real server", wait::LONG, || {
        browser.all("tr[data-k]").is_ok_and(|rows| rows.len() == 2) && !browser.text(DEAD).is_empty()
    })
    .with_context(|| browser.text("body"))?;
    ensure!(browser.address()?.ends_with("/?q=8082"), "it can be kept: {}", browser.address()?);
    ensure!(browser.run("return window.same")? == true, "the page was loaded anew");
    let errors =
        browser.run("return performance.getEntriesByType('resource').map(r => new URL(r.name).host)")?;
    let elsewhere = errors.as_array().into_iter().flatten().filter(|host| *host != "127.0.0.1:9165").count();
    ensure!(elsewhere == 0, "something was loaded from elsewhere: {errors}");

    browser.open(PAGE)?;
    browser.wait_for("#events", "(VI_1) Entering MASTER STATE")?;
    follow_the_cause(&browser)
}

#[test]
fn without_scripts_the_page_does_the_same() -> Result<()> {
    let mut scene = Scene::new("page-plain")?;
    let browser = Browser::start(&scene.host, Setup { scripts: false, ..Setup::default() })?;
    look(&browser)?;
    ensure!(browser.text("#live").is_empty(), "no script ran");
    scene.first.process_mut().kill();
    browser.wait_for(ROUTER, "MASTER")?;
    ensure!(browser.text("#events").contains("UTC"), "times are in UTC");

    browser.one("input[name=q]")?.write("8082\n")?;
    wait::until("the filter leaves one real server", wait::LONG, || {
        browser.all("tr[data-k]").is_ok_and(|rows| rows.len() == 2) && !browser.text(DEAD).is_empty()
    })
    .with_context(|| browser.text("body"))?;
    browser.open(PAGE)?;
    browser.wait_for("#events", "(VI_1) Entering MASTER STATE")?;
    follow_the_cause(&browser)
}

#[test]
fn a_page_that_is_open_outlives_a_restart() -> Result<()> {
    let lab = Lab::new("page-restart")?;
    let (_lan, mut hosts) = lab.routers(1)?;
    let host = hosts.remove(0);
    let start = |more: &str| {
        let config = Instance::new("VI_1").interval("0.3").version_3("") + more;
        Keepwatchd::on(&host).config(config).flags(&["--dataplane", "memory"]).start()
    };
    let mut daemon = start("")?;
    let browser = Browser::start(&host, Setup::default())?;
    browser.open(PAGE)?;
    browser.wait_for("#live", "live")?;
    browser.wait_for(ROUTER, "MASTER")?;
    browser.run("window.same = true")?;
    daemon.process_mut().stop(wait::LONG)?;
    browser.wait_for("#live", "no answer")?;
    let other = Instance::new("VI_2").vrid(52).interval("0.3").vip("10.78.9.12");
    let _daemon = start(&other.to_string())?;
    browser.wait_for("#live", "live")?;
    browser.wait_for("tr[data-k='router VI_2']", "MASTER")?;
    // Of the time between the two runs nobody knows.
    wait::until("the timeline goes on after a gap", wait::LONG, || {
        browser.all(&format!("{ROUTER} svg.line rect.t-good")).is_ok_and(|bars| bars.len() == 2)
    })
    .with_context(|| browser.text("body"))?;
    ensure!(browser.run("return window.same")? == true, "the page was loaded anew");
    Ok(())
}

/// Pages that are open at a time.
const OPEN: usize = 50;

#[test]
fn fifty_open_pages_are_told_everything_and_delay_no_advert() -> Result<()> {
    let lab = Lab::new("page-many")?;
    let (lan, mut hosts) = lab.routers(1)?;
    let (wire, host) = (lan.capture()?, hosts.remove(0));
    let config = Instance::new("VI_1").interval("0.5").version_3("")
        + &conf::virtual_server(&conf::real_server("127.0.0.1:8081", ""));
    let daemon = Keepwatchd::on(&host).config(config).flags(&["--dataplane", "memory"]).start()?;
    wait::until("it is master", wait::LONG, || host.has("eth0", VIP))
        .with_context(|| daemon.process().log())?;
    let mut pages = Vec::new();
    for _ in 0..OPEN {
        let mut page = host.connect(Keepwatchd::METRICS.parse()?, wait::SHORT)?;
        write!(page, "GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        page.set_read_timeout(Some(wait::LONG))?;
        pages.push(BufReader::new(page));
    }
    let state = |value: f64| {
        wait::until(&format!("the real server's state is {value}"), wait::LONG, || {
            daemon.metric("keepwatch_real_server_up", &[]) == Some(value)
        })
    };
    let since = capture::now();
    for _ in 0..2 {
        let web = WebServer::start(&host, "127.0.0.1:8081".parse()?, "one")?;
        state(1.0)?;
        drop(web);
        state(0.0)?;
    }
    for page in &mut pages {
        let told = |line: &str| line.starts_with("data: ") && line.contains("Removing service");
        let mut line = String::new();
        while !told(&line) {
            line.clear();
            ensure!(page.read_line(&mut line)? > 0, "the stream has ended");
        }
    }
    // A peer would take over after three intervals.
    wire.is_in_time(OURS, since, 3 * Duration::from_millis(500))
}

//! A large house for whoever is to look at it: one daemon with many virtual routers, ten thousand real servers that do not
//! exist, and one that comes and goes.

use std::{
    collections::HashMap,
    fmt::Write as _,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use integration::{Capture, Host, Lab, http, keepwatchd::Keepwatchd, process::tree, wait, web::WebServer};

use crate::load;

/// Virtual servers, and real servers of each.
const SERVERS: (u16, u16) = (100, 100);

/// The house.
pub(crate) struct House {
    _lab: Lab,
    pub(crate) host: Host,
    pub(crate) daemon: Keepwatchd,
    /// What is on each LAN.
    wires: Vec<Capture>,
    /// The real server that comes and goes, while it is there.
    web: Option<WebServer>,
}

/// What a while has cost.
#[derive(Debug, Clone)]
pub(crate) struct While {
    /// Processor time of the daemon.
    pub(crate) cpu: Duration,
    pub(crate) passed: Duration,
    /// The largest time between two adverts of one virtual router, on each LAN.
    pub(crate) gaps: Vec<Duration>,
}

impl While {
    /// Of one core.
    pub(crate) fn percent(&self) -> f64 {
        100.0 * self.cpu.as_secs_f64() / self.passed.as_secs_f64()
    }
}

impl House {
    /// How many real servers there are, but for the one that comes and goes.
    pub(crate) const SERVERS: u32 = SERVERS.0 as u32 * SERVERS.1 as u32;

    /// Starts it, and waits until every virtual router is master and every real server is known to be down.
    pub(crate) fn new(name: &str, instances: u32) -> Result<Self> {
        let lab = Lab::new(name)?;
        let host = lab.host("a")?;
        let mut wires = Vec::new();
        for lan in 0..load::lans(instances) {
            let bridge = lab.bridge(&format!("lan{lan}"))?;
            let interface = format!("eth{lan}");
            host.plug(&interface, &bridge)?.address(&interface, &format!("10.{}.0.1/16", 78 + lan))?;
            wires.push(bridge.capture()?);
        }
        let daemon = Keepwatchd::on(&host)
            .config(load::config(instances, 200, "1", "")? + &servers()?)
            .flags(&["--dataplane", "memory", "--no-syslog"])
            .start()?;
        let house = Self { _lab: lab, host, daemon, wires, web: None };
        let says = |text: &str| house.get("/").is_ok_and(|page| page.body.contains(text));
        wait::until("all are master", 4 * wait::LONG, || says(&format!("<b>{instances}</b> MASTER")))
            .with_context(|| house.daemon.process().log())?;
        let known = format!("/{}</b> real servers up", Self::SERVERS + 1);
        wait::until("every server was looked at", 8 * wait::LONG, || {
            says(&format!("<b>1{known}")) || says(&format!("<b>0{known}"))
        })?;
        Ok(house)
    }

    /// Where the page is.
    pub(crate) fn at(&self) -> Result<SocketAddr> {
        Ok(Keepwatchd::METRICS.parse()?)
    }

    /// A page, not packed.
    pub(crate) fn get(&self, path: &str) -> Result<http::Response> {
        http::get(&self.host, self.at()?, path, Duration::from_secs(20))
    }

    /// Lets the one real server go, or come back.
    pub(crate) fn toggle(&mut self) -> Result<()> {
        self.web = match self.web.take() {
            Some(_) => None,
            None => Some(WebServer::start(&self.host, SocketAddr::from(([127, 0, 0, 1], 8081)), "here")?),
        };
        Ok(())
    }

    /// What the daemon needs for so long while `act` is done again and again.
    pub(crate) fn watch(
        &mut self,
        span: Duration,
        mut act: impl FnMut(&mut Self) -> Result<()>,
    ) -> Result<While> {
        self.wires.iter().for_each(Capture::clear);
        let cost = |house: &Self| tree::cost(house.daemon.process().pid()).cpu;
        let (before, began) = (cost(self), Instant::now());
        while began.elapsed() < span {
            act(self)?;
        }
        let (cpu, passed) = (cost(self).saturating_sub(before), began.elapsed());
        Ok(While { cpu, passed, gaps: self.wires.iter().map(largest_gap).collect() })
    }
}

/// The largest time between two adverts of one virtual router.
fn largest_gap(wire: &Capture) -> Duration {
    let (mut last, mut largest) = (HashMap::new(), Duration::ZERO);
    for (at, advert) in wire.adverts() {
        if let Some(before) = last.insert(advert.vrid, at) {
            largest = largest.max(at.saturating_sub(before));
        }
    }
    largest
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

/// In milliseconds.
pub(crate) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

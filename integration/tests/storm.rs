//! A storm: every virtual router and every real server goes and comes, again and again, with everything on that tells.
//! An hour of one change of all every ten seconds is 360 rounds; it is played as fast as virtual routers elect, in an
//! ordinary run a part of it, all of it with `KEEPWATCH_FULL`. Memory stays flat, the history bounded, no advert is late,
//! and whoever tells has told of each event, or has counted that it is lost.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use integration::{
    Capture, Host, Instance, Lab, aiosmtpd::Aiosmtpd, amount, capture, capture::frame::Advert, conf,
    keepwatchd::Keepwatchd, process::tree, receiver::Receiver, snmpd::Snmpd, snmptrapd::Snmptrapd, wait,
};

#[path = "storm/books.rs"]
mod books;

use books::Books;

/// The virtual router that stays, and how often it advertises: seldom enough that a busy machine alone never makes a
/// peer take over.
const CALM: u8 = 51;
const INTERVAL: Duration = Duration::from_millis(500);
/// How often the others do.
const OFTEN: Duration = Duration::from_millis(100);
/// What the history may take, in memory and on disk.
const EVENTS: u64 = 2000;
const BYTES: u64 = 256 << 10;

/// The host, and everybody who is told.
struct Scene {
    host: Host,
    wire: Capture,
    collector: Receiver,
    webhook: Receiver,
    snmpd: Snmpd,
    traps: Snmptrapd,
    mail: Aiosmtpd,
    fifo: books::Fifo,
    routers: u32,
}

impl Scene {
    fn new(routers: u32) -> Result<Self> {
        let (lan, mut hosts) = Lab::new("storm")?.routers(1)?;
        let host = hosts.remove(0);
        let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let traps = Snmptrapd::start(&host)?;
        let snmpd = Snmpd::start_with(&host, Snmptrapd::SINK)?;
        let scene = Self {
            wire: lan.capture()?,
            collector: Receiver::start(&host, at(4318))?,
            webhook: Receiver::start(&host, at(4319))?,
            mail: Aiosmtpd::start(&host, at(2525))?,
            fifo: books::Fifo::read(host.directory().join("fifo"))?,
            host,
            snmpd,
            traps,
            routers,
        };
        scene.all_well(true)?;
        Ok(scene)
    }

    /// What all virtual routers and real servers follow.
    fn all_well(&self, well: bool) -> Result<()> {
        let (file, new) = (self.host.directory().join("file"), self.host.directory().join("file.new"));
        fs::write(&new, if well { "0\n" } else { "1\n" })?;
        fs::rename(new, file).context("replace the file")
    }

    fn config(&self, servers: u32) -> String {
        let at = |name: &str| self.host.directory().join(name).display().to_string();
        let global = format!(
            "enable_snmp_vrrp\nenable_snmp_checker\nenable_traps\nsnmp_socket unix:{}\nnotify_fifo {}\n\
             notification_email {{\n admin@example.org\n}}\nnotification_email_from keepwatch@example.org\n\
             smtp_server 127.0.0.1 2525\nsmtp_alert true\nvrrp_garp_master_delay 0",
            self.snmpd.socket().display(),
            at("fifo")
        );
        let mut text = conf::global_defs(3, &global)
            + &format!("track_file f {{\n file {}\n weight 0\n}}\n", at("file"))
            + &format!(
                "observability {{\n otlp {{\n endpoint http://127.0.0.1:4318\n }}\n webhook w {{\n url \
                 http://127.0.0.1:4319/\n queue 200\n }}\n mail {{\n group 5 1\n queue {}\n }}\n history {{\n events {EVENTS}\n \
                 max_bytes {BYTES}\n }}\n}}\n",
                at("mails")
            )
            + &Instance::new("CALM").vrid(CALM).interval("0.5").line("smtp_alert off").to_string();
        for number in 0..self.routers {
            let instance = Instance::new(&format!("VI_{number}"))
                .vrid(u8::try_from(100 + number).unwrap_or(u8::MAX))
                .interval("0.1")
                .vip(&format!("10.78.8.{}/32", number + 1))
                .line("track_file {\n f\n }");
            text += &instance.to_string();
        }
        let reals: String = (0..servers)
            .map(|number| {
                format!("real_server 10.79.0.{} 80 {{\n FILE_CHECK {{\n track_file f\n }}\n }}\n", number + 1)
            })
            .collect();
        text + &conf::virtual_server(&reals)
    }

    /// How many of the virtual addresses that go and come are here.
    fn held(&self) -> usize {
        let all = self.host.addresses("eth0").unwrap_or_default();
        all.iter().filter(|address| address.to_string().starts_with("10.78.8.")).count()
    }

    /// Everything goes, and comes again.
    fn blow(&self) -> Result<()> {
        self.all_well(false)?;
        wait::until("no address is left", wait::LONG, || self.held() == 0)?;
        self.all_well(true)?;
        wait::until("every address is back", wait::LONG, || self.held() == self.routers as usize)
    }

    /// No advert was late, of the virtual router that stays nor of those that go and come: from one to the next, unless it
    /// was the last of a master, it took no longer than an interval and a half, and what the machine was late just then.
    fn no_advert_late(&self, since: Duration) -> Result<()> {
        let mut last: BTreeMap<u8, Duration> = BTreeMap::new();
        let (mut adverts, mut excused, mut worst) = (0, 0, Duration::ZERO);
        for (at, Advert { vrid, priority, .. }) in self.wire.adverts_since(integration::pair::OURS, since) {
            adverts += 1;
            let before = if priority > 0 { last.insert(vrid, at) } else { last.remove(&vrid) };
            let Some(before) = before else { continue };
            let interval = if vrid == CALM { INTERVAL } else { OFTEN };
            let late = at.saturating_sub(before).saturating_sub(interval);
            if late < interval / 2 {
                worst = worst.max(late);
                continue;
            }
            let allowance = self.wire.machine().allowance_between(before, at);
            ensure!(
                late < interval / 2 + allowance,
                "an advert of the virtual router with the id {vrid} was {late:?} late, and the machine {allowance:?}"
            );
            excused += 1;
        }
        ensure!(last.contains_key(&CALM), "there are no adverts of the virtual router that stays");
        println!(
            "{adverts} adverts, {excused} of them late because the machine was, the others no more than {worst:?}"
        );
        Ok(())
    }
}

#[test]
fn a_storm_of_an_hour_is_told_whole_and_costs_no_memory() -> Result<()> {
    let (rounds, routers, servers) = (amount(12, 360), amount(10, 50), amount(20, 100));
    let scene = Scene::new(routers)?;
    let log = scene.host.directory().join("log.json");
    let daemon = Keepwatchd::on(&scene.host)
        .config(scene.config(servers))
        .variable("OTEL_BSP_SCHEDULE_DELAY", "200")
        .flags(&["--dataplane", "memory", "--log-format", "json", "--no-syslog", "--log-file"])
        .flag(log.display().to_string())
        .start()?;
    daemon.wait_for_control()?;
    wait::until("all are master", wait::LONG, || scene.held() == routers as usize)
        .with_context(|| daemon.process().log())?;
    let (since, begun) = (capture::now(), Instant::now());
    let size = || tree::cost(daemon.process().pid()).pss_kib;
    let mut before = 0;
    for round in 0..rounds {
        scene.blow().with_context(|| format!("round {round}: {}", daemon.process().log()))?;
        // When everything that is bounded is full.
        if round == rounds / 3 {
            before = size();
        }
        if round % 60 == 59 {
            println!("round {round}: {} KiB, {} events wait", size(), books::waiting(&daemon)?);
        }
    }
    println!("{rounds} rounds in {:.1} s", begun.elapsed().as_secs_f64());
    scene.no_advert_late(since)?;

    let books = Books { scene: &scene, daemon: &daemon, log: &log };
    // On a busy machine a good deal of it may still be before the hub.
    wait::until("every event is taken in", 10 * wait::LONG, || {
        std::thread::sleep(Duration::from_millis(300));
        books.sum("keepwatch_bus_backlog").is_ok_and(|waiting| waiting == 0.0)
    })?;
    let mut wrong = String::new();
    wait::until("the counts of all who tell add up", 3 * wait::LONG, || match books.balance() {
        Ok(told) => {
            println!("{told}");
            true
        }
        Err(error) => {
            wrong = format!("{error:#}");
            std::thread::sleep(Duration::from_millis(300));
            false
        }
    })
    .with_context(|| wrong)?;
    // In a short run some of what is bounded still fills. What events took that waited on a busy machine is given back when
    // that is over.
    let (mut after, bound) = (0, before + before / 4 + 4096);
    wait::until("memory is given back", wait::LONG, || {
        after = size();
        after < bound
    })
    .with_context(|| format!("memory grew from {before} to {after} KiB"))?;
    println!("memory (PSS): {before} KiB after a third, {after} KiB at the end");
    books.late_adverts_are_the_machine_s()
}

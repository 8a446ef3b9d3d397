//! What must not matter to failover: everything that only watches, and everybody who means harm. We are the master at
//! 0.1 s with Debian's keepalived as the backup; while something goes wrong, our adverts still leave on time and the
//! backup never takes over.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write,
    net::{Ipv4Addr, SocketAddr},
    os::unix::net::UnixStream,
    path::Path,
    thread::sleep,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use integration::{
    Host, Instance, Pair, capture,
    conf::VIP,
    hostile,
    keepalived::Keepalived,
    keepwatchd::{self, Keepwatchd},
    pair::{OURS, THEIRS},
    snmpd::{self, Snmpd},
    wait,
};
use nix::sys::signal::Signal;

#[path = "hostile/masters.rs"]
mod masters;

use masters::{Manner, Masters};

/// One and a half times advert_int.
const ON_TIME: Duration = Duration::from_millis(150);
/// How much later than that an advert must be for the backup to take over: two and a half intervals.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long each trouble lasts.
const SPAN: Duration = Duration::from_secs(8);

/// A master under trouble, its backup, and a third machine.
struct Scene {
    pair: Pair,
    third: Host,
}

impl Scene {
    fn new(name: &str) -> Result<Self> {
        let pair = Pair::new(name)?;
        let third = pair.lan.router(3)?;
        Ok(Self { pair, third })
    }

    fn ours(&self) -> &Host {
        &self.pair.ours
    }

    /// Our daemon with these lines in `global_defs`, not yet started.
    fn keepwatchd(&self, global: &str, instance: Instance) -> keepwatchd::Settings {
        let instance = instance.priority(200).interval("0.1");
        Keepwatchd::on(self.ours()).config(instance.version_3(global))
    }

    fn backup(&self) -> Result<Keepalived> {
        let backup = self.pair.keepalived(Instance::new("VI_1").interval("0.1").version_3(""))?;
        wait::until("we are master", wait::LONG, || {
            self.pair.wire.adverts_from(OURS).len() > 10 && self.ours().has("eth0", VIP)
        })?;
        sleep(Duration::from_secs(1));
        Ok(backup)
    }

    /// Ours, served through an snmpd, with a backup; and all that is served.
    fn through_snmpd(&self) -> Result<(Snmpd, Keepwatchd, Keepalived, BTreeSet<String>)> {
        let snmpd = Snmpd::start(self.ours())?;
        let global = format!("enable_snmp_vrrp\nenable_traps\nsnmp_socket unix:{}", snmpd.socket().display());
        let we = self.keepwatchd(&global, Instance::new("VI_1")).flag("--snmp").start()?;
        let backup = self.backup()?;
        let served = all_served(&snmpd).with_context(|| we.process().log())?;
        Ok((snmpd, we, backup, served))
    }

    /// Looks at the adverts while `trouble` goes on: none late, none from the backup. What the machine is late by
    /// itself, with every thread, is not held against the daemon; nor is a takeover where that is as long as the backup waits.
    fn undisturbed_by(&self, trouble: impl FnOnce() -> Result<()>) -> Result<()> {
        let began = capture::now();
        sleep(Duration::from_secs(1));
        trouble()?;
        let noise = self.pair.wire.machine().allowance_since(began);
        let usurped = self.pair.wire.adverts_since(THEIRS, began).len();
        println!("adverts of the backup: {usurped}; for the machine: {noise:?}");
        ensure!(usurped == 0 || noise > PATIENCE, "the backup took over ({usurped} adverts)");
        self.pair.wire.is_in_time(OURS, began, ON_TIME)
    }
}

/// All that is served through it: the names of the four modules' objects, and what sysORTable says of them.
fn served(snmpd: &Snmpd) -> BTreeSet<String> {
    const MODULES: [&str; 3] = [".1.3.6.1.4.1.9586.100.5", ".1.3.6.1.2.1.68", ".1.3.6.1.2.1.207"];
    let names = MODULES
        .into_iter()
        .flat_map(|root| snmpd::rows(&snmpd.walk(root).unwrap_or_default(), root).into_keys());
    // Capabilities by their texts: their rows are numbered anew.
    let texts = snmpd::rows(&snmpd.walk(".1.3.6.1.2.1.1.9.1.3").unwrap_or_default(), "").into_values();
    names.chain(texts).collect()
}

/// The same, once two walks agree on it: one on a busy machine may end early.
fn all_served(snmpd: &Snmpd) -> Result<BTreeSet<String>> {
    wait::value("all objects are served", wait::LONG, || {
        let once = served(snmpd);
        (once.len() > 80 && served(snmpd) == once).then_some(once)
    })
}

/// Waits until all of it is served again.
fn is_back(snmpd: &Snmpd, before: &BTreeSet<String>) -> Result<()> {
    let mut now = BTreeSet::new();
    wait::until("all that was served is served again", wait::LONG, || {
        now = served(snmpd);
        now == *before
    })
    .with_context(|| format!("{:?}", now.symmetric_difference(before)))
}

/// Eight seconds long, or three minutes with `KEEPWATCH_FULL`.
#[test]
fn an_snmpd_that_hangs_does_not_matter() -> Result<()> {
    let scene = Scene::new("hung-snmpd")?;
    let (snmpd, we, _backup, before) = scene.through_snmpd()?;

    scene.undisturbed_by(|| {
        snmpd.process().signal_all(Signal::SIGSTOP);
        sleep(SPAN.max(Duration::from_secs(integration::amount(0, 180).into())));
        snmpd.process().signal_all(Signal::SIGCONT);
        Ok(())
    })?;
    is_back(&snmpd, &before).with_context(|| we.process().log())
}

/// One that answers nothing at all, and one that freezes in the middle of a question: both are given up.
#[test]
fn master_agents_that_fall_silent_are_given_up_and_do_not_matter() -> Result<()> {
    let scene = Scene::new("silent-masters")?;
    let (mut snmpd, we, _backup, before) = scene.through_snmpd()?;
    scene.undisturbed_by(|| {
        snmpd.process_mut().kill();
        let masters = Masters::listen(snmpd.socket())?;
        for manner in Manner::SILENT {
            let waited = masters.meet(manner).with_context(|| we.process().log())?;
            println!("{manner:?} was met after {waited:?}");
        }
        Ok(())
    })?;
    std::fs::remove_file(snmpd.socket())?;
    let snmpd = Snmpd::start(scene.ours())?;
    is_back(&snmpd, &before).with_context(|| we.process().log())
}

/// Masters that are no use, one after the other, between two snmpd: 9, or 1000 with `KEEPWATCH_FULL`.
#[test]
fn master_agents_that_are_no_use_do_not_matter_and_cost_no_memory() -> Result<()> {
    let scene = Scene::new("bad-masters")?;
    let (mut snmpd, we, _backup, everything) = scene.through_snmpd()?;
    let size = |name: &str| we.metric(name, &[]).with_context(|| format!("{name} is not told"));
    const MEMORY: &str = "process_resident_memory_bytes";
    const FILES: &str = "process_open_fds";
    let (rounds, mut before) = (integration::amount(9, 1000), (0.0, 0.0));
    scene.undisturbed_by(|| {
        snmpd.process_mut().kill();
        let masters = Masters::listen(snmpd.socket())?;
        let mut longest = Duration::ZERO;
        for (round, manner) in (0..rounds).zip(Manner::QUICK.into_iter().cycle()) {
            let waited = masters.meet(manner).with_context(|| we.process().log())?;
            longest = longest.max(waited);
            // After the first of each kind.
            if round == 9.min(rounds - 1) {
                before = (size(MEMORY)?, size(FILES)?);
            }
        }
        println!("{rounds} connections, the longest wait for one {longest:?}");
        // The back-off of at most 10 s, a quarter longer.
        let bound = Duration::from_secs(15) + scene.pair.wire.machine().allowance();
        ensure!(longest < bound, "{longest:?}");
        Ok(())
    })?;
    std::fs::remove_file(snmpd.socket())?;
    let snmpd = Snmpd::start(scene.ours())?;
    is_back(&snmpd, &everything).with_context(|| we.process().log())?;
    let after = (size(MEMORY)?, size(FILES)?);
    println!("memory and open files: {before:?}, then {after:?}");
    // Each attempt is two facts in a bounded history.
    ensure!(after.0 - before.0 < f64::from(4 << 20), "it grew from {} to {} bytes", before.0, after.0);
    ensure!(after.1 <= before.1 + 2.0, "it had {} files open, and now {}", before.1, after.1);
    Ok(())
}

#[test]
fn a_mail_server_that_swallows_connections_does_not_matter() -> Result<()> {
    let scene = Scene::new("lost-mail")?;
    // The third machine drops what comes for port 25: every connection hangs.
    scene.third.firewall(
        "table inet lab {\n chain in { type filter hook input priority 0; tcp dport 25 counter drop; }\n}\n",
    )?;
    let global = "notification_email {\n admin@example.net\n}\nnotification_email_from kw@example.net\n\
                  smtp_server 10.78.0.3\nsmtp_connect_timeout 30";
    let we = scene.keepwatchd(global, Instance::new("VI_1").line("smtp_alert")).start()?;
    let _it = scene.backup()?;

    scene.undisturbed_by(|| {
        // Each makes a mail or two.
        for _ in 0..4 {
            we.process().signal(Signal::SIGHUP)?;
            sleep(SPAN / 4);
        }
        Ok(())
    })?;
    let rules = scene.third.run("nft", &["list", "ruleset"])?;
    assert!(!rules.contains("counter packets 0 "), "no mail was tried: {rules}");
    Ok(())
}

#[test]
fn a_mail_server_that_never_answers_does_not_matter() -> Result<()> {
    let scene = Scene::new("mute-mail")?;
    let mute = scene.third.listen("10.78.0.3:25".parse()?)?;
    let global = "notification_email {\n admin@example.net\n}\nnotification_email_from kw@example.net\n\
                  smtp_server 10.78.0.3\nsmtp_connect_timeout 30";
    let _we = scene.keepwatchd(global, Instance::new("VI_1").line("smtp_alert")).start()?;
    let _it = scene.backup()?;
    scene.undisturbed_by(|| {
        sleep(SPAN);
        Ok(())
    })?;
    mute.set_nonblocking(true)?;
    mute.accept().context("no mail was tried")?;
    Ok(())
}

#[test]
fn a_full_disk_under_the_history_does_not_matter() -> Result<()> {
    let scene = Scene::new("full-disk")?;
    let we = scene.keepwatchd("", Instance::new("VI_1")).history_on_a_small_disk(128 << 10).start()?;
    let _it = scene.backup()?;
    wait::until("there is a history", wait::SHORT, || {
        fs::metadata(we.history_path()).is_ok_and(|m| m.len() > 0)
    })?;

    scene.undisturbed_by(|| {
        fill(&we.history_path().with_file_name("filler"))?;
        for _ in 0..20 {
            we.process().signal(Signal::SIGHUP)?;
            sleep(SPAN / 20);
        }
        Ok(())
    })?;
    we.wait_for_log("can't be written")?;
    assert!(we.answer(&["status"])?.contains("VI_1"));
    Ok(())
}

/// Writes until nothing more fits.
fn fill(path: &Path) -> Result<()> {
    let mut filler = File::create(path).context("create a file that fills the disk")?;
    for size in [4096, 1] {
        while filler.write_all(&vec![b'x'; size]).is_ok() {}
    }
    Ok(())
}

#[test]
fn metrics_clients_that_never_read_do_not_matter() -> Result<()> {
    let scene = Scene::new("deaf-metrics")?;
    let we = scene.keepwatchd("", Instance::new("VI_1")).start()?;
    let _it = scene.backup()?;
    wait::until("metrics are served", wait::LONG, || {
        we.get("/metrics").is_ok_and(|page| page.status == 200)
    })?;

    scene.undisturbed_by(|| {
        let at: SocketAddr = Keepwatchd::METRICS.parse()?;
        let mut deaf = Vec::new();
        for _ in 0..50 {
            let mut stream = scene.ours().connect(at, wait::SHORT)?;
            stream.set_nonblocking(true)?;
            // More questions than fit in the way back; the answers are never read.
            for _ in 0..200 {
                let _ = stream.write(b"GET /metrics HTTP/1.1\r\nHost: deaf\r\n\r\n");
            }
            deaf.push(stream);
        }
        sleep(SPAN);
        Ok(())
    })?;
    wait::until("metrics are still served", wait::LONG, || {
        we.get("/metrics").is_ok_and(|page| page.status == 200)
    })
}

#[test]
fn control_clients_that_never_read_do_not_matter() -> Result<()> {
    let scene = Scene::new("deaf-control")?;
    let we = scene.keepwatchd("", Instance::new("VI_1")).start()?;
    let _it = scene.backup()?;
    we.wait_for_control()?;

    scene.undisturbed_by(|| {
        // Some follow the events and are then stopped, some connect and say nothing.
        let mut stopped = Vec::new();
        let mut mute = Vec::new();
        for _ in 0..10 {
            mute.push(UnixStream::connect(we.control_path())?);
            let follower = scene
                .ours()
                .process("deaf", integration::binaries::path("keepwatch")?)
                .arg("--socket")
                .arg(we.control_path())
                .args(["--json", "events", "--follow"])
                .start()?;
            stopped.push(follower);
        }
        sleep(Duration::from_secs(1));
        for follower in &stopped {
            follower.signal(Signal::SIGSTOP)?;
        }
        for _ in 0..40 {
            we.process().signal(Signal::SIGHUP)?;
            sleep(SPAN / 40);
        }
        Ok(())
    })?;
    assert!(we.answer(&["status"])?.contains("VI_1"), "others are still answered");
    Ok(())
}

#[test]
fn a_flood_of_hostile_packets_does_not_matter() -> Result<()> {
    let scene = Scene::new("flood")?;
    let we = scene.keepwatchd("", Instance::new("VI_1")).start()?;
    // The backup shall hear what we send in time: the flood is for us alone.
    scene.pair.theirs.firewall(
        "table inet lab {\n chain in { type filter hook input priority 0; ip saddr 10.78.0.3 drop; }\n}\n",
    )?;
    let _it = scene.backup()?;
    let vip: Ipv4Addr = VIP.parse()?;

    scene.undisturbed_by(|| {
        hostile::flood(&scene.third, Ipv4Addr::new(10, 78, 0, 3), 51, vip, 20_000, 2_000)
    })?;
    assert!(scene.ours().has("eth0", VIP), "nobody took the address: {}", we.process().log());
    let refused = |metric: &str| we.metric(metric, &["iname=\"VI_1\""]).unwrap_or_default();
    for metric in [
        "keepwatch_vrrp_checksum_errors_total",
        "keepwatch_vrrp_version_errors_total",
        "keepalived_ip_ttl_errors_total",
        "keepalived_packet_length_errors_total",
        "keepalived_invalid_type_received_total",
    ] {
        assert!(refused(metric) > 1000.0, "{metric} is {}", refused(metric));
    }
    Ok(())
}

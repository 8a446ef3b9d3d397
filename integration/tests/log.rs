//! The log where real machines have it: the journal and syslog at their own sockets, lines of JSON; levels that change while
//! it runs; and floods.

#![allow(clippy::unwrap_used, reason = "a test that can not go on should panic")]

use std::{
    fs,
    net::Ipv4Addr,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use integration::{
    Host, Instance, Lab,
    conf::VIP,
    hostile,
    keepwatchd::{Keepwatchd, Settings},
    wait,
};
use serde_json::Value;

/// A socket that datagrams come to, and all that came.
struct Daemon(Arc<Mutex<Vec<String>>>);

impl Daemon {
    fn at(path: &Path) -> Result<Self> {
        let socket = UnixDatagram::bind(path).with_context(|| path.display().to_string())?;
        let came = Arc::<Mutex<Vec<String>>>::default();
        let to = came.clone();
        // It ends with the test.
        thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            while let Ok(length) = socket.recv(&mut buffer) {
                to.lock().unwrap().push(String::from_utf8_lossy(&buffer[..length]).into_owned());
            }
        });
        Ok(Self(came))
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn wait_for(&self, text: &str) -> Result<String> {
        let find = || self.all().into_iter().find(|came| came.contains(text));
        wait::value(&format!("{text:?} comes"), wait::LONG, find)
            .with_context(|| format!("{:#?}", self.all()))
    }
}

fn hosts(name: &str) -> Result<(Host, Host)> {
    let (_lan, mut hosts) = Lab::new(name)?.routers(2)?;
    let other = hosts.remove(1);
    Ok((hosts.remove(0), other))
}

fn director(host: &Host) -> Settings {
    Keepwatchd::on(host).config(Instance::new("VI_1").interval("0.3").version_3("")).flag("--vrrp")
}

/// A directory in the host's that is shown as `hidden`, with what is in it.
fn directory(host: &Host, name: &str, hidden: &str) -> Result<PathBuf> {
    fs::create_dir_all(hidden)?;
    let shown = host.directory().join(name);
    fs::create_dir_all(&shown)?;
    Ok(shown)
}

#[test]
fn the_journal_gets_the_data_of_events_as_fields() -> Result<()> {
    let (host, _) = hosts("log-journal")?;
    let shown = directory(&host, "journal", "/run/systemd/journal")?;
    let journal = Daemon::at(&shown.join("socket"))?;
    let director = director(&host).shows(&shown, "/run/systemd/journal").start()?;
    let entry = journal.wait_for("MESSAGE=(VI_1) Entering MASTER STATE\n")?;
    for field in [
        "PRIORITY=6\n",
        "SYSLOG_IDENTIFIER=keepwatchd\n",
        "SYSLOG_FACILITY=3\n",
        "KEEPWATCH_SUBSYSTEM=vrrp\n",
        "KEEPWATCH_KIND=state_changed\n",
        "KEEPWATCH_INSTANCE=VI_1\n",
        "KEEPWATCH_FROM=BACKUP\n",
        "KEEPWATCH_TO=MASTER\n",
    ] {
        ensure!(entry.contains(field), "{field:?} is missing in {entry}");
    }
    // The number is that of the event everywhere else.
    let number = entry.lines().find_map(|line| line.strip_prefix("KEEPWATCH_EVENT=")).context("a number")?;
    let events: Value = serde_json::from_str(&director.get("/api/v1/events?kind=state_changed")?.body)?;
    let numbers: Vec<String> =
        events.as_array().into_iter().flatten().map(|event| event["id"].to_string()).collect();
    ensure!(numbers.iter().any(|id| id == number), "{number} is none of {numbers:?}");
    Ok(())
}

/// What a director finds instead of the devices and the journal of this machine.
struct Devices {
    devices: PathBuf,
    no_journal: PathBuf,
}

impl Devices {
    fn of(host: &Host) -> Result<Self> {
        let no_journal = directory(host, "journal", "/run/systemd/journal")?;
        let devices = directory(host, "dev", "/dev")?;
        for device in ["null", "urandom"] {
            fs::write(devices.join(device), "")?;
        }
        Ok(Self { devices, no_journal })
    }

    fn syslog(&self) -> Result<Daemon> {
        Daemon::at(&self.devices.join("log"))
    }

    fn shown_to(&self, director: Settings) -> Settings {
        director
            .shows(&self.no_journal, "/run/systemd/journal")
            .shows("/dev/null", self.devices.join("null"))
            .shows("/dev/urandom", self.devices.join("urandom"))
            .shows(&self.devices, "/dev")
    }
}

#[test]
fn syslog_gets_the_facility_that_was_asked_for() -> Result<()> {
    let (host, _) = hosts("log-syslog")?;
    let devices = Devices::of(&host)?;
    let syslog = devices.syslog()?;
    let director = devices.shown_to(director(&host)).flags(&["-S", "local3"]).start()?;
    // LOG_LOCAL3 is 19; info is 6.
    let line = syslog.wait_for("]: (VI_1) Entering MASTER STATE")?;
    ensure!(line.starts_with("<158>") && line.contains(" keepwatchd["), "{line}");
    drop(director);
    Ok(())
}

/// As the flags of keepalived of the same letters.
#[test]
fn g_adds_a_file_and_the_large_one_takes_syslog_away() -> Result<()> {
    let (host, _) = hosts("log-g")?;
    let devices = Devices::of(&host)?;
    let syslog = devices.syslog()?;
    let file = host.directory().join("own.log");
    let entering = "(VI_1) Entering MASTER STATE";
    for large in [false, true] {
        let director = devices
            .shown_to(director(&host))
            .flags(if large { &["-G"] } else { &[] })
            .flag("-g")
            .flag(file.to_string_lossy())
            .start()?;
        let count = if large { 2 } else { 1 };
        wait::until("the file has the line, after those of the run before", wait::LONG, || {
            fs::read_to_string(&file).is_ok_and(|text| text.matches(entering).count() == count)
        })
        .with_context(|| director.process().log())?;
        if large {
            drop(director);
            let told = syslog.all().iter().filter(|line| line.contains(entering)).count();
            ensure!(told == 1, "{:#?}", syslog.all());
        } else {
            syslog.wait_for(entering)?;
        }
    }
    Ok(())
}

#[test]
fn lines_of_json_are_objects_on_the_console_and_in_the_file() -> Result<()> {
    let (host, _) = hosts("log-json")?;
    let file = host.directory().join("own.log");
    let director = director(&host)
        .flags(&["--no-syslog", "--log-format", "json", "--flush-log-file", "--log-file"])
        .flag(file.to_string_lossy())
        .start()?;
    director.wait_for_log("\"message\":\"(VI_1) Entering MASTER STATE\"")?;
    let console = director.process().log();
    for text in [console, fs::read_to_string(&file)?] {
        let lines = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>();
        let lines = lines.with_context(|| text.clone())?;
        let master = lines.iter().find(|line| line["to"] == "MASTER").context("the line")?;
        assert_eq!((&master["level"], &master["subsystem"]), (&"info".into(), &"vrrp".into()));
        assert_eq!((&master["kind"], &master["instance"]), (&"state_changed".into(), &"VI_1".into()));
        ensure!(master["event"].is_u64() && master["cause"].is_u64(), "{master}");
        let time = master["time"].as_str().context("a time")?;
        ensure!(time.ends_with('Z') && time.contains('.'), "{time} has no fraction");
    }
    Ok(())
}

#[test]
fn the_level_of_a_subsystem_changes_while_it_runs() -> Result<()> {
    let (host, _) = hosts("log-level")?;
    let director = director(&host).flags(&["--log-level", "all=warning,daemon=info"]).start()?;
    director.wait_for_control()?;
    wait::until("it is master", wait::LONG, || host.has("eth0", VIP))?;
    ensure!(!director.process().log().contains("Entering MASTER"), "{}", director.process().log());
    let told = director.answer(&["log-level"])?;
    ensure!(told.contains("vrrp     warning") && told.contains("daemon   info"), "{told}");

    let wrong = director.ask(&["log-level", "vrrp=debug", "vrp=info"])?;
    ensure!(!wrong.status.success());
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    ensure!(said.contains("`vrp` is no subsystem") && said.contains("vrrp"), "{said}");
    ensure!(director.answer(&["log-level"])?.contains("vrrp     warning"), "nothing of it was done");

    director.answer(&["log-level", "vrrp=debug"])?;
    director.wait_for_log("Log levels: vrrp=debug")?;
    host.run("ip", &["addr", "del", &format!("{VIP}/32"), "dev", "eth0"])?;
    director.wait_for_log("VIP 10.78.9.9")?;
    Ok(())
}

#[test]
fn a_flood_of_refused_packets_writes_few_lines_and_every_packet_is_counted() -> Result<()> {
    let (host, other) = hosts("log-flood")?;
    let director = director(&host).start()?;
    director.wait_for_log("(VI_1) Entering MASTER STATE")?;
    let before = director.process().log().lines().count();
    let (source, vip): (Ipv4Addr, Ipv4Addr) = ("10.78.0.2".parse()?, VIP.parse()?);
    hostile::flood(&other, source, 51, vip, 5000, 2500)?;
    let refused = |metric: &str| director.metric(metric, &["iname=\"VI_1\""]).unwrap_or(0.0);
    for metric in ["keepwatch_vrrp_checksum_errors_total", "keepalived_ip_ttl_errors_total"] {
        wait::until(&format!("{metric} has the flood"), wait::LONG, || refused(metric) > 400.0)?;
    }
    wait::throughout("it writes little", Duration::from_secs(1), || {
        director.process().log().lines().count() - before < 60
    })
    .with_context(|| director.process().log())?;
    Ok(())
}

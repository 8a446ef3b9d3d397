//! The same thing again and again: a master's worker that is killed at random moments, and reloads of files that chance
//! writes. `KEEPWATCH_FULL=1` in the environment makes it the long run (100 kills, 10,000 reloads), `KEEPWATCH_KILLS` and
//! `KEEPWATCH_RELOADS` say how often otherwise; `KEEPWATCH_SEED` repeats a run.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use integration::{
    Host, Instance, Lab, background::Background, conf, conf::VIP, keepalived::Keepalived,
    keepwatchd::Keepwatchd, metronome::Metronome, wait,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::play::children;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// How often: as the environment says, or the number of a long or of a short run.
fn often(name: &str, full: u64, short: u64) -> u64 {
    let otherwise = if number("KEEPWATCH_FULL") == Some(1) { full } else { short };
    number(name).unwrap_or(otherwise)
}

/// Chance that can be repeated: the generator is Marsaglia's xorshift64.
struct Chance(u64);

impl Chance {
    fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seed = number("KEEPWATCH_SEED").or_else(|| u64::try_from(now.as_nanos()).ok()).unwrap_or(1) | 1;
        println!("KEEPWATCH_SEED={seed}");
        Self(seed)
    }

    /// One of so many.
    fn of(&mut self, many: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % many.max(1)
    }

    fn flips(&mut self) -> bool {
        self.of(2) == 0
    }
}

/// The router beside the one whose worker is killed.
enum Peer {
    Keepwatch(Keepwatchd),
    /// Debian's.
    Keepalived(Keepalived),
}

impl Peer {
    fn stop(&mut self) -> Result<()> {
        let process = match self {
            Self::Keepwatch(daemon) => daemon.process_mut(),
            Self::Keepalived(daemon) => daemon.process_mut(),
        };
        let status = process.stop(wait::LONG)?;
        ensure!(status.success(), "{status}: {}", process.log());
        Ok(())
    }
}

#[test]
fn however_often_the_master_s_worker_is_killed_there_is_one_master_beside_keepwatch() -> Result<()> {
    kills("kills", often("KEEPWATCH_KILLS", 100, 10), |host, config| {
        let daemon = Keepwatchd::on(host).config(config);
        Ok(Peer::Keepwatch(daemon.flags(&["--vrrp", "--listen", "none", "--no-syslog"]).start()?))
    })
}

#[test]
fn however_often_the_master_s_worker_is_killed_there_is_one_master_beside_keepalived() -> Result<()> {
    kills("kills-ka", often("KEEPWATCH_KILLS", 100, 6), |host, config| {
        Ok(Peer::Keepalived(Keepalived::start(host, config, &["--vrrp", "--no-syslog"])?))
    })
}

/// Kills in a row, before the supervisor is started anew: it waits ever longer.
const IN_A_ROW: u64 = 6;

/// Kills the master's worker so often, at moments that chance chooses: there are never two masters for longer than an
/// interval, and no address is left in the end.
fn kills(lab: &'static str, kills: u64, beside: fn(&Host, &str) -> Result<Peer>) -> Result<()> {
    let mut chance = Chance::new();
    let (_lan, hosts) = Lab::new(lab)?.routers(2)?;
    let (left, right) = (&hosts[0], &hosts[1]);
    let config = |priority| Instance::new("VI_1").priority(priority).version_2("");
    let mut backup = beside(right, &config(100))?;
    let machine = Metronome::start()?;
    let longest = Arc::new(Mutex::new(Duration::ZERO));
    let _watch = watch(left.clone(), right.clone(), Arc::clone(&longest))?;
    let mut done = 0;
    while done < kills {
        let flags = ["--vrrp", "--listen", "none", "--no-syslog"];
        let mut master = Keepwatchd::on(left).config(config(200)).flags(&flags).start()?;
        let alone = || left.has("eth0", VIP) && !right.has("eth0", VIP);
        wait::until("one is master", wait::LONG, alone).with_context(|| master.process().log())?;
        for _ in 0..IN_A_ROW.min(kills - done) {
            // While it starts, takes over, is master, or is not there at all.
            std::thread::sleep(Duration::from_millis(chance.of(1500)));
            if let Some(worker) = children(master.process().pid()).first() {
                kill(*worker, Signal::SIGKILL)?;
                done += 1;
            }
        }
        // A stop may come at any such moment, too.
        if chance.flips() {
            wait::until("the first is master again", wait::LONG, alone)
                .with_context(|| master.process().log())?;
        }
        // Of a worker that is killed in this very moment it is told that it has not ended well.
        master.process_mut().stop(wait::LONG)?;
        ensure!(!left.has("eth0", VIP), "an address is left: {}", master.process().log());
    }
    backup.stop()?;
    ensure!(!right.has("eth0", VIP), "an address is left");
    let longest = longest.lock().map(|longest| *longest).unwrap_or(Duration::MAX);
    println!(
        "{kills} kills: on both hosts for {longest:?} at most, the machine late by {:?}",
        machine.worst()
    );
    // An interval, and what the machine is late by itself.
    let bound = Duration::from_secs(1) + machine.allowance();
    ensure!(longest < bound, "on both hosts for {longest:?} (bound {bound:?})");
    Ok(())
}

/// How long the address was on both hosts, the longest time.
fn watch(left: Host, right: Host, longest: Arc<Mutex<Duration>>) -> Result<Background> {
    Background::start("watch", move |end| {
        let mut both = None::<Instant>;
        while !end.is_near() {
            let on_both = left.has("eth0", VIP) && right.has("eth0", VIP);
            both = on_both.then(|| both.unwrap_or_else(Instant::now));
            if let (Some(since), Ok(mut longest)) = (both, longest.lock()) {
                *longest = (*longest).max(since.elapsed());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    })
}

/// A file that chance writes, and the addresses and routes that are to be there by it.
struct Random {
    text: String,
    addresses: BTreeSet<String>,
    routes: BTreeSet<String>,
}

/// `full`: it needs all rights that any needs, so that its worker can follow all others.
fn random(chance: &mut Chance, tracked: &str, full: bool) -> Random {
    let (mut addresses, mut routes) = (BTreeSet::new(), BTreeSet::new());
    let mut blocks: Vec<String> = Vec::new();
    for id in 1..=8_u8 {
        if id > 1 && chance.flips() {
            continue;
        }
        let mut all: Vec<String> = (0..=chance.of(3)).map(|n| format!("10.78.{}.{id}/32", 100 + n)).collect();
        addresses.extend(all.iter().map(|address| address.trim_end_matches("/32").to_owned()));
        let first = all.remove(0);
        let priority = u8::try_from(1 + chance.of(254)).unwrap_or(100);
        // Names are not what virtual routers are known by.
        let name = format!("VI_{id}{}", if chance.of(4) == 0 { "_renamed" } else { "" });
        let mut instance = Instance::new(&name).vrid(id).interval("0.05").priority(priority).vip(&first);
        if !all.is_empty() {
            instance = instance.line(&format!("virtual_ipaddress_excluded {{\n{}\n    }}", all.join("\n")));
        }
        if chance.of(3) == 0 {
            routes.insert(format!("10.77.{id}.0/24"));
            instance =
                instance.line(&format!("virtual_routes {{\n 10.77.{id}.0/24 via 10.78.0.9 dev eth0\n }}"));
        }
        if chance.of(4) == 0 {
            instance = instance.line("track_file {\n f weight 1\n }");
        }
        if full || chance.of(4) == 0 {
            instance = instance.line("notify_fault /bin/true");
        }
        if chance.of(4) == 0 {
            instance = instance.line("nopreempt");
        }
        blocks.push(instance.to_string());
    }
    if chance.flips() {
        blocks.reverse();
    }
    let mut global = String::from("script_user root\n");
    if chance.flips() {
        global += "vrrp_garp_master_delay 2\n";
    }
    if full || chance.of(3) == 0 {
        global += "vrrp_priority -2\n";
    }
    let track = format!("track_file f {{\n file {tracked}\n weight 0\n}}\n");
    Random { text: conf::global_defs(3, &global) + &track + &blocks.concat(), addresses, routes }
}

/// Has the daemon read its file again, and gives what it answers.
fn reload(daemon: &Keepwatchd) -> Result<String> {
    let mut socket = UnixStream::connect(daemon.control_path())?;
    socket.set_read_timeout(Some(wait::LONG))?;
    socket.write_all(b"{\"ask\":\"reload\"}\n")?;
    let mut line = String::new();
    BufReader::new(socket).read_line(&mut line)?;
    Ok(line)
}

fn is_so(host: &Host, wanted: &Random) -> bool {
    let addresses: BTreeSet<String> = host
        .addresses("eth0")
        .unwrap_or_default()
        .iter()
        .map(ToString::to_string)
        .filter(|address| address.starts_with("10.78.10"))
        .collect();
    let routes = host.run("ip", &["-4", "route", "show"]).unwrap_or_default();
    let routes: BTreeSet<String> = routes
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|to| to.starts_with("10.77."))
        .map(str::to_owned)
        .collect();
    addresses == wanted.addresses && routes == wanted.routes
}

/// Resident memory in KiB, and the number of open descriptors.
fn size(worker: Pid) -> Result<(u64, usize)> {
    let status = fs::read_to_string(format!("/proc/{worker}/status"))?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("the size of a process")?;
    let memory = line.trim().trim_end_matches(" kB").parse()?;
    Ok((memory, fs::read_dir(format!("/proc/{worker}/fd"))?.count()))
}

#[test]
fn many_reloads_leave_what_the_last_file_says_and_cost_no_memory() -> Result<()> {
    let reloads = often("KEEPWATCH_RELOADS", 10_000, 150);
    let mut chance = Chance::new();
    let (_lan, hosts) = Lab::new("reloads")?.routers(1)?;
    let host = &hosts[0];
    let tracked = host.file("tracked", "0")?.to_string_lossy().into_owned();
    let first = random(&mut chance, &tracked, true);
    let mut daemon = Keepwatchd::on(host)
        .config(&*first.text)
        .flags(&["--vrrp", "--listen", "none", "--no-syslog", "--log-level", "warning"])
        .start()?;
    daemon.wait_for_control()?;
    let worker = *children(daemon.process().pid()).first().context("there is no worker")?;
    // What is kept of events (the history) grows to its bound first.
    let warm = reloads / 2;
    let (mut before, mut looked) = (None, 0);
    let began = Instant::now();
    for round in 1..=reloads {
        let wanted = random(&mut chance, &tracked, false);
        fs::write(daemon.config_path(), &wanted.text)?;
        let answer = reload(&daemon).with_context(|| format!("round {round}: {}", daemon.process().log()))?;
        ensure!(answer.contains("reloaded") || answer.contains("outcome"), "{answer}");
        ensure!(!answer.contains("refused"), "{answer}\n{}", wanted.text);
        if round % 20 == 0 || round == reloads {
            wait::until("the kernel has what the file says", wait::LONG, || is_so(host, &wanted))
                .with_context(|| format!("round {round}:\n{}", wanted.text))?;
            looked += 1;
        }
        if round == warm {
            fs::write(daemon.config_path(), &first.text)?;
            reload(&daemon)?;
            wait::until("the first file's state is there", wait::LONG, || is_so(host, &first))?;
            before = Some(size(worker)?);
        }
    }
    fs::write(daemon.config_path(), &first.text)?;
    reload(&daemon)?;
    wait::until("the first file's state is there", wait::LONG, || is_so(host, &first))?;
    let (memory, descriptors) = size(worker)?;
    let (memory_before, descriptors_before) = before.context("the state in the middle")?;
    println!(
        "{reloads} reloads in {:.1} s, looked at {looked}: memory {memory_before} KiB at half, {memory} KiB at the end; descriptors {descriptors_before}, {descriptors}",
        began.elapsed().as_secs_f64()
    );
    ensure!(children(daemon.process().pid()) == [worker], "another worker: {}", daemon.process().log());
    wait::until("as many descriptors are open as before", wait::SHORT, || {
        size(worker).is_ok_and(|(_, now)| now <= descriptors_before)
    })?;
    ensure!(memory < memory_before + memory_before / 5 + 4096, "memory grows: {memory_before}, {memory} KiB");
    ensure!(daemon.process_mut().stop(wait::LONG)?.success(), "{}", daemon.process().log());
    let nothing = Random { text: String::new(), addresses: BTreeSet::new(), routes: BTreeSet::new() };
    ensure!(is_so(host, &nothing), "something is left");
    Ok(())
}

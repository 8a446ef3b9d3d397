//! BFD sessions with bird, and what virtual routers and real servers make of them.

#[path = "bfd/interop.rs"]
mod interop;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use integration::{
    Host, Instance, Lab, Pair, Process, binaries, capture, conf::VIP, keepwatchd::Keepwatchd, pair,
    vm::Scenario, wait,
};
use serde_json::Value;

/// bird in a host, with one BFD session.
struct Bird {
    host: Host,
    socket: PathBuf,
    _process: Process,
}

impl Bird {
    fn start(host: &Host, neighbour: &str) -> Result<Self> {
        Self::start_with(host, neighbour, (60, 50, 10), "")
    }

    /// The same with these times (receiving and sending in milliseconds, packets that may be lost) and a further option.
    fn start_with(host: &Host, neighbour: &str, times: (u32, u32, u8), option: &str) -> Result<Self> {
        let (rx, tx, multiplier) = times;
        let config = host.file(
            "bird.conf",
            &format!(
                "router id 10.78.0.2;\nprotocol device {{}}\nprotocol bfd {{\n interface \"eth0\" {{ min rx interval {rx} ms; \
                 min tx interval {tx} ms; idle tx interval 1 s; multiplier {multiplier}; {option} }};\n multihop {{ min rx interval {rx} ms; \
                 min tx interval {tx} ms; multiplier {multiplier}; {option} }};\n neighbor {neighbour};\n}}\n"
            ),
        )?;
        let socket = host.directory().join("bird.ctl");
        let process =
            host.process("bird", "/usr/sbin/bird").arg("-f").arg("-c").arg(config).arg("-s").arg(&socket);
        Ok(Self { host: host.clone(), socket: socket.clone(), _process: process.start()? })
    }

    fn sessions(&self) -> String {
        let socket = self.socket.to_string_lossy();
        self.host.run("/usr/sbin/birdc", &["-s", &socket, "show", "bfd", "sessions"]).unwrap_or_default()
    }

    fn is(&self, state: &str) -> bool {
        self.sessions().lines().any(|line| line.split_whitespace().nth(2) == Some(state))
    }

    fn wait_for(&self, state: &str) -> Result<()> {
        wait::until(&format!("bird's session is {state}"), wait::LONG, || self.is(state))
    }
}

fn session(lines: &str) -> String {
    format!("bfd_instance b1 {{\n min_rx 50\n min_tx 60\n multiplier 10\n{lines}\n}}\n")
}

fn instance(tracks: &str) -> Instance {
    Instance::new("VI_1").interval("0.1").line("version 3").line(&format!("track_bfd {{\n {tracks}\n }}"))
}

fn start(net: &Pair, config: String) -> Result<Keepwatchd> {
    let daemon = net.keepwatchd(config)?;
    daemon.wait_for_control()?;
    Ok(daemon)
}

#[test]
fn an_instance_is_in_fault_while_its_session_with_bird_is_down() -> Result<()> {
    let net = Pair::new("bfd")?;
    let config = session(&format!("neighbor_ip {}", pair::THEIRS)) + &instance("b1").to_string();
    let mut daemon = start(&net, config)?;
    let status = daemon.answer(&["status"])?;
    ensure!(status.contains("nothing heard of 10.78.0.2 yet"), "{status}");
    daemon.wait_for_log("(VI_1) Entering FAULT STATE (init)")?;

    let bird = Bird::start(&net.theirs, &format!("{} dev \"eth0\"", pair::OURS))?;
    bird.wait_for("Up")?;
    daemon.wait_for_log("(b1) Entering Up state")?;
    daemon.wait_for_log("(VI_1) Entering MASTER STATE")?;
    let agreed = "a packet each 60 ms, down after 500 ms of silence";
    wait::until("what was agreed is told", wait::LONG, || {
        daemon.answer(&["status"]).is_ok_and(|status| status.contains(agreed))
    })?;
    ensure!(daemon.metric("keepwatch_bfd_session_up", &["name=\"b1\""]) == Some(1.0), "the metric says it");
    // It stays so: 6 detection times.
    wait::throughout("the session is up", Duration::from_secs(3), || bird.is("Up"))?;
    ensure!(daemon.process().log().matches("(b1) Entering").count() == 1, "{}", daemon.process().log());

    net.theirs.isolate()?;
    daemon.wait_for_log("(b1) Entering Down state (Local diagnostic - Control Detection Time Expired")?;
    wait::until("the address is gone", wait::LONG, || !net.ours.has("eth0", VIP))?;
    let why = daemon.answer(&["why", "VI_1"])?;
    ensure!(why.contains("BFD session b1") && why.contains("nothing heard of 10.78.0.2"), "{why}");

    net.theirs.open_firewall()?;
    wait::until("it is master again", wait::LONG, || net.ours.has("eth0", VIP))?;
    bird.wait_for("Up")?;

    // A stop is told: bird needs no detection time, and knows that it was on purpose.
    daemon.process_mut().stop(wait::LONG)?;
    bird.wait_for("Down")?;
    Ok(())
}

#[test]
fn weights_count_and_a_reload_keeps_the_session() -> Result<()> {
    let net = Pair::new("bfdw")?;
    let bird = Bird::start(&net.theirs, &format!("{} dev \"eth0\"", pair::OURS))?;
    let config = |lines: &str, tracks: &str| {
        session(&format!("neighbor_ip {}\n{lines}", pair::THEIRS))
            + &instance(tracks).priority(100).to_string()
    };
    let daemon = start(&net, config("", "b1 weight -20"))?;
    let priority = |wanted: f64| {
        wait::until(&format!("the priority is {wanted}"), wait::LONG, || {
            daemon.metric("keepwatch_vrrp_priority", &["iname=\"VI_1\""]) == Some(wanted)
        })
    };
    daemon.wait_for_log("(b1) Entering Up state")?;
    priority(100.0)?;
    // Slower, and another weight: the session goes on.
    std::fs::write(daemon.config_path(), config("idle_tx 2000", "b1 weight 30"))?;
    daemon.process().signal(nix::sys::signal::Signal::SIGHUP)?;
    daemon.wait_for_log("Reloaded")?;
    priority(130.0)?;
    ensure!(bird.is("Up"), "{}", bird.sessions());
    ensure!(!daemon.process().log().contains("(b1) Entering Down"), "{}", daemon.process().log());
    net.theirs.isolate()?;
    priority(100.0)
}

#[test]
fn over_ipv6_and_over_routers() -> Result<()> {
    let net = Pair::new("bfd6")?;
    let bird = Bird::start(&net.theirs, "fd78::1 local fd78::2 multihop yes")?;
    let lines = "neighbor_ip fd78::2\n source_ip fd78::1\n multihop\n hoplimit 64\n max_hops 5";
    let daemon = start(&net, session(lines) + &instance("b1 weight 10").to_string())?;
    bird.wait_for("Up")?;
    daemon.wait_for_log("(b1) Entering Up state")?;
    Ok(())
}

#[test]
fn what_hinders_a_session_is_told() -> Result<()> {
    let net = Pair::new("bfdh")?;
    // Somebody else has the port.
    let _taken = net.ours.inside(|| Ok(std::net::UdpSocket::bind("0.0.0.0:3784")?))?;
    let daemon = start(&net, session("neighbor_ip 10.78.0.2") + &instance("b1 weight 10").to_string())?;
    daemon.wait_for_log("(b1) BFD session can't run: hear BFD on UDP port 3784")?;
    let status = daemon.answer(&["status"])?;
    ensure!(status.contains("UDP port 3784"), "{status}");
    Ok(())
}

#[test]
fn a_neighbour_whose_packets_are_not_taken_is_told_of_once() -> Result<()> {
    let net = Pair::new("bfdr")?;
    let daemon = start(&net, session("neighbor_ip 10.78.0.2") + &instance("b1 weight 10").to_string())?;
    daemon.wait_for_log("BFD: nothing heard of 10.78.0.2 yet")?;
    // A neighbour that is Down, and knows nobody.
    let mut packet =
        vec![0x20, 0x40, 3, 24, 0, 0, 0, 9, 0, 0, 0, 0, 0, 15, 66, 64, 0, 0, 195, 80, 0, 0, 0, 0];
    let socket = net.theirs.inside(|| Ok(std::net::UdpSocket::bind("10.78.0.2:0")?))?;
    let hundred = |packet: &[u8]| -> Result<()> {
        for _ in 0..100 {
            socket.send_to(packet, "10.78.0.1:3784")?;
        }
        Ok(())
    };
    hundred(&packet)?;
    let far =
        "what 10.78.0.2 sends is not taken: it came with a TTL of 64, and `max_hops` allows 255 at least";
    daemon.wait_for_log(far)?;
    ensure!(daemon.answer(&["status"])?.contains(far), "{}", daemon.answer(&["status"])?);
    socket.set_ttl(255)?;
    socket.send_to(&packet, "10.78.0.1:3784")?;
    wait::until("it is heard", wait::LONG, || {
        // It is in Init, and goes back when nothing more comes; then it can be told anew.
        let log = daemon.process().log();
        log.matches(far).count() == 1 && daemon.answer(&["status"]).is_ok()
    })?;
    // Authenticated, which nobody here is.
    (packet[1], packet[3]) = (0x44, 28);
    packet.extend([1, 4, 1, b'x']);
    wait::until("it is told again", 2 * wait::LONG, || {
        hundred(&packet).is_ok() && daemon.process().log().contains("not taken: it carries authentication")
    })?;
    ensure!(daemon.process().log().matches("is not taken").count() == 2, "{}", daemon.process().log());
    Ok(())
}

/// The master's cable to what it routes to is cut. That its session ended for silence, that this is why it resigned, and
/// that the backup took over because it did, is told by both, and on the wire; how long it takes is for `bench bfd` to say.
#[test]
fn a_cut_cable_ends_the_session_the_master_resigns_and_the_backup_takes_over_for_that() -> Result<()> {
    let lab = Lab::new("bfdcut")?;
    let (lan, hosts) = lab.routers(2)?;
    let (uplink, nowhere) = (lab.bridge("uplink")?, lab.bridge("nowhere")?);
    let beyond = lab.host("beyond")?;
    beyond.plug("eth0", &uplink)?.address("eth0", "10.79.0.9/24")?;
    hosts[0].plug("eth1", &uplink)?.address("eth1", "10.79.0.1/24")?;
    let _bird = Bird::start_with(&beyond, "10.79.0.1 dev \"eth0\"", (10, 10, 3), "")?;
    let plain = |priority| Instance::new("VI_1").interval("0.3").priority(priority).line("version 3");
    let backup = Keepwatchd::on(&hosts[1]).config(plain(200).to_string()).flag("--vrrp").start()?;
    let session = "bfd_instance b1 {\n neighbor_ip 10.79.0.9\n source_ip 10.79.0.1\n min_rx 10\n min_tx 10\n multiplier 3\n}\n";
    let tracked = plain(250).line("track_bfd {\n b1\n }").to_string();
    let master = Keepwatchd::on(&hosts[0]).config(session.to_owned() + &tracked).flag("--vrrp").start()?;
    let wire = lan.capture()?;
    let mut times = Vec::new();
    for _ in 0..2 {
        // On a slow machine the session may end by itself at any time: what counts is what happens from here on.
        let since = capture::now();
        wait::until("the master is master", 2 * wait::LONG, || {
            hosts[0].has("eth0", VIP) && wire.is_master_since("10.78.0.1", since)
        })?;
        let cut = capture::now();
        hosts[0].replug("eth1", &nowhere)?;
        let announced = || {
            let taken = wire.gratuitous_arps(VIP).into_iter().find(|at| *at > cut)?;
            let (heard, _) = wire.adverts_since("10.78.0.2", cut).first()?.clone();
            Some(taken.max(heard))
        };
        let time = wait::value("the backup takes over", wait::LONG, announced)
            .with_context(|| master.process().log() + &backup.process().log())?;
        let last = wire.adverts_from("10.78.0.1").pop().context("an advert of the master")?.1;
        ensure!(last.priority == 0, "it fell silent instead of resigning: {last:?}");
        let took = time.saturating_sub(cut);
        // It takes some 50 ms; a session that nobody looks after ends far later.
        let bound = Duration::from_secs(1) + wire.machine().allowance_since(cut);
        ensure!(took < bound, "after {took:?} (bound {bound:?})");
        times.push(took);

        let fault = way_to("FAULT", &master, cut)?;
        let down = fault.iter().find(|event| event["kind"] == "tracker_changed").context("the session")?;
        let silence = &down["evidence"]["session"]["why"]["silence"];
        ensure!(down["tracker"]["name"] == "b1" && silence["detection"]["nanos"] == 30_000_000, "{down}");
        let takeover = way_to("MASTER", &backup, cut)?;
        let resigned = takeover.get(1).context("a cause")?;
        ensure!(
            resigned["kind"] == "master_resigned" && resigned["address"] == "10.78.0.1",
            "it took over for another reason: {takeover:?}"
        );
        hosts[0].replug("eth1", &uplink)?;
    }
    println!("taken over after {times:?}");
    Ok(())
}

/// What led to VI_1 entering this state after `since`, newest first; waits until it is told.
fn way_to(state: &str, daemon: &Keepwatchd, since: Duration) -> Result<Vec<Value>> {
    let later = |event: &&Value| {
        let at = event["at"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok());
        at.and_then(|at| Duration::try_from(at.as_duration()).ok()) > Some(since)
    };
    let entered = |event: &&Value| event["kind"] == "state_changed" && event["to"] == state;
    wait::value(&format!("{state} is told of"), wait::LONG, || {
        let told = daemon.get("/api/v1/events?limit=1000").ok()?;
        let told: Vec<Value> = serde_json::from_str(&told.body).ok()?;
        let mut way = vec![told.iter().filter(later).find(entered)?.clone()];
        while let Some(cause) = way.last().map(|event| &event["cause"]).filter(|cause| cause.is_u64()) {
            way.push(told.iter().find(|event| event["id"] == *cause)?.clone());
        }
        Some(way)
    })
    .with_context(|| daemon.process().log())
}

/// Stopped, or frozen with its container: what came meanwhile waits in the socket, and is heard before anybody is believed
/// silent. (The neighbour is patient.)
#[test]
fn a_pause_of_the_daemon_is_no_silence_of_its_neighbour() -> Result<()> {
    let net = Pair::new("bfdpause")?;
    let _bird = Bird::start(&net.theirs, &format!("{} dev \"eth0\"", pair::OURS))?;
    let session =
        "bfd_instance b1 {\n neighbor_ip 10.78.0.2\n min_rx 50\n min_tx 60\n multiplier 50\n}\n".to_owned();
    let daemon = start(&net, session + &instance("b1").to_string())?;
    daemon.wait_for_log("down after 500 ms of silence")?;
    for _ in 0..3 {
        daemon.process().signal_all(nix::sys::signal::Signal::SIGSTOP);
        std::thread::sleep(Duration::from_millis(600));
        daemon.process().signal_all(nix::sys::signal::Signal::SIGCONT);
        std::thread::sleep(Duration::from_millis(300));
    }
    daemon.answer(&["status"])?;
    ensure!(!daemon.process().log().contains("Entering Down"), "{}", daemon.process().log());
    Ok(())
}

/// Noise, strangers, and packets in the neighbour's name that name another session: as many as two senders manage.
#[test]
fn a_flood_of_its_port_ends_no_session_and_delays_no_advert() -> Result<()> {
    let net = Pair::new("bfdflood")?;
    let bird = Bird::start(&net.theirs, &format!("{} dev \"eth0\"", pair::OURS))?;
    let config = session(&format!("neighbor_ip {}", pair::THEIRS)) + &instance("b1").to_string();
    let daemon = start(&net, config)?;
    daemon.wait_for_log("(VI_1) Entering MASTER STATE")?;
    let third = net.lan.router(3)?;
    let sender = |host: &Host, from: &str| host.inside(|| Ok(std::net::UdpSocket::bind((from, 0))?));
    let senders = [sender(&third, "10.78.0.3")?, sender(&net.theirs, pair::THEIRS)?];
    let foreign = [0x20, 0xc0, 3, 24, 0, 0, 0, 9, 9, 9, 9, 9, 0, 0, 195, 80, 0, 0, 195, 80, 0, 0, 0, 0];
    let began = capture::now();
    std::thread::scope(|scope| {
        for socket in &senders {
            scope.spawn(move || {
                let _ = socket.set_ttl(255);
                let until = Instant::now() + Duration::from_secs(3);
                let mut sent = 0_usize;
                while Instant::now() < until {
                    // A full queue is no failure of the test: there are more packets to come.
                    let _ = socket.send_to(&foreign[..24 - sent % 3 / 2], (pair::OURS, 3784));
                    sent += 1;
                    if sent.is_multiple_of(20) {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                }
            });
        }
    });
    net.wire.is_in_time(pair::OURS, began, Duration::from_millis(150))?;
    ensure!(bird.is("Up"), "{}", bird.sessions());
    ensure!(!daemon.process().log().contains("Entering Down state"), "{}", daemon.process().log());
    Ok(())
}

/// Threads of this name in the processes that run by this daemon's file.
fn threads(daemon: &Keepwatchd, name: &str) -> Vec<PathBuf> {
    let file = daemon.config_path().display().to_string();
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = all.filter(|process| {
        let line = std::fs::read_to_string(process.path().join("cmdline")).unwrap_or_default();
        line.contains(&file)
    });
    let threads = processes.flat_map(|it| std::fs::read_dir(it.path().join("task")).into_iter().flatten());
    let paths = threads.flatten().map(|thread| thread.path());
    let called =
        |path: &PathBuf| std::fs::read_to_string(path.join("comm")).is_ok_and(|it| it.trim() == name);
    paths.filter(called).collect()
}

/// Each of them sends about 23 packets a second and takes as many: 9000 in all.
#[test]
fn two_hundred_sessions_wake_their_thread_a_few_hundred_times_a_second() -> Result<()> {
    const SESSIONS: usize = 200;
    let net = Pair::new("bfdmany")?;
    let daemons = [(&net.ours, 1, 2), (&net.theirs, 2, 1)].map(|(host, mine, other)| -> Result<Keepwatchd> {
        let mut config = instance("b0 weight 10").vrid(50 + mine).to_string();
        for i in 0..SESSIONS {
            host.address("eth0", &format!("10.78.{mine}.{}/16", i + 1))?;
            config += &format!(
                "bfd_instance b{i} {{\n neighbor_ip 10.78.{other}.{n}\n source_ip 10.78.{mine}.{n}\n min_rx 50\n min_tx 50\n \
                 multiplier 10\n}}\n",
                n = i + 1
            );
        }
        Keepwatchd::on(host).config(config).flags(&["--vrrp"]).start()
    });
    let [daemon, other] = daemons;
    let (daemon, _other) = (daemon?, other?);
    let ups = || daemon.process().log().matches("Entering Up state").count();
    wait::until("all are up", 2 * wait::LONG, || ups() == SESSIONS)?;
    let thread = threads(&daemon, "bfd").pop().context("the thread")?;
    let sleeps = || -> Result<u64> {
        let status = std::fs::read_to_string(thread.join("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        Ok(line.context("its switches")?.trim().parse()?)
    };
    // Until all have agreed on their times.
    wait::until("it is calm", wait::LONG, || {
        let Ok(before) = sleeps() else { return false };
        std::thread::sleep(Duration::from_millis(500));
        sleeps().is_ok_and(|after| (after - before) * 2 < 700)
    })
    .with_context(|| format!("{:?} switches", sleeps()))?;
    ensure!(!daemon.process().log().contains("Entering Down"), "{}", daemon.process().log());
    Ok(())
}

/// A virtual server whose first real server follows the session, as does the second with `inhibit_on_failure`; nothing
/// asks the third.
fn servers(more: &str) -> String {
    format!(
        "virtual_server 10.78.9.9 80 {{\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n sorry_server 10.78.0.9 80\n quorum 2\n\
         real_server 10.78.0.2 80 {{\n BFD_CHECK {{\n name b1\n }}\n }}\n\
         real_server 10.78.0.3 80 {{\n inhibit_on_failure\n BFD_CHECK {{\n name b1\n }}\n }}\n\
         real_server 10.78.0.4 80 {{\n {more}\n }}\n}}\n"
    )
}

#[test]
fn a_real_server_is_in_the_table_while_its_session_is_up() -> Result<()> {
    let net = Pair::new("bfdc")?;
    let config = session(&format!("neighbor_ip {}", pair::THEIRS));
    let flags = ["--check", "--dataplane", "memory"];
    let daemon =
        Keepwatchd::on(&net.ours).config(format!("{config}{}", servers(""))).flags(&flags).start()?;
    daemon.wait_for_control()?;
    let state = |at: &str, wanted: &str| {
        wait::until(&format!("{at} is {wanted}"), wait::LONG, || {
            let status = daemon.answer(&["status"]).unwrap_or_default();
            let line = status.lines().find(|line| line.trim_start().starts_with(at)).unwrap_or_default();
            line.contains(wanted)
        })
    };
    // Out from the beginning, although no server is `alpha`; and the reason is told.
    daemon.wait_for_log("BFD check of RS([10.78.0.2]:tcp:80) is DOWN: BFD session b1 is down")?;
    for at in ["10.78.0.2:80", "10.78.0.3:80"] {
        state(at, "down")?;
    }
    daemon.wait_for_log("Adding sorry server [10.78.0.9]:tcp:80 to VS [10.78.9.9]:tcp:80")?;
    ensure!(!daemon.process().log().contains("Adding service [10.78.0.2]"), "{}", daemon.process().log());

    let bird = Bird::start(&net.theirs, &format!("{} dev \"eth0\"", pair::OURS))?;
    daemon.wait_for_log("(b1) Entering Up state")?;
    for line in [
        "BFD check of RS([10.78.0.2]:tcp:80) is UP",
        "Adding service [10.78.0.2]:tcp:80 to VS [10.78.9.9]:tcp:80",
        "Enabling service [10.78.0.3]:tcp:80 of VS [10.78.9.9]:tcp:80",
        "Removing sorry server [10.78.0.9]:tcp:80 from VS [10.78.9.9]:tcp:80",
    ] {
        daemon.wait_for_log(line)?;
    }
    // A reload that has another server follow it as well disturbs nobody, and what it says is known at once.
    let more = "BFD_CHECK {\n name b1\n }";
    std::fs::write(daemon.config_path(), config.clone() + &servers(more))?;
    daemon.process().signal(nix::sys::signal::Signal::SIGHUP)?;
    daemon.wait_for_log("BFD check of RS([10.78.0.4]:tcp:80) is UP")?;
    ensure!(
        bird.is("Up") && !daemon.process().log().contains("Removing service"),
        "{}",
        daemon.process().log()
    );

    net.theirs.isolate()?;
    daemon.wait_for_log("Removing service [10.78.0.2]:tcp:80 from VS [10.78.9.9]:tcp:80")?;
    daemon.wait_for_log("Disabling service [10.78.0.3]:tcp:80 of VS [10.78.9.9]:tcp:80")?;
    state("10.78.0.4:80", "down")?;
    let why = daemon.answer(&["why", "10.78.0.2:80"])?;
    ensure!(why.contains("BFD session b1") && why.contains("nothing heard of 10.78.0.2"), "{why}");

    // Without the checker nobody says that it is down.
    std::fs::write(daemon.config_path(), config + &servers(""))?;
    daemon.process().signal(nix::sys::signal::Signal::SIGHUP)?;
    state("10.78.0.4:80", "unchecked")
}

/// In the machine, with a table of the kernel's, traffic, and keepalived before us.
#[test]
fn real_servers_leave_and_return_with_their_sessions_as_with_keepalived() -> Result<()> {
    let story = Scenario::new(include_str!("bfd/check.sh"))
        .env("NETWORK", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ipvs/network.sh"))
        .env("KEEPWATCHD", binaries::path("keepwatchd")?)
        .limit(Duration::from_secs(700))
        .run()?;
    ensure!(story.code == 0, "{}", story.output);
    let told = story.chapter("keepwatchd");
    for step in [
        "start",
        "up",
        "one dies",
        "it returns",
        "a cable is cut",
        "it is mended",
        "reload",
        "all die",
        "stop",
    ] {
        ensure!(told.contains(&format!("{step}: same")), "{step}:\n{}", story.output);
    }
    ensure!(told.contains("answers: 2 web2 2 web3"), "{told}");
    Ok(())
}

#[test]
fn its_thread_is_called_as_the_configuration_says() -> Result<()> {
    let net = Pair::new("bfd-name")?;
    let global = "global_defs {\n bfd_process_name my_bfd\n}\n";
    let config = session(&format!("neighbor_ip {}", pair::THEIRS)) + global + &instance("b1").to_string();
    let daemon = start(&net, config)?;
    wait::until("there is such a thread", wait::LONG, || !threads(&daemon, "my_bfd").is_empty())
}

//! BFD sessions with bird, and what virtual routers and real servers make of them.

#[path = "bfd/interop.rs"]
mod interop;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use integration::{Host, Instance, Pair, Process, keepwatchd::Keepwatchd, pair, wait};

/// bird in a host, with one BFD session.
struct Bird {
    host: Host,
    socket: PathBuf,
    _process: Process,
}

impl Bird {
    fn start(host: &Host, neighbour: &str) -> Result<Self> {
        Self::start_with(host, neighbour, (60, 50, 3), "")
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
    format!("bfd_instance b1 {{\n min_rx 50\n min_tx 60\n multiplier 3\n{lines}\n}}\n")
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
    let agreed = "a packet each 60 ms, down after 150 ms of silence";
    wait::until("what was agreed is told", wait::LONG, || {
        daemon.answer(&["status"]).is_ok_and(|status| status.contains(agreed))
    })?;
    ensure!(daemon.metric("keepwatch_bfd_session_up", &["name=\"b1\""]) == Some(1.0), "the metric says it");
    // It stays so: 20 detection times.
    wait::throughout("the session is up", Duration::from_secs(3), || bird.is("Up"))?;
    ensure!(daemon.process().log().matches("(b1) Entering").count() == 1, "{}", daemon.process().log());

    net.theirs.isolate()?;
    daemon.wait_for_log("(b1) Entering Down state (Local diagnostic - Control Detection Time Expired")?;
    wait::until("the address is gone", wait::LONG, || !net.ours.has("eth0", integration::conf::VIP))?;
    let why = daemon.answer(&["why", "VI_1"])?;
    ensure!(why.contains("BFD session b1") && why.contains("nothing heard of 10.78.0.2"), "{why}");

    net.theirs.open_firewall()?;
    wait::until("it is master again", wait::LONG, || net.ours.has("eth0", integration::conf::VIP))?;
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

#[test]
fn its_thread_is_called_as_the_configuration_says() -> Result<()> {
    let net = Pair::new("bfd-name")?;
    let global = "global_defs {\n bfd_process_name my_bfd\n}\n";
    let config = session(&format!("neighbor_ip {}", pair::THEIRS)) + global + &instance("b1").to_string();
    let daemon = start(&net, config)?;
    let called = || -> Vec<String> {
        let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let tasks = all.filter(|process| {
            let stat = std::fs::read_to_string(process.path().join("cmdline")).unwrap_or_default();
            stat.contains(&daemon.config_path().display().to_string())
        });
        let threads =
            tasks.flat_map(|process| std::fs::read_dir(process.path().join("task")).into_iter().flatten());
        threads
            .flatten()
            .filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok())
            .collect()
    };
    wait::until("there is such a thread", wait::LONG, || called().iter().any(|name| name == "my_bfd\n"))
}

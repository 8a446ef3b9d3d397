//! UDP_CHECK, DNS_CHECK, PING_CHECK, MISC_CHECK and FILE_CHECK of a running keepwatchd against small servers and scripts: each way to
//! fail takes the real server out with its reason, in the event, in `status` and in the metric; and it comes back.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use integration::sockets::receive_buffers;
use integration::{Host, Lab, keepwatchd::Keepwatchd, udp::UdpServer, wait, web::WebServer};
use nix::sys::signal::Signal;

#[path = "checkers_other/echo.rs"]
mod echo;
#[path = "checkers_other/scripts.rs"]
mod scripts;
#[path = "checkers_other/wire.rs"]
mod wire;

/// The label of the reason of a failure, and a part of its text; none for a server that is up.
type Fails = Option<(&'static str, &'static str)>;

/// A real server, its checker, and what becomes of it.
struct Cell {
    at: &'static str,
    checker: String,
    fails: Fails,
}

fn up(at: &'static str, checker: impl Into<String>) -> Cell {
    Cell { at, checker: checker.into(), fails: None }
}

fn down(at: &'static str, checker: impl Into<String>, reason: &'static str, says: &'static str) -> Cell {
    Cell { at, checker: checker.into(), fails: Some((reason, says)) }
}

/// A host with a neighbour, whose checkers look twice a second.
struct Scene {
    lab: Lab,
    host: Host,
    neighbour: Host,
}

impl Scene {
    fn new(name: &str) -> Result<Self> {
        let lab = Lab::new(name)?;
        let lan = lab.bridge("lan")?;
        let (host, neighbour) = (lab.host("director")?, lab.host("neighbour")?);
        host.plug("eth0", &lan)?.address("eth0", "10.78.0.1/24")?.address("eth0", "fd00:78::1/64")?;
        neighbour.plug("eth0", &lan)?.address("eth0", "10.78.0.2/24")?.address("eth0", "fd00:78::2/64")?;
        Ok(Self { lab, host, neighbour })
    }

    fn config(lines: &str, cells: &[Cell]) -> String {
        let reals = cells.iter().map(|Cell { at, checker, .. }| {
            let (address, port) = at.rsplit_once(':').unwrap_or_default();
            let address = address.trim_matches(['[', ']']);
            format!("    real_server {address} {port} {{\n        {checker}\n    }}\n")
        });
        let (v4, v6): (Vec<_>, Vec<_>) = reals.partition(|real| !real.contains(':'));
        let server = |address: &str, reals: Vec<String>| match reals.is_empty() {
            true => String::new(),
            false => format!(
                "virtual_server {address} 53 {{\n    delay_loop 0.5\n    lvs_sched rr\n    lvs_method NAT\n    \
                 protocol UDP\n    retry 1\n    delay_before_retry 0.1\n    warmup 0\n    connect_timeout 0.7\n    \
                 {lines}\n{}}}\n",
                reals.concat()
            ),
        };
        server("10.78.9.9", v4) + &server("fd00:78::9", v6)
    }

    fn start(&self, config: &str) -> Result<Keepwatchd> {
        Keepwatchd::on(&self.host).config(config).flags(&["--check", "--dataplane", "memory"]).start()
    }

    fn udp(&self, at: &str, answer: impl FnMut(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> Result<UdpServer> {
        UdpServer::start(&self.host, at.parse()?, answer)
    }

    /// A script in the host's directory.
    fn script(&self, name: &str, text: &str) -> Result<String> {
        let path = self.host.file(name, &format!("#!/bin/sh\n{text}\n"))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(path.display().to_string())
    }
}

/// The line of `status` about a real server.
fn line(daemon: &Keepwatchd, at: &str) -> String {
    let status = daemon.answer(&["status"]).unwrap_or_default();
    status.lines().find(|line| line.trim_start().starts_with(at)).unwrap_or_default().to_owned()
}

fn is(daemon: &Keepwatchd, at: &str, state: &str) -> bool {
    line(daemon, at).split_whitespace().nth(1) == Some(state)
}

/// Waits until every real server is as it should be, and is said to be everywhere.
fn all_are(daemon: &Keepwatchd, cells: &[Cell]) -> Result<()> {
    let look = || -> Result<()> {
        let events = daemon.get("/api/v1/events?kind=check_failed")?.body;
        for Cell { at, fails, .. } in cells {
            let line = line(daemon, at);
            match fails {
                None => {
                    wait::until("it is up", wait::LONG, || is(daemon, at, "up"))
                        .with_context(|| format!("{at}: {line}"))?;
                    let passed = || daemon.metric("keepwatch_checks_total", &[at, "result=\"success\""]);
                    wait::until("a check of it succeeds", wait::LONG, || passed().is_some_and(|n| n > 0.0))
                        .with_context(|| format!("{at}: {line}"))?;
                }
                Some((reason, says)) => {
                    let shown = || is(daemon, at, "down") && self::line(daemon, at).contains(says);
                    wait::until("it is down for the right reason", wait::LONG, shown)
                        .with_context(|| format!("{at}: {says:?}, but {line}"))?;
                    let label = format!("reason=\"{reason}\"");
                    let counted = daemon.metric("keepwatch_check_failures_total", &[at, &label]);
                    ensure!(counted.is_some_and(|n| n > 0.0), "{at}: {reason} is counted as {counted:?}");
                    let event = events.lines().chain(events.split("},{")).any(|event| {
                        event.contains(at) && event.contains(says) && event.contains(&format!("\"{reason}\""))
                    });
                    ensure!(event, "no event with {reason} and {says:?} about {at} in\n{events}");
                }
            }
        }
        Ok(())
    };
    // Once everybody has been looked at, once more for the events.
    wait::until("everybody has been judged", wait::LONG, || {
        cells.iter().all(|cell| is(daemon, cell.at, if cell.fails.is_some() { "down" } else { "up" }))
    })
    .with_context(|| {
        format!("{}\n{}", daemon.answer(&["status"]).unwrap_or_default(), daemon.process().log())
    })?;
    look().with_context(|| daemon.process().log())
}

fn nothing(_: &[u8]) -> Vec<Vec<u8>> {
    Vec::new()
}

fn pong(_: &[u8]) -> Vec<Vec<u8>> {
    vec![b"\x01pong".to_vec()]
}

#[test]
fn udp_servers_fail_in_every_way_and_come_back() -> Result<()> {
    let scene = Scene::new("check-udp")?;
    let asks = "UDP_CHECK {\n payload 70696e67\n require_reply 01 7X 6f\n min_reply_length 3\n max_reply_length 8\n }";
    let cells = [
        down("127.0.0.2:53", "UDP_CHECK {\n }", "refused", "connection refused"),
        up("127.0.0.3:53", "UDP_CHECK {\n }"),
        down("127.0.0.4:53", asks, "timeout", "no answer within 0.7s"),
        up("127.0.0.5:53", asks),
        down("127.0.0.6:53", asks, "mismatch", "byte 2 of the answer is 80"),
        down("127.0.0.7:53", asks, "mismatch", "an answer of 2 bytes, at least 3 must come"),
        down("127.0.0.8:53", asks, "mismatch", "an answer of more than 8 bytes"),
        up("127.0.0.9:53", "UDP_CHECK {\n require_reply\n }"),
        // Nobody is there, which the kernel knows after three seconds; nothing leads there; no such source address.
        down("10.78.0.99:53", "UDP_CHECK {\n connect_timeout 10\n }", "unreachable", "no route to host"),
        down("203.0.113.1:53", "UDP_CHECK {\n }", "unreachable", "network is unreachable"),
        down("127.0.0.10:53", "UDP_CHECK {\n bindto 192.0.2.7\n }", "unreachable", "192.0.2.7"),
        up("[fd00:78::1]:53", asks),
        down("[fd00:78::1]:54", "UDP_CHECK {\n }", "refused", "connection refused"),
    ];
    let silent = scene.udp("127.0.0.3:53", nothing)?;
    let mute = scene.udp("127.0.0.4:53", nothing)?;
    let good =
        scene.udp("127.0.0.5:53", |asked| if asked == b"ping" { pong(asked) } else { nothing(asked) })?;
    let _wrong = scene.udp("127.0.0.6:53", |_| vec![b"\x01\x80o".to_vec()])?;
    let _short = scene.udp("127.0.0.7:53", |_| vec![b"\x01p".to_vec()])?;
    let _long = scene.udp("127.0.0.8:53", |_| vec![b"\x01pongpong".to_vec()])?;
    let _empty = scene.udp("127.0.0.9:53", |_| vec![Vec::new()])?;
    let _six = scene.udp("[fd00:78::1]:53", pong)?;
    let daemon = scene.start(&Scene::config("", &cells))?;
    all_are(&daemon, &cells)?;

    mute.answers(pong);
    let begins = scene.udp("127.0.0.2:53", nothing)?;
    for at in ["127.0.0.4:53", "127.0.0.2:53"] {
        wait::until("it is back", wait::LONG, || is(&daemon, at, "up")).with_context(|| line(&daemon, at))?;
    }
    daemon.wait_for_log("UDP connection to [127.0.0.4]:udp:53 success.")?;
    good.answers(|_| vec![b"garbage".to_vec()]);
    drop(silent);
    wait::until("garbage is bad", wait::LONG, || {
        line(&daemon, "127.0.0.5:53").contains("byte 1 of the answer is 67")
    })?;
    daemon
        .wait_for_log("UDP_CHECK on service [127.0.0.3]:udp:53 failed after 1 retries: connection refused")?;
    ensure!(begins.received() > 0);
    Ok(())
}

/// An answer with these flags, made of the question.
fn dns(flags: u16) -> impl FnMut(&[u8]) -> Vec<Vec<u8>> + Send + 'static {
    move |asked| {
        let mut answer = asked.to_vec();
        if let Some(place) = answer.get_mut(2..4) {
            place.copy_from_slice(&flags.to_be_bytes());
        }
        vec![answer]
    }
}

#[test]
fn dns_servers_fail_in_every_way_and_come_back() -> Result<()> {
    let scene = Scene::new("check-dns")?;
    let ask = |more: &str| format!("DNS_CHECK {{\n retry 1\n {more}\n }}");
    let cells = [
        down("127.0.0.2:53", ask(""), "refused", "connection refused"),
        down("127.0.0.3:53", ask(""), "timeout", "no answer within 0.7s"),
        up("127.0.0.4:53", ask("type A\n name a.example.com")),
        down("127.0.0.5:53", ask("type A\n name a"), "status", "rcode 3 (non-existent domain)"),
        down("127.0.0.6:53", ask(""), "status", "rcode 2 (server failure)"),
        down(
            "127.0.0.7:53",
            ask(""),
            "timeout",
            "no answer within 0.7s that has our id and question (1 had not)",
        ),
        down("127.0.0.8:53", ask("name a.b"), "timeout", "that has our id and question"),
        down("127.0.0.9:53", ask(""), "timeout", "that has our id and question"),
        up("127.0.0.10:53", ask("name .")),
        up("127.0.0.11:53", ask("type DNSKEY")),
        down("203.0.113.1:53", ask(""), "unreachable", "network is unreachable"),
        up("[fd00:78::1]:53", ask("type aaaa\n name example.com.")),
    ];
    let mute = scene.udp("127.0.0.3:53", nothing)?;
    let good = scene.udp("127.0.0.4:53", dns(0x8180))?;
    let _no_name = scene.udp("127.0.0.5:53", dns(0x8183))?;
    let _failing = scene.udp("127.0.0.6:53", dns(0x8182))?;
    let _other_id = scene.udp("127.0.0.7:53", |asked| {
        let mut answer = dns(0x8180)(asked).concat();
        answer[0] ^= 1;
        vec![answer]
    })?;
    let _other_question = scene.udp("127.0.0.8:53", |asked| {
        let mut answer = dns(0x8180)(asked).concat();
        answer[13] ^= 1;
        vec![answer]
    })?;
    let _garbage = scene.udp("127.0.0.9:53", |_| vec![b"not DNS".to_vec()])?;
    // What others send beforehand is waited past; a truncated answer is one.
    let _noisy = scene
        .udp("127.0.0.10:53", |asked| vec![b"x".to_vec(), asked.to_vec(), dns(0x8380)(asked).concat()])?;
    let _bare = scene.udp("127.0.0.11:53", |asked| {
        let mut answer = dns(0x8180)(asked).concat();
        answer[5] = 0;
        answer.truncate(12);
        vec![answer]
    })?;
    let _six = scene.udp("[fd00:78::1]:53", dns(0x8580))?;
    let daemon = scene.start(&Scene::config("", &cells))?;
    all_are(&daemon, &cells)?;

    mute.answers(dns(0x8180));
    wait::until("it is back", wait::LONG, || is(&daemon, "127.0.0.3:53", "up"))?;
    good.answers(dns(0x8185));
    wait::until("a refusal is bad", wait::LONG, || {
        line(&daemon, "127.0.0.4:53").contains("rcode 5 (query refused)")
    })
}

#[test]
fn hosts_that_answer_no_echo_fail_and_come_back() -> Result<()> {
    let scene = Scene::new("check-ping")?;
    let cells = [
        up("127.0.0.2:53", "PING_CHECK {\n }"),
        up("10.78.0.2:53", "PING_CHECK {\n bindto 10.78.0.1\n bind_if eth0\n }"),
        up("[fd00:78::2]:53", "PING_CHECK {\n }"),
        down("10.78.0.98:53", "PING_CHECK {\n }", "timeout", "no answer within 0.7s"),
        down("10.78.0.99:53", "PING_CHECK {\n connect_timeout 10\n }", "unreachable", "no route to host"),
        down("203.0.113.1:53", "PING_CHECK {\n }", "unreachable", "network is unreachable"),
        down("127.0.0.3:53", "PING_CHECK {\n bindto 192.0.2.7\n }", "unreachable", "192.0.2.7"),
        down("127.0.0.4:53", "PING_CHECK {\n bind_if nosuch0\n }", "unreachable", "nosuch0"),
    ];
    let range = Path::new("/proc/sys/net/ipv4/ping_group_range");
    let groups = || scene.host.inside(|| Ok(fs::read_to_string(range)?));
    let before = groups()?;
    let daemon = scene.start(&Scene::config("", &cells))?;
    all_are(&daemon, &cells)?;
    ensure!(groups()? == before, "the system's setting has been changed");

    scene.host.firewall(
        "table inet lab {\n chain in { type filter hook input priority 0; ip protocol icmp drop; }\n }",
    )?;
    for at in ["127.0.0.2:53", "10.78.0.2:53"] {
        wait::until("it is missed", wait::LONG, || is(&daemon, at, "down"))?;
        ensure!(line(&daemon, at).contains("no answer within 0.7s"), "{}", line(&daemon, at));
    }
    daemon.wait_for_log(
        "ICMP CHECK on service [127.0.0.2]:udp:53 failed after 1 retries: no answer within 0.7s",
    )?;
    scene.host.open_firewall()?;
    wait::until("it is back", wait::LONG, || is(&daemon, "127.0.0.2:53", "up"))?;
    daemon.wait_for_log("ICMP connection to [127.0.0.2]:udp:53 success.")
}

#[test]
fn scripts_judge_servers_by_their_exit_status_and_set_weights() -> Result<()> {
    let scene = Scene::new("check-misc")?;
    let code = |n: &str, value: &str| fs::write(scene.host.directory().join(n), value);
    for (name, value) in [("two", "0"), ("three", "12"), ("four", "1")] {
        code(name, value)?;
    }
    let by = |name: &str, more: &str| -> Result<String> {
        let file = scene.host.directory().join(name).display().to_string();
        let text = format!("code=$(cat {file})\n[ $code = kill ] && kill -9 $$\necho says $code\nexit $code");
        let script = scene.script(&format!("{name}.sh"), &text)?;
        Ok(format!(
            "weight 5\n MISC_CHECK {{\n misc_path {script}\n user root\n misc_timeout 5\n {more}\n }}"
        ))
    };
    let misc = |path: &str| format!("MISC_CHECK {{\n misc_path \"{path}\"\n user root\n misc_timeout 1\n }}");
    let cells = [
        up("127.0.0.2:53", by("two", "misc_dynamic\n retry 1")?),
        up("127.0.0.3:53", by("three", "misc_dynamic")?),
        down("127.0.0.4:53", by("four", "")?, "script", "exited with status 1: says 1"),
        down("127.0.0.5:53", misc("/bin/sleep 1000"), "timeout", "timed out after 1s"),
    ];
    let daemon = scene.start(&Scene::config("", &cells))?;
    all_are(&daemon, &cells)?;
    let weighs = |at: &'static str, weight: &str| {
        let shown = || line(&daemon, at).contains(&format!("weight {weight} "));
        wait::until("it has the weight", wait::LONG, shown)
            .with_context(|| format!("{weight}: {}", line(&daemon, at)))
    };
    weighs("127.0.0.2:53", "5")?;
    weighs("127.0.0.3:53", "10")?;
    daemon.wait_for_log("Changing weight from 5 to 10 for active service [127.0.0.3]:udp:53")?;
    code("three", "22")?;
    weighs("127.0.0.3:53", "20")?;

    // Killed again and again: nothing adds up, and the weight that is configured is back with it.
    code("three", "kill")?;
    wait::until("it is down", wait::LONG, || line(&daemon, "127.0.0.3:53").contains("killed by signal 9"))?;
    let failed = || {
        daemon.metric("keepwatch_checks_total", &["127.0.0.3:53", "result=\"failure\""]).unwrap_or_default()
    };
    let now = failed();
    wait::until("it fails some more times", wait::LONG, || failed() >= now + 3.0)?;
    code("three", "0")?;
    wait::until("it is back", wait::LONG, || is(&daemon, "127.0.0.3:53", "up"))?;
    weighs("127.0.0.3:53", "5")?;
    code("three", "2")?;
    weighs("127.0.0.3:53", "0")?;
    ensure!(is(&daemon, "127.0.0.3:53", "up"));

    code("two", "1")?;
    wait::until("it is down", wait::LONG, || is(&daemon, "127.0.0.2:53", "down"))?;
    code("four", "0")?;
    wait::until("it is back", wait::LONG, || is(&daemon, "127.0.0.4:53", "up"))
}

#[test]
fn a_deaf_script_never_runs_twice_at_once_and_is_gone_at_the_end() -> Result<()> {
    let scene = Scene::new("check-misc-deaf")?;
    let diary = scene.host.directory().join("diary");
    fs::write(&diary, "")?;
    let deaf = format!("trap '' TERM HUP INT\necho $$ >> {}\nsleep 1000\nsleep 1000", diary.display());
    let script = scene.script("deaf.sh", &deaf)?;
    let missing = "MISC_CHECK {\n misc_path /nowhere/check\n user root\n }";
    let cells = [
        down(
            "127.0.0.2:53",
            format!("MISC_CHECK {{\n misc_path {script}\n user root\n misc_timeout 1\n }}"),
            "timeout",
            "timed out after 1s",
        ),
        up("127.0.0.3:53", "TCP_CHECK {\n }"),
    ];
    let _web = WebServer::start(&scene.host, "127.0.0.3:53".parse()?, "x")?;
    let config = Scene::config("", &cells);
    let mut daemon = scene.start(&config)?;
    let runs = || -> Vec<u32> {
        fs::read_to_string(&diary).unwrap_or_default().lines().filter_map(|line| line.parse().ok()).collect()
    };
    let alive = || runs().into_iter().filter(|pid| is_alive(*pid)).count();
    let mut most = 0;
    wait::until("it has run three times", wait::LONG, || {
        most = most.max(alive());
        runs().len() >= 3
    })?;
    ensure!(most == 1, "{most} at once");
    all_are(&daemon, &cells)?;

    // One that is not there any more is no success, and a reload leaves no run of the old one behind.
    fs::write(daemon.config_path(), config.replace(&format!("misc_path {script}"), "misc_path /bin/true"))?;
    daemon.process().signal(Signal::SIGHUP)?;
    wait::until("it is up", wait::LONG, || is(&daemon, "127.0.0.2:53", "up"))?;
    wait::until("the deaf one is gone", wait::LONG, || alive() == 0)?;
    fs::write(daemon.config_path(), config.replace("TCP_CHECK {\n }", missing))?;
    daemon.process().signal(Signal::SIGHUP)?;
    let told = || line(&daemon, "127.0.0.3:53").contains("can't be run: /nowhere/check");
    wait::until("what can't be run has failed", wait::LONG, told).with_context(|| daemon.process().log())?;
    wait::until("the deaf one runs again", wait::LONG, || alive() == 1)?;
    daemon.process_mut().signal(Signal::SIGTERM)?;
    ensure!(daemon.process_mut().wait(wait::LONG)?.success());
    wait::until("no child is left", wait::SHORT, || alive() == 0)
}

#[test]
fn servers_follow_their_files_from_the_start_on() -> Result<()> {
    let scene = Scene::new("check-file")?;
    let file = |name: &str| scene.host.directory().join(name).display().to_string();
    let define = |name: &str| format!("track_file {name} {{\n    file {}\n}}\n", file(name));
    let by = |name: &str, more: &str| format!("weight 5\n FILE_CHECK {{\n track_file {name}\n {more}\n }}");
    fs::write(file("three"), "3\n")?;
    fs::write(file("bad"), "1")?;
    fs::write(file("garbage"), "nonsense")?;
    let cells = [
        up("127.0.0.2:53", by("three", "weight 2")),
        down("127.0.0.3:53", by("bad", "weight 0"), "followed", "the number in bad is 1"),
        up("127.0.0.4:53", by("missing", "weight 0")),
        up("127.0.0.5:53", by("garbage", "weight 1 reverse")),
        up("127.0.0.6:53", "weight 5"),
    ];
    let files: String = ["three", "bad", "missing", "garbage"].into_iter().map(define).collect();
    let config = files + &Scene::config("alpha", &cells);
    let daemon = scene.start(&config)?;
    let weighs = |at: &'static str, weight: &str| {
        let shown = || line(&daemon, at).contains(&format!("weight {weight} "));
        wait::until("it has the weight", wait::LONG, shown)
            .with_context(|| format!("{weight}: {}\n{}", line(&daemon, at), daemon.process().log()))
    };
    weighs("127.0.0.2:53", "11")?;
    weighs("127.0.0.5:53", "5")?;
    weighs("127.0.0.6:53", "5")?;
    ensure!(is(&daemon, "127.0.0.3:53", "down") && is(&daemon, "127.0.0.4:53", "up"));
    ensure!(is(&daemon, "127.0.0.6:53", "unchecked"));
    let log = daemon.process().log();
    ensure!(!log.contains("Changing weight") && !log.contains("Adding service [127.0.0.3]"), "{log}");

    fs::write(file("three"), "300")?;
    weighs("127.0.0.2:53", "605")?;
    daemon.wait_for_log("Changing weight from 11 to 605 for active service [127.0.0.2]:udp:53")?;
    fs::write(file("three"), "-30")?;
    weighs("127.0.0.2:53", "0")?;
    ensure!(is(&daemon, "127.0.0.2:53", "up"));

    // Replaced in one go, as such files are.
    fs::write(file("next"), "0")?;
    fs::rename(file("next"), file("bad"))?;
    wait::until("it is up", wait::LONG, || is(&daemon, "127.0.0.3:53", "up"))
        .with_context(|| daemon.process().log())?;
    fs::write(file("missing"), "2")?;
    wait::until("it is down", wait::LONG, || is(&daemon, "127.0.0.4:53", "down"))?;
    ensure!(line(&daemon, "127.0.0.4:53").contains("the number in missing is 2"));

    // Down before a reload, down after it.
    fs::write(daemon.config_path(), config.replace("weight 1 reverse", "weight 2"))?;
    daemon.process().signal(Signal::SIGHUP)?;
    fs::write(file("garbage"), "4")?;
    weighs("127.0.0.5:53", "13")?;
    ensure!(is(&daemon, "127.0.0.4:53", "down"), "{}", line(&daemon, "127.0.0.4:53"));
    fs::remove_file(file("missing"))?;
    wait::until("it is back", wait::LONG, || is(&daemon, "127.0.0.4:53", "up"))
}

fn is_alive(process: u32) -> bool {
    fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn checkers_rest_while_the_address_of_their_virtual_server_is_elsewhere() -> Result<()> {
    let scene = Scene::new("check-suspend")?;
    let server = scene.udp("127.0.0.3:53", pong)?;
    let cells = [up("127.0.0.3:53", "UDP_CHECK {\n require_reply\n }")];
    let global = "global_defs {\nlvs_netlink_monitor_rcv_bufs 60000\nlvs_netlink_monitor_rcv_bufs_force\n}\n";
    let config = |lines: &str| global.to_owned() + &Scene::config(lines, &cells);
    let daemon = scene.start(&config("ha_suspend"))?;
    let buffers = || receive_buffers(&scene.host, daemon.process().pid(), "netlink 0 ").unwrap_or_default();
    wait::until("the buffer is as large as it is configured", wait::LONG, || buffers().contains(&120_000))
        .with_context(|| format!("{:?}", buffers()))?;
    daemon
        .wait_for_log("Suspending healthcheckers for VS [10.78.9.9]:udp:53: none of its addresses is here")?;
    ensure!(is(&daemon, "127.0.0.3:53", "unchecked"), "{}", line(&daemon, "127.0.0.3:53"));
    ensure!(daemon.answer(&["status"])?.contains("its checkers rest"), "{}", daemon.answer(&["status"])?);
    wait::throughout("nobody asks", Duration::from_secs(2), || server.received() == 0)?;

    scene.host.address("eth0", "10.78.9.9/32")?;
    daemon.wait_for_log("Activating healthcheckers for VS [10.78.9.9]:udp:53: 10.78.9.9 is here")?;
    all_are(&daemon, &cells)?;
    server.answers(nothing);
    wait::until("it is missed", wait::LONG, || is(&daemon, "127.0.0.3:53", "down"))?;
    ensure!(scene.host.remove_address("10.78.9.9")?);
    let suspended = || daemon.process().log().matches("Suspending healthcheckers").count() == 2;
    wait::until("they rest again", wait::LONG, suspended)?;
    // One that is under way comes to its end.
    let mut last = (server.received(), std::time::Instant::now());
    wait::until("nobody asks any more", wait::LONG, || {
        if server.received() != last.0 {
            last = (server.received(), std::time::Instant::now());
        }
        last.1.elapsed() > Duration::from_secs(2)
    })?;
    server.answers(pong);
    ensure!(is(&daemon, "127.0.0.3:53", "down"), "what is known stays known");

    // Another buffer, in a reload.
    fs::write(daemon.config_path(), config("ha_suspend").replace("60000", "70000"))?;
    daemon.process().signal(Signal::SIGHUP)?;
    wait::until("the buffer has changed", wait::LONG, || buffers().contains(&140_000))?;

    // Whoever does not ask for it any more is checked.
    fs::write(daemon.config_path(), Scene::config("", &cells))?;
    daemon.process().signal(Signal::SIGHUP)?;
    wait::until("it is up", wait::LONG, || is(&daemon, "127.0.0.3:53", "up"))
        .with_context(|| daemon.process().log())
}

/// A quarter of a small process's sockets is left to those that answer: they are asked on time, whatever the others do.
#[test]
fn two_thousand_servers_that_never_answer_hold_up_nobody_who_does() -> Result<()> {
    let scene = Scene::new("check-crowd")?;
    let _web = WebServer::start(&scene.host, "127.0.0.3:53".parse()?, "x")?;
    let good = up("127.0.0.3:53", "delay_loop 0.2\n TCP_CHECK {\n }");
    let config = Scene::config("", std::slice::from_ref(&good));
    let daemon = scene.start(&config)?;
    all_are(&daemon, std::slice::from_ref(&good))?;
    // Nothing comes back from there.
    scene.host.firewall(
        "table inet lab {\n chain out { type filter hook output priority 0; ip daddr 10.78.0.128/25 tcp dport > 999 drop; }\n }",
    )?;
    let pid = daemon.process().pid();
    let worker = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?.trim().to_owned();
    scene.host.run("prlimit", &["--pid", &worker, "--nofile=400:400"])?;
    let mut crowd = config.trim_end().trim_end_matches('}').to_owned();
    for port in 1000..3000 {
        crowd += &format!(
            "real_server 10.78.0.{} {port} {{\n TCP_CHECK {{\n connect_timeout 3\n retry 0\n }}\n }}\n",
            128 + port % 100
        );
    }
    fs::write(daemon.config_path(), crowd + "}\n")?;
    daemon.process().signal(Signal::SIGHUP)?;
    let failed = || daemon.metric("keepwatch_check_failures_total", &["10.78.0.", "reason=\"timeout\""]);
    wait::until("many time out", wait::LONG, || {
        daemon.get("/metrics").is_ok_and(|page| page.body.matches("reason=\"timeout\"} 1").count() > 100)
    })
    .with_context(|| format!("{:?}\n{}", failed(), daemon.process().log()))?;
    let sockets = || fs::read_dir(format!("/proc/{worker}/fd")).map_or(0, Iterator::count);
    let checks = || daemon.metric("keepwatch_checks_total", &["127.0.0.3:53", "result=\"success\""]);
    let before = checks().unwrap_or_default();
    let mut most = 0;
    let began = std::time::Instant::now();
    while began.elapsed() < Duration::from_secs(5) {
        most = most.max(sockets());
        std::thread::sleep(Duration::from_millis(100));
    }
    let made = checks().unwrap_or_default() - before;
    println!("{made} checks in 5 s, {most} descriptors");
    // Five a second would be right; the machine may have other things to do.
    ensure!(made >= 8.0, "{made} checks in 5 s");
    ensure!(most < 400 && most > 150, "{most} descriptors");
    ensure!(!daemon.process().log().contains("no socket"), "{}", daemon.process().log());
    Ok(())
}

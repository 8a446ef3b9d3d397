//! What is told of real servers and quorums, and in which order, through starts, reloads and stops: as keepalived 2.4.3 told
//! it on the same configurations. The servers' table is in memory: what is told is the same.

use anyhow::{Context, Result, ensure};
use integration::{
    Host, Lab, conf, keepwatchd::Keepwatchd, snmpd::Snmpd, snmptrapd::Snmptrapd, wait, web::WebServer,
};
use nix::sys::signal::Signal;

const CHECKER: &str = ".1.3.6.1.4.1.9586.100.5.3";

/// A notification in short: `VIP .2 is 1, 1 of 2` of the real server 127.0.0.2, `VIP quorum 1, 2 of 2` of a virtual server.
/// Behind the comma is how many of how many real servers are up.
fn told(trap: &[String]) -> Option<String> {
    let value = |name: &str| {
        let name = format!("{CHECKER}.{name} = ");
        let value = trap.iter().find_map(|bind| bind.strip_prefix(&name))?;
        Some(value.split_once(": ").map_or(value, |(_, value)| value).trim().trim_matches('"').to_owned())
    };
    let last_octet = |name: &str| {
        let octets = value(name)?;
        let last = u8::from_str_radix(octets.rsplit(' ').next()?, 16).ok()?;
        Some(format!(".{last}"))
    };
    let of = last_octet("3.1.6").or(value("3.1.3")).or(value("3.1.4"))?;
    let servers = format!("{} of {}", value("3.1.21")?, value("3.1.20")?);
    Some(match (last_octet("4.1.4"), value("4.1.6"), value("3.1.23")) {
        (Some(real), Some(status), _) => format!("{of} {real} is {status}, {servers}"),
        (_, _, Some(status)) => format!("{of} quorum {status}, {servers}"),
        _ => return None,
    })
}

/// A host with an snmpd and a receiver, where real servers are web servers of 127.0.0.0/8.
struct Scene {
    host: Host,
    snmpd: Snmpd,
    receiver: Snmptrapd,
}

impl Scene {
    fn new(name: &str) -> Result<Self> {
        let host = Lab::new(name)?.host("director")?;
        let snmpd = Snmpd::start_with(&host, Snmptrapd::SINK)?;
        let receiver = Snmptrapd::start(&host)?;
        Ok(Self { host, snmpd, receiver })
    }

    fn start(&self, servers: &str) -> Result<Keepwatchd> {
        let flags = ["--check", "--dataplane", "memory"];
        Keepwatchd::on(&self.host).config(self.text(servers)).flags(&flags).start()
    }

    fn text(&self, servers: &str) -> String {
        let lines = "enable_snmp_checker\nenable_traps\nsnmp_socket unix:";
        conf::global_defs(2, &format!("{lines}{}", self.snmpd.socket().display())) + servers
    }

    fn story(&self) -> Vec<String> {
        self.receiver.traps().iter().filter_map(|trap| told(trap)).collect()
    }

    /// Waits until this is all that has been told since so many.
    fn tells(&self, since: usize, story: &[&str], we: &Keepwatchd) -> Result<()> {
        wait::until(&format!("it is told that {story:?}"), wait::LONG, || {
            self.story().get(since..).is_some_and(|told| told == story)
        })
        .with_context(|| format!("{:#?}\n{}", self.story().split_off(since), we.process().log()))
    }
}

/// A virtual server at port 80 with these lines and real servers, each 127.0.0.`n` with its lines.
fn service(head: &str, lines: &str, reals: &[(u8, &str)]) -> String {
    let real = |(n, lines): &(u8, &str)| {
        format!(
            " real_server 127.0.0.{n} 8080 {{\n  weight 1\n  {lines}\n  TCP_CHECK {{\n   connect_timeout 2\n  }}\n }}\n"
        )
    };
    let reals: String = reals.iter().map(real).collect();
    format!(
        "{head} {{\n delay_loop 0.2\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n retry 1\n \
         delay_before_retry 0.1\n warmup 0\n {lines}\n{reals}}}\n"
    )
}

fn at(last: u8, lines: &str, reals: &[u8]) -> String {
    let reals: Vec<_> = reals.iter().map(|n| (*n, "")).collect();
    service(&format!("virtual_server 10.200.9.{last} 80"), lines, &reals)
}

/// Lines of the virtual server, and what is told at the start: of itself and of its first server, which is up; then the
/// server that is down. Which of both is checked first is nobody's promise.
const STARTS: [(&str, &[&str]); 5] = [
    ("", &["quorum 1, 2 of 2"]),
    ("omega", &["quorum 1, 2 of 2"]),
    ("alpha", &[".2 is 1", "quorum 1"]),
    ("alpha\n sorry_server 127.0.0.9 8080", &["quorum 2, 0 of 2", ".2 is 1", "quorum 1"]),
    ("alpha\n omega\n sorry_server 127.0.0.9 8080", &["quorum 2, 0 of 2", ".2 is 1", "quorum 1"]),
];

#[test]
fn starts_and_stops_with_alpha_and_omega_are_told_as_by_keepalived() -> Result<()> {
    let scene = Scene::new("told-starts")?;
    for (lines, first) in STARTS {
        let since = scene.story().len();
        let two = WebServer::of_two(&scene.host, 2)?;
        let mut we = scene.start(&at(9, lines, &[2, 3]))?;
        // First that of its own and of .2, apart from .3.
        wait::until(&format!("the start is told, {lines}"), wait::LONG, || {
            let (down, own): (Vec<_>, Vec<_>) =
                scene.story().split_off(since).into_iter().partition(|line| line.contains(" .3 "));
            let begins = |(line, wanted): (&String, &&str)| line.starts_with(&format!(".9 {wanted}"));
            own.len() == first.len()
                && own.iter().zip(first).all(begins)
                && down.len() == 1
                && down[0].starts_with(".9 .3 is 2, ")
        })
        .with_context(|| format!("{lines}: {:#?}\n{}", scene.story().split_off(since), we.process().log()))?;
        let since = scene.story().len();
        drop(two);
        let mut story = vec![".9 .2 is 2, 0 of 2", ".9 quorum 2, 0 of 2"];
        scene.tells(since, &story, &we)?;
        let _two = WebServer::of_two(&scene.host, 2)?;
        story.extend([".9 .2 is 1, 1 of 2", ".9 quorum 1, 1 of 2"]);
        scene.tells(since, &story, &we)?;
        we.process().signal(Signal::SIGTERM)?;
        story.extend([".9 .2 is 2, 0 of 2", ".9 quorum 3, 0 of 2"]);
        scene.tells(since, &story, &we)?;
        we.process_mut().wait(wait::LONG)?;
    }
    Ok(())
}

#[test]
fn what_a_reload_brings_and_takes_is_told_as_by_keepalived() -> Result<()> {
    let scene = Scene::new("told-reloads")?;
    let _servers = [2, 4].map(|n| WebServer::of_two(&scene.host, n));
    ensure!(_servers.iter().all(Result::is_ok));
    let (one, other) = (at(9, "", &[2]), at(8, "", &[2]));
    let mut we = scene.start(&one)?;
    let mut story = vec![".9 quorum 1, 1 of 1"];
    scene.tells(0, &story, &we)?;
    let mut reloads = |servers: &str, told: &[&'static str]| {
        we.reload(&scene.text(servers))?;
        story.extend(told);
        scene.tells(0, &story, &we)
    };
    reloads(&(one.clone() + &other), &[".8 quorum 1, 1 of 1"])?;
    // Who has acted on that it is up hears that it is gone.
    reloads(&one, &[".8 .2 is 2, 0 of 1", ".8 quorum 2, 0 of 1"])?;
    let alpha = at(8, "alpha", &[2]);
    reloads(&(one.clone() + &alpha), &[".8 .2 is 1, 1 of 1", ".8 quorum 1, 1 of 1"])?;
    let sorry = at(7, "alpha\n sorry_server 127.0.0.9 8080", &[2]);
    reloads(
        &(one.clone() + &sorry),
        &[
            ".8 .2 is 2, 0 of 1",
            ".8 quorum 2, 0 of 1",
            ".7 quorum 2, 0 of 1",
            ".7 .2 is 1, 1 of 1",
            ".7 quorum 1, 1 of 1",
        ],
    )?;
    reloads(&one, &[".7 .2 is 2, 0 of 1", ".7 quorum 2, 0 of 1"])?;
    // Real servers come and go: one that is down, and one that is up, which is no news without alpha.
    reloads(&at(9, "", &[2, 3]), &[".9 .3 is 2, 1 of 2"])?;
    reloads(&at(9, "", &[2, 4]), &[])?;
    we.wait_for_log("TCP connection to [127.0.0.4]:tcp:8080 success.")?;
    let mut reloads = |servers: &str, told: &[&'static str]| {
        we.reload(&scene.text(servers))?;
        story.extend(told);
        scene.tells(0, &story, &we)
    };
    reloads(&at(9, "", &[4]), &[".9 .2 is 2, 1 of 2"])?;
    reloads(&at(9, "alpha", &[4, 2]), &[".9 .2 is 1, 2 of 2"])?;
    reloads(&at(9, "alpha", &[2]), &[".9 .4 is 2, 1 of 2"])?;
    // Without its quorum a virtual server goes without a word of that; and with none up without any.
    reloads(
        &(one.clone() + &at(6, "quorum 2", &[2, 3])),
        &[".6 quorum 1, 2 of 2", ".6 .3 is 2, 1 of 2", ".6 quorum 2, 1 of 2"],
    )?;
    reloads(&one, &[".6 .2 is 2, 0 of 2"])?;
    reloads(
        &(one.clone() + &at(5, "", &[3])),
        &[".5 quorum 1, 1 of 1", ".5 .3 is 2, 0 of 1", ".5 quorum 2, 0 of 1"],
    )?;
    reloads(&one, &[])?;
    reloads(&(at(3, "", &[2]) + &one), &[".3 quorum 1, 1 of 1"])?;
    we.process().signal(Signal::SIGTERM)?;
    // In the order of the file.
    story.extend([".3 .2 is 2, 0 of 1", ".3 quorum 3, 0 of 1", ".9 .2 is 2, 0 of 1", ".9 quorum 3, 0 of 1"]);
    scene.tells(0, &story, &we)?;
    we.process_mut().wait(wait::LONG)?;
    Ok(())
}

/// A virtual server group is one, however many addresses and marks are in it; and one with a mark is told by that.
#[test]
fn a_group_a_mark_and_an_inhibited_server_are_told_as_by_keepalived() -> Result<()> {
    let scene = Scene::new("told-kinds")?;
    let two = WebServer::of_two(&scene.host, 2)?;
    let _four = WebServer::of_two(&scene.host, 4)?;
    let group = "virtual_server_group G {\n 10.200.9.7 80\n 10.200.9.6 80\n fwmark 9\n 10.200.8.1-3 80\n}\n";
    let text = format!("{group}{}", service("virtual_server group G", "", &[(2, ""), (4, "")]));
    let mut we = scene.start(&text)?;
    let mut story = vec!["G quorum 1, 2 of 2"];
    scene.tells(0, &story, &we)?;
    drop(two);
    story.push("G .2 is 2, 1 of 2");
    scene.tells(0, &story, &we)?;
    // An entry less, and one more behind it: nothing of that is news.
    let entries = text.replace(" 10.200.9.6 80\n", "").replace("10.200.8.1-3", "10.200.8.1-5");
    let mark = service("virtual_server fwmark 5", "", &[(4, "")]);
    we.reload(&scene.text(&(entries.clone() + &mark)))?;
    story.push("5 quorum 1, 1 of 1");
    scene.tells(0, &story, &we)?;
    let inhibited = service("virtual_server 10.200.9.9 80", "", &[(4, ""), (3, "inhibit_on_failure")]);
    we.reload(&scene.text(&(entries + &mark + &inhibited)))?;
    story.extend([".9 quorum 1, 2 of 2", ".9 .3 is 2, 1 of 2"]);
    scene.tells(0, &story, &we)?;
    we.reload(&scene.text(&inhibited))?;
    // From the last to the first.
    story.extend(["5 .4 is 2, 0 of 1", "5 quorum 2, 0 of 1", "G .4 is 2, 0 of 2", "G quorum 2, 0 of 2"]);
    scene.tells(0, &story, &we)?;
    we.process().signal(Signal::SIGTERM)?;
    story.extend([".9 .4 is 2, 0 of 2", ".9 quorum 3, 0 of 2"]);
    scene.tells(0, &story, &we)?;
    we.process_mut().wait(wait::LONG)?;
    Ok(())
}

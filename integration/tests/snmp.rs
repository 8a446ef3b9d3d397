//! keepwatchd through a real snmpd: the same walk as Debian's keepalived, reloads that show up, and a master agent
//! that is killed and comes back. (What a hung one does to failover is in `hostile.rs`, the agent alone in
//! `snmp_agent.rs`.)

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use integration::{
    Host, Instance, Lab, conf, keepalived::Keepalived, keepwatchd::Keepwatchd, snmpd, snmpd::Snmpd, wait,
};
use nix::sys::signal::Signal;

const ROOT: &str = ".1.3.6.1.4.1.9586.100.5";

/// What Debian's keepalived 2.2.7 can't be asked: its own version, and what came with 2.2.8.
const APART: [&str; 6] = [".1.1.0", ".1.12.0", ".2.3.1.36.", ".2.9.1.10.", ".2.9.1.11.", ".2.9.1.12."];

/// Groups, both versions, IPv6, addresses of every kind, tracking: three virtual routers that are all master soon.
fn config(master: &str) -> String {
    let global = format!(
        "notification_email {{\n one@example.net\n two@example.net\n}}\nnotification_email_from kw@example.net\n\
         smtp_server 10.78.0.99 2525\nsmtp_connect_timeout 7\nenable_snmp_vrrp\nenable_traps\n\
         snmp_socket {master}"
    );
    let first =
        Instance::new("VI_1").priority(150).password("1111").line("preempt_delay 3").line("smtp_alert");
    let second =
        Instance::new("VI_2").vrid(52).vip("10.78.9.10/24 brd 10.78.9.255 label eth0:two scope link");
    let second = second.line("nopreempt").line("garp_master_delay 2");
    let second = second.line("track_interface {\n eth0\n}");
    let second = second.line("virtual_ipaddress_excluded {\n 10.78.9.11\n 10.78.9.12/32\n}");
    let third = Instance::new("VI_3").vrid(53).interval("0.5").line("version 3").vip("fe80::9");
    let third = third.line("virtual_ipaddress_excluded {\n fd78::9/64\n}");
    conf::global_defs(2, &global)
        + &conf::sync_group("G1", &["VI_1", "VI_2"])
        + &format!("{first}{second}{third}")
}

/// What keepalived tells wrongly, so that it is told otherwise here (docs/differences.md): a tunnel of IP as one of ILA
/// (its enumeration is one off).
const WRONG: [&str; 1] = [".2.7.1.46."];
/// What keepalived's MIB has of rules and keepalived does not serve.
const ONLY_OURS: [&str; 6] =
    [".2.8.1.33.", ".2.8.1.34.", ".2.8.1.35.", ".2.8.1.36.", ".2.8.1.37.", ".2.8.1.38."];

/// A row of each table of the VRRP part that [`config`] has none of: what is static, routes, rules, what is tracked.
fn everything(socket: &std::path::Path, file: &std::path::Path) -> String {
    let global = format!(
        "enable_snmp_vrrp\nscript_user root\nenable_script_security\nsnmp_socket unix:{}\n\
         notification_email {{\n one@example.net\n}}\nnotification_email_from kw@example.net\nsmtp_server 10.78.0.99 2525\n}}\n\
         static_ipaddress {{\n 10.99.0.1/24 dev eth0\n}}\n\
         static_routes {{\n 10.98.0.0/16 via 10.99.0.9 dev eth0 metric 7\n}}\n\
         static_rules {{\n from 10.97.0.0/16 table 77 priority 990\n}}\n\
         vrrp_script SCRIPT {{\n script \"/usr/bin/true x\"\n interval 2\n timeout 1\n weight 3\n rise 2\n fall 3\n}}\n\
         track_file FILE {{\n file {}\n weight 2\n}}\n\
         vrrp_track_process PROCESS {{\n process snmpd\n weight 3\n quorum 1\n delay 2\n",
        socket.display(),
        file.display()
    );
    let tracked = "track_script {\n SCRIPT\n}\ntrack_file {\n FILE\n}\n\
                   track_process {\n PROCESS\n}\ntrack_interface {\n eth0 weight 4\n lo weight 3\n}";
    let routes = "virtual_routes {\n\
        10.50.0.0/16 via 10.78.0.7 dev eth0 src 10.78.9.9 metric 5 scope link table 100 tos 16 mtu lock 1400 \
        advmss 1300 hoplimit 9 rtt lock 300 rttvar 300 reordering 3 window 900 cwnd lock 12 ssthresh 33 \
        rto_min 250 initcwnd 10 initrwnd 11 features ecn quickack 1 congctl cubic realms 4/5\n\
        blackhole 10.51.0.0/16\nunreachable 10.52.0.0/16 table 9\n\
        10.53.0.0/16 nexthop via 10.78.0.8 dev eth0 weight 3 onlink nexthop via 10.78.0.9 dev eth0 weight 1 realms 2/3\n\
        10.54.0.0/16 nexthop via 10.78.0.8 dev eth0 weight 2\ndefault via 10.78.0.6 table 10\n\
        10.55.0.0/16 dev eth0\n\
        10.56.0.0/16 via 10.78.0.7 dev eth0 encap ip id 5 dst 10.78.0.44 src 10.78.0.1 tos 3 ttl 44\n}";
    let rules = "virtual_rules {\n\
        from 10.60.0.0/16 to 10.61.0.0/16 table 60 priority 1000 tos 8 fwmark 5/255\n\
        to 10.62.0.0/16 lookup 61 priority 1001 iif eth0\n\
        not from fd60::/64 table 62 priority 1002 oif eth0\n\
        from 10.63.0.0/16 blackhole priority 1003\nfrom 10.64.0.0/16 goto 32000 priority 1004\n\
        from 10.65.0.0/16 table 65 priority 1005 uidrange 10-20 suppress_prefixlength 8 suppress_ifgroup 3 \
        tunnel-id 77 realms 5/6\n\
        from 10.66.0.0/16 table 66\nl3mdev from 10.68.0.0/16 priority 1008\n}";
    // Weights count for nothing in a group: what is there must be no fault.
    let followed = "track_script {\n SCRIPT weight 0\n}\ntrack_interface {\n eth0\n}";
    let group = conf::sync_group("G1", &["VI_2", "VI_3"]).replace("\n}\n", &format!("\n{followed}\n}}\n"));
    conf::global_defs(2, &global)
        + &group
        + &Instance::new("VI_1").line(tracked).line(routes).line(rules).to_string()
        + &Instance::new("VI_2").vrid(52).vip("10.78.9.10").to_string()
        + &Instance::new("VI_3").vrid(53).vip("10.78.9.11").to_string()
}

#[test]
fn one_of_everything_is_shown_as_keepalived_shows_it() -> Result<()> {
    let (ours, theirs) = (lonely("snmp-all-ours")?, lonely("snmp-all-theirs")?);
    let (our_snmpd, their_snmpd) = (Snmpd::start(&ours)?, Snmpd::start(&theirs)?);
    let (our_file, their_file) = (ours.file("tracked", "7\n")?, theirs.file("tracked", "7\n")?);
    let we =
        Keepwatchd::on(&ours).config(everything(our_snmpd.socket(), &our_file)).flag("--vrrp").start()?;
    let _it = Keepalived::start(&theirs, &everything(their_snmpd.socket(), &their_file), &["--snmp"])?;
    settled(&our_snmpd).with_context(|| we.process().log())?;
    settled(&their_snmpd)?;
    // Of tracked files each has its own. Processes are those of the whole machine, and with them go priorities.
    let apart = [&WRONG[..], &ONLY_OURS, &[".2.13.1.3.", ".2.21.1.13.", ".2.21.1.14.", ".2.3.1.8."]].concat();
    let objects = alike(&our_snmpd, &their_snmpd, &apart).with_context(|| we.process().log())?;
    ensure!(objects > 450, "only {objects} objects");
    every_table_by_its_name(&our_snmpd)?;
    ensure!(our_snmpd.get(&format!("{ROOT}.2.7.1.46.1.8"))?.contains("INTEGER: 2"), "a tunnel of IP");
    Ok(())
}

/// What a walk of keepalived 2.4.3 showed on [`everything`], as it was recorded: the rest of each name, and its value.
const RECORDED: &str = include_str!("snmp/keepalived-2.4.3-vrrp.walk");

/// What is each daemon's own in [`RECORDED`], or each host's: versions, recipients of mail (which 2.4.3 does not show), the
/// numbers of interfaces, where the tracked file is, and how many processes there are and what their weight makes of a
/// priority.
const OWN: [&str; 9] = [
    ".1.1.0",
    ".1.3.5.1.2.",
    ".2.3.1.8.",
    ".2.6.1.7.",
    ".2.7.1.11.",
    ".2.11.1.4.",
    ".2.13.1.3.",
    ".2.21.1.13.",
    ".2.21.1.14.",
];

/// The columns that Debian's 2.2.7 does not have yet, and all others once more. `KEEPALIVED` names a keepalived whose walk
/// is recorded anew.
#[test]
fn one_of_everything_is_shown_as_a_newer_keepalived_showed_it() -> Result<()> {
    let host = lonely("snmp-recorded")?;
    let (snmpd, file) = (Snmpd::start(&host)?, host.file("tracked", "7\n")?);
    let text = everything(snmpd.socket(), &file);
    let walk = || snmpd::rows(&snmpd.walk(ROOT).unwrap_or_default(), ROOT);
    if let Some(program) = std::env::var_os("KEEPALIVED") {
        let _it = Keepalived::start_program(program.as_ref(), &host, &text, &["--snmp"])?;
        settled(&snmpd)?;
        let lines = walk().into_iter().map(|(name, value)| format!("{name} = {value}\n"));
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snmp/keepalived-2.4.3-vrrp.walk");
        std::fs::write(path, lines.collect::<String>())?;
        return Ok(());
    }
    let we = Keepwatchd::on(&host).config(text).flag("--vrrp").start()?;
    settled(&snmpd).with_context(|| we.process().log())?;
    let apart = [&OWN[..], &WRONG, &ONLY_OURS].concat();
    let compared = |mut rows: BTreeMap<String, String>| {
        rows.retain(|name, _| !apart.iter().any(|apart| name.starts_with(apart)));
        rows
    };
    let lines = RECORDED.lines().filter_map(|line| line.split_once(" = "));
    let theirs = compared(lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
    ensure!(theirs.len() > 450, "only {} objects", theirs.len());
    let mut different = Vec::new();
    wait::until("the walk shows what was recorded", wait::LONG, || {
        different = snmpd::differences(&compared(walk()), &theirs);
        different.is_empty()
    })
    .with_context(|| format!("{}\n{}", different.join("\n"), we.process().log()))
}

/// A configuration without this instance: only instances come after it.
fn without(text: &str, name: &str) -> String {
    let begin = text.find(&format!("vrrp_instance {name} {{")).unwrap_or(text.len());
    let (before, from) = text.split_at(begin);
    let next = from.find("\nvrrp_instance ").map_or("", |next| &from[next + 1..]);
    [before, next].concat()
}

/// Waits until both show the same but for these columns, and says how many objects.
fn alike(ours: &Snmpd, theirs: &Snmpd, apart: &[&str]) -> Result<usize> {
    // A walk takes a while, and what it showed first may be older than what it showed last: the group's state stands
    // before those of its members.
    let mut different = Vec::new();
    let objects = wait::value("both walks show the same", wait::LONG, || {
        let (mut our_rows, mut their_rows) = (rows(ours), rows(theirs));
        for rows in [&mut our_rows, &mut their_rows] {
            rows.retain(|name, _| !apart.iter().any(|apart| name.starts_with(apart)));
        }
        different = snmpd::differences(&our_rows, &their_rows);
        (different.is_empty() && !our_rows.is_empty()).then_some(our_rows.len())
    });
    objects.with_context(|| different.join("\n"))
}

/// snmptable finds each table of the VRRP part by its name, and rows in it; but for what is not in [`everything`]: BFD,
/// and files and processes of groups.
fn every_table_by_its_name(snmpd: &Snmpd) -> Result<()> {
    let texts = integration::binaries::workspace().join("mib");
    let base = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mib-base"));
    let parts = keepwatch_mib::Parts { checker: false, ..keepwatch_mib::Parts::KEEPALIVED };
    let mut entries: Vec<_> =
        keepwatch_mib::keepalived::objects(parts).filter_map(|object| Some(object.table?.0)).collect();
    entries.dedup();
    let mut empty = Vec::new();
    for entry in &entries {
        let table = format!("KEEPALIVED-MIB::{}Table", entry.trim_end_matches("Entry"));
        let shown = snmpd.table(&[&texts, base], &table)?;
        let lines = shown.lines().skip_while(|line| !line.contains(&format!("SNMP table: {table}")));
        // The title, an empty line, the names of the columns, and rows.
        if lines.filter(|line| !line.is_empty()).count() < 3 {
            ensure!(shown.contains(&format!("{table}: No entries")), "{shown}");
            empty.push(*entry);
        }
    }
    let in_vain = ["BfdEntry", "vrrpSyncTrackedFileEntry", "vrrpSyncTrackedProcessEntry"];
    let known = |entry: &&str| in_vain.iter().any(|known| entry.ends_with(known));
    ensure!(empty.iter().all(known), "{empty:?}");
    ensure!(entries.len() >= 20, "{entries:?}");
    Ok(())
}

/// What a walk shows, without the root and without what can't be compared.
fn rows(snmpd: &Snmpd) -> BTreeMap<String, String> {
    let mut rows = snmpd::rows(&snmpd.walk(ROOT).unwrap_or_default(), ROOT);
    rows.retain(|name, _| !APART.iter().any(|apart| name.starts_with(apart)));
    rows
}

/// Three masters: their states are in column 4 of the table of instances.
fn all_master(rows: &BTreeMap<String, String>) -> bool {
    (1..=3).all(|row| rows.get(&format!(".2.3.1.4.{row}")).is_some_and(|state| state == "INTEGER: 2"))
}

/// A host alone on its LAN, so that what is put on it becomes master.
fn lonely(name: &str) -> Result<Host> {
    let (_lan, mut hosts) = Lab::new(name)?.routers(1)?;
    Ok(hosts.remove(0))
}

fn settled(snmpd: &Snmpd) -> Result<BTreeMap<String, String>> {
    wait::value("all three are master", wait::LONG, || Some(rows(snmpd)).filter(all_master))
}

/// Both daemons on what [`config`] says, each with a snmpd of its own.
struct Two {
    our_snmpd: Snmpd,
    their_snmpd: Snmpd,
    we: Keepwatchd,
    it: Keepalived,
    master: fn(&Snmpd) -> String,
}

impl Two {
    /// `lines` are more of the configuration of snmpd, `master` is where it listens for AgentX.
    fn start(name: &str, lines: &str, master: fn(&Snmpd) -> String) -> Result<Self> {
        let (ours, theirs) = (lonely(&format!("{name}-ours"))?, lonely(&format!("{name}-theirs"))?);
        let our_snmpd = Snmpd::start_with(&ours, lines)?;
        let their_snmpd = Snmpd::start_with(&theirs, lines)?;
        let we = Keepwatchd::on(&ours).config(config(&master(&our_snmpd))).flag("--vrrp").start()?;
        let it = Keepalived::start(&theirs, &config(&master(&their_snmpd)), &["--snmp"])?;
        settled(&our_snmpd).with_context(|| we.process().log())?;
        settled(&their_snmpd)?;
        Ok(Self { our_snmpd, their_snmpd, we, it, master })
    }

    fn alike(&self) -> Result<usize> {
        alike(&self.our_snmpd, &self.their_snmpd, &[]).with_context(|| self.we.process().log())
    }

    /// Both read what `change` makes of their configuration.
    fn reload(&self, change: impl Fn(String) -> String) -> Result<()> {
        self.we.reload(&change(config(&(self.master)(&self.our_snmpd))))?;
        self.it.reload(&change(config(&(self.master)(&self.their_snmpd))))
    }
}

fn socket(snmpd: &Snmpd) -> String {
    format!("unix:{}", snmpd.socket().display())
}

#[test]
fn a_walk_shows_what_it_shows_of_keepalived() -> Result<()> {
    let objects = Two::start("snmp", "", socket)?.alike()?;
    ensure!(objects > 150, "only {objects} objects");
    Ok(())
}

/// A router that speaks to peers has columns of its own, and others not.
#[test]
fn a_router_of_unicast_is_shown_as_keepalived_shows_it() -> Result<()> {
    let (ours, theirs) = (lonely("snmp-unicast-ours")?, lonely("snmp-unicast-theirs")?);
    let (our_snmpd, their_snmpd) = (Snmpd::start(&ours)?, Snmpd::start(&theirs)?);
    let text = |snmpd: &Snmpd| {
        let first = Instance::new("VI_1").unicast("10.78.0.1", "10.78.0.77");
        let second = Instance::new("VI_2").vrid(52).vip("10.78.9.12").line("version 3").line("no_accept");
        let third = Instance::new("VI_3").vrid(53).vip("10.78.9.13").line("version 3");
        let third = third.unicast("10.78.0.1", "10.78.0.78");
        let lines = format!("enable_snmp_vrrp\nenable_snmp_rfc\nsnmp_socket {}", socket(snmpd));
        conf::global_defs(2, &lines) + &format!("{first}{second}{third}")
    };
    let we = Keepwatchd::on(&ours).config(text(&our_snmpd)).flag("--vrrp").start()?;
    let _it = Keepalived::start(&theirs, &text(&their_snmpd), &[])?;
    settled(&our_snmpd).with_context(|| we.process().log())?;
    settled(&their_snmpd)?;
    alike(&our_snmpd, &their_snmpd, &[]).with_context(|| we.process().log())?;
    let rows = rows(&our_snmpd);
    for column in [34, 35] {
        let is_there = |row: u32| rows.contains_key(&format!(".2.3.1.{column}.{row}"));
        ensure!(!is_there(1) && is_there(2) && !is_there(3), "column {column}: {rows:#?}");
    }
    Ok(())
}

#[test]
fn a_walk_over_agentx_by_tcp_shows_the_same() -> Result<()> {
    let two = Two::start("snmp-tcp", Snmpd::OVER_TCP, |_| Snmpd::TCP.to_owned())?;
    ensure!(two.alike()? > 150);
    two.we.wait_for_log("tcp:127.0.0.1:1705")
}

#[test]
fn rows_come_and_go_with_reloads_as_in_keepalived() -> Result<()> {
    let two = Two::start("snmp-rows", "", socket)?;
    let before = two.alike()?;
    let fourth = Instance::new("VI_4").vrid(54).priority(80).vip("10.78.9.13/24 dev eth0").line("no_accept");
    let alone = |text: String| without(&text, "VI_2").replace("        VI_2\n", "");
    for (change, name, there) in [
        // One goes, and a group shrinks.
        (&alone as &dyn Fn(String) -> String, ".2.3.1.2.3", false),
        // One comes, last.
        (&|text| text + &fourth.to_string(), ".2.3.1.2.4", true),
        // One comes first, and all others move on.
        (&|text| text.replacen("vrrp_instance", &format!("{fourth}vrrp_instance"), 1), ".2.3.1.2.4", true),
        // What stays has another priority, another address, no tracking.
        (
            &|text| {
                let text =
                    text.replace("priority 150", "priority 151").replace("10.78.9.11\n", "10.78.9.21\n");
                text.replace("track_interface {\n eth0\n}", "")
            },
            ".2.3.1.2.4",
            false,
        ),
        // As it was.
        (&|text| text, ".2.3.1.2.3", true),
    ] {
        two.reload(change)?;
        wait::until(&format!("{name} is there: {there}"), wait::LONG, || {
            rows(&two.our_snmpd).contains_key(name) == there
        })
        .with_context(|| two.we.process().log())?;
        two.alike()?;
    }
    ensure!(two.alike()? == before);
    Ok(())
}

/// Every object of the VRRP part, without an instance, with one that is not there, and what it stands in.
fn questions() -> Vec<String> {
    let parts = keepwatch_mib::Parts { checker: false, ..keepwatch_mib::Parts::KEEPALIVED };
    let places = keepwatch_mib::keepalived::objects(parts).map(|object| object.place);
    let mut names: Vec<String> = places
        .flat_map(|place| {
            let lengths = (1..=place.len()).map(move |length| place[..length].to_vec());
            lengths.flat_map(|place| [place.clone(), [place.as_slice(), &[4_000_000, 1]].concat()])
        })
        .map(|place| place.iter().fold(ROOT.to_owned(), |name, arc| format!("{name}.{arc}")))
        .filter(|name| {
            !APART
                .iter()
                .chain(&ONLY_OURS)
                .any(|apart| format!("{name}.").contains(apart.trim_end_matches('0')))
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn a_get_of_what_is_not_there_is_answered_as_keepalived_answers_it() -> Result<()> {
    let (ours, theirs) = (lonely("snmp-get-ours")?, lonely("snmp-get-theirs")?);
    let (our_snmpd, their_snmpd) = (Snmpd::start(&ours)?, Snmpd::start(&theirs)?);
    // No groups, nothing tracked: most tables are empty.
    let config = |snmpd: &Snmpd| {
        let global = format!("enable_snmp_vrrp\nsnmp_socket unix:{}", snmpd.socket().display());
        conf::global_defs(2, &global) + &Instance::new("VI_1").to_string()
    };
    let we = Keepwatchd::on(&ours).config(config(&our_snmpd)).flag("--vrrp").start()?;
    let _it = Keepalived::start(&theirs, &config(&their_snmpd), &["--snmp"])?;
    for snmpd in [&our_snmpd, &their_snmpd] {
        wait::until("the virtual router is served", wait::LONG, || rows(snmpd).contains_key(".2.3.1.2.1"))
            .with_context(|| we.process().log())?;
    }
    let names = questions();
    let (our_answers, their_answers) = (our_snmpd.get_all(&names)?, their_snmpd.get_all(&names)?);
    let different: Vec<_> =
        our_answers.iter().zip(&their_answers).filter(|(ours, theirs)| ours != theirs).collect();
    ensure!(different.is_empty(), "{different:#?}");
    let instances = our_answers.iter().filter(|line| line.contains("No Such Instance")).count();
    let objects = our_answers.iter().filter(|line| line.contains("No Such Object")).count();
    ensure!(instances > 100 && objects > 30, "{instances} and {objects}");
    Ok(())
}

#[test]
fn a_reload_shows_up_and_a_master_agent_that_was_killed_is_found_again() -> Result<()> {
    let host = lonely("snmp-reload")?;
    let mut snmpd = Snmpd::start(&host)?;
    let text = config(&socket(&snmpd));
    let we = Keepwatchd::on(&host).config(text.clone()).flag("--vrrp").start()?;
    let before = settled(&snmpd).with_context(|| we.process().log())?;

    snmpd.process_mut().kill();
    let more = text + &Instance::new("VI_4").vrid(54).vip("10.78.9.13").to_string();
    we.reload(&more)?;
    we.wait_for_log("AgentX")?;
    let snmpd = Snmpd::start(&host)?;
    let after = wait::value("the new virtual router is served", wait::LONG, || {
        Some(rows(&snmpd)).filter(|rows| rows.get(".2.3.1.2.4").is_some_and(|name| name.contains("VI_4")))
    })
    .with_context(|| we.process().log())?;
    ensure!(all_master(&after), "nobody lost its state");
    ensure!(before.keys().all(|name| after.contains_key(name)), "nothing was lost");
    Ok(())
}

/// For six seconds snmpd asks again; then it takes the subtree for lost, and hangs up.
#[test]
fn a_daemon_that_was_stopped_for_a_while_is_served_again() -> Result<()> {
    let host = lonely("snmp-stopped")?;
    let snmpd = Snmpd::start(&host)?;
    let we = Keepwatchd::on(&host).config(config(&socket(&snmpd))).flag("--vrrp").start()?;
    settled(&snmpd).with_context(|| we.process().log())?;
    let name = format!("{ROOT}.2.3.1.2.1");
    let says = |what: &str| snmpd.get(&name).is_ok_and(|text| text.contains(what));
    we.process().signal_all(Signal::SIGSTOP);
    let gone = wait::until("snmpd has given it up", wait::LONG, || says("No Such"));
    we.process().signal_all(Signal::SIGCONT);
    gone?;
    wait::until("it is served again", wait::LONG, || says("VI_1")).with_context(|| we.process().log())
}

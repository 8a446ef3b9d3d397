//! A director with its virtual servers in a real kernel: what passes, what is in the table (`ipvsadm` tells), and what
//! is said about it. The story is told in `ipvs/story.sh`, in one boot of the virtual machine.

#![allow(clippy::unwrap_used)]

#[path = "ipvs/load.rs"]
mod load;

use std::time::Duration;

use integration::{
    binaries, sockets,
    vm::{Outcome, Scenario},
};

#[test]
fn a_directors_life_from_its_start_to_a_clean_stop() {
    let story = play(include_str!("ipvs/story.sh"));
    let chapter = |name: &str, expected: &str| {
        let is = story.chapter(name);
        let (is, expected) = (lines(&is), lines(expected));
        assert_eq!(is, expected, "chapter {name:?} of\n{}", story.output);
    };
    assert_eq!(story.code, 0, "{}", story.output);
    let table = "
        TCP 10.0.0.1:80 wrr
        -> 192.168.2.2:80 Masq 1
        -> 192.168.3.3:80 Masq 3
        TCP 10.0.0.1:81 rr persistent 50 mask 255.255.255.0
        -> 192.168.2.2:80 Masq 1
        -> 192.168.3.3:80 Masq 1
        TCP 10.0.0.1:83 rr
        -> 10.0.0.55:83 Route 1
        TCP 10.0.0.1:84 rr
        -> 10.0.0.55:84 Tunnel 1
        TCP 10.9.9.9:99 rr
        TCP [fd00:c::1]:80 rr
        -> [fd00:2::2]:80 Masq 1
        FWM 7 lc
        -> 192.168.3.3:80 Masq 1
    ";
    chapter("table at the start", table);
    chapter("weighted", "2 web2\n6 web3");
    let persistent = story.chapter("persistent");
    assert!(["4 web2", "4 web3"].contains(&persistent.trim()), "{persistent}");
    chapter("by mark", "2 web3");
    chapter("direct routing", "2 web5");
    chapter("tunnel", "2 web5");
    chapter("version 6", "2 web2");
    chapter("a server dies", "4 web3");
    chapter("inhibited", "-> [fd00:2::2]:80 Masq 0");
    chapter("the last one dies", "2 web4");
    chapter("they come back", "2 web2\n6 web3");
    chapter("drift", table);
    chapter("reload", "what did not change was not touched");
    for line in ["the table stays", "4 web3", "the dead stays out", "the kernel has counted on"] {
        assert!(story.chapter("crash").contains(line), "{line:?} is not in\n{}", story.output);
    }
    chapter("the worker dies", "2\nthe kernel has counted on");
    chapter("clean stop", "exit 0\nTCP 10.9.9.9:99 rr");
    chapter("kept", "the table stays");
    let metrics = story.chapter("metrics");
    for line in [
        r#"keepwatch_virtual_server_connections_total{virtual_server="10.0.0.1:81",protocol="tcp"} 4"#,
        r#"keepwatch_real_server_connections_total{virtual_server="10.0.0.1:83",protocol="tcp",real_server="10.0.0.55:83"} 2"#,
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    let sync = story.chapter("sync daemon");
    assert!(sync.starts_with("master sync daemon (mcast=lan, syncid=51"), "{sync}");
    assert!(sync.ends_with(")\nTCP 10.9.9.9:99 rr\n"), "it runs on, or something was left: {sync}");
    let both = story.chapter("sync daemon that follows nobody");
    let half = |role| format!("{role} sync daemon (mcast=lan, syncid=9,");
    assert!(both.contains(&half("master")) && both.contains(&half("backup")), "{both}");
    assert_eq!(both.lines().count(), 2, "it runs on: {both}");
    chapter(
        "flush, timeouts and groups",
        "
        Timeout (tcp tcpfin udp): 900 120 300
        TCP 10.0.1.1:80 rr
        -> 192.168.2.2:80 Masq 1
        TCP 10.0.1.2:80 rr
        -> 192.168.2.2:80 Masq 1
        FWM 8 rr
        -> 192.168.2.2:80 Masq 1
        Timeout (tcp tcpfin udp): 1234 120 17
        Timeout (tcp tcpfin udp): 900 120 300
        ",
    );
    let log = story.chapter("log");
    in_order(
        &log,
        &[
            "Adding Virtual Server [10.0.0.1]:tcp:80",
            "TCP_CHECK on service [192.168.2.2]:tcp:80 failed after 1 retries",
            "Removing service [192.168.2.2]:tcp:80 from VS [10.0.0.1]:tcp:80",
            "TCP_CHECK on service [192.168.3.3]:tcp:80 failed after 1 retries",
            "Lost quorum 1-0=1 > 0 for VS [10.0.0.1]:tcp:80",
            "Adding sorry server [192.168.4.4]:tcp:80 to VS [10.0.0.1]:tcp:80",
            "Removing service [192.168.3.3]:tcp:80 from VS [10.0.0.1]:tcp:80",
            "Removing sorry server [192.168.4.4]:tcp:80 from VS [10.0.0.1]:tcp:80",
        ],
    );
    for line in [
        "Gained quorum 1+0=1 <= 4 for VS [10.0.0.1]:tcp:80",
        "TCP_CHECK on service [192.168.2.2]:tcp:80 failed after 1 retries",
        "Removing service [192.168.2.2]:tcp:80 from VS [10.0.0.1]:tcp:80",
        "Disabling service [fd00:2::2]:tcp:80 of VS [fd00:c::1]:tcp:80",
        "Lost quorum 1-0=1 > 0 for VS [10.0.0.1]:tcp:80",
        "Adding sorry server [192.168.4.4]:tcp:80 to VS [10.0.0.1]:tcp:80",
        "Removing sorry server [192.168.4.4]:tcp:80 from VS [10.0.0.1]:tcp:80",
        "Enabling service [fd00:2::2]:tcp:80 of VS [fd00:c::1]:tcp:80",
        "IPVS table repaired: [192.168.3.3]:tcp:80 of VS [10.0.0.1]:tcp:80 was missing",
        "IPVS table repaired: [192.168.2.2]:tcp:80 of VS [10.0.0.1]:tcp:80 had been altered",
        "IPVS table repaired: VS [10.0.0.1]:tcp:81 had been altered",
        "IPVS table repaired: VS FWM 7 was missing",
        "IPVS table repaired: [10.0.0.66]:tcp:83 of VS [10.0.0.1]:tcp:83 did not belong there",
    ] {
        assert!(log.contains(line), "{line:?} is not in\n{log}");
    }
    assert!(!log.contains("IPVS: "), "something failed:\n{log}");
}

#[test]
fn what_the_kernel_refuses_is_told_as_refused_and_added_when_it_takes_it() {
    let story = play(include_str!("ipvs/refused.sh"));
    assert_eq!(story.code, 0, "{}", story.output);
    assert!(story.chapter("table").contains("-> 192.168.2.2:80"), "{}", story.output);
    in_order(
        &story.chapter("log"),
        &[
            "Adding Virtual Server [10.0.1.1]:tcp:80",
            "IPVS refused to add [192.168.2.2]:tcp:80 of VS [10.0.1.1]:tcp:80: Invalid argument",
            "Adding service [192.168.2.2]:tcp:80 to VS [10.0.1.1]:tcp:80",
            "IPVS works again",
            "Removed Virtual Server [10.0.1.1]:tcp:80",
        ],
    );
}

#[test]
fn connections_go_where_the_kernel_s_settings_say_and_synchronisation_comes_back_with_its_interface() {
    let story = play(include_str!("ipvs/flows.sh"));
    assert_eq!(story.code, 0, "{}", story.output);
    println!("{}\n{:?}", story.chapter("times"), story.took);
    let chapter = |name: &str, expected: &str| {
        assert_eq!(lines(&story.chapter(name)), lines(expected), "chapter {name:?} of\n{}", story.output);
    };
    // A flow stays with a server that rests while packets come, and so does a connection; new ones go elsewhere.
    let on = "first who rests\n";
    let resting = "again1 who rests\nagain2 who rests\nagain3 who rests\n";
    chapter("resting", &format!("{on}{resting}{on}again who rests\nnew 4 the other 4 the other"));
    chapter("out", &format!("{on}again silence\n{on}again silence\nnew 4 the other 4 the other"));
    // `expire_quiescent_template` 0 and 1, and a server that is out.
    chapter("persistent", "4 who rests\n4 the other\n4 the other");
    chapter("back", "back who rests\nback who rests");
    // `expire_nodest_conn` 1.
    chapter("expiring", "expired the other\nexpired Connection reset by peer");
    chapter(
        "sync daemon",
        "keepalived, at first: tells
        keepalived, when its interface is back: silent, 1 listed
        keepalived, stopped by somebody: silent, 0 listed
        keepwatchd, at first: tells
        keepwatchd, when its interface is back: tells
        keepwatchd, stopped by somebody: tells
        keepwatchd, with an interface that came later: tells",
    );
}

/// Every step of a story came to the table that keepalived has.
fn same(story: &Outcome, chapter: &str, steps: &[&str]) {
    let text = story.chapter(chapter);
    for step in steps {
        assert!(text.contains(&format!("{step}: same")), "{step} in {chapter}\n{}", story.output);
    }
}

/// So many answers of each server, in whichever order: `2 web2 2 web3`.
fn counts(text: &str) -> std::collections::BTreeMap<&str, u32> {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.chunks(2).filter_map(|pair| Some((*pair.get(1)?, pair.first()?.parse().ok()?))).collect()
}

#[test]
fn every_kind_of_virtual_server_serves_and_is_in_the_table_as_keepalived_puts_it_there() {
    let story = play(include_str!("ipvs/plays.sh"));
    assert_eq!(story.code, 0, "{}", story.output);
    println!("{}\n{:?}", story.chapter("times"), story.took);
    let schedulers = story.chapter("schedulers");
    for line in schedulers.lines() {
        let (name, answers) = line.split_once(' ').unwrap_or((line, ""));
        let answers = counts(answers);
        assert_eq!(answers.values().sum::<u32>(), 4, "{schedulers}");
        assert!(answers.keys().all(|name| ["web2", "web3"].contains(name)), "{schedulers}");
        let of = |server| answers.get(server).copied().unwrap_or(0);
        match name {
            "rr" => assert_eq!((of("web2"), of("web3")), (2, 2), "{schedulers}"),
            "wrr" => assert_eq!((of("web2"), of("web3")), (1, 3), "{schedulers}"),
            "fo" => assert_eq!(of("web3"), 4, "{schedulers}"),
            "dh" | "sh" | "lblc" => assert_eq!(answers.len(), 1, "{schedulers}"),
            _ => {}
        }
    }
    assert_eq!(schedulers.lines().count(), 13);
    let chapter = |name: &str, expected: &str| {
        let is = story.chapter(name);
        assert_eq!(lines(&is), lines(expected), "chapter {name:?} of\n{}", story.output);
    };
    chapter("methods", "83 2 web5\n84 2 web5\n85 2 web5\n86 2 web5\n87 2 web2 1 web5");
    chapter("marks and groups", "mark 2 web3\nrange 1 web2 1 web3 1 web2 1 web3\ngroup mark 1 web2 1 web3");
    let persistence = story.chapter("persistence");
    for line in persistence.lines() {
        assert_eq!(counts(line).values().collect::<Vec<_>>(), [&4], "{}", story.output);
    }
    chapter("datagrams and SCTP", "udp 2 web2 2 web3\nsctp 2 web2 2 web3\nudp6 2 web2");
    chapter("version 6", "80 2 web2\n83 2 web5\n84 2 web5");
    assert!(story.output.contains("start: same"), "{}", story.output);
    same(&story, "steps", &["down", "sorry"]);
    chapter("sorry", "2 web4\n2 web4\nback: same\nreload: same");
    chapter("after the reload", "1 web2\n1 web3\n2 web4\nstop: same");
    assert!(story.chapter("sync daemon").ends_with("the same\n"), "{}", story.output);
}

#[test]
fn groups_are_marked_the_table_is_where_it_is_configured_and_buffers_are_as_large() {
    let story = play(include_str!("ipvs/settings.sh"));
    assert_eq!(story.code, 0, "{}", story.output);
    println!("{}\n{:?}", story.chapter("times"), story.took);
    same(&story, "steps", &["start"]);
    let answers = "2 web2 2 web2 2 web3 2 web2";
    let marked = story.chapter("marked");
    for text in [
        "type filter hook input priority filter - 5",
        "10.0.0.11-10.0.0.13 . 80 : 0x000007d0",
        "counter packets",
        answers,
    ] {
        assert!(marked.contains(text), "{text} is not in {marked}\n{}", story.output);
    }
    let buffers = story.chapter("buffers");
    assert!(
        buffers.contains("netlink 16 140000") && buffers.contains("netlink 0 120000"),
        "{}",
        story.output
    );
    assert_eq!(
        lines(&story.chapter("reload")),
        lines(&format!(
            "-A -f 2000 -s rr\n-A -f 2001 -s rr\n-A -f 2002 -6 -s rr\n-A -f 2003 -s rr\n-A -f 2004 -s rr\n0\n{answers}\n2 web3\nnetlink 16 100000"
        )),
        "{}",
        story.output
    );
    assert_eq!(story.chapter("without a mark"), "marked\nunmarked 0\n", "{}", story.output);
    for chapter in ["repaired", "crash"] {
        assert_eq!(story.chapter(chapter).trim(), answers, "{chapter}\n{}", story.output);
    }
    assert_eq!(story.chapter("stop"), "", "something was left");
    assert_eq!(story.chapter("elsewhere"), "start: same\ntable ip keepalived_ipvs\n", "{}", story.output);
    assert_eq!(story.chapter("elsewhere that is not there"), "", "{}", story.output);
}

#[test]
fn the_documents_configurations_play_as_keepalived_plays_them() {
    let story = play(include_str!("ipvs/documents.sh"));
    assert_eq!(story.code, 0, "{}", story.output);
    println!("{}\n{:?}", story.chapter("times"), story.took);
    same(&story, "case study", &["start"]);
    same(&story, "case study, failing", &["another page", "sorry"]);
    same(&story, "case study, the end", &["back", "stop"]);
    assert!(["f2", "f3"].contains(&story.chapter("case study: served").trim()), "{}", story.output);
    assert_eq!(counts(story.chapter("case study: sorry").trim()).get("f100"), Some(&2), "{}", story.output);
    same(&story, "SSL_GET", &["start", "another page", "back"]);
}

#[test]
fn the_documents_pairs_of_directors_take_over_from_each_other() {
    let story = play(include_str!("ipvs/pairs.sh"));
    assert_eq!(story.code, 0, "{}", story.output);
    println!("{}\n{:?}", story.chapter("times"), story.took);
    let caches = story.chapter("caches");
    let sync = "master sync daemon (mcast=eth0 syncid=51\nbackup sync daemon (mcast=eth1 syncid=51\n";
    // keepalived 2.2.7 does not know the keyword of its sync daemon as it is written there.
    let expected = format!("start: same\nstart: same\n{sync}80\n80\n80\n");
    assert_eq!(caches, expected, "{}", story.output);
    let each = story.chapter("each master of one");
    assert_eq!(each, "start: same\nstart: same\n80\n3000\n4000\n80\n", "{}", story.output);
}

/// What keepalived 2.2.7 takes for well and we do not (`false`), and what we do and it does not (`true`): each is a row of
/// docs/differences.md.
const JUDGED_OTHERWISE: [(&str, bool); 11] = [
    ("HTTP_GET whole page, left open", true),
    ("HTTP_GET no reason phrase", true),
    ("SMTP_CHECK greeting of two lines", true),
    ("DNS_CHECK another question", false),
    // An answer with another number or other data than the request had.
    ("PING_CHECK other number", false),
    ("PING_CHECK other data", false),
    ("PING_CHECK no data", false),
    ("PING_CHECK endless", false),
    // One that takes too long and says that all is well when it is told to end.
    ("MISC_CHECK slow", false),
    // Commands that can't be run.
    ("MISC_CHECK garbage", false),
    ("MISC_CHECK interpreter", false),
];

/// It depends on whether the reset comes before the checker sees the connection, for both.
const RACE: &str = "TCP_CHECK reset";

#[test]
fn servers_that_fail_are_judged_as_keepalived_judges_them() {
    judge("TCP_CHECK HTTP_GET SSL_GET SMTP_CHECK DNS_CHECK UDP_CHECK", 56);
}

#[test]
fn hosts_and_scripts_that_fail_are_judged_as_keepalived_judges_them() {
    judge("PING_CHECK MISC_CHECK", 23);
}

/// Plays the cells of these checkers, of which there are so many.
fn judge(checkers: &str, cells: usize) {
    let story = play(&format!("export KINDS='{checkers}'\n{}", include_str!("ipvs/matrix.sh")));
    assert_eq!(story.code, 0, "{}", story.output);
    let judged = |chapter: &str| -> std::collections::BTreeMap<String, bool> {
        let text = story.chapter(chapter);
        let judged = text.lines().filter_map(|line| line.rsplit_once(": "));
        judged.map(|(cell, verdict)| (cell.to_owned(), verdict == "up")).collect()
    };
    let failing = ["keepalived", "keepwatchd"].map(|who| judged(&format!("{who} while they fail")));
    let [theirs, ours] = &failing;
    println!("| checker and server | keepalived 2.2.7 | keepwatch |");
    for (cell, up) in ours.iter().filter(|(cell, _)| *cell != RACE) {
        let word = |up: bool| if up { "up" } else { "down" };
        println!("| {cell} | {} | {} |", word(theirs[cell]), word(*up));
        let otherwise = JUDGED_OTHERWISE.iter().find(|(name, _)| name == cell).map(|(_, ours)| *ours);
        assert_eq!(*up, otherwise.unwrap_or(theirs[cell]), "{cell}\n{}", story.output);
        assert_eq!(otherwise.is_some(), *up != theirs[cell], "{cell} is no difference\n{}", story.output);
    }
    assert_eq!(ours.len(), cells);
    for (cell, up) in judged("when they do well") {
        assert!(up != cell.ends_with(" down") || cell == RACE, "{cell}\n{}", story.output);
    }
}

/// The texts are in it, one after the other.
fn in_order(all: &str, texts: &[&str]) {
    let mut rest = all;
    for text in texts {
        let (_, after) = rest.split_once(text).unwrap_or_else(|| panic!("no {text:?} in time in\n{all}"));
        rest = after;
    }
}

fn play(script: &str) -> Outcome {
    let network = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ipvs/network.sh");
    Scenario::new(script)
        .env("NETWORK", network)
        .env("SOCKETS", sockets::ASK_FILE)
        .env("SEEDS", binaries::workspace().join("daemon/config/tests/seeds"))
        .env("KEEPWATCHD", binaries::path("keepwatchd").unwrap())
        .limit(Duration::from_secs(1100))
        .run()
        .unwrap()
}

/// Lines without the space around them, and without the numbers of connections behind a real server.
fn lines(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let kept = if line.starts_with("->") { &words[..4.min(words.len())] } else { words.as_slice() };
        all.push(kept.join(" "));
    }
    all
}

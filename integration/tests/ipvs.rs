//! A director with its virtual servers in a real kernel: what passes, what is in the table (`ipvsadm` tells), and what
//! is said about it. The story is told in `ipvs/story.sh`, in one boot of the virtual machine.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use integration::{
    binaries,
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
        .env("KEEPWATCHD", binaries::path("keepwatchd").unwrap())
        .limit(Duration::from_secs(400))
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

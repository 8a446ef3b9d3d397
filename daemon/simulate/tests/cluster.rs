//! What operators ask: their own files, and something that goes wrong.
#![allow(clippy::expect_used, reason = "a test may stop at what can't be")]

use keepwatch_bus::Counters;
use keepwatch_bus::subject::VrrpState;
use keepwatch_simulate::watch::{Rules, Watch};
use keepwatch_simulate::{History, Lan, Scheduled, cluster, fault, story};
use keepwatch_vrrp::Definitions;

fn definitions(text: &str) -> Definitions {
    let options = keepwatch_config::Options { scripts: false, ..Default::default() };
    let loaded = keepwatch_config::load_text("test.conf".as_ref(), text.to_owned(), &options);
    let config = loaded.config.expect("it can run");
    Definitions::from_config(&config, &Counters::default())
}

fn instance(interface: &str, priority: u8, lines: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\n{interface}\nvirtual_router_id 51\npriority {priority}\nadvert_int 1\n{lines}\n\
         virtual_ipaddress {{\n10.0.0.100/24\n}}\n}}\n"
    )
}

fn lan(texts: &[String]) -> Lan {
    let names = ('A'..='Z').map(|letter| letter.to_string());
    let lan = Lan::new(0, cluster::of(names.zip(texts.iter().map(|text| definitions(text))).collect()).plans);
    assert_eq!(lan.hosts.len(), texts.len());
    lan
}

fn run(mut lan: Lan, faults: &[&str], seconds: u64) -> History {
    let end = seconds * 1_000_000;
    let all = fault::schedule(faults, &lan, end).expect("faults");
    fault::run(&mut lan, all, end).expect("each of them changes something");
    lan.history
}

/// Who was master, in order.
fn masters(history: &History, end: u64) -> Vec<&str> {
    let tracks = history.courses[0].tracks.iter();
    let mut spans: Vec<(u64, &str)> = tracks
        .flat_map(|track| {
            let host = &*history.hosts[track.host];
            track.spans(VrrpState::Master, end).into_iter().map(move |span| (span.from, host))
        })
        .collect();
    spans.sort_unstable();
    spans.into_iter().map(|(_, host)| host).collect()
}

#[test]
fn a_host_that_goes_down_is_replaced_after_the_master_down_interval() {
    let texts = [instance("interface eth0", 150, ""), instance("interface eth0", 100, "")];
    let history = run(lan(&texts), &["A down at 10s for 20s"], 60);
    let end = 60_000_000;
    assert_eq!(masters(&history, end), ["A", "B", "A"]);
    let outages = history.courses[0].outages(end);
    assert_eq!(outages.len(), 1, "{outages:?}");
    // From the last advert of A, 9.414 s, 3.609 s later.
    assert_eq!(outages[0].to / 1_000, 13_023);
    assert!(history.courses[0].split_brain(end).is_empty());
    let text = story::text(&history, end);
    for said in [
        "A  goes down",
        "VI_1: BACKUP → MASTER (priority 100): nobody was heard for 3.609 s",
        "no split brain",
    ] {
        assert!(text.contains(said), "{said} in\n{text}");
    }
    let svg = story::svg(&history, end);
    assert!(
        svg.starts_with("<svg") && svg.ends_with("</svg>\n") && svg.contains("outage, 10.000 s to 13.023 s")
    );
}

#[test]
fn whatever_interfaces_are_called_a_common_address_makes_them_one_lan() {
    let texts = [instance("interface eth0", 150, ""), instance("interface ens3", 100, "")];
    let history = run(lan(&texts), &["A eth0 down at 10s for 10s", "cut A B at 40s for 10s"], 60);
    assert_eq!(masters(&history, 60_000_000), ["A", "B", "A", "B"]);
    let split = history.courses[0].split_brain(60_000_000);
    assert_eq!(split.len(), 1, "{split:?}");
    assert!((43_000_000..44_000_000).contains(&split[0].from) && split[0].to < 51_100_000);
}

#[test]
fn unicast_routers_hear_each_other_by_the_addresses_in_the_files() {
    let peer = |own: &str, other: &str| format!("unicast_src_ip {own}\nunicast_peer {{\n{other}\n}}");
    let texts = [
        instance("", 150, &peer("192.0.2.1", "198.51.100.1"))
            .replace("virtual_ipaddress", "virtual_ipaddress_excluded"),
        instance("interface eth0", 100, "unicast_peer {\n192.0.2.1\n}"),
    ];
    let history = run(lan(&texts), &["A crash at 10s"], 30);
    assert_eq!(masters(&history, 30_000_000), ["A", "B"]);
}

#[test]
fn nopreempt_and_tracked_scripts_are_as_in_the_files() {
    let script = "vrrp_script chk {\nscript \"/bin/true\"\nweight -60\n}\n";
    let track = "track_script {\nchk\n}";
    let texts = [150, 100].map(|priority| script.to_owned() + &instance("interface eth0", priority, track));
    let history = run(lan(&texts), &["A track chk down at 10s for 20s"], 60);
    assert_eq!(masters(&history, 60_000_000), ["A", "B", "A"]);

    let stay = "state BACKUP\nnopreempt";
    let texts = [150, 100].map(|priority| instance("interface eth0", priority, stay));
    let history = run(lan(&texts), &["A stop at 10s for 20s"], 60);
    assert_eq!(masters(&history, 60_000_000), ["A", "B"]);
}

#[test]
fn routers_that_refuse_each_other_break_a_rule() {
    let texts = ["1111", "2222"].map(|password| {
        instance(
            "interface eth0",
            100,
            &format!("authentication {{\nauth_type PASS\nauth_pass {password}\n}}"),
        )
    });
    let mut lan = lan(&texts);
    let rules = |down| Rules {
        routers: vec![("VI_1".into(), vec!["10.0.0.100".parse().expect("an address")])],
        groups: Vec::new(),
        interval: 1_000_000,
        down,
        delay: 1_000,
    };
    let (mut two, mut none) = (Watch::new(rules(4_000_000), 2), Watch::new(rules(2_000_000), 2));
    lan.start(0);
    lan.start(1);
    none.look(&lan);
    lan.run_until(10_000_000, &mut |lan| {
        two.look(lan);
        none.look(lan);
    });
    let broken = two.broken.expect("two masters");
    assert!(broken.how.contains("A and B are masters of VI_1"), "{broken:?}");
    let broken = none.broken.expect("too long without a master");
    assert!(broken.how.contains("VI_1 had no master, and"), "{broken:?}");
}

#[test]
fn faults_that_mean_nothing_are_refused_in_words() {
    let lan = lan(&[instance("interface eth0", 150, ""), instance("interface eth0", 100, "")]);
    for (text, said) in [
        ("A down", "does not say when"),
        ("C down at 1s", "there is no host `C`, but A, B"),
        ("A eth1 down at 1s", "there is no interface `eth1`, but eth0"),
        ("A sideways at 1s", "expected down, up, crash"),
        ("A track chk down at 1s", "no instance there follows"),
        ("A down at soon", "`soon` is no time"),
        ("loss 101% at 1s", "0 to 100"),
        ("A down at 1s for", "after `at` comes a time"),
        ("at 1s", "nothing happens"),
        ("cut A A at 1s", "a host can't be cut from itself: `A` is named twice"),
        ("cut B > B at 1s", "a host can't be cut from itself: `B` is named twice"),
    ] {
        let problem = Scheduled::parse(text, &lan).expect_err(text);
        assert!(problem.contains(said), "{text}: {problem}");
    }
    for (text, micros) in
        [("10s", 10_000_000), ("1.5s", 1_500_000), ("200ms", 200_000), ("2m", 120_000_000), ("3", 3_000_000)]
    {
        assert_eq!(fault::time(text), Ok(micros));
    }
}

#[test]
fn faults_that_change_nothing_are_refused_in_words() {
    let texts = [instance("interface eth0", 150, ""), instance("interface eth0", 100, "")];
    for (faults, said) in [
        (
            ["A down at 100s"].as_slice(),
            "`A down at 100s`: at 100 s it is over, for it ends at 60 s: look longer",
        ),
        (&["A freeze at 10s"], "`A freeze at 10s`: it never goes on, which is as if it were down"),
        (&["A freeze at 10s", "B thaw at 20s"], "(`A thaw at …`)"),
        (&["A up at 10s"], "`A up at 10s`: nothing happens, for at 10 s A is up already"),
        (&["A start at 10s"], "the process of A runs already"),
        (&["A thaw at 10s"], "A goes on already"),
        (&["A down at 10s", "A down at 20s"], "at 20 s A is down already"),
        (&["A crash at 10s", "A stop at 20s"], "the process of A does not run already"),
        (&["A crash at 10s", "A freeze at 20s for 1s"], "A does not run already"),
        (&["A eth0 up at 10s"], "eth0 of A is up already"),
        (&["cut A > B at 10s", "cut A > B at 20s"], "B does not hear A already"),
        (&["loss 0% at 10s"], "0 % of packets are lost already"),
        (&["delay 0.1ms at 10s"], "packets take 0.1 ms already"),
    ] {
        let mut lan = lan(&texts);
        let end = 60_000_000;
        let ran = fault::schedule(faults, &lan, end).and_then(|all| fault::run(&mut lan, all, end));
        let problem = ran.expect_err(said);
        assert!(problem.contains(said), "{faults:?}: {problem}");
    }
    // What `for` undoes may be undone by then, or lie behind the end; and a host that crashed has power to lose.
    for faults in [
        ["A down at 10s for 20s", "A up at 15s"],
        ["A freeze at 10s for 90s", "B stop at 20s"],
        ["A crash at 10s", "A down at 20s"],
        ["A freeze at 10s", "A down at 20s"],
    ] {
        run(lan(&texts), &faults, 60);
    }
}

#[test]
fn a_master_that_stands_still_serves_nobody_until_another_takes_over_or_it_goes_on() {
    let texts = [instance("interface eth0", 150, ""), instance("interface eth0", 100, "")];
    let end = 60_000_000;
    let history = run(lan(&texts), &["A freeze at 10s for 20s"], 60);
    let course = &history.courses[0];
    let outages = course.outages(end);
    assert_eq!(outages.len(), 1, "{outages:?}");
    assert_eq!((outages[0].from, outages[0].to / 1_000), (10_000_000, 13_023));
    // It wakes as a master.
    let split = course.split_brain(end);
    assert!(split.iter().all(|span| span.from >= 30_000_000), "{split:?}");
    let text = story::text(&history, end);
    assert!(text.contains("A stands still and answers nobody  10.000 s to 30.000 s: 20.000 s"), "{text}");

    // Too short for anybody to notice, but not for clients.
    let history = run(lan(&texts), &["A freeze at 10s for 1s"], 60);
    let outages = history.courses[0].outages(end);
    assert_eq!(
        outages.iter().map(|span| (span.from, span.to)).collect::<Vec<_>>(),
        [(10_000_000, 11_000_000)]
    );

    // A backup that stands still keeps nobody from anything.
    let history = run(lan(&texts), &["B freeze at 10s for 1s"], 60);
    assert!(history.courses[0].outages(end).is_empty());
}

#[test]
fn addresses_that_a_crash_leaves_are_served_and_are_on_two_hosts_once_another_takes_over() {
    let texts = [instance("interface eth0", 150, ""), instance("interface eth0", 100, "")];
    let end = 60_000_000;
    let history = run(lan(&texts), &["A crash at 10s for 20s"], 60);
    let course = &history.courses[0];
    assert!(course.outages(end).is_empty(), "{:?}", course.outages(end));
    let split = course.split_brain(end);
    assert_eq!(split.len(), 1, "{split:?}");
    assert_eq!((split[0].from / 1_000, split[0].to / 1_000), (13_023, 30_000));
    let text = story::text(&history, end);
    assert!(text.contains("A has the addresses, but no process  10.000 s to 30.000 s: 20.000 s"), "{text}");

    // Without power they are gone, and without an interface nobody reaches them.
    for gone in ["A down at 20s", "A eth0 down at 20s"] {
        let history = run(lan(&texts), &["A crash at 10s", gone], 60);
        let split = history.courses[0].split_brain(end);
        assert_eq!(split.last().map(|span| span.to), Some(20_000_000), "{gone}: {split:?}");
    }

    let nothing = run(lan(&texts), &["A stop at 1ms", "B stop at 1ms"], 5);
    let text = story::text(&nothing, 5_000_000);
    assert!(text.contains("nobody was ever master") && !text.contains("no outage"), "{text}");
}

#[test]
fn a_master_that_stood_still_fights_for_its_mastership_unless_it_is_told_not_to() {
    for (more, expected, sent) in
        [("", ["A", "B"].as_slice(), "A"), ("timer_expired_backup 100", &["A", "B"], "B")]
    {
        let lines = format!("state BACKUP\nnopreempt\n{more}");
        let texts = [150, 100].map(|priority| instance("interface eth0", priority, &lines));
        let history = run(lan(&texts), &["A freeze at 10s for 6s"], 30);
        assert_eq!(masters(&history, 30_000_000), expected, "{more}");
        let last = history.courses[0]
            .tracks
            .iter()
            .find(|track| track.states.last().is_some_and(|(_, state)| *state == VrrpState::Master));
        assert_eq!(last.map(|track| &*history.hosts[track.host]), Some(sent), "{more}");
    }
}

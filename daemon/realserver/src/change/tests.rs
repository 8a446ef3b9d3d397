use super::*;
use crate::judge::{Judgement, judge};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn plan(addresses: &[(Device, &str)]) -> Plan {
    let addresses = addresses.iter().map(|(device, address)| (*device, ip(address))).collect();
    Plan { servers: [ip("10.0.0.1")].into(), addresses, left_out: Vec::new() }
}

fn host() -> Present {
    let mut present = Present { keeps_marks: true, ..Present::default() };
    present.links = [("lo", true), ("eth0", true)].map(|(name, up)| (name.to_owned(), up)).into();
    for scope in ["all", "default", "lo", "eth0"] {
        for (name, value) in [("arp_ignore", "0"), ("arp_announce", "0"), ("rp_filter", "1")] {
            present.settings.insert(format!("ipv4/conf/{scope}/{name}"), value.to_owned());
        }
    }
    present.lan.insert("eth0".to_owned());
    present.addresses.push(found("lo", "127.0.0.1", 8, 0, Some("lo")));
    present.addresses.push(found("eth0", "10.0.0.1", 24, 0, Some("eth0")));
    present
}

fn found(link: &str, address: &str, prefix: u8, mark: u8, label: Option<&str>) -> Found {
    Found { link: link.to_owned(), address: ip(address), prefix, mark, label: label.map(str::to_owned) }
}

/// The kernel, as far as it matters here.
fn carry_out(present: &mut Present, steps: &[Step]) {
    for step in steps {
        match step {
            Step::Make(device) => drop(present.links.insert(device.name().to_owned(), false)),
            Step::Raise(device) => drop(present.links.insert(device.name().to_owned(), true)),
            Step::Lower(device) => drop(present.links.insert(device.name().to_owned(), false)),
            Step::Set { setting, to, .. } => drop(present.settings.insert(setting.clone(), to.clone())),
            Step::Put(put) => {
                let Put { device, address, label } = put;
                let address = address.to_string();
                let new = found(device.name(), &address, put.prefix(), PROTOCOL_KEEPALIVED, label.as_deref());
                present.addresses.push(new);
            }
            Step::Take(put) => present
                .addresses
                .retain(|found| (&*found.link, found.address) != (put.device.name(), put.address)),
        }
    }
}

fn shown(steps: &[Step]) -> Vec<String> {
    steps.iter().map(Step::to_string).collect()
}

#[test]
fn silence_comes_before_the_address_and_goes_after_it() {
    let (before, mut present) = (host(), host());
    let wanted = plan(&[(Device::Lo, "10.0.0.100"), (Device::Lo, "fd00::100")]);
    let change = up(&wanted, &Record::default(), &present);
    let settings = [
        "set net.ipv4.conf.all.arp_ignore from 0 to 1",
        "set net.ipv4.conf.all.arp_announce from 0 to 2",
        "set net.ipv4.conf.lo.arp_ignore from 0 to 1",
        "set net.ipv4.conf.lo.arp_announce from 0 to 2",
    ];
    let addresses = ["put 10.0.0.100/32 on lo as lo:0", "put fd00::100/128 on lo"];
    assert_eq!(shown(&change.steps), [&settings[..], &addresses[..]].concat());
    assert_eq!((&change.during, &change.notes[..]), (&change.after, &[][..]));
    carry_out(&mut present, &change.steps);
    assert_eq!(judge(&change.after, &present), Judgement::default());

    // Again: nothing. And what somebody has undone meanwhile is done anew.
    assert_eq!(up(&wanted, &change.after, &present).steps, []);
    present.settings.insert("ipv4/conf/all/arp_ignore".to_owned(), "0".to_owned());
    present.addresses.retain(|found| found.address != ip("10.0.0.100"));
    assert_eq!(judge(&change.after, &present).wrong.len(), 2);
    let again = up(&wanted, &change.after, &present);
    assert_eq!(
        (shown(&again.steps), &again.after),
        (vec![settings[0].to_owned(), addresses[0].to_owned()], &change.after)
    );
    carry_out(&mut present, &again.steps);

    let end = down(&change.after, &present);
    assert!(matches!(end.steps[..], [Step::Take(_), Step::Take(_), Step::Set { .. }, ..]), "{:?}", end.steps);
    carry_out(&mut present, &end.steps);
    assert_eq!((&present, end.notes.len()), (&before, 0));
    assert_eq!(down(&change.after, &present).steps, []);
}

#[test]
fn what_was_there_before_stays() {
    let mut present = host();
    present.addresses.push(found("lo", "10.0.0.100", 32, 0, Some("lo:0")));
    present.settings.insert("ipv4/conf/all/arp_ignore".to_owned(), "2".to_owned());
    let before = present.clone();
    let change =
        up(&plan(&[(Device::Lo, "10.0.0.100"), (Device::Lo, "10.0.0.101")]), &Record::default(), &present);
    let steps = shown(&change.steps);
    assert!(steps.contains(&"put 10.0.0.101/32 on lo as lo:1".to_owned()), "{steps:?}");
    assert!(
        !steps.iter().any(|step| step.contains("10.0.0.100") || step.contains("all.arp_ignore")),
        "{steps:?}"
    );
    assert!(
        change.notes.iter().any(|note| note.contains("10.0.0.100/32 was on lo before")),
        "{:?}",
        change.notes
    );
    carry_out(&mut present, &change.steps);
    let end = down(&change.after, &present).steps;
    carry_out(&mut present, &end);
    assert_eq!(present, before);
}

#[test]
fn what_is_another_s_by_now_stays() {
    let mut present = host();
    let change = up(&plan(&[(Device::Lo, "10.0.0.100")]), &Record::default(), &present);
    carry_out(&mut present, &change.steps);
    for taken in present.addresses.iter_mut().filter(|found| found.address == ip("10.0.0.100")) {
        taken.mark = 0;
    }
    present.settings.insert("ipv4/conf/all/arp_ignore".to_owned(), "8".to_owned());
    let end = down(&change.after, &present);
    assert!(!end.steps.iter().any(|step| matches!(step, Step::Take(_))), "{:?}", end.steps);
    carry_out(&mut present, &end.steps);
    assert_eq!(present.settings["ipv4/conf/all/arp_ignore"], "8");
    // The address is on the LAN once the host is not silent about it: so it stays silent, and that is known.
    for (setting, value) in [("all/arp_announce", "2"), ("lo/arp_ignore", "1"), ("lo/arp_announce", "2")] {
        assert_eq!(present.settings[&format!("ipv4/conf/{setting}")], value, "{setting}");
    }
    assert_eq!((end.after.addresses.len(), end.after.settings.len(), end.notes.len()), (1, 3, 5));
    assert_eq!(down(&end.after, &present).after, end.after);
    // Once it is gone the rest is undone.
    present.addresses.retain(|found| found.address != ip("10.0.0.100"));
    let end = down(&end.after, &present);
    carry_out(&mut present, &end.steps);
    assert_eq!((&*present.settings["ipv4/conf/lo/arp_ignore"], end.after), ("0", Record::default()));
}

#[test]
fn what_is_wanted_no_longer_but_stays_is_not_told_to_the_lan() {
    let mut present = host();
    let first = up(&plan(&[(Device::Lo, "10.0.0.100")]), &Record::default(), &present);
    carry_out(&mut present, &first.steps);
    for taken in present.addresses.iter_mut().filter(|found| found.address == ip("10.0.0.100")) {
        taken.mark = 0;
    }
    let wanted = plan(&[(Device::Lo, "fd00::100")]);
    let second = up(&wanted, &first.after, &present);
    assert_eq!(shown(&second.steps), ["put fd00::100/128 on lo"]);
    assert_eq!((second.after.addresses.len(), &second.after.settings), (2, &first.after.settings));
    carry_out(&mut present, &second.steps);
    let again = up(&wanted, &second.after, &present);
    assert_eq!((again.steps, again.after), (vec![], second.after));
}

#[test]
fn another_configuration_takes_off_what_it_does_not_want() {
    let mut present = host();
    let first = up(&plan(&[(Device::Lo, "10.0.0.100")]), &Record::default(), &present);
    carry_out(&mut present, &first.steps);
    let second = up(&plan(&[(Device::Lo, "fd00::100")]), &first.after, &present);
    // Until it is done, both are known.
    assert_eq!((second.during.addresses.len(), second.after.addresses.len()), (2, 1));
    assert!(second.during.settings.len() == 4 && second.after.settings.is_empty());
    carry_out(&mut present, &second.steps);
    assert_eq!(present.settings, host().settings);
    let end = down(&second.after, &present).steps;
    carry_out(&mut present, &end);
    assert_eq!(present, host());
}

#[test]
fn a_tunnel_s_end_is_made_and_hears_clients_that_are_elsewhere() {
    let mut present = host();
    let wanted = plan(&[(Device::Tunl0, "10.0.0.100")]);
    let change = up(&wanted, &Record::default(), &present);
    let steps = shown(&change.steps);
    assert_eq!(steps[..2], ["make tunl0", "take tunl0 up"]);
    assert!(steps.contains(&"set net.ipv4.conf.tunl0.rp_filter from 1 to 2".to_owned()), "{steps:?}");
    carry_out(&mut present, &change.steps);
    assert_eq!(up(&wanted, &change.after, &present).steps, []);
    let end = down(&change.after, &present).steps;
    carry_out(&mut present, &end);
    assert!(!present.links["tunl0"]);
    assert_eq!(present.settings["ipv4/conf/tunl0/rp_filter"], "1");
    assert_eq!(present.settings["ipv4/conf/all/rp_filter"], "1");
    // Who filters nothing, or loosely, goes on so.
    for all in ["0", "2"] {
        let mut present = host();
        for scope in ["all", "default"] {
            present.settings.insert(format!("ipv4/conf/{scope}/rp_filter"), all.to_owned());
        }
        let steps = shown(&up(&wanted, &Record::default(), &present).steps);
        assert!(!steps.iter().any(|step| step.contains("rp_filter")), "{steps:?}");
    }
}

#[test]
fn who_would_tell_the_lan_all_the_same_is_named() {
    let mut present = host();
    present.settings.insert("ipv4/conf/eth0/arp_ignore".to_owned(), "3".to_owned());
    present.addresses.push(found("eth0", "10.0.0.100", 32, 18, Some("eth0")));
    let notes = up(&plan(&[(Device::Lo, "10.0.0.100")]), &Record::default(), &present).notes;
    assert!(notes.iter().any(|note| note.contains("eth0 may tell")), "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("is on eth0 too")), "{notes:?}");
}

#[test]
fn the_loopback_interface_is_taken_up_and_stays_up() {
    let mut present = host();
    present.links.insert("lo".to_owned(), false);
    let change = up(&plan(&[(Device::Lo, "10.0.0.100")]), &Record::default(), &present);
    assert_eq!(shown(&change.steps)[0], "take lo up");
    assert!(judge(&change.after, &present).wrong.contains(&"lo is down".to_owned()));
    carry_out(&mut present, &change.steps);
    // Also by a record of an earlier version.
    for raised in [change.after.raised.clone(), [Device::Lo].into()] {
        let end = down(&Record { raised, ..change.after.clone() }, &present);
        assert!(!shown(&end.steps).contains(&"take lo down".to_owned()), "{:?}", end.steps);
    }
}

#[test]
fn a_host_is_judged_by_what_serving_needs_whoever_made_it_so() {
    let mut present = host();
    let change =
        up(&plan(&[(Device::Lo, "10.0.0.100"), (Device::Tunl0, "10.0.0.101")]), &Record::default(), &present);
    carry_out(&mut present, &change.steps);
    assert_eq!(judge(&change.after, &present), Judgement::default());
    let wrong = |change_it: &dyn Fn(&mut Present)| {
        let mut present = present.clone();
        change_it(&mut present);
        let Judgement { wrong, changed } = judge(&change.after, &present);
        (wrong.join("; "), changed.len())
    };
    fn set(present: &mut Present, setting: &str, value: &str) {
        present.settings.insert(format!("ipv4/conf/{setting}"), value.to_owned());
    }
    // Another's value that does the same, or that of a place that does not matter, is no fault; but it is known.
    assert_eq!(wrong(&|it| set(it, "all/arp_ignore", "2")), (String::new(), 1));
    assert_eq!(wrong(&|it| set(it, "lo/arp_ignore", "0")), (String::new(), 1));
    let by_interface = |it: &mut Present| {
        set(it, "all/arp_ignore", "0");
        set(it, "eth0/arp_ignore", "1");
    };
    assert_eq!(wrong(&by_interface), (String::new(), 1));
    // A setting that was never changed here counts just as well.
    for (setting, value, said, known) in [
        ("all/arp_ignore", "0", "eth0 tells the LAN of the virtual addresses when it is asked", 1),
        ("eth0/arp_ignore", "3", "its arp_ignore is 3 and that of all 1", 0),
        ("all/arp_announce", "1", "eth0 tells the LAN of the virtual addresses when it asks", 1),
        ("tunl0/rp_filter", "1", "what comes by tunl0 from clients elsewhere is dropped", 1),
    ] {
        let (wrong, changed) = wrong(&|it| set(it, setting, value));
        assert!(wrong.contains(said) && changed == known, "{setting}: {wrong:?}, {changed}");
    }
    for (link, prefix, said) in [("eth0", 24, "10.0.0.100 is on eth0 too"), ("lo", 24, "with a prefix of 24")]
    {
        let (wrong, _) = wrong(&|it| it.addresses.push(found(link, "10.0.0.100", prefix, 0, None)));
        assert!(wrong.contains(said), "{wrong}");
    }
    let without = |it: &mut Present| it.addresses.retain(|found| found.link != "tunl0");
    assert_eq!(wrong(&without).0, "10.0.0.101 is not on tunl0");
    // Who has had all of it before serves as well, and nothing was done.
    let mut done = host();
    done.addresses.push(found("lo", "10.0.0.100", 32, 0, None));
    for scope in ["all", "lo"] {
        set(&mut done, &format!("{scope}/arp_ignore"), "1");
        set(&mut done, &format!("{scope}/arp_announce"), "2");
    }
    let change = up(&plan(&[(Device::Lo, "10.0.0.100")]), &Record::default(), &done);
    assert!(change.steps.is_empty() && !change.after.is_empty());
    assert_eq!(judge(&change.after, &done), Judgement::default());
    done.addresses.pop();
    assert_eq!(judge(&change.after, &done).wrong, ["10.0.0.100 is not on lo"]);
    assert_eq!(down(&change.after, &done).after, Record::default());
}

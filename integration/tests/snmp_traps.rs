//! Notifications of virtual routers beside those of Debian's keepalived, through a start, faults, reloads and a stop; and
//! what each line of the configuration and each flag switches on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use integration::{
    Host, Instance, Lab, conf, keepalived::Keepalived, keepwatchd::Keepwatchd, snmpd, snmpd::Snmpd,
    snmptrapd::Snmptrapd, wait,
};
use nix::sys::signal::Signal;

const KEEPALIVED: &str = ".1.3.6.1.4.1.9586.100.5";
const V2: &str = ".1.3.6.1.2.1.68";
const V3: &str = ".1.3.6.1.2.1.207";

/// The values of a notification whose names begin with `prefix`, without their types.
fn value(trap: &[String], prefix: &str) -> String {
    let bind = trap.iter().find(|bind| bind.starts_with(prefix));
    let value = bind.and_then(|bind| bind.split_once(" = ")).map_or("", |(_, value)| value);
    value.split_once(": ").map_or(value, |(_, value)| value).trim().trim_matches('"').to_owned()
}

/// Whom a notification tells of, and what: of virtual routers, groups, and new masters as the RFCs have them.
fn told(trap: &[String]) -> Option<(String, String)> {
    let id = trap.first()?.split_once("OID: ")?.1;
    let own = |tail: &str| value(trap, &format!("{KEEPALIVED}.2.{tail} "));
    // An index: of the interface, which is the host's own, the router and perhaps the family.
    let row = |name: &str| {
        let name = trap.iter().find_map(|bind| bind.strip_prefix(name)?.split_once(" = "));
        name.and_then(|(row, _)| row.split_once('.')).map_or(String::new(), |(_, row)| row.to_owned())
    };
    let (master_2, master_3) = (format!("{V2}.1.3.1.7."), format!("{V3}.1.1.1.1.3."));
    Some(if id == format!("{KEEPALIVED}.2.10.0.2") {
        (own("3.1.2"), format!("{} of {}", own("3.1.4"), own("3.1.5")))
    } else if id == format!("{KEEPALIVED}.2.10.0.1") {
        (own("1.1.2"), own("1.1.3"))
    } else if id == format!("{V2}.0.1") {
        (format!("VRRP-MIB {}", row(&master_2)), value(trap, &master_2))
    } else if id == format!("{V3}.0.1") {
        let (master, reason) = (value(trap, &master_3), value(trap, &format!("{V3}.1.2.5.1.2.")));
        // A link-local address is the host's own.
        let master = if master.starts_with("FE 80 ") { "fe80::".to_owned() } else { master };
        (format!("VRRPV3-MIB {}", row(&master_3)), format!("{master}, {reason}"))
    } else {
        return None;
    })
}

type Story = BTreeMap<String, Vec<String>>;

fn story(receiver: &Snmptrapd) -> Story {
    let mut story = Story::new();
    for (subject, what) in receiver.traps().iter().filter_map(|trap| told(trap)) {
        story.entry(subject).or_default().push(what);
    }
    story
}

/// A router that has nobody beside it, with an snmpd and a receiver. It has an interface that is down.
struct Scene {
    host: Host,
    snmpd: Snmpd,
    receiver: Snmptrapd,
}

impl Scene {
    fn new(name: &str) -> Result<Self> {
        let (_lan, mut hosts) = Lab::new(name)?.routers(1)?;
        let host = hosts.remove(0);
        host.run("ip", &["link", "add", "down0", "type", "veth", "peer", "name", "down1"])?;
        let (snmpd, receiver) = (Snmpd::start_with(&host, Snmptrapd::SINK)?, Snmptrapd::start(&host)?);
        Ok(Self { host, snmpd, receiver })
    }
}

/// A group of both versions, an owner, one in fault by its interface and one by its script, and one of IPv6.
fn routers(socket: &Path) -> String {
    let lines = format!(
        "enable_snmp_vrrp\nenable_snmp_rfc\nenable_traps\nscript_user root\nenable_script_security\n\
         snmp_socket unix:{}",
        socket.display()
    );
    let script = "vrrp_script NO {\n script \"/usr/bin/false\"\n interval 1\n fall 1\n}\n";
    let instance = |vrid: u8| Instance::new(&format!("VI_{vrid}")).vrid(vrid).vip(&format!("10.78.9.{vrid}"));
    let owner = instance(55).priority(255).to_string().replace("state BACKUP", "state MASTER");
    conf::global_defs(2, &lines)
        + script
        + &conf::sync_group("G1", &["VI_51", "VI_52"])
        + &format!("{}{}", instance(51), instance(52).line("version 3"))
        + &instance(53).line("track_script {\n NO\n}").to_string()
        + &owner
        + &instance(57).line("track_interface {\n down0\n}").to_string()
        + &instance(58).vip("fe80::58").line("version 3").to_string()
}

/// Of a group that is told to be in a state, each member has been told to be in it before, unless it begins.
fn members_come_first(receiver: &Snmptrapd) -> Result<()> {
    let mut states = BTreeMap::new();
    let all: Vec<_> = receiver.traps().iter().filter_map(|trap| told(trap)).collect();
    for (place, (subject, what)) in all.iter().enumerate() {
        if subject == "G1" && states.contains_key("VI_51") {
            for member in ["VI_51", "VI_52"] {
                let state: Option<&String> = states.get(member);
                ensure!(state.is_some_and(|state| state.starts_with(what)), "{member} at {place}: {all:#?}");
            }
        }
        states.insert(subject.clone(), what.clone());
    }
    Ok(())
}

#[test]
fn from_the_start_to_the_stop_the_same_is_told_as_by_keepalived() -> Result<()> {
    let (ours, theirs) = (Scene::new("traps-ours")?, Scene::new("traps-theirs")?);
    let text = |scene: &Scene| routers(scene.snmpd.socket());
    let mut we = Keepwatchd::on(&ours.host).config(text(&ours)).flag("--vrrp").start()?;
    // Another keepalived may be given.
    let program = std::env::var_os("KEEPALIVED").unwrap_or_else(|| "keepalived".into());
    let it = Keepalived::start_program(program.as_ref(), &theirs.host, &text(&theirs), &["--snmp"])?;
    let both = |what: &str, subject: &str, told: &[&str]| {
        let mut stories = (Story::new(), Story::new());
        wait::until(&format!("both tell the same, {what}"), wait::LONG, || {
            stories = (story(&ours.receiver), story(&theirs.receiver));
            let tells = |story: &Story| story.get(subject).is_some_and(|known| known == told);
            stories.0 == stories.1 && tells(&stories.0)
        })
        .with_context(|| format!("{stories:#?}\n{}\n{}", we.process().log(), it.process().log()))
    };
    both("the owner at once", "VI_55", &["2 of 2"])?;
    both("one that is in fault from the start", "VI_57", &["3 of 1"])?;
    both("one whose script fails", "VI_53", &["3 of 1"])?;
    both("a member of the group", "VI_51", &["1 of 1", "2 of 1"])?;
    both("the group", "G1", &["1", "2"])?;
    both("the owner as the RFC has it", "VRRPV3-MIB 55.1", &["0A 4E 00 01, 2"])?;
    both("nobody else was heard", "VRRPV3-MIB 51.1", &["0A 4E 00 01, 3"])?;
    both("in the older module", "VRRP-MIB 51", &["10.78.0.1"])?;
    for scene in [&ours, &theirs] {
        scene.host.up("down0")?.up("down1")?;
    }
    both("its interface is up", "VI_57", &["3 of 1", "1 of 1", "2 of 1"])?;
    for scene in [&ours, &theirs] {
        scene.host.down("eth0")?;
    }
    both("the group is in fault", "G1", &["1", "2", "3"])?;
    for scene in [&ours, &theirs] {
        scene.host.up("eth0")?;
    }
    both("the group is back", "G1", &["1", "2", "3", "1", "2"])?;
    both("the owner is back", "VI_55", &["2 of 2", "3 of 2", "1 of 2", "2 of 2"])?;
    both("one that has been in fault all the time", "VI_53", &["3 of 1"])?;
    let more = Instance::new("VI_59").vrid(59).vip("10.78.9.59").to_string();
    we.reload(&(text(&ours) + &more))?;
    it.reload(&(text(&theirs) + &more))?;
    both("a new one", "VI_59", &["1 of 1", "2 of 1"])?;
    we.reload(&text(&ours).replace("priority 100", "priority 90"))?;
    it.reload(&text(&theirs).replace("priority 100", "priority 90"))?;
    both("it is taken away", "VI_59", &["1 of 1", "2 of 1", "3 of 1"])?;
    we.process().signal(Signal::SIGTERM)?;
    it.process().signal(Signal::SIGTERM)?;
    both("the stop", "G1", &["1", "2", "3", "1", "2", "5"])?;
    for receiver in [&ours.receiver, &theirs.receiver] {
        members_come_first(receiver)?;
        // The first and the last to be told of: groups begin, and end, where the others do.
        let told: Vec<_> = receiver.traps().iter().filter_map(|trap| told(trap)).collect();
        ensure!(told.last().is_some_and(|(subject, what)| subject == "G1" && what == "5"), "{told:#?}");
    }
    we.process_mut().wait(wait::LONG)?;
    Ok(())
}

/// What is there of the modules: an object of each part, what sysORTable says of them, and whether notifications are on.
fn served(snmpd: &Snmpd) -> BTreeSet<String> {
    let parts = [
        ("general", format!("{KEEPALIVED}.1.2.0")),
        ("routers", format!("{KEEPALIVED}.2.3.1.2.1")),
        ("servers", format!("{KEEPALIVED}.3.3.1.20.1")),
        ("VRRP-MIB", format!("{V2}.1.1.0")),
        ("VRRPV3-MIB", format!("{V3}.1.2.1.0")),
    ];
    let is_there = |name: &str| snmpd.get(name).is_ok_and(|line| !line.contains("No Such"));
    let parts = parts.into_iter().filter(|(_, name)| is_there(name)).map(|(part, _)| part.to_owned());
    // Those of snmpd itself are the first.
    let capabilities = snmpd::rows(&snmpd.walk(".1.3.6.1.2.1.1.9.1.3").unwrap_or_default(), "");
    let capabilities =
        capabilities.into_values().filter(|text| text.contains("MIB module for") && ours(text));
    let switches = [format!("{KEEPALIVED}.1.4.0"), format!("{V2}.1.2.0")];
    let switches = switches.into_iter().filter_map(|name| {
        let line = snmpd.get(&name).ok().filter(|line| !line.contains("No Such"))?;
        Some(line.trim().to_owned())
    });
    parts.chain(capabilities).chain(switches).collect()
}

/// What keepalived and we say of our parts, and nobody else of his.
fn ours(text: &str) -> bool {
    ["Keepalived\"", "KEEPALIVED-VRRP\"", "Healthchecker\"", "for VRRP\"", "for VRRPV3\""]
        .iter()
        .any(|name| text.contains(name))
}

/// The lines, the flags, and which of the parts are there then.
const SWITCHES: [(&str, &[&str], &[&str]); 8] = [
    ("enable_snmp_vrrp", &[], &["general", "routers"]),
    ("enable_snmp_rfcv2", &[], &["VRRP-MIB"]),
    ("enable_snmp_rfcv3", &[], &["VRRPV3-MIB"]),
    ("enable_snmp_rfc", &[], &["VRRP-MIB", "VRRPV3-MIB"]),
    ("enable_traps", &[], &[]),
    ("", &["--snmp"], &["general", "routers", "VRRP-MIB", "VRRPV3-MIB"]),
    ("enable_snmp_vrrp\nenable_snmp_rfcv2\nenable_traps", &[], &["general", "routers", "VRRP-MIB"]),
    ("enable_traps", &["--snmp"], &["general", "routers", "VRRP-MIB", "VRRPV3-MIB"]),
];

fn switched(snmpd: &Snmpd, lines: &str) -> String {
    let lines = format!("{lines}\nsnmp_socket unix:{}", snmpd.socket().display());
    conf::global_defs(2, &lines)
        + &Instance::new("VI_1").interval("0.3").line("version 3").to_string()
        + &Instance::new("VI_2").vrid(52).vip("10.78.9.52").to_string()
}

#[test]
fn each_line_and_flag_switches_on_what_it_does_for_keepalived() -> Result<()> {
    let (ours, theirs) = (Scene::new("switch-ours")?, Scene::new("switch-theirs")?);
    for (lines, flags, parts) in SWITCHES {
        let before = (ours.receiver.traps().len(), theirs.receiver.traps().len());
        let text = |scene: &Scene| switched(&scene.snmpd, lines);
        let mut we = Keepwatchd::on(&ours.host).config(text(&ours)).flag("--vrrp").flags(flags).start()?;
        let mut it = Keepalived::start(&theirs.host, &text(&theirs), flags)?;
        for scene in [&ours, &theirs] {
            wait::until("it is master", wait::LONG, || scene.host.has("eth0", "10.78.9.52"))
                .with_context(|| format!("{lines} {flags:?}: {}", we.process().log()))?;
        }
        let mut shown = (BTreeSet::new(), BTreeSet::new());
        wait::until("both serve the same", wait::LONG, || {
            shown = (served(&ours.snmpd), served(&theirs.snmpd));
            shown.0 == shown.1 && parts.iter().all(|part| shown.0.contains(*part))
        })
        .with_context(|| format!("{lines} {flags:?}: {shown:#?}\n{}", we.process().log()))?;
        let all = ["general", "routers", "servers", "VRRP-MIB", "VRRPV3-MIB"];
        let there: Vec<_> = all.into_iter().filter(|part| shown.0.contains(*part)).collect();
        ensure!(there == parts, "{lines} {flags:?}: {there:?}");
        for process in [we.process_mut(), it.process_mut()] {
            process.signal(Signal::SIGTERM)?;
            process.wait(wait::LONG)?;
        }
        // Each became master and stopped meanwhile.
        let stops = |scene: &Scene, from: usize| {
            let traps = scene.receiver.traps().split_off(from);
            traps.iter().filter_map(|trap| told(trap)).collect::<Vec<_>>()
        };
        let is_told = lines.contains("enable_traps") && !parts.is_empty();
        for (scene, from) in [(&ours, before.0), (&theirs, before.1)] {
            if is_told {
                wait::until("the stop is told", wait::LONG, || {
                    stops(scene, from).iter().any(|(_, what)| what.starts_with('5'))
                })
                .with_context(|| format!("{lines} {flags:?}: {:?}", stops(scene, from)))?;
            }
            ensure!(is_told != stops(scene, from).is_empty(), "{lines} {flags:?}: {:?}", stops(scene, from));
        }
    }
    Ok(())
}

#[test]
fn reloads_switch_the_same_on_and_off() -> Result<()> {
    let scene = Scene::new("switch-reloads")?;
    let text = |lines: &str| switched(&scene.snmpd, lines);
    let we = Keepwatchd::on(&scene.host).config(text("")).flag("--vrrp").start()?;
    wait::until("it is master", wait::LONG, || scene.host.has("eth0", "10.78.9.52"))?;
    // There and back, so that each comes after more and after less.
    let rows = SWITCHES.iter().filter(|(_, flags, _)| flags.is_empty());
    for (lines, _, parts) in rows.clone().chain(rows.rev()) {
        we.reload(&text(lines))?;
        let mut there = BTreeSet::new();
        wait::until(&format!("{lines} is in force"), wait::LONG, || {
            let all = ["general", "routers", "servers", "VRRP-MIB", "VRRPV3-MIB"];
            there = served(&scene.snmpd);
            all.iter().all(|part| there.contains(*part) == parts.contains(part))
        })
        .with_context(|| format!("{there:#?}\n{}", we.process().log()))?;
    }
    // Another master, by a reload: the first is left.
    let other = Lab::new("switch-other")?.host("other")?;
    let second = Snmpd::start(&other)?;
    we.reload(
        &text("enable_snmp_vrrp")
            .replace(&scene.snmpd.socket().display().to_string(), &second.socket().display().to_string()),
    )?;
    wait::until("the second has it, and the first no more", wait::LONG, || {
        served(&second).contains("routers") && !served(&scene.snmpd).contains("routers")
    })
    .with_context(|| we.process().log())?;
    Ok(())
}

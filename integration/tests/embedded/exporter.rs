//! mehdy's keepalived-exporter beside the distribution's service: it asks `keepalived` for its version and its signals, sends
//! them to the process of `/run/keepalived.pid`, and reads the text files; and it listens on port 9165.

use std::collections::BTreeMap;
use std::net::TcpListener;

use anyhow::{Context, Result, ensure};
use integration::{Instance, conf::VIP, wait};
use nix::sys::signal::Signal;

use crate::machine::{Machine, Make, Stage};

crate::with_both!();

/// The product's own default.
const PID: &str = "/run/keepalived.pid";

/// What the exporter knows of an instance.
#[derive(Clone, Debug, Default)]
struct Known {
    state: String,
    wanted: String,
    interface: String,
    garp_delay: String,
    vrid: String,
    addresses: Vec<(String, String)>,
    excluded: Vec<(String, String)>,
}

/// Version and signals.
fn asks(machine: &Machine) -> Result<(String, String)> {
    let text = machine.run("keepalived -v 2>&1 >/dev/null")?;
    let (first, _) = text.split_once('\n').context("one line is not enough")?;
    let version = first.split(' ').nth(1).and_then(|word| word.get(1..)).context("no version")?;
    ensure!(version.split('.').all(|part| part.parse::<u32>().is_ok()), "{first}");
    ensure!(
        machine.run("keepalived --version 2>&1")?.contains("--enable-json"),
        "it does not do JSON: {text}"
    );
    let signal = |name: &str| -> Result<String> {
        let number = machine.run(&format!("keepalived --signum={name}"))?;
        let number: u32 = serde_json::from_str(&number).with_context(|| number.clone())?;
        Ok(number.to_string())
    };
    ensure!(signal("JSON")? == "36");
    Ok((signal("DATA")?, signal("STATS")?))
}

/// `10.0.0.1 dev eth0 …`: the address and its interface.
fn address(text: &str) -> Option<(String, String)> {
    let words: Vec<_> = text.split(' ').collect();
    (words.len() >= 3).then(|| (words[0].to_owned(), words[2].to_owned()))
}

/// The instances of `keepalived.data`, by the columns at which lines begin.
fn instances(text: &str) -> BTreeMap<String, Known> {
    let (mut all, mut name, mut key) = (BTreeMap::<String, Known>::new(), String::new(), String::new());
    for line in text.lines() {
        if line.starts_with(" VRRP Instance") && line.contains('=') {
            name = line.split('=').nth(1).unwrap_or_default().trim().to_owned();
            all.insert(name.clone(), Known::default());
        } else if let (true, Some(known)) = (line.starts_with("   "), all.get_mut(&name)) {
            let mut value = line.trim();
            if !line.starts_with("     ") {
                let Some((before, after)) = value.split_once('=').or_else(|| value.split_once(':')) else {
                    continue;
                };
                before.trim().clone_into(&mut key);
                value = after.split('=').next().unwrap_or_default().trim();
                if key == "Virtual IP" {
                    continue;
                }
            }
            match key.as_str() {
                "State" => value.clone_into(&mut known.state),
                "Wantstate" => value.clone_into(&mut known.wanted),
                "Interface" | "Listening device" => value.clone_into(&mut known.interface),
                "Gratuitous ARP delay" => value.clone_into(&mut known.garp_delay),
                "Virtual Router ID" => value.clone_into(&mut known.vrid),
                key if key.starts_with("Virtual IP Excluded") => known.excluded.extend(address(value)),
                key if key == "Virtual IP" || key.starts_with("Virtual IP (") => {
                    known.addresses.extend(address(value))
                }
                _ => {}
            }
        } else if !line.starts_with(" VRRP Version") && !line.starts_with(" VRRP Script") {
            name.clear();
        }
    }
    all
}

/// The scripts of `keepalived.data`: status and state.
fn scripts(text: &str) -> BTreeMap<String, (String, String)> {
    let (mut all, mut name) = (BTreeMap::<String, (String, String)>::new(), String::new());
    for line in text.lines() {
        if line.starts_with(" VRRP Script") && line.contains('=') {
            name = line.split('=').nth(1).unwrap_or_default().trim().to_owned();
            all.insert(name.clone(), <_>::default());
        } else if let (true, Some(script)) = (line.starts_with("   "), all.get_mut(&name)) {
            match line.trim().split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
                Some(("Status", value)) => value.clone_into(&mut script.0),
                Some(("State", value)) => value.clone_into(&mut script.1),
                _ => {}
            }
        } else {
            name.clear();
        }
    }
    all
}

/// The numbers of `keepalived.stats`; every one has to be a number.
fn statistics(text: &str) -> Result<BTreeMap<String, BTreeMap<String, u64>>> {
    let (mut all, mut name, mut section) =
        (BTreeMap::<String, BTreeMap<String, u64>>::new(), String::new(), String::new());
    for line in text.lines() {
        if let Some(found) = line.strip_prefix("VRRP Instance:") {
            found.trim().clone_into(&mut name);
        } else if line.starts_with("  ") && line.ends_with(':') {
            line.trim().trim_end_matches(':').clone_into(&mut section);
        } else if line.starts_with("  ") {
            let (key, value) = line.trim().split_once(':').with_context(|| line.to_owned())?;
            let value = value.trim().parse().with_context(|| line.to_owned())?;
            let key = if line.starts_with("    ") { format!("{section}/{key}") } else { key.to_owned() };
            all.entry(name.clone()).or_default().insert(key, value);
        }
    }
    Ok(all)
}

fn config(second: bool) -> String {
    let one = Instance::new("VI_1")
        .line("track_script {\n        chk\n    }")
        .line("virtual_ipaddress_excluded {\n        10.78.9.10/32\n    }");
    let two =
        if second { Instance::new("VI_2").vrid(52).vip("10.78.9.20/32").to_string() } else { String::new() };
    format!(
        "global_defs {{\n    script_user root\n    enable_script_security\n}}
vrrp_script chk {{\n    script \"/usr/bin/test -e /run/well\"\n    interval 1\n    weight -60\n}}\n{one}{two}"
    )
}

/// What a scrape has of each instance: what it knows, and what it counts.
type Scrape = BTreeMap<String, (Known, BTreeMap<String, u64>)>;

/// Scrapes. Both files have to tell of the same ones.
fn scrape(machine: &Machine, signals: &(String, String)) -> Result<Scrape> {
    let (data, stats) = signals;
    machine.run(&format!("kill -{stats} $(cat {PID}) && kill -{data} $(cat {PID})"))?;
    let known = instances(&machine.read("/tmp/keepalived.data"));
    let mut counted = statistics(&machine.read("/tmp/keepalived.stats"))?;
    ensure!(known.keys().eq(counted.keys()) && !known.is_empty(), "{known:?} {counted:?}");
    Ok(known
        .into_iter()
        .map(|(name, known)| {
            let counts = counted.remove(&name).unwrap_or_default();
            (name, (known, counts))
        })
        .collect())
}

/// Scrapes until the exporter has the instance in that state, with counts that say so too: both signals of one scrape are
/// answered on their own, so what is counted may be of before a change that the data already tell.
fn wait_for_state(
    machine: &Machine,
    signals: &(String, String),
    name: &str,
    state: &str,
    counts: impl Fn(&BTreeMap<String, u64>) -> bool,
) -> Result<(Known, BTreeMap<String, u64>)> {
    let mut last = None;
    wait::value(&format!("the exporter has {name} as {state}"), wait::LONG, || {
        last = scrape(machine, signals).ok()?.remove(name);
        last.clone().filter(|(known, counted)| known.state == state && counts(counted))
    })
    .with_context(|| format!("{last:?}\n{}", machine.read("/tmp/keepalived.data")))
}

fn play(make: Make) -> Result<()> {
    let stage = Stage::set("exporter", make)?;
    let machine = &stage.machine;
    let signals = asks(machine)?;
    machine.write("/etc/keepalived/keepalived.conf", &config(false))?;
    machine.write("/run/well", "")?;
    let mut service = machine.start("keepalived", "keepalived", &["--dont-fork"])?;
    stage.wait_for("eth0", VIP)?;
    let (known, counts) = wait_for_state(machine, &signals, "VI_1", "MASTER", |counts| {
        counts.get("Became master") == Some(&1)
            && counts.get("Advertisements/Sent").is_some_and(|&sent| sent > 0)
    })?;
    ensure!(
        known.wanted == "MASTER"
            && known.interface == "eth0"
            && known.vrid == "51"
            && known.garp_delay == "5",
        "{known:?}"
    );
    ensure!(
        known.addresses == [(format!("{VIP}/32"), "eth0".to_owned())]
            || known.addresses == [(VIP.to_owned(), "eth0".to_owned())],
        "{known:?}"
    );
    ensure!(known.excluded.len() == 1 && known.excluded[0].0.starts_with("10.78.9.10"), "{known:?}");
    for key in [
        "Advertisements/Received",
        "Advertisements/Sent",
        "Became master",
        "Released master",
        "Packet Errors/Length",
        "Packet Errors/TTL",
        "Packet Errors/Invalid Type",
        "Packet Errors/Advertisement Interval",
        "Packet Errors/Address List",
        "Authentication Errors/Invalid Type",
        "Authentication Errors/Type Mismatch",
        "Authentication Errors/Failure",
        "Priority Zero/Received",
        "Priority Zero/Sent",
    ] {
        ensure!(counts.contains_key(key), "{key} is not in {counts:?}");
    }
    wait::until("the script is known as good", wait::LONG, || {
        let _ = scrape(machine, &signals);
        scripts(&machine.read("/tmp/keepalived.data"))
            .get("chk")
            .is_some_and(|(status, state)| status == "GOOD" && ["idle", "running"].contains(&state.as_str()))
    })
    .with_context(|| machine.read("/tmp/keepalived.data"))?;
    // The exporter's own port.
    machine.host().inside(|| TcpListener::bind("0.0.0.0:9165").context("the exporter can't listen"))?;

    machine.write("/etc/keepalived/keepalived.conf", &config(true))?;
    service.signal(Signal::SIGHUP)?;
    wait_for_state(machine, &signals, "VI_2", "MASTER", |_| true)?;

    let _rival = stage.rival(
        &Instance::new("VI_1")
            .priority(80)
            .line("virtual_ipaddress_excluded {\n        10.78.9.10/32\n    }")
            .to_string(),
    )?;
    std::fs::remove_file(machine.path("/run/well"))?;
    wait_for_state(machine, &signals, "VI_1", "BACKUP", |counts| {
        counts.get("Released master") == Some(&1)
            && counts.get("Advertisements/Received").is_some_and(|&received| received > 0)
    })?;
    ensure!(
        scripts(&machine.read("/tmp/keepalived.data")).get("chk").is_some_and(|(status, _)| status == "BAD")
    );
    ensure!(service.stop(wait::LONG)?.success());
    ensure!(scrape(machine, &signals).is_err(), "it is still up");
    Ok(())
}

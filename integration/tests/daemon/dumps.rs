//! What signals make the daemon write, held against what Debian's keepalived writes, and against what reads it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use integration::{Host, Process, binaries, conf, keepalived::Keepalived, pair::OURS, wait};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::scene::{Scene, a_web_server, calm, file, text};

/// Everything that has a say in the dump in JSON, on one host.
fn everything() -> String {
    format!(
        "global_defs {{
    router_id lab
    script_user root
    enable_script_security
    vrrp_garp_master_delay 3
}}
vrrp_script good {{
    script \"/usr/bin/true now\"
    interval 2
    weight 2
}}
vrrp_track_process shell {{
    process no-such-process
    weight 3
    delay 0.5
}}
vrrp_sync_group GROUP {{
    group {{
        VI_2
    }}
}}
vrrp_instance VI_1 {{
    interface eth0
    virtual_router_id 51
    priority 150
    garp_master_delay 2
    garp_master_refresh 30
    skip_check_adv_addr
    smtp_alert
    notify_master \"/usr/bin/true master\"
    notify_fault /usr/bin/true
    notify_deleted
    authentication {{
        auth_type PASS
        auth_pass secret
    }}
    virtual_ipaddress {{
        10.78.9.100/24 dev eth0 label eth0:1
        10.78.9.101
    }}
    virtual_ipaddress_excluded {{
        10.78.9.110 scope link
    }}
    virtual_routes {{
        10.99.0.0/16 via 10.78.9.200 dev eth0 metric 5
    }}
    virtual_rules {{
        from 10.78.9.100 lookup 200
        to 10.99.0.0/16 fwmark 7 lookup 201
    }}
    track_script {{
        good
    }}
    track_process {{
        shell
    }}
}}
vrrp_instance VI_2 {{
    state MASTER
    interface eth0
    virtual_router_id 52
    version 3
    advert_int 0.5
    virtual_ipaddress {{
        fe80::52/64
        2001:db8::52/64
    }}
}}
vrrp_instance VI_3 {{
    interface eth0
    virtual_router_id 53
    version 3
    nopreempt
    preempt_delay 7
    dont_track_primary
    unicast_src_ip {OURS}
    unicast_peer {{
        10.78.9.200
    }}
    virtual_ipaddress {{
        10.78.9.153/24
    }}
}}
"
    )
}

/// A keepwatchd whose dumps go into this directory.
fn keepwatchd(host: &Host, config: &str, directory: &Path, flags: &[&str]) -> Result<Process> {
    let config = file(host.directory(), "dumped.conf", config)?;
    let at = |name: &str| host.directory().join(name);
    let spawn =
        host.process("keepwatchd", binaries::path("keepwatchd")?).args(["-n", "-l", "-D", "-f", &config]);
    let spawn = spawn.arg("-p").arg(at("dumped.pid")).args(["--history-file", "none", "--listen", "none"]);
    spawn.args(flags).env("TMPDIR", directory).start()
}

/// Sends the signal that keepalived has for this.
fn send(process: &Process, what: &str) -> Result<()> {
    let number = Command::new("keepalived").arg(format!("--signum={what}")).output()?;
    let number: i32 = text(&number.stdout).trim().parse().context("keepalived says the signal's number")?;
    let sent = Command::new("kill").arg(format!("-{number}")).arg(process.pid().to_string()).status()?;
    ensure!(sent.success(), "{what}");
    Ok(())
}

/// Waits for a dump in JSON in which every virtual router but those that can't be is master.
fn json_of_masters(process: &Process, path: &Path) -> Result<Value> {
    // Before it has taken its signals over, this one would end it.
    for name in ["VI_1", "VI_2", "VI_3"] {
        process.wait_for_log(&format!("({name}) Entering MASTER STATE"), wait::LONG)?;
    }
    wait::value("all are masters in the dump", wait::LONG, || {
        let _ = fs::remove_file(path);
        send(process, "JSON").ok()?;
        let json = wait::value("it is written", wait::SHORT, || {
            serde_json::from_str::<Value>(&fs::read_to_string(path).ok()?).ok()
        });
        let json = json.ok()?;
        let all = json.as_array()?;
        // A master that has told of itself for a while has run its scripts as well.
        let settled = |router: &Value| {
            router["data"]["state"] == 2 && router["stats"]["advert_sent"].as_u64() > Some(2)
        };
        (all.len() == 3 && all.iter().all(settled)).then_some(json)
    })
    .with_context(|| process.log())
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[test]
fn json_has_the_keys_types_and_values_of_keepalived_on_the_same_file() -> Result<()> {
    let scene = Scene::new("dump-json")?;
    let config = everything();
    let theirs = {
        let mut keepalived = Keepalived::start(&scene.host, &config, &[])?;
        let json =
            json_of_masters(keepalived.process(), &scene.host.directory().join("tmp/keepalived.json"))?;
        keepalived.process_mut().stop(wait::LONG)?;
        json
    };
    let directory = tempfile::tempdir()?;
    let ours = {
        let mut daemon = keepwatchd(&scene.host, &config, directory.path(), &["-P"])?;
        let json = json_of_masters(&daemon, &directory.path().join("keepalived.json"))?;
        daemon.stop(wait::LONG)?;
        json
    };
    let mut differences = Vec::new();
    for (ours, theirs) in ours.as_array().into_iter().flatten().zip(theirs.as_array().into_iter().flatten()) {
        for part in ["data", "stats"] {
            let empty = serde_json::Map::new();
            let (ours, theirs) =
                (ours[part].as_object().unwrap_or(&empty), theirs[part].as_object().unwrap_or(&empty));
            ensure!(!ours.is_empty() && !theirs.is_empty(), "{part} is an object");
            for (key, expected) in theirs {
                let Some(found) = ours.get(key) else {
                    differences.push(format!("{part}.{key}: not there, {expected}"));
                    continue;
                };
                if type_of(found) != type_of(expected) {
                    differences.push(format!("{part}.{key}: {found} for {expected}"));
                }
                // Times, counters, and the password, which 2.2.7 shows.
                let varies = part == "stats" || ["last_transition", "auth_data"].contains(&key.as_str());
                if !varies && found != expected {
                    differences.push(format!("{part}.{key}: {found} for {expected}"));
                }
            }
            // What keepalived has since.
            let newer = |key: &str| key.starts_with("auth_ext_") || key == "track_process";
            let more = ours.keys().filter(|key| !theirs.contains_key(*key) && !newer(key));
            differences.extend(more.map(|key| format!("{part}.{key}: keepalived has none")));
        }
        ensure!(!ours.to_string().contains("secret"), "a password is in it");
    }
    ensure!(differences.is_empty(), "{}", differences.join("\n"));
    Ok(())
}

/// What the exporter for Prometheus of github.com/mehdy knows of a virtual router: the values of a few keys, and the lines
/// of the list of addresses, which stand deeper than its head. A line that is no deeper than a head ends it.
fn as_the_exporter_reads(data: &str) -> BTreeMap<String, (BTreeMap<String, String>, Vec<String>)> {
    let mut all = BTreeMap::new();
    let (mut name, mut key) = (None::<String>, String::new());
    for line in data.lines() {
        if let Some(found) = line.strip_prefix(" VRRP Instance =") {
            name = Some(found.trim().to_owned());
            all.insert(found.trim().to_owned(), (BTreeMap::new(), Vec::new()));
        } else if !line.starts_with("   ") {
            name = None;
        } else if let Some((values, addresses)) = name.as_ref().and_then(|name| all.get_mut(name)) {
            if line.starts_with("     ") {
                if key.starts_with("Virtual IP (") {
                    addresses.push(line.trim().to_owned());
                }
            } else if let Some((found, value)) = line.split_once('=').or_else(|| line.split_once(':')) {
                key = found.trim().to_owned();
                values.insert(key.clone(), value.trim().to_owned());
            }
        }
    }
    all
}

/// Status and state of each script, as the same exporter reads them.
fn scripts_as_the_exporter_reads(data: &str) -> BTreeMap<String, (String, String)> {
    let mut all: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut name = None::<String>;
    for line in data.lines() {
        if let Some(found) = line.strip_prefix(" VRRP Script =") {
            name = Some(found.trim().to_owned());
        } else if !line.starts_with("   ") {
            name = None;
        } else if let (Some(name), Some((key, value))) = (&name, line.split_once('=')) {
            let (status, state) = all.entry(name.clone()).or_default();
            match key.trim() {
                "Status" => value.trim().clone_into(status),
                "State" => value.trim().clone_into(state),
                _ => {}
            }
        }
    }
    all
}

#[test]
fn what_reads_keepalived_s_data_reads_ours() -> Result<()> {
    let scene = Scene::new("dump-data")?;
    let directory = tempfile::tempdir()?;
    let at = |name: &str| directory.path().join(name);
    let config = everything() + &a_web_server();
    let daemon = keepwatchd(&scene.host, &config, directory.path(), &["--dataplane", "memory"])?;
    json_of_masters(&daemon, &at("keepalived.json"))?;
    send(&daemon, "DATA")?;
    daemon.wait_for_log("Printing checker data for process(", wait::LONG)?;
    let data = fs::read_to_string(at("keepalived.data"))?;
    let all = as_the_exporter_reads(&data);
    ensure!(all.keys().eq(["VI_1", "VI_2", "VI_3"]), "{data}");
    let (values, addresses) = &all["VI_1"];
    for (key, expected) in [
        ("State", "MASTER"),
        ("Wantstate", "MASTER"),
        ("Interface", "eth0"),
        ("Gratuitous ARP delay", "2"),
        ("Virtual Router ID", "51"),
        ("Priority", "150"),
        ("Effective priority", "152"),
        ("Total priority", "152"),
        ("Advert interval", "1 sec"),
        ("Password", "********"),
        ("Notify deleted", "Deleted"),
    ] {
        ensure!(values.get(key).is_some_and(|found| found == expected), "{key}: {:?}", values.get(key));
    }
    let first = "10.78.9.100/24 dev eth0 scope global label eth0:1 set";
    ensure!(*addresses == [first, "10.78.9.101 dev eth0 scope global set"], "{addresses:?}");
    ensure!(all["VI_2"].0["Advert interval"] == "500 milli-sec", "{data}");
    let scripts = scripts_as_the_exporter_reads(&data);
    ensure!(scripts["good"].0 == "GOOD" && ["idle", "running"].contains(&&*scripts["good"].1), "{scripts:?}");
    ensure!(!data.contains("secret"), "a password is in it");

    let check = fs::read_to_string(at("keepalived_check.data"))?;
    for line in [
        "------< LVS Topology >------",
        " VS VIP = 10.78.9.9, VPORT = 80",
        "   lvs_sched = wrr",
        "   quorum = 1, hysteresis = 0",
        "   RIP = 127.0.0.1, RPORT = 8080, WEIGHT = 1 EFF WEIGHT = 1",
        "------< Health checkers >------",
        " [10.78.9.9]:tcp:80 -> [127.0.0.1]:tcp:8080",
        "   Delay loop = 1000000 us",
        "   Keepalive method = TCP_CHECK",
    ] {
        ensure!(check.lines().any(|found| found == line), "{line}\n{check}");
    }
    ensure!(fs::read_to_string(at("keepalived_parent.data"))?.contains(" Router ID = lab\n"));
    Ok(())
}

#[test]
fn statistics_are_as_keepalived_s_and_begin_at_zero_when_they_are_cleared() -> Result<()> {
    let scene = Scene::new("dump-stats")?;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("keepalived.stats");
    // Nobody is led astray by a link that somebody else put there, and nobody else may read what is written.
    fs::write(directory.path().join("target"), "kept")?;
    symlink(directory.path().join("target"), &path)?;
    let daemon = keepwatchd(&scene.host, &calm().version_2(""), directory.path(), &["-P"])?;
    daemon.wait_for_log("(VI_1) Entering MASTER STATE", wait::LONG)?;
    let written = |what: &str, line: &str| -> Result<BTreeMap<String, u64>> {
        let before = daemon.log().matches(line).count();
        send(&daemon, what)?;
        wait::until("it is written", wait::LONG, || daemon.log().matches(line).count() > before)
            .with_context(|| daemon.log())?;
        let text = fs::read_to_string(&path)?;
        let mut section = String::new();
        let mut numbers = BTreeMap::new();
        for line in text.lines().skip(1) {
            let (name, value) = line.split_once(':').context("every line has a colon")?;
            match value.trim().parse() {
                Ok(number) if line.starts_with("    ") => {
                    numbers.insert(format!("{section}/{}", name.trim()), number);
                }
                Ok(number) => {
                    numbers.insert(name.trim().to_owned(), number);
                }
                Err(_) => name.trim().clone_into(&mut section),
            }
        }
        ensure!(
            text.starts_with("VRRP Instance: VI_1\n  Advertisements:\n    Received: 0\n    Sent: "),
            "{text}"
        );
        Ok(numbers)
    };
    wait::until("adverts were sent", wait::LONG, || {
        written("STATS", "Printing VRRP stats for process(").is_ok_and(|n| n["Advertisements/Sent"] > 2)
    })?;
    let found = fs::symlink_metadata(&path)?;
    ensure!(found.is_file() && found.mode() & 0o777 == 0o600, "{found:?}");
    ensure!(fs::read_to_string(directory.path().join("target"))? == "kept");
    let before = written("STATS_CLEAR", "Printing and clearing VRRP stats for process(")?;
    ensure!(before["Advertisements/Sent"] > 2 && before["Became master"] == 1, "{before:?}");
    let after = written("STATS", "Printing VRRP stats for process(")?;
    ensure!(after["Advertisements/Sent"] < before["Advertisements/Sent"], "{before:?} {after:?}");
    ensure!(after["Became master"] == 0, "{after:?}");
    for name in
        ["Packet Errors/TTL", "Authentication Errors/Failure", "Priority Zero/Sent", "Released master"]
    {
        ensure!(after.contains_key(name), "{name}: {after:?}");
    }
    Ok(())
}

#[test]
fn a_dump_that_can_t_be_written_is_told_and_the_command_shows_it_all_the_same() -> Result<()> {
    let scene = Scene::new("dump-refused")?;
    let directory = scene.host.directory().join("in-the-way");
    fs::create_dir(&directory)?;
    let lines = format!(
        "state_dump_file {0}\n stats_dump_file {0}-2/\n json_dump_file {0}.json\n json_version 2",
        directory.display()
    );
    let daemon = scene.master(&calm().version_3(&lines), &[])?;
    daemon.process().signal(Signal::SIGUSR1)?;
    daemon.wait_for_log("can't be written: it is a directory")?;
    daemon.process().signal(Signal::SIGUSR2)?;
    daemon.wait_for_log("keepalived.stats can't be written: No such file or directory")?;
    send(daemon.process(), "JSON")?;
    daemon.wait_for_log("Printing VRRP as json for process(")?;
    let written: Value = serde_json::from_str(&fs::read_to_string(directory.with_extension("json"))?)?;
    ensure!(written["vrrp"][0]["data"]["iname"] == "VI_1", "{written}");
    let shown: Value = serde_json::from_str(&daemon.answer(&["dump", "json"])?)?;
    ensure!(shown["vrrp"][0]["data"]["state"] == 2, "{shown}");
    ensure!(daemon.answer(&["dump", "data"])?.contains(" VRRP Instance = VI_1\n"));
    ensure!(daemon.answer(&["dump", "stats"])?.starts_with("VRRP Instance: VI_1\n"));
    let shown = conf::VIP.to_owned() + " dev eth0 scope global set";
    ensure!(daemon.answer(&["dump", "data"])?.contains(&shown));
    Ok(())
}

//! How fast a configuration is read, beside keepalived's `-t` where that is installed: the man page's example of
//! 65,024 instances, 5,000 plain instances, 5,000 real servers. Prints times and peak memory, and fails when the bounds
//! that the project promises are not kept: 3 s, 200 MB, and growth in step with the size, of whatever there may be many
//! of.
//!
//! Each of these readings is a process of its own, so that its peak memory is its own.
#![allow(clippy::expect_used)] // a benchmark may end with a message

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use keepwatch_config::{Config, Options, load, load_text};

const KEEPALIVED: &str = "/usr/sbin/keepalived";

fn main() {
    if let Some(file) = std::env::var_os("KEEPWATCH_BENCH_FILE") {
        let begun = Instant::now();
        let loaded = load(Path::new(&file), &Options { scripts: false, ..Options::default() });
        let took = begun.elapsed();
        let config = loaded.config.expect("a configuration that runs");
        println!(
            "{} {} {}",
            took.as_micros(),
            peak_memory(),
            config.instances.len() + config.virtual_servers.len()
        );
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let put = |name: &str, text: String| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let mut failures = Vec::new();
    let sizes = [0, 1, 3, 7].map(|last| read(&put(&format!("{last}.conf"), man_page(last))));
    let per_instance = |reading: &Reading| reading.took.as_secs_f64() / reading.things as f64;
    let smallest = sizes.first().map_or(0.0, per_instance);
    for reading in &sizes {
        report(&format!("{} instances out of one line", reading.things), reading, None);
        let growth = per_instance(reading) / smallest;
        println!("{:>44} {growth:>10.2} × the time per instance of the smallest", "");
        if growth > 2.0 {
            failures.push(format!("time per instance grows {growth:.2}-fold"));
        }
        if reading.took > Duration::from_secs(3) {
            failures.push(format!("{:?} for {} instances", reading.took, reading.things));
        }
        if reading.memory > 200 * 1024 {
            failures.push(format!("{} kB for {} instances", reading.memory, reading.things));
        }
    }
    for (title, path) in [
        ("5,000 plain instances", put("instances.conf", instances())),
        ("5,000 real servers", put("servers.conf", servers())),
    ] {
        let reading = read(&path);
        let theirs = keepalived(&path);
        report(title, &reading, theirs);
        if theirs.is_some_and(|theirs| reading.took > theirs) {
            failures.push(format!("{title}: slower than keepalived"));
        }
    }
    let mut grows = |title: &str, time: &dyn Fn(u32) -> Duration| {
        let [few, many] = [FEW, 4 * FEW].map(|count| time(count) / count);
        let growth = many.as_secs_f64() / few.as_secs_f64();
        println!(
            "{:>44} {many:>10.3?} each, {growth:.2} × that of a quarter",
            format!("{} {title}", 4 * FEW)
        );
        if growth > 2.0 {
            failures.push(format!("time for each of many {title} grows {growth:.2}-fold"));
        }
    };
    for (title, text) in MANY {
        grows(title, &|count| each(|| drop(load_many(text(count)))));
    }
    grows("instances in pairs, at a reload", &|count| {
        let in_force = load_many(pairs(count, 100));
        // One in the middle has another priority.
        each(|| assert_eq!(differences(&in_force, &load_many(pairs(count, 101))), 1))
    });
    assert!(failures.is_empty(), "{}", failures.join("; "));
}

/// How many of each kind are read, and then four times as many.
const FEW: u32 = 5000;

/// A configuration with so many of a kind.
type Text = fn(u32) -> String;

/// Whatever a configuration may have very many of.
const MANY: &[(&str, Text)] = &[
    ("instances in groups of two", |count| pairs(count, 100)),
    ("virtual servers with a group each", |count| {
        let server = |n| {
            format!(
                "virtual_server_group G{n} {{\n {} 80\n}}\nvirtual_server group G{n} {{\n lb_algo rr\n lb_kind DR\n protocol TCP\n real_server 10.0.0.1 80 {{\n }}\n}}\n",
                host(n)
            )
        };
        (0..count).map(server).collect()
    }),
    ("BFD sessions", |count| {
        (0..count).map(|n| format!("bfd_instance B{n} {{\n neighbor_ip {}\n}}\n", host(n))).collect()
    }),
    ("unicast peers", |count| {
        let peers: String = (0..count).map(|n| format!(" {}\n", host(n))).collect();
        format!(
            "vrrp_instance V {{\n interface e0\n virtual_router_id 1\n unicast_src_ip 10.255.0.1\n unicast_peer {{\n{peers} }}\n}}\n"
        )
    }),
    ("excluded addresses", |count| {
        let lines: String = (0..count).map(|n| format!(" {}\n", host(n))).collect();
        format!(
            "vrrp_instance V {{\n interface e0\n virtual_router_id 1\n virtual_ipaddress {{\n 10.255.0.1\n }}\n virtual_ipaddress_excluded {{\n{lines} }}\n}}\n"
        )
    }),
    ("scripts that an instance tracks", |count| {
        let scripts: String =
            (0..count).map(|n| format!("vrrp_script S{n} {{\n script /bin/true\n user root\n}}\n")).collect();
        let lines: String = (0..count).map(|n| format!(" S{n}\n")).collect();
        format!(
            "{scripts}vrrp_instance V {{\n interface e0\n virtual_router_id 1\n track_script {{\n{lines} }}\n}}\n"
        )
    }),
    ("static routes with a track group each", |count| {
        let groups: String =
            (0..count).map(|n| format!("track_group G{n} {{\n group {{\n V\n }}\n}}\n")).collect();
        let routes: String = (0..count).map(|n| format!(" {} dev e0 track_group G{n}\n", host(n))).collect();
        format!(
            "{groups}static_routes {{\n{routes}}}\nvrrp_instance V {{\n interface e0\n virtual_router_id 1\n}}\n"
        )
    }),
    ("virtual rules", |count| {
        let rules: String =
            (0..count).map(|n| format!(" from {} table 5 preference {}\n", host(n), n + 1)).collect();
        format!(
            "vrrp_instance V {{\n interface e0\n virtual_router_id 1\n virtual_rules {{\n{rules} }}\n}}\n"
        )
    }),
    ("checks of pages", |count| {
        let check =
            |n| format!(" real_server {} 80 {{\n HTTP_GET {{\n url {{\n path /{n}\n }}\n }}\n }}\n", host(n));
        let reals: String = (0..count).map(check).collect();
        format!("virtual_server 10.255.0.1 80 {{\n lb_algo rr\n lb_kind DR\n protocol TCP\n{reals}}}\n")
    }),
    ("mistakes", |count| {
        (0..count)
            .map(|n| format!("vrrp_sync_group G{n} {{\n group {{\n V{n}\n }}\n priorty 5\n}}\n"))
            .collect()
    }),
];

/// An address for each of many.
fn host(n: u32) -> std::net::Ipv4Addr {
    std::net::Ipv4Addr::from(0x0a01_0000 + n)
}

/// Instances in sync groups of two; one in the middle has this priority.
fn pairs(count: u32, priority: u8) -> String {
    let instance = |n| {
        let priority = if n == count / 2 { format!(" priority {priority}\n") } else { String::new() };
        format!(
            "vrrp_instance V{n} {{\n interface e{}\n virtual_router_id {}\n{priority} virtual_ipaddress {{\n 10.{}.{}.{}\n }}\n}}\n",
            n / 250,
            n % 250 + 1,
            n / 62500,
            n / 250 % 250,
            n % 250
        )
    };
    let group = |n| format!("vrrp_sync_group G{n} {{\n group {{\n V{}\n V{}\n }}\n}}\n", 2 * n, 2 * n + 1);
    (0..count).map(instance).chain((0..count / 2).map(group)).collect()
}

/// What a reload looks for: the blocks of the new configuration that are not as they are in force, and those that are
/// gone.
fn differences(in_force: &Config, new: &Config) -> usize {
    let instances: HashMap<_, _> = in_force.instances.iter().map(|one| (&one.name, one)).collect();
    let groups: HashMap<_, _> = in_force.sync_groups.iter().map(|one| (&one.name, one)).collect();
    let other_instances = new.instances.iter().filter(|one| instances.get(&one.name) != Some(one)).count();
    let other_groups = new.sync_groups.iter().filter(|one| groups.get(&one.name) != Some(one)).count();
    let gone = instances.len().abs_diff(new.instances.len()) + groups.len().abs_diff(new.sync_groups.len());
    other_instances + other_groups + gone
}

fn load_many(text: String) -> Config {
    let options = Options { scripts: false, ..Options::default() };
    load_text(Path::new("many.conf"), text, &options).config.unwrap_or_default()
}

/// How long something takes; the best of three.
fn each(act: impl Fn()) -> Duration {
    let one = || {
        let begun = Instant::now();
        act();
        begun.elapsed()
    };
    (0..3).map(|_| one()).min().unwrap_or_default()
}

struct Reading {
    took: Duration,
    /// Peak resident memory in kB.
    memory: u64,
    things: usize,
}

/// Reads a file in a process of its own; the best of five: the machine may be busy.
fn read(path: &Path) -> Reading {
    let one = || {
        let output = Command::new(std::env::current_exe().expect("own path"))
            .env("KEEPWATCH_BENCH_FILE", path)
            .output()
            .expect("run");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let numbers: Vec<u64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [micros, memory, things] = numbers[..] else {
            panic!("{text}{}", String::from_utf8_lossy(&output.stderr))
        };
        Reading { took: Duration::from_micros(micros), memory, things: things as usize }
    };
    (0..5).map(|_| one()).min_by_key(|reading| reading.took).expect("five")
}

/// The best of three of keepalived's `-t`, if it is installed.
fn keepalived(path: &Path) -> Option<Duration> {
    if !Path::new(KEEPALIVED).exists() {
        return None;
    }
    let one = || {
        let begun = Instant::now();
        let mut command = Command::new(KEEPALIVED);
        command.arg("-t").arg("-f").arg(path).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().expect("run");
        begun.elapsed()
    };
    (0..3).map(|_| one()).min()
}

fn report(title: &str, reading: &Reading, keepalived: Option<Duration>) {
    let theirs = keepalived.map_or("not measured".to_owned(), |took| format!("{took:.3?}"));
    println!("{title:>44} {:>10.3?} {:>8} kB   keepalived {theirs}", reading.took, reading.memory);
}

/// Peak resident memory of this process in kB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Instances on interfaces bond0 to bond`last`, 32 VLANs each, 254 routers each: 65,024 with a `last` of 7.
fn man_page(last: u32) -> String {
    let body = [
        "track_file offset.${IF}.${NUM}.${ID} {",
        "    file \"${_PWD}/files/${IF}.${NUM}.${ID}\"",
        "    weight -100",
        "}",
        "vrrp_instance vrrp4.${IF}.${NUM}.${ID} {",
        "    interface bond${IF}.${NUM}",
        "    use_vmac vrrp4.${IF}.${NUM}.${ID}",
        "    virtual_router_id ${ID}",
        "    priority 130",
        "    virtual_ipaddress {",
        "        10.${IF}.${NUM}.${ID}/24",
        "    }",
        "    track_file {",
        "        offset.${IF}.${NUM}.${ID}",
        "    }",
    ];
    format!("$VI= \\\n{} \\\n}}\n\n~SEQ(IF,0,{last}) ~SEQ(NUM,0,31) ~SEQ(ID,1,254) $VI\n", body.join(" \\\n"))
}

fn instances() -> String {
    let mut text = "global_defs {\n    dynamic_interfaces\n}\n".to_owned();
    for number in 0..5000 {
        let (net, host) = (number / 250, number % 250);
        let _ = write!(
            text,
            "vrrp_instance VI_{number} {{\n    state BACKUP\n    interface eth{net}\n    virtual_router_id {}\n    priority 100\n    \
             advert_int 1\n    virtual_ipaddress {{\n        10.{net}.{host}.1/24\n    }}\n}}\n",
            host + 1
        );
    }
    text
}

fn servers() -> String {
    let mut text =
        "virtual_server 10.0.0.1 80 {\n    lvs_sched rr\n    lvs_method NAT\n    protocol TCP\n".to_owned();
    for number in 0..5000 {
        let _ = write!(
            text,
            "    real_server 10.{}.{}.1 80 {{\n        weight 1\n        TCP_CHECK {{\n            connect_timeout 3\n        }}\n    }}\n",
            number / 250 + 1,
            number % 250
        );
    }
    text + "}\n"
}

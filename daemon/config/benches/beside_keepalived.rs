//! How fast a configuration is read, beside keepalived's `-t` where that is installed: the man page's example of
//! 65,024 instances, 5,000 plain instances, 5,000 real servers. Prints times and peak memory, and fails when the bounds
//! that the project promises are not kept: 3 s, 200 MB, and growth in step with the size.
//!
//! Each reading is a process of its own, so that its peak memory is its own.
#![allow(clippy::expect_used)] // a benchmark may end with a message

use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use keepwatch_config::{Options, load};

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
    assert!(failures.is_empty(), "{}", failures.join("; "));
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

//! `keepwatch realserver`: a host is set up as a real server, told how it stands, and left as it was before. What passes
//! through it is told in `realserver/story.sh`, in the virtual machine; addresses, settings and the record, here.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use integration::{Host, Lab, binaries, vm::Scenario, wait};
use nix::sys::signal::Signal;

/// A file of the documents that the project began with.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../daemon/config/tests/seeds/000-cdn-master.conf");

#[test]
fn traffic_passes_through_real_servers_that_were_set_up_from_the_directors_file() {
    let story = Scenario::new(include_str!("realserver/story.sh"))
        .env("KEEPWATCH", binaries::path("keepwatch").unwrap())
        .env("KEEPWATCHD", binaries::path("keepwatchd").unwrap())
        .env("FILE", FILE)
        .limit(Duration::from_secs(700))
        .run()
        .unwrap();
    assert_eq!(story.code, 0, "{}", story.output);
    let has = |chapter: &str, lines: &[&str]| {
        let told = story.chapter(chapter);
        for line in lines {
            assert!(told.contains(line), "{line:?} is not in chapter {chapter:?} of\n{}", story.output);
        }
        told
    };
    has("who am I", &["125.38.38.200", "125.38.38.101", "--server", "exit 1"]);
    has("dry run", &["would put 125.38.38.64/32 on lo as lo:0", "nothing was done"]);
    has(
        "up",
        &[
            "real server 125.38.38.99, 125.38.38.101 for 125.38.38.64",
            "inet 125.38.38.64/32 brd 125.38.38.64",
        ],
    );
    let answers = has("direct routing", &["first", "second"]);
    let count = |line: &str| line.split_whitespace().next()?.parse::<u32>().ok();
    assert_eq!(answers.lines().filter_map(count).sum::<u32>(), 8, "{answers}");
    has("who has the address", &["the director"]);
    has("somebody removes it", &["it is back"]);
    has(
        "status",
        &[
            "125.38.38.64/32 on lo as lo:0",
            "wrong: eth0 tells the LAN of the virtual addresses when it is asked: its arp_ignore is 0 and that of all 0",
            "set net.ipv4.conf.all.arp_ignore from 0 to 1",
            "exit 0",
        ],
    );
    let undone = has("undone", &["nothing is set up", "exit 0", "first is as it was", "second is as it was"]);
    assert!(!undone.contains(".json"), "{undone}");
    let tunnels = has("tunnels", &["2 third", "3 third", "third is as it was"]);
    assert!(!tunnels.contains("is up"), "{tunnels}");
}

/// A host that is a real server of the file, and the command on it.
struct Server {
    _lab: Lab,
    host: Host,
    record: PathBuf,
}

const CONF: &str = "/proc/sys/net/ipv4/conf";

impl Server {
    fn new(name: &str) -> Result<Self> {
        let lab = Lab::new(name)?;
        let lan = lab.bridge("lan")?;
        let host = lab.host("web")?;
        host.plug("eth0", &lan)?.address("eth0", "125.38.38.101/24")?;
        let record = host.directory().join("realserver.json");
        Ok(Self { _lab: lab, host, record })
    }

    /// Runs it; its exit status and all that it wrote.
    fn run(&self, arguments: &[&str]) -> Result<(Option<i32>, String)> {
        let record = self.record.to_string_lossy();
        let arguments = [&["realserver"], arguments, &["--record", &record]].concat();
        let output = self.host.output(binaries::path("keepwatch")?, &arguments)?;
        let text =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        Ok((output.status.code(), text))
    }

    fn well(&self, arguments: &[&str]) -> Result<String> {
        let (code, text) = self.run(arguments)?;
        ensure!(code == Some(0), "{arguments:?}: {code:?}: {text}");
        Ok(text)
    }

    /// Addresses and settings, as text; without the address that the kernel itself gives the interface to the LAN, some time
    /// after that is up, and that is tentative at first.
    fn state(&self) -> Result<String> {
        let settings =
            format!("cd {CONF}; grep -H . */arp_ignore */arp_announce */rp_filter; ip -o addr show");
        let text = self.host.run("sh", &["-c", &settings])?;
        Ok(text
            .lines()
            .filter(|line| !line.contains(" inet6 fe80:"))
            .map(|line| line.split(" valid_lft").next().unwrap_or(line).to_owned() + "\n")
            .collect())
    }

    fn has(&self, address: &str) -> bool {
        self.host.has("lo", address)
    }

    fn setting(&self, name: &str) -> Result<String> {
        Ok(self.host.run("cat", &[&format!("{CONF}/{name}")])?.trim().to_owned())
    }

    fn set(&self, name: &str, value: &str) -> Result<()> {
        self.host.run("sh", &["-c", &format!("echo {value} >{CONF}/{name}")]).map(drop)
    }
}

#[test]
fn it_is_set_up_once_however_often_it_is_asked_for_and_undone_without_a_trace() -> Result<()> {
    let server = Server::new("realserver")?;
    server.set("all/arp_announce", "1")?;
    let before = server.state()?;
    let told = server.well(&["up", FILE])?;
    ensure!(told.contains("put 125.38.38.64/32 on lo as lo:0"), "{told}");
    for (setting, value) in
        [("all/arp_ignore", "1"), ("all/arp_announce", "2"), ("lo/arp_ignore", "1"), ("lo/arp_announce", "2")]
    {
        ensure!(server.setting(setting)? == value, "{setting}");
    }
    let up = server.state()?;
    ensure!(up.contains("125.38.38.64/32 brd 125.38.38.64 scope global lo:0"), "{up}");
    let again = server.well(&["up", FILE])?;
    ensure!(again.lines().count() == 1 && server.state()? == up, "{again}");
    server.well(&["down"])?;
    ensure!(server.state()? == before && !server.record.exists(), "{}", server.state()?);
    ensure!(server.well(&["down"])?.contains("nothing is set up"));
    ensure!(server.run(&["status"])?.0 == Some(3));
    Ok(())
}

#[test]
fn status_says_whether_it_serves_whoever_made_it_so() -> Result<()> {
    let server = Server::new("realserver-judged")?;
    let status = |code: i32, lines: &[&str]| -> Result<()> {
        let (got, told) = server.run(&["status"])?;
        let there = lines.iter().all(|line| told.contains(line));
        ensure!(
            got == Some(code) && there && (code == 3) == told.contains("wrong: "),
            "{lines:?}: {got:?}: {told}"
        );
        Ok(())
    };
    server.well(&["up", FILE])?;
    status(0, &["125.38.38.64/32 on lo as lo:0"])?;
    // Somebody else's settings: what counts is the larger of an interface's own and that of all.
    server.set("all/arp_ignore", "0")?;
    status(
        3,
        &[
            "changed: net.ipv4.conf.all.arp_ignore is 0",
            "wrong: eth0 tells the LAN of the virtual addresses when it is asked",
        ],
    )?;
    server.set("eth0/arp_ignore", "1")?;
    status(0, &["changed: net.ipv4.conf.all.arp_ignore is 0"])?;
    server.set("eth0/arp_ignore", "3")?;
    server.set("all/arp_ignore", "1")?;
    status(3, &["its arp_ignore is 3 and that of all 1"])?;
    server.set("eth0/arp_ignore", "0")?;
    server.set("all/arp_announce", "1")?;
    status(3, &["wrong: eth0 tells the LAN of the virtual addresses when it asks"])?;
    server.set("all/arp_announce", "2")?;
    // The address: gone, put back by somebody else, on the LAN.
    server.host.remove_address("125.38.38.64")?;
    status(3, &["wrong: 125.38.38.64 is not on lo"])?;
    server.host.address("lo", "125.38.38.64/32")?;
    status(0, &[])?;
    server.host.address("eth0", "125.38.38.64/24")?;
    status(3, &["wrong: 125.38.38.64 is on eth0 too"])?;
    server.host.run("ip", &["address", "del", "125.38.38.64/24", "dev", "eth0"])?;
    server.host.run("ip", &["link", "set", "lo", "down"])?;
    status(3, &["wrong: lo is down"])?;
    let json: serde_json::Value = serde_json::from_str(&server.run(&["status", "--json"])?.1)?;
    ensure!(json["wrong"] == serde_json::json!(["lo is down"]), "{json}");
    server.host.run("ip", &["link", "set", "lo", "up"])?;
    Ok(())
}

#[test]
fn a_host_that_a_script_has_set_up_is_taken_as_it_is() -> Result<()> {
    let server = Server::new("realserver-script")?;
    let script = "ip address add 125.38.38.64/32 dev lo; for c in all lo; do echo 1 >$0/$c/arp_ignore; echo 2 >$0/$c/arp_announce; done";
    server.host.run("sh", &["-c", script, CONF])?;
    let before = server.state()?;
    let told = server.well(&["up", FILE])?;
    ensure!(told.contains("was on lo before") && server.state()? == before, "{told}");
    ensure!(server.well(&["status"])?.contains("125.38.38.64 on lo, which was there before"));
    server.host.remove_address("125.38.38.64")?;
    ensure!(server.run(&["status"])?.0 == Some(3));
    // It is needed, so it is put there; and goes, as nobody else has put it there.
    server.well(&["up", FILE])?;
    ensure!(server.has("125.38.38.64") && server.run(&["status"])?.0 == Some(0));
    server.well(&["down"])?;
    ensure!(
        !server.has("125.38.38.64") && server.setting("all/arp_ignore")? == "1" && !server.record.exists()
    );
    Ok(())
}

/// Each file of the documents that has real servers for direct routing, as the first of them would go by it.
#[test]
fn every_file_of_the_documents_says_what_its_real_servers_need() -> Result<()> {
    let server = Server::new("realserver-seeds")?;
    let seeds = std::path::Path::new(FILE).parent().unwrap();
    for (name, real, expected) in [
        ("000-cdn-backup", "125.38.38.104", &["125.38.38.64/32 on lo as lo:0"][..]),
        ("000-multi-lvs_1", "61.135.93.80", &["61.135.93.99/32 on lo as lo:0"]),
        ("000-multi-lvs_2", "61.135.93.91", &["61.135.93.100/32 on lo as lo:0"]),
        ("001-master", "192.168.4.8", &["192.168.4.10/32 on lo as lo:0"]),
        ("001-backup", "192.168.4.7", &["192.168.4.10/32 on lo as lo:0"]),
        ("002-master", "223.202.22.116", &["223.202.22.118/32 on lo as lo:0"]),
        ("002-backup", "223.202.22.117", &["223.202.22.118/32 on lo as lo:0"]),
        ("003-master", "172.28.19.103", &["172.28.14.228/32 on lo as lo:0"]),
        ("003-backup", "172.28.19.108", &["172.28.14.229/32 on lo as lo:0"]),
    ] {
        let file = seeds.join(format!("{name}.conf"));
        let file = file.to_string_lossy();
        let told = server.well(&["up", &file, "--server", real])?;
        for line in expected {
            ensure!(told.contains(&format!("put {line}")), "{name}: {told}");
        }
        ensure!(server.run(&["status"])?.0 == Some(0), "{name}: {:?}", server.run(&["status"])?);
        server.well(&["down"])?;
    }
    // As they were published they have mistakes, and nothing is done by half of a file.
    for name in ["published-002-master", "published-002-backup"] {
        let file = seeds.join(format!("{name}.conf"));
        let (code, told) = server.run(&["up", &file.to_string_lossy(), "--server", "223.202.22.116"])?;
        ensure!(
            code == Some(1) && told.contains("nothing is done by half of a file"),
            "{name}: {code:?}: {told}"
        );
    }
    Ok(())
}

#[test]
fn what_was_there_before_or_is_another_s_by_now_stays() -> Result<()> {
    let server = Server::new("realserver-before")?;
    server.host.address("lo", "125.38.38.64/32")?;
    server.set("all/arp_ignore", "2")?;
    let before = server.state()?;
    let told = server.well(&["up", FILE])?;
    ensure!(told.contains("125.38.38.64/32 was on lo before"), "{told}");
    // Somebody sets what was set here to something else.
    server.set("all/arp_announce", "1")?;
    let told = server.well(&["down"])?;
    ensure!(told.contains("net.ipv4.conf.all.arp_announce is 1, which somebody else has made it"), "{told}");
    server.set("all/arp_announce", "0")?;
    ensure!(server.state()? == before && server.has("125.38.38.64"), "{}", server.state()?);
    Ok(())
}

#[test]
fn in_the_foreground_it_is_kept_so_until_it_is_told_to_end() -> Result<()> {
    let server = Server::new("realserver-stays")?;
    let before = server.state()?;
    let file = server.host.file("lvs.conf", &std::fs::read_to_string(FILE)?)?;
    let start = || {
        let record = server.record.to_string_lossy();
        let arguments = ["realserver", &file.to_string_lossy(), "--record", &record];
        server.host.spawn("realserver", binaries::path("keepwatch")?, &arguments)
    };
    let mut process = start()?;
    wait::until("it is set up", wait::LONG, || server.has("125.38.38.64"))?;
    let (code, told) = server.run(&["down"])?;
    ensure!(code == Some(1) && told.contains("stop that one"), "{told}");

    server.host.remove_address("125.38.38.64")?;
    wait::until("it is put back", wait::LONG, || server.has("125.38.38.64"))?;
    // Another address in the file: the old one goes, the new one comes.
    std::fs::write(
        &file,
        std::fs::read_to_string(FILE)?.replace("virtual_server 125.38.38.64", "virtual_server 125.38.38.65"),
    )?;
    process.signal(Signal::SIGHUP)?;
    wait::until("the new one is there", wait::LONG, || {
        server.has("125.38.38.65") && !server.has("125.38.38.64")
    })?;
    // A file that is of no use changes nothing.
    std::fs::write(&file, "")?;
    process.signal(Signal::SIGHUP)?;
    process.wait_for_log("all stays as it was", wait::LONG)?;
    ensure!(server.has("125.38.38.65"));
    // Nor is another record taken meanwhile: this network is in use. (That is kept where only root may write.)
    let run = Path::new("/run/keepwatch");
    if std::fs::create_dir_all(run).is_ok() && tempfile::tempfile_in(run).is_ok() {
        let other = server.host.directory().join("other.json");
        let arguments = ["realserver", "up", FILE, "--record", &other.to_string_lossy()];
        let output = server.host.output(binaries::path("keepwatch")?, &arguments)?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(1) && told.contains("stop that one"), "{told}");
    }

    // It is killed, and nothing is forgotten.
    process.kill();
    ensure!(server.well(&["status"])?.contains("125.38.38.65"));
    std::fs::copy(FILE, &file)?;
    process = start()?;
    wait::until("it goes by the file", wait::LONG, || {
        server.has("125.38.38.64") && !server.has("125.38.38.65")
    })?;
    let status = process.stop(wait::LONG)?;
    ensure!(status.success(), "{status}: {}", process.log());
    let after = server.state()?;
    ensure!(after == before, "before:\n{before}\nafter:\n{after}");
    Ok(())
}

#[test]
fn what_can_not_be_done_whole_is_not_done_at_all() -> Result<()> {
    let server = Server::new("realserver-refused")?;
    // Settings can't be written, as in many containers.
    let record = server.record.to_string_lossy().into_owned();
    let keepwatch = binaries::path("keepwatch")?;
    let script = format!(
        "mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys && exec {} realserver up {FILE} --record {record}",
        keepwatch.display()
    );
    let before = server.state()?;
    let output = server.host.output("unshare", &["--mount", "sh", "-c", &script])?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(1) && told.contains("arp_ignore"), "{told}");
    ensure!(server.state()? == before && !server.record.exists(), "{}", server.state()?);
    // Nor is a record of another network taken for ours.
    std::fs::write(
        &server.record,
        format!(
            r#"{{"place":{{"boot":"{}","namespace":1}},"servers":[],"addresses":[],"settings":[],"raised":[]}}"#,
            std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim()
        ),
    )?;
    let (code, told) = server.run(&["up", FILE])?;
    ensure!(code == Some(1) && told.contains("another network namespace"), "{told}");
    server.well(&["down", "--forget"])?;
    ensure!(!server.record.exists());
    server.well(&["up", FILE])?;
    Ok(())
}

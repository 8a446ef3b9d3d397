//! `keepwatch reload`, and the files around a reload.

use std::fs;

use anyhow::{Context, Result, ensure};
use integration::{Instance, keepwatchd::Keepwatchd, stuck::StuckFile, wait};
use nix::sys::signal::Signal;

use crate::scene::{Scene, calm, text};

#[test]
fn the_command_waits_and_says_what_changed_or_what_is_wrong() -> Result<()> {
    let scene = Scene::new("reload-command")?;
    let other = Instance::new("VI_2").vrid(52).interval("0.5").vip("10.78.9.20/32");
    let config = |global: &str, others: &[&Instance]| {
        let others: String = others.iter().map(ToString::to_string).collect();
        calm().version_3(global) + &others
    };
    let daemon = scene.master(&config("", &[&other]), &[])?;
    wait::until("both are known", wait::LONG, || {
        daemon.answer(&["status"]).is_ok_and(|answer| answer.contains("VI_2"))
    })?;
    ensure!(daemon.answer(&["reload"])?.trim() == "Reloaded: nothing has changed.");

    fs::write(daemon.config_path(), config("", &[&other.clone().priority(50)]))?;
    ensure!(daemon.answer(&["reload"])? == "Reloaded:\n  changed  vrrp_instance VI_2\n");

    let third = Instance::new("VI_3").vrid(53).interval("0.5").vip("10.78.9.30/32");
    fs::write(daemon.config_path(), config("vrrp_strict", &[&third]))?;
    // The changes before have reached everybody when they are told.
    let answer = daemon.answer(&["reload"])?;
    for line in ["changed  global_defs", "added    vrrp_instance VI_3", "removed  vrrp_instance VI_2"] {
        ensure!(answer.contains(line), "{line}: {answer}");
    }

    fs::write(daemon.config_path(), config("", &[&other.clone().line("prioritty 5")]))?;
    let output = daemon.ask(&["reload"])?;
    let said = text(&output.stdout);
    ensure!(output.status.code() == Some(1), "{said}");
    ensure!(said.starts_with("Refused, and nothing has changed: ") && said.contains("prioritty"), "{said}");
    let json: serde_json::Value = serde_json::from_slice(&daemon.ask(&["reload", "--json"])?.stdout)?;
    ensure!(json["outcome"]["refused"]["errors"] == 1, "{json}");
    ensure!(daemon.answer(&["status"])?.contains("VI_3"), "the one before is in force");
    Ok(())
}

/// Every kind of block that runs in a lab, each with what it becomes, what that is called, and what it is called when it
/// is gone.
const BLOCKS: [(&str, &str, &str, &[&str]); 16] = [
    (
        "static_ipaddress {\n10.78.9.77/24 dev eth0\n}",
        "77/24",
        "78/24",
        &[
            "added    static_ipaddress 10.78.9.78/24 dev eth0",
            "removed  static_ipaddress 10.78.9.77/24 dev eth0",
        ],
    ),
    (
        "static_routes {\n10.50.0.0/16 via 10.78.9.250\n}",
        "via 10.78.9.250",
        "dev eth0",
        &[
            "added    static_routes 10.50.0.0/16 dev eth0",
            "removed  static_routes 10.50.0.0/16 via 10.78.9.250",
        ],
    ),
    (
        "static_rules {\nfrom 10.50.0.0/16 table 50 priority 500\n}",
        "table 50",
        "table 51",
        &[
            "added    static_rules 500: from 10.50.0.0/16 lookup 51",
            "removed  static_rules 500: from 10.50.0.0/16 lookup 50",
        ],
    ),
    ("track_group T {\ngroup {\nVI_1\n}\n}", "VI_1\n", "VI_1\nVI_2\n", &["changed  track_group T"]),
    ("garp_group {\ngarp_interval 1\ninterface eth0\n}", "val 1", "val 2", &["changed  garp_group eth0"]),
    (
        "interface_up_down_delays {\neth0 1\n}",
        "eth0 1",
        "eth0 1 1",
        &["changed  interface_up_down_delays eth0"],
    ),
    ("linkbeat_interfaces {\neth0\n}", "eth0", "eth0 IOCTL", &["changed  linkbeat_interfaces eth0"]),
    ("SSL {\npassword one\n}", "one", "two", &["changed  SSL"]),
    // Nobody follows it.
    (
        "vrrp_script s {\nscript /bin/true\n}",
        "script s",
        "script other",
        &["added    vrrp_script other", "removed  vrrp_script s"],
    ),
    ("track_file f {\nfile /tmp/none\n}", "none", "other", &["changed  track_file f"]),
    ("vrrp_track_process p {\nprocess one\n}", "one", "two", &["changed  vrrp_track_process p"]),
    ("bfd_instance b {\nneighbor_ip 10.78.9.250\n}", "250", "251", &["changed  bfd_instance b"]),
    ("observability {\nhistory {\nevents 500\n}\n}", "500", "600", &["changed  observability"]),
    ("virtual_server_group G {\n10.78.9.120 80\n}", "120", "121", &["changed  virtual_server_group G"]),
    (
        "virtual_server group G {\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\nreal_server 10.78.9.2 80 {\nweight 2\n}\n}",
        "weight 2",
        "weight 3",
        &["changed  real_server [10.78.9.2]:tcp:80 of group G"],
    ),
    (
        "vrrp_sync_group S {\ngroup {\nVI_1\nVI_2\n}\nsmtp_alert on\n}",
        "alert on",
        "alert off",
        &["changed  vrrp_sync_group S"],
    ),
];

#[test]
fn every_kind_of_block_is_told_of_when_a_reload_changes_it_and_nothing_else_is() -> Result<()> {
    let scene = Scene::new("reload-blocks")?;
    let second = Instance::new("VI_2").vrid(52).interval("0.5").vip("10.78.9.20/32");
    let base = calm().version_3("") + &second.to_string();
    let with = |changed: Option<usize>| {
        let blocks = BLOCKS.iter().enumerate().map(|(at, (text, old, new, _))| match changed {
            Some(changed) if changed == at => text.replace(old, new),
            _ => (*text).to_owned(),
        });
        base.clone() + &blocks.collect::<Vec<_>>().join("\n")
    };
    // Both sides of it run.
    let daemon = Keepwatchd::on(&scene.host).config(with(None)).flags(&["--dataplane", "memory"]).start()?;
    let reload = |config: &str| -> Result<String> {
        fs::write(daemon.config_path(), config)?;
        daemon.answer(&["reload"])
    };
    wait::until("it answers, and everything is known", wait::LONG, || {
        reload(&with(None)).is_ok_and(|answer| answer.trim() == "Reloaded: nothing has changed.")
    })?;
    for (at, (text, _, _, expected)) in BLOCKS.iter().enumerate() {
        let answer = reload(&with(Some(at)))?;
        let told: Vec<&str> = answer.lines().skip(1).map(str::trim).collect();
        ensure!(told == *expected, "{text}: {answer}");
        // What is told of has reached everybody when all is as it was.
        wait::until("all is as it was", wait::LONG, || {
            reload(&with(None)).is_ok_and(|answer| answer.trim() == "Reloaded: nothing has changed.")
        })?;
    }
    Ok(())
}

#[test]
fn a_file_is_there_while_the_configuration_is_read_and_another_says_what_is_wrong_with_it() -> Result<()> {
    let scene = Scene::new("reload-marker")?;
    let at = |name: &str| scene.host.directory().join(name);
    let lines = format!("reload_file\n reload_check_config {}", at("check.log").display());
    let daemon = scene.master(&calm().version_3(&lines), &[])?;
    let marker = at("keepwatchd.reload");

    fs::write(daemon.config_path(), calm().line("prioritty 5").version_3(&lines))?;
    fs::write(&marker, "somebody writes the configuration")?;
    daemon.process().signal(Signal::SIGHUP)?;
    daemon.wait_for_log("refused, the running configuration stays")?;
    ensure!(fs::read_to_string(at("check.log"))?.contains("prioritty"));
    ensure!(!marker.exists());

    let stuck = StuckFile::new(&at("stuck.conf"))?;
    let config = calm().version_3(&lines) + &format!("include {}\n", stuck.path().display());
    fs::write(daemon.config_path(), config)?;
    daemon.process().signal(Signal::SIGHUP)?;
    wait::until("the file is there, and empty", wait::LONG, || {
        fs::read(&marker).is_ok_and(|content| content.is_empty())
    })
    .with_context(|| daemon.process().log())
}

#[test]
fn a_reload_comes_at_the_time_that_a_file_says() -> Result<()> {
    let scene = Scene::new("reload-time")?;
    let time = scene.host.directory().join("reload.time");
    let config = format!("reload_time_file {}", time.display());
    let daemon = scene.master(&calm().version_3(&config), &[])?;
    fs::write(&time, "tomorrow\n")?;
    daemon.wait_for_log("ignored: `tomorrow`: expected HH:MM:SS")?;
    fs::write(&time, "2099-01-01 00:00:00Z\n")?;
    daemon.wait_for_log("Reload scheduled for 2099-01-01T00:00:00Z")?;
    fs::remove_file(&time)?;
    daemon.wait_for_log("Scheduled reload cancelled")?;
    let soon = jiff::Timestamp::now() + std::time::Duration::from_secs(3);
    fs::write(&time, soon.strftime("%Y-%m-%d %H:%M:%SZ\n").to_string())?;
    daemon.wait_for_log("Reloaded ")?;
    wait::until("the file is gone", wait::SHORT, || !time.exists())
}

#[test]
fn what_was_read_and_how_everything_stood_is_kept_where_that_is_asked_for() -> Result<()> {
    let scene = Scene::new("reload-kept")?;
    let kept = scene.host.directory().join("kept");
    let lines = format!("config_save_dir {}", kept.display());
    let config = |priority| calm().priority(priority).version_3(&lines);
    let daemon = scene.master(&config(100), &[])?;
    let worker = scene.worker()?;
    let read = |name: &str| fs::read_to_string(kept.join(name)).unwrap_or_default();
    let file = |name: &str| name.replace("PID", &worker.to_string());
    wait::until("what was read at the start is kept", wait::LONG, || {
        read(&file("keepalived.conf.PID.0")).contains("priority 100")
    })?;
    ensure!(fs::read_dir(&kept)?.count() == 1, "nothing was reloaded yet");

    for (number, priority) in [(1, 90), (2, 80)] {
        fs::write(daemon.config_path(), config(priority))?;
        daemon.answer(&["reload"])?;
        let named = |what: &str| file(&format!("{what}.PID.{number}"));
        wait::until("what was read is kept", wait::LONG, || {
            read(&named("keepalived.conf")).contains(&format!("priority {priority}"))
        })?;
        for (when, stood) in [("pre", priority + 10), ("post", priority)] {
            let name = format!("{}.{when}", named("keepalived_vrrp"));
            wait::until(&format!("{name} is there"), wait::LONG, || {
                read(&name).contains(&format!("Priority = {stood}"))
            })?;
        }
    }
    // Passwords are in such files.
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(kept.join(file("keepalived.conf.PID.0")))?.permissions().mode() & 0o777;
    ensure!(mode == 0o600, "{mode:o}");

    fs::create_dir(kept.join(file("keepalived.conf.PID.3")))?;
    daemon.answer(&["reload"])?;
    daemon.wait_for_log("can't be written")
}

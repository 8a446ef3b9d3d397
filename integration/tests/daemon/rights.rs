//! Which rights the worker keeps, and what is said where there are too few.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result, ensure};
use integration::{Instance, binaries, capture, conf::VIP, wait};
use nix::sys::signal::Signal;
use nix::unistd::{Pid, chown, getuid};

use crate::scene::{Scene, calm, file, no_gap, quick, text};

/// Debian's `nobody`.
const NOBODY: u32 = 65_534;

const CHOWN: u64 = 1 << 0;
const DAC_OVERRIDE: u64 = 1 << 1;
const FOWNER: u64 = 1 << 3;
const KILL: u64 = 1 << 5;
const SETGID: u64 = 1 << 6;
const SETUID: u64 = 1 << 7;
const NET_ADMIN: u64 = 1 << 12;
const NET_RAW: u64 = 1 << 13;
const SYS_NICE: u64 = 1 << 23;

/// The permitted and effective capabilities of every thread, which are the same; and whether no program can gain any.
fn rights(worker: Pid) -> Result<(u64, bool)> {
    let mut found = Vec::new();
    for thread in fs::read_dir(format!("/proc/{worker}/task"))? {
        let status = fs::read_to_string(thread?.path().join("status"))?;
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let set =
            |name: &str| Ok::<_, anyhow::Error>(u64::from_str_radix(field(name).context("a set")?, 16)?);
        let (permitted, effective) = (set("CapPrm:")?, set("CapEff:")?);
        ensure!(permitted == effective, "{status}");
        found.push((permitted, field("NoNewPrivs:") == Some("1")));
    }
    found.dedup();
    ensure!(found.len() == 1, "threads differ: {found:?}");
    found.pop().context("a thread")
}

#[test]
fn the_worker_keeps_what_its_configuration_needs() -> Result<()> {
    // Virtual routers run in real time unless told otherwise.
    let network = NET_ADMIN | NET_RAW | SYS_NICE;
    let scripts = network | SETUID | SETGID | KILL | CHOWN | FOWNER | DAC_OVERRIDE;
    for (global, instance, kept, no_new_privileges) in [
        ("", quick(), network, true),
        ("max_auto_priority -1", quick(), NET_ADMIN | NET_RAW, true),
        ("max_auto_priority -1\nvrrp_priority -5", quick(), network, true),
        ("", quick().line("notify /bin/true"), scripts, false),
    ] {
        let scene = Scene::new("rights")?;
        let _daemon = scene.master(&instance.version_3(global), &[])?;
        assert_eq!(rights(scene.worker()?)?, (kept, no_new_privileges), "{instance}");
    }
    Ok(())
}

#[test]
fn a_reload_that_needs_more_brings_a_worker_that_has_it() -> Result<()> {
    let scene = Scene::new("more-rights")?;
    let daemon = scene.master(&calm().version_3(""), &[])?;
    let first = scene.worker()?;
    // Also whoever is not root must be able to write there.
    let directory = tempfile::tempdir()?;
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777))?;
    let made = directory.path().join("made");
    let user = if getuid().is_root() { "nobody" } else { "root" };
    let script = format!("notify_master \"/usr/bin/touch {}\" {user}", made.display());
    fs::write(daemon.config_path(), calm().line(&script).version_3(""))?;
    let since = capture::now();
    daemon.process().signal(Signal::SIGHUP)?;
    let mut always = true;
    wait::until("another worker runs the script", wait::LONG, || {
        always &= scene.host.has("eth0", VIP);
        made.exists()
    })
    .with_context(|| daemon.process().log())?;
    assert!(always, "the VIP was away");
    assert_ne!(scene.worker()?, first);
    daemon.wait_for_log(
        "Another worker takes over: a configuration that needs CAP_CHOWN, CAP_DAC_OVERRIDE, ",
    )?;
    daemon.wait_for_log("Worker restarted: gave way to another")?;
    assert!(!daemon.process().log().contains("starting another in"), "nothing died");
    // Adverts stop for as long as the new worker takes to start, and to be master again.
    let _ = no_gap(&scene, since);

    // What needs no more than that touches nothing.
    let worker = scene.worker()?;
    fs::write(daemon.config_path(), calm().version_3(""))?;
    daemon.process().signal(Signal::SIGHUP)?;
    daemon.wait_for_log("Reloaded")?;
    assert_eq!(scene.worker()?, worker);
    Ok(())
}

#[test]
fn without_the_rights_it_says_which_are_missing_and_how_to_give_them() -> Result<()> {
    let scene = Scene::new("no-rights")?;
    let config = file(scene.host.directory(), "c.conf", &Instance::new("VI_1").version_3(""))?;
    let pid = scene.host.directory().join("d.pid").to_string_lossy().into_owned();
    let program = binaries::path("keepwatchd")?.to_string_lossy().into_owned();
    for (lost, names) in
        [("-net_raw", "CAP_NET_RAW"), ("-net_raw,-net_admin", "CAP_NET_ADMIN and CAP_NET_RAW")]
    {
        let bounding = format!("--bounding-set={lost}");
        let flags = [&bounding, &*program, "-n", "-G", "-P", "-f", &config, "-p", &pid];
        let refused = scene.host.output("setpriv", &flags)?;
        let said = text(&refused.stderr);
        ensure!(refused.status.code() == Some(1), "{}: {said}", refused.status);
        ensure!(
            said.contains(&format!("virtual routers need {names}, which this process does not have")),
            "{said}"
        );
        ensure!(said.contains("setcap cap_net_") && said.contains("AmbientCapabilities=CAP_NET_"), "{said}");
        ensure!(said.lines().count() == 1, "{said}");
    }
    Ok(())
}

#[test]
fn a_user_whom_the_file_of_the_program_gives_the_rights_runs_it() -> Result<()> {
    if !getuid().is_root() {
        return Ok(());
    }
    let scene = Scene::new("setcap")?;
    // Where whoever is not root can go, and run it.
    let directory = tempfile::tempdir()?;
    let at = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
    for name in ["keepwatchd", "keepwatch-worker"] {
        fs::copy(binaries::path(name)?, at(name))?;
    }
    fs::create_dir(at("own"))?;
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
    chown(at("own").as_str(), Some(NOBODY.into()), Some(NOBODY.into()))?;
    let given = scene.host.output("setcap", &["cap_net_admin,cap_net_raw+ep", &at("keepwatchd")])?;
    ensure!(given.status.success(), "{}", text(&given.stderr));
    let config = file(directory.path(), "c.conf", &quick().version_3(""))?;
    fs::set_permissions(&config, fs::Permissions::from_mode(0o644))?;
    let nobody = NOBODY.to_string();
    let mut daemon = scene
        .host
        .process("keepwatchd", "setpriv")
        .args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups", &at("keepwatchd")])
        .args(["-n", "-l", "-G", "-P", "-f", &config, "-p", &at("own/d.pid"), "--listen", "none"])
        .start()?;
    wait::until("a user's daemon is master", wait::LONG, || scene.host.has("eth0", VIP))
        .with_context(|| daemon.log())?;
    ensure!(daemon.stop(wait::LONG)?.success(), "{}", daemon.log());
    ensure!(!scene.host.has("eth0", VIP));
    Ok(())
}

//! The daemon's own files: who may read them, and that it is not led astray by what others put in their place.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use integration::{binaries, conf::VIP, wait};
use nix::sys::stat::Mode;
use nix::unistd::{Uid, chown, mkfifo};

use crate::scene::{Scene, file, quick, text};

/// What stands where a file of the daemon's should be, and how it calls that.
const IN_THE_WAY: [(&str, &str); 3] = [
    ("link", "it is a symbolic link"),
    ("pipe", "it is no regular file"),
    ("foreign", "it belongs to another user"),
];

/// Puts it there; whether that could be done (an ordinary user can't give files away).
fn put(what: &str, at: &Path) -> Result<bool> {
    match what {
        "link" => {
            let victim = at.with_extension("victim");
            fs::write(&victim, "kept\n")?;
            symlink(victim, at)?;
        }
        "pipe" => mkfifo(at, Mode::S_IRWXU)?,
        _ => {
            fs::write(at, "kept\n")?;
            return Ok(chown(at, Some(Uid::from_raw(12_345)), None).is_ok());
        }
    }
    Ok(true)
}

#[test]
fn the_log_and_the_history_are_not_for_everybody() -> Result<()> {
    let scene = Scene::new("private")?;
    let log = scene.host.directory().join("d.log");
    // As the version before left it.
    fs::write(&log, "earlier\n")?;
    fs::set_permissions(&log, fs::Permissions::from_mode(0o644))?;
    let flags = ["--umask", "0", "--log-file", &log.to_string_lossy()];
    let daemon = scene.master(&quick().version_3(""), &flags)?;
    wait::until("there is a history", wait::SHORT, || daemon.history_path().exists())?;
    for path in [&log, &daemon.history_path()] {
        let mode = fs::metadata(path)?.mode() & 0o777;
        ensure!(mode & !0o640 == 0, "{} has mode {mode:o}", path.display());
    }
    ensure!(fs::read_to_string(&log)?.starts_with("earlier\n"));
    Ok(())
}

/// One event of each kind, as the version wrote them whose facts had settings of their own and not the model.
const BEFORE_THE_MODEL: &str = include_str!("../../../daemon/bus/tests/history_before_the_model.jsonl");

#[test]
fn the_history_of_the_version_before_goes_on_and_the_log_says_what_of_it_can_t_be_read() -> Result<()> {
    let scene = Scene::new("old-history")?;
    let history = scene.host.directory().join("history.jsonl");
    fs::write(&history, BEFORE_THE_MODEL)?;
    let daemon = scene.master(&quick().version_3(""), &[])?;
    // The daemon sees it through a root of its own.
    ensure!(
        daemon.history_path().ends_with(history.strip_prefix("/")?),
        "{}",
        daemon.history_path().display()
    );
    daemon.wait_for_log("history.jsonl: 6 lines are of another version or cut short, and are passed over")?;
    let events = daemon.answer(&["events", "--json", "-n", "1000"])?;
    ensure!(events.contains("\"kind\":\"quorum_lost\""), "what could be read is still told: {events}");
    Ok(())
}

#[test]
fn what_others_put_in_the_place_of_its_files_is_left_alone_and_told_of() -> Result<()> {
    let scene = Scene::new("in-the-way")?;
    let config = file(scene.host.directory(), "c.conf", &quick().version_3(""))?;
    for (what, says) in IN_THE_WAY {
        let at = |name: &str| scene.host.directory().join(format!("{name}-{what}"));
        let all = ["log", "history", "socket"].map(at);
        let mut can = true;
        for path in &all {
            can &= put(what, path)?;
        }
        if !can {
            continue;
        }
        let [log, history, socket] = &all;
        let mut daemon = scene
            .host
            .process("keepwatchd", binaries::path("keepwatchd")?)
            .args(["-n", "-l", "-G", "-P", "-f", &config, "-p"])
            .arg(at("pid"))
            .arg("-g")
            .arg(log)
            .arg("--history-file")
            .arg(history)
            .arg("--control-socket")
            .arg(socket)
            .start()?;
        wait::until("the VIP is up all the same", wait::LONG, || scene.host.has("eth0", VIP))
            .with_context(|| format!("{what}: {}", daemon.log()))?;
        let about_the_socket = if what == "link" { says } else { "there is something that is no socket" };
        let told = [
            (log, " can't be written", says),
            (history, " can't be used", says),
            (socket, "", about_the_socket),
        ];
        for (path, what, says) in told {
            daemon.wait_for_log(&format!("{}{what}: {says}", path.display()), wait::SHORT)?;
        }
        ensure!(daemon.stop(wait::SHORT)?.success(), "{}", daemon.log());
        for path in &all {
            let kept = if what == "link" { path.with_extension("victim") } else { path.clone() };
            ensure!(what == "pipe" || fs::read_to_string(&kept)? == "kept\n", "{}", kept.display());
        }
    }
    Ok(())
}

#[test]
fn a_pid_file_that_is_not_ours_is_a_reason_not_to_start() -> Result<()> {
    let scene = Scene::new("foreign-pid")?;
    let config = file(scene.host.directory(), "c.conf", &quick().version_3(""))?;
    for (what, says) in IN_THE_WAY {
        let pid = scene.host.directory().join(format!("{what}.pid"));
        if !put(what, &pid)? {
            continue;
        }
        let flags = ["-n", "-l", "-G", "-P", "-f", &config, "-p", &pid.to_string_lossy()];
        let refused = scene.host.output(binaries::path("keepwatchd")?, &flags)?;
        ensure!(refused.status.code() == Some(1), "{}", refused.status);
        let said = text(&refused.stderr);
        let sentence = format!("the pid file {} can't be used: {says}", pid.display());
        ensure!(said.matches(&sentence).count() == 1, "{said}");
        ensure!(said.matches(&*pid.to_string_lossy()).count() == 1, "{said}");
    }
    Ok(())
}

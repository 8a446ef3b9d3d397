//! MISC_CHECK and scripts that do everything that scripts do.

use std::fs;

use anyhow::{Context, Result, ensure};
use integration::wait;

use super::{Cell, Fails, Scene, all_are, down, is, line, up};

/// Each script as a file with all that is in it, and why its server fails. keepalived 2.2.7 and 2.4.3 take the server of a
/// slow one, and those of what can't be run, for up (docs/differences.md).
const SCRIPTS: [(&str, &str, Fails); 12] = [
    ("good", "#!/bin/sh\nexit 0\n", None),
    (
        "status",
        "#!/bin/sh\necho no answer of the database\nexit 255\n",
        Some(("script", "exited with status 255: no answer of the database")),
    ),
    ("signal", "#!/bin/sh\nkill -SEGV $$\n", Some(("script", "killed by signal 11"))),
    (
        "slow",
        "#!/bin/sh\ntrap 'exit 0' TERM\nwhile :; do sleep 0.1; done\n",
        Some(("timeout", "timed out after 2s")),
    ),
    ("endless", "#!/bin/sh\nexec yes\n", Some(("timeout", "timed out after 2s"))),
    // It is read, however much there is of it, and what it says has no part in the verdict.
    ("much", "#!/bin/sh\nhead -c 3000000 /dev/zero\nhead -c 100000 /dev/urandom >&2\nexit 0\n", None),
    ("asks", "#!/bin/sh\nread answer && exit 0\nexit 3\n", Some(("script", "exited with status 3"))),
    ("closes", "#!/bin/sh\nexec <&- >&- 2>&-\nexit 0\n", None),
    // What it leaves behind holds its output open.
    ("leaves", "#!/bin/sh\nsleep 60 &\nexit 0\n", None),
    // The kernel can't run it, so a shell tries to.
    ("garbage", "\u{1}\u{2}garbage\n", Some(("script", "exited with status 127"))),
    ("interpreter", "#!/nowhere/python\n", Some(("script", "can't be run"))),
    ("denied", "#!/bin/sh\nexit 0\n", Some(("script", "can't be run"))),
];

#[test]
fn scripts_that_fail_in_every_way_take_their_servers_out_and_bring_them_back() -> Result<()> {
    let scene = Scene::new("check-misc-every")?;
    let mut cells: Vec<Cell> = Vec::new();
    for (at, (name, text, fails)) in SCRIPTS.into_iter().enumerate() {
        let script = scene.script(name, "")?;
        fs::write(&script, text)?;
        if name == "denied" {
            mode(&script, 0o644)?;
        }
        let checker =
            format!("MISC_CHECK {{\n misc_path {script}\n user root\n misc_timeout 2\n retry 0\n }}");
        cells.push(match fails {
            None => up(AT[at], checker),
            Some((reason, says)) => down(AT[at], checker, reason, says),
        });
    }
    let config = Scene::config("", &cells);
    let daemon = scene.start(&config)?;
    all_are(&daemon, &cells)?;
    for ((name, ..), at) in SCRIPTS.into_iter().zip(AT) {
        mode(&scene.script(name, "exit 0")?, 0o755)?;
        wait::until("it is up", wait::LONG, || is(&daemon, at, "up"))
            .with_context(|| format!("{name}: {}", line(&daemon, at)))?;
    }
    let log = daemon.process().log();
    for name in ["good", "much", "closes", "leaves"] {
        let at = SCRIPTS.iter().position(|(other, ..)| *other == name).map_or("", |at| AT[at]);
        let address = at.trim_end_matches(":53");
        // Once in a while a busy machine is late.
        let missed = log.matches(&format!("[{address}]:udp:53 failed")).count();
        ensure!(missed <= 1, "{name} was missed:\n{log}");
    }
    Ok(())
}

/// Where the server of each is.
const AT: [&str; 12] = [
    "127.0.0.2:53",
    "127.0.0.3:53",
    "127.0.0.4:53",
    "127.0.0.5:53",
    "127.0.0.6:53",
    "127.0.0.7:53",
    "127.0.0.8:53",
    "127.0.0.9:53",
    "127.0.0.10:53",
    "127.0.0.11:53",
    "127.0.0.12:53",
    "127.0.0.13:53",
];

fn mode(path: &str, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
}

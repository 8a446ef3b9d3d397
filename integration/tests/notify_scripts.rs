//! Notify scripts of a running keepwatchd: they are run with the right arguments, how they ended is told, and one that
//! hangs holds up nothing.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

use anyhow::{Context, Result, ensure};
use integration::{Host, Instance, Lab, conf, keepwatchd::Keepwatchd, wait, web::WebServer};

const WEB: &str = "127.0.0.1:8081";

/// A director and the file into which its scripts write a line each.
struct Scene {
    host: Host,
    diary: PathBuf,
}

impl Scene {
    fn new(name: &str) -> Result<Self> {
        let (_lan, mut hosts) = Lab::new(name)?.routers(1)?;
        let host = hosts.remove(0);
        let diary = host.directory().join("diary");
        fs::write(&diary, "")?;
        Ok(Self { host, diary })
    }

    /// A script that writes its arguments down, and then does `more`.
    fn script(&self, name: &str, more: &str) -> Result<String> {
        let text = format!("#!/bin/sh\necho \"{name} $*\" >> {}\n{more}\n", self.diary.display());
        let path = self.host.file(name, &text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(path.display().to_string())
    }

    fn lines(&self) -> Vec<String> {
        fs::read_to_string(&self.diary).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    fn wait_for(&self, line: &str, director: &Keepwatchd) -> Result<()> {
        wait::until(&format!("the scripts have written {line:?}"), wait::LONG, || {
            self.lines().iter().any(|written| written == line)
        })
        .with_context(|| format!("{:#?}\n{}", self.lines(), director.process().log()))
    }
}

#[test]
fn scripts_are_run_for_what_happens_and_a_hung_one_holds_up_nothing() -> Result<()> {
    let scene = Scene::new("scripts")?;
    let instance = Instance::new("VI_1")
        .interval("0.5")
        .line(&format!("notify_backup \"{} 'a b' c\"", scene.script("backup", "sleep 1000")?))
        .line(&format!("notify_master {}", scene.script("master", "exit 7")?))
        .line(&format!("notify_stop {}", scene.script("stop", "")?))
        .line(&format!("notify {}", scene.script("any", "")?));
    let (up, down) = (scene.script("up", "")?, scene.script("down", "")?);
    let real = conf::real_server(WEB, &format!("notify_up {up}\n notify_down {down}"));
    let quorum_down = format!("quorum_down \"{}\"\n", scene.script("quorum-down", "")?);
    let config = instance.version_3("") + &conf::virtual_server(&(quorum_down + &real));
    let web = WebServer::start(&scene.host, WEB.parse()?, "one")?;
    let mut director =
        Keepwatchd::on(&scene.host).config(config).flags(&["--dataplane", "memory"]).start()?;

    scene.wait_for("any INSTANCE VI_1 BACKUP 100", &director)?;
    scene.wait_for("backup a b c", &director)?;
    // The script for BACKUP never ends; the one for MASTER is run all the same.
    scene.wait_for("master ", &director)?;
    scene.wait_for("any INSTANCE VI_1 MASTER 100", &director)?;
    wait::until("the exit status is told", wait::LONG, || {
        director
            .get("/api/v1/events?kind=script_exited")
            .is_ok_and(|answer| answer.body.contains("/master for INSTANCE VI_1 MASTER exited with 7"))
    })?;

    drop(web);
    scene.wait_for("down ", &director)?;
    scene.wait_for("quorum-down ", &director)?;
    let _web = WebServer::start(&scene.host, WEB.parse()?, "one")?;
    scene.wait_for("up ", &director)?;

    director.process_mut().stop(wait::LONG)?;
    scene.wait_for("stop ", &director)?;
    scene.wait_for("any INSTANCE VI_1 STOP 100", &director)
}

#[test]
fn a_script_that_others_could_change_is_not_run_where_that_is_forbidden() -> Result<()> {
    let scene = Scene::new("scripts-security")?;
    let script = scene.script("open", "")?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o777))?;
    let config = Instance::new("VI_1")
        .interval("0.5")
        .line(&format!("notify_master {script}"))
        .version_3("script_user root\nenable_script_security");
    let director = Keepwatchd::on(&scene.host).config(config).flag("--vrrp").start()?;
    let told = || {
        let events = director.get("/api/v1/events?limit=1000").map(|answer| answer.body).unwrap_or_default();
        events.contains("(enable_script_security)")
    };
    wait::until("it is said that the script is not run", Duration::from_secs(30), told)
        .with_context(|| director.process().log())?;
    ensure!(scene.lines().is_empty(), "{:?}", scene.lines());
    Ok(())
}

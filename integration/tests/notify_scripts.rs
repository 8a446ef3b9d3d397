//! Notify scripts of a running keepwatchd: they are run with the right arguments, how they ended is told, and one that
//! hangs holds up no other subject's.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

use anyhow::{Context, Result, ensure};
use integration::{Host, Instance, Lab, conf, keepwatchd::Keepwatchd, wait, web::WebServer};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

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

    /// The number that a script has written into this file.
    fn number_in(&self, file: &str, director: &Keepwatchd) -> Result<Pid> {
        let path = self.host.directory().join(file);
        let number = || fs::read_to_string(&path).ok()?.trim().parse().ok();
        let number = wait::value(&format!("there is a number in {file}"), wait::LONG, number);
        number.map(Pid::from_raw).with_context(|| director.process().log())
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

/// Whether a process is there and no zombie.
fn is_alive(process: Pid) -> bool {
    fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn scripts_are_run_for_what_happens_and_a_hung_one_holds_up_no_other_subject() -> Result<()> {
    let scene = Scene::new("scripts")?;
    let hung = Instance::new("VI_2")
        .vrid(52)
        .vip("10.78.9.10/32")
        .line(&format!("notify_backup {}", scene.script("hung", "sleep 1000")?))
        .line(&format!("notify_stop {}", scene.script("hung-stop", "")?));
    let instance = Instance::new("VI_1")
        .interval("0.5")
        .line(&format!("notify_backup \"{} 'a b' c\"", scene.script("backup", "")?))
        .line(&format!("notify_master {}", scene.script("master", "exit 7")?))
        .line(&format!("notify_stop {}", scene.script("stop", "")?))
        .line(&format!("notify {}", scene.script("any", "")?));
    let (up, down) = (scene.script("up", "")?, scene.script("down", "")?);
    let real = conf::real_server(WEB, &format!("notify_up {up}\n notify_down {down}"));
    let quorum_down = format!("quorum_down \"{}\"\n", scene.script("quorum-down", "")?);
    let config = instance.version_3("") + &hung.to_string() + &conf::virtual_server(&(quorum_down + &real));
    let web = WebServer::start(&scene.host, WEB.parse()?, "one")?;
    let mut director =
        Keepwatchd::on(&scene.host).config(config).flags(&["--dataplane", "memory"]).start()?;

    scene.wait_for("any INSTANCE VI_1 BACKUP 100", &director)?;
    scene.wait_for("backup a b c", &director)?;
    scene.wait_for("hung ", &director)?;
    scene.wait_for("master ", &director)?;
    scene.wait_for("any INSTANCE VI_1 MASTER 100", &director)?;
    wait::until("the exit status is told", wait::LONG, || {
        director
            .get("/api/v1/events?kind=script_exited")
            .is_ok_and(|answer| answer.body.contains("/master for INSTANCE VI_1 MASTER exited with 7"))
    })?;
    wait::until("the hung one is told of", wait::LONG, || {
        director.answer(&["status"]).is_ok_and(|status| {
            status.contains("! script for INSTANCE VI_2 BACKUP since ") && status.contains("/hung still runs")
        })
    })?;
    assert_eq!(director.metric("keepwatch_scripts_overdue", &[]), Some(1.0));

    drop(web);
    scene.wait_for("down ", &director)?;
    scene.wait_for("quorum-down ", &director)?;
    let _web = WebServer::start(&scene.host, WEB.parse()?, "one")?;
    scene.wait_for("up ", &director)?;

    director.process_mut().stop(wait::LONG)?;
    scene.wait_for("stop ", &director)?;
    scene.wait_for("any INSTANCE VI_1 STOP 100", &director)?;
    // It has been ended, so that the last one of its subject could be run.
    scene.wait_for("hung-stop ", &director)
}

#[test]
fn a_service_that_a_script_starts_can_be_stopped_and_a_deaf_script_ends_with_the_daemon() -> Result<()> {
    let scene = Scene::new("scripts-signals")?;
    let directory = scene.host.directory().display().to_string();
    // With Python's own handlers: SIGTERM ends it, and it writes into what it inherited.
    let service = "import time\nwhile True:\n    print('alive', flush=True)\n    time.sleep(0.05)\n";
    let service = scene.host.file("service.py", service)?.display().to_string();
    let starter =
        format!("env > {directory}/environment\n/usr/bin/python3 {service} &\necho $! > {directory}/service");
    let deaf = format!("trap '' TERM HUP INT\necho $$ > {directory}/deaf-pid\nsleep 1000");
    let instance = Instance::new("VI_1")
        .interval("0.5")
        .line(&format!("notify_backup {}", scene.script("starter", &starter)?))
        .line(&format!("notify_master {}", scene.script("deaf", &deaf)?));
    let mut director = Keepwatchd::on(&scene.host).config(instance.version_3("")).flag("--vrrp").start()?;

    let deaf = scene.number_in("deaf-pid", &director)?;
    let service = scene.number_in("service", &director)?;
    for field in ["SigBlk:", "SigIgn:"] {
        let status = fs::read_to_string(format!("/proc/{service}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)).context("no such field")?;
        // A shell has what runs in the background ignore SIGINT and SIGQUIT; Python ignores SIGPIPE and SIGXFSZ.
        let ours = [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2];
        let set = u64::from_str_radix(line.trim(), 16)?;
        ensure!(ours.iter().all(|signal| set >> (*signal as i32 - 1) & 1 == 0), "{field} {line}");
    }
    let environment = fs::read_to_string(scene.host.directory().join("environment"))?;
    for internal in ["NOTIFY_SOCKET", "LISTEN_", "KEEPWATCH_", "WATCHDOG_"] {
        ensure!(!environment.contains(internal), "{environment}");
    }
    ensure!(is_alive(service) && is_alive(deaf), "both still run");

    director.process_mut().stop(wait::LONG)?;
    wait::until("the deaf script has ended with the daemon", wait::SHORT, || !is_alive(deaf))?;
    wait::throughout("the service lives on", Duration::from_secs(1), || is_alive(service))?;
    kill(service, Signal::SIGTERM)?;
    wait::until("the service has been stopped", wait::SHORT, || !is_alive(service))
}

#[test]
fn a_worker_that_is_killed_takes_its_scripts_with_it_and_leaves_services() -> Result<()> {
    let scene = Scene::new("scripts-crash")?;
    let directory = scene.host.directory().display().to_string();
    let starter = format!("sleep 1000 &\necho $! > {directory}/service");
    // All that a script waits for ends with it.
    let waits = format!("sleep 1000 &\necho $! > {directory}/part\necho $$ > {directory}/waits\nwait");
    let instance = Instance::new("VI_1")
        .interval("0.5")
        .line(&format!("notify_backup {}", scene.script("starter", &starter)?))
        .line(&format!("notify_master {}", scene.script("waits", &waits)?));
    let director = Keepwatchd::on(&scene.host).config(instance.version_3("")).flag("--vrrp").start()?;
    let (waits, part) = (scene.number_in("waits", &director)?, scene.number_in("part", &director)?);
    let service = scene.number_in("service", &director)?;

    let status = fs::read_to_string(format!("/proc/{waits}/status"))?;
    let worker = status.lines().find_map(|line| line.strip_prefix("PPid:")).context("no parent")?;
    kill(Pid::from_raw(worker.trim().parse()?), Signal::SIGKILL)?;
    director.wait_for_log("The worker has left a script running: asked to end")?;
    // Not a zombie either.
    let is_gone = |process: Pid| !std::path::Path::new(&format!("/proc/{process}")).exists();
    wait::until("the script has ended", wait::SHORT, || is_gone(waits) && is_gone(part))?;
    wait::throughout("the service lives on", Duration::from_secs(1), || is_alive(service))?;
    kill(service, Signal::SIGKILL)?;
    wait::until("the service is buried", wait::SHORT, || is_gone(service))
}

#[test]
fn scripts_of_one_instance_never_overtake_each_other() -> Result<()> {
    let scene = Scene::new("scripts-order")?;
    // What belongs to MASTER takes longer than all the rest.
    let slow = scene.script("any", "[ $3 = MASTER ] && sleep 0.7\necho \"done $3\" >> $0.done\n")?;
    let instance = Instance::new("VI_1").interval("0.1").line(&format!("notify {slow}"));
    let director = Keepwatchd::on(&scene.host).config(instance.version_3("")).flag("--vrrp").start()?;
    let states = || -> Vec<String> {
        let log = director.process().log();
        let state = |line: &str| Some(line.split_once("(VI_1) Entering ")?.1.split_once(' ')?.0.to_owned());
        log.lines().filter_map(state).collect()
    };
    for round in 1..=4 {
        let masters = |states: Vec<String>| states.iter().filter(|state| *state == "MASTER").count();
        wait::until("it is master", wait::LONG, || masters(states()) == round)?;
        scene.host.down("eth0")?;
        wait::until("it is in fault", wait::LONG, || states().last().is_some_and(|state| state == "FAULT"))?;
        scene.host.up("eth0")?;
    }
    wait::until("it is master for the last time", wait::LONG, || {
        states().last().is_some_and(|state| state == "MASTER")
    })?;
    let done = || fs::read_to_string(format!("{slow}.done")).unwrap_or_default();
    let expected: String = states().iter().map(|state| format!("done {state}\n")).collect();
    wait::until("all scripts have ended", wait::LONG, || done().lines().count() >= states().len())
        .with_context(|| format!("{}\n{}", done(), director.process().log()))?;
    assert_eq!(done(), expected);
    Ok(())
}

#[test]
fn a_script_that_others_could_change_is_not_run_where_that_is_forbidden() -> Result<()> {
    let scene = Scene::new("scripts-security")?;
    let script = scene.script("open", "")?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o777))?;
    let tracked = |name: &str, more: &str| format!("vrrp_script {name} {{\n script {script}\n{more}\n}}\n");
    let instance = Instance::new("VI_1")
        .interval("0.5")
        .line(&format!("notify_master {script}"))
        .line("track_script {\n chk\n lost\n }");
    let config = conf::global_defs(3, "script_user root\nenable_script_security")
        + &tracked("chk", "")
        + &tracked("lost", "user nobody-of-that-name")
        + &instance.to_string();
    let director = Keepwatchd::on(&scene.host).config(config).flag("--vrrp").start()?;
    director.wait_for_control()?;
    // Those that are tracked are left out, and who asks for them is told why.
    for (asked, answer) in [
        ("chk", "script chk: not watched: others than root can change"),
        ("lost", "script lost: not watched: this machine has not the user who should run it"),
        ("VI_1", "goes on without script chk: others than root can change"),
    ] {
        let why = director.answer(&["why", asked])?;
        ensure!(why.contains(answer), "{asked}: {why}");
    }
    let status = director.answer(&["status"])?;
    ensure!(status.contains("! script chk is not watched"), "{status}");
    ensure!(status.contains("VI_1 goes on without it"), "{status}");
    let told = || {
        let events = director.get("/api/v1/events?limit=1000").map(|answer| answer.body).unwrap_or_default();
        events.contains("(enable_script_security)")
    };
    wait::until("it is said that the script is not run", Duration::from_secs(30), told)
        .with_context(|| director.process().log())?;
    ensure!(scene.lines().is_empty(), "{:?}", scene.lines());
    Ok(())
}

#[test]
fn the_first_script_comes_before_everything_and_the_last_after_it_and_neither_is_waited_for_forever()
-> Result<()> {
    let scene = Scene::new("scripts-first")?;
    let first = scene.script("first", "trap 'echo asked >> \"$0.asked\"; exit' TERM\nsleep 1000 & wait")?;
    let last = scene.script("last", "echo no luck >&2; exit 4")?;
    let global =
        format!("startup_script \"{first} 'a b'\"\nstartup_script_timeout 1\nshutdown_script {last}");
    let instance =
        Instance::new("VI_1").interval("0.1").line(&format!("notify {}", scene.script("any", "")?));
    let mut director =
        Keepwatchd::on(&scene.host).config(instance.version_3(&global)).flag("--vrrp").start()?;
    scene.wait_for("first a b", &director)?;
    scene.wait_for("any INSTANCE VI_1 MASTER 100", &director)?;
    ensure!(PathBuf::from(format!("{first}.asked")).exists(), "it was asked to end");
    director.wait_for_log("for startup was ended: it ran 1.")?;
    director.process_mut().stop(wait::LONG)?;
    director.wait_for_log("for shutdown exited with 4")?;
    let lines = scene.lines();
    let states =
        ["any INSTANCE VI_1 BACKUP 100", "any INSTANCE VI_1 MASTER 100", "any INSTANCE VI_1 STOP 100"];
    assert_eq!(lines[0], "first a b");
    assert_eq!(lines[1..4], states);
    assert_eq!(lines[4..], ["last "]);
    Ok(())
}

#[test]
fn a_stop_does_not_wait_for_the_first_script() -> Result<()> {
    let scene = Scene::new("scripts-first-stop")?;
    let first = scene.script("first", "sleep 1000")?;
    let global = format!("startup_script {first}\nstartup_script_timeout 60");
    let instance = Instance::new("VI_1").line(&format!("notify {}", scene.script("any", "")?));
    let mut director =
        Keepwatchd::on(&scene.host).config(instance.version_3(&global)).flag("--vrrp").start()?;
    scene.wait_for("first ", &director)?;
    // It has a minute, and more than is waited for here.
    let status = director.process_mut().stop(wait::LONG)?;
    ensure!(status.success(), "{status}");
    assert_eq!(scene.lines(), ["first "], "nothing has begun");
    Ok(())
}

#[test]
fn a_script_is_run_by_its_real_path_unless_links_are_to_stay_and_files_have_the_mask() -> Result<()> {
    for (keyword, name) in [("", "real"), ("use_symlink_paths", "link")] {
        let scene = Scene::new("scripts-links")?;
        let real = scene.script("real", "echo \"as ${0##*/} $(umask)\" >> \"${0%/*}/diary\"")?;
        let link = real.replace("/real", "/link");
        std::os::unix::fs::symlink(&real, &link)?;
        let instance = Instance::new("VI_1").interval("0.1").line(&format!("notify_backup {link}"));
        let global = format!("umask 0027\n{keyword}");
        let director =
            Keepwatchd::on(&scene.host).config(instance.version_3(&global)).flag("--vrrp").start()?;
        scene.wait_for(&format!("as {name} 0027"), &director)?;
    }
    Ok(())
}

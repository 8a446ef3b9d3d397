//! What decides a priority: the same configuration and the same faults for Debian's keepalived and for ours, each on a LAN
//! of its own. Both must advertise the same priorities, and be silent together; and ours says why.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Child, Command},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use integration::{
    Capture, Host, Instance, Lab, binaries, capture, conf, keepalived::Keepalived, keepwatchd::Keepwatchd,
    sockets, vm::Scenario, wait,
};
use nix::sys::signal::Signal;

/// Adverts come ten times a second: so long without one is silence.
const SILENCE: Duration = Duration::from_millis(900);

/// Both daemons, each alone on its LAN, and the directory that both look at.
struct Scene {
    directory: PathBuf,
    ours: Keepwatchd,
    theirs: Keepalived,
    wires: [Capture; 2],
    hosts: [Host; 2],
}

/// A scene whose daemons are not started yet.
struct Stage {
    lab: Lab,
    directory: PathBuf,
}

impl Stage {
    fn new(name: &str) -> Result<Self> {
        let lab = Lab::new(name)?;
        let directory = lab.directory().to_owned();
        Ok(Self { lab, directory })
    }

    /// Writes a file that both see, as careful writers do; its path.
    fn file(&self, name: &str, text: &str) -> Result<String> {
        replace(&self.directory.join(name), text)?;
        Ok(self.directory.join(name).display().to_string())
    }

    fn start(self, config: &str) -> Result<Scene> {
        let here = self.lab.bridge("here")?;
        let there = self.lab.bridge("there")?;
        let hosts = [here.router(1)?, there.router(2)?];
        let wires = [here.capture()?, there.capture()?];
        let theirs = Keepalived::start(&hosts[1], config, &[])?;
        let ours = Keepwatchd::on(&hosts[0]).config(config).flag("--vrrp").start()?;
        Ok(Scene { directory: self.directory, ours, theirs, wires, hosts })
    }
}

impl Scene {
    /// What ours and theirs advertise at the moment.
    fn priorities(&self) -> [Option<u8>; 2] {
        let now = capture::now();
        let last = |wire: &Capture, source| {
            let adverts = wire.adverts_since(source, now.saturating_sub(SILENCE));
            adverts.last().map(|(_, advert)| advert.priority).filter(|priority| *priority > 0)
        };
        [last(&self.wires[0], "10.78.0.1"), last(&self.wires[1], "10.78.0.2")]
    }

    /// Waits until both advertise this, or nothing.
    fn both(&self, what: &str, priority: impl Into<Option<u8>>) -> Result<()> {
        let expected = [priority.into(); 2];
        wait::until(&format!("{what}: {expected:?}"), wait::LONG, || self.priorities() == expected)
            .with_context(|| {
                let (ours, theirs) = (self.ours.process().log(), self.theirs.process().log());
                format!("they advertise {:?}\n{ours}\n--- keepalived\n{theirs}", self.priorities())
            })
    }

    /// Waits until `why VI_1` has all of this in its second line, which is about the priority.
    fn because(&self, words: &[&str]) -> Result<()> {
        let second = || -> Option<String> {
            Some(self.ours.answer(&["why", "VI_1"]).ok()?.lines().nth(1)?.to_owned())
        };
        wait::until(&format!("why says {words:?}"), wait::LONG, || {
            second().is_some_and(|line| words.iter().all(|word| line.contains(word)))
        })
        .with_context(|| self.ours.answer(&["why", "VI_1"]).unwrap_or_default())
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        replace(&self.directory.join(name), text)
    }

    /// Gives both another configuration.
    fn reload(&self, config: &str) -> Result<()> {
        fs::write(self.ours.config_path(), config)?;
        self.hosts[1].file("keepalived.conf", config)?;
        self.ours.process().signal(Signal::SIGHUP)?;
        self.theirs.process().signal(Signal::SIGHUP)
    }
}

fn replace(path: &std::path::Path, text: &str) -> Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, text)?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755))?;
    fs::rename(new, path).context("replace")
}

/// A router of priority 150 that advertises ten times a second and has these lines; in front of it, these blocks.
fn config(blocks: &str, lines: &str) -> String {
    let instance = Instance::new("VI_1").priority(150).interval("0.1").line(lines);
    conf::global_defs(3, "script_user root") + blocks + &instance.to_string()
}

fn script(path: &str, lines: &str) -> String {
    format!("vrrp_script chk {{\n script {path}\n interval 1\n timeout 1\n {lines}\n}}\n")
}

#[test]
fn a_script_that_fails_in_whatever_way_costs_its_weight() -> Result<()> {
    let stage = Stage::new("trackers-script")?;
    let path = stage.file("chk", "#!/bin/sh\nexit 0\n")?;
    let scene = stage.start(&config(&script(&path, "weight -60"), "track_script {\n chk\n }"))?;
    scene.both("it succeeds", 150)?;
    for (what, text, evidence) in [
        ("exits with 1", "echo port 80 is closed >&2; exit 1", "exit 1: port 80 is closed"),
        ("is killed", "kill -9 $$", "killed by signal 9"),
        ("hangs", "sleep 1000", "timed out"),
    ] {
        scene.write("chk", &format!("#!/bin/sh\n{text}\n"))?;
        scene.both(what, 90)?;
        scene.because(&["priority 90: base 150, script chk −60 since ", evidence])?;
        scene.write("chk", "#!/bin/sh\nexit 0\n")?;
        scene.both("it succeeds again", 150)?;
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
    // keepalived takes that for a success.
    scene.because(&["script chk −60", "can't be run: "])?;
    let log = scene.ours.process().log();
    for line in [
        "Script `chk` now returning 1",
        "VRRP_Script(chk) failed (exited with status 1)",
        "VRRP_Script(chk) failed (due to signal 9)",
        "VRRP_Script(chk) timed_out",
        "VRRP_Script(chk) succeeded",
        "(VI_1) Changing effective priority from 150 to 90",
    ] {
        ensure!(log.contains(line), "no {line:?}\n{log}");
        ensure!(
            line.contains("succeeded") || scene.theirs.process().log().contains(line),
            "keepalived has no {line:?}\n{}",
            scene.theirs.process().log()
        );
    }
    let status = scene.ours.answer(&["status"])?;
    ensure!(status.contains("script chk  down"), "{status}");
    ensure!(scene.ours.metric("keepalived_script_status", &["name=\"chk\""]) == Some(0.0));
    ensure!(scene.ours.metric("keepwatch_track_script_timed_out_total", &["name=\"chk\""]) >= Some(1.0));
    Ok(())
}

#[test]
fn a_script_without_weight_decides_whether_there_is_a_router_at_all_and_a_reload_changes_weights()
-> Result<()> {
    let stage = Stage::new("trackers-fault")?;
    let path = stage.file("chk", "#!/bin/sh\necho not ready\nexit 2\n")?;
    let tracked = |weight| config(&script(&path, ""), &format!("track_script {{\n chk weight {weight}\n }}"));
    let scene = stage.start(&tracked("0"))?;
    wait::until("both have run it", wait::LONG, || {
        let logs = [scene.ours.process().log(), scene.theirs.process().log()];
        logs.iter().all(|log| log.contains("VRRP_Script(chk) failed (exited with status 2)"))
    })?;
    // keepalived says nothing of it.
    scene.ours.wait_for_log("(VI_1) Entering FAULT STATE")?;
    scene.both("it has not succeeded yet", None)?;
    scene.because(&["script chk a fault since", "exit 2: not ready"])?;
    scene.write("chk", "#!/bin/sh\nexit 0\n")?;
    scene.both("it succeeds", 150)?;
    scene.write("chk", "#!/bin/sh\necho out of order\nexit 2\n")?;
    scene.both("it fails", None)?;
    // The verdict stands over the reload: only what it is worth is another.
    scene.reload(&tracked("-50"))?;
    scene.both("it fails, for a weight", 100)?;
    scene.because(&["priority 100: base 150, script chk −50", "exit 2: out of order"])?;
    scene.reload(&config("", ""))?;
    scene.both("nothing is tracked any more", 150)?;
    ensure!(!scene.ours.answer(&["status"])?.contains("chk"), "it is forgotten");
    Ok(())
}

#[test]
fn what_is_in_a_file_counts_whatever_happens_to_it() -> Result<()> {
    let stage = Stage::new("trackers-file")?;
    let path = stage.file("weight", "-20\n")?;
    let file = format!("vrrp_track_file f {{\n file {path}\n}}\n");
    let scene = stage.start(&config(&file, "track_file {\n f weight 2\n }"))?;
    scene.both("it is read at the start", 110)?;
    scene.because(&["priority 110: base 150, file f −40 since ", "-20 × 2 in "])?;
    for (text, priority) in
        [("5", 160), ("  -0x10 ", 118), ("12abc", 174), ("garbage", 150), ("1\n99", 152), ("90", 254)]
    {
        // Replaced, and then written in place.
        scene.write("weight", text)?;
        scene.both(&format!("{text:?} is in it"), priority)?;
    }
    fs::write(&path, "-30")?;
    scene.both("it is written in place", 90)?;
    fs::remove_file(&path)?;
    scene.both("it is gone", 150)?;
    scene.write("weight", "-127")?;
    scene.both("as little as may be", None)?;
    scene.because(&["file f a fault since ", "-127 × 2 in "])?;
    scene.write("weight", "-10")?;
    scene.both("it is back with what stands in it now", 130)
}

#[test]
fn a_directory_that_is_deleted_and_made_again_is_followed() -> Result<()> {
    let (_lan, hosts) = Lab::new("trackers-directory")?.routers(1)?;
    let directory = hosts[0].directory().join("state");
    fs::create_dir(&directory)?;
    let file = directory.join("weight");
    let block = format!("track_file f {{\n file {}\n init_file -7\n}}\n", file.display());
    let config = config(&block, "track_file {\n f\n }");
    let daemon = Keepwatchd::on(&hosts[0]).config(config).flag("--vrrp").start()?;
    let is = |priority: f64| {
        wait::until(&format!("the priority is {priority}"), wait::LONG, || {
            daemon.metric("keepwatch_vrrp_priority", &[]) == Some(priority)
        })
        .with_context(|| daemon.process().log())
    };
    is(143.0)?;
    ensure!(fs::read_to_string(&file)? == "-7\n", "it was made with its first value");
    fs::remove_dir_all(&directory)?;
    is(150.0)?;
    fs::create_dir(&directory)?;
    fs::write(&file, "-9")?;
    is(141.0)?;
    fs::write(&file, "9")?;
    is(159.0)?;
    ensure!(
        daemon.answer(&["why", "f"])?.starts_with("tracked file f: 9 ("),
        "{}",
        daemon.answer(&["why", "f"])?
    );
    Ok(())
}

/// A process of this name; ended with the value.
struct Program(Child);

impl Program {
    fn start(path: &str) -> Result<Self> {
        Command::new(path).arg("1000").spawn().map(Self).context("start the program")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn processes_that_go_and_come_back_are_noticed() -> Result<()> {
    let (_lan, hosts) = Lab::new("trackers-process")?.routers(1)?;
    let name = format!("kw{}", std::process::id());
    let path = hosts[0].directory().join(&name).display().to_string();
    fs::copy("/bin/sleep", &path)?;
    let block =
        format!("vrrp_track_process p {{\n process {name}\n quorum 2\n quorum_max 3\n weight -40\n}}\n");
    let config = config(&block, "track_process {\n p\n }");
    let first = Program::start(&path)?;
    let second = Program::start(&path)?;
    let daemon = Keepwatchd::on(&hosts[0]).config(config).flag("--vrrp").start()?;
    let is = |what: &str, priority: f64| {
        wait::until(&format!("{what}: the priority is {priority}"), wait::LONG, || {
            daemon.metric("keepwatch_vrrp_priority", &[]) == Some(priority)
        })
        .with_context(|| daemon.process().log())
    };
    is("two are there", 150.0)?;
    ensure!(!daemon.process().log().contains("Changing effective priority"), "from the start on");
    drop(first);
    is("one is gone", 110.0)?;
    let why = daemon.answer(&["why", "VI_1"])?;
    ensure!(why.contains("process p −40 since ") && why.contains(", 1 process, 2 to 3 wanted"), "{why}");
    let _more = [Program::start(&path)?, Program::start(&path)?];
    is("three are there", 150.0)?;
    let fourth = Program::start(&path)?;
    is("four are too many", 110.0)?;
    drop(fourth);
    is("three are there again", 150.0)?;
    drop(second);
    wait::throughout("two are enough", Duration::from_millis(600), || {
        daemon.metric("keepwatch_vrrp_priority", &[]) == Some(150.0)
    })?;
    let log = daemon.process().log();
    ensure!(log.contains("Quorum lost for tracked process p"), "{log}");
    ensure!(log.contains("Quorum gained for tracked process p"), "{log}");
    // In a network namespace the kernel tells nobody.
    ensure!(log.contains("The kernel does not tell of processes here"), "{log}");
    Ok(())
}

#[test]
fn weights_of_members_count_only_where_their_group_says_so_and_its_own_always() -> Result<()> {
    let stage = Stage::new("trackers-group")?;
    let path = stage.file("chk", "#!/bin/sh\nexit 1\n")?;
    let group = |more: &str| {
        let group = conf::sync_group("G", &["VI_1"]).replacen("{\n", &format!("{{\n {more}\n"), 1);
        config(&(script(&path, "") + &group), "track_script {\n chk weight -60\n }")
    };
    let scene = stage.start(&group(""))?;
    scene.both("a weight in a group is ignored", 150)?;
    scene.reload(&group("sync_group_tracking_weight"))?;
    scene.both("unless the group allows it", 90)?;
    let of_group =
        group("track_script {\n chk weight -40\n }").replace("track_script {\n chk weight -60\n }", "");
    scene.reload(&of_group)?;
    scene.both("the weight of the group itself", 110)?;
    scene.because(&["priority 110: base 150, script chk −40 since "])?;
    scene.write("chk", "#!/bin/sh\nexit 0\n")?;
    scene.both("it succeeds", 150)
}

#[test]
fn a_reload_leaves_a_run_in_flight_alone() -> Result<()> {
    let (_lan, hosts) = Lab::new("trackers-flight")?.routers(1)?;
    let diary = hosts[0].directory().join("diary");
    fs::write(&diary, "")?;
    let at = diary.display();
    let text = format!(
        "#!/bin/sh\necho begun >> {at}\nwhile [ ! -e {at}.go ]; do sleep 0.05; done\necho done >> {at}\n"
    );
    let path = hosts[0].directory().join("chk");
    replace(&path, &text)?;
    let block = format!("vrrp_script chk {{\n script {}\n interval 20\n weight 5\n}}\n", path.display());
    let config = config(&block, "track_script {\n chk\n }");
    let daemon = Keepwatchd::on(&hosts[0]).config(config.clone()).flag("--vrrp").start()?;
    let lines = || fs::read_to_string(&diary).unwrap_or_default().lines().count();
    wait::until("the run has begun", wait::LONG, || lines() == 1)?;
    fs::write(daemon.config_path(), config + "# another comment\n")?;
    daemon.process().signal(Signal::SIGHUP)?;
    daemon.wait_for_log("Reload")?;
    wait::until("it has reloaded", wait::LONG, || {
        daemon.metric("keepwatch_config_generation", &[]) == Some(2.0)
    })?;
    fs::write(format!("{at}.go"), "")?;
    wait::until("its result counts", wait::LONG, || {
        daemon.metric("keepwatch_vrrp_priority", &[]) == Some(155.0)
    })?;
    ensure!(fs::read_to_string(&diary)? == "begun\ndone\n", "it ran once, to its end");
    Ok(())
}

#[test]
fn the_kernel_tells_of_processes_that_fork_execute_and_end() -> Result<()> {
    let story = Scenario::new(include_str!("trackers/processes.sh"))
        .env("KEEPWATCHD", binaries::path("keepwatchd")?)
        .env("SOCKETS", sockets::ASK_FILE)
        .run()?;
    println!("{:?}", story.took);
    ensure!(story.code == 0, "{}", story.output);
    ensure!(story.chapter("fork").is_empty() && story.chapter("threads").is_empty(), "{}", story.output);
    ensure!(story.chapter("buffer").contains("netlink 11 140000"), "{}", story.output);
    ensure!(!story.chapter("log").contains("does not tell of processes"), "{}", story.output);
    Ok(())
}

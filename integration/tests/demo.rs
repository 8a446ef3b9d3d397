//! The demo, as a stranger would run it: it tells its story to the end, or stops when it is asked to, and leaves
//! nothing behind either way.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Output, Stdio},
    thread::sleep,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use integration::{binaries, wait};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Runs the demo with its temporary files in `directory`; after `interrupt`, if any, somebody presses Ctrl-C.
fn demo(directory: &Path, interrupt: Option<Duration>) -> Result<Output> {
    let built = binaries::path("keepwatchd")?;
    let child = Command::new(env!("CARGO_BIN_EXE_demo"))
        .env("TMPDIR", directory)
        .env(binaries::DIRECTORY, built.parent().context("no directory")?)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(after) = interrupt {
        sleep(after);
        kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT)?;
    }
    child.wait_with_output().context("wait for the demo")
}

/// No file in its directory, and no process that was started with one of them.
fn nothing_is_left(directory: &Path) -> Result<()> {
    let files: Vec<_> = fs::read_dir(directory)?.flatten().map(|entry| entry.path()).collect();
    ensure!(files.is_empty(), "left behind: {files:?}");
    let mark = directory.to_string_lossy().into_owned();
    let others = || {
        let commands = fs::read_dir("/proc").into_iter().flatten().flatten();
        let lines = commands.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
        lines.map(|line| String::from_utf8_lossy(&line).into_owned()).find(|line| line.contains(&mark))
    };
    wait::until("no process is left", wait::SHORT, || others().is_none())
}

#[test]
fn it_tells_its_story_and_leaves_nothing_behind() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let output = demo(directory.path(), None)?;
    let told = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    for part in [
        "(VI_1) Entering MASTER STATE",
        "Removing service [10.77.0.21]:tcp:80 from VS [10.77.0.10]:tcp:80",
        "Adding service [10.77.0.21]:tcp:80 to VS [10.77.0.10]:tcp:80",
        "Master received advert from 10.77.0.1 with higher priority 150",
        "Backup received priority 0 advertisement",
        "kill -9 of the master  ",
        "clean stop of the master",
    ] {
        ensure!(told.contains(part), "{part:?} is not told:\n{told}\n{complaint}");
    }
    ensure!(!told.contains('\x1b'), "colours where there is no terminal");
    let on_time = output.status.success() && told.contains("all within 5 ms");
    ensure!(on_time || told.contains("The machine is busy"), "{}:\n{told}\n{complaint}", output.status);
    nothing_is_left(directory.path())
}

#[test]
fn with_stay_it_says_how_to_ask_and_that_works() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let built = binaries::path("keepwatchd")?;
    let mut child = Command::new(env!("CARGO_BIN_EXE_demo"))
        .arg("--stay")
        .env("TMPDIR", directory.path())
        .env(binaries::DIRECTORY, built.parent().context("no directory")?)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut commands = Vec::new();
    for line in BufReader::new(child.stdout.take().context("no output")?).lines() {
        let line = line?;
        if line.contains(" --socket ") {
            commands.push(line.trim().to_owned());
        }
        if line.contains("Ctrl-C ends it all") {
            break;
        }
    }
    let answers: Vec<_> = commands
        .iter()
        .map(|command| {
            let output = Command::new("sh").args(["-c", command]).output()?;
            Ok(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
        })
        .collect::<Result<_>>()?;
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT)?;
    child.wait()?;
    ensure!(answers.len() == 2, "{commands:?}");
    ensure!(answers[0].starts_with("instance VI_1: MASTER"), "{answers:?}");
    ensure!(answers[1].starts_with("real server [10.77.0.21]:tcp:80"), "{answers:?}");
    nothing_is_left(directory.path())
}

#[test]
fn outside_a_checkout_it_runs_the_programs_that_lie_beside_it() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let programs = tempfile::tempdir()?;
    fs::copy(env!("CARGO_BIN_EXE_demo"), programs.path().join("demo"))?;
    for name in binaries::PROGRAMS {
        fs::copy(binaries::path(name)?, programs.path().join(name))?;
    }
    let mut child = Command::new(programs.path().join("demo"))
        .env("TMPDIR", directory.path())
        .env_remove(binaries::DIRECTORY)
        // Nothing is built here.
        .env("CARGO", "/bin/false")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut told = String::new();
    for line in BufReader::new(child.stdout.take().context("no output")?).lines() {
        told += &(line? + "\n");
        if told.contains("(VI_1) Entering MASTER STATE") {
            break;
        }
    }
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT)?;
    let output = child.wait_with_output()?;
    ensure!(output.status.code() == Some(130), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    nothing_is_left(directory.path())
}

#[test]
fn ctrl_c_ends_it_at_any_time() -> Result<()> {
    for after in [500, 2500, 9000].map(Duration::from_millis) {
        let directory = tempfile::tempdir()?;
        let output = demo(directory.path(), Some(after))?;
        ensure!(output.status.code() == Some(130), "after {after:?}: {}", output.status);
        nothing_is_left(directory.path())?;
    }
    Ok(())
}

//! Every signal in every state, kills, and processes that are stopped for a while.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration::wait;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::play::{Play, State, is_gone};
use crate::side_by_side::{self, Row};

/// What is done.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// This signal, to the supervisor.
    Signal(&'static str),
    KillWorker,
    KillSupervisor,
    KillBoth,
    /// SIGSTOP, for good.
    StopWorker,
    /// SIGSTOP, and SIGCONT two seconds later.
    PauseWorker,
    PauseSupervisor,
}

/// How that leaves it.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// It ends with this status, with nothing left.
    Ends(i32),
    /// It goes on as it was.
    GoesOn,
    /// It reads its configuration again and goes on.
    Reloads,
    /// This file is there, and it goes on.
    Writes(&'static str),
    /// There is another worker, and it goes on as it was.
    Another,
    /// The worker stops by itself, with nothing left; another daemon begins as if nothing had been.
    Orphan,
    /// An address may be left, which the next daemon adopts.
    Remains,
}

use Act::{KillBoth, KillSupervisor, KillWorker, PauseSupervisor, PauseWorker, StopWorker};
use Then::{Another, Ends, GoesOn, Orphan, Reloads, Remains, Writes};

const DATA: Then = Writes("keepalived.data");
const STATS: Then = Writes("keepalived.stats");
const JSON: Then = Writes("keepalived.json");

/// A row is an action; the columns are the states that it is done in.
#[rustfmt::skip]
const TABLE: [(Act, [Then; 6]); 16] = [
    //                        starting  backup   master   fault    reloading stopping
    (Act::Signal("TERM"),    [Ends(0),  Ends(0), Ends(0), Ends(0), Ends(0),  Ends(0)]),
    (Act::Signal("INT"),     [Ends(0),  Ends(0), Ends(0), Ends(0), Ends(0),  Ends(0)]),
    (Act::Signal("HUP"),     [Reloads,  Reloads, Reloads, Reloads, Reloads,  Ends(0)]),
    (Act::Signal("USR1"),    [DATA,     DATA,    DATA,    DATA,    DATA,     Ends(0)]),
    (Act::Signal("USR2"),    [STATS,    STATS,   STATS,   STATS,   STATS,    Ends(0)]),
    (Act::Signal("36"),      [JSON,     JSON,    JSON,    JSON,    JSON,     Ends(0)]),
    (Act::Signal("63"),      [STATS,    STATS,   STATS,   STATS,   STATS,    Ends(0)]),
    (Act::Signal("QUIT"),    [GoesOn,   GoesOn,  GoesOn,  GoesOn,  GoesOn,   Ends(0)]),
    (Act::Signal("PIPE"),    [GoesOn,   GoesOn,  GoesOn,  GoesOn,  GoesOn,   Ends(0)]),
    (Act::Signal("CHLD"),    [GoesOn,   GoesOn,  GoesOn,  GoesOn,  GoesOn,   Ends(0)]),
    (KillWorker,             [Another,  Another, Another, Another, Another,  Ends(1)]),
    (KillSupervisor,         [Orphan,   Orphan,  Orphan,  Orphan,  Orphan,   Orphan ]),
    (KillBoth,               [Remains,  Remains, Remains, Remains, Remains,  Remains]),
    (StopWorker,             [Another,  Another, Another, Another, Another,  Ends(1)]),
    (PauseWorker,            [GoesOn,   GoesOn,  GoesOn,  GoesOn,  GoesOn,   Ends(0)]),
    (PauseSupervisor,        [GoesOn,   GoesOn,  GoesOn,  GoesOn,  GoesOn,   Ends(0)]),
];

/// Longer than a worker may be silent.
const PAUSE: Duration = Duration::from_millis(700);
/// Shorter than what counts as hanging.
const PAUSE_OF_WORKER: Duration = Duration::from_millis(100);

#[test]
fn every_signal_in_every_state_leaves_what_is_documented() -> Result<()> {
    let row = |(act, thens): (Act, [Then; 6])| {
        State::ALL.into_iter().zip(thens).map(move |(state, then)| -> Row {
            (format!("{act:?} while {state:?}: {then:?}"), Box::new(move || run(act, state, then)))
        })
    };
    side_by_side::run(&TABLE.into_iter().flat_map(row).collect::<Vec<_>>())
}

fn run(act: Act, state: State, then: Then) -> Result<()> {
    // Nobody waits 38 s for a worker that never said anything.
    if let (StopWorker, State::Starting) = (act, state) {
        return Ok(());
    }
    let mut play = Play::begin(state)?;
    let outcome = go(&mut play, act, then).and_then(|()| play.no_script_is_left());
    outcome.with_context(|| play.log())
}

fn go(play: &mut Play, act: Act, then: Then) -> Result<()> {
    let worker = play.worker()?;
    let reloads = play.count("Reloaded");
    if play.state == State::Reloading && matches!(then, Another) {
        // The next worker reads what is there.
        play.mend_file()?;
    }
    if !perform(play, act, worker)? {
        // The machine made more of a short pause; what follows from that stands in other rows.
        play.release()?;
        return play.end();
    }
    match then {
        Ends(status) => {
            if status == 0 && play.state == State::Stopping {
                play.release()?;
            }
            let ended = play.daemon.process_mut().wait(wait::LONG)?;
            ensure!(ended.code() == Some(status), "{ended}");
            play.nothing_is_left()?;
            if play.state == State::Starting {
                ensure!(play.count("Entering") == 0, "it began");
            }
            Ok(())
        }
        Reloads => {
            // What was asked for while it could not be done is done once more.
            play.release()?;
            play.logs("Reloaded", reloads + 1)?;
            goes_on(play, worker, true)
        }
        GoesOn => {
            play.release()?;
            goes_on(play, worker, true)
        }
        Writes(file) => {
            let path = play.host.directory().join(file);
            if play.state == State::Starting {
                play.release()?;
            }
            wait::until(&format!("{file} is there"), wait::SHORT, || path.exists())?;
            play.release()?;
            goes_on(play, worker, true)
        }
        Another => {
            wait::until("there is another worker", wait::LONG, || {
                play.worker().is_ok_and(|now| now != worker)
            })?;
            // It still waits for what is not there yet: somebody has ended it.
            play.no_script_is_left()?;
            play.release()?;
            play.logs("Worker restarted: ", 1)?;
            goes_on(play, worker, false)
        }
        Orphan => {
            if play.state == State::Stopping {
                play.release()?;
            }
            wait::until("the worker has ended", wait::LONG, || is_gone(worker))?;
            ensure!(!play.has_address(), "the address is left");
            play.start_again()?;
            play.end()
        }
        Remains => {
            ensure!(is_gone(worker), "it lives");
            play.start_again()?;
            play.end()
        }
    }
}

/// Whether it was as short as it was meant to be.
fn perform(play: &mut Play, act: Act, worker: Pid) -> Result<bool> {
    let supervisor = play.supervisor();
    let pause = |who, pause| -> Result<Duration> {
        let began = std::time::Instant::now();
        kill(who, Signal::SIGSTOP)?;
        std::thread::sleep(pause);
        // It may have been replaced.
        let _ = kill(who, Signal::SIGCONT);
        Ok(began.elapsed())
    };
    match act {
        PauseWorker => return Ok(pause(worker, PAUSE_OF_WORKER)? < 2 * PAUSE_OF_WORKER),
        Act::Signal(name) => {
            let sent =
                std::process::Command::new("kill").args(["-s", name, &supervisor.to_string()]).status()?;
            ensure!(sent.success(), "kill -s {name}");
        }
        KillWorker => kill(worker, Signal::SIGKILL)?,
        KillSupervisor => {
            kill(supervisor, Signal::SIGKILL)?;
            play.daemon.process_mut().wait(wait::SHORT)?;
        }
        KillBoth => {
            // The worker first: its supervisor would see it, and the other way round it would stop cleanly.
            kill(supervisor, Signal::SIGSTOP)?;
            kill(worker, Signal::SIGKILL)?;
            wait::until("the worker is dead", wait::SHORT, || is_gone(worker))?;
            kill(supervisor, Signal::SIGKILL)?;
            play.daemon.process_mut().wait(wait::SHORT)?;
        }
        StopWorker => kill(worker, Signal::SIGSTOP)?,
        PauseSupervisor => {
            pause(supervisor, PAUSE)?;
        }
    }
    Ok(true)
}

/// It is as it was, or as it was to become, with the same worker if it is the `same`; then it stops as it should.
fn goes_on(play: &mut Play, worker: Pid, same: bool) -> Result<()> {
    match play.state {
        State::Backup => {
            play.logs("(VI_1) Entering BACKUP STATE", if same { 1 } else { 2 })?;
            ensure!(!play.has_address(), "it has the address");
        }
        State::Stopping => {}
        State::Starting | State::Fault => play.master()?,
        State::Master | State::Reloading => {
            ensure!(play.has_address(), "the address is gone");
            play.master()?;
            let times = if same { 1 } else { 2 };
            play.logs("(VI_1) Entering MASTER STATE", times)?;
            ensure!(play.count("(VI_1) Entering MASTER STATE") == times, "it became master anew");
        }
    }
    if same && play.state != State::Stopping {
        ensure!(play.worker()? == worker, "there is another worker");
    }
    play.end()
}

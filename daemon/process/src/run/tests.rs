use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigHandler, SigSet, Signal, kill, signal};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::*;
use crate::User;

/// More than anything here takes, on a machine that is busy.
const LONG: Duration = Duration::from_secs(20);
/// A shell's way of hanging, with a child, deaf to SIGTERM.
const DEAF: &str = "trap '' TERM; sleep 1000 & echo $! > child; wait; wait";

/// A shell that runs `text` in a directory of its own.
fn shell(directory: &TempDir, text: &str) -> Command {
    let text = format!("cd {}; {text}", directory.path().display());
    Command { umask: 0o022, ..Command::new(["/bin/sh", "-c", &text]) }
}

fn finished(command: Command) -> Finished {
    block_on(run(command)).unwrap()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < LONG, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn number_in(file: &Path) -> Pid {
    let mut number = None;
    until(&format!("{} has a number in it", file.display()), || {
        number = fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok());
        number.is_some()
    });
    Pid::from_raw(number.unwrap())
}

/// A zombie, which only waits to be collected, is dead.
fn is_dead(process: Pid) -> bool {
    fs::read_to_string(format!("/proc/{process}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

#[test]
fn how_it_ended_and_what_it_wrote_is_told() {
    let directory = TempDir::new().unwrap();
    let cases = [
        ("echo one; echo two >&2; exit 3", End::Exited(3), "one\ntwo"),
        ("kill -9 $$", End::Killed(9), ""),
        ("kill -40 $$", End::Killed(40), ""),
        ("exit 0", End::Exited(0), ""),
    ];
    for (text, end, output) in cases {
        let finished = finished(shell(&directory, text));
        assert_eq!((finished.end, &*finished.output), (end, output), "{text}");
    }
}

#[test]
fn nothing_of_ours_is_handed_on() {
    let directory = TempDir::new().unwrap();
    // The mask of this thread, which a new thread inherits; and a signal that nobody here sends.
    let mut blocked = SigSet::empty();
    [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGUSR2].into_iter().for_each(|signal| blocked.add(signal));
    blocked.thread_block().unwrap();
    ignore(Signal::SIGUSR1);
    // As the daemon does it; what other tests run gets the limit from before.
    let (few, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let fewer = few.min(most - 1);
    setrlimit(Resource::RLIMIT_NOFILE, fewer, most).unwrap();
    crate::keep_file_limit();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    let open = fs::File::open("/dev/zero").unwrap();
    nix::fcntl::fcntl(&open, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).unwrap();
    let text = "grep -E 'SigBlk|SigIgn' /proc/self/status; umask; cat; \
                cut -d' ' -f19,41 /proc/$$/stat; test $(ps -o pgid= -p $$) = $$ && echo leader";
    let state = finished(Command { umask: 0o27, ..shell(&directory, text) });
    let limit = finished(Command::new(["/bin/sh", "-c", "ulimit -n"]));
    assert_eq!(limit.output, fewer.to_string());
    let descriptors = finished(Command::new(["/bin/ls", "/proc/self/fd"]));
    blocked.thread_unblock().unwrap();
    let none = "0000000000000000";
    assert_eq!(
        state.output,
        format!("SigBlk:\t{none}\nSigIgn:\t{none}\n0027\n0 0\nleader").replace('\t', " ")
    );
    // The fourth is that of the directory that is being read.
    assert_eq!(descriptors.output, "0\n1\n2\n3");
}

#[allow(unsafe_code)]
fn ignore(ignored: Signal) {
    // SAFETY: no handler is installed.
    unsafe { signal(ignored, SigHandler::SigIgn) }.unwrap();
}

#[test]
fn over_its_limit_one_that_leaves_nobody_behind_is_over_at_once() {
    let directory = TempDir::new().unwrap();
    let limit = Duration::from_millis(200);
    // Anything may come between on a machine that is busy.
    until("it is over within 100 ms of its limit", || {
        let begun = Instant::now();
        let command = Command { limit: Some(limit), ..shell(&directory, "exec sleep 1000") };
        let finished = finished(command);
        assert_eq!(finished.end, End::TimedOut);
        begun.elapsed() < limit + Duration::from_millis(100)
    });
}

#[test]
fn over_its_limit_it_is_ended_with_all_of_its_group() {
    let directory = TempDir::new().unwrap();
    for text in ["sleep 1000 & echo $! > child; wait", DEAF] {
        let (limit, grace) = (Some(Duration::from_millis(300)), Duration::from_millis(300));
        let finished = finished(Command { limit, grace, ..shell(&directory, text) });
        assert_eq!(finished.end, End::TimedOut, "{text}");
        let child = number_in(&directory.path().join("child"));
        until("the child is dead", || is_dead(child));
    }
}

#[test]
fn dropped_or_stopped_it_is_ended_with_all_of_its_group() {
    let directory = TempDir::new().unwrap();
    let child = directory.path().join("child");
    let command = Command { grace: Duration::from_millis(100), ..shell(&directory, DEAF) };
    let running = run(command.clone());
    let first = number_in(&child);
    drop(running);
    until("the first child is dead", || is_dead(first));

    fs::remove_file(&child).unwrap();
    let running = run(command);
    let second = number_in(&child);
    running.stop(Duration::from_millis(10));
    assert_eq!(block_on(running).unwrap().end, End::Stopped);
    until("the second child is dead", || is_dead(second));
}

#[test]
fn what_a_script_leaves_behind_lives_on_may_write_and_can_be_stopped() {
    let directory = TempDir::new().unwrap();
    let service = "(while :; do echo line; date > alive; sleep 0.05; done) & echo $! > child";
    let begun = Instant::now();
    let finished = finished(shell(&directory, service));
    assert_eq!(finished.end, End::Exited(0));
    assert!(finished.took < LONG && begun.elapsed() < LONG);
    let service = number_in(&directory.path().join("child"));
    // Somebody else reads on after a while; the service goes on, and is as easy to stop as any.
    std::thread::sleep(Duration::from_millis(1500));
    let alive = directory.path().join("alive");
    fs::remove_file(&alive).unwrap();
    until("the service still writes", || alive.exists());
    kill(service, Signal::SIGTERM).unwrap();
    until("the service is dead", || is_dead(service));
}

#[test]
fn a_file_without_a_first_line_is_the_shell_s() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("script");
    fs::write(&path, "echo $0 $1; exit 4\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let finished = finished(Command::new([path.as_os_str(), "a".as_ref()]));
    assert_eq!(finished.end, End::Exited(4));
    assert_eq!(finished.output, format!("{} a", path.canonicalize().unwrap().display()));
}

#[test]
fn it_runs_as_the_user_and_groups_that_are_named() {
    if !nix::unistd::getuid().is_root() {
        // Nobody else can become somebody else.
        return;
    }
    let user = |name: &str, group: Option<&str>| {
        Some(User { name: name.into(), group: group.map(Into::into), supplementary_groups: false })
    };
    let id = |user| {
        finished(Command { user, ..Command::new(["/bin/sh", "-c", "id -un; id -Gn; echo > /dev/stderr"]) })
            .output
    };
    assert_eq!(id(user("nobody", None)), "nobody\nnogroup");
    assert_eq!(id(user("nobody", Some("daemon"))), "nobody\ndaemon");
    assert_eq!(id(user("root", None)), "root\nroot");
    assert_eq!(id(user("root", Some("daemon"))), "root\ndaemon");
    // What had become somebody else on our memory has not taken our right to leave a core with it.
    assert!(nix::sys::prctl::get_dumpable().unwrap());
    let error =
        block_on(run(Command { user: user("kw-none", None), ..Command::new(["/bin/true"]) })).unwrap_err();
    assert_eq!(error.to_string(), "there is no user `kw-none`");
}

#[test]
fn what_can_not_be_run_is_said() {
    let cases: [(&[&str], &str); 4] = [
        (&[], "the command is empty"),
        (&[""], "the command is empty"),
        (&["/kw/is/not/there"], "/kw/is/not/there: No such file or directory"),
        (&["/"], "/ is a directory"),
    ];
    for (argv, expected) in cases {
        assert_eq!(block_on(run(Command::new(argv))).unwrap_err().to_string(), expected, "{argv:?}");
    }
}

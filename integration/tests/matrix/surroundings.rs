//! A daemon that is started, or goes on, where something is amiss around it: full disks, a system that can't be written,
//! missing parts of /proc, rights, descriptors, signals that somebody else ignored.

use std::fs;

use anyhow::{Context, Result, ensure};
use integration::{Host, Instance, Lab, Process, binaries, conf::VIP, wait};
use nix::sys::signal::{Signal, kill};

use crate::play::children;
use crate::side_by_side::{self, Row};

/// What comes of a start.
#[derive(Clone, Copy)]
enum Start {
    /// It is master, and its log has this.
    Runs(&'static str),
    /// It ends with this status and says this.
    Refused(i32, &'static str),
    /// It runs without anything to do.
    Idles,
}

use Start::{Idles, Refused, Runs};

/// What is done to the one that runs, and what its log has afterwards.
type After = fn(&Stage) -> Result<()>;

/// A row: what it is called, what a shell does before it becomes the daemon (`$d` is a directory for it, `$k` the daemon
/// with the flags that it needs), and what comes of it.
#[rustfmt::skip]
const TABLE: &[(&str, &str, Start, After)] = &[
    // Disks.
    ("the history's disk is full", "small; exec $k --history-file $d/disk/h.jsonl", Runs("h.jsonl can't be written: No space left on device"), nothing),
    ("the log's disk is full", "small; exec $k -g $d/disk/log", Runs(""), nothing),
    ("the pid file's disk is full", "small; : > $d/disk/pid; exec $k -p $d/disk/pid", Refused(1, "disk/pid can't be used: No space left on device"), nothing),
    ("the disk of dumps is full", "small; export TMPDIR=$d/disk; exec $k", Runs(""), dump_fails),
    ("the FIFO's disk is full", "small; sed -i \"s|^global_defs {|&\\nvrrp_notify_fifo $d/disk/fifo|\" $d/c.conf; exec $k", Runs(""), nothing),
    // What can't be written.
    ("/run can't be written", "mount -t tmpfs -o ro none /run; exec $k0 -f $d/c.conf", Refused(1, "can't be used: Read-only file system"), nothing),
    ("/run can't be written, and only the socket is there", "mount -t tmpfs -o ro none /run; exec $k --control-socket /run/c.sock", Runs("/run/c.sock: Read-only file system"), nothing),
    ("nothing can be written but one directory", "mount --bind $d $d; mount -o remount,bind,ro /; exec $k --history-file /h.jsonl", Runs("/h.jsonl can't be written: Read-only file system"), nothing),
    ("/tmp can't be written", "mount -t tmpfs -o ro none /mnt; export TMPDIR=/mnt; exec $k", Runs(""), dump_fails),
    ("the history is a directory", "mkdir $d/h; exec $k --history-file $d/h", Runs("/h can't be used: "), nothing),
    ("the socket's directory is not there", "exec $k --control-socket $d/no/c.sock", Runs(""), nothing),
    // Slips.
    ("the pid file's path is a slip", "exec $k0 -f $d/c.conf -p $d/no/way/pid", Refused(1, "can't be used: there is no directory "), nothing),
    ("the history's path is a slip", "exec $k --history-file $d/no/way/h", Runs("/no/way/h can't be used: there is no directory "), nothing_made),
    ("the history's path is a slip in the root directory", "exec $k --history-file /keepwatch-slip/h", Runs("can't be used: there is no directory /keepwatch-slip; events are kept in memory only"), nothing_made),
    ("the socket's path is a slip", "exec $k --control-socket $d/no/way/c.sock", Runs("/no/way/c.sock: there is no directory "), nothing_made),
    ("the log's path is a slip", "exec $k -g $d/no/log", Runs("/no/log can't be written: No such file or directory"), told_once),
    ("a network namespace that is not there", "exec $k -s nosuch", Refused(1, "there is no network namespace nosuch; `ip netns add nosuch` makes it"), nothing),
    ("an address that somebody left", "ip addr add $vip dev eth0; exec $k", Runs("If a killed program left it there: ip addr del 10.78.9.9/32 dev eth0"), |stage| {
        stage.host.remove_address(VIP)?;
        wait::until("it has it as a virtual one", wait::LONG, || stage.host.has("eth0", VIP))
    }),
    // Parts of the system.
    ("no /proc", "mount -t tmpfs none /proc; exec $k", Refused(1, "/proc"), nothing),
    ("no /proc/sys", "mount -t tmpfs none /proc/sys; exec $k", Runs(""), nothing),
    ("/proc/sys can't be written", "mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys; exec $k", Runs(""), nothing),
    ("no /sys", "mount -t tmpfs none /sys; exec $k", Runs(""), nothing),
    ("no /dev but null", "mkdir $d/dev; touch $d/dev/null; mount --bind /dev/null $d/dev/null; mount --rbind $d/dev /dev; exec $k", Runs(""), nothing),
    ("no /etc", "mount -t tmpfs none /etc; exec $k", Runs(""), nothing),
    ("no working directory", "mkdir $d/gone; cd $d/gone; rmdir $d/gone; exec $k", Runs(""), nothing),
    // Rights.
    ("a user without rights", "chmod 777 $d; exec setpriv --reuid 65534 --regid 65534 --clear-groups $k", Refused(1, "virtual routers need CAP_NET_ADMIN and CAP_NET_RAW"), nothing),
    ("no right to read the file", "chmod 777 $d; chmod 0 $d/c.conf; exec setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps +net_admin,+net_raw --ambient-caps +net_admin,+net_raw $k", Refused(6, "c.conf` cannot be read: Permission denied"), nothing),
    ("a user with the rights", "chmod 777 $d; chmod 644 $d/c.conf; exec setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps +net_admin,+net_raw --ambient-caps +net_admin,+net_raw $k", Runs(""), nothing),
    ("a mask that lets nobody read", "umask 0777; exec $k", Runs(""), nothing),
    // What it is started with.
    ("nobody reads its log", "mkfifo $d/p; exec 3<>$d/p; head -c 65536 /dev/zero >&3; exec $k >&3 2>&3", Runs(""), nothing),
    ("no standard files", "exec $k <&- >&- 2>&-", Runs(""), nothing),
    ("whoever reads its log has gone", "mkfifo $d/p; exec 3<>$d/p; exec 4>$d/p; exec 3<&-; exec $k >&4 2>&4", Runs(""), nothing),
    ("few descriptors", "ulimit -n 64; exec $k", Runs(""), nothing),
    ("no environment", "exec env -i $k", Runs(""), nothing),
    ("a service manager that is not there", "export NOTIFY_SOCKET=$d/nobody WATCHDOG_USEC=1000 LISTEN_FDS=7 LISTEN_PID=$$; exec $k", Runs(""), nothing),
    ("hang-ups were ignored (nohup)", "trap '' HUP; exec $k", Runs(""), reloads),
    ("everything was ignored", "trap '' HUP TERM INT USR1 USR2 CHLD; exec $k", Runs(""), reloads),
    ("the ends of children were ignored", "trap '' CHLD; exec $k", Runs(""), worker_dies),
    // Files.
    ("a stale pid file", "echo 1 > $d/pid; exec $k -p $d/pid", Runs(""), second_is_refused),
    ("a stale socket", "python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('$d/pid.sock')\"; exec $k", Runs(""), second_is_refused),
    ("its pid file goes away", "exec $k -p $d/pid", Runs(""), |stage| Ok(fs::remove_file(stage.at("pid"))?)),
    ("its configuration goes away", "exec $k", Runs(""), |stage| Ok(fs::remove_file(stage.at("c.conf"))?)),
    ("no configuration", "rm $d/c.conf; exec $k", Refused(6, "c.conf` cannot be read: No such file"), nothing),
    ("an empty configuration", ": > $d/c.conf; exec $k", Idles, nothing),
    // What is done to it.
    ("two hundred reloads at once", "exec $k", Runs(""), |stage| stage.many(Signal::SIGHUP)),
    ("two hundred dumps at once", "export TMPDIR=$d; exec $k", Runs(""), |stage| stage.many(Signal::SIGUSR1)),
    ("two hundred stops at once", "exec $k", Runs(""), |stage| stage.many(Signal::SIGTERM)),
    ("its worker dies", "exec $k", Runs(""), worker_dies),
    ("its worker dies, and it may not be replaced", "exec $k -R", Runs(""), |stage| {
        // In its first moments as master it has not told of the address yet.
        kill(stage.worker()?, Signal::SIGKILL)?;
        wait::until("its address is off", wait::LONG, || !stage.host.has("eth0", VIP))
    }),
    ("its interface goes away and comes back", "exec $k", Runs(""), |stage| {
        stage.host.down("eth0")?;
        stage.log("(VI_1) Entering FAULT STATE")?;
        stage.host.up("eth0")?;
        wait::until("it is master again", wait::LONG, || stage.count("(VI_1) Entering MASTER STATE") == 2)
    }),
    ("its address is taken away", "exec $k", Runs(""), |stage| {
        stage.host.remove_address(VIP)?;
        wait::until("it has it again", wait::LONG, || stage.host.has("eth0", VIP))
    }),
];

fn nothing(_: &Stage) -> Result<()> {
    Ok(())
}

fn dump_fails(stage: &Stage) -> Result<()> {
    kill(stage.process.pid(), Signal::SIGUSR1)?;
    stage.log("keepalived.data")
}

fn nothing_made(stage: &Stage) -> Result<()> {
    let made = stage.at("no").exists() || std::path::Path::new("/keepwatch-slip").exists();
    ensure!(!made, "a directory was made");
    Ok(())
}

fn told_once(stage: &Stage) -> Result<()> {
    ensure!(stage.count("/no/log") == 1, "not once");
    Ok(())
}

fn reloads(stage: &Stage) -> Result<()> {
    kill(stage.process.pid(), Signal::SIGHUP)?;
    stage.log("Reloaded")
}

fn worker_dies(stage: &Stage) -> Result<()> {
    // The address is there before the line.
    stage.log("(VI_1) Entering MASTER STATE")?;
    let worker = stage.worker()?;
    kill(worker, Signal::SIGKILL)?;
    wait::until("there is another worker", wait::LONG, || stage.worker().is_ok_and(|now| now != worker))?;
    stage.log("Worker restarted: ")?;
    wait::until("it is master", wait::LONG, || stage.count("(VI_1) Entering MASTER STATE") == 2)?;
    ensure!(stage.host.has("eth0", VIP), "the address is gone");
    Ok(())
}

fn second_is_refused(stage: &Stage) -> Result<()> {
    let second = stage.host.output("sh", &["-c", &stage.shell("exec $k -p $d/pid")])?;
    let said =
        String::from_utf8_lossy(&second.stderr).into_owned() + &String::from_utf8_lossy(&second.stdout);
    ensure!(second.status.code() == Some(1), "{}: {said}", second.status);
    ensure!(said.contains("daemon is already running"), "{said}");
    ensure!(stage.host.has("eth0", VIP), "the first has lost its address");
    Ok(())
}

struct Stage {
    host: Host,
    process: Process,
}

impl Stage {
    fn shell(&self, then: &str) -> String {
        shell(&self.host, then).unwrap_or_default()
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.host.directory().join(name)
    }

    fn worker(&self) -> Result<nix::unistd::Pid> {
        children(self.process.pid()).first().copied().context("there is no worker")
    }

    fn count(&self, text: &str) -> usize {
        self.process.log().matches(text).count()
    }

    fn log(&self, text: &str) -> Result<()> {
        self.process.wait_for_log(text, wait::LONG)
    }

    fn many(&self, signal: Signal) -> Result<()> {
        for _ in 0..200 {
            kill(self.process.pid(), signal)?;
        }
        Ok(())
    }
}

/// A shell's text that becomes the daemon.
fn shell(host: &Host, then: &str) -> Result<String> {
    let daemon = binaries::path("keepwatchd")?;
    let (d, daemon) = (host.directory().display().to_string(), daemon.display().to_string());
    Ok(format!(
        "set -e
         d={d}; vip={VIP}/32; k0='{daemon} -n -l -G -P --listen none'; k=\"$k0 -f $d/c.conf -p $d/pid --history-file $d/history\"
         small() {{ mkdir $d/disk; mount -t tmpfs -o size=16k none $d/disk; head -c 20000 /dev/zero > $d/disk/fill || true; }} 2> /dev/null
         {then}"
    ))
}

#[test]
fn whatever_is_amiss_around_it_leaves_what_is_documented() -> Result<()> {
    let row = |(name, before, start, after): &(&str, &str, Start, After)| -> Row {
        let (before, start, after) = (before.to_string(), *start, *after);
        (format!("around: {name}"), Box::new(move || run(&before, start, after)))
    };
    side_by_side::run(&TABLE.iter().map(row).collect::<Vec<_>>())
}

fn run(before: &str, start: Start, after: After) -> Result<()> {
    let (_lan, mut hosts) = Lab::new("around")?.routers(1)?;
    let host = hosts.remove(0);
    host.file("c.conf", &Instance::new("VI_1").interval("0.1").version_3(""))?;
    let text = shell(&host, before)?;
    let process = host
        .process("keepwatchd", "unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", &text])
        .start()?;
    let mut stage = Stage { host, process };
    let outcome = go(&mut stage, start, after);
    outcome.with_context(|| stage.process.log())
}

fn go(stage: &mut Stage, start: Start, after: After) -> Result<()> {
    match start {
        Refused(code, says) => {
            let status = stage.process.wait(wait::LONG)?;
            ensure!(status.code() == Some(code), "{status}");
            ensure!(stage.count(says) > 0, "it does not say {says:?}");
            ensure!(stage.count("panicked") == 0, "it panicked");
            ensure!(stage.process.log().lines().count() <= 4, "it says more than that");
        }
        Idles => {
            stage.log("0 VRRP instances")?;
            ensure!(stage.process.stop(wait::LONG)?.success(), "it did not stop well");
        }
        Runs(says) => {
            wait::until("it is master", wait::LONG, || {
                stage.host.has("eth0", VIP) || !stage.process.is_running()
            })?;
            ensure!(stage.process.is_running(), "it has ended");
            stage.log(says)?;
            after(stage)?;
            let status = stage.process.stop(wait::LONG)?;
            // One that may not replace its worker has ended by itself.
            ensure!(status.success() || stage.count("SIGKILL: stopping") == 1, "{status}");
            ensure!(stage.count("panicked") == 0, "it panicked");
        }
    }
    ensure!(!stage.host.has("eth0", VIP), "the address is left");
    Ok(())
}

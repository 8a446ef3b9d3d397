//! What the worker tells its supervisor, over the stream socket between them: one short text line per message. In: lines.
//! Out: [`Report`]s. The supervisor says one thing only: [`GO`], when it has the pid files.

use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use keepwatch_bus::subject::VirtualAddress;

use crate::cli::Facility;
use crate::left::Left;
use crate::logging::LogSettings;
use crate::logging::form::Form;

/// What the supervisor answers to [`Report::PidFiles`]: no other daemon has them, and the worker may begin.
pub const GO: u8 = b'g';

/// The loops of the worker whose beats are counted.
pub const LOOPS: [&str; 3] = [VRRP, "hub", "runtime"];
/// The loop that matters most; its thread has the same name.
pub const VRRP: &str = "vrrp";

/// By what a worker is to be supervised: what the command line says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Replace a worker that died or hangs.
    pub respawn: bool,
    /// Take virtual addresses off when the daemon ends.
    pub release: bool,
    /// The mask for what both make.
    pub umask: Option<u32>,
    /// Where to log.
    pub log: LogSettings,
}

/// What a configuration says of the supervisor itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// `process_name`.
    pub name: Option<String>,
    /// `child_wait_time`: what a worker may take to stop; the supervisor's own bound without it.
    pub stop_within: Option<Duration>,
}

/// The pid files of the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PidFiles {
    /// The supervisor's own.
    pub own: PathBuf,
    /// Those that get the worker's pid.
    pub worker: Vec<PathBuf>,
}

/// One line from the worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// The first of all: the daemon is to run in the background. The worker ends with this: another one is to be started
    /// by a supervisor that has left the terminal. One that says neither this nor [`Report::Supervise`] was asked for
    /// something else, and its exit status is the daemon's.
    Background,
    /// The first of all: it is a worker, to be supervised so.
    Supervise(Terms),
    /// The pid files that nobody else may have; the worker waits for [`GO`].
    PidFiles(PidFiles),
    /// How often each of [`LOOPS`] went round so far; `None` where that loop does not run.
    Beat([Option<u64>; LOOPS.len()]),
    /// What the configuration says of the supervisor itself, from now on.
    Manner(Manner),
    /// What the daemon is about, for people: `STATUS=` of the service manager.
    Status(String),
    /// From now on a peer takes over, at the earliest, when it has heard nothing for so long; `None` where no virtual
    /// router runs.
    Patience(Option<Duration>),
    /// A virtual address that may be put on its interface from now on; none: those named before may not, and others follow.
    May(Option<VirtualAddress>),
    /// A virtual address is on its interface now.
    Placed(VirtualAddress),
    /// It was taken off again.
    Removed(VirtualAddress),
    /// Something of the host is changed, or about to be, that is to be taken back at the end.
    Left(Left),
    /// It was taken back.
    TakenBack(Left),
    /// Everything runs.
    Ready,
    /// The configuration needs another worker, one that has given nothing up yet: why.
    Replace(String),
    /// A script runs that comes before everything, and may take so long: there is nothing to clean up yet, and a stop
    /// need not wait.
    Preparing(Duration),
    /// Everything has stopped, and what comes after it may take so long.
    Ending(Duration),
    /// A reload was begun.
    Reloading,
    /// A reload is over, well or not.
    Reloaded,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Background => f.write_str("background"),
            Self::Supervise(terms) => terms.fmt(f),
            Self::PidFiles(files) => {
                write!(f, "pids {}", spelled(&files.own))?;
                files.worker.iter().try_for_each(|path| write!(f, " {}", spelled(path)))
            }
            Self::Manner(Manner { name, stop_within }) => {
                f.write_str("manner")?;
                number(f, stop_within.map(|within| u64::try_from(within.as_millis()).unwrap_or(u64::MAX)))?;
                name.as_ref().map_or(Ok(()), |name| write!(f, " {}", name.replace('\n', " ")))
            }
            Self::Status(text) => write!(f, "status {}", text.replace('\n', " ")),
            Self::Beat(counts) => {
                f.write_str("beat")?;
                counts.iter().try_for_each(|count| number(f, *count))
            }
            Self::Patience(patience) => {
                f.write_str("patience")?;
                number(f, patience.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
            }
            Self::May(None) => f.write_str("may"),
            Self::May(Some(at)) => write!(f, "may {} {} {}", at.address, at.prefix, at.interface),
            Self::Placed(at) => write!(f, "placed {} {} {}", at.address, at.prefix, at.interface),
            Self::Removed(at) => write!(f, "removed {} {} {}", at.address, at.prefix, at.interface),
            Self::Left(left) => write!(f, "left {left}"),
            Self::TakenBack(left) => write!(f, "back {left}"),
            Self::Ready => f.write_str("ready"),
            Self::Replace(why) => write!(f, "replace {}", why.replace('\n', " ")),
            Self::Preparing(within) => write!(f, "preparing {}", within.as_millis()),
            Self::Ending(within) => write!(f, "ending {}", within.as_millis()),
            Self::Reloading => f.write_str("reloading"),
            Self::Reloaded => f.write_str("reloaded"),
        }
    }
}

impl fmt::Display for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { respawn, release, umask, log } = self;
        f.write_str("supervise")?;
        for flag in [*respawn, *release, log.console] {
            number(f, Some(flag.into()))?;
        }
        let form = Form::value_variants().iter().position(|form| *form == log.form);
        number(f, form.and_then(|place| u64::try_from(place).ok()))?;
        number(f, umask.map(u64::from))?;
        number(f, log.syslog.and_then(|facility| u64::try_from(facility.0).ok()))?;
        match &log.file {
            Some(file) => write!(f, " {}", spelled(file)),
            None => f.write_str(" -"),
        }
    }
}

/// A path as one word, whatever bytes it has in it.
pub(crate) fn spelled(path: &Path) -> String {
    hex::encode(path.as_os_str().as_bytes())
}

/// Reads what [`spelled`] writes.
pub(crate) fn parse_path(word: &str) -> Option<PathBuf> {
    hex::decode(word).ok().map(OsString::from_vec).map(PathBuf::from)
}

fn parse_terms<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Terms> {
    let mut flags = [false; 3];
    for flag in &mut flags {
        *flag = parse_number(words.next()?)?? != 0;
    }
    let [respawn, release, console] = flags;
    let form = usize::try_from(parse_number(words.next()?)??).ok()?;
    let form = *Form::value_variants().get(form)?;
    let umask = parse_number(words.next()?)?.and_then(|mask| u32::try_from(mask).ok());
    let syslog = parse_number(words.next()?)?.and_then(|number| i32::try_from(number).ok()).map(Facility);
    let file = match words.next()? {
        "-" => None,
        path => Some(parse_path(path)?),
    };
    Some(Terms { respawn, release, umask, log: LogSettings { console, syslog, file, form } })
}

fn number(f: &mut fmt::Formatter<'_>, number: Option<u64>) -> fmt::Result {
    match number {
        Some(number) => write!(f, " {number}"),
        None => f.write_str(" -"),
    }
}

impl Report {
    /// Reads one line, without its end; `None` for anything that is not a report.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        match words.next()? {
            "background" => Some(Self::Background),
            "supervise" => parse_terms(&mut words).map(Self::Supervise),
            "pids" => {
                let own = parse_path(words.next()?)?;
                let worker = words.map(parse_path).collect::<Option<_>>()?;
                Some(Self::PidFiles(PidFiles { own, worker }))
            }
            "manner" => {
                let stop_within = parse_number(words.next()?)?.map(Duration::from_millis);
                let name = words.collect::<Vec<_>>().join(" ");
                Some(Self::Manner(Manner { name: (!name.is_empty()).then_some(name), stop_within }))
            }
            "status" => Some(Self::Status(words.collect::<Vec<_>>().join(" "))),
            "beat" => {
                let mut counts = [None; LOOPS.len()];
                for count in &mut counts {
                    *count = parse_number(words.next()?)?;
                }
                Some(Self::Beat(counts))
            }
            "patience" => Some(Self::Patience(parse_number(words.next()?)?.map(Duration::from_millis))),
            "may" if line == "may" => Some(Self::May(None)),
            "may" => parse_address(&mut words).map(|at| Self::May(Some(at))),
            "placed" => parse_address(&mut words).map(Self::Placed),
            "removed" => parse_address(&mut words).map(Self::Removed),
            "left" => Left::parse(&mut words).map(Self::Left),
            "back" => Left::parse(&mut words).map(Self::TakenBack),
            "ready" => Some(Self::Ready),
            "replace" => Some(Self::Replace(words.collect::<Vec<_>>().join(" "))),
            "preparing" => Some(Self::Preparing(parse_time(words.next()?)?)),
            "ending" => Some(Self::Ending(parse_time(words.next()?)?)),
            "reloading" => Some(Self::Reloading),
            "reloaded" => Some(Self::Reloaded),
            _ => None,
        }
    }
}

fn parse_number(word: &str) -> Option<Option<u64>> {
    if word == "-" { Some(None) } else { word.parse().ok().map(Some) }
}

fn parse_time(word: &str) -> Option<Duration> {
    word.parse().ok().map(Duration::from_millis)
}

fn parse_address<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<VirtualAddress> {
    let address: IpAddr = words.next()?.parse().ok()?;
    let prefix = words.next()?.parse().ok()?;
    Some(VirtualAddress { address, prefix, interface: words.next()?.into() })
}

#[cfg(test)]
mod tests {
    use keepwatch_notify::fifos::MadePipe;

    use super::*;
    use crate::host_settings::{Changed, Setting};

    #[test]
    fn every_report_survives_the_way() {
        let at =
            VirtualAddress { address: "fd00::9".parse().unwrap(), prefix: 64, interface: "eth0.100".into() };
        let pipe = Left::Pipe(MadePipe { path: "/run/a b".into(), device: 23, inode: 4711 });
        let (ours, before) = (b"core.%p".to_vec(), b"|/bin/handler %p".to_vec());
        let pattern = Changed { setting: Setting::CorePattern, ours, before };
        let log = LogSettings {
            console: true,
            syslog: Some(Facility(libc::LOG_LOCAL3)),
            file: Some(PathBuf::from(OsString::from_vec(b"/a b/\n\xff".to_vec()))),
            form: Form::Json,
        };
        let nowhere = LogSettings { console: false, syslog: None, file: None, form: Form::Keepalived };
        for report in [
            Report::Background,
            Report::Supervise(Terms { respawn: true, release: false, umask: Some(0o27), log }),
            Report::Supervise(Terms { respawn: false, release: true, umask: None, log: nowhere }),
            Report::PidFiles(PidFiles { own: "/run/a.pid".into(), worker: vec!["/b c".into(), "/d".into()] }),
            Report::PidFiles(PidFiles { own: "/run/a.pid".into(), worker: Vec::new() }),
            Report::Manner(Manner { name: Some("kw main".into()), stop_within: None }),
            Report::Manner(Manner { name: None, stop_within: Some(Duration::from_secs(3)) }),
            Report::Status("1 virtual router: 1 MASTER".into()),
            Report::Beat([Some(1), None, Some(u64::MAX)]),
            Report::Patience(Some(Duration::from_millis(3609))),
            Report::Patience(None),
            Report::May(None),
            Report::May(Some(at.clone())),
            Report::Placed(at.clone()),
            Report::Removed(at),
            Report::Left(pipe.clone()),
            Report::TakenBack(pipe),
            Report::Left(Left::Setting(pattern)),
            Report::Ready,
            Report::Replace("it needs CAP_SETUID".into()),
            Report::Preparing(Duration::from_secs(10)),
            Report::Ending(Duration::from_millis(13_000)),
            Report::Reloading,
            Report::Reloaded,
        ] {
            assert_eq!(Report::parse(&report.to_string()), Some(report));
        }
    }

    #[test]
    fn other_lines_are_nothing() {
        for line in [
            "",
            "beat",
            "beat 1 2",
            "beat a b c",
            "hello",
            "placed",
            "placed 1.2.3 4 eth0",
            "may ",
            "patience x",
            "pids",
            "pids x",
            "supervise 1 1",
            "left pipe 2f61 1",
            "left something 00 00",
        ] {
            assert_eq!(Report::parse(line), None, "{line}");
        }
    }
}

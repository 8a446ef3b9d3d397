//! The files that signals ask for: `keepalived.data`, `keepalived.stats`, `keepalived.json`. In: which of them. Out: files,
//! and facts that say so. They are written by a thread of their own: a disk that hangs holds up nothing but the next dump.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use keepwatch_bus::fact::{DaemonFact, DumpKind};
use keepwatch_bus::{Bus, Reader, WeakBus, own_file};
use keepwatch_config::model::{DumpFiles, Global};
use keepwatch_export::dump::{self, Cleared};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::terminal::plain;
use crate::worker::settings::Settings;

/// Dumps that wait while one is being written; what is asked for beyond that is refused.
const WAITING: usize = 8;
/// What nobody but the owner may do with the files, unless `umask` says otherwise.
const UMASK: u32 = 0o177;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::worker) enum Dump {
    /// How everything stands (SIGUSR1).
    Data,
    /// What virtual routers counted (SIGUSR2).
    Stats,
    /// The same, and from now on it counts from zero.
    ClearStats,
    /// Virtual routers for programs.
    Json,
}

/// What the statistics count from, for all who show them.
pub(crate) type Zero = Arc<Mutex<Cleared>>;

/// Whoever writes them.
pub(in crate::worker) struct Dumps {
    asked: mpsc::Sender<Dump>,
    zero: Zero,
    bus: WeakBus,
    task: JoinHandle<()>,
}

impl Dumps {
    /// Begins to wait for somebody who asks.
    pub(in crate::worker) fn start(settings: &Settings, reader: Reader, bus: &Bus) -> Self {
        let (asked, mut next) = mpsc::channel(WAITING);
        let (zero, umask) = (Zero::default(), settings.cli.umask);
        let writer = Writer { reader, bus: bus.downgrade(), zero: zero.clone(), umask };
        let task = tokio::spawn(async move {
            while let Some(dump) = next.recv().await {
                let writer = writer.clone();
                // A mistake of ours in one dump must not keep others from being written.
                let _ = tokio::task::spawn_blocking(move || writer.write(dump)).await;
            }
        });
        Self { asked, zero, bus: bus.downgrade(), task }
    }

    /// Asks for one.
    pub(in crate::worker) fn ask(&self, dump: Dump) {
        if self.asked.try_send(dump).is_err() {
            let error = format!("{WAITING} others wait to be written");
            let fact = DaemonFact::DumpFailed { dump: kind(dump), file: String::new(), error };
            self.bus.publish(None, fact);
        }
    }

    /// What the statistics count from.
    pub(in crate::worker) fn zero(&self) -> Zero {
        self.zero.clone()
    }

    /// Ends it; what is being written is written.
    pub(in crate::worker) fn stop(&self) {
        self.task.abort();
    }
}

fn kind(dump: Dump) -> DumpKind {
    match dump {
        Dump::Data => DumpKind::Vrrp,
        Dump::Stats => DumpKind::Stats,
        Dump::ClearStats => DumpKind::StatsCleared,
        Dump::Json => DumpKind::Json,
    }
}

#[derive(Clone)]
struct Writer {
    reader: Reader,
    bus: WeakBus,
    zero: Zero,
    umask: Option<u32>,
}

impl Writer {
    fn write(&self, dump: Dump) {
        // A short look; the texts are made of it afterwards.
        let world = self.reader.world().clone();
        let counters = self.reader.counters();
        let mut zero = self.zero.lock().unwrap_or_else(PoisonError::into_inner);
        let texts = match dump {
            Dump::Data => {
                dump::data(&world, counters).into_iter().map(|part| (part.kind, Ok(part.text))).collect()
            }
            Dump::Stats => vec![(DumpKind::Stats, Ok(dump::stats(&world, counters, &zero)))],
            Dump::ClearStats => {
                let text = dump::stats(&world, counters, &zero);
                zero.clear(counters);
                vec![(DumpKind::StatsCleared, Ok(text))]
            }
            Dump::Json => {
                vec![(DumpKind::Json, dump::json(&world, counters, &zero).map_err(std::io::Error::from))]
            }
        };
        drop(zero);
        let (global, pid) = (&world.settings.global, world.settings.pid);
        let mode = 0o666 & !self.umask.or(global.umask).unwrap_or(UMASK);
        for (dump, text) in texts {
            let path = file(global, dump, &temporary());
            let written = text.and_then(|text| own_file::replace(&path, mode, text.as_bytes()));
            let file = path.display().to_string();
            self.bus.publish(
                None,
                match written {
                    Ok(()) => DaemonFact::DumpWritten { dump, file, pid },
                    Err(error) => DaemonFact::DumpFailed { dump, file, error: plain(&error).to_string() },
                },
            );
        }
    }
}

fn temporary() -> PathBuf {
    std::env::var_os("TMPDIR")
        .filter(|directory| !directory.is_empty())
        .map_or_else(|| "/tmp".into(), PathBuf::from)
}

/// The directories in which files are written, for whoever decides what the worker may do.
pub(in crate::worker) fn files(global: &Global) -> [PathBuf; 3] {
    [DumpKind::Vrrp, DumpKind::Stats, DumpKind::Json].map(|kind| file(global, kind, &temporary()))
}

/// Where one goes: what is configured, the default's name in a directory, or a name in the directory of temporary files;
/// with the names of namespace and instance before the last dot, if that is wanted.
fn file(global: &Global, kind: DumpKind, temporary: &Path) -> PathBuf {
    let (dumps, default) = (&global.dumps, DumpFiles::default());
    let (path, default) = match kind {
        DumpKind::Stats | DumpKind::StatsCleared => (&dumps.stats, default.stats),
        DumpKind::Json => (&dumps.json, default.json),
        DumpKind::Vrrp | DumpKind::Checkers | DumpKind::Bfd | DumpKind::Parent => {
            (&dumps.state, default.state)
        }
    };
    let is_directory = path.as_os_str().as_encoded_bytes().ends_with(b"/");
    let (directory, name) = match is_directory {
        true => (path.as_path(), default.as_os_str()),
        false => (path.parent().unwrap_or(Path::new("")), path.file_name().unwrap_or(default.as_os_str())),
    };
    let directory = if directory.is_absolute() { directory } else { temporary };
    let name = Path::new(name);
    let text = |part: Option<&OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let mut file = text(name.file_stem()) + dump::suffix(kind);
    if dumps.name_instance {
        let names = [&global.net_namespace, &global.instance_name];
        let names: Vec<&str> = names.into_iter().flatten().map(|name| &**name).collect();
        if !names.is_empty() {
            file = format!("{file}.{}", names.join("_"));
        }
    }
    if let Some(extension) = name.extension() {
        file = format!("{file}.{}", extension.to_string_lossy());
    }
    directory.join(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_they_are_written() {
        let tmp = Path::new("/t");
        for (written, namespace, instance, kind, expected) in [
            ("keepalived.data", None, None, DumpKind::Vrrp, "/t/keepalived.data"),
            ("keepalived.data", None, None, DumpKind::Checkers, "/t/keepalived_check.data"),
            ("/run/x/", None, None, DumpKind::Parent, "/run/x/keepalived_parent.data"),
            ("/run/x.y.d", None, None, DumpKind::Bfd, "/run/x.y_bfd.d"),
            ("sub/x", None, None, DumpKind::Vrrp, "/t/x"),
            ("keepalived.data", Some("ns"), None, DumpKind::Vrrp, "/t/keepalived.ns.data"),
            ("keepalived.data", Some("ns"), Some("a"), DumpKind::Checkers, "/t/keepalived_check.ns_a.data"),
            ("keepalived.data", None, Some("a"), DumpKind::Stats, "/t/keepalived.a.stats"),
            ("keepalived.data", None, Some("a"), DumpKind::Json, "/t/keepalived.a.json"),
        ] {
            let mut global = Global::default();
            global.dumps.state = written.into();
            global.dumps.name_instance = true;
            (global.net_namespace, global.instance_name) =
                (namespace.map(Into::into), instance.map(Into::into));
            assert_eq!(file(&global, kind, tmp), Path::new(expected), "{written}");
        }
    }
}

//! `config_save_dir`: what was read, and how everything stood before and after each reload, for whoever wants to find out
//! what a reload did. In: configurations. Out: files, by a thread of their own: a disk that hangs holds up nothing.
//!
//! | file | what |
//! |---|---|
//! | `keepalived.conf.PID.N` | the files that were read, one after the other; N counts from 0 |
//! | `keepalived_vrrp.PID.N.pre`, `.post` | the dump of virtual routers around reload N, from 1 |
//! | `keepalived_check.PID.N.pre`, `.post` | that of virtual servers |
//! | `keepalived_bfd.PID.N.pre`, `.post` | that of BFD sessions |

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use keepwatch_bus::fact::{DaemonFact, DumpKind};
use keepwatch_bus::{Bus, Reader, WeakBus, World, own_file};
use keepwatch_config::model::{Config, Instance};
use keepwatch_config::source::SourceMap;
use keepwatch_export::dump;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::terminal::plain;
use crate::worker::settings::Settings;

/// What waits to be written; reloads that come faster than the disk takes them are not kept.
const WAITING: usize = 16;
/// Passwords are in it.
const MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;
/// How long a new configuration may take until everything stands as it says.
const SETTLED_WITHIN: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(20);

/// Whoever keeps them.
pub(in crate::worker) struct Saved {
    jobs: mpsc::Sender<Job>,
    /// Reloads so far.
    number: u32,
    bus: WeakBus,
    task: JoinHandle<()>,
}

/// Something to write into a directory.
struct Job {
    directory: PathBuf,
    what: What,
    number: u32,
}

enum What {
    /// What was read.
    Read(String),
    /// How everything stood.
    Before(Box<World>),
    /// How everything stands once these virtual routers are as configured.
    After(Vec<Arc<Instance>>),
}

impl Saved {
    /// Keeps what was read at the start, if the configuration wants that.
    pub(in crate::worker) fn start(config: &Config, sources: &SourceMap, reader: Reader, bus: &Bus) -> Self {
        let (jobs, mut next) = mpsc::channel::<Job>(WAITING);
        let writer = Writer { reader, bus: bus.downgrade() };
        let task = tokio::spawn(async move {
            while let Some(job) = next.recv().await {
                let writer = writer.clone();
                // A mistake of ours in one must not keep others from being written.
                let _ = tokio::task::spawn_blocking(move || writer.write(job)).await;
            }
        });
        let saved = Self { jobs, number: 0, bus: bus.downgrade(), task };
        saved.read(config, sources);
        saved
    }

    /// A reload begins: how everything stands so far, as the configuration in force wants it.
    pub(in crate::worker) fn before(&mut self, reader: &Reader) {
        self.number = self.number.saturating_add(1);
        let world = reader.world();
        if let Some(directory) = world.settings.global.reload.save_directory.clone() {
            let world = Box::new(world.clone());
            self.ask(directory, What::Before(world));
        }
    }

    /// A reload has taken a configuration into use, which was made of these sources.
    pub(in crate::worker) fn after(&self, settings: &Settings, config: &Config, sources: &SourceMap) {
        self.read(config, sources);
        if let Some(directory) = &config.global.reload.save_directory {
            let instances = config.instances.iter().filter(|_| settings.vrrp());
            self.ask(directory.clone(), What::After(instances.cloned().map(Arc::new).collect()));
        }
    }

    /// Ends it; what is being written is written.
    pub(in crate::worker) fn stop(&self) {
        self.task.abort();
    }

    fn read(&self, config: &Config, sources: &SourceMap) {
        let Some(directory) = &config.global.reload.save_directory else { return };
        let text =
            sources.files().map(|file| format!("# {}\n{}\n", file.path.display(), file.text)).collect();
        self.ask(directory.clone(), What::Read(text));
    }

    fn ask(&self, directory: PathBuf, what: What) {
        let kind = match &what {
            What::Read(_) => DumpKind::Parent,
            What::Before(_) | What::After(_) => DumpKind::Vrrp,
        };
        let file = directory.display().to_string();
        if self.jobs.try_send(Job { directory, what, number: self.number }).is_err() {
            let error = format!("{WAITING} others wait to be written");
            self.bus.publish(None, DaemonFact::DumpFailed { dump: kind, file, error });
        }
    }
}

#[derive(Clone)]
struct Writer {
    reader: Reader,
    bus: WeakBus,
}

impl Writer {
    fn write(&self, job: Job) {
        let Job { directory, what, number } = job;
        // Only the last part of the path is made, as the check of the configuration says.
        match DirBuilder::new().mode(DIRECTORY_MODE).create(&directory) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return self.failed(DumpKind::Parent, &directory, &error);
            }
            Ok(()) | Err(_) => {}
        }
        match what {
            What::Read(text) => {
                let name = format!("keepalived.conf.{}.{number}", std::process::id());
                self.save(DumpKind::Parent, &directory.join(name), &text);
            }
            What::Before(world) => self.dump(&directory, &world, number, "pre"),
            What::After(instances) => {
                self.await_these(&instances);
                let world = self.reader.world().clone();
                self.dump(&directory, &world, number, "post");
            }
        }
    }

    /// Virtual routers become as configured a moment after the configuration was accepted.
    fn await_these(&self, instances: &[Arc<Instance>]) {
        let until = Instant::now() + SETTLED_WITHIN;
        let settled = || {
            let world = self.reader.world();
            let known = |wanted: &Arc<Instance>| {
                world.instances.get(&wanted.name).is_some_and(|one| one.settings.model == *wanted)
            };
            world.instances.values().count() == instances.len() && instances.iter().all(known)
        };
        while !settled() && Instant::now() < until {
            std::thread::sleep(LOOK);
        }
    }

    fn dump(&self, directory: &Path, world: &World, number: u32, when: &str) {
        for part in dump::data(world, self.reader.counters()) {
            let process = match part.kind {
                DumpKind::Vrrp => "vrrp",
                DumpKind::Checkers => "check",
                DumpKind::Bfd => "bfd",
                DumpKind::Parent | DumpKind::Stats | DumpKind::StatsCleared | DumpKind::Json => continue,
            };
            let name = format!("keepalived_{process}.{}.{number}.{when}", world.settings.pid);
            self.save(part.kind, &directory.join(name), &part.text);
        }
    }

    fn save(&self, kind: DumpKind, path: &Path, text: &str) {
        if let Err(error) = own_file::replace(path, MODE, text.as_bytes()) {
            self.failed(kind, path, &error);
        }
    }

    fn failed(&self, dump: DumpKind, path: &Path, error: &std::io::Error) {
        let (file, error) = (path.display().to_string(), plain(error).to_string());
        self.bus.publish(None, DaemonFact::DumpFailed { dump, file, error });
    }
}

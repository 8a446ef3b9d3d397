//! What virtual routers follow besides links: scripts, files, processes, BFD sessions; and real servers: files. In: a
//! configuration ([`Trackers::apply`]). Out:
//! facts, and for each change of a [`Level`] a call of whoever follows it, with the event that told of it.
//!
//! | module | what |
//! |---|---|
//! | `script` | when a script is run and what its results mean, as a machine; and a task a script that runs it |
//! | `file` | what a `track_file` says; by [`watch`], which anybody may use who has to know what a file says |
//! | `process` | how many of a program's processes there are and what that means, as a machine; and the thread that is told of processes by the kernel, or looks for them |
//! | `session` | what a `bfd_instance` says; by `keepwatch-bfd` |
//!
//! What nobody follows is not watched, but for BFD sessions: their neighbours may count on them. A thing that a reload left as it was sees nothing of it.

mod file;
mod number;
mod process;
mod script;
mod session;
pub mod watch;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use keepwatch_bus::beat::Beat;
use keepwatch_bus::fact::{Evidence, TrackFact};
use keepwatch_bus::subject::{Name, TrackedKey};
use keepwatch_bus::{Bus, Configured, Counters, EventId};
use keepwatch_model::{Config, LeftOutScript, Level, TrackScript, TrackedKind, Tracker};
use keepwatch_process::Manner;

pub use number::number;

use file::Files;
pub use keepwatch_bfd::THREAD as BFD_THREAD;
use process::Processes;
use script::Scripts;
use session::Bfd;
pub use session::{Schedule, Sessions};

/// What is told a change of level: what, how it stands, and the event that says so. Must return at once.
pub type Tell = Arc<dyn Fn(TrackedKey, Level, Option<EventId>) + Send + Sync>;

/// Everything that a configuration tracks, at work. Dropping it ends all of it, scripts that run included.
#[derive(Debug)]
pub struct Trackers {
    voice: Voice,
    scripts: Scripts,
    files: Files,
    processes: Processes,
    bfd: Bfd,
    known: HashMap<TrackedKey, Configured<Tracker>>,
    left_out: Vec<LeftOutScript>,
}

impl Trackers {
    /// Tracks nothing yet. Changes go to `tell`, after the bus has them.
    pub fn new(bus: Bus, tell: Tell, sessions: Sessions) -> Self {
        let voice = Voice { bus, tell };
        Self {
            scripts: Scripts::new(voice.clone()),
            files: Files::new(voice.clone()),
            processes: Processes::new(voice.clone()),
            bfd: Bfd::new(voice.clone(), sessions),
            voice,
            known: HashMap::new(),
            left_out: Vec::new(),
        }
    }

    /// Tracks what the instances and groups of this configuration follow from now on. `umask` is the command line's.
    /// What is new has been told of by the end of it (a script as undecided, a file by what is in it): whoever starts
    /// virtual routers does so afterwards. Waits for slow disks for a second at most. To be called on a tokio runtime.
    pub fn apply(
        &mut self,
        config: &Config,
        umask: Option<u32>,
        counters: &Counters,
        cause: Option<EventId>,
    ) {
        let all = followed(config);
        self.configure(&all, &config.left_out_scripts, cause);
        let manner = Manner::of(&config.global, umask);
        let (mut scripts, mut files, mut processes, mut bfds) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for tracker in &all {
            match &*tracker.model {
                Tracker::Script(script) => scripts.push(as_followed(script, config)),
                Tracker::File(file) => files.push(file),
                Tracker::Process(process) => processes.push(process),
                Tracker::Bfd(session) => bfds.push(session),
            }
        }
        let scripts: Vec<&TrackScript> = scripts.iter().map(|script| &**script).collect();
        self.scripts.apply(&scripts, manner, counters, cause);
        self.files.apply(&files, cause);
        self.processes.apply(&processes, config.global.receive_buffers.process_monitor, cause);
        self.bfd.apply(&bfds, &config.global.processes, cause);
    }

    /// How the thread of BFD sessions shows that it lives, while there is one.
    pub fn bfd_beat(&self) -> Option<Beat> {
        self.bfd.beat()
    }

    /// Ends BFD sessions in a way that their neighbours understand, and scripts, the deaf ones too; all else ends when this
    /// is dropped.
    pub async fn stop(mut self) {
        tokio::join!(self.bfd.stop(), self.scripts.stop());
    }

    /// Tells what is tracked now.
    fn configure(&mut self, all: &[Configured<Tracker>], left_out: &[LeftOutScript], cause: Option<EventId>) {
        let wanted: HashMap<TrackedKey, Configured<Tracker>> =
            all.iter().map(|tracker| (tracker.key(), tracker.clone())).collect();
        let script = |name: &Name| TrackedKey { kind: TrackedKind::Script, name: name.clone() };
        let gone = self.known.keys().filter(|key| !wanted.contains_key(*key)).cloned();
        let missed_no_more = self.left_out.iter().filter(|before| {
            let still = left_out.iter().any(|script| script.name == before.name);
            !still && !wanted.contains_key(&script(&before.name))
        });
        let gone: Vec<TrackedKey> = gone.chain(missed_no_more.map(|before| script(&before.name))).collect();
        for tracker in gone {
            self.voice.publish(cause, TrackFact::TrackerUnconfigured { tracker });
        }
        for LeftOutScript { name, why, followers } in
            left_out.iter().filter(|new| !self.left_out.contains(new))
        {
            let (tracker, why, followers) = (script(name), why.clone(), followers.clone());
            self.voice.publish(cause, TrackFact::TrackerLeftOut { tracker, why, followers });
        }
        self.left_out = left_out.to_vec();
        for settings in all {
            let tracker = settings.key();
            if self.known.get(&tracker) != Some(settings) {
                let settings = settings.clone();
                self.voice.publish(cause, TrackFact::TrackerConfigured { tracker, settings });
            }
        }
        self.known = wanted;
    }
}

/// `init_fail` is caution: it assumes nothing of a script whose failure is what somebody hopes for (`reverse`), who would be
/// master by an assumption.
fn as_followed<'a>(script: &'a TrackScript, config: &Config) -> Cow<'a, TrackScript> {
    let of_instances = config.instances.iter().map(|instance| &*instance.tracking);
    let of_groups = config.sync_groups.iter().map(|group| &group.tracking);
    let mut lines = of_instances.chain(of_groups).flat_map(|tracking| &tracking.scripts);
    if script.init_fail && lines.any(|line| line.reverse && line.name == script.name) {
        Cow::Owned(TrackScript { init_fail: false, ..script.clone() })
    } else {
        Cow::Borrowed(script)
    }
}

/// What instances, groups and real servers follow, each with its place among its kind, as keepalived counts them: those
/// that nobody follows are left out, but for BFD sessions.
fn followed(config: &Config) -> Vec<Configured<Tracker>> {
    let of_instances = config.instances.iter().map(|instance| &*instance.tracking);
    let of_groups = config.sync_groups.iter().map(|group| &group.tracking);
    let reals = config.virtual_servers.iter().flat_map(|server| &server.real_servers);
    let of_servers = reals.flat_map(|real| real.followed()).map(|(_, followed)| followed.tracked());
    let lines: Vec<TrackedKey> = of_instances
        .chain(of_groups)
        .flat_map(|tracking| tracking.lines())
        .map(|(kind, line)| TrackedKey { kind, name: line.name.clone() })
        .chain(of_servers)
        .collect();
    let wanted: std::collections::HashSet<TrackedKey> = lines.into_iter().collect();
    let scripts = config.track_scripts.iter().cloned().map(Tracker::Script);
    let files = config.track_files.iter().cloned().map(Tracker::File);
    let processes = config.track_processes.iter().cloned().map(Tracker::Process);
    let mut places = HashMap::new();
    let bfds = config.bfd_sessions.iter().cloned().map(Tracker::Bfd);
    let all = scripts.chain(files).chain(processes).filter(|tracker| wanted.contains(&tracker.key()));
    all.chain(bfds)
        .map(|tracker| {
            let place = places.entry(tracker.key().kind).or_insert(0);
            *place += 1;
            Configured::new(*place, tracker)
        })
        .collect()
}

/// How the parts say what they have found.
#[derive(Clone)]
pub(crate) struct Voice {
    bus: Bus,
    tell: Tell,
}

impl fmt::Debug for Voice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Voice")
    }
}

impl Voice {
    pub(crate) fn publish(&self, cause: Option<EventId>, fact: TrackFact) -> EventId {
        self.bus.publish(cause, fact)
    }

    /// Something stands otherwise now: first the bus, then those who follow it.
    pub(crate) fn changed(
        &self,
        cause: Option<EventId>,
        tracker: TrackedKey,
        level: Level,
        evidence: Evidence,
    ) {
        let fact = TrackFact::TrackerChanged { tracker: tracker.clone(), level, evidence };
        let event = self.publish(cause, fact);
        (self.tell)(tracker, level, Some(event));
    }

    /// Something is watched from now on, and has not shown anything yet.
    pub(crate) fn undecided(&self, tracker: TrackedKey) {
        (self.tell)(tracker, Level::Undecided, None);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use keepwatch_config::{Options, load_text};

    use super::*;

    #[test]
    fn nothing_is_assumed_of_a_script_that_is_followed_the_other_way_round() {
        for (of_script, line, expected) in [
            ("init_fail", "chk", true),
            ("init_fail\nweight 10 reverse", "chk", false),
            ("init_fail", "chk weight 0 reverse", false),
            ("", "chk weight 0 reverse", false),
        ] {
            let text = format!(
                "vrrp_script chk {{\n script /usr/bin/true\n{of_script}\n}}\nvrrp_instance VI_1 {{\n interface eth0\n\
                 virtual_router_id 1\n track_script {{\n {line}\n }}\n virtual_ipaddress {{\n 10.0.0.1\n }}\n}}\n"
            );
            let loaded = load_text(Path::new("t.conf"), text, &Options::default());
            let config = loaded.config.unwrap();
            let script = as_followed(&config.track_scripts[0], &config);
            assert_eq!(script.init_fail, expected, "{of_script} {line}");
        }
    }
}

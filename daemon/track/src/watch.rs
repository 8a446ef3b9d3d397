//! What files say, and when they say something else. In: paths. Out: for each a [`Reading`], at once and whenever it is
//! another one. One thread and one inotify descriptor for all files; whoever has to know what a file says (a `track_file`,
//! a `FILE_CHECK`) uses the same [`FileWatch`]:
//!
//! ```
//! # fn main() -> std::io::Result<()> {
//! use keepwatch_track::watch::FileWatch;
//! let watch = FileWatch::start()?;
//! let (sender, told) = std::sync::mpsc::channel();
//! // Called on the thread of the watch: only pass it on. Dropping `watched` ends it.
//! let watched = watch.watch("/run/weight".into(), move |reading| drop(sender.send(reading)));
//! let first = told.recv().unwrap();
//! assert_eq!(first.value, 0, "it is not there: {:?}", first.found);
//! # drop(watched);
//! # Ok(())
//! # }
//! ```
//!
//! A file is read when somebody who wrote to it closes it, and when it is replaced, removed or appears, be it because a
//! directory or a symbolic link on the way to it does. As with keepalived one that is being written does not count before
//! it is closed. What inotify does not tell of (a writer that never closes, a mapped file, another machine's) is seen by a
//! look every [`LOOK`]; a file that can't be watched is looked at every [`LOOK_OFTEN`].

mod places;

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use inotify::{EventMask, Inotify, WatchDescriptor, WatchMask};
use keepwatch_bus::fact::FileContent;
use keepwatch_bus::mailbox::{Receiver, Sender, mailbox};
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::number;

/// Between two looks at files that the kernel tells of.
pub const LOOK: Duration = Duration::from_secs(2);
/// Between two looks at the others.
pub const LOOK_OFTEN: Duration = Duration::from_millis(200);

/// Between two readings of one file: what changes more often is seen so often.
const PACE: Duration = Duration::from_millis(10);
/// How much of a file is read; more than the longest number needs.
const HEAD: u64 = 128;
/// How often the way to a file is gone again because it has changed meanwhile.
const TRIES: usize = 4;

/// What is in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The number that it begins with; 0 where there is none, the one before where it is too large.
    pub value: i32,
    /// How that was found.
    pub found: FileContent,
}

/// The thread that watches files. Cheap to clone; it ends when the last clone and the last [`Watched`] are gone.
#[derive(Clone)]
pub struct FileWatch {
    commands: Sender<Command>,
    next: Arc<AtomicU64>,
    /// Why no file is told of, if that is so.
    unwatched: Option<Arc<str>>,
}

/// A file that is watched, for as long as this lives.
pub struct Watched {
    id: u64,
    commands: Sender<Command>,
}

impl std::fmt::Debug for FileWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FileWatch")
    }
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Watched({})", self.id)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.commands.send(Command::Forget(self.id));
    }
}

type Listener = Box<dyn FnMut(Reading) + Send>;

enum Command {
    Watch { id: u64, path: PathBuf, tell: Listener },
    Forget(u64),
}

impl FileWatch {
    /// Starts the thread. Where the kernel gives no inotify descriptor, files are looked at instead.
    ///
    /// # Errors
    /// When there can be no thread, or no descriptor to wake it by.
    pub fn start() -> io::Result<Self> {
        let (commands, inbox) = mailbox()?;
        let (inotify, unwatched) = match Inotify::init() {
            Ok(inotify) => (Some(inotify), None),
            Err(error) => (None, Some(error.to_string().into())),
        };
        let thread = Thread {
            inotify,
            inbox,
            files: HashMap::new(),
            directories: HashMap::new(),
            next_look: Instant::now() + LOOK,
            next_often: Instant::now() + LOOK_OFTEN,
        };
        std::thread::Builder::new().name("files".into()).spawn(move || thread.run())?;
        Ok(Self { commands, next: Arc::default(), unwatched })
    }

    /// Why files are looked at rather than told of, if they are.
    pub fn unwatched(&self) -> Option<&str> {
        self.unwatched.as_deref()
    }

    /// Watches a file, there or not. `tell` is called with what is in it, at once and for each change, on the thread that
    /// watches all files: it must not wait.
    pub fn watch(&self, path: PathBuf, tell: impl FnMut(Reading) + Send + 'static) -> Watched {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.commands.send(Command::Watch { id, path, tell: Box::new(tell) });
        Watched { id, commands: self.commands.clone() }
    }
}

/// A file.
struct File {
    path: PathBuf,
    tell: Listener,
    /// Where something may happen that changes it: a directory that is watched, and a name in it.
    places: Vec<(WatchDescriptor, OsString)>,
    /// The kernel tells of all of these.
    watched: bool,
    last: Option<Reading>,
    /// What a look has found, if that is something else: it counts when the next look finds it again.
    glimpse: Option<Reading>,
    /// When it was read last.
    read: Option<Instant>,
    /// When it is to be read, because something happened.
    due: Option<Instant>,
    /// The way to it may be another one now.
    moved: bool,
}

struct Thread {
    inotify: Option<Inotify>,
    inbox: Receiver<Command>,
    files: HashMap<u64, File>,
    /// Which files a name in a directory matters to.
    directories: HashMap<WatchDescriptor, HashMap<OsString, Vec<u64>>>,
    next_look: Instant,
    next_often: Instant,
}

impl Thread {
    fn run(mut self) {
        while self.hear() {
            self.hear_kernel();
            self.read_what_is_due();
            self.look();
            self.sleep();
        }
    }

    /// Commands; false when there will be none any more.
    fn hear(&mut self) -> bool {
        self.inbox.rearm();
        loop {
            match self.inbox.try_recv() {
                Some(Command::Watch { id, path, tell }) => {
                    let file = File {
                        path,
                        tell,
                        places: Vec::new(),
                        watched: false,
                        last: None,
                        glimpse: None,
                        read: None,
                        due: None,
                        moved: false,
                    };
                    self.files.insert(id, file);
                    self.find_way(id);
                    self.read(id);
                }
                Some(Command::Forget(id)) => self.forget(id),
                None => return !self.inbox.is_closed(),
            }
        }
    }

    fn forget(&mut self, id: u64) {
        let places = self.files.remove(&id).map(|file| file.places);
        for (watch, name) in places.unwrap_or_default() {
            self.leave(id, &watch, &name);
        }
    }

    fn leave(&mut self, id: u64, watch: &WatchDescriptor, name: &OsString) {
        let Some(names) = self.directories.get_mut(watch) else { return };
        if let Some(ids) = names.get_mut(name) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                names.remove(name);
            }
        }
        if names.is_empty() {
            self.directories.remove(watch);
            if let Some(inotify) = &mut self.inotify {
                // An error says that the directory is gone, and the watch with it.
                let _ = inotify.watches().remove(watch.clone());
            }
        }
    }

    /// Goes the way to a file, and watches each place on which it depends.
    fn find_way(&mut self, id: u64) {
        let Some(path) = self.files.get(&id).map(|file| file.path.clone()) else { return };
        let mut way = places::of(&path);
        for _ in 0..TRIES {
            self.watch_places(id, &way);
            // What changed before it was watched shows now.
            let again = places::of(&path);
            if again == way {
                break;
            }
            way = again;
        }
    }

    fn watch_places(&mut self, id: u64, way: &[(PathBuf, OsString)]) {
        let mask = WatchMask::CLOSE_WRITE
            | WatchMask::CREATE
            | WatchMask::DELETE
            | WatchMask::MOVE
            | WatchMask::DELETE_SELF
            | WatchMask::MOVE_SELF
            | WatchMask::ONLYDIR;
        let mut places = Vec::new();
        let mut watched = true;
        for (directory, name) in way {
            match self.inotify.as_mut().map(|inotify| inotify.watches().add(directory, mask)) {
                Some(Ok(watch)) => places.push((watch, name.clone())),
                Some(Err(_)) | None => watched = false,
            }
        }
        for (watch, name) in &places {
            let ids = self.directories.entry(watch.clone()).or_default().entry(name.clone()).or_default();
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        let Some(file) = self.files.get_mut(&id) else { return };
        file.watched = watched;
        let before = std::mem::replace(&mut file.places, places.clone());
        for place in before.iter().filter(|place| !places.contains(place)) {
            self.leave(id, &place.0, &place.1);
        }
    }

    /// What the kernel tells.
    fn hear_kernel(&mut self) {
        let mut buffer = [0; 16 * 1024];
        loop {
            let Some(inotify) = &mut self.inotify else { return };
            // Nothing more for now; anything else is seen by the next look.
            let Ok(events) = inotify.read_events(&mut buffer) else { return };
            let told: Vec<_> =
                events.map(|event| (event.wd, event.mask, event.name.map(OsString::from))).collect();
            for (watch, mask, name) in told {
                self.hear_event(&watch, mask, name);
            }
        }
    }

    fn hear_event(&mut self, watch: &WatchDescriptor, mask: EventMask, name: Option<OsString>) {
        let now = Instant::now();
        if mask.contains(EventMask::Q_OVERFLOW) {
            // Some of what happened was not told.
            self.files.values_mut().for_each(|file| file.happened(now, true));
            return;
        }
        let ids: Vec<u64> = match (&name, self.directories.get(watch)) {
            (_, None) => return,
            (Some(name), Some(names)) => names.get(name).cloned().unwrap_or_default(),
            // The directory itself.
            (None, Some(names)) => names.values().flatten().copied().collect(),
        };
        if mask.contains(EventMask::IGNORED) {
            self.directories.remove(watch);
        }
        let moved = !mask.contains(EventMask::CLOSE_WRITE);
        for id in ids {
            if let Some(file) = self.files.get_mut(&id) {
                file.happened(now, moved);
            }
        }
    }

    fn read_what_is_due(&mut self) {
        let now = Instant::now();
        let due = |file: &File| file.due.is_some_and(|at| at <= now);
        let ids: Vec<u64> = self.files.iter().filter(|(_, file)| due(file)).map(|(id, _)| *id).collect();
        for id in ids {
            let moved = self.files.get_mut(&id).is_some_and(|file| std::mem::take(&mut file.moved));
            if moved {
                self.find_way(id);
            }
            self.read(id);
        }
    }

    fn read(&mut self, id: u64) {
        let Some(file) = self.files.get_mut(&id) else { return };
        file.due = None;
        file.read = Some(Instant::now());
        let reading = file.look();
        file.take(reading);
    }

    /// Looks at what the kernel may not have told of.
    fn look(&mut self) {
        let now = Instant::now();
        let (all, often) = (self.next_look <= now, self.next_often <= now);
        if all {
            self.next_look = now + LOOK;
        }
        if often {
            self.next_often = now + LOOK_OFTEN;
        }
        if !all && !often {
            return;
        }
        let ids: Vec<u64> =
            self.files.iter().filter(|(_, file)| all || !file.watched).map(|(id, _)| *id).collect();
        for id in ids {
            if all {
                self.find_way(id);
            }
            let Some(file) = self.files.get_mut(&id) else { continue };
            let reading = file.look();
            // Somebody may be writing just now.
            if file.last.as_ref() == Some(&reading) || file.glimpse.as_ref() == Some(&reading) {
                file.take(reading);
            } else {
                file.glimpse = Some(reading);
            }
        }
    }

    fn sleep(&mut self) {
        let looks = (!self.files.is_empty()).then_some(self.next_look);
        let often = self.files.values().any(|file| !file.watched).then_some(self.next_often);
        let due = self.files.values().filter_map(|file| file.due).min();
        let until = [looks, often, due].into_iter().flatten().min();
        let timeout = until.map_or(PollTimeout::NONE, |until| {
            let left = until.saturating_duration_since(Instant::now()) + Duration::from_micros(999);
            PollTimeout::try_from(left.as_millis()).unwrap_or(PollTimeout::MAX)
        });
        let mut waited = vec![PollFd::new(self.inbox.as_fd(), PollFlags::POLLIN)];
        waited.extend(self.inotify.as_ref().map(|inotify| PollFd::new(inotify.as_fd(), PollFlags::POLLIN)));
        // An error is an interruption: the next turn finds out what there is.
        let _ = poll(&mut waited, timeout);
    }
}

impl File {
    fn happened(&mut self, now: Instant, moved: bool) {
        let at = self.read.map_or(now, |read| now.max(read + PACE));
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
        self.moved |= moved;
    }

    fn take(&mut self, reading: Reading) {
        self.glimpse = None;
        if self.last.as_ref() != Some(&reading) {
            self.last = Some(reading.clone());
            (self.tell)(reading);
        }
    }

    fn look(&self) -> Reading {
        match head(&self.path).and_then(|text| number(&text)) {
            Ok(value) => Reading { value, found: FileContent::Number },
            Err(FileContent::TooLarge) => {
                let value = self.last.as_ref().map_or(0, |last| last.value);
                Reading { value, found: FileContent::TooLarge }
            }
            Err(found) => Reading { value: 0, found },
        }
    }
}

/// The beginning of a file. Waits neither for a writer of a pipe nor for one that holds a lease.
fn head(path: &Path) -> Result<Vec<u8>, FileContent> {
    let refused = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => FileContent::Missing,
        _ => FileContent::Unreadable(error.to_string()),
    };
    let open = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path);
    let mut text = Vec::new();
    match open.map_err(refused)?.take(HEAD).read_to_end(&mut text) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(refused(error)),
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests;

//! What happened lately: the last events in memory, and the same in a bounded file that survives restarts.
//!
//! The file is JSON, one event a line. When it reaches half of its bound it becomes `FILE.1` and a new one begins,
//! so that the two never take more than the bound. A thread of its own writes it, as a watching consumer: a full or
//! hung disk costs events in the file, which are counted, and nothing else.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::event::{Event, EventId};
use crate::fact::DaemonFact;
use crate::hub::WeakBus;
use crate::own_file;
use crate::watcher::Watcher;

/// Publishers on different threads may overtake each other by so many places, or a few more.
const OVERTAKEN: u64 = 64;
/// So far before the first that is held, an event is held no longer.
const GONE: u64 = 1024;
/// No daemon comes so far; one that went on after such a number, of a file that somebody wrote, would have none left.
const LAST_ID: u64 = u64::MAX / 2;

/// The last events, oldest first.
#[derive(Clone, Debug)]
pub struct History {
    events: VecDeque<Arc<Event>>,
    capacity: usize,
}

impl History {
    /// Holds at most `capacity` events (at least one).
    pub fn new(capacity: usize) -> Self {
        Self { events: VecDeque::new(), capacity: capacity.max(1) }
    }

    /// Adds the newest, dropping the oldest when full.
    pub fn push(&mut self, event: Arc<Event>) {
        if self.events.len() == self.capacity {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    /// All, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Event>> + ExactSizeIterator {
        self.events.iter()
    }

    /// The event of that number, if it is still held.
    pub fn get(&self, id: EventId) -> Option<&Arc<Event>> {
        if self.events.front().is_none_or(|first| id.0.saturating_add(GONE) < first.id.0) {
            // All need not be looked through for it: a story asks for many causes that are gone.
            return None;
        }
        // Almost sorted by id.
        let near = self.events.partition_point(|e| e.id.0 + OVERTAKEN < id.0);
        self.events
            .iter()
            .skip(near)
            .take(256)
            .find(|e| e.id == id)
            .or_else(|| self.events.iter().find(|e| e.id == id))
    }

    /// The chain of causes that ends in `id`, root first. Ends early where an event is no longer held.
    pub fn chain(&self, id: EventId) -> Vec<Arc<Event>> {
        let mut chain = Vec::new();
        let mut next = Some(id);
        while let Some(event) = next.and_then(|id| self.get(id)) {
            chain.push(event.clone());
            // A cause is always older; a file edited by hand must not send us in circles.
            next = event.cause.filter(|c| *c < event.id);
        }
        chain.reverse();
        chain
    }

    /// Everything that followed from `id`, directly or not, oldest first; `id` itself not among them.
    pub fn consequences(&self, id: EventId) -> Vec<Arc<Event>> {
        let mut known = std::collections::HashSet::from([id]);
        let follows = |e: &&Arc<Event>| e.cause.is_some_and(|c| known.contains(&c)) && known.insert(e.id);
        self.events.iter().filter(follows).cloned().collect()
    }
}

/// What a history file held.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recorded {
    /// Its events, oldest first.
    pub events: Vec<Event>,
    /// Lines among them that could not be read.
    pub passed_over: u64,
}

/// Where the history file is and how large it may become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSettings {
    /// The file; its directory must exist.
    pub path: PathBuf,
    /// Bound in bytes of the file and its predecessor together.
    pub max_bytes: u64,
}

impl FileSettings {
    fn previous(&self) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(".1");
        name.into()
    }

    /// The last `capacity` events of the file and its predecessor, oldest first. Lines that can't be read (a write
    /// cut short by a crash, facts of a version that told them otherwise) are passed over and counted; a file that is
    /// not there is an empty one.
    ///
    /// # Errors
    /// When a file is there but can't be read.
    pub fn load(&self, capacity: usize) -> io::Result<Recorded> {
        // From the end, so that what is too old is not parsed: a daemon that starts wants to get on.
        let (mut events, mut passed_over) = (VecDeque::new(), 0);
        for path in [self.path.clone(), self.previous()] {
            let (text, whole) = match own_file::read(&path) {
                Ok(file) => last_bytes(file, self.max_bytes)?,
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => return Err(e),
            };
            for line in text.rsplit(|&byte| byte == b'\n') {
                if events.len() >= capacity.max(1) {
                    return Ok(Recorded { events: events.into(), passed_over });
                }
                match serde_json::from_slice::<Event>(line) {
                    Ok(event) if event.id.0 <= LAST_ID => events.push_front(event),
                    Err(_) if line.is_empty() => {}
                    Ok(_) | Err(_) => passed_over += 1,
                }
            }
            if !whole {
                // What is in the other one was before what was left out here.
                break;
            }
        }
        Ok(Recorded { events: events.into(), passed_over })
    }
}

/// The last lines of a file, of at most so many bytes together, and whether that is all: a larger one is of another
/// `max_bytes`, or not ours, and need not be read to its beginning.
fn last_bytes(mut file: File, most: u64) -> io::Result<(Vec<u8>, bool)> {
    let surplus = file.metadata()?.len().saturating_sub(most);
    file.seek(SeekFrom::Start(surplus))?;
    let mut text = Vec::new();
    // One that is written to meanwhile is not followed.
    file.take(most).read_to_end(&mut text)?;
    if surplus > 0 {
        // The rest of a line.
        let line = text.iter().position(|&byte| byte == b'\n').map_or(text.len(), |end| end + 1);
        text.drain(..line);
    }
    Ok((text, surplus == 0))
}

/// Starts the thread that writes the history file from what `watcher` sees. It ends when the hub does; join it to
/// know that all is written.
///
/// # Errors
/// When the thread can't be started. A file that can't be written is no error: it is told as
/// [`DaemonFact::HistoryFailed`] and tried again with each event.
pub fn write_file(
    settings: FileSettings,
    watcher: Watcher,
    bus: WeakBus,
) -> io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new().name("history".into()).spawn(move || Writer::new(settings, bus).run(watcher))
}

/// Whether the last line of a file is whole; so it counts where the file can't be read.
fn ends_with_its_line(path: &Path) -> bool {
    let last = || -> io::Result<[u8; 1]> {
        let (mut file, mut last) = (own_file::read(path)?, [0]);
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        Ok(last)
    };
    last().map_or(true, |last| last == *b"\n")
}

struct Writer {
    settings: FileSettings,
    bus: WeakBus,
    file: Option<File>,
    size: u64,
    /// Events lost since writing began to fail; none while it works.
    failing: Option<u64>,
}

impl Writer {
    fn new(settings: FileSettings, bus: WeakBus) -> Self {
        Self { settings, bus, file: None, size: 0, failing: None }
    }

    fn run(mut self, mut watcher: Watcher) {
        let mut line = Vec::with_capacity(512);
        while let Some(seen) = watcher.next_blocking() {
            line.clear();
            if serde_json::to_writer(&mut line, &*seen.event).is_err() {
                continue;
            }
            line.push(b'\n');
            let lost = match self.append(&line) {
                Ok(()) => seen.missed,
                Err(error) => {
                    self.file = None;
                    self.complain(&error);
                    seen.missed + 1
                }
            };
            self.account(lost);
        }
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) if self.size + line.len() as u64 <= self.settings.max_bytes / 2 => file,
            _ => self.reopen(line.len() as u64)?,
        };
        file.write_all(line)?;
        self.size += line.len() as u64;
        Ok(())
    }

    fn reopen(&mut self, more: u64) -> io::Result<&mut File> {
        let path: &Path = &self.settings.path;
        let size = std::fs::symlink_metadata(path).map_or(0, |m| m.len());
        if size > 0 && size + more > self.settings.max_bytes / 2 {
            std::fs::rename(path, self.settings.previous())?;
        }
        let mut file = own_file::append(path, own_file::PRIVATE)?;
        self.size = file.metadata()?.len();
        if self.size > 0 && !ends_with_its_line(path) {
            // A line stands there in part, from a crash or a full disk: end it, so that the next one is whole.
            file.write_all(b"\n")?;
            self.size += 1;
        }
        Ok(self.file.insert(file))
    }

    fn complain(&mut self, error: &io::Error) {
        if self.failing.is_none() {
            self.failing = Some(0);
            let file = self.settings.path.display().to_string();
            self.bus.publish(None, DaemonFact::HistoryFailed { file, error: error.to_string() });
        }
    }

    /// Adds to what was lost, and tells when writing works again.
    fn account(&mut self, lost: u64) {
        if let Some(sum) = &mut self.failing {
            *sum += lost;
            if self.file.is_some() {
                let (file, lost) = (self.settings.path.display().to_string(), *sum);
                self.failing = None;
                self.bus.publish(None, DaemonFact::HistoryRecovered { file, lost });
            }
        }
    }
}

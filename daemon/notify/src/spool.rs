//! Mails that wait, on disk: one file each, so that neither a restart nor a crash loses one. In: mails to keep and to
//! forget, from a task that must not wait for a disk. Out: at the start, what an earlier run left.
//!
//! A thread of its own, while there is something to do, has the directory (0700, our own). A file is written aside, brought to the disk and then renamed,
//! so that it is whole or not there. A disk that fails costs the safety of mails over a restart, which is told once, and
//! not the mails.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use keepwatch_bus::fact::ConsumerFact;
use keepwatch_bus::{WeakBus, own_file};
use nix::unistd::geteuid;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::Letter;

/// Orders that may wait for the disk.
const ORDERS: usize = 4096;
/// No mail is longer; a file that is, is none of ours.
const LONGEST: u64 = 1024 * 1024;

/// A mail that waits, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its number, in the order in which mails came.
    pub number: u64,
    /// What it says.
    pub letter: Letter,
    /// Since when it waits, milliseconds since 1970.
    pub since: u64,
    /// Who is still to get it; everybody if `None`.
    pub to: Option<Vec<String>>,
    /// Tries so far.
    pub tries: u32,
}

enum Order {
    Keep(Box<Kept>),
    Forget(u64),
}

/// The directory, or nothing where mails wait in memory only.
pub struct Spool {
    desk: Option<Arc<Desk>>,
    bus: WeakBus,
    lossy: bool,
}

/// What an earlier run left, as soon as it is read; at most so many, the newest, in their order.
pub type Left = oneshot::Receiver<Vec<Kept>>;

impl Spool {
    /// Keeps nothing.
    pub fn none(bus: WeakBus) -> Self {
        Self { desk: None, bus, lossy: false }
    }

    /// Keeps mails in this directory, at most `capacity` of an earlier run.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub fn open(directory: PathBuf, capacity: usize, bus: WeakBus) -> io::Result<(Self, Left)> {
        let (give, left) = oneshot::channel();
        let teller = Teller { directory: directory.clone(), bus: bus.clone(), told: false };
        let desk = Arc::new(Desk {
            directory,
            waiting: Mutex::new(Waiting { works: true, ..Waiting::default() }),
            teller: Mutex::new(teller),
        });
        let begun = desk.clone();
        spawn(move || begun.begin(capacity, give))?;
        Ok((Self { desk: Some(desk), bus, lossy: false }, left))
    }

    /// Keeps a mail, in place of what was kept under its number.
    pub fn keep(&mut self, kept: Kept) {
        self.order(Order::Keep(Box::new(kept)));
    }

    /// Forgets a mail that has come to its end.
    pub fn forget(&mut self, number: u64) {
        self.order(Order::Forget(number));
    }

    fn order(&mut self, order: Order) {
        let Some(desk) = &self.desk else { return };
        if !desk.order(order) && !self.lossy {
            self.lossy = true;
            let error =
                "the disk is too slow: mails that wait may be lost or sent twice at a restart".to_owned();
            self.bus.publish(None, ConsumerFact::ConsumerFailed { consumer: "mail queue".into(), error });
        }
    }

    /// Waits until all orders are done, at most so long; those that no thread could be had for are done here.
    pub fn close(self, within: Duration) {
        let Some(desk) = self.desk else { return };
        let until = Instant::now() + within;
        while Instant::now() < until {
            if desk.begins() {
                return desk.work(Some(until));
            }
            if desk.waiting.lock().is_done() {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name("mail-queue".into()).spawn(work).map(drop)
}

/// What is shared with the thread that has the directory. It is there only while there is something for it to do: most
/// daemons never send a mail.
struct Desk {
    directory: PathBuf,
    waiting: Mutex<Waiting>,
    /// The thread's own.
    teller: Mutex<Teller>,
}

#[derive(Default)]
struct Waiting {
    orders: VecDeque<Order>,
    /// There is a thread, which looks for orders before it ends.
    works: bool,
    /// The directory can't be used.
    useless: bool,
}

impl Waiting {
    /// Takes an order, in place of one about the same mail that still waits; false if too many wait.
    fn take(&mut self, order: Order) -> bool {
        if let Some(earlier) = self.orders.iter().rposition(|waits| waits.number() == order.number()) {
            let earlier = self.orders.remove(earlier);
            // A mail that was never tried is kept once: there is nothing on disk to be removed.
            if let (Some(Order::Keep(kept)), Order::Forget(_)) = (earlier, &order)
                && kept.tries == 0
            {
                return true;
            }
        }
        let room = self.orders.len() < ORDERS;
        if room {
            self.orders.push_back(order);
        }
        room
    }

    fn is_done(&self) -> bool {
        self.orders.is_empty() && !self.works
    }
}

impl Order {
    fn number(&self) -> u64 {
        match self {
            Self::Keep(kept) => kept.number,
            Self::Forget(number) => *number,
        }
    }
}

impl Desk {
    /// Has it done, as soon as there is a thread for it; false if it will not be, because too many wait.
    fn order(self: &Arc<Self>, order: Order) -> bool {
        {
            let mut waiting = self.waiting.lock();
            if waiting.useless {
                return true;
            }
            if !waiting.take(order) {
                return false;
            }
        }
        if self.begins() {
            let desk = self.clone();
            if let Err(error) = spawn(move || desk.work(None)) {
                self.no_thread(&error);
            }
        }
        true
    }

    /// Whether there is something to do that nobody does; who asks has to do it.
    fn begins(&self) -> bool {
        let mut waiting = self.waiting.lock();
        let begins = !waiting.works && !waiting.orders.is_empty();
        waiting.works |= begins;
        begins
    }

    /// What was ordered waits for the next order, or for the end. It is over when a mail is on disk again.
    fn no_thread(&self, error: &io::Error) {
        self.waiting.lock().works = false;
        self.teller.lock().went(Err(io::Error::other(format!("no thread to write it: {error}"))));
    }

    /// Reads what an earlier run left, and goes on with orders.
    fn begin(&self, capacity: usize, give: oneshot::Sender<Vec<Kept>>) {
        let left = {
            let mut teller = self.teller.lock();
            let left = prepare(&self.directory).and_then(|()| read(&self.directory, capacity, &teller));
            left.unwrap_or_else(|error| {
                teller.went(Err(error));
                self.waiting.lock().useless = true;
                Vec::new()
            })
        };
        // Nobody may want it any more.
        let _ = give.send(left);
        self.work(None);
    }

    /// Does all orders, or as many as can be begun by then.
    fn work(&self, until: Option<Instant>) {
        let mut teller = self.teller.lock();
        loop {
            let order = {
                let mut waiting = self.waiting.lock();
                if waiting.useless {
                    waiting.orders.clear();
                }
                let late = until.is_some_and(|until| Instant::now() >= until);
                let order = if late { None } else { waiting.orders.pop_front() };
                let Some(order) = order else {
                    waiting.works = false;
                    return;
                };
                order
            };
            teller.went(match order {
                Order::Keep(kept) => write(&self.directory, &kept),
                Order::Forget(number) => match fs::remove_file(path(&self.directory, number)) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                    result => result,
                },
            });
        }
    }
}

/// Tells of a disk that fails, once in a row, and when it takes mails again.
struct Teller {
    directory: PathBuf,
    bus: WeakBus,
    told: bool,
}

impl Teller {
    fn went(&mut self, result: io::Result<()>) {
        match result {
            Ok(()) if self.told => {
                self.told = false;
                self.bus.publish(None, ConsumerFact::ConsumerWorks { consumer: "mail queue".into() });
            }
            Ok(()) => {}
            Err(error) if !self.told => {
                self.told = true;
                let error = format!(
                    "{}: {error}; mails that wait do not outlive a restart",
                    self.directory.display()
                );
                self.bus.publish(None, ConsumerFact::ConsumerFailed { consumer: "mail queue".into(), error });
            }
            Err(_) => {}
        }
    }

    /// A mail can't be read, and stays where it is.
    fn unread(&self, path: &Path, error: &io::Error) {
        let error = format!("{}: {error}; what it holds is not sent before the next start", path.display());
        self.bus.publish(None, ConsumerFact::ConsumerFailed { consumer: "mail queue".into(), error });
    }
}

fn prepare(directory: &Path) -> io::Result<()> {
    own_file::directory_for(directory)?;
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made,
    }
    let found = fs::symlink_metadata(directory)?;
    if !found.is_dir() {
        return Err(io::Error::other("it is no directory"));
    }
    if found.uid() != geteuid().as_raw() || found.mode() & 0o022 != 0 {
        return Err(io::Error::other("others may write into it"));
    }
    Ok(())
}

/// Reads what is there; what is none of ours is left alone, what was cut short is removed. What only can't be read now
/// stays for the next start: the first such is told.
fn read(directory: &Path, capacity: usize, teller: &Teller) -> io::Result<Vec<Kept>> {
    let (mut all, mut unread) = (Vec::new(), None);
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("new") => {
                let _ = fs::remove_file(&path);
            }
            Some("mail") => match read_one(&path) {
                Ok(kept) if path == self::path(directory, kept.number) => all.push(kept),
                Err(error) if !is_no_mail(&error) => unread = unread.or(Some((path, error))),
                Ok(_) | Err(_) => {
                    let _ = fs::remove_file(&path);
                }
            },
            _ => {}
        }
    }
    if let Some((path, error)) = unread {
        teller.unread(&path, &error);
    }
    all.sort_by_key(|kept| kept.number);
    let surplus = all.len().saturating_sub(capacity);
    for kept in all.drain(..surplus) {
        let _ = fs::remove_file(path(directory, kept.number));
    }
    Ok(all)
}

/// Whether a file was read, and what is in it is no mail.
fn is_no_mail(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

fn read_one(path: &Path) -> io::Result<Kept> {
    let mut text = Vec::new();
    own_file::read(path)?.take(LONGEST).read_to_end(&mut text)?;
    serde_json::from_slice(&text).map_err(io::Error::from)
}

fn write(directory: &Path, kept: &Kept) -> io::Result<()> {
    let path = path(directory, kept.number);
    let aside = path.with_extension("new");
    let _ = fs::remove_file(&aside);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
    file.write_all(&serde_json::to_vec(kept)?)?;
    file.sync_data()?;
    fs::rename(&aside, &path)?;
    // Its name is on the disk with this.
    File::open(directory)?.sync_all()
}

fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:020}.mail"))
}

#[cfg(test)]
mod tests;

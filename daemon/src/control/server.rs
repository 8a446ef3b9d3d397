//! The daemon's end of the control socket. In: a [`Reader`] of the bus. Out: answers to clients. Only a reload, and how much
//! is logged, changes anything; it runs on the ordinary runtime, and what a client may take is bounded: a question of
//! 64 KiB within ten seconds, an answer that is accepted within ten seconds, as many clients as [`CLIENTS`], of which
//! [`FOLLOWERS`] may stay. When all places are taken, a further client gets that of the longest idle one.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use keepwatch_bus::fact::{DaemonFact, DumpKind};
use keepwatch_bus::{Event, History, Reader, WeakBus, World, own_file};
use keepwatch_export::{Guarded, Place, Places, dump};
use nix::sys::socket::{self, AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, socket};
use nix::sys::stat::{Mode, fchmod};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader, WriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::protocol::{Answer, DumpAsked, Filter, Question};
use super::why::{names_of, now, why};
use crate::logging::levels::{self, Levels};
use crate::worker::parts::dumps::Zero;
use crate::worker::reload::Wanted;

/// Clients at a time.
pub const CLIENTS: usize = 48;
/// Clients at a time that follow events; further ones are refused, so that there is always room for a short question.
pub const FOLLOWERS: usize = 16;
const PATIENCE: Duration = Duration::from_secs(10);
const LONGEST_QUESTION: u64 = 64 * 1024;

/// What clients ask about, and may change.
#[derive(Clone)]
pub(crate) struct Asked {
    /// The world and its history.
    pub(crate) reader: Reader,
    /// From where dumps count.
    pub(crate) zero: Zero,
    /// How much is logged.
    pub(crate) levels: Arc<Levels>,
    /// Where it is told what a client changed.
    pub(crate) bus: WeakBus,
    /// Where a reload is asked for.
    pub(crate) reloads: mpsc::Sender<Wanted>,
}

/// A bound control socket; the file goes with it.
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
}

impl Server {
    /// Binds the socket (mode 0600), replacing one that nobody listens on.
    ///
    /// # Errors
    /// When another daemon listens there, or the system refuses.
    pub async fn bind(path: &Path) -> io::Result<Self> {
        own_file::directory_for(path)?;
        if !path.is_symlink() && UnixStream::connect(path).await.is_ok() {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another daemon listens there"));
        }
        own_file::clear_for_socket(path)?;
        let listener = UnixListener::from_std(listen(path)?.into())?;
        Ok(Self { listener, path: path.to_path_buf() })
    }

    /// Answers clients until it is dropped.
    pub(crate) async fn run(self, asked: Asked) {
        let places = Places::new(CLIENTS);
        let followers = Arc::new(Semaphore::new(FOLLOWERS));
        let mut clients = JoinSet::new();
        loop {
            match self.listener.accept().await {
                Ok((client, _)) => {
                    let (asked, followers) = (asked.clone(), followers.clone());
                    places.admit(&mut clients, |place| async move {
                        // A client that went away is nobody's concern.
                        let _ = serve(client, place, &asked, &followers).await;
                    });
                }
                // Out of descriptors, most likely: wait for better times.
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
            while clients.try_join_next().is_some() {}
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A listening socket that nobody else may connect to, not even in its first moment: it gets its mode before its name.
fn listen(path: &Path) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    fchmod(&socket, Mode::S_IRUSR | Mode::S_IWUSR)?;
    bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    socket::listen(&socket, Backlog::new(CLIENTS as i32)?)?;
    Ok(socket)
}

/// Where answers go.
type Write = WriteHalf<Guarded<UnixStream>>;

async fn serve(client: UnixStream, place: Place, asked: &Asked, followers: &Semaphore) -> io::Result<()> {
    let reader = &asked.reader;
    let (read, mut write) = tokio::io::split(Guarded::new(client, PATIENCE, place.clone()));
    let mut line = String::new();
    let mut read = BufReader::new(read.take(LONGEST_QUESTION));
    timeout(PATIENCE, read.read_line(&mut line)).await??;
    match serde_json::from_str(&line) {
        Ok(Question::Status) => {
            let world = Box::new(reader.world().clone());
            say(&mut write, &Answer::Status { now: Timestamp::now(), world }).await
        }
        Ok(Question::Follow) => match followers.try_acquire() {
            Ok(_follower) => {
                let _stream = place.stream();
                tokio::select! {
                    told = keep_told(&mut write, reader) => told,
                    () = gone(read) => Ok(()),
                }
            }
            Err(_) => say(&mut write, &too_many()).await,
        },
        Ok(Question::Events { last, follow: false, filter }) => {
            events(&mut write, reader, last, false, filter).await
        }
        Ok(Question::Events { last, follow: true, filter }) => match followers.try_acquire() {
            Ok(_follower) => {
                let _stream = place.stream();
                tokio::select! {
                    told = events(&mut write, reader, last, true, filter) => told,
                    () = gone(read) => Ok(()),
                }
            }
            Err(_) => say(&mut write, &too_many()).await,
        },
        Ok(Question::Reload) => {
            // It may take as long as the files take to be read.
            let _stream = place.stream();
            let answer = tokio::select! {
                answer = reload(&asked.reloads) => answer,
                () = gone(read) => return Ok(()),
            };
            say(&mut write, &answer).await
        }
        Ok(Question::LogLevel { set }) => {
            let answer = log_levels(asked, &set);
            say(&mut write, &answer).await
        }
        Ok(Question::Dump { what }) => {
            let (reader, zero) = (reader.clone(), asked.zero.clone());
            let made = tokio::task::spawn_blocking(move || dumped(&reader, &zero, what)).await;
            say(&mut write, &made.map_err(io::Error::other)??).await
        }
        Ok(Question::Why { subject }) => {
            let answer = explain(reader, subject.as_deref());
            say(&mut write, &answer).await
        }
        Err(error) => say(&mut write, &Answer::Error { message: format!("not a question: {error}") }).await,
    }
}

fn too_many() -> Answer {
    Answer::Error { message: format!("{FOLLOWERS} others follow events already") }
}

/// All of what is asked for is done, or nothing.
fn log_levels(asked: &Asked, set: &[String]) -> Answer {
    match set.iter().map(|wish| levels::parse(wish)).collect::<Result<Vec<_>, _>>() {
        Err(message) => Answer::Error { message },
        Ok(wishes) => {
            asked.levels.set(&wishes);
            if !set.is_empty() {
                asked.bus.publish(None, DaemonFact::LogLevelsSet { levels: set.join(" ") });
            }
            let levels = asked.levels.all().into_iter();
            let levels = levels.map(|(subsystem, level)| (subsystem.to_string(), level.to_string()));
            Answer::LogLevels { levels: levels.collect() }
        }
    }
}

/// The world, and then what changes it.
async fn keep_told(write: &mut Write, reader: &Reader) -> io::Result<()> {
    loop {
        let (world, mut watcher) = reader.follow("control");
        say(write, &Answer::Status { now: Timestamp::now(), world: Box::new(world) }).await?;
        loop {
            let Some(seen) = watcher.next().await else { return Ok(()) };
            if seen.missed > 0 {
                break;
            }
            tell(write, seen.event).await?;
        }
    }
}

/// Waits until a client hangs up: one that follows events holds a place, and nothing may happen for days.
async fn gone(mut read: impl AsyncRead + Unpin) {
    let mut ignored = [0; 64];
    while matches!(read.read(&mut ignored).await, Ok(1..)) {}
}

async fn reload(reloads: &mpsc::Sender<Wanted>) -> Answer {
    let (tell, told) = oneshot::channel();
    let sent = reloads.send(Some(tell)).await.is_ok();
    match (sent, told.await) {
        (true, Ok(outcome)) => Answer::Reload { outcome },
        _ => Answer::Error { message: "the daemon is stopping".into() },
    }
}

fn dumped(reader: &Reader, zero: &Zero, what: DumpAsked) -> io::Result<Answer> {
    let (world, counters) = (reader.world().clone(), reader.counters());
    let zero = zero.lock().unwrap_or_else(PoisonError::into_inner);
    let text = match what {
        DumpAsked::Data => {
            let parts = dump::data(&world, counters).into_iter();
            // It has nothing that is not in the others too.
            parts.filter(|part| part.kind != DumpKind::Parent).map(|part| part.text).collect()
        }
        DumpAsked::Stats => dump::stats(&world, counters, &zero),
        DumpAsked::Json => dump::json(&world, counters, &zero)?,
    };
    Ok(Answer::Dump { text })
}

/// Copies of what is held: looking through it takes longer than copying it, and who publishes would have to wait meanwhile.
fn now_held(reader: &Reader) -> (World, History) {
    let (world, history) = (reader.world(), reader.history());
    (world.clone(), history.clone())
}

fn explain(reader: &Reader, subject: Option<&str>) -> Answer {
    let (world, history) = now_held(reader);
    let Some(subject) = subject else {
        return Answer::Now { now: Timestamp::now(), state: now(&world, &history) };
    };
    match why(&world, &history, subject) {
        Ok(subjects) => Answer::Why { now: Timestamp::now(), subjects },
        Err(message) => Answer::Error { message },
    }
}

async fn events(
    write: &mut Write,
    reader: &Reader,
    last: Option<usize>,
    follow: bool,
    filter: Filter,
) -> io::Result<()> {
    let mut names = Vec::new();
    if let Some(subject) = &filter.subject {
        let (world, history) = now_held(reader);
        names = names_of(&world, &history, subject);
        // An empty answer would say that nothing happened to what is only misspelt.
        if !history.iter().any(|event| event.mentions().iter().any(|name| names.contains(name)))
            && let Err(message) = why(&world, &history, subject)
        {
            return say(write, &Answer::Error { message }).await;
        }
    }
    // Watch first, then look back: what is in both is told by its number.
    let mut watcher = follow.then(|| reader.watch("control"));
    let past: Vec<Arc<Event>> = {
        // A copy: each event is looked at closely.
        let history = reader.history().clone();
        let wanted = history.iter().rev().filter(|event| filter.wants(event, &names));
        let mut past: Vec<_> = wanted.take(last.unwrap_or(usize::MAX)).cloned().collect();
        past.reverse();
        past
    };
    let told: std::collections::HashSet<_> = past.iter().map(|event| event.id).collect();
    for event in past {
        tell(write, event).await?;
    }
    while let Some(watcher) = &mut watcher {
        let Some(seen) = watcher.next().await else { break };
        if seen.missed > 0 {
            say(write, &Answer::Missed { count: seen.missed }).await?;
        }
        if !told.contains(&seen.event.id) && filter.wants(&seen.event, &names) {
            tell(write, seen.event).await?;
        }
    }
    Ok(())
}

async fn tell(write: &mut Write, event: Arc<Event>) -> io::Result<()> {
    let line = event.line().map(|line| line.text);
    say(write, &Answer::Event { event, line }).await
}

/// Says it; a client that takes nothing of it for [`PATIENCE`] has gone.
async fn say(write: &mut Write, answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    write.write_all(&line).await
}

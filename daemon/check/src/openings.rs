//! Connections that are opened only to see that they can be (`TCP_CHECK`): there may be tens of thousands of them a second,
//! so that none has a task of its own. What is known of each is a row of a table. Those that have just begun are looked at
//! together once: many are open by then, or refused. The others are watched by one epoll descriptor.
//!
//! [`Openings::begin`] begins one; [`Openings::wait`] waits until there may be news, [`Openings::news`] takes them, and
//! [`Openings::deadline`] says when the first has had its time.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use keepwatch_bus::mailbox;
use keepwatch_model::Connection;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use socket2::Socket;
use tokio::io::unix::AsyncFd;

use crate::connect;
use crate::outcome::Outcome;
use crate::roster::CheckerId;

/// News that are taken at once.
const AT_ONCE: usize = 64;

/// How the opening of a connection came out, and what it took.
pub(crate) type Opened = (CheckerId, Outcome, Duration);

/// See the module.
pub(crate) struct Openings {
    epoll: Epoll,
    /// The same descriptor, for the runtime.
    watch: AsyncFd<OwnedFd>,
    rows: Vec<Row>,
    free: Vec<u32>,
    /// Rises with each opening: what the kernel still says of another one in the same row is about nobody.
    uses: u32,
    /// The rows of those that nobody has looked at yet.
    fresh: Vec<u32>,
    /// How many the epoll descriptor watches.
    watched: usize,
    /// When each has had its time.
    limits: BTreeSet<(Instant, u32)>,
}

#[derive(Default)]
struct Row {
    /// Which one of all the openings it is, or was, used for.
    use_of_it: u32,
    opening: Option<Opening>,
}

struct Opening {
    id: CheckerId,
    socket: Socket,
    began: Instant,
    limit: Duration,
    watched: bool,
}

impl Opening {
    fn until(&self) -> Instant {
        self.began + self.limit
    }
}

impl Openings {
    /// None yet, on the runtime of the caller.
    ///
    /// # Errors
    /// When there is no descriptor for it.
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let watch = mailbox::watch(epoll.0.try_clone()?)?;
        let (rows, free, fresh) = Default::default();
        Ok(Self { epoll, watch, rows, free, uses: 0, fresh, watched: 0, limits: BTreeSet::new() })
    }

    /// Begins one; it began just now.
    ///
    /// # Errors
    /// What the check comes to if that is known already.
    pub(crate) fn begin(
        &mut self,
        id: CheckerId,
        settings: &Connection,
        began: Instant,
    ) -> Result<(), Outcome> {
        let socket = connect::begin(settings)?;
        let number = self.free.pop().unwrap_or_else(|| {
            self.rows.push(Row::default());
            u32::try_from(self.rows.len() - 1).unwrap_or(u32::MAX)
        });
        let Some(row) = self.rows.get_mut(number as usize) else {
            return Err(Outcome::NotRun("too many connections at once".to_owned()));
        };
        self.uses = self.uses.wrapping_add(1);
        row.use_of_it = self.uses;
        let opening = Opening { id, socket, began, limit: settings.connect_timeout, watched: false };
        self.limits.insert((opening.until(), number));
        row.opening = Some(opening);
        self.fresh.push(number);
        Ok(())
    }

    /// Looks at those that have begun since this was called last: most are over, where servers are near. The others are
    /// watched.
    fn look(&mut self, tell: &mut impl FnMut(Opened)) {
        if self.fresh.is_empty() {
            return;
        }
        let fresh = std::mem::take(&mut self.fresh);
        let answers = self.answers(&fresh);
        let now = Instant::now();
        for (number, answer) in fresh.into_iter().zip(answers) {
            let unwatched = if answer.is_empty() { self.watch_row(number).err() } else { None };
            if answer.is_empty() && unwatched.is_none() {
                continue;
            }
            if let Some(opening) = self.take(number, None) {
                let failed = answer.intersects(PollFlags::POLLERR | PollFlags::POLLHUP);
                let outcome = match unwatched {
                    Some(error) => connect::no_socket(&error),
                    None => outcome(&opening.socket, failed),
                };
                tell((opening.id, outcome, now - opening.began));
            }
        }
    }

    /// What has come of the openings in these rows by now.
    fn answers(&self, rows: &[u32]) -> Vec<PollFlags> {
        let sockets = rows.iter().filter_map(|number| self.rows.get(*number as usize)?.opening.as_ref());
        let mut asked: Vec<_> =
            sockets.map(|opening| PollFd::new(opening.socket.as_fd(), PollFlags::POLLOUT)).collect();
        match poll(&mut asked, PollTimeout::ZERO) {
            Ok(_) => asked.iter().map(|asked| asked.revents().unwrap_or(PollFlags::empty())).collect(),
            // Nothing is known yet.
            Err(_) => vec![PollFlags::empty(); asked.len()],
        }
    }

    /// Has the opening in a row watched.
    fn watch_row(&mut self, number: u32) -> io::Result<()> {
        let Some(row) = self.rows.get_mut(number as usize) else { return Ok(()) };
        let Some(opening) = row.opening.as_mut() else { return Ok(()) };
        let name = u64::from(row.use_of_it) << 32 | u64::from(number);
        // Once: a child that has just been forked may hold the socket open when it is closed here.
        let event = EpollEvent::new(EpollFlags::EPOLLOUT | EpollFlags::EPOLLONESHOT, name);
        self.epoll.add(opening.socket.as_fd(), event)?;
        opening.watched = true;
        self.watched += 1;
        Ok(())
    }

    /// When the first of them has had its time.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.limits.first().map(|(until, _)| *until)
    }

    /// Waits until there may be news; who has waited takes them all. May be dropped at any time.
    pub(crate) async fn wait(&self) {
        if let Ok(mut guard) = self.watch.readable().await {
            // What comes from here on is news once more.
            guard.clear_ready();
        }
    }

    /// What has come out by now.
    pub(crate) fn news(&mut self, mut tell: impl FnMut(Opened)) {
        self.look(&mut tell);
        let mut events = [EpollEvent::empty(); AT_ONCE];
        while self.watched > 0 {
            // A signal that comes between is no reason to wait: there is nothing to wait for.
            let count = self.epoll.wait(&mut events, EpollTimeout::ZERO).unwrap_or(0);
            let now = Instant::now();
            for event in events.iter().take(count) {
                let (use_of_it, number) = ((event.data() >> 32) as u32, event.data() as u32);
                if let Some(opening) = self.take(number, Some(use_of_it)) {
                    let failed = event.events().intersects(EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP);
                    tell((opening.id, outcome(&opening.socket, failed), now - opening.began));
                }
            }
            if count < AT_ONCE {
                break;
            }
        }
        let now = Instant::now();
        while let Some((until, number)) = self.limits.first().copied()
            && until <= now
        {
            let Some(opening) = self.take(number, None) else {
                self.limits.remove(&(until, number));
                continue;
            };
            tell((opening.id, connect::timed_out(opening.limit), now - opening.began));
        }
    }

    /// Takes one out: if this use of the row is meant, where one is.
    fn take(&mut self, number: u32, use_of_it: Option<u32>) -> Option<Opening> {
        let row = self.rows.get_mut(number as usize)?;
        let opening = row.opening.take_if(|_| use_of_it.is_none_or(|meant| meant == row.use_of_it))?;
        self.limits.remove(&(opening.until(), number));
        self.watched -= usize::from(opening.watched);
        self.free.push(number);
        if self.limits.is_empty() {
            // Nobody is left: the next ones are few, mostly.
            self.rows.truncate(AT_ONCE);
            self.free = (0..u32::try_from(self.rows.len()).unwrap_or(0)).collect();
        }
        Some(opening)
    }
}

/// What the socket of an opening says now that it is over.
fn outcome(socket: &Socket, failed: bool) -> Outcome {
    if !failed {
        return Outcome::GOOD;
    }
    match socket.take_error() {
        Ok(None) => Outcome::GOOD,
        Ok(Some(error)) | Err(error) => connect::refusal(&error),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener};

    use keepwatch_bus::fact::FailureReason;
    use socket2::{Domain, Type};
    use tokio::time::timeout;

    use super::*;

    fn to(connect_to: SocketAddr, connect_timeout: Duration) -> Connection {
        let (bind_to, bind_port, bind_interface, fwmark) = (None, None, None, None);
        Connection { connect_to, bind_to, bind_port, bind_interface, fwmark, connect_timeout }
    }

    async fn all(openings: &mut Openings, count: usize) -> Vec<Opened> {
        let mut told = Vec::new();
        openings.news(|opened| told.push(opened));
        while told.len() < count {
            let pause =
                openings.deadline().expect("nobody is left").saturating_duration_since(Instant::now());
            let _ = timeout(pause, openings.wait()).await;
            openings.news(|opened| told.push(opened));
        }
        told.sort_by_key(|(id, ..)| *id);
        told
    }

    #[tokio::test]
    async fn each_comes_out_as_its_server_is() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let full = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        full.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        full.listen(0).unwrap();
        let full_address = full.local_addr().unwrap().as_socket().unwrap();
        let _fills_it = std::net::TcpStream::connect(full_address).unwrap();
        let mut openings = Openings::new().unwrap();
        let (long, short) = (Duration::from_secs(20), Duration::from_millis(300));
        let id = CheckerId::of;
        openings.begin(id(1), &to(listener.local_addr().unwrap(), long), Instant::now()).unwrap();
        openings.begin(id(2), &to(closed, long), Instant::now()).unwrap();
        openings.begin(id(3), &to(full_address, short), Instant::now()).unwrap();
        let nowhere = Connection { bind_to: Some([192, 0, 2, 7].into()), ..to(closed, long) };
        let error = "source 192.0.2.7: cannot assign requested address";
        let expected = Outcome::failed(FailureReason::Unreachable, error);
        assert_eq!(openings.begin(id(4), &nowhere, Instant::now()), Err(expected));
        let told = all(&mut openings, 3).await;
        let outcomes: Vec<_> = told.iter().map(|(id, outcome, _)| (*id, outcome.clone())).collect();
        let expected = [
            Outcome::GOOD,
            Outcome::failed(FailureReason::Refused, "connection refused"),
            Outcome::failed(FailureReason::Timeout, "timed out after 0.3s"),
        ];
        assert_eq!(outcomes, [id(1), id(2), id(3)].into_iter().zip(expected).collect::<Vec<_>>());
        assert!(told[2].2 >= short && openings.deadline().is_none());
    }

    #[tokio::test]
    async fn more_than_are_taken_at_once_come_out_and_their_rows_are_used_again() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let accepts = listener.try_clone().unwrap();
        std::thread::spawn(move || accepts.incoming().for_each(drop));
        let address = listener.local_addr().unwrap();
        let mut openings = Openings::new().unwrap();
        for round in 0..3 {
            let count = 3 * AT_ONCE;
            for n in 0..count {
                let id = CheckerId::of((round * count + n) as u64);
                openings.begin(id, &to(address, Duration::from_secs(20)), Instant::now()).unwrap();
            }
            let told = all(&mut openings, count).await;
            assert!(told.iter().all(|(_, outcome, _)| *outcome == Outcome::GOOD), "{told:?}");
            assert_eq!(
                told.iter().map(|(id, ..)| *id).collect::<std::collections::BTreeSet<_>>().len(),
                count
            );
            assert!(openings.rows.len() <= AT_ONCE && openings.rows.iter().all(|row| row.opening.is_none()));
        }
    }
}

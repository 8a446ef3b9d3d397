//! A thread that waits with poll(2): for the master, for what the owner wants, and for deadlines. Where a task of tokio
//! costs a wait, a read, a write and the machinery of a runtime for a request, this costs the first three.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::sync::oneshot;

use super::{Connecting, Event, Link, READ, Runner, Stream, Wishes};
use crate::address::Address;
use crate::session::{Change, Input};
use crate::tree::Tree;

/// A connection that is asked only when poll(2) has said that there is something.
pub(super) struct Polled {
    socket: Either,
    readable: bool,
    room: Box<[u8]>,
}

/// Both never wait.
enum Either {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Polled {
    fn new(socket: Either) -> Self {
        Self { socket, readable: false, room: vec![0; READ].into() }
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            Either::Unix(socket) => socket.as_fd(),
            Either::Tcp(socket) => socket.as_fd(),
        }
    }
}

impl Stream for Polled {
    fn connect(address: Address, within: Duration) -> Connecting<Self> {
        match address {
            // Never waits: with a master that accepts nobody it fails.
            Address::Unix(path) => Box::pin(std::future::ready(unix(&path).map(Self::new))),
            Address::Tcp(host, port) => {
                let (sender, connected) = oneshot::channel();
                let thread = std::thread::Builder::new().name("agentx-connect".to_owned());
                let spawned = thread.spawn(move || {
                    // Given up meanwhile, if nobody takes it.
                    let _ = sender.send(tcp(&host, port, within).map(Self::new));
                });
                Box::pin(async move {
                    spawned?;
                    connected.await.map_err(io::Error::other)?
                })
            }
        }
    }

    fn poll_read(&mut self, _: &mut Context<'_>, input: &mut BytesMut) -> Poll<io::Result<usize>> {
        // Otherwise it was read to its end, or there was nothing.
        if !std::mem::take(&mut self.readable) {
            return Poll::Pending;
        }
        let read = match &mut self.socket {
            Either::Unix(socket) => socket.read(&mut self.room),
            Either::Tcp(socket) => socket.read(&mut self.room),
        };
        if let Ok(count) = &read {
            input.extend_from_slice(self.room.get(..*count).unwrap_or_default());
        }
        unless_it_would_block(read)
    }

    fn poll_write(&mut self, _: &mut Context<'_>, raw: &[u8]) -> Poll<io::Result<usize>> {
        unless_it_would_block(match &mut self.socket {
            Either::Unix(socket) => socket.write(raw),
            Either::Tcp(socket) => socket.write(raw),
        })
    }
}

fn unless_it_would_block(done: io::Result<usize>) -> Poll<io::Result<usize>> {
    match done {
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
            Poll::Pending
        }
        done => Poll::Ready(done),
    }
}

fn unix(path: &Path) -> io::Result<Either> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(Either::Unix(UnixStream::from(OwnedFd::from(socket))))
}

/// The first address of the host that answers.
fn tcp(host: &str, port: u16, within: Duration) -> io::Result<Either> {
    let mut failed = None;
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, within) {
            Ok(socket) => {
                socket.set_nonblocking(true)?;
                return Ok(Either::Tcp(socket));
            }
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the host has no address")))
}

/// What ends a wait from another thread.
struct Bell {
    rung: AtomicBool,
    rope: UnixStream,
}

impl Bell {
    /// The bell, and what becomes readable when it rings.
    fn new() -> io::Result<(Arc<Self>, UnixStream)> {
        let (rope, clapper) = UnixStream::pair()?;
        rope.set_nonblocking(true)?;
        clapper.set_nonblocking(true)?;
        // Rung: there may be requests already.
        Ok((Arc::new(Self { rung: AtomicBool::new(true), rope }), clapper))
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            // If there is no room, it is still ringing.
            let _ = (&self.rope).write(&[1]);
        }
    }
}

impl<F: FnMut(&mut dyn FnMut(&dyn Tree)), R: FnMut(Change)> Runner<F, R, Polled> {
    pub(super) fn run_polled(mut self, mut wishes: Wishes) -> io::Result<()> {
        let (bell, mut clapper) = Bell::new()?;
        let waker = Waker::from(bell.clone());
        let mut cx = Context::from_waker(&waker);
        // Whether there may be requests, and notifications.
        let (mut wanted, mut told) = (true, true);
        self.handle(Input::Start);
        while !self.session.is_stopped() {
            let backlog = self.session.has_backlog();
            if let Poll::Ready(step) = self.link.poll_step(&mut cx, backlog) {
                self.happened(Event::Step(step), &mut wishes);
                continue;
            }
            // Whether something was done that may have made more to do.
            let mut busy = false;
            if bell.rung.swap(false, Ordering::AcqRel) {
                (wanted, told) = (true, true);
            }
            if told && !self.link.is_full() && self.session.has_room() {
                match wishes.notifications.poll_recv(&mut cx) {
                    Poll::Ready(Some(binds)) => {
                        self.happened(Event::Notify(binds), &mut wishes);
                        busy = true;
                    }
                    Poll::Ready(None) | Poll::Pending => told = false,
                }
            }
            if wanted && !self.link.is_full() {
                match wishes.requests.poll_recv(&mut cx) {
                    Poll::Ready(request) => {
                        // With nobody left who could ask for anything, that is no news any more.
                        wanted = request.is_some();
                        self.happened(Event::Request(request), &mut wishes);
                        busy = true;
                    }
                    Poll::Pending => wanted = false,
                }
            }
            // After all that came in time.
            if self.deadline().is_some_and(|deadline| deadline <= self.now) {
                self.happened(Event::Timer, &mut wishes);
                busy = true;
            }
            self.wait(&mut clapper, busy)?;
            self.now = Instant::now();
        }
        Ok(())
    }

    /// Until there is something to do, or the next deadline; if we are busy, this only looks what there is.
    fn wait(&mut self, clapper: &mut UnixStream, busy: bool) -> io::Result<()> {
        let timeout = match self.deadline() {
            _ if busy => PollTimeout::ZERO,
            None => PollTimeout::NONE,
            Some(deadline) => {
                // A moment longer, so that it has come then.
                let wait = deadline.saturating_duration_since(self.now) + Duration::from_millis(1);
                PollTimeout::try_from(wait).unwrap_or(PollTimeout::MAX)
            }
        };
        let events = match &self.link {
            Link::Up(connection) => {
                let mut events = PollFlags::empty();
                events.set(PollFlags::POLLIN, !connection.is_full());
                events.set(PollFlags::POLLOUT, !connection.output.is_empty());
                Some((connection.stream.as_fd(), events))
            }
            Link::Down | Link::Connecting(_) => None,
        };
        let bell = PollFd::new(clapper.as_fd(), PollFlags::POLLIN);
        let (rung, came) = match events {
            Some((fd, events)) => {
                let mut both = [PollFd::new(fd, events), bell];
                poll_all(&mut both, timeout)?;
                (both[1].any(), both[0].revents())
            }
            None => {
                let mut only = [bell];
                poll_all(&mut only, timeout)?;
                (only[0].any(), None)
            }
        };
        if rung == Some(true) {
            let mut drops = [0; 16];
            while clapper.read(&mut drops).is_ok_and(|count| count == drops.len()) {}
        }
        if let (Link::Up(connection), Some(came)) = (&mut self.link, came) {
            let more = PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR;
            connection.stream.readable |= came.intersects(more);
        }
        Ok(())
    }
}

/// A signal ends it as well, and so does a process that was stopped and goes on: then what is there counts, and how late it
/// has become does not.
fn poll_all(fds: &mut [PollFd<'_>], timeout: PollTimeout) -> io::Result<()> {
    let polled = match poll(fds, timeout) {
        Err(Errno::EINTR) => poll(fds, PollTimeout::ZERO),
        polled => polled,
    };
    match polled {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

//! Runs a [`Session`] over a Unix or TCP socket: in a task of tokio ([`Subagent::run`]), or on a thread of its own without
//! a runtime ([`Subagent::run_blocking`]), which costs about half as much for a request.
//!
//! Goes in: an [`Address`], [`Settings`], and a function that lets requests be answered from the present [`Tree`]. Comes
//! out: answers to the master, and [`Change`]s to the caller. Nothing of a master that is slow, silent or dead goes any
//! further than this task or thread: every wait has an end, reading stops while answers are not taken, and what waits to
//! be written is bounded.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use rasn_snmp::v2::VarBind;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{mpsc, oneshot};

mod polled;

use crate::address::Address;
use crate::session::{
    Answered, Ask, AskError, Change, Input, MAX_WAITING_NOTIFICATIONS, Output, Session, Settings,
};
use crate::tree::Tree;

/// Bytes that wait to be written, above which nothing more is read.
const HIGH_WATER: usize = 256 * 1024;
/// Requests of the owner that wait for this task at most, and as many notifications. Without a master, and at the end, all of
/// these are taken: the session has room for them, beside those that it took while there was no master before.
const REQUESTS: usize = 256;
const _: () = assert!(2 * REQUESTS < MAX_WAITING_NOTIFICATIONS);
/// Bytes that a read has room for.
const READ: usize = 16 * 1024;
/// Why a connection is given up whose other end does not read.
const STALLED: &str = "the master takes no answers";

type Connecting<S> = Pin<Box<dyn Future<Output = io::Result<S>> + Send>>;

/// A connection to a master, as the two ways to wait have it.
trait Stream: Sized {
    /// Makes one. What takes longer than `within` is given up.
    fn connect(address: Address, within: Duration) -> Connecting<Self>;

    /// Puts what has come in behind `input`; zero bytes are the end.
    fn poll_read(&mut self, cx: &mut Context<'_>, input: &mut BytesMut) -> Poll<io::Result<usize>>;

    /// Writes some of it.
    fn poll_write(&mut self, cx: &mut Context<'_>, raw: &[u8]) -> Poll<io::Result<usize>>;
}

trait Asynchronous: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Asynchronous for T {}

/// Tokio's.
impl Stream for Box<dyn Asynchronous> {
    /// The session gives up what takes too long, and drops it.
    fn connect(address: Address, _within: Duration) -> Connecting<Self> {
        Box::pin(async move {
            Ok(match address {
                Address::Unix(path) => Box::new(UnixStream::connect(path).await?) as Self,
                Address::Tcp(host, port) => Box::new(TcpStream::connect((host, port)).await?),
            })
        })
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, input: &mut BytesMut) -> Poll<io::Result<usize>> {
        input.reserve(READ);
        pin!(self.read_buf(input)).poll(cx)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, raw: &[u8]) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(self), cx, raw)
    }
}

/// What the owner of a subagent may ask of it. Dropping all of them ends the session in good order.
#[derive(Clone, Debug)]
pub struct Handle {
    requests: mpsc::Sender<Request>,
    notifications: mpsc::Sender<Vec<VarBind>>,
}

/// Room for one notification.
pub struct Room<'a>(mpsc::Permit<'a, Vec<VarBind>>);

impl Room<'_> {
    /// Sends it, as [`Handle::notify`] does.
    pub fn notify(self, binds: Vec<VarBind>) {
        self.0.send(binds);
    }
}

#[derive(Debug)]
enum Request {
    Ask(Ask, oneshot::Sender<Answered>),
    Stop,
}

impl Handle {
    /// Sends a notification: snmpTrapOID.0 first (sysUpTime.0 may stand before it), then its objects. Without a
    /// session it waits for one. Never blocks: false says that too many wait already, or that the session has ended.
    pub fn notify(&self, binds: Vec<VarBind>) -> bool {
        self.notifications.try_send(binds).is_ok()
    }

    /// Waits for room for a notification, which there is as the master takes those before it; none when the session has
    /// ended. Cancel-safe: for who has something else to do meanwhile. Without a master there is always room, and of more
    /// than [`MAX_WAITING_NOTIFICATIONS`] the oldest are lost: who has more asks from [`Change::Serving`] on, until the
    /// session is lost.
    pub async fn room(&self) -> Option<Room<'_>> {
        self.notifications.reserve().await.ok().map(Room)
    }

    /// Asks the master for something while the session serves, and waits for its answer.
    ///
    /// # Errors
    /// The master refused, did not answer in time, or there is no session.
    pub async fn ask(&self, ask: Ask) -> Answered {
        let (answer, answered) = oneshot::channel();
        if self.requests.send(Request::Ask(ask, answer)).await.is_err() {
            return Err(AskError::NotOpen);
        }
        answered.await.unwrap_or(Err(AskError::NotOpen))
    }

    /// Ends the session in good order; [`Subagent::run`] returns within about a second.
    pub fn stop(&self) -> bool {
        self.requests.try_send(Request::Stop).is_ok()
    }
}

/// A subagent, ready to run.
pub struct Subagent<F> {
    address: Address,
    settings: Settings,
    tree: F,
    requests: mpsc::Receiver<Request>,
    notifications: mpsc::Receiver<Vec<VarBind>>,
}

impl<F: FnMut(&mut dyn FnMut(&dyn Tree))> Subagent<F> {
    /// A subagent of the master at `address`. `tree` calls what it is given with the present tree, from which the
    /// requests that came in at once are answered: it may hold a lock on the state for so long.
    pub fn new(address: Address, settings: Settings, tree: F) -> (Handle, Self) {
        let (asks, requests) = mpsc::channel(REQUESTS);
        let (tells, notifications) = mpsc::channel(REQUESTS);
        let handle = Handle { requests: asks, notifications: tells };
        (handle, Self { address, settings, tree, requests, notifications })
    }

    /// Serves until it is told to stop, in a task of tokio. `report` hears of each change and must not block.
    pub async fn run(self, report: impl FnMut(Change)) {
        let (runner, wishes) = self.runner::<Box<dyn Asynchronous>, _>(report);
        runner.run(wishes).await;
    }

    /// Serves until it is told to stop, on this thread and without a runtime. A request costs about half of what it costs in
    /// a task, since most of that is what a task needs to be woken: for whoever has much to tell. `report` hears of each
    /// change and must not block.
    ///
    /// # Errors
    /// The operating system refuses what a thread waits with. What goes wrong with a master is no error but a change.
    pub fn run_blocking(self, report: impl FnMut(Change)) -> io::Result<()> {
        let (runner, wishes) = self.runner::<polled::Polled, _>(report);
        runner.run_polled(wishes)
    }

    fn runner<S: Stream, R: FnMut(Change)>(self, report: R) -> (Runner<F, R, S>, Wishes) {
        let Self { address, settings, tree, requests, notifications } = self;
        let (patience, now) = (settings.answer_within, Instant::now());
        let runner = Runner {
            session: Session::new(settings, now),
            address,
            tree,
            report,
            link: Link::Down,
            patience,
            now,
            outputs: Vec::new(),
            asked: HashMap::new(),
            last_token: 0,
        };
        (runner, Wishes { requests, notifications })
    }
}

enum Link<S> {
    Down,
    Connecting(Connecting<S>),
    Up(Connection<S>),
}

struct Connection<S> {
    stream: S,
    input: BytesMut,
    output: BytesMut,
    /// When the master last took something while something waited for it.
    progress: Instant,
}

/// What happened.
enum Event<S> {
    /// The deadline has come.
    Timer,
    /// The owner wants something; none: nobody is left who could.
    Request(Option<Request>),
    /// The owner has something to tell.
    Notify(Vec<VarBind>),
    Step(Step<S>),
}

/// What the owner wants and tells.
struct Wishes {
    requests: mpsc::Receiver<Request>,
    notifications: mpsc::Receiver<Vec<VarBind>>,
}

/// What the link did.
enum Step<S> {
    Connected(io::Result<S>),
    Read(io::Result<usize>),
    /// What waits to be written can't be.
    Failed(String),
    /// There is room for the answers to requests that were left over.
    Room,
}

impl<S: Stream> Link<S> {
    /// Whether so much waits to be written that nothing more is to be taken on.
    fn is_full(&self) -> bool {
        matches!(self, Link::Up(connection) if connection.is_full())
    }

    /// When the master will have taken too long to take what waits for it.
    fn stalled_at(&self, patience: Duration) -> Option<Instant> {
        match self {
            Link::Up(connection) if !connection.output.is_empty() => Some(connection.progress + patience),
            Link::Up(_) | Link::Connecting(_) | Link::Down => None,
        }
    }

    /// Writes what waits, and says what happens on the link next. Giving up the wait loses nothing.
    fn poll_step(&mut self, cx: &mut Context<'_>, backlog: bool) -> Poll<Step<S>> {
        match self {
            Link::Down => Poll::Pending,
            Link::Connecting(attempt) => attempt.as_mut().poll(cx).map(Step::Connected),
            Link::Up(connection) => connection.poll_step(cx, backlog),
        }
    }
}

impl<S: Stream> Connection<S> {
    fn is_full(&self) -> bool {
        self.output.len() >= HIGH_WATER
    }

    fn poll_step(&mut self, cx: &mut Context<'_>, backlog: bool) -> Poll<Step<S>> {
        while !self.output.is_empty() {
            match self.stream.poll_write(cx, &self.output) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Step::Failed(STALLED.to_owned())),
                Poll::Ready(Ok(count)) => {
                    self.output.advance(count);
                    // A task may take many steps before it has anything to say.
                    self.progress = Instant::now();
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Step::Failed(error.to_string())),
                Poll::Pending => break,
            }
        }
        match (self.is_full(), backlog) {
            (false, true) => Poll::Ready(Step::Room),
            (false, false) => self.stream.poll_read(cx, &mut self.input).map(Step::Read),
            (true, _) => Poll::Pending,
        }
    }
}

struct Runner<F, R, S> {
    session: Session,
    address: Address,
    tree: F,
    report: R,
    link: Link<S>,
    patience: Duration,
    /// The time, as it was when the last wait ended.
    now: Instant,
    outputs: Vec<Output>,
    /// Who waits for an answer of the master.
    asked: HashMap<u64, oneshot::Sender<Answered>>,
    last_token: u64,
}

impl<F: FnMut(&mut dyn FnMut(&dyn Tree)), R: FnMut(Change), S: Stream> Runner<F, R, S> {
    async fn run(mut self, mut wishes: Wishes) {
        self.handle(Input::Start);
        // Set anew only for a deadline that comes before it: most are put off before they come.
        let mut alarm = pin!(tokio::time::sleep(self.patience));
        let mut wanted = true;
        while !self.session.is_stopped() {
            let deadline = self.deadline().map(tokio::time::Instant::from_std);
            if let Some(deadline) = deadline
                && (deadline < alarm.deadline() || alarm.is_elapsed())
            {
                alarm.as_mut().reset(deadline);
            }
            let (backlog, full) = (self.session.has_backlog(), self.link.is_full());
            let notifies = !full && self.session.has_room();
            let link = &mut self.link;
            let event = tokio::select! {
                () = &mut alarm, if !alarm.is_elapsed() => Event::Timer,
                Some(binds) = wishes.notifications.recv(), if notifies => Event::Notify(binds),
                request = wishes.requests.recv(), if wanted && !full => Event::Request(request),
                step = poll_fn(|cx| link.poll_step(cx, backlog)) => Event::Step(step),
            };
            self.now = Instant::now();
            // With nobody left who could ask for anything, that is no news any more.
            wanted = !matches!(event, Event::Request(None)) && wanted;
            self.happened(event, &mut wishes);
        }
    }

    /// When something is to be done although nothing happens.
    fn deadline(&self) -> Option<Instant> {
        let deadlines = [self.session.deadline(), self.link.stalled_at(self.patience)];
        deadlines.into_iter().flatten().min()
    }

    fn happened(&mut self, event: Event<S>, wishes: &mut Wishes) {
        match event {
            Event::Timer => self.timer(),
            Event::Notify(binds) => self.handle(Input::Notify(binds)),
            Event::Request(Some(Request::Ask(ask, answer))) => {
                self.last_token += 1;
                self.asked.insert(self.last_token, answer);
                self.handle(Input::Ask(self.last_token, ask));
            }
            Event::Request(Some(Request::Stop) | None) => {
                while let Ok(binds) = wishes.notifications.try_recv() {
                    self.handle(Input::Notify(binds));
                }
                self.handle(Input::Stop);
            }
            Event::Step(step) => self.stepped(step),
        }
    }

    fn timer(&mut self) {
        if self.link.stalled_at(self.patience).is_some_and(|at| at <= self.now) {
            self.lost(STALLED.to_owned());
        }
        self.handle(Input::Timer);
    }

    fn stepped(&mut self, step: Step<S>) {
        match step {
            Step::Connected(Ok(stream)) => {
                let (input, output) = (BytesMut::with_capacity(READ), BytesMut::new());
                self.link = Link::Up(Connection { stream, input, output, progress: self.now });
                self.handle(Input::Connected);
            }
            Step::Connected(Err(error)) | Step::Read(Err(error)) => self.lost(error.to_string()),
            Step::Failed(why) => self.lost(why),
            Step::Read(Ok(0)) => self.lost("the master closed the connection".to_owned()),
            Step::Read(Ok(_)) | Step::Room => self.receive(),
        }
    }

    fn lost(&mut self, why: String) {
        self.link = Link::Down;
        self.handle(Input::ConnectionLost(why));
    }

    fn handle(&mut self, input: Input) {
        self.session.handle(self.now, input, &mut self.outputs);
        self.carry_out();
    }

    /// Answers what has come in.
    fn receive(&mut self) {
        let Link::Up(Connection { input, .. }) = &mut self.link else { return };
        let (session, outputs, now) = (&mut self.session, &mut self.outputs, self.now);
        (self.tree)(&mut |tree| {
            session.receive(now, input, tree, outputs);
            input.clear();
        });
        self.carry_out();
    }

    fn carry_out(&mut self) {
        for output in self.outputs.drain(..) {
            match output {
                Output::Connect => {
                    self.link = Link::Connecting(S::connect(self.address.clone(), self.patience));
                }
                Output::Disconnect => self.link = Link::Down,
                Output::Send(raw) => {
                    if let Link::Up(connection) = &mut self.link {
                        if connection.output.is_empty() {
                            connection.progress = self.now;
                        }
                        connection.output.extend_from_slice(&raw);
                    }
                }
                Output::Answered(token, answered) => {
                    if let Some(waiting) = self.asked.remove(&token) {
                        // It may not wait any more.
                        let _ = waiting.send(answered);
                    }
                }
                Output::Changed(change) => (self.report)(change),
            }
        }
    }
}

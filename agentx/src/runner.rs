//! Runs a [`Session`] over a Unix or TCP socket with tokio.
//!
//! Goes in: an [`Address`], [`Settings`], and a function that lets requests be answered from the present [`Tree`]. Comes out: answers to the
//! master, and [`Change`]s to the caller. Nothing of a master that is slow, silent or dead goes any further than this
//! task: every wait has an end, reading stops while answers are not taken, and what waits to be written is bounded.

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

use crate::address::Address;
use crate::session::{
    Answered, Ask, AskError, Change, Input, MAX_WAITING_NOTIFICATIONS, Output, Session, Settings,
};
use crate::tree::Tree;

/// Bytes that wait to be written, above which nothing more is read.
const HIGH_WATER: usize = 256 * 1024;
/// Requests of the owner that wait for this task at most, and as many notifications. Without a master, and at the end, all of
/// these are taken: the session has room for them.
const REQUESTS: usize = 256;
const _: () = assert!(REQUESTS < MAX_WAITING_NOTIFICATIONS);
/// Bytes that a read has room for.
const READ: usize = 16 * 1024;
/// Why a connection is given up whose other end does not read.
const STALLED: &str = "the master takes no answers";

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}
type Connecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send>>;

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
    /// ended. Cancel-safe: for who has something else to do meanwhile. Without a master there is always room, and of more than [`MAX_WAITING_NOTIFICATIONS`] the oldest are lost:
    /// who has more asks from [`Change::Serving`] on, until the session is lost.
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

    /// Serves until it is told to stop. `report` hears of each change and must not block.
    pub async fn run(self, report: impl FnMut(Change)) {
        let Self { address, settings, tree, requests, notifications } = self;
        let patience = settings.answer_within;
        let runner = Runner {
            session: Session::new(settings, Instant::now()),
            address,
            tree,
            report,
            link: Link::Down,
            patience,
            outputs: Vec::new(),
            asked: HashMap::new(),
            last_token: 0,
        };
        runner.run(requests, notifications).await;
    }
}

enum Link {
    Down,
    Connecting(Connecting),
    Up(Connection),
}

struct Connection {
    stream: Box<dyn Stream>,
    input: BytesMut,
    output: BytesMut,
    /// When the master last took something while something waited for it.
    progress: Instant,
}

/// What the link did.
enum Step {
    Connected(io::Result<Box<dyn Stream>>),
    Read(io::Result<usize>),
    /// What waits to be written can't be.
    Failed(String),
    /// There is room for the answers to requests that were left over.
    Room,
}

impl Link {
    /// Whether so much waits to be written that nothing more is to be taken on.
    fn is_full(&self) -> bool {
        matches!(self, Link::Up(connection) if connection.output.len() >= HIGH_WATER)
    }

    /// When the master will have taken too long to take what waits for it.
    fn stalled_at(&self, patience: Duration) -> Option<Instant> {
        match self {
            Link::Up(connection) if !connection.output.is_empty() => Some(connection.progress + patience),
            Link::Up(_) | Link::Connecting(_) | Link::Down => None,
        }
    }

    /// Writes what waits, and says what happens on the link next. Giving up the wait loses nothing.
    fn poll_step(&mut self, cx: &mut Context<'_>, backlog: bool) -> Poll<Step> {
        match self {
            Link::Down => Poll::Pending,
            Link::Connecting(attempt) => attempt.as_mut().poll(cx).map(Step::Connected),
            Link::Up(connection) => connection.poll_step(cx, backlog),
        }
    }
}

impl Connection {
    fn poll_step(&mut self, cx: &mut Context<'_>, backlog: bool) -> Poll<Step> {
        while !self.output.is_empty() {
            match Pin::new(&mut *self.stream).poll_write(cx, &self.output) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Step::Failed(STALLED.to_owned())),
                Poll::Ready(Ok(count)) => {
                    self.output.advance(count);
                    self.progress = Instant::now();
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Step::Failed(error.to_string())),
                Poll::Pending => break,
            }
        }
        match (self.output.len() < HIGH_WATER, backlog) {
            (true, true) => Poll::Ready(Step::Room),
            (true, false) => {
                self.input.reserve(READ);
                let read = pin!(self.stream.read_buf(&mut self.input));
                read.poll(cx).map(Step::Read)
            }
            (false, _) => Poll::Pending,
        }
    }
}

struct Runner<F, R> {
    session: Session,
    address: Address,
    tree: F,
    report: R,
    link: Link,
    patience: Duration,
    outputs: Vec<Output>,
    /// Who waits for an answer of the master.
    asked: HashMap<u64, oneshot::Sender<Answered>>,
    last_token: u64,
}

impl<F: FnMut(&mut dyn FnMut(&dyn Tree)), R: FnMut(Change)> Runner<F, R> {
    async fn run(
        mut self,
        mut requests: mpsc::Receiver<Request>,
        mut notifications: mpsc::Receiver<Vec<VarBind>>,
    ) {
        self.handle(Input::Start);
        // Set anew only for a deadline that comes before it: most are put off before they come.
        let mut alarm = pin!(tokio::time::sleep(self.patience));
        while !self.session.is_stopped() {
            let deadlines = [self.session.deadline(), self.link.stalled_at(self.patience)];
            let deadline = deadlines.into_iter().flatten().min().map(tokio::time::Instant::from_std);
            if let Some(deadline) = deadline
                && (deadline < alarm.deadline() || alarm.is_elapsed())
            {
                alarm.as_mut().reset(deadline);
            }
            let (backlog, full) = (self.session.has_backlog(), self.link.is_full());
            let notifies = !full && self.session.has_room();
            let link = &mut self.link;
            tokio::select! {
                () = &mut alarm, if !alarm.is_elapsed() => self.timer(),
                Some(binds) = notifications.recv(), if notifies => self.handle(Input::Notify(binds)),
                request = requests.recv(), if !full => match request {
                    Some(Request::Ask(ask, answer)) => {
                        self.last_token += 1;
                        self.asked.insert(self.last_token, answer);
                        self.handle(Input::Ask(self.last_token, ask));
                    }
                    Some(Request::Stop) | None => {
                        while let Ok(binds) = notifications.try_recv() {
                            self.handle(Input::Notify(binds));
                        }
                        self.handle(Input::Stop);
                    }
                },
                step = poll_fn(|cx| link.poll_step(cx, backlog)) => self.stepped(step),
            }
        }
    }

    fn timer(&mut self) {
        if self.link.stalled_at(self.patience).is_some_and(|at| at <= Instant::now()) {
            self.lost(STALLED.to_owned());
        }
        self.handle(Input::Timer);
    }

    fn stepped(&mut self, step: Step) {
        match step {
            Step::Connected(Ok(stream)) => {
                let (input, output) = (BytesMut::with_capacity(READ), BytesMut::new());
                self.link = Link::Up(Connection { stream, input, output, progress: Instant::now() });
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
        self.session.handle(Instant::now(), input, &mut self.outputs);
        self.carry_out();
    }

    /// Answers what has come in.
    fn receive(&mut self) {
        let Link::Up(Connection { input, .. }) = &mut self.link else { return };
        let (session, outputs) = (&mut self.session, &mut self.outputs);
        (self.tree)(&mut |tree| {
            session.receive(Instant::now(), input, tree, outputs);
            input.clear();
        });
        self.carry_out();
    }

    fn carry_out(&mut self) {
        for output in self.outputs.drain(..) {
            match output {
                Output::Connect => self.link = Link::Connecting(connect(self.address.clone())),
                Output::Disconnect => self.link = Link::Down,
                Output::Send(raw) => {
                    if let Link::Up(connection) = &mut self.link {
                        if connection.output.is_empty() {
                            connection.progress = Instant::now();
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

fn connect(address: Address) -> Connecting {
    Box::pin(async move {
        Ok(match address {
            Address::Unix(path) => Box::new(UnixStream::connect(path).await?) as Box<dyn Stream>,
            Address::Tcp(host, port) => Box::new(TcpStream::connect((host, port)).await?),
        })
    })
}

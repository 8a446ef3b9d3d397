//! Runs a [`Session`] over a Unix or TCP socket with tokio.
//!
//! Goes in: an [`Address`], [`Settings`], and a function that gives the present [`Tree`]. Comes out: answers to the
//! master, and [`Change`]s to the caller. Nothing of a master that is slow, silent or dead goes any further than this
//! task: every wait has an end, reading stops while answers are not taken, and what waits to be written is bounded.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use rasn_snmp::v2::VarBind;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc;

use crate::address::Address;
use crate::session::{Change, Input, Output, Session, Settings};
use crate::tree::{Index, Tree};

/// Bytes that wait to be written, above which nothing more is read.
const HIGH_WATER: usize = 256 * 1024;
/// Requests of the owner that wait for this task at most.
const REQUESTS: usize = 256;

/// The tree that answers are given from; asked for anew for each read from the master.
pub type SharedTree = Arc<dyn Tree + Send + Sync>;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}
type Connecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send>>;

/// What the owner of a subagent may ask of it. Dropping all of them ends the session in good order.
#[derive(Clone, Debug)]
pub struct Handle {
    requests: mpsc::Sender<Request>,
}

#[derive(Debug)]
enum Request {
    Notify(Vec<VarBind>),
    Stop,
}

impl Handle {
    /// Sends a notification: snmpTrapOID.0 first (sysUpTime.0 may stand before it), then its objects. Without a
    /// session it waits for one. Never blocks: false says that too many wait already, or that the session has ended.
    pub fn notify(&self, binds: Vec<VarBind>) -> bool {
        self.requests.try_send(Request::Notify(binds)).is_ok()
    }

    /// The same, but waits for room rather than refusing. False says that the session has ended.
    pub async fn notify_in_turn(&self, binds: Vec<VarBind>) -> bool {
        self.requests.send(Request::Notify(binds)).await.is_ok()
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
}

impl<F: FnMut() -> SharedTree> Subagent<F> {
    /// A subagent of the master at `address` that serves what `tree` gives.
    pub fn new(address: Address, settings: Settings, tree: F) -> (Handle, Self) {
        let (sender, requests) = mpsc::channel(REQUESTS);
        (Handle { requests: sender }, Self { address, settings, tree, requests })
    }

    /// Serves until it is told to stop. `report` hears of each change and must not block.
    pub async fn run(self, report: impl FnMut(Change)) {
        let Self { address, settings, tree, requests } = self;
        let patience = settings.answer_within;
        let runner = Runner {
            session: Session::new(settings, Instant::now()),
            address,
            tree,
            report,
            link: Link::Down,
            patience,
        };
        runner.run(requests).await;
    }
}

enum Link {
    Down,
    Connecting(Connecting),
    Up(Connection),
}

struct Connection {
    reader: ReadHalf<Box<dyn Stream>>,
    writer: WriteHalf<Box<dyn Stream>>,
    input: BytesMut,
    output: BytesMut,
    /// When the master last took something while something waited for it.
    progress: Instant,
}

/// What the link did.
enum Step {
    Connected(io::Result<Box<dyn Stream>>),
    Read(io::Result<usize>),
    Wrote(io::Result<usize>),
    /// There is room for the answers to requests that were left over.
    Room,
    Stalled,
}

impl Link {
    /// Whether so much waits to be written that nothing more is to be taken on.
    fn is_full(&self) -> bool {
        matches!(self, Link::Up(connection) if connection.output.len() >= HIGH_WATER)
    }

    /// Waits for the next thing that happens on the link. Cancelling loses nothing.
    async fn step(&mut self, patience: Duration, backlog: bool) -> Step {
        match self {
            Link::Down => std::future::pending().await,
            Link::Connecting(attempt) => Step::Connected(attempt.as_mut().await),
            Link::Up(connection) => {
                let Connection { reader, writer, input, output, progress } = connection;
                let deadline = tokio::time::Instant::from_std(*progress + patience);
                tokio::select! {
                    wrote = writer.write(output), if !output.is_empty() => Step::Wrote(wrote),
                    () = std::future::ready(()), if backlog && output.len() < HIGH_WATER => Step::Room,
                    read = reader.read_buf(input), if !backlog && output.len() < HIGH_WATER => Step::Read(read),
                    () = tokio::time::sleep_until(deadline), if !output.is_empty() => Step::Stalled,
                }
            }
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
}

impl<F: FnMut() -> SharedTree, R: FnMut(Change)> Runner<F, R> {
    async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        self.handle(Input::Start);
        while !self.session.is_stopped() {
            let deadline = self.session.deadline().map(tokio::time::Instant::from_std);
            let timer = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = timer => self.handle(Input::Timer),
                request = requests.recv(), if !self.link.is_full() => match request {
                    Some(Request::Notify(binds)) => self.handle(Input::Notify(binds)),
                    Some(Request::Stop) | None => self.handle(Input::Stop),
                },
                step = self.link.step(self.patience, self.session.has_backlog()) => self.stepped(step),
            }
            // Answering a fast walker must not keep the runtime's thread from others.
            tokio::task::yield_now().await;
        }
    }

    fn stepped(&mut self, step: Step) {
        match step {
            Step::Connected(Ok(stream)) => {
                let (reader, writer) = tokio::io::split(stream);
                let (input, output) = (BytesMut::with_capacity(16 * 1024), BytesMut::new());
                self.link = Link::Up(Connection { reader, writer, input, output, progress: Instant::now() });
                self.handle(Input::Connected);
            }
            Step::Connected(Err(error)) | Step::Read(Err(error)) | Step::Wrote(Err(error)) => {
                self.lost(error.to_string());
            }
            Step::Read(Ok(0)) => self.lost("the master closed the connection".to_owned()),
            Step::Read(Ok(_)) => {
                if let Link::Up(connection) = &mut self.link {
                    let input = connection.input.split();
                    self.handle(Input::Received(&input));
                }
            }
            Step::Room => self.handle(Input::Received(&[])),
            Step::Wrote(Ok(0)) | Step::Stalled => self.lost("the master takes no answers".to_owned()),
            Step::Wrote(Ok(count)) => {
                if let Link::Up(connection) = &mut self.link {
                    connection.output.advance(count);
                    connection.progress = Instant::now();
                }
            }
        }
    }

    fn lost(&mut self, why: String) {
        self.link = Link::Down;
        self.handle(Input::ConnectionLost(why));
    }

    fn handle(&mut self, input: Input<'_>) {
        let mut outputs = Vec::new();
        // Only requests are answered from the tree, and to get it may be work.
        if matches!(input, Input::Received(_)) {
            let tree = (self.tree)();
            self.session.handle(Instant::now(), input, &*tree, &mut outputs);
        } else {
            self.session.handle(Instant::now(), input, &Index::default(), &mut outputs);
        }
        for output in outputs {
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

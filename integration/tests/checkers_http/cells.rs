//! The failure matrix: servers that all do well, then each fails in a way of its own, then all do well again.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, ensure};
use integration::background::Acceptor;
use integration::{Host, Lab, keepwatchd::Keepwatchd, wait};

/// What a server does with a connection.
pub(crate) type Act = fn(TcpStream);

/// One way to fail.
pub(crate) struct Cell {
    /// How the server does it; the port is closed when `None`.
    pub(crate) fails: Option<Act>,
    /// The reason that is counted.
    pub(crate) reason: &'static str,
    /// Words of the event, of `status` and of `why`.
    pub(crate) words: &'static str,
    /// `connect_timeout`.
    pub(crate) timeout: &'static str,
}

/// A cell with a `connect_timeout` that a busy machine can keep.
pub(crate) const fn cell(fails: Act, reason: &'static str, words: &'static str) -> Cell {
    Cell { fails: Some(fails), reason, words, timeout: "2" }
}

/// The port is closed.
pub(crate) const DOWN: Cell =
    Cell { fails: None, reason: "refused", words: "connection refused", timeout: "2" };

/// A server that can be told to do otherwise.
pub(crate) struct Server {
    host: Host,
    at: SocketAddr,
    act: Arc<Mutex<Act>>,
    acceptor: Option<Acceptor>,
}

impl Server {
    pub(crate) fn start(host: &Host, at: SocketAddr, act: Act) -> Result<Self> {
        let mut server = Self { host: host.clone(), at, act: Arc::new(Mutex::new(act)), acceptor: None };
        server.open()?;
        Ok(server)
    }

    fn open(&mut self) -> Result<()> {
        let act = Arc::clone(&self.act);
        let acceptor = Acceptor::start(&self.host, self.at, "server", move |stream| {
            let act = *act.lock().unwrap_or_else(PoisonError::into_inner);
            drop(thread::Builder::new().spawn(move || act(stream)));
        })?;
        self.acceptor = Some(acceptor);
        Ok(())
    }

    /// From now on it does this; nothing at all when `None`.
    pub(crate) fn set(&mut self, act: Option<Act>) -> Result<()> {
        match act {
            None => self.acceptor = None,
            Some(act) => {
                *self.act.lock().unwrap_or_else(PoisonError::into_inner) = act;
                if self.acceptor.is_none() {
                    self.open()?;
                }
            }
        }
        Ok(())
    }
}

fn address(index: usize) -> SocketAddr {
    let last = u8::try_from(index + 1).unwrap_or(u8::MAX);
    SocketAddr::new(Ipv4Addr::new(127, 0, 1, last).into(), 8080)
}

/// Plays it: `checker` writes the block for a `connect_timeout`.
pub(crate) fn play(
    name: &str,
    good: Act,
    cells: &[Cell],
    head: &str,
    checker: fn(&str) -> String,
) -> Result<()> {
    let lab = Lab::new(name)?;
    let host = lab.host("director")?;
    let mut config = format!(
        "{head}\nvirtual_server 10.78.9.9 80 {{\n delay_loop 0.2\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n retry 1\n \
         delay_before_retry 0.1\n warmup 0\n"
    );
    let mut servers = Vec::new();
    for (index, cell) in cells.iter().enumerate() {
        let at = address(index);
        servers.push(Server::start(&host, at, good)?);
        let block = checker(cell.timeout);
        config += &format!(" real_server {} {} {{\n{block}\n }}\n", at.ip(), at.port());
    }
    config += "}\n";
    let daemon = Keepwatchd::on(&host).config(config).flags(&["--check", "--dataplane", "memory"]).start()?;
    let up = |index: usize, state: f64| {
        let label = format!("real_server=\"{}\"", address(index));
        let checked = daemon.metric("keepwatch_checks_total", &[&label, "result=\"success\""]);
        let is = daemon.metric("keepwatch_real_server_up", &[&label]);
        is == Some(state) && checked.is_some_and(|count| count > 0.0)
    };
    let all = |state: f64| (0..cells.len()).find(|index| !up(*index, state));
    let wait_for_all = |state: f64| {
        wait::until("every server is as it should be", wait::LONG, || all(state).is_none()).with_context(
            || {
                let which = all(state).map(|index| cells[index].words);
                format!("{which:?} is not {state}\n{}", daemon.process().log())
            },
        )
    };
    wait_for_all(1.0).context("at the start")?;
    for (server, cell) in servers.iter_mut().zip(cells) {
        server.set(cell.fails)?;
    }
    wait_for_all(0.0).context("while they fail")?;
    let (status, events) = (daemon.answer(&["status"])?, daemon.process().log());
    for (index, cell) in cells.iter().enumerate() {
        let at = address(index);
        let label = format!("real_server=\"{at}\"");
        let reason = format!("reason=\"{}\"", cell.reason);
        let count = daemon.metric("keepwatch_check_failures_total", &[&label, &reason]);
        ensure!(count >= Some(2.0), "{}: {reason} counted {count:?} times\n{events}", cell.words);
        let line = status.lines().find(|line| line.contains(&at.to_string())).unwrap_or_default();
        ensure!(line.contains(cell.words), "status has no {:?}: {line}", cell.words);
        let why = daemon.answer(&["why", &at.to_string()])?;
        ensure!(why.contains(cell.words), "why has no {:?}:\n{why}", cell.words);
        let told = format!("on service [{}]:tcp:{} failed after 1 retries: ", at.ip(), at.port());
        ensure!(
            events.lines().any(|line| line.contains(&told) && line.contains(cell.words)),
            "the log has no {told:?} with {:?}\n{events}",
            cell.words
        );
    }
    for server in &mut servers {
        server.set(Some(good))?;
    }
    wait_for_all(1.0).context("when they are well again")
}

//! Work beside a test, on a thread of its own, that ends with the thing it is done for.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::AsRawFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use anyhow::{Context, Result};
use nix::sys::socket::{Backlog, Shutdown, listen, shutdown};

use crate::Host;

/// A thread that works until this is dropped, which waits for its end.
pub struct Background {
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What tells the work that it is to end.
#[derive(Clone)]
pub struct Ending(Arc<AtomicBool>);

impl Ending {
    /// Whether the work is to end now.
    pub fn is_near(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Background {
    /// Starts `work` on a thread of this name. It must look at what it is given often enough to end soon.
    pub fn start(name: &str, work: impl FnOnce(Ending) + Send + 'static) -> Result<Self> {
        let ending = Arc::new(AtomicBool::new(false));
        let told = Ending(Arc::clone(&ending));
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || work(told))
            .with_context(|| format!("start the thread {name}"))?;
        Ok(Self { ending, thread: Some(thread) })
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A listener on a host; the port is closed when it is dropped.
pub struct Acceptor {
    listener: Arc<TcpListener>,
    _thread: Background,
}

impl Acceptor {
    /// Listens at this address of `host`, and calls `handle` with every connection, on a thread that is inside the
    /// host: what `handle` opens or starts is there too.
    pub fn start(
        host: &Host,
        at: SocketAddr,
        name: &str,
        mut handle: impl FnMut(TcpStream) + Send + 'static,
    ) -> Result<Self> {
        let listener = Arc::new(host.listen(at)?);
        let (accepting, host) = (Arc::clone(&listener), host.clone());
        let thread = Background::start(name, move |_| {
            let _ = host.inside(|| {
                while let Ok((stream, _)) = accepting.accept() {
                    handle(stream);
                }
                Ok(())
            });
        })?;
        Ok(Self { listener, _thread: thread })
    }

    /// Lets so many connections wait to be accepted, as far as the kernel does (`net.core.somaxconn`); 128 otherwise.
    pub fn let_wait(&self, connections: u32) -> Result<()> {
        let most = i32::try_from(connections).unwrap_or(i32::MAX).min(Backlog::MAXCONN.into());
        listen(&*self.listener, Backlog::new(most)?).context("let more connections wait")
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        // Ends the thread: accept() fails on a listener that was shut down.
        let _ = shutdown(self.listener.as_raw_fd(), Shutdown::Both);
    }
}

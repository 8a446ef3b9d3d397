//! A server of datagrams inside the test's own process, that answers as it is told, and otherwise when it is told so.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};

use crate::{Host, background::Background};

/// How often it looks whether it is to end.
const PACE: Duration = Duration::from_millis(20);

/// What is sent back for a datagram.
type Answer = Box<dyn FnMut(&[u8]) -> Vec<Vec<u8>> + Send>;

/// A running server; the port is closed when it is dropped.
pub struct UdpServer {
    answer: Arc<Mutex<Answer>>,
    received: Arc<AtomicU64>,
    _thread: Background,
}

impl UdpServer {
    /// Answers every datagram at this address of `host` by those that `answer` makes of it.
    pub fn start(
        host: &Host,
        at: SocketAddr,
        answer: impl FnMut(&[u8]) -> Vec<Vec<u8>> + Send + 'static,
    ) -> Result<Self> {
        let socket = host.inside(|| UdpSocket::bind(at).with_context(|| format!("take {at}")))?;
        socket.set_read_timeout(Some(PACE))?;
        let answer: Arc<Mutex<Answer>> = Arc::new(Mutex::new(Box::new(answer)));
        let received = Arc::new(AtomicU64::new(0));
        let (answering, counting) = (Arc::clone(&answer), Arc::clone(&received));
        let thread = Background::start("udp", move |ending| {
            let mut buffer = [0; 2048];
            while !ending.is_near() {
                let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
                counting.fetch_add(1, Ordering::Relaxed);
                let mut answer = answering.lock().unwrap_or_else(PoisonError::into_inner);
                for datagram in answer(buffer.get(..length).unwrap_or_default()) {
                    // Who asked may have gone.
                    let _ = socket.send_to(&datagram, from);
                }
            }
        })?;
        Ok(Self { answer, received, _thread: thread })
    }

    /// Answers otherwise from now on.
    pub fn answers(&self, answer: impl FnMut(&[u8]) -> Vec<Vec<u8>> + Send + 'static) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(answer);
    }

    /// How many datagrams have come.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

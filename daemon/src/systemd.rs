//! systemd's two small protocols: what state we are in (sd_notify) and listening sockets that it opened for us
//! (`LISTEN_FDS`). In: the environment. Out: datagrams to `NOTIFY_SOCKET`, also for its watchdog; an owned listener.

#![allow(unsafe_code)]

use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// The variable through which a supervisor tells its worker how many sockets were handed in.
pub const HANDED_IN: &str = "KEEPWATCH_LISTEN_FDS";
/// The first handed-in descriptor (sd_listen_fds(3)).
const FIRST_FD: i32 = 3;

/// How many listening sockets the service manager handed to this very process.
pub fn handed_in() -> usize {
    let mine =
        std::env::var("LISTEN_PID").ok().and_then(|pid| pid.parse::<u32>().ok()) == Some(std::process::id());
    let count = std::env::var("LISTEN_FDS").ok().and_then(|n| n.parse().ok());
    count.filter(|_| mine).unwrap_or(0)
}

/// How many the stage before this one says there are.
pub fn passed_on() -> usize {
    std::env::var(HANDED_IN).ok().and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// Takes over the first handed-in TCP listener, where the supervisor said that there is one. Call it once, before
/// other descriptors are opened.
pub fn listener() -> Option<TcpListener> {
    let count = i32::try_from(passed_on()).ok()?;
    let handed_in = FIRST_FD..FIRST_FD.checked_add(count)?;
    for fd in handed_in.clone() {
        // None of them is for scripts. What is not open is left out.
        // SAFETY: borrowed for this one call, which tells whether it is open.
        if fcntl(unsafe { BorrowedFd::borrow_raw(fd) }, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).is_err() {
            break;
        }
    }
    for fd in handed_in {
        // SAFETY: the service manager opened this descriptor for us, it came through exec, and this function,
        // called once at the start, is the only one that takes it.
        let owned = unsafe { OwnedFd::from_raw_fd(fd) };
        let listens = nix::sys::socket::getsockopt(&owned.as_fd(), nix::sys::socket::sockopt::AcceptConn);
        if listens == Ok(true) {
            return Some(TcpListener::from(owned));
        }
        // Not a listener (or not even open): leave the number alone.
        std::mem::forget(owned);
    }
    None
}

/// Whether there is a service manager that is told.
pub fn is_told() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// Tells the service manager `state` (`READY=1`, `STOPPING=1`, …); without one, or if it does not listen, nothing
/// happens. Never waits.
pub fn notify(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let path = path.to_string_lossy().into_owned();
    let address = match path.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&path),
    };
    if let (Ok(address), Ok(socket)) = (address, UnixDatagram::unbound()) {
        let _ = socket.set_nonblocking(true);
        let _ = socket.send_to_addr(state.as_bytes(), &address);
    }
}

/// The message that what is under way may take so long yet.
pub fn longer(within: Duration) -> String {
    format!("EXTEND_TIMEOUT_USEC={}", within.as_micros())
}

/// The service manager's watchdog (`WatchdogSec=`): it is to hear from us, and restarts the daemon if it does not. The
/// supervisor feeds it: that sees to the worker itself.
#[derive(Debug)]
pub struct Watchdog {
    /// How long it waits; none if there is none.
    patience: Option<Duration>,
    fed: Option<Instant>,
}

impl Watchdog {
    /// That of this process, as the environment says (sd_watchdog_enabled(3)).
    pub fn of_the_service_manager() -> Self {
        let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let patience =
            number("WATCHDOG_USEC").filter(|micros| ours && *micros > 0).map(Duration::from_micros);
        Self { patience, fed: None }
    }

    /// How often it is to be fed at least.
    pub fn every(&self) -> Duration {
        self.patience.map_or(Duration::MAX, |patience| patience / 3)
    }

    /// Feeds it if it is time.
    pub fn fed(&mut self, now: Instant) {
        if self.patience.is_some() && self.fed.is_none_or(|fed| now.duration_since(fed) >= self.every()) {
            notify("WATCHDOG=1");
            self.fed = Some(now);
        }
    }
}

/// The message that announces a reload: systemd wants the monotonic time with it (sd_notify(3)).
pub fn reloading() -> String {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC);
    let micros = now.map_or(0, |t| t.tv_sec() * 1_000_000 + t.tv_nsec() / 1_000);
    format!("RELOADING=1\nMONOTONIC_USEC={micros}")
}

//! A timer of nanosecond resolution, as a file descriptor for an event loop.
//!
//! `epoll_wait` and tokio's wheel count in milliseconds, and even `epoll_pwait2` adds a thousandth of the waiting
//! time as slack; a timerfd adds none. A VRRP takeover is as punctual as its timer.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::{Duration, Instant};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::time::clock_gettime;

use crate::error::{Error, Result};

/// One deadline on the monotonic clock, the clock of [`Instant`]. Readable from the deadline on; watch it
/// edge-triggered (no read needed) or clear it with [`Timer::clear`]. Works with tokio's `AsyncFd` too.
#[derive(Debug)]
pub struct Timer {
    fd: TimerFd,
    armed: Option<Instant>,
    origin: (Instant, Duration),
}

impl Timer {
    /// A timer that is not armed.
    ///
    /// # Errors
    /// When the kernel gives no descriptor.
    pub fn new() -> Result<Self> {
        let fd = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)
            .map_err(|e| Error::system("open", "a timer", e))?;
        Ok(Self { fd, armed: None, origin: origin()? })
    }

    /// Sets the deadline; one in the past fires at once. No system call if nothing changes.
    ///
    /// # Errors
    /// None is known for a valid descriptor.
    pub fn set(&mut self, deadline: Option<Instant>) -> Result<()> {
        if self.armed == deadline {
            return Ok(());
        }
        let result = match deadline {
            Some(deadline) => {
                let (instant, reading) = self.origin;
                let at = reading + deadline.saturating_duration_since(instant);
                // Zero would disarm.
                let at = TimeSpec::from_duration(at.max(Duration::from_nanos(1)));
                self.fd.set(Expiration::OneShot(at), TimerSetTimeFlags::TFD_TIMER_ABSTIME)
            }
            None => self.fd.unset(),
        };
        result.map_err(|e| Error::system("set", "a timer", e))?;
        self.armed = deadline;
        Ok(())
    }

    /// Sees to it that it fires at this deadline or before: a sooner one that it is set to stays. Of deadlines that move
    /// away again and again, as those of a backup do with each advertisement, few are told to the kernel so; who wakes up
    /// has to look whether anything is due.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn set_no_later(&mut self, deadline: Option<Instant>) -> Result<()> {
        match self.armed {
            Some(armed) if deadline.is_none_or(|deadline| armed <= deadline) => Ok(()),
            _ => self.set(deadline),
        }
    }

    /// Tells that the deadline was seen to have passed, so that the same one may be set again.
    pub fn fired(&mut self) {
        self.armed = None;
    }

    /// Reads the expiration, so that a level-triggered watcher sees the descriptor unreadable again.
    pub fn clear(&mut self) {
        self.armed = None;
        // Non-blocking: an error means that there was nothing to clear.
        let _ = self.fd.wait();
    }
}

impl AsFd for Timer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_fd().as_raw_fd()
    }
}

/// Pairs a reading of [`Instant`] with one of the clock behind it: the closest of a few, to be true to well under a
/// microsecond even if the thread is interrupted between two of them.
fn origin() -> Result<(Instant, Duration)> {
    let mut best: Option<(Duration, (Instant, Duration))> = None;
    for _ in 0..5 {
        let before = Instant::now();
        let reading = clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)
            .map_err(|e| Error::system("read", "the monotonic clock", e))?;
        let spread = before.elapsed();
        if best.is_none_or(|(smallest, _)| spread < smallest) {
            best = Some((spread, (before, Duration::from(reading))));
        }
    }
    best.map(|(_, pair)| pair).ok_or_else(|| {
        Error::system("read", "the monotonic clock", std::io::Error::from(std::io::ErrorKind::Other))
    })
}

#[cfg(test)]
mod tests {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;

    fn readable(timer: &Timer, wait_ms: u16) -> bool {
        let mut fds = [PollFd::new(timer.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::from(wait_ms)).unwrap() == 1
    }

    #[test]
    fn it_fires_at_the_deadline_and_not_before() {
        let mut timer = Timer::new().unwrap();
        let deadline = Instant::now() + Duration::from_micros(2_300);
        timer.set(Some(deadline)).unwrap();
        assert!(readable(&timer, 5_000));
        let late = Instant::now().checked_duration_since(deadline);
        assert!(late.is_some(), "fired early");
    }

    #[test]
    fn a_sooner_deadline_stays_and_a_later_one_gives_way() {
        let mut timer = Timer::new().unwrap();
        let began = Instant::now();
        let (soon, later) = (began + Duration::from_millis(20), began + Duration::from_secs(3600));
        timer.set_no_later(Some(later)).unwrap();
        timer.set_no_later(Some(soon)).unwrap();
        for deadline in [Some(later), None] {
            timer.set_no_later(deadline).unwrap();
            assert_eq!(timer.armed, Some(soon));
        }
        assert!(readable(&timer, 5_000));
        // What has fired is no deadline any more.
        timer.fired();
        timer.set_no_later(Some(later)).unwrap();
        assert_eq!(timer.armed, Some(later));
        assert!(!readable(&timer, 0));
    }

    #[test]
    fn a_deadline_in_the_past_fires_at_once_and_none_disarms() {
        let mut timer = Timer::new().unwrap();
        timer.set(Some(Instant::now())).unwrap();
        assert!(readable(&timer, 1_000));
        timer.clear();
        assert!(!readable(&timer, 0));
        timer.set(Some(Instant::now() + Duration::from_millis(1))).unwrap();
        timer.set(None).unwrap();
        assert!(!readable(&timer, 5));
    }
}

//! Whether this process may leave a core, kept as it was.
//!
//! A process that takes another user's identity loses that (prctl(2), PR_SET_DUMPABLE), so that this user's other
//! processes can't read its memory; and until it executes its program, its memory is ours. So we lose it too. It is given
//! back when no such process is left: before, that user could look into ours.

#![allow(unsafe_code)]

use std::sync::{Mutex, PoisonError};

struct Under {
    /// Processes that are on their way to be another user's.
    way: usize,
    /// What it was before the first of them.
    before: libc::c_int,
}

static UNDER: Mutex<Under> = Mutex::new(Under { way: 0, before: 0 });

/// While there is one, a process may take another identity on our memory.
pub(super) struct Guard(());

impl Guard {
    pub(super) fn new() -> Self {
        let mut under = UNDER.lock().unwrap_or_else(PoisonError::into_inner);
        if under.way == 0 {
            // SAFETY: numbers in, a number out.
            under.before = unsafe { libc::prctl(libc::PR_GET_DUMPABLE) };
        }
        under.way += 1;
        Self(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut under = UNDER.lock().unwrap_or_else(PoisonError::into_inner);
        under.way -= 1;
        // 2 can't be set, and does not come from us.
        if under.way == 0 && under.before == 1 {
            // SAFETY: numbers in, a number out.
            unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1 as libc::c_long) };
        }
    }
}

//! What a command leaves behind may still have our pipe as its output: a service, started in the background by a script
//! that has ended. It must be able to write to it as long as it lives, whatever becomes of us; a pipe that nobody
//! reads kills who writes to it.

use std::ffi::OsString;
use std::fs::File;
use std::io::PipeReader;
use std::os::fd::AsFd;
use std::path::Path;

use super::child::{self, Setting};

/// Reads to the end, and forgets. Shells give what runs in the background no input, hence the detour.
const READ_ALL: &str = "exec 3<&0 </dev/null; cat <&3 3<&- >/dev/null 2>&1 &";

/// Has somebody read a pipe who outlives this process, and ends when the last writer does.
pub(super) fn hand_over(pipe: PipeReader) {
    let Ok(null) = File::options().read(true).write(true).open("/dev/null") else { return };
    let argv = ["sh", "-c", READ_ALL].map(OsString::from);
    let descriptors = [pipe.as_fd(), null.as_fd(), null.as_fd()];
    // The shell ends at once. Without a shell there was no script that could have left anything behind.
    if let Ok(shell) = child::start(Path::new("/bin/sh"), &argv, &[], descriptors, &Setting::of_survivor()) {
        let _ = shell.collect();
    }
}

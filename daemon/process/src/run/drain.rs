//! What a command leaves behind may still have our pipe as its output: a service, started in the background by a script
//! that has ended. It must be able to write to it as long as it lives, whatever becomes of us; a pipe that nobody
//! reads kills who writes to it.

use std::io::PipeReader;
use std::process::{Command, Stdio};

use super::child::Setting;

/// Reads to the end, and forgets. Shells give what runs in the background no input, hence the detour.
const READ_ALL: &str = "exec 3<&0 </dev/null; cat <&3 3<&- >/dev/null 2>&1 &";

/// Has somebody read a pipe who outlives this process, and ends when the last writer does.
pub(super) fn hand_over(pipe: PipeReader) {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", READ_ALL]).stdin(pipe).stdout(Stdio::null()).stderr(Stdio::null()).env_clear();
    Setting::of_survivor().apply_to(&mut command);
    // The shell ends at once. Without a shell there was no script that could have left anything behind.
    if let Ok(mut shell) = command.spawn() {
        let _ = shell.wait();
    }
}

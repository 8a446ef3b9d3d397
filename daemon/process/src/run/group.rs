//! Who is left of a process group whose leader has died and is not collected yet. The kernel does not tell: to it the
//! leader still is one of the group. So the processes are looked through.

use std::fs;
use std::time::{Duration, Instant};

use nix::unistd::Pid;

/// How often it is looked.
const PAUSE: Duration = Duration::from_millis(20);

/// Waits until nobody of the group lives any more, or `until`.
pub(super) fn wait_for_followers(leader: Pid, until: Instant) {
    while has_followers(leader) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(PAUSE));
    }
}

/// Whether anybody but its leader lives in this group; also if that can't be found out.
fn has_followers(leader: Pid) -> bool {
    let Ok(processes) = fs::read_dir("/proc") else { return true };
    let numbers = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers.filter(|number| *number != leader.as_raw()).any(|number| {
        // One that can't be read has just ended.
        let stat = fs::read(format!("/proc/{number}/stat")).unwrap_or_default();
        lives_in(&String::from_utf8_lossy(&stat), leader)
    })
}

/// Whether such a line of `/proc/PID/stat` (proc_pid_stat(5)) is of a process that lives and is in this group. The name,
/// which may hold anything, ends at the last parenthesis; behind it stand the state, the parent and the group.
fn lives_in(stat: &str, group: Pid) -> bool {
    let Some((_, behind)) = stat.rsplit_once(')') else { return false };
    let mut fields = behind.split_whitespace();
    let lives = fields.next().is_some_and(|state| !matches!(state, "Z" | "X"));
    lives && fields.nth(1).and_then(|number| number.parse().ok()) == Some(group.as_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lives_in_a_group_is_told_from_the_dead_and_from_others() {
        let group = Pid::from_raw(70);
        assert!(lives_in("71 (sleep) S 70 70 70 0 -1", group));
        assert!(lives_in("71 (a) Z 1 70) D 70 70 70 0 -1", group));
        assert!(!lives_in("71 (sleep) Z 70 70 70 0 -1", group));
        assert!(!lives_in("71 (sleep) S 70 71 70 0 -1", group));
        assert!(!lives_in("", group));
    }
}

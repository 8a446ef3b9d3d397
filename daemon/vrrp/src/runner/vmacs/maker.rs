//! Which daemon made an interface, as its mark says, and whether that one still lives: several may be in one network, and none
//! may take away what is another's. A daemon is its supervisor, which outlives its workers: known by the number of its process,
//! by when that began, and by the namespace that numbers it.

use std::fs;

use nix::unistd::getppid;

/// What it begins with among what else is written beside an interface.
const BY: &str = "by=";

/// Whether the daemon that made an interface is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Maker {
    /// This daemon, be it a worker before this one.
    Ours,
    /// It is.
    Lives,
    /// It is not.
    Gone,
    /// It is not known which one it was, or it can't be seen from here.
    Unknown,
}

/// This daemon: `by=1234/567890/4026531836`. Nothing where the kernel tells nothing of processes.
pub(super) fn own() -> String {
    let text = fs::read_to_string(format!("/proc/{}/stat", getppid())).unwrap_or_default();
    let own =
        stat(&text).zip(namespace()).map(|((number, began, _), here)| format!("{BY}{number}/{began}/{here}"));
    own.unwrap_or_default()
}

/// The maker that what is written beside an interface names.
pub(super) fn of(memory: &str) -> Maker {
    let Some(named) = memory.split(' ').find_map(|word| word.strip_prefix(BY)) else { return Maker::Unknown };
    let mut words = named.split('/');
    let (Some(number), Some(began), Some(there), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Maker::Unknown;
    };
    let number = number.parse::<u32>();
    let Ok(number) = number else { return Maker::Unknown };
    // Where not even the first process can be seen (`hidepid`), no other can.
    if namespace().as_deref() != Some(there) || fs::read("/proc/1/stat").is_err() {
        return Maker::Unknown;
    }
    match fs::read_to_string(format!("/proc/{number}/stat")) {
        Ok(text) => match stat(&text) {
            Some((now, began_now, _)) if now == getppid().to_string() && began_now == began => Maker::Ours,
            // One that waits for its parent to take note of its end does nothing any more.
            Some((_, now, state)) if now == began && !matches!(state, "Z" | "X") => Maker::Lives,
            Some(_) => Maker::Gone,
            None => Maker::Unknown,
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Maker::Gone,
        Err(_) => Maker::Unknown,
    }
}

/// Number, time of beginning, and state of a process (proc_pid_stat(5)). Its name stands in parentheses and may have any
/// character.
fn stat(text: &str) -> Option<(&str, &str, &str)> {
    let (number, _) = text.split_once(' ')?;
    let (_, rest) = text.rsplit_once(')')?;
    let mut words = rest.split_ascii_whitespace();
    let state = words.next()?;
    Some((number, words.nth(18)?, state))
}

/// The namespace that numbers this process.
fn namespace() -> Option<String> {
    let link = fs::read_link("/proc/self/ns/pid").ok()?;
    let number = link.to_str()?.strip_prefix("pid:[")?.strip_suffix(']')?;
    Some(number.to_owned())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_is_known_while_it_lives_and_by_when_it_began() {
        let own = own();
        assert_eq!(of(&format!("{own} eth0/arp_ignore=0")), Maker::Ours);
        let text = fs::read_to_string("/proc/self/stat").unwrap();
        let (number, began, _) = stat(&text).unwrap();
        let here = namespace().unwrap();
        assert_eq!(of(&format!("by={number}/{began}/{here}")), Maker::Lives);
        let words: Vec<&str> = own.split('/').collect();
        // Another has its number by now.
        assert_eq!(of(&format!("{}/1/{}", words[0], words[2])), Maker::Gone);
        assert_eq!(of(&format!("{}/{}/1", words[0], words[1])), Maker::Unknown);
        let mut child = Command::new("true").spawn().unwrap();
        let number = child.id();
        child.wait().unwrap();
        assert_eq!(of(&format!("by={number}/1/{}", words[2])), Maker::Gone);
        for unknown in ["", "eth0/arp_ignore=0", "by=", "by=x/1/2", "by=1/2"] {
            assert_eq!(of(unknown), Maker::Unknown, "{unknown}");
        }
    }

    #[test]
    fn a_name_of_a_process_may_have_anything_in_it() {
        let text = "12 (a ) (b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 7777 20";
        assert_eq!(stat(text), Some(("12", "7777", "S")));
    }
}

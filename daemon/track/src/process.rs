//! `vrrp_track_process` as a machine: processes and time in, quorum gained and lost out. No clock, no `/proc`.
//!
//! A process counts while it has the program's name (and arguments). Whether there are enough, and not too many, counts
//! `fork_delay` after a process has come and `terminate_delay` after one has gone, and not at all if it is as before by
//! then.

mod runner;
mod table;

use std::collections::HashSet;
use std::time::Instant;

use keepwatch_bus::fact::Evidence;
use keepwatch_model::{ArgumentMatch, Level, TrackProcess};

pub(crate) use runner::Processes;

/// How much of a program's name the kernel keeps (`TASK_COMM_LEN` less the end mark).
const NAME: usize = 15;

/// What a process is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Called {
    /// By the kernel (`/proc/PID/comm`).
    name: Vec<u8>,
    /// Its command line, each word with a 0 at its end (`/proc/PID/cmdline`); empty where nobody asked for it.
    command: Vec<u8>,
}

/// Whether a tracker looks for this one.
fn matches(settings: &TrackProcess, called: &Called) -> bool {
    let program = settings.program.as_bytes();
    if !settings.full_command {
        return called.name == program[..program.len().min(NAME)];
    }
    let end = called.command.iter().position(|byte| *byte == 0).unwrap_or(called.command.len());
    let (first, rest) = called.command.split_at(end);
    let rest = rest.get(1..).unwrap_or_default();
    let wanted: Vec<u8> = settings.arguments.iter().flat_map(|word| word.bytes().chain([0])).collect();
    first == program
        && match settings.matching {
            None => true,
            Some(ArgumentMatch::Exact) => rest == wanted,
            Some(ArgumentMatch::Initial) => rest.starts_with(&wanted),
            Some(ArgumentMatch::Partial) => rest.starts_with(wanted.strip_suffix(&[0]).unwrap_or(&wanted)),
        }
}

/// One `vrrp_track_process`.
#[derive(Debug)]
struct Machine {
    settings: TrackProcess,
    /// Those that count.
    processes: HashSet<u32>,
    /// What was told last.
    told: Option<bool>,
    /// When it is to be told that this has changed.
    due: Option<Instant>,
}

impl Machine {
    fn new(settings: TrackProcess) -> Self {
        Self { settings, processes: HashSet::new(), told: None, due: None }
    }

    fn has(&self, process: u32) -> bool {
        self.processes.contains(&process)
    }

    fn is_well(&self) -> bool {
        let count = self.processes.len();
        count >= usize::from(self.settings.quorum)
            && self.settings.quorum_max.is_none_or(|most| count <= usize::from(most))
    }

    /// A process counts from now on, or no longer. What is to be told.
    fn set(&mut self, now: Instant, process: u32, counts: bool) -> Option<Level> {
        let changed = if counts { self.processes.insert(process) } else { self.processes.remove(&process) };
        if changed { self.judge(now, counts) } else { None }
    }

    /// These and no others count, as a look at all has shown.
    fn replace(&mut self, now: Instant, processes: HashSet<u32>) -> Option<Level> {
        let more = processes.len() >= self.processes.len();
        self.processes = processes;
        self.judge(now, more)
    }

    fn judge(&mut self, now: Instant, more: bool) -> Option<Level> {
        let well = self.is_well();
        match self.told {
            Some(told) if told == well => self.due = None,
            None => return Some(self.tell(well)),
            // The delay that began with the change goes on: another look at it is no change.
            Some(_) if self.due.is_some() => {}
            Some(_) => {
                let delay = if more { self.settings.fork_delay } else { self.settings.terminate_delay };
                if delay.is_zero() {
                    return Some(self.tell(well));
                }
                self.due = Some(now + delay);
            }
        }
        None
    }

    fn due(&self) -> Option<Instant> {
        self.due
    }

    fn tick(&mut self, now: Instant) -> Option<Level> {
        self.due.take_if(|due| *due <= now)?;
        Some(self.tell(self.is_well()))
    }

    fn tell(&mut self, well: bool) -> Level {
        self.told = Some(well);
        self.due = None;
        if well { Level::Up } else { Level::Down }
    }

    fn evidence(&self) -> Evidence {
        Evidence::Counted {
            processes: u32::try_from(self.processes.len()).unwrap_or(u32::MAX),
            quorum: self.settings.quorum,
            quorum_max: self.settings.quorum_max,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn settings(quorum: u16, quorum_max: Option<u16>) -> TrackProcess {
        TrackProcess {
            name: "web".into(),
            program: "a-program-with-a-long-name".into(),
            arguments: Vec::new(),
            matching: None,
            full_command: false,
            weight: 0,
            reverse: false,
            quorum,
            quorum_max,
            fork_delay: Duration::ZERO,
            terminate_delay: Duration::ZERO,
        }
    }

    fn called(name: &str, command: &str) -> Called {
        Called { name: name.into(), command: command.replace(' ', "\0").into_bytes() }
    }

    #[test]
    fn a_process_is_known_by_its_name_or_by_its_command_line() {
        let by_name = settings(1, None);
        assert!(matches(&by_name, &called("a-program-with-", "")));
        assert!(!matches(&by_name, &called("a-program", "")));
        let by_command = |matching, arguments: &[&str]| TrackProcess {
            program: "/bin/p".into(),
            arguments: arguments.iter().map(|word| (*word).into()).collect(),
            matching,
            full_command: true,
            ..settings(1, None)
        };
        let line = called("p", "/bin/p -a bcd e ");
        for (matching, arguments, expected) in [
            (None, &[][..], true),
            (Some(ArgumentMatch::Exact), &["-a", "bcd", "e"], true),
            (Some(ArgumentMatch::Exact), &["-a", "bcd"], false),
            (Some(ArgumentMatch::Exact), &[], false),
            (Some(ArgumentMatch::Initial), &["-a", "bcd"], true),
            (Some(ArgumentMatch::Initial), &["-a", "bc"], false),
            (Some(ArgumentMatch::Initial), &[], true),
            (Some(ArgumentMatch::Partial), &["-a", "bc"], true),
            (Some(ArgumentMatch::Partial), &["-a", "bx"], false),
        ] {
            assert_eq!(
                matches(&by_command(matching, arguments), &line),
                expected,
                "{matching:?} {arguments:?}"
            );
        }
        assert!(!matches(&by_command(None, &[]), &called("p", "p -a ")));
    }

    #[test]
    fn quorum_counts_at_once_without_delays_and_too_many_are_too_few() {
        let now = Instant::now();
        let mut machine = Machine::new(settings(2, Some(3)));
        assert_eq!(machine.replace(now, [1].into()), Some(Level::Down), "the first look decides");
        assert_eq!(machine.set(now, 2, true), Some(Level::Up));
        assert_eq!(machine.set(now, 2, true), None);
        assert_eq!(machine.set(now, 3, true), None);
        assert_eq!(machine.set(now, 4, true), Some(Level::Down));
        assert_eq!(machine.set(now, 1, false), Some(Level::Up));
        assert_eq!(machine.replace(now, HashSet::new()), Some(Level::Down));
        let mut none = Machine::new(settings(0, Some(0)));
        assert_eq!(none.replace(now, HashSet::new()), Some(Level::Up));
        assert_eq!(none.set(now, 1, true), Some(Level::Down));
    }

    #[test]
    fn what_is_as_before_when_the_delay_is_over_is_not_told() {
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let delays = TrackProcess {
            fork_delay: Duration::from_secs(5),
            terminate_delay: Duration::from_secs(2),
            ..settings(1, None)
        };
        let mut machine = Machine::new(delays);
        assert_eq!(machine.replace(now, [1].into()), Some(Level::Up));
        assert_eq!((machine.set(now, 1, false), machine.due()), (None, Some(at(2))));
        assert_eq!((machine.set(at(1), 2, true), machine.due()), (None, None));
        assert_eq!(machine.set(at(1), 2, false), None);
        assert_eq!(machine.tick(at(2)), None);
        assert_eq!(machine.tick(at(3)), Some(Level::Down));
        assert_eq!((machine.set(at(3), 3, true), machine.due()), (None, Some(at(8))));
        assert_eq!(machine.tick(at(8)), Some(Level::Up));
    }

    #[test]
    fn another_look_does_not_cut_a_delay_short() {
        let now = Instant::now();
        let delays = TrackProcess { terminate_delay: Duration::from_secs(30), ..settings(1, None) };
        let mut machine = Machine::new(delays);
        assert_eq!(machine.replace(now, [1].into()), Some(Level::Up));
        assert_eq!(machine.set(now, 1, false), None);
        assert_eq!(machine.replace(now + Duration::from_secs(1), HashSet::new()), None);
        assert_eq!(machine.due(), Some(now + Duration::from_secs(30)));
    }
}

//! `MISC_CHECK`: a command succeeds.
//!
//! Its exit status says how the real server is: 0 good, anything else bad; with `misc_dynamic` 2 to 255 are good too, and
//! the weight is then that status less 2. A command that takes too long is asked to end, and killed with all that it
//! started two seconds later; there is no other run of it before it is gone.

use std::time::Duration;

use keepwatch_bus::fact::{Failure, FailureReason};
use keepwatch_model::MiscCheck;
use keepwatch_process::{Command, End, Finished, Manner, NotRun, Running, Tally};

use crate::outcome::{Outcome, WeightSaid};

/// From asking a command to end whose result is of no use any more to killing it.
const LAST_GRACE: Duration = Duration::from_millis(300);
/// The longest part of a line that is shown.
const LINE: usize = 200;

static COMMANDS: Tally = Tally::new();

/// How many commands of checkers run now; those that have been asked to end are among them.
pub fn commands_under_way() -> usize {
    COMMANDS.under_way()
}

/// Makes one check.
pub(super) async fn check(settings: &MiscCheck, manner: Manner) -> Outcome {
    let mut running = Unwanted(keepwatch_process::run_counted(command(settings, manner), &COMMANDS));
    judge(settings, (&mut running.0).await)
}

/// A command that nobody waits for any more when this is dropped: its checker is gone, or the daemon ends.
struct Unwanted(Running);

impl Drop for Unwanted {
    fn drop(&mut self) {
        // Without effect on one that has ended.
        self.0.stop(LAST_GRACE);
    }
}

fn command(settings: &MiscCheck, manner: Manner) -> Command {
    Command { limit: Some(settings.timeout), ..Command::of_script(&settings.script, manner) }
}

fn judge(settings: &MiscCheck, ended: Result<Finished, NotRun>) -> Outcome {
    let failed = |reason, error: String| Outcome::Failed(Failure::new(reason, error));
    let Finished { end, output, .. } = match ended {
        Ok(finished) => finished,
        Err(NotRun::Start { error, .. }) if is_want_of_room(&error) => {
            return Outcome::NotRun(error.to_string());
        }
        Err(NotRun::Stopped) => return Outcome::NotRun("it was stopped".to_owned()),
        Err(why) => return failed(FailureReason::Script, format!("can't be run: {why}")),
    };
    let said = output.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    let said = if said.is_empty() {
        String::new()
    } else {
        format!(": {}", said.chars().take(LINE).collect::<String>())
    };
    match end {
        End::Exited(0) => Outcome::GOOD,
        End::Exited(status @ 2..=255) if settings.dynamic => {
            Outcome::Succeeded { weight: WeightSaid::Exactly(status - 2) }
        }
        End::Exited(status) => failed(FailureReason::Script, format!("exited with status {status}{said}")),
        End::Killed(signal) => failed(FailureReason::Script, format!("killed by signal {signal}{said}")),
        End::TimedOut => {
            let limit = settings.timeout.as_secs_f64();
            failed(FailureReason::Timeout, format!("timed out after {limit}s{said}"))
        }
        End::Stopped => Outcome::NotRun("it was stopped".to_owned()),
    }
}

/// Whether this machine has no room for another process, which says nothing of the real server.
fn is_want_of_room(error: &std::io::Error) -> bool {
    use nix::libc::{EAGAIN, EMFILE, ENFILE, ENOMEM};
    error.raw_os_error().is_some_and(|number| [EAGAIN, EMFILE, ENFILE, ENOMEM].contains(&number))
}

#[cfg(test)]
mod tests {
    use keepwatch_model::Script;

    use super::*;

    async fn run(script: &str, dynamic: bool) -> Outcome {
        let argv = ["/bin/sh", "-c", script].map(Into::into).to_vec();
        let script = Script { argv, user: None };
        let settings = MiscCheck { script, timeout: Duration::from_millis(200), dynamic };
        check(&settings, Manner::default()).await
    }

    fn failed(reason: FailureReason, error: &str) -> Outcome {
        Outcome::Failed(Failure::new(reason, error))
    }

    #[tokio::test]
    async fn the_exit_status_says_how_the_server_is() {
        let is = |weight| Outcome::Succeeded { weight: WeightSaid::Exactly(weight) };
        let status = |text: &str| failed(FailureReason::Script, text);
        for (script, dynamic, expected) in [
            ("exit 0", false, Outcome::GOOD),
            ("exit 0", true, Outcome::GOOD),
            ("exit 1", true, status("exited with status 1")),
            ("exit 2", true, is(0)),
            ("exit 255", true, is(253)),
            ("exit 2", false, status("exited with status 2")),
            ("echo one; echo two >&2; echo; exit 3", false, status("exited with status 3: two")),
            ("kill -9 $$", true, status("killed by signal 9")),
        ] {
            assert_eq!(run(script, dynamic).await, expected, "{script} {dynamic}");
        }
    }

    #[tokio::test]
    async fn one_that_takes_too_long_has_failed() {
        assert_eq!(run("sleep 60", true).await, failed(FailureReason::Timeout, "timed out after 0.2s"));
    }

    #[tokio::test]
    async fn with_use_symlink_paths_it_is_run_by_its_link() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("real"), "#!/bin/sh\necho as ${0##*/}\nexit 1\n").unwrap();
        std::fs::set_permissions(path("real"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink("real", path("link")).unwrap();
        let script = Script { argv: vec![path("link").display().to_string().into()], user: None };
        let settings = MiscCheck { script, timeout: Duration::from_secs(20), dynamic: false };
        for (keep_links, name) in [(true, "link"), (false, "real")] {
            let outcome = check(&settings, Manner { keep_links, ..Manner::default() }).await;
            let said = format!("exited with status 1: as {name}");
            assert_eq!(outcome, failed(FailureReason::Script, &said), "{keep_links}");
        }
    }

    #[tokio::test]
    async fn one_that_can_t_be_run_has_failed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("not at all").display().to_string();
        let script = Script { argv: vec![path.as_str().into()], user: None };
        let settings = MiscCheck { script, timeout: Duration::from_secs(1), dynamic: false };
        let outcome = check(&settings, Manner::default()).await;
        let Outcome::Failed(failure) = outcome else { panic!("{outcome:?}") };
        assert!(failure.to_string().starts_with(&format!("can't be run: {path}")), "{failure}");
    }
}

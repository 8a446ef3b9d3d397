//! From the script of a configuration to a command: the one place that says how scripts are run.

use keepwatch_model::{Global, Script, ScriptUser, encoding};

use crate::command::{Command, DEFAULT_UMASK, Output, User};

/// How much of what a script wrote is kept: what a log line, a page and an event have room for.
const EVIDENCE: usize = 1024;

/// What holds for every script of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// `enable_script_security`: what runs as root and somebody else could change is not run.
    pub secure: bool,
    /// File mode creation mask.
    pub umask: u32,
    /// `use_symlink_paths`.
    pub keep_links: bool,
}

impl Manner {
    /// What a configuration says. `umask` is the command line's, and holds before the configuration's.
    pub fn of(global: &Global, umask: Option<u32>) -> Self {
        Self {
            secure: global.enable_script_security,
            umask: umask.or(global.umask).unwrap_or(DEFAULT_UMASK),
            keep_links: global.use_symlink_paths,
        }
    }
}

impl Default for Manner {
    fn default() -> Self {
        Self { secure: false, umask: DEFAULT_UMASK, keep_links: false }
    }
}

impl Command {
    /// What runs a script: without limit, the last KiB of its output kept.
    pub fn of_script(script: &Script, manner: Manner) -> Self {
        Self {
            user: script.user.as_ref().map(User::from),
            secure: manner.secure,
            umask: manner.umask,
            keep_links: manner.keep_links,
            output: Output::Kept(EVIDENCE),
            ..Self::new(script.argv.iter().map(|word| encoding::os_string(word)))
        }
    }
}

impl From<&ScriptUser> for User {
    fn from(user: &ScriptUser) -> Self {
        Self {
            name: user.name.to_string(),
            group: user.group.as_ref().map(ToString::to_string),
            supplementary_groups: user.supplementary_groups,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_run_as_the_configuration_says() {
        let global = Global {
            enable_script_security: true,
            use_symlink_paths: true,
            umask: Some(0o27),
            ..Global::default()
        };
        let user =
            ScriptUser { name: "nobody".into(), group: Some("daemon".into()), supplementary_groups: true };
        let script = Script { argv: vec!["/bin/a".into(), "b c".into()], user: Some(user) };
        let command = Command::of_script(&script, Manner::of(&global, None));
        assert_eq!(command.argv, ["/bin/a", "b c"]);
        let user = User { name: "nobody".into(), group: Some("daemon".into()), supplementary_groups: true };
        assert_eq!(command.user, Some(user));
        assert_eq!((command.secure, command.keep_links, command.umask), (true, true, 0o27));
        assert_eq!(Manner::of(&global, Some(0o22)).umask, 0o22, "the command line goes first");
        assert_eq!(Manner::of(&Global::default(), None), Manner::default());
    }
}

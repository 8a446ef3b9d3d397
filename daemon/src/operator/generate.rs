//! `keepwatch completions` and `keepwatch man`: made of the same definitions that read the command lines, so that they can't
//! say anything else.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Command, CommandFactory, ValueEnum};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::Cli;

/// The programs whose command lines are defined here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Program {
    /// The operator's command
    Keepwatch,
    /// The daemon
    Keepwatchd,
}

impl Program {
    fn command(self) -> Command {
        match self {
            Self::Keepwatch => super::Command::command(),
            Self::Keepwatchd => Cli::command(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Keepwatch => "keepwatch",
            Self::Keepwatchd => "keepwatchd",
        }
    }

    /// Its section of the manual: commands of users are in 1, what only root starts in 8.
    fn section(self) -> &'static str {
        match self {
            Self::Keepwatch => "1",
            Self::Keepwatchd => "8",
        }
    }
}

/// Writes the script of a shell to standard output.
pub(super) fn completions(shell: Shell, program: Program, out: &mut impl Write) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut program.command(), program.name(), &mut script);
    out.write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a page for each program, and for each verb of the command, into a directory.
pub(super) fn manual(directory: &Path) -> Result<ExitCode> {
    fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    for program in [Program::Keepwatch, Program::Keepwatchd] {
        let mut command = program.command();
        command.build();
        write(directory, program, command.get_name().to_owned(), &command)?;
        for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help" && !verb.is_hide_set())
        {
            write(directory, program, format!("{}-{}", command.get_name(), verb.get_name()), verb)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn write(directory: &Path, program: Program, name: String, command: &Command) -> Result<()> {
    let path = directory.join(format!("{name}.{}", program.section()));
    let page = || -> io::Result<()> {
        let mut text = Vec::new();
        let man = Man::new(command.clone().display_name(&name)).section(program.section());
        man.title(name.to_uppercase()).render(&mut text)?;
        text.extend_from_slice(see_also(program).as_bytes());
        fs::write(&path, text)
    };
    page().with_context(|| path.display().to_string())
}

/// In roff, as the rest of a page.
fn see_also(program: Program) -> &'static str {
    match program {
        Program::Keepwatch => ".SH \"SEE ALSO\"\nkeepwatchd(8), /usr/share/doc/keepwatch\n",
        Program::Keepwatchd => concat!(
            ".SH SIGNALS\n",
            "Sent to the process whose number is in the pid file.\n",
            ".TP\n.B SIGHUP\nread the configuration again\n",
            ".TP\n.B SIGTERM, SIGINT\nstop\n",
            ".TP\n.B SIGUSR1\nwrite keepalived.data, keepalived_check.data and so on: how everything stands\n",
            ".TP\n.B SIGUSR2\nwrite keepalived.stats: what virtual routers counted\n",
            ".TP\n.B SIGRTMIN+2\nwrite keepalived.json: virtual routers for programs\n",
            ".TP\n.B SIGRTMAX-1\nas SIGUSR2, and from then on count from zero\n",
            ".SH \"SEE ALSO\"\nkeepwatch(1), /usr/share/doc/keepwatch\n",
        ),
    }
}

//! `keepwatch`, the operator's command: asks a running daemon over its control socket and tells the answer to people
//! (or, with `--json`, to programs); checks configuration files without one.

mod check;
mod choice;
mod describe;
mod events;
mod follow;
mod generate;
#[cfg(test)]
mod happened;
mod input;
mod language;
mod nagios;
mod now;
mod observe;
mod paint;
mod realserver;
mod reload;
mod simulate;
mod status;
mod top;
mod watch;
mod why;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{CommandFactory, Parser, Subcommand};
use jiff::Zoned;
use keepwatch_config::Options;

use crate::control::client;
use crate::control::protocol::{Answer, DumpAsked, Question};
use crate::worker::configuration::options;
use crate::{paths, terminal};
use paint::Paint;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Exit status where something is wrong with what was asked about.
const TROUBLE: u8 = 3;

/// The command line of `keepwatch`.
#[derive(Debug, Parser)]
#[command(
    name = "keepwatch",
    version,
    about = "Ask a running keepwatchd what it does and why; check, explain and lay out its configuration",
    max_term_width = 110
)]
struct Command {
    #[command(flatten)]
    asking: Asking,

    #[command(subcommand)]
    verb: Verb,
}

/// How a running daemon is asked.
#[derive(Debug, Default, clap::Args)]
struct Asking {
    /// The daemon's control socket [default: /run/keepwatch/control.sock]
    #[arg(long, value_name = "PATH", alias = "control-socket")]
    socket: Option<PathBuf>,

    /// Answer in JSON, for programs
    #[arg(long)]
    json: bool,
}

impl Asking {
    /// What was said before the verb holds after it too.
    fn or(self, before: Self) -> Self {
        Self { socket: self.socket.or(before.socket), json: self.json || before.json }
    }
}

/// How configurations are read.
#[derive(Debug, clap::Args)]
struct Reading {
    /// Which lines that begin with @ID count [default: the host's name]
    #[arg(short = 'i', long = "config-id", value_name = "ID")]
    config_id: Option<String>,

    /// Most lines that definitions, sequences and lists may make [default: 2000000]
    #[arg(long, value_name = "LINES")]
    expansion_limit: Option<u64>,
}

impl Reading {
    fn options(&self) -> Options {
        options(self.config_id.as_deref(), self.expansion_limit, false)
    }
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// The state of every virtual router, virtual server and real server, or of those of one name
    ///
    /// Exit status 0 if all is well; 3 if something is wrong with what is shown (FAULT, an address that is missing, no
    /// quorum, a real server or tracker that is down, other trouble); 1 if the daemon does not answer or nothing is
    /// called so.
    #[command(
        override_usage = "keepwatch status [OPTIONS] [NAME]...\n       keepwatch status --check [OPTIONS]"
    )]
    Status {
        /// An instance, sync group, interface, virtual address, virtual or real server, script, file or process
        name: Vec<String>,
        /// Go on: tell it again whenever it has changed
        #[arg(short, long)]
        watch: bool,
        /// Judge it instead, as a plugin of Nagios: OK, WARNING, CRITICAL or UNKNOWN, with exit status 0 to 3 and figures
        #[arg(long, conflicts_with_all = ["name", "watch"])]
        check: bool,
        #[command(flatten)]
        asking: Asking,
    },
    /// Virtual routers, servers and events on the terminal, as they change; `q` quits
    Top {
        #[command(flatten)]
        asking: Asking,
    },
    /// What happened lately
    Events {
        /// Go on with what happens
        #[arg(short, long)]
        follow: bool,
        /// How many of the last events; all that the daemon holds if not said, 10 with --follow
        #[arg(short = 'n', long = "lines", value_name = "N")]
        lines: Option<usize>,
        #[command(flatten)]
        choice: choice::Choice,
        #[command(flatten)]
        asking: Asking,
    },
    /// How much is logged of each subsystem; changes it, until the daemon is started again
    LogLevel {
        /// `SUBSYSTEM=LEVEL` or `all=LEVEL`: for example `vrrp=debug`. Levels are debug, info, warning, error
        #[arg(value_name = "SUBSYSTEM=LEVEL")]
        set: Vec<String>,
        #[command(flatten)]
        asking: Asking,
    },
    /// Why something is as it is: its state and the events that led there; without a subject, what is wrong now
    ///
    /// Exit status 0 if the subject was found or nothing is wrong; 3 if, asked without a subject, something is wrong;
    /// 1 if the daemon does not answer or nothing is called so.
    Why {
        /// A name (instance, sync group, interface, script, file, process, BFD session), a virtual router id, an address
        /// with or without prefix or port (virtual address, virtual or real server, peer), a prefix for all in it, a mail
        /// address, a FIFO, `#23` for an event, `configuration` for the last reload
        #[arg(num_args = 0..)]
        subject: Vec<String>,
        #[command(flatten)]
        asking: Asking,
    },
    /// Read the configuration again, and wait for what comes of it
    ///
    /// Says what changed, with exit status 0; or what is wrong, and that nothing changed, with exit status 1.
    Reload {
        #[command(flatten)]
        asking: Asking,
    },
    /// What keepalived writes into its files on a signal, on standard output
    Dump {
        /// Which of them
        what: DumpAsked,
        #[command(flatten)]
        asking: Asking,
    },
    /// Check configuration files, and the files of a cluster against each other; needs no daemon
    ///
    /// Says what is wrong with each file, where, and how it is mended; exit status 0 if there is no error, 1 if there
    /// is, 2 if the command line is wrong. It does not look at this host's interfaces: `keepwatchd -t` does.
    Check {
        /// The files; `-` is standard input. Several are also held against each other, as the files of one cluster
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// How to tell
        #[arg(long, value_name = "FORMAT", default_value = "human")]
        message_format: check::MessageFormat,
        /// The same as --message-format json
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        reading: Reading,
    },
    /// What a keyword of the configuration means, where it may stand and how it is written
    Explain {
        /// The keyword, as it is written there; without one, the blocks are named
        keyword: Option<String>,
    },
    /// Bring configuration files into canonical layout
    ///
    /// Files are rewritten in place; without one, or with `-`, standard input goes to standard output. Comments stay, and
    /// the meaning does not change. A file with a wrong brace is left as it is. Exit status 0 if all went well.
    Fmt {
        /// The files
        files: Vec<PathBuf>,
        /// Change nothing; name the files that are not in canonical layout, with exit status 1 if there are any
        #[arg(long)]
        check: bool,
        #[command(flatten)]
        reading: Reading,
    },
    /// A configuration as it is understood, expanded and with every default, in JSON
    ///
    /// What is wrong with it is said on standard error. Times are in seconds; passwords are left out. Exit status 0 if it
    /// can run, if need be after changes.
    Config {
        /// The file; `-` is standard input
        file: PathBuf,
        /// In JSON, which is the only form that there is
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        reading: Reading,
    },
    /// Which virtual routers a LAN has, heard from their adverts alone; needs no daemon and no configuration
    ///
    /// Tells who is master, and what changes: failovers, two masters and what they say differently, packets that nobody
    /// can believe. Sends nothing. At the end (Ctrl-C, or --for) all that was heard is listed; exit status 0, or 1 if
    /// somewhere there are two masters or none.
    Observe {
        #[command(flatten)]
        arguments: observe::Arguments,
    },
    /// Set this host up as a real server of direct routing or tunnels, from the directors' configuration; needs no daemon
    ///
    /// Puts the virtual addresses of those services that it serves on lo (or on the end of the tunnel) and keeps the host
    /// from telling the LAN of them. With a file alone it stays, puts right what others change, and undoes all of it at
    /// the end (Ctrl-C, SIGTERM); SIGHUP has it read the file again. What was there before is left alone.
    Realserver(realserver::Arguments),
    /// The completions of a shell, on standard output
    Completions {
        /// The shell
        shell: clap_complete::Shell,
        /// For which program
        #[arg(long, value_name = "PROGRAM", default_value = "keepwatch")]
        program: generate::Program,
    },
    /// Write the manual pages of both programs into a directory
    Man {
        /// The directory; it is made if it is not there
        directory: PathBuf,
    },
    /// What would happen to the virtual routers of a cluster if something went wrong; needs no daemon
    ///
    /// Runs the machines of the daemon on a simulated network: who is master when, how long nobody is (outages) and
    /// how long two are (split brain).
    Simulate {
        #[command(flatten)]
        arguments: simulate::Arguments,
    },
}

/// The whole of `keepwatch`.
pub fn main() -> ExitCode {
    let command = Command::parse();
    match run(command) {
        Ok(code) => code,
        Err(error) if broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::complain(&format!("keepwatch: {error:#}\n"));
            ExitCode::FAILURE
        }
    }
}

/// Whether it failed only because nobody reads on (`keepwatch events | head`).
fn broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

fn run(command: Command) -> Result<ExitCode> {
    let before = command.asking;
    if !matches!(
        command.verb,
        Verb::Status { .. }
            | Verb::Top { .. }
            | Verb::Events { .. }
            | Verb::Why { .. }
            | Verb::LogLevel { .. }
            | Verb::Dump { .. }
            | Verb::Reload { .. }
    ) && (before.socket.is_some() || before.json)
    {
        refuse(
            "`--socket` and `--json` before the verb are for those that ask the daemon: status, top, events, why, dump, \
             log-level, reload",
        );
    }
    let mut out = io::stdout().lock();
    match command.verb {
        Verb::Check { files, message_format, json, reading } => {
            let format = if json { check::MessageFormat::Json } else { message_format };
            check::run(&files, &reading.options(), format, &mut out)
        }
        Verb::Completions { shell, program } => generate::completions(shell, program, &mut out),
        Verb::Man { directory } => generate::manual(&directory),
        Verb::Explain { keyword } => language::explain(keyword.as_deref(), &mut out),
        Verb::Fmt { files, check, reading } => language::format(&files, check, &reading.options(), &mut out),
        Verb::Config { file, json: _, reading } => language::config(&file, &reading.options(), &mut out),
        Verb::Observe { arguments } => observe::run(&arguments, &mut out),
        Verb::Realserver(arguments) => realserver::run(arguments, &mut out),
        Verb::Simulate { arguments } => simulate::run(&arguments, &mut out),
        Verb::Status { check: true, asking, .. } => {
            let asking = asking.or(before);
            if asking.json {
                refuse("`--check` is answered in the one form that Nagios reads, and not in JSON (`--json`)");
            }
            nagios::run(asking, &mut out)
        }
        Verb::Reload { asking } => reload::run(asking.or(before), &mut out),
        Verb::Dump { what, asking } => ask(Question::Dump { what }, asking.or(before), &mut out),
        Verb::Status { name, watch: true, asking, .. } => watch::again(&name, asking.or(before), &mut out),
        Verb::Status { name, watch: false, asking, .. } => watch::once(&name, asking.or(before), &mut out),
        Verb::Top { asking } => {
            drop(out);
            top::run(asking.or(before))
        }
        Verb::Events { follow, lines, choice, asking } => {
            let last = if follow { lines.or(Some(10)) } else { lines };
            let filter = choice.filter(Zoned::now())?;
            ask(Question::Events { last, follow, filter }, asking.or(before), &mut out)
        }
        Verb::LogLevel { set, asking } => ask(Question::LogLevel { set }, asking.or(before), &mut out),
        Verb::Why { subject, asking } => {
            let subject = (!subject.is_empty()).then(|| subject.join(" "));
            ask(Question::Why { subject }, asking.or(before), &mut out)
        }
    }
}

/// Ends it: the command line contradicts itself.
fn refuse(message: &str) -> ! {
    Command::command().error(clap::error::ErrorKind::ArgumentConflict, message).exit()
}

/// Asks the daemon, and tells what it answers.
fn ask(question: Question, asking: Asking, out: &mut impl Write) -> Result<ExitCode> {
    let socket = asking.socket.unwrap_or_else(|| paths::control_socket(None));
    let paint = Paint { on: terminal::has_colours(&io::stdout()) };
    let endless = matches!(question, Question::Events { follow: true, .. });
    if endless {
        client::answers(&socket, PATIENCE)?;
    }
    let mut answers = client::ask(&socket, &question, (!endless).then_some(PATIENCE))?;
    let mut code = ExitCode::SUCCESS;
    while let Some(answer) = answers.one_more()? {
        if matches!(&answer, Answer::Now { state, .. } if !state.wrong.is_empty()) {
            code = ExitCode::from(TROUBLE);
        }
        if asking.json {
            serde_json::to_writer(&mut *out, &answer).map_err(io::Error::from)?;
            out.write_all(b"\n")?;
        } else {
            tell(out, paint, answer)?;
        }
        out.flush()?;
    }
    if endless {
        bail!("the daemon has ended");
    }
    Ok(code)
}

fn tell(out: &mut impl Write, paint: Paint, answer: Answer) -> io::Result<()> {
    match answer {
        Answer::Status { now, world } => status::write(out, paint, now, &world, &status::Only::called("")),
        Answer::Event { event, .. } => events::write(out, paint, &event),
        Answer::Missed { count } => writeln!(out, "{}", paint.warn(&format!("… {count} events were missed"))),
        Answer::Why { now, subjects } => why::write(out, paint, now, &subjects),
        Answer::Reload { outcome } => reload::write(out, &outcome).map(drop),
        Answer::LogLevels { levels } => {
            levels.iter().try_for_each(|(subsystem, level)| writeln!(out, "{subsystem:<8} {level}"))
        }
        Answer::Now { now, state } => now::write(out, paint, now, &state),
        Answer::Dump { text } => out.write_all(text.as_bytes()),
        // The client has made an error of it.
        Answer::Error { message } => writeln!(out, "{message}"),
    }
}

//! `keepwatch`, the operator's command: asks a running daemon over its control socket and tells the answer to people
//! (or, with `--json`, to programs); checks configuration files without one.

mod check;
mod describe;
mod events;
mod language;
mod paint;
mod status;
mod why;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};

use crate::control::client;
use crate::control::protocol::Question;
use crate::paths;
use crate::worker::configuration::options;
use paint::Paint;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The command line of `keepwatch`.
#[derive(Debug, Parser)]
#[command(
    name = "keepwatch",
    version,
    about = "Ask a running keepwatchd what it does and why",
    max_term_width = 110
)]
struct Command {
    /// The daemon's control socket [default: /run/keepwatch/control.sock]
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,

    /// Answer in JSON, for programs
    #[arg(long, global = true)]
    json: bool,

    /// Most lines that definitions, sequences and lists of a checked configuration may make [default: 2000000]
    #[arg(long, global = true, value_name = "LINES")]
    expansion_limit: Option<u64>,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// The state of every virtual router, virtual server and real server
    Status,
    /// What happened lately
    Events {
        /// Go on with what happens
        #[arg(short, long)]
        follow: bool,
        /// How many of the last events; all that the daemon holds if not said, 10 with --follow
        #[arg(short = 'n', long = "lines", value_name = "N")]
        lines: Option<usize>,
    },
    /// What led to the last change of an instance, group, interface, virtual or real server
    Why {
        /// Its name, or its address, with or without port
        #[arg(required = true, num_args = 1..)]
        subject: Vec<String>,
    },
    /// Check configuration files, without a daemon
    Check {
        /// The files; `-` is standard input. Several are also held against each other, as the files of one cluster
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Which lines that begin with @ID count [default: the host's name]
        #[arg(short = 'i', long = "config-id", value_name = "ID")]
        config_id: Option<String>,
        /// How to tell: for people, or one JSON object a line
        #[arg(long, value_name = "FORMAT", default_value = "human")]
        message_format: check::MessageFormat,
    },
    /// What a keyword of the configuration means, where it may stand and how it is written
    Explain {
        /// The keyword
        keyword: String,
    },
    /// Bring configuration files into canonical layout; without a file, or with `-`, from standard input to standard output
    Fmt {
        /// The files, which are rewritten in place; one with a wrong brace is left as it is
        files: Vec<PathBuf>,
        /// Change nothing; exit status 1 if a file is not in canonical layout
        #[arg(long)]
        check: bool,
    },
    /// A configuration as it is understood, expanded and with every default, in JSON
    Config {
        /// The file
        file: PathBuf,
        /// Which lines that begin with @ID count [default: the host's name]
        #[arg(short = 'i', long = "config-id", value_name = "ID")]
        config_id: Option<String>,
    },
}

/// The whole of `keepwatch`.
pub fn main() -> ExitCode {
    let command = Command::parse();
    match run(command) {
        Ok(code) => code,
        Err(error) if broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("keepwatch: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether it failed only because nobody reads on (`keepwatch events | head`).
fn broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

fn run(command: Command) -> Result<ExitCode> {
    let read = |config_id: Option<String>| options(config_id.as_deref(), command.expansion_limit);
    let socket = command.socket.unwrap_or_else(|| paths::control_socket(None));
    let paint = Paint { on: io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() };
    let mut out = io::stdout().lock();
    let question = match command.verb {
        Verb::Check { files, config_id, message_format } => {
            let json = command.json || message_format == check::MessageFormat::Json;
            return check::run(&files, &read(config_id), json, &mut out);
        }
        Verb::Explain { keyword } => return language::explain(&keyword, &mut out),
        Verb::Fmt { files, check } => return language::format(&files, check, &read(None), &mut out),
        Verb::Config { file, config_id } => return language::config(&file, &read(config_id), &mut out),
        Verb::Status => Question::Status,
        Verb::Events { follow, lines } => {
            Question::Events { last: if follow { lines.or(Some(10)) } else { lines }, follow }
        }
        Verb::Why { subject } => Question::Why { subject: subject.join(" ") },
    };
    let endless = matches!(question, Question::Events { follow: true, .. });
    let mut answers = client::ask(&socket, &question, (!endless).then_some(PATIENCE))?;
    while let Some(answer) = answers.one_more()? {
        if command.json {
            serde_json::to_writer(&mut out, &answer).map_err(io::Error::from)?;
            out.write_all(b"\n")?;
        } else {
            tell(&mut out, paint, answer)?;
        }
        out.flush()?;
    }
    if endless {
        bail!("the daemon has ended");
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(out: &mut impl Write, paint: Paint, answer: crate::control::protocol::Answer) -> io::Result<()> {
    use crate::control::protocol::Answer;
    match answer {
        Answer::Status { now, world } => status::write(out, paint, now, &world),
        Answer::Event { event, .. } => events::write(out, paint, &event),
        Answer::Missed { count } => writeln!(out, "{}", paint.warn(&format!("… {count} events were missed"))),
        Answer::Why { now, subjects } => why::write(out, paint, now, &subjects),
        // The client has made an error of it.
        Answer::Error { message } => writeln!(out, "{message}"),
    }
}

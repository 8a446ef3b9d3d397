//! `keepwatch check`: are these configuration files good, and do they fit each other? Needs no daemon. Exit status 0 if
//! there is no mistake.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use keepwatch_config::{Diagnostics, Loaded, Options, check_cluster};

use super::input;
use crate::terminal;

/// How diagnostics are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum MessageFormat {
    /// For people, with the text that is meant
    Human,
    /// One JSON object a line
    Json,
}

/// Checks each file, then all of them against each other, and writes what there is to say.
pub(super) fn run(
    files: &[PathBuf],
    options: &Options,
    format: MessageFormat,
    out: &mut impl Write,
) -> Result<ExitCode> {
    input::stdin_at_most_once(files)?;
    let options = Options { for_cluster: files.len() > 1, ..options.clone() };
    let loaded = files.iter().map(|file| input::load(file, &options)).collect::<Result<Vec<Loaded>>>()?;
    let against_others = check_cluster(&loaded);
    let said: Vec<[&Diagnostics; 2]> =
        loaded.iter().zip(&against_others).map(|(loaded, others)| [&loaded.diagnostics, others]).collect();
    // Whoever does not read on wants to know nevertheless what came of it.
    terminal::unless_closed(tell(files, &said, format, out))?;
    let good = !said.iter().flatten().any(|diagnostics| diagnostics.has_errors());
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(
    files: &[PathBuf],
    said: &[[&Diagnostics; 2]],
    format: MessageFormat,
    out: &mut impl Write,
) -> io::Result<()> {
    for (file, both) in files.iter().zip(said) {
        for diagnostics in both {
            let text = match format {
                MessageFormat::Human => diagnostics.render_text(terminal::has_colours(&io::stdout())),
                MessageFormat::Json => diagnostics.render_json(),
            };
            out.write_all(text.as_bytes())?;
        }
        if format == MessageFormat::Human {
            let summary = match both.iter().all(|diagnostics| diagnostics.is_empty()) {
                true => "good".to_owned(),
                false => Diagnostics::summary(*both),
            };
            writeln!(out, "{}: {summary}", input::name(file).display())?;
        }
    }
    out.flush()
}

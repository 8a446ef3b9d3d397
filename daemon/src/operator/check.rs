//! `keepwatch check`: are these configuration files good, and do they fit each other? Needs no daemon. Exit status 0 if
//! there is no mistake.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use keepwatch_config::{Diagnostics, Loaded, Options, check_cluster};

/// How diagnostics are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum MessageFormat {
    /// For people, with the text that is meant.
    Human,
    /// One JSON object a line.
    Json,
}

/// Checks each file, then all of them against each other, and writes what there is to say.
pub(super) fn run(
    files: &[PathBuf],
    options: &Options,
    json: bool,
    out: &mut impl Write,
) -> Result<ExitCode> {
    let loaded: Vec<Loaded> = files.iter().map(|file| keepwatch_config::load(file, options)).collect();
    let against_others = check_cluster(&loaded);
    let mut good = true;
    for ((file, loaded), others) in files.iter().zip(&loaded).zip(&against_others) {
        let diagnostics = &loaded.diagnostics;
        good &= !diagnostics.has_errors() && !others.has_errors();
        if !json && diagnostics.is_empty() && others.is_empty() {
            writeln!(out, "{}: good", file.display())?;
        }
        tell(diagnostics, json, out)?;
        tell(others, json, out)?;
    }
    out.flush()?;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(diagnostics: &Diagnostics, json: bool, out: &mut impl Write) -> io::Result<()> {
    if json {
        out.write_all(diagnostics.render_json().as_bytes())
    } else {
        out.write_all(diagnostics.render_text(io::stdout().is_terminal()).as_bytes())
    }
}

//! `keepwatch check`: are these configuration files good, and do they fit each other? Needs no daemon. Exit status 0 if
//! there is no mistake.

use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use keepwatch_config::{Diagnostics, Loaded, Options, check_cluster, encoding};

/// How diagnostics are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum MessageFormat {
    /// For people, with the text that is meant.
    Human,
    /// One JSON object a line.
    Json,
}

/// Checks each file (`-` is standard input), then all of them against each other, and writes what there is to say.
pub(super) fn run(
    files: &[PathBuf],
    options: &Options,
    json: bool,
    out: &mut impl Write,
) -> Result<ExitCode> {
    let options = Options { for_cluster: files.len() > 1, ..options.clone() };
    let loaded = files.iter().map(|file| load(file, &options)).collect::<Result<Vec<Loaded>>>()?;
    let against_others = check_cluster(&loaded);
    let mut good = true;
    for ((file, loaded), others) in files.iter().zip(&loaded).zip(&against_others) {
        let both = [&loaded.diagnostics, others];
        good &= !both.iter().any(|diagnostics| diagnostics.has_errors());
        for diagnostics in both {
            tell(diagnostics, json, out)?;
        }
        if json {
            continue;
        }
        let summary = match both.iter().all(|diagnostics| diagnostics.is_empty()) {
            true => "good".to_owned(),
            false => Diagnostics::summary(both),
        };
        writeln!(out, "{}: {summary}", name(file).display())?;
    }
    out.flush()?;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn load(file: &Path, options: &Options) -> Result<Loaded> {
    if file.as_os_str() != STANDARD_INPUT {
        return Ok(keepwatch_config::load(file, options));
    }
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes).context("standard input")?;
    Ok(keepwatch_config::load_text(name(file), encoding::text(bytes), options))
}

/// What standard input is called on the command line.
const STANDARD_INPUT: &str = "-";

/// What a file is called in what is said about it.
fn name(file: &Path) -> &Path {
    if file.as_os_str() == STANDARD_INPUT { Path::new("<stdin>") } else { file }
}

fn tell(diagnostics: &Diagnostics, json: bool, out: &mut impl Write) -> io::Result<()> {
    if json {
        out.write_all(diagnostics.render_json().as_bytes())
    } else {
        out.write_all(diagnostics.render_text(io::stdout().is_terminal()).as_bytes())
    }
}

//! `keepwatch check`: are these configuration files good? Needs no daemon. Exit status 0 if none has a mistake.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::worker::configuration::options;

/// Checks each file and writes what there is to say.
pub(super) fn run(
    files: &[PathBuf],
    config_id: Option<&str>,
    json: bool,
    out: &mut impl Write,
) -> Result<ExitCode> {
    let mut good = true;
    for file in files {
        let diagnostics = keepwatch_config::load(file, &options(config_id)).diagnostics;
        good &= !diagnostics.has_errors();
        if json {
            out.write_all(diagnostics.render_json().as_bytes())?;
        } else if diagnostics.is_empty() {
            writeln!(out, "{}: good", file.display())?;
        } else {
            out.write_all(diagnostics.render_text(io::stdout().is_terminal()).as_bytes())?;
        }
    }
    out.flush()?;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

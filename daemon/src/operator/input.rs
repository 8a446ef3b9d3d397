//! The files that the commands for the configuration language are given: `-` is standard input.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use keepwatch_config::{Loaded, Options, encoding};

/// What standard input is called on the command line.
const STANDARD_INPUT: &str = "-";

/// Is it standard input?
pub(super) fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == STANDARD_INPUT
}

/// What a file is called in what is said about it.
pub(super) fn name(file: &Path) -> &Path {
    if is_stdin(file) { Path::new("<stdin>") } else { file }
}

/// Standard input can be read only once.
///
/// # Errors
/// When it is there twice.
pub(super) fn stdin_at_most_once(files: &[PathBuf]) -> Result<()> {
    if files.iter().filter(|file| is_stdin(file)).count() > 1 {
        bail!("`-` stands for standard input, which can be read only once");
    }
    Ok(())
}

/// The text of a file, whatever bytes are in it.
///
/// # Errors
/// When it can't be read.
pub(super) fn text(file: &Path) -> Result<String> {
    let mut bytes = Vec::new();
    if is_stdin(file) {
        io::stdin().read_to_end(&mut bytes).context("standard input")?;
    } else {
        bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
    }
    Ok(encoding::text(bytes))
}

/// Reads a configuration. Of a file that can't be read, its diagnostics say so.
///
/// # Errors
/// When standard input can't be read.
pub(super) fn load(file: &Path, options: &Options) -> Result<Loaded> {
    if is_stdin(file) {
        return Ok(keepwatch_config::load_text(name(file), text(file)?, options));
    }
    Ok(keepwatch_config::load(file, options))
}

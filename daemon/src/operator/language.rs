//! `keepwatch explain`, `fmt` and `config`: the configuration language for people who write it. None needs a daemon.

use std::fs::{Metadata, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use keepwatch_config::Options;

/// Writes what a keyword means.
///
/// # Errors
/// When there is no such keyword; those that are spelt alike are named.
pub(super) fn explain(keyword: &str, out: &mut impl Write) -> Result<ExitCode> {
    match keepwatch_config::explain(keyword) {
        Some(text) => out.write_all(text.as_bytes())?,
        None => {
            let similar = keepwatch_config::similar(keyword);
            match similar.is_empty() {
                true => bail!("there is no keyword `{keyword}`"),
                false => bail!("there is no keyword `{keyword}`; there is {}", similar.join(", ")),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Rewrites files in canonical layout, or standard input to `out` when there is none.
pub(super) fn format(files: &[PathBuf], check: bool, out: &mut impl Write) -> Result<ExitCode> {
    if files.is_empty() {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).context("standard input")?;
        let formatted = keepwatch_config::format(&text);
        if check {
            return Ok(if formatted == text { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        out.write_all(formatted.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut good = true;
    for file in files {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let formatted = keepwatch_config::format(&text);
        if formatted == text {
            continue;
        }
        if check {
            good = false;
            writeln!(out, "{}: not in canonical layout", file.display())?;
        } else {
            replace(file, &formatted).with_context(|| file.display().to_string())?;
        }
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Puts a new text in a file's place: whoever reads it meanwhile finds the old one or the new one, whole.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let file = file.canonicalize()?;
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".keepwatch-fmt");
    let fresh = file.with_file_name(name);
    let written =
        write_new(&fresh, text, &std::fs::metadata(&file)?).and_then(|()| std::fs::rename(&fresh, &file));
    if written.is_err() {
        let _ = std::fs::remove_file(&fresh);
    }
    written
}

/// A new file with the permissions and owner of another. There are passwords in configurations: nobody else may look
/// into it meanwhile.
fn write_new(path: &Path, text: &str, like: &Metadata) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    std::os::unix::fs::fchown(&file, Some(like.uid()), Some(like.gid()))?;
    file.set_permissions(like.permissions())?;
    file.sync_all()
}

/// Writes the model of a configuration in JSON; diagnostics go to standard error.
pub(super) fn config(file: &Path, options: &Options, out: &mut impl Write) -> Result<ExitCode> {
    let loaded = keepwatch_config::load(file, options);
    let text = loaded.diagnostics.render_text(io::stderr().is_terminal());
    io::stderr().write_all(text.as_bytes())?;
    let Some(config) = loaded.config else { return Ok(ExitCode::FAILURE) };
    serde_json::to_writer_pretty(&mut *out, &config.to_json()).map_err(io::Error::from)?;
    out.write_all(b"\n")?;
    Ok(ExitCode::SUCCESS)
}

//! `keepwatch explain`, `fmt` and `config`: the configuration language for people who write it. None needs a daemon.

use std::fs::{Metadata, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use keepwatch_config::{Options, encoding};

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
                false => {
                    let similar: Vec<String> = similar.iter().map(|name| format!("`{name}`")).collect();
                    bail!("there is no keyword `{keyword}`; did you mean {}?", similar.join(", "))
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Rewrites files in canonical layout, or standard input to `out` when there is none or it is `-`. A file with a wrong
/// brace is left as it is: its indentation tells where the brace should be.
pub(super) fn format(
    files: &[PathBuf],
    check: bool,
    options: &Options,
    out: &mut impl Write,
) -> Result<ExitCode> {
    let stdin = [PathBuf::from("-")];
    let files = if files.is_empty() { &stdin } else { files };
    let mut good = true;
    for file in files {
        let from_stdin = file.as_os_str() == "-";
        let mut bytes = Vec::new();
        if from_stdin {
            io::stdin().read_to_end(&mut bytes).context("standard input")?;
        } else {
            bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
        }
        let text = encoding::text(bytes);
        let name = if from_stdin { Path::new("<stdin>") } else { file };
        let Some(formatted) = formatted(name, &text, options)? else {
            good = false;
            continue;
        };
        let same = formatted == text;
        if check && !same {
            good = false;
            writeln!(out, "{}: not in canonical layout", name.display())?;
        } else if from_stdin && !check {
            out.write_all(&encoding::bytes(&formatted))?;
        } else if !check && !same {
            replace(file, &formatted).with_context(|| file.display().to_string())?;
        }
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A text in canonical layout; `None` if a brace in it is wrong, which is said.
fn formatted(name: &Path, text: &str, options: &Options) -> io::Result<Option<String>> {
    let options = Options { scripts: false, ..options.clone() };
    let diagnostics = keepwatch_config::load_text(name, text.to_owned(), &options).diagnostics;
    if !diagnostics.has_wrong_braces() {
        return Ok(Some(keepwatch_config::format(text)));
    }
    let said = diagnostics.render_text(io::stderr().is_terminal());
    let refused = format!("{said}{}: not changed, as a brace is wrong\n", name.display());
    io::stderr().write_all(refused.as_bytes())?;
    Ok(None)
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
    file.write_all(&encoding::bytes(text))?;
    std::os::unix::fs::fchown(&file, Some(like.uid()), Some(like.gid()))?;
    file.set_permissions(like.permissions())?;
    file.sync_all()
}

/// Writes the model of a configuration in JSON; diagnostics go to standard error.
pub(super) fn config(file: &Path, options: &Options, out: &mut impl Write) -> Result<ExitCode> {
    let loaded = keepwatch_config::load(file, options);
    let mut text = loaded.diagnostics.render_text(io::stderr().is_terminal());
    if !text.is_empty() {
        let summary = keepwatch_config::Diagnostics::summary([&loaded.diagnostics]);
        text.push_str(&format!("{}: {summary}\n", file.display()));
    }
    io::stderr().write_all(text.as_bytes())?;
    let Some(config) = loaded.config else { return Ok(ExitCode::FAILURE) };
    serde_json::to_writer_pretty(&mut *out, &config.to_json()).map_err(io::Error::from)?;
    out.write_all(b"\n")?;
    Ok(ExitCode::SUCCESS)
}

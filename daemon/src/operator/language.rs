//! `keepwatch explain`, `fmt` and `config`: the configuration language for people who write it. None needs a daemon.

use std::fs::{Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use keepwatch_config::{Options, encoding};

use super::input;
use crate::terminal;

/// Writes what a keyword means; without one, what there is to ask for.
///
/// # Errors
/// When there is no such keyword; those that are spelt alike are named.
pub(super) fn explain(keyword: Option<&str>, out: &mut impl Write) -> Result<ExitCode> {
    let Some(keyword) = keyword else {
        out.write_all(keepwatch_config::overview().as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    };
    let Some(text) = keepwatch_config::explain(keyword) else {
        let similar: Vec<String> =
            keepwatch_config::similar(keyword).iter().map(|name| format!("`{name}`")).collect();
        match similar.is_empty() {
            true => bail!("there is no keyword `{keyword}`; `keepwatch explain` names the blocks"),
            false => bail!("there is no keyword `{keyword}`; did you mean {}?", similar.join(", ")),
        }
    };
    out.write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Rewrites files in canonical layout, or standard input to `out` when there is none or it is `-`. A file with a wrong
/// brace is left as it is: its indentation tells where the brace should be. One that fails does not stop the others.
pub(super) fn format(
    files: &[PathBuf],
    check: bool,
    options: &Options,
    out: &mut impl Write,
) -> Result<ExitCode> {
    let stdin = [PathBuf::from("-")];
    let files = if files.is_empty() { &stdin } else { files };
    input::stdin_at_most_once(files)?;
    let mut good = true;
    for file in files {
        good &= match format_one(file, check, options, out) {
            Ok(good) => good,
            Err(error) if super::broken_pipe(&error) => return Err(error),
            Err(error) => {
                terminal::complain(&format!("keepwatch: {error:#}\n"));
                false
            }
        };
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether the file was, or now is, as it should be.
fn format_one(file: &Path, check: bool, options: &Options, out: &mut impl Write) -> Result<bool> {
    let text = input::text(file)?;
    let name = input::name(file);
    let Some(formatted) = formatted(name, &text, options) else { return Ok(false) };
    let same = formatted == text;
    if check {
        if !same {
            writeln!(out, "{}: not in canonical layout", name.display())?;
        }
        return Ok(same);
    }
    if input::is_stdin(file) {
        out.write_all(&encoding::bytes(&formatted))?;
    } else if !same {
        replace(file, &formatted).with_context(|| file.display().to_string())?;
    }
    Ok(true)
}

/// A text in canonical layout; `None` if a brace in it is wrong, or if it is no text: that is said.
fn formatted(name: &Path, text: &str, options: &Options) -> Option<String> {
    let options = Options { scripts: false, ..options.clone() };
    let diagnostics = keepwatch_config::load_text(name, text.to_owned(), &options).diagnostics;
    let why = match (diagnostics.is_of_no_lines(), diagnostics.has_wrong_braces()) {
        (false, false) => return Some(keepwatch_config::format(text)),
        (true, _) => "it is no text",
        (false, true) => "a brace is wrong",
    };
    let said = diagnostics.render_text(terminal::has_colours(&io::stderr()));
    terminal::complain(&format!("{said}{}: not changed, as {why}\n", name.display()));
    None
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
    let loaded = input::load(file, options)?;
    let mut text = loaded.diagnostics.render_text(terminal::has_colours(&io::stderr()));
    if !text.is_empty() {
        let summary = keepwatch_config::Diagnostics::summary([&loaded.diagnostics]);
        text.push_str(&format!("{}: {summary}\n", input::name(file).display()));
    }
    terminal::complain(&text);
    let Some(config) = loaded.config else { return Ok(ExitCode::FAILURE) };
    serde_json::to_writer_pretty(&mut *out, &config.to_json()).map_err(io::Error::from)?;
    out.write_all(b"\n")?;
    Ok(ExitCode::SUCCESS)
}

//! The files that a configuration begins with: the one that was named, or those that a pattern stands for.
//!
//! As keepalived has it, `-f` may be a pattern, and its files are read as one text: what one of them begins, a block or a
//! definition, another may end. A file that has the very name is rather that file than a pattern.

use std::path::{Path, PathBuf};

use super::{glob, text};
use crate::diagnostics::Diagnostic;

/// A text that the configuration consists of, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct MainFile {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// Reads the files that a name stands for; there is at least one. The diagnostics are what is to be said besides.
pub(crate) fn main_files(name: &Path) -> Result<(Vec<MainFile>, Vec<Diagnostic>), Box<Diagnostic>> {
    let mut said = Vec::new();
    let no_text =
        |path: &Path, error: text::NoText| unreadable(format!("`{}` {error}", path.display()), None);
    let Some(pattern) = as_pattern(name) else {
        let path = name.to_path_buf();
        let (text, executable) = text::read_named(&path).map_err(|error| no_text(&path, error))?;
        if executable {
            let message = format!("`{}` is executable", path.display());
            let warning = Diagnostic::warning("executable-file", message);
            said.push(
                warning.help("it is read all the same; `chmod a-x` makes it a file for keepalived too"),
            );
        }
        return Ok((vec![MainFile { path, text }], said));
    };
    let read = |path: PathBuf| match text::read(&path) {
        Ok(text) => Ok(MainFile { path, text }),
        Err(error) => Err(no_text(&path, error)),
    };
    Ok((matching(pattern, &mut said)?.into_iter().map(read).collect::<Result<_, _>>()?, said))
}

/// The files that a pattern stands for now; none if the name is one of a file.
pub(crate) fn main_paths(name: &Path) -> Vec<PathBuf> {
    let found = as_pattern(name).and_then(|pattern| glob::find(pattern, Path::new(".")).ok());
    glob::sorted_out(found.unwrap_or_default()).0.into_iter().map(plain).collect()
}

fn as_pattern(name: &Path) -> Option<&str> {
    name.to_str().filter(|text| glob::is_pattern(text) && name.symlink_metadata().is_err())
}

/// Without the directory that relative names begin in.
fn plain(path: PathBuf) -> PathBuf {
    path.strip_prefix(".").map(Path::to_path_buf).unwrap_or(path)
}

/// The text of a file that a configuration was read from, as it is now; none if it can't be read.
pub(crate) fn text_of(path: &Path) -> Option<String> {
    text::read_named(path).ok().map(|(text, _)| text)
}

fn matching(pattern: &str, said: &mut Vec<Diagnostic>) -> Result<Vec<PathBuf>, Box<Diagnostic>> {
    let too_many =
        |glob::TooMany| unreadable(format!("`{pattern}` may stand for too many files"), Some(glob::LIMITS));
    let (paths, missing) = glob::sorted_out(glob::find(pattern, Path::new(".")).map_err(too_many)?);
    if !paths.is_empty() {
        let lacks = |path: PathBuf| format!("there is no `{}`", path.display());
        said.extend(missing.into_iter().map(|path| Diagnostic::warning("missing-include", lacks(path))));
    }
    let paths: Vec<PathBuf> = paths.into_iter().map(plain).collect();
    match paths.as_slice() {
        [] => return Err(unreadable(format!("no file matches `{pattern}`"), None)),
        [_] => {}
        [first, ..] => {
            let number = paths.len();
            let message = format!("{number} files match `{pattern}`, beginning with `{}`", first.display());
            let warning = Diagnostic::warning("several-files", message).changes();
            said.push(warning.help("they are read as one; a file that has `include` lines for them says so"));
        }
    }
    Ok(paths)
}

fn unreadable(message: String, help: Option<&str>) -> Box<Diagnostic> {
    let diagnostic = Diagnostic::error("unreadable-file", message).no_file();
    Box::new(help.into_iter().fold(diagnostic, Diagnostic::help))
}

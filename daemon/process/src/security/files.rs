//! Where programs and their interpreters are, and the files that a word names.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// As much of a file as the kernel looks at for its `#!` (BINPRM_BUF_SIZE in linux/binfmts.h).
const FIRST_LINE: u64 = 256;
/// An interpreter may be a script itself; the kernel gives up after as many.
const MOST_INTERPRETERS: usize = 5;

/// Where a program is: itself if its name has a slash, else the first one on the search path.
pub(super) fn find(name: &OsStr, search_path: &OsStr) -> Option<PathBuf> {
    if name.as_bytes().contains(&b'/') {
        return Some(PathBuf::from(name)).filter(|path| path.exists());
    }
    let is_program =
        |path: &PathBuf| path.metadata().is_ok_and(|file| file.is_file() && file.mode() & 0o111 != 0);
    std::env::split_paths(search_path).map(|directory| directory.join(name)).find(is_program)
}

/// The regular files whose paths stand in an argument: it is one itself, or a shell would find them in it. What is only
/// written to (`> FILE`) is not meant.
pub(super) fn named_in(argument: &OsStr) -> Vec<PathBuf> {
    let is_file = |path: &Path| path.metadata().is_ok_and(|file| file.is_file());
    let whole = Path::new(argument);
    if argument.as_bytes().contains(&b'/') && is_file(whole) {
        return vec![whole.to_owned()];
    }
    let text = argument.as_bytes();
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`=;|&()<>,$".contains(byte);
    let mut found = Vec::new();
    let mut written_to = false;
    for piece in text.split_inclusive(ends) {
        let (word, end) = match piece.split_last() {
            Some((end, word)) if ends(end) => (word, Some(*end)),
            _ => (piece, None),
        };
        let path = Path::new(OsStr::from_bytes(word));
        if word.contains(&b'/') && !written_to && is_file(path) {
            found.push(path.to_owned());
        }
        written_to = end == Some(b'>') || (written_to && word.is_empty());
    }
    found
}

/// The programs that the first line of a script names, and of those that are scripts again.
pub(super) fn interpreters_of(script: &Path, search_path: &OsStr) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    let mut next = Some(script.to_owned());
    while let Some((interpreter, argument)) = next.and_then(|script| first_line(&script)) {
        if is_env(&interpreter) {
            let words = argument.as_bytes().split(|byte| *byte == b' ').map(OsStr::from_bytes);
            found.extend(run_by_env(words, search_path));
        }
        found.push(interpreter.clone());
        next = Some(interpreter).filter(|_| found.len() < MOST_INTERPRETERS);
    }
    found
}

/// `#!INTERPRETER ARGUMENT`; none of a file that can't be read or is something else.
pub(super) fn first_line(script: &Path) -> Option<(PathBuf, OsString)> {
    let mut start = Vec::new();
    // A pipe by this name must not hold us up.
    if !script.metadata().is_ok_and(|file| file.is_file()) {
        return None;
    }
    File::open(script).ok()?.take(FIRST_LINE).read_to_end(&mut start).ok()?;
    let line = trim(start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?);
    let end = line.iter().position(is_blank).unwrap_or(line.len());
    let (interpreter, argument) = line.split_at(end);
    let path = PathBuf::from(OsStr::from_bytes(interpreter));
    Some((path, OsStr::from_bytes(trim(argument)).to_owned()))
        .filter(|(path, _)| !path.as_os_str().is_empty())
}

/// What the kernel takes for a blank there (binfmt_script.c): a carriage return is a part of the name.
fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn trim(mut line: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = line
        && is_blank(first)
    {
        line = rest;
    }
    while let [rest @ .., last] = line
        && is_blank(last)
    {
        line = rest;
    }
    line
}

/// The interpreter that a script names and that is not there, so that the script can't be run, whatever its rights.
pub(super) fn missing_interpreter(script: &Path, search_path: &OsStr) -> Option<PathBuf> {
    let (interpreter, argument) = first_line(script)?;
    // Of one that may not be looked at nothing is known.
    if matches!(interpreter.try_exists(), Ok(false)) {
        return Some(interpreter);
    }
    // env(1) would look for a program whose name ends with it, but where it splits its argument itself: for that it is a
    // blank. Any other missing program is its own to tell.
    let splits = argument.as_bytes().starts_with(b"-");
    let by_env = is_env(&interpreter) && argument.as_bytes().ends_with(b"\r") && !splits;
    let of_env = argument.as_bytes().split(is_blank).next_back().map(OsStr::from_bytes);
    of_env.filter(|name| by_env && find(name, search_path).is_none()).map(PathBuf::from)
}

fn is_env(program: &Path) -> bool {
    program.file_name() == Some(OsStr::new("env"))
}

/// What env(1) runs: the first word that is no option and sets no variable.
fn run_by_env<'a>(mut words: impl Iterator<Item = &'a OsStr>, search_path: &OsStr) -> Option<PathBuf> {
    let command = words.find(|word| {
        !word.as_bytes().starts_with(b"-") && !word.as_bytes().contains(&b'=') && !word.is_empty()
    });
    find(command?, search_path)
}

//! The names that a pattern of `include` (or `-f`) stands for, as glob(3) with `GLOB_BRACE` finds them.
//!
//! `{a,b}` is one name or the other, whether or not there is such a file; `*`, `?` and `[…]` match what is in the
//! directories, but neither a `/` nor the dot of a hidden file; `\` takes the meaning from what follows it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Most names that the braces of one pattern may stand for.
const MOST_ALTERNATIVES: usize = 4096;
/// Most entries of directories that are looked at for one pattern.
const MOST_ENTRIES: usize = 100_000;

/// The limits, for people.
pub(super) const LIMITS: &str =
    "braces may stand for 4096 names, and directories of 100000 entries are searched: no more";

/// What one alternative of a pattern stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A name without wildcards; there may be no such file.
    Named(PathBuf),
    /// What there is for these wildcards, sorted; may be nothing. And what is not there of what has a name: a directory
    /// that they are looked for in, or a file in one that they stand for.
    Matched(Vec<PathBuf>, Vec<PathBuf>),
}

/// The files of these that are there, and those that are not.
pub(super) fn sorted_out(found: Vec<Found>) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (mut there, mut missing) = (Vec::new(), Vec::new());
    for found in found {
        match found {
            Found::Named(path) if path.symlink_metadata().is_ok() => there.push(path),
            Found::Named(path) => missing.push(path),
            Found::Matched(mut matched, mut without) => {
                there.append(&mut matched);
                missing.append(&mut without);
            }
        }
    }
    (there, missing)
}

/// The pattern stands for more than is sensible.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMany;

/// What a pattern stands for, alternative by alternative; relative names begin in `directory`.
pub(super) fn find(pattern: &str, directory: &Path) -> Result<Vec<Found>, TooMany> {
    let mut entries_left = MOST_ENTRIES;
    braces(pattern)?.iter().map(|alternative| expand(alternative, directory, &mut entries_left)).collect()
}

/// Every name that csh-style braces stand for: `{a,b}c` is `ac` and `bc`.
fn braces(pattern: &str) -> Result<Vec<String>, TooMany> {
    let mut done = Vec::new();
    let mut todo = vec![pattern.to_owned()];
    while let Some(next) = todo.pop() {
        if done.len() + todo.len() > MOST_ALTERNATIVES {
            return Err(TooMany);
        }
        match first_group(&next) {
            None => done.push(next),
            Some((before, parts, after)) => {
                todo.extend(parts.iter().rev().map(|part| format!("{before}{part}{after}")));
            }
        }
    }
    Ok(done)
}

/// The first group in braces: what is before it, its parts, what is after it.
fn first_group(pattern: &str) -> Option<(&str, Vec<&str>, &str)> {
    let mut open = None;
    let mut depth = 0usize;
    let mut parts = Vec::new();
    let mut from = 0;
    let mut escaped = false;
    for (at, byte) in pattern.bytes().enumerate() {
        match (byte, open) {
            _ if escaped => escaped = false,
            (b'\\', _) => escaped = true,
            (b'{', None) => {
                open = Some(at);
                from = at + 1;
            }
            (b'{', Some(_)) => depth += 1,
            (b'}', Some(_)) if depth > 0 => depth -= 1,
            (b'}', Some(open)) => {
                parts.push(&pattern[from..at]);
                return Some((&pattern[..open], parts, &pattern[at + 1..]));
            }
            (b',', Some(_)) if depth == 0 => {
                parts.push(&pattern[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    None
}

/// What one alternative stands for.
fn expand(pattern: &str, directory: &Path, entries_left: &mut usize) -> Result<Found, TooMany> {
    if !has_wildcards(pattern) {
        return Ok(Found::Named(directory.join(OsStr::from_bytes(&unescape(pattern.as_bytes())))));
    }
    let start = if pattern.starts_with('/') { Path::new("/") } else { directory };
    let mut paths = vec![start.to_path_buf()];
    let mut missing = Vec::new();
    let components: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty()).collect();
    let of_directories = pattern.ends_with('/');
    for (at, component) in components.iter().enumerate() {
        let any = at + 1 == components.len() && !of_directories;
        let exists = |path: &PathBuf| if any { path.symlink_metadata().is_ok() } else { path.is_dir() };
        let mut next = Vec::new();
        for path in paths {
            if has_wildcards(component) {
                match std::fs::read_dir(&path) {
                    Ok(all) => entries(all, component.as_bytes(), entries_left, &mut next)?,
                    Err(_) => missing.push(path),
                }
                continue;
            }
            let named = path.join(OsStr::from_bytes(&unescape(component.as_bytes())));
            if named.symlink_metadata().is_ok() {
                next.push(named);
            } else {
                missing.push(named);
            }
        }
        next.retain(exists);
        paths = next;
    }
    // As glob(3) does: by bytes, while `Path` compares name by name.
    paths.sort_by(|one, other| one.as_os_str().cmp(other.as_os_str()));
    Ok(Found::Matched(paths, missing))
}

/// The entries of a directory that a component matches.
fn entries(
    all: std::fs::ReadDir,
    pattern: &[u8],
    entries_left: &mut usize,
    found: &mut Vec<PathBuf>,
) -> Result<(), TooMany> {
    for entry in all.flatten() {
        *entries_left = entries_left.checked_sub(1).ok_or(TooMany)?;
        let name = entry.file_name();
        let hidden = name.as_bytes().starts_with(b".") && !pattern.starts_with(b".");
        if !hidden && matches(pattern, name.as_bytes()) {
            found.push(entry.path());
        }
    }
    Ok(())
}

fn has_wildcards(pattern: &str) -> bool {
    has(pattern, b"*?[")
}

/// Can it stand for another name than itself?
pub(super) fn is_pattern(text: &str) -> bool {
    has(text, b"*?[{\\")
}

/// Is there a brace in it, as far as glob(3) is concerned?
pub(super) fn has_brace(pattern: &str) -> bool {
    has(pattern, b"{")
}

fn has(pattern: &str, special: &[u8]) -> bool {
    let mut escaped = false;
    pattern.bytes().any(|byte| {
        let found = !escaped && special.contains(&byte);
        escaped = !escaped && byte == b'\\';
        found
    })
}

fn unescape(pattern: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(pattern.len());
    let mut escaped = false;
    for byte in pattern {
        escaped = !escaped && *byte == b'\\';
        if !escaped {
            text.push(*byte);
        }
    }
    text
}

/// Does a component of a pattern match a name? Goes back to the last `*` only, so it takes no more than their product.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut in_pattern, mut in_name) = (0, 0);
    let mut star = None;
    loop {
        let step = match (pattern.get(in_pattern), name.get(in_name)) {
            (None, None) => return true,
            (Some(b'*'), _) => {
                star = Some((in_pattern + 1, in_name));
                in_pattern += 1;
                continue;
            }
            (Some(_), Some(byte)) => one(&pattern[in_pattern..], *byte),
            (None, Some(_)) | (Some(_), None) => None,
        };
        match (step, &mut star) {
            (Some(length), _) => {
                in_pattern += length;
                in_name += 1;
            }
            (None, Some((after_star, taken))) if *taken < name.len() => {
                *taken += 1;
                (in_pattern, in_name) = (*after_star, *taken);
            }
            (None, _) => return false,
        }
    }
}

/// How many bytes of the pattern this one byte of a name is matched by.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'\\', escaped, ..] => (*escaped == byte).then_some(2),
        [b'[', ..] => match set(pattern, byte) {
            Some((length, inside)) => inside.then_some(length),
            None => (byte == b'[').then_some(1),
        },
        [literal, ..] => (*literal == byte).then_some(1),
        [] => None,
    }
}

/// `[a-z]`, `[!a]`, `[[:digit:]]`: how long it is, and whether the byte is in it.
fn set(pattern: &[u8], byte: u8) -> Option<(usize, bool)> {
    let inverted = matches!(pattern.get(1), Some(b'!' | b'^'));
    let mut at = 1 + usize::from(inverted);
    let first = at;
    let mut inside = false;
    loop {
        let rest = pattern.get(at..)?;
        match rest {
            [] => return None,
            [b']', ..] if at > first => return Some((at + 1, inside != inverted)),
            [b'[', b':', class @ ..] => {
                let length = class.windows(2).position(|end| end == b":]")?;
                inside |= in_class(&class[..length], byte);
                at += length + 4;
            }
            [from, b'-', to, ..] if *to != b']' => {
                inside |= (*from..=*to).contains(&byte);
                at += 3;
            }
            [b'\\', escaped, ..] => {
                inside |= *escaped == byte;
                at += 2;
            }
            [literal, ..] => {
                inside |= *literal == byte;
                at += 1;
            }
        }
    }
}

fn in_class(name: &[u8], byte: u8) -> bool {
    match name {
        b"alnum" => byte.is_ascii_alphanumeric(),
        b"alpha" => byte.is_ascii_alphabetic(),
        b"blank" => matches!(byte, b' ' | b'\t'),
        b"digit" => byte.is_ascii_digit(),
        b"lower" => byte.is_ascii_lowercase(),
        b"punct" => byte.is_ascii_punctuation(),
        b"space" => byte.is_ascii_whitespace(),
        b"upper" => byte.is_ascii_uppercase(),
        b"xdigit" => byte.is_ascii_hexdigit(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_stand_for_each_of_their_parts() {
        let all = |pattern: &str| braces(pattern).unwrap_or_default().join(" ");
        assert_eq!(all("x{a,b{1,2}}y"), "xay xb1y xb2y");
        assert_eq!(all("{foo/{,cat,dog},bar}"), "foo/ foo/cat foo/dog bar");
        assert_eq!(all("{a}{}"), "a");
        assert_eq!(all("\\{a,b} {a"), "\\{a,b} {a");
    }

    #[test]
    fn braces_are_bounded() {
        assert_eq!(braces(&"{a,b}".repeat(40)), Err(TooMany));
        assert_eq!(braces(&"{a,b}".repeat(11)).map(|names| names.len()), Ok(2048));
    }

    #[test]
    fn wildcards_match_as_in_a_shell() {
        for (pattern, yes, no) in [
            ("*", "abc", "\u{0}never"),
            ("a*c", "abbc", "abb"),
            ("*.conf", ".conf", "a.confx"),
            ("a?", "ab", "a"),
            ("[a-c]x", "bx", "dx"),
            ("[!a-c]x", "dx", "ax"),
            ("[^a]", "b", "a"),
            ("[]]", "]", "["),
            ("[[:digit:]_]*", "7z", "z7"),
            ("[a", "[a", "a"),
            ("\\*", "*", "x"),
            ("*a*b*c*", "xaybzc", "xcybza"),
        ] {
            assert!(matches(pattern.as_bytes(), yes.as_bytes()), "{pattern} {yes}");
            assert!(pattern == "*" || !matches(pattern.as_bytes(), no.as_bytes()), "{pattern} {no}");
        }
    }

    #[test]
    fn names_come_in_the_order_of_their_bytes_and_a_last_slash_asks_for_directories() {
        let base = std::env::temp_dir().join(format!("keepwatch-glob-{}", std::process::id()));
        for directory in ["a", "a-b", "a.b", "B"] {
            assert!(std::fs::create_dir_all(base.join(directory)).is_ok());
            assert!(std::fs::write(base.join(directory).join("x"), "").is_ok());
        }
        let found = |pattern: &str| match expand(pattern, &base, &mut 100) {
            Ok(Found::Matched(paths, _)) => {
                let names = paths.iter().filter_map(|path| path.strip_prefix(&base).ok());
                names.map(|name| name.display().to_string()).collect::<Vec<_>>().join(" ")
            }
            other => format!("{other:?}"),
        };
        let answers = ["*/x", "*", "*/", "a/*/", "[a]*/x"].map(found);
        let _ = std::fs::remove_dir_all(&base);
        assert_eq!(answers, ["B/x a-b/x a.b/x a/x", "B a a-b a.b", "B a a-b a.b", "", "a-b/x a.b/x a/x"]);
    }

    #[test]
    fn many_stars_do_not_take_for_ever() {
        assert!(!matches("*a".repeat(200).as_bytes(), "a".repeat(199).as_bytes()));
        assert!(!matches(format!("{}b", "*a".repeat(100)).as_bytes(), "a".repeat(250).as_bytes()));
    }
}

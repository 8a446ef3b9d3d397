//! `include` and its stricter relatives.
//!
//! `include` alone is lenient: a pattern that matches nothing, or a file that cannot be read, is said and skipped.
//! `includer` (must be readable), `includem` (a file named without wildcards must exist), `includew` (wildcards must
//! match something), `includeb` (every alternative in braces must match) and `includea` (all of it) make that a
//! mistake; `include_check` in `global_defs` sets what plain `include` asks for.

use std::path::{Path, PathBuf};

use super::{Context, Input, Reader};
use crate::diagnostics::Diagnostic;
use crate::source::{Expansion, Span};
use crate::words::Line;

/// Deepest nesting of included files.
const DEEPEST: usize = 64;
/// Most names that the braces of one pattern may stand for.
const MOST_ALTERNATIVES: usize = 4096;

/// What must be so of the files that are included.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct IncludeChecks {
    readable: bool,
    matches: bool,
    wildcard: bool,
    brace: bool,
}

impl IncludeChecks {
    /// The check that a suffix of `include` adds.
    fn of_suffix(suffix: Option<char>) -> Self {
        let none = Self::default();
        match suffix {
            Some('r') => Self { readable: true, ..none },
            Some('m') => Self { readable: true, matches: true, ..none },
            Some('w') => Self { readable: true, matches: true, wildcard: true, brace: false },
            Some('b') => Self { readable: true, brace: true, ..none },
            Some('a') => Self { readable: true, matches: true, wildcard: true, brace: true },
            _ => none,
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            readable: self.readable || other.readable,
            matches: self.matches || other.matches,
            wildcard: self.wildcard || other.wildcard,
            brace: self.brace || other.brace,
        }
    }

    /// `include_check [+|-]NAME …`; without a sign the named checks replace those set before, without a name all are set.
    pub(super) fn set<'w>(&mut self, words: impl Iterator<Item = &'w str>) {
        let mut words = words.peekable();
        match words.peek() {
            None => *self = Self::of_suffix(Some('a')),
            Some(first) if !first.starts_with(['+', '-']) => *self = Self::default(),
            Some(_) => {}
        }
        let mut sign = true;
        for word in words {
            let name = match word.split_at_checked(1) {
                Some(("+", name)) => {
                    sign = true;
                    name
                }
                Some(("-", name)) => {
                    sign = false;
                    name
                }
                _ => word,
            };
            match name {
                "read" | "readable" => self.readable = sign,
                "match" => self.matches = sign,
                "wildcard_match" => self.wildcard = sign,
                "brace_match" => self.brace = sign,
                _ => {}
            }
        }
    }
}

/// The files that one `include` named and that are still to be opened.
#[derive(Debug)]
pub(super) struct Queue {
    paths: std::vec::IntoIter<PathBuf>,
    checks: IncludeChecks,
    span: Span,
}

impl Queue {
    /// The next file, what is asked of it, and where it is named.
    pub(super) fn next(&mut self) -> Option<(PathBuf, IncludeChecks, Span)> {
        Some((self.paths.next()?, self.checks, self.span))
    }
}

/// Is this an `include` line?
pub(super) fn is_include(text: &str) -> bool {
    split(text).is_some()
}

/// Suffix and pattern of an `include` line.
fn split(text: &str) -> Option<(Option<char>, &str)> {
    let rest = text.strip_prefix("include")?;
    let mut characters = rest.chars();
    let first = characters.next()?;
    let (suffix, pattern) = if first == ' ' || first == '\t' {
        (None, rest)
    } else if "rmwba".contains(first) && characters.next().is_some_and(|next| next == ' ' || next == '\t') {
        (Some(first), &rest[1..])
    } else {
        return None;
    };
    Some((suffix, pattern.trim_matches([' ', '\t'])))
}

/// The directory that relative names in this file are relative to.
pub(super) fn directory_of(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::path::absolute(parent).unwrap_or_else(|_| parent.to_path_buf())
}

/// A pattern without braces, and whether it has wildcards.
fn has_wildcards(pattern: &str) -> bool {
    pattern.contains(['*', '?', '['])
}

/// Every name that csh-style braces stand for: `{a,b}c` is `ac` and `bc`.
fn braces(pattern: &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut todo = vec![pattern.to_owned()];
    while let Some(next) = todo.pop() {
        if done.len() + todo.len() > MOST_ALTERNATIVES {
            break;
        }
        match first_group(&next) {
            None => done.push(next),
            Some((before, parts, after)) => {
                todo.extend(parts.iter().rev().map(|part| format!("{before}{part}{after}")));
            }
        }
    }
    done
}

/// The first brace group that has a comma: what is before it, its parts, what is after it.
fn first_group(pattern: &str) -> Option<(&str, Vec<&str>, &str)> {
    let open = pattern.find('{')?;
    let mut depth = 0usize;
    let mut parts = Vec::new();
    let mut from = open + 1;
    for (at, character) in pattern.char_indices().skip_while(|(at, _)| *at < open) {
        match character {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    parts.push(&pattern[from..at]);
                    return Some((&pattern[..open], parts, &pattern[at + 1..]));
                }
            }
            ',' if depth == 1 => {
                parts.push(&pattern[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    None
}

impl Reader {
    /// The directory of the file that is being read.
    pub(super) fn directory(&self) -> PathBuf {
        let innermost = self.inputs.iter().rev().find_map(|input| match input {
            Input::File { directory, .. } => Some(directory.clone()),
            Input::Queue(_) | Input::Definition { .. } | Input::Sequence(_) => None,
        });
        innermost.unwrap_or_default()
    }

    /// Begins the files that an `include` line names.
    pub(super) fn include(&mut self, line: &Line, context: &mut Context) {
        let Some((suffix, pattern)) = split(&line.text) else { return };
        let checks = self.checks.or(IncludeChecks::of_suffix(suffix));
        let span = line.whole();
        let pattern = pattern.trim_matches('"');
        let files = self.matching(pattern, checks, span, context);
        self.inputs.push(Input::Queue(Queue { paths: files.into_iter(), checks, span }));
    }

    fn matching(
        &self,
        pattern: &str,
        checks: IncludeChecks,
        span: Span,
        context: &mut Context,
    ) -> Vec<PathBuf> {
        let directory = self.directory();
        let alternatives = braces(pattern);
        let in_braces = alternatives.len() > 1;
        let mut files = Vec::new();
        for alternative in &alternatives {
            let full = directory.join(alternative);
            if !has_wildcards(alternative) {
                if full.exists() {
                    files.push(full);
                } else {
                    let strict = if in_braces { checks.brace } else { checks.matches };
                    said(
                        context,
                        strict,
                        span,
                        format!("there is no file `{}`", full.display()),
                        "missing-include",
                    );
                }
                continue;
            }
            let escaped = format!("{}/{alternative}", glob::Pattern::escape(&directory.to_string_lossy()));
            let asked = if alternative.starts_with('/') { alternative } else { &escaped };
            let mut found: Vec<PathBuf> = glob::glob(asked).into_iter().flatten().flatten().collect();
            found.retain(|path| !path.is_dir());
            if found.is_empty() {
                let message = format!("no file matches `{}`", full.display());
                if checks.wildcard {
                    said(context, true, span, message, "missing-include");
                }
            }
            found.sort();
            files.append(&mut found);
        }
        files
    }

    pub(super) fn open(&mut self, path: &Path, checks: IncludeChecks, span: Span, context: &mut Context) {
        let circular = self.inputs.iter().any(|input| match input {
            Input::File { file, .. } => same(&context.sources.file(*file).path, path),
            Input::Queue(_) | Input::Definition { .. } | Input::Sequence(_) => false,
        });
        if circular || self.inputs.len() > DEEPEST {
            context.report(
                Diagnostic::error("circular-include", format!("`{}` includes itself", path.display()))
                    .fatal()
                    .at(span, "this would never end"),
            );
            return;
        }
        match std::fs::read(path) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let what = format!("`include` of {}", path.display());
                let included_at = context.sources.add_expansion(Expansion { what: what.into(), at: span });
                let file = context.sources.add(path.to_path_buf(), text);
                let directory = directory_of(path);
                self.inputs.push(Input::File { file, directory, offset: 0, included_at });
            }
            Err(error) => {
                let message = format!("`{}` cannot be read: {error}", path.display());
                said(context, checks.readable, span, message, "unreadable-include");
            }
        }
    }
}

fn same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

fn said(context: &mut Context, strict: bool, span: Span, message: String, code: &'static str) {
    let diagnostic = if strict {
        Diagnostic::error(code, message).fatal()
    } else {
        Diagnostic::warning(code, message).help("`includea` makes this a mistake")
    };
    context.report(diagnostic.at(span, "included here"));
}

//! `include` and its stricter relatives.
//!
//! `include` alone is lenient: a pattern that matches nothing, or a file that cannot be read, is said and skipped.
//! `includer` (must be readable), `includem` (a file named without wildcards must exist), `includew` (wildcards must
//! match something), `includeb` (every alternative in braces must match) and `includea` (all of it) make that a
//! mistake; `include_check` in `global_defs` sets what plain `include` asks for.

use std::path::{Path, PathBuf};

use super::{Context, Input, Reader, glob, text};
use crate::diagnostics::Diagnostic;
use crate::source::{Expansion, ExpansionId, FileId, Span};
use crate::spelling::nearest;
use crate::words::{Line, Word};

/// How many files may be within each other; nobody needs half of it.
const DEEPEST: usize = 64;

/// How many of the files that are missing are named.
const NAMED: usize = 4;

/// For how many lines it counts that a file is included once more.
const OPENED_AGAIN: u64 = 20;

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

    /// What is asked for until the configuration says otherwise.
    pub(super) fn first(all: bool) -> Self {
        if all { Self::of_suffix(Some('a')) } else { Self::default() }
    }

    fn or(self, other: Self) -> Self {
        Self {
            readable: self.readable || other.readable,
            matches: self.matches || other.matches,
            wildcard: self.wildcard || other.wildcard,
            brace: self.brace || other.brace,
        }
    }

    /// `include_check [+|-]NAME …`: each word with a sign adds or takes away a check, a first one without a sign
    /// replaces what was set before, and no word at all sets every check.
    pub(super) fn set(&mut self, words: &[Word], context: &mut Context) {
        if words.is_empty() {
            *self = Self::of_suffix(Some('a'));
        }
        for (index, word) in words.iter().enumerate() {
            let (sign, name) = match word.text.split_at_checked(1) {
                Some((sign @ ("+" | "-"), name)) => (Some(sign), name),
                _ => (None, &*word.text),
            };
            let mut one = Self::default();
            match name {
                "read" | "readable" => one.readable = true,
                "match" => one.matches = true,
                "wildcard_match" => one.wildcard = true,
                "brace_match" => one.brace = true,
                _ => {
                    context.report(
                        Diagnostic::error("invalid-value", format!("`include_check`: `{name}` is not known"))
                            .at(word.span, "expected one of read, match, wildcard_match, brace_match"),
                    );
                    continue;
                }
            }
            match sign {
                None if index > 0 => context.report(
                    Diagnostic::error("invalid-value", format!("`include_check`: `{name}` has no effect"))
                        .at(word.span, "only the first check may be without a sign")
                        .suggest(word.span, format!("+{name}"), format!("write `+{name}`")),
                ),
                None => *self = Self { readable: true, ..one },
                Some("-") => *self = self.without(one),
                Some(_) => *self = self.or(one),
            }
        }
    }

    fn without(self, other: Self) -> Self {
        Self {
            readable: self.readable && !other.readable,
            matches: self.matches && !other.matches,
            wildcard: self.wildcard && !other.wildcard,
            brace: self.brace && !other.brace,
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

/// The directive that this word was probably meant for.
pub(crate) fn directive_like(word: &str) -> Option<&'static str> {
    const DIRECTIVES: &[&str] = &["include", "includea", "includeb", "includem", "includer", "includew"];
    nearest(word, DIRECTIVES.iter().copied())
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
    let real = parent.canonicalize().or_else(|_| std::path::absolute(parent));
    real.unwrap_or_else(|_| parent.to_path_buf())
}

impl Reader {
    /// The directory of the file that is being read.
    pub(super) fn directory(&self) -> &Path {
        self.innermost().map_or(Path::new("."), |(directory, _)| directory)
    }

    /// The file that is being read, and its directory.
    fn innermost(&self) -> Option<(&Path, FileId)> {
        self.inputs.iter().rev().find_map(|input| match input {
            Input::File { directory, file, .. } => Some((directory.as_path(), *file)),
            Input::Main(_) | Input::Queue(_) | Input::Definition { .. } | Input::Sequence(_) => None,
        })
    }

    /// Begins the files that an `include` line names.
    pub(super) fn include(&mut self, line: &Line, context: &mut Context) {
        let Some((suffix, pattern)) = split(&line.text) else { return };
        let checks = self.checks.or(IncludeChecks::of_suffix(suffix));
        let span = line.whole();
        let within = self.innermost().map(|(_, file)| context.sources.file(file).path.clone());
        let within = within.unwrap_or_default();
        let found = match &self.settings.kept {
            Some(kept) => Ok(kept.included(&within, pattern)),
            None => glob::find(pattern, self.directory())
                .map(|found| existing(pattern, found, checks, span, context)),
        };
        let files = match found {
            Ok(files) => files,
            Err(glob::TooMany) => {
                context.report(
                    Diagnostic::error(
                        "too-many-includes",
                        format!("`{pattern}` may stand for too many files"),
                    )
                    .fatal()
                    .at(span, "included here")
                    .help(glob::LIMITS),
                );
                return;
            }
        };
        context.circumstances.lines.insert((within, pattern.to_owned()), files.clone());
        self.inputs.push(Input::Queue(Queue { paths: files.into_iter(), checks, span }));
    }

    /// Begins one included file.
    pub(super) fn open(&mut self, path: &Path, checks: IncludeChecks, span: Span, context: &mut Context) {
        let real = match &self.settings.kept {
            Some(kept) => kept.name(path),
            None => path.canonicalize().unwrap_or_else(|_| path.to_path_buf()),
        };
        let known = self.read.get(&real).copied();
        let is_open = |file: FileId| {
            self.inputs.iter().any(|input| match input {
                Input::File { file: open, .. } => *open == file,
                Input::Main(_) | Input::Queue(_) | Input::Definition { .. } | Input::Sequence(_) => false,
            })
        };
        if known.is_some_and(is_open) {
            context.report(
                Diagnostic::error("circular-include", format!("`{}` includes itself", path.display()))
                    .fatal()
                    .at(span, "this would never end"),
            );
            return;
        }
        let depth = self.inputs.iter().filter(|input| matches!(input, Input::File { .. })).count();
        if depth >= DEEPEST {
            let message = format!("`{}` is included too deeply", path.display());
            context.report(
                Diagnostic::error("too-many-includes", message)
                    .fatal()
                    .at(span, format!("within {DEEPEST} files that include each other")),
            );
            context.stopped = true;
            return;
        }
        self.expanded += if known.is_some() { OPENED_AGAIN } else { 0 };
        let what = format!("`include` of {}", path.display());
        let included_at = context.sources.add_expansion(Expansion { what: what.into(), at: span });
        let read = || match &self.settings.kept {
            Some(kept) => kept.text(path).cloned().ok_or(text::NoText::NotKept),
            None => text::read(path),
        };
        let file = match known {
            Some(file) => file,
            None => match read() {
                Ok(text) => {
                    let file = text::add(text, path, included_at, context);
                    self.read.insert(real, file);
                    file
                }
                // That it could not be read was said when the others were.
                Err(text::NoText::NotKept) => return,
                Err(error) => {
                    let message = format!("`{}` {error}", path.display());
                    let strict = checks.readable || (self.settings.may_read_all && error.is_forbidden());
                    let diagnostic = lack(strict, "unreadable-include", message);
                    context.report(diagnostic.at(span, "included here"));
                    return;
                }
            },
        };
        let name = context.sources.file(file).path.clone();
        context.circumstances.names.insert(path.to_path_buf(), name);
        let input = self.begin_file(file, path, included_at, known.is_some(), context);
        self.inputs.push(input);
    }

    /// A file from its beginning.
    pub(super) fn begin_file(
        &self,
        file: FileId,
        path: &Path,
        included_at: ExpansionId,
        again: bool,
        context: &Context,
    ) -> Input {
        Input::File {
            file,
            directory: directory_of(path),
            offset: text::start(&context.sources.file(file).text),
            included_at,
            checks: self.checks,
            again,
        }
    }
}

/// The files that an `include` line in this file would stand for now.
pub(crate) fn included_from(within: &Path, pattern: &str) -> Vec<PathBuf> {
    let found = glob::find(pattern, &directory_of(within)).unwrap_or_default();
    glob::sorted_out(found).0
}

/// The files of these that are there; says what is not.
fn existing(
    pattern: &str,
    found: Vec<glob::Found>,
    checks: IncludeChecks,
    span: Span,
    context: &mut Context,
) -> Vec<PathBuf> {
    let wild = found.iter().any(|found| matches!(found, glob::Found::Matched(..)));
    let (files, missing) = glob::sorted_out(found);
    if !missing.is_empty() {
        let some_of_them = glob::has_brace(pattern) || !files.is_empty();
        let strict = if some_of_them { checks.brace } else { checks.matches };
        let message = format!("there is {}", not_there(&missing));
        let diagnostic = lack(strict, "missing-include", message).at(span, "included here");
        context.report(match pattern.chars().next() {
            Some('"' | '\'') => diagnostic.help("the name of a file is written without quotes"),
            Some('~') => {
                diagnostic.help("`~` is not expanded here: write the whole path of the home directory")
            }
            _ => diagnostic,
        });
    } else if files.is_empty() && wild && checks.wildcard {
        let message = format!("no file matches `{pattern}`");
        context.report(lack(true, "missing-include", message).at(span, "included here"));
    }
    files
}

/// What is missing, for people: a few of very many.
fn not_there(missing: &[PathBuf]) -> String {
    let names: Vec<String> = missing.iter().take(NAMED).map(|path| format!("`{}`", path.display())).collect();
    let more = match missing.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let what = if missing.len() == 1 { "no" } else { "none of" };
    format!("{what} {}{more}", names.join(", "))
}

/// A file is not there or cannot be read; is that a mistake?
fn lack(strict: bool, code: &'static str, message: String) -> Diagnostic {
    match strict {
        true => Diagnostic::error(code, message).no_file(),
        false => Diagnostic::warning(code, message).help("`includea` makes this a mistake"),
    }
}

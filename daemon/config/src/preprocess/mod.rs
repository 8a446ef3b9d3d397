//! From files to logical lines: comments, `@id` conditions, `$NAME` definitions, `~SEQ` and `~LST`, `include`.
//!
//! Goes in: the path of a configuration and [`Settings`]. Comes out: one [`Line`] after another, each knowing where
//! every byte of it came from. Expansion is bounded, so that a small file cannot fill the memory.
//!
//! Inputs stand on a stack: the file, on it the file it includes, on it the lines of a definition that is being
//! used, on it a sequence that is being run through. [`Reader::next`] takes the next line from the top.

mod builtin;
mod comment;
mod context;
mod define;
mod glob;
mod include;
mod lookalike;
mod main_files;
mod sequence;
mod text;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

pub(crate) use self::builtin::random_seed;
pub(crate) use self::context::{Command, Context};
pub(crate) use self::define::use_at;
use self::define::{Definition, LONGEST_LINE, OpenDefinition, too_long};
use self::include::IncludeChecks;
pub(crate) use self::include::{directive_like, included_from};
pub(crate) use self::main_files::{MainFile, main_files, main_paths, text_of};
use self::sequence::Sequence;
use crate::diagnostics::Diagnostic;
use crate::encoding;
use crate::kept::Kept;
use crate::source::{Expansion, ExpansionId, FileId};
use crate::words::Line;

/// What the language takes from outside of the file.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) config_id: Option<String>,
    pub(crate) line_limit: u64,
    /// Every `include` is strict.
    pub(crate) all_files: bool,
    /// An included file that may not be read is a mistake.
    pub(crate) may_read_all: bool,
    /// The included files, if not those that are there.
    pub(crate) kept: Option<Arc<Kept>>,
    pub(crate) environment: bool,
    /// Where `${_RANDOM}` begins without a `random_seed`.
    pub(crate) seed: u64,
}

/// Something that lines come from.
#[derive(Debug)]
enum Input {
    /// A file, read up to `offset`.
    File {
        file: FileId,
        directory: PathBuf,
        offset: usize,
        included_at: ExpansionId,
        /// What `include` asked for before it: what the file changes ends with it.
        checks: IncludeChecks,
        /// It was read before, so its lines count as expanded.
        again: bool,
    },
    /// Files that the configuration consists of and that are still to be read.
    Main(std::vec::IntoIter<(FileId, PathBuf)>),
    /// Files of one `include` that are still to be opened.
    Queue(include::Queue),
    /// The lines of a definition that are still to come.
    Definition { lines: std::sync::Arc<[Line]>, next: usize, expansion: ExpansionId },
    /// A `~SEQ` or `~LST` that still has values.
    Sequence(Box<Sequence>),
}

/// Reads a configuration line by line.
#[derive(Debug)]
pub(crate) struct Reader {
    settings: Settings,
    inputs: Vec<Input>,
    definitions: HashMap<Box<str>, Definition>,
    titles: HashMap<Box<str>, std::sync::Arc<str>>,
    /// The multi-line definition that is being read.
    open_definition: Option<OpenDefinition>,
    checks: IncludeChecks,
    random: builtin::Random,
    /// Files that were read, by their real names.
    read: HashMap<PathBuf, FileId>,
    /// What stood after a brace, when only that much of its line has been taken.
    rest: Option<Line>,
    /// Files of which it was said that there is a byte in them that is no UTF-8.
    foreign_said: Vec<FileId>,
    /// Lines that came out of expansions so far.
    expanded: u64,
    /// How many bytes they had.
    expanded_bytes: u64,
    /// How much was put in for definitions so far.
    work: u64,
    stopped: bool,
}

/// How many lines may be looked at again for each that the limit allows; a long one counts for several.
const WORK_PER_LINE: u64 = 8;
/// How many bytes of expanded text the limit of lines allows for each of them.
const BYTES_PER_LINE: u64 = 64;

impl Reader {
    /// A reader of these texts, one after the other.
    pub(crate) fn new(settings: Settings, mains: Vec<MainFile>, context: &mut Context) -> Self {
        let mut read = HashMap::new();
        let mut files = Vec::with_capacity(mains.len());
        for MainFile { path, text } in mains {
            let file = text::add(text, &path, ExpansionId::NONE, context);
            let real = match &settings.kept {
                Some(_) => Some(path.clone()),
                None => path.canonicalize().ok(),
            };
            read.extend(real.map(|real| (real, file)));
            files.push((file, path));
        }
        let checks = IncludeChecks::first(settings.all_files);
        Self {
            random: builtin::Random::new(settings.seed),
            settings,
            inputs: vec![Input::Main(files.into_iter())],
            definitions: builtin::predefined(),
            titles: HashMap::new(),
            open_definition: None,
            checks,
            read,
            rest: None,
            foreign_said: Vec::new(),
            expanded: 0,
            expanded_bytes: 0,
            work: 0,
            stopped: false,
        }
    }

    /// The next logical line; `None` at the end.
    pub(crate) fn next(&mut self, context: &mut Context) -> Option<Line> {
        loop {
            if self.stopped || context.stopped {
                return None;
            }
            let line = match self.rest.take() {
                Some(line) if self.spend(&line, context) => self.process(line, context),
                Some(_) => None,
                None => {
                    let line = self.next_raw(context)?;
                    if self.open_definition.is_some() {
                        self.continue_definition(line, context);
                        continue;
                    }
                    self.process(line, context)
                }
            };
            if line.is_some() {
                return line;
            }
        }
    }

    /// Gives back what follows a brace: it is read as a line of its own, so it may begin with a condition, a definition
    /// or a sequence.
    pub(crate) fn give_back(&mut self, rest: Line) {
        self.rest = Some(rest);
    }

    /// The next line of the input on top, without its comment.
    fn next_raw(&mut self, context: &mut Context) -> Option<Line> {
        loop {
            match self.inputs.last_mut() {
                None => {
                    self.end_definition();
                    return None;
                }
                Some(Input::File { file, offset, included_at, checks, again, .. }) => {
                    let (file, included_at, checks, again) = (*file, *included_at, *checks, *again);
                    match comment::next_line(file, offset, included_at, context) {
                        Some((line, nothing)) => {
                            if nothing {
                                self.end_balanced_definition();
                            }
                            return if again { self.count(line, context) } else { Some(line) };
                        }
                        None => {
                            // A definition does not run on past the end of its file.
                            self.end_definition();
                            self.checks = checks;
                            self.inputs.pop();
                        }
                    }
                }
                Some(Input::Main(files)) => match files.next() {
                    Some((file, path)) => {
                        let input = self.begin_file(file, &path, ExpansionId::NONE, false, context);
                        self.inputs.push(input);
                    }
                    None => {
                        self.inputs.pop();
                    }
                },
                Some(Input::Queue(queue)) => match queue.next() {
                    Some((path, checks, span)) => self.open(&path, checks, span, context),
                    None => {
                        self.inputs.pop();
                    }
                },
                Some(Input::Definition { lines, next, expansion }) => match lines.get(*next) {
                    Some(line) => {
                        *next += 1;
                        let line = line.clone().with_expansion(*expansion);
                        return self.count(line, context);
                    }
                    None => {
                        self.inputs.pop();
                    }
                },
                Some(Input::Sequence(sequence)) => match sequence.advance() {
                    Some(values) => {
                        let what = sequence::describe(&values);
                        let at = sequence.at;
                        let template = sequence.template.clone();
                        for (name, value) in values {
                            self.definitions.insert(name, Definition::Value(value.into(), at));
                        }
                        let expansion = context.sources.add_expansion(Expansion { what: what.into(), at });
                        let line = template.with_expansion(expansion);
                        return self.count(line, context);
                    }
                    None => {
                        self.inputs.pop();
                    }
                },
            }
        }
    }

    /// Counts a line that came out of an expansion; stops everything when there are too many.
    fn count(&mut self, line: Line, context: &mut Context) -> Option<Line> {
        self.expanded += 1;
        self.expanded_bytes += line.text.len() as u64;
        let limit = self.settings.line_limit;
        if self.expanded <= limit && self.expanded_bytes <= limit.saturating_mul(BYTES_PER_LINE) {
            return Some(line);
        }
        self.stop(&line, context);
        None
    }

    /// Counts the work of looking at a line again; stops everything when it becomes too much.
    fn spend(&mut self, line: &Line, context: &mut Context) -> bool {
        self.work += 1 + line.text.len() as u64 / 64;
        let most = self.settings.line_limit.saturating_mul(WORK_PER_LINE);
        if self.work > most {
            self.stop(line, context);
        }
        self.work <= most
    }

    /// Gives up because too much comes out of expansions.
    fn stop(&mut self, line: &Line, context: &mut Context) {
        self.stopped = true;
        let limit = self.settings.line_limit;
        let span = line.whole();
        let outermost = context.sources.chain(span).last().map_or(span, |expansion| expansion.at);
        context.report(
            Diagnostic::error("expansion-limit", format!("the expansion makes more than {limit} lines"))
                .fatal()
                .at(outermost, "too much comes out of this")
                .help("`--expansion-limit LINES` raises the limit; long lines count for several"),
        );
        context.stopped = true;
    }

    /// Conditions, definitions, sequences, substitutions, includes: in that order, until nothing is left to do.
    fn process(&mut self, mut line: Line, context: &mut Context) -> Option<Line> {
        let mut expanded = false;
        for _ in 0..define::MOST_ROUNDS {
            if line.text.is_empty() {
                return None;
            }
            if line.text.starts_with('@') {
                line = self.condition(&line, context)?;
                continue;
            }
            if line.text.starts_with('$') && self.define(&line, context) {
                return None;
            }
            if line.text.starts_with("~SEQ") || line.text.starts_with("~LST") {
                return self.begin_sequence(&line, context);
            }
            if line.text.contains('$') {
                match self.substitute(&line, context) {
                    Some(None) => {}
                    Some(Some(replaced)) => {
                        // Comments went when the line was read: a `#` that a definition brings is no comment.
                        line = comment::trim(replaced);
                        expanded = true;
                        continue;
                    }
                    None => return self.salvaged(line),
                }
            }
            if include::is_include(&line.text) {
                self.include(&line, context);
                return None;
            }
            if expanded {
                self.expanded_bytes += line.text.len() as u64;
            }
            let line = without_backslash(line, context);
            self.say_foreign(&line, context);
            self.notice(&line, context);
            return Some(line);
        }
        context.spoil(
            Diagnostic::error("endless-expansion", "the definitions on this line never come to an end")
                .at(line.whole(), "expanded again and again"),
        );
        self.salvaged(line)
    }

    /// What to do with a line that cannot be expanded: it is left out unless it opens or closes a block, which what
    /// follows relies on.
    fn salvaged(&self, line: Line) -> Option<Line> {
        let count = |wanted: u8| line.text.bytes().filter(|byte| *byte == wanted).count();
        (!self.stopped && count(b'{') != count(b'}')).then_some(line)
    }

    /// `@id rest` and `@^id rest`: the rest when the condition holds. Without an ID it holds for nobody, or with `^` for all,
    /// as with keepalived; who leaves a blank there hardly means that.
    fn condition(&self, line: &Line, context: &mut Context) -> Option<Line> {
        let (name_at, inverted) = if line.text.starts_with("@^") { (2, true) } else { (1, false) };
        let rest = line.text.get(name_at..)?;
        let length = rest.find([' ', '\t'])?;
        if length == 0 {
            let (sign, who) = if inverted { ("@^", "always") } else { ("@", "never") };
            context.report(
                Diagnostic::warning("condition-without-id", format!("`{sign}` is followed by no ID"))
                    .at(line.span(0, name_at), format!("this line {who} counts"))
                    .help(format!("the ID stands without a blank: `{sign}ID LINE`")),
            );
        }
        let matches = self.settings.config_id.as_deref() == rest.get(..length);
        if matches == inverted {
            return None;
        }
        let after = rest.get(length..)?;
        let start = name_at + length + (after.len() - after.trim_start_matches([' ', '\t']).len());
        Some(line.part(start, line.text.len()))
    }

    /// Says of a file, once, that there is a byte in it that is no UTF-8, unless only comments have any.
    fn say_foreign(&mut self, line: &Line, context: &mut Context) {
        if line.text.is_ascii() || self.foreign_said.contains(&line.file()) {
            return;
        }
        if let Some((at, byte)) = encoding::first_foreign(&line.text) {
            self.foreign_said.push(line.file());
            context.report(text::foreign(line.span(at, at + encoding::LENGTH), byte));
        }
    }

    /// Keywords that change how the rest of the text is read.
    fn notice(&mut self, line: &Line, context: &mut Context) {
        if line.text.starts_with("random_seed") {
            let (words, _) = line.words();
            if let [keyword, seed, ..] = words.as_slice()
                && &*keyword.text == "random_seed"
                && let Ok(seed) = seed.text.parse()
            {
                self.random = builtin::Random::new(seed);
            }
        } else if line.text.starts_with("include_check") {
            let (words, _) = line.words();
            if let [keyword, names @ ..] = words.as_slice()
                && &*keyword.text == "include_check"
            {
                self.checks.set(names, context);
            }
        }
    }
}

/// Does this text, after a brace, have to be looked at as a line of its own?
pub(crate) fn begins_anew(text: &str) -> bool {
    text.starts_with(['@', '$', '~']) || include::is_include(text)
}

/// A `\` at the end of a line continues a definition, and nothing else.
fn without_backslash(line: Line, context: &mut Context) -> Line {
    let end = line.text.len().saturating_sub(1);
    let escapes = line.text.bytes().rev().take_while(|byte| *byte == b'\\').count();
    if escapes % 2 == 0 {
        return line;
    }
    context.report(
        Diagnostic::error("stray-continuation", "only the lines of a definition are continued with `\\`")
            .at(line.span(end, end + 1), "continues nothing")
            .help("a definition over several lines ends at an empty line"),
    );
    comment::trim(line.part(0, end))
}

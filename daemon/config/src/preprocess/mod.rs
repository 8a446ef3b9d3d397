//! From files to logical lines: comments, `@id` conditions, `$NAME` definitions, `~SEQ` and `~LST`, `include`.
//!
//! Goes in: the path of a configuration and [`Settings`]. Comes out: one [`Line`] after another, each knowing where
//! every byte of it came from. Expansion is bounded, so that a small file cannot fill the memory.
//!
//! Inputs stand on a stack: the file, on it the file it includes, on it the lines of a definition that is being
//! used, on it a sequence that is being run through. [`Reader::next`] takes the next line from the top.

mod comment;
mod define;
mod include;
mod sequence;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use self::define::Definition;
pub(crate) use self::define::random_seed;
use self::include::IncludeChecks;
use self::sequence::Sequence;
use crate::diagnostics::{Diagnostic, Diagnostics, Outcome};
use crate::source::{Expansion, ExpansionId, FileId, SourceMap};
use crate::words::Line;

/// What the language takes from outside of the file.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) config_id: Option<String>,
    pub(crate) line_limit: u64,
    pub(crate) environment: bool,
    /// Where `${_RANDOM}` begins without a `random_seed`.
    pub(crate) seed: u64,
}

/// Sources and diagnostics, which every stage adds to.
#[derive(Debug, Default)]
pub(crate) struct Context {
    pub(crate) sources: SourceMap,
    pub(crate) diagnostics: Diagnostics,
    /// Every command so far, if they are to be looked at.
    pub(crate) commands: Vec<crate::lower::script_files::Command>,
    pub(crate) look_at_scripts: bool,
    /// Reading was given up: what is said after that would only follow from it.
    pub(crate) stopped: bool,
}

impl Context {
    /// Something was reported before, and this is what it leads to.
    pub(crate) fn leads_to(&mut self, outcome: Outcome) {
        self.diagnostics.leads_to(outcome);
    }

    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        if !self.stopped {
            self.diagnostics.push(diagnostic);
        }
    }
}

/// Something that lines come from.
#[derive(Debug)]
enum Input {
    /// A file, read up to `offset`.
    File { file: FileId, directory: PathBuf, offset: usize, included_at: ExpansionId },
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
    /// The multi-line definition that is being read, and its lines so far.
    open_definition: Option<(Box<str>, Vec<Line>)>,
    checks: IncludeChecks,
    random: define::Random,
    /// Lines that came out of expansions so far.
    expanded: u64,
    /// How much was put in for definitions so far.
    work: u64,
    stopped: bool,
}

impl Reader {
    /// A reader of this text, which stands in `path`.
    pub(crate) fn new(settings: Settings, path: &Path, text: String, context: &mut Context) -> Self {
        let directory = include::directory_of(path);
        let file = context.sources.add(path.to_path_buf(), text);
        Self {
            random: define::Random::new(settings.seed),
            settings,
            inputs: vec![Input::File { file, directory, offset: 0, included_at: ExpansionId::NONE }],
            definitions: define::predefined(),
            titles: HashMap::new(),
            open_definition: None,
            checks: IncludeChecks::default(),
            expanded: 0,
            work: 0,
            stopped: false,
        }
    }

    /// The next logical line; `None` at the end.
    pub(crate) fn next(&mut self, context: &mut Context) -> Option<Line> {
        loop {
            if self.stopped {
                return None;
            }
            let (line, physical) = self.next_raw(context)?;
            if let Some(line) = self.process(line, physical, context) {
                return Some(line);
            }
        }
    }

    /// The next line of the input on top, without its comment. The flag says that it is a line of a file.
    fn next_raw(&mut self, context: &mut Context) -> Option<(Line, bool)> {
        loop {
            match self.inputs.last_mut() {
                None => {
                    self.end_definition();
                    return None;
                }
                Some(Input::File { file, offset, included_at, .. }) => {
                    let (file, included_at) = (*file, *included_at);
                    match comment::next_line(file, offset, included_at, context) {
                        Some((line, nothing)) => {
                            if nothing {
                                self.end_balanced_definition();
                            }
                            return Some((line, true));
                        }
                        None => {
                            // A definition does not run on past the end of its file.
                            self.end_definition();
                            self.inputs.pop();
                        }
                    }
                }
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
                        return self.count(line, context).map(|line| (line, false));
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
                            self.definitions.insert(name, Definition::value(value));
                        }
                        let expansion = context.sources.add_expansion(Expansion { what: what.into(), at });
                        let line = template.with_expansion(expansion);
                        return self.count(line, context).map(|line| (line, false));
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
        if self.expanded <= self.settings.line_limit {
            return Some(line);
        }
        self.stop(&line, context);
        None
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
                .help("the limit can be raised with `--expansion-limit`"),
        );
        context.stopped = true;
    }

    /// Conditions, definitions, sequences, substitutions, includes: in that order, until nothing is left to do.
    fn process(&mut self, mut line: Line, physical: bool, context: &mut Context) -> Option<Line> {
        if physical && self.open_definition.is_some() {
            self.continue_definition(line);
            return None;
        }
        for _ in 0..define::MOST_ROUNDS {
            if line.text.is_empty() {
                return None;
            }
            if line.text.starts_with('@') {
                line = self.condition(&line)?;
                continue;
            }
            if line.text.starts_with('$') && self.define(&line) {
                return None;
            }
            if line.text.starts_with("~SEQ") || line.text.starts_with("~LST") {
                self.begin_sequence(&line, context);
                return None;
            }
            if line.text.contains('$')
                && let Some(replaced) = self.substitute(&line, context)?
            {
                // Comments went when the line was read: a `#` that a definition brings is no comment.
                line = comment::trim(replaced);
                continue;
            }
            if include::is_include(&line.text) {
                self.include(&line, context);
                return None;
            }
            self.notice(&line);
            return Some(line);
        }
        context.report(
            Diagnostic::error("endless-expansion", "the definitions on this line never come to an end")
                .at(line.whole(), "expanded again and again"),
        );
        None
    }

    /// `@id rest` and `@^id rest`: the rest when the condition holds.
    fn condition(&self, line: &Line) -> Option<Line> {
        let (name_at, inverted) = if line.text.starts_with("@^") { (2, true) } else { (1, false) };
        let rest = line.text.get(name_at..)?;
        let length = rest.find([' ', '\t'])?;
        let matches = self.settings.config_id.as_deref() == rest.get(..length);
        if matches == inverted {
            return None;
        }
        let after = rest.get(length..)?;
        let start = name_at + length + (after.len() - after.trim_start_matches([' ', '\t']).len());
        Some(line.part(start, line.text.len()))
    }

    /// Keywords that change how the rest of the text is read.
    fn notice(&mut self, line: &Line) {
        let mut words = line.text.split_ascii_whitespace();
        match words.next() {
            Some("random_seed") => {
                if let Some(seed) = words.next().and_then(|word| word.parse().ok()) {
                    self.random = define::Random::new(seed);
                }
            }
            Some("include_check") => self.checks.set(words),
            _ => {}
        }
    }
}

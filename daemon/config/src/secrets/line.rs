//! One text, line by line: which words of it are secret.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::OnceLock;

use super::{Found, url};
use crate::schema::{self, Arg, BlockId, Body, Keyword, Kind, Need};
use crate::source::FileId;
use crate::spelling::{nearest, slips};
use crate::values::looks_right;

/// Part of a text.
#[derive(Clone, Debug)]
pub(super) struct Stretch {
    pub(super) file: FileId,
    pub(super) range: Range<usize>,
}

/// Beginnings of names, in lower case, of what is a secret in most programs.
const SOUND_LIKE_IT: &[&str] = &["pass", "secret", "pwd", "token"];
/// What `auth_pass` grows to in other programs.
const LONGER_NAMES: &[&str] = &["word", "phrase", "s"];

/// What users write who expect that mail needs an account here; what follows is one.
const ACCOUNTS: &[&str] = &["smtp_auth", "smtp_user", "smtp_login", "smtp_account"];

/// Reads one text.
pub(super) struct Reader<'a> {
    file: FileId,
    found: &'a mut Found,
    /// The block of secrets that the line is in.
    block: Option<BlockId>,
    /// The last line opens this block when a `{` follows, and these values may stand before that.
    opens: Option<(BlockId, &'static [Arg])>,
    /// The line goes on with the value of this definition, and whether that sounds like a secret.
    continues: Option<(String, bool)>,
}

/// The words of a line, each with where it begins in the text.
type Words<'t> = [(usize, &'t str)];

impl<'a> Reader<'a> {
    pub(super) fn new(file: FileId, found: &'a mut Found) -> Self {
        Self { file, found, block: None, opens: None, continues: None }
    }

    pub(super) fn text(&mut self, text: &str) {
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            self.line(start, line.trim_end());
            start += line.len();
        }
    }

    fn line(&mut self, start: usize, line: &str) {
        let value = line.strip_suffix('\\').unwrap_or(line).trim_end();
        let (begins, rest) = match self.continues.take() {
            Some((name, secret)) => {
                let from = value.len() - value.trim_start().len();
                (Some((name, secret, from)), value.trim_start())
            }
            None => match definition(value) {
                Some((name, from)) => {
                    let secret = sounds_like_it(name);
                    (Some((name.to_owned(), secret, from)), value.get(from..).unwrap_or(""))
                }
                None => (None, value),
            },
        };
        let offset = start + value.len() - rest.len();
        if let Some((name, secret, from)) = begins {
            let stretch = Stretch { file: self.file, range: start + from..start + value.len() };
            if !stretch.range.is_empty() {
                match secret {
                    true => self.found.secret.push(stretch.clone()),
                    false => self.found.defined.entry(name.clone()).or_default().push(stretch),
                }
            }
            if value.len() < line.len() {
                self.continues = Some((name, secret));
            }
        }
        let rest = self.without_sequences(offset, rest);
        let words = words(rest.0, rest.1);
        let file = self.file;
        let within = words
            .iter()
            .flat_map(|(at, word)| url::secrets(word).map(move |range| at + range.start..at + range.end));
        self.found.secret.extend(within.map(|range| Stretch { file, range }));
        self.statement(&words);
    }

    /// What stands behind `~SEQ(…)` and `~LST(…)` at the beginning of a line, whose lists are definitions.
    fn without_sequences<'t>(&mut self, mut offset: usize, mut text: &'t str) -> (usize, &'t str) {
        while let Some(inner) = text.strip_prefix("~SEQ").or_else(|| text.strip_prefix("~LST")) {
            let Some(end) = inner.find(')').filter(|_| inner.starts_with('(')) else { break };
            let list = inner.get(1..end).unwrap_or("");
            let names = match list.strip_prefix('{').and_then(|names| names.split_once('}')) {
                Some((names, _)) => names,
                None => list.split(',').next().unwrap_or(""),
            };
            let after = if list.starts_with('{') { names.len() + 2 } else { names.len() };
            let values = list.get(after..).unwrap_or("").trim_start_matches([',', ' ', '\t']);
            let first = offset + "~SEQ(".len() + list.len() - values.len();
            for name in names.split(',').map(str::trim) {
                let stretch = Stretch { file: self.file, range: first..first + values.len() };
                self.found.defined.entry(name.to_owned()).or_default().push(stretch);
            }
            let rest = inner.get(end + 1..).unwrap_or("").trim_start();
            offset += text.len() - rest.len();
            text = rest;
        }
        (offset, text)
    }

    /// A keyword and its values, or several on one line.
    fn statement(&mut self, words: &Words<'_>) {
        let Some(((at, first), values)) = words.split_first() else { return };
        match *first {
            "{" => {
                self.block = self.opens.take().map(|(block, _)| block).or(self.block);
                return self.statement(values);
            }
            "}" => {
                (self.block, self.opens) = (None, None);
                return self.statement(values);
            }
            // A condition, or a comment: what is behind it is looked at as if it held.
            condition if condition.starts_with('@') => return self.statement(values),
            sign if sign.starts_with(['#', '!']) => return self.comment(*at, sign, values),
            _ => {}
        }
        if ACCOUNTS.iter().any(|account| first.starts_with(account)) || is_key(first, values, self.block) {
            return self.mask(values);
        }
        if let Some(name) = grown_together(first, values) {
            return self.hide(at + name, at + first.len(), values);
        }
        if let Some(keyword) = self.block.and_then(|block| of_block(block, first)) {
            return self.values_of(keyword, values);
        }
        if let Some(keyword) = secret_keyword(first).filter(|keyword| is_numbered(keyword, values)) {
            self.block = None;
            return self.values_of(keyword, values);
        }
        if let Some(keyword) = only_beside_secrets(first) {
            self.block = None;
            self.values_of(keyword, values);
        } else if is_known(first) {
            (self.block, self.opens) = (None, opened(first));
            let values = self.behind_opening(values);
            self.among(values);
        } else if self.block.is_some() && !first.starts_with('$') {
            self.hide(*at, at + first.len(), values);
        } else if sounds_like_it(first) {
            self.mask(values);
        } else {
            self.opens = opened(first);
            let values = self.behind_opening(values);
            // A peer may be thought to have a key of its own.
            let is_peer = first.parse::<IpAddr>().is_ok();
            match values.iter().position(|(_, word)| *word == "key").filter(|_| is_peer) {
                Some(key) => self.mask(values.get(key + 1..).unwrap_or(&[])),
                None => self.among(values),
            }
        }
    }

    /// What stands between the name of a block of secrets and its brace is hardly meant to: at most an algorithm, or what
    /// the block is called.
    fn behind_opening<'w, 't>(&mut self, values: &'w Words<'t>) -> &'w Words<'t> {
        let brace = values.iter().position(|(_, word)| *word == "{").unwrap_or(values.len());
        let Some((_, args)) = self.opens else { return values };
        let (before, rest) = values.split_at(brace);
        // A value that must be there is no secret in a wrong place; one that need not be may be one.
        let is_name = |index: usize| args.get(index).is_some_and(|arg| arg.need == Need::One && !arg.secret);
        let first = before
            .iter()
            .enumerate()
            .position(|(index, (_, word))| !word.to_ascii_lowercase().starts_with("sha") && !is_name(index));
        self.mask(first.and_then(|first| before.get(first..)).unwrap_or(&[]));
        rest
    }

    /// A comment may be a line that was taken out.
    fn comment(&mut self, at: usize, sign: &str, values: &Words<'_>) {
        let word = sign.trim_start_matches(['#', '!']);
        let mut words = Vec::with_capacity(values.len() + 1);
        words.extend((!word.is_empty()).then_some((at + sign.len() - word.len(), word)));
        words.extend_from_slice(values);
        if let Some(((at, first), values)) = words.split_first() {
            let keyword = secret_keyword(first).filter(|keyword| is_exact(keyword, first));
            if ACCOUNTS.iter().any(|account| first.starts_with(account)) {
                return self.mask(values);
            }
            let here = self.block.filter(|_| keyword.is_some()).and_then(|block| of_block(block, first));
            match here.or(keyword.filter(|keyword| is_numbered(keyword, values))) {
                Some(keyword) => self.values_of(keyword, values),
                None => {
                    if let Some(name) = grown_together(first, values) {
                        self.hide(at + name, at + first.len(), values);
                    } else {
                        self.among(values);
                    }
                }
            }
        }
    }

    /// Words behind a keyword without secrets: a block may begin there, or another keyword.
    fn among(&mut self, words: &Words<'_>) {
        for (index, (at, word)) in words.iter().enumerate() {
            let rest = words.get(index + 1..).unwrap_or(&[]);
            if word.starts_with("hex:") {
                return self.hide(*at, at + word.len(), rest);
            }
            match *word {
                "{" | "}" => return self.statement(words.get(index..).unwrap_or(&[])),
                sign if sign.starts_with(['#', '!']) => return self.comment(*at, sign, rest),
                _ => {}
            }
            if let Some(keyword) = secret_keyword(word).filter(|keyword| keyword.name.contains('_')) {
                return self.values_of(keyword, rest);
            }
        }
    }

    /// The values of a keyword of a block of secrets, or of a secret keyword anywhere.
    fn values_of(&mut self, keyword: &Keyword, values: &Words<'_>) {
        for (index, (_, word)) in values.iter().enumerate() {
            let rest = values.get(index..).unwrap_or(&[]);
            if matches!(*word, "{" | "}") || word.starts_with(['#', '!']) && index >= keyword.args.len() {
                return self.statement(rest);
            }
            // Another keyword on the same line.
            if index > 0 && secret_keyword(word).is_some_and(|other| is_exact(other, word)) {
                return self.statement(rest);
            }
            let repeats = |arg: &&Arg| matches!(arg.need, Need::Any | Need::Some);
            let arg = keyword.args.get(index).or_else(|| keyword.args.last().filter(repeats));
            let arg = arg.filter(|arg| !arg.secret && looks_right(word, arg.kind));
            if arg.is_none() {
                return self.mask(rest);
            }
        }
    }

    /// A stretch, and all words after it.
    fn hide(&mut self, start: usize, end: usize, values: &Words<'_>) {
        let end = values.last().map_or(end, |(at, word)| at + word.len());
        if end > start {
            self.found.secret.push(Stretch { file: self.file, range: start..end });
        }
    }

    /// These words; what only uses a definition is shown, and the definition is not.
    fn mask(&mut self, words: &Words<'_>) {
        // A sign that other languages have there is no secret, and is what is said to be wrong.
        let words = match words {
            [(_, "=" | ":" | ":=" | "=>"), rest @ ..] if !rest.is_empty() => rest,
            _ => words,
        };
        // Braces of their own at the end are no part of it.
        let end = words.iter().rposition(|(_, word)| !matches!(*word, "{" | "}")).map_or(0, |last| last + 1);
        let (values, braces) = words.split_at(end);
        for (_, word) in values {
            self.found.used.extend(names_used(word).map(str::to_owned));
        }
        let is_name = matches!(values, [(_, word)] if is_use(word));
        if let (Some((at, first)), false) = (values.first(), is_name) {
            self.hide(*at, at + first.len(), values);
        }
        self.statement(braces);
    }
}

/// `$NAME=VALUE`: the name, and where the value begins.
fn definition(line: &str) -> Option<(&str, usize)> {
    let name = line.trim_start().strip_prefix('$')?;
    let (name, _) = name.split_once('=')?;
    let word = name.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(name);
    let is_name = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let equals = line.find('=')?;
    let blanks = line.get(equals + 1..)?;
    is_name.then_some((word, equals + 1 + blanks.len() - blanks.trim_start().len()))
}

/// The names that a text uses, `$NAME` or `${NAME}`.
pub(super) fn names_used(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('$').filter_map(|(at, _)| {
        let rest = text.get(at + 1..)?;
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        rest.get(..end).filter(|name| !name.is_empty())
    })
}

/// Is it one use of a name and nothing else?
fn is_use(word: &str) -> bool {
    let name = word
        .strip_prefix('$')
        .map(|name| name.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(name));
    name.is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

/// Cuts a line into words; a quoted one may have blanks in it, and braces around a word are words of their own.
fn words(offset: usize, line: &str) -> Vec<(usize, &str)> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(rest) = line.get(at..).filter(|rest| !rest.is_empty()) {
        let blank = |c: char| c.is_whitespace();
        let blanks = rest.len() - rest.trim_start().len();
        if blanks > 0 {
            at += blanks;
            continue;
        }
        let length = match rest.strip_prefix('"') {
            Some(quoted) => quoted.find('"').map_or(rest.len(), |end| end + 2),
            None if rest.starts_with(['{', '}']) => 1,
            None => {
                let word = rest.find(blank).unwrap_or(rest.len());
                let closing = rest.get(..word).unwrap_or("").trim_end_matches('{').len();
                if rest.starts_with('$') { word } else { closing.max(1) }
            }
        };
        words.push((offset + at, rest.get(..length).unwrap_or(rest)));
        at += length;
    }
    words
}

/// Every keyword with a secret among its values, by each of its names.
fn secret_names() -> &'static HashMap<&'static str, &'static Keyword> {
    static NAMES: OnceLock<HashMap<&'static str, &'static Keyword>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let all = BlockId::ALL.iter().flat_map(|block| schema::keywords(*block));
        let secret = all.filter(|keyword| keyword.has_secret());
        secret.flat_map(|keyword| keyword.names().map(move |name| (name, keyword))).collect()
    })
}

/// The keyword with a secret that this is, or was meant to be.
fn secret_keyword(word: &str) -> Option<&'static Keyword> {
    let names = secret_names();
    names.get(word).copied().or_else(|| {
        if is_known(word) {
            return None;
        }
        names.iter().find(|(name, _)| slips(word, name).is_some()).map(|(_, keyword)| *keyword)
    })
}

fn is_exact(keyword: &Keyword, word: &str) -> bool {
    keyword.names().any(|name| name == word)
}

/// `key WORD` where no key is expected, and none that is the path of a file.
fn is_key(word: &str, values: &Words<'_>, block: Option<BlockId>) -> bool {
    word == "key" && block.is_none() && matches!(values, [(_, value)] if !value.starts_with('/'))
}

/// A name such as `key` is used for much: outside of its block it is a secret's if its first value, a number, is there. If
/// that is no number but any word, as of `user`, the name must stand in no other block.
fn is_numbered(keyword: &Keyword, values: &Words<'_>) -> bool {
    let Some(first) = keyword.args.first().filter(|arg| !arg.secret) else { return true };
    if first.kind == Kind::Word && only_beside_secrets(keyword.name).is_none() {
        return false;
    }
    values.first().is_some_and(|(_, word)| looks_right(word, first.kind)) && values.len() > 1
}

/// The keyword of a block of secrets that this is, or was meant to be.
fn of_block(block: BlockId, word: &str) -> Option<&'static Keyword> {
    let known = schema::find(block, word).map(|found| found.keyword);
    known.or_else(|| {
        if is_known(word) {
            return None;
        }
        let names = schema::keywords(block).iter().flat_map(Keyword::names);
        schema::find(block, nearest(word, names)?).map(|found| found.keyword)
    })
}

/// A keyword that stands in blocks of secrets only.
fn only_beside_secrets(word: &str) -> Option<&'static Keyword> {
    let blocks = schema::blocks_with(word);
    let of_secrets = |block: &BlockId| schema::keywords(*block).iter().any(Keyword::has_secret);
    let block = blocks.first().filter(|_| blocks.iter().all(of_secrets))?;
    schema::find(*block, word).map(|found| found.keyword)
}

/// The length of a secret keyword that a word begins with and that its value has grown on to.
fn grown_together(word: &str, values: &Words<'_>) -> Option<usize> {
    let names = secret_names().keys().filter(|name| name.contains('_'));
    let name = names.filter(|name| word.starts_with(**name)).max_by_key(|name| name.len())?;
    let rest = word.get(name.len()..).filter(|rest| !rest.is_empty())?;
    let is_name = LONGER_NAMES.contains(&rest) && !values.is_empty();
    (!is_name).then_some(name.len())
}

fn is_known(word: &str) -> bool {
    !schema::blocks_with(word).is_empty()
}

/// The block of secrets that a keyword opens, and the values of that keyword.
fn opened(word: &str) -> Option<(BlockId, &'static [Arg])> {
    static BLOCKS: OnceLock<Vec<(&'static Keyword, BlockId)>> = OnceLock::new();
    let blocks = BLOCKS.get_or_init(|| {
        let all = BlockId::ALL.iter().flat_map(|block| schema::keywords(*block));
        let blocks = all.filter_map(|keyword| match keyword.body {
            Body::Block(block) => Some((keyword, block)),
            Body::None | Body::Lines(_) => None,
        });
        blocks.filter(|(_, block)| schema::keywords(*block).iter().any(Keyword::has_secret)).collect()
    });
    let exact = blocks.iter().find(|(keyword, _)| keyword.name == word);
    let near = || blocks.iter().find(|(keyword, _)| !is_known(word) && slips(word, keyword.name).is_some());
    exact.or_else(near).map(|(keyword, block)| (*block, keyword.args))
}

/// Is a name most likely that of a secret?
fn sounds_like_it(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.split(['_', '-']).any(|part| SOUND_LIKE_IT.iter().any(|sound| part.starts_with(sound)))
}

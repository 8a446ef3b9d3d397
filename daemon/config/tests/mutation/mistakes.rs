//! One mistake in a file: every kind of mistake, at every place where it can be made.

use keepwatch_config::schema::{self, BlockId, Body, Kind, Need};

use super::files::{File, Line};

/// What a mistake does to the model.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    /// Nothing: what was meant is clear.
    None,
    /// As if these statements were not there.
    Without(std::ops::Range<usize>),
    /// Either of the two.
    Either(std::ops::Range<usize>),
    /// Whatever; only the diagnostics count.
    Any,
}

/// A file with a mistake in it, and what should be said.
#[derive(Clone, Debug)]
pub(crate) struct Mistake {
    pub(crate) class: &'static str,
    pub(crate) lines: Vec<Line>,
    /// The statements (of `lines`) that it is in.
    pub(crate) at: std::ops::RangeInclusive<usize>,
    /// For braces: lines that begin the blocks that may have been meant.
    pub(crate) blocks: Vec<usize>,
    /// What to put in its place: one of these.
    pub(crate) mends: Vec<String>,
    /// One of these must be said.
    pub(crate) words: Vec<&'static str>,
    pub(crate) effect: Effect,
}

impl Mistake {
    fn new(class: &'static str, lines: Vec<Line>, at: usize) -> Self {
        Self {
            class,
            lines,
            at: at..=at,
            blocks: Vec::new(),
            mends: Vec::new(),
            words: Vec::new(),
            effect: Effect::None,
        }
    }
}

fn with_text(file: &File, at: usize, text: String) -> Vec<Line> {
    let mut lines = file.lines.clone();
    lines[at].text = text;
    lines
}

fn inserted(file: &File, at: usize, line: Line) -> Vec<Line> {
    let mut lines = file.lines.clone();
    lines.insert(at, line);
    lines
}

/// Every mistake of every kind in a file.
pub(crate) fn all(file: &File) -> Vec<Mistake> {
    let mut found = Vec::new();
    for at in 0..file.lines.len() {
        braces(file, at, &mut found);
        if file.lines[at].keyword().is_some() {
            spelling(file, at, &mut found);
            values(file, at, &mut found);
            punctuation(file, at, &mut found);
            misplaced(file, at, &mut found);
        }
        twice(file, at, &mut found);
        quotes(file, at, &mut found);
    }
    found
}

/// The statement from `at` on with all that is in its braces.
fn whole(file: &File, at: usize) -> std::ops::Range<usize> {
    if file.lines[at].opens() { at..file.end(at) + 1 } else { at..at + 1 }
}

fn brace(depth: usize, text: &str) -> Line {
    Line { text: text.into(), depth, block: None }
}

fn braces(file: &File, at: usize, found: &mut Vec<Mistake>) {
    let line = &file.lines[at];
    let opener_of = |close: usize| {
        (0..close)
            .rev()
            .find(|opener| file.lines[*opener].opens() && file.end(*opener) == close)
            .unwrap_or(close)
    };
    if line.closes() {
        let mut lines = file.lines.clone();
        lines.remove(at);
        let mut mistake = Mistake::new("brace-close-missing", lines, at.min(file.lines.len() - 2));
        mistake.blocks = vec![opener_of(at)];
        // Without indentation nobody can tell which of several in a row was left out.
        let run = (at + 1..file.lines.len()).take_while(|next| file.lines[*next].closes());
        mistake.blocks.extend(run.map(opener_of));
        let run = (0..at).rev().take_while(|before| file.lines[*before].closes());
        mistake.blocks.extend(run.map(opener_of));
        found.push(mistake);
        for (class, to) in [("brace-close-early", at.checked_sub(1)), ("brace-close-late", Some(at + 1))] {
            let Some(to) = to.filter(|to| *to < file.lines.len()) else { continue };
            if file.lines[to].closes() || file.lines[to].opens() && class == "brace-close-early" {
                continue;
            }
            // A statement that may stand on either side of the brace is no mistake.
            let other = if to < at { file.lines[at].block } else { file.lines[opener_of(at) + 1].block };
            if other.is_some_and(|block| schema::find(block, file.lines[to].first()).is_some()) {
                continue;
            }
            let mut lines = file.lines.clone();
            lines.swap(at, to);
            let mut mistake = Mistake::new(class, lines, at.min(to));
            mistake.at = at.min(to)..=at.max(to);
            mistake.blocks = vec![opener_of(at)];
            mistake.effect = Effect::Either(whole(file, to));
            if file.lines[to].opens() {
                mistake.effect = Effect::None;
            } else if file.lines[opener_of(at) + 1].block.is_none() {
                // Among the lines of a block the statement is one of them.
                mistake.effect = Effect::Any;
            }
            found.push(mistake);
        }
    }
    if line.opens() {
        let text = line.text.trim_end_matches([' ', '{']).to_owned();
        let mut mistake = Mistake::new("brace-open-missing", with_text(file, at, text), at);
        mistake.blocks = vec![at];
        found.push(mistake);
    }
    let depth = line.depth + usize::from(line.opens());
    for (class, depth) in [("brace-close-added", depth), ("brace-close-added-left", depth.saturating_sub(1))]
    {
        let mut mistake = Mistake::new(class, inserted(file, at + 1, brace(depth, "}")), at + 1);
        let outermost = file.lines[..=at].iter().rposition(|line| line.depth == 0).unwrap_or(0);
        mistake.blocks = (outermost..=at).filter(|opener| file.lines[*opener].opens()).collect();
        // Every `}` of the run is as good as the one that was added.
        let after = file.lines[at + 1..].iter().take_while(|line| line.closes()).count();
        let before = file.lines[..=at].iter().rev().take_while(|line| line.closes()).count();
        mistake.at = at + 1 - before..=at + 1 + after;
        found.push(mistake);
    }
    let mut mistake = Mistake::new("brace-open-added", inserted(file, at + 1, brace(depth, "{")), at + 1);
    mistake.at = at..=at + 1;
    found.push(mistake);
    if line.keyword().is_some_and(|keyword| keyword.body == Body::None) {
        found.push(Mistake::new(
            "brace-open-after-statement",
            with_text(file, at, line.text.clone() + " {"),
            at,
        ));
    }
}

fn spelling(file: &File, at: usize, found: &mut Vec<Mistake>) {
    let line = &file.lines[at];
    let (word, Some(block)) = (line.first().to_owned(), line.block) else { return };
    let rest = line.text[word.len()..].to_owned();
    let length = word.len();
    let mut add = |class: &'static str, written: String| {
        if schema::find(block, &written).is_some() || written == word {
            return;
        }
        let mut mistake = Mistake::new(class, with_text(file, at, format!("{written}{rest}")), at);
        // The same keyword by another of its names will do.
        mistake.mends = schema::find(block, &word)
            .map(|found| found.keyword.names().map(str::to_owned).collect())
            .unwrap_or_default();
        mistake.effect = Effect::Without(whole(file, at));
        found.push(mistake);
    };
    for index in 0..length {
        let (before, after) = word.split_at(index);
        let mut tail = after.chars();
        let letter = tail.next().unwrap_or('x');
        let tail = tail.as_str();
        add("letter-left-out", format!("{before}{tail}"));
        add("letter-twice", format!("{before}{letter}{after}"));
        add("letter-wrong", format!("{before}{}{tail}", if letter == 'x' { 'y' } else { 'x' }));
        let mut swapped: Vec<char> = word.chars().collect();
        if index + 1 < length {
            swapped.swap(index, index + 1);
            add("letters-swapped", swapped.iter().collect());
        }
        if length > 7 && index + 4 < length {
            let twice = format!("{before}{}q{}", &after[1..3], &after[4..]);
            add("two-letters-wrong", twice);
        }
    }
    add("upper-case", word.to_uppercase());
    add("upper-case", word.to_lowercase());
    let mut title = word.clone();
    title[..1].make_ascii_uppercase();
    add("upper-case", title);
    if word.contains('_') {
        add("dash-for-underscore", word.replace('_', "-"));
        add("underscore-left-out", word.replace('_', ""));
        add("space-for-underscore", word.replacen('_', " ", 1));
    }
    add("plural", if word.ends_with('s') { word[..length - 1].to_owned() } else { format!("{word}s") });
}

fn values(file: &File, at: usize, found: &mut Vec<Mistake>) {
    let line = &file.lines[at];
    let (Some(keyword), word) = (line.keyword(), line.first().to_owned()) else { return };
    let body = if line.opens() { " {" } else { "" };
    let rest = line.text[word.len()..].trim_end_matches('{').trim().to_owned();
    if rest.is_empty() || rest.contains('"') {
        return;
    }
    let glued = format!("{word}{rest}");
    let mut mistake = Mistake::new("glued", with_text(file, at, format!("{glued}{body}")), at);
    mistake.mends = vec![format!("{word} {}", rest.split(' ').next().unwrap_or(""))];
    mistake.effect = Effect::Without(whole(file, at));
    found.push(mistake);
    if keyword.args.iter().any(|arg| matches!(arg.need, Need::One | Need::Some)) {
        let mut mistake = Mistake::new("value-left-out", with_text(file, at, format!("{word}{body}")), at);
        // Without a number it is the default; without the keyword it may be the owner's.
        let is_priority = word == "priority";
        mistake.effect = if is_priority { Effect::Any } else { Effect::Without(whole(file, at)) };
        found.push(mistake);
    }
    let Some(first) = keyword.args.first() else { return };
    for rubbish in rubbish(first.kind) {
        let text = format!("{word} {rubbish}{body}");
        let mut mistake = Mistake::new("value-rubbish", with_text(file, at, text), at);
        mistake.effect = Effect::Any;
        found.push(mistake);
    }
}

fn rubbish(kind: Kind) -> Vec<String> {
    match kind {
        Kind::Int(least, most) => {
            vec!["abc".into(), "1x".into(), (most + 1).to_string(), (least - 1).to_string()]
        }
        Kind::Seconds(..) | Kind::Millis(..) => vec!["abc".into(), "-1".into(), "1,5".into()],
        Kind::Bool | Kind::Choice(_) | Kind::ChoiceNoCase(_) => vec!["maybe".into(), "123".into()],
        Kind::Host
        | Kind::Address4
        | Kind::Address6
        | Kind::Multicast
        | Kind::Multicast4
        | Kind::Multicast6 => {
            vec!["10.0.0".into(), "10.0.0.256".into(), "nowhere".into(), "2001:db8::g".into()]
        }
        Kind::Digest | Kind::Status => vec!["xyz".into()],
        Kind::Pattern => vec!["a(b".into(), "[a-".into()],
        Kind::Limited(most) => vec!["x".repeat(most + 1)],
        Kind::Interface => vec!["an_interface_with_a_long_name".into()],
        Kind::Word | Kind::Script | Kind::Granularity | Kind::Hex(_) | Kind::Options(_) => Vec::new(),
    }
}

/// Habits from other languages.
fn punctuation(file: &File, at: usize, found: &mut Vec<Mistake>) {
    let line = &file.lines[at];
    let (Some(keyword), word) = (line.keyword(), line.first().to_owned()) else { return };
    if line.opens() || line.text.contains('"') {
        return;
    }
    let rest = line.text[word.len()..].trim().to_owned();
    let mut add = |class: &'static str, text: String| {
        let mut mistake = Mistake::new(class, with_text(file, at, text), at);
        mistake.effect = Effect::Any;
        found.push(mistake);
    };
    // Of a password it may be part.
    if word != "auth_pass" {
        add("semicolon", format!("{};", line.text));
    }
    if !keyword.args.is_empty() && !rest.is_empty() {
        add("equals", format!("{word} = {rest}"));
        add("equals", format!("{word}={rest}"));
        add("colon", format!("{word}: {rest}"));
    }
    add("slashes", format!("{} // remark", line.text));
    let remark = Line { text: "// remark".into(), ..line.clone() };
    found.push(Mistake::new("slashes", inserted(file, at, remark), at));
}

/// A statement that stands where it has nothing to do.
fn misplaced(file: &File, at: usize, found: &mut Vec<Mistake>) {
    let line = &file.lines[at];
    let (Some(keyword), Some(home)) = (line.keyword(), line.block) else { return };
    let moved = file.lines[whole(file, at)].to_vec();
    let from = whole(file, at);
    // One place in each kind of block.
    let mut seen: Vec<BlockId> = vec![home];
    for to in 0..file.lines.len() {
        let Some(block) = file.lines[to].block else { continue };
        if seen.contains(&block) || from.contains(&to) || file.lines[to].closes() {
            continue;
        }
        if schema::find(block, keyword.name).is_some() || schema::find(block, line.first()).is_some() {
            continue;
        }
        seen.push(block);
        let depth = file.lines[to].depth;
        let mut lines = file.lines.clone();
        lines.drain(from.clone());
        let to = if to > at { to - from.len() } else { to };
        let shifted =
            moved.iter().map(|line| Line { depth: line.depth - moved[0].depth + depth, ..line.clone() });
        for (index, line) in shifted.enumerate() {
            lines.insert(to + index, line);
        }
        let mut mistake =
            Mistake::new(if line.opens() { "wrong-block-block" } else { "wrong-block" }, lines, to);
        mistake.at = to..=to + from.len() - 1;
        mistake.words = belongs(line.first());
        mistake.effect = Effect::Without(from.clone());
        found.push(mistake);
    }
}

/// The blocks that a keyword belongs in.
fn belongs(word: &str) -> Vec<&'static str> {
    let title = |block: &BlockId| if *block == BlockId::Root { "top level" } else { block.title() };
    schema::blocks_with(word).iter().map(title).collect()
}

/// A block that stands there twice.
fn twice(file: &File, at: usize, found: &mut Vec<Mistake>) {
    let line = &file.lines[at];
    if !line.opens()
        || line.keyword().is_none_or(|keyword| {
            keyword.args.is_empty() && matches!(keyword.again, schema::Again::Adds | schema::Again::Replaces)
        })
    {
        return;
    }
    let copy = whole(file, at);
    let mut lines = file.lines.clone();
    lines.splice(copy.end..copy.end, file.lines[copy.clone()].to_vec());
    let mut mistake = Mistake::new("block-twice", lines, copy.end);
    mistake.at = copy.start..=copy.end + copy.len() - 1;
    mistake.effect = Effect::Any;
    found.push(mistake);
}

fn quotes(file: &File, at: usize, found: &mut Vec<Mistake>) {
    let text = &file.lines[at].text;
    for (index, _) in text.match_indices('"') {
        let mut without = text.clone();
        without.remove(index);
        let mut mistake = Mistake::new("quote-left-out", with_text(file, at, without), at);
        mistake.effect = Effect::Any;
        found.push(mistake);
    }
}

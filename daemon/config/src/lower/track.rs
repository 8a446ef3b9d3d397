//! Lines that say what is tracked: `track_interface`, `track_script`, `track_file`, `track_process`, `track_bfd`.

use std::collections::HashSet;

use crate::diagnostics::Diagnostic;
use crate::line_values::{line_interface, line_number};
use crate::model::{Name, Tracked};
use crate::preprocess::Context;
use crate::tree::Node;
use crate::values::whole;
use crate::words::Word;

/// A line of `track_script` and the like, and where its name stands; what is `None` is as the definition has it.
#[derive(Clone, Debug)]
pub(super) struct TrackedDraft {
    pub(super) name: Word,
    pub(super) weight: Option<i32>,
    pub(super) reverse: Option<bool>,
}

impl TrackedDraft {
    /// With the weight of the definition where the line has none.
    pub(super) fn resolve(self, weight: i32, reverse: bool) -> Tracked {
        Tracked {
            name: (&*self.name.text).into(),
            weight: self.weight.unwrap_or(weight),
            reverse: self.reverse.unwrap_or(reverse),
        }
    }
}

/// What the lines of a block name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Interface,
    Script,
    File,
    Process,
    Bfd,
}

impl Kind {
    /// The greatest weight that is kept, and the greatest that is understood.
    fn weights(self) -> (i32, i32) {
        match self {
            Self::Interface | Self::Script => (253, 254),
            Self::File | Self::Process => (254, 254),
            Self::Bfd => (253, 253),
        }
    }
}

/// The lines of `track_interface`; one that is there already is left out.
pub(super) fn interfaces(to: &mut Vec<Tracked>, node: &Node, context: &mut Context) {
    let mut known: HashSet<Name> = to.iter().map(|tracked| tracked.name.clone()).collect();
    for words in &node.lines {
        let Some(first) = words.first() else { continue };
        let Some(interface) = line_interface(first, "track_interface", context) else { continue };
        if known.contains(&interface) {
            again(first, context);
            continue;
        }
        let Some((weight, reverse)) = options(words, Kind::Interface, context) else { continue };
        known.insert(interface.clone());
        to.push(Tracked { name: interface, weight: weight.unwrap_or(0), reverse: reverse.unwrap_or(false) });
    }
}

/// The lines of `track_script`, `track_file`, `track_process` or `track_bfd`; one that is there already is left out.
pub(super) fn objects(to: &mut Vec<TrackedDraft>, node: &Node, context: &mut Context) {
    let kind = match node.keyword.name {
        "track_script" => Kind::Script,
        "track_bfd" => Kind::Bfd,
        "track_file" => Kind::File,
        _ => Kind::Process,
    };
    let mut known: HashSet<_> = to.iter().map(|tracked| tracked.name.text.clone()).collect();
    for words in &node.lines {
        let Some(first) = words.first() else { continue };
        if known.contains(&first.text) {
            again(first, context);
            continue;
        }
        let Some((weight, reverse)) = options(words, kind, context) else { continue };
        known.insert(first.text.clone());
        to.push(TrackedDraft { name: first.clone(), weight, reverse });
    }
    // There may be very many of these lists.
    to.shrink_to_fit();
}

fn again(word: &Word, context: &mut Context) {
    let diagnostic = Diagnostic::error("duplicate-member", format!("`{}` is tracked already", word.text));
    context.report(diagnostic.at(word.span, "left out"));
}

/// `weight NUMBER [reverse | noreverse]`; `None` when the line is left out (reported).
fn options(words: &[Word], kind: Kind, context: &mut Context) -> Option<(Option<i32>, Option<bool>)> {
    let Some(option) = words.get(1) else { return Some((None, None)) };
    if &*option.text != "weight" {
        let message = format!("`{}` is no option of what is tracked", option.text);
        let diagnostic = Diagnostic::error("unknown-option", message).at(option.span, "the line is left out");
        context.report(diagnostic.help("`weight NUMBER` stands first, and `reverse` after it"));
        return None;
    }
    let Some(value) = words.get(2) else {
        let diagnostic = Diagnostic::error("missing-value", "`weight` needs a number");
        context.report(diagnostic.at(option.span.after(), "missing here; the line is left out"));
        return None;
    };
    let weight = weight(value, kind, context);
    let reverse = match words.get(3).map(|word| (&*word.text, word)) {
        None => None,
        Some(("reverse", _)) => Some(true),
        Some(("noreverse", _)) if kind != Kind::Interface => Some(false),
        Some((other, word)) => {
            let left_out = matches!(kind, Kind::File | Kind::Bfd);
            let label = if left_out { "the line is left out" } else { "has no effect" };
            let message = format!("`{other}` is no option of a weight");
            context.report(Diagnostic::error("unknown-option", message).at(word.span, label));
            if left_out {
                return None;
            }
            None
        }
    };
    Some((weight, reverse))
}

/// A weight; keepalived once had one more at either end for scripts and interfaces.
fn weight(value: &Word, kind: Kind, context: &mut Context) -> Option<i32> {
    let (most, understood) = kind.weights();
    let number = whole(&value.text, i64::from(-understood), i64::from(understood));
    let weight = number.ok().and_then(|number| i32::try_from(number).ok());
    let used = weight.map(|weight| weight.clamp(-most, most));
    if used != weight {
        let label = format!("{} is used", used.unwrap_or(0));
        let message = format!("a weight is from {} to {most}", -most);
        context.report(Diagnostic::error("out-of-range", message).at(value.span, label));
        return used;
    }
    if used.is_none() {
        return line_number(value, i64::from(-most), i64::from(most), "weight", context);
    }
    used
}

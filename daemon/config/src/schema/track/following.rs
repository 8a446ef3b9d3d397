//! What instances and groups follow: `track_interface`, `track_script`, `track_file`, `track_process`, `track_bfd`.

use std::collections::HashSet;

use crate::diagnostics::Diagnostic;
use crate::line_values::{line_interface, line_number};
use crate::model::{Name, Tracked};
use crate::preprocess::Context;
use crate::schema::compose::compose;
use crate::schema::entry::Block;
use crate::schema::lines::{OptionLine, Options, flag, option, options_of};
use crate::schema::{LineOption, kw};
use crate::tree::Node;
use crate::values::whole;
use crate::words::Word;

/// What is followed, as written.
#[derive(Debug, Default)]
pub(crate) struct FollowingDraft {
    pub(crate) interfaces: Vec<Tracked>,
    pub(crate) scripts: Vec<TrackedDraft>,
    pub(crate) files: Vec<TrackedDraft>,
    pub(crate) processes: Vec<TrackedDraft>,
    pub(crate) bfds: Vec<TrackedDraft>,
}

/// A line of `track_script` and the like, and where its name stands; what is `None` is as the definition has it.
#[derive(Clone, Debug)]
pub(crate) struct TrackedDraft {
    pub(crate) name: Word,
    pub(crate) weight: Option<i32>,
    pub(crate) reverse: Option<bool>,
}

/// What may be followed.
pub(crate) const FOLLOWING: Block<FollowingDraft> = Block(&[
    kw("track_interface", &[], "Interfaces whose state is followed.")
        .lines("INTERFACE [weight -253…253] [reverse]")
        .options(OF_INTERFACE)
        .repeats()
        .example("track_interface {\n    eth1 weight -20\n}")
        .sets(|to, node, context| interfaces(&mut to.interfaces, node, context)),
    kw("track_script", &[], "Scripts (`vrrp_script`) whose result is followed.")
        .lines("NAME [weight -253…253] [reverse]")
        .options(OF_NAMED)
        .repeats()
        .example("track_script {\n    chk\n}")
        .sets(|to, node, context| named(&mut to.scripts, node, &SCRIPT, context)),
    kw("track_file", &[], "Files (`track_file` at the top level) whose number is followed.")
        .lines("NAME [weight -254…254] [reverse]")
        .options(OF_NAMED)
        .repeats()
        .example("track_file {\n    offset weight 1\n}")
        .sets(|to, node, context| named(&mut to.files, node, &FILE, context)),
    kw("track_process", &[], "Processes (`vrrp_track_process`) whose presence is followed.")
        .lines("NAME [weight -254…254] [reverse]")
        .options(OF_NAMED)
        .repeats()
        .example("track_process {\n    web\n}")
        .sets(|to, node, context| named(&mut to.processes, node, &PROCESS, context)),
    kw("track_bfd", &[], "BFD sessions (`bfd_instance`) whose state is followed.")
        .lines("NAME [weight -253…253] [reverse]")
        .options(OF_NAMED)
        .repeats()
        .example("track_bfd {\n    B1\n}")
        .sets(|to, node, context| named(&mut to.bfds, node, &BFD, context)),
]);

/// What the lines of a block of [`FOLLOWING`] take.
struct Kind {
    /// The greatest weight that is kept.
    most: i32,
    /// The greatest that is understood: keepalived once had one more at either end for scripts and interfaces.
    understood: i32,
    /// A definition says a weight, which the line may turn around.
    is_named: bool,
    /// A word too many leaves the line out.
    exact: bool,
}

const INTERFACE: Kind = Kind { most: 253, understood: 254, is_named: false, exact: false };
const SCRIPT: Kind = Kind { is_named: true, ..INTERFACE };
const FILE: Kind = Kind { most: 254, understood: 254, is_named: true, exact: true };
const PROCESS: Kind = Kind { exact: false, ..FILE };
const BFD: Kind = Kind { most: 253, understood: 253, ..FILE };

/// What a line says after its name.
struct WeightDraft {
    kind: &'static Kind,
    weight: Option<i32>,
    reverse: Option<bool>,
}

/// What stands first.
const WEIGHT: Options<WeightDraft> = Options(&[option(
    "weight",
    "NUMBER",
    "What is added to the priority, or of a number in a file what it is multiplied by; with 0 failing is a fault.",
)
.takes(WeightDraft::weight)]);

/// What may stand after it.
const REVERSE: Options<WeightDraft> =
    Options(&[
        flag("reverse", "After the weight: it counts for the opposite.").is(|to| to.reverse = Some(true))
    ]);

/// What may stand in its place where a definition may have said that.
const NO_REVERSE: Options<WeightDraft> = Options(&[flag(
    "noreverse",
    "After the weight: it does not count for the opposite, whatever its own block says.",
)
.is(|to| to.reverse = Some(false))]);

const OF_INTERFACE: &[LineOption] = compose!(options: options_of!(WEIGHT), options_of!(REVERSE));
const OF_NAMED: &[LineOption] = compose!(options: OF_INTERFACE, options_of!(NO_REVERSE));

/// The lines of `track_interface`; one that is there already is left out.
fn interfaces(to: &mut Vec<Tracked>, node: &Node, context: &mut Context) {
    let mut known: HashSet<Name> = to.iter().map(|tracked| tracked.name.clone()).collect();
    for words in &node.lines {
        let Some(first) = words.first() else { continue };
        let Some(interface) = line_interface(first, node.keyword.name, context) else { continue };
        if known.contains(&interface) {
            again(first, context);
            continue;
        }
        let Some(WeightDraft { weight, reverse, .. }) = options(words, &INTERFACE, context) else { continue };
        known.insert(interface.clone());
        to.push(Tracked { name: interface, weight: weight.unwrap_or(0), reverse: reverse.unwrap_or(false) });
    }
}

/// The lines of a block of names; one that is there already is left out.
fn named(to: &mut Vec<TrackedDraft>, node: &Node, kind: &'static Kind, context: &mut Context) {
    let mut known: HashSet<_> = to.iter().map(|tracked| tracked.name.text.clone()).collect();
    for words in &node.lines {
        let Some(first) = words.first() else { continue };
        if known.contains(&first.text) {
            again(first, context);
            continue;
        }
        let Some(WeightDraft { weight, reverse, .. }) = options(words, kind, context) else { continue };
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
fn options(words: &[Word], kind: &'static Kind, context: &mut Context) -> Option<WeightDraft> {
    let mut draft = WeightDraft { kind, weight: None, reverse: None };
    let mut line = OptionLine::new(words.get(1..)?, "weight", context);
    let Some(option) = line.next() else { return Some(draft) };
    if !WEIGHT.take(&mut draft, &mut line, option)? {
        let message = format!("`{}` is no option of what is tracked", option.text);
        let diagnostic = Diagnostic::error("unknown-option", message).at(option.span, "the line is left out");
        line.context.report(diagnostic.help("`weight NUMBER` stands first, and `reverse` after it"));
        return None;
    }
    let Some(word) = line.next() else { return Some(draft) };
    let known = REVERSE.take(&mut draft, &mut line, word)?
        || kind.is_named && NO_REVERSE.take(&mut draft, &mut line, word)?;
    if !known {
        let label = if kind.exact { "the line is left out" } else { "has no effect" };
        let message = format!("`{}` is no option of a weight", word.text);
        line.context.report(Diagnostic::error("unknown-option", message).at(word.span, label));
    }
    (known || !kind.exact).then_some(draft)
}

impl WeightDraft {
    /// One that is wrong (reported) is as if it were not there.
    fn weight(&mut self, line: &mut OptionLine, option: &Word) -> Option<()> {
        let Some(value) = line.next() else {
            let diagnostic = Diagnostic::error("missing-value", "`weight` needs a number");
            line.context.report(diagnostic.at(option.span.after(), "missing here; the line is left out"));
            return None;
        };
        let Kind { most, understood, .. } = *self.kind;
        let number = whole(&value.text, i64::from(-understood), i64::from(understood));
        let weight = number.ok().and_then(|number| i32::try_from(number).ok());
        self.weight = weight.map(|weight| weight.clamp(-most, most));
        if weight.is_none() {
            self.weight = line_number(value, i64::from(-most), i64::from(most), "weight", line.context);
        } else if self.weight != weight {
            let label = format!("{} is used", self.weight.unwrap_or(0));
            let message = format!("a weight is from {} to {most}", -most);
            line.context.report(Diagnostic::error("out-of-range", message).at(value.span, label));
        }
        Some(())
    }
}

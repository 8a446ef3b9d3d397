//! Which brace is wrong.
//!
//! Goes in: the [`Outline`] of a configuration whose braces and keywords don't fit. Comes out: the braces to put in, take
//! out or move so that it fits ([`Repair`]), each with its diagnostic. Where something does not fit, every single change
//! of a brace up to there is tried; the one after which the least does not fit is taken, and of equal ones the one that
//! the indentation agrees with. A change must explain more than it costs: a keyword that merely stands in the wrong
//! place is no reason to doubt the braces.

use std::collections::HashSet;

use super::brace_report;
use super::edit::Edit;
use super::outline::{MISSPELT, Misfit, Open, Outline, Token};
use crate::diagnostics::Diagnostic;
use crate::items::{Change, Items};
use crate::preprocess::Context;

/// Most places that are looked into.
const MOST_SEARCHES: usize = 1000;
/// How many entries before the one that does not fit may have the mistake.
const BACK: usize = 2_000;
/// How many entries after it are looked at.
const AHEAD: usize = 500;
/// How far a brace may have been moved, in entries.
const MOVED: usize = 4;

/// What to do with the braces, and what to say about it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repair {
    /// By the number of the item.
    pub(crate) changes: Vec<(usize, Change)>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Finds the wrong braces of a configuration.
pub(crate) fn repair(items: Items, context: &mut Context) -> Repair {
    let mut outline = Outline::read(items, context);
    let mut repair = Repair::default();
    // What does not fit and is no matter of braces, by the number of its item.
    let mut left: HashSet<usize> = HashSet::new();
    let mut from = 0;
    for _ in 0..MOST_SEARCHES {
        let Some(trouble) = Trouble::find(&mut outline, from, &left) else { break };
        match trouble.best(&mut outline) {
            Some(edit) => {
                brace_report::report(&outline, edit, &trouble, &mut repair, context);
                apply(&mut outline, edit, &mut repair.changes);
            }
            None => {
                left.insert(trouble.item);
            }
        }
        from = trouble.start;
    }
    repair.changes.sort_by_key(|(item, _)| *item);
    repair
}

/// Changes the outline.
fn apply(outline: &mut Outline, edit: Edit, changes: &mut Vec<(usize, Change)>) {
    match edit {
        Edit::TakeClose(at) | Edit::TakeOpen(at) => {
            changes.push((outline.item(at), Change::TakeOut));
            outline.entries.remove(at);
        }
        Edit::PutClose(at) => {
            changes.push((outline.item(at), Change::PutClose));
            outline.put(at, Token::Close);
        }
        Edit::PutOpen(at) => {
            changes.push((outline.item(at + 1), Change::PutOpen));
            outline.put(at + 1, Token::Open);
        }
        Edit::MoveClose(from, to) => {
            changes.push((outline.item(from), Change::TakeOut));
            changes.push((outline.item(to), Change::PutClose));
            outline.put(to, Token::Close);
            outline.entries.remove(if to <= from { from + 1 } else { from });
        }
    }
}

/// A place where something does not fit.
pub(super) struct Trouble {
    /// The entry; one past the last for the end of the text.
    pub(super) at: usize,
    /// Its item.
    item: usize,
    /// Where a block of the top level begins that the mistake may be in: nothing is open there.
    start: usize,
    /// For each entry from `first` to `at`, the blocks that are open before it, and what did not fit up to there.
    first: usize,
    before: Vec<(Vec<Open>, Misfit)>,
}

impl Trouble {
    /// The first place from `from` on (where nothing is open) at which something does not fit.
    fn find(outline: &mut Outline, from: usize, left: &HashSet<usize>) -> Option<Self> {
        let mut stack: Vec<Open> = Vec::new();
        let mut sum = Misfit::default();
        let mut before: Vec<(Vec<Open>, Misfit)> = Vec::new();
        // The entry that the first of them is for.
        let mut first = from;
        // Where the last block of the top level, and the one before it, begin.
        let mut starts = [from, from];
        let mut at = from;
        loop {
            if before.len() > 4 * BACK {
                first += before.drain(..before.len() - 2 * BACK).len();
            }
            before.push((stack.clone(), sum));
            let item = outline.item(at);
            let is_line = matches!(outline.entries.get(at).map(|entry| entry.token), Some(Token::Line(_)));
            if stack.is_empty() && is_line {
                starts = [starts[1], at];
            }
            let at_end = outline.is_end(at);
            if outline.is_exhausted() || (at >= outline.entries.len() && !at_end) {
                return None;
            }
            let (misfit, taken) = outline.step(at, None, &mut stack);
            let fits = if at_end { stack.is_empty() } else { misfit.cost <= MISSPELT };
            if !fits && !left.contains(&item) {
                let back = starts[0].max(at.saturating_sub(BACK));
                let before = before.split_off(back - first);
                return Some(Self { at, item, start: starts[0], first: back, before });
            }
            if at_end {
                return None;
            }
            sum.add(misfit);
            if taken == 2 {
                before.push((stack.clone(), sum));
            }
            at += taken;
        }
    }

    /// The blocks that are open before an entry.
    pub(super) fn open_before(&self, at: usize) -> &[Open] {
        self.before(at).map_or(&[], |(stack, _)| stack.as_slice())
    }

    fn before(&self, at: usize) -> Option<&(Vec<Open>, Misfit)> {
        self.before.get(at.checked_sub(self.first)?)
    }

    /// The change that makes most of it fit, if there is one that is worth it.
    fn best(&self, outline: &mut Outline) -> Option<Edit> {
        let end = outline.entries.len().min(self.at + AHEAD);
        let (stack, sum) = self.before(self.at)?;
        let mut unchanged = outline.run(self.at, end, stack.clone(), None, u32::MAX);
        unchanged.add(*sum);
        let mut best: Option<(Misfit, Edit)> = None;
        for at in (self.first..=self.at + MOVED).rev() {
            for edit in self.candidates(outline, at) {
                // It must be better than nothing, and no worse than what is known.
                let most = best.map_or(unchanged.cost.saturating_sub(1), |(known, _)| known.cost);
                let from = match edit {
                    Edit::MoveClose(from, to) => from.min(to),
                    Edit::PutClose(at) | Edit::TakeClose(at) | Edit::PutOpen(at) => at,
                    // It is taken together with the line before it.
                    Edit::TakeOpen(at) if at > self.first && outline.is_followed_by_open(at - 1) => at - 1,
                    Edit::TakeOpen(at) => at,
                };
                // A brace after the place can only be what is wrong if it should stand before it.
                let Some((stack, sum)) = self.before(from) else { continue };
                let Some(most) = most.checked_sub(edit.price() + sum.cost) else { continue };
                let mut misfit = outline.run(from, end, stack.clone(), Some(edit), most);
                if misfit.cost > most {
                    continue;
                }
                if outline.is_exhausted() {
                    return None;
                }
                misfit.add(*sum);
                misfit.cost += edit.price();
                if best.is_none_or(|(known, _)| misfit < known) {
                    best = Some((misfit, edit));
                }
            }
        }
        best.map(|(_, edit)| edit).filter(|edit| !self.closes_nothing(*edit))
    }

    /// A `}` that closes nothing is no riddle: the parser says so by itself.
    fn closes_nothing(&self, edit: Edit) -> bool {
        match edit {
            Edit::TakeClose(at) => self.open_before(at).is_empty(),
            Edit::PutClose(_) | Edit::PutOpen(_) | Edit::TakeOpen(_) | Edit::MoveClose(..) => false,
        }
    }

    /// The changes that can be made at an entry.
    fn candidates(&self, outline: &mut Outline, at: usize) -> Vec<Edit> {
        let mut edits = Vec::with_capacity(4);
        let within = |outline: &Outline, at: usize| at > 0 && outline.is_followed_by_open(at - 1);
        if !self.open_before(at).is_empty() && !within(outline, at) {
            edits.push(Edit::PutClose(at));
        }
        match outline.entries.get(at).map(|entry| entry.token) {
            Some(Token::Close) => {
                edits.push(Edit::TakeClose(at));
                let near = at.saturating_sub(MOVED).max(self.first)..=(at + MOVED).min(outline.entries.len());
                let elsewhere = near.filter(|to| *to != at && *to != at + 1 && !within(outline, *to));
                edits.extend(elsewhere.rev().map(|to| Edit::MoveClose(at, to)));
            }
            Some(Token::Open) => edits.push(Edit::TakeOpen(at)),
            Some(Token::Line(number))
                if !outline.is_followed_by_open(at) && outline.may_open(number, self.open_before(at)) =>
            {
                edits.push(Edit::PutOpen(at));
            }
            Some(Token::Line(_)) | None => {}
        }
        edits
    }
}

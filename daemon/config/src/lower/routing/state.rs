//! What is known while the lines of addresses, routes and rules are read: the names of iproute2, the track groups that
//! stand above them, and the preferences of rules that say none.

use std::collections::HashSet;

use super::iproute_names::IprouteNames;
use super::option_line::OptionLine;
use crate::diagnostics::Diagnostic;
use crate::model::{Family, Name};
use crate::preprocess::Context;
use crate::source::Span;
use crate::words::Word;

/// The preference of the first rule of a family that has none; each further one is one less.
const FIRST_PREFERENCE: u32 = 16384;

/// Which of two blocks a line of addresses, routes or rules stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::lower) enum Block {
    /// `static_ipaddress` and the like, of the top level.
    Static,
    /// `virtual_ipaddress` and the like, of an instance.
    Virtual,
}

/// What is known so far.
#[derive(Debug, Default)]
pub(in crate::lower) struct Routing {
    pub(in crate::lower) names: IprouteNames,
    pub(in crate::lower) groups: Vec<TrackGroupDraft>,
    /// Their names.
    pub(super) group_names: HashSet<Name>,
    /// Names of the interfaces that instances make.
    pub(in crate::lower) vmac_names: HashSet<Name>,
    /// How many rules of IPv4 and of IPv6 had no preference.
    without_preference: [u32; 2],
}

/// A `track_group` as written.
#[derive(Debug)]
pub(in crate::lower) struct TrackGroupDraft {
    pub(super) name: Name,
    pub(super) members: Vec<Word>,
}

impl Routing {
    /// The preference of a rule that says none.
    pub(super) fn next_preference(&mut self, family: Family) -> u32 {
        let [v4, v6] = &mut self.without_preference;
        let before = match family {
            Family::Inet => v4,
            Family::Inet6 => v6,
        };
        let preference = FIRST_PREFERENCE.saturating_sub(*before);
        *before += 1;
        preference
    }
}

/// The `track_group` of a line.
#[derive(Debug, Default)]
pub(super) struct TrackGroup {
    /// Its name, if there is such a group.
    name: Option<Name>,
    /// Where it stands.
    at: Option<Span>,
}

impl TrackGroup {
    /// Takes the name after `track_group`; `None` when the line is to be left out (reported).
    pub(super) fn read(
        &mut self,
        line: &mut OptionLine,
        option: &Word,
        groups: &HashSet<Name>,
    ) -> Option<()> {
        let value = line.value(option)?;
        if self.at.is_some() {
            let message = "`track_group` was given before".into();
            return line.refuse(
                value,
                "duplicate-keyword",
                message,
                format!("the {} is left out", line.what),
            );
        }
        self.take(value, groups, line.context);
        Some(())
    }

    /// Takes the name.
    pub(super) fn take(&mut self, value: &Word, groups: &HashSet<Name>, context: &mut Context) {
        if let Some(first) = self.at {
            let diagnostic = Diagnostic::error("duplicate-keyword", "`track_group` was given before");
            context.report(diagnostic.at(value.span, "has no effect").also(first, "first here"));
            return;
        }
        self.at = Some(value.span);
        self.name = groups.get(&*value.text).cloned();
        if self.name.is_none() {
            context.report(
                Diagnostic::error("unknown-group", format!("there is no `track_group` {} above", value.text))
                    .at(value.span, "has no effect")
                    .help("a `track_group` must stand before what it is for")
                    .suggest_nearest(value, groups.iter().map(|name| &**name)),
            );
        }
    }

    /// The group, if it can be tracked.
    pub(super) fn finish(
        self,
        no_track: bool,
        has_interface: bool,
        interface: &str,
        context: &mut Context,
    ) -> Option<Name> {
        let (name, at) = (self.name?, self.at?);
        if !has_interface {
            let message = format!("`track_group` needs an interface ({interface})");
            context.report(Diagnostic::error("conflict", message).at(at, "has no effect"));
            return None;
        }
        if no_track {
            let message = "`track_group` does not go with `no_track`";
            context.report(Diagnostic::warning("conflict", message).at(at, "has no effect"));
            return None;
        }
        Some(name)
    }
}

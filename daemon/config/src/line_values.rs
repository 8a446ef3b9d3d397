//! Values within the lines of a block of lines (`virtual_ipaddress { … }` and the like), where the schema has no single
//! words: checked by whoever reads the line.

use std::time::Duration;

use crate::diagnostics::Diagnostic;
use crate::model::Name;
use crate::preprocess::Context;
use crate::values::{Problem, decimal, exact, interface, whole};
use crate::words::Word;

/// A number within a line of a block of lines, of a type that `least` and `most` fit; a problem is reported.
pub(crate) fn line_number<T: TryFrom<i64>>(
    word: &Word,
    least: i64,
    most: i64,
    what: &str,
    context: &mut Context,
) -> Option<T> {
    match whole(&word.text, least, most) {
        Ok(value) => T::try_from(value).ok(),
        Err(problem) => {
            context.report(problem.of(what, word));
            None
        }
    }
}

/// The word after one that needs a value; reported when there is none.
pub(crate) fn line_value<'a>(
    option: &Word,
    next: Option<&'a Word>,
    context: &mut Context,
) -> Option<&'a Word> {
    if next.is_none() {
        let diagnostic = Diagnostic::error("missing-value", format!("`{}` needs a value", option.text));
        context.report(diagnostic.at(option.span.after(), "missing here"));
    }
    next
}

/// An interface within a line of a block of lines; a problem is reported.
pub(crate) fn line_interface(word: &Word, what: &str, context: &mut Context) -> Option<Name> {
    match interface(&word.text) {
        Ok(name) => Some(name.into()),
        Err(problem) => {
            context.report(problem.of(what, word));
            None
        }
    }
}

/// A time in seconds, up to so many microseconds, within a line of a block of lines; a problem is reported.
pub(crate) fn line_seconds(word: &Word, most: u64, context: &mut Context) -> Option<Duration> {
    let mut tell = |problem: Problem| context.report(problem.of("", word));
    match decimal(&word.text, 6, 0, most, "seconds") {
        Ok(micros) => {
            if let Err(problem) = exact(&word.text, 6, micros) {
                tell(problem);
            }
            Some(Duration::from_micros(micros))
        }
        Err(problem) => {
            tell(problem);
            None
        }
    }
}

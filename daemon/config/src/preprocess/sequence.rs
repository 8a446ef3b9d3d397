//! `~SEQ(var, start, step, end) rest`, `~SEQx(…)` in hexadecimal, and `~LST(var, value, …) rest`: the rest of the line
//! once for each value.

use super::{Context, Input, Reader, comment};
use crate::diagnostics::Diagnostic;
use crate::source::Span;
use crate::values::of_any_base;
use crate::words::Line;

/// A sequence or list that is being run through.
#[derive(Debug)]
pub(super) struct Sequence {
    /// The line to repeat.
    pub(super) template: Line,
    /// Where it is written.
    pub(super) at: Span,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Numbers { name: Box<str>, next: Option<i64>, step: i64, last: i64, hexadecimal: bool },
    List { names: Vec<Box<str>>, sets: std::vec::IntoIter<Vec<String>> },
}

/// Names and what they become for one pass.
pub(super) type Assignments = Vec<(Box<str>, String)>;

/// For people: what this pass is.
pub(super) fn describe(values: &Assignments) -> String {
    let parts: Vec<String> = values.iter().map(|(name, value)| format!("`{name}` = {value}")).collect();
    parts.join(", ")
}

impl Sequence {
    /// The values of the next pass.
    pub(super) fn advance(&mut self) -> Option<Assignments> {
        match &mut self.values {
            Values::Numbers { name, next, step, last, hexadecimal } => {
                let value = (*next)?;
                *next = value
                    .checked_add(*step)
                    .filter(|following| if *step > 0 { *following <= *last } else { *following >= *last });
                let text = if *hexadecimal { format!("{value:x}") } else { value.to_string() };
                Some(vec![(name.clone(), text)])
            }
            Values::List { names, sets } => {
                let set = sets.next()?;
                Some(names.iter().cloned().zip(set).collect())
            }
        }
    }
}

impl Reader {
    /// Begins the sequence or list at the start of this line. When it makes no sense, what is left of the line is its
    /// rest, if a block begins there.
    pub(super) fn begin_sequence(&mut self, line: &Line, context: &mut Context) -> Option<Line> {
        let is_list = line.text.starts_with("~LST");
        let made = if is_list { list(line) } else { self.numbers(line, context) };
        match made {
            Ok((values, end)) => {
                let template = comment::trim(line.part(end, line.text.len()));
                let at = line.span(0, end);
                self.inputs.push(Input::Sequence(Box::new(Sequence { template, at, values })));
                None
            }
            Err(Wrong::Said) => None,
            Err(Wrong::Because(message)) => {
                context.spoil(
                    Diagnostic::error("bad-sequence", message)
                        .at(line.whole(), "in this sequence")
                        .help(if is_list { LST_HELP } else { SEQ_HELP }),
                );
                let end = line.text.find(')')? + 1;
                self.salvaged(comment::trim(line.part(end, line.text.len())))
            }
        }
    }

    /// The parameters of `~SEQ` or `~SEQx`, with definitions put in, and where they end.
    fn numbers(&mut self, line: &Line, context: &mut Context) -> Result<(Values, usize), Wrong> {
        let (head, hexadecimal) = if line.text.starts_with("~SEQx") { (5, true) } else { (4, false) };
        let start = opening(&line.text, head)?;
        let close = start + line.text[start..].find(')').ok_or(Wrong::from("`)` is missing"))?;
        let parameters = line.part(start, close);
        let parameters = match self.substitute(&parameters, context) {
            Some(Some(replaced)) => replaced.text,
            Some(None) => parameters.text,
            None => return Err(Wrong::Said),
        };
        Ok((numbers(&parameters, hexadecimal)?, close + 1))
    }
}

const SEQ_HELP: &str = "`~SEQ(NAME, [START, [STEP,]] END)`";
const LST_HELP: &str = "`~LST(NAME, VALUE, …)` or `~LST({NAME, NAME}, {VALUE, VALUE}, …)`";

/// Why a sequence makes no sense.
#[derive(Debug, PartialEq, Eq)]
enum Wrong {
    /// It was reported.
    Said,
    Because(String),
}

impl From<&str> for Wrong {
    fn from(message: &str) -> Self {
        Self::Because(message.into())
    }
}

/// Where the parameters after the keyword begin.
fn opening(text: &str, head: usize) -> Result<usize, Wrong> {
    let after = text[head..].trim_start_matches(BLANK);
    let inside = after.strip_prefix('(').ok_or(Wrong::from("`(` is missing after the keyword"))?;
    Ok(text.len() - inside.len())
}

/// The parameters of `~SEQ`.
fn numbers(parameters: &str, hexadecimal: bool) -> Result<Values, Wrong> {
    let mut parts = parameters.split(',').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty()).ok_or("the name is missing")?;
    let numbers = parts.map(number).collect::<Result<Vec<i64>, Wrong>>()?;
    let (start, step, last) = match numbers.as_slice() {
        [end] => (if *end < 0 { -1 } else { 1 }, if *end < 1 { -1 } else { 1 }, *end),
        [start, end] => (*start, if start <= end { 1 } else { -1 }, *end),
        [start, step, end] => (*start, *step, *end),
        [] => return Err("the end is missing".into()),
        _ => return Err("too many numbers".into()),
    };
    if step == 0 {
        return Err("a step of 0 never comes to the end".into());
    }
    if (start < last && step < 0) || (start > last && step > 0) {
        let message = format!("from {start} in steps of {step}, {last} is never reached");
        return Err(Wrong::Because(message));
    }
    if hexadecimal && (start < 0 || last < 0) {
        return Err("`~SEQx` is for numbers that are not negative".into());
    }
    Ok(Values::Numbers { name: name.into(), next: Some(start), step, last, hexadecimal })
}

/// A number as C writes it, with or without sign.
fn number(text: &str) -> Result<i64, Wrong> {
    if text.is_empty() {
        return Err("a number is missing".into());
    }
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let value = of_any_base(digits).and_then(|value| i64::try_from(value).ok());
    let value = value.ok_or_else(|| Wrong::Because(format!("`{text}` is no number")))?;
    Ok(if negative { -value } else { value })
}

/// The parameters of `~LST`, and where they end. Definitions in them are put in where the values are used.
fn list(line: &Line) -> Result<(Values, usize), Wrong> {
    let mut reader = Parameters { text: &line.text, at: opening(&line.text, 4)? };
    let names = reader.group()?;
    if names.iter().any(String::is_empty) {
        return Err("the name is missing".into());
    }
    let mut sets = Vec::new();
    while reader.another()? {
        let mut set = reader.group()?;
        if set.len() > names.len() {
            return Err(Wrong::Because(format!("{} values for {} names", set.len(), names.len())));
        }
        set.resize(names.len(), String::new());
        sets.push(set);
    }
    if sets.is_empty() {
        return Err("the values are missing".into());
    }
    let names = names.into_iter().map(String::into_boxed_str).collect();
    Ok((Values::List { names, sets: sets.into_iter() }, reader.at))
}

/// Blanks between parameters.
const BLANK: [char; 2] = [' ', '\t'];

/// Reads `a, {b, c}, d)`.
struct Parameters<'l> {
    text: &'l str,
    at: usize,
}

impl Parameters<'_> {
    fn next(&mut self) -> Option<char> {
        let rest = self.text.get(self.at..)?;
        self.at += rest.len() - rest.trim_start_matches(BLANK).len();
        rest.trim_start_matches(BLANK).chars().next()
    }

    /// After a group: is there another?
    fn another(&mut self) -> Result<bool, Wrong> {
        let next = self.next();
        self.at += 1;
        match next {
            Some(',') => Ok(true),
            Some(')') => Ok(false),
            Some(_) => Err("`,` is missing between two values".into()),
            None => Err("`)` is missing".into()),
        }
    }

    /// A value, or several in braces.
    fn group(&mut self) -> Result<Vec<String>, Wrong> {
        if self.next() != Some('{') {
            return Ok(vec![self.value()]);
        }
        self.at += 1;
        let mut values = Vec::new();
        loop {
            values.push(self.value());
            let next = self.next();
            self.at += 1;
            match next {
                Some(',') => {}
                Some('}') => return Ok(values),
                Some(_) => return Err("`,` is missing between two values".into()),
                None => return Err("`}` is missing".into()),
            }
        }
    }

    /// The text up to a blank or a mark; `${NAME}` is a part of it.
    fn value(&mut self) -> String {
        self.next();
        let start = self.at;
        let mut in_name = false;
        for (at, character) in self.text[start..].char_indices() {
            match character {
                '{' if self.text[..start + at].ends_with('$') => in_name = true,
                '}' if in_name => in_name = false,
                ' ' | '\t' | ',' | ')' | '}' if !in_name => {
                    self.at = start + at;
                    return self.text[start..self.at].to_owned();
                }
                _ => {}
            }
        }
        self.at = self.text.len();
        self.text[start..].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{ExpansionId, FileId};

    fn passes(text: &str) -> Result<Vec<String>, Wrong> {
        let line = Line::verbatim(FileId::default(), 0, text, ExpansionId::NONE);
        let (values, at) = list(&line)?;
        let mut sequence =
            Sequence { template: Line::empty(line.file(), line.expansion()), at: line.whole(), values };
        assert!(text[..at].ends_with(')'));
        Ok(std::iter::from_fn(|| sequence.advance()).map(|values| describe(&values)).collect())
    }

    #[test]
    fn lists_are_read_with_and_without_braces() {
        assert_eq!(passes("~LST(A, 1 ,2)x"), Ok(vec!["`A` = 1".into(), "`A` = 2".into()]));
        assert_eq!(
            passes("~LST ( { A ,B} ,{1,2}, 3 ) x"),
            Ok(vec!["`A` = 1, `B` = 2".into(), "`A` = 3, `B` = ".into()])
        );
        assert_eq!(passes("~LST(A,,${B})"), Ok(vec!["`A` = ".into(), "`A` = ${B}".into()]));
    }

    #[test]
    fn a_list_that_makes_no_sense_is_told_why() {
        for (text, message) in [
            ("~LST A x", "`(` is missing after the keyword"),
            ("~LST(A) x", "the values are missing"),
            ("~LST(,a) x", "the name is missing"),
            ("~LST(A, x y) z", "`,` is missing between two values"),
            ("~LST(A, {x y}) z", "`,` is missing between two values"),
            ("~LST(A, {x) z", "`,` is missing between two values"),
            ("~LST(A, x", "`)` is missing"),
            ("~LST({A, x", "`}` is missing"),
            ("~LST({A,B},{1,2,3}) x", "3 values for 2 names"),
        ] {
            assert_eq!(passes(text), Err(message.into()), "{text}");
        }
    }
}

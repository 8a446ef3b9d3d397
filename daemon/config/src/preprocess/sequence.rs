//! `~SEQ(var, start, step, end) rest`, `~SEQx(…)` in hexadecimal, and `~LST(var, value, …) rest`: the rest of the line
//! once for each value.

use super::{Context, Input, Reader};
use crate::diagnostics::Diagnostic;
use crate::source::Span;
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
    /// Begins the sequence or list at the start of this line.
    pub(super) fn begin_sequence(&mut self, line: &Line, context: &mut Context) {
        match self.sequence(line, context) {
            Ok(sequence) => self.inputs.push(Input::Sequence(Box::new(sequence))),
            Err(Some((message, help))) => {
                context.report(
                    Diagnostic::error("bad-sequence", message)
                        .at(line.whole(), "in this sequence")
                        .help(help),
                );
            }
            Err(None) => {}
        }
    }

    fn sequence(
        &mut self,
        line: &Line,
        context: &mut Context,
    ) -> Result<Sequence, Option<(String, &'static str)>> {
        const SEQ_HELP: &str = "`~SEQ(NAME, [START, [STEP,]] END)`";
        const LST_HELP: &str = "`~LST(NAME, VALUE, …)` or `~LST({NAME, NAME}, {VALUE, VALUE}, …)`";
        let text = line.text.as_str();
        let is_list = text.starts_with("~LST");
        let help = if is_list { LST_HELP } else { SEQ_HELP };
        let fail = |message: &str| Err(Some((message.to_owned(), help)));
        let (head, hexadecimal) = if text.starts_with("~SEQx") { (5, true) } else { (4, false) };
        let after = text[head..].trim_start_matches([' ', '\t']);
        let Some(inside) = after.strip_prefix('(') else { return fail("`(` is missing after the keyword") };
        let Some(close) = inside.find(')') else { return fail("`)` is missing") };
        let inner_start = text.len() - inside.len();
        let rest = inner_start + close + 1;
        let blanks = text[rest..].len() - text[rest..].trim_start_matches([' ', '\t']).len();
        let template = line.part(rest + blanks, text.len());
        let at = line.span(0, rest);
        let parameters = line.part(inner_start, inner_start + close);
        let parameters = match self.substitute(&parameters, context) {
            Some(Some(replaced)) => replaced.text,
            Some(None) => parameters.text,
            None => return Err(None),
        };
        let values = if is_list { list(&parameters) } else { numbers(&parameters, hexadecimal) };
        match values {
            Ok(values) => Ok(Sequence { template, at, values }),
            Err(message) => Err(Some((message, help))),
        }
    }
}

/// The parameters of `~SEQ`.
fn numbers(parameters: &str, hexadecimal: bool) -> Result<Values, String> {
    let mut parts = parameters.split(',').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty()).ok_or("the name is missing")?;
    let numbers = parts.map(number).collect::<Result<Vec<i64>, String>>()?;
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
        return Err(format!("from {start} in steps of {step}, {last} is never reached"));
    }
    if hexadecimal && (start < 0 || last < 0) {
        return Err("`~SEQx` is for numbers that are not negative".into());
    }
    Ok(Values::Numbers { name: name.into(), next: Some(start), step, last, hexadecimal })
}

/// A number as C writes it: decimal, `0x` hexadecimal, or octal with a leading 0.
fn number(text: &str) -> Result<i64, String> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let value = if let Some(digits) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        i64::from_str_radix(digits, 16)
    } else if digits.len() > 1 && digits.starts_with('0') {
        i64::from_str_radix(digits, 8)
    } else {
        digits.parse()
    };
    match value {
        Ok(value) if digits.starts_with(|first: char| first.is_ascii_digit()) => {
            Ok(if negative { -value } else { value })
        }
        _ => Err(format!("`{text}` is no number")),
    }
}

/// The parameters of `~LST`.
fn list(parameters: &str) -> Result<Values, String> {
    let mut groups = groups(parameters)?.into_iter();
    let names = groups.next().ok_or("the name is missing")?;
    if names.iter().any(String::is_empty) {
        return Err("the name is missing".into());
    }
    let mut sets = Vec::new();
    for mut set in groups {
        if set.len() > names.len() {
            return Err(format!("{} values for {} names", set.len(), names.len()));
        }
        set.resize(names.len(), String::new());
        sets.push(set);
    }
    if sets.is_empty() {
        return Err("the values are missing".into());
    }
    let names = names.into_iter().map(String::into_boxed_str).collect();
    Ok(Values::List { names, sets: sets.into_iter() })
}

/// `a, {b, c}, d` as groups of one or more.
fn groups(text: &str) -> Result<Vec<Vec<String>>, String> {
    let mut groups = Vec::new();
    let mut rest = text.trim();
    loop {
        let after = if let Some(inside) = rest.strip_prefix('{') {
            let close = inside.find('}').ok_or("`}` is missing")?;
            groups.push(inside[..close].split(',').map(|part| part.trim().to_owned()).collect());
            inside[close + 1..].trim_start()
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            groups.push(vec![rest[..end].trim().to_owned()]);
            &rest[end..]
        };
        match after.strip_prefix(',') {
            Some(next) => rest = next.trim_start(),
            None if after.is_empty() => return Ok(groups),
            None => return Err("`,` is missing between two values".into()),
        }
    }
}

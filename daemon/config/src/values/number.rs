//! Whole numbers, and decimals with as many places as count.

use super::Problem;

/// A bound that nobody needs to know.
const HUGE: u64 = u64::MAX / 1000;

/// A whole number within bounds, in decimal.
pub(crate) fn whole(text: &str, least: i64, most: i64) -> Result<i64, Problem> {
    let trimmed = text.trim_start();
    let digits = trimmed.strip_prefix(['-', '+']).unwrap_or(trimmed);
    let expected = || format!("expected a whole number from {least} to {most}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let mut problem = Problem::new("invalid-number", format!("`{text}` is no whole number"), expected());
        problem.replacement = meant(trimmed)
            .filter(|number| number.parse::<i64>().is_ok_and(|value| (least..=most).contains(&value)));
        return Err(problem);
    }
    match trimmed.trim_start_matches('+').parse::<i64>() {
        Ok(value) if (least..=most).contains(&value) => Ok(value),
        _ => Err(Problem::new("out-of-range", format!("{text} is out of range"), expected())),
    }
}

/// The number that was likely meant by a word with more in it: with a typographic minus, a unit, a sign after it.
fn meant(text: &str) -> Option<String> {
    let text = text.replace(['–', '−', '—'], "-");
    let sign = text.len() - text.strip_prefix('-').map_or(text.len(), str::len);
    let end =
        text.get(sign..)?.find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |length| sign + length);
    let (number, rest) = text.split_at_checked(end)?;
    // What is no whole number, or counts something else, is not mended by cutting it off.
    let cut = rest.is_empty() || !rest.contains(|c: char| c.is_ascii_digit() || matches!(c, '.' | ':' | '/'));
    (cut && !matches!(rest, "m" | "h" | "d" | "k" | "min" | "ms")).then(|| number.to_owned())
}

/// A number without sign as C writes it: decimal, octal after `0`, hexadecimal after `0x`. One that is too great is the
/// greatest that there is.
pub(crate) fn of_any_base(text: &str) -> Option<u64> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    let right = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    right.then(|| u64::from_str_radix(digits, radix).unwrap_or(u64::MAX))
}

/// The whole number within bounds that is nearest to one that may be out of them.
pub(super) fn nearest_whole(text: &str, least: i64, most: i64) -> i64 {
    let beyond = if text.trim_start().starts_with('-') { least } else { most };
    text.trim().parse().map_or(beyond, |value: i64| value.clamp(least, most))
}

/// Says when a decimal has more decimals than are kept; its value, in steps of the last of them, is rounded.
pub(crate) fn exact(text: &str, places: u32, value: u64) -> Result<(), Problem> {
    let decimals = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    if decimals <= places as usize {
        return Ok(());
    }
    let rounded = shown(value, places);
    let message = format!("{text} has too many decimals");
    let mut problem = Problem::new("invalid-number", message, format!("rounded to {rounded}"));
    problem.replacement = Some(rounded);
    problem.usable = true;
    Err(problem)
}

/// A number of steps of the last of some decimals, as a decimal.
fn shown(steps: u64, places: u32) -> String {
    let scale = 10u64.pow(places);
    let text = format!("{}.{:0width$}", steps / scale, steps % scale, width = places as usize);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A decimal with up to `places` decimals, as microseconds when `places` is 6 (seconds) or 3 (milliseconds); what has more
/// is rounded.
pub(crate) fn decimal(text: &str, places: u32, least: u64, most: u64, unit: &str) -> Result<u64, Problem> {
    let scale = 10u64.pow(places);
    let expected = || {
        let least = shown(least, places);
        match most {
            // Further than anybody counts.
            HUGE.. => format!("expected {unit}, {least} or more"),
            _ => format!("expected {unit} from {least} to {}", shown(most, places)),
        }
    };
    let number = text.trim_start();
    let number = number.strip_prefix('+').unwrap_or(number);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return Err(Problem::new("invalid-number", format!("`{text}` is no number of {unit}"), expected()));
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().unwrap_or(u64::MAX) };
    let (kept, dropped) = fraction.split_at_checked(places as usize).unwrap_or((fraction, ""));
    let step = 10u64.pow(places - kept.len() as u32);
    let fraction =
        kept.parse().unwrap_or(0) * step + u64::from(dropped.starts_with(['5', '6', '7', '8', '9']));
    match whole.checked_mul(scale).and_then(|micros| micros.checked_add(fraction)) {
        Some(value) if (least..=most).contains(&value) => Ok(value),
        _ => Err(Problem::new("out-of-range", format!("{text} is out of range"), expected())),
    }
}

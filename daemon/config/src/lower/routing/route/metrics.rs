//! Metrics of a route: `mtu`, `advmss`, `rtt` and the like, most of them with `lock`.

use std::time::Duration;

use super::super::option_line::OptionLine;
use crate::diagnostics::Diagnostic;
use crate::model::{Lockable, RouteMetrics};
use crate::values::{Problem, decimal, exact};
use crate::words::Word;

/// Shortest and longest time of `rtt`, `rttvar` and `rto_min` (the kernel's TCP_RTO_MIN and TCP_RTO_MAX), milliseconds.
const SHORTEST: u64 = 200;
const LONGEST: u64 = 120_000;

/// The options that [`read`] takes.
pub(super) const OPTIONS: &[&str] = &[
    "mtu",
    "advmss",
    "hoplimit",
    "rtt",
    "rttvar",
    "rto_min",
    "reordering",
    "window",
    "cwnd",
    "ssthresh",
    "initcwnd",
    "initrwnd",
    "features",
    "quickack",
    "fastopen_no_cookie",
    "congctl",
];

/// Takes an option if it is a metric; `None` when its value is wrong (reported), else whether it was one.
pub(super) fn read(metrics: &mut RouteMetrics, line: &mut OptionLine, option: &Word) -> Option<bool> {
    match &*option.text {
        "mtu" => metrics.mtu = Some(count(line, option)?),
        "advmss" => metrics.advertised_mss = Some(count(line, option)?),
        "reordering" => metrics.reordering = Some(count(line, option)?),
        "cwnd" => metrics.congestion_window = Some(count(line, option)?),
        "ssthresh" => metrics.slow_start_threshold = Some(count(line, option)?),
        "hoplimit" => metrics.hop_limit = Some(line.number(option, 0, 255)?),
        "window" => metrics.window = Some(line.u32(option)?),
        "initcwnd" => metrics.initial_congestion_window = Some(line.u32(option)?),
        "initrwnd" => metrics.initial_receive_window = Some(line.u32(option)?),
        "rtt" => metrics.rtt = Some(time(line, option, 8)?),
        "rttvar" => metrics.rtt_variance = Some(time(line, option, 4)?),
        "rto_min" => metrics.rto_min = Some(time(line, option, 1)?),
        "quickack" => metrics.quick_ack = Some(line.bit(option)?),
        "fastopen_no_cookie" => metrics.fast_open_no_cookie = Some(line.bit(option)?),
        "congctl" => {
            let locked = line.skip("lock");
            let value = (&*line.value(option)?.text).into();
            metrics.congestion_control = Some(Lockable { value, locked });
        }
        "features" => {
            let value = line.value(option)?;
            if &*value.text == "ecn" {
                metrics.ecn = true;
            } else {
                let message = format!("`features`: `{}` is not known", value.text);
                let diagnostic = Diagnostic::error("invalid-value", message);
                line.context.report(diagnostic.at(value.span, "expected `ecn`; has no effect"));
            }
        }
        _ => return Some(false),
    }
    Some(true)
}

fn count(line: &mut OptionLine, option: &Word) -> Option<Lockable<u32>> {
    let locked = line.skip("lock");
    Some(Lockable { value: line.u32(option)?, locked })
}

/// A time in `s` or `ms`; a number without unit is in `1/parts` of a millisecond, as the kernel counts it.
fn time(line: &mut OptionLine, option: &Word, parts: u64) -> Option<Lockable<Duration>> {
    let locked = line.skip("lock");
    let value = line.value(option)?;
    let Some((written, inexact)) = kernel_units(&value.text, parts) else {
        let message = format!("`{}`: `{}` is no time", option.text, value.text);
        return line.refuse(value, "invalid-number", message, "expected a time from 200ms to 120s");
    };
    let duration = |parts_of_ms: u64| Duration::from_micros(parts_of_ms * 1000 / parts);
    let used = written.clamp(SHORTEST * parts, LONGEST * parts);
    if used != written {
        let message = format!("`{}` takes from {SHORTEST} ms to {} s", option.text, LONGEST / 1000);
        let diagnostic = Diagnostic::error("out-of-range", message);
        line.context.report(diagnostic.at(value.span, format!("{:?} is used", duration(used))));
    } else if let Some(problem) = inexact {
        line.context
            .report(Diagnostic::error(problem.code, problem.message).at(value.span, problem.expected));
    }
    Some(Lockable { value: duration(used), locked })
}

/// A time as a number of `1/parts` of a millisecond, and what is wrong with its decimals.
fn kernel_units(text: &str, parts: u64) -> Option<(u64, Option<Problem>)> {
    let most = LONGEST * parts;
    let (digits, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len()));
    let (places, factor) = match unit.to_ascii_lowercase().as_str() {
        "" => (0, 1),
        "ms" | "msec" | "msecs" => (0, parts),
        "s" | "sec" | "secs" => (3, parts),
        _ => return None,
    };
    let number = decimal(digits, places, 0, most, "milliseconds").ok()?;
    Some((number * factor, exact(digits, places, number).err()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_or_are_in_those_of_the_kernel() {
        for (text, parts, expected) in [
            ("1s", 8, Some(8000)),
            ("1.5s", 1, Some(1500)),
            ("1.2345s", 1, Some(1235)),
            ("300.4ms", 1, Some(300)),
            ("300ms", 4, Some(1200)),
            ("2SECS", 1, Some(2000)),
            ("1600", 8, Some(1600)),
            ("960001", 8, None),
            ("1e3", 1, None),
            ("1m", 1, None),
            ("ms", 1, None),
            ("1sx", 1, None),
            ("-1s", 1, None),
        ] {
            assert_eq!(kernel_units(text, parts).map(|(units, _)| units), expected, "{text}");
        }
    }
}

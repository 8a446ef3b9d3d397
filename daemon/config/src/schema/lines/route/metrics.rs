//! Metrics of a route: `mtu`, `advmss`, `rtt` and the like, most of them with `lock`.

use std::time::Duration;

use super::super::OptionLine;
use super::super::option::{Options, option, options_of, set};
use crate::diagnostics::Diagnostic;
use crate::model::{Lockable, Name, RouteMetrics};
use crate::schema::LineOption;
use crate::values::{Problem, decimal, exact};
use crate::words::Word;

/// Shortest and longest time of `rtt`, `rttvar` and `rto_min` (the kernel's TCP_RTO_MIN and TCP_RTO_MAX), milliseconds.
const SHORTEST: u64 = 200;
const LONGEST: u64 = 120_000;

/// Metrics of a route.
pub(super) const METRICS: Options<RouteMetrics> = Options(&[
    option("mtu", "[lock] BYTES", "Largest packet.")
        .takes(|to, line, word| set(&mut to.mtu, count(line, word))),
    option("advmss", "[lock] BYTES", "Largest TCP segment that is advertised.")
        .takes(|to, line, word| set(&mut to.advertised_mss, count(line, word))),
    option("hoplimit", "NUMBER", "Hop limit of packets.")
        .takes(|to, line, word| set(&mut to.hop_limit, line.number(word, 0, 255))),
    option("rtt", "[lock] TIME", "First guess at the round-trip time.")
        .takes(|to, line, word| set(&mut to.rtt, time(line, word, 8))),
    option("rttvar", "[lock] TIME", "First guess at its variance.")
        .takes(|to, line, word| set(&mut to.rtt_variance, time(line, word, 4))),
    option("rto_min", "[lock] TIME", "Shortest time until TCP sends again.")
        .takes(|to, line, word| set(&mut to.rto_min, time(line, word, 1))),
    option("reordering", "[lock] NUMBER", "How far packets may be out of order.")
        .takes(|to, line, word| set(&mut to.reordering, count(line, word))),
    option("window", "BYTES", "Largest TCP window that is advertised.")
        .takes(|to, line, word| set(&mut to.window, line.u32(word))),
    option("cwnd", "[lock] PACKETS", "Bound of the congestion window.")
        .takes(|to, line, word| set(&mut to.congestion_window, count(line, word))),
    option("ssthresh", "[lock] PACKETS", "First slow-start threshold.")
        .takes(|to, line, word| set(&mut to.slow_start_threshold, count(line, word))),
    option("initcwnd", "PACKETS", "First congestion window.")
        .takes(|to, line, word| set(&mut to.initial_congestion_window, line.u32(word))),
    option("initrwnd", "PACKETS", "First receive window.")
        .takes(|to, line, word| set(&mut to.initial_receive_window, line.u32(word))),
    option("features", "ecn", "ECN is used.").takes(features),
    option("quickack", "0 | 1", "TCP acknowledges at once.")
        .takes(|to, line, word| set(&mut to.quick_ack, line.bit(word))),
    option("fastopen_no_cookie", "0 | 1", "TCP Fast Open works without a cookie.")
        .takes(|to, line, word| set(&mut to.fast_open_no_cookie, line.bit(word))),
    option("congctl", "[lock] NAME", "Congestion control of TCP.")
        .takes(|to, line, word| set(&mut to.congestion_control, control(line, word))),
]);

/// The options of [`METRICS`].
pub(super) const OPTIONS: &[LineOption] = options_of!(METRICS);

fn features(to: &mut RouteMetrics, line: &mut OptionLine, option: &Word) -> Option<()> {
    let value = line.value(option)?;
    if &*value.text == "ecn" {
        to.ecn = true;
    } else {
        let message = format!("`features`: `{}` is not known", value.text);
        let diagnostic = Diagnostic::error("invalid-value", message);
        line.context.report(diagnostic.at(value.span, "expected `ecn`; has no effect"));
    }
    Some(())
}

fn control(line: &mut OptionLine, option: &Word) -> Option<Lockable<Name>> {
    let locked = line.skip("lock");
    Some(Lockable { value: (&*line.value(option)?.text).into(), locked })
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

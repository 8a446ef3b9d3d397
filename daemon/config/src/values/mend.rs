//! Values as other languages write them, and what to write here: addresses with port, brackets or netmask, times with
//! their unit.

use std::net::IpAddr;

use crate::diagnostics::Diagnostic;
use crate::values::granularity;
use crate::words::Word;

/// What may stand with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum With {
    Nothing,
    /// A port follows it as a word of its own.
    Port,
    /// A prefix length follows its `/`.
    Length,
}

/// How a text that was meant for an address is written: `[2001:db8::1]:80`, `10.0.0.1:80`, `10.0.0.1/255.255.255.0`.
pub(crate) fn address(text: &str, with: With) -> Option<String> {
    let text = text.trim_end_matches([',', ';']).replace(',', ".");
    let (host, after) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => match text.find('/').or_else(|| text.find(':').filter(|_| text.contains('.'))) {
            Some(at) => text.split_at(at),
            None => (&*text, ""),
        },
    };
    let address: IpAddr = host.parse().ok()?;
    let port = after.strip_prefix(':').filter(|port| port.parse::<u16>().is_ok());
    let length = after.strip_prefix('/').and_then(|length| {
        let mask = granularity(length).filter(|(_, is_mask)| *is_mask).map(|(length, _)| length);
        mask.or_else(|| length.parse().ok())
            .filter(|length| *length <= if address.is_ipv4() { 32 } else { 128 })
    });
    match with {
        With::Port if port.is_some() => Some(format!("{address} {}", port.unwrap_or(""))),
        With::Length if length.is_some() => Some(format!("{address}/{}", length.unwrap_or(0))),
        With::Nothing | With::Port | With::Length => {
            (after.is_empty() || port.is_some() || length.is_some()).then(|| address.to_string())
        }
    }
}

impl Diagnostic {
    /// The likely mend of a word that was meant for an address; that names are not looked up, if it is one.
    pub(crate) fn suggest_address(self, word: &Word, with: With) -> Self {
        if let Some(meant) = address(&word.text, with).filter(|meant| **meant != *word.text) {
            let message = format!("did you mean `{meant}`?");
            return self.suggest(word.span, meant, message);
        }
        let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let is_name = word.text.starts_with(|c: char| c.is_ascii_alphabetic()) && word.text.chars().all(name);
        if is_name { self.help("names of hosts are not looked up: write the address") } else { self }
    }
}

/// A number with a unit, as one of seconds (milliseconds if `millis`) without: `500ms`, `5m`, `1,5`.
pub(crate) fn without_unit(text: &str, millis: bool) -> Option<String> {
    let text = text.replace(',', ".");
    let length = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(length)?;
    let micros: f64 = match &*unit.to_ascii_lowercase() {
        "" => {
            if millis {
                1e3
            } else {
                1e6
            }
        }
        "us" => 1.0,
        "ms" | "msec" | "msecs" => 1e3,
        "s" | "sec" | "secs" | "second" | "seconds" => 1e6,
        "m" | "min" | "mins" | "minute" | "minutes" => 60e6,
        "h" | "hour" | "hours" => 3600e6,
        _ => return None,
    };
    let value = number.parse::<f64>().ok()? * micros / if millis { 1e3 } else { 1e6 };
    let shown = format!("{value:.6}");
    Some(shown.trim_end_matches('0').trim_end_matches('.').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_another_language_is_written_as_here() {
        for (text, with, meant) in [
            ("10.0.0.1:80", With::Port, Some("10.0.0.1 80")),
            ("10.0.0.1:80", With::Nothing, Some("10.0.0.1")),
            ("[2001:db8::1]:80", With::Port, Some("2001:db8::1 80")),
            ("[2001:db8::1]/64", With::Length, Some("2001:db8::1/64")),
            ("10.0.0.1/255.255.255.0", With::Length, Some("10.0.0.1/24")),
            ("10.0.0.1/24", With::Nothing, Some("10.0.0.1")),
            ("10,0,0,1", With::Nothing, Some("10.0.0.1")),
            ("10.0.0.1,", With::Nothing, Some("10.0.0.1")),
            ("10.0.0.300", With::Nothing, None),
            ("10.0.0.1/33", With::Length, None),
            ("web1", With::Port, None),
            ("*:80", With::Port, None),
        ] {
            assert_eq!(address(text, with).as_deref(), meant, "{text}");
        }
    }

    #[test]
    fn a_time_with_a_unit_is_written_without() {
        for (text, millis, meant) in [
            ("1s", false, Some("1")),
            ("500ms", false, Some("0.5")),
            ("5m", false, Some("300")),
            ("1,5", false, Some("1.5")),
            ("50s", true, Some("50000")),
            ("1x", false, None),
            ("s", false, None),
        ] {
            assert_eq!(without_unit(text, millis).as_deref(), meant, "{text}");
        }
    }
}

//! A name as people write it: every form of it that a subject may be known by, and what was likely meant by one that
//! nothing has.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use keepwatch_bus::{EventId, History};

use super::subjects::Found;

/// So many guesses are made.
const GUESSES: usize = 3;
/// So many names are given where there is no guess.
const EXAMPLES: usize = 20;
/// How much two names have to be alike to be mistaken for each other (Jaro and Winkler: 0 to 1).
const ALIKE: f64 = 0.8;

/// What somebody asks about.
#[derive(Debug)]
pub(super) struct Wanted {
    /// As it was written first.
    forms: Vec<String>,
    /// A network, if it is one.
    network: Option<(IpAddr, u8)>,
}

impl Wanted {
    pub(super) fn of(text: &str) -> Self {
        let text = text.trim();
        let bare = text.trim_start_matches(['(', '[']).trim_end_matches([')', ']']);
        let mut forms = vec![text.to_owned(), bare.to_owned()];
        let plain = if text.parse::<SocketAddr>().is_ok() { text } else { bare };
        // Addresses have many spellings; things are known by the shortest.
        forms.extend(plain.parse::<IpAddr>().map(|address| address.to_string()));
        forms.extend(plain.parse::<SocketAddr>().map(|socket| socket.to_string()));
        let network = network(plain);
        forms.extend(network.map(|(address, length)| format!("{address}/{length}")));
        if let Some(number) = vrid(plain) {
            forms.push(format!("VRID {number}"));
        }
        Self { forms, network }
    }

    /// As it was written, and in every other form.
    pub(super) fn forms(&self) -> &[String] {
        &self.forms
    }

    /// As it was written.
    pub(super) fn written(&self) -> &str {
        self.forms.first().map_or("", String::as_str)
    }

    /// Whether it is one of a thing's names.
    pub(super) fn is_one_of(&self, names: &[String]) -> bool {
        names.iter().any(|name| self.forms.iter().any(|form| form == name))
    }

    /// The number of an event: `#23`, `23`.
    pub(super) fn event(&self) -> Option<EventId> {
        self.written().trim_start_matches('#').parse().ok().map(EventId)
    }

    /// Whether an address, with or without port or prefix, lies in the network that it is; a name in other letters' case
    /// counts too.
    pub(super) fn contains(&self, name: &str) -> bool {
        let address = || {
            let socket = name.parse::<SocketAddr>().map(|socket| socket.ip());
            socket.ok().or_else(|| name.split('/').next()?.parse().ok())
        };
        match self.network {
            Some(network) => address().is_some_and(|address| is_in(network, address)),
            None => self.written().eq_ignore_ascii_case(name),
        }
    }
}

/// `51`, `VRID 51`, `vrid=51`.
fn vrid(text: &str) -> Option<u8> {
    let lower = text.to_ascii_lowercase();
    let number = lower.strip_prefix("vrid").unwrap_or(&lower);
    number.trim_start_matches([' ', '=', ':']).parse().ok()
}

fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, length) = text.split_once('/')?;
    let (address, length): (IpAddr, u8) = (address.parse().ok()?, length.parse().ok()?);
    (length <= if address.is_ipv4() { 32 } else { 128 }).then_some((address, length))
}

fn is_in((network, length): (IpAddr, u8), address: IpAddr) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    };
    // The bits of a prefix stand at the upper end, in either family.
    let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
    network.is_ipv4() == address.is_ipv4() && (bits(network) ^ bits(address)) & mask == 0
}

/// Of a name that nothing has, so much is repeated.
const LONGEST: usize = 64;

/// Nothing is called so: what may have been meant, else what there is.
pub(super) fn nothing_named(wanted: &Wanted, all: &[Found<'_>], history: &History) -> String {
    let written: &str = &shortened(wanted.written());
    let held = || history.iter().map(|event| event.id);
    if let (Some(event), Some(first), Some(last)) = (wanted.event(), held().min(), held().max()) {
        return format!("there is no event {event}: those from {first} to {last} are held in memory");
    }
    let things: Vec<&Found<'_>> = all.iter().filter(|found| found.is_configured()).collect();
    if things.is_empty() {
        return format!(
            "nothing is called {written:?}: the configuration has neither instances nor virtual servers"
        );
    }
    let mut guesses: Vec<(f64, &str)> = things
        .iter()
        .flat_map(|found| found.names.iter().map(|name| (likeness(written, name), &*found.name)))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    guesses.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let mut names: Vec<&str> = Vec::new();
    for (_, name) in guesses {
        if !names.contains(&name) && names.len() < GUESSES {
            names.push(name);
        }
    }
    if !names.is_empty() {
        return format!("nothing is called {written:?}; did you mean {}?", names.join(", "));
    }
    let some: Vec<&str> = things.iter().take(EXAMPLES).map(|found| &*found.name).collect();
    format!("nothing is called {written:?}; there are, for example: {}", some.join(", "))
}

fn shortened(written: &str) -> Cow<'_, str> {
    match written.char_indices().nth(LONGEST) {
        Some((end, _)) => Cow::Owned(format!("{}…", &written[..end])),
        None => Cow::Borrowed(written),
    }
}

fn likeness(written: &str, name: &str) -> f64 {
    strsim::jaro_winkler(&written.to_lowercase(), &name.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_known_in_each_of_its_spellings() {
        for (written, name) in [
            ("10.0.0.9", "10.0.0.9"),
            ("fd00:0:0::9", "fd00::9"),
            ("[fd00::9]", "fd00::9"),
            ("[FD00::9]:80", "[fd00::9]:80"),
            ("10.0.0.9/32", "10.0.0.9/32"),
            ("(VI_1)", "VI_1"),
            ("51", "VRID 51"),
            ("vrid 51", "VRID 51"),
            ("VRID=51", "VRID 51"),
        ] {
            assert!(Wanted::of(written).is_one_of(&[name.to_owned()]), "{written} {name}");
        }
    }

    #[test]
    fn a_prefix_has_addresses_in_it() {
        for (network, address, inside) in [
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "10.1.2.3:80", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("0.0.0.0/0", "11.1.2.3", true),
            ("0.0.0.0/0", "fd00::1", false),
            ("fd00::/64", "fd00::1/128", true),
            ("fd00::/64", "[fd00:0:0:1::1]:80", false),
            ("10.0.0.0/33", "10.0.0.1", false),
        ] {
            assert_eq!(Wanted::of(network).contains(address), inside, "{network} {address}");
        }
        assert!(Wanted::of("vi_1").contains("VI_1"));
    }
}

//! Does the pattern of a `regex` compile? PCRE2 is asked, as keepalived asks it when it reads the file.
//!
//! Goes in: a pattern and its options. Comes out: what is wrong with it, and at which byte. PCRE2 bounds what a pattern
//! may cost by the size of its code (64 KiB), and the same pattern is compiled once, however many URLs have it.

use std::collections::HashMap;

use pcre2::bytes::RegexBuilder;

use crate::model::{Name, RegexOption};

/// Why a pattern does not compile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// Byte of the pattern that PCRE2 stopped at; `None` if it is none of its bytes.
    pub(crate) at: Option<usize>,
    /// In PCRE2's words.
    pub(crate) message: String,
}

/// The patterns so far, with what is wrong with them.
#[derive(Debug, Default)]
pub(crate) struct Patterns(HashMap<(Name, Vec<RegexOption>), Option<Mistake>>);

impl Patterns {
    /// What is wrong with a pattern.
    pub(crate) fn mistake(&mut self, pattern: &Name, options: &[RegexOption]) -> Option<Mistake> {
        let known = self.0.entry((pattern.clone(), options.to_vec()));
        known.or_insert_with(|| compile(pattern, options)).clone()
    }
}

/// Options that the binding cannot set and what they change: a pattern that has this in it is not judged, as it may
/// be right with the option and wrong without, or the other way about. Options that only matter to a match are left
/// out.
const UNJUDGED: &[(RegexOption, &[&str])] = &[
    (RegexOption::AllowEmptyClass, &["[]", "[^]"]),
    (RegexOption::AltBsux, &["\\u", "\\U", "\\x"]),
    (RegexOption::AltVerbnames, &["(*"]),
    (RegexOption::NeverBackslashC, &["\\C"]),
    (RegexOption::NeverUcp, &["(*"]),
    (RegexOption::NeverUtf, &["(*"]),
];

/// Options that a pattern can switch on for itself.
const SWITCHES: &[(RegexOption, &str)] =
    &[(RegexOption::Dupnames, "(?J)"), (RegexOption::NoAutoCapture, "(?n)")];

fn compile(pattern: &str, options: &[RegexOption]) -> Option<Mistake> {
    let has = |option| options.contains(&option);
    for (one, other, what) in [
        (RegexOption::Utf, RegexOption::NeverUtf, "`utf` and `never_utf`"),
        (RegexOption::Ucp, RegexOption::NeverUcp, "`ucp` and `never_ucp`"),
    ] {
        if has(one) && has(other) {
            return Some(Mistake { at: None, message: format!("{what} exclude each other") });
        }
    }
    let holds = |texts: &[&str]| texts.iter().any(|text| pattern.contains(text));
    let switches: String =
        SWITCHES.iter().filter(|(option, _)| has(*option)).map(|(_, switch)| *switch).collect();
    // Nothing may come before what a pattern like `(*UTF)a` begins with.
    let displaced = !switches.is_empty() && pattern.starts_with("(*");
    if displaced || UNJUDGED.iter().any(|(option, texts)| has(*option) && holds(texts)) {
        return None;
    }
    let error = RegexBuilder::new()
        .caseless(has(RegexOption::Caseless))
        .dotall(has(RegexOption::Dotall))
        .extended(has(RegexOption::Extended))
        .multi_line(has(RegexOption::Multiline))
        .utf(has(RegexOption::Utf))
        .build(&format!("{switches}{pattern}"))
        .err()?;
    let at = error.offset().map(|at| at.saturating_sub(switches.len()).min(pattern.len()));
    let message = error.to_string();
    // It says what it was doing and at which byte, and then what is wrong.
    let said = message.splitn(3, ": ").last().unwrap_or(&message);
    Some(Mistake { at, message: said.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(pattern: &str, options: &[&str]) -> Option<usize> {
        let option =
            |name: &&str| RegexOption::NAMES.iter().find(|(known, _)| known == name).map(|(_, it)| *it);
        let options: Vec<_> = options.iter().filter_map(option).collect();
        compile(pattern, &options).map(|mistake| mistake.at.unwrap_or(usize::MAX))
    }

    #[test]
    fn a_pattern_is_judged_with_its_options() {
        let anywhere = Some(usize::MAX);
        for (pattern, options, expected) in [
            ("a(b|c)+", &[][..], None),
            ("a(b", &[], Some(3)),
            ("a)b", &[], Some(1)),
            ("a**", &[], Some(2)),
            (r"\x{100}", &[], Some(6)),
            (r"\x{100}", &["utf"], None),
            ("[a#]", &["extended"], None),
            ("a # (", &["extended"], None),
            ("a # (", &[], Some(5)),
            ("(?<n>a)(?<n>b)", &[], Some(12)),
            ("(?<n>a)(?<n>b)", &["dupnames"], None),
            ("(?<n>a)(?<n>b)(", &["dupnames"], Some(15)),
            ("(a)\\1", &["no_auto_capture"], Some(4)),
            ("[]", &[], Some(2)),
            ("[]", &["allow_empty_class"], None),
            (r"\u0041(", &["alt_bsux"], None),
            (r"\C", &["never_backslash_c"], None),
            ("a(", &["never_backslash_c", "firstline", "ungreedy"], Some(2)),
            ("a", &["utf", "never_utf"], anywhere),
            ("a", &["ucp", "never_ucp"], anywhere),
        ] {
            assert_eq!(mistake(pattern, options), expected, "{pattern} {options:?}");
        }
    }

    #[test]
    fn what_a_pattern_may_cost_is_bounded() {
        let nested = format!("{}a{}", "(".repeat(30_000), ")".repeat(30_000));
        for pattern in [&nested, "(((a{1,1000}){1,1000}){1,1000}){1,1000}", "(?:a?){0,60000}"] {
            assert!(mistake(pattern, &[]).is_some(), "{}", &pattern[..10]);
        }
    }

    #[test]
    fn pcre2_says_what_is_wrong() {
        let wrong = compile("(?<=a+)b", &[]).map(|mistake| mistake.message);
        assert_eq!(wrong.as_deref(), Some("length of lookbehind assertion is not limited"));
    }
}

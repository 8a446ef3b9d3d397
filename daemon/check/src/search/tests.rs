//! Patterns in bodies, whole and in pieces.

use super::*;

fn regex(pattern: &str, options: &[RegexOption]) -> BodyRegex {
    BodyRegex {
        pattern: pattern.into(),
        options: options.to_vec(),
        no_match: false,
        min_offset: 0,
        max_offset: None,
        stack: None,
    }
}

fn found(regex: &BodyRegex, pieces: &[&[u8]]) -> Result<bool, String> {
    let pattern = Arc::new(Pattern::new(regex)?);
    let mut search = Search::new(&pattern)?;
    pieces.iter().for_each(|piece| search.push(piece));
    search.finish()
}

/// The same answer, wherever the body is cut in two, and byte by byte.
fn check(regex: &BodyRegex, body: &str, expected: bool) {
    let body = body.as_bytes();
    for cut in 0..=body.len() {
        let (first, second) = body.split_at(cut);
        assert_eq!(found(regex, &[first, second]), Ok(expected), "{regex:?} cut at {cut}");
    }
    let bytes: Vec<_> = body.chunks(1).collect();
    assert_eq!(found(regex, &bytes), Ok(expected), "{regex:?} byte by byte");
}

#[test]
fn a_match_is_found_wherever_the_body_is_cut() {
    use RegexOption::*;
    let cases: &[(&str, &[RegexOption], &str, bool)] = &[
        ("hello world", &[], "say hello world!", true),
        ("hello world", &[], "say hello  world!", false),
        ("HELLO", &[Caseless], "say hello", true),
        ("^abc", &[], "abc", true),
        ("^abc", &[], "xabc", false),
        ("^abc", &[Multiline], "x\nabc", true),
        (r"\Aabc", &[Multiline], "x\nabc", false),
        ("abc$", &[], "xabc\n", true),
        ("abc$", &[DollarEndonly], "xabc\n", false),
        ("a.*z", &[], "a\nz", false),
        ("a.*z", &[Dotall], "a\nz", true),
        ("(?<=foo)bar", &[], "foobar", true),
        ("(?<=foo)bar", &[], "fobar", false),
        (r"\bend\b", &[], "the end", true),
        (r"\bend\b", &[], "the ends", false),
        ("b", &[Firstline], "a\nb", false),
        ("b", &[Firstline], "ab\n", true),
        ("[]x", &[AllowEmptyClass], "]x", false),
        (r"\u0041", &[AltBsux], "xA", true),
        ("ü+x", &[Utf], "aüüx", true),
        ("Ü", &[Utf, Caseless], "aüx", true),
        ("(?<=ü)x", &[Utf], "äüx", true),
        (r"^.$", &[Utf], "€", true),
        ("(a)|b\\1", &[MatchUnsetBackref], "b", true),
        ("a b", &[Extended], "ab", true),
        ("", &[], "", true),
        ("x*$", &[], "", true),
        ("no", &[], "", false),
    ];
    for (pattern, options, body, expected) in cases {
        check(&regex(pattern, options), body, *expected);
    }
}

#[test]
fn a_match_begins_between_the_offsets() {
    let body = "..abc.abc..";
    for (min, max, expected) in [
        (0, None, true),
        (2, Some(2), true),
        (3, Some(5), false),
        (3, Some(6), true),
        (6, None, true),
        (7, None, false),
        (0, Some(1), false),
        (0, Some(2), true),
        (100, None, false),
    ] {
        check(&BodyRegex { min_offset: min, max_offset: max, ..regex("abc", &[]) }, body, expected);
    }
    // The first byte that counts may be inside of a character.
    check(&BodyRegex { min_offset: 1, ..regex("b", &[RegexOption::Utf]) }, "üb", true);
}

#[test]
fn bytes_that_are_no_utf_8_match_nothing_and_are_no_error() {
    let utf = regex("end.$", &[RegexOption::Utf]);
    for cut in 0..8 {
        let body: &[u8] = b"\xff\xc3\x28 end!";
        let (first, second) = body.split_at(cut);
        assert_eq!(found(&utf, &[first, second]), Ok(true), "cut at {cut}");
    }
    assert_eq!(found(&utf, &[b"end\xc3"]), Ok(false));
}

#[test]
fn an_endless_body_takes_no_more_than_a_bounded_room() {
    for (pattern, options) in [("never", &[][..]), ("a.*never", &[RegexOption::Dotall]), ("(?<=b)c", &[])] {
        let pattern = Arc::new(Pattern::new(&regex(pattern, options)).unwrap());
        let mut search = Search::new(&pattern).unwrap();
        for _ in 0..200 {
            search.push(&[b'a'; 8 << 10]);
            assert!(search.text.len() <= KEPT + (16 << 10), "{} bytes are kept", search.text.len());
        }
        assert_eq!(search.finish(), Ok(false));
    }
}

#[test]
fn a_pattern_that_takes_too_long_is_an_error_and_one_that_is_wrong_is_said() {
    let body = format!("{}!", "a".repeat(40));
    let error = found(&regex("^(a+)+$", &[]), &[body.as_bytes()]).unwrap_err();
    assert!(error.contains("match limit"), "{error}");
    assert_eq!(Pattern::new(&regex("a(b", &[])).unwrap_err(), "missing closing parenthesis (at byte 3)");
}

#[test]
fn a_stack_of_its_own_is_taken() {
    let stack = Some(keepwatch_model::MatcherStack { start: 32 << 10, max: 1 << 20 });
    let body = "a".repeat(20_000);
    assert_eq!(found(&BodyRegex { stack, ..regex("^(?:a|b)*$", &[]) }, &[body.as_bytes()]), Ok(true));
}

#[test]
fn the_first_line_begins_where_a_match_may_begin() {
    let regex = BodyRegex { min_offset: 3, ..regex("b", &[RegexOption::Firstline]) };
    check(&regex, "a\n.c.b\n", true);
    check(&regex, "b\n.c\nb", false);
}

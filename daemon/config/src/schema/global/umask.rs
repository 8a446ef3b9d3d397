//! `umask`: a number in one of C's bases, or bits by name.

use crate::diagnostics::Diagnostic;
use crate::preprocess::Context;
use crate::tree::Node;
use crate::values::of_any_base;

const BITS: &[(&str, u32)] = &[
    ("IRUSR", 0o400),
    ("IWUSR", 0o200),
    ("IXUSR", 0o100),
    ("IRWXU", 0o700),
    ("IRGRP", 0o040),
    ("IWGRP", 0o020),
    ("IXGRP", 0o010),
    ("IRWXG", 0o070),
    ("IROTH", 0o004),
    ("IWOTH", 0o002),
    ("IXOTH", 0o001),
    ("IRWXO", 0o007),
];

/// The mask; `None` when it makes no sense (reported).
pub(super) fn umask(node: &Node, context: &mut Context) -> Option<u32> {
    let text: String = node.args.iter().map(|word| &*word.text).collect();
    let (mask, code, expected) = if text.starts_with(|first: char| first.is_ascii_digit()) {
        let mask = of_any_base(&text)
            .and_then(|mask| u32::try_from(mask).ok())
            .filter(|mask| *mask <= 0o777 && node.args.len() == 1);
        (mask, "invalid-number", "expected a number up to 0777: octal begins with 0, hexadecimal with 0x")
    } else {
        let mask = text.split('|').try_fold(0, |mask, name| {
            BITS.iter().find(|(known, _)| *known == name).map(|(_, bits)| mask | bits)
        });
        (mask, "invalid-value", "expected bits such as IRUSR|IWUSR|IRWXG, with `|` between them")
    };
    if mask.is_none() {
        let mut diagnostic =
            Diagnostic::error(code, format!("`{text}` is no file mode mask")).at(node.arg_span(0), expected);
        if let Ok(0..=0o777) = u32::from_str_radix(&text, 8) {
            diagnostic = diagnostic.suggest(
                node.arg_span(0),
                format!("0{text}"),
                "did you mean octal? it begins with 0",
            );
        }
        context.report(diagnostic);
    }
    mask
}

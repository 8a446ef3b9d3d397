//! `track_file`.

use super::own_weight;
use crate::diagnostics::Diagnostic;
use crate::line_values::line_number;
use crate::model::InitFile;
use crate::preprocess::Context;
use crate::schema::entry::Block;
use crate::schema::{Kind, any, kw, one, opt};
use crate::tree::Node;
use crate::words::Word;

/// A file as written.
#[derive(Debug, Default)]
pub(crate) struct FileDraft {
    pub(crate) file: Option<Word>,
    pub(crate) weight: Option<(i32, bool)>,
    pub(crate) init: Option<InitFile>,
}

/// `track_file NAME { … }`.
pub(crate) const TRACK_FILE: Block<FileDraft> = Block(&[
    kw("file", &[one("PATH", Kind::Word)], "The file with the number in it.")
        .first_counts()
        .example("file /run/offset")
        .sets(|to, node, _| to.file = node.args.first().cloned()),
    kw(
        "weight",
        &[one("WEIGHT", Kind::Int(-254, 254)), opt("reverse", Kind::Options("weight"))],
        "What the number is multiplied by.",
    )
    .default("1")
    .first_counts()
    .example("weight 2")
    .sets(|to, node, context| to.weight = Some(own_weight(node, context))),
    kw("init_file", &[any("[VALUE] [overwrite]", Kind::Word)], "Write the file at start.")
        .example("init_file 0 overwrite")
        .sets(|to, node, context| to.init = Some(init(node, context))),
]);

/// The value that a file is made with, and whether one that is there is overwritten.
fn init(node: &Node, context: &mut Context) -> InitFile {
    const SENSIBLE: i32 = 254;
    let mut made = InitFile { value: 0, overwrite: false };
    for word in &node.args {
        let text = word.text.trim_start();
        if text == "overwrite" {
            made.overwrite = true;
        } else if text.starts_with(|first: char| first.is_ascii_digit() || first == '-') {
            let value = line_number(word, i32::MIN.into(), i32::MAX.into(), "init_file", context);
            made.value = value.unwrap_or(0);
            if !(-SENSIBLE..=SENSIBLE).contains(&made.value) {
                context.report(
                    Diagnostic::error("out-of-range", format!("{} is more than any priority", made.value))
                        .at(word.span, format!("is used, but -{SENSIBLE} to {SENSIBLE} make sense")),
                );
            }
        } else {
            context.report(
                Diagnostic::error("unknown-option", format!("`{text}` is no option of `init_file`"))
                    .at(word.span, "expected a number or `overwrite`"),
            );
        }
    }
    made
}

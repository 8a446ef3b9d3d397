//! The tree: keywords, their values, and what stands in their braces.

use crate::schema::Keyword;
use crate::source::Span;
use crate::words::Word;

/// A keyword as it was written.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// What it is.
    pub(crate) keyword: &'static Keyword,
    /// How it was spelt, and where.
    pub(crate) name: Word,
    /// Its values.
    pub(crate) args: Vec<Word>,
    /// A value is wrong; it was reported, and the keyword has no effect.
    pub(crate) bad: bool,
    /// Keywords in its braces.
    pub(crate) children: Vec<Node>,
    /// Lines in its braces, for blocks of lines.
    pub(crate) lines: Vec<Vec<Word>>,
}

impl Node {
    /// The text of the value of this number.
    pub(crate) fn arg(&self, index: usize) -> Option<&str> {
        self.args.get(index).map(|word| &*word.text)
    }

    /// The place of the value of this number, or else of the keyword.
    pub(crate) fn arg_span(&self, index: usize) -> Span {
        self.args.get(index).map_or(self.name.span, |word| word.span)
    }

    /// The keywords in its braces whose values are wrong: nobody should complain again that they are missing.
    pub(crate) fn bad_children(&self) -> Vec<&'static str> {
        self.children.iter().filter(|child| child.bad).map(|child| child.keyword.name).collect()
    }

    /// The keyword and all its values.
    pub(crate) fn span(&self) -> Span {
        match self.args.last() {
            Some(last) if last.span.expansion == self.name.span.expansion => self.name.span.to(last.span),
            _ => self.name.span,
        }
    }
}

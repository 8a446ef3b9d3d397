//! Valid configurations to make mistakes in, as statements, and the ways people lay such files out.

use keepwatch_config::format;
use keepwatch_config::schema::{self, BlockId, Body, Keyword};

/// A statement, or a brace, on a line of its own.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) depth: usize,
    /// The block that it stands in; `None` within a block of lines.
    pub(crate) block: Option<BlockId>,
}

impl Line {
    pub(crate) fn first(&self) -> &str {
        self.text.split_ascii_whitespace().next().unwrap_or("")
    }

    pub(crate) fn opens(&self) -> bool {
        self.text.ends_with('{')
    }

    pub(crate) fn closes(&self) -> bool {
        self.text == "}"
    }

    /// The keyword that it begins with.
    pub(crate) fn keyword(&self) -> Option<&'static Keyword> {
        schema::find(self.block?, self.first()).map(|found| found.keyword)
    }
}

/// A file, one statement a line.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) name: &'static str,
    pub(crate) lines: Vec<Line>,
}

impl File {
    fn new(name: &'static str, text: &str) -> Self {
        let mut lines: Vec<Line> = Vec::new();
        // For each open block: its keywords, if it has any.
        let mut open: Vec<Option<BlockId>> = Vec::new();
        for raw in format(text).lines() {
            let code = raw.find(['#', '!']).map_or(raw, |at| &raw[..at]).trim();
            if code.is_empty() {
                continue;
            }
            if code == "}" {
                open.pop();
            }
            let block = open.last().map_or(Some(BlockId::Root), |block| *block);
            let line = Line { text: code.to_owned(), depth: open.len(), block };
            if line.opens() {
                let inner = line.keyword().and_then(|keyword| match keyword.body {
                    Body::Block(inner) => Some(inner),
                    Body::Lines(_) | Body::None => None,
                });
                open.push(inner);
            }
            lines.push(line);
        }
        Self { name, lines }
    }

    /// The line that closes the block that a line opens.
    pub(crate) fn end(&self, opener: usize) -> usize {
        let depth = self.lines[opener].depth;
        let inside = self.lines[opener + 1..].iter().take_while(|line| line.depth > depth).count();
        opener + 1 + inside
    }
}

/// Files as people write them, real ones and made ones.
pub(crate) fn files() -> Vec<File> {
    macro_rules! file {
        ($name:literal) => {
            File::new($name, include_str!(concat!("../", $name)))
        };
    }
    vec![
        file!("real/edge-routers.conf"),
        file!("real/web-director.conf"),
        file!("real/mail-and-dns.conf"),
        file!("real/many-vlans.conf"),
        file!("seeds/000-cdn-master.conf"),
        file!("seeds/001-master.conf"),
        file!("seeds/002-master.conf"),
        file!("seeds/003-master.conf"),
        file!("seeds/004-healthcheck.conf"),
        file!("seeds/004-mixed.conf"),
        file!("seeds/004-ssl_get.conf"),
        file!("seeds/004-vmac-1.conf"),
    ]
}

/// How a file is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    Canonical,
    Tabs,
    /// `{` on a line of its own.
    BraceBelow,
    /// Blocks of one statement on one line.
    OneLiners,
    /// No indentation at all.
    Flat,
}

impl Layout {
    pub(crate) const ALL: [Self; 5] =
        [Self::Canonical, Self::Tabs, Self::BraceBelow, Self::OneLiners, Self::Flat];

    /// The text, and for each statement the number of its line in it (from 1).
    pub(crate) fn write(self, lines: &[Line]) -> (String, Vec<usize>) {
        let mut text = String::new();
        let mut numbers = Vec::with_capacity(lines.len());
        let mut number = 0;
        let mut at = 0;
        while let Some(line) = lines.get(at) {
            number += 1;
            let indent = match self {
                Self::Canonical | Self::BraceBelow | Self::OneLiners => "    ".repeat(line.depth),
                Self::Tabs => "\t".repeat(line.depth),
                Self::Flat => String::new(),
            };
            numbers.push(number);
            let body = line.text.strip_suffix(" {");
            match (self, body) {
                (Self::BraceBelow, Some(body)) => {
                    text.push_str(&format!("{indent}{body}\n{indent}{{\n"));
                    number += 1;
                }
                (Self::OneLiners, Some(_)) if single(lines, at) => {
                    text.push_str(&format!("{indent}{} {} }}\n", line.text, lines[at + 1].text));
                    numbers.extend([number, number]);
                    at += 2;
                }
                _ => text.push_str(&format!("{indent}{}\n", line.text)),
            }
            at += 1;
        }
        (text, numbers)
    }
}

/// Is this a block of one statement?
fn single(lines: &[Line], at: usize) -> bool {
    let simple = |line: &Line| !line.opens() && !line.text.contains(['{', '}', '"']);
    lines.get(at + 1).is_some_and(simple) && lines.get(at + 2).is_some_and(Line::closes)
}

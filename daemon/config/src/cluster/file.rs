//! One file of a cluster: its model, and where in its text each part of that stands.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;

use crate::diagnostics::Diagnostic;
use crate::load::Comparable;
use crate::model::{Config, Instance, VirtualServer};
use crate::source::{Shift, Span};
use crate::tree::Node;

/// A file that is held against others.
#[derive(Debug)]
pub(super) struct File<'a> {
    /// Which of the files it is.
    pub(super) number: usize,
    pub(super) path: &'a Path,
    pub(super) config: &'a Config,
    comparable: &'a Comparable,
    /// Blocks by keyword and name; of several with one name the first counts.
    named: HashMap<(&'static str, &'a str), &'a Node>,
    /// From the places of this file to those of all files together.
    shift: Shift,
}

impl<'a> File<'a> {
    pub(super) fn new(number: usize, path: &'a Path, comparable: &'a Comparable, shift: Shift) -> Self {
        let mut named = HashMap::new();
        for node in comparable.blocks.iter().filter(|node| !node.bad) {
            if let Some(name) = node.arg(0) {
                named.entry((node.keyword.name, name)).or_insert(node);
            }
        }
        Self { number, path, config: &comparable.config, comparable, named, shift }
    }

    /// Its first block or line.
    pub(super) fn beginning(&self) -> Span {
        let first = self.comparable.blocks.first();
        self.shift.span(first.map(|node| node.span()).unwrap_or_default())
    }

    /// The block of this keyword and name.
    pub(super) fn block(&'a self, keyword: &'static str, name: &'a str) -> Option<Block<'a>> {
        Some(Block { file: self, node: self.named.get(&(keyword, name))? })
    }

    /// The virtual servers with their blocks.
    pub(super) fn servers(&'a self) -> impl Iterator<Item = (&'a VirtualServer, Block<'a>)> {
        let blocks = self.comparable.places.virtual_servers.iter();
        self.config.virtual_servers.iter().zip(blocks).filter_map(|(server, block)| {
            Some((server, Block { file: self, node: self.comparable.blocks.get(*block)? }))
        })
    }

    /// Where a keyword of `global_defs` stands, if it is written.
    pub(super) fn global(&'a self, keyword: &str) -> Option<Span> {
        let blocks = self.comparable.blocks.iter().filter(|node| node.keyword.name == "global_defs");
        blocks.filter_map(|node| Block { file: self, node }.keyword(&[keyword])).next_back()
    }
}

/// A block of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block<'a> {
    pub(super) file: &'a File<'a>,
    node: &'a Node,
}

impl<'a> Block<'a> {
    fn of(self, node: &'a Node) -> Self {
        Self { node, ..self }
    }

    fn place(self, span: Span) -> Span {
        self.file.shift.span(span)
    }

    /// The blocks and keywords in it that this holds for.
    pub(super) fn inner(self, wanted: impl Fn(&Node) -> bool) -> impl Iterator<Item = Self> {
        self.node.children.iter().filter(move |child| wanted(child)).map(move |child| self.of(child))
    }

    pub(super) fn node(self) -> &'a Node {
        self.node
    }

    /// Its keyword and values.
    pub(super) fn head(self) -> Span {
        self.place(self.node.span())
    }

    /// The first of these keywords that stands in it, or in a block in it.
    fn find(self, keywords: &[&str]) -> Option<&'a Node> {
        let children = || self.node.children.iter();
        let inner = || children().flat_map(|child| &child.children);
        keywords.iter().find_map(|keyword| {
            let named = |node: &&Node| node.keyword.name == *keyword;
            children().find(named).or_else(|| inner().find(named))
        })
    }

    /// Where one of these keywords stands with its values.
    pub(super) fn keyword(self, keywords: &[&str]) -> Option<Span> {
        self.find(keywords).map(|node| self.place(node.span()))
    }

    /// Is the value of one of these keywords wrong? Then nothing is known about it.
    pub(super) fn is_bad(self, keywords: &[&str]) -> bool {
        self.find(keywords).is_some_and(|node| node.bad || node.children.iter().any(|child| child.bad))
    }

    /// Where this word stands in the lines of one of these keywords.
    pub(super) fn line_word(self, keywords: &[&str], wanted: impl Fn(&str) -> bool) -> Option<Span> {
        let blocks = self.node.children.iter().filter(|child| keywords.contains(&child.keyword.name));
        let mut words = blocks.flat_map(|child| child.lines.iter().flatten());
        words.find(|word| wanted(&word.text)).map(|word| self.place(word.span))
    }

    /// Where an address stands in the lines of one of these keywords.
    pub(super) fn address(self, keywords: &[&str], address: IpAddr) -> Option<Span> {
        self.line_word(keywords, |word| {
            let word = word.split_once('/').map_or(word, |(word, _)| word);
            word.parse() == Ok(address)
        })
    }

    /// Where the line of this number of the block stands.
    pub(super) fn line(self, number: usize) -> Option<Span> {
        let line = self.node.lines.get(number)?;
        let (first, last) = (line.first()?, line.last()?);
        Some(self.place(first.span.to(last.span)))
    }
}

/// A router of a virtual router: an instance of one of the files.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member<'a> {
    pub(super) block: Block<'a>,
    pub(super) instance: &'a Instance,
}

impl<'a> Member<'a> {
    pub(super) fn file(self) -> &'a File<'a> {
        self.block.file
    }
}

/// Something that differs between two files, and the keywords that it is about.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) diagnostic: Diagnostic,
    /// The first of them that is written is where it is said.
    pub(super) keywords: &'static [&'static str],
}

impl Finding {
    /// The finding, said at its keyword here, with the place there. `None` when a value there or here is wrong: that
    /// was said, and all that follows from it need not be.
    pub(super) fn said_of(self, here: Block<'_>, there: Block<'_>) -> Option<Diagnostic> {
        let Self { diagnostic, keywords } = self;
        if here.is_bad(keywords) || there.is_bad(keywords) {
            return None;
        }
        let (found, other) = (here.find(keywords), there.find(keywords));
        // What one file has is what the other lacks.
        let written = found.or(other).map(|node| node.keyword.name);
        let keyword = written.or(keywords.first().copied()).unwrap_or_default();
        let diagnostic = match found {
            Some(node) => diagnostic.at(here.place(node.span()), "here"),
            None => diagnostic.at(here.head(), format!("no `{keyword}` here")),
        };
        Some(match other {
            Some(node) => diagnostic.also(there.place(node.span()), "in the other file"),
            None => diagnostic.also(there.head(), format!("no `{keyword}` in the other file")),
        })
    }
}

//! What of the whole a reader wants to see: a filter, how far back, and which pages of the long tables. It is the query
//! of the address, so that it works without scripts and can be kept as a bookmark.

use serde::{Deserialize, Serialize};

/// Longest filter that is looked at, in bytes.
const LONGEST: usize = 100;

/// A view of the fleet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct View {
    /// Only subjects and events with this text in them; everything if empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) q: String,
    /// How far back timelines go.
    #[serde(skip_serializing_if = "Span::is_hour")]
    pub(super) span: Span,
    /// Which page of the virtual routers, from 0.
    #[serde(skip_serializing_if = "is_first")]
    pub(super) routers: usize,
    /// Which page of the virtual servers, from 0.
    #[serde(skip_serializing_if = "is_first")]
    pub(super) servers: usize,
}

fn is_first(page: &usize) -> bool {
    *page == 0
}

/// How far back a timeline goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Span {
    /// An hour.
    #[default]
    Hour,
    /// A day.
    Day,
}

impl Span {
    fn is_hour(&self) -> bool {
        *self == Self::Hour
    }

    /// In seconds.
    pub(super) fn seconds(self) -> i64 {
        match self {
            Self::Hour => 3600,
            Self::Day => 86_400,
        }
    }
}

impl View {
    /// As it was asked for, within bounds and as it is compared: case does not matter.
    pub(crate) fn tidied(mut self) -> Self {
        self.q = self.q.trim().to_lowercase();
        let mut end = self.q.len().min(LONGEST);
        while !self.q.is_char_boundary(end) {
            end -= 1;
        }
        self.q.truncate(end);
        self
    }

    /// Whether this is wanted, by any of its names.
    pub(super) fn wants<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> bool {
        self.q.is_empty() || names.into_iter().any(|name| name.to_lowercase().contains(&self.q))
    }

    /// The address of this view.
    pub(super) fn link(&self) -> String {
        match serde_urlencoded::to_string(self) {
            Ok(query) if !query.is_empty() => format!("/?{query}"),
            _ => "/".into(),
        }
    }
}

/// One page of a long table.
pub(super) struct Paged<T> {
    /// What is on it.
    pub(super) rows: Vec<T>,
    /// Which it is, from 0.
    pub(super) page: usize,
    /// How many there are.
    pub(super) pages: usize,
    /// How many rows all pages have.
    pub(super) all: usize,
}

impl<T> Paged<T> {
    /// The page of that number, or the last, of all rows with `size` to a page.
    pub(super) fn of(all: Vec<T>, page: usize, size: usize) -> Self {
        let (count, pages) = (all.len(), all.len().div_ceil(size).max(1));
        let page = page.min(pages - 1);
        Self { rows: all.into_iter().skip(page * size).take(size).collect(), page, pages, all: count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_say_no_more_than_they_must_and_filters_are_bounded() {
        assert_eq!(View::default().link(), "/");
        let view = View { q: "VI&1 ".into(), routers: 2, span: Span::Day, ..View::default() }.tidied();
        assert_eq!(view.link(), "/?q=vi%261&span=day&routers=2");
        assert!(view.wants(["xVI&1"]) && !view.wants(["VI_1"]));
        let long = View { q: "ä".repeat(1000), ..View::default() }.tidied();
        assert!(long.q.len() <= LONGEST);
    }

    #[test]
    fn a_page_beyond_the_last_is_the_last() {
        let page = Paged::of((0..45).collect::<Vec<_>>(), 7, 20);
        assert_eq!((page.rows.len(), page.page, page.pages, page.all), (5, 2, 3, 45));
        assert_eq!(Paged::of(Vec::<u8>::new(), 3, 20).page, 0);
    }
}

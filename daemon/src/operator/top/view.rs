//! What of the whole is on the screen: which pane, from which line on, and what a filter wants.

use std::fmt;

use ratatui::crossterm::event::KeyCode;

/// Longest filter, in characters.
const LONGEST: usize = 60;

/// The three lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pane {
    Routers,
    Servers,
    Events,
}

impl Pane {
    /// All of them, in order.
    pub(super) const ALL: [Self; 3] = [Self::Routers, Self::Servers, Self::Events];

    /// The one after it; after the last the first.
    pub(super) fn next(self) -> Self {
        match self {
            Self::Routers => Self::Servers,
            Self::Servers => Self::Events,
            Self::Events => Self::Routers,
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Routers => "Virtual routers",
            Self::Servers => "Servers",
            Self::Events => "Events",
        }
    }
}

/// The view.
pub(super) struct View {
    pub(super) colours: bool,
    pub(super) pane: Pane,
    /// In lower case; nothing is left out where it is empty.
    pub(super) filter: String,
    /// Whether keys go to the filter.
    pub(super) typing: bool,
    pub(super) trouble_only: bool,
    /// First line on the screen of each pane.
    offsets: [usize; 3],
    /// Lines that each pane had when it was drawn last, and how many there was room for.
    sizes: [(usize, usize); 3],
}

impl View {
    pub(super) fn new(colours: bool) -> Self {
        Self {
            colours,
            pane: Pane::Routers,
            filter: String::new(),
            typing: false,
            trouble_only: false,
            offsets: [0; 3],
            sizes: [(0, 0); 3],
        }
    }

    /// A key for the filter.
    pub(super) fn write(&mut self, key: KeyCode) {
        match key {
            KeyCode::Enter => self.typing = false,
            KeyCode::Esc => {
                self.filter.clear();
                self.typing = false;
            }
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char(character) if self.filter.chars().count() < LONGEST => {
                self.filter.extend(character.to_lowercase());
            }
            _ => {}
        }
        self.offsets = [0; 3];
    }

    /// Whether this is wanted, by one of its names; that is written only where somebody filters.
    pub(super) fn wants(&self, name: impl fmt::Display) -> bool {
        self.filter.is_empty() || name.to_string().to_lowercase().contains(&self.filter)
    }

    /// A page of the pane that has the keys.
    pub(super) fn page(&self) -> isize {
        isize::try_from(self.sizes[self.pane as usize].1.max(2) - 1).unwrap_or(1)
    }

    /// Moves it by so many lines.
    pub(super) fn scroll(&mut self, lines: isize) {
        let offset = &mut self.offsets[self.pane as usize];
        *offset = offset.saturating_add_signed(lines);
    }

    /// The first line of a pane that has so many lines, and room for so many.
    pub(super) fn first(&mut self, pane: Pane, lines: usize, room: usize) -> usize {
        let offset = &mut self.offsets[pane as usize];
        *offset = (*offset).min(lines.saturating_sub(room));
        self.sizes[pane as usize] = (lines, room);
        *offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_scrolls_beyond_the_end() {
        let mut view = View::new(false);
        view.scroll(isize::MAX);
        assert_eq!(view.first(Pane::Routers, 100, 20), 80);
        view.scroll(-view.page());
        assert_eq!(view.first(Pane::Routers, 100, 20), 61);
        view.scroll(isize::MIN);
        assert_eq!(view.first(Pane::Routers, 100, 20), 0);
        assert_eq!(view.first(Pane::Routers, 3, 20), 0);
    }

    #[test]
    fn a_filter_is_typed_and_forgotten() {
        let mut view = View { typing: true, ..View::new(false) };
        "VI_x".chars().for_each(|character| view.write(KeyCode::Char(character)));
        view.write(KeyCode::Backspace);
        assert!(view.wants("(VI_1)") && !view.wants("10.0.0.1"));
        view.write(KeyCode::Esc);
        assert!(view.wants("10.0.0.1") && !view.typing);
    }
}

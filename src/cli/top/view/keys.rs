//! What the keys do.

use super::{Layer, View};

/// Longest filter, in characters.
const FILTER_MAX: usize = 64;

/// A key, whatever terminal it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::top) enum Key {
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Left,
    Right,
    Enter,
    Escape,
    Backspace,
    /// Ctrl-C.
    Interrupt,
    /// Any character that can be typed.
    Char(char),
}

/// What a key asks of the world outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::top) enum Wish {
    /// Nothing but to be drawn again.
    Nothing,
    /// A new picture now.
    Refresh,
    /// The end.
    Quit,
}

impl View {
    /// Takes a key.
    pub(in crate::cli::top) fn press(&mut self, key: Key) -> Wish {
        match (self.layer, key) {
            (_, Key::Interrupt) => return Wish::Quit,
            (Layer::Help, _) => self.layer = Layer::List,
            (Layer::Typing, key) => self.type_filter(key),
            (Layer::Detail | Layer::Threads, Key::PageUp) => self.scroll_up(),
            (Layer::Detail | Layer::Threads, Key::PageDown) => self.scroll_down(),
            (Layer::List | Layer::Detail | Layer::Threads, key) => return self.command(key),
        }
        Wish::Nothing
    }

    fn command(&mut self, key: Key) -> Wish {
        match key {
            Key::Up => self.go_to(self.cursor.saturating_sub(1)),
            Key::Down => self.go_to(self.cursor.saturating_add(1)),
            Key::PageUp => self.go_to(self.cursor.saturating_sub(self.page)),
            Key::PageDown => self.go_to(self.cursor.saturating_add(self.page)),
            Key::Home => self.go_to(0),
            Key::End => self.go_to(usize::MAX),
            Key::Left => self.fold_or_leave(),
            Key::Right => self.unfold_or_enter(),
            Key::Enter => self.toggle(Layer::Detail),
            Key::Escape => return self.step_back(),
            Key::Char(letter) => return self.letter(letter),
            Key::Backspace | Key::Interrupt => {}
        }
        Wish::Nothing
    }

    fn letter(&mut self, letter: char) -> Wish {
        match letter {
            'q' => return Wish::Quit,
            'r' => return Wish::Refresh,
            'p' => {
                self.paused = !self.paused;
                if !self.paused {
                    return Wish::Refresh;
                }
            }
            's' => {
                self.listing.sort = self.listing.sort.next();
                self.list();
            }
            't' => {
                self.listing.only_trouble = !self.listing.only_trouble;
                self.list();
            }
            'w' => self.toggle(Layer::Threads),
            ' ' => self.toggle_fold(),
            '/' => self.layer = Layer::Typing,
            '?' => self.layer = Layer::Help,
            _ => {}
        }
        Wish::Nothing
    }

    /// Opens a pane at its beginning, in the place of any other, or closes it.
    fn toggle(&mut self, pane: Layer) {
        self.layer = if self.layer == pane {
            Layer::List
        } else {
            pane
        };
        self.pane.first = 0;
    }

    /// By a row less than the pane has, so that the eye finds its place.
    fn scroll_up(&mut self) {
        let rows = self.pane.height.saturating_sub(1).max(1);
        self.pane.first = self.pane.first.saturating_sub(rows);
    }

    /// Beyond the end it may go; the next picture fits it.
    fn scroll_down(&mut self) {
        let rows = self.pane.height.saturating_sub(1).max(1);
        self.pane.first = self.pane.first.saturating_add(rows);
    }

    /// Takes back the latest thing that hides something; with nothing left, ends.
    fn step_back(&mut self) -> Wish {
        if matches!(self.layer, Layer::Detail | Layer::Threads) {
            self.layer = Layer::List;
        } else if !self.is_whole() {
            self.listing.filter.clear();
            self.listing.state = None;
            self.listing.only_trouble = false;
            self.list();
        } else {
            return Wish::Quit;
        }
        Wish::Nothing
    }

    fn type_filter(&mut self, key: Key) {
        match key {
            Key::Char(letter) if self.listing.filter.chars().count() < FILTER_MAX => {
                self.listing.filter.push(letter);
            }
            Key::Backspace => {
                self.listing.filter.pop();
            }
            Key::Escape => {
                self.listing.filter.clear();
                self.layer = Layer::List;
            }
            Key::Enter => self.layer = Layer::List,
            _ => return,
        }
        self.list();
    }

    fn toggle_fold(&mut self) {
        let folded = self.selected().map(|seen| self.is_folded(seen));
        if let Some(folded) = folded {
            self.fold(!folded);
        }
    }

    fn fold(&mut self, folded: bool) {
        let seen = self
            .selected()
            .filter(|seen| self.shows_folds() && !seen.children.is_empty());
        if let Some(id) = seen.map(|seen| seen.node.id.clone()) {
            self.folds.choose(&id, folded);
            self.list();
        }
    }

    fn fold_or_leave(&mut self) {
        let Some(seen) = self.selected() else {
            return;
        };
        let open = self.shows_folds() && !seen.children.is_empty() && !self.is_folded(seen);
        let parent = seen.parent;
        if open {
            self.fold(true);
        } else if let Some(row) = self.rows.iter().position(|row| Some(*row) == parent) {
            self.go_to(row);
        }
    }

    fn unfold_or_enter(&mut self) {
        let Some(seen) = self.selected() else {
            return;
        };
        let folded = self.is_folded(seen);
        let child = seen.children.first().copied();
        if folded {
            self.fold(false);
        } else if let Some(row) = self.rows.iter().position(|row| Some(*row) == child) {
            self.go_to(row);
        }
    }
}

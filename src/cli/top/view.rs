//! What stands on the screen: a machine that is fed with keys, pictures and sizes.
//!
//! It never looks at a clock or a terminal. Whatever it is fed, the selection is one of the rows, or
//! there are no rows, and it stays on the same node for as long as that is shown.

mod keys;

pub(super) use self::keys::{Key, Wish};
use super::{
    super::{failure::Failure, model::Tree},
    picture::{Moment, Picture, Seen},
    rows::{Folds, Sort, Wanted, found, ranked, unfolded},
    state::State,
};

/// What lies over the list, or takes the keys from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    /// Nothing.
    List,
    /// The pane about the selected node; the list stays in use.
    Detail,
    /// The pane about threads; the list stays in use.
    Threads,
    /// The page about the keys.
    Help,
    /// The line in which the filter is typed.
    Typing,
}

/// What to list, as the command line or the keys say.
#[derive(Clone, Debug, Default)]
pub(super) struct Listing {
    /// What comes first.
    pub(super) sort: Sort,
    /// Part of the ids to show; empty for all.
    pub(super) filter: String,
    /// The state to show.
    pub(super) state: Option<State>,
    /// Whether to show nodes in trouble only.
    pub(super) only_trouble: bool,
}

/// Why the last question had no good answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Absence {
    /// What happened.
    pub(super) why: String,
    /// What to do about it.
    pub(super) hint: Option<String>,
}

/// The screen's contents.
#[derive(Debug)]
pub(super) struct View {
    server: String,
    picture: Picture,
    away: Option<Absence>,
    listing: Listing,
    folds: Folds,
    layer: Layer,
    paused: bool,
    matches_only: bool,
    rows: Vec<usize>,
    cursor: usize,
    selected: String,
    first: usize,
    page: usize,
    pane: Pane,
}

/// How far the pane is scrolled, in rows.
#[derive(Clone, Copy, Debug, Default)]
struct Pane {
    first: usize,
    height: usize,
}

impl View {
    /// The first picture of a server.
    pub(super) fn new(server: &str, listing: Listing, picture: Picture) -> Self {
        let mut view = Self {
            server: server.to_owned(),
            picture,
            away: None,
            listing,
            folds: Folds::default(),
            layer: Layer::List,
            paused: false,
            matches_only: false,
            rows: Vec::new(),
            cursor: 0,
            selected: String::new(),
            first: 0,
            page: 1,
            pane: Pane::default(),
        };
        view.list();
        view
    }

    /// Lists matches alone, without the nodes above them.
    #[must_use]
    pub(super) fn matches_only(mut self) -> Self {
        self.matches_only = true;
        self.list();
        self
    }

    /// Whether nothing is left out.
    pub(super) fn is_whole(&self) -> bool {
        self.wanted().is_everything()
    }

    /// Takes a new answer. A failure leaves the last picture where it is.
    pub(super) fn answered(&mut self, at: Moment, answer: Result<Tree, Failure>) {
        match answer {
            Ok(tree) => {
                self.away = None;
                self.replace(Picture::new(tree, at, Some(&self.picture)));
            }
            Err(failure) => {
                let what = failure.what();
                let known = format!("no answer from {}: ", self.server);
                self.away = Some(Absence {
                    why: what.strip_prefix(&known).unwrap_or(what).to_owned(),
                    hint: failure.way_on().map(str::to_owned),
                });
            }
        }
    }

    /// Makes the list `height` rows high, and scrolls so that the selected one is in sight.
    pub(super) fn fit(&mut self, height: usize) {
        self.page = height.max(1);
        let last_first = self.rows.len().saturating_sub(self.page);
        let lowest = (self.cursor + 1).saturating_sub(self.page);
        self.first = self.first.clamp(lowest, self.cursor).min(last_first);
    }

    /// Makes the pane `height` rows high for a text of `rows`; gives the first row in sight, which is such
    /// that the pane is not left empty.
    pub(super) fn fit_pane(&mut self, rows: usize, height: usize) -> usize {
        let first = self.pane.first.min(rows.saturating_sub(height));
        self.pane = Pane { first, height };
        first
    }

    /// The rows in sight, each with whether it is the selected one.
    pub(super) fn in_sight(&self) -> impl Iterator<Item = (&Seen, bool)> {
        let rows = self.rows.iter().enumerate();
        rows.skip(self.first)
            .take(self.page)
            .filter_map(|(index, place)| Some((self.picture.get(*place)?, index == self.cursor)))
    }

    /// Every row.
    pub(super) fn rows(&self) -> impl ExactSizeIterator<Item = Option<&Seen>> {
        self.rows.iter().map(|place| self.picture.get(*place))
    }

    /// The selected node; `None` if there are no rows.
    pub(super) fn selected(&self) -> Option<&Seen> {
        self.rows
            .get(self.cursor)
            .and_then(|place| self.picture.get(*place))
    }

    /// Whether a node hides what is below it.
    pub(super) fn is_folded(&self, seen: &Seen) -> bool {
        self.shows_folds() && self.folds.is_folded(&self.picture, seen)
    }

    /// Whether rows stand under the ones that supervise them.
    pub(super) fn is_tree(&self) -> bool {
        let searched = self.matches_only && !self.is_whole();
        self.listing.sort == Sort::Tree && !searched
    }

    /// The last picture.
    pub(super) fn picture(&self) -> &Picture {
        &self.picture
    }

    /// Why there is no newer one.
    pub(super) fn away(&self) -> Option<&Absence> {
        self.away.as_ref()
    }

    /// What is listed.
    pub(super) fn listing(&self) -> &Listing {
        &self.listing
    }

    /// What lies over the list.
    pub(super) fn layer(&self) -> Layer {
        self.layer
    }

    /// Whether the user wants to keep this picture.
    pub(super) fn is_paused(&self) -> bool {
        self.paused
    }

    /// The server's address.
    pub(super) fn server(&self) -> &str {
        &self.server
    }

    fn replace(&mut self, picture: Picture) {
        self.picture = picture;
        self.folds.forget_missing(&self.picture);
        // A tenant that is well again would fold by itself, under the eyes of whoever looks into it.
        if let Some(place) = self.picture.place_of(&self.selected) {
            self.folds.uncover(&self.picture, place);
        }
        self.list();
    }

    /// Lists anew, and finds the selected node in that: itself, else the nearest one above it that
    /// is shown, else whatever is in its row now.
    fn list(&mut self) {
        let wanted = self.wanted();
        self.rows = if !self.is_tree() {
            ranked(&self.picture, &wanted, self.listing.sort)
        } else if self.is_whole() {
            unfolded(&self.picture, &self.folds)
        } else {
            found(&self.picture, &wanted)
        };
        let row_of = |place: usize| self.rows.iter().position(|row| *row == place);
        let place = self.picture.place_of(&self.selected);
        let row = place
            .and_then(|place| row_of(place).or_else(|| self.picture.above(place).find_map(row_of)));
        self.go_to(row.unwrap_or(self.cursor));
    }

    fn wanted(&self) -> Wanted {
        Wanted {
            text: self.listing.filter.to_lowercase(),
            state: self.listing.state,
            only_trouble: self.listing.only_trouble,
        }
    }

    /// Folds count only where nothing is searched for or ranked.
    fn shows_folds(&self) -> bool {
        self.is_tree() && self.is_whole()
    }

    fn go_to(&mut self, row: usize) {
        self.cursor = row.min(self.rows.len().saturating_sub(1));
        if let Some(id) = self.selected().map(|seen| seen.node.id.clone()) {
            if self.layer == Layer::Detail && id != self.selected {
                self.pane.first = 0;
            }
            self.selected = id;
        }
    }
}

#[cfg(test)]
mod tests;

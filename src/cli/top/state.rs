//! What a node does, as far as it is shown.

use clap::ValueEnum;

/// What a node does at the moment of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum State {
    /// In service
    #[value(name = "running")]
    Running,
    /// At rest until its next message
    #[value(name = "passive")]
    Passive,
    /// Between a fall and the next life
    #[value(name = "backing_off", alias = "backing-off")]
    BackingOff,
    /// Given up for now; probed from time to time
    #[value(name = "suspended")]
    Suspended,
    /// Ended
    #[value(name = "stopped")]
    Stopped,
    /// Stuck in one message
    #[value(name = "stalled")]
    Stalled,
    /// A state of a newer server
    #[value(skip)]
    Other,
}

impl State {
    /// Reads the server's word.
    pub(super) fn of(word: &str) -> Self {
        let known = Self::value_variants().iter().copied();
        known
            .into_iter()
            .find(|state| state.as_str() == word)
            .unwrap_or(Self::Other)
    }

    /// The server's word.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Passive => "passive",
            Self::BackingOff => "backing_off",
            Self::Suspended => "suspended",
            Self::Stopped => "stopped",
            Self::Stalled => "stalled",
            Self::Other => "unknown",
        }
    }

    /// Whether somebody should look. A state that we do not know is worth a look too.
    pub(super) fn is_trouble(self) -> bool {
        match self {
            Self::Running | Self::Passive | Self::Stopped => false,
            Self::BackingOff | Self::Suspended | Self::Stalled | Self::Other => true,
        }
    }
}

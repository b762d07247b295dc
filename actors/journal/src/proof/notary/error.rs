//! What can go wrong with the notary.

use super::super::note::NoteError;
use crate::vault::StoreError;

/// Why the notary did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum NotaryError {
    /// The files.
    #[error("proof: {0}")]
    Store(#[from] StoreError),
    /// There is a host log, and no database that says how much of it is signed.
    #[error("{0} is lost; a host log without it can only begin anew, in an empty directory")]
    Lost(String),
    /// The key that is in force was not among those given.
    #[error("the key in force, {0}, is not there")]
    Key(String),
    /// A line came before the one that goes before it.
    #[error("chain {chain} is wanted from seq {wanted}")]
    Gap {
        /// The chain.
        chain: String,
        /// The seq that is wanted.
        wanted: u64,
    },
    /// A line does not follow the one before it, or is not the one that was signed in its place.
    #[error("chain {0} does not go on from what was signed of it")]
    Unlinked(String),
    /// A chain came with another opaque id than before, or with that of another chain.
    #[error("chain {0} came with an opaque id that is not its own")]
    OpaqueId(String),
    /// Nothing of the chain is published.
    #[error("nothing of chain {0} is published")]
    NoChain(String),
    /// There is no such checkpoint of the chain: it is larger than what is published.
    #[error("chain {chain} is published up to {published}")]
    Beyond {
        /// The chain.
        chain: String,
        /// How many of its entries are published.
        published: u64,
    },
    /// The lines of the chain are not those that were published.
    #[error("the lines of chain {0} are not those that were published")]
    Lines(String),
    /// What is kept is not what the key in force has signed: somebody has written the files.
    #[error("what is kept is not what was signed: {0}; it can only be left by a rebase")]
    Unproven(String),
    /// The database is of before there were seals: nothing shows that its rows are what was signed.
    #[error(
        "the log's database is of format 1, which has no seal: look whether the chains are what a mirror or \
         a bundle has of them, then begin a new log with `vyrox audit rebase`"
    )]
    Unsealed,
    /// A write failed before; open the notary anew.
    #[error("the notary failed and must be opened anew")]
    Failed,
    /// A note that could not be made.
    #[error(transparent)]
    Note(#[from] NoteError),
}

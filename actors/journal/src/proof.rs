//! Proof that survives the host's owner: trees over the chains, and signed statements about them.
//!
//! A chain alone shows neither that its end was cut off nor that all of it was written anew. So each
//! chain has a Merkle tree over its lines ([`merkle`]), one host log has a leaf for every state of
//! every chain that was ever published, and that log's root is signed as a checkpoint
//! ([`checkpoint`]) which witnesses cosign. All of it follows public specifications (RFC 6962 and
//! C2SP's `signed-note`, `tlog-checkpoint`, `tlog-cosignature`, `tlog-witness`), so an auditor needs
//! none of this code.
//!
//! Nothing here reads a clock or a key: time is an argument, and who signs is given.

pub mod checkpoint;
pub mod merkle;
pub mod note;

mod bundle;
mod folder;
mod host_log;
mod notary;
mod seal;
mod statement;
mod store;
mod witness;

pub use bundle::{Bundle, BundleError, LinesCheck, MAX_BUNDLE_BYTES, Proven, Standing};
pub use checkpoint::{Checkpoint, OpaqueId, Origin, Signatures, SignedCheckpoint, Trust};
pub use folder::{begin_anew, copy_files};
pub use host_log::HostLeaf;
pub use notary::{Notary, NotaryError, Rebased, Witnessed};
pub use note::{KeyName, NoteError, Signer, VerifierKey, VerifyEd25519};
pub use statement::{Statement, Succession};
pub use store::{Accusation, KeyInForce};
pub use witness::{Cosignature, MAX_ANSWER_BYTES, Memory, WitnessAnswer, WitnessRequest};

#[cfg(test)]
pub(crate) mod test_keys;

//! Another key signs from now on.

use std::{io, sync::Arc};

use vyrox_domain::{
    host_protocol::{AuditLog, AuditLogChange, AuditRebased, KeyRotated},
    log_key::is_signed,
};
use vyrox_journal::proof::{Notary, NotaryError, Signer};

use super::office::{Office, log_of};

/// Where the log's private keys are kept.
pub trait LogKeys: Send + Sync {
    /// All that there are, the one that was last in force first; made where there is none.
    ///
    /// # Errors
    /// One cannot be read, made or believed.
    fn load(&self) -> io::Result<Vec<Arc<dyn Signer>>>;

    /// As [`load`](Self::load), for a log that is begun anew in the place of one that does not open: a key that is
    /// not in its place is made.
    ///
    /// # Errors
    /// One cannot be read or made.
    fn load_anew(&self) -> io::Result<Vec<Arc<dyn Signer>>> {
        self.load()
    }

    /// Makes another, durable beside those that there are. [`load`](Self::load) has it as well.
    ///
    /// # Errors
    /// It cannot be written.
    fn make(&self) -> io::Result<Arc<dyn Signer>>;

    /// This key is in force: if it is the one that was made, it takes the place of the one before it,
    /// which is kept.
    ///
    /// # Errors
    /// Something cannot be written; it can be tried again.
    fn settle(&self, in_force: &[u8; 32]) -> io::Result<()>;
}

/// Why the key stays.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// The log is not open, or not to be believed.
    #[error("the log is not as it should be; see `vyrox audit integrity`")]
    NotNow,
    /// The key before still signs too, and would no longer.
    #[error("the key before the one in force signs too, until {until_ms}")]
    Overlapping {
        /// Until when, in unix milliseconds.
        until_ms: u64,
    },
    /// No key could be made, or the one in force could not be put in its place before.
    #[error("no key could be written: {0}")]
    Key(#[from] io::Error),
    /// The log.
    #[error(transparent)]
    Log(#[from] NotaryError),
}

impl Office {
    /// Puts a new key in force; the old one signs too for `overlap_ms`. What comes out belongs on the
    /// host's chain; if it does not get there, [`unwritten`](Self::unwritten) has it until it does, also after the
    /// next start. Blocks.
    ///
    /// While a key that is known elsewhere signs too, it is not silenced by another change, unless
    /// `overlap_ms` is 0: then a key is in wrong hands.
    ///
    /// # Errors
    /// [`RotateError`]; the key stays as it was.
    pub fn rotate_key(&self, overlap_ms: u64, by: String) -> Result<KeyRotated, RotateError> {
        let mut desk = self.desk();
        let doubtful = self.parts.integrity.findings().host.is_some();
        let rebasing = desk.rebasing.is_some();
        let notary = desk.notary.as_mut().filter(|_| !doubtful && !rebasing);
        let notary = notary.ok_or(RotateError::NotNow)?;
        let before = log_of(notary);
        let now = self.now_ms();
        let until_ms = notary.overlap_until_ms().filter(|until| *until > now);
        if let Some(until_ms) = until_ms.filter(|_| overlap_ms > 0) {
            return Err(RotateError::Overlapping { until_ms });
        }
        // The key in force may still lie where the next one is to be written.
        self.parts.keys.settle(notary.key().public_key())?;
        let new = self.parts.keys.make()?;
        let until_ms = now.saturating_add(overlap_ms);
        let statement = match notary.rotate(Arc::clone(&new), until_ms, now) {
            Ok(statement) => statement.to_string(),
            Err(error) => {
                // Opened anew, with whichever key its files say.
                desk.notary = None;
                return Err(error.into());
            }
        };
        let after = log_of(notary);
        if let Err(error) = self.parts.keys.settle(&new.public_key()) {
            tracing::error!(%error, "the log's new key lies beside its place; the next start tries again");
        }
        desk.known = Some(after.clone());
        Ok(KeyRotated {
            before,
            after,
            statement: Some(statement),
            until_ms: Some(until_ms),
            by,
        })
    }

    /// What became of the log that the host's chain does not tell of: its last entry says that it is
    /// `known`, or there is none. Nothing for a log that is not open, or waits for a rebase to be written.
    pub fn unwritten(&self, known: Option<&AuditLog>) -> Option<AuditLogChange> {
        let desk = self.desk();
        let notary = desk.notary.as_ref().filter(|_| desk.rebasing.is_none())?;
        let own = log_of(notary);
        match known {
            None => Some(AuditLogChange::Begun(own)),
            Some(known) if *known == own => None,
            Some(known) => moved(known.clone(), notary),
        }
    }
}

/// The log was left for another, or its key, and the process ended before the host's chain had it. `None`
/// for a log that the key which the host's chain knows has not led to, statement by statement: whoever has
/// an old key of the log could name that one.
pub(super) fn moved(before: AuditLog, notary: &Notary) -> Option<AuditLogChange> {
    if !notary.comes_from(&before.vkey, is_signed) {
        return None;
    }
    let (newest, after) = (notary.keys().last(), log_of(notary));
    let statement = newest.and_then(|key| key.statement.clone());
    if before.deployment == after.deployment {
        return Some(AuditLogChange::Rotated(KeyRotated {
            before,
            after,
            statement,
            until_ms: notary.overlap_until_ms(),
            by: "system".into(),
        }));
    }
    Some(AuditLogChange::Rebased(AuditRebased {
        before: Some(before),
        after,
        host: None,
        chains: Vec::new(),
        statement,
        reason: "found at the start".into(),
        by: "system".into(),
    }))
}

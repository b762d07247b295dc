//! What is there is accepted as the truth, by somebody's order.

use std::{io, sync::Arc};

use vyrox_domain::{
    host::{HALT_REASON_MAX, is_reason},
    host_protocol::{AuditRebased, ChainRebased},
    log_key::is_signed,
};
use vyrox_journal::proof::{Notary, NotaryError, Rebased, begin_anew};

use super::office::{Desk, Office, log_of};
use crate::integrity::{Findings, HostFault};

/// Why nothing was rebased.
#[derive(Debug, thiserror::Error)]
pub enum RebaseError {
    /// There is nothing to accept.
    #[error("everything is as it was signed")]
    Whole,
    /// A reason that says nothing, or too much.
    #[error("a reason has 1 to {HALT_REASON_MAX} characters and no control characters")]
    BadReason,
    /// Nobody has looked yet.
    #[error("the chains were not looked at yet")]
    Unchecked,
    /// A chain that is held has to be repaired first: what was signed of it is all that can tell a forged copy.
    #[error("chain {0} is held; repair it first")]
    Held(Arc<str>),
    /// The log.
    #[error(transparent)]
    Log(#[from] NotaryError),
    /// A key could not be read.
    #[error("the log's key could not be read: {0}")]
    Key(#[from] io::Error),
}

impl Office {
    /// Leaves the log for a new one that has the chains as they are. Blocks.
    ///
    /// Containment stays barred until [`accept`](Self::accept), which is called when the order is on
    /// the host's chain. A log that does not open is put aside, not removed, once there is a new one: it
    /// is what the old state was signed by. One that waits for its entry already is the answer as long as
    /// it does, whoever orders another.
    ///
    /// # Errors
    /// [`RebaseError`]; everything is as it was, or the log has to be opened anew.
    pub fn rebase(&self, reason: String, by: String) -> Result<AuditRebased, RebaseError> {
        if !is_reason(&reason) {
            return Err(RebaseError::BadReason);
        }
        let mut desk = self.desk();
        if let Some(waiting) = &desk.rebasing {
            return Ok(waiting.clone());
        }
        let findings = self.parts.integrity.findings();
        if findings.is_whole() {
            return Err(RebaseError::Whole);
        }
        if matches!(
            findings.host,
            Some(HostFault::Unchecked | HostFault::Asking)
        ) {
            return Err(RebaseError::Unchecked);
        }
        if findings.host.is_none() {
            // Where the log itself is not there, no repair could be held against it either.
            let mut chains = findings.chains.keys();
            let is_held = |chain: &&Arc<str>| self.parts.journal.hold(chain).is_some();
            if let Some(held) = chains.find(is_held) {
                return Err(RebaseError::Held(Arc::clone(held)));
            }
        }
        let before = desk.known.clone();
        let statement = self.leave(&mut desk, &findings)?;
        desk.leave_witnesses(self.now_ms());
        let notary = desk.notary.as_ref();
        let after = notary.map(log_of).ok_or(NotaryError::Failed)?;
        let rebased = AuditRebased {
            before,
            after,
            host: findings.host.as_ref().map(|fault| fault.kind().to_owned()),
            chains: chains(&findings),
            statement,
            reason,
            by,
        };
        (desk.behind, desk.rebasing) = (true, Some(rebased.clone()));
        Ok(rebased)
    }

    /// The rebase that waits for its entry on the host's chain.
    pub fn rebasing(&self) -> Option<AuditRebased> {
        self.desk().rebasing.clone()
    }

    /// Begins the new log; gives the old key's word for it, where the old log was there.
    fn leave(&self, desk: &mut Desk, findings: &Findings) -> Result<Option<String>, RebaseError> {
        let seen = desk.seen();
        if let Some(notary) = desk.notary.as_mut() {
            let rebased = self.follow(notary, findings, seen);
            if rebased.is_err() {
                // It takes nothing more, and is opened anew with whatever its files say.
                desk.notary = None;
            }
            return Ok(Some(rebased?.statement.to_string()));
        }
        let keys = self.parts.keys.load_anew()?;
        let aside = format!("proof-left-{}", self.now_ms());
        let begun = begin_anew(&self.parts.folder, &aside, &keys, is_signed);
        desk.notary = Some(begun?);
        Ok(None)
    }

    fn follow(
        &self,
        notary: &mut Notary,
        findings: &Findings,
        seen: Option<u64>,
    ) -> Result<Rebased, NotaryError> {
        let left = findings.chains.keys().map(AsRef::as_ref);
        let seen = seen.unwrap_or_else(|| notary.head().size);
        notary.rebase(left, seen, self.now_ms())
    }

    /// The order is on the host's chain: containment is possible again. Blocks.
    pub fn accept(&self, rebased: &AuditRebased) {
        let mut desk = self.desk();
        desk.known = Some(rebased.after.clone());
        desk.rebasing = None;
        drop(desk);
        self.check();
    }
}

fn chains(findings: &Findings) -> Vec<ChainRebased> {
    let chains = findings.chains.iter();
    let rebased = chains.map(|(chain, fault)| {
        let (signed, have) = fault.counts();
        ChainRebased {
            chain: Arc::clone(chain).to_string(),
            kind: fault.kind().to_owned(),
            signed,
            entries: have.unwrap_or_default(),
        }
    });
    rebased.collect()
}

//! Another key, and another log.

use std::sync::Arc;

use super::super::checkpoint::Origin;
use super::super::host_log::HostLog;
use super::super::merkle::empty_root;
use super::super::note::{KeyName, Note, Signer, VerifierKey};
use super::super::statement::{Statement, Succession};
use super::super::store::KeyInForce;
use super::{Notary, NotaryError, random_id};

/// A log that was left behind, and the one that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebased {
    /// The name of the old one.
    pub before: Origin,
    /// The name of the new one. Witnesses and auditors have to be told.
    pub after: Origin,
    /// What was signed about it, with the new key in it: the same key under the new log's name.
    pub statement: Note,
}

impl Notary {
    /// Puts another key in force. Until `until_ms` the old one signs too, so that those who know only
    /// that one have time. The checkpoints that are kept are signed anew; the words of witnesses for
    /// them stand, for they are of the text alone.
    ///
    /// The answer is the signed statement that belongs into the journal; [`keys`](Self::keys) has it
    /// too, so that one which did not get there can be written later.
    pub fn rotate(
        &mut self,
        new: Arc<dyn Signer>,
        until_ms: u64,
        now_ms: u64,
    ) -> Result<Note, NotaryError> {
        self.usable()?;
        let name = KeyName::from(self.deployment);
        let statement = Statement {
            succession: Succession::Rotation,
            old: self.key(),
            new: new.verifier_key(&name),
            time: now_ms / 1000,
        };
        let note = statement.sign(&*self.signers.in_force, &*new)?;
        self.failed = true;
        self.signers.rotate(new, until_ms);
        self.signers.end_overlap(now_ms);
        let kept = self.checkpoints.values();
        let points = kept.map(|point| self.sign(*point.checkpoint()));
        let points = points.collect::<Result<Vec<_>, _>>()?;
        let text = note.to_string();
        let overlap = self.signers.overlap();
        self.store.commit(|change| {
            change.add_key(now_ms, &statement.new, Some(&text))?;
            change.set_overlap(overlap)?;
            let mut points = points.iter();
            points.try_for_each(|point| change.put_checkpoint(point))
        })?;
        for point in points {
            self.keep_checkpoint(point);
        }
        self.keys.push(KeyInForce {
            key: statement.new,
            since_ms: now_ms,
            statement: Some(text),
        });
        self.failed = false;
        Ok(note)
    }

    /// Leaves a log behind that is shorter than a witness has `seen`, and begins a new one under a new
    /// name: no witness would ever cosign the old one again. Everything is published anew in it.
    pub fn rebase(&mut self, seen: u64, now_ms: u64) -> Result<Rebased, NotaryError> {
        self.usable()?;
        let before = self.head();
        let old = self.key();
        let deployment = random_id();
        let statement = Statement {
            succession: Succession::Rebase {
                size: before.size,
                seen,
            },
            old,
            new: self
                .signers
                .in_force
                .verifier_key(&KeyName::from(deployment)),
            time: now_ms / 1000,
        };
        let note = statement.sign(&*self.signers.in_force, &*self.signers.in_force)?;
        let text = note.to_string();
        self.failed = true;
        let log = HostLog::open(self.log.folder(), deployment, 0, &empty_root())?;
        let chains = &self.chains;
        self.store.commit(|change| {
            change.begin_log(deployment)?;
            change.add_key(now_ms, &statement.new, Some(&text))?;
            for (name, chain) in chains {
                if let Some(signed) = &chain.signed {
                    change.put_chain(name, &signed.unpublished())?;
                }
            }
            Ok(())
        })?;
        self.begin(log, statement.new, (now_ms, text));
        self.deployment = deployment;
        self.failed = false;
        Ok(Rebased {
            before: before.origin,
            after: Origin::host(deployment),
            statement: note,
        })
    }

    fn begin(&mut self, log: HostLog, key: VerifierKey, (since_ms, statement): (u64, String)) {
        self.log = log;
        self.checkpoints.clear();
        self.cosignatures.clear();
        self.accusations.clear();
        self.keys.push(KeyInForce {
            key,
            since_ms,
            statement: Some(statement),
        });
        for chain in self.chains.values_mut() {
            chain.signed = chain.signed.take().map(|signed| signed.unpublished());
        }
        let grown = self.chains.iter();
        let grown = grown.filter(|(_, chain)| chain.frontier.size() > 0);
        self.changed = grown.map(|(name, _)| Arc::clone(name)).collect();
    }
}

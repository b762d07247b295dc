//! Another key, and another log.

use std::sync::Arc;

use super::super::checkpoint::{Checkpoint, Origin, SignedCheckpoint, Trust};
use super::super::host_log::HostLog;
use super::super::note::{KeyName, Note, Signer, VerifierKey, VerifyEd25519};
use super::super::statement::{Statement, Succession};
use super::super::store::{ChainRecord, KeyInForce};
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
        let key = KeyInForce {
            key: statement.new,
            since_ms: now_ms,
            statement: Some(note.to_string()),
        };
        self.keys.push(key.clone());
        self.commit_sealed(self.head(), |change| {
            change.add_key(&key)?;
            let mut points = points.iter();
            points.try_for_each(|point| change.put_checkpoint(point))
        })?;
        for point in points {
            self.keep_checkpoint(point);
        }
        self.failed = false;
        Ok(note)
    }

    /// Leaves a log behind that is shorter than a witness has `seen`, and begins a new one under a new
    /// name: no witness would ever cosign the old one again. Everything is published anew in it, and of
    /// the chains `left` from their entries 0 on, whatever was signed of them before. All of it is done or
    /// nothing: no chain is left without the word that says so.
    pub fn rebase<'a>(
        &mut self,
        left: impl IntoIterator<Item = &'a str>,
        seen: u64,
        now_ms: u64,
    ) -> Result<Rebased, NotaryError> {
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
        let key = KeyInForce {
            key: statement.new,
            since_ms: now_ms,
            statement: Some(note.to_string()),
        };
        self.failed = true;
        let empty = Checkpoint::empty(Origin::host(deployment));
        let log = HostLog::open(self.log.folder(), deployment, empty.size, &empty.root)?;
        let left: Vec<&str> = left.into_iter().collect();
        self.begin((log, self.sign(empty)?), &key, &left)?;
        self.deployment = deployment;
        self.failed = false;
        Ok(Rebased {
            before: before.origin,
            after: Origin::host(deployment),
            statement: note,
        })
    }

    /// Puts an empty log in the place of the one that there is, and lets go of the chains `left`.
    fn begin(
        &mut self,
        (log, point): (HostLog, SignedCheckpoint),
        key: &KeyInForce,
        left: &[&str],
    ) -> Result<(), NotaryError> {
        for chain in left {
            self.chains.remove(*chain);
        }
        let known = self.chains.iter();
        let records = known.filter_map(|(name, chain)| {
            let signed = chain.signed.as_ref()?;
            Some((Arc::clone(name), signed.unpublished()))
        });
        let records: Vec<(Arc<str>, ChainRecord)> = records.collect();
        self.rows = records
            .iter()
            .map(|(name, record)| (name, record))
            .collect();
        self.keys.push(key.clone());
        self.accusations.clear();
        self.commit_sealed(*point.checkpoint(), |change| {
            change.begin_log(point.checkpoint().origin.deployment)?;
            change.add_key(key)?;
            for chain in left {
                change.remove_chain(chain)?;
            }
            for (name, record) in &records {
                change.put_chain(name, record)?;
            }
            change.put_checkpoint(&point)
        })?;
        self.log = log;
        self.checkpoints = [(point.checkpoint().size, point)].into();
        self.cosignatures.clear();
        self.begun = true;
        for (name, record) in records {
            if let Some(chain) = self.chains.get_mut(&name) {
                chain.signed = Some(record);
            }
        }
        let grown = self.chains.iter();
        let grown = grown.filter(|(_, chain)| chain.frontier.size() > 0);
        self.changed = grown.map(|(name, _)| Arc::clone(name)).collect();
        Ok(())
    }

    /// Whether the key in force comes from one that is known: it is that key, or each one after that key has
    /// the statement by which the one before it put it in force.
    pub fn comes_from(&self, known: &str, check: VerifyEd25519) -> bool {
        let mut keys = self.keys.iter();
        let Some(at) = keys.rposition(|key| key.key.to_string() == known) else {
            return false;
        };
        let mut steps = self.keys.windows(2).skip(at);
        steps.all(|step| matches!(step, [before, next] if follows(&before.key, next, check)))
    }
}

fn follows(before: &VerifierKey, next: &KeyInForce, check: VerifyEd25519) -> bool {
    let mut trust = Trust {
        log: vec![before.clone()],
        witnesses: Vec::new(),
        check,
    };
    let statement = next.statement.as_deref();
    let followed = statement.and_then(|statement| trust.follow(statement).ok());
    followed.is_some_and(|followed| followed.new == next.key)
}

//! What the notary can prove, to others and to itself.

use super::super::bundle::{Bundle, LinesCheck, Standing};
use super::super::checkpoint::{Checkpoint, Origin, SignedCheckpoint};
use super::super::merkle::{Frontier, Hash, ProofPlan, leaf_hash, verify_inclusion};
use super::super::store::ChainRecord;
use super::{Notary, NotaryError};
use crate::vault::StoreError;

impl Notary {
    /// A chain's own checkpoint, as it was last published.
    pub fn tenant_checkpoint(&self, chain: &str) -> Result<SignedCheckpoint, NotaryError> {
        let signed = self.signed(chain)?;
        self.sign_tenant(signed, signed.frontier.size(), signed.frontier.root())
    }

    /// A chain's own checkpoint at an earlier size. `leaves` are the leaf hashes of all its lines from
    /// entry 0; they are read up to what is published and must be the published ones.
    pub fn tenant_checkpoint_at(
        &self,
        chain: &str,
        size: u64,
        leaves: impl Iterator<Item = Hash>,
    ) -> Result<SignedCheckpoint, NotaryError> {
        let signed = self.signed(chain)?;
        let published = signed.frontier.size();
        if size > published {
            return Err(NotaryError::Beyond {
                chain: chain.to_owned(),
                published,
            });
        }
        let mut tree = Frontier::new();
        let mut root = tree.root();
        for leaf in leaves.take(crate::bytes::index(published)) {
            tree.append(leaf);
            if tree.size() == size {
                root = tree.root();
            }
        }
        if tree != signed.frontier {
            return Err(NotaryError::Lines(chain.to_owned()));
        }
        self.sign_tenant(signed, size, root)
    }

    /// All that an auditor needs beside the chain's file. Of the host log's checkpoints it has the one
    /// that most witnesses have cosigned, and of those the newest.
    pub fn bundle(&self, chain: &str) -> Result<Bundle, NotaryError> {
        let signed = self.signed(chain)?;
        let none = || NotaryError::NoChain(chain.to_owned());
        let leaf_index = signed.leaf.ok_or_else(none)?;
        let covering = self.checkpoints.range(leaf_index + 1..);
        let best = covering.max_by_key(|(size, _)| (self.words_for(**size), **size));
        let (size, host) = best.ok_or_else(none)?;
        let plan = ProofPlan::inclusion(leaf_index, *size).map_err(|why| damaged(&why))?;
        let inclusion = plan.read(&self.log).map_err(StoreError::from)?;
        let root = host.checkpoint().root;
        verify_inclusion(leaf_index, *size, &signed.leaf().hash(), &inclusion, &root)
            .map_err(|why| damaged(&why))?;
        Ok(Bundle {
            tenant: self.tenant_checkpoint(chain)?,
            host: self.with_cosignatures(host),
            leaf_index,
            inclusion,
            keys: self.keys.iter().map(|key| key.key.clone()).collect(),
            statements: self
                .keys
                .iter()
                .filter_map(|key| key.statement.clone())
                .collect(),
        })
    }

    /// Makes the kept hashes of the host log anew from its leaves, after [`bundle`](Self::bundle) or a
    /// request found them damaged. The leaves must lead to the signed root.
    pub fn rebuild(&mut self) -> Result<(), NotaryError> {
        self.usable()?;
        let head = self.head();
        Ok(self.log.rebuild(head.size, &head.root)?)
    }

    /// Compares a chain's end in the journal with what was published of it, by one line.
    ///
    /// `next_seq` is the seq that the journal would give next, `line_at` reads one line, without its
    /// newline. A line fixes all before it by their hashes; that these are right is for the journal
    /// to verify. A chain of which nothing is published is the same as nothing.
    pub fn compare<E>(
        &self,
        chain: &str,
        next_seq: u64,
        line_at: impl FnOnce(u64) -> Result<Vec<u8>, E>,
    ) -> Result<Standing, E> {
        let signed = self
            .chains
            .get(chain)
            .and_then(|chain| chain.signed.as_ref());
        let size = signed.map_or(0, |signed| signed.frontier.size());
        let Some(further) = next_seq.checked_sub(size) else {
            return Ok(Standing::Truncated {
                signed: size,
                have: next_seq,
            });
        };
        let Some((signed, last)) = signed.zip(size.checked_sub(1)) else {
            return Ok(Standing::Same { further });
        };
        Ok(if leaf_hash(&line_at(last)?) == signed.last_line {
            Standing::Same { further }
        } else {
            Standing::Differs { size }
        })
    }

    /// A check of all of a chain's lines against what was published of it.
    pub fn lines_check(&self, chain: &str) -> Result<LinesCheck, NotaryError> {
        let signed = self
            .chains
            .get(chain)
            .and_then(|chain| chain.signed.as_ref());
        let frontier = signed.map(|signed| &signed.frontier);
        let frontier = frontier.ok_or_else(|| NotaryError::NoChain(chain.to_owned()))?;
        Ok(LinesCheck::new(frontier.size(), frontier.root()))
    }

    /// A chain as it stands in this log; one that only a log before it had is not published.
    fn signed(&self, chain: &str) -> Result<&ChainRecord, NotaryError> {
        self.usable()?;
        let known = self.chains.get(chain);
        let signed = known.and_then(|chain| chain.signed.as_ref());
        signed
            .filter(|signed| signed.leaf.is_some())
            .ok_or_else(|| NotaryError::NoChain(chain.to_owned()))
    }

    fn sign_tenant(
        &self,
        signed: &ChainRecord,
        size: u64,
        root: Hash,
    ) -> Result<SignedCheckpoint, NotaryError> {
        let origin = Origin::tenant(self.deployment, signed.opaque_id);
        Ok(self.sign(Checkpoint { origin, size, root })?)
    }
}

fn damaged(why: &impl ToString) -> NotaryError {
    let what = format!("the kept hashes of the host log: {}", why.to_string());
    StoreError::Damaged(what).into()
}

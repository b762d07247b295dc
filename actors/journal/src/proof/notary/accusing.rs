//! What witnesses hold against the log. It is kept beside what is signed, so no restart takes it back.

use super::super::note::VerifierKey;
use super::super::store::Accusation;
use super::{Notary, NotaryError};

impl Notary {
    /// What a witness holds against this log: until it cosigns it, or another log is begun.
    pub fn accusation_of(&self, witness: &VerifierKey) -> Option<&Accusation> {
        let mut accusations = self.accusations.iter();
        accusations.find(|known| known.key == *witness)
    }

    /// Keeps what a witness holds against this log, in place of what it held before. It is durable
    /// then.
    pub fn accuse(&mut self, accusation: Accusation) -> Result<(), NotaryError> {
        self.usable()?;
        let known = self.accusation_of(&accusation.key);
        if known.is_some_and(|known| (known.size, known.seen) == (accusation.size, accusation.seen))
        {
            return Ok(());
        }
        self.store
            .commit(|change| change.put_accusation(&accusation))?;
        self.accusations.retain(|known| known.key != accusation.key);
        self.accusations.push(accusation);
        Ok(())
    }

    /// Lets go of what was held against this log by those who are not asked any more.
    pub fn dismiss_all_but(&mut self, asked: &[&VerifierKey]) -> Result<(), NotaryError> {
        let accusers = self.accusations.iter().map(|known| known.key.clone());
        let gone: Vec<_> = accusers.filter(|key| !asked.contains(&key)).collect();
        gone.iter().try_for_each(|key| self.withdraw(key))
    }

    /// A witness holds nothing against this log any more.
    pub(super) fn withdraw(&mut self, witness: &VerifierKey) -> Result<(), NotaryError> {
        if self.accusation_of(witness).is_none() {
            return Ok(());
        }
        self.usable()?;
        self.store
            .commit(|change| change.remove_accusation(witness))?;
        self.accusations.retain(|known| known.key != *witness);
        Ok(())
    }
}

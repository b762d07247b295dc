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
        self.failed = true;
        self.accusations.retain(|known| known.key != accusation.key);
        let row = accusation.clone();
        self.accusations.push(accusation);
        self.commit_sealed(self.head(), |change| change.put_accusation(&row))?;
        self.failed = false;
        Ok(())
    }

    /// Lets go of what was held against this log by those who are not asked any more.
    pub fn dismiss_all_but(&mut self, asked: &[&VerifierKey]) -> Result<(), NotaryError> {
        let accusers = self.accusations.iter().map(|known| known.key.clone());
        let gone: Vec<_> = accusers.filter(|key| !asked.contains(&key)).collect();
        self.withdraw(&gone)
    }

    /// These witnesses hold nothing against this log any more.
    pub(super) fn withdraw(&mut self, witnesses: &[VerifierKey]) -> Result<(), NotaryError> {
        if witnesses
            .iter()
            .all(|key| self.accusation_of(key).is_none())
        {
            return Ok(());
        }
        self.usable()?;
        self.failed = true;
        self.accusations
            .retain(|known| !witnesses.contains(&known.key));
        self.commit_sealed(self.head(), |change| {
            let mut gone = witnesses.iter();
            gone.try_for_each(|key| change.remove_accusation(key))
        })?;
        self.failed = false;
        Ok(())
    }
}

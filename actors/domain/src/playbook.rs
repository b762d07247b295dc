//! What to propose for which verdict. A playbook is checked data: conditions, and up to three steps
//! that are carried out in order. It has no loops, no expressions, and no way to name a target: that
//! is the alert's device id, always.

mod definition;
mod section;

mod ability;
mod system_path;

mod assets;
mod builtin;

use crate::{
    action::{Draft, target_urn},
    alert::Alert,
    digest::Digest,
    triage::Verdict,
};

pub use self::{
    ability::{parameters, possible},
    assets::{ASSET_PATTERNS_MAX, Assets, Protection},
    builtin::builtin,
    definition::{PLAYBOOK_MAX_BYTES, Playbook, STEPS_MAX},
    system_path::is_vital_process,
};

/// How many playbooks there may be.
pub const PLAYBOOKS_MAX: usize = 64;

/// Every playbook in force, in the order in which they are asked.
#[derive(Clone, Debug)]
pub struct Playbooks {
    playbooks: Vec<Playbook>,
    digest: Digest,
}

/// What a proposal is about.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The alert.
    pub alert: &'a Alert,
    /// What it is held to be.
    pub verdict: Verdict,
    /// ATT&CK tactics of the alert and its rules (`credential-access`).
    pub tactics: &'a [String],
    /// ATT&CK techniques of the alert and its rules (`T1003.001`).
    pub techniques: &'a [String],
}

/// Something is wrong with a playbook, or with all of them together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {message}")]
pub struct PlaybookError {
    /// The file, or `playbooks` where none is to blame alone.
    pub origin: String,
    /// What, with the key.
    pub message: String,
}

impl Playbooks {
    /// Reads and checks playbooks, given as name and text. All of them are sound, or none is taken.
    ///
    /// # Errors
    /// Everything that is wrong with any of them.
    pub fn compile(sources: &[(String, String)]) -> Result<Self, Vec<PlaybookError>> {
        let mut errors = Vec::new();
        let mut blame = |origin: &str, message: String| {
            errors.push(PlaybookError {
                origin: origin.to_owned(),
                message,
            });
        };
        let mut playbooks: Vec<(&str, Playbook)> = Vec::new();
        if sources.len() > PLAYBOOKS_MAX {
            blame("playbooks", format!("more than {PLAYBOOKS_MAX}"));
        }
        for (name, text) in sources.iter().take(PLAYBOOKS_MAX) {
            match Playbook::read(text) {
                Ok(playbook) => playbooks.push((name, playbook)),
                Err(faults) => faults.into_iter().for_each(|fault| blame(name, fault)),
            }
        }
        for (at, (name, playbook)) in playbooks.iter().enumerate() {
            let id = playbook.id();
            let earlier = playbooks.iter().take(at).find(|(_, one)| one.id() == id);
            if let Some((other, _)) = earlier {
                blame(name, format!("id: {id} is taken by {other}"));
            }
        }
        if errors.is_empty() {
            Ok(Self::of(
                playbooks.into_iter().map(|(_, one)| one).collect(),
            ))
        } else {
            Err(errors)
        }
    }

    fn of(mut playbooks: Vec<Playbook>) -> Self {
        playbooks.sort_by(|one, other| {
            let by_priority = other.priority().cmp(&one.priority());
            by_priority.then_with(|| one.id().cmp(other.id()))
        });
        let digests: Vec<Digest> = playbooks.iter().map(Playbook::digest).collect();
        let parts: Vec<&[u8]> = digests.iter().map(|digest| digest.0.as_slice()).collect();
        Self {
            digest: Digest::of_parts(&parts),
            playbooks,
        }
    }

    /// The digest of all of them; it changes with any of their texts.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// All of them, in the order in which they are asked: highest priority first, then by id.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Playbook> {
        self.playbooks.iter()
    }

    /// What to propose: the steps of the first playbook whose conditions hold and whose steps are all
    /// possible for this alert, in order. Nothing where there is none, where the verdict is below
    /// [`Verdict::High`], or where the alert names no device.
    pub fn propose(&self, case: &Case<'_>, assets: &Assets) -> Vec<Draft> {
        let device = case.alert.device.id.as_deref();
        let Some(target) = device.and_then(|id| target_urn(case.alert.vendor, id)) else {
            return Vec::new();
        };
        let drafts = self
            .playbooks
            .iter()
            .filter(|playbook| playbook.applies_to(case))
            .find_map(|playbook| playbook.drafts(case.alert, &target));
        let mut drafts = drafts.unwrap_or_default();
        let protected = assets.of(case.alert).map(|why| why.to_string());
        for draft in &mut drafts {
            draft.protected.clone_from(&protected);
        }
        drafts
    }

    /// Whether something else might be proposed if the alert were complete: a playbook's conditions hold,
    /// and the alert leaves out its device, or the process or threat that the playbook would act on.
    pub fn want_more(&self, case: &Case<'_>) -> bool {
        let alert = case.alert;
        let mut applying = self
            .playbooks
            .iter()
            .filter(|playbook| playbook.applies_to(case));
        let Some(device) = alert.device.id.as_deref() else {
            return applying.next().is_some();
        };
        let Some(target) = target_urn(alert.vendor, device) else {
            return false;
        };
        applying
            .take_while(|playbook| playbook.drafts(alert, &target).is_none())
            .any(|playbook| playbook.lacks_an_object(alert))
    }
}

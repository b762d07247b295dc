//! How things stand outside of the machine when an action is to begin, and the signing of what is ordered.

use vyrox_domain::{
    action::{
        ActionManifest,
        jws::{ActionKey, Approval, Expected, sign, verify},
    },
    containment::{ActOrdered, ClaimMade, Gate, Manner, Order},
    protocol::{Decide, NotDecided, PolicySaid, Verb},
    tenant::TenantState,
    vendor::Vendor,
};

use super::super::Machine;

/// Who ordered what, and why that counts.
pub(super) struct Ordered {
    pub(super) manifest: ActionManifest,
    pub(super) approval: Approval,
    pub(super) by: String,
    pub(super) policy: PolicySaid,
    pub(super) claim: Option<ClaimMade>,
}

impl Machine {
    /// How things stand for an action at this vendor's.
    pub(super) fn gate(&self, vendor: Vendor, rehearsal: bool) -> Gate {
        let world = &self.parts.world;
        let keyring = world.keyring.load();
        let keys = keyring.tenant(self.name().as_str());
        let equipped =
            world.outside.edrs.is_some() && keys.is_some_and(|keys| keys.edr.contains_key(&vendor));
        let manner = if rehearsal || world.settings.dry_run {
            Manner::DryRun
        } else if equipped {
            Manner::Live
        } else {
            Manner::NoCredentials
        };
        Gate {
            halted: keyring.halted || keys.is_some_and(|keys| keys.halted),
            unproven: world.integrity.bars(self.name().as_str()),
            manner,
            limits: world.settings.containment,
        }
    }

    /// Why a yes would come to nothing now, so that nobody goes home believing that it is done. What is over,
    /// or would only take something back, is not barred.
    pub(in crate::tenant) fn in_vain(
        &self,
        state: &TenantState,
        decide: &Decide,
    ) -> Option<NotDecided> {
        let world = &self.parts.world;
        let counts = decide.verb != Verb::Deny && decide.person.is_some();
        if !counts || !world.integrity.bars(self.name().as_str()) {
            return None;
        }
        let named = state
            .proposals
            .named(decide.alert_id, decide.shown.as_deref());
        let proposed = named.ok().filter(|proposed| proposed.is_waiting())?;
        let manifest = &proposed.manifest;
        let stands = world.now() <= manifest.expires_at_ms && manifest.release.is_none();
        stands.then_some(NotDecided::Unproven)
    }

    /// What is wrong with a signed manifest, now.
    pub(super) fn flaw(&self, jws: &str) -> Option<String> {
        let world = &self.parts.world;
        let keyring = world.keyring.load();
        let keys = keyring.tenant(self.name().as_str());
        let seed = keys.and_then(|keys| keys.action_seed.as_ref());
        let own = seed.map(|seed| ActionKey::from_seed(seed.expose()).public());
        let own: Vec<_> = own.into_iter().collect();
        let policy = world.policies.load().digest();
        let expected = Expected {
            tenant: self.name(),
            keys: &own,
            policy_sha256: Some(&policy),
            now: world.now(),
        };
        verify(jws, &expected).err().map(|error| error.to_string())
    }

    /// Signs what was ordered.
    ///
    /// # Errors
    /// Why it cannot be signed, in our words.
    pub(super) fn order(&self, ordered: Ordered) -> Result<Box<Order>, String> {
        let Ordered {
            manifest,
            approval,
            by,
            policy,
            claim,
        } = ordered;
        let keyring = self.parts.world.keyring.load();
        let keys = keyring.tenant(self.name().as_str());
        let seed = keys.and_then(|keys| keys.action_seed.as_ref());
        let seed = seed.ok_or("the tenant has no key to sign actions with")?;
        let key = ActionKey::from_seed(seed.expose());
        let jws = sign(&key, &manifest, &approval).map_err(|error| error.to_string())?;
        let manifest_sha256 = manifest.digest().map_err(|error| error.to_string())?;
        Ok(Box::new(Order {
            gate: self.gate(manifest.vendor, manifest.dry_run),
            flaw: self.flaw(&jws),
            ordered: ActOrdered {
                manifest,
                manifest_sha256,
                jws,
                by,
                policy,
                claim,
            },
        }))
    }
}

//! Short alerts, completed through the vendor's API before anything is proposed. The verdict waits for that,
//! within bounds of time and number; whatever goes wrong, it is recorded as if nobody had been asked. After a
//! fall stage 1 is asked about the alert again, as about any other without a verdict.

use std::{collections::HashMap, sync::Arc};

use actix::Handler;
use vyrox_domain::{
    alert::Alert,
    ids::AlertId,
    playbook::Playbooks,
    protocol::{Enriched, Evidence, EvidenceKind},
    triage::{Band, Verdict},
};
use vyrox_supervision::{Handle, SupervisedContext};

use super::{Machine, cases::Word};
use crate::{
    edr_adapter::EdrAdapter,
    messages::{FullAlert, LookUp, LookedUp},
};

/// Verdicts that wait at once; one more is recorded as it is.
const WAITING_MAX: usize = 64;
/// Looks, about one a second, after which an answer counts as lost: the adapter gives one within ten.
const PATIENCE: u32 = 11;

/// Verdicts that wait for the rest of their alerts.
pub(super) type Enriching = HashMap<AlertId, Waiting>;

pub(super) struct Waiting {
    word: Word,
    /// How often the machine has looked for an answer since.
    sweeps: u32,
}

/// What a vendor's API added to an alert.
pub(super) struct Added {
    pub(super) enriched: Enriched,
    /// The vendor's answer as it came.
    pub(super) body: Vec<u8>,
}

impl Machine {
    /// Somebody has the last word on an alert. It is recorded at once, or once the vendor has been asked for
    /// what the alert leaves out.
    pub(super) fn settled(&mut self, word: Word, ctx: &SupervisedContext<Self>) {
        let asked = self
            .question(&word, ctx)
            .is_some_and(|(adapter, question)| {
                // Without room for the question there is none.
                adapter.try_cast(question).is_ok()
            });
        if asked {
            let waiting = Waiting { word, sweeps: 0 };
            self.enriching.insert(waiting.word.alert_id(), waiting);
        } else {
            self.record(word, None, ctx);
        }
    }

    /// What to ask whom, where something would be proposed if the alert said more.
    fn question(
        &self,
        said: &Word,
        ctx: &SupervisedContext<Self>,
    ) -> Option<(Handle<EdrAdapter>, LookUp)> {
        let (assessment, tactics) = said.said();
        // What stage 2 is still to be asked about has no last word yet.
        let open = said.is_of_stage1() && assessment.band == Band::Stage2;
        let too_low = assessment.verdict.rank() < Verdict::High.rank();
        if open || too_low || self.enriching.len() >= WAITING_MAX {
            return None;
        }
        let alert = said.alert()?;
        let world = &self.parts.world;
        let keyring = world.keyring.load();
        let keys = keyring.tenant(self.name().as_str())?;
        if world.outside.edrs.is_none() || !keys.edr.contains_key(&alert.vendor) {
            return None;
        }
        let adapter = self.parts.adapters.get(alert.vendor)?;
        let facts = self.facts((assessment, tactics), alert);
        let more = self.ask_playbooks((alert, assessment.verdict), &facts, Playbooks::want_more);
        let question = LookUp {
            alert_id: said.alert_id(),
            vendor_alert_id: alert.vendor_alert_id.clone(),
            machine: ctx.handle(),
        };
        more.then_some((adapter, question))
    }

    /// Goes on without the answers that were lost; called about once a second.
    pub(super) fn sweep_enriching(&mut self, ctx: &SupervisedContext<Self>) {
        for waiting in self.enriching.values_mut() {
            waiting.sweeps = waiting.sweeps.saturating_add(1);
        }
        let lost = self.enriching.extract_if(|_, it| it.sweeps > PATIENCE);
        let lost: Vec<Waiting> = lost.map(|(_, waiting)| waiting).collect();
        for waiting in lost {
            self.record(waiting.word, None, ctx);
        }
    }
}

/// The alert with what the vendor's answer adds to it; `None` where that is nothing, or contradicts it.
fn complete(short: &Alert, full: FullAlert) -> Option<(Alert, Added)> {
    let alert = short.completed(&full.alert)?;
    if alert == *short {
        return None;
    }
    let enriched = Enriched {
        device_id: alert.device.id.clone(),
        host: alert.device.hostname.clone(),
        evidence: Evidence {
            kind: EvidenceKind::Enriched,
            sha256: full.sha256,
            length: full.body.len() as u64,
            at_seq: None,
        },
    };
    let body = full.body;
    Some((alert, Added { enriched, body }))
}

impl Handler<LookedUp> for Machine {
    type Result = ();

    fn handle(&mut self, LookedUp { alert_id, found }: LookedUp, ctx: &mut Self::Context) {
        // It may have come too late, or to a machine that has begun anew.
        let Some(Waiting { mut word, .. }) = self.enriching.remove(&alert_id) else {
            return;
        };
        let completed = word
            .alert()
            .zip(found)
            .and_then(|(short, full)| complete(short, full));
        let added = completed.map(|(alert, added)| {
            word.put_alert(Arc::new(alert));
            added
        });
        self.record(word, added, ctx);
    }
}

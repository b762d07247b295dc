//! One entry after the other becomes rows.

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
    sync::Arc,
};

use vyrox_domain::{
    digest::Digest,
    entry::Recorded,
    ids::{AlertId, HOST_CHAIN, TenantId},
    protocol::{AlertReceived, Event},
    tenant::{SNAPSHOT_VERSION, TenantState, replay},
};
use vyrox_journal::{
    Committed, Head,
    projection::{Batch, Put},
};

use super::{ProjectError, ProjectorParts, branch::is_of_the_chain, disown, read_chain, write};
use crate::{
    claims::{self, Row},
    held,
    views::AlertView,
};

/// The most tenants whose state is kept in memory between batches.
const STATES_MAX: usize = 4096;

/// The most missed entries that share a transaction with the next one. What lacks more is read on by itself.
const AT_ONCE: u64 = 1024;

/// The fold with its working memory.
pub(super) struct Fold {
    parts: ProjectorParts,
    states: HashMap<Arc<str>, TenantState>,
    /// Chains whose state is newer than their snapshot, with the hash of the last entry in it.
    dirty: HashMap<Arc<str>, [u8; 32]>,
    /// Chains with an entry that could not be folded.
    stuck: HashSet<Arc<str>>,
    /// Chains that went on otherwise than the projections have it, or far beyond it.
    astray: HashSet<Arc<str>>,
}

/// What one transaction will hold; later entries see the rows of earlier ones here.
#[derive(Default)]
struct Working {
    views: HashMap<(Arc<str>, AlertId), AlertView>,
    claims: HashMap<(Arc<str>, Digest), (Vec<Row>, u64)>,
    applied: HashMap<Arc<str>, Head>,
}

impl Fold {
    pub(super) fn new(parts: &ProjectorParts) -> Self {
        Self {
            parts: parts.clone(),
            states: HashMap::new(),
            dirty: HashMap::new(),
            stuck: HashSet::new(),
            astray: HashSet::new(),
        }
    }

    /// Folds entries in, in one transaction. What is in the projections already is passed over. A
    /// chain with an entry that cannot be folded stands still; the others go on.
    pub(super) fn apply(&mut self, entries: &[Arc<Committed>]) -> Result<(), ProjectError> {
        let mut working = Working::default();
        for entry in entries {
            if self.stuck.contains(&entry.chain) || self.astray.contains(&entry.chain) {
                continue;
            }
            if let Err(why) = self.one(entry, &mut working) {
                self.parts.progress.stick(&entry.chain, &why);
                self.states.remove(&entry.chain);
                self.stuck.insert(Arc::clone(&entry.chain));
            }
        }
        let mut batch = Batch::default();
        for ((chain, alert_id), view) in working.views {
            let value = serde_json::to_vec(&view).map_err(|e| ProjectError::new(&chain, &e))?;
            let received_ms = view.received_at_ms.ms();
            let alert_id = *alert_id.0.as_bytes();
            batch.puts.push(Put::Alert {
                chain,
                alert_id,
                received_ms,
                value,
            });
        }
        for ((chain, key), (rows, expires_ms)) in working.claims {
            let value = claims::encode(&rows);
            batch.puts.push(Put::Claim {
                chain,
                key: key.0,
                value,
                expires_ms,
            });
        }
        batch.applied = working.applied.into_iter().collect();
        write(&self.parts.projections, &self.parts.progress, &batch)?;
        let gone_on = batch.applied.iter().map(|(chain, _)| chain);
        let gone_on = gone_on.filter(|chain| !self.stuck.contains(*chain));
        self.parts.progress.go_on(gone_on);
        if self.states.len() > STATES_MAX {
            self.checkpoint()?;
            self.states.clear();
        }
        Ok(())
    }

    /// Writes the snapshots of what changed and makes everything durable.
    pub(super) fn checkpoint(&mut self) -> Result<(), ProjectError> {
        let mut batch = Batch::default();
        for (chain, hash) in std::mem::take(&mut self.dirty) {
            let Some(state) = self.states.get(&chain) else {
                continue;
            };
            let Some(seq) = state.next_seq.checked_sub(1) else {
                continue;
            };
            let value = serde_json::to_vec(state).map_err(|e| ProjectError::new(&chain, &e))?;
            batch.puts.push(Put::Snapshot {
                chain,
                version: SNAPSHOT_VERSION,
                at: Head { seq, hash },
                value,
            });
        }
        write(&self.parts.projections, &self.parts.progress, &batch)?;
        self.parts
            .projections
            .checkpoint()
            .map_err(|e| ProjectError::new("all", &e))
    }

    fn one(&mut self, entry: &Committed, working: &mut Working) -> Result<(), String> {
        let applied = match working.applied.get(&entry.chain) {
            Some(applied) => Some(*applied),
            None => self
                .parts
                .projections
                .stands_at(&entry.chain)
                .map_err(|e| e.to_string())?,
        };
        if applied.is_some_and(|applied| self.contradicts(entry, applied)) {
            self.astray.insert(Arc::clone(&entry.chain));
            return Ok(());
        }
        let applied = applied.map(|applied| applied.seq);
        if applied >= Some(entry.seq) {
            return Ok(());
        }
        let expected = applied.map_or(0, |applied| applied.saturating_add(1));
        if entry.seq.saturating_sub(expected) > AT_ONCE {
            self.astray.insert(Arc::clone(&entry.chain));
            return Ok(());
        }
        if entry.seq != expected {
            return self.fill(&entry.chain, (expected, entry.seq), working);
        }
        self.fold(entry, working)
    }

    /// Whether the chain went on from before the last entry that is in the projections: its end was lost, and
    /// other entries came in its place. As they come in order, one of them is at that place.
    fn contradicts(&self, entry: &Committed, applied: Head) -> bool {
        let (journal, chain) = (self.parts.journal.as_ref(), &entry.chain);
        if entry.hash != applied.hash && journal.hold(chain).is_some() {
            return false;
        }
        match entry.seq.cmp(&applied.seq) {
            Ordering::Equal => entry.hash != applied.hash,
            // At memory speed, for whatever is read again after an overrun comes here.
            Ordering::Less => journal
                .head(chain)
                .is_some_and(|head| head.seq <= applied.seq && head != applied),
            Ordering::Greater => {
                let is_next = entry.seq == applied.seq.saturating_add(1);
                !is_next && !is_of_the_chain(journal, chain, applied)
            }
        }
    }

    /// Makes anew what was made of entries that their chains have no more, and reads on what lacks many.
    pub(super) fn turn_back(&mut self) -> Result<(), ProjectError> {
        for chain in std::mem::take(&mut self.astray) {
            self.states.remove(&chain);
            self.dirty.remove(&chain);
            let parts = self.parts.clone();
            disown(&parts, &chain)?;
            let at = parts.projections.applied(&chain);
            let at = at.map_err(|error| ProjectError::new(&chain, &error))?;
            let from = at.map_or(0, |at| at.saturating_add(1));
            let head = parts.journal.head(&chain);
            if let Some(head) = head.filter(|head| head.seq >= from) {
                read_chain(&parts, self, &chain, (from, head.seq), &|_folded| {})?;
            }
        }
        Ok(())
    }

    /// Something between was missed: it is read from the chain, up to and with `to`.
    fn fill(
        &mut self,
        chain: &Arc<str>,
        (from, to): (u64, u64),
        working: &mut Working,
    ) -> Result<(), String> {
        tracing::warn!(
            chain = chain.as_ref(),
            from,
            to,
            "entries were missed; read from the chain"
        );
        let lines = self.parts.journal.read(chain, from, Some(to));
        for line in lines.map_err(|error| error.to_string())? {
            let line = line.map_err(|error| error.to_string())?;
            let missed = Committed {
                chain: Arc::clone(chain),
                seq: line.seq,
                hash: line.hash,
                line: line.bytes,
            };
            self.fold(&missed, working)?;
        }
        Ok(())
    }

    /// Folds the entry that is next in its chain.
    fn fold(&mut self, entry: &Committed, working: &mut Working) -> Result<(), String> {
        if entry.chain.as_ref() != HOST_CHAIN {
            let recorded = Recorded::parse(&entry.line).map_err(|error| error.to_string())?;
            let event = {
                let state = self.state(&entry.chain, entry.seq)?;
                replay(state, &recorded).map_err(|error| error.to_string())?
            };
            self.dirty.insert(Arc::clone(&entry.chain), entry.hash);
            self.rows(entry, event, &recorded, working)?;
        }
        let at = Head {
            seq: entry.seq,
            hash: entry.hash,
        };
        working.applied.insert(Arc::clone(&entry.chain), at);
        Ok(())
    }

    fn rows(
        &self,
        entry: &Committed,
        event: Event,
        recorded: &Recorded,
        working: &mut Working,
    ) -> Result<(), String> {
        let chain = &entry.chain;
        match event {
            Event::ChainOpened(_)
            | Event::SecretFallbackUsed(_)
            | Event::IntakeRejected(_)
            | Event::JournalRepaired(_)
            | Event::TakeoverIncomplete(_) => {}
            Event::AlertReceived { alert_id, received } => {
                let row = self.claim(entry, alert_id, &received, working)?;
                if let Some((key, rows)) = row {
                    let expires_ms = recorded
                        .timestamp_ms
                        .ms()
                        .saturating_add(self.parts.dedup_window_ms);
                    working
                        .claims
                        .insert((Arc::clone(chain), key), (rows, expires_ms));
                }
                let tenant: TenantId = held::owner(chain)
                    .parse()
                    .map_err(|_not_one| "the chain is no tenant's")?;
                let hash = Digest(entry.hash);
                let view = AlertView::received(tenant, alert_id, received, recorded, hash);
                working.views.insert((Arc::clone(chain), alert_id), view);
            }
            Event::EvidenceErased(erased) => {
                for alert_id in &erased.alerts {
                    if let Some(view) = self.view(chain, *alert_id, working)? {
                        view.lost_evidence(recorded);
                    }
                }
            }
            Event::NotifySent(sent) => {
                let state = self.states.get(chain);
                let incident = state.and_then(|state| state.incidents.get(sent.incident_id));
                let lead = incident.map(|incident| incident.lead_alert);
                if let Some(lead) = lead
                    && let Some(view) = self.view(chain, lead, working)?
                {
                    view.notified();
                }
            }
            event => {
                if let Some(alert_id) = recorded.alert_id
                    && let Some(view) = self.view(chain, alert_id, working)?
                {
                    view.happened(&event, recorded);
                }
            }
        }
        Ok(())
    }

    fn view<'w>(
        &self,
        chain: &Arc<str>,
        alert_id: AlertId,
        working: &'w mut Working,
    ) -> Result<Option<&'w mut AlertView>, String> {
        let key = (Arc::clone(chain), alert_id);
        if !working.views.contains_key(&key) {
            let stored = self.parts.projections.alert(chain, alert_id.0.as_bytes());
            let Some(bytes) = stored.map_err(|error| error.to_string())? else {
                return Ok(None);
            };
            let view = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
            working.views.insert(key.clone(), view);
        }
        Ok(working.views.get_mut(&key))
    }

    fn claim(
        &self,
        entry: &Committed,
        alert_id: AlertId,
        received: &AlertReceived,
        working: &mut Working,
    ) -> Result<Option<(Digest, Vec<Row>)>, String> {
        let Some(same) = claims::sameness_of(received) else {
            return Ok(None);
        };
        let key = claims::key(received.vendor, &received.vendor_alert_id);
        let mut rows =
            if let Some((rows, _)) = working.claims.remove(&(Arc::clone(&entry.chain), key)) {
                rows
            } else {
                // Expired or not: a row that is folded again must not lose its neighbours.
                let stored = self.parts.projections.claim(&entry.chain, &key.0, 0);
                stored
                    .map_err(|e| e.to_string())?
                    .map(|b| claims::decode(&b))
                    .unwrap_or_default()
            };
        claims::push(
            &mut rows,
            Row {
                same,
                alert_id,
                seq: entry.seq,
                hash: Digest(entry.hash),
            },
        );
        Ok(Some((key, rows)))
    }

    /// The tenant's state right before `seq`: in memory, else the snapshot and the chain since it.
    fn state(&mut self, chain: &Arc<str>, seq: u64) -> Result<&mut TenantState, String> {
        let known = self
            .states
            .get(chain)
            .is_some_and(|state| state.next_seq == seq);
        if !known {
            let state = self.load(chain, seq)?;
            self.states.insert(Arc::clone(chain), state);
        }
        self.states
            .get_mut(chain)
            .ok_or_else(|| "the state was just put there".to_owned())
    }

    fn load(&self, chain: &str, seq: u64) -> Result<TenantState, String> {
        let row = self
            .parts
            .projections
            .snapshot(chain)
            .map_err(|error| error.to_string())?;
        let row = row.filter(|row| {
            let is_before = row.version == SNAPSHOT_VERSION && row.at.seq < seq;
            is_before && is_of_the_chain(self.parts.journal.as_ref(), chain, row.at)
        });
        let mut state: TenantState = row
            .and_then(|row| serde_json::from_slice(&row.value).ok())
            .unwrap_or_default();
        let Some(last) = seq.checked_sub(1).filter(|last| state.next_seq <= *last) else {
            return Ok(state);
        };
        let lines = self.parts.journal.read(chain, state.next_seq, Some(last));
        for line in lines.map_err(|error| error.to_string())? {
            let line = line.map_err(|error| error.to_string())?;
            let recorded = Recorded::parse(&line.bytes).map_err(|error| error.to_string())?;
            replay(&mut state, &recorded).map_err(|error| error.to_string())?;
        }
        Ok(state)
    }
}

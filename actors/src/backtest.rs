//! What changed rules would have said: the alerts of the journal, judged once more from their evidence
//! and held against what stage 1 said of them at the time.
//!
//! A backtest changes nothing and writes nothing. It goes through one chain after the other, a chunk at
//! a time ([`Backtest::step`]), and whoever asked for it takes each chunk's words before the next one is
//! begun. What it holds at any time is bounded by construction: one line of a chain, the words of one
//! chunk, and the alerts whose verdict has not come up yet, of which the oldest goes when there are too
//! many ([`WAITING_MAX`], [`WAITING_MAX_BYTES`]).
//!
//! Only the word of stage 1 is compared. Where stage 2 was asked, its answer could not be had again.

mod chain;
mod comparison;
mod waiting;

#[cfg(test)]
mod tests;

use std::{collections::VecDeque, sync::Arc};

use serde::Serialize;
use vyrox_domain::{
    digest::Digest,
    ids::TenantId,
    playbook::{Assets, Playbooks},
    time::Timestamp,
    triage::Bands,
};
use vyrox_journal::Journal;
use vyrox_rules::RuleSet;

use self::{chain::Chain, comparison::Judge};
pub use self::{
    comparison::{Difference, Judgement, Tally},
    waiting::{WAITING_MAX, WAITING_MAX_BYTES},
};
use crate::{
    keyring::TenantKeys,
    ports::{Clock, World},
};

/// The most alerts that are judged in one chunk.
pub const CHUNK_ALERTS: u64 = 1_000;
/// The most entries that are read in one chunk.
pub const CHUNK_ENTRIES: u64 = 20_000;
/// The time after which a chunk ends in any case, in milliseconds.
const CHUNK_MS: u64 = 500;

/// What is asked.
pub struct Plan {
    /// The changed rules.
    pub rules: RuleSet,
    /// The changed playbooks, where they are to change as well.
    pub playbooks: Option<Playbooks>,
    /// Alerts from this moment on, by the time of their entry.
    pub since: Timestamp,
    /// Alerts up to this moment; up to the end of the chain where there is none.
    pub until: Option<Timestamp>,
    /// Whose, in the order in which they are worked off.
    pub tenants: Vec<Arc<TenantKeys>>,
    /// So many differences are told; more are counted.
    pub differences_max: u64,
}

/// What is there now, and is not changed.
pub struct Present {
    /// Where the chains and the evidence are.
    pub journal: Arc<dyn Journal>,
    /// What tells how long a chunk has taken.
    pub clock: Arc<dyn Clock>,
    /// Where the bands of stage 1 lie.
    pub bands: Bands,
    /// Machines that are special.
    pub assets: Assets,
    /// The playbooks in force.
    pub playbooks: Arc<Playbooks>,
}

impl Present {
    /// What is there in `world` at this moment.
    pub fn of(world: &World) -> Self {
        Self {
            journal: Arc::clone(&world.journal),
            clock: Arc::clone(&world.clock),
            bands: world.limits.bands,
            assets: world.assets.clone(),
            playbooks: world.playbooks.load_full(),
        }
    }
}

/// Something that a backtest tells, in the order of the chains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// How far it is.
    Progress(Progress),
    /// An alert would have been judged otherwise.
    Differs(Box<Difference>),
    /// A chain could not be read to its end; its later alerts are not in the count.
    Unread(Unread),
    /// It is over.
    Done(Summary),
}

/// How far a backtest is in the chain that it reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Whose chain.
    pub tenant: TenantId,
    /// Entries of it that were read.
    pub done: u64,
    /// Entries of it that there are to read.
    pub of: u64,
    /// Alerts of all chains so far.
    pub alerts: u64,
    /// Chains that come after this one.
    pub chains_left: usize,
}

/// A chain that broke off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// Whose.
    pub tenant_id: TenantId,
    /// Why.
    pub reason: String,
}

/// What it came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The counts.
    #[serde(flatten)]
    pub tally: Tally,
    /// The digest of the changed rules.
    pub rules_sha256: Digest,
}

/// A backtest under way. Dropping it ends it.
pub struct Backtest {
    present: Present,
    judge: Judge,
    span: Span,
    differences_max: u64,
    left: VecDeque<Arc<TenantKeys>>,
    open: Option<Chain>,
    tally: Tally,
    over: bool,
}

/// Which alerts are meant.
#[derive(Clone, Copy)]
struct Span {
    since: Timestamp,
    until: Option<Timestamp>,
}

impl Span {
    fn holds(self, at: Timestamp) -> bool {
        at >= self.since && !self.is_past(at)
    }

    fn is_past(self, at: Timestamp) -> bool {
        self.until.is_some_and(|until| at > until)
    }
}

impl Backtest {
    /// One that has not begun.
    pub fn new(present: Present, plan: Plan) -> Self {
        let after = plan.playbooks.map(Arc::new);
        Self {
            judge: Judge {
                rules: plan.rules,
                bands: present.bands,
                assets: present.assets.clone(),
                after: after.unwrap_or_else(|| Arc::clone(&present.playbooks)),
                before: Arc::clone(&present.playbooks),
            },
            present,
            span: Span {
                since: plan.since,
                until: plan.until,
            },
            differences_max: plan.differences_max,
            left: plan.tenants.into(),
            open: None,
            tally: Tally::default(),
            over: false,
        }
    }

    /// Whether everything has been said.
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// Works off one chunk and tells of it: at most [`CHUNK_ALERTS`] differences and a few words more.
    /// Blocks on the disk. Once it is over there is nothing more to tell.
    pub fn step(&mut self) -> Vec<Said> {
        if self.over {
            return Vec::new();
        }
        let mut said = Vec::new();
        let Some(mut chain) = self.open.take().or_else(|| self.next_chain(&mut said)) else {
            return said;
        };
        match self.work(&mut chain, &mut said) {
            Ok(true) => {
                said.push(Said::Progress(self.progress(&chain)));
                self.open = Some(chain);
            }
            Ok(false) => self.close(&chain, &mut said),
            Err(reason) => {
                self.close(&chain, &mut said);
                said.push(self.unread(chain.tenant().clone(), reason));
            }
        }
        said
    }

    /// The next chain that has entries. `None` where it cannot be opened, which is told, and where there
    /// is none more: then the end is told.
    fn next_chain(&mut self, said: &mut Vec<Said>) -> Option<Chain> {
        while let Some(keys) = self.left.pop_front() {
            let tenant = keys.tenant.clone();
            match Chain::open(self.present.journal.as_ref(), keys, self.span.since) {
                Ok(Some(chain)) => {
                    said.push(Said::Progress(self.progress(&chain)));
                    return Some(chain);
                }
                Ok(None) => {}
                Err(error) => {
                    said.push(self.unread(tenant, error.to_string()));
                    return None;
                }
            }
        }
        self.over = true;
        said.push(Said::Done(Summary {
            tally: self.tally.clone(),
            rules_sha256: self.judge.rules.digest(),
        }));
        None
    }

    /// Reads on in the chain; whether there is more of it.
    fn work(&mut self, chain: &mut Chain, said: &mut Vec<Said>) -> Result<bool, String> {
        let begun = self.present.clock.now();
        let alerts = self.tally.alerts;
        for _ in 0..CHUNK_ENTRIES {
            let journal = self.present.journal.as_ref();
            let Some(line) = chain.next_line()? else {
                return Ok(false);
            };
            let ready = chain.take(&line, (journal, self.span), &self.judge, &mut self.tally)?;
            if let Some((waited, triaged)) = ready {
                let compared = self.judge.compare(chain.tenant(), *waited, &triaged);
                let difference = self.tally.count(compared);
                let listed = self.tally.differs <= self.differences_max;
                let listed = difference.filter(|_| listed).map(Box::new);
                said.extend(listed.map(Said::Differs));
            }
            // Many a verdict may follow upon a storm's last alert, so words count like alerts.
            let told = u64::try_from(said.len()).unwrap_or(u64::MAX);
            let judged = self.tally.alerts.saturating_sub(alerts).max(told);
            if judged >= CHUNK_ALERTS || self.present.clock.now().distance_ms(begun) >= CHUNK_MS {
                return Ok(true);
            }
        }
        Ok(true)
    }

    fn close(&mut self, chain: &Chain, said: &mut Vec<Said>) {
        self.tally.undecided = self.tally.undecided.saturating_add(chain.undecided());
        said.push(Said::Progress(self.progress(chain)));
    }

    fn unread(&mut self, tenant_id: TenantId, reason: String) -> Said {
        tracing::warn!(%tenant_id, reason, "a backtest could not read a chain to its end");
        self.tally.chains_unread = self.tally.chains_unread.saturating_add(1);
        Said::Unread(Unread { tenant_id, reason })
    }

    fn progress(&self, chain: &Chain) -> Progress {
        let (done, of) = chain.progress();
        Progress {
            tenant: chain.tenant().clone(),
            done,
            of,
            alerts: self.tally.alerts,
            chains_left: self.left.len(),
        }
    }
}

//! Carries approved actions out at one vendor's API for one tenant, and reads their effect.
//!
//! Every [`Carry`] is answered with one [`ActReported`], whatever becomes of the call. What a generation
//! had in hand when it fell, the machine hands to the next one, which reads the vendor before anything
//! else: the machine knows whether it may still be sent. An action is driven once at a time, and a drive
//! that was reported is not driven again.

mod device;
mod driving;
mod ending;

mod looking_up;

mod ledger;
mod line;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    panic::AssertUnwindSafe,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use actix::{Actor, ActorFutureExt as _, AsyncContext as _, Handler, WrapFuture as _};
use futures_util::FutureExt as _;
use tokio::time::Instant;
use vyrox_domain::{
    action::jws::{ActionKey, ApprovalKind, Expected, JwsError, SignedAction, verify},
    containment::{ActReport, OutcomeKind},
    ids::{ActionId, TenantId},
    vendor::Vendor,
};
use vyrox_supervision::{Handle, SupervisedContext};

pub use self::driving::{Barred, Errand, Verify, drive};
use self::{
    ledger::{Entered, Ledger},
    line::{Line, Lines},
};
use crate::{
    edr::{Edr, EdrError, LineState},
    failpoint::{Step, reach},
    messages::{ActReported, Carry, EffectRead, LookAt},
    ports::World,
    tenant::Machine,
};

/// How often what waits is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Longer than a reading may take by its contract.
const READING_MAX: Duration = Duration::from_secs(40);
/// Readings for their own sake at once; the machine asks again.
const READINGS_MAX: usize = 16;

/// What an adapter is made of; the factory keeps it over all generations.
pub struct AdapterParts {
    world: Arc<World>,
    tenant: TenantId,
    vendor: Vendor,
    ledger: Ledger,
}

impl AdapterParts {
    /// Parts of a tenant's adapter for one vendor.
    pub fn new(world: Arc<World>, tenant: TenantId, vendor: Vendor) -> Self {
        Self {
            world,
            tenant,
            vendor,
            ledger: Ledger::default(),
        }
    }
}

/// The actor.
pub struct EdrAdapter {
    parts: Arc<AdapterParts>,
    lines: Lines,
    /// Actions that are read for their own sake.
    looking: BTreeSet<ActionId>,
    /// Reports for which the machine had no room.
    untold: VecDeque<(Handle<Machine>, ActReport)>,
}

/// A tenant's adapters, by vendor. More may come while the tenant is served.
#[derive(Clone, Default)]
pub struct Adapters(Arc<RwLock<BTreeMap<Vendor, Handle<EdrAdapter>>>>);

impl Adapters {
    /// The adapter for a vendor.
    pub fn get(&self, vendor: Vendor) -> Option<Handle<EdrAdapter>> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.get(&vendor).cloned()
    }

    /// All of them.
    pub fn all(&self) -> Vec<Handle<EdrAdapter>> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.values().cloned().collect()
    }

    pub(crate) fn put(&self, vendor: Vendor, adapter: Handle<EdrAdapter>) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(vendor, adapter);
    }
}

impl EdrAdapter {
    /// An adapter that has nothing in hand.
    pub fn new(parts: Arc<AdapterParts>) -> Self {
        Self {
            parts,
            lines: Lines::default(),
            looking: BTreeSet::new(),
            untold: VecDeque::new(),
        }
    }

    fn begin(&mut self, carry: Carry, ctx: &mut SupervisedContext<Self>) {
        let parts = Arc::clone(&self.parts);
        let line = match self.lines.open(&parts.world, &parts.tenant, parts.vendor) {
            Ok(line) => line,
            Err(why) => {
                let outcome = if carry.reconcile {
                    OutcomeKind::Unknown
                } else {
                    OutcomeKind::Unreachable
                };
                let report = unsent(&carry, outcome, why);
                return self.settle(carry.machine, report);
            }
        };
        let errand = Errand {
            action_id: carry.action_id,
            drive: carry.drive,
            manifest: carry.manifest.clone(),
            reference: carry.reference.clone(),
            reconcile: carry.reconcile,
            may_send: carry.may_send,
            landing: carry.landing,
        };
        let machine = carry.machine.clone();
        let driven = async move {
            let clock = Arc::clone(&parts.world.clock);
            let assets = parts.world.assets.clone();
            let used = Arc::clone(&line);
            let verify = move || approved(&parts, &carry, &used);
            drive(&errand, &*line, Arc::new(verify), (&*clock, &assets)).await
        };
        let done = driven
            .into_actor(self)
            .map(move |report, adapter, _| adapter.settle(machine, report));
        ctx.spawn(done);
    }

    /// It has come to this, and the machine has to know.
    fn settle(&mut self, machine: Handle<Machine>, report: ActReport) {
        self.parts.ledger.settle(&report);
        self.untold.push_back((machine, report));
        self.tell();
    }

    /// Reports what waits to be reported. What finds no room is reported later.
    fn tell(&mut self) {
        for (machine, report) in std::mem::take(&mut self.untold) {
            if machine.try_cast(ActReported(report.clone())).is_err() {
                self.untold.push_back((machine, report));
            }
        }
    }

    fn look(&mut self, wanted: LookAt, ctx: &mut SupervisedContext<Self>) {
        let LookAt {
            action_id,
            drive,
            why,
            manifest,
            reference,
            machine,
        } = wanted;
        if self.looking.len() >= READINGS_MAX || self.looking.contains(&action_id) {
            return;
        }
        let parts = &self.parts;
        let line = match self.lines.open(&parts.world, &parts.tenant, parts.vendor) {
            Ok(line) => line,
            Err(why) => {
                tracing::warn!(tenant = %parts.tenant, %action_id, why, "an action cannot be read");
                return;
            }
        };
        self.looking.insert(action_id);
        let read = async move {
            let reading = async { line.read(&manifest, reference.as_deref()).await };
            within(READING_MAX, reading).await
        };
        let done = read.into_actor(self).map(move |reading, adapter, _| {
            adapter.looking.remove(&action_id);
            // Without room it is lost: the machine looks again before long.
            let read = EffectRead {
                action_id,
                drive,
                why,
                reading,
            };
            machine.try_cast(read).ok();
        });
        ctx.spawn(done);
    }

    /// What it waits for, in words, for whoever looks at the tree.
    fn note(&self) -> Option<String> {
        let (drives, since) = self.parts.ledger.waiting();
        let LineState {
            breaker_open,
            in_flight,
            oldest_since,
        } = self.lines.state();
        if drives == 0 && in_flight == 0 && !breaker_open && self.untold.is_empty() {
            return None;
        }
        let mut said = Vec::new();
        let oldest = since.into_iter().chain(oldest_since).min();
        let now = self.parts.world.now();
        let for_s = oldest.map_or(0, |at| now.ms().saturating_sub(at.ms()) / 1000);
        if drives > 0 {
            said.push(format!("{drives} actions in hand"));
        }
        if in_flight > 0 {
            said.push(format!("{in_flight} calls open"));
        }
        if oldest.is_some() {
            said.push(format!("the oldest for {for_s} s"));
        }
        if breaker_open {
            said.push("breaker open".to_owned());
        }
        if !self.untold.is_empty() {
            said.push(format!("{} outcomes wait for room", self.untold.len()));
        }
        Some(said.join(", "))
    }
}

/// Proves the approval of an action, now.
fn approved(parts: &AdapterParts, carry: &Carry, line: &Line) -> Result<SignedAction, Barred> {
    let world = &parts.world;
    let keyring = world.keyring.load();
    let keys = keyring.tenant(parts.tenant.as_str());
    let own = keys.and_then(|keys| keys.action_seed.as_ref());
    let own = own.map(|seed| ActionKey::from_seed(seed.expose()).public());
    let own: Vec<_> = own.into_iter().collect();
    let policy = world.policies.load().digest();
    let expected = Expected {
        tenant: &parts.tenant,
        keys: &own,
        policy_sha256: Some(&policy),
        now: world.now(),
    };
    let action = verify(&carry.jws, &expected)?;
    if *action.manifest() != carry.manifest {
        return Err(JwsError::Digest.into());
    }
    let halted = keyring.halted || keys.is_some_and(|keys| keys.halted);
    let unproven = world.integrity.bars(parts.tenant.as_str());
    if unproven && !is_lifted_by_a_person(&action) {
        return Err(Barred::Unproven);
    }
    if halted && !is_lifted_by_a_person(&action) {
        return Err(Barred::Halted);
    }
    let credentials = keys.and_then(|keys| keys.edr.get(&parts.vendor));
    if !credentials.is_some_and(|keys| keys.permits(line.version(), world.now())) {
        return Err(Barred::CredentialGone);
    }
    let told = |generation| carry.machine.snapshot().generation != generation;
    if carry.waited_for.is_some_and(told) {
        return Err(Barred::CallerGone);
    }
    if Instant::now() >= carry.send_before {
        return Err(Barred::GivenUp);
    }
    Ok(action)
}

/// A person may take a containment back while everything else stands still; a service may not, nor a timer.
fn is_lifted_by_a_person(action: &SignedAction) -> bool {
    let by_person = match action.approval().kind {
        ApprovalKind::Chat | ApprovalKind::PersonalToken | ApprovalKind::BreakGlass => true,
        ApprovalKind::ExternalHmac | ApprovalKind::OnExpiry => false,
    };
    by_person && action.manifest().release.is_some()
}

/// The report of a drive that never began.
pub(crate) fn unsent(carry: &Carry, outcome: OutcomeKind, why: String) -> ActReport {
    ActReport {
        action_id: carry.action_id,
        drive: carry.drive,
        outcome,
        observed: None,
        reference: carry.reference.clone(),
        status: None,
        why: Some(why),
        sent: 0,
        reconciled: carry.reconcile,
    }
}

/// A question that ends, whatever the connector does.
async fn within<T>(
    limit: Duration,
    asked: impl Future<Output = Result<T, EdrError>>,
) -> Result<T, EdrError> {
    let asked = AssertUnwindSafe(asked).catch_unwind();
    let lost = |why: &str| EdrError::Ambiguous {
        status: None,
        why: why.to_owned(),
    };
    match tokio::time::timeout(limit, asked).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_panic)) => Err(lost("the connector broke")),
        Err(_elapsed) => Err(lost("no answer in time")),
    }
}

impl Actor for EdrAdapter {
    type Context = SupervisedContext<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(LOOK, |adapter, ctx| {
            adapter.tell();
            ctx.set_note(adapter.note());
        });
        self.parts.ledger.forget_open();
    }
}

impl Handler<Carry> for EdrAdapter {
    type Result = ();

    fn handle(&mut self, carry: Carry, ctx: &mut Self::Context) {
        reach(Step::CarryHanded);
        match self.parts.ledger.enter(&carry, self.parts.world.now()) {
            Entered::New => self.begin(carry, ctx),
            Entered::Held => {}
            Entered::Done(report) => {
                self.untold.push_back((carry.machine, *report));
                self.tell();
            }
        }
    }
}

impl Handler<LookAt> for EdrAdapter {
    type Result = ();

    fn handle(&mut self, wanted: LookAt, ctx: &mut Self::Context) {
        self.look(wanted, ctx);
    }
}

#[cfg(test)]
mod tests {
    use vyrox_domain::action::Release;

    use super::{
        driving::tests::{manifest, signed_by},
        *,
    };

    /// A halt let every release pass that no timer had begun, and with it those that a service signed: one
    /// that had been taken over could let all hosts go while people had stopped everything.
    #[test]
    fn while_all_is_halted_people_let_hosts_go_and_nobody_else_does() {
        let containment = manifest();
        let mut release = manifest();
        release.release = Some(Release { of: None });
        for (kind, lets_go) in [
            (ApprovalKind::Chat, true),
            (ApprovalKind::PersonalToken, true),
            (ApprovalKind::BreakGlass, true),
            (ApprovalKind::ExternalHmac, false),
            (ApprovalKind::OnExpiry, false),
        ] {
            let of = |manifest| is_lifted_by_a_person(&signed_by(kind, manifest));
            assert_eq!(
                (of(&release), of(&containment)),
                (lets_go, false),
                "{kind:?}"
            );
        }
    }
}

//! A tenant's actors, started: those first that others lean on.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, AtomicU64},
    },
    time::Duration,
};

use actix::ArbiterHandle;
use arc_swap::ArcSwapOption;
use vyrox_domain::{
    host_protocol::RepairOrdered, ids::TenantId, notice::Notice, review::DailyBudget,
    vendor::Vendor,
};
use vyrox_supervision::{
    Backoff, Group, Handle, Lane, Overflow, Policy, Spec, Strategy, SupervisedContext,
};

use super::{Active, Pollers, Serving, Tenants, node};
use crate::{
    directory::Route,
    edr_adapter::{AdapterParts, Adapters, EdrAdapter},
    keyring::TenantKeys,
    messages::RecordReport,
    notifier::{Notifier, Report, Setup},
    reviewer::{ReviewLimits, Reviewer, ReviewerParts},
    tenant::{Machine, MachineParts},
    triage_engine::TriageEngine,
};

/// Bad messages that each of a tenant's actors keeps; bodies of requests are among them.
const LETTERS: usize = 16;

/// Reviews that wait for a call; the others fall back at once.
const REVIEWS_WAITING: usize = 32;

impl Tenants {
    pub(super) fn serve(
        &mut self,
        keys: &Arc<TenantKeys>,
        probe: u32,
        ctx: &mut SupervisedContext<Self>,
    ) -> Route {
        let tenant = keys.tenant.clone();
        let node = node(&tenant);
        // Its time is over: a probe has drained it, or an earlier generation of this actor left it behind.
        self.tree.remove(&format!("{node}/intake_writer"));
        let supervisor = self.tree.supervisor(&self.supervision_of(&node));
        let arbiter = self.arbiters.of(&tenant);
        let triage = {
            let world = Arc::clone(&self.world);
            let spec = Spec::new(format!("{node}/triage_engine"), "triage_engine").under(&node);
            let make = move |_| TriageEngine::new(Arc::clone(&world));
            self.tree
                .supervise(spec.policy(self.policy()), &arbiter, make)
        };
        let (owed, loaded_at_ms) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let under_way = Arc::<ArcSwapOption<Notice>>::default();
        let reviewer = self.reviewer(&node, &arbiter);
        // The notifier reports to the machine, and the machine tells the notifier: one of them has to be
        // there first.
        let to_machine = Arc::<OnceLock<Handle<Machine>>>::default();
        let notifier = self.notifier(&tenant, &node, &to_machine);
        let adapters = Adapters::default();
        self.equip(keys, &adapters);
        let machine = {
            let parts = Arc::new(MachineParts {
                world: Arc::clone(&self.world),
                keys: Arc::clone(keys),
                triage: triage.clone(),
                reviewer: reviewer.clone(),
                notifier: notifier.clone(),
                adapters: adapters.clone(),
                tenants: ctx.handle(),
                owed: Arc::clone(&owed),
                loaded_at_ms: Arc::clone(&loaded_at_ms),
                under_way: Arc::clone(&under_way),
                repair: self.repair_of(&tenant),
            });
            let spec = Spec::new(format!("{node}/machine"), "machine").under(&node);
            let make = move |_| Machine::new(Arc::clone(&parts));
            self.tree
                .supervise(spec.policy(self.policy()), &arbiter, make)
        };
        // Nobody else fills it.
        to_machine.set(machine.clone()).ok();
        self.lives = self.lives.saturating_add(1);
        let serving = Serving {
            supervisor,
            machine,
            triage,
            reviewer,
            notifier,
            adapters,
            pollers: Pollers::default(),
            owed,
            life: self.lives,
            probe: Arc::new(AtomicU32::new(probe)),
            loaded_at_ms,
            under_way,
        };
        self.watch(&tenant, &serving, ctx);
        let route = Route::Machine(serving.machine.clone());
        let known = Some(serving.clone());
        self.directory.put(tenant.clone(), route.clone(), known);
        self.active.insert(tenant, Active::Serving(serving));
        route
    }

    /// The last order to repair the tenant's chain.
    pub(super) fn repair_of(&self, tenant: &TenantId) -> Option<RepairOrdered> {
        self.view.load().tenants.get(tenant)?.repair.clone()
    }

    /// Starts an adapter for each vendor by whose API something could be done for the tenant, where there is
    /// none yet.
    pub(super) fn equip(&self, keys: &TenantKeys, adapters: &Adapters) {
        if self.world.outside.edrs.is_none() {
            return;
        }
        let (tenant, node) = (&keys.tenant, node(&keys.tenant));
        let arbiter = self.arbiters.of(tenant);
        let known =
            |vendor: &Vendor| keys.webhooks.contains_key(vendor) || keys.edr.contains_key(vendor);
        let vendors = Vendor::ALL.into_iter().filter(known);
        for vendor in vendors.filter(|vendor| *vendor != Vendor::Generic) {
            if adapters.get(vendor).is_some() {
                continue;
            }
            let world = Arc::clone(&self.world);
            let parts = Arc::new(AdapterParts::new(world, tenant.clone(), vendor));
            let spec = Spec::new(format!("{node}/edr/{vendor}"), "edr_adapter").under(&node);
            let make = move |_| EdrAdapter::new(Arc::clone(&parts));
            let adapter = self
                .tree
                .supervise(spec.policy(self.policy()), &arbiter, make);
            adapters.put(vendor, adapter);
        }
    }

    /// Each of a tenant's actors restarts alone; their falls count together.
    fn supervision_of(&self, node: &str) -> Group {
        let limits = &self.world.limits;
        Group::new(node, "tenant")
            .under("tenants")
            .strategy(Strategy::OneForOne)
            .bears(limits.intensity, Duration::from_millis(limits.period_ms))
    }

    /// Stage 2, where a model is configured.
    fn reviewer(&self, node: &str, arbiter: &ArbiterHandle) -> Option<Handle<Reviewer>> {
        let llm = self.world.outside.llm.clone()?;
        let clock = Arc::clone(&self.world.clock);
        // Fewer than are answered within the machine's patience.
        let limits = ReviewLimits {
            queue: REVIEWS_WAITING,
            ..self.world.settings.review
        };
        // How many calls a day may have stands in the chain, and the machine counts them there.
        let budget = DailyBudget::new(u32::MAX, 0, self.world.now());
        let parts = Arc::new(ReviewerParts::new(llm, clock, limits, budget));
        let spec = Spec::new(format!("{node}/reviewer"), "reviewer").under(node);
        let make = move |_| Reviewer::new(Arc::clone(&parts));
        Some(
            self.tree
                .supervise(spec.policy(self.policy()), arbiter, make),
        )
    }

    /// Who tells people, where there is a way to.
    fn notifier(
        &self,
        tenant: &TenantId,
        node: &str,
        to_machine: &Arc<OnceLock<Handle<Machine>>>,
    ) -> Option<Handle<Notifier>> {
        let outside = &self.world.outside;
        let ways = outside.chat.is_some() || outside.pager.is_some() || outside.mailer.is_some();
        if !ways {
            return None;
        }
        let (world, name) = (Arc::clone(&self.world), tenant.clone());
        let channel = move || {
            let keyring = world.keyring.load();
            let chat = keyring.tenant(name.as_str())?.settings.chat.as_ref()?;
            Some(chat.channel_id.clone())
        };
        let to_machine = Arc::clone(to_machine);
        let report = move |report: Report| {
            if let Some(machine) = to_machine.get() {
                // A report that finds no room is made again: the machine still holds the incident untold,
                // and hands it over anew before long.
                machine.try_cast(RecordReport(report)).ok();
            }
        };
        let setup = Setup {
            tenant: tenant.clone(),
            clock: Arc::clone(&self.world.clock),
            chat: outside.chat.clone(),
            pager: outside.pager.clone(),
            mailer: outside.mailer.clone(),
            channel: Arc::new(channel),
            report: Arc::new(report),
            slas: self.world.settings.slas,
            page_high: self.world.settings.page_high,
            tally: Arc::clone(&self.world.told),
        };
        let spec = Spec::new(format!("{node}/notifier"), "notifier").under(node);
        let make = move |_| Notifier::new(setup.clone());
        let arbiter = self.arbiters.of(tenant);
        Some(
            self.tree
                .supervise(spec.policy(self.policy()), &arbiter, make),
        )
    }

    pub(super) fn policy(&self) -> Policy {
        let limits = &self.world.limits;
        let lane = |capacity| Lane {
            capacity,
            overflow: Overflow::Reject,
        };
        Policy {
            lanes: [lane(1024), lane(1024), lane(limits.tenant_queue)],
            intensity: limits.intensity,
            period: Duration::from_millis(limits.period_ms),
            backoff: Backoff {
                base: Duration::from_millis(limits.backoff_ms),
                max: Duration::from_millis(limits.backoff_max_ms),
                ..Policy::default().backoff
            },
            budget: limits.budget,
            slice: Duration::from_micros(limits.slice_us),
            dead_letters: LETTERS,
            ..Policy::default()
        }
    }
}

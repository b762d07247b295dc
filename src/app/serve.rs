//! The life of a server: doors open, signals, drain, end.

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc, time::Duration};

use actix_web::{App, HttpServer, dev::ServerHandle, middleware::ErrorHandlers, web::Data};
use anyhow::Context as _;
use tokio::task::JoinHandle;
use vyrox_actors::{
    journal::{Fault, Journal, Part},
    ports::World,
    projector::owing,
    registry::{NoteDamage, NoteQuarantine, NoteRecovery, NoteRules, NoteToken, Ready, Registry},
    router::{Activate, Tenants},
    supervision::{Exit, Handle, ShutdownReport},
};
use vyrox_domain::{
    host_protocol::{
        DamagedPart, HeldChain, JournalDamaged, JournalQuarantined, JournalRecovered, LogRead,
        TokenIssued,
    },
    ids::TenantId,
};

use super::{EndedAtOnce, RunOptions, Standing, faults, outside, rules, stand, tls};
use crate::{
    config::Config,
    http::{self, Edge, problem},
    shutdown::{Event, Signals},
};

/// Time for requests in hand to be answered, then for actors to finish what they took.
const DRAIN: Duration = Duration::from_secs(10);

/// Time for answers that were promised in chat.
const TOLD: Duration = Duration::from_secs(5);

/// Time for one tenant to be woken at the start.
const WAKE: Duration = Duration::from_secs(10);

/// Between two looks at what changes slowly.
const SWEEP: Duration = Duration::from_secs(5);

/// More than a witness has for its answer.
const WITNESSES: Duration = Duration::from_secs(15);

/// Time for the host's own chain to be read.
const START: Duration = Duration::from_mins(1);

pub(super) async fn serve(config: Config, options: RunOptions) -> anyhow::Result<()> {
    // Before anything lasting is touched, so that no signal can end us half way.
    let signals = Signals::listen().context("signals cannot be listened to")?;
    let tls = tls::config(&config.server)?;
    let standing = stand(config)?;
    host_known(&standing).await?;
    standing.audit_log.open(&standing.host).await?;
    let edge = Data::new(Edge::new(&standing));
    let (server, address) = open_doors(&standing.config, &edge, tls)?;
    let handle = server.handle();
    edge.listening_on(address);
    let running = actix::spawn(server);
    let waking = begin(&standing);
    let telling = actix::spawn(http::proof::keep_telling(edge.clone()));
    tracing::info!(%address, "listening");
    if let Some(tell) = options.on_listening {
        tell(address);
    }
    let quit = wait(signals, &standing, &edge).await;
    waking.abort();
    telling.abort();
    match quit {
        End::Drain(mut signals) => {
            let drained = drain(standing, handle, &edge);
            tokio::select! {
                result = drained => { running.abort(); result }
                code = second(&mut signals) => Err(EndedAtOnce { code }.into()),
            }
        }
        End::Poisoned(why) => {
            handle.stop(false).await;
            anyhow::bail!(
                "the journal failed ({why}); nothing more was acknowledged; start again to recover from disk"
            )
        }
    }
}

/// Waits until the host's own chain is read: doors that open earlier turn every tenant's senders
/// away as strangers.
async fn host_known(standing: &Standing) -> anyhow::Result<()> {
    let ready = standing.host.registry.ask(Ready, START).await;
    ready.context("the host's own chain can't be read; the log says why")
}

/// What was found damaged at rest, or held since the start, and is on the host's chain, as far as this run
/// knows.
#[derive(Default)]
struct Damages(BTreeSet<Fault>, BTreeSet<(String, u64)>);

impl Damages {
    /// Has what is new written down. What finds no room is told the next time.
    fn note(&mut self, journal: &dyn Journal, registry: &Handle<Registry>) {
        let status = journal.status();
        for held in status.quarantined {
            let (tenant_id, from_seq) = held.clone();
            let note = NoteQuarantine(JournalQuarantined {
                tenant_id,
                from_seq,
            });
            if !self.1.contains(&held) && registry.try_cast(note).is_ok() {
                self.1.insert(held);
            }
        }
        for fault in status.scrubbed.faults {
            if self.0.contains(&fault) {
                continue;
            }
            let damaged = JournalDamaged {
                tenant_id: fault.chain.clone(),
                from_seq: fault.from_seq,
                what: match fault.part {
                    Part::Lines => DamagedPart::Lines,
                    Part::Evidence => DamagedPart::Evidence,
                },
            };
            if registry.try_cast(NoteDamage(damaged)).is_ok() {
                self.0.insert(fault);
            }
        }
    }
}

enum End {
    Drain(Signals),
    Poisoned(String),
}

async fn wait(mut signals: Signals, standing: &Standing, edge: &Data<Edge>) -> End {
    let mut sweep = tokio::time::interval(SWEEP);
    let mut damages = Damages::default();
    loop {
        tokio::select! {
            event = signals.next() => match event {
                Event::Reload => reload(standing),
                Event::Drain | Event::Quit(_) => return End::Drain(signals),
            },
            () = standing.poisoned.notified() => {
                let why = standing.world.journal.status().poisoned.unwrap_or_default();
                return End::Poisoned(why);
            }
            _ = sweep.tick() => {
                edge.admission.sweep();
                damages.note(&*standing.world.journal, &standing.host.registry);
            }
        }
    }
}

async fn second(signals: &mut Signals) -> u8 {
    loop {
        if let Event::Quit(code) = signals.next().await {
            return code;
        }
    }
}

/// Reads the rules again; broken ones change nothing.
fn reload(standing: &Standing) {
    match rules::load(&standing.config) {
        Ok(fresh) => {
            let (sha256, rules) = (fresh.digest(), fresh.len());
            standing.world.rules.store(Arc::new(fresh));
            tracing::info!(rules, %sha256, "rules reloaded");
            standing
                .host
                .registry
                .try_cast(NoteRules { sha256, rules })
                .ok();
        }
        Err(errors) => {
            for error in &errors {
                tracing::error!(error, "broken rule");
            }
            tracing::error!(
                errors = errors.len(),
                "rules not reloaded; the last good set stays in force"
            );
        }
    }
}

/// What the start found in the journal; nothing after an orderly end.
fn not_as_left(standing: &Standing) -> Option<JournalRecovered> {
    let found = standing.world.journal.status().recovered?;
    let held = found.held.into_iter();
    let recovered = JournalRecovered {
        cut: found.cut,
        damaged: found.damaged,
        held: held
            .map(|(chain, from_seq)| HeldChain { chain, from_seq })
            .collect(),
        unknown_chains_held: found.unknown_chains_held,
        read: Some(LogRead {
            segments: found.segments,
            batches: found.batches,
            entries: found.entries,
        }),
    };
    // An orderly end leaves every chain's own file complete.
    let as_left = !recovered.cut
        && !recovered.damaged
        && recovered.held.is_empty()
        && !recovered.unknown_chains_held
        && found.entries == 0;
    (!as_left).then_some(recovered)
}

/// Notes what is in force, and begins to wake the tenants that are owed something.
fn begin(standing: &Standing) -> JoinHandle<()> {
    let rules = standing.world.rules.load();
    let note = NoteRules {
        sha256: rules.digest(),
        rules: rules.len(),
    };
    standing.host.registry.try_cast(note).ok();
    if standing.token.fresh {
        let issued = TokenIssued {
            token_id: "bootstrap".into(),
            scopes: vec!["all".into()],
            personal: None,
        };
        standing.host.registry.try_cast(NoteToken(issued)).ok();
    }
    if let Some(recovered) = not_as_left(standing) {
        let noted = standing.host.registry.try_cast(NoteRecovery(recovered));
        if noted.is_err() {
            tracing::error!("what the start found in the journal stands in this log alone");
        }
    }
    if let (Some(bot), Some(application)) =
        (&standing.discord, &standing.config.discord.application_id)
    {
        actix::spawn(outside::offer_registration(
            bot.clone(),
            application.clone(),
        ));
    }
    let world = &standing.world;
    let watches = world.settings.watching.drift_ms > 0;
    let owed = owing(&*world.journal, &world.projections, watches);
    let (office, tenants) = (
        Arc::clone(&standing.audit_log.office),
        standing.host.tenants.clone(),
    );
    actix::spawn(async move {
        // What is owed may be an action, and those are withheld while witnesses are being asked.
        office.asked(WITNESSES).await;
        wake(tenants, owed).await;
    })
}

/// Wakes one tenant after the other, beside the serving: their senders need not wait for it.
async fn wake(tenants: Handle<Tenants>, owed: Vec<TenantId>) {
    let (all, mut woken) = (owed.len(), 0_usize);
    for tenant in owed {
        let route = tenants.ask(Activate(tenant.clone()), WAKE).await;
        let why = match route {
            Ok(Some(_route)) => {
                woken += 1;
                continue;
            }
            Ok(None) => "there is no such tenant here".to_owned(),
            Err(error) => error.to_string(),
        };
        tracing::warn!(%tenant, why, "has something to do and was not woken; its next alert does it");
    }
    if all > 0 {
        tracing::info!(woken, owed = all, "tenants that had something to do");
    }
}

fn open_doors(
    config: &Config,
    edge: &Data<Edge>,
    tls: Option<rustls::ServerConfig>,
) -> anyhow::Result<(actix_web::dev::Server, SocketAddr)> {
    let server = &config.server;
    let shared = edge.clone();
    let app = move || {
        App::new()
            .app_data(shared.clone())
            .app_data(shared.chat.clone())
            .wrap(ErrorHandlers::new().default_handler(problem::as_problem))
            .configure(http::routes)
            .configure(faults::routes)
    };
    let doors = HttpServer::new(app)
        .workers(server.workers)
        .keep_alive(Duration::from_secs(server.keep_alive_s))
        .client_request_timeout(Duration::from_millis(server.head_timeout_ms))
        .max_connections((server.max_connections / server.workers.max(1)).max(1))
        .shutdown_timeout(DRAIN.as_secs())
        .disable_signals();
    let bound = match tls {
        Some(tls) => doors.bind_rustls_0_23(server.listen, tls),
        // HTTP/1.1 alone: telling HTTP/2 apart without TLS means to wait for bytes that may never come.
        None => doors.bind(server.listen),
    };
    let bound = bound.with_context(|| {
        format!(
            "cannot listen on {}: is another server there? (server.listen, --listen)",
            server.listen
        )
    })?;
    let address = bound.addrs().first().copied().unwrap_or(server.listen);
    Ok((bound.run(), address))
}

/// No new requests; those in hand are answered, and what was promised in chat is told; actors finish in the reverse order of their start;
/// the journal is closed last.
async fn drain(standing: Standing, server: ServerHandle, edge: &Edge) -> anyhow::Result<()> {
    tracing::info!("draining");
    server.stop(true).await;
    let told = tokio::time::timeout(TOLD, edge.chat.all_told());
    if told.await.is_err() {
        tracing::warn!("answers that were promised in chat are left untold");
    }
    let report = standing.host.tree.shutdown(DRAIN).await;
    tell(&report);
    standing.feed.close();
    let world = Arc::clone(&standing.world);
    let audit_log = standing.audit_log;
    let closed = tokio::task::spawn_blocking(move || {
        audit_log.finish();
        close(&world)
    })
    .await;
    standing.threads.stop();
    closed.context("the journal's thread fell")?
}

/// Says of each actor that did not end in good order what it left; of the others, in the order in which
/// they ended, only to those who look closely.
fn tell(report: &ShutdownReport) {
    let mut left = 0;
    for child in &report.children {
        let (actor, exit, unhandled) = (&child.id, &child.exit, child.unhandled);
        if *exit == Exit::Normal && unhandled == 0 {
            tracing::debug!(actor, %exit, unhandled, "actor ended");
        } else {
            tracing::warn!(actor, %exit, unhandled, "actor ended, not in good order");
        }
        left += unhandled;
    }
    tracing::info!(
        actors = report.children.len(),
        unhandled = left,
        "actors ended"
    );
}

fn close(world: &World) -> anyhow::Result<()> {
    world.journal.close().context("the journal did not close")?;
    // Derived: whatever is not durable of it is folded again at the next start.
    if let Err(error) = world.projections.checkpoint() {
        tracing::warn!(%error, "the projections are behind; the next start brings them up");
    }
    tracing::info!("drained");
    Ok(())
}

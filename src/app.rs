//! The composition root: configuration -> ports -> tree -> servers. Nothing else wires.

mod audit_log;
mod descriptors;
mod faults;
pub(crate) mod hardening;
pub(crate) mod offline;
mod outside;
mod playbooks;
pub(crate) mod policies;
mod private;
mod rules;
mod serve;
mod settings;
pub(crate) mod sources;
pub(crate) mod stores;
mod threads;
mod tls;

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use arc_swap::ArcSwap;
use vyrox_actors::{
    feed::Feed,
    journal::{
        Journal, LocalJournal, Options, RecoverySummary,
        projection::{ProjectionError, Projections},
        seal::HostKey,
        vault::Vault,
    },
    keyring::Keyring,
    policy::Policies,
    ports::{Clock, World},
    projector::{Progress, ProjectorParts, catch_up},
    rules::RuleSet,
    supervision::{Tree, Watchdog, install_panic_hook, withhold_panic_texts},
    tree::{Host, HostParts, start},
};
use vyrox_domain::{
    ids::HOST_CHAIN,
    playbook::{Assets, Playbooks},
    time::Timestamp,
};

use crate::{
    clock,
    config::Config,
    connectors::discord::Discord,
    keys::{BootstrapToken, host_key},
    telemetry,
};

use self::{
    audit_log::AuditLog,
    outside::Connected,
    settings::{cases, limits},
    stores::{Proof, Stores},
    threads::Threads,
};

/// How a server is run, beside its configuration.
#[derive(Default)]
pub struct RunOptions {
    /// Called once with the address when connections are accepted.
    pub on_listening: Option<Box<dyn FnOnce(SocketAddr) + Send>>,
}

/// Told a second time to end: ended at once, with the exit code that a shell expects.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("told twice to end, so ended at once; what was acknowledged is durable")]
pub struct EndedAtOnce {
    /// 130 for SIGINT, 143 for SIGTERM.
    pub code: u8,
}

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        clock::now()
    }
}

/// Serves until a signal says otherwise. Blocks; call it on the main thread.
///
/// # Errors
/// What keeps the server from starting, each cause with what to do; or that it did not end well.
pub fn run(mut config: Config, options: RunOptions) -> anyhow::Result<()> {
    telemetry::init(&config.log)?;
    install_panic_hook();
    withhold_panic_texts();
    let connections = &mut config.server.max_connections;
    *connections = descriptors::make_room(*connections);
    actix::System::new().block_on(serve::serve(config, options))
}

/// Everything that stands, before the doors open.
pub(crate) struct Standing {
    pub(crate) config: Config,
    pub(crate) world: Arc<World>,
    pub(crate) host: Host,
    pub(crate) token: BootstrapToken,
    pub(crate) feed: Arc<Feed>,
    pub(crate) threads: Threads,
    pub(crate) poisoned: Arc<tokio::sync::Notify>,
    /// The bot, where one is configured.
    pub(crate) discord: Option<Discord>,
    /// What a backup is taken of.
    pub(crate) stores: Stores,
    /// What is signed of the chains.
    pub(crate) audit_log: AuditLog,
    /// Looks as long as it is held.
    pub(crate) _watchdog: Watchdog,
}

/// Opens what lasts, in the order in which one leans on the other, and starts the actors.
#[expect(
    clippy::too_many_lines,
    reason = "one thing after the other, each leaning on those before"
)]
pub(crate) fn stand(config: Config) -> anyhow::Result<Standing> {
    let storage = &config.storage;
    let dir = storage.data_dir.clone();
    private::directory(&dir)?;
    let feed = Arc::new(Feed::default());
    let lines = Arc::new(Feed::default());
    let (journal, vault, key) = opened(&config, [&feed, &lines])?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let audit_log = AuditLog::new(&config, (&journal, &clock), lines)?;
    let stores = Stores {
        journal,
        vault,
        proof: Proof::Open(Arc::clone(&audit_log.office)),
    };
    let token = BootstrapToken::load(&dir)?;
    let projections = Arc::new(open_projections(&dir, storage.projection_cache_bytes)?);
    let rules = rules(&config)?;
    let (playbooks, assets) = proposing(&config)?;
    let connected = Connected::new(&config)?;
    let journal = Arc::clone(&stores.journal);
    let projector = caught_up(&config, &journal, &projections, &feed)?;
    let world = Arc::new(World {
        clock,
        journal,
        projections,
        progress: Arc::clone(&projector.progress),
        rules: ArcSwap::from_pointee(rules),
        playbooks: ArcSwap::from_pointee(playbooks),
        assets,
        policies: ArcSwap::from_pointee(policies(&config)?),
        outside: connected.outside.clone(),
        told: Arc::default(),
        polls: Arc::default(),
        integrity: Arc::clone(&audit_log.integrity),
        settings: cases(&config),
        keyring: ArcSwap::from_pointee(Keyring::default()),
        limits: limits(&config),
    });
    connected.in_world(&world);
    let poisoned = Arc::new(tokio::sync::Notify::new());
    let tell = Arc::clone(&poisoned);
    let threads = Threads::start(&config.supervision)?;
    let tree = Tree::with_clock(rand::random(), clock::now_ms);
    let watchdog = threads.watch(&tree, &config.supervision)?;
    let host = start(&HostParts {
        world: Arc::clone(&world),
        tree,
        audit_arbiter: threads.audit.clone(),
        host_arbiter: threads.host.clone(),
        tenant_arbiters: threads.tenants.clone(),
        vault: Arc::clone(&stores.vault),
        host_key: key,
        projector,
        notary: Some(audit_log.parts()),
        on_poison: Arc::new(move |_| tell.notify_one()),
    });
    Ok(Standing {
        config,
        world,
        host,
        token,
        feed,
        threads,
        poisoned,
        discord: connected.discord,
        stores,
        audit_log,
        _watchdog: watchdog,
    })
}

/// What lasts and cannot be derived, and the key to it.
fn opened(
    config: &Config,
    feeds: [&Arc<Feed>; 2],
) -> anyhow::Result<(Arc<LocalJournal>, Arc<Vault>, Arc<HostKey>)> {
    let storage = &config.storage;
    let path = storage.data_dir.join("vault.redb");
    // First of all, as it takes the lock that keeps a second process out.
    let journal = Arc::new(open_journal(config, &feeds)?);
    not_lost(&path, journal.as_ref())?;
    let key = Arc::new(host_key(storage, &path)?);
    let vault = Arc::new(open_vault(&path, &key)?);
    Ok((journal, vault, key))
}

/// The projector's parts, once the projections are where the journal is.
fn caught_up(
    config: &Config,
    journal: &Arc<LocalJournal>,
    projections: &Arc<Projections>,
    feed: &Arc<Feed>,
) -> anyhow::Result<ProjectorParts> {
    let projector = ProjectorParts {
        journal: Arc::clone(journal) as Arc<dyn Journal>,
        projections: Arc::clone(projections),
        progress: Arc::new(Progress::default()),
        feed: Arc::clone(feed),
        dedup_window_ms: config.limits.dedup_window_s.saturating_mul(1000),
        folding: Arc::default(),
    };
    catch_up(&projector).context("the projections cannot be brought up to the journal")?;
    Ok(projector)
}

/// Refuses to begin an empty vault beside a host that has a past: its tenants' keys lay in the old
/// one, and all of their senders would be turned away.
fn not_lost(vault: &Path, journal: &LocalJournal) -> anyhow::Result<()> {
    if !vault.exists() && journal.head(HOST_CHAIN).is_some() {
        let vault = vault.display();
        bail!(
            "{vault} is missing, but the journal beside it tells of tenants whose keys lay in it; put it back from its backup"
        );
    }
    Ok(())
}

/// The vault, if every row in it is fit to serve from.
fn open_vault(path: &Path, key: &HostKey) -> anyhow::Result<Vault> {
    let vault = Vault::open(path).context("the vault does not open")?;
    let Err(faults) = vault.preflight(key) else {
        return Ok(vault);
    };
    for fault in &faults {
        tracing::error!(%fault, "preflight");
    }
    let list: Vec<_> = faults.iter().map(ToString::to_string).collect();
    bail!(
        "the vault is not fit to serve from:\n  {}",
        list.join("\n  ")
    )
}

/// Everything that is wrong with what the configuration points to, one line each; empty if nothing
/// is.
pub fn check(config: &Config) -> Vec<String> {
    let mut faults = rules::load(config).err().unwrap_or_default();
    faults.extend(playbooks::load(config).err().unwrap_or_default());
    faults.extend(policies::check(config));
    faults
}

fn rules(config: &Config) -> anyhow::Result<RuleSet> {
    rules::load(config)
        .map_err(|errors| anyhow::anyhow!("the rules do not compile:\n  {}", errors.join("\n  ")))
}

fn policies(config: &Config) -> anyhow::Result<Policies> {
    policies::load(config.policy.dir.as_deref())
        .map_err(|faults| anyhow::anyhow!("the policies are not sound:\n  {}", faults.join("\n  ")))
}

fn proposing(config: &Config) -> anyhow::Result<(Playbooks, Assets)> {
    playbooks::load(config).map_err(|faults| {
        let faults = faults.join("\n  ");
        anyhow::anyhow!(
            "the playbooks or the patterns of special machines are not sound:\n  {faults}"
        )
    })
}

/// Attempts to write a chain's own files before it may be held for the sake of the others.
const QUARANTINE_AFTER: u32 = 4;

fn open_journal(config: &Config, feeds: &[&Arc<Feed>]) -> anyhow::Result<LocalJournal> {
    let storage = &config.storage;
    let options = Options {
        segment_bytes: storage.segment_bytes,
        max_batch_entries: storage.batch_entries,
        max_batch_bytes: storage.batch_bytes,
        queue_entries: storage.queue_entries,
        quarantine_after: QUARANTINE_AFTER,
        reserve_bytes: storage.reserve_bytes,
        checkpoint_interval: Duration::from_millis(storage.checkpoint_ms),
        scrub_bytes_per_s: storage.scrub_bytes_per_s,
        scrub_pause: Duration::from_millis(storage.scrub_pause_ms),
        ..Options::default()
    };
    let feeds: Vec<Arc<Feed>> = feeds.iter().map(|feed| Arc::clone(feed)).collect();
    let on_commit = Box::new(move |batch: &vyrox_actors::journal::CommittedBatch| {
        for feed in &feeds {
            feed.push(batch);
        }
    });
    let journal = LocalJournal::open(&storage.data_dir.join("journal"), options, Some(on_commit))
        .with_context(|| {
        format!(
            "the journal in {} does not open",
            storage.data_dir.display()
        )
    })?;
    if let Some(found) = journal.status().recovered {
        log_recovery(&found);
    }
    Ok(journal)
}

/// What the start found. After a clean stop there was nothing to copy, to cut or to mend.
fn log_recovery(found: &RecoverySummary) {
    let RecoverySummary {
        segments,
        entries,
        cut,
        damaged,
        ..
    } = *found;
    for (chain, from_seq) in &found.held {
        tracing::error!(
            chain,
            from_seq,
            "chain held: it was damaged, and its end can't be proven; see `vyrox audit repair`"
        );
    }
    let held = found.held.len();
    if damaged || held > 0 {
        tracing::error!(
            segments,
            entries,
            cut,
            damaged,
            held,
            "journal recovered, with damage"
        );
    } else {
        tracing::info!(segments, entries, cut, damaged, held, "journal recovered");
    }
}

/// Projections are derived: what is damaged is made anew, and filled from the journal.
fn open_projections(dir: &Path, cache_bytes: usize) -> anyhow::Result<Projections> {
    let path = dir.join("projections.redb");
    match Projections::open(&path, cache_bytes) {
        Ok(projections) => Ok(projections),
        Err(ProjectionError::Damaged(why)) => {
            tracing::error!(
                why,
                "the projections are damaged; they are rebuilt from the journal"
            );
            Ok(Projections::recreate(&path, cache_bytes)?)
        }
        Err(error) => Err(error).context("the projections do not open"),
    }
}

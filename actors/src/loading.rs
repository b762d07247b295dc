//! From what is durable back to what decisions rest on: the state, the index of repeats that the
//! projections lack, and the right to write after it. Everything here blocks on the disk.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use vyrox_domain::{
    digest::Digest,
    entry::Recorded,
    host_protocol::RepairOrdered,
    ids::TenantId,
    protocol::{ChainOpened, Event, StandsFor},
    tenant::{SNAPSHOT_VERSION, TakenIn, TenantState, apply, replay},
};
use vyrox_journal::{JournalError, Line, Lines};

use crate::{
    claims::{Overlay, Young, key, sameness_of},
    held::StandIns,
    keyring::TenantKeys,
    mending::mend,
    ports::World,
    projector::is_of_the_chain,
};

/// What a writer of a tenant's chain begins with.
pub(crate) struct Loaded {
    /// The state at the durable head.
    pub(crate) state: TenantState,
    /// The fresh writer epoch.
    pub(crate) epoch: u64,
    /// Claims that the projections do not hold yet.
    pub(crate) overlay: Overlay,
    /// The chain: the tenant's own, or the one that stands in for it.
    pub(crate) chain: Arc<str>,
    /// What it stands for.
    pub(crate) stands_for: Option<StandsFor>,
}

/// Why nothing was loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LoadError {
    /// The journal has no room for what is to be taken over; it will have later.
    #[error("the journal has no room")]
    NoRoom,
    /// The disk did not give what it may give later, so that nobody knows whether it is lost.
    #[error("the disk gave no answer: {0}")]
    NoAnswer(String),
    /// It says what could not be read or written.
    #[error("{0}")]
    Failed(String),
}

impl From<String> for LoadError {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

/// Takes a new writer epoch, then rebuilds the state: snapshot first, then the chain since it.
///
/// # Errors
/// [`LoadError`]; the chain is never begun anew in its place.
pub(crate) fn load(
    world: &World,
    tenant: &TenantId,
    repair: Option<&RepairOrdered>,
) -> Result<Loaded, LoadError> {
    let mut loaded = begin(world, tenant.shared())?;
    replay_all(world, &mut loaded)?;
    mend(world, tenant, repair, &mut loaded)?;
    Ok(loaded)
}

fn replay_all(world: &World, loaded: &mut Loaded) -> Result<(), String> {
    let Some(chain) = Since::of(world, &loaded.chain, &loaded.state)? else {
        return Ok(());
    };
    for line in chain.lines {
        let line = line.map_err(|error| error.to_string())?;
        let recorded = Recorded::parse(&line.bytes).map_err(|error| error.to_string())?;
        let event = replay(&mut loaded.state, &recorded).map_err(|error| error.to_string())?;
        if chain.applied < Some(line.seq) {
            claim(&mut loaded.overlay, &event, (line.seq, line.hash));
        }
    }
    if loaded.state.next_seq != chain.head + 1 {
        let (name, head) = (&loaded.chain, chain.head);
        return Err(format!("chain {name} ends before its head {head}"));
    }
    Ok(())
}

/// The same for a writer that only takes in: an entry that nobody understands any more is passed
/// over, for whatever made the machine fall must not keep alerts out. Nor does it wait for what a repair
/// has to take over: the machine does that when it can.
///
/// # Errors
/// [`LoadError`] where the chain could not be opened or read.
pub(crate) fn load_for_intake(
    world: &World,
    tenant: &TenantId,
    repair: Option<&RepairOrdered>,
) -> Result<Loaded, LoadError> {
    if let Some(StandIns {
        chains, stands_for, ..
    }) = world.stand_ins(tenant.as_str())
    {
        return Ok(load_stand_in(world, tenant, chains, stands_for)?);
    }
    let taken_in = || -> Result<Loaded, String> {
        let mut loaded = begin(world, tenant.shared())?;
        take_in_all(world, &mut loaded)?;
        Ok(loaded)
    };
    let mut loaded = taken_in()?;
    if let Err(error) = mend(world, tenant, repair, &mut loaded) {
        tracing::error!(%tenant, %error, "what was kept while the chain was held is not taken over yet");
        loaded = taken_in()?;
    }
    loaded.state.untriaged.clear();
    Ok(loaded)
}

/// The same on a chain that stands in for a held one. The quota is of all that the tenant has.
fn load_stand_in(
    world: &World,
    tenant: &TenantId,
    chains: Vec<Arc<str>>,
    stands_for: StandsFor,
) -> Result<Loaded, String> {
    let mut before = vec![tenant.shared()];
    before.extend(chains);
    let last = before.pop().ok_or("no chain stands in")?;
    let mut kept_bytes = 0_u64;
    let mut taken_in = TakenIn::default();
    for chain in before {
        let mut earlier = Loaded::new(world, chain, None);
        if let Err(error) = take_in_all(world, &mut earlier) {
            let chain = &*earlier.chain;
            tracing::error!(
                chain,
                error,
                "a chain that is held counts only as far as it can be read"
            );
        }
        kept_bytes = kept_bytes.saturating_add(earlier.state.evidence_bytes);
        taken_in.add(&earlier.state.taken_in);
    }
    let mut loaded = begin(world, last)?;
    take_in_all(world, &mut loaded)?;
    loaded.state.evidence_bytes = loaded.state.evidence_bytes.saturating_add(kept_bytes);
    loaded.state.taken_in.add(&taken_in);
    loaded.stands_for = Some(stands_for);
    Ok(loaded)
}

/// Bytes that turned bad are passed over from the first one on: the end of the chain is proven without them.
/// Repeats of what they were are not known then, and come in once more.
fn take_in_all(world: &World, loaded: &mut Loaded) -> Result<(), String> {
    let Some(chain) = Since::of(world, &loaded.chain, &loaded.state)? else {
        return Ok(());
    };
    for line in chain.lines {
        let line = match line {
            Ok(line) => line,
            Err(error @ JournalError::Damaged { .. }) => {
                tracing::error!(chain = &*loaded.chain, %error, "alerts are taken in behind damaged lines");
                break;
            }
            Err(error) => return Err(error.to_string()),
        };
        take_in(loaded, &line, chain.applied);
    }
    loaded.state.next_seq = chain.head + 1;
    // Stage 1 is the machine's; it finds in the chain what it owes.
    loaded.state.untriaged.clear();
    loaded.state.in_review.clear();
    Ok(())
}

fn take_in(loaded: &mut Loaded, line: &Line, applied: Option<u64>) {
    let read = Recorded::parse(&line.bytes)
        .and_then(|it| Event::from_recorded(&it).map(|event| (event, it.timestamp_ms)));
    let Ok((event, at)) = read else { return };
    // What cases come to is not looked at here: the machine may have fallen over just that.
    if let Event::AlertReceived { .. }
    | Event::IntakeRejected(_)
    | Event::IntakePolled(_)
    | Event::JournalRepaired(_)
    | Event::TakeoverIncomplete(_) = &event
    {
        loaded.state.next_seq = line.seq;
        apply(&mut loaded.state, &event, at);
    }
    if applied < Some(line.seq) {
        claim(&mut loaded.overlay, &event, (line.seq, line.hash));
    }
}

/// Loads on a thread that may block, after a pause if there is to be one.
///
/// # Errors
/// What the load says, or that it fell.
pub(crate) async fn after(
    pause: Option<Duration>,
    load: impl FnOnce() -> Result<Loaded, LoadError> + Send + 'static,
) -> Result<Loaded, LoadError> {
    if let Some(pause) = pause {
        tokio::time::sleep(pause).await;
    }
    let loaded = tokio::task::spawn_blocking(load).await;
    loaded.unwrap_or_else(|error| Err(format!("the load of the state fell: {error}").into()))
}

/// Entry 0 of a tenant's chain.
pub(crate) fn chain_opened(keys: &TenantKeys) -> ChainOpened {
    ChainOpened {
        opaque_id: keys.opaque_id.clone(),
        format_version: 1,
        key_ids: vec![keys.data_key.id()],
        stands_for: None,
    }
}

impl Loaded {
    /// What the last snapshot has of a chain, for a writer of this epoch; without one it may only be read.
    fn new(world: &World, chain: Arc<str>, epoch: Option<u64>) -> Self {
        Self {
            state: snapshot(world, &chain),
            epoch: epoch.unwrap_or(0),
            overlay: Overlay::default(),
            chain,
            stands_for: None,
        }
    }
}

fn begin(world: &World, chain: Arc<str>) -> Result<Loaded, String> {
    let opened = world
        .journal
        .open(&chain)
        .map_err(|error| error.to_string())?;
    Ok(Loaded::new(world, chain, Some(opened.epoch)))
}

/// The part of a chain that the snapshot does not cover.
struct Since {
    head: u64,
    applied: Option<u64>,
    lines: Lines,
}

impl Since {
    fn of(world: &World, chain: &str, state: &TenantState) -> Result<Option<Self>, String> {
        let Some(head) = world.journal.head(chain).map(|head| head.seq) else {
            return Ok(None);
        };
        let applied = world.projections.stands_at(chain).unwrap_or_default();
        let applied = applied.filter(|at| is_of_the_chain(&*world.journal, chain, *at));
        let lines = world
            .journal
            .read(chain, state.next_seq, Some(head))
            .map_err(|error| error.to_string())?;
        Ok(Some(Self {
            head,
            // A snapshot is never ahead of the rows, so every claim that they lack is read here.
            applied: applied.map(|at| at.seq),
            lines,
        }))
    }
}

/// Notes an entry that the projections may not have yet.
pub(crate) fn claim(overlay: &mut Overlay, event: &Event, (seq, hash): (u64, [u8; 32])) {
    let Event::AlertReceived { alert_id, received } = event else {
        return;
    };
    let Some(same) = sameness_of(received) else {
        return;
    };
    let young = Young {
        same,
        alert_id: *alert_id,
        seq,
        hash: Arc::new(OnceLock::from(Digest(hash))),
    };
    overlay.insert(key(received.vendor, &received.vendor_alert_id), young);
}

/// The last snapshot, unless it is of another version, or was made of an entry that the chain does not have.
fn snapshot(world: &World, chain: &str) -> TenantState {
    let row = world.projections.snapshot(chain).ok().flatten();
    let row = row.filter(|row| row.version == SNAPSHOT_VERSION);
    let row = row.filter(|row| is_of_the_chain(&*world.journal, chain, row.at));
    let state = row.and_then(|row| {
        let state: TenantState = serde_json::from_slice(&row.value).ok()?;
        (state.next_seq == row.at.seq + 1).then_some(state)
    });
    state.unwrap_or_default()
}

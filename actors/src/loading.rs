//! From what is durable back to what decisions rest on: the state, the index of repeats that the
//! projections lack, and the right to write after it. Everything here blocks on the disk.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use vyrox_domain::{
    digest::Digest,
    entry::Recorded,
    ids::TenantId,
    protocol::{ChainOpened, Event},
    tenant::{SNAPSHOT_VERSION, TenantState, apply, replay},
};
use vyrox_journal::Line;

use crate::{
    claims::{Overlay, Young, key, sameness_of},
    keyring::TenantKeys,
    ports::World,
};

/// What a writer of a tenant's chain begins with.
pub(crate) struct Loaded {
    /// The state at the durable head.
    pub(crate) state: TenantState,
    /// The fresh writer epoch.
    pub(crate) epoch: u64,
    /// Claims that the projections do not hold yet.
    pub(crate) overlay: Overlay,
}

/// Takes a new writer epoch, then rebuilds the state: snapshot first, then the chain since it.
///
/// # Errors
/// A text that says what could not be read; the chain is never begun anew in its place.
pub(crate) fn load(world: &World, tenant: &TenantId) -> Result<Loaded, String> {
    let mut loaded = begin(world, tenant)?;
    let Some(chain) = Since::of(world, tenant, &loaded)? else {
        return Ok(loaded);
    };
    for line in chain.lines {
        let line = line?;
        let recorded = Recorded::parse(&line.bytes).map_err(|error| error.to_string())?;
        let event = replay(&mut loaded.state, &recorded).map_err(|error| error.to_string())?;
        if chain.applied < Some(line.seq) {
            claim(&mut loaded.overlay, &event, &line);
        }
    }
    if loaded.state.next_seq != chain.head + 1 {
        return Err(format!(
            "chain {tenant} ends before its head {}",
            chain.head
        ));
    }
    Ok(loaded)
}

/// The same for a writer that only takes in: an entry that nobody understands any more is passed
/// over, for whatever made the machine fall must not keep alerts out.
///
/// # Errors
/// A text that says why the chain could not be opened or read.
pub(crate) fn load_for_intake(world: &World, tenant: &TenantId) -> Result<Loaded, String> {
    let mut loaded = begin(world, tenant)?;
    let Some(chain) = Since::of(world, tenant, &loaded)? else {
        return Ok(loaded);
    };
    for line in chain.lines {
        let line = line?;
        let read = Recorded::parse(&line.bytes)
            .and_then(|it| Event::from_recorded(&it).map(|event| (event, it.timestamp_ms)));
        let Ok((event, at)) = read else { continue };
        // What cases come to is not looked at here: the machine may have fallen over just that.
        if let Event::AlertReceived { .. } | Event::IntakeRejected(_) | Event::IntakePolled(_) =
            &event
        {
            apply(&mut loaded.state, &event, at);
        }
        if chain.applied < Some(line.seq) {
            claim(&mut loaded.overlay, &event, &line);
        }
    }
    loaded.state.next_seq = chain.head + 1;
    // Stage 1 is the machine's; it finds in the chain what it owes.
    loaded.state.untriaged.clear();
    loaded.state.in_review.clear();
    Ok(loaded)
}

/// Loads on a thread that may block, after a pause if there is to be one.
///
/// # Errors
/// What the load says, or that it fell.
pub(crate) async fn after(
    pause: Option<Duration>,
    load: impl FnOnce() -> Result<Loaded, String> + Send + 'static,
) -> Result<Loaded, String> {
    if let Some(pause) = pause {
        tokio::time::sleep(pause).await;
    }
    let loaded = tokio::task::spawn_blocking(load).await;
    loaded.unwrap_or_else(|error| Err(format!("the load of the state fell: {error}")))
}

/// Entry 0 of a tenant's chain.
pub(crate) fn chain_opened(keys: &TenantKeys) -> ChainOpened {
    ChainOpened {
        opaque_id: keys.opaque_id.clone(),
        format_version: 1,
        key_ids: vec![keys.data_key.id()],
    }
}

fn begin(world: &World, tenant: &TenantId) -> Result<Loaded, String> {
    let chain = tenant.as_str();
    let opened = world
        .journal
        .open(chain)
        .map_err(|error| error.to_string())?;
    Ok(Loaded {
        state: snapshot(world, chain, opened.head.map(|head| head.seq)),
        epoch: opened.epoch,
        overlay: Overlay::default(),
    })
}

/// The part of a chain that the snapshot does not cover.
struct Since {
    head: u64,
    applied: Option<u64>,
    lines: Box<dyn Iterator<Item = Result<Line, String>>>,
}

impl Since {
    fn of(world: &World, tenant: &TenantId, loaded: &Loaded) -> Result<Option<Self>, String> {
        let chain = tenant.as_str();
        let Some(head) = world.journal.head(chain).map(|head| head.seq) else {
            return Ok(None);
        };
        let lines = world
            .journal
            .read(chain, loaded.state.next_seq, Some(head))
            .map_err(|error| error.to_string())?;
        Ok(Some(Self {
            head,
            // A snapshot is never ahead of the rows, so every claim that they lack is read here.
            applied: world.projections.applied(chain).unwrap_or_default(),
            lines: Box::new(lines.map(|line| line.map_err(|error| error.to_string()))),
        }))
    }
}

fn claim(overlay: &mut Overlay, event: &Event, line: &Line) {
    let Event::AlertReceived { alert_id, received } = event else {
        return;
    };
    let Some(same) = sameness_of(received) else {
        return;
    };
    let young = Young {
        same,
        alert_id: *alert_id,
        seq: line.seq,
        hash: Arc::new(OnceLock::from(Digest(line.hash))),
    };
    overlay.insert(key(received.vendor, &received.vendor_alert_id), young);
}

/// The last snapshot, unless it is of another version or claims more than the chain has.
fn snapshot(world: &World, chain: &str, head: Option<u64>) -> TenantState {
    let row = world.projections.snapshot(chain).ok().flatten();
    let row = row.filter(|row| row.version == SNAPSHOT_VERSION && head >= Some(row.seq));
    let state = row.and_then(|row| {
        let state: TenantState = serde_json::from_slice(&row.value).ok()?;
        (state.next_seq == row.seq + 1).then_some(state)
    });
    state.unwrap_or_default()
}

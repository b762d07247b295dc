//! From what is durable back to a tenant's state.

use vyrox_domain::{
    entry::Recorded,
    ids::TenantId,
    tenant::{SNAPSHOT_VERSION, TenantState, replay},
};

use crate::ports::World;

/// A tenant's state with the right to write after it.
pub(super) struct Loaded {
    /// The state at the durable head.
    pub(super) state: TenantState,
    /// The fresh writer epoch.
    pub(super) epoch: u64,
}

/// Takes a new writer epoch, then rebuilds the state: snapshot first, then the chain since it.
/// Blocks on the disk.
///
/// # Errors
/// A text that says what could not be read; the chain is never begun anew in its place.
pub(super) fn load(world: &World, tenant: &TenantId) -> Result<Loaded, String> {
    let chain = tenant.as_str();
    let opened = world
        .journal
        .open(chain)
        .map_err(|error| error.to_string())?;
    let mut state = snapshot(world, chain, opened.head.map(|head| head.seq));
    let Some(head) = opened.head else {
        return Ok(Loaded {
            state: TenantState::default(),
            epoch: opened.epoch,
        });
    };
    let lines = world
        .journal
        .read(chain, state.next_seq, Some(head.seq))
        .map_err(|error| error.to_string())?;
    for line in lines {
        let line = line.map_err(|error| error.to_string())?;
        let recorded = Recorded::parse(&line.bytes).map_err(|error| error.to_string())?;
        replay(&mut state, &recorded).map_err(|error| error.to_string())?;
    }
    if state.next_seq != head.seq + 1 {
        return Err(format!("chain {chain} ends before its head {}", head.seq));
    }
    Ok(Loaded {
        state,
        epoch: opened.epoch,
    })
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

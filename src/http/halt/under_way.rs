//! How many actions are under way, asked of each machine that is awake. One at rest has none: it is not put to
//! rest before.

use std::{collections::BTreeMap, time::Duration};

use futures_util::future::join_all;
use tokio::{sync::oneshot, time::timeout};
use vyrox_actors::{directory::Route, messages::ListActs};
use vyrox_domain::{containment::Stage, ids::TenantId};

use crate::http::Edge;

/// A machine that does not answer by then is left out: it may be stuck, and who throws the switch is not to
/// wait for it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Actions that were begun and have no outcome yet, by tenant; those without any are left out.
pub(super) async fn counts(edge: &Edge) -> BTreeMap<TenantId, usize> {
    let view = edge.view.load_full();
    let asked = view.tenants.keys().map(|id| async move {
        let count = begun(edge, id).await.filter(|count| *count > 0)?;
        Some((id.clone(), count))
    });
    join_all(asked).await.into_iter().flatten().collect()
}

async fn begun(edge: &Edge, id: &TenantId) -> Option<usize> {
    let Some(Route::Machine(machine)) = edge.directory.get(id) else {
        return None;
    };
    let (reply, answer) = oneshot::channel();
    let ask = ListActs {
        only: None,
        limit: usize::MAX,
        reply,
    };
    machine.try_cast(ask).ok()?;
    let acts = timeout(PATIENCE, answer).await.ok()?.ok()?;
    let begun = acts
        .iter()
        .filter(|(_, act)| matches!(act.stage, Stage::Begun { .. }));
    Some(begun.count())
}

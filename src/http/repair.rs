//! Held chains: what is known of one, and its repair by an operator.
//!
//! The order stands on the host's chain before anything is done, also before lines are put back. Each of
//! them is checked against the proven end, and must be one that a start can read; only then the
//! chain goes on. Of its own chain the host can say so no earlier than when it goes on.

mod looking;

use std::{fmt::Display, sync::Arc};

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Path, Payload},
};
use serde::{Deserialize, Serialize};
use vyrox_actors::{
    held::{owner, unlinked, unreadable},
    journal::{Head, HoldInfo, Journal, JournalError, Repaired},
    registry::{HostReleased, OrderHostRepair, OrderRepair},
    router::Release,
    supervision::Failure,
};
use vyrox_domain::{
    digest::Digest,
    host_protocol::{HeldChain, HostRepaired, RepairOrdered, RestoredTo},
    ids::{HOST_CHAIN, TenantId},
};

use super::{
    Edge, Shared,
    admin::{caller, change, known},
    input,
    problem::{Answer, Code, Problem},
    tokens::Scope,
};
use looking::look;

/// The longest body of a repair: some thousand lines. A longer tail comes in several requests.
const BODY_BYTES: usize = 4 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    /// Lines of the chain, each as it stood there: what lies behind its proven end is put back.
    #[serde(default)]
    tail: Vec<String>,
    /// Others follow; the chain stays held.
    #[serde(default)]
    more: bool,
    /// There is no copy of what is missing still, and the caller knows what that means.
    #[serde(default)]
    accept_loss: bool,
}

/// What is known of a chain.
#[derive(Serialize)]
struct Shown {
    tenant_id: String,
    status: &'static str,
    from_seq: Option<u64>,
    proven: Option<End>,
    known_to_seq: Option<u64>,
    stood_in: Vec<StandIn>,
    waiting: u64,
    /// The last order that lets it go on. With `not_held` it was carried out.
    ordered: Option<RepairOrdered>,
    next: Option<&'static str>,
}

#[derive(Serialize)]
struct End {
    seq: u64,
    hash: Digest,
}

#[derive(Serialize)]
struct StandIn {
    chain: Arc<str>,
    head_seq: Option<u64>,
    waiting: u64,
}

const WHAT_TO_DO: &str = "If there is a copy of the chain (a mirror, an export, a backup) that goes \
    beyond the proven end: vyrox audit repair TENANT --from FILE. If there is none: vyrox audit repair \
    TENANT --accept-loss; what is missing is then given up, and its receipts match no longer.";

impl End {
    fn of(head: Head) -> Self {
        Self {
            seq: head.seq,
            hash: Digest(head.hash),
        }
    }
}

/// Whose chain it is.
enum Subject {
    Host,
    Tenant(TenantId),
}

impl Subject {
    fn of(edge: &Edge, name: &str) -> Answer<Self> {
        if name == HOST_CHAIN {
            return Ok(Self::Host);
        }
        known(edge, name).map(Self::Tenant)
    }

    fn chain(&self) -> Arc<str> {
        match self {
            Self::Host => HOST_CHAIN.into(),
            Self::Tenant(tenant) => tenant.shared(),
        }
    }
}

/// `GET /api/v1/tenants/{tenant}/repair`
pub(super) async fn show(
    request: HttpRequest,
    edge: Shared,
    tenant: Path<String>,
) -> Answer<HttpResponse> {
    caller(&request, &edge, Scope::TenantsRead)?;
    let subject = Subject::of(&edge, &tenant)?;
    let chain = subject.chain();
    let (world, name) = (Arc::clone(&edge.world), Arc::clone(&chain));
    // Counting reads the chains.
    let looked = tokio::task::spawn_blocking(move || {
        let hold = world.journal.hold(&name);
        let stand_ins = world.stand_ins(&name);
        let chains = stand_ins.map(|held| held.chains).unwrap_or_default();
        let stood_in = chains.into_iter().map(|chain| {
            Ok(StandIn {
                head_seq: world.journal.head(&chain).map(|head| head.seq),
                waiting: world.waiting(&chain)?,
                chain,
            })
        });
        stood_in
            .collect::<Result<Vec<_>, String>>()
            .map(|stood_in| (hold, stood_in))
    });
    let (hold, stood_in) = looked
        .await
        .map_err(|_fell| Problem::new(Code::Internal))?
        .map_err(|error| {
            tracing::error!(error, "what waits for a held chain could not be read");
            Problem::new(Code::JournalUnavailable)
        })?;
    let hold = hold.as_ref();
    Ok(HttpResponse::Ok().json(Shown {
        tenant_id: chain.to_string(),
        status: hold.map_or("not_held", |_| "held"),
        from_seq: hold.map(|hold| hold.from_seq),
        proven: hold.and_then(|hold| hold.proven).map(End::of),
        known_to_seq: hold.and_then(|hold| hold.known_to),
        waiting: stood_in.iter().map(|one| one.waiting).sum(),
        stood_in,
        ordered: match &subject {
            Subject::Host => None,
            Subject::Tenant(tenant) => {
                let view = edge.view.load();
                view.tenants.get(tenant).and_then(|it| it.repair.clone())
            }
        },
        next: hold.map(|_| WHAT_TO_DO),
    }))
}

/// `POST /api/v1/tenants/{tenant}/repair`
pub(super) async fn order(
    request: HttpRequest,
    edge: Shared,
    tenant: Path<String>,
    payload: Payload,
) -> Answer<HttpResponse> {
    let by = caller(&request, &edge, Scope::TenantsWrite)?.actor;
    let subject = Subject::of(&edge, &tenant)?;
    let order: Order =
        input::json_up_to(BODY_BYTES, &request, payload, edge.body_patience()).await?;
    let hold = edge.world.journal.hold(&subject.chain());
    let hold = hold.ok_or_else(|| Problem::new(Code::ChainNotHeld))?;
    let Order {
        tail,
        more,
        accept_loss,
    } = order;
    // Before anything is put back, too: whoever is refused has changed nothing.
    let gives_up = accept_loss && !more;
    if gives_up {
        look(&edge, &subject, gives_up).await?;
    }
    let restored = restore(&edge, &subject, (&hold, &by), tail).await?;
    let answer = if more {
        Answered::of("restoring", &hold, restored)
    } else {
        whole_enough(&hold, &restored, accept_loss)?;
        // What is lost is found by what was signed of it while the chain is still the shorter one.
        look(&edge, &subject, gives_up).await?;
        let repaired = match subject {
            Subject::Host => release_host(&edge, &hold, (accept_loss, by)).await?,
            Subject::Tenant(tenant) => {
                let ordered = RepairOrdered {
                    loss_accepted: accept_loss,
                    ..ordered(&edge, &tenant, (&hold, restored.head), by)
                };
                change(&edge, |reply| OrderRepair { ordered, reply }).await?;
                release(&edge, tenant).await?
            }
        };
        Answered::of("repaired", &hold, repaired)
    };
    Ok(HttpResponse::Ok().json(answer))
}

#[derive(Serialize)]
struct Answered {
    status: &'static str,
    from_seq: u64,
    head: Option<End>,
    /// Entries from the first one in doubt on that are as they were.
    restored: u64,
}

impl Answered {
    fn of(status: &'static str, hold: &HoldInfo, repaired: Repaired) -> Self {
        Self {
            status,
            from_seq: hold.from_seq,
            restored: restored_from(hold, &repaired),
            head: repaired.head.map(End::of),
        }
    }
}

fn restored_from(hold: &HoldInfo, repaired: &Repaired) -> u64 {
    let next = repaired.head.map_or(0, |head| head.seq.saturating_add(1));
    next.saturating_sub(hold.from_seq)
}

async fn restore(
    edge: &Edge,
    subject: &Subject,
    (hold, by): (&HoldInfo, &str),
    tail: Vec<String>,
) -> Answer<Repaired> {
    let chain = subject.chain();
    let tail: Vec<_> = tail.into_iter().map(String::into_bytes).collect();
    if let Some((position, error)) = unreadable(&chain, &tail) {
        return Err(tail_refused(&chain, position.saturating_add(1), &error));
    }
    if let Some((position, why)) = unlinked(&chain, &tail, hold.proven) {
        return Err(tail_refused(&chain, position.saturating_add(1), &why));
    }
    match subject {
        Subject::Host => tracing::warn!(lines = tail.len(), by, "the host's chain is restored"),
        Subject::Tenant(tenant) => {
            let ordered = RepairOrdered {
                lines: u64::try_from(tail.len()).ok(),
                ..ordered(edge, tenant, (hold, hold.proven), by.to_owned())
            };
            change(edge, |reply| OrderRepair { ordered, reply }).await?;
        }
    }
    on_disk(edge, &chain, move |journal, chain| {
        journal.restore(chain, tail)
    })
    .await
}

async fn on_disk(
    edge: &Edge,
    chain: &Arc<str>,
    work: impl FnOnce(&dyn Journal, &str) -> Result<Repaired, JournalError> + Send + 'static,
) -> Answer<Repaired> {
    let (journal, chain) = (Arc::clone(&edge.world.journal), Arc::clone(chain));
    let done = tokio::task::spawn_blocking(move || work(&*journal, &chain)).await;
    done.map_err(|_fell| Problem::new(Code::Internal))?
        .map_err(|error| refused(&error))
}

/// Whether everything is back that something on the disk still speaks of, or nobody insists on it.
fn whole_enough(hold: &HoldInfo, restored: &Repaired, accept_loss: bool) -> Answer<()> {
    let end = restored.head.map(|head| head.seq);
    let missing = match hold.known_to {
        Some(known_to) => end < Some(known_to),
        // Nothing speaks of anything behind the end: then only a copy can.
        None => true,
    };
    let nothing_new = restored_from(hold, restored) == 0;
    if accept_loss || !(missing || nothing_new) {
        return Ok(());
    }
    let end = end.map_or_else(
        || "nothing is restored".to_owned(),
        |seq| format!("the chain ends at {seq}"),
    );
    let known = match hold.known_to {
        Some(known_to) if missing => format!(", but it once had an entry {known_to}"),
        Some(_) | None => format!(", and entries from {} on may be missing", hold.from_seq),
    };
    Err(Problem::new(Code::LossNotAccepted).detail(format!(
        "{end}{known}. Give a copy that has what is missing, or accept that it is lost."
    )))
}

fn ordered(
    edge: &Edge,
    tenant_id: &TenantId,
    (hold, end): (&HoldInfo, Option<Head>),
    by: String,
) -> RepairOrdered {
    let stand_ins = edge.world.stand_ins(tenant_id.as_str());
    let chains = stand_ins.map(|held| held.chains).unwrap_or_default();
    RepairOrdered {
        tenant_id: tenant_id.clone(),
        repair_id: edge.world.fresh_id(edge.world.now()),
        from_seq: hold.from_seq,
        lines: None,
        restored_to: end.map(|head| RestoredTo {
            seq: head.seq,
            hash: Digest(head.hash),
        }),
        stood_in: chains.iter().map(ToString::to_string).collect(),
        loss_accepted: false,
        by,
    }
}

/// The host's chain cannot have the order before it goes on; the vault has it until then, and the chain says so
/// first of all, even if this server falls in between.
async fn release_host(
    edge: &Edge,
    hold: &HoldInfo,
    (loss_accepted, by): (bool, String),
) -> Answer<Repaired> {
    let chain = HOST_CHAIN.into();
    let ordered = HostRepaired {
        held: HeldChain {
            chain: HOST_CHAIN.to_owned(),
            from_seq: hold.from_seq,
        },
        restored: 0,
        loss_accepted,
        by,
    };
    let repaired = ordered.clone();
    change(edge, |reply| OrderHostRepair {
        repaired: ordered,
        reply,
    })
    .await?;
    let repair = |journal: &dyn Journal, chain: &str| journal.repair(chain, Vec::new());
    let done = on_disk(edge, &chain, repair).await?;
    let repaired = HostRepaired {
        restored: restored_from(hold, &done),
        ..repaired
    };
    change(edge, |reply| HostReleased { repaired, reply }).await?;
    Ok(done)
}

async fn release(edge: &Edge, tenant: TenantId) -> Answer<Repaired> {
    let released = edge.tenants.ask(Release(tenant), edge.patience()).await;
    match released {
        Ok(repaired) => repaired.map_err(|error| refused(&error)),
        Err(Failure::Deadline) => Err(Code::TimedOut.into()),
        Err(error) => {
            tracing::warn!(%error, "the router did not release a held tenant");
            Err(Code::Unavailable.into())
        }
    }
}

fn refused(error: &JournalError) -> Problem {
    match error {
        JournalError::NotHeld(_) => Code::ChainNotHeld.into(),
        JournalError::Unconnected {
            chain,
            line,
            reason,
        } => tail_refused(chain, *line, reason),
        error => {
            tracing::error!(%error, "a held chain could not be repaired");
            Problem::new(Code::JournalUnavailable)
                .detail("The chain could not be repaired; see the log. It is held as before.")
        }
    }
}

fn tail_refused(chain: &str, line: usize, reason: &dyn Display) -> Problem {
    let owner = owner(chain);
    Problem::new(Code::TailRefused).detail(format!(
        "Line {line} of the request: {reason}. Nothing of it was restored to {owner}."
    ))
}

//! One page: asked for, read, and taken in.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream};
use tokio::time;
use vyrox_domain::{
    alert::{Alert, MAX_PAYLOAD_BYTES},
    digest::Digest,
    protocol::{IntakePolled, RejectReason},
    time::Timestamp,
    vendor::Vendor,
};

use super::{
    Place, PollerParts, SetAside, Trouble,
    door::{Door, NotTaken, Untouchable},
    window::Window,
};
use crate::{
    edr::Edr,
    messages::{Intake, ParsedAlert, Unfit},
};

/// How long an answer of the vendor's is waited for. Its connection has a shorter deadline of its own; this
/// one holds whatever becomes of that.
const VENDOR_PATIENCE: Duration = Duration::from_mins(2);
/// Objects of a page that are on their way to the tenant at the same time.
const AT_ONCE: usize = 64;
/// So much is kept of an object that is too long to be read.
const KEPT_BYTES: usize = 64 * 1024;
/// The vendor's ids that an entry names of one object; the others stand in its evidence.
const NAMED_MAX: usize = 16;

/// What a page is asked for with.
pub(super) struct Visit {
    pub(super) parts: Arc<PollerParts>,
    /// `None` where the chain has yet to be asked.
    pub(super) place: Option<Place>,
    /// The rest of a round; `None` where a new one begins.
    pub(super) round: Option<Window>,
    /// Alerts of earlier pages that stand in no `intake.polled`.
    pub(super) unnoted: u32,
}

/// A page is durable.
pub(super) struct Brought {
    /// So far.
    pub(super) place: Timestamp,
    /// The rest of the round.
    pub(super) rest: Option<Window>,
    /// Alerts that stand in no `intake.polled` yet.
    pub(super) unnoted: u32,
}

/// Asks for one page and has it taken in. On an error some of it may be durable, which the next round finds
/// out.
pub(super) async fn bring(visit: Visit, edr: Arc<dyn Edr>) -> Result<Brought, Trouble> {
    let PollerParts {
        world,
        tenant,
        vendor,
        ..
    } = &*visit.parts;
    let (vendor, door) = (*vendor, visit.parts.door());
    let place = match visit.place {
        Some(Place(place)) => place,
        None => door.place(vendor).await?,
    };
    let window = visit
        .round
        .unwrap_or_else(|| Window::begin(place, world.now()));
    let asked = edr.poll(window.from, window.to, window.limit);
    let page = time::timeout(VENDOR_PATIENCE, asked)
        .await
        .map_err(|_elapsed| Trouble::Silent)??;
    let count = page.alerts.len();
    let now = world.now();
    let mut items = read(vendor, page.alerts, now).await?;
    items.extend(page.cut.into_iter().map(|it| Item::cut(vendor, it, now)));
    let Taken { fresh, rejected } = take_in(door, items, &visit.parts.set_aside).await?;
    world.polls.page(tenant, vendor, rejected, now);
    let after = window.after(count, page.up_to);
    if let Some(moment) = after.passed_by {
        tracing::error!(%tenant, %vendor, %moment, "more alerts have this very moment than can be asked for at once");
    }
    let unnoted = visit.unnoted.saturating_add(fresh);
    let reached = further(place, after.place, now);
    let polled = IntakePolled {
        vendor,
        up_to_ms: reached,
        alerts: unnoted,
    };
    let noted = door.note(polled).await;
    Ok(Brought {
        place: reached,
        rest: after.rest,
        unnoted: if noted { 0 } else { unnoted },
    })
}

/// The pages of a round begin before the place and do not take it back; unless it is ahead of the clock.
fn further(place: Option<Timestamp>, reached: Timestamp, now: Timestamp) -> Timestamp {
    let before = place.filter(|place| *place <= now);
    before.map_or(reached, |place| place.max(reached))
}

/// What an object of a page is.
struct Item {
    intake: Arc<Intake>,
    /// No alerts, and why not.
    alerts: Result<Arc<[ParsedAlert]>, Unfit>,
}

/// Reads a page on a thread that may be busy for a while.
async fn read(vendor: Vendor, page: Vec<Vec<u8>>, now: Timestamp) -> Result<Vec<Item>, NotTaken> {
    let read = move || {
        page.into_iter()
            .map(|object| Item::read(vendor, object, now))
            .collect()
    };
    let items = tokio::task::spawn_blocking(read).await;
    // A reader that falls over a page would fall over it again; the round begins anew, and the log has told.
    items.map_err(|_fell| NotTaken::Late)
}

impl Item {
    fn read(vendor: Vendor, mut object: Vec<u8>, received_at: Timestamp) -> Self {
        let length = object.len();
        let alerts = if length > MAX_PAYLOAD_BYTES {
            object.truncate(KEPT_BYTES);
            Err(format!(
                "an object of {length} bytes is too long to be read; its first {KEPT_BYTES} bytes are kept"
            ))
        } else {
            parse(vendor, &object)
        };
        Self::of(vendor, object, received_at, alerts)
    }

    /// An object of which the vendor's API gives no more than could be read, which is its beginning.
    fn cut(vendor: Vendor, mut object: Vec<u8>, received_at: Timestamp) -> Self {
        object.truncate(KEPT_BYTES);
        let detail = format!(
            "an object is longer than is read of an answer; its first {} bytes are kept",
            object.len()
        );
        Self::of(vendor, object, received_at, Err(detail))
    }

    /// What is kept is what the entry names, also where that is not the whole.
    fn of(
        vendor: Vendor,
        body: Vec<u8>,
        received_at: Timestamp,
        alerts: Result<Arc<[ParsedAlert]>, String>,
    ) -> Self {
        let intake = Intake {
            vendor,
            body_sha256: Digest::of(&body),
            body,
            received_at,
            fallback: false,
            polled: true,
        };
        Self {
            intake: Arc::new(intake),
            alerts: alerts.map_err(|detail| Unfit {
                detail,
                reason: None,
                vendor_alert_ids: Vec::new(),
            }),
        }
    }
}

fn parse(vendor: Vendor, object: &[u8]) -> Result<Arc<[ParsedAlert]>, String> {
    let alerts = Alert::parse_polled(vendor, object).map_err(|invalid| invalid.detail)?;
    let parsed: Result<Vec<_>, _> = alerts.into_iter().map(ParsedAlert::new).collect();
    parsed.map(Into::into).map_err(|error| error.to_string())
}

/// What was taken in.
#[derive(Clone, Copy, Default)]
struct Taken {
    /// Alerts that were new.
    fresh: u32,
    /// Objects of which no alert was made, and that were not seen before.
    rejected: u64,
}

/// Takes in all of a page. All of it is offered, whatever becomes of its parts; one that is not durable makes the
/// page one that is not.
async fn take_in(
    door: Door<'_>,
    items: Vec<Item>,
    set_aside: &SetAside,
) -> Result<Taken, NotTaken> {
    let taken = stream::iter(items)
        .map(|item| async move { item.take_in(door, set_aside).await })
        .buffered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    taken
        .into_iter()
        .try_fold(Taken::default(), |sum, one| one.map(|one| sum.and(one)))
}

impl Taken {
    fn and(self, other: Self) -> Self {
        Self {
            fresh: self.fresh.saturating_add(other.fresh),
            rejected: self.rejected.saturating_add(other.rejected),
        }
    }
}

impl Item {
    async fn take_in(self, door: Door<'_>, set_aside: &SetAside) -> Result<Taken, NotTaken> {
        let Self { intake, alerts } = self;
        if set_aside.holds(&intake.body_sha256) {
            return Ok(Taken::default());
        }
        let unfit = match alerts {
            Ok(alerts) => match door.receive(&intake, &alerts).await? {
                Ok(accepted) => {
                    let fresh = accepted.iter().filter(|one| !one.duplicate).count();
                    let fresh = u32::try_from(fresh).unwrap_or(u32::MAX);
                    return Ok(Taken { fresh, rejected: 0 });
                }
                Err(untouchable) => fallen_over(&untouchable, &alerts),
            },
            Err(unfit) => unfit,
        };
        let tenant = door.tenant;
        match door.reject(&intake, &unfit).await? {
            Ok((seq, _hash)) => {
                tracing::warn!(%tenant, vendor = %intake.vendor, seq, why = unfit.detail, "a polled object was set aside");
            }
            // Its letter lies with the tenant's machine. A poller that stood still for it would see nothing
            // of all that comes after.
            Err(untouchable) => {
                tracing::error!(%tenant, vendor = %intake.vendor, %untouchable, "a polled object could not even be kept as evidence");
            }
        }
        set_aside.put(intake.body_sha256);
        Ok(Taken {
            fresh: 0,
            rejected: 1,
        })
    }
}

fn fallen_over(untouchable: &Untouchable, alerts: &[ParsedAlert]) -> Unfit {
    let ids = alerts.iter().map(|one| one.alert.vendor_alert_id.clone());
    Unfit {
        detail: untouchable.to_string(),
        reason: Some(RejectReason::Quarantined),
        vendor_alert_ids: ids.take(NAMED_MAX).collect(),
    }
}

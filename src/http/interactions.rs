//! Chat in: buttons, forms and commands, as the chat service posts them. Verified before anything is
//! read, answered well within the three seconds that the service waits.
//!
//! What takes longer is answered with "I am at it", and told when it is known. Whether somebody may do
//! something is decided behind the [`desk::Desk`], on what this one signed body says of the person and
//! the place; the door itself turns away repeats, guilds that belong to nobody, and buttons that name
//! another tenant than the guild's.

mod answer;
pub mod desk;
mod replays;
mod visit;

use std::{sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, HeaderValue},
    web::{Data, Payload},
};
use tokio::{runtime::Handle, sync::watch};
use vyrox_actors::ports::Clock;
use vyrox_domain::{
    interaction::{
        Interaction, InteractionKey, MAX_BODY_BYTES, RawInteraction, Refusal, WINDOW_S, parse,
        verify,
    },
    webhook::Secret,
};

use self::{answer::Reply, desk::Desk, replays::Replays, visit::Visit};
use super::{
    admission::{Admission, Source},
    body, input,
    problem::{Answer, Code, Problem},
    webhooks::refused,
};

/// How long whoever presses a button waits for a real answer before a deferred one; the service itself
/// gives up after three seconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// How long a body may take: one that is slower could not be answered in time.
const BODY_WITHIN: Duration = Duration::from_secs(2);

const SIGNATURE: &str = "X-Signature-Ed25519";
const TIMESTAMP: &str = "X-Signature-Timestamp";

/// What the two routes of chat share: `POST /interactions` and `POST /webhook`.
pub(crate) struct ChatDoor {
    /// The application's public key; without it nothing is let in.
    pub(super) key: Option<InteractionKey>,
    /// The application's id; interactions signed for another one are refused.
    pub(super) application_id: Option<String>,
    /// `VYROX_HMAC_SECRET`, for external workers.
    pub(super) service_key: Option<Secret>,
    pub(super) desk: Arc<dyn Desk>,
    pub(super) admission: Arc<Admission>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) body_within: Duration,
    pub(super) answer_within: Duration,
    replays: Replays,
    /// Where decisions are waited for: it goes on while the threads of HTTP end.
    runtime: Handle,
    /// How many answers are promised and not told yet.
    promised: watch::Sender<usize>,
}

impl ChatDoor {
    /// A door without keys: both routes answer that they are not provisioned. To be called on the
    /// runtime that is to outlive the threads of HTTP.
    pub(super) fn new(
        desk: Arc<dyn Desk>,
        admission: Arc<Admission>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            key: None,
            application_id: None,
            service_key: None,
            desk,
            admission,
            clock,
            body_within: BODY_WITHIN,
            answer_within: ANSWER_WITHIN,
            replays: Replays::default(),
            runtime: Handle::current(),
            promised: watch::Sender::new(0),
        }
    }

    /// Ends when every answer that was promised is told.
    pub(crate) async fn all_told(&self) {
        let mut promised = self.promised.subscribe();
        // The sender is ours, so there is no other end than this one.
        promised.wait_for(|count| *count == 0).await.ok();
    }
}

/// `POST /interactions`
///
/// A wrong signature is always 401, however often: the service probes with wrong ones and takes the
/// URL away from whoever answers anything else, and its probes come from behind the same proxy as a
/// stranger's flood may. What a failure costs is bounded by the room for requests in hand.
pub(super) async fn receive(
    request: HttpRequest,
    payload: Payload,
    door: Data<ChatDoor>,
) -> Answer<HttpResponse> {
    let patience = tokio::time::sleep(door.answer_within);
    let source = Source::of_peer(request.peer_addr().map(|address| address.ip()));
    let place = door.admission.enter(source).map_err(refused)?;
    let Some(key) = &door.key else {
        return Err(Code::InteractionsNotProvisioned.into());
    };
    body::acceptable(&request, MAX_BODY_BYTES)?;
    let bytes = body::read(payload, MAX_BODY_BYTES, door.body_within).await?;
    let interaction = understood(&request, &bytes, key, &door)?;
    let visit = Visit {
        door: door.into_inner(),
        place,
        patience,
        tenant: None,
    };
    let answer = match interaction {
        Interaction::Ping => answer::pong(),
        Interaction::Direct => answer::sentence(answer::NOT_HERE),
        Interaction::Unknown => answer::sentence(answer::NOT_KNOWN),
        Interaction::Button(button) => visit.button(button).await,
        Interaction::Form(form) => visit.form(form).await,
        Interaction::Command(command) => visit.command(command).await,
    };
    let fresh = (CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(HttpResponse::Ok().insert_header(fresh).json(answer))
}

/// Verifies, then reads. One 401 for whatever proves nothing, and for another application's.
fn understood(
    request: &HttpRequest,
    body: &[u8],
    key: &InteractionKey,
    door: &ChatDoor,
) -> Answer<Interaction> {
    let raw = RawInteraction {
        signature: input::sole_header(request, SIGNATURE).unwrap_or_default(),
        timestamp: input::sole_header(request, TIMESTAMP).unwrap_or_default(),
        body,
    };
    let verified = verify(key, raw, door.clock.now(), WINDOW_S)
        .map_err(|_forged| Problem::unauthenticated())?;
    parse(&verified, door.application_id.as_deref()).map_err(|refusal| match refusal {
        Refusal::AnotherApplication => Problem::unauthenticated(),
        Refusal::Malformed(_) => Problem::new(Code::InvalidPayload).detail(refusal.to_string()),
    })
}

#[cfg(test)]
pub(super) mod tests;

//! Containment for trusted services: `POST /execute` and `POST /rollback`. Bytes -> the tenant's own action
//! key -> a request -> its target, from the alert that it names -> machine -> durable outcome -> answer.
//! Nothing is parsed before it is verified but the one member that names the tenant.

mod proof;

mod asked;
mod target;

mod answer;

#[cfg(test)]
mod tests;

use actix_web::{HttpRequest, HttpResponse, web::Payload};
use vyrox_actors::messages::External;

pub(super) use self::answer::withheld;
use self::{
    answer::answered,
    asked::Asked,
    proof::{Proof, prove},
};
use super::{
    Edge, Shared,
    admission::{Class, Source},
    body, input,
    problem::{Answer, Code},
    webhooks::{refused, turned_away},
};

/// The largest body; a request is a few hundred bytes.
const BODY_BYTES: usize = 64 * 1024;

/// Which way an action goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Execute,
    Rollback,
}

/// `POST /execute`
pub(super) async fn execute(
    request: HttpRequest,
    payload: Payload,
    edge: Shared,
) -> Answer<HttpResponse> {
    receive(&request, payload, &edge, Direction::Execute).await
}

/// `POST /rollback`
pub(super) async fn rollback(
    request: HttpRequest,
    payload: Payload,
    edge: Shared,
) -> Answer<HttpResponse> {
    receive(&request, payload, &edge, Direction::Rollback).await
}

/// Whoever sent it may go away meanwhile: what was begun goes on, and a repeat finds its answer.
async fn receive(
    request: &HttpRequest,
    payload: Payload,
    edge: &Edge,
    direction: Direction,
) -> Answer<HttpResponse> {
    let source = Source::of_peer(request.peer_addr().map(|address| address.ip()));
    let place = edge.admission.enter(source).map_err(refused)?;
    body::acceptable(request, BODY_BYTES)?;
    let bytes = body::read(payload, BODY_BYTES, edge.body_patience()).await?;

    let signature = input::sole_header(request, "X-Vyrox-Signature");
    let keyring = edge.world.keyring.load_full();
    let keys = match prove(&keyring, edge.service_key.as_ref(), &bytes, signature) {
        Proof::Proven(keys) => keys,
        Proof::Unproven => return Err(turned_away(&edge.admission, source)),
        Proof::NotProvisioned => {
            // It proves nothing either, so it draws on the same ration.
            edge.admission.failed(source).into_result()?;
            return Err(Code::ExecuteNotProvisioned.into());
        }
    };
    let place = place.speaks_for(&keys.tenant).map_err(refused)?;
    let ration = edge.admission.spend(Class::Execute, &keys.tenant.shared());
    ration.into_result()?;

    let asked = Asked::read(&bytes, &keys.tenant)?;
    let target = target::find(edge, &keys, &asked, direction).await?;
    let request = External {
        claim: asked.claim(direction),
        action_type: asked.action_type,
        alert_id: asked.alert_id,
        target,
        approved_by: asked.approved_by,
        approved_at: asked.approved_at,
    };
    let answer = edge.desk().execute(&keys.tenant, request).await;
    drop(place);
    answered(direction, answer)
}

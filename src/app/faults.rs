//! Faults over HTTP, in builds with the feature `fault-injection` alone; any other build answers 404.

/// Adds the route where there is one.
#[cfg(not(feature = "fault-injection"))]
pub(crate) fn routes(_: &mut actix_web::web::ServiceConfig) {}

#[cfg(feature = "fault-injection")]
pub(crate) use armed::routes;

#[cfg(feature = "fault-injection")]
mod armed {
    use actix_web::{
        HttpRequest, HttpResponse,
        web::{Data, Payload, ServiceConfig, post},
    };
    use serde::Deserialize;
    use vyrox_actors::{
        failpoint::{Step, UnknownStep, arm},
        supervision::{Fault, UnknownFault},
    };

    use crate::http::{
        Edge, input,
        problem::{Answer, Code, Problem},
        tokens::Scope,
    };

    /// What is ordered.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Order {
        Befall(Befall),
        Die(Die),
    }

    /// Something befalls an actor.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Befall {
        actor: String,
        fault: String,
        times: u32,
    }

    /// The process dies at a step of the containment path, the `nth` time that it comes there.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Die {
        die_at: String,
        nth: u32,
    }

    pub(crate) fn routes(service: &mut ServiceConfig) {
        service.route("/api/v1/faults", post().to(order));
    }

    async fn order(
        request: HttpRequest,
        edge: Data<Edge>,
        payload: Payload,
    ) -> Answer<HttpResponse> {
        edge.let_in(&request, Scope::FaultsWrite)?;
        match input::json(&request, payload, edge.body_patience()).await? {
            Order::Befall(order) => befall(&edge, &order)?,
            Order::Die(Die { die_at, nth }) => {
                let step: Step = die_at.parse().map_err(|unknown: UnknownStep| {
                    Problem::new(Code::InvalidRequest).detail(unknown.to_string())
                })?;
                arm(step, nth);
            }
        }
        Ok(HttpResponse::NoContent().finish())
    }

    fn befall(edge: &Edge, order: &Befall) -> Answer<()> {
        let fault: Fault = order.fault.parse().map_err(|unknown: UnknownFault| {
            Problem::new(Code::InvalidRequest).detail(unknown.to_string())
        })?;
        if !edge.tree.inject(&order.actor, fault, order.times) {
            tracing::info!(
                actor = order.actor,
                "no such actor now; the fault waits for it"
            );
        }
        Ok(())
    }
}

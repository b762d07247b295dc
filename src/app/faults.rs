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
    use vyrox_actors::supervision::{Fault, UnknownFault};

    use crate::http::{
        Edge, input,
        problem::{Answer, Code, Problem},
        tokens::Scope,
    };

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        actor: String,
        fault: String,
        times: u32,
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
        let order: Order = input::json(&request, payload, edge.body_patience()).await?;
        let fault: Fault = order.fault.parse().map_err(|unknown: UnknownFault| {
            Problem::new(Code::InvalidRequest).detail(unknown.to_string())
        })?;
        if !edge.tree.inject(&order.actor, fault, order.times) {
            tracing::info!(
                actor = order.actor,
                "no such actor now; the fault waits for it"
            );
        }
        Ok(HttpResponse::NoContent().finish())
    }
}

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
    use vyrox_actors::faults::{Fault, inject};

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
        edge.tokens.require(&request, Scope::FaultsWrite)?;
        let order: Order = input::json(&request, payload, edge.body_patience()).await?;
        let fault = match order.fault.as_str() {
            "panic" => Fault::Panic,
            "panic_in_started" => Fault::PanicInStarted,
            other => match other.strip_prefix("block_ms:").map(str::parse) {
                Some(Ok(ms)) => Fault::BlockMs(ms),
                _ => {
                    return Err(Problem::new(Code::InvalidRequest)
                        .detail("fault is panic, panic_in_started or block_ms:N"));
                }
            },
        };
        inject(&order.actor, fault, order.times);
        Ok(HttpResponse::NoContent().finish())
    }
}

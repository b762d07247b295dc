//! Routes with the methods that they take.

use actix_web::{
    Resource,
    web::{ServiceConfig, delete, get, post, put, resource},
};

use super::{halt, problem::method_not_allowed, repair, secrets};

/// Those about what EDRs know tenants by, about held chains, and about the switch that stops all
/// containment.
pub(super) fn containment_routes(service: &mut ServiceConfig) {
    service
        .service(only_get(
            "/api/v1/tenants/{tenant}/edr",
            get().to(secrets::list),
        ))
        .service(
            resource("/api/v1/tenants/{tenant}/edr/{vendor}")
                .route(put().to(secrets::set_edr))
                .route(delete().to(secrets::remove_edr))
                .default_service(method_not_allowed("PUT, DELETE")),
        )
        .service(only_post(
            "/api/v1/tenants/{tenant}/edr/{vendor}/check",
            post().to(secrets::check_edr),
        ))
        .service(
            resource("/api/v1/tenants/{tenant}/action-secret")
                .route(put().to(secrets::set_action_secret))
                .route(delete().to(secrets::remove_action_secret))
                .default_service(method_not_allowed("PUT, DELETE")),
        )
        .service(
            resource("/api/v1/tenants/{tenant}/repair")
                .route(get().to(repair::show))
                .route(post().to(repair::order))
                .default_service(method_not_allowed("GET, POST")),
        )
        .service(
            resource("/api/v1/halt")
                .route(get().to(halt::show))
                .route(post().to(halt::halt))
                .route(delete().to(halt::lift))
                .default_service(method_not_allowed("GET, POST, DELETE")),
        );
}

pub(super) fn only_get(path: &str, handler: actix_web::Route) -> Resource {
    resource(path)
        .route(handler)
        .default_service(method_not_allowed("GET"))
}

pub(super) fn only_delete(path: &str, handler: actix_web::Route) -> Resource {
    resource(path)
        .route(handler)
        .default_service(method_not_allowed("DELETE"))
}

pub(super) fn only_post(path: &str, handler: actix_web::Route) -> Resource {
    resource(path)
        .route(handler)
        .default_service(method_not_allowed("POST"))
}

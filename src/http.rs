//! The HTTP surface: every route in one table.

pub mod admission;
pub mod problem;

pub(crate) mod tokens;

pub(crate) mod input;

mod body;
mod webhooks;

mod execute;

pub mod interactions;
mod notify;

mod audit;
mod export;

mod actions;
mod admin;
mod alerts;
mod backtest;
mod backups;
mod chat;
mod dead_letters;
mod decisions;
mod evidence;
mod halt;
mod incidents;
mod people;
pub(crate) mod proof;
mod reading;
mod removal;
mod repair;
mod secrets;

mod health;
mod metrics;

mod routes;

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use actix_web::{
    HttpRequest,
    web::{Data, ServiceConfig, delete, get, post, put, resource, route},
};
use tokio::sync::Semaphore;
use vyrox_actors::{
    directory::Directory,
    ports::World,
    registry::Registry,
    router::Tenants,
    supervision::{Handle, Tree},
};
use vyrox_domain::{
    host::HostState,
    webhook::{AuthScheme, Keys, Secret},
};

use self::{
    admission::{Admission, Class},
    audit::Places,
    interactions::ChatDoor,
    metrics::Metrics,
    problem::{Answer, method_not_allowed, not_found, path_errors},
    proof::SignedLog,
    routes::{containment_routes, only_delete, only_get, only_post},
    tokens::{Caller, Personal, Scope, Tokens},
};
use crate::{
    app::{Standing, stores::Stores},
    config::Config,
    desk::{TenantDesk, chat::ChatDesk},
};

/// What every handler shares. Nothing in it changes but behind its own lock.
pub(crate) struct Edge {
    pub(crate) config: Config,
    pub(crate) world: Arc<World>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) tenants: Handle<Tenants>,
    pub(crate) registry: Handle<Registry>,
    pub(crate) view: Arc<arc_swap::ArcSwap<HostState>>,
    pub(crate) tree: Tree,
    pub(crate) admission: Arc<Admission>,
    pub(crate) tokens: Tokens,
    pub(crate) metrics: Metrics,
    /// What the routes of chat share.
    pub(crate) chat: Data<ChatDoor>,
    /// `VYROX_HMAC_SECRET` for the routes of trusted services.
    pub(crate) service_key: Option<Secret>,
    /// The same as a webhook's keys, where the operator lets it stand in for missing ones.
    pub(crate) fallback: Option<Keys>,
    /// The place of the one backtest that may run.
    pub(crate) backtests: Arc<Semaphore>,
    /// What a backup is taken of.
    pub(crate) stores: Stores,
    /// What is signed of the chains.
    pub(crate) log: SignedLog,
    /// The place of the one backup that may run.
    pub(crate) backups: Arc<Semaphore>,
    /// The places of those who read whole chains.
    pub(crate) places: Places,
    listening: OnceLock<SocketAddr>,
}

impl Edge {
    /// The edge of what stands.
    pub(crate) fn new(standing: &Standing) -> Self {
        let (config, host) = (&standing.config, &standing.host);
        let secret = config.auth.hmac_secret.as_ref();
        let service_key = secret.map(|secret| Secret::new(secret.expose().as_bytes().to_vec()));
        let fallback = service_key.clone().filter(|_| config.auth.webhook_fallback);
        let (world, tree) = (Arc::clone(&standing.world), host.tree.clone());
        let admission = Arc::new(Admission::new(&config.limits));
        let metrics = Metrics::new(Arc::clone(&world), tree.clone(), Arc::clone(&admission));
        let desk = Arc::new(ChatDesk::new(standing));
        let mut chat = ChatDoor::new(desk, Arc::clone(&admission), Arc::clone(&world.clock));
        chat.key.clone_from(&config.discord.public_key);
        chat.application_id
            .clone_from(&config.discord.application_id);
        chat.service_key.clone_from(&service_key);
        Self {
            config: config.clone(),
            world,
            directory: Arc::clone(&host.directory),
            tenants: host.tenants.clone(),
            registry: host.registry.clone(),
            view: Arc::clone(&host.view),
            tree,
            admission,
            tokens: Tokens::new(standing.token.clone()),
            metrics,
            chat: Data::new(chat),
            fallback: fallback.map(|current| Keys {
                scheme: AuthScheme::VyroxHmac,
                current,
                previous: None,
            }),
            service_key,
            backtests: Arc::new(Semaphore::new(1)),
            stores: standing.stores.clone(),
            log: SignedLog::new(&standing.audit_log.office),
            backups: Arc::new(Semaphore::new(1)),
            places: Places::default(),
            listening: OnceLock::new(),
        }
    }

    /// The person who shows a token of their own, within that person's ration of calls.
    pub(crate) fn person(&self, request: &HttpRequest) -> Answer<Personal> {
        let keyring = self.world.keyring.load();
        let personal = self
            .tokens
            .person(request, self.world.now(), &keyring.people)?;
        let budget = format!("person:{}", personal.person_id).into();
        self.admission.spend(Class::Api, &budget).into_result()?;
        Ok(personal)
    }

    /// Where people's words reach a tenant.
    pub(crate) fn desk(&self) -> TenantDesk {
        TenantDesk {
            world: Arc::clone(&self.world),
            directory: Arc::clone(&self.directory),
            tenants: self.tenants.clone(),
        }
    }

    /// Tells where the doors are, once they are open.
    pub(crate) fn listening_on(&self, address: SocketAddr) {
        // It is told once; a second telling changes nothing.
        self.listening.set(address).ok();
    }

    /// Whether only this machine can reach the listener, and no public URL says otherwise.
    pub(crate) fn is_local(&self) -> bool {
        let bound = self.listening.get();
        let loopback = bound.is_some_and(|address| address.ip().to_canonical().is_loopback());
        loopback && self.config.server.public_url.is_none()
    }

    /// What the URLs that are handed out begin with.
    pub(crate) fn base_url(&self) -> String {
        let bound = self
            .listening
            .get()
            .copied()
            .unwrap_or(self.config.server.listen);
        self.config.server.base_url(bound)
    }

    /// Whoever shows a token that allows `scope`: the bootstrap token, or a person's.
    pub(crate) fn let_in(&self, request: &HttpRequest, scope: Scope) -> Answer<Caller> {
        let keyring = self.world.keyring.load();
        let now = self.world.now();
        self.tokens.admit(request, scope, now, &keyring.people)
    }

    /// How long a body may take to arrive.
    pub(crate) fn body_patience(&self) -> Duration {
        Duration::from_millis(self.config.server.body_timeout_ms)
    }

    /// How long an answer may take once its request is whole.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_millis(self.config.server.request_timeout_ms)
    }
}

/// Alerts, what became of them, and what people decide about them.
fn case_routes(service: &mut ServiceConfig) {
    service
        .service(only_get("/api/v1/alerts", get().to(alerts::list)))
        .service(only_get("/api/v1/alerts/{alert}", get().to(alerts::show)))
        .service(only_post(
            "/api/v1/alerts/{alert}/approve",
            post().to(decisions::approve),
        ))
        .service(only_post(
            "/api/v1/alerts/{alert}/deny",
            post().to(decisions::deny),
        ))
        .service(only_post(
            "/api/v1/alerts/{alert}/break-glass",
            post().to(decisions::break_glass),
        ))
        .service(only_get("/api/v1/incidents", get().to(incidents::list)))
        .service(only_get(
            "/api/v1/incidents/{incident}",
            get().to(incidents::show),
        ));
}

/// Actions: what trusted services and people want done, and what became of it.
fn action_routes(service: &mut ServiceConfig) {
    service
        .service(only_post("/execute", post().to(execute::execute)))
        .service(only_post("/rollback", post().to(execute::rollback)))
        .service(only_get("/api/v1/actions", get().to(actions::list)))
        .service(only_get(
            "/api/v1/actions/{action}",
            get().to(actions::show),
        ))
        .service(only_post(
            "/api/v1/actions/{action}/rollback",
            post().to(actions::roll_back),
        ))
        .service(only_post(
            "/api/v1/actions/{action}/redrive",
            post().to(actions::redrive),
        ))
        .service(only_post(
            "/api/v1/tenants/{tenant}/timers/release",
            post().to(actions::release_timers),
        ));
}

/// Tenants, and what is kept of them.
fn tenant_routes(service: &mut ServiceConfig) {
    service
        .service(only_post("/onboard", post().to(admin::onboard)))
        .service(only_get("/api/v1/tenants", get().to(admin::list)))
        .service(
            resource("/api/v1/tenants/{tenant}")
                .route(get().to(admin::show))
                .route(actix_web::web::patch().to(admin::update))
                .route(delete().to(removal::remove))
                .default_service(method_not_allowed("GET, PATCH, DELETE")),
        )
        .service(only_post(
            "/api/v1/tenants/{tenant}/rotate-secret",
            post().to(admin::rotate_secret),
        ))
        .service(only_delete(
            "/api/v1/tenants/{tenant}/alerts/{alert}/evidence",
            delete().to(evidence::erase),
        ));
}

/// Every route.
pub(crate) fn routes(service: &mut ServiceConfig) {
    service
        .app_data(path_errors())
        .service(only_post(
            "/webhook/{vendor}",
            post().to(webhooks::by_payload),
        ))
        .service(only_post(
            "/t/{tenant}/webhook/{vendor}",
            post().to(webhooks::by_path),
        ))
        .service(only_post("/interactions", post().to(interactions::receive)))
        .service(only_post("/webhook", post().to(notify::receive)))
        .service(only_get("/audit/chains", get().to(audit::chains)))
        .service(only_get("/audit/export", get().to(export::export)))
        .service(only_get("/audit/head", get().to(audit::head)))
        .service(only_get("/audit/checkpoint", get().to(proof::checkpoint)))
        .service(only_get("/audit/prove", get().to(proof::prove)))
        .service(only_get("/audit/key", get().to(proof::key)))
        .service(only_get(
            "/api/v1/audit/integrity",
            get().to(proof::integrity),
        ))
        .service(only_post("/api/v1/audit/rebase", post().to(proof::rebase)))
        .service(only_post("/api/v1/audit/rotate", post().to(proof::rotate)))
        .service(only_get("/audit/verify", get().to(audit::verify)))
        .service(only_post("/api/v1/backtest", post().to(backtest::run)))
        .service(only_post("/api/v1/backups", post().to(backups::take)))
        .service(only_get(
            "/api/v1/dead-letters",
            get().to(dead_letters::list),
        ))
        .service(only_delete(
            "/api/v1/dead-letters/{number}",
            delete().to(dead_letters::discard),
        ))
        .service(only_post(
            "/api/v1/dead-letters/{number}/redrive",
            post().to(dead_letters::redrive),
        ))
        .service(only_get("/health", get().to(health::live)))
        .service(only_get("/health/live", get().to(health::live)))
        .service(only_get("/health/ready", get().to(health::ready)))
        .service(only_get("/health/actors", get().to(health::actors)))
        .service(only_get("/health/actors/{id:.*}", get().to(health::actor)))
        .service(only_get(
            "/health/tenants/{tenant}",
            get().to(health::tenant),
        ))
        .service(only_get("/metrics", get().to(metrics::scrape)))
        .configure(tenant_routes)
        .configure(case_routes)
        .configure(action_routes)
        .configure(people_and_chat)
        .configure(containment_routes)
        .default_service(route().to(not_found));
}

/// Those about people, their tokens, and where they talk.
fn people_and_chat(service: &mut ServiceConfig) {
    service
        .service(
            resource("/api/v1/people")
                .route(get().to(people::list))
                .route(post().to(people::add))
                .default_service(method_not_allowed("GET, POST")),
        )
        .service(
            resource("/api/v1/people/{person}")
                .route(get().to(people::show))
                .route(delete().to(people::remove))
                .default_service(method_not_allowed("GET, DELETE")),
        )
        .service(
            resource("/api/v1/people/{person}/roles/{tenant}")
                .route(put().to(people::grant))
                .default_service(method_not_allowed("PUT")),
        )
        .service(only_post(
            "/api/v1/people/{person}/links",
            post().to(people::link),
        ))
        .service(only_delete(
            "/api/v1/people/{person}/links/{provider}/{account}",
            delete().to(people::unlink),
        ))
        .service(only_post(
            "/api/v1/people/{person}/tokens",
            post().to(people::issue_token),
        ))
        .service(only_get("/api/v1/tokens", get().to(people::tokens)))
        .service(only_delete(
            "/api/v1/tokens/{token}",
            delete().to(people::revoke_token),
        ))
        .service(only_get("/api/v1/me", get().to(people::me)))
        .service(only_post(
            "/api/v1/tenants/{tenant}/chat-code",
            post().to(chat::issue_code),
        ))
        .service(only_delete(
            "/api/v1/tenants/{tenant}/chat",
            delete().to(chat::release),
        ))
        .service(
            resource("/api/v1/chat/discord/bot-token")
                .route(put().to(chat::set_bot_token))
                .default_service(method_not_allowed("PUT")),
        );
}

type Shared = Data<Edge>;

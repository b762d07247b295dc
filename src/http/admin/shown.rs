//! Tenants as the API shows them.

use serde::Serialize;
use vyrox_actors::registry::{Issued, IssuedWebhook};
use vyrox_domain::{
    host::{ActionKeyRecord, ChatBinding, TenantRecord},
    host_protocol::Account,
    ids::TenantId,
    time::Timestamp,
    vendor::Vendor,
};

use crate::http::{
    Edge,
    health::tenant_state,
    problem::{Answer, Code, Problem},
};

#[derive(Serialize)]
pub(super) struct IssuedBody {
    vendor: Vendor,
    auth: String,
    url: String,
    secret: String,
}

pub(super) fn issued_webhooks(edge: &Edge, issued: &Issued) -> Vec<IssuedBody> {
    let body = |webhook: &IssuedWebhook| IssuedBody {
        vendor: webhook.vendor,
        auth: webhook.auth.to_string(),
        url: url(edge, &issued.tenant_id, webhook.vendor),
        secret: String::from_utf8_lossy(webhook.secret.expose()).into_owned(),
    };
    issued.webhooks.iter().map(body).collect()
}

pub(super) fn shown(edge: &Edge, issued: &Issued) -> serde_json::Value {
    let webhooks = issued_webhooks(edge, issued);
    serde_json::json!({ "tenant_id": issued.tenant_id, "webhooks": webhooks })
}

fn url(edge: &Edge, tenant: &TenantId, vendor: Vendor) -> String {
    format!("{}/t/{tenant}/webhook/{vendor}", edge.base_url())
}

#[derive(Serialize)]
pub(in crate::http) struct TenantBody {
    tenant_id: TenantId,
    state: &'static str,
    created_at_ms: u64,
    webhooks: Vec<WebhookShown>,
    accounts: Vec<Account>,
    llm: bool,
    chat: Option<ChatBinding>,
    action_key: Option<ActionKeyRecord>,
    head: Option<HeadShown>,
}

#[derive(Serialize)]
struct WebhookShown {
    vendor: Vendor,
    auth: String,
    url: String,
    secret_version: u64,
    rotated_at_ms: Option<u64>,
    previous_until_ms: Option<u64>,
}

#[derive(Serialize)]
struct HeadShown {
    seq: u64,
    hash: String,
}

impl TenantBody {
    pub(in crate::http) fn read(edge: &Edge, id: &TenantId) -> Answer<Self> {
        let view = edge.view.load();
        let record = view
            .tenants
            .get(id)
            .ok_or_else(|| Problem::new(Code::TenantNotFound))?;
        Ok(Self::of(edge, id, record))
    }

    pub(super) fn of(edge: &Edge, id: &TenantId, record: &TenantRecord) -> Self {
        let webhooks = record
            .webhooks
            .iter()
            .map(|(vendor, webhook)| WebhookShown {
                vendor: *vendor,
                auth: webhook.auth.to_string(),
                url: url(edge, id, *vendor),
                secret_version: webhook.secret_version,
                rotated_at_ms: webhook.rotated_at.map(Timestamp::ms),
                previous_until_ms: webhook.previous.map(|previous| previous.until.ms()),
            });
        let head = edge.world.journal.head(id.as_str());
        Self {
            tenant_id: id.clone(),
            state: tenant_state(edge, id, record),
            created_at_ms: record.added_at.ms(),
            webhooks: webhooks.collect(),
            accounts: record.accounts.iter().cloned().collect(),
            llm: record.settings.llm,
            chat: record.settings.chat.clone(),
            action_key: record.action_key.clone(),
            head: head.map(|head| HeadShown {
                seq: head.seq,
                hash: head.hash_hex(),
            }),
        }
    }
}

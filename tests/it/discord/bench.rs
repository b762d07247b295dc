//! A bot on a runtime of the test's own, against a stand-in of the test's own.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex},
};

use uuid::Uuid;
use vyrox::{
    config::{Config, Secret, Sources},
    connectors::discord::{Discord, Interaction, TokenSource},
};
use vyrox_actors::outbound::{Chat as _, ChatError};
use vyrox_domain::{
    action::{ActionType, OnExpiry},
    digest::Digest,
    ids::{ActionId, AlertId, IncidentId, TenantId},
    notice::{MessageRef, Notice, Proposal, Standing},
    time::Timestamp,
    triage::Verdict,
    vendor::Vendor,
};

use super::{Fake, TOKEN, rest::APPLICATION};

pub(super) const CHANNEL: &str = "41771983423143937";
pub(super) const ELSEWHERE: &str = "41771983423143938";
pub(super) const ANSWER_TOKEN: &str = "aW50ZXJhY3Rpb246MTIzNDU2Nzg5MDpzZWNyZXQ";

/// A token that can be set while the bot runs.
pub(super) type Vault = Arc<Mutex<Option<String>>>;

pub(super) struct Bench {
    pub(super) fake: Fake,
    pub(super) bot: Discord,
    pub(super) vault: Vault,
}

impl Bench {
    /// Must be called in a runtime.
    pub(super) fn new(fake: Fake, settings: &[(&str, &str)]) -> Self {
        // A second installation in the same process fails, which is as good as the first.
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let mut sources = Sources::default();
        let base = fake.base();
        for (name, value) in settings
            .iter()
            .chain(&[("discord.api_base", base.as_str())])
        {
            sources.overrides.insert((*name).into(), (*value).into());
        }
        let (config, _) = Config::load(&sources).expect("good settings");
        let vault: Vault = Arc::new(Mutex::new(Some(TOKEN.into())));
        let source: TokenSource = {
            let vault = Arc::clone(&vault);
            Arc::new(move || vault.lock().unwrap().clone().map(Secret::new))
        };
        let bot = Discord::start(&config.discord, source).expect("a bot");
        Self { fake, bot, vault }
    }

    pub(super) async fn post(
        &self,
        tenant: &str,
        channel: &str,
        nonce: &str,
    ) -> Result<MessageRef, ChatError> {
        self.bot.post(&id(tenant), channel, &notice(), nonce).await
    }
}

pub(super) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(test)
}

pub(super) fn id(tenant: &str) -> TenantId {
    tenant.parse().expect("a tenant's name")
}

pub(super) fn notice() -> Notice {
    let proposal = Proposal {
        action_id: ActionId(Uuid::from_u128(1)),
        alert_id: AlertId(Uuid::from_u128(2)),
        action_type: ActionType::HostIsolation,
        target_urn: "urn:edr:crowdstrike:0123abcd".into(),
        parameters: BTreeMap::new(),
        verdict: Verdict::Critical,
        host: Some("WIN-7".into()),
        dry_run: true,
        protected: None,
        on_expiry: OnExpiry::Ask,
        hold_minutes: 240,
        digest: Digest([0xab; 32]),
        expires_at: Timestamp::from_s(u64::from(u32::MAX)),
        standing: Standing::Waiting {
            approved_by: Vec::new(),
        },
        act: None,
    };
    Notice {
        tenant_id: id("acme"),
        incident_id: IncidentId(Uuid::from_u128(3)),
        revision: 1,
        level: Verdict::Critical,
        title: "LSASS read by @everyone".into(),
        vendor: Vendor::Crowdstrike,
        hosts: vec!["WIN-7".into()],
        host_count: 1,
        reasons: vec!["Memory of LSASS".into()],
        tactics: vec!["credential-access".into()],
        techniques: vec!["T1003.001".into()],
        alerts: 1,
        folded: 0,
        linked_by: Vec::new(),
        storm: false,
        opened_at: Timestamp::from_s(1_799_999_000),
        last_at: Timestamp::from_s(1_799_999_000),
        proposals: vec![proposal],
        closed: None,
        quietly: true,
        lead_alert: AlertId(Uuid::from_u128(2)),
    }
}

pub(super) fn interaction(token: &str) -> Interaction {
    Interaction {
        tenant: Some(id("acme")),
        application_id: APPLICATION.into(),
        token: Secret::new(token.into()),
    }
}

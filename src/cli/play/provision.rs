//! A tenant to play with, and secrets that only this process knows.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::{Value, json};
use vyrox_domain::{ids::TenantId, vendor::Vendor};

use super::super::{
    client::Client,
    failure::Failure,
    model::{Issued, Tenant, view},
    out::{Line, Out, Tone},
    tenant::{rotate_secret, spec::WebhookSpec, webhook_members},
};

/// How the demonstration signs.
const AUTH: &str = "vyrox-hmac";
/// Whoever else posts as the tenant has a day to learn the new secret.
const OVERLAP_S: u64 = 86_400;

/// Creates the tenant, or has new secrets issued where it is already there: the secrets of an
/// earlier run were kept by nobody.
pub(super) async fn secrets(
    client: &Client,
    tenant: &TenantId,
    vendors: impl Iterator<Item = Vendor>,
    out: &mut Out,
) -> Result<BTreeMap<Vendor, SecretString>, Failure> {
    let vendors: Vec<Vendor> = vendors.collect();
    let listed: Value = client.get(&["api", "v1", "tenants"], &[]).await?;
    let tenants: Vec<Tenant> = listed.get("tenants").map(view).unwrap_or_default();
    let known = tenants
        .iter()
        .find(|known| known.tenant_id == tenant.as_str());
    let (issued, how) = match known {
        None => (
            create(client, tenant, &vendors).await?,
            "created; its webhook secrets stay in memory",
        ),
        Some(known) => (
            renew(client, tenant, known, &vendors).await?,
            "was here; new webhook secrets issued, the old ones are taken for a day more",
        ),
    };
    out.gap()?;
    out.line(
        Line::named("tenant")
            .tone(Tone::Strong, tenant)
            .text(format!("  {how}")),
    )?;
    Ok(issued)
}

async fn create(
    client: &Client,
    tenant: &TenantId,
    vendors: &[Vendor],
) -> Result<BTreeMap<Vendor, SecretString>, Failure> {
    let request = json!({
        "tenant_id": tenant,
        "webhooks": webhook_members(&specs(vendors), None),
        "accounts": [],
    });
    let answer: Value = client.post(&["onboard"], &request).await?;
    Ok(issued_in(&answer, "webhooks"))
}

async fn renew(
    client: &Client,
    tenant: &TenantId,
    known: &Tenant,
    vendors: &[Vendor],
) -> Result<BTreeMap<Vendor, SecretString>, Failure> {
    let mut issued = BTreeMap::new();
    let has = |vendor: &Vendor| {
        known
            .webhooks
            .iter()
            .any(|hook| hook.vendor == vendor.as_str() && hook.auth == AUTH)
    };
    let (old, new): (Vec<Vendor>, Vec<Vendor>) = vendors.iter().copied().partition(has);
    for vendor in old {
        let answer = rotate_secret(client, tenant, vendor, OVERLAP_S, None).await?;
        issued.extend(issued_in(&answer, "webhooks"));
    }
    if !new.is_empty() {
        let request = json!({
            "webhooks": webhook_members(&specs(&new), None),
            "add_accounts": [],
            "remove_accounts": [],
        });
        let path = ["api", "v1", "tenants", tenant.as_str()];
        let answer: Value = client.patch(&path, &request).await?;
        issued.extend(issued_in(&answer, "issued"));
    }
    Ok(issued)
}

fn specs(vendors: &[Vendor]) -> Vec<WebhookSpec> {
    vendors
        .iter()
        .map(|&vendor| WebhookSpec {
            vendor,
            auth: AUTH.into(),
        })
        .collect()
}

fn issued_in(answer: &Value, member: &str) -> BTreeMap<Vendor, SecretString> {
    let issued: Vec<Issued> = answer.get(member).map(view).unwrap_or_default();
    issued
        .into_iter()
        .filter_map(|webhook| {
            Some((
                webhook.vendor.parse().ok()?,
                SecretString::from(webhook.secret),
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::{
        super::super::{fake_server::FakeServer, out::tests::Paper},
        *,
    };

    fn issued(member: &str, vendor: &str) -> String {
        let webhook = json!({"vendor": vendor, "auth": AUTH, "url": "u", "secret": vendor});
        json!({ member: [webhook] }).to_string()
    }

    async fn provisioned(server: &FakeServer) -> (Vec<String>, Vec<Vendor>) {
        let vendors = [Vendor::Crowdstrike, Vendor::Generic].into_iter();
        let tenant: TenantId = "demo".parse().unwrap();
        let mut out = Paper::default().out(false);
        let secrets = secrets(&server.client(), &tenant, vendors, &mut out)
            .await
            .unwrap();
        let lines = server.asked().into_iter().map(|asked| asked.line).collect();
        (lines, secrets.into_keys().collect())
    }

    #[tokio::test]
    async fn a_new_tenant_is_created() {
        let server = FakeServer::new(|asked| match asked.line.as_str() {
            "POST /onboard" => (201, issued("webhooks", "generic")),
            _ => (200, r#"{"tenants":[{"tenant_id":"other"}]}"#.into()),
        });
        let (lines, vendors) = provisioned(&server).await;
        assert_eq!(lines, ["GET /api/v1/tenants", "POST /onboard"]);
        assert_eq!(vendors, [Vendor::Generic]);
    }

    #[tokio::test]
    async fn an_old_tenant_gets_new_secrets_for_what_it_has_and_webhooks_for_the_rest() {
        let server = FakeServer::new(|asked| match asked.line.as_str() {
            "GET /api/v1/tenants" => {
                let hooks = json!([
                    {"vendor": "crowdstrike", "auth": AUTH}, {"vendor": "generic", "auth": "bearer"},
                ]);
                (
                    200,
                    json!({"tenants": [{"tenant_id": "demo", "webhooks": hooks}]}).to_string(),
                )
            }
            line if line.starts_with("PATCH") => (200, issued("issued", "generic")),
            _ => (200, issued("webhooks", "crowdstrike")),
        });
        let (lines, vendors) = provisioned(&server).await;
        let expected = [
            "GET /api/v1/tenants",
            "POST /api/v1/tenants/demo/rotate-secret",
            "PATCH /api/v1/tenants/demo",
        ];
        assert_eq!(lines, expected);
        assert_eq!(vendors, [Vendor::Crowdstrike, Vendor::Generic]);
    }

    #[test]
    fn secrets_are_kept_by_vendor() {
        let answer = json!({"webhooks": [
            {"vendor": "generic", "auth": "vyrox-hmac", "url": "u", "secret": "g"},
            {"vendor": "of the future", "auth": "vyrox-hmac", "url": "u", "secret": "f"},
        ]});
        let secrets = issued_in(&answer, "webhooks");
        assert_eq!(secrets.len(), 1);
        assert_eq!(secrets[&Vendor::Generic].expose_secret(), "g");
    }
}

//! Tenants as a test knows them: an id, a secret, and what is sent in their name.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Http, Reply, Server};

/// The vendors that post alerts.
pub(crate) const VENDORS: [&str; 4] = ["crowdstrike", "sentinelone", "defender", "generic"];

/// A tenant whose webhooks all share one secret.
#[derive(Clone, Debug)]
pub(crate) struct Tenant {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl Tenant {
    pub(super) fn add(server: &Server, id: &str) -> Self {
        let secret = hex::encode(Sha256::digest(format!("the secret of {id}")));
        let webhooks = VENDORS.map(|vendor| json!({ "vendor": vendor, "secret": secret }));
        let body = json!({ "tenant_id": id, "webhooks": webhooks });
        let reply = server.api("POST", "/onboard", Some(&body));
        assert_eq!(reply.status, 201, "tenant {id} was not added: {reply:?}");
        Self {
            id: id.to_owned(),
            secret,
        }
    }

    /// Posts a body that names the tenant itself, signed.
    pub(crate) fn post(&self, http: &mut Http, vendor: &str, body: &[u8]) -> Reply {
        let signature = sign(&self.secret, body);
        http.post(
            &format!("/webhook/{vendor}"),
            &[("x-vyrox-signature", &signature)],
            body,
        )
    }

    /// Posts one and insists on 202; gives the answer.
    pub(crate) fn alert(&self, http: &mut Http, vendor: &str, body: &[u8]) -> Value {
        let reply = self.post(http, vendor, body);
        assert_eq!(
            reply.status,
            202,
            "{}: {reply:?}",
            String::from_utf8_lossy(body)
        );
        reply.json()
    }

    /// A short CrowdStrike alert of this tenant.
    pub(crate) fn body(&self, detect_id: &str, command_line: &str) -> Vec<u8> {
        falcon_short(&self.id, detect_id, command_line)
            .to_string()
            .into_bytes()
    }
}

/// A short CrowdStrike alert that runs `command_line`.
pub(crate) fn falcon_short(customer_id: &str, detect_id: &str, command_line: &str) -> Value {
    let file = command_line.split(' ').next().unwrap_or_default();
    json!({
        "detect_id": detect_id,
        "customer_id": customer_id,
        "timestamp": 1_767_225_600,
        "severity": "HIGH",
        "tactic": "Execution",
        "technique": "Command and Scripting Interpreter",
        "sensor": { "hostname": "WS-0042", "agent_id": "a1b2c3d4e5f60718293a4b5c6d7e8f90" },
        "process": { "user_name": "jdoe", "file_name": file, "command_line": command_line },
    })
}

/// `sha256=<hex>` as `X-Vyrox-Signature` carries it.
pub(crate) fn sign(secret: &str, body: &[u8]) -> String {
    format!("sha256={}", mac_hex(secret, body))
}

/// HMAC-SHA256 in hex.
pub(crate) fn mac_hex(secret: &str, bytes: &[u8]) -> String {
    hex::encode(mac(secret, bytes))
}

/// HMAC-SHA256.
pub(crate) fn mac(secret: &str, bytes: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key will do");
    mac.update(bytes);
    mac.finalize().into_bytes().to_vec()
}

//! The whole way out and back, at the stand-ins of the EDRs: a person approves, the host is cut off, and
//! the person lets it back. After each step the stand-in itself is asked how the host is.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};
use vyrox_domain::{
    ids::{ActionId, TenantId},
    vendor::Vendor,
};

use super::super::{
    action::ended,
    client::{Client, Credentials},
    failure::Failure,
    members::text,
    out::{Line, Out, Tone},
    simulate::Told,
};
use crate::mock_edr::{Credential, MockEdr, Network, VENDORS};

/// Who approves.
const PERSON: &str = "alice";
/// How long the person's token counts.
const TOKEN_TTL_S: u64 = 3600;
/// How long a proposal, and the outcome of an action, may take.
const WAIT: Duration = Duration::from_secs(20);
/// The shortest time between two looks for the proposal.
const PAUSE: Duration = Duration::from_millis(200);

/// Gives the server what each stand-in knows the tenant by. The server asks each whether it accepts that.
///
/// # Errors
/// The first credential that is refused, by the server or by the stand-in.
pub(super) async fn seal(
    client: &Client,
    tenant: &TenantId,
    edr: &MockEdr,
    out: &mut Out,
) -> Result<(), Failure> {
    for vendor in VENDORS {
        let path = ["api", "v1", "tenants", tenant.as_str()];
        let path = [path.as_slice(), &["edr", vendor.as_str()]].concat();
        let sealed: Value = client.put(&path, &members(edr.credential(vendor))).await?;
        if sealed.get("checked").and_then(Value::as_bool) != Some(true) {
            return Err(Failure::not_so(format!(
                "the credential of {vendor} was sealed, and nobody asked the stand-in"
            )));
        }
        let note = format!("  accepted by its stand-in: {}", text(&sealed, "note"));
        let line = Line::named("secret").tone(Tone::Strong, vendor);
        out.line(line.tone(Tone::Dim, note))?;
    }
    Ok(())
}

fn members(credential: &Credential) -> Value {
    let mut members = json!({ "base_url": credential.base_url, "secret": credential.secret });
    let others = [
        ("login_url", &credential.login_url),
        ("client_id", &credential.client_id),
        ("realm", &credential.realm),
    ];
    for (name, value) in others {
        if let (Some(value), Some(members)) = (value, members.as_object_mut()) {
            members.insert(name.to_owned(), json!(value));
        }
    }
    members
}

/// Has what is proposed about an alert approved, carried out, and taken back.
///
/// # Errors
/// The first step that does not happen, or of which the stand-in knows nothing.
pub(super) async fn show(
    client: &Client,
    (tenant, told): (&TenantId, &Told),
    edr: &MockEdr,
    out: &mut Out,
) -> Result<Value, Failure> {
    let alert = text(&told.view, "alert_id");
    let proposal = proposal(client, tenant, alert).await?;
    let patient = Patient::of(&proposal, edr)?;
    let person = become_somebody(client, tenant, out).await?;
    let mut readings = vec![patient.is(Network::Normal, out)?];
    let approved = approve(&person, (tenant, alert), &proposal, out).await?;
    let done = carried_out(&person, tenant, text(&proposal, "action_id"), out).await?;
    readings.push(patient.is(Network::Contained, out)?);
    let back = roll_back(&person, tenant, text(&proposal, "action_id"), out).await?;
    readings.push(patient.is(Network::Normal, out)?);
    keeps_to_the_contracts(edr, out)?;
    let path = ["api", "v1", "actions", text(&proposal, "action_id")];
    let action: Value = client.get(&path, &query(tenant)).await?;
    Ok(json!({
        "host": patient.name, "vendor": patient.vendor, "device_id": patient.id,
        "readings": readings, "approval": approved, "outcome": done, "rollback": back,
        "action": action,
    }))
}

/// The host that it is about.
struct Patient<'a> {
    edr: &'a MockEdr,
    vendor: Vendor,
    id: String,
    name: String,
}

impl<'a> Patient<'a> {
    fn of(proposal: &Value, edr: &'a MockEdr) -> Result<Self, Failure> {
        let target = text(proposal, "target_urn");
        let parts = target.strip_prefix("urn:edr:");
        let parts = parts.and_then(|rest| rest.split_once(':'));
        let unknown = || Failure::not_so(format!("no stand-in knows the target {target}"));
        let (vendor, id) = parts.ok_or_else(unknown)?;
        let vendor: Vendor = vendor.parse().ok().ok_or_else(unknown)?;
        let host = edr.host(vendor, id).ok_or_else(unknown)?;
        Ok(Self {
            edr,
            vendor,
            id: host.id,
            name: host.name,
        })
    }

    /// Says how the stand-in knows the host; anything but `wanted` ends the play.
    fn is(&self, wanted: Network, out: &mut Out) -> Result<&'static str, Failure> {
        let host = self.edr.host(self.vendor, &self.id);
        let found = host.map_or("unknown", |host| host.network.as_str());
        let good = found == wanted.as_str();
        let tone = match (good, wanted) {
            (true, Network::Contained) => Tone::Warn,
            (true, _) => Tone::Good,
            (false, _) => Tone::Bad,
        };
        out.line(
            Line::named("host")
                .text(format!("{} is ", self.name))
                .tone(tone, found)
                .tone(Tone::Dim, format!("  at the stand-in of {}", self.vendor)),
        )?;
        if good {
            return Ok(wanted.as_str());
        }
        Err(Failure::not_so(format!(
            "{} should be {} now",
            self.name,
            wanted.as_str()
        )))
    }
}

/// What is proposed about the alert, as soon as it waits for a decision.
async fn proposal(client: &Client, tenant: &TenantId, alert: &str) -> Result<Value, Failure> {
    let until = Instant::now() + WAIT;
    loop {
        let asked = Instant::now();
        let path = ["api", "v1", "alerts", alert];
        let shown: Value = client.get(&path, &query(tenant)).await?;
        let proposal = shown.get("proposal").cloned().unwrap_or_default();
        if text(&proposal, "standing") == "waiting" {
            return live(proposal);
        }
        if Instant::now() >= until {
            return Err(Failure::not_so(format!(
                "nothing waits for a decision about alert {alert}"
            )));
        }
        sleep_until(asked + PAUSE).await;
    }
}

fn live(proposal: Value) -> Result<Value, Failure> {
    if proposal.get("dry_run").and_then(Value::as_bool) == Some(false) {
        return Ok(proposal);
    }
    Err(Failure::not_so("what is proposed is only a rehearsal"))
}

/// Adds the person, and gives a client that shows the person's own token.
async fn become_somebody(
    client: &Client,
    tenant: &TenantId,
    out: &mut Out,
) -> Result<Client, Failure> {
    const PEOPLE: [&str; 3] = ["api", "v1", "people"];
    client
        .post::<Value>(&PEOPLE, &json!({ "person_id": PERSON }))
        .await?;
    let roles = [&PEOPLE[..], &[PERSON, "roles", tenant.as_str()]].concat();
    client
        .put::<Value>(&roles, &json!({ "roles": ["approver"] }))
        .await?;
    let tokens = [&PEOPLE[..], &[PERSON, "tokens"]].concat();
    let made: Value = client
        .post(&tokens, &json!({ "ttl_s": TOKEN_TTL_S }))
        .await?;
    out.line(
        Line::named("person")
            .tone(Tone::Strong, PERSON)
            .text(format!("  approver of {tenant}, with a token of her own")),
    )?;
    let token = SecretString::from(text(&made, "token"));
    Client::new(client.base(), Credentials::given(token))
}

async fn approve(
    person: &Client,
    (tenant, alert): (&TenantId, &str),
    proposal: &Value,
    out: &mut Out,
) -> Result<Value, Failure> {
    let digest = text(proposal, "manifest_sha256");
    let path = ["api", "v1", "alerts", alert, "approve"];
    let request = json!({ "tenant_id": tenant, "manifest_sha256": digest });
    let answer: Value = person.post(&path, &request).await?;
    if text(&answer, "status") != "approved" {
        return Err(Failure::not_so(format!(
            "the approval came to {}",
            text(&answer, "status")
        )));
    }
    out.line(
        Line::named("approved")
            .tone(Tone::Strong, text(proposal, "action_type"))
            .text(format!(" of {}", text(proposal, "target_urn")))
            .tone(Tone::Dim, format!("  by {PERSON}")),
    )?;
    Ok(answer)
}

async fn roll_back(
    person: &Client,
    tenant: &TenantId,
    action: &str,
    out: &mut Out,
) -> Result<Value, Failure> {
    let path = ["api", "v1", "actions", action, "rollback"];
    let begun: Value = person.post(&path, &json!({ "tenant_id": tenant })).await?;
    out.line(
        Line::named("rollback")
            .text("of that action")
            .tone(Tone::Dim, format!("  by {PERSON}")),
    )?;
    carried_out(person, tenant, text(&begun, "action_id"), out).await
}

/// Waits for the outcome of an action: the EDR has to say itself that it happened.
async fn carried_out(
    person: &Client,
    tenant: &TenantId,
    action: &str,
    out: &mut Out,
) -> Result<Value, Failure> {
    let nameless = || Failure::unreachable("the server names no action");
    let id: ActionId = action.parse().ok().ok_or_else(nameless)?;
    let act = ended(person, &id, tenant.as_str(), WAIT).await?;
    let outcome = act.get("outcome").and_then(Value::as_str);
    if outcome != Some("executed") {
        let stage = text(&act, "stage");
        let why = act.get("why").or_else(|| act.get("withheld"));
        let why = why.and_then(Value::as_str).unwrap_or("no reason given");
        let what = format!("action {id} came to {}", outcome.unwrap_or(stage));
        return Err(Failure::not_so(what).details([why]));
    }
    out.line(
        Line::named("outcome")
            .tone(Tone::Good, "executed")
            .text(format!("  read back as {}", text(&act, "observed")))
            .tone(Tone::Dim, format!("  {id}")),
    )?;
    Ok(act)
}

/// What a stand-in would not have let pass was a mistake of ours, whatever came of it.
fn keeps_to_the_contracts(edr: &MockEdr, out: &mut Out) -> Result<(), Failure> {
    let broken = edr.violations();
    if !broken.is_empty() {
        let failure = Failure::not_so("requests to the stand-ins broke the vendors' contracts");
        return Err(failure.details(broken));
    }
    let calls = edr.calls();
    let changes = calls.iter().filter(|call| call.changes).count();
    Ok(out.line(
        Line::named("requests")
            .text(format!("{} to the stand-ins, ", calls.len()))
            .text(format!("{changes} of them to change something")),
    )?)
}

fn query(tenant: &TenantId) -> [(&'static str, &str); 1] {
    [("tenant_id", tenant.as_str())]
}

#[cfg(test)]
mod tests;

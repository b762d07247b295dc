//! A tenant's place in chat: the code to claim it with, and its end.

use serde_json::Value;
use vyrox_domain::{ids::TenantId, time::Timestamp};

use super::super::{
    client::Client,
    failure::Failure,
    out::{Line, Out, Tone},
};

/// Has a code made and shows it, with what to say where.
pub(super) async fn code(client: &Client, tenant: &TenantId, out: &mut Out) -> Result<(), Failure> {
    let path = ["api", "v1", "tenants", tenant.as_str(), "chat-code"];
    let answer: Value = client.post(&path, &Value::Null).await?;
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
    let until = answer.get("expires_at_ms").and_then(Value::as_u64);
    let until = Timestamp::from_ms(until.unwrap_or_default());
    out.line(Line::named("code").tone(Tone::Strong, text("code")))?;
    out.line(Line::item("say", text("say")))?;
    out.line(Line::item("until", until))?;
    let how = "Say it in the channel where the tenant's alerts are to be shown; it works once.";
    Ok(out.line(Line::new().tone(Tone::Warn, how))?)
}

/// Unties the tenant from its place in chat.
pub(super) async fn release(
    client: &Client,
    tenant: &TenantId,
    out: &mut Out,
) -> Result<(), Failure> {
    let path = ["api", "v1", "tenants", tenant.as_str(), "chat"];
    let answer: Value = client.delete(&path).await?;
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    Ok(out.line(Line::named("released").tone(Tone::Strong, tenant))?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::super::{fake_server::FakeServer, out::tests::Paper},
        *,
    };

    #[tokio::test]
    async fn a_code_comes_with_what_to_say() {
        let answer = json!({
            "code": "VYX-0000-0000-0000", "expires_at_ms": 1_768_473_000_000_u64,
            "say": "/vyrox register code:VYX-0000-0000-0000",
        });
        let server = FakeServer::new(move |_| (201, answer.to_string()));
        let paper = Paper::default();
        let (client, mut out) = (server.client(), paper.out(false));
        let acme = "acme".parse().unwrap();
        code(&client, &acme, &mut out).await.unwrap();
        release(&client, &acme, &mut out).await.unwrap();
        let expected = "\
code      VYX-0000-0000-0000
say       /vyrox register code:VYX-0000-0000-0000
until     2026-01-15T10:30:00.000Z
Say it in the channel where the tenant's alerts are to be shown; it works once.
released  acme
";
        assert_eq!(paper.text(), expected);
        let lines: Vec<_> = server.asked().into_iter().map(|asked| asked.line).collect();
        assert_eq!(
            lines,
            [
                "POST /api/v1/tenants/acme/chat-code",
                "DELETE /api/v1/tenants/acme/chat"
            ]
        );
    }
}

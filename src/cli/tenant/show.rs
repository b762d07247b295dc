//! Tenants and their new secrets, as people see them.

use serde_json::Value;
use vyrox_domain::time::Timestamp;

use super::super::{
    failure::Failure,
    model::{Issued, Tenant, view},
    out::{Line, Out, Tone},
};

/// One tenant with everything that is known about it.
pub(super) fn show_tenant(tenant: &Tenant, out: &mut Out) -> Result<(), Failure> {
    out.line(Line::named("tenant").tone(Tone::Strong, &tenant.tenant_id))?;
    out.line(Line::named("state").tone(state_tone(&tenant.state), &tenant.state))?;
    out.line(Line::item(
        "since",
        Timestamp::from_ms(tenant.created_at_ms),
    ))?;
    match &tenant.head {
        Some(head) => out.line(Line::item(
            "head",
            format!("seq {}  {}", head.seq, head.hash),
        ))?,
        None => out.line(Line::item("head", "none yet"))?,
    }
    for account in &tenant.accounts {
        out.line(Line::item(
            "account",
            format!("{}:{}", account.vendor, account.id),
        ))?;
    }
    if let Some(llm) = tenant.llm {
        out.line(Line::item("llm", if llm { "on" } else { "off" }))?;
    }
    if let Some(chat) = &tenant.chat {
        let role = chat.admin_role_id.as_deref();
        let role = role.map_or_else(String::new, |role| format!("  orders by role {role}"));
        let place = format!("discord:{}/{}{role}", chat.guild_id, chat.channel_id);
        out.line(Line::item("chat", place))?;
    }
    if let Some(key) = &tenant.action_key {
        out.line(Line::item(
            "signs as",
            format!("{}  {}", key.kid, key.public_key_hex),
        ))?;
    }
    for hook in &tenant.webhooks {
        let mut line =
            Line::named("webhook").text(format!("{}:{}  {}", hook.vendor, hook.auth, hook.url));
        if let Some(rotated) = hook.rotated_at_ms {
            line = line.tone(
                Tone::Dim,
                format!("  rotated {}", Timestamp::from_ms(rotated)),
            );
        }
        if let Some(until) = hook.previous_until_ms {
            line = line.tone(
                Tone::Dim,
                format!("  old one until {}", Timestamp::from_ms(until)),
            );
        }
        out.line(line)?;
    }
    Ok(())
}

/// The secrets in `member` of an answer, with the warning that they are not shown again.
pub(super) fn show_issued(answer: &Value, member: &str, out: &mut Out) -> Result<(), Failure> {
    let issued: Vec<Issued> = answer.get(member).map(view).unwrap_or_default();
    if issued.is_empty() {
        return Ok(());
    }
    for webhook in &issued {
        out.gap()?;
        out.line(Line::item(
            "webhook",
            format!("{}:{}", webhook.vendor, webhook.auth),
        ))?;
        out.line(Line::item("url", &webhook.url))?;
        out.line(Line::named("secret").tone(Tone::Strong, &webhook.secret))?;
    }
    out.gap()?;
    Ok(out.line(Line::new().tone(Tone::Warn, "Secrets are shown this once; keep them now."))?)
}

/// How good a state is.
pub(super) fn state_tone(state: &str) -> Tone {
    match state {
        "serving" | "active" | "passive" => Tone::Good,
        "held" | "removed" => Tone::Bad,
        _ => Tone::Warn,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::super::out::tests::Paper, *};

    #[test]
    fn a_tenant_is_shown_whole() {
        let answer = json!({
            "tenant_id": "acme", "state": "serving", "created_at_ms": 1_768_473_000_000_u64,
            "webhooks": [{"vendor": "generic", "auth": "bearer", "url": "http://h/t/acme/webhook/generic",
                          "key_id": "k1", "rotated_at_ms": null, "previous_until_ms": 1_768_473_060_000_u64}],
            "accounts": [{"vendor": "crowdstrike", "id": "0123"}],
            "llm": false, "chat": {"guild_id": "1", "channel_id": "2", "admin_role_id": "3"},
            "action_key": {"kid": "act_0", "public_key_hex": "ff"},
            "head": {"seq": 4, "hash": "ab"},
        });
        let paper = Paper::default();
        show_tenant(&view(&answer), &mut paper.out(false)).unwrap();
        let expected = "\
tenant    acme
state     serving
since     2026-01-15T10:30:00.000Z
head      seq 4  ab
account   crowdstrike:0123
llm       off
chat      discord:1/2  orders by role 3
signs as  act_0  ff
webhook   generic:bearer  http://h/t/acme/webhook/generic  old one until 2026-01-15T10:31:00.000Z
";
        assert_eq!(paper.text(), expected);
    }

    #[test]
    fn new_secrets_come_with_a_warning_and_nothing_without_any() {
        let issued = json!({"issued": [{"vendor": "generic", "auth": "bearer", "url": "u", "secret": "s3cret"}]});
        let paper = Paper::default();
        show_issued(&issued, "issued", &mut paper.out(false)).unwrap();
        assert!(paper.text().contains("secret    s3cret"));
        assert!(paper.text().contains("shown this once"));
        let nothing = Paper::default();
        show_issued(&json!({"issued": []}), "issued", &mut nothing.out(false)).unwrap();
        assert_eq!(nothing.text(), "");
    }
}

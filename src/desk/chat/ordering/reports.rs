//! What `/vyrox status` and `/vyrox alerts` say. Texts of vendors are made harmless.

use serde_json::{Value, json};
use vyrox_actors::views::AlertView;
use vyrox_domain::{
    ids::TenantId,
    notice::{Notice, Standing},
    time::Timestamp,
    triage::Verdict,
};

use crate::connectors::discord::escaped;

/// The most of a name or title in a line.
const NAME_MAX: usize = 60;

/// How a tenant stands.
pub(super) fn standing(
    tenant: &TenantId,
    state: &str,
    notices: &[Notice],
    now: Timestamp,
) -> Value {
    let open: Vec<_> = notices.iter().filter(|one| one.closed.is_none()).collect();
    let levels = [
        Verdict::Critical,
        Verdict::High,
        Verdict::Medium,
        Verdict::Low,
    ];
    let counts = levels.map(|level| {
        let of_level = open.iter().filter(|one| one.level == level).count();
        format!("{} {of_level}", level.as_str())
    });
    let waiting = open
        .iter()
        .flat_map(|one| &one.proposals)
        .filter(|one| matches!(one.standing, Standing::Waiting { .. }) && now <= one.expires_at);
    let text = format!(
        "`{tenant}` is {state}.\nOpen incidents: {}\nProposals that wait for a decision: {}",
        counts.join(", "),
        waiting.count()
    );
    json!({ "content": text })
}

/// The latest alerts, one line each.
pub(super) fn latest(tenant: &TenantId, views: &[AlertView]) -> Value {
    if views.is_empty() {
        return json!({ "content": format!("`{tenant}` has no alerts yet.") });
    }
    let lines: Vec<_> = views.iter().map(line).collect();
    json!({ "embeds": [{
        "title": format!("The latest alerts of {}", escaped(tenant.as_str(), NAME_MAX)),
        "description": lines.join("\n"),
    }] })
}

fn line(view: &AlertView) -> String {
    let verdict = view.verdict.map_or("no verdict yet", Verdict::as_str);
    let host = view.host.as_deref().unwrap_or("no host");
    let why = view.reasons.first().map(|reason| reason.title.as_str());
    format!(
        "<t:{}:R> **{verdict}** {}: {}\n`{}`",
        view.received_at_ms.s(),
        escaped(host, NAME_MAX),
        escaped(why.unwrap_or("no rule spoke"), 2 * NAME_MAX),
        view.alert_id,
    )
}

//! An alert in full, for the one person who asked: what the vendor saw and what became of it, with every
//! text from outside made harmless and cut. Pure. The caps of the fields add up to less than Discord takes.

use serde_json::{Value, json};
use vyrox_actors::views::{AlertView, ProposalView};
use vyrox_domain::{
    alert::{Alert, Connection, Hashes, Process},
    notice::Standing,
    triage::Verdict,
};

use super::{
    plain_text::{code, escaped, joined},
    render::object,
};

/// The most of a list that is shown.
const LIST_MAX: usize = 8;

/// The message: one embed without buttons, that calls nobody.
pub fn detail(alert: &Alert, view: &AlertView) -> Value {
    let verdict = view.verdict.map_or("UNDECIDED", Verdict::as_str);
    let title = alert.title.as_deref().unwrap_or(&alert.vendor_alert_id);
    let fields: Vec<Value> = [
        ("Host", host(alert)),
        ("User", user(alert)),
        ("Process", process(&alert.process)),
        ("Command line", command_line(alert)),
        ("Parents", parents(alert)),
        ("Hashes", hashes(alert)),
        ("Network", network(&alert.network)),
        ("ATT&CK", attack(alert)),
        ("Why", reasons(view)),
        ("Incident", incident(view)),
        ("Proposal", view.proposal.as_ref().map(proposal)),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .map(|(name, value)| json!({"name": name, "value": value, "inline": false}))
    .collect();
    json!({
        "embeds": [{
            "title": format!("{verdict} · {}", escaped(title, 200)),
            "fields": fields,
        }],
        "allowed_mentions": {"parse": []},
    })
}

fn host(alert: &Alert) -> Option<String> {
    let device = &alert.device;
    let named = [
        &device.hostname,
        &device.platform,
        &device.role,
        &device.domain,
    ];
    let named = named.into_iter().filter_map(Option::as_deref);
    let ips = device.ips.iter().map(String::as_str).take(LIST_MAX);
    let mut lines = lines([joined(named, ", ", 80, 250), joined(ips, ", ", 45, 150)]);
    if let Some(id) = &device.id {
        lines.push(code(id, 80));
    }
    text(&lines)
}

fn user(alert: &Alert) -> Option<String> {
    let user = &alert.user;
    let parts = [&user.name, &user.domain, &user.sid];
    let parts = parts.into_iter().filter_map(Option::as_deref);
    text(&lines([joined(parts, ", ", 80, 250)]))
}

fn process(process: &Process) -> Option<String> {
    let mut lines = Vec::new();
    if let Some(image) = &process.image {
        let pid = process.pid.map(|pid| format!(" (pid {pid})"));
        lines.push(escaped(image, 120) + &pid.unwrap_or_default());
    }
    if let Some(path) = &process.path {
        lines.push(code(path, 300));
    }
    text(&lines)
}

fn command_line(alert: &Alert) -> Option<String> {
    let line = alert.process.command_line.as_deref()?;
    Some(code(line, 1000))
}

fn parents(alert: &Alert) -> Option<String> {
    let mut lines = Vec::new();
    for (of, process) in [
        ("parent", &alert.parent),
        ("its parent", &alert.grandparent),
    ] {
        let image = process.image.as_deref().or(process.path.as_deref());
        if let Some(image) = image {
            lines.push(format!("{of}: {}", escaped(image, 100)));
        }
        if let Some(line) = &process.command_line {
            lines.push(code(line, 300));
        }
    }
    text(&lines)
}

fn hashes(alert: &Alert) -> Option<String> {
    let Hashes { md5, sha1, sha256 } = &alert.process.hashes;
    let own = [("SHA-256", sha256), ("SHA-1", sha1), ("MD5", md5)];
    let file = ("file's SHA-256", &alert.file.hashes.sha256);
    let known = own.into_iter().chain([file]);
    let known = known.filter_map(|(name, hash)| Some((name, hash.as_ref()?)));
    let lines: Vec<_> = known
        .map(|(name, hash)| format!("{name} {}", code(hash, 70)))
        .collect();
    text(&lines)
}

fn network(connections: &[Connection]) -> Option<String> {
    let shown = connections.iter().take(LIST_MAX).map(|one| {
        let port = one.remote_port.map(|port| format!(" port {port}"));
        let place = [&one.remote_name, &one.remote_ip];
        let place: Vec<_> = place.into_iter().filter_map(Option::as_deref).collect();
        format!("{}{}", place.join(" "), port.unwrap_or_default())
    });
    let shown: Vec<_> = shown.collect();
    let shown = shown.iter().map(String::as_str);
    text(&lines([joined(shown, "\n", 90, 600)]))
}

fn attack(alert: &Alert) -> Option<String> {
    let list = |texts: &[String]| {
        let texts = texts.iter().map(String::as_str).take(LIST_MAX);
        joined(texts, ", ", 60, 200)
    };
    text(&lines([list(&alert.tactics), list(&alert.techniques)]))
}

fn reasons(view: &AlertView) -> Option<String> {
    let titles = view.reasons.iter().map(|reason| reason.title.as_str());
    text(&lines([joined(titles.take(LIST_MAX), "\n", 120, 600)]))
}

fn incident(view: &AlertView) -> Option<String> {
    Some(code(&view.incident_id?.to_string(), 60))
}

fn proposal(proposal: &ProposalView) -> String {
    let kind = if proposal.dry_run { "dry run" } else { "LIVE" };
    let standing = match &proposal.standing {
        Standing::Approved { .. } if proposal.act.is_some() => {
            let act = proposal.act.as_ref();
            act.map_or("approved", |act| act.state.as_str())
        }
        Standing::Waiting { .. } => "waits for a decision",
        Standing::Approved { .. } => "approved",
        Standing::Denied { .. } => "denied",
        Standing::Expired => "expired",
    };
    let reach = proposal.action_type.is_everywhere();
    lines([
        format!(
            "{} · {kind} · {standing}",
            escaped(proposal.action_type.as_str(), 60)
        ),
        code(&proposal.target_urn, 250),
        object(&proposal.parameters).unwrap_or_default(),
        if reach { "⚠ on every machine" } else { "" }.to_owned(),
        format!("digest {}", code(&proposal.manifest_short, 20)),
    ])
    .join("\n")
}

fn lines<const N: usize>(texts: [String; N]) -> Vec<String> {
    texts.into_iter().filter(|text| !text.is_empty()).collect()
}

/// The lines as a field's value, which cannot be empty.
fn text(lines: &[String]) -> Option<String> {
    (!lines.is_empty()).then(|| lines.join("\n"))
}

#[cfg(test)]
mod tests;

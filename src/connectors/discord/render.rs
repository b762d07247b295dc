//! A notice as a Discord message: one embed, and a row of buttons for each proposal that waits. Pure.
//!
//! Two things hold whatever the notice says: every limit of Discord is kept, and a button exists only for a
//! proposal whose digest the same message shows.

use serde_json::{Value, json};
use vyrox_domain::{
    action::short,
    ids::IncidentId,
    notice::{Notice, Proposal},
    time::Timestamp,
    triage::Verdict,
};

use super::{
    custom_id::{CustomId, Verb},
    plain_text::{code, escaped, joined, units},
};

mod proposal;
#[cfg(test)]
mod tests;

pub(super) use self::proposal::object;

/// Proposals that get buttons; a message has five rows, and one is kept in reserve.
const ROWS_MAX: usize = 4;

/// Discord's own limits.
const TITLE_MAX: usize = 256;
const FIELDS_MAX: usize = 25;

/// Discord takes 6000 over all texts of a message; the rest is left for what it may count otherwise.
const SUM_MAX: usize = 5_900;

/// Shown without sound or banner (`SUPPRESS_NOTIFICATIONS`).
const QUIETLY: u32 = 1 << 12;

/// What Discord calls a moment at the end of time.
const LAST_SECOND: u64 = 8_640_000_000_000;

/// How many digits a nonce of ours has; Discord takes 25.
const NONCE_DIGITS: usize = 24;

/// The message of a notice, as Discord's create and edit calls take it. A proposal whose time is over at
/// `now` is shown as expired and has no buttons.
pub fn message(notice: &Notice, now: Timestamp) -> Value {
    let board = Board::of(notice, now);
    let mut message = json!({
        "embeds": [embed(notice, &board)],
        "components": components(notice, &board),
        "allowed_mentions": {"parse": []},
    });
    if let Some(members) = message.as_object_mut().filter(|_| notice.quietly) {
        members.insert("flags".into(), QUIETLY.into());
    }
    message
}

/// A text of our own or of a worker's as a message without embed or button; at most 2000 units long.
pub fn plain(text: &str) -> Value {
    json!({"content": escaped(text, 2000), "allowed_mentions": {"parse": []}})
}

/// The nonce by which the first message of an incident is known: the same for the same incident, other for
/// any other.
pub fn digest_nonce(incident: IncidentId) -> String {
    let digest = vyrox_domain::digest::Digest::of(incident.0.as_bytes());
    digest.to_hex().chars().take(NONCE_DIGITS).collect()
}

/// One name and value of an embed.
struct Field {
    name: String,
    value: String,
}

impl Field {
    fn units(&self) -> usize {
        units(&self.name) + units(&self.value)
    }

    fn json(&self) -> Value {
        json!({"name": self.name, "value": self.value, "inline": false})
    }
}

/// What of a notice goes into its message.
struct Board<'a> {
    title: String,
    facts: Vec<Field>,
    /// The proposals that are shown, the oldest first.
    shown: Vec<Field>,
    /// Those of them that wait, with the number that a person calls them by; none where there is but one.
    asked: Vec<(&'a Proposal, Option<usize>)>,
    /// Proposals that wait and found no room.
    unasked: usize,
}

impl<'a> Board<'a> {
    fn of(notice: &'a Notice, now: Timestamp) -> Self {
        let title = format!(
            "{} · {}",
            notice.level.as_str(),
            escaped(&notice.title, TITLE_MAX - 16)
        );
        let facts = facts(notice);
        let waiting = proposal::waiting(&notice.proposals, now);
        let numbered = waiting.len() > 1;
        let asked: Vec<_> = waiting
            .iter()
            .take(ROWS_MAX)
            .enumerate()
            .map(|(at, proposal)| (*proposal, numbered.then_some(at + 1)))
            .collect();
        let used = units(&title) + facts.iter().map(Field::units).sum::<usize>();
        let room = Room {
            units: SUM_MAX.saturating_sub(used + units(&unasked_line(notice, usize::MAX))),
            fields: FIELDS_MAX.saturating_sub(facts.len() + 1),
        };
        let shown = shown(notice, &asked, now, room);
        let unasked = waiting.len() - asked.len();
        Self {
            title,
            facts,
            shown,
            asked,
            unasked,
        }
    }
}

/// What is left of an embed.
struct Room {
    units: usize,
    fields: usize,
}

impl Room {
    fn take(&mut self, field: &Field) -> bool {
        let fits = self.fields > 0 && self.units >= field.units();
        if fits {
            self.fields -= 1;
            self.units -= field.units();
        }
        fits
    }
}

/// Those that are asked about, and of the others as many as there is room for, the newest first; in the
/// order of the notice.
fn shown(
    notice: &Notice,
    asked: &[(&Proposal, Option<usize>)],
    now: Timestamp,
    mut room: Room,
) -> Vec<Field> {
    let is = |one: &Proposal, other: &Proposal| std::ptr::eq(one, other);
    let mut picked: Vec<(usize, Field)> = Vec::new();
    let number_of = |proposal: &Proposal| asked.iter().find(|(one, _)| is(one, proposal));
    let numbered = notice.proposals.iter().enumerate();
    for (at, proposal) in numbered.clone() {
        if let Some((_, number)) = number_of(proposal) {
            let field = proposal::field(proposal, *number, now);
            if room.take(&field) {
                picked.push((at, field));
            }
        }
    }
    for (at, proposal) in numbered.rev() {
        if number_of(proposal).is_none() {
            let field = proposal::field(proposal, None, now);
            if !room.take(&field) {
                break;
            }
            picked.push((at, field));
        }
    }
    picked.sort_by_key(|(at, _)| *at);
    picked.into_iter().map(|(_, field)| field).collect()
}

fn embed(notice: &Notice, board: &Board<'_>) -> Value {
    let mut fields: Vec<Value> = board.facts.iter().map(Field::json).collect();
    fields.extend(board.shown.iter().map(Field::json));
    if board.unasked > 0 {
        let field = Field {
            name: "More".into(),
            value: unasked_line(notice, board.unasked),
        };
        fields.push(field.json());
    }
    json!({"title": board.title, "color": colour(notice), "fields": fields})
}

fn unasked_line(notice: &Notice, unasked: usize) -> String {
    let command = format!(
        "vyrox incident show {} --tenant {}",
        notice.incident_id, notice.tenant_id
    );
    format!(
        "{unasked} more wait without a button here: {}",
        code(&command, 160)
    )
}

fn colour(notice: &Notice) -> u32 {
    if notice.closed.is_some() {
        return 0x0060_7d8b;
    }
    match notice.level {
        Verdict::Critical => 0x00c6_2828,
        Verdict::High => 0x00ef_6c00,
        Verdict::Medium => 0x00f9_a825,
        Verdict::Low => 0x0015_65c0,
        Verdict::Benign => 0x002e_7d32,
    }
}

/// What is known of the incident. Each text has a limit of its own, so that all of them and four proposals
/// stay below the sum.
fn facts(notice: &Notice) -> Vec<Field> {
    let facts = [
        ("Hosts", hosts(notice)),
        ("Why", reasons(notice)),
        ("ATT&CK", attack(notice)),
        ("Alerts", alerts(notice)),
        ("Incident", incident(notice)),
    ];
    let told = facts.into_iter().filter(|(_, value)| !value.is_empty());
    told.map(|(name, value)| Field {
        name: name.into(),
        value,
    })
    .collect()
}

fn hosts(notice: &Notice) -> String {
    let named = notice.hosts.iter().map(String::as_str);
    let text = joined(named, ", ", 80, 400);
    let named = u64::try_from(notice.hosts.len()).unwrap_or(u64::MAX);
    if notice.host_count <= named {
        return text;
    }
    format!("{text} ({} in all)", notice.host_count)
        .trim_start()
        .to_owned()
}

fn reasons(notice: &Notice) -> String {
    let reasons = notice.reasons.iter();
    let lines: Vec<_> = reasons
        .take(6)
        .map(|reason| format!("• {}", escaped(reason, 72)))
        .collect();
    lines.join("\n")
}

fn attack(notice: &Notice) -> String {
    let tactics = joined(notice.tactics.iter().map(String::as_str), " → ", 40, 300);
    let techniques = joined(notice.techniques.iter().map(String::as_str), ", ", 16, 150);
    let lines = [tactics, techniques];
    let told: Vec<_> = lines.into_iter().filter(|line| !line.is_empty()).collect();
    told.join("\n")
}

fn alerts(notice: &Notice) -> String {
    let count = match notice.alerts {
        1 => "1 alert".to_owned(),
        many => format!("{many} alerts"),
    };
    let mut text = match (notice.folded, links(notice)) {
        (0, _) => count,
        (folded, links) => format!("{count}, {folded} of them folded into this message{links}"),
    };
    if notice.storm {
        text.push_str("\nStorm: it grows so fast that changes are shown together");
    }
    text
}

fn links(notice: &Notice) -> String {
    let links = notice.linked_by.iter();
    let links: Vec<_> = links.map(|link| format!("same {link}")).collect();
    if links.is_empty() {
        return String::new();
    }
    let links = joined(links.iter().map(String::as_str), ", ", 32, 200);
    format!(": {links}")
}

fn incident(notice: &Notice) -> String {
    let mut text = format!(
        "{} from {}, began {}, last alert {}\nincident {}\nfirst to open: alert {}",
        escaped(notice.tenant_id.as_str(), 72),
        notice.vendor,
        moment(notice.opened_at),
        moment(notice.last_at),
        code(&notice.incident_id.to_string(), 40),
        code(&notice.lead_alert.to_string(), 40),
    );
    if let Some(how) = &notice.closed {
        text.push_str("\nclosed: ");
        text.push_str(&escaped(how, 48));
    }
    text
}

/// A moment that each reader sees as the time from now, in a language of theirs.
fn moment(at: Timestamp) -> String {
    format!("<t:{}:R>", at.s().min(LAST_SECOND))
}

fn components(notice: &Notice, board: &Board<'_>) -> Value {
    if board.asked.is_empty() {
        let look = CustomId {
            verb: Verb::Investigate,
            alert_id: notice.lead_alert,
            tenant: notice.tenant_id.clone(),
            digest: None,
        };
        return json!([row(&[button(&look, "Investigate")])]);
    }
    let rows = board.asked.iter();
    rows.map(|(proposal, number)| buttons(notice, proposal, *number))
        .collect()
}

fn buttons(notice: &Notice, proposal: &Proposal, number: Option<usize>) -> Value {
    let number = number.map_or_else(String::new, |number| format!(" {number}"));
    let how = if proposal.dry_run { "dry run" } else { "LIVE" };
    let id = |verb| CustomId {
        verb,
        alert_id: proposal.alert_id,
        tenant: notice.tenant_id.clone(),
        digest: Some(short(&proposal.digest)),
    };
    row(&[
        button(&id(Verb::Approve), &format!("Approve{number} ({how})")),
        button(&id(Verb::Deny), &format!("Deny{number}")),
        button(&id(Verb::Investigate), &format!("Investigate{number}")),
    ])
}

fn row(buttons: &[Value]) -> Value {
    json!({"type": 1, "components": buttons})
}

fn button(id: &CustomId, label: &str) -> Value {
    let style = match id.verb {
        Verb::Approve => 3,
        Verb::Deny => 4,
        Verb::Investigate => 2,
    };
    json!({"type": 2, "style": style, "label": label, "custom_id": id.to_string()})
}

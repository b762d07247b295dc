//! Vendors' words, put into the words of the normal form.

use super::{Alert, Connection, Device, Hashes, MAX_ITEMS, Severity, field::Field};

/// What the operating system is called, whatever the release.
pub(super) fn platform(field: Field<'_, '_>) -> Option<String> {
    let word = field.word()?;
    let known = if word.starts_with("win") {
        "windows"
    } else if word.starts_with("mac") || word.starts_with("darwin") || word.starts_with("os x") {
        "macos"
    } else if word.starts_with("linux") {
        "linux"
    } else {
        return Some(word);
    };
    Some(known.to_owned())
}

/// What the machine is for.
pub(super) fn role(field: Field<'_, '_>) -> Option<String> {
    field.word().map(|word| Device::role_of(&word))
}

/// A severity: a word, or a number on a scale of 1..=100.
pub(super) fn severity(field: Field<'_, '_>) -> Option<(Severity, u8)> {
    if let Some(score) = field.whole() {
        let score = u8::try_from(score).ok()?;
        let severity = Severity::from_score(score);
        return (severity != Severity::Unknown).then_some((severity, score));
    }
    let word = field.word()?;
    let severity = match word.trim() {
        "critical" | "e_critical" => Severity::Critical,
        "high" | "e_high" => Severity::High,
        "medium" | "moderate" | "e_medium" => Severity::Medium,
        "low" | "e_low" => Severity::Low,
        "informational" | "information" | "info" | "e_informational" | "e_info" => {
            Severity::Informational
        }
        _ => return None,
    };
    Some((severity, severity.middle()))
}

/// Sets the first severity that can be read; `Unknown` and 0 stay where none can.
pub(super) fn set_severity(alert: &mut Alert, fields: &[Field<'_, '_>]) {
    if let Some((severity, score)) = fields.iter().find_map(|field| severity(*field)) {
        alert.severity = severity;
        alert.severity_score = score;
    }
}

/// Technique ids, in upper case. A text may hold several, or one beside its name (`PowerShell
/// (T1059.001)`); texts without any id are names, which count only where no id is known at all.
pub(super) fn techniques<'v, 'a: 'v>(
    fields: impl IntoIterator<Item = Field<'v, 'a>>,
) -> Vec<String> {
    let mut ids = Vec::new();
    let mut names = Vec::new();
    for text in fields.into_iter().flat_map(Field::texts) {
        let found: Vec<String> = technique_ids(&text).collect();
        if found.is_empty() {
            push_once(&mut names, text);
        }
        for id in found {
            push_once(&mut ids, id);
        }
    }
    if ids.is_empty() { names } else { ids }
}

/// Tactics as sent, ids in upper case.
pub(super) fn tactics<'v, 'a: 'v>(fields: impl IntoIterator<Item = Field<'v, 'a>>) -> Vec<String> {
    let mut tactics = Vec::new();
    for text in fields.into_iter().flat_map(Field::texts) {
        let upper = text.to_ascii_uppercase();
        push_once(
            &mut tactics,
            if is_tactic_id(&upper) { upper } else { text },
        );
    }
    tactics
}

/// Adds `item` unless it is known already or the list is full.
pub(super) fn push_once(list: &mut Vec<String>, item: String) {
    if list.len() < MAX_ITEMS && !list.contains(&item) {
        list.push(item);
    }
}

/// Adds a connection if it says anything and there is room.
pub(super) fn push_connection(network: &mut Vec<Connection>, connection: Connection) {
    if network.len() < MAX_ITEMS && connection != Connection::default() {
        network.push(connection);
    }
}

/// The hashes under these names, `["md5", "sha1", "sha256"]`.
pub(super) fn hashes(object: Field<'_, '_>, names: [&str; 3]) -> Hashes {
    let [md5, sha1, sha256] = names;
    Hashes {
        md5: object.at(md5).hash(32),
        sha1: object.at(sha1).hash(40),
        sha256: object.at(sha256).hash(64),
    }
}

/// The last component of a path of either kind.
pub(super) fn last_component(path: &str) -> Option<String> {
    let name = path.rsplit(['\\', '/']).next().unwrap_or_default();
    (!name.is_empty()).then(|| name.to_owned())
}

/// Every ATT&CK (`T1003.001`) or CrowdStrike (`CST0007`) technique id in a text, in upper case.
fn technique_ids(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '.')
        .map(|word| word.trim_matches('.').to_ascii_uppercase())
        .filter(|word| is_technique_id(word))
}

fn is_technique_id(word: &str) -> bool {
    let (technique, sub) = match word.split_once('.') {
        Some((technique, sub)) => (technique, Some(sub)),
        None => (word, None),
    };
    let number = technique
        .strip_prefix("CST")
        .or_else(|| technique.strip_prefix('T'));
    number.is_some_and(|number| is_digits(number, 4)) && sub.is_none_or(|sub| is_digits(sub, 3))
}

fn is_tactic_id(word: &str) -> bool {
    let number = word
        .strip_prefix("CSTA")
        .or_else(|| word.strip_prefix("TA"));
    number.is_some_and(|number| is_digits(number, 4))
}

fn is_digits(text: &str, count: usize) -> bool {
    text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
}

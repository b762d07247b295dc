//! Which answers Discord takes: the types, members and limits that it documents.

use serde_json::{Map, Value};

/// What an answer answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ping,
    Button,
    Form,
    Command,
}

impl Kind {
    /// The types of answers that may follow.
    const fn answers(self) -> &'static [u64] {
        match self {
            Self::Ping => &[1],
            Self::Button => &[4, 5, 6, 7, 9],
            Self::Form => &[4, 5, 6, 7],
            Self::Command => &[4, 5, 9],
        }
    }
}

/// Suppressed embeds, for one person's eyes, without a sound, made of new components.
const FLAGS: u64 = (1 << 2) | (1 << 6) | (1 << 12) | (1 << 15);

type Faults = Result<(), String>;

/// Why Discord would not take an answer; `None` if it would.
pub(crate) fn fault(kind: Kind, answer: &Value) -> Option<String> {
    checked(kind, answer).err()
}

fn checked(kind: Kind, answer: &Value) -> Faults {
    let members = only(answer, &["type", "data"])?;
    let number = members.get("type").and_then(Value::as_u64);
    let number = number.ok_or("no type")?;
    if !kind.answers().contains(&number) {
        return Err(format!("type {number} does not answer {kind:?}"));
    }
    match (number, members.get("data")) {
        (1 | 5 | 6, None) => Ok(()),
        (5, Some(data)) => {
            let data = only(data, &["flags"])?;
            flags(data)
        }
        (4 | 7, Some(data)) => message(data),
        (9, Some(data)) => form(data),
        _ => Err(format!("type {number} with the wrong data")),
    }
}

fn message(data: &Value) -> Faults {
    let known = [
        "content",
        "embeds",
        "components",
        "flags",
        "allowed_mentions",
        "tts",
    ];
    let data = only(data, &known)?;
    flags(data)?;
    let content = optional_text(data, "content", 2000)?;
    let embeds = list(data, "embeds", 10)?;
    let rows = list(data, "components", 5)?;
    if content.unwrap_or_default().is_empty() && embeds.is_empty() && rows.is_empty() {
        return Err("an empty message".into());
    }
    let mut sum = 0;
    for embed in embeds {
        sum += self::embed(embed)?;
    }
    if sum > 6000 {
        return Err(format!("embeds of {sum} characters"));
    }
    match data.get("allowed_mentions") {
        Some(mentions) => only(mentions, &["parse", "roles", "users", "replied_user"]).map(drop),
        None => Err("no allowed_mentions, so that a text could call everybody".into()),
    }
}

/// The characters that count for the sum of all embeds.
fn embed(embed: &Value) -> Result<usize, String> {
    let known = [
        "title",
        "description",
        "url",
        "timestamp",
        "color",
        "footer",
        "fields",
        "author",
    ];
    let embed = only(embed, &known)?;
    let mut sum = 0;
    for (name, max) in [("title", 256), ("description", 4096)] {
        sum += optional_text(embed, name, max)?.map_or(0, |text| text.chars().count());
    }
    for field in list(embed, "fields", 25)? {
        let field = only(field, &["name", "value", "inline"])?;
        sum += text(field, "name", 1, 256)?.chars().count();
        sum += text(field, "value", 1, 1024)?.chars().count();
    }
    if let Some(footer) = embed.get("footer") {
        sum += text(only(footer, &["text"])?, "text", 1, 2048)?
            .chars()
            .count();
    }
    Ok(sum)
}

fn form(data: &Value) -> Faults {
    let data = only(data, &["custom_id", "title", "components"])?;
    text(data, "custom_id", 1, 100)?;
    text(data, "title", 1, 45)?;
    let labels = list(data, "components", 5)?;
    if labels.is_empty() {
        return Err("a form without fields".into());
    }
    for label in labels {
        let label = only(label, &["type", "id", "label", "description", "component"])?;
        is(label, "type", 18)?;
        text(label, "label", 1, 45)?;
        optional_text(label, "description", 100)?;
        field(label.get("component").ok_or("a label without a field")?)?;
    }
    Ok(())
}

fn field(field: &Value) -> Faults {
    let known = [
        "type",
        "id",
        "custom_id",
        "style",
        "min_length",
        "max_length",
        "required",
        "value",
        "placeholder",
    ];
    let field = only(field, &known)?;
    is(field, "type", 4)?;
    text(field, "custom_id", 1, 100)?;
    optional_text(field, "placeholder", 100)?;
    let number = |name: &str| field.get(name).and_then(Value::as_u64);
    if !matches!(number("style"), Some(1 | 2)) {
        return Err("a field without a style".into());
    }
    let (min, max) = (number("min_length"), number("max_length"));
    let fits = min.is_none_or(|min| min <= 4000)
        && max.is_none_or(|max| (1..=4000).contains(&max))
        && min.zip(max).is_none_or(|(min, max)| min <= max);
    fits.then_some(()).ok_or_else(|| "a field's lengths".into())
}

fn flags(data: &Map<String, Value>) -> Faults {
    match data.get("flags").map(Value::as_u64) {
        None => Ok(()),
        Some(Some(flags)) if flags & !FLAGS == 0 => Ok(()),
        Some(flags) => Err(format!("flags {flags:?}")),
    }
}

/// The members of an object that has no other than these.
fn only<'a>(value: &'a Value, known: &[&str]) -> Result<&'a Map<String, Value>, String> {
    let members = value.as_object().ok_or("no object")?;
    let unknown = members.keys().find(|name| !known.contains(&name.as_str()));
    unknown.map_or(Ok(members), |name| Err(format!("an unknown member {name}")))
}

fn list<'a>(of: &'a Map<String, Value>, name: &str, max: usize) -> Result<&'a [Value], String> {
    match of.get(name) {
        None => Ok(&[]),
        Some(Value::Array(items)) if items.len() <= max => Ok(items),
        Some(_) => Err(format!("{name} is no list of {max} at most")),
    }
}

fn optional_text<'a>(
    of: &'a Map<String, Value>,
    name: &str,
    max: usize,
) -> Result<Option<&'a str>, String> {
    of.get(name).map(|_| text(of, name, 0, max)).transpose()
}

fn text<'a>(
    of: &'a Map<String, Value>,
    name: &str,
    min: usize,
    max: usize,
) -> Result<&'a str, String> {
    let text = of.get(name).and_then(Value::as_str);
    text.filter(|text| (min..=max).contains(&text.chars().count()))
        .ok_or_else(|| format!("{name} is no text of {min} to {max} characters"))
}

fn is(of: &Map<String, Value>, name: &str, number: u64) -> Faults {
    let same = of.get(name).and_then(Value::as_u64) == Some(number);
    same.then_some(())
        .ok_or_else(|| format!("{name} is not {number}"))
}

//! An alert as rules read it. Made once an alert; what many rules ask for is computed up front.

use std::borrow::Cow;

use rsigma_eval::{Event, EventValue};
use vyrox_domain::alert::{Alert, Hashes, Process};

use crate::{
    field,
    plain::{self, Switches},
};

/// An alert and what can be seen in it.
pub(crate) struct View<'a> {
    pub(crate) alert: &'a Alert,
    pub(crate) process: Seen,
    pub(crate) parent: Seen,
    pub(crate) grandparent: Seen,
    /// `DOMAIN\name`.
    pub(crate) account: Option<String>,
}

/// A process in the forms that rules ask for.
#[derive(Default)]
pub(crate) struct Seen {
    /// Its image as paths; where only the bare file name is known, that name behind a separator.
    pub(crate) images: Vec<String>,
    /// Its image's stem, by all that is known of it.
    pub(crate) names: Vec<String>,
    /// Its command line in plain form, then what that carries encoded.
    pub(crate) commands: Vec<String>,
    /// The stems of its image and of every word of its command line.
    pub(crate) tools: Vec<String>,
    /// Its hashes in one text, as Sysmon writes them.
    pub(crate) hashes: Option<String>,
}

impl<'a> View<'a> {
    pub(crate) fn new(alert: &'a Alert) -> Self {
        let platform = Platform::of(alert);
        Self {
            alert,
            process: Seen::new(&alert.process, platform),
            parent: Seen::new(&alert.parent, platform),
            grandparent: Seen::new(&alert.grandparent, platform),
            account: account(alert),
        }
    }
}

impl Event for View<'_> {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        field::named(path).and_then(|field| (field.read)(self))
    }

    fn any_string_value(&self, pred: &dyn Fn(&str) -> bool) -> bool {
        field::of_normal_form()
            .any(|field| (field.read)(self).is_some_and(|value| any_string(&value, pred)))
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        let values = field::of_normal_form().filter_map(|field| (field.read)(self));
        values.flat_map(into_strings).collect()
    }

    fn to_json(&self) -> serde_json::Value {
        let members = field::of_normal_form()
            .filter_map(|field| Some((field.name.to_owned(), (field.read)(self)?.to_json())));
        serde_json::Value::Object(members.collect())
    }
}

impl Seen {
    fn new(process: &Process, platform: Platform) -> Self {
        let image = filled(process.image.as_deref());
        let path = filled(process.path.as_deref());
        let command_line = filled(process.command_line.as_deref());
        if image.is_none() && path.is_none() && command_line.is_none() {
            return Self {
                hashes: hashes(&process.hashes),
                ..Self::default()
            };
        }

        let switches = switches(path.or(command_line), platform);
        let commands = command_line
            .map(|text| plain::commands(text, switches))
            .unwrap_or_default();
        let first_word = command_line.and_then(program);
        let images = images(image, path, first_word, platform);
        let mut names: Vec<String> = images.iter().map(|image| plain::stem(image)).collect();
        names.sort_unstable();
        names.dedup();

        let mut tools = names.clone();
        tools.extend(commands.iter().flat_map(|command| plain::words(command)));
        tools.sort_unstable();
        tools.dedup();
        Self {
            images,
            names,
            commands,
            tools,
            hashes: hashes(&process.hashes),
        }
    }
}

/// The operating system, as far as it decides how texts are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Platform {
    Windows,
    Unix,
    Unknown,
}

impl Platform {
    fn of(alert: &Alert) -> Self {
        match alert.device.platform.as_deref() {
            Some("windows") => Self::Windows,
            Some("linux" | "macos") => Self::Unix,
            _ => Self::Unknown,
        }
    }
}

fn switches(sample: Option<&str>, platform: Platform) -> Switches {
    let unix_path = sample.is_some_and(|text| text.starts_with('/'));
    match platform {
        Platform::Unix => Switches::Dash,
        Platform::Unknown if unix_path => Switches::Dash,
        Platform::Windows | Platform::Unknown => Switches::Slash,
    }
}

/// Every path that the image may have. A vendor sends the whole path, the folder with the name
/// apart, the bare name, or nothing but the command line.
fn images(
    image: Option<&str>,
    path: Option<&str>,
    first_word: Option<&str>,
    platform: Platform,
) -> Vec<String> {
    let Some(name) = image.or_else(|| first_word.filter(|_| path.is_none())) else {
        return path.map(str::to_owned).into_iter().collect();
    };
    let Some(path) = path else {
        return if name.contains(['\\', '/']) {
            vec![name.to_owned()]
        } else {
            behind_separator(name, platform)
        };
    };
    let whole = plain::stem(path) == plain::stem(name);
    let joined = match path.chars().find(|c| matches!(c, '\\' | '/')) {
        Some(separator) if !whole => Some(format!(
            "{}{separator}{name}",
            path.trim_end_matches(['\\', '/'])
        )),
        _ => None,
    };
    [path.to_owned()].into_iter().chain(joined).collect()
}

fn behind_separator(name: &str, platform: Platform) -> Vec<String> {
    match platform {
        Platform::Windows => vec![format!("\\{name}")],
        Platform::Unix => vec![format!("/{name}")],
        Platform::Unknown => vec![format!("\\{name}"), format!("/{name}")],
    }
}

/// The program that a command line starts, with its quotes gone.
fn program(command_line: &str) -> Option<&str> {
    let text = command_line.trim_start();
    match text.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => text.split_whitespace().next(),
    }
    .filter(|word| !word.is_empty())
}

fn account(alert: &Alert) -> Option<String> {
    let name = filled(alert.user.name.as_deref())?;
    Some(match filled(alert.user.domain.as_deref()) {
        Some(domain) if !name.contains(['\\', '@']) => format!("{domain}\\{name}"),
        _ => name.to_owned(),
    })
}

fn hashes(hashes: &Hashes) -> Option<String> {
    let named = [
        ("SHA1", &hashes.sha1),
        ("MD5", &hashes.md5),
        ("SHA256", &hashes.sha256),
    ];
    let known: Vec<String> = named
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", value.as_deref()?.to_uppercase())))
        .collect();
    (!known.is_empty()).then(|| known.join(","))
}

fn filled(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.trim().is_empty())
}

fn any_string(value: &EventValue<'_>, pred: &dyn Fn(&str) -> bool) -> bool {
    match value {
        EventValue::Str(text) => pred(text),
        EventValue::Array(values) => values.iter().any(|value| any_string(value, pred)),
        _ => false,
    }
}

fn into_strings(value: EventValue<'_>) -> Vec<Cow<'_, str>> {
    match value {
        EventValue::Str(text) => vec![text],
        EventValue::Array(values) => values.into_iter().flat_map(into_strings).collect(),
        _ => Vec::new(),
    }
}

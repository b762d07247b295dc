//! What a model is told of an alert.

use serde::Serialize;

use super::visible::visible;
use crate::{
    alert::{Alert, Connection, Process},
    triage::{Assessment, Reason},
};

/// The most bytes that [`facts`] gives, whatever the alert holds.
pub const MAX_FACTS_BYTES: usize = 9 * 1024;

/// The process's command line, the richest evidence; its parents' lines have less.
const COMMAND_LINE: usize = 2048;
const PARENT_COMMAND_LINE: usize = 512;
const GRANDPARENT_COMMAND_LINE: usize = 256;
/// Titles, descriptions and paths.
const TEXT: usize = 256;
/// File names, and names on the network.
const NAME: usize = 128;
/// Words of a vendor, addresses, ids of rules and techniques.
const WORD: usize = 64;

const MAX_TACTICS: usize = 4;
const MAX_TECHNIQUES: usize = 6;
const MAX_CONNECTIONS: usize = 3;
const MAX_RULES: usize = 6;

/// Writes the facts as one JSON object whose keys are always the same, in the same order.
///
/// Of the alert it holds what an attack looks like, and nothing that says whose alert it is: no tenant, no
/// id, no link, no device's name or address, no account. Who ran something is left out because the rules
/// have already weighed it, while every name would leave the house with every call. A name that stands
/// within a path or a command line stays there: to cut it out would change the evidence.
pub fn facts(alert: &Alert, assessment: &Assessment) -> String {
    let facts = Facts {
        vendor: alert.vendor.as_str(),
        product: word(alert.product.as_deref()),
        severity: alert.severity.as_str(),
        title: text(alert.title.as_deref()),
        description: text(alert.description.as_deref()),
        tactics: words(&alert.tactics, MAX_TACTICS),
        techniques: words(&alert.techniques, MAX_TECHNIQUES),
        detection_source: word(alert.detection_source.as_deref()),
        disposition: word(alert.disposition.as_deref()),
        vendor_verdict: word(alert.vendor_verdict.as_deref()),
        platform: word(alert.device.platform.as_deref()),
        role: word(alert.device.role.as_deref()),
        process: ProcessFacts::of(&alert.process, COMMAND_LINE),
        parent: ProcessFacts::of(&alert.parent, PARENT_COMMAND_LINE),
        grandparent: ProcessFacts::of(&alert.grandparent, GRANDPARENT_COMMAND_LINE),
        file: FileFacts {
            name: cut(alert.file.name.as_deref(), NAME),
            path: text(alert.file.path.as_deref()),
        },
        network: some(&alert.network, MAX_CONNECTIONS, ConnectionFacts::of),
        rules: some(&assessment.reasons, MAX_RULES, RuleFacts::of),
        score_bp: assessment.score_bp,
    };
    // Texts, numbers and lists of them: there is nothing in it that JSON could not hold.
    serde_json::to_string(&facts).unwrap_or_default()
}

#[derive(Serialize)]
struct Facts {
    vendor: &'static str,
    product: Option<String>,
    severity: &'static str,
    title: Option<String>,
    description: Option<String>,
    tactics: Vec<String>,
    techniques: Vec<String>,
    detection_source: Option<String>,
    disposition: Option<String>,
    vendor_verdict: Option<String>,
    platform: Option<String>,
    role: Option<String>,
    process: ProcessFacts,
    parent: ProcessFacts,
    grandparent: ProcessFacts,
    file: FileFacts,
    network: Vec<ConnectionFacts>,
    rules: Vec<RuleFacts>,
    score_bp: u16,
}

#[derive(Serialize)]
struct ProcessFacts {
    image: Option<String>,
    path: Option<String>,
    command_line: Option<String>,
}

impl ProcessFacts {
    fn of(process: &Process, command_line: usize) -> Self {
        Self {
            image: cut(process.image.as_deref(), NAME),
            path: text(process.path.as_deref()),
            command_line: cut(process.command_line.as_deref(), command_line),
        }
    }
}

#[derive(Serialize)]
struct FileFacts {
    name: Option<String>,
    path: Option<String>,
}

#[derive(Serialize)]
struct ConnectionFacts {
    remote_ip: Option<String>,
    remote_port: Option<u16>,
    remote_name: Option<String>,
    protocol: Option<String>,
}

impl ConnectionFacts {
    fn of(connection: &Connection) -> Self {
        Self {
            remote_ip: word(connection.remote_ip.as_deref()),
            remote_port: connection.remote_port,
            remote_name: cut(connection.remote_name.as_deref(), NAME),
            protocol: word(connection.protocol.as_deref()),
        }
    }
}

/// A rule that spoke. Its title is the operator's word, and is cut like any other.
#[derive(Serialize)]
struct RuleFacts {
    title: String,
    leaning: crate::triage::Leaning,
    level: crate::triage::Level,
    weight_bp: u16,
}

impl RuleFacts {
    fn of(reason: &Reason) -> Self {
        Self {
            title: visible(&reason.title, NAME),
            leaning: reason.leaning,
            level: reason.level,
            weight_bp: reason.weight_bp,
        }
    }
}

fn some<T, U>(items: &[T], most: usize, of: impl Fn(&T) -> U) -> Vec<U> {
    items.iter().take(most).map(of).collect()
}

fn words(items: &[String], most: usize) -> Vec<String> {
    some(items, most, |item| visible(item, WORD))
}

fn word(value: Option<&str>) -> Option<String> {
    cut(value, WORD)
}

fn text(value: Option<&str>) -> Option<String> {
    cut(value, TEXT)
}

fn cut(value: Option<&str>, limit: usize) -> Option<String> {
    value.map(|value| visible(value, limit))
}

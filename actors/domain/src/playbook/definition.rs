//! One playbook: how it is written, when it applies, and what it proposes.

use std::str::FromStr;

use toml::Table;

use super::{
    Case,
    ability::{has_an_end, lacks_its_object, parameters, possible},
    section::Section,
};
use crate::{
    action::{ActionType, Draft, HOLD_MAX_MINUTES, OnExpiry},
    alert::Alert,
    attack::Tactic,
    digest::Digest,
    triage::Verdict,
    vendor::Vendor,
};

/// The longest text of a playbook, in bytes.
pub const PLAYBOOK_MAX_BYTES: usize = 64 * 1024;

/// How many steps a playbook may have.
pub const STEPS_MAX: usize = 3;

/// The highest priority.
const PRIORITY_MAX: u32 = 1000;

/// The longest title, in bytes of UTF-8.
const TITLE_MAX_BYTES: usize = 120;

const PLATFORMS: [&str; 3] = ["windows", "linux", "macos"];

/// One checked playbook.
#[derive(Clone, Debug)]
pub struct Playbook {
    id: String,
    title: String,
    priority: u32,
    when: When,
    steps: Vec<Step>,
    digest: Digest,
}

/// All that is given must hold.
#[derive(Clone, Debug)]
struct When {
    min_verdict: Verdict,
    tactics: Vec<String>,
    techniques: Vec<String>,
    vendors: Vec<Vendor>,
    platforms: Vec<String>,
}

#[derive(Clone, Debug)]
struct Step {
    action: ActionType,
    /// What is done where the other is not possible.
    instead: Option<ActionType>,
    on_expiry: OnExpiry,
    hold_minutes: u32,
}

impl Playbook {
    /// Its id: `[a-z][a-z0-9_]{2,63}`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it is for, in one line.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Higher is asked first.
    pub const fn priority(&self) -> u32 {
        self.priority
    }

    /// SHA-256 of its text.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Reads one from its text.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with the key.
    pub(super) fn read(text: &str) -> Result<Self, Vec<String>> {
        if text.len() > PLAYBOOK_MAX_BYTES {
            return Err(vec![format!("longer than {PLAYBOOK_MAX_BYTES} bytes")]);
        }
        let table: Table = text.parse().map_err(|error| vec![broken(text, &error)])?;
        let mut top = Section::of("", &table);
        top.has_only(&["id", "title", "priority", "when", "steps"]);
        let id = top.text("id", is_id, "an id, [a-z][a-z0-9_]{2,63}");
        let title = top.text("title", is_title, "a title of one line, 1 to 120 bytes");
        let priority = top.number("priority", PRIORITY_MAX);
        let when = read_when(&mut top);
        let steps = read_steps(&mut top);
        if let Some(when) = &when {
            for step in &steps {
                let ever = when
                    .vendors
                    .iter()
                    .any(|vendor| step.is_possible_at(*vendor));
                top.require(
                    ever,
                    &format!("steps: {} is possible at none of the vendors", step.action),
                );
            }
        }
        let read = id.zip(title).zip(priority).zip(when);
        match (top.finish(), read) {
            (Ok(()), Some((((id, title), priority), when))) => Ok(Self {
                id,
                title,
                priority,
                when,
                steps,
                digest: Digest::of(text.as_bytes()),
            }),
            (Ok(()), None) => Err(vec!["not a playbook".to_owned()]),
            (Err(faults), _) => Err(faults),
        }
    }

    pub(super) fn applies_to(&self, case: &Case<'_>) -> bool {
        let When {
            min_verdict,
            tactics,
            techniques,
            vendors,
            platforms,
        } = &self.when;
        let platform = case.alert.device.platform.as_ref();
        let seen = |wanted: &String| case.techniques.iter().any(|seen| covers(wanted, seen));
        case.verdict.rank() >= min_verdict.rank()
            && vendors.contains(&case.alert.vendor)
            && (platforms.is_empty() || platform.is_some_and(|one| platforms.contains(one)))
            && (tactics.is_empty() || case.tactics.iter().any(|one| tactics.contains(one)))
            && (techniques.is_empty() || techniques.iter().any(seen))
    }

    /// The steps for this alert; `None` if one of them is not possible.
    pub(super) fn drafts(&self, alert: &Alert, target: &str) -> Option<Vec<Draft>> {
        let draft = |step: &Step| {
            let (action_type, parameters) = [Some(step.action), step.instead]
                .into_iter()
                .flatten()
                .find_map(|action| Some((action, parameters(alert, action)?)))?;
            Some(Draft {
                action_type,
                target_urn: target.to_owned(),
                parameters,
                on_expiry: step.on_expiry,
                hold_minutes: step.hold_minutes,
                playbook: self.id.clone(),
                playbook_sha256: self.digest,
                protected: None,
            })
        };
        self.steps.iter().map(draft).collect()
    }

    /// Whether a step could need a process or a threat that this alert leaves out.
    pub(super) fn lacks_an_object(&self, alert: &Alert) -> bool {
        let mut actions = self.steps.iter().flat_map(Step::actions);
        actions.any(|action| lacks_its_object(alert, action))
    }
}

impl Step {
    fn actions(&self) -> impl Iterator<Item = ActionType> {
        [Some(self.action), self.instead].into_iter().flatten()
    }

    fn is_possible_at(&self, vendor: Vendor) -> bool {
        self.actions().any(|action| possible(vendor, action))
    }
}

fn read_when(top: &mut Section<'_>) -> Option<When> {
    let mut when = top.inner("when")?;
    when.has_only(&[
        "min_verdict",
        "tactics",
        "techniques",
        "vendors",
        "platforms",
    ]);
    when.require(
        ["min_verdict", "tactics", "techniques"]
            .iter()
            .any(|key| when.has(key)),
        "needs min_verdict, tactics or techniques",
    );
    let verdict = when.has("min_verdict").then(|| {
        when.text(
            "min_verdict",
            |text| matches!(text, "HIGH" | "CRITICAL"),
            "HIGH or CRITICAL",
        )
    });
    let min_verdict = match verdict.flatten().as_deref() {
        Some("CRITICAL") => Verdict::Critical,
        _ => Verdict::High,
    };
    let read = When {
        min_verdict,
        tactics: when.words(
            "tactics",
            // One that waits for a misspelt tactic would never speak.
            |one| Tactic::ALL.iter().any(|tactic| tactic.as_str() == one),
            "a tactic of ATT&CK, like lateral-movement",
        ),
        techniques: when.words(
            "techniques",
            is_technique,
            "a technique id of ATT&CK, like T1486 or T1003.001",
        ),
        vendors: read_vendors(&mut when),
        platforms: when.words(
            "platforms",
            |one| PLATFORMS.contains(&one),
            "windows, linux or macos",
        ),
    };
    top.take_faults(when);
    Some(read)
}

/// The vendors that can do anything; all of them where none is named.
fn read_vendors(when: &mut Section<'_>) -> Vec<Vendor> {
    let able = |text: &str| {
        Vendor::from_str(text)
            .is_ok_and(|vendor| ActionType::ALL.iter().any(|one| possible(vendor, *one)))
    };
    let named = when.words("vendors", able, "crowdstrike, sentinelone or defender");
    if named.is_empty() {
        return Vendor::ALL.to_vec();
    }
    named.iter().filter_map(|name| name.parse().ok()).collect()
}

fn read_steps(top: &mut Section<'_>) -> Vec<Step> {
    let tables = top.inner_list("steps");
    top.require(
        (1..=STEPS_MAX).contains(&tables.len()),
        &format!("steps: 1 to {STEPS_MAX} are possible"),
    );
    let mut steps: Vec<Step> = Vec::new();
    for mut section in tables.into_iter().take(STEPS_MAX) {
        if let Some(step) = read_step(&mut section) {
            let repeated = step.actions().any(|action| {
                steps
                    .iter()
                    .any(|earlier| earlier.actions().any(|one| one == action))
            });
            section.require(!repeated, "an action of an earlier step again");
            steps.push(step);
        }
        top.take_faults(section);
    }
    steps
}

fn read_step(section: &mut Section<'_>) -> Option<Step> {
    const WANTED: &str =
        "HOST_ISOLATION, PROCESS_KILL, NETWORK_QUARANTINE, HASH_BLOCK or FILE_QUARANTINE";
    let known = |text: &str| ActionType::from_str(text).is_ok();
    section.has_only(&["action", "instead", "on_expiry", "hold_minutes"]);
    let action = section.text("action", known, WANTED);
    let instead = if section.has("instead") {
        section.text("instead", known, WANTED)
    } else {
        None
    };
    let lift = section.has("on_expiry")
        && section
            .text(
                "on_expiry",
                |text| matches!(text, "ask" | "lift"),
                "ask or lift",
            )
            .as_deref()
            == Some("lift");
    let hold_minutes = if section.has("hold_minutes") {
        section
            .number("hold_minutes", HOLD_MAX_MINUTES)
            .unwrap_or(1)
    } else {
        0
    };
    let mut step = Step {
        action: action?.parse().ok()?,
        instead: instead.and_then(|text| text.parse().ok()),
        on_expiry: if lift { OnExpiry::Lift } else { OnExpiry::Ask },
        hold_minutes,
    };
    let same = step.instead.take_if(|instead| *instead == step.action);
    section.require(same.is_none(), "instead: the same action");
    section.require(
        !lift || hold_minutes > 0,
        "hold_minutes: more than 0 is needed to lift",
    );
    for action in step.actions().filter(|action| !has_an_end(*action)) {
        section.require(
            !lift && hold_minutes == 0,
            &format!("hold_minutes: {action} cannot be taken back"),
        );
    }
    Some(step)
}

/// Whether a technique stands for another: itself, or one of its sub-techniques.
fn covers(wanted: &str, seen: &str) -> bool {
    let (parent, _) = seen.split_once('.').unwrap_or((seen, ""));
    wanted.eq_ignore_ascii_case(seen) || wanted.eq_ignore_ascii_case(parent)
}

fn is_id(text: &str) -> bool {
    (3..=64).contains(&text.len())
        && text.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn is_title(text: &str) -> bool {
    (1..=TITLE_MAX_BYTES).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn is_technique(text: &str) -> bool {
    let digits =
        |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    let (technique, sub) = match text.split_once('.') {
        Some((technique, sub)) => (technique, Some(sub)),
        None => (text, None),
    };
    let number = technique.strip_prefix('T');
    number.is_some_and(|number| digits(number, 4)) && sub.is_none_or(|sub| digits(sub, 3))
}

fn broken(text: &str, error: &toml::de::Error) -> String {
    let before = error
        .span()
        .and_then(|span| text.get(..span.start))
        .unwrap_or_default();
    let line = before.matches('\n').count().saturating_add(1);
    format!("line {line}: not valid TOML: {}", error.message())
}

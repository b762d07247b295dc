//! One action for people.

use serde::Deserialize as _;
use serde_json::Value;
use vyrox_domain::{containment::Withheld, time::Timestamp};

use crate::cli::{
    failure::Failure,
    members,
    out::{Line, Out, Tone},
};

/// An action as the API shows it: by itself, or as the `act` of a proposal.
pub(in crate::cli) struct Act<'a>(pub(in crate::cli) &'a Value);

impl Act<'_> {
    /// All that is known of it.
    pub(in crate::cli) fn show(&self, out: &mut Out) -> Result<(), Failure> {
        out.line(
            Line::named("action")
                .tone(Tone::Strong, self.text("action_id"))
                .text(format!("  {}", self.what())),
        )?;
        out.line(Line::item("tenant", self.text("tenant_id")))?;
        out.line(Line::item("alert", self.text("alert_id")))?;
        out.line(Line::item("target", self.text("target_urn")))?;
        for name in ["host", "protected", "approved_by", "request_id"] {
            if let Some(text) = self.0.get(name).and_then(Value::as_str) {
                out.line(Line::item(&label(name), text))?;
            }
        }
        let parameters = self.0.get("parameters").and_then(Value::as_object);
        for (name, value) in parameters.into_iter().flatten() {
            out.line(Line::item(name, value.as_str().unwrap_or_default()))?;
        }
        self.show_state(out)?;
        Ok(out.line(Line::item("digest", self.text("manifest_sha256")))?)
    }

    /// How far it is, and what its EDR said.
    pub(in crate::cli) fn show_state(&self, out: &mut Out) -> Result<(), Failure> {
        let since = self.moment("since_ms");
        out.line(
            Line::named("state")
                .tone(self.tone(), self.state())
                .tone(Tone::Dim, format!("  since {since}")),
        )?;
        // What was read before it was taken back would be read as how the host is now.
        let observed = self.0.get("observed").and_then(Value::as_str);
        if let Some(observed) = observed.filter(|_| !self.is_undone()) {
            out.line(Line::item("read back", observed))?;
        }
        if let Some(why) = self.why() {
            out.line(Line::item("because", why))?;
        }
        if self.is("hold_ended") || self.has("hold_ended_at_ms") {
            let line = Line::named("holds").tone(Tone::Warn, "its time is over");
            out.line(line)?;
        } else if self.has("hold_ends_at_ms") {
            let until = format!("until {}", self.moment("hold_ends_at_ms"));
            out.line(Line::item("holds", until))?;
        }
        if self.is("drifted") || self.has("drifted_at_ms") {
            out.line(Line::named("drifted").tone(Tone::Bad, "released behind our back"))?;
        }
        if let Some(undoing) = self.0.get("undoing").and_then(Value::as_str) {
            let label = if self.is_undone() {
                "undone by"
            } else {
                "undoing"
            };
            out.line(Line::item(label, undoing))?;
        }
        Ok(())
    }

    pub(super) fn row(&self) -> Vec<(Tone, String)> {
        let until = if self.is("in_force") && self.has("hold_ends_at_ms") {
            self.moment("hold_ends_at_ms")
        } else {
            String::new()
        };
        vec![
            (Tone::Plain, self.text("action_id").to_owned()),
            (Tone::Plain, self.what()),
            (Tone::Plain, self.text("host").to_owned()),
            (self.tone(), self.state().to_owned()),
            (Tone::Plain, self.moment("since_ms")),
            (Tone::Plain, until),
        ]
    }

    /// It has no outcome yet.
    pub(super) fn is_under_way(&self) -> bool {
        matches!(self.text("stage"), "approved" | "begun")
    }

    /// What was asked for did not happen, or nobody can tell.
    pub(super) fn came_to_nothing(&self) -> bool {
        matches!(
            self.state(),
            "withheld" | "refused" | "unreachable" | "unknown"
        )
    }

    /// Why it came to that: the server's words, or else why it was not begun.
    fn why(&self) -> Option<String> {
        let why = self.0.get("why").and_then(Value::as_str);
        if let Some(why) = why {
            return Some(why.to_owned());
        }
        let withheld = self.0.get("withheld").filter(|it| it.is_string())?;
        let known = Withheld::deserialize(withheld).map(|known| known.to_string());
        // One that only a newer server knows is shown by its name.
        known.ok().or_else(|| withheld.as_str().map(str::to_owned))
    }

    fn is_undone(&self) -> bool {
        self.state() == "undone"
    }

    fn what(&self) -> String {
        let undo = self.0.get("release").is_some_and(Value::is_object);
        let undo = if undo { "undo " } else { "" };
        format!("{undo}{}", self.text("action_type"))
    }

    /// Its outcome where it has one, else where it stands.
    fn state(&self) -> &str {
        let words = ["state", "outcome", "stage"].into_iter();
        let mut words = words.filter_map(|name| self.0.get(name)?.as_str());
        words.next().unwrap_or("unknown")
    }

    fn tone(&self) -> Tone {
        match self.state() {
            "executed" | "already_so" | "undone" | "rolled_back" => Tone::Good,
            "unknown" | "refused" | "unreachable" | "failed" | "withheld" => Tone::Bad,
            "accepted" | "containing" | "begun" | "executing" => Tone::Warn,
            _ => Tone::Plain,
        }
    }

    fn text(&self, name: &str) -> &str {
        members::text(self.0, name)
    }

    fn is(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool) == Some(true)
    }

    fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(Value::is_u64)
    }

    fn moment(&self, name: &str) -> String {
        let ms = self.0.get(name).and_then(Value::as_u64);
        ms.map_or_else(String::new, |ms| Timestamp::from_ms(ms).to_string())
    }
}

/// A member's name as people read it.
fn label(name: &str) -> String {
    match name {
        "approved_by" => "approved".to_owned(),
        "request_id" => "request".to_owned(),
        other => other.to_owned(),
    }
}

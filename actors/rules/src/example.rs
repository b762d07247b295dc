//! A rule's own test alerts: written beside it, in members of the normal form.

use serde::Deserialize;
use serde_json::Value;
use vyrox_domain::{
    alert::Alert,
    triage::{Bands, Verdict, assess},
    vendor::Vendor,
};

use crate::rule_set::RuleSet;

/// A small alert. What it leaves out is unknown.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// Members of the normal form, nested as there.
    pub alert: Value,
    /// The verdict that the whole rule set must reach with the default bands, if it matters.
    #[serde(default)]
    pub verdict: Option<Verdict>,
}

/// The member `vyrox.tests`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Examples {
    #[serde(default)]
    pub(crate) positive: Vec<Example>,
    #[serde(default)]
    pub(crate) negative: Vec<Example>,
}

impl Example {
    /// The alert it describes.
    ///
    /// # Errors
    ///
    /// A text that names the member which no alert has, or whose type is wrong.
    pub fn build(&self) -> Result<Alert, String> {
        let bare = Alert::bare(Vendor::Generic, "example".to_owned());
        let mut whole = serde_json::to_value(bare).map_err(|error| error.to_string())?;
        lay_over(&mut whole, &self.alert, "alert")?;
        let mut alert = Alert::deserialize(whole).map_err(|error| error.to_string())?;
        alert.severity_score = alert.severity.middle();
        Ok(alert)
    }

    /// What went wrong when `rules` looked at it, if anything.
    pub(crate) fn failure(
        &self,
        rules: &RuleSet,
        rule_id: &str,
        must_match: bool,
    ) -> Option<String> {
        let alert = match self.build() {
            Ok(alert) => alert,
            Err(message) => return Some(message),
        };
        let hits = rules.evaluate(&alert);
        let spoke: Vec<&str> = hits.iter().map(|hit| hit.rule_id.as_str()).collect();
        if spoke.contains(&rule_id) != must_match {
            let wanted = if must_match {
                "does not match"
            } else {
                "matches"
            };
            return Some(format!("{wanted} its {} (spoke: {spoke:?})", self.alert));
        }
        let reached = assess(alert.severity, &hits, Bands::default());
        (self.verdict.is_some_and(|wanted| wanted != reached.verdict)).then(|| {
            format!(
                "{} came out {} at {} (spoke: {spoke:?})",
                self.alert, reached.verdict, reached.score_bp
            )
        })
    }
}

fn lay_over(base: &mut Value, over: &Value, path: &str) -> Result<(), String> {
    let (Value::Object(members), Value::Object(given)) = (&mut *base, over) else {
        *base = over.clone();
        return Ok(());
    };
    for (name, value) in given {
        let path = format!("{path}.{name}");
        match members.get_mut(name) {
            Some(member) => lay_over(member, value, &path)?,
            None => return Err(format!("an alert has no member `{path}`")),
        }
    }
    Ok(())
}

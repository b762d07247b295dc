//! Alerts that no rule was written for: how the built-in set generalises.
//!
//! Each is an attack or an honest job in another tool, spelling or platform than the rules' own tests.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod attacks;
mod everyday;

use serde_json::{Value, json};
use vyrox_domain::triage::{Bands, Verdict, assess};
use vyrox_rules::{Example, RuleSet};

/// Collects what came out otherwise than wanted, so that one run shows all of it.
fn check(wanted: &[Verdict], alerts: &[Value]) {
    let rules = RuleSet::builtin().unwrap();
    let wrong: Vec<String> = alerts
        .iter()
        .filter_map(|alert| {
            let example = Example {
                alert: alert.clone(),
                verdict: None,
            };
            let built = example.build().unwrap();
            let hits = rules.evaluate(&built);
            let reached = assess(built.severity, &hits, Bands::default());
            let spoke: Vec<String> = hits.into_iter().map(|hit| hit.rule_id).collect();
            (!wanted.contains(&reached.verdict)).then(|| {
                format!(
                    "{} at {} by {spoke:?}: {alert}",
                    reached.verdict, reached.score_bp
                )
            })
        })
        .collect();
    assert!(wrong.is_empty(), "wanted {wanted:?}\n{}", wrong.join("\n"));
}

fn line(severity: &str, image: &str, command_line: &str) -> Value {
    json!({"severity": severity, "process": {"image": image, "command_line": command_line}})
}

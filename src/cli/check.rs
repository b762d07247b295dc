//! `vyrox check`: every error of configuration, rules, playbooks and policies, not the first.

use serde_json::json;

use super::{
    failure::{Exit, Failure},
    out::{Line, Out, Tone},
    settings::Settings,
};
use crate::{app, config::Config};

/// Loads everything that `serve` would load, and says what is wrong with it.
pub fn run(settings: &Settings, out: &mut Out) -> Result<(), Failure> {
    let (errors, warnings) = match Config::load(&settings.sources(&[])) {
        Ok((config, warnings)) => (app::check(&config), texts(&warnings)),
        Err(errors) => (texts(&errors), Vec::new()),
    };
    report(&errors, &warnings, out)
}

fn report(errors: &[String], warnings: &[String], out: &mut Out) -> Result<(), Failure> {
    if out.is_json() {
        let ok = errors.is_empty();
        out.json(&json!({ "ok": ok, "errors": errors, "warnings": warnings }))?;
    } else {
        for warning in warnings {
            out.line(Line::new().tone(Tone::Warn, "warning  ").text(warning))?;
        }
        for error in errors {
            out.line(Line::new().tone(Tone::Bad, "error    ").text(error))?;
        }
        if errors.is_empty() {
            out.line(
                Line::new()
                    .tone(Tone::Good, "ok")
                    .text("  configuration, rules, playbooks and policies are sound"),
            )?;
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Failure::said(Exit::NotSo))
    }
}

fn texts(findings: &[impl ToString]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::out::tests::Paper, *};

    #[test]
    fn every_error_is_named_and_the_answer_is_no() {
        let paper = Paper::default();
        let errors = ["one".to_owned(), "two".to_owned()];
        let failure = report(&errors, &["w".to_owned()], &mut paper.out(false)).unwrap_err();
        assert_eq!(failure.exit(), Exit::NotSo);
        assert_eq!(paper.text(), "warning  w\nerror    one\nerror    two\n");
    }

    #[test]
    fn no_error_is_said_too() {
        let paper = Paper::default();
        report(&[], &[], &mut paper.out(true)).unwrap();
        assert_eq!(
            paper.text(),
            "{\"ok\":true,\"errors\":[],\"warnings\":[]}\n"
        );
    }
}

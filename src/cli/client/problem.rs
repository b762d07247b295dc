//! What a refusal of the server means to the person at the terminal.

use serde::Deserialize;

use super::{super::failure::Failure, Credentials};

/// The members of an RFC 9457 answer that we show.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    title: String,
    code: String,
    detail: String,
    retry_after: Option<u64>,
}

/// Turns an answer that is no success into a failure with a hint.
///
/// A refusal (4xx) is an answer, "it is not so"; what says nothing about the question itself
/// (no right to ask, too busy, broken) counts as not reached.
pub(super) fn failure(status: u16, body: &[u8], credentials: &Credentials) -> Failure {
    let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    let title = if problem.title.is_empty() {
        "the server refused"
    } else {
        &problem.title
    };
    let code = if problem.code.is_empty() {
        String::new()
    } else {
        format!(" {}", problem.code)
    };
    let what = if problem.detail.is_empty() || problem.detail == problem.title {
        format!("{title} ({status}{code})")
    } else {
        format!("{title}: {} ({status}{code})", problem.detail)
    };
    let failure = match status {
        401 | 403 | 429 | 500.. => Failure::unreachable(what),
        _ => Failure::not_so(what),
    };
    match hint(status, &problem, credentials) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn hint(status: u16, problem: &Problem, credentials: &Credentials) -> Option<String> {
    let hint = match (status, problem.code.as_str()) {
        (_, "tenant_exists") => {
            "look at it with `vyrox tenant show ID`, change it with `vyrox tenant update ID`"
        }
        (_, "tenant_not_found") => "`vyrox tenant list` shows the tenants there are",
        (_, "alert_not_found") => "`vyrox alert list --tenant T` shows the alerts of a tenant",
        (_, "dead_letter_not_found") => "`vyrox dead-letter list` shows the dead letters there are",
        (_, "dead_letter_not_kept") => {
            "its alert can be sent again by its vendor; `vyrox dead-letter discard` drops the record"
        }
        (_, "person_required") => {
            "`vyrox person token NAME` makes one; give it as VYROX_TOKEN or with --token"
        }
        (_, "digest_mismatch") => "`vyrox alert show ALERT` shows what waits, with its digest",
        (_, "proposal_not_found" | "illegal_transition" | "approval_expired") => {
            "`vyrox alert show ALERT` shows what became of it"
        }
        (_, "action_not_ready") => "`vyrox action show ACTION` shows how it stands",
        (_, "containment_halted" | "containment_withheld") => {
            "`vyrox action list --tenant ID` shows what is in force"
        }
        (_, "policy_denied") => {
            "`vyrox person list` shows roles, `vyrox policy show` what they are worth"
        }
        (_, "credential_not_found") => "`vyrox secret list TENANT` shows what is in force",
        (_, "credential_refused" | "credential_unchecked") => {
            "what was in force is in force still; --unchecked sets a credential without asking"
        }
        (_, "vendor_check_unavailable") => "--unchecked sets a credential without asking",
        (_, "not_halted") => "`vyrox halt --show` shows what is halted",
        (401, _) => return Some(token_hint(credentials)),
        (403, _) => "the token lacks the scope for this, or is for other tenants",
        (404, _) => "is that address a Vyrox server, and of this version?",
        (429 | 503, _) => return problem.retry_after.map(|s| format!("try again in {s} s")),
        (507, _) => "the tenant has used up its storage quota",
        _ => return None,
    };
    Some(hint.to_owned())
}

fn token_hint(credentials: &Credentials) -> String {
    match &credentials.missing_file {
        Some(file) => format!(
            "no token was given and there is no {file}; use --token, VYROX_TOKEN or --data-dir"
        ),
        None => {
            "the token is not valid on this server; is --url or --data-dir another one's?".into()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::cli::failure::Exit;

    fn shown(status: u16, body: &str) -> (Exit, String) {
        let failure = failure(
            status,
            body.as_bytes(),
            &Credentials::missing(Path::new("d/admin.token")),
        );
        (failure.exit(), failure.to_string())
    }

    #[test]
    fn a_refusal_shows_title_detail_and_a_way_on() {
        let body = r#"{"title":"Tenant exists","code":"tenant_exists","detail":"acme was added before","status":409}"#;
        let (exit, text) = shown(409, body);
        assert_eq!(exit, Exit::NotSo);
        assert!(
            text.contains("Tenant exists: acme was added before (409 tenant_exists)"),
            "{text}"
        );
        assert!(text.contains("vyrox tenant show"), "{text}");
    }

    #[test]
    fn no_right_to_ask_is_not_an_answer() {
        let (exit, text) = shown(401, r#"{"title":"Unauthorized","code":"invalid_token"}"#);
        assert_eq!(exit, Exit::Unreachable);
        assert!(text.contains("d/admin.token"), "{text}");
    }

    #[test]
    fn a_busy_server_says_when_to_come_back() {
        let (exit, text) = shown(
            429,
            r#"{"title":"Too many","code":"rate_limited","retry_after":7}"#,
        );
        assert_eq!(exit, Exit::Unreachable);
        assert!(text.contains("try again in 7 s"), "{text}");
    }

    #[test]
    fn what_is_no_problem_document_still_shows_its_status() {
        let (exit, text) = shown(502, "<html>bad gateway</html>");
        assert_eq!(exit, Exit::Unreachable);
        assert!(text.contains("(502)"), "{text}");
    }
}

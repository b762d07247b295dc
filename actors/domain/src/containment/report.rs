//! What an adapter said, as far as it is believed.

use super::{
    Act, ActOutcome, ActReport, Manner, OutcomeKind, Stage,
    decide::{about, decided},
};
use crate::{
    action::plain,
    protocol::{Event, Refusal},
    tenant::TenantState,
};

/// The longest word of a vendor's for a state.
pub(super) const OBSERVED_MAX: usize = 64;
/// The longest name that a vendor gives an action.
const REFERENCE_MAX: usize = 128;
/// The longest reason.
const WHY_MAX: usize = 200;

/// What an adapter said. It counts for the drive that is under way, and afterwards for as long as the outcome is
/// open.
pub(crate) fn recorded(state: &TenantState, report: ActReport) -> Result<Vec<Event>, Refusal> {
    let acts = &state.acts;
    let act = acts.get(report.action_id).ok_or(Refusal::UnknownAction)?;
    if report.drive != act.drives {
        return Err(Refusal::NothingNew);
    }
    let report = ActReport {
        observed: report.observed.and_then(|text| word(&text, OBSERVED_MAX)),
        reference: report.reference.filter(|text| is_reference(text)),
        why: report.why.and_then(|text| plain(&text, WHY_MAX)),
        status: report.status.filter(|status| (100..600).contains(status)),
        ..report
    };
    let outcome = believed(act, &report).ok_or(Refusal::NothingNew)?;
    let facts = ActOutcome {
        about: about(act),
        drive: report.drive,
        outcome,
        observed: report.observed,
        reference: report.reference,
        status: report.status,
        why: report.why,
        sent: report.sent,
        reconciled: report.reconciled,
        given_up: false,
    };
    Ok(vec![Event::ActOutcome(decided(act, facts))])
}

/// What became of the drive; `None` where that is known already, or can't be.
fn believed(act: &Act, report: &ActReport) -> Option<OutcomeKind> {
    let told = report.outcome;
    if told == OutcomeKind::DryRun {
        return None;
    }
    match act.stage {
        Stage::Begun {
            manner: Manner::Live,
        } => {
            // What an earlier drive may have done, or this one, was not so before.
            let ours = act.doubtful || report.sent > 0;
            let already = told == OutcomeKind::AlreadySo;
            Some(if already && ours {
                OutcomeKind::Executed
            } else {
                told
            })
        }
        Stage::Done { outcome } if outcome.is_open() => {
            let names_it = act.reference.is_none() && report.reference.is_some();
            let new = told != outcome || names_it;
            (new && told != OutcomeKind::AlreadySo).then_some(told)
        }
        Stage::Begun {
            manner: Manner::DryRun | Manner::NoCredentials,
        }
        | Stage::Approved
        | Stage::Withheld { .. }
        | Stage::Done { .. }
        | Stage::Undone { .. } => None,
    }
}

/// A vendor's word, with `?` for what does not belong into one; `None` where nothing is left.
pub(super) fn word(text: &str, max: usize) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ' ' | '-');
    let shown = text.trim().chars().take(max);
    let shown: String = shown.map(|c| if plain(c) { c } else { '?' }).collect();
    (!shown.is_empty()).then_some(shown)
}

/// A name that was changed would be the name of something else, so it is taken as it is or not at all.
fn is_reference(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-');
    (1..=REFERENCE_MAX).contains(&text.len()) && text.bytes().all(plain)
}

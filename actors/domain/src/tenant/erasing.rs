//! When evidence may be erased, and what the state keeps of it.

use super::{SeqRun, TenantState};
use crate::{
    ids::AlertId,
    protocol::{ERASURE_REASON_MAX, ErasureCause, Event, EvidenceErased, Refusal},
};

/// An alert that waits for a verdict or for somebody's decision, or of which an action is not settled,
/// keeps its evidence: whoever decides would have nothing to go by, and a body with several alerts is
/// one piece. Retention asks for nothing that young, and a tenant that is removed decides no more.
pub(super) fn erase(state: &TenantState, erased: EvidenceErased) -> Result<Vec<Event>, Refusal> {
    if erased.entries.is_empty() {
        return Err(Refusal::NothingNew);
    }
    if erased
        .reason
        .as_deref()
        .is_some_and(|text| !is_reason(text))
    {
        return Err(Refusal::BadReason);
    }
    match erased.alerts.iter().find(|alert| is_in_use(state, **alert)) {
        Some(alert_id) => Err(Refusal::EvidenceInUse {
            alert_id: *alert_id,
        }),
        None => Ok(vec![Event::EvidenceErased(erased)]),
    }
}

fn is_in_use(state: &TenantState, alert: AlertId) -> bool {
    let waits = |one: &&super::Proposed| one.is_waiting() && one.manifest.alert_id == alert;
    let mut acts = state.acts.iter().map(|(_, act)| act);
    state.untriaged.contains_key(&alert)
        || state.in_review.contains_key(&alert)
        || state.proposals.iter().any(|one| waits(&one))
        || acts.any(|act| act.is_unsettled() && act.manifest.alert_id == alert)
}

fn is_reason(text: &str) -> bool {
    (1..=ERASURE_REASON_MAX).contains(&text.chars().count())
        && !text.trim().is_empty()
        && !text.chars().any(char::is_control)
}

/// The last entries that were ordered to lose their evidence stay known, for a start that finds the order
/// on the chain and the bytes on the disk.
pub(super) fn apply(state: &mut TenantState, erased: &EvidenceErased) {
    state.evidence_bytes = state.evidence_bytes.saturating_sub(erased.bytes);
    state.erasing.clone_from(&erased.entries);
    if erased.cause == ErasureCause::Retention {
        let last = erased.entries.last().map(|run: &SeqRun| run.last_seq);
        let past = last.map_or(0, |last| last.saturating_add(1));
        state.retained_from = state.retained_from.max(past);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        entry::Recorded,
        protocol::{Command, EvidenceKind},
        tenant::{decide, replay},
        time::Timestamp,
    };

    const T: Timestamp = Timestamp::from_s(1_768_473_000);

    fn alert(n: u8) -> AlertId {
        AlertId(uuid::Uuid::from_bytes([n; 16]))
    }

    fn erased(cause: ErasureCause, alerts: &[AlertId], seqs: &[u64]) -> EvidenceErased {
        EvidenceErased {
            cause,
            alerts: alerts.to_vec(),
            entries: SeqRun::of(seqs.iter().copied()),
            kinds: vec![EvidenceKind::Alert, EvidenceKind::Raw],
            bytes: 700,
            reason: Some("a request of the person concerned".into()),
            by: "api_token:bootstrap".into(),
        }
    }

    #[test]
    fn an_alert_that_waits_for_a_verdict_keeps_its_evidence() {
        let mut state = TenantState::default();
        state.untriaged.insert(alert(1), 4);
        state.in_review.insert(alert(2), 5);
        for (of, refused) in [(1, true), (2, true), (3, false)] {
            let order = erased(ErasureCause::Erasure, &[alert(9), alert(of)], &[4]);
            let decided = decide(&state, Command::EraseEvidence(order), T);
            let why = Refusal::EvidenceInUse {
                alert_id: alert(of),
            };
            assert_eq!(decided.err(), refused.then_some(why), "{of}");
        }
    }

    #[test]
    fn a_reason_says_something_and_not_too_much() {
        for (reason, good) in [
            ("", false),
            ("  ", false),
            ("a\u{7}b", false),
            (&*"x".repeat(ERASURE_REASON_MAX), true),
            (&*"x".repeat(ERASURE_REASON_MAX + 1), false),
        ] {
            let mut order = erased(ErasureCause::Erasure, &[alert(1)], &[4]);
            order.reason = Some(reason.to_owned());
            let decided = decide(&TenantState::default(), Command::EraseEvidence(order), T);
            assert_eq!(decided.is_ok(), good, "{reason:?}");
        }
        let nothing = erased(ErasureCause::Retention, &[], &[]);
        let decided = decide(&TenantState::default(), Command::EraseEvidence(nothing), T);
        assert_eq!(decided, Err(Refusal::NothingNew));
    }

    #[test]
    fn what_is_erased_counts_no_more_and_retention_goes_on_behind_it() {
        let mut state = TenantState {
            evidence_bytes: 1_000,
            ..TenantState::default()
        };
        let by_hand = erased(ErasureCause::Erasure, &[alert(1)], &[7, 9, 10]);
        let by_age = EvidenceErased {
            reason: None,
            by: "system".into(),
            ..erased(ErasureCause::Retention, &[], &[0, 1, 2, 3])
        };
        for (event, left, from, actor) in [
            (
                Event::EvidenceErased(by_hand),
                300,
                0,
                "api_token:bootstrap",
            ),
            (Event::EvidenceErased(by_age), 0, 4, "system"),
        ] {
            let entry = event.entry(T);
            assert_eq!(entry.actor, actor);
            state.next_seq = state.next_seq.max(20);
            let line = serde_json::json!({
                "seq": state.next_seq, "timestamp_ms": T.ms(), "tenant_id": "acme",
                "event": entry.event, "event_version": entry.event_version,
                "actor": entry.actor, "alert_id": entry.alert_id, "payload": entry.payload,
                "hash": "0".repeat(64), "previous_hash": "0".repeat(64),
            });
            let recorded = Recorded::parse(&serde_json::to_vec(&line).unwrap()).unwrap();
            assert_eq!(replay(&mut state, &recorded).unwrap(), event);
            assert_eq!((state.evidence_bytes, state.retained_from), (left, from));
        }
        assert!(SeqRun::seqs(&state.erasing).eq(0..=3));
    }

    proptest! {
        #[test]
        fn runs_give_back_the_seqs_they_were_made_of(
            seqs in proptest::collection::btree_set(0_u64..60, 0..40),
        ) {
            let runs = SeqRun::of(seqs.iter().copied());
            prop_assert!(SeqRun::seqs(&runs).eq(seqs));
            prop_assert!(runs.windows(2).all(|two| two[0].last_seq + 1 < two[1].first_seq));
        }
    }
}

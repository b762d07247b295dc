//! The signed log over all chains: that there is one, and when another may follow it.

use super::{HostRefusal, HostState, halts::is_reason};
use crate::host_protocol::{AuditLogChange, HostEvent, KeyRotated};

/// A log begins once. After that, only somebody who says why may leave it for another; another key
/// signs for the same log.
pub(super) fn decide(state: &HostState, change: AuditLogChange) -> Result<HostEvent, HostRefusal> {
    if change.reason().is_some_and(|reason| !is_reason(reason)) {
        return Err(HostRefusal::BadReason);
    }
    match &change {
        AuditLogChange::Begun(_) if state.audit_log.is_some() => Err(HostRefusal::NothingToDo),
        AuditLogChange::Rotated(rotated) if !follows(state, rotated) => {
            Err(HostRefusal::NothingToDo)
        }
        AuditLogChange::Begun(_) | AuditLogChange::Rebased(_) | AuditLogChange::Rotated(_) => {
            Ok(HostEvent::AuditLog(change))
        }
    }
}

/// Whether another key is put in force for the very log that is known, after the key that is known:
/// otherwise the chain would tell of a key that nobody can follow to.
fn follows(state: &HostState, rotated: &KeyRotated) -> bool {
    let known = state.audit_log.as_ref();
    known.is_some_and(|log| {
        *log == rotated.before
            && log.deployment == rotated.after.deployment
            && log.vkey != rotated.after.vkey
    })
}

#[cfg(test)]
mod tests {
    use crate::{
        host::{HostRefusal, HostState, apply, decide},
        host_protocol::{
            AuditLog, AuditLogChange, AuditRebased, HostCommand, HostEvent, KeyRotated,
        },
        time::Timestamp,
    };

    fn log(digit: &str) -> AuditLog {
        AuditLog {
            deployment: digit.repeat(32),
            vkey: format!("{digit}+key"),
        }
    }

    fn rebased(reason: &str) -> AuditLogChange {
        AuditLogChange::Rebased(AuditRebased {
            before: Some(log("1")),
            after: log("2"),
            host: None,
            chains: Vec::new(),
            statement: None,
            reason: reason.into(),
            by: "kim".into(),
        })
    }

    fn order(state: &mut HostState, change: AuditLogChange) -> Result<Vec<HostEvent>, HostRefusal> {
        let events = decide(
            state,
            HostCommand::ChangeAuditLog(change),
            Timestamp::from_ms(1),
            9,
        )?;
        for event in &events {
            apply(state, event, Timestamp::from_ms(1));
        }
        Ok(events)
    }

    #[test]
    fn a_log_begins_once_and_is_left_for_a_reason_alone() {
        let mut state = HostState::default();
        order(&mut state, AuditLogChange::Begun(log("1"))).unwrap();
        let again = order(&mut state, AuditLogChange::Begun(log("2")));
        assert_eq!(again, Err(HostRefusal::NothingToDo));
        for reason in ["", " ", "a\nb"] {
            assert_eq!(
                order(&mut state, rebased(reason)),
                Err(HostRefusal::BadReason)
            );
        }
        assert_eq!(state.audit_log, Some(log("1")));
        let events = order(&mut state, rebased("restored")).unwrap();
        assert_eq!(state.audit_log, Some(log("2")));
        let line =
            serde_json::to_value(events.first().unwrap().entry(Timestamp::from_ms(1)).payload)
                .unwrap();
        assert_eq!(line["deployment"], "2".repeat(32));
        assert_eq!(line["before"]["deployment"], "1".repeat(32));
    }

    #[test]
    fn another_key_is_put_in_force_for_the_log_that_is_known() {
        let mut state = HostState::default();
        let rotated = |deployment: &str, vkey: &str| {
            AuditLogChange::Rotated(KeyRotated {
                before: log("1"),
                after: AuditLog {
                    vkey: vkey.into(),
                    ..log(deployment)
                },
                statement: Some("note".into()),
                until_ms: Some(7),
                by: "kim".into(),
            })
        };
        let early = order(&mut state, rotated("1", "new"));
        assert_eq!(early, Err(HostRefusal::NothingToDo));
        order(&mut state, AuditLogChange::Begun(log("1"))).unwrap();
        for (deployment, vkey) in [("2", "new"), ("1", "1+key")] {
            let refused = order(&mut state, rotated(deployment, vkey));
            assert_eq!(
                refused,
                Err(HostRefusal::NothingToDo),
                "{deployment} {vkey}"
            );
        }
        let events = order(&mut state, rotated("1", "new")).unwrap();
        assert_eq!(state.audit_log.as_ref().unwrap().vkey, "new");
        // One that does not follow from the key that is known.
        let skipping = order(&mut state, rotated("1", "newest"));
        assert_eq!(skipping, Err(HostRefusal::NothingToDo));
        let entry = events.first().unwrap().entry(Timestamp::from_ms(1));
        assert_eq!(entry.payload["before"]["vkey"], "1+key");
        assert_eq!(entry.payload["until_ms"], 7);
    }
}

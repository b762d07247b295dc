//! Where a proposal can stand, and what can have become of it.

use proptest::prelude::*;
use uuid::Uuid;
use vyrox_domain::{
    containment::{Manner, OutcomeKind, Stage, Withheld},
    ids::ActionId,
    notice::{ActShown, Standing},
    time::Timestamp,
};

use super::{NOW, hostile, message, one, person};

pub(super) fn standing() -> impl Strategy<Value = Standing> {
    let people = || prop::collection::vec(person(), 0..6);
    prop_oneof![
        4 => Just(Standing::Waiting { approved_by: Vec::new() }),
        2 => people().prop_map(|approved_by| Standing::Waiting { approved_by }),
        1 => people().prop_map(|by| Standing::Approved { by }),
        1 => person().prop_map(|by| Standing::Denied { by }),
        1 => Just(Standing::Expired),
    ]
}

fn stage() -> impl Strategy<Value = Stage> {
    prop_oneof![
        Just(Stage::Approved),
        Just(Stage::Withheld {
            why: Withheld::ProtectedHosts
        }),
        Just(Stage::Begun {
            manner: Manner::Live
        }),
        prop::sample::select(OutcomeKind::ALL.to_vec()).prop_map(|outcome| Stage::Done { outcome }),
        Just(Stage::Undone { by: undo() }),
    ]
}

fn undo() -> ActionId {
    ActionId(Uuid::from_u128(9))
}

prop_compose! {
    fn shown()(
        stage in stage(),
        (observed, why, approved_by) in (
            prop::option::of(hostile()),
            prop::option::of(hostile()),
            prop::option::of(hostile()),
        ),
        (since, hold_ends) in any::<(u64, u64)>(),
        (hold_ended, drifted) in any::<(bool, bool)>(),
        undoing in prop::option::of(stage()),
    ) -> ActShown {
        ActShown {
            stage,
            outcome: stage.outcome(),
            manner: Some(Manner::Live),
            approved_by,
            release: None,
            since: Timestamp::from_ms(since),
            observed,
            why,
            hold_ends_at: Some(Timestamp::from_ms(hold_ends)),
            hold_ended,
            drifted,
            undoing: undoing.map(|stage| (undo(), stage)),
            undone_by: None,
        }
    }
}

pub(super) fn act() -> impl Strategy<Value = Option<ActShown>> {
    prop::option::of(shown())
}

#[test]
fn what_became_of_an_action_stands_under_who_approved_it() {
    let mut notice = one(Standing::Approved { by: Vec::new() });
    notice.proposals[0].act = Some(ActShown {
        stage: Stage::Done {
            outcome: OutcomeKind::Executed,
        },
        outcome: Some(OutcomeKind::Executed),
        manner: Some(Manner::Live),
        approved_by: Some("external:bob".into()),
        release: None,
        since: Timestamp::from_s(1_800_000_000),
        observed: Some("contained".into()),
        why: None,
        hold_ends_at: None,
        hold_ended: false,
        drifted: false,
        undoing: None,
        undone_by: None,
    });
    let text = message(&notice, NOW)["embeds"].to_string();
    assert!(text.contains("approved by `external:bob`"), "{text}");
    let wanted = "carried out <t:1800000000:R>, read back: `contained`";
    assert!(text.contains(wanted), "{text}");
}

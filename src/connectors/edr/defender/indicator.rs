//! Indicators: files that run nowhere.

use serde::Deserialize;
use serde_json::Value;
use vyrox_actors::edr::{EffectSeen, Reading};

use super::{
    super::{reading::seen, reference},
    task::{Block, FILE_SHA256},
};

/// One of them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Indicator {
    /// A text or a number.
    id: Option<Value>,
    #[serde(rename = "indicatorType")]
    kind: Option<String>,
    #[serde(rename = "indicatorValue")]
    value: Option<String>,
    action: Option<String>,
    description: Option<String>,
    rbac_group_names: Option<Vec<String>>,
}

/// Whether a file is blocked; of an undoing, whether our indicator is gone. `known` is that indicator's id,
/// where it is known; else it is found by what it says of itself. The reading names an indicator only if it
/// is ours, for what it names may be taken back.
pub(super) fn read(indicators: &[Indicator], block: &Block, known: Option<&str>) -> Reading {
    let alike: Vec<&Indicator> = indicators
        .iter()
        .filter(|one| one.is_about(block))
        .collect();
    let ours = alike.iter().find(|one| one.is_ours(block, known));
    let blocking = alike.iter().find(|one| one.blocks_everywhere());
    let is_so = if block.undo {
        ours.is_none()
    } else {
        blocking.is_some()
    };
    let effect = if is_so {
        EffectSeen::InEffect
    } else {
        EffectSeen::NotInEffect
    };
    let shown = blocking.or(ours).or_else(|| alike.first());
    let observed = shown.map_or("none", |one| one.action.as_deref().unwrap_or_default());
    Reading {
        reference: ours.and_then(|ours| ours.name()),
        ..seen(effect, observed)
    }
}

/// Whether somebody else has an indicator for this file. Ours would take its place, and nobody could bring
/// it back.
pub(super) fn others_have(indicators: &[Indicator], block: &Block, known: Option<&str>) -> bool {
    let mut alike = indicators.iter().filter(|one| one.is_about(block));
    alike.any(|one| !one.is_ours(block, known))
}

impl Indicator {
    /// What the vendor calls it.
    pub(super) fn name(&self) -> Option<String> {
        match self.id.as_ref()? {
            Value::String(id) => reference(id),
            Value::Number(id) => reference(&id.to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }

    fn is_about(&self, block: &Block) -> bool {
        let value = self.value.as_deref().unwrap_or_default();
        self.kind.as_deref() == Some(FILE_SHA256) && value.eq_ignore_ascii_case(&block.sha256)
    }

    fn is_ours(&self, block: &Block, known: Option<&str>) -> bool {
        let marked = block.mark.is_some() && self.description == block.mark;
        marked || (known.is_some() && self.name().as_deref() == known)
    }

    /// Whether it blocks, and not in some groups of machines alone.
    fn blocks_everywhere(&self) -> bool {
        let blocks = matches!(
            self.action.as_deref(),
            Some("Block" | "BlockAndRemediate" | "AlertAndBlock")
        );
        blocks && self.rbac_group_names.as_ref().is_none_or(Vec::is_empty)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::{
        super::odata::{self, List},
        *,
    };
    use crate::connectors::edr::hostile::{answers, elements, is, is_ours, is_plain, plainly};

    const WORDS: &[&str] = &[
        "value",
        "error",
        "code",
        "id",
        "9",
        "indicatorType",
        "FileSha256",
        "indicatorValue",
        "action",
        "Block",
        "Alert",
        "description",
        "rbacGroupNames",
    ];

    proptest! {
        #[test]
        fn a_file_is_blocked_only_by_an_indicator_that_says_so(
            answer in answers(
                json!({ "value": [indicator("9", "Block", "Vyrox action 1")] }),
                WORDS,
                false,
            ),
        ) {
            let plain = plainly(&answer);
            let blocks = |one: &Value| {
                is(one, "indicatorType", FILE_SHA256)
                    && is(one, "indicatorValue", &"ab".repeat(32))
                    && is(one, "action", "Block")
                    && elements(one, "rbacGroupNames").is_empty()
            };
            let said = plain["error"].is_null() && elements(&plain, "value").iter().any(blocks);
            match odata::read::<List<Indicator>>(&answer) {
                Ok(list) => {
                    let reading = read(&list.value, &block(false), None);
                    prop_assert!(reading.effect != EffectSeen::InEffect || said);
                    prop_assert!(is_plain(&reading), "{:?}", reading);
                }
                Err(error) => prop_assert!(is_ours(&error), "{}", error),
            }
        }
    }

    fn block(undo: bool) -> Block {
        Block {
            sha256: "ab".repeat(32),
            undo,
            mark: Some("Vyrox action 1".to_owned()),
        }
    }

    fn indicator(id: &str, action: &str, description: &str) -> Value {
        json!({
            "id": id,
            "indicatorType": "FileSha256",
            "indicatorValue": "AB".repeat(32),
            "action": action,
            "description": description,
            "rbacGroupNames": [],
        })
    }

    fn list(data: Value) -> Vec<Indicator> {
        serde_json::from_value(data).unwrap()
    }

    fn reading(data: Value, known: Option<&str>, undo: bool) -> (EffectSeen, Option<String>) {
        let reading = read(&list(data), &block(undo), known);
        (reading.effect, reading.reference)
    }

    #[test]
    fn every_action_of_an_indicator_blocks_or_does_not() {
        use EffectSeen::{InEffect, NotInEffect};
        for (action, effect) in [
            ("Block", InEffect),
            ("BlockAndRemediate", InEffect),
            ("AlertAndBlock", InEffect),
            ("Alert", NotInEffect),
            ("Warn", NotInEffect),
            ("Audit", NotInEffect),
            ("Allowed", NotInEffect),
            ("block", NotInEffect),
        ] {
            let found = reading(json!([indicator("9", action, "x")]), None, false);
            assert_eq!(found, (effect, None), "{action}");
        }
    }

    #[test]
    fn ours_is_known_by_its_id_or_by_what_it_says() {
        use EffectSeen::{InEffect, NotInEffect};
        let nine = Some("9".to_owned());
        let mut numbered = indicator("9", "Block", "renamed");
        numbered["id"] = 9.into();
        for (data, known) in [
            (json!([indicator("9", "Block", "Vyrox action 1")]), None),
            (json!([indicator("9", "Block", "renamed")]), Some("9")),
            (json!([numbered]), Some("9")),
        ] {
            assert_eq!(
                reading(data.clone(), known, false),
                (InEffect, nine.clone())
            );
            assert_eq!(
                reading(data.clone(), known, true),
                (NotInEffect, nine.clone())
            );
            assert!(!others_have(&list(data), &block(false), known));
        }
    }

    /// Defender keeps one indicator a file, and a new one takes the place of the old. Were ours written over
    /// another's, taking our action back would leave a file allowed or blocked that others had decided on.
    #[test]
    fn what_others_decided_is_neither_named_nor_overwritten() {
        for action in ["Block", "Allowed"] {
            let data = json!([indicator("9", action, "Decided by the desk")]);
            for known in [None, Some("8")] {
                assert!(others_have(&list(data.clone()), &block(false), known));
                let undone = reading(data.clone(), known, true);
                assert_eq!(undone, (EffectSeen::InEffect, None));
            }
        }
    }

    #[test]
    fn another_file_or_a_part_of_the_machines_does_not_count() {
        let with = |member: &str, value: Value| {
            let mut one = indicator("9", "Block", "x");
            one[member] = value;
            json!([one])
        };
        for data in [
            json!([]),
            json!([{}]),
            with("indicatorType", "FileSha1".into()),
            with("indicatorValue", "cd".into()),
            with("rbacGroupNames", json!(["Servers"])),
        ] {
            let found = reading(data.clone(), None, false);
            assert_eq!(found, (EffectSeen::NotInEffect, None), "{data}");
        }
    }
}

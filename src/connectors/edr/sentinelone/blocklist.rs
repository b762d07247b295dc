//! The blocklist: hashes that run nowhere.

use serde::Deserialize;
use vyrox_actors::edr::{EffectSeen, Reading};

use super::{
    super::{reading::seen, reference},
    task::{BLOCKLIST, Block},
};

/// An entry of a list of hashes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    id: Option<String>,
    #[serde(rename = "type")]
    list: Option<String>,
    value: Option<String>,
    os_type: Option<String>,
    description: Option<String>,
}

/// What the vendor calls the entry that was made; `None` where it says nothing that can be kept.
pub(super) fn name_of(entries: &[Entry]) -> Option<String> {
    entries.first()?.name()
}

/// Whether a hash is blocked; of an undoing, whether our entry is gone. `known` is that entry's id, where it
/// is known; else it is found by what it says of itself. The reading names an entry only if it is ours, for
/// what it names may be taken back.
pub(super) fn read(entries: &[Entry], block: &Block, known: Option<&str>, undo: bool) -> Reading {
    let alike: Vec<&Entry> = entries.iter().filter(|one| one.blocks(block)).collect();
    let ours = alike.iter().find(|one| one.is_ours(block, known));
    let (is_so, observed) = match ours {
        Some(_) => (!undo, "blocked"),
        None if alike.is_empty() => (undo, "not blocked"),
        None => (true, "blocked by others"),
    };
    let effect = if is_so {
        EffectSeen::InEffect
    } else {
        EffectSeen::NotInEffect
    };
    Reading {
        reference: ours.and_then(|ours| ours.name()),
        ..seen(effect, observed)
    }
}

impl Entry {
    fn name(&self) -> Option<String> {
        self.id.as_deref().and_then(reference)
    }

    fn blocks(&self, block: &Block) -> bool {
        let value = self.value.as_deref().unwrap_or_default();
        self.list.as_deref() == Some(BLOCKLIST)
            && value.eq_ignore_ascii_case(&block.hash)
            && self.os_type.as_deref() == Some(block.platform)
    }

    fn is_ours(&self, block: &Block, known: Option<&str>) -> bool {
        let marked = block.mark.is_some() && self.description == block.mark;
        marked || (known.is_some() && self.id.as_deref() == known)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::{
        super::{envelope::data, task::Scope},
        *,
    };
    use crate::connectors::edr::hostile::{answers, elements, is, is_ours, is_plain, plainly};

    const WORDS: &[&str] = &[
        "data",
        "errors",
        "id",
        "type",
        "black_hash",
        "white_hash",
        "value",
        "osType",
        "windows",
        "description",
    ];

    proptest! {
        #[test]
        fn a_hash_is_blocked_only_by_an_entry_of_the_blocklist(
            answer in answers(
                json!({ "data": [entry("5", "Vyrox action 1")], "errors": [] }),
                WORDS,
                false,
            ),
            known in proptest::option::of(Just("5")),
        ) {
            let plain = plainly(&answer);
            let blocks = |one: &Value| {
                is(one, "type", "black_hash")
                    && is(one, "value", &"ab".repeat(32))
                    && is(one, "osType", "windows")
            };
            let said = elements(&plain, "errors").is_empty()
                && elements(&plain, "data").iter().any(blocks);
            match data::<Vec<Entry>>(&answer) {
                Ok(entries) => {
                    let reading = read(&entries, &block(), known, false);
                    prop_assert_eq!(reading.effect == EffectSeen::InEffect, said);
                    prop_assert!(is_plain(&reading), "{:?}", reading);
                }
                Err(error) => prop_assert!(is_ours(&error), "{}", error),
            }
        }
    }

    fn block() -> Block {
        Block {
            hash: "ab".repeat(32),
            platform: "windows",
            scope: Scope::Tenant,
            mark: Some("Vyrox action 1".to_owned()),
        }
    }

    fn entry(id: &str, description: &str) -> Value {
        json!({
            "id": id,
            "type": "black_hash",
            "value": "AB".repeat(32),
            "osType": "windows",
            "description": description,
        })
    }

    fn reading(data: Value, known: Option<&str>, undo: bool) -> (EffectSeen, Option<String>) {
        let entries: Vec<Entry> = serde_json::from_value(data).unwrap();
        let reading = read(&entries, &block(), known, undo);
        (reading.effect, reading.reference)
    }

    #[test]
    fn ours_is_known_by_its_id_or_by_what_it_says() {
        use EffectSeen::{InEffect, NotInEffect};
        for (data, known) in [
            (json!([entry("5", "Vyrox action 1")]), None),
            (json!([entry("4", ""), entry("5", "renamed")]), Some("5")),
        ] {
            let five = Some("5".to_owned());
            assert_eq!(
                reading(data.clone(), known, false),
                (InEffect, five.clone())
            );
            assert_eq!(reading(data, known, true), (NotInEffect, five));
        }
    }

    /// A hash that somebody else has blocked is blocked, and stays so: were their entry named as if it were
    /// ours, taking our action back would take theirs off the list.
    #[test]
    fn what_others_blocked_is_never_named() {
        let others = json!([
            entry("4", "Blocked by the desk"),
            entry("5", "Vyrox action 12")
        ]);
        for undo in [false, true] {
            assert_eq!(
                reading(others.clone(), None, undo),
                (EffectSeen::InEffect, None)
            );
            assert_eq!(
                reading(others.clone(), Some("6"), undo),
                (EffectSeen::InEffect, None)
            );
        }
    }

    #[test]
    fn another_list_hash_or_system_is_another_entry() {
        let other = |member: &str, value: &str| {
            let mut entry = entry("5", "Vyrox action 1");
            entry[member] = value.into();
            json!([entry])
        };
        for data in [
            json!([]),
            json!([{}]),
            other("type", "white_hash"),
            other("value", "cd"),
            other("osType", "linux"),
        ] {
            assert_eq!(
                reading(data.clone(), Some("5"), false),
                (EffectSeen::NotInEffect, None)
            );
            assert_eq!(reading(data, Some("5"), true), (EffectSeen::InEffect, None));
        }
    }

    #[test]
    fn the_name_of_a_new_entry_can_be_kept_or_is_none() {
        let name = |data: Value| name_of(&serde_json::from_value::<Vec<Entry>>(data).unwrap());
        assert_eq!(name(json!([{ "id": "5" }])).as_deref(), Some("5"));
        for data in [json!([]), json!([{}]), json!([{ "id": "../5" }])] {
            assert_eq!(name(data), None);
        }
    }
}

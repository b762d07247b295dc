//! Blocking a hash by a custom indicator. Only what we made ourselves is ever taken away again.

use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;
use vyrox_actors::edr::{EdrError, EffectSeen, Guard, Reading, Sent};
use vyrox_domain::action::ActionManifest;

use super::{Falcon, OURSELVES, opened};
use crate::connectors::edr::{Answer, Call, never, not_now, observed, reference};

const ENTITIES: &str = "iocs/entities/indicators/v1";
const QUERIES: &str = "iocs/queries/indicators/v1";

/// How many indicators of one hash are looked at; there is one of each kind at most.
const LOOKED_AT: usize = 20;

/// What is to be blocked, or to be blocked no more.
pub(super) struct Block<'a> {
    sha256: &'a str,
    reference: Option<&'a str>,
    /// How the indicator says which action of ours made it.
    mark: String,
    lifting: bool,
    /// The action that is taken back is known, so its mark has to be there.
    marked: bool,
}

#[derive(Deserialize)]
struct Indicator {
    #[serde(default)]
    id: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    value: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    applied_globally: bool,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    expired: bool,
}

/// One row of what was made: an indicator, or why there is none.
#[derive(Deserialize)]
struct Made {
    id: Option<String>,
    message_type: Option<String>,
}

impl<'a> Block<'a> {
    pub(super) fn of(
        manifest: &'a ActionManifest,
        reference: Option<&'a str>,
    ) -> Result<Self, EdrError> {
        let hex = |b: u8| b.is_ascii_digit() || matches!(b, b'a'..=b'f');
        let sha256 = manifest.parameters.get("sha256").map(String::as_str);
        let sha256 = sha256.filter(|hash| hash.len() == 64 && hash.bytes().all(hex));
        let made_by = match manifest.release {
            Some(release) => release.of,
            None => Some(manifest.action_id),
        };
        Ok(Self {
            sha256: sha256.ok_or_else(|| never("the action names no SHA-256"))?,
            reference,
            mark: made_by.map_or_else(
                || "Vyrox action".to_owned(),
                |action| format!("Vyrox action {action}"),
            ),
            lifting: manifest.release.is_some(),
            marked: made_by.is_some(),
        })
    }

    /// Whether it is the one that the action made.
    fn made(&self, one: &Indicator) -> bool {
        let ours = one.source.as_deref() == Some(OURSELVES);
        let marked = one.description.as_deref() == Some(self.mark.as_str());
        match self.reference {
            Some(reference) => ours && one.id == reference,
            None => ours && (marked || !self.marked),
        }
    }
}

/// Whether the hash is blocked everywhere; for a release, whether what we made is gone.
pub(super) async fn read(
    falcon: &Falcon,
    block: &Block<'_>,
    until: Instant,
) -> Result<Reading, EdrError> {
    let found = find(falcon, block, until).await?;
    let own = found.iter().find(|one| block.made(one));
    Ok(if block.lifting {
        lifted(own)
    } else {
        blocked(&found, own)
    })
}

fn lifted(own: Option<&Indicator>) -> Reading {
    let (effect, word) = match own {
        Some(one) => (EffectSeen::NotInEffect, observed(&one.action)),
        None => (EffectSeen::InEffect, "no indicator of ours".to_owned()),
    };
    Reading {
        effect,
        observed: word,
        reference: own.and_then(|one| reference(&one.id)),
        device: None,
    }
}

fn blocked(found: &[Indicator], own: Option<&Indicator>) -> Reading {
    let prevents = |one: &&Indicator| matches!(one.action.as_str(), "prevent" | "prevent_no_ui");
    let everywhere = found
        .iter()
        .filter(prevents)
        .find(|one| one.applied_globally && !one.expired);
    let (effect, word) = match (everywhere, found.iter().find(prevents), found.first()) {
        (Some(one), ..) => (EffectSeen::InEffect, observed(&one.action)),
        (None, Some(_), _) => (EffectSeen::NotInEffect, "not everywhere".to_owned()),
        (None, None, Some(one)) => (EffectSeen::NotInEffect, observed(&one.action)),
        (None, None, None) => (EffectSeen::NotInEffect, "no indicator".to_owned()),
    };
    Reading {
        effect,
        observed: word,
        reference: own.and_then(|one| reference(&one.id)),
        device: None,
    }
}

/// Makes the indicator, or takes away the one that we made.
pub(super) async fn send(
    falcon: &Falcon,
    block: &Block<'_>,
    guard: &Guard,
    until: Instant,
) -> Result<Sent, EdrError> {
    if block.lifting {
        remove(falcon, block, guard, until).await
    } else {
        make(falcon, block, guard, until).await
    }
}

async fn make(
    falcon: &Falcon,
    block: &Block<'_>,
    guard: &Guard,
    until: Instant,
) -> Result<Sent, EdrError> {
    let call = Call::post(ENTITIES)
        .query("ignore_warnings", "true")
        .query("retrodetects", "false")
        .json(&json!({
            "comment": block.mark,
            "indicators": [{
                "type": "sha256",
                "value": block.sha256,
                "action": "prevent",
                "severity": "high",
                "platforms": ["windows", "mac", "linux"],
                "applied_globally": true,
                "source": OURSELVES,
                "description": block.mark,
            }],
        }))
        .changing(guard);
    let made = falcon.ask::<Made>(&call, until).await?.resources().next();
    let made = made.ok_or_else(|| call.lost("the answer has no indicator in it"))?;
    if made.message_type.as_deref() == Some("error") || made.id.is_none() {
        return Err(EdrError::Refused {
            status: 201,
            why: "it does not take the indicator".to_owned(),
        });
    }
    Ok(Sent {
        status: 201,
        reference: made.id.as_deref().and_then(reference),
    })
}

async fn remove(
    falcon: &Falcon,
    block: &Block<'_>,
    guard: &Guard,
    until: Instant,
) -> Result<Sent, EdrError> {
    let found = find(falcon, block, until).await?;
    // Whoever reads the state again learns that there is nothing left to do.
    let own = found.iter().find(|one| block.made(one));
    let own = own.ok_or_else(|| not_now("there is no indicator of ours"))?;
    let call = Call::delete(ENTITIES)
        .query("ids", own.id.as_str())
        .query("comment", block.mark.as_str())
        .changing(guard);
    let answer = falcon.exchange(&call, until).await?;
    opened::<serde_json::Value>(&answer)?;
    Ok(Sent {
        status: answer.status,
        reference: reference(&own.id),
    })
}

/// All indicators of this hash.
async fn find(
    falcon: &Falcon,
    block: &Block<'_>,
    until: Instant,
) -> Result<Vec<Indicator>, EdrError> {
    let filter = format!("type:'sha256'+value:'{}'", block.sha256);
    let query = Call::get(QUERIES).query("filter", filter);
    let ids = falcon.ask::<String>(&query, until).await?;
    let ids: Vec<String> = ids.resources().take(LOOKED_AT).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut call = Call::get(ENTITIES);
    for id in ids {
        call = call.query("ids", id);
    }
    listed(&falcon.exchange(&call, until).await?, block)
}

/// What an answer says of indicators of this hash.
fn listed(answer: &Answer, block: &Block<'_>) -> Result<Vec<Indicator>, EdrError> {
    let found = match opened::<Indicator>(answer) {
        Ok(found) => found,
        // They were there a moment ago.
        Err(EdrError::Refused { status: 404, .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let same = |one: &Indicator| {
        one.kind == "sha256" && one.value.eq_ignore_ascii_case(block.sha256) && !one.deleted
    };
    Ok(found.resources().filter(same).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::connectors::edr::hostile::{answers, elements, is, is_ours, is_plain, plainly};

    const WORDS: &[&str] = &[
        "resources",
        "errors",
        "code",
        "type",
        "sha256",
        "value",
        HASH,
        "action",
        "prevent",
        "detect",
        "applied_globally",
        "source",
    ];
    const HASH: &str = "abababababababababababababababababababababababababababababababab";

    fn indicators() -> Value {
        let one = json!({
            "id": "i1",
            "type": "sha256",
            "value": HASH,
            "action": "prevent",
            "applied_globally": true,
            "source": OURSELVES,
            "description": "Vyrox action 1",
        });
        json!({ "resources": [one], "errors": null })
    }

    proptest! {
        #[test]
        fn a_hash_is_blocked_only_by_an_indicator_that_prevents_it_everywhere(
            answer in answers(indicators(), WORDS, false),
        ) {
            let block = Block {
                sha256: HASH,
                reference: None,
                mark: "Vyrox action 1".to_owned(),
                lifting: false,
                marked: true,
            };
            let plain = plainly(&answer);
            let said = elements(&plain, "errors").is_empty()
                && elements(&plain, "resources").iter().any(|one| {
                    is(one, "value", HASH)
                        && is(one, "action", "prevent")
                        && one["applied_globally"] == true
                });
            match listed(&answer, &block) {
                Ok(found) => {
                    let own = found.iter().find(|one| block.made(one));
                    let reading = blocked(&found, own);
                    prop_assert!(reading.effect != EffectSeen::InEffect || said);
                    prop_assert!(is_plain(&reading), "{:?}", reading);
                    let ours = elements(&plain, "resources")
                        .iter()
                        .any(|one| is(one, "source", OURSELVES) && is(one, "description", &block.mark));
                    prop_assert!(reading.reference.is_none() || ours);
                }
                Err(error) => prop_assert!(is_ours(&error), "{}", error),
            }
        }
    }
}

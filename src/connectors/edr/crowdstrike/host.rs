//! Network containment of a host.

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use vyrox_actors::edr::{DeviceSeen, EdrError, EffectSeen, Guard, Reading, Sent};

use super::{Falcon, opened};
use crate::connectors::edr::{Answer, Call, not_now, observed};

#[derive(Deserialize)]
struct Device {
    #[serde(default, rename = "device_id")]
    id: String,
    status: Option<String>,
    hostname: Option<String>,
    product_type_desc: Option<String>,
    platform_name: Option<String>,
    local_ip: Option<String>,
    external_ip: Option<String>,
}

impl Device {
    fn seen(self) -> DeviceSeen {
        DeviceSeen {
            hostname: self.hostname,
            role: self.product_type_desc,
            ips: [self.local_ip, self.external_ip]
                .into_iter()
                .flatten()
                .collect(),
            platform: self.platform_name,
        }
    }
}

/// The host's state. `lifting`: whether it is to be contained no more.
pub(super) async fn read(
    falcon: &Falcon,
    device: &str,
    lifting: bool,
    until: Instant,
) -> Result<Reading, EdrError> {
    let call = Call::post("devices/entities/devices/v2").json(&json!({"ids": [device]}));
    told(&falcon.exchange(&call, until).await?, device, lifting)
}

/// What an answer says of the host's state.
fn told(answer: &Answer, device: &str, lifting: bool) -> Result<Reading, EdrError> {
    let found = match opened::<Device>(answer) {
        Ok(envelope) => envelope
            .resources()
            .find(|one| one.id.eq_ignore_ascii_case(device)),
        Err(EdrError::Refused { status: 404, .. }) => None,
        Err(error) => return Err(error),
    };
    let Some(found) = found else {
        return Ok(Reading {
            effect: EffectSeen::NoSuchTarget,
            observed: "unknown".to_owned(),
            reference: None,
            device: None,
        });
    };
    let status = found.status.clone().unwrap_or_default();
    let effect = effect(&status, lifting)
        .ok_or_else(|| not_now("the host is in a state that is not known"))?;
    Ok(Reading {
        effect,
        observed: observed(&status),
        reference: None,
        device: Some(found.seen()),
    })
}

/// Contains the host, or lifts that. A conflict is taken for success where the host is, or is coming to be,
/// what was asked for.
pub(super) async fn send(
    falcon: &Falcon,
    device: &str,
    lifting: bool,
    (guard, until): (&Guard, Instant),
) -> Result<Sent, EdrError> {
    let name = if lifting {
        "lift_containment"
    } else {
        "contain"
    };
    let call = Call::post("devices/entities/devices-actions/v2")
        .query("action_name", name)
        .json(&json!({"ids": [device]}))
        .changing(guard);
    let answer = falcon.exchange(&call, until).await?;
    let Err(refused) = opened::<Value>(&answer) else {
        return Ok(sent(answer.status));
    };
    if !matches!(refused, EdrError::Refused { status: 409, .. }) {
        return Err(refused);
    }
    match read(falcon, device, lifting, until).await {
        Ok(Reading {
            effect: EffectSeen::InEffect | EffectSeen::Pending,
            ..
        }) => Ok(sent(409)),
        Ok(_) | Err(_) => Err(refused),
    }
}

const fn sent(status: u16) -> Sent {
    Sent {
        status,
        reference: None,
    }
}

/// What a state means for what was asked; a way that leads elsewhere is not on the way here.
fn effect(status: &str, lifting: bool) -> Option<EffectSeen> {
    use EffectSeen::{InEffect, NotInEffect, Pending};
    Some(match (status, lifting) {
        ("contained", false) | ("normal", true) => InEffect,
        ("containment_pending", false) | ("lift_containment_pending", true) => Pending,
        ("contained" | "containment_pending", true)
        | ("normal" | "lift_containment_pending", false) => NotInEffect,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::connectors::edr::hostile::{answers, elements, is, is_ours, is_plain, plainly};

    const WORDS: &[&str] = &[
        "resources",
        "errors",
        "code",
        "meta",
        "device_id",
        "d1",
        "status",
        "contained",
        "normal",
        "containment_pending",
    ];

    fn host() -> Value {
        json!({
            "meta": { "query_time": 1 },
            "resources": [{ "device_id": "d1", "hostname": "ws-1", "status": "contained" }],
            "errors": [],
        })
    }

    proptest! {
        #[test]
        fn no_answer_counts_but_one_that_says_so_of_this_host(
            answer in answers(host(), WORDS, false),
            lifting in any::<bool>(),
        ) {
            let word = if lifting { "normal" } else { "contained" };
            let plain = plainly(&answer);
            let said = elements(&plain, "errors").is_empty()
                && elements(&plain, "resources")
                    .iter()
                    .any(|one| is(one, "device_id", "d1") && is(one, "status", word));
            match told(&answer, "d1", lifting) {
                Ok(reading) => {
                    prop_assert!(reading.effect != EffectSeen::InEffect || said);
                    prop_assert!(is_plain(&reading), "{:?}", reading);
                }
                Err(error) => prop_assert!(is_ours(&error), "{}", error),
            }
        }

        #[test]
        fn no_answer_with_an_error_in_it_or_with_nothing_is_a_containment(
            answer in answers(host(), WORDS, true),
        ) {
            let plain = plainly(&answer);
            match opened::<Value>(&answer) {
                Ok(_) => {
                    prop_assert!(elements(&plain, "errors").is_empty());
                    let empty = json!([]);
                    prop_assert!(plain["resources"].is_array() || plain["errors"] == empty);
                }
                Err(error) => prop_assert!(is_ours(&error), "{}", error),
            }
        }
    }

    #[test]
    fn each_state_means_the_opposite_for_a_release() {
        use EffectSeen::{InEffect, NotInEffect, Pending};
        for (status, contained, lifted) in [
            ("normal", NotInEffect, InEffect),
            ("containment_pending", Pending, NotInEffect),
            ("contained", InEffect, NotInEffect),
            ("lift_containment_pending", NotInEffect, Pending),
        ] {
            assert_eq!(effect(status, false), Some(contained), "{status}");
            assert_eq!(effect(status, true), Some(lifted), "{status}");
        }
        for odd in ["", "Contained", "contained ", "isolated"] {
            assert_eq!(effect(odd, false), None, "{odd}");
        }
    }
}

//! Agents, and whether their hosts are on the network.

use serde::Deserialize;
use vyrox_actors::edr::{DeviceSeen, EffectSeen, Reading};

use super::super::{
    id::Id,
    reading::{HostLink, seen},
};

/// An agent, one a host.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Agent {
    id: Option<String>,
    network_status: Option<String>,
    computer_name: Option<String>,
    machine_type: Option<String>,
    os_type: Option<String>,
    external_ip: Option<String>,
    last_ip_to_mgmt: Option<String>,
    network_interfaces: Option<Vec<Interface>>,
}

#[derive(Deserialize)]
struct Interface {
    inet: Option<Vec<String>>,
    inet6: Option<Vec<String>>,
}

impl Agent {
    fn device(&self) -> DeviceSeen {
        let interfaces = self.network_interfaces.iter().flatten();
        let inner = interfaces.flat_map(|one| [&one.inet, &one.inet6]);
        let outer = [&self.last_ip_to_mgmt, &self.external_ip];
        let inner = inner.flatten().flatten();
        DeviceSeen {
            hostname: self.computer_name.clone(),
            role: self.machine_type.clone(),
            ips: inner.chain(outer.into_iter().flatten()).cloned().collect(),
            platform: self.os_type.clone(),
        }
    }
}

/// Whether an agent's host is off the network or, with `undo`, back on it. `None` where the answer is about
/// another agent, or the state is none that is documented.
pub(super) fn network(agents: &[Agent], wanted: &Id, undo: bool) -> Option<Reading> {
    if agents.is_empty() {
        return Some(seen(EffectSeen::NoSuchTarget, "no such agent"));
    }
    let found = agents
        .iter()
        .find(|agent| agent.id.as_deref() == Some(wanted.as_str()))?;
    let status = found.network_status.as_deref()?;
    let link = match status {
        "disconnected" => HostLink::Cut,
        "disconnecting" => HostLink::Cutting,
        "connecting" => HostLink::Restoring,
        "connected" => HostLink::Whole,
        _ => return None,
    };
    Some(Reading {
        device: Some(found.device()),
        ..seen(link.effect(undo), status)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::{super::envelope::data, *};
    use crate::connectors::edr::hostile::{answers, elements, is, is_ours, is_plain, plainly};

    const WORDS: &[&str] = &[
        "data",
        "errors",
        "id",
        "11",
        "networkStatus",
        "disconnected",
        "disconnecting",
        "connected",
    ];

    proptest! {
        #[test]
        fn no_answer_counts_but_one_that_says_so_of_this_agent(
            answer in answers(
                json!({ "data": [{ "id": "11", "networkStatus": "disconnected" }], "errors": [] }),
                WORDS,
                false,
            ),
            undo in any::<bool>(),
        ) {
            let word = if undo { "connected" } else { "disconnected" };
            let plain = plainly(&answer);
            let said = elements(&plain, "errors").is_empty()
                && elements(&plain, "data")
                    .iter()
                    .any(|one| is(one, "id", "11") && is(one, "networkStatus", word));
            match data::<Vec<Agent>>(&answer) {
                Ok(agents) => {
                    let reading = network(&agents, &Id::parse("11").unwrap(), undo);
                    if let Some(reading) = reading {
                        prop_assert!(reading.effect != EffectSeen::InEffect || said);
                        prop_assert!(is_plain(&reading), "{:?}", reading);
                    }
                }
                Err(error) => prop_assert!(is_ours(&error), "{}", error),
            }
        }
    }

    fn read(data: Value, undo: bool) -> Option<Reading> {
        let agents: Vec<Agent> = serde_json::from_value(data).unwrap();
        network(&agents, &Id::parse("225494730938493804").unwrap(), undo)
    }

    #[test]
    fn every_documented_state_of_the_network_means_one_thing() {
        use EffectSeen::{InEffect, NotInEffect, Pending};
        for (status, wanted, undone) in [
            ("connected", NotInEffect, InEffect),
            ("connecting", NotInEffect, Pending),
            ("disconnected", InEffect, NotInEffect),
            ("disconnecting", Pending, NotInEffect),
        ] {
            for (undo, effect) in [(false, wanted), (true, undone)] {
                let data = json!([{ "id": "225494730938493804", "networkStatus": status }]);
                let reading = read(data, undo).unwrap();
                assert_eq!(
                    (reading.effect, reading.observed.as_str()),
                    (effect, status)
                );
            }
        }
    }

    #[test]
    fn a_reading_tells_which_host_it_is_of() {
        let data = json!([{
            "id": "225494730938493804",
            "networkStatus": "connected",
            "computerName": "DC-1",
            "machineType": "server",
            "osType": "windows",
            "externalIp": "198.51.100.1",
            "networkInterfaces": [{ "inet": ["10.0.0.1"], "inet6": ["fe80::1"] }, { "inet": null }],
        }]);
        let expected = DeviceSeen {
            hostname: Some("DC-1".to_owned()),
            role: Some("server".to_owned()),
            ips: ["10.0.0.1", "fe80::1", "198.51.100.1"]
                .map(str::to_owned)
                .into(),
            platform: Some("windows".to_owned()),
        };
        assert_eq!(read(data, false).unwrap().device, Some(expected));
    }

    #[test]
    fn an_agent_that_is_not_known_is_no_target() {
        assert_eq!(
            read(json!([]), false).unwrap().effect,
            EffectSeen::NoSuchTarget
        );
    }

    #[test]
    fn what_is_not_about_this_agent_says_nothing() {
        for data in [
            json!([{ "id": "1", "networkStatus": "disconnected" }]),
            json!([{ "networkStatus": "disconnected" }]),
            json!([{ "id": "225494730938493804" }]),
            json!([{ "id": "225494730938493804", "networkStatus": null }]),
            json!([{ "id": "225494730938493804", "networkStatus": "Disconnected?" }]),
        ] {
            assert_eq!(read(data.clone(), false), None, "{data}");
        }
    }
}

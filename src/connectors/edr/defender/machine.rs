//! What Defender knows a machine by. It has no word for what a machine is for.

use serde::Deserialize;
use vyrox_actors::edr::DeviceSeen;

use super::super::id::Id;

/// A machine.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Machine {
    id: Option<String>,
    computer_dns_name: Option<String>,
    os_platform: Option<String>,
    last_ip_address: Option<String>,
    last_external_ip_address: Option<String>,
}

impl Machine {
    /// What it is known by; `None` where it is not the one that was asked for.
    pub(super) fn seen_as(self, wanted: &Id) -> Option<DeviceSeen> {
        let id = self.id.as_deref()?;
        id.eq_ignore_ascii_case(wanted.as_str())
            .then(|| DeviceSeen {
                hostname: self.computer_dns_name,
                role: None,
                ips: [self.last_ip_address, self.last_external_ip_address]
                    .into_iter()
                    .flatten()
                    .collect(),
                platform: self.os_platform,
            })
    }
}

//! From a verified body to alerts in normal form.

use super::{
    Alert, MAX_ALERTS, MAX_PAYLOAD_BYTES, MAX_PAYLOAD_DEPTH, MAX_PAYLOAD_VALUES, crowdstrike,
    defender, field::Field, generic, sentinelone,
};
use crate::{
    json::{JsonError, Limits, Value},
    prescan::{self, PrescanError},
    vendor::Vendor,
    webhook::VerifiedWebhook,
};

const LIMITS: Limits = Limits {
    bytes: MAX_PAYLOAD_BYTES,
    depth: MAX_PAYLOAD_DEPTH,
    values: MAX_PAYLOAD_VALUES,
};

/// The body is authentic, but no alert can be read from it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}; looked for {}", looked_for.join(", "))]
pub struct InvalidPayload {
    /// The members of which one would have made it an alert.
    pub looked_for: &'static [&'static str],
    /// What is wrong, in our words; it never repeats the payload.
    pub detail: String,
}

impl Alert {
    /// Reads every alert in a verified body: one in most forms, up to [`MAX_ALERTS`] in a list, in the
    /// order of the body. Never an empty list.
    ///
    /// All or nothing: one unreadable item in a list refuses the list, so that no alert of it gets
    /// lost without anybody noticing.
    ///
    /// # Errors
    /// Not JSON within the bounds of this module, an ambiguous account, no known form, no alert id, or
    /// too many alerts.
    pub fn parse(webhook: &VerifiedWebhook<'_>) -> Result<Vec<Self>, InvalidPayload> {
        read(webhook.vendor(), webhook.body())
    }

    /// The same for an object that the vendor's own API answered to the tenant's credential. Nobody signs
    /// that; what vouches for it is that we asked, over a connection that was proven to lead there.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_polled(vendor: Vendor, object: &[u8]) -> Result<Vec<Self>, InvalidPayload> {
        read(vendor, object)
    }
}

fn read(vendor: Vendor, body: &[u8]) -> Result<Vec<Alert>, InvalidPayload> {
    read_alerts(vendor, body).map_err(|detail| InvalidPayload {
        looked_for: looked_for(vendor),
        detail: detail.to_string(),
    })
}

/// Why a body yields no alerts.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("the body cannot be read: {0}")]
    Json(#[from] JsonError),
    #[error("the body cannot be assigned: {0}")]
    Account(#[from] PrescanError),
    #[error("the body has none of the forms known for {0}")]
    UnknownForm(Vendor),
    #[error("an alert has no usable id")]
    NoId,
    #[error("a list holds no alert")]
    EmptyList,
    #[error("a list holds more than {MAX_ALERTS} alerts")]
    TooManyAlerts,
}

fn read_alerts(vendor: Vendor, body: &[u8]) -> Result<Vec<Alert>, Unreadable> {
    let payload = Value::read(body, LIMITS)?;
    let account = prescan::account_within(vendor, body, LIMITS)?;
    let payload = Field::of(&payload);
    let mut alerts = match vendor {
        Vendor::Crowdstrike => crowdstrike::read(payload),
        Vendor::Sentinelone => sentinelone::read(payload),
        Vendor::Defender => defender::read(payload),
        Vendor::Generic => generic::read(payload),
    }?;
    for alert in &mut alerts {
        alert.account.clone_from(&account);
    }
    Ok(alerts)
}

/// Reads each item of a list.
pub(super) fn read_list<'v, 'a: 'v>(
    list: Field<'v, 'a>,
    read: fn(Field<'v, 'a>) -> Result<Alert, Unreadable>,
) -> Result<Vec<Alert>, Unreadable> {
    match list.items().len() {
        0 => Err(Unreadable::EmptyList),
        count if count > MAX_ALERTS => Err(Unreadable::TooManyAlerts),
        _ => list.items().map(read).collect(),
    }
}

const fn looked_for(vendor: Vendor) -> &'static [&'static str] {
    match vendor {
        Vendor::Crowdstrike => crowdstrike::LOOKED_FOR,
        Vendor::Sentinelone => sentinelone::LOOKED_FOR,
        Vendor::Defender => defender::LOOKED_FOR,
        Vendor::Generic => generic::LOOKED_FOR,
    }
}

//! Finds the customer's account in bytes that nobody has vouched for yet, and nothing else.
//!
//! The answer only chooses whose secrets the body is verified with, so a wrong one cannot let
//! anything in; the scan is bounded all the same, and what two readers might understand differently
//! is refused.
//!
//! Where it looks, in two ranks. A member of the first rank outranks all of the second:
//!
//! | vendor | first rank | second rank | lists of alerts |
//! |---|---|---|---|
//! | crowdstrike | `customer_id`, `cid` | `metadata.customerIDString` | `resources` |
//! | sentinelone | `accountId`, `agentRealtimeInfo.accountId` | `agentDetectionInfo.accountId` | `data` |
//! | defender | `tenant_id` | `aadTenantId`, `tenantId` | `value`, `records` |
//! | generic | `tenant_id` | | `alerts` |
//!
//! The places are looked for in the outermost object, in every object of the vendor's lists of
//! alerts, and in every object of an outermost list. The ranks exist because the second is the
//! vendor's own view: a relay that addresses an alert with `tenant_id` adds it beside `aadTenantId`,
//! and a machine that moved between accounts still carries the account of its detection.

use std::borrow::Cow;

use crate::{
    json::{JsonError, Limits, Reader, Text},
    vendor::Vendor,
};

/// The longest body that is scanned, in bytes.
pub const MAX_PRESCAN_BYTES: usize = 256 * 1024;
/// How deep a scanned body may be nested.
pub const MAX_PRESCAN_DEPTH: usize = 16;
/// The longest account, in bytes of its decoded text.
pub const MAX_ACCOUNT_BYTES: usize = 256;

/// No account can be read from the body. To a sender all of these are one refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrescanError {
    /// Not JSON within the limits.
    #[error(transparent)]
    Unreadable(#[from] JsonError),
    /// A member that names the account, or an object that holds it, stands twice in one object.
    #[error("the account is named twice")]
    Twice,
    /// Members of the same rank name different accounts.
    #[error("the payload names two accounts")]
    Disagreeing,
    /// Longer than [`MAX_ACCOUNT_BYTES`].
    #[error("the account is too long")]
    TooLong,
}

/// The account that `body` names for `vendor`: a text, or an integer as it was written. An empty text
/// and any other type count as absent. `Ok(None)` where a readable body names none.
///
/// Time is linear in the body; nothing is allocated but the account itself.
///
/// # Errors
/// A body that is unreadable within [`MAX_PRESCAN_BYTES`] and [`MAX_PRESCAN_DEPTH`], or ambiguous.
pub fn account_of(vendor: Vendor, body: &[u8]) -> Result<Option<String>, PrescanError> {
    let limits = Limits {
        bytes: MAX_PRESCAN_BYTES,
        depth: MAX_PRESCAN_DEPTH,
        values: usize::MAX,
    };
    account_within(vendor, body, limits)
}

/// As [`account_of`], within limits of the caller's choice.
pub(crate) fn account_within(
    vendor: Vendor,
    body: &[u8],
    limits: Limits,
) -> Result<Option<String>, PrescanError> {
    let mut reader = Reader::new(body, limits)?;
    let mut scan = Scan {
        places: places(vendor),
        accounts: [None, None],
    };
    match reader.peek() {
        Some(b'{') => scan.envelope(&mut reader)?,
        Some(b'[') => scan.list(&mut reader)?,
        _ => reader.skip()?,
    }
    reader.end()?;
    let [first, second] = scan.accounts;
    Ok(first.or(second).map(Cow::into_owned))
}

/// A place where an account can stand: a member of the alert's object, or of an object in it.
struct Place {
    rank: usize,
    inside: Option<&'static str>,
    member: &'static str,
}

struct Places {
    members: &'static [Place],
    lists: &'static [&'static str],
}

const fn direct(rank: usize, member: &'static str) -> Place {
    Place {
        rank,
        inside: None,
        member,
    }
}

const fn inside(rank: usize, object: &'static str, member: &'static str) -> Place {
    Place {
        rank,
        inside: Some(object),
        member,
    }
}

const CROWDSTRIKE: Places = Places {
    members: &[
        direct(0, "customer_id"),
        direct(0, "cid"),
        inside(1, "metadata", "customerIDString"),
    ],
    lists: &["resources"],
};
const SENTINELONE: Places = Places {
    members: &[
        direct(0, "accountId"),
        inside(0, "agentRealtimeInfo", "accountId"),
        inside(1, "agentDetectionInfo", "accountId"),
    ],
    lists: &["data"],
};
const DEFENDER: Places = Places {
    members: &[
        direct(0, "tenant_id"),
        direct(1, "aadTenantId"),
        direct(1, "tenantId"),
    ],
    lists: &["value", "records"],
};
const GENERIC: Places = Places {
    members: &[direct(0, "tenant_id")],
    lists: &["alerts"],
};

const fn places(vendor: Vendor) -> &'static Places {
    match vendor {
        Vendor::Crowdstrike => &CROWDSTRIKE,
        Vendor::Sentinelone => &SENTINELONE,
        Vendor::Defender => &DEFENDER,
        Vendor::Generic => &GENERIC,
    }
}

/// Which names of one object were seen: one bit a name.
#[derive(Default)]
struct Seen(u8);

impl Seen {
    fn note(&mut self, index: usize) -> Result<(), PrescanError> {
        let bit = 1_u8
            .checked_shl(u32::try_from(index).unwrap_or(u32::MAX))
            .unwrap_or(0);
        if self.0 & bit != 0 {
            return Err(PrescanError::Twice);
        }
        self.0 |= bit;
        Ok(())
    }
}

struct Scan<'a> {
    places: &'static Places,
    /// The account of each rank.
    accounts: [Option<Cow<'a, str>>; 2],
}

impl<'a> Scan<'a> {
    /// The outermost object: an alert itself, or an envelope around lists of them.
    fn envelope(&mut self, reader: &mut Reader<'a>) -> Result<(), PrescanError> {
        let mut seen = Seen::default();
        reader.members(|reader, name| {
            let listed = self.places.lists.iter().any(|list| name.is(list));
            if listed && reader.peek() == Some(b'[') {
                self.list(reader)
            } else {
                self.member(reader, name, &mut seen)
            }
        })
    }

    fn list(&mut self, reader: &mut Reader<'a>) -> Result<(), PrescanError> {
        reader.items(|reader| {
            if reader.peek() != Some(b'{') {
                return Ok(reader.skip()?);
            }
            let mut seen = Seen::default();
            reader.members(|reader, name| self.member(reader, name, &mut seen))
        })
    }

    /// One member of an alert's object.
    fn member(
        &mut self,
        reader: &mut Reader<'a>,
        name: Text<'a>,
        seen: &mut Seen,
    ) -> Result<(), PrescanError> {
        let found = self
            .places
            .members
            .iter()
            .position(|place| name.is(place.inside.unwrap_or(place.member)));
        let Some((index, place)) =
            found.and_then(|index| Some((index, self.places.members.get(index)?)))
        else {
            return Ok(reader.skip()?);
        };
        seen.note(index)?;
        match place.inside {
            None => self.account(reader, place.rank),
            Some(_) if reader.peek() == Some(b'{') => {
                let mut seen_inside = Seen::default();
                reader.members(|reader, name| {
                    if !name.is(place.member) {
                        return Ok(reader.skip()?);
                    }
                    seen_inside.note(0)?;
                    self.account(reader, place.rank)
                })
            }
            Some(_) => Ok(reader.skip()?),
        }
    }

    /// The value of a member that names the account.
    fn account(&mut self, reader: &mut Reader<'a>, rank: usize) -> Result<(), PrescanError> {
        let account = match reader.peek() {
            Some(b'"') => bounded(reader.text()?)?,
            Some(b'0'..=b'9') => Cow::Borrowed(integer(reader.number()?)?),
            _ => return Ok(reader.skip()?),
        };
        if account.is_empty() {
            return Ok(());
        }
        match self.accounts.get_mut(rank) {
            Some(Some(known)) if *known != account => Err(PrescanError::Disagreeing),
            Some(slot) => {
                *slot = Some(account);
                Ok(())
            }
            None => Ok(()),
        }
    }
}

fn bounded(text: Text<'_>) -> Result<Cow<'_, str>, PrescanError> {
    // An escape is at most six times as long as what it stands for.
    if text.raw_len() > 6 * MAX_ACCOUNT_BYTES {
        return Err(PrescanError::TooLong);
    }
    let decoded = text.decoded();
    if decoded.len() > MAX_ACCOUNT_BYTES {
        Err(PrescanError::TooLong)
    } else {
        Ok(decoded)
    }
}

/// The digits of an integer; the empty text for a fraction or a power, which is nobody's id.
fn integer(number: &str) -> Result<&str, PrescanError> {
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok("");
    }
    if number.len() > MAX_ACCOUNT_BYTES {
        Err(PrescanError::TooLong)
    } else {
        Ok(number)
    }
}

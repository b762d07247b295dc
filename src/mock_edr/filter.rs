//! The little of each vendor's filter language that a client needs: comparisons, all of which must hold.

use serde_json::Value;
use vyrox_domain::{time::Timestamp, vendor::Vendor};

use super::{
    shape::{Wrong, contract},
    world::{Alert, Block},
};

/// One comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Clause {
    pub(super) field: String,
    pub(super) than: Than,
    pub(super) value: String,
}

/// How it compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Than {
    Equal,
    Greater,
    NotLess,
    Less,
    NotGreater,
}

impl Clause {
    pub(super) fn new(field: &str, than: Than, value: &str) -> Self {
        Self {
            field: field.to_owned(),
            than,
            value: value.to_owned(),
        }
    }

    /// Whether a moment fits. A value that is no moment fits nothing.
    pub(super) fn fits_moment(&self, moment: Timestamp) -> bool {
        let Some(value) = Timestamp::from_rfc3339(&self.value) else {
            return false;
        };
        match self.than {
            Than::Equal => moment == value,
            Than::Greater => moment > value,
            Than::NotLess => moment >= value,
            Than::Less => moment < value,
            Than::NotGreater => moment <= value,
        }
    }

    /// All fields of alerts that are filtered by are moments.
    pub(super) fn fits_alert(&self, alert: &Alert) -> bool {
        self.fits_moment(alert.created)
    }
}

/// Falcon's language: `field:>='value'+field:'value'`.
pub(super) fn falcon(text: &str, fields: &[&str]) -> Result<Vec<Clause>, Wrong> {
    let signs = [
        (">=", Than::NotLess),
        ("<=", Than::NotGreater),
        (">", Than::Greater),
        ("<", Than::Less),
        ("", Than::Equal),
    ];
    let mut clauses = Vec::new();
    for part in text.split('+').map(str::trim) {
        let Some((field, rest)) = part.split_once(':') else {
            return contract(format!("the filter `{part}` compares nothing"));
        };
        let sign = signs.iter().find(|(sign, _)| rest.starts_with(sign));
        let (sign, than) = sign.copied().unwrap_or(("", Than::Equal));
        let value = rest.strip_prefix(sign).unwrap_or(rest);
        clauses.push(clause(field, than, value, fields)?);
    }
    Ok(clauses)
}

/// Defender's language: `field eq 'value' and field gt 2026-01-01T00:00:00Z`.
pub(super) fn odata(text: &str, fields: &[&str]) -> Result<Vec<Clause>, Wrong> {
    let mut clauses = Vec::new();
    for part in text.split(" and ").map(str::trim) {
        let mut words = part.splitn(3, ' ');
        let (field, sign, value) = (words.next(), words.next(), words.next());
        let (Some(field), Some(sign), Some(value)) = (field, sign, value) else {
            return contract(format!("the filter `{part}` compares nothing"));
        };
        let than = match sign {
            "eq" => Than::Equal,
            "gt" => Than::Greater,
            "ge" => Than::NotLess,
            "lt" => Than::Less,
            "le" => Than::NotGreater,
            _ => return contract(format!("the filter compares by `{sign}`")),
        };
        clauses.push(clause(field, than, value, fields)?);
    }
    Ok(clauses)
}

/// The blocked hashes of a vendor that fit. They are looked for by what they are equal to alone.
pub(super) fn blocks<'a>(
    all: &'a [Block],
    vendor: Vendor,
    clauses: &[Clause],
) -> Result<Vec<&'a Block>, Wrong> {
    if clauses.iter().any(|clause| clause.than != Than::Equal) {
        return contract("an indicator is looked for by what it is equal to");
    }
    let fits = |block: &&Block| {
        let mut clauses = clauses.iter();
        block.vendor == vendor
            && clauses.all(|clause| {
                let member = block.body.get(&clause.field);
                member.and_then(Value::as_str) == Some(&clause.value)
            })
    };
    Ok(all.iter().filter(fits).collect())
}

fn clause(field: &str, than: Than, value: &str, fields: &[&str]) -> Result<Clause, Wrong> {
    if !fields.contains(&field) {
        return contract(format!("nothing is filtered by `{field}`"));
    }
    let bare = ['\'', '"'].iter().find_map(|quote| {
        value
            .strip_prefix(*quote)
            .and_then(|rest| rest.strip_suffix(*quote))
    });
    match bare.unwrap_or(value) {
        value if value.is_empty() || value.contains(['\'', '"']) => {
            contract(format!("the filter's value for `{field}` is no value"))
        }
        value => Ok(Clause::new(field, than, value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_say_the_same() {
        let fields = ["created_timestamp", "lastUpdateTime", "value"];
        let moment = "2026-01-15T10:30:00Z";
        assert_eq!(
            falcon(
                &format!("created_timestamp:>='{moment}'+value:'ab'"),
                &fields
            ),
            Ok(vec![
                Clause::new("created_timestamp", Than::NotLess, moment),
                Clause::new("value", Than::Equal, "ab"),
            ])
        );
        assert_eq!(
            odata(
                &format!("lastUpdateTime lt {moment} and value eq 'ab'"),
                &fields
            ),
            Ok(vec![
                Clause::new("lastUpdateTime", Than::Less, moment),
                Clause::new("value", Than::Equal, "ab"),
            ])
        );
    }

    #[test]
    fn what_is_no_comparison_is_a_violation() {
        for text in ["", "value", "other:'x'", "value:''", "value:'a'b'"] {
            let found = falcon(text, &["value"]);
            assert!(
                matches!(found, Err(Wrong::Contract(_))),
                "{text}: {found:?}"
            );
        }
        for text in [
            "",
            "value eq",
            "value is 'x'",
            "other eq 'x'",
            "value eq ''",
        ] {
            let found = odata(text, &["value"]);
            assert!(
                matches!(found, Err(Wrong::Contract(_))),
                "{text}: {found:?}"
            );
        }
    }
}

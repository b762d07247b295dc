//! Whose chain an audit command is about.

use std::{fmt, str::FromStr};

use vyrox_actors::journal::STANDS_IN;
use vyrox_domain::ids::{HOST_CHAIN, InvalidTenantId, TenantId};

/// A tenant's name, `_host` for the chain of the host itself, or the name of a chain that stood in for a
/// held one (`acme+held-7`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainName(String);

impl ChainName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ChainName {
    type Err = InvalidTenantId;

    fn from_str(text: &str) -> Result<Self, InvalidTenantId> {
        if text != HOST_CHAIN {
            let (owner, stands_in) = text.split_once(STANDS_IN).unwrap_or((text, "1"));
            owner.parse::<TenantId>()?;
            // The name becomes a file's: nothing in it may lead elsewhere.
            if !stands_in.split(STANDS_IN).all(is_number) {
                return Err(InvalidTenantId);
            }
        }
        Ok(Self(text.to_owned()))
    }
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u64>().is_ok()
}

impl fmt::Display for ChainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_has_a_chain_and_no_other_underscored_name_has() {
        assert!("_host".parse::<ChainName>().is_ok());
        assert!("acme".parse::<ChainName>().is_ok());
        assert!("acme+held-7".parse::<ChainName>().is_ok());
        assert!("_other".parse::<ChainName>().is_err());
    }

    /// Only what stood before `+held-` was looked at, so a server that lists its chains could have a
    /// copy of one written anywhere.
    #[test]
    fn no_chains_name_is_a_path() {
        assert!("acme+held-7+held-12".parse::<ChainName>().is_ok());
        for name in [
            "ab+held-/../../x",
            "ab+held-7/x",
            "ab+held-",
            "ab+held-7+held-",
            "ab+held-7+held-../x",
            "ab+held-+7",
            "ab+held-99999999999999999999",
            "_host+held-7",
            "../ab+held-7",
        ] {
            assert!(name.parse::<ChainName>().is_err(), "{name}");
        }
    }
}

//! Whose chain an audit command is about.

use std::{fmt, str::FromStr};

use vyrox_domain::ids::{HOST_CHAIN, InvalidTenantId, TenantId};

/// A tenant's name, or `_host` for the chain of the host itself.
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
            text.parse::<TenantId>()?;
        }
        Ok(Self(text.to_owned()))
    }
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
        assert!("_other".parse::<ChainName>().is_err());
    }
}

//! Held tenants: the end of their chain can't be proven since a damage, so their alerts are kept on
//! another one until somebody repairs it.

use std::sync::Arc;

use vyrox_domain::{
    digest::Digest,
    entry::{Recorded, ReplayError},
    host_protocol::HostEvent,
    ids::HOST_CHAIN,
    protocol::StandsFor,
    tenant::{TenantState, replay},
};
use vyrox_journal::{Head, HoldInfo, STANDS_IN, Stretch};

use crate::ports::World;

/// A chain that stands in may be damaged too; so many in a row are followed.
const STAND_INS_MAX: usize = 4;

/// Whose a chain is: a tenant's, also of the chains that stand in for its own.
pub fn owner(chain: &str) -> &str {
    chain
        .split_once(STANDS_IN)
        .map_or(chain, |(owner, _)| owner)
}

/// The first of these lines that a start could not read, with its position and what is wrong with it. A
/// chain that such a line is restored to could be loaded never again.
pub fn unreadable(chain: &str, lines: &[Vec<u8>]) -> Option<(usize, ReplayError)> {
    let read = |line: &[u8]| {
        let recorded = Recorded::parse(line)?;
        if chain == HOST_CHAIN {
            return HostEvent::from_recorded(&recorded).map(drop);
        }
        let mut state = TenantState {
            next_seq: recorded.seq,
            ..TenantState::default()
        };
        replay(&mut state, &recorded).map(drop)
    };
    let mut lines = lines.iter().enumerate();
    lines.find_map(|(position, line)| Some((position, read(line).err()?)))
}

/// The first of these lines that is not the next of the chain after the one before it, or contradicts the
/// chain's proven end, with its position and why. Whether those before that end are the chain's own, and
/// whether something lies between, is for the journal to say.
pub fn unlinked(
    chain: &str,
    lines: &[Vec<u8>],
    proven: Option<Head>,
) -> Option<(usize, &'static str)> {
    let mut stretch = Stretch::of(chain);
    for (position, line) in lines.iter().enumerate() {
        let Ok(entry) = stretch.add(line) else {
            let why = "it is not an entry of this chain, was changed, or does not follow the line before it";
            return Some((position, why));
        };
        let parts = |at: &Head| proven.is_some_and(|proven| proven.seq == at.seq && proven != *at);
        if parts(&entry) {
            return Some((position, "the chain has another entry of this seq"));
        }
        if stretch.after().as_ref().is_some_and(parts) {
            return Some((position, "it does not follow the proven end"));
        }
    }
    None
}

/// Where a held tenant's alerts go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandIns {
    /// The hold of the tenant's own chain.
    pub hold: HoldInfo,
    /// The chains that stand in, each for the one before it; alerts go to the last.
    pub chains: Vec<Arc<str>>,
    /// What the last one stands for.
    pub stands_for: StandsFor,
}

impl World {
    /// Whether the end of the chain can't be proven.
    pub fn is_held(&self, chain: &str) -> bool {
        self.journal.hold(chain).is_some()
    }

    /// Whether nothing may be decided for a tenant: its own chain is held, or the host's, whose lost
    /// entries may have halted containment or taken somebody's rights.
    pub fn decides_nothing_for(&self, tenant: &str) -> bool {
        self.is_held(tenant) || self.is_held(HOST_CHAIN)
    }

    /// Where a held tenant's alerts go; `None` for one that is not held, or where there is no chain that
    /// may stand in.
    pub fn stand_ins(&self, tenant: &str) -> Option<StandIns> {
        let first = self.journal.hold(tenant)?;
        let (mut name, mut hold) = (tenant.to_owned(), first.clone());
        let mut chains: Vec<Arc<str>> = Vec::new();
        while chains.len() < STAND_INS_MAX {
            let stands_for = StandsFor {
                chain: name,
                seq: hold.proven.map(|head| head.seq),
                hash: hold.proven.map(|head| Digest(head.hash)),
            };
            name = hold.successor;
            chains.push(name.as_str().into());
            match self.journal.hold(&name) {
                Some(next) => hold = next,
                None => {
                    return Some(StandIns {
                        hold: first,
                        chains,
                        stands_for,
                    });
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use vyrox_domain::digest::Digest;
    use vyrox_journal::Head;

    use super::{owner, unlinked, unreadable};

    fn line(event: &str, version: u32, payload: &str) -> Vec<u8> {
        format!(
            r#"{{"actor":"system","event":"{event}","event_version":{version},"hash":"{0}","payload":{payload},"previous_hash":"{0}","seq":5,"tenant_id":"acme","timestamp":1768473000,"timestamp_ms":1768473000000}}"#,
            "00".repeat(32)
        )
        .into_bytes()
    }

    /// Linked lines were restored to a held chain whatever they said. The chain went on, no start could load
    /// it after that, and it was no longer held, so that nobody could repair it.
    #[test]
    fn what_no_start_could_read_is_not_for_a_chain() {
        let repaired =
            r#"{"chain":"_host","from_seq":4,"restored":0,"loss_accepted":true,"by":"x"}"#;
        let good = line("journal.repaired", 1, repaired);
        assert!(unreadable("_host", &[good.clone(), good.clone()]).is_none());
        for bad in [
            line("x.y", 1, "{}"),
            line("journal.repaired", 2, repaired),
            line("journal.repaired", 1, r#"{"from_seq":"four"}"#),
            b"{}".to_vec(),
        ] {
            for chain in ["_host", "acme"] {
                let found = unreadable(chain, std::slice::from_ref(&bad));
                assert_eq!(found.map(|(position, _)| position), Some(0));
            }
            let found = unreadable("_host", &[good.clone(), bad]);
            assert_eq!(found.map(|(position, _)| position), Some(1));
        }
    }

    /// Whether lines fit was found when the order to put them back stood on the host's chain.
    #[test]
    fn lines_that_do_not_fit_are_found_before_anything_is_ordered() {
        let mut previous = "00".repeat(32);
        let mut lines = Vec::new();
        let mut heads = Vec::new();
        for seq in 0..4 {
            let entry =
                format!(r#"{{"previous_hash":"{previous}","seq":{seq},"tenant_id":"acme"}}"#);
            let hash = Digest::of(format!("{previous}|{entry}").as_bytes());
            previous = hash.to_hex();
            lines.push(
                entry
                    .replacen('{', &format!(r#"{{"hash":"{previous}","#), 1)
                    .into_bytes(),
            );
            heads.push(Head { seq, hash: hash.0 });
        }
        for (from, end) in [
            (0, None),
            (0, Some(1)),
            (1, Some(1)),
            (2, Some(1)),
            (3, Some(1)),
        ] {
            let proven = end.map(|end: usize| heads[end]);
            assert_eq!(unlinked("acme", &lines[from..], proven), None, "{from}");
        }
        let other = Head {
            hash: [7; 32],
            ..heads[1]
        };
        let position = |chain, lines: &[Vec<u8>], proven| {
            unlinked(chain, lines, proven).map(|(position, _)| position)
        };
        assert_eq!(position("acme", &lines, Some(other)), Some(1));
        assert_eq!(position("acme", &lines[2..], Some(other)), Some(0));
        assert_eq!(position("globex", &lines, None), Some(0));
        lines.swap(2, 3);
        assert_eq!(position("acme", &lines, None), Some(2));
    }

    #[test]
    fn every_chain_is_somebody_s() {
        for chain in ["acme", "acme+held-7", "acme+held-7+held-12"] {
            assert_eq!(owner(chain), "acme");
        }
    }
}

//! Whether the chains are what was signed of them. While they are not, nothing is done to hosts:
//! who turned the chains back may have taken away a halt, a right or a limit that was used up.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::time::Instant;
use vyrox_domain::ids::HOST_CHAIN;

use crate::{held::owner, notary::WitnessesView};

/// What was approved waits so long for a word that is needed, from when nobody had given it who was asked. Each witness
/// is asked about eight times more until then; who is down for longer is not coming back in a moment.
const AWAITED: Duration = Duration::from_mins(5);

/// What was found last; read at memory speed.
#[derive(Default)]
pub struct Integrity {
    found: ArcSwap<Findings>,
    witnesses: ArcSwap<WitnessesView>,
    /// Since when a word is needed that nobody has given. One that is given stands until the next start.
    unheard_since: OnceLock<Instant>,
}

/// What is not as it was signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What is wrong with all.
    pub host: Option<HostFault>,
    /// What is wrong with single chains.
    pub chains: BTreeMap<Arc<str>, ChainFault>,
}

/// Why nothing can be said for any chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostFault {
    /// Nobody has looked yet.
    Unchecked,
    /// The host's chain tells of a signed log, and there is none.
    Lost,
    /// The log that is there is not the one that the host's chain tells of.
    Foreign,
    /// The log does not open.
    Unusable(String),
    /// Witnesses are being asked for the first time since the start.
    Asking,
    /// A word of a witness is needed, and none has given it since the start.
    Unheard,
    /// A witness has seen more of the log than there is.
    RolledBack {
        /// The name of its key.
        witness: String,
        /// How many leaves there are.
        local: u64,
        /// How many it has seen.
        seen: u64,
    },
    /// A witness has seen another log of this name.
    Contradicted {
        /// The name of its key.
        witness: String,
        /// The size of the checkpoint that it refused.
        size: u64,
    },
}

/// How a chain stands to what was signed of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainFault {
    /// Entries that were signed are gone.
    Truncated {
        /// How many were signed.
        signed: u64,
        /// How many there are.
        have: u64,
    },
    /// The entries are not those that were signed.
    Forked {
        /// How many were signed.
        signed: u64,
        /// How many there are.
        have: u64,
    },
    /// The last entry that was signed cannot be read.
    Unreadable {
        /// How many were signed.
        signed: u64,
    },
}

impl Integrity {
    /// Nobody has looked yet: everything is barred.
    pub fn unchecked() -> Self {
        let findings = Findings {
            host: Some(HostFault::Unchecked),
            chains: BTreeMap::new(),
        };
        Self {
            found: ArcSwap::from_pointee(findings),
            ..Self::default()
        }
    }

    /// Whether nothing may be done to this tenant's hosts.
    pub fn bars(&self, tenant: &str) -> bool {
        let findings = self.found.load();
        let concerns = |chain: &Arc<str>| **chain == *HOST_CHAIN || owner(chain) == tenant;
        findings.host.is_some() || findings.chains.keys().any(concerns)
    }

    /// Whether nothing is known yet, and soon will be. What is barred by that alone is not given up; a word that is
    /// needed and that nobody gives is waited for, but not for ever.
    pub fn is_asking(&self) -> bool {
        match &self.found.load().host {
            Some(HostFault::Unchecked | HostFault::Asking) => true,
            Some(HostFault::Unheard) => {
                let since = self.unheard_since.get();
                since.is_none_or(|since| since.elapsed() < AWAITED)
            }
            Some(
                HostFault::Lost
                | HostFault::Foreign
                | HostFault::Unusable(_)
                | HostFault::RolledBack { .. }
                | HostFault::Contradicted { .. },
            )
            | None => false,
        }
    }

    /// What was found last.
    pub fn findings(&self) -> Arc<Findings> {
        self.found.load_full()
    }

    /// How the witnesses of the log stand to it.
    pub fn witnesses(&self) -> Arc<WitnessesView> {
        self.witnesses.load_full()
    }

    /// What witnesses say is another thing now.
    pub(crate) fn witnessed(&self, view: WitnessesView) {
        self.witnesses.store(Arc::new(view));
    }

    /// Puts other findings in the place of the last, and says in the log what is new in them.
    pub fn found(&self, findings: Findings) {
        if findings.host == Some(HostFault::Unheard) {
            self.unheard_since.get_or_init(Instant::now);
        }
        findings.tell(&self.found.load());
        self.found.store(Arc::new(findings));
    }
}

impl Findings {
    /// Whether everything is as it was signed.
    pub fn is_whole(&self) -> bool {
        self.host.is_none() && self.chains.is_empty()
    }

    fn tell(&self, before: &Self) {
        match self.host.as_ref().filter(|_| self.host != before.host) {
            None => {}
            Some(HostFault::Asking) => {
                tracing::info!("containment waits for the witnesses of the log");
            }
            Some(fault) => tell_of_all(fault),
        }
        let chains = self.chains.iter();
        for (chain, fault) in
            chains.filter(|(chain, fault)| before.chains.get(*chain) != Some(fault))
        {
            tell_of(chain, fault);
        }
        let passing = matches!(before.host, Some(HostFault::Unchecked | HostFault::Asking));
        let was_bad = !before.is_whole() && !passing;
        if self.is_whole() && was_bad {
            tracing::warn!("every chain is what was signed of it again");
        }
    }
}

fn tell_of_all(fault: &HostFault) {
    let kind = fault.kind();
    tracing::error!(kind, %fault, "containment is refused for all tenants");
}

fn tell_of(chain: &str, fault: &ChainFault) {
    let kind = fault.kind();
    tracing::error!(chain, kind, %fault, "a chain is not what was signed of it; containment is refused");
}

impl HostFault {
    /// The fault in a word.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unchecked => "unchecked",
            Self::Lost => "log_lost",
            Self::Foreign => "log_foreign",
            Self::Unusable(_) => "log_unusable",
            Self::Asking => "witnesses_asked",
            Self::Unheard => "witness_silent",
            Self::RolledBack { .. } | Self::Contradicted { .. } => "rolled_back",
        }
    }
}

impl fmt::Display for HostFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unchecked => f.write_str("nobody has looked yet"),
            Self::Lost => f.write_str("the signed log that the host's chain tells of is gone"),
            Self::Foreign => {
                f.write_str("the signed log is not the one that the host's chain tells of")
            }
            Self::Unusable(why) => write!(f, "the signed log does not open: {why}"),
            Self::Asking => f.write_str("the witnesses of the log are being asked"),
            Self::Unheard => {
                f.write_str("no witness has given its word for the log since the start")
            }
            Self::RolledBack {
                witness,
                local,
                seen,
            } => write!(
                f,
                "the witness {witness} has seen {seen} leaves of the log, and there are {local}"
            ),
            Self::Contradicted { witness, size } => write!(
                f,
                "the {size} leaves of the log do not continue what the witness {witness} has seen"
            ),
        }
    }
}

impl ChainFault {
    /// The fault in a word.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Truncated { .. } => "audit_truncated",
            Self::Forked { .. } => "audit_forked",
            Self::Unreadable { .. } => "audit_unreadable",
        }
    }

    /// How many entries were signed, and how many there are, as far as that is known.
    pub const fn counts(&self) -> (u64, Option<u64>) {
        match *self {
            Self::Truncated { signed, have } | Self::Forked { signed, have } => {
                (signed, Some(have))
            }
            Self::Unreadable { signed } => (signed, None),
        }
    }
}

impl fmt::Display for ChainFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { signed, have } => {
                write!(f, "{signed} entries were signed, and there are {have}")
            }
            Self::Forked { signed, .. } => {
                write!(
                    f,
                    "the first {signed} entries are not those that were signed"
                )
            }
            Self::Unreadable { signed } => {
                write!(f, "the last of the {signed} signed entries cannot be read")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(chain: &str) -> Integrity {
        let fault = ChainFault::Truncated { signed: 9, have: 3 };
        let integrity = Integrity::default();
        integrity.found(Findings {
            host: None,
            chains: [(chain.into(), fault)].into(),
        });
        integrity
    }

    #[test]
    fn a_fault_bars_whom_it_concerns() {
        assert!(Integrity::unchecked().bars("acme"));
        assert!(!Integrity::default().bars("acme"));
        for (chain, acme, globex) in [
            ("acme", true, false),
            ("acme+held-7", true, false),
            (HOST_CHAIN, true, true),
        ] {
            let integrity = with(chain);
            assert_eq!(
                (integrity.bars("acme"), integrity.bars("globex")),
                (acme, globex),
                "{chain}"
            );
        }
    }

    /// A witness that was down in the first second after a start had what was approved withheld for good.
    #[tokio::test(start_paused = true)]
    async fn a_word_that_is_needed_is_waited_for_and_not_for_ever() {
        let integrity = Integrity::unchecked();
        let found = |host| {
            let chains = BTreeMap::new();
            integrity.found(Findings { host, chains });
            (integrity.bars("acme"), integrity.is_asking())
        };
        assert!(integrity.is_asking());
        assert_eq!(found(Some(HostFault::Asking)), (true, true));
        tokio::time::advance(2 * AWAITED).await;
        assert_eq!(found(Some(HostFault::Unheard)), (true, true));
        tokio::time::advance(AWAITED / 2).await;
        // It came to be found anew; it is the same silence.
        assert_eq!(found(Some(HostFault::Unheard)), (true, true));
        tokio::time::advance(AWAITED / 2).await;
        assert_eq!(found(Some(HostFault::Unheard)), (true, false));
        assert_eq!(found(Some(HostFault::Lost)), (true, false));
        assert_eq!(found(None), (false, false));
    }
}

//! The log is opened: at the start, and when what kept it from being opened then has passed.

use std::time::Duration;

use tokio::sync::watch;
use vyrox_domain::{
    host_protocol::{AuditLog, AuditLogChange},
    ids::HOST_CHAIN,
    log_key::is_signed,
};
use vyrox_journal::proof::Notary;

use super::{
    office::{Desk, Office, log_of},
    rotating::moved,
};
use crate::integrity::{Findings, HostFault};

/// Since when there is the log that is on the disk.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Age {
    /// It was there before, or something was signed in it.
    #[default]
    Before,
    /// This process began it, be it that only a part of it could be made, and nothing was signed in it since.
    BegunHere,
}

impl Office {
    /// Opens the log, which must be the one that the host's chain tells of, and holds every chain
    /// against what was signed. Gives what the host's chain is to be told, if anything. Blocks;
    /// containment is possible only after it.
    pub fn open(&self, known: Option<AuditLog>) -> Option<AuditLogChange> {
        let mut desk = self.desk();
        desk.known = known;
        let opened = self.open_desk(&mut desk);
        drop(desk);
        self.open.send_replace(true);
        opened
    }

    /// Whether the log was opened, or cannot be.
    pub(super) fn opened(&self) -> watch::Receiver<bool> {
        self.open.subscribe()
    }

    /// Waits until every witness was asked for the first time, but no longer than `patience`. Nothing is
    /// done to hosts before that, so this only spares those who come early a refusal.
    pub async fn asked(&self, patience: Duration) {
        let mut noted = self.noted.subscribe();
        let asking = || self.parts.integrity.findings().host == Some(HostFault::Asking);
        let all = noted.wait_for(|()| !asking());
        tokio::time::timeout(patience, all).await.ok();
    }

    /// Opens the log. No entry is shown to it, and nothing signed, before every chain was held against what was signed: the
    /// desk stays in hand until then.
    pub(super) fn open_desk(&self, desk: &mut Desk) -> Option<AuditLogChange> {
        let (folder, known) = (&self.parts.folder, desk.known.clone());
        let refused = |fault| {
            let chains = self.parts.integrity.findings().chains.clone();
            let host = Some(fault);
            self.parts.integrity.found(Findings { host, chains });
            None
        };
        // While the host's chain is held, nobody knows whether it told of one.
        let told = known.is_some() || self.parts.journal.hold(HOST_CHAIN).is_some();
        if told && !Notary::exists(folder) {
            return refused(HostFault::Lost);
        }
        let keys = match self.parts.keys.load() {
            Ok(keys) => keys,
            Err(error) => return refused(HostFault::Unusable(error.to_string())),
        };
        let begins = known.is_none() && !Notary::exists(folder);
        let mut notary = match Notary::open(folder, &keys, is_signed) {
            Ok(notary) => notary,
            Err(error) => {
                if begins && Notary::exists(folder) {
                    desk.age = Age::BegunHere;
                }
                return refused(HostFault::Unusable(error.to_string()));
            }
        };
        if begins {
            desk.age = Age::BegunHere;
        }
        if desk.age == Age::BegunHere {
            notary.begun_here();
        }
        let own = log_of(&notary);
        let opened = match known {
            None => {
                notary.begin_untold();
                Some(AuditLogChange::Begun(own.clone()))
            }
            Some(known) if known == own => None,
            Some(known) => match moved(known, &notary) {
                Some(moved) => Some(moved),
                None => return refused(HostFault::Foreign),
            },
        };
        if let Err(error) = self.parts.keys.settle(notary.key().public_key()) {
            tracing::error!(%error, "the log's key in force lies beside its place");
        }
        desk.known = Some(own);
        desk.notary = Some(notary);
        desk.behind = true;
        desk.meet_witnesses(self.now_ms());
        self.look(desk);
        opened
    }

    /// What keeps the log from being opened may pass; that it is gone or another one does not.
    pub(super) fn may_open_again(&self) -> bool {
        let findings = self.parts.integrity.findings();
        let lasting = [HostFault::Lost, HostFault::Foreign, HostFault::Unchecked];
        findings
            .host
            .as_ref()
            .is_none_or(|host| !lasting.contains(host))
    }
}

//! What is signed of the chains: the key, the log, and whether the chains are what was signed.

use std::{path::Path, path::PathBuf, sync::Arc};

use anyhow::Context as _;
use tokio::{sync::oneshot, task::spawn_blocking};
use vyrox_actors::{
    feed::Feed,
    integrity::Integrity,
    journal::{Journal, LocalJournal},
    notary::{NotaryParts, Office, OfficeParts},
    ports::Clock,
    registry::ChangeAuditLog,
    tree::Host,
};

use crate::{config::Config, keys::log_key};

/// The directory of all that is signed, in the data directory and in a backup.
pub(crate) const FOLDER: &str = "proof";

/// The log over all chains.
pub(crate) struct AuditLog {
    pub(crate) office: Arc<Office>,
    pub(crate) integrity: Arc<Integrity>,
    /// Where the notary's lines come from.
    lines: Arc<Feed>,
}

impl AuditLog {
    /// The log of a data directory, not open yet; until it is, containment is refused.
    pub(crate) fn new(
        config: &Config,
        (journal, clock): (&Arc<LocalJournal>, &Arc<dyn Clock>),
        lines: Arc<Feed>,
    ) -> anyhow::Result<Self> {
        let dir = &config.storage.data_dir;
        let integrity = Arc::new(Integrity::unchecked());
        let office = Office::new(OfficeParts {
            journal: Arc::clone(journal) as Arc<dyn Journal>,
            clock: Arc::clone(clock),
            integrity: Arc::clone(&integrity),
            keys: vec![log_key(&config.audit, dir)?],
            folder: folder(dir),
            publish_ms: config.audit.checkpoint_ms,
            check_ms: config.audit.check_s.saturating_mul(1000),
        });
        Ok(Self {
            office: Arc::new(office),
            integrity,
            lines,
        })
    }

    /// What the notary's thread works with.
    pub(crate) fn parts(&self) -> NotaryParts {
        NotaryParts {
            office: Arc::clone(&self.office),
            feed: Arc::clone(&self.lines),
        }
    }

    /// Opens the log that the host's chain tells of, and holds all chains against it. A log that
    /// begins is on the host's chain before anybody is let in.
    pub(super) async fn open(&self, host: &Host) -> anyhow::Result<()> {
        let (office, known) = (Arc::clone(&self.office), host.view.load().audit_log.clone());
        let opened = spawn_blocking(move || office.open(known)).await;
        let Some(change) = opened.context("the signed log could not be opened")? else {
            return Ok(());
        };
        let (reply, told) = oneshot::channel();
        let sent = host.registry.try_cast(ChangeAuditLog { change, reply });
        sent.map_err(|_full| anyhow::anyhow!("the host's machine takes no orders"))?;
        let told = told.await.context("the host's machine fell")?;
        told.context("that there is a signed log could not be written on the host's chain")
    }

    /// Nothing comes any more; signs what came last. Blocks.
    pub(super) fn finish(&self) {
        self.lines.close();
        self.office.finish();
    }
}

/// Where all that is signed lies.
pub(crate) fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join(FOLDER)
}

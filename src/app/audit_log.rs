//! What is signed of the chains: the key, the log, and whether the chains are what was signed.

use std::{path::Path, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::{sync::oneshot, task::spawn_blocking};
use vyrox_actors::{
    feed::Feed,
    integrity::Integrity,
    journal::{Journal, LocalJournal},
    notary::{NotaryParts, Office, OfficeParts, Witnessing},
    ports::Clock,
    registry::{ChangeAuditLog, RegistryError},
    tree::Host,
};

use vyrox_domain::host_protocol::AuditLogChange;

use crate::{
    config::{AuditConfig, Config},
    connectors::witness::HttpWitness,
    keys::{KeyError, LogKeyFiles},
};

/// The directory of all that is signed, in the data directory and in a backup.
pub(crate) const FOLDER: &str = "proof";

/// How long the doors stay shut for witnesses to be asked. Whoever comes before they have answered is
/// taken in; only containment waits for them.
const WITNESSES: Duration = Duration::from_secs(2);

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
        let keys = LogKeyFiles::new(&config.audit, dir, folder(dir));
        // Read here as well, so that a start with a file that holds no key, or that others can read, says so and ends. A
        // key that is lost must not keep alerts out: the log does not open, and waits for the file or for a rebase.
        match keys.read() {
            Ok(_) | Err(KeyError::LogKeyLost { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let integrity = Arc::new(Integrity::unchecked());
        let office = Office::new(OfficeParts {
            journal: Arc::clone(journal) as Arc<dyn Journal>,
            clock: Arc::clone(clock),
            integrity: Arc::clone(&integrity),
            keys: Arc::new(keys),
            witnessing: witnessing(&config.audit)?,
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
        let change = opened.context("the signed log could not be opened")?;
        if let Some(change) = change {
            Self::tell(host, change).await?;
        }
        self.office.asked(WITNESSES).await;
        Ok(())
    }

    async fn tell(host: &Host, change: AuditLogChange) -> anyhow::Result<()> {
        let (reply, told) = oneshot::channel();
        let sent = host.registry.try_cast(ChangeAuditLog { change, reply });
        sent.map_err(|_full| anyhow::anyhow!("the host's machine takes no orders"))?;
        let told = told.await.context("the host's machine fell")?;
        if let Err(RegistryError::Held) = told {
            // It can only be repaired by a server that runs. Nothing is done to hosts until then.
            tracing::error!(
                "the host's chain is held and takes no word of the signed log; a start after its repair writes it down"
            );
            return Ok(());
        }
        told.context("that there is a signed log could not be written on the host's chain")
    }

    /// Nothing comes any more; signs what came last. Blocks.
    pub(super) fn finish(&self) {
        self.lines.close();
        self.office.finish();
    }
}

fn witnessing(audit: &AuditConfig) -> anyhow::Result<Witnessing> {
    let witnesses = HttpWitness::all(&audit.witnesses)
        .map_err(|fault| anyhow::anyhow!("{}: {}", fault.key, fault.message))?;
    Ok(Witnessing {
        witnesses,
        required: audit.witness_required,
        interval_ms: audit.witness_interval_s.saturating_mul(1000),
    })
}

/// Where all that is signed lies.
pub(crate) fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join(FOLDER)
}

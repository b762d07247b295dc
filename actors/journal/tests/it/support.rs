//! A client that waits for its answers, and copies of a running journal's directory.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use serde_json::{Value, json};
use vyrox_journal::{Append, AppendError, Draft, Journal, Line, LocalJournal, Options, Receipt};

/// Longer than anything here ever takes.
pub(crate) const DEADLINE: Duration = Duration::from_mins(2);

/// Small segments, and checkpoints only when they are asked for.
pub(crate) fn options() -> Options {
    Options {
        segment_bytes: 128 << 10,
        checkpoint_interval: Duration::from_hours(1),
        ..Options::default()
    }
}

pub(crate) fn open(dir: &Path) -> LocalJournal {
    LocalJournal::open(dir, options(), None).unwrap()
}

pub(crate) fn draft(payload: Value) -> Draft {
    Draft {
        event: "alert.received".into(),
        event_version: 1,
        actor: "vendor:generic".into(),
        timestamp_ms: 1_700_000_000_000,
        alert_id: Some("a-1".into()),
        action: None,
        payload,
        attachments: Vec::new(),
    }
}

pub(crate) fn draft_with(attachments: &[Vec<u8>]) -> Draft {
    Draft {
        attachments: attachments.to_vec(),
        ..draft(json!({"n": attachments.len()}))
    }
}

/// One writer of one chain.
pub(crate) struct Client<'a> {
    pub(crate) journal: &'a LocalJournal,
    pub(crate) chain: Arc<str>,
    pub(crate) epoch: u64,
    pub(crate) last: Option<u64>,
}

impl<'a> Client<'a> {
    pub(crate) fn open(journal: &'a LocalJournal, chain: &str) -> Self {
        let opened = Journal::open(journal, chain).unwrap();
        let last = opened.head.map(|head| head.seq);
        Self {
            journal,
            chain: chain.into(),
            epoch: opened.epoch,
            last,
        }
    }

    /// Queues an append behind those before it, without waiting.
    pub(crate) fn send(
        &mut self,
        drafts: Vec<Draft>,
    ) -> mpsc::Receiver<Result<Vec<Receipt>, AppendError>> {
        let count = u64::try_from(drafts.len()).unwrap();
        let (send, receive) = mpsc::channel();
        let append = Append {
            class: vyrox_journal::Class::Ordinary,
            chain: Arc::clone(&self.chain),
            epoch: self.epoch,
            expected_last: self.last,
            drafts,
        };
        self.last = (self.last.map_or(0, |last| last + 1) + count).checked_sub(1);
        self.journal.append(
            append,
            Box::new(move |result| send.send(result).unwrap_or_default()),
        );
        receive
    }

    pub(crate) fn append(&mut self, drafts: Vec<Draft>) -> Result<Vec<Receipt>, AppendError> {
        self.send(drafts).recv_timeout(DEADLINE).unwrap()
    }

    /// Appends one entry with this number in its payload.
    pub(crate) fn put(&mut self, number: usize) -> Receipt {
        self.append(vec![draft(json!({"n": number}))]).unwrap()[0]
    }
}

pub(crate) fn lines(journal: &LocalJournal, chain: &str) -> Vec<Line> {
    journal
        .read(chain, 0, None)
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

/// Waits until the checkpointer has nothing left to do, without having it copy anything.
pub(crate) fn quiet(journal: &LocalJournal) {
    journal.flush("nobody").unwrap();
}

/// What a crash of the process leaves: the directory as it is, copied under a quiet journal.
pub(crate) fn crash_image(journal: &LocalJournal, dir: &Path) -> tempfile::TempDir {
    quiet(journal);
    let image = tempfile::tempdir().unwrap();
    copy(dir, image.path()).unwrap();
    image
}

pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// The ids of the log's segments, ascending.
pub(crate) fn segment_ids(dir: &Path) -> Vec<u64> {
    let names = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let id = |name: OsString| name.to_str()?.strip_prefix("seg-")?.parse().ok();
    let mut ids: Vec<u64> = names.filter_map(id).collect();
    ids.sort_unstable();
    ids
}

/// The segment that is written to.
pub(crate) fn active_segment(dir: &Path) -> PathBuf {
    dir.join(format!("seg-{}", segment_ids(dir).last().unwrap()))
}

/// From which seq a chain is held; a chain that left no trace is held whole by a loss that may have
/// been its own.
pub(crate) fn held_from(journal: &LocalJournal, chain: &str) -> Option<u64> {
    let summary = journal.status().recovered.unwrap();
    let named = summary
        .held
        .iter()
        .find(|(held, _)| held == chain)
        .map(|(_, next)| *next);
    let traceless = summary.unknown_chains_held && journal.head(chain).is_none();
    named.or_else(|| traceless.then_some(0))
}

/// Every acknowledged entry is there with its hash, or its chain is held from it or before it.
pub(crate) fn check_nothing_lost(journal: &LocalJournal, chain: &str, acknowledged: &[Receipt]) {
    let held_from = held_from(journal, chain);
    let found: Vec<Line> = lines(journal, chain);
    for receipt in acknowledged {
        if held_from.is_some_and(|next| next <= receipt.seq) {
            continue;
        }
        let line = found.get(usize::try_from(receipt.seq).unwrap());
        let line = line.map(|line| (line.seq, line.hash));
        assert_eq!(
            line,
            Some((receipt.seq, receipt.hash)),
            "{chain} {receipt:?} {held_from:?}"
        );
    }
}

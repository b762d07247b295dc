//! The journal of a house, and what it has on disk.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use vyrox_actors::{
    feed::Feed,
    journal::{CommittedBatch, LocalJournal, Options},
};

/// A journal that hands on what is durable, and keeps the tenant's lines for the test.
pub(super) fn journal(
    dir: &Path,
    feed: &Arc<Feed>,
    lines: &Arc<Mutex<Vec<Value>>>,
) -> LocalJournal {
    let (push_to, write_to) = (Arc::clone(feed), Arc::clone(lines));
    let on_commit = Box::new(move |batch: &CommittedBatch| {
        let mut written = write_to.lock().expect("nobody panics with the lock");
        let own = batch.entries.iter().filter(|one| &*one.chain == "acme");
        written.extend(own.map(|one| serde_json::from_slice::<Value>(&one.line).expect("JSON")));
        push_to.push(batch);
    });
    let path = dir.join("journal");
    LocalJournal::open(&path, Options::default(), Some(on_commit)).expect("a journal")
}

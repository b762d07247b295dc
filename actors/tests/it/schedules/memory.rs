//! A journal in memory that takes its time: an entry is durable a while after it was appended, and whoever
//! appended it hears of that a while later still. When the process falls, what is not durable is gone, and
//! what is durable stays, whether anybody has heard of it or not.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use serde_json::{Value, json};
use vyrox_actors::{
    journal::{
        Append, AppendError, Done, Draft, Head, Journal, JournalError, Line, Lines, Opened,
        Receipt, Status, VerifyReport,
    },
    supervision::testing::Random,
};
use vyrox_domain::digest::Digest;

use super::{Bug, TENANT, gate::Gate, watch::Watching};

/// One in so many appends finds no room.
const FULL: u64 = 60;

#[derive(Clone)]
pub(super) struct Memory {
    store: Arc<Mutex<Store>>,
    pub(super) gate: Gate,
}

struct Store {
    chains: BTreeMap<String, Chain>,
    /// What is not durable yet, and what is and whose callbacks have not run, in the order of the appends.
    queue: VecDeque<Queued>,
    taken: u64,
    random: Random,
    watching: Watching,
    bug: Option<Bug>,
    calm: bool,
}

#[derive(Default)]
struct Chain {
    epoch: u64,
    lines: Vec<Line>,
    evidence: BTreeMap<u64, Vec<Vec<u8>>>,
    /// The seq after the last one that was appended.
    next: u64,
}

struct Queued {
    number: u64,
    chain: String,
    entries: Vec<(Line, Vec<Vec<u8>>)>,
    durable: bool,
    done: Option<Done>,
}

type Called = (Done, Vec<Receipt>);

impl Memory {
    pub(super) fn new(seed: u64, watching: Watching, bug: Option<Bug>) -> Self {
        let store = Store {
            chains: BTreeMap::new(),
            queue: VecDeque::new(),
            taken: 0,
            random: Random::new(seed, "journal"),
            watching,
            bug,
            calm: false,
        };
        Self {
            store: Arc::new(Mutex::new(store)),
            gate: Gate::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().expect("nobody panics with the lock")
    }

    /// From now on there is always room.
    pub(super) fn calm(&self) {
        self.lock().calm = true;
    }

    /// The process is gone, and with it what was not durable.
    pub(super) fn fall(&self) {
        let lost: Vec<_> = {
            let mut store = self.lock();
            for chain in store.chains.values_mut() {
                chain.next = chain.lines.len() as u64;
            }
            store.queue.drain(..).collect()
        };
        drop(lost);
    }

    /// Makes everything durable up to this append, or tells whoever appended it.
    fn settle(&self, number: u64, tell: bool) {
        let called: Vec<Called> = {
            let mut store = self.lock();
            store.commit(|queued| queued.number <= number);
            if tell {
                store.tell(|queued| queued.number <= number)
            } else {
                Vec::new()
            }
        };
        call(called);
    }
}

fn call(called: Vec<Called>) {
    for (done, receipts) in called {
        done(Ok(receipts));
    }
}

impl Store {
    fn commit(&mut self, which: impl Fn(&Queued) -> bool) {
        for queued in self.queue.iter_mut().filter(|it| !it.durable && which(it)) {
            queued.durable = true;
            let chain = self.chains.entry(queued.chain.clone()).or_default();
            for (line, attachments) in &queued.entries {
                if queued.chain == TENANT {
                    self.watching.durable(&line.bytes);
                }
                chain.lines.push(line.clone());
                chain.evidence.insert(line.seq, attachments.clone());
            }
        }
    }

    fn tell(&mut self, which: impl Fn(&Queued) -> bool) -> Vec<Called> {
        let mut called = Vec::new();
        for queued in self.queue.iter_mut().filter(|it| it.durable && which(it)) {
            if let Some(done) = queued.done.take() {
                called.push((done, receipts(&queued.entries)));
            }
        }
        self.queue.retain(|it| it.done.is_some() || !it.durable);
        called
    }

    /// Why an append is refused at once.
    fn refuses(&mut self, append: &Append) -> Option<AppendError> {
        let chain = self.chains.entry(append.chain.to_string()).or_default();
        if chain.epoch != append.epoch {
            return Some(AppendError::Fenced);
        }
        let actual = chain.next.checked_sub(1);
        if append.expected_last != actual {
            let expected = append.expected_last;
            return Some(AppendError::Conflict { expected, actual });
        }
        let full = !self.calm && &*append.chain == TENANT && self.random.one_in(FULL);
        full.then_some(AppendError::Full)
    }

    /// Queues an append; gives its number.
    fn take(&mut self, append: Append, done: Done) -> u64 {
        self.taken += 1;
        let name = append.chain.to_string();
        let chain = self.chains.entry(name.clone()).or_default();
        let mut entries = Vec::new();
        for draft in append.drafts {
            let seq = chain.next;
            chain.next += 1;
            let attachments = draft.attachments.clone();
            let bytes = serde_json::to_vec(&line(&name, seq, draft)).expect("JSON");
            let hash = Digest::of(&bytes).0;
            entries.push((Line { seq, hash, bytes }, attachments));
        }
        self.queue.push_back(Queued {
            number: self.taken,
            chain: name,
            entries,
            durable: false,
            done: Some(done),
        });
        self.taken
    }
}

fn receipts(entries: &[(Line, Vec<Vec<u8>>)]) -> Vec<Receipt> {
    let receipt = |(line, _): &(Line, _)| Receipt {
        seq: line.seq,
        hash: line.hash,
    };
    entries.iter().map(receipt).collect()
}

/// The members of a line that anything is read from.
fn line(chain: &str, seq: u64, draft: Draft) -> Value {
    let mut line = json!({
        "seq": seq,
        "event": draft.event,
        "event_version": draft.event_version,
        "actor": draft.actor,
        "timestamp": draft.timestamp_ms / 1000,
        "timestamp_ms": draft.timestamp_ms,
        "tenant_id": chain,
        "payload": draft.payload,
    });
    let members = line.as_object_mut().expect("an object");
    if let Some(alert_id) = draft.alert_id {
        members.insert("alert_id".into(), json!(alert_id));
    }
    if let Some(action) = draft.action {
        members.insert("action_type".into(), json!(action.action_type));
        members.insert("host".into(), json!(action.host));
        members.insert("dry_run".into(), json!(action.dry_run));
        if let Some(by) = action.approved_by {
            members.insert("approved_by".into(), json!(by));
        }
    }
    line
}

/// The line without the request that the order in it answers.
fn without_claim(line: &Line) -> Line {
    let mut members: Value = serde_json::from_slice(&line.bytes).expect("JSON");
    if let Some(payload) = members["payload"].as_object_mut() {
        payload.remove("claim");
    }
    Line {
        bytes: serde_json::to_vec(&members).expect("JSON"),
        ..line.clone()
    }
}

impl Journal for Memory {
    fn open(&self, chain: &str) -> Result<Opened, JournalError> {
        self.gate.pass();
        let (opened, called) = {
            let mut store = self.lock();
            store.commit(|queued| queued.chain == chain);
            let called = store.tell(|queued| queued.chain == chain);
            let known = store.chains.entry(chain.to_owned()).or_default();
            known.epoch += 1;
            let opened = Opened {
                epoch: known.epoch,
                head: head(&known.lines),
            };
            (opened, called)
        };
        call(called);
        Ok(opened)
    }

    fn append(&self, append: Append, done: Done) {
        let (number, early, pauses) = {
            let mut store = self.lock();
            if let Some(error) = store.refuses(&append) {
                drop(store);
                return done(Err(error));
            }
            let number = store.take(append, done);
            let early = store.bug == Some(Bug::SendsBeforeDurable);
            let most = if store.random.one_in(12) { 900 } else { 25 };
            let pauses = [(); 2].map(|()| Duration::from_millis(1 + store.random.below(most)));
            (number, early, pauses)
        };
        if early {
            let mut store = self.lock();
            let queued = store.queue.iter_mut().find(|it| it.number == number);
            let told = queued.and_then(|it| Some((it.done.take()?, receipts(&it.entries))));
            drop(store);
            call(told.into_iter().collect());
        }
        let memory = self.clone();
        tokio::task::spawn_local(async move {
            tokio::time::sleep(pauses[0]).await;
            memory.settle(number, false);
            tokio::time::sleep(pauses[1]).await;
            memory.settle(number, true);
        });
    }

    fn head(&self, chain: &str) -> Option<Head> {
        let store = self.lock();
        let known = store.chains.get(chain)?;
        let durable = head(&known.lines);
        if store.bug != Some(Bug::SendsBeforeDurable) {
            return durable;
        }
        let mut queued = store.queue.iter().filter(|it| it.chain == chain);
        let last = queued.next_back().and_then(|it| it.entries.last());
        let last = last.map(|(line, _)| Head {
            seq: line.seq,
            hash: line.hash,
        });
        last.or(durable)
    }

    fn read(&self, chain: &str, from: u64, to: Option<u64>) -> Result<Lines, JournalError> {
        let store = self.lock();
        let known = store.chains.get(chain);
        let lines = known.map_or(&[][..], |known| &known.lines);
        let wanted = lines.iter().filter(|line| line.seq >= from);
        let wanted = wanted.filter(|line| to.is_none_or(|to| line.seq <= to));
        let forgets = store.bug == Some(Bug::ForgetsCallers) && chain == TENANT;
        let copied = wanted.map(|line| {
            if forgets {
                without_claim(line)
            } else {
                line.clone()
            }
        });
        let copied: Vec<_> = copied.map(Ok).collect();
        Ok(Box::new(copied.into_iter()))
    }

    fn verify(&self, _: &str) -> Result<VerifyReport, JournalError> {
        Err(JournalError::Closed)
    }

    fn flush(&self, _: &str) -> Result<(), JournalError> {
        Ok(())
    }

    fn evidence(&self, chain: &str, seq: u64) -> Result<Vec<Vec<u8>>, JournalError> {
        self.gate.pass();
        let store = self.lock();
        let known = store.chains.get(chain);
        let evidence = known.and_then(|known| known.evidence.get(&seq));
        Ok(evidence.cloned().unwrap_or_default())
    }

    fn chains(&self) -> Vec<String> {
        let store = self.lock();
        let begun = store.chains.iter().filter(|(_, it)| !it.lines.is_empty());
        begun.map(|(name, _)| name.clone()).collect()
    }

    fn status(&self) -> Status {
        Status::default()
    }

    fn close(&self) -> Result<(), JournalError> {
        Ok(())
    }
}

fn head(lines: &[Line]) -> Option<Head> {
    lines.last().map(|line| Head {
        seq: line.seq,
        hash: line.hash,
    })
}

//! The load: so many appenders, each with one append of one entry under way at any time.
//!
//! They are not threads: one thread queues for all of them, as one arbiter does for many tenants,
//! and is told of every answer by the writer's thread.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    time::{Duration, Instant},
};

use vyrox_journal::{Append, AppendError, Draft, Journal as _, LocalJournal, Receipt};

use crate::Outcome;

/// Chains that are written in turn, and where each ends.
pub(crate) struct Chains {
    ends: Vec<End>,
    next: usize,
}

struct End {
    name: Arc<str>,
    epoch: u64,
    last: Option<u64>,
}

impl Chains {
    /// Opens so many chains.
    pub(crate) fn open(journal: &LocalJournal, count: usize) -> Outcome<Self> {
        let open = |number| {
            let name = format!("tenant-{number:05}");
            let opened = journal.open(&name)?;
            Ok(End {
                name: name.into(),
                epoch: opened.epoch,
                last: opened.head.map(|head| head.seq),
            })
        };
        let ends = (0..count).map(open).collect::<Outcome<_>>()?;
        Ok(Self { ends, next: 0 })
    }

    /// An append of one entry to the chain whose turn it is, behind all that were queued before.
    fn append(&mut self, draft: Draft) -> Option<Append> {
        let at = self.next % self.ends.len().max(1);
        self.next = at + 1;
        let end = self.ends.get_mut(at)?;
        let append = Append {
            class: vyrox_journal::Class::Ordinary,
            chain: Arc::clone(&end.name),
            epoch: end.epoch,
            expected_last: end.last,
            drafts: vec![draft],
        };
        end.last = Some(end.last.map_or(0, |last| last + 1));
        Some(append)
    }

    /// Appends all of them, `appenders` at a time, and waits for the last answer. Answers how long
    /// that took.
    pub(crate) fn run(
        &mut self,
        journal: &LocalJournal,
        drafts: Vec<Draft>,
        appenders: usize,
    ) -> Outcome<Duration> {
        let (told, answers) = channel();
        let began = Instant::now();
        let mut under_way = 0;
        for draft in drafts {
            if under_way == appenders {
                next_answer(&answers)?;
                under_way -= 1;
            }
            let append = self.append(draft).ok_or("no chain to append to")?;
            queue(journal, append, &told);
            under_way += 1;
        }
        for _ in 0..under_way {
            next_answer(&answers)?;
        }
        Ok(began.elapsed())
    }
}

type Answer = Result<Vec<Receipt>, AppendError>;

fn queue(journal: &LocalJournal, append: Append, told: &Sender<Answer>) {
    let told = told.clone();
    // If nobody waits for answers any more, the run has failed already.
    journal.append(append, Box::new(move |answer| drop(told.send(answer))));
}

fn next_answer(answers: &Receiver<Answer>) -> Outcome<()> {
    answers.recv()??;
    Ok(())
}

//! What was asked of one clerk, what it did, and what its clients were told. It outlives the clerk.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use vyrox_supervision::{Class, Failure, Reason};

#[derive(Clone, Default)]
pub(super) struct Ledger(Arc<Mutex<Books>>);

#[derive(Default)]
struct Books {
    requests: BTreeMap<u64, Request>,
    last: BTreeMap<Class, u64>,
    ticks: u64,
    /// A panic in the clerk would be contained: what is wrong is written down, and read outside.
    wrong: Vec<String>,
}

#[derive(Clone, Debug)]
struct Request {
    asked: bool,
    handled: bool,
    outcome: Option<Result<u64, Failure>>,
}

impl Ledger {
    /// A client is about to send request `number`; `asked` if it wants an answer.
    pub(super) fn sent(&self, number: u64, asked: bool) {
        let request = Request {
            asked,
            handled: false,
            outcome: None,
        };
        self.0.lock().unwrap().requests.insert(number, request);
    }

    /// The clerk has the request in hand.
    pub(super) fn handled(&self, class: Class, number: u64) {
        let mut books = self.0.lock().unwrap();
        let Books {
            requests,
            last,
            wrong,
            ..
        } = &mut *books;
        if last
            .insert(class, number)
            .is_some_and(|before| before >= number)
        {
            wrong.push(format!("{number} out of order in {class:?}"));
        }
        match requests.get_mut(&number) {
            Some(request) if !request.handled => request.handled = true,
            other => wrong.push(format!("{number} handled again or never sent: {other:?}")),
        }
    }

    pub(super) fn ticked(&self) {
        self.0.lock().unwrap().ticks += 1;
    }

    /// The client was told this. A message that was sent without asking has an outcome only if it was
    /// not admitted.
    pub(super) fn told(&self, number: u64, outcome: Result<u64, Failure>) {
        let mut books = self.0.lock().unwrap();
        let Books {
            requests, wrong, ..
        } = &mut *books;
        let request = requests.get_mut(&number).unwrap();
        let right = match &outcome {
            Ok(answer) => *answer == number && request.handled,
            Err(Failure::Rejected(Reason::Full | Reason::Suspended | Reason::Closed)) => {
                !request.handled
            }
            Err(Failure::Evicted) => !request.handled,
            Err(
                Failure::Crashed { .. }
                | Failure::Restarted { .. }
                | Failure::Closed
                | Failure::Deadline,
            ) => true,
            Err(_) => false,
        };
        if !right || request.outcome.is_some() {
            wrong.push(format!("{number} was told {outcome:?}: {request:?}"));
        }
        request.outcome = Some(outcome);
    }

    pub(super) fn is_in_order(&self) {
        let books = self.0.lock().unwrap();
        assert!(books.wrong.is_empty(), "{:?}", books.wrong);
    }

    /// Requests that want an answer and have none.
    pub(super) fn unanswered(&self) -> Vec<u64> {
        let books = self.0.lock().unwrap();
        let waiting = |(number, request): (&u64, &Request)| {
            (request.asked && request.outcome.is_none()).then_some(*number)
        };
        books.requests.iter().filter_map(waiting).collect()
    }

    /// Messages that were admitted, without asking, and never handled.
    pub(super) fn lost_casts(&self) -> u64 {
        self.count(|request| !request.asked && !request.handled && request.outcome.is_none())
    }

    pub(super) fn sent_total(&self) -> u64 {
        self.count(|_| true)
    }

    pub(super) fn ticks(&self) -> u64 {
        self.0.lock().unwrap().ticks
    }

    /// How often each outcome was told, in words without their particulars.
    pub(super) fn outcomes(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for request in self.0.lock().unwrap().requests.values() {
            let word = match &request.outcome {
                None => "cast",
                Some(Ok(_)) => "answered",
                Some(Err(Failure::Crashed { .. })) => "crashed",
                Some(Err(Failure::Restarted { .. })) => "restarted",
                Some(Err(Failure::Evicted)) => "evicted",
                Some(Err(Failure::Deadline)) => "deadline",
                Some(Err(Failure::Closed)) => "closed",
                Some(Err(Failure::Rejected(_))) => "rejected",
                Some(Err(_)) => "other",
            };
            *counts.entry(word).or_insert(0) += 1;
        }
        counts
    }

    fn count(&self, of: impl Fn(&Request) -> bool) -> u64 {
        let books = self.0.lock().unwrap();
        books
            .requests
            .values()
            .filter(|request| of(request))
            .count() as u64
    }
}

//! The question that only a thread that is not stuck answers.

use crate::desk::Desk;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One question at a time to one arbiter.
#[derive(Default)]
pub(super) struct Beat {
    asked: Option<Asked>,
    /// When the last question that was answered had been asked; 0: none was.
    pub(super) heard_of: u64,
}

struct Asked {
    at: u64,
    answered: Arc<AtomicBool>,
}

/// What became of the last question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It was answered, and another one is under way.
    Answer,
    /// It still is under way.
    Nothing,
    /// There is no arbiter any more.
    Gone,
}

impl Beat {
    /// Hears the answer and, if there was one, asks again.
    pub(super) fn listen(&mut self, desk: &Desk, now: u64) -> Heard {
        if let Some(asked) = &self.asked {
            if !asked.answered.load(Ordering::Acquire) {
                return if desk.is_gone() {
                    Heard::Gone
                } else {
                    Heard::Nothing
                };
            }
            self.heard_of = asked.at;
        }
        let answered = Arc::<AtomicBool>::default();
        let asked = Asked {
            at: now,
            answered: Arc::clone(&answered),
        };
        let answer = Answer(answered);
        if desk.is_gone() || !desk.arbiter.spawn_fn(move || drop(answer)) {
            return Heard::Gone;
        }
        self.asked = Some(asked);
        Heard::Answer
    }
}

impl Beat {
    /// Whether a question is under way.
    pub(super) fn is_pending(&self) -> bool {
        self.asked
            .as_ref()
            .is_some_and(|asked| !asked.answered.load(Ordering::Acquire))
    }
}

/// Answers when it is dropped: an arbiter that ended without having run it is not stuck either.
struct Answer(Arc<AtomicBool>);

impl Drop for Answer {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

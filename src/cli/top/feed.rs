//! Asks the server on a thread of its own, so that no answer, however large or late, holds up a key.

use std::{io, thread, time::Duration};

use jiff::fmt::rfc2822;
use reqwest::header::{self, HeaderMap};
use tokio::{
    runtime,
    sync::mpsc::{self, Receiver, Sender},
    time::timeout,
};

use super::{
    super::{client::Client, failure::Failure, model::Tree},
    picture::Moment,
};
use crate::clock;

/// Where the tree is to be had.
pub(super) const ACTORS: [&str; 2] = ["health", "actors"];

/// How long one question may take from beginning to end.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// Clocks further apart than this are told apart. The server names its time in whole seconds.
const SKEW_MIN_MS: u64 = 2_000;

/// The server's answer to one question.
#[derive(Debug)]
pub(super) struct Answer {
    /// When it was complete.
    pub(super) at: Moment,
    /// The tree, or why there is none.
    pub(super) tree: Result<Tree, Failure>,
}

/// The thread that asks. It ends when this is dropped, after the question that it is at.
#[derive(Debug)]
pub(super) struct Feed {
    questions: Sender<()>,
    answers: Receiver<Answer>,
    waiting: bool,
}

impl Feed {
    /// Starts the thread; it asks nothing by itself.
    pub(super) fn start(client: Client) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (questions, mut asked) = mpsc::channel::<()>(1);
        let (answered, answers) = mpsc::channel(1);
        thread::Builder::new()
            .name("top-feed".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    // Answers that nobody waits for any more end this too.
                    while asked.recv().await.is_some()
                        && answered.send(fetch(&client).await).await.is_ok()
                    {}
                });
            })?;
        Ok(Self {
            questions,
            answers,
            waiting: false,
        })
    }

    /// Asks, unless the answer to an earlier question is still to come.
    pub(super) fn ask(&mut self) {
        if !self.waiting {
            self.waiting = self.questions.try_send(()).is_ok();
        }
    }

    /// The answer to the question asked; `None` if the thread is gone. Nothing is lost if the caller
    /// stops waiting for it.
    pub(super) async fn answer(&mut self) -> Option<Answer> {
        let answer = self.answers.recv().await;
        self.waiting = false;
        answer
    }
}

/// Asks once.
pub(super) async fn fetch(client: &Client) -> Answer {
    let whole = async {
        let response = client.open(&ACTORS, &[]).await?;
        let dated_ms = dated_ms(response.headers());
        let tree = client.read(response).await?;
        Ok((dated_ms, tree))
    };
    let answer = timeout(ANSWER_WITHIN, whole).await.unwrap_or_else(|_late| {
        let seconds = ANSWER_WITHIN.as_secs();
        Err(Failure::unreachable(format!("nothing within {seconds} s")))
    });
    let local_ms = clock::now_ms();
    let (dated_ms, tree) = match answer {
        Ok((dated_ms, tree)) => (dated_ms, Ok(tree)),
        Err(failure) => (None, Err(failure)),
    };
    let apart = dated_ms.filter(|dated_ms| dated_ms.abs_diff(local_ms) > SKEW_MIN_MS);
    Answer {
        at: Moment {
            server_ms: apart.unwrap_or(local_ms),
            local_ms,
        },
        tree,
    }
}

/// When the server wrote its answer, by its own clock.
fn dated_ms(headers: &HeaderMap) -> Option<u64> {
    let date = headers.get(header::DATE)?.to_str().ok()?;
    let date = rfc2822::DateTimeParser::new().parse_timestamp(date).ok()?;
    u64::try_from(date.as_millisecond()).ok()
}

#[cfg(test)]
mod tests;

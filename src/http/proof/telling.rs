//! What became of the signed log and is not on the host's chain yet: a log that could not be opened at the start and began
//! later, a change of it or a rebase that could not be written down.

use std::time::Duration;

use vyrox_actors::notary::Office;

use super::{Answer, Edge, Shared, accepted, asked, in_turn, written};

/// Between two looks at whether anything is to be written down.
const LOOK: Duration = Duration::from_secs(2);

/// Has it written down as long as the server runs, until it is.
pub(crate) async fn keep_telling(edge: Shared) {
    let mut failing = false;
    loop {
        tokio::time::sleep(LOOK).await;
        let told = in_turn(edge.clone(), async |edge: &Edge| {
            match asked(edge, Office::rebasing).await? {
                // Nothing is done to hosts before it is on the chain.
                Some(rebased) => accepted(edge, &rebased).await,
                None => write_what_is_not(edge).await,
            }
        })
        .await;
        if told.is_err() && !failing {
            tracing::error!(
                "what became of the signed log is not on the host's chain yet; it is tried again"
            );
        }
        failing = told.is_err();
    }
}

/// A change before may not have got to the host's chain; another one follows from it.
pub(super) async fn write_what_is_not(edge: &Edge) -> Answer<()> {
    let known = edge.view.load().audit_log.clone();
    match asked(edge, move |office| office.unwritten(known.as_ref())).await? {
        None => Ok(()),
        Some(missing) => written(edge, missing).await,
    }
}

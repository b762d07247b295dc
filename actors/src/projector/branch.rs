//! Whether something was made of the chain that the journal has, or of entries that it has no more: the end
//! of a chain may be lost to a damage, and other entries come in its place.

use vyrox_journal::{
    Head, Journal,
    projection::{ProjectionError, Projections},
};

use super::Progress;

/// Whether the chain has this very entry. A chain that cannot be read there is not accused of it: it
/// stands still when it is read on.
pub(crate) fn is_of_the_chain(journal: &dyn Journal, chain: &str, at: Head) -> bool {
    match journal.head(chain) {
        None => false,
        Some(head) if head.seq <= at.seq => head == at,
        Some(_further) => match journal.read(chain, at.seq, Some(at.seq)) {
            Ok(mut lines) => match lines.next() {
                Some(Ok(line)) => line.hash == at.hash,
                Some(Err(_)) | None => true,
            },
            Err(_unreadable) => true,
        },
    }
}

/// Forgets the chain's projections, durably, unless they are of it: what comes next makes them anew. Those of a
/// held chain stay: its repair may bring back what seems lost. Blocks.
///
/// # Errors
/// [`ProjectionError`] where they cannot be read or written.
pub(crate) fn forget_other(
    journal: &dyn Journal,
    (projections, progress): (&Projections, &Progress),
    chain: &str,
) -> Result<(), ProjectionError> {
    let Some(at) = projections.stands_at(chain)? else {
        return Ok(());
    };
    if journal.hold(chain).is_some() || is_of_the_chain(journal, chain, at) {
        return Ok(());
    }
    let head = journal.head(chain).map(|head| head.seq);
    tracing::error!(
        chain,
        applied = at.seq,
        head,
        "projections are not of the journal's chain; rebuilt"
    );
    projections.remove_chain(chain)?;
    progress.forget(chain);
    Ok(())
}

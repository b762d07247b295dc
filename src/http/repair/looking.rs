//! Whether anybody can say what was signed of a chain that is to go on.

use super::{
    super::{
        Edge,
        problem::{Answer, Code, Problem},
        proof::look_again,
    },
    Subject,
};

const BLIND: &str = "The signed log is not open, or is being rebased, so nobody can say whether what would be given up was signed. \
    Nothing was given up. `vyrox audit integrity` says why; mend that or `vyrox audit rebase`, then order the repair again.";

/// Holds the chains against what was signed of them. Where that cannot be done nothing is given up, but of the host's own
/// chain: without that one the host could not write down that another log follows, and with no log nothing is done to hosts
/// until somebody has accepted what is there.
pub(super) async fn look(edge: &Edge, subject: &Subject, gives_up: bool) -> Answer<()> {
    if look_again(edge).await? || !gives_up {
        return Ok(());
    }
    match subject {
        Subject::Tenant(_) => Err(Problem::new(Code::AuditLogUnavailable).detail(BLIND)),
        Subject::Host => {
            tracing::warn!(
                "a part of the host's chain is given up while the signed log cannot be looked at"
            );
            Ok(())
        }
    }
}

//! How much a tenant is still owed.

use vyrox_domain::tenant::TenantState;

use super::MachineParts;

/// What is still to be done or waited for: verdicts, people's decisions, people to be told, and contained hosts
/// to be read again. A tenant that has any of it stays in memory, where its clocks run.
pub(super) fn outstanding(state: &TenantState, parts: &MachineParts) -> u64 {
    let behind = state.telling.iter().filter(|(_, told)| told.is_behind());
    let watches = parts.world.settings.watching.drift_ms > 0;
    let open = [
        state.untriaged.len(),
        state.in_review.len(),
        state.proposals.waiting(),
        state.acts.unsettled(),
        if watches { state.acts.watched() } else { 0 },
        parts.notifier.as_ref().map_or(0, |_| behind.count()),
    ];
    open.iter().sum::<usize>() as u64
}

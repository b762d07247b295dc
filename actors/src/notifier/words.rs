//! What a page and a mail say first, and the keys by which a repeat is known.

use vyrox_domain::{
    containment::{Stage, Withheld},
    digest::Digest,
    ids::{ActionId, IncidentId, TenantId},
    notice::{Notice, Proposal, Standing},
    sla::FallbackReason,
    triage::Verdict,
};

use super::escalation::Cause;
use crate::outbound::{Mail, Page};

/// The longest summary, in characters.
const SUMMARY_MAX: usize = 1024;
/// The longest title of an incident within it.
const TITLE_MAX: usize = 200;
/// Characters of a nonce.
const NONCE_LENGTH: usize = 25;

/// What chat knows a post by: the same for the same incident and attempt.
pub(super) fn nonce(incident_id: IncidentId, attempt: u32) -> String {
    let text = format!("notice|{incident_id}|{attempt}");
    let hex = Digest::of(text.as_bytes()).to_hex();
    hex.chars().take(NONCE_LENGTH).collect()
}

/// A page. Its key is the incident's. The end of an approval has its own, and so has CRITICAL where HIGH
/// pages too (`page_high`): a page that somebody has acknowledged wakes nobody again.
pub(super) fn page(tenant: &TenantId, notice: &Notice, cause: Cause, page_high: bool) -> Page {
    let rose = page_high && notice.level == Verdict::Critical;
    let dedup_key = match cause {
        Cause::Late(_) if !rose => notice.incident_id.to_string(),
        Cause::Late(_) | Cause::Expired(_) | Cause::Called(..) => key(notice, cause),
    };
    Page {
        dedup_key,
        summary: cut(
            &format!("[{tenant}] {}", summary(notice, cause)),
            SUMMARY_MAX,
        ),
        tenant: tenant.clone(),
        notice: notice.clone(),
    }
}

/// A mail. Each level has its own key, or the second mail would be dropped as a repeat of the first.
pub(super) fn mail(tenant: &TenantId, notice: &Notice, cause: Cause) -> Mail {
    Mail {
        thread_key: key(notice, cause),
        subject: cut(
            &format!("[{tenant}] {}", summary(notice, cause)),
            SUMMARY_MAX,
        ),
        tenant: tenant.clone(),
        notice: notice.clone(),
    }
}

/// `<incident>/<cause>`: what stands before the slash is the thread.
fn key(notice: &Notice, cause: Cause) -> String {
    let id = notice.incident_id;
    match cause {
        Cause::Late(_) => format!("{id}/{}", notice.level.as_str().to_lowercase()),
        Cause::Expired(action_id) => format!("{id}/approval-expired/{action_id}"),
        Cause::Called(reason, of) => {
            format!("{id}/{}/{}/{}", reason.as_str(), of.action_id, of.at.ms())
        }
    }
}

fn summary(notice: &Notice, cause: Cause) -> String {
    let (level, title) = (notice.level, cut(&notice.title, TITLE_MAX));
    let at = match (notice.hosts.first(), notice.host_count) {
        (None, _) => String::new(),
        (Some(host), 0 | 1) => format!(" on {host}"),
        (Some(host), count) => format!(" on {host} and {} more", count.saturating_sub(1)),
    };
    if let Cause::Called(reason, of) = cause {
        let id = of.action_id;
        let why = withheld(notice, id).map_or(String::new(), |why| format!(", for {why}"));
        let what = called_for(reason);
        return format!("{level}: {what}{why} ({id}): {title}{at}");
    }
    match (
        cause,
        notice
            .proposals
            .iter()
            .rev()
            .find(|one| ran_out(one, cause)),
    ) {
        (Cause::Expired(_), Some(Proposal { action_type, .. })) => {
            format!("{level}: nobody decided in time about {action_type}: {title}{at}")
        }
        (Cause::Expired(_), None) => {
            format!("{level}: nobody decided in time about an action: {title}{at}")
        }
        (Cause::Late(_) | Cause::Called(..), _) => format!("{level}: {title}{at}"),
    }
}

/// Why the action was not begun, where that is how it stands.
fn withheld(notice: &Notice, id: ActionId) -> Option<Withheld> {
    let mut shown = notice.proposals.iter();
    let shown = shown.find(|one| one.action_id == id)?;
    match shown.act.as_ref()?.stage {
        Stage::Withheld { why } => Some(why),
        Stage::Approved | Stage::Begun { .. } | Stage::Done { .. } | Stage::Undone { .. } => None,
    }
}

/// Why somebody is called, in a few words.
const fn called_for(reason: FallbackReason) -> &'static str {
    match reason {
        FallbackReason::OutcomeUnknown => {
            "nobody can tell whether an action was done: look at the EDR"
        }
        FallbackReason::NotDone => "an approved action was not done",
        FallbackReason::ReleaseFailed => "a containment could not be taken back",
        FallbackReason::HoldEnded => "the time of a containment is over: keep it or take it back",
        FallbackReason::Drifted => "a containment was released, and not by Vyrox",
        FallbackReason::ClockJumped => "the clock cannot be trusted, and timers are held",
        FallbackReason::ApprovalExpired => "nobody decided in time",
        FallbackReason::ChatUnavailable | FallbackReason::NoChat | FallbackReason::ChatRefused => {
            "chat does not show it"
        }
    }
}

fn ran_out(proposal: &Proposal, cause: Cause) -> bool {
    proposal.standing == Standing::Expired && cause == Cause::Expired(proposal.action_id)
}

/// At most `max` characters, none of them a control character.
fn cut(text: &str, max: usize) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(max).map(plain).collect()
}

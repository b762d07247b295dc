//! The body of a mail.

use std::fmt::{self, Write as _};

use vyrox_actors::outbound::Mail;
use vyrox_domain::{
    ids::TenantId,
    notice::{Notice, Proposal, Standing},
};

use super::one_line;
use crate::connectors::became::{Hand, approved_elsewhere};

/// The longest text of one fact, in characters.
const FACT_MAX: usize = 200;
/// The most proposals that are written out.
const PROPOSALS_MAX: usize = 20;

/// How a mail says what became of an action.
const HAND: Hand = Hand {
    moment: |at| at.to_string(),
    quote: fact,
};

/// What happened, where, why, and what can be decided with which command.
pub(super) fn body(mail: &Mail) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    write(&mut text, mail).ok();
    text
}

fn write(text: &mut String, mail: &Mail) -> fmt::Result {
    let notice = &mail.notice;
    writeln!(text, "{}\n", fact(&mail.subject))?;
    facts(text, notice)?;
    if let Some(how) = &notice.closed {
        writeln!(text, "Closed:     {}", fact(how))?;
    }
    let more = notice.proposals.len().saturating_sub(PROPOSALS_MAX);
    for proposal in notice.proposals.iter().skip(more) {
        writeln!(text)?;
        write_proposal(text, &notice.tenant_id, proposal)?;
    }
    if more > 0 {
        writeln!(text, "\n{more} older proposals are left out.")?;
    }
    writeln!(
        text,
        "\nThis mail has nothing to click. Decide in chat, or on the command line with your own token."
    )
}

fn facts(text: &mut String, notice: &Notice) -> fmt::Result {
    writeln!(text, "Tenant:     {}", notice.tenant_id)?;
    writeln!(text, "Incident:   {}", notice.incident_id)?;
    writeln!(text, "Level:      {}", notice.level)?;
    writeln!(text, "What:       {}", fact(&notice.title))?;
    let hosts = list(&notice.hosts);
    writeln!(text, "Hosts:      {hosts} ({} in all)", notice.host_count)?;
    writeln!(text, "Why:        {}", list(&notice.reasons))?;
    writeln!(text, "Tactics:    {}", list(&notice.tactics))?;
    writeln!(text, "Techniques: {}", list(&notice.techniques))?;
    writeln!(
        text,
        "Alerts:     {}, first {}",
        notice.alerts, notice.lead_alert
    )?;
    writeln!(text, "Began:      {}", notice.opened_at)?;
    writeln!(text, "Last alert: {}", notice.last_at)
}

fn write_proposal(text: &mut String, tenant: &TenantId, proposal: &Proposal) -> fmt::Result {
    let rehearsal = if proposal.dry_run {
        " (a rehearsal)"
    } else {
        ""
    };
    let act = proposal.act.as_ref();
    let undo = act.is_some_and(|act| act.release.is_some());
    let undo = if undo { "undo " } else { "" };
    writeln!(
        text,
        "Proposed:   {undo}{}{rehearsal}",
        proposal.action_type
    )?;
    let host = proposal.host.as_deref().unwrap_or("unknown");
    writeln!(text, "Host:       {}", fact(host))?;
    writeln!(text, "Target:     {}", fact(&proposal.target_urn))?;
    for (name, value) in &proposal.parameters {
        writeln!(text, "Object:     {} {}", fact(name), fact(value))?;
    }
    if proposal.action_type.is_everywhere() {
        writeln!(text, "Reach:      on every machine of the tenant")?;
    }
    if let Some(why) = &proposal.protected {
        writeln!(text, "Protected:  {}", fact(why))?;
    }
    writeln!(text, "Digest:     {}", proposal.digest)?;
    write_standing(text, tenant, proposal)?;
    match HAND.became(proposal) {
        Some(line) => writeln!(text, "Became:     {line}"),
        None => Ok(()),
    }
}

fn write_standing(text: &mut String, tenant: &TenantId, proposal: &Proposal) -> fmt::Result {
    match &proposal.standing {
        Standing::Waiting { approved_by } => {
            for person in approved_by {
                writeln!(text, "Approved:   {person}; one more has to")?;
            }
            writeln!(text, "Until:      {}", proposal.expires_at)?;
            let (alert, digest) = (proposal.alert_id, proposal.digest);
            writeln!(
                text,
                "To approve: vyrox approve {alert} --tenant {tenant} --digest {digest}"
            )
        }
        Standing::Approved { by } if by.is_empty() => {
            let by = approved_elsewhere(proposal).unwrap_or("a trusted service");
            writeln!(text, "Approved:   {}", fact(by))
        }
        Standing::Approved { by } => {
            let by: Vec<_> = by.iter().map(ToString::to_string).collect();
            writeln!(text, "Approved:   {}", by.join(", "))
        }
        Standing::Denied { by } => writeln!(text, "Denied:     {by}"),
        Standing::Expired => writeln!(text, "Expired:    nobody decided in time"),
    }
}

fn list(texts: &[String]) -> String {
    let facts: Vec<_> = texts.iter().map(|text| fact(text)).collect();
    if facts.is_empty() {
        "none".into()
    } else {
        facts.join(", ")
    }
}

fn fact(text: &str) -> String {
    one_line(text, FACT_MAX)
}

//! Somebody is called for a tenant that is suspended in the middle of an action: its own machine and notifier are
//! gone, and nobody looks after the action before the tenant is tried again.

use std::time::Duration;

use actix::{AsyncContext as _, WrapFuture as _};
use vyrox_domain::{ids::TenantId, notice::Notice};
use vyrox_supervision::SupervisedContext;

use super::Tenants;
use crate::{
    outbound::{Mail, Page, ReachError},
    ports::Outside,
};

/// The pause before somebody is called again whom nothing reached; each further one is twice as long.
const AGAIN: Duration = Duration::from_secs(5);
/// How often it is tried: for about ten minutes.
const TRIES: u32 = 7;

impl Tenants {
    pub(super) fn call_for(
        &self,
        tenant: &TenantId,
        notice: &Notice,
        ctx: &mut SupervisedContext<Self>,
    ) {
        let outside = self.world.outside.clone();
        let (page, mail) = words(tenant, notice);
        let call = async move {
            let tenant = &page.tenant;
            for tried in 0..TRIES {
                match reach(&outside, &page, &mail).await {
                    Ok(()) => {
                        tracing::warn!(%tenant, "somebody is called for an action of a suspended tenant");
                        return;
                    }
                    Err(error) => {
                        tracing::error!(%tenant, %error, "nobody is reached for an action of a suspended tenant");
                    }
                }
                tokio::time::sleep(AGAIN * (1 << tried)).await;
            }
        };
        ctx.spawn(call.into_actor(self));
    }
}

/// By the pager, or else by mail.
async fn reach(outside: &Outside, page: &Page, mail: &Mail) -> Result<(), ReachError> {
    let mut last = ReachError::Refused("there is no pager or mail".into());
    if let Some(pager) = &outside.pager {
        match pager.page(page).await {
            Ok(()) => return Ok(()),
            Err(error) => last = error,
        }
    }
    match &outside.mailer {
        Some(mailer) => mailer.mail(mail).await,
        None => Err(last),
    }
}

fn words(tenant: &TenantId, notice: &Notice) -> (Page, Mail) {
    let (title, host) = (&notice.title, notice.hosts.first());
    let host = host.map_or("a host", String::as_str);
    let said = format!("[{tenant}] suspended while an action is under way: {title} on {host}");
    // Each time that the same action is left behind is the same reason to call.
    let key = format!("{}/suspended", notice.incident_id);
    let page = Page {
        dedup_key: key.clone(),
        summary: said.chars().take(1024).collect(),
        tenant: tenant.clone(),
        notice: notice.clone(),
    };
    let mail = Mail {
        thread_key: key,
        subject: page.summary.clone(),
        tenant: tenant.clone(),
        notice: notice.clone(),
    };
    (page, mail)
}

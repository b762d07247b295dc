//! `/vyrox ...`: a server becomes a tenant's, and its people ask how it stands.

mod reports;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;
use vyrox_actors::{
    registry::{ClaimChat, RegistryError},
    views::AlertView,
};
use vyrox_domain::{host::HostRefusal, ids::TenantId, interaction::Order, webhook::Secret};

use self::reports::{latest, standing};
use super::ChatDesk;
use crate::{
    desk::NoAnswer,
    http::interactions::desk::{Ordered, Said, Who},
    scenario::Scenario,
};

/// How long the registry may take to make a claim durable.
const PATIENCE: Duration = Duration::from_secs(8);

/// The most incidents that are counted for a report.
const COUNTED_MAX: usize = 200;

/// How many alerts are listed.
const LISTED: usize = 10;

impl ChatDesk {
    pub(super) async fn said(self, ordered: Ordered) -> Said {
        let Ordered { who, tenant, order } = ordered;
        let (code, admin_role) = match order {
            Order::Register { code, admin_role } => (code, admin_role),
            order => return self.asked(&who, tenant, order).await,
        };
        self.register(who, &code, admin_role).await
    }

    /// What people of a tenant may ask for.
    async fn asked(&self, who: &Who, tenant: Option<TenantId>, order: Order) -> Said {
        let Some(tenant) = tenant else {
            return Said::NotAllowed {
                why: "this server is linked to no organisation".to_owned(),
            };
        };
        if let Err(why) = self.insider(who, &tenant) {
            return Said::NotAllowed { why };
        }
        match order {
            Order::Status => self.status(&tenant).await,
            Order::Alerts => {
                self.tenants.caught_up(&tenant).await;
                self.alerts(&tenant)
            }
            Order::TestAlert { scenario } => {
                self.test_alert(&tenant, scenario.as_deref(), who).await
            }
            // Whoever registers a server is no tenant's yet, and was heard before.
            Order::Register { .. } => Said::TryLater,
        }
    }

    async fn register(&self, who: Who, code: &Secret, admin_role_id: Option<String>) -> Said {
        let (reply, answer) = oneshot::channel();
        let claim = ClaimChat {
            code: String::from_utf8_lossy(code.expose()).into_owned(),
            guild_id: who.guild_id.clone(),
            channel_id: who.channel_id,
            admin_role_id,
            user_id: who.user_id,
            reply,
        };
        if self.registry.try_cast(claim).is_err() {
            return Said::TryLater;
        }
        let Ok(Ok(claimed)) = tokio::time::timeout(PATIENCE, answer).await else {
            return Said::TryLater;
        };
        match claimed {
            Ok(tenant) => {
                let commands = self.set_commands(&tenant, &who.guild_id).await;
                Said::Message(welcome(&tenant, commands))
            }
            Err(RegistryError::Refused(HostRefusal::WrongCode)) => Said::WrongCode,
            Err(RegistryError::Refused(HostRefusal::GuildTaken)) => Said::AlreadyLinked,
            Err(error @ (RegistryError::Refused(_) | RegistryError::TooManyTries)) => {
                Said::NotAllowed {
                    why: error.to_string(),
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a chat server was not claimed");
                Said::TryLater
            }
        }
    }

    /// Whether the server has its commands now.
    async fn set_commands(&self, tenant: &TenantId, guild_id: &str) -> bool {
        let (Some(discord), Some(application)) = (&self.discord, &self.application_id) else {
            return false;
        };
        let set = discord.register_commands(tenant, application, guild_id);
        match set.await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%tenant, %error, "a chat server did not get its commands");
                false
            }
        }
    }

    async fn status(&self, tenant: &TenantId) -> Said {
        let notices = self.tenants.incidents(tenant, None, COUNTED_MAX).await;
        let state = match &notices {
            Ok(_) => "serving",
            Err(NoAnswer::Suspended) => "suspended: its alerts are kept and nothing is decided",
            Err(NoAnswer::Held) => "held: its chain has to be repaired before anything is decided",
            Err(_) => return Said::TryLater,
        };
        let now = self.world().now();
        Said::Message(standing(tenant, state, &notices.unwrap_or_default(), now))
    }

    fn alerts(&self, tenant: &TenantId) -> Said {
        let rows = self
            .world()
            .projections
            .alerts(tenant.as_str(), None, LISTED);
        let views = rows.map_err(|error| error.to_string()).and_then(|rows| {
            let views = rows.iter().map(|row| serde_json::from_slice(&row.value));
            let views: Result<Vec<AlertView>, _> = views.collect();
            views.map_err(|error| error.to_string())
        });
        match views {
            Ok(views) => Said::Message(latest(tenant, &views)),
            Err(error) => {
                tracing::error!(%tenant, error, "the latest alerts can't be read");
                Said::TryLater
            }
        }
    }

    async fn test_alert(&self, tenant: &TenantId, named: Option<&str>, who: &Who) -> Said {
        let mut known = Scenario::ALL.into_iter();
        let Some(scenario) = known.find(|known| Some(known.as_str()) == named) else {
            return Said::NotAllowed {
                why: "there is no such scenario".to_owned(),
            };
        };
        let played = self.drill(tenant, scenario, &who.interaction_id).await;
        match played {
            Ok(accepted) => {
                let ids: Vec<_> = accepted
                    .iter()
                    .map(|one| format!("`{}`", one.alert_id))
                    .collect();
                let text = format!(
                    "{scenario} was played: {}. Alerts of a test have `test` in the vendor's id.\n{}",
                    scenario.about(),
                    ids.join("\n")
                );
                Said::Message(json!({ "content": text }))
            }
            Err(why) => Said::NotAllowed { why },
        }
    }
}

fn welcome(tenant: &TenantId, commands: bool) -> Value {
    let commands = if commands {
        "`/vyrox status`, `/vyrox alerts` and `/vyrox test-alert` work here now."
    } else {
        "Discord did not take the other commands just now; to try again, register once more with a new code."
    };
    let text = format!(
        "This channel belongs to `{tenant}` now: its incidents are shown here. {commands}\n\
         Next, say who may decide, where Vyrox runs: `vyrox person add NAME --tenant {tenant} --role approver` and \
         `vyrox person link NAME --discord ACCOUNT`."
    );
    json!({ "content": text })
}

//! One interaction from its door to its answer.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio::{
    task::{JoinError, JoinHandle},
    time::{Sleep, timeout},
};
use vyrox_domain::{
    ids::TenantId,
    interaction::{Button, Caller, Command, Form, Order},
    webhook::Secret,
};

use super::{
    ChatDoor, Reply,
    answer::{self, REASON_MAX},
    desk::{self, Away, Click, Look, Ordered, Promised, TurnedAway, Who},
};
use crate::{
    connectors::discord::custom_id::{CustomId, Verb},
    http::admission::{Class, Decision, InFlight},
};

/// How long an answer that was put off may take: the service takes it for 15 minutes.
const LATER_WITHIN: Duration = Duration::from_mins(14);

/// Somebody who was proven to come from the service, with a place and a while to be answered in.
pub(super) struct Visit {
    pub(super) door: Arc<ChatDoor>,
    pub(super) place: InFlight,
    pub(super) patience: Sleep,
    /// Whose guild it came from, once that is known.
    pub(super) tenant: Option<TenantId>,
}

/// A visit is over before the desk was asked; this is the answer.
struct Over(Value);

impl Over {
    fn says(text: &str) -> Self {
        Self(answer::sentence(text))
    }
}

impl Visit {
    /// A button was pressed: the decision, the form that asks for a reason, or the details.
    pub(super) async fn button(self, button: Button) -> Value {
        let who = who(&button.by);
        let (visit, id, tenant) = match self.named(&who, &button.custom_id) {
            Ok(named) => named,
            Err(Over(answer)) => return answer,
        };
        match id.verb {
            Verb::Deny => answer::ask_why(&id),
            Verb::Approve => {
                let click = Click {
                    who,
                    tenant,
                    alert_id: id.alert_id,
                    digest: id.digest,
                    verb: desk::Verb::Approve,
                    message_id: Some(button.message_id),
                };
                visit.decide(&button.by, click).await
            }
            Verb::Investigate => {
                let look = Look {
                    who,
                    tenant,
                    alert_id: id.alert_id,
                    message_id: Some(button.message_id),
                };
                visit.investigate(&button.by, look)
            }
        }
    }

    /// The form that asked for a reason came back.
    pub(super) async fn form(self, form: Form) -> Value {
        let who = who(&form.by);
        let (visit, id, tenant) = match self.named(&who, &form.custom_id) {
            Ok(named) => named,
            Err(Over(answer)) => return answer,
        };
        if id.verb != Verb::Deny {
            return answer::sentence(answer::NOT_KNOWN);
        }
        let reason = form.value.as_deref().unwrap_or_default().trim();
        if reason.is_empty() || reason.chars().count() > REASON_MAX {
            return answer::sentence(answer::NO_REASON);
        }
        let click = Click {
            who,
            tenant,
            alert_id: id.alert_id,
            digest: id.digest,
            verb: desk::Verb::Deny {
                reason: reason.to_owned(),
            },
            message_id: form.message_id,
        };
        visit.decide(&form.by, click).await
    }

    /// A command was given.
    pub(super) async fn command(self, command: Command) -> Value {
        let who = who(&command.by);
        if let Err(Over(answer)) = self.is_new(&who, None) {
            return answer;
        }
        let tenant = self.door.desk.tenant_of_guild(&who.guild_id);
        let registers = matches!(command.order, Order::Register { .. });
        if registers && !command.by.manages_guild() {
            self.note(Away::NotAManager, &who, tenant);
            return answer::sentence(answer::NOT_A_MANAGER);
        }
        if tenant.is_none() && !registers {
            self.note(Away::NotLinked, &who, tenant);
            return answer::sentence(answer::NOT_LINKED);
        }
        let visit = match &tenant {
            Some(tenant) => self.speaks_for(tenant),
            None => Ok(self),
        };
        let visit = match visit {
            Ok(visit) => visit,
            Err(Over(answer)) => return answer,
        };
        let ordered = Ordered {
            who,
            tenant,
            order: command.order,
        };
        let desk = Arc::clone(&visit.door.desk);
        let work = async move { Reply::said(desk.command(ordered).await) };
        let work = visit.door.runtime.spawn(work);
        visit.in_time(&command.by, work).await
    }

    async fn decide(self, by: &Caller, click: Click) -> Value {
        let desk = Arc::clone(&self.door.desk);
        // A task of its own: a service that hangs up early does not take the decision with it.
        let work = async move { Reply::decided(desk.decide(click).await) };
        let work = self.door.runtime.spawn(work);
        self.in_time(by, work).await
    }

    /// Always later: a file cannot come with an answer at once.
    fn investigate(self, by: &Caller, look: Look) -> Value {
        let desk = Arc::clone(&self.door.desk);
        let work = async move { Reply::shown(desk.investigate(look).await) };
        let work = self.door.runtime.spawn(work);
        let (later, _) = self.prepared(by);
        later.promise(work)
    }

    /// The answer if it comes in time, else the promise of one.
    async fn in_time(self, by: &Caller, mut work: JoinHandle<Reply>) -> Value {
        let (later, patience) = self.prepared(by);
        tokio::select! {
            biased;
            done = &mut work => answer::now(settled(done).message),
            () = patience => later.promise(work),
        }
    }

    /// What a late answer takes, and how long to wait for an early one.
    fn prepared(self, by: &Caller) -> (Later, Sleep) {
        let later = Later {
            application_id: by.application_id.clone(),
            token: by.token.clone(),
            tenant: self.tenant,
            door: self.door,
            _place: self.place,
        };
        (later, self.patience)
    }

    /// What a button names, if it comes for the first time and names something of the guild's tenant.
    fn named(self, who: &Who, custom_id: &str) -> Result<(Self, CustomId, TenantId), Over> {
        let id = custom_id.parse::<CustomId>();
        self.is_new(who, id.as_ref().ok())?;
        let id = id.map_err(|_not_ours| Over::says(answer::NOT_KNOWN))?;
        let Some(tenant) = self.door.desk.tenant_of_guild(&who.guild_id) else {
            self.note(Away::NotLinked, who, None);
            return Err(Over::says(answer::NOT_LINKED));
        };
        if id.tenant != tenant {
            self.door.desk.turned_away(TurnedAway {
                why: Away::WrongTenant,
                who: who.clone(),
                tenant: Some(tenant),
                named: Some(id),
            });
            return Err(Over::says(answer::WRONG_TENANT));
        }
        Ok((self.speaks_for(&tenant)?, id, tenant))
    }

    /// Counts the place for the tenant: the service posts for all of them from the same few addresses,
    /// and decisions that hang for one must not take the others' places.
    fn speaks_for(self, tenant: &TenantId) -> Result<Self, Over> {
        let Self {
            door,
            place,
            patience,
            ..
        } = self;
        let place = place.speaks_for(tenant);
        place
            .map(|place| Self {
                door,
                place,
                patience,
                tenant: Some(tenant.clone()),
            })
            .map_err(|_scarce| Over::says(answer::TRY_LATER))
    }

    /// A repeat changes nothing, and one account does not keep everybody else from being heard.
    fn is_new(&self, who: &Who, named: Option<&CustomId>) -> Result<(), Over> {
        let now = self.door.clock.now();
        if !self.door.replays.is_first(&who.interaction_id, now) {
            self.note_replay(who, named);
            return Err(Over::says(answer::ALREADY_HANDLED));
        }
        let person = format!("{}:{}", who.guild_id, who.user_id).into();
        match self.door.admission.spend(Class::Chat, &person) {
            Decision::Admit => Ok(()),
            Decision::Limited { .. } | Decision::Overloaded { .. } => {
                Err(Over::says(answer::TOO_FAST))
            }
        }
    }

    /// Whoever can repeat one can repeat it without end; the record needs no more than some of them.
    fn note_replay(&self, who: &Who, named: Option<&CustomId>) {
        let of_guild = format!("repeats:{}", who.guild_id).into();
        if self.door.admission.spend(Class::Chat, &of_guild) == Decision::Admit {
            self.door.desk.turned_away(TurnedAway {
                why: Away::Replayed,
                who: who.clone(),
                tenant: self.door.desk.tenant_of_guild(&who.guild_id),
                named: named.cloned(),
            });
        }
    }

    fn note(&self, why: Away, who: &Who, tenant: Option<TenantId>) {
        self.door.desk.turned_away(TurnedAway {
            why,
            who: who.clone(),
            tenant,
            named: None,
        });
    }
}

/// An answer that may have to be sent by itself.
struct Later {
    application_id: String,
    token: Secret,
    tenant: Option<TenantId>,
    door: Arc<ChatDoor>,
    /// Held until it is told, so that what is put off counts as a request in hand.
    _place: InFlight,
}

impl Later {
    /// Promises the answer, and has it sent when it is known.
    fn promise(self, work: JoinHandle<Reply>) -> Value {
        let (runtime, promise) = (self.door.runtime.clone(), Promise::given(&self.door));
        runtime.spawn(async move {
            self.tell(work).await;
            drop(promise);
        });
        answer::deferred()
    }

    async fn tell(self, work: JoinHandle<Reply>) {
        let reply = match timeout(LATER_WITHIN, work).await {
            Ok(done) => settled(done),
            Err(_elapsed) => Reply::text(answer::TRY_LATER),
        };
        let to = Promised {
            tenant: self.tenant,
            application_id: self.application_id,
            token: self.token,
        };
        let sent = self.door.desk.follow_up(to, reply.message, reply.file);
        if !sent.await {
            tracing::warn!("chat did not take an answer that was promised");
        }
    }
}

/// Counts as an answer that is owed for as long as it lives.
struct Promise(Arc<ChatDoor>);

impl Promise {
    fn given(door: &Arc<ChatDoor>) -> Self {
        let promise = Self(Arc::clone(door));
        door.promised
            .send_modify(|count| *count = count.saturating_add(1));
        promise
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        let promised = &self.0.promised;
        promised.send_modify(|count| *count = count.saturating_sub(1));
    }
}

fn settled(done: Result<Reply, JoinError>) -> Reply {
    done.unwrap_or_else(|fell| {
        tracing::error!(panicked = fell.is_panic(), "nobody answered an interaction");
        Reply::text(answer::TRY_LATER)
    })
}

fn who(by: &Caller) -> Who {
    Who {
        interaction_id: by.interaction_id.clone(),
        user_id: by.user_id.clone(),
        roles: by.roles.clone(),
        guild_id: by.guild_id.clone(),
        channel_id: by.channel_id.clone(),
    }
}

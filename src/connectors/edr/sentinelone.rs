//! SentinelOne's management API, v2.1.
//!
//! Every request that changes something names one agent, one threat or one entry by its id, for a filter
//! without ids means everything that the token reaches. Threats are acted upon only on the host that was
//! approved, and entries of the blocklist are removed only if they are ours.

mod envelope;
mod task;

mod agent;
mod blocklist;
mod polling;
mod threat;

use std::sync::Arc;

use futures_util::{FutureExt as _, future::BoxFuture};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use vyrox_actors::edr::{
    Checked, Edr, EdrCredential, EdrError, EdrSetupError, EffectSeen, Guard, LineState, Polled,
    Reading, Sent,
};
use vyrox_domain::{
    action::{ActionManifest, jws::SignedAction},
    time::Timestamp,
};

use self::{
    agent::Agent,
    blocklist::Entry,
    envelope::{Affected, Envelope, data, open, says_nothing},
    task::{Block, Goal, Mitigation, Task},
    threat::{Found, Threat},
};
use super::{
    Answer, Api, Call, Credentials, Line, Wire, WireSettings, id::Id, never, reading::seen,
};

const AGENTS: &str = "web/api/v2.1/agents";
const AGENT_ACTIONS: &str = "web/api/v2.1/agents/actions";
const THREATS: &str = "web/api/v2.1/threats";
const MITIGATE: &str = "web/api/v2.1/threats/mitigate";
const RESTRICTIONS: &str = "web/api/v2.1/restrictions";

/// One tenant's SentinelOne.
pub(super) struct Sentinelone(Arc<Console>);

/// A console as one token sees it.
struct Console {
    api: Api,
    /// The site whose agents, threats and blocklist are meant; all that the token reaches where there is none.
    site: Option<Id>,
}

impl Sentinelone {
    /// The API that this credential opens.
    ///
    /// # Errors
    /// The address may not be spoken to, or a member of the credential cannot be one.
    pub(super) fn new(
        credential: &EdrCredential,
        settings: WireSettings,
        line: Arc<Line>,
    ) -> Result<Self, EdrSetupError> {
        let site = credential.realm.as_deref().map(|realm| {
            Id::parse(realm).ok_or_else(|| EdrSetupError {
                member: "realm",
                message: "expected the id of a site".to_owned(),
            })
        });
        let wire = Wire::new(&credential.base_url, "base_url", settings)?;
        let token = Credentials::Fixed("ApiToken", &credential.secret);
        let console = Console {
            api: Api::new(wire, line, token)?,
            site: site.transpose()?,
        };
        Ok(Self(Arc::new(console)))
    }
}

impl Edr for Sentinelone {
    fn read(
        &self,
        manifest: &ActionManifest,
        reference: Option<&str>,
    ) -> BoxFuture<'static, Result<Reading, EdrError>> {
        let console = Arc::clone(&self.0);
        let task = Task::of(manifest, console.site.as_ref());
        let reference = reference.map(str::to_owned);
        async move {
            let until = console.api.deadline();
            console.read(&task?, reference.as_deref(), until).await
        }
        .boxed()
    }

    fn send(
        &self,
        action: &SignedAction,
        reference: Option<&str>,
        guard: Guard,
    ) -> BoxFuture<'static, Result<Sent, EdrError>> {
        let console = Arc::clone(&self.0);
        let task = Task::of(action.manifest(), console.site.as_ref());
        let reference = reference.map(str::to_owned);
        async move {
            let until = console.api.deadline();
            let limits = (&guard, until);
            console.send(&task?, reference.as_deref(), limits).await
        }
        .boxed()
    }

    fn check(&self) -> BoxFuture<'static, Result<Checked, EdrError>> {
        let console = Arc::clone(&self.0);
        async move { console.check().await }.boxed()
    }

    fn poll(
        &self,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> BoxFuture<'static, Result<Polled, EdrError>> {
        let console = Arc::clone(&self.0);
        async move { polling::poll(&console, (from, to), limit).await }.boxed()
    }

    fn alert(
        &self,
        vendor_alert_id: &str,
    ) -> BoxFuture<'static, Result<Option<Vec<u8>>, EdrError>> {
        let console = Arc::clone(&self.0);
        let id = Id::parse(vendor_alert_id);
        async move {
            match id {
                Some(id) => polling::alert(&console, &id).await,
                None => Ok(None),
            }
        }
        .boxed()
    }

    fn line(&self) -> LineState {
        self.0.api.line()
    }
}

impl Console {
    async fn read(
        &self,
        task: &Task,
        reference: Option<&str>,
        until: Instant,
    ) -> Result<Reading, EdrError> {
        match &task.goal {
            Goal::OffNetwork(agent) => {
                let call = self.get(AGENTS).query("ids", agent.as_str());
                let answer = self.api.exchange(&call, until).await?;
                let agents: Vec<Agent> = data(&answer)?;
                agent::network(&agents, agent, task.undo).ok_or_else(|| says_nothing(&answer))
            }
            Goal::Mitigated(wanted) => {
                let since = threat::since(reference);
                let of = |found: Found<'_>| match found {
                    Found::Here(mitigations) => mitigations.read(task.undo, since),
                    Found::Nowhere => seen(EffectSeen::NoSuchTarget, "no such threat"),
                    Found::Elsewhere => seen(EffectSeen::NoSuchTarget, "threat of another host"),
                };
                self.threat(wanted, until, of).await
            }
            Goal::Blocked(block) => {
                let entries = self.entries(block, until).await?;
                Ok(blocklist::read(&entries, block, reference, task.undo))
            }
        }
    }

    /// Looks at a threat and what was done about it.
    async fn threat<T>(
        &self,
        wanted: &Mitigation,
        until: Instant,
        of: impl FnOnce(Found<'_>) -> T,
    ) -> Result<T, EdrError> {
        let call = self.get(THREATS).query("ids", wanted.threat.as_str());
        let answer = self.api.exchange(&call, until).await?;
        let threats: Vec<Threat> = data(&answer)?;
        threat::find(&threats, wanted)
            .map(of)
            .ok_or_else(|| says_nothing(&answer))
    }

    /// What the blocklist has of a hash.
    async fn entries(&self, block: &Block, until: Instant) -> Result<Vec<Entry>, EdrError> {
        self.ask(block.query(), until).await
    }

    async fn ask<T: DeserializeOwned>(&self, call: Call, until: Instant) -> Result<T, EdrError> {
        data(&self.api.exchange(&call, until).await?)
    }

    async fn send(
        &self,
        task: &Task,
        reference: Option<&str>,
        (guard, until): (&Guard, Instant),
    ) -> Result<Sent, EdrError> {
        match &task.goal {
            Goal::OffNetwork(agent) => {
                let verb = if task.undo { "connect" } else { "disconnect" };
                let call = Call::post(AGENT_ACTIONS).segment(verb);
                let call = call
                    .json(&task::one(agent, self.site.as_ref()))
                    .changing(guard);
                self.change(&call, task, None, until).await
            }
            Goal::Mitigated(wanted) => self.mitigate(task, wanted, (guard, until)).await,
            Goal::Blocked(block) if task.undo => {
                let entries = self.entries(block, until).await?;
                let ours = blocklist::read(&entries, block, reference, task.undo).reference;
                let ours = ours.as_deref().and_then(Id::parse);
                let ours = ours.ok_or_else(|| never("no entry of ours is on the blocklist"))?;
                let call = Call::delete(RESTRICTIONS).json(&task::removal(&ours));
                let kept = Some(ours.as_str().to_owned());
                self.change(&call.changing(guard), task, kept, until).await
            }
            Goal::Blocked(block) => {
                let call = Call::post(RESTRICTIONS).json(&block.addition());
                let call = call.changing(guard);
                let answer = self.api.exchange(&call, until).await?;
                let entries: Vec<Entry> = data(&answer)?;
                Ok(Sent {
                    status: answer.status,
                    reference: blocklist::name_of(&entries),
                })
            }
        }
    }

    /// Acts upon a threat, having looked that it is one of the host that was approved.
    async fn mitigate(
        &self,
        task: &Task,
        wanted: &Mitigation,
        (guard, until): (&Guard, Instant),
    ) -> Result<Sent, EdrError> {
        let heard = self.threat(wanted, until, |found| match found {
            Found::Here(mitigations) => Ok(mitigations.last_heard()),
            Found::Nowhere => Err(never("there is no such threat")),
            Found::Elsewhere => Err(never("the threat is one of another host")),
        });
        let since = threat::since_text(heard.await??);
        let measure = wanted.measure;
        let verb = if task.undo {
            measure.undone_by()
        } else {
            Some(measure.path())
        };
        let verb = verb.ok_or_else(|| never("SentinelOne cannot take this back"))?;
        let call = Call::post(MITIGATE).segment(verb);
        let call = call
            .json(&task::one(&wanted.threat, self.site.as_ref()))
            .changing(guard);
        self.change(&call, task, Some(since), until).await
    }

    /// Sends what answers with the number of things that it changed. None may mean that it was so already,
    /// that there is no such thing, or that the token may not: what then reads decides.
    async fn change(
        &self,
        call: &Call,
        task: &Task,
        reference: Option<String>,
        until: Instant,
    ) -> Result<Sent, EdrError> {
        let answer = self.api.exchange(call, until).await?;
        let Affected { affected } = data(&answer)?;
        if affected == 0 {
            self.is_so_anyway(&answer, task, reference.as_deref(), until)
                .await?;
        }
        Ok(Sent {
            status: answer.status,
            reference,
        })
    }

    async fn is_so_anyway(
        &self,
        answer: &Answer,
        task: &Task,
        reference: Option<&str>,
        until: Instant,
    ) -> Result<(), EdrError> {
        match self.read(task, reference, until).await {
            Ok(reading) => match reading.effect {
                EffectSeen::InEffect | EffectSeen::Pending => Ok(()),
                EffectSeen::NotInEffect | EffectSeen::Failed | EffectSeen::NoSuchTarget => {
                    Err(EdrError::Refused {
                        status: answer.status,
                        why: "nothing was affected".to_owned(),
                    })
                }
            },
            Err(_unread) => Err(says_nothing(answer)),
        }
    }

    async fn check(&self) -> Result<Checked, EdrError> {
        let call = self.get(AGENTS).query("limit", "1");
        let answer = self.api.exchange(&call, self.api.deadline()).await?;
        let agents: Envelope<Vec<Agent>> = open(&answer)?;
        let total = agents.pagination.and_then(|page| page.total_items);
        let note = match total {
            Some(total) => format!("{total} hosts seen"),
            None => "hosts can be read".to_owned(),
        };
        Ok(Checked { note })
    }

    /// A request that reads, of what the site has.
    fn get(&self, path: &'static str) -> Call {
        let call = Call::get(path);
        match &self.site {
            Some(site) => call.query("siteIds", site.as_str()),
            None => call,
        }
    }
}

#[cfg(test)]
mod tests;

//! Microsoft Defender for Endpoint.
//!
//! What is asked for on a machine becomes a machine action, which Defender carries out in its own time. Each
//! of ours has our action's id in its comment, so that one whose answer was lost is known again. Indicators
//! are removed only if they are ours, and nobody else's is written over.

mod odata;
mod task;

mod indicator;
mod machine;
mod machine_action;
mod polling;

use std::sync::Arc;

use futures_util::{FutureExt as _, future::BoxFuture};
use reqwest::Url;
use tokio::time::Instant;
use vyrox_actors::edr::{
    Checked, DeviceSeen, Edr, EdrCredential, EdrError, EdrSetupError, EffectSeen, Guard, LineState,
    Polled, Reading, Sent,
};
use vyrox_domain::{
    action::{ActionManifest, jws::SignedAction},
    time::Timestamp,
};

use self::{
    indicator::Indicator,
    machine::Machine,
    machine_action::MachineAction,
    odata::{ALREADY_UNDER_WAY, List, code, equals, read, refused, says_nothing},
    task::{Block, Deed, Errand, Task},
};
use super::{
    Answer, Api, Call, Credentials, Line, TokenSource, Wire, WireSettings, id::Id, never,
    reading::seen,
};

const MACHINES: &str = "api/machines";
const MACHINE_ACTIONS: &str = "api/machineactions";
const INDICATORS: &str = "api/indicators";

/// Where tokens come from, if the credential does not say.
const LOGIN: &str = "https://login.microsoftonline.com";
/// What tokens are for, in the world's cloud.
const SCOPE: &str = "https://api.securitycenter.microsoft.com/.default";

/// One tenant's Defender.
pub(super) struct Defender(Arc<Centre>);

/// The API as one application sees it.
struct Centre {
    api: Api,
}

impl Defender {
    /// The API that this credential opens.
    ///
    /// # Errors
    /// An address may not be spoken to, or a member of the credential is missing or cannot be one.
    pub(super) fn new(
        credential: &EdrCredential,
        settings: WireSettings,
        line: Arc<Line>,
    ) -> Result<Self, EdrSetupError> {
        let fault = |member, message: &str| EdrSetupError {
            member,
            message: message.to_owned(),
        };
        let realm = credential.realm.as_deref();
        let realm = realm
            .and_then(directory)
            .ok_or_else(|| fault("realm", "expected the id or domain of an Entra tenant"))?;
        let client_id = credential.client_id.clone();
        let client_id =
            client_id.ok_or_else(|| fault("client_id", "expected the id of an application"))?;
        let login = credential.login_url.as_deref().unwrap_or(LOGIN);
        let source = TokenSource {
            wire: Wire::new(login, "login_url", settings)?,
            path: [realm, "oauth2", "v2.0", "token"].map(str::to_owned).into(),
            form: vec![
                ("grant_type", "client_credentials".to_owned()),
                ("client_id", client_id),
                ("scope", scope(&credential.base_url)),
            ],
            secret: credential.secret.clone(),
        };
        let wire = Wire::new(&credential.base_url, "base_url", settings)?;
        let api = Api::new(wire, line, Credentials::Fetched(source))?;
        Ok(Self(Arc::new(Centre { api })))
    }
}

/// An Entra tenant's id or domain, as it may stand in a path.
fn directory(realm: &str) -> Option<&str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
    let fits = (1..=128).contains(&realm.len()) && realm.bytes().all(plain);
    (fits && !realm.starts_with('.')).then_some(realm)
}

/// The clouds of the United States' government have their own.
fn scope(base_url: &str) -> String {
    let base = Url::parse(base_url).ok();
    let host = base.as_ref().and_then(Url::host_str);
    match host.filter(|host| host.ends_with(".microsoft.us")) {
        Some(host) => format!("https://{host}/.default"),
        None => SCOPE.to_owned(),
    }
}

impl Edr for Defender {
    fn read(
        &self,
        manifest: &ActionManifest,
        reference: Option<&str>,
    ) -> BoxFuture<'static, Result<Reading, EdrError>> {
        let centre = Arc::clone(&self.0);
        let task = Task::of(manifest);
        let known = reference.map(str::to_owned);
        async move {
            let until = centre.api.deadline();
            match task? {
                Task::OnMachine(wanted) => {
                    centre.read_action(&wanted, known.as_deref(), until).await
                }
                Task::Block(block) => {
                    let indicators = centre.indicators(&block, until).await?;
                    Ok(indicator::read(&indicators, &block, known.as_deref()))
                }
            }
        }
        .boxed()
    }

    fn send(
        &self,
        action: &SignedAction,
        reference: Option<&str>,
        guard: Guard,
    ) -> BoxFuture<'static, Result<Sent, EdrError>> {
        let centre = Arc::clone(&self.0);
        let task = Task::of(action.manifest());
        let known = reference.map(str::to_owned);
        async move {
            let until = centre.api.deadline();
            match task? {
                Task::OnMachine(wanted) => centre.begin(&wanted, &guard, until).await,
                Task::Block(block) => {
                    let (known, limits) = (known.as_deref(), (&guard, until));
                    if block.undo {
                        centre.unblock(&block, known, limits).await
                    } else {
                        centre.block(&block, known, limits).await
                    }
                }
            }
        }
        .boxed()
    }

    fn check(&self) -> BoxFuture<'static, Result<Checked, EdrError>> {
        let centre = Arc::clone(&self.0);
        async move {
            let call = Call::get(MACHINES).query("$top", "1");
            let answer = centre.api.exchange(&call, centre.api.deadline()).await?;
            let _machines: List<serde::de::IgnoredAny> = read(&answer)?;
            Ok(Checked {
                note: "machines can be read".to_owned(),
            })
        }
        .boxed()
    }

    fn poll(
        &self,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> BoxFuture<'static, Result<Polled, EdrError>> {
        let centre = Arc::clone(&self.0);
        async move { polling::poll(&centre.api, (from, to), limit).await }.boxed()
    }

    fn alert(
        &self,
        vendor_alert_id: &str,
    ) -> BoxFuture<'static, Result<Option<Vec<u8>>, EdrError>> {
        let centre = Arc::clone(&self.0);
        let id = Id::parse(vendor_alert_id);
        async move {
            match id {
                Some(id) => polling::alert(&centre.api, &id).await,
                None => Ok(None),
            }
        }
        .boxed()
    }

    fn line(&self) -> LineState {
        self.0.api.line()
    }
}

impl Centre {
    /// The machine's actions are what tells its state; our own is asked for by its name where the list has
    /// not got it yet.
    async fn read_action(
        &self,
        wanted: &Errand,
        known: Option<&str>,
        until: Instant,
    ) -> Result<Reading, EdrError> {
        let (mut actions, answer) = self.actions(wanted, until).await?;
        if let Some(known) = known.and_then(Id::parse)
            && !actions.iter().any(|one| one.is_named(known.as_str()))
        {
            actions.extend(self.action(&known, until).await?);
        }
        let mut reading =
            machine_action::read(&actions, wanted, known).ok_or_else(|| says_nothing(&answer))?;
        // Before it is cut off it has to be known which machine that is.
        let is_to_be = !matches!(reading.effect, EffectSeen::InEffect | EffectSeen::Pending);
        if wanted.deed == Deed::Isolate && is_to_be {
            match self.machine(&wanted.machine, until).await? {
                Some(device) => reading.device = Some(device),
                None => return Ok(seen(EffectSeen::NoSuchTarget, "no such machine")),
            }
        }
        Ok(reading)
    }

    /// What Defender knows a machine by.
    async fn machine(&self, id: &Id, until: Instant) -> Result<Option<DeviceSeen>, EdrError> {
        let call = Call::get(MACHINES).segment(id.as_str());
        let answer = self.api.exchange(&call, until).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        let machine: Machine = read(&answer)?;
        let device = machine.seen_as(id);
        device.map(Some).ok_or_else(|| says_nothing(&answer))
    }

    /// What was asked for on the machine, whatever it was: types are told apart here.
    async fn actions(
        &self,
        wanted: &Errand,
        until: Instant,
    ) -> Result<(Vec<MachineAction>, Answer), EdrError> {
        let filter = equals("machineId", wanted.machine.as_str());
        // All that was done on it in months: nobody says in which order, so no part of it will do.
        let call = Call::get(MACHINE_ACTIONS).query("$filter", filter).long();
        let answer = self.api.exchange(&call, until).await?;
        let list: List<MachineAction> = read(&answer)?;
        Ok((list.value, answer))
    }

    async fn action(&self, name: &Id, until: Instant) -> Result<Option<MachineAction>, EdrError> {
        let call = Call::get(MACHINE_ACTIONS).segment(name.as_str());
        let answer = self.api.exchange(&call, until).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        read(&answer).map(Some)
    }

    async fn begin(
        &self,
        wanted: &Errand,
        guard: &Guard,
        until: Instant,
    ) -> Result<Sent, EdrError> {
        let answer = self.api.exchange(&wanted.request(guard), until).await?;
        if code(&answer).as_deref() == Some(ALREADY_UNDER_WAY) {
            return self.adopt(&answer, wanted, until).await;
        }
        let made: MachineAction = read(&answer)?;
        let name = made.name().ok_or_else(|| says_nothing(&answer))?;
        Ok(Sent {
            status: answer.status,
            reference: Some(name),
        })
    }

    /// The vendor refuses because something is under way on the machine. If that is what we want, it is as
    /// good as ours.
    async fn adopt(
        &self,
        refused: &Answer,
        wanted: &Errand,
        until: Instant,
    ) -> Result<Sent, EdrError> {
        let found = match self.actions(wanted, until).await {
            Ok((actions, _)) => machine_action::under_way(&actions, wanted),
            // What was refused has changed nothing, whether or not the reason can be looked at.
            Err(_unread) => None,
        };
        match found {
            Some(name) => Ok(Sent {
                status: refused.status,
                reference: Some(name),
            }),
            None => Err(refused.refusal(Some(ALREADY_UNDER_WAY), &[ALREADY_UNDER_WAY])),
        }
    }

    async fn indicators(&self, block: &Block, until: Instant) -> Result<Vec<Indicator>, EdrError> {
        let filter = equals("indicatorValue", &block.sha256);
        let call = Call::get(INDICATORS).query("$filter", filter);
        let answer = self.api.exchange(&call, until).await?;
        read(&answer).map(|list: List<Indicator>| list.value)
    }

    async fn block(
        &self,
        block: &Block,
        known: Option<&str>,
        (guard, until): (&Guard, Instant),
    ) -> Result<Sent, EdrError> {
        let indicators = self.indicators(block, until).await?;
        if indicator::others_have(&indicators, block, known) {
            return Err(never("somebody else has an indicator for this file"));
        }
        let answer = self.api.exchange(&block.addition(guard), until).await?;
        let made: Indicator = read(&answer)?;
        let name = made.name().ok_or_else(|| says_nothing(&answer))?;
        Ok(Sent {
            status: answer.status,
            reference: Some(name),
        })
    }

    async fn unblock(
        &self,
        block: &Block,
        known: Option<&str>,
        (guard, until): (&Guard, Instant),
    ) -> Result<Sent, EdrError> {
        let indicators = self.indicators(block, until).await?;
        let ours = indicator::read(&indicators, block, known).reference;
        let ours = ours.as_deref().and_then(Id::parse);
        let ours = ours.ok_or_else(|| never("there is no indicator of ours for this file"))?;
        let call = Call::delete(INDICATORS)
            .segment(ours.as_str())
            .changing(guard);
        let answer = self.api.exchange(&call, until).await?;
        if !answer.is_success() {
            return Err(refused(&answer));
        }
        // It has nothing to say; a page in the place of that is somebody else's answer.
        if !answer.body.is_empty() {
            return Err(says_nothing(&answer));
        }
        Ok(Sent {
            status: answer.status,
            reference: Some(ours.as_str().to_owned()),
        })
    }
}

#[cfg(test)]
mod tests;

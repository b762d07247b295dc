//! The tenant's people, its credential, and what they ask of its machine.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use tokio::sync::oneshot;
use vyrox_actors::{
    edr::EdrCredential,
    keyring::{ActionSeed, EdrKeys, Keyring, TenantKeys, secret},
    messages::{
        DecideAction, ExecuteAction, ExecuteAnswer, External, ExternalTarget, ListActs, Outcome,
        RedriveAction, RollBackAction, StepAnswer, Who,
    },
    registry::ChangePeople,
};
use vyrox_domain::{
    action::ActionType,
    containment::{Act, ClaimMade},
    digest::Digest,
    host_protocol::{PeopleChange, PersonAdded, PersonGranted},
    ids::{ActionId, AlertId, PersonId},
    person::Role,
    protocol::{Verb, Via},
    vendor::Vendor,
};

use super::{HOST, House, changed, tenant};

fn ann() -> PersonId {
    "ann".parse().expect("a name")
}

fn by_token() -> Via {
    Via::Token {
        token_id: "a-token".into(),
    }
}

impl House {
    /// Gives the tenant a person who may approve, and a credential.
    pub(super) async fn equip(&self) {
        let by = || "system".to_owned();
        let added = PeopleChange::Added(PersonAdded {
            person_id: ann(),
            by: by(),
        });
        let granted = PeopleChange::Granted(PersonGranted {
            person_id: ann(),
            tenant_id: tenant(),
            roles: BTreeSet::from([Role::Approver]),
            by: by(),
        });
        for change in [added, granted] {
            let registry = &self.host.registry;
            changed(|reply| registry.try_cast(ChangePeople { change, reply }).is_ok()).await;
        }
        self.with_credential(false);
    }

    /// Puts a keyring in force in which the tenant has a credential.
    pub(crate) fn with_credential(&self, halted: bool) {
        self.keys_in_force(halted, true);
    }

    /// Takes its credential away.
    pub(crate) fn without_credential(&self) {
        self.keys_in_force(false, false);
    }

    fn keys_in_force(&self, halted: bool, equipped: bool) {
        let keyring = self.world.keyring.load_full();
        let keys = keyring.tenant("acme").expect("the tenant");
        let credential = EdrCredential {
            version: 1,
            base_url: "https://edr.example".into(),
            login_url: None,
            client_id: None,
            secret: secret("a secret of the tenant"),
            realm: None,
        };
        let edr = EdrKeys {
            current: Arc::new(credential),
            previous: None,
        };
        let seed = keys.action_seed.as_ref().expect("a key to sign with");
        let keys = TenantKeys {
            tenant: keys.tenant.clone(),
            opaque_id: keys.opaque_id.clone(),
            data_key: Arc::clone(&keys.data_key),
            webhooks: HashMap::new(),
            settings: keys.settings.clone(),
            action_seed: ActionSeed::new(seed.expose()),
            action_kid: keys.action_kid.clone(),
            edr: equipped
                .then(|| (Vendor::Crowdstrike, Arc::new(edr)))
                .into_iter()
                .collect(),
            action_secret: None,
            halted,
        };
        let anew = Keyring::new([Arc::new(keys)], []);
        let anew = anew.with(
            Arc::clone(&keyring.people),
            Arc::clone(keyring.host_secrets()),
        );
        self.world.keyring.store(Arc::new(anew));
    }

    /// Ann says yes.
    pub(crate) async fn approve(&self, alert_id: AlertId) -> Outcome {
        let mut answer = self.say_yes(alert_id).await;
        answer.try_recv().expect("an answer").expect("durable")
    }

    /// The same, where nothing may become durable.
    pub(crate) async fn say_yes(&self, alert_id: AlertId) -> Said {
        let (reply, answer) = oneshot::channel();
        let decide = DecideAction {
            alert_id,
            shown: None,
            verb: Verb::Approve,
            who: Who::Person(ann()),
            via: by_token(),
            reason: None,
            incident_id: None,
            reply,
        };
        self.machine().await.try_cast(decide).expect("room");
        self.quiet().await;
        answer
    }

    /// Ann takes an action back.
    pub(crate) async fn roll_back(&self, action_id: ActionId) -> StepAnswer {
        let (reply, mut answer) = oneshot::channel();
        let wish = RollBackAction {
            action_id,
            person: ann(),
            via: by_token(),
            reply,
        };
        self.machine().await.try_cast(wish).expect("room");
        self.quiet().await;
        answer.try_recv().expect("an answer").expect("durable")
    }

    /// Ann takes an action back, and waits for no answer.
    pub(crate) async fn press_roll_back(&self, action_id: ActionId) {
        let (reply, _nobody_waits) = oneshot::channel();
        let wish = RollBackAction {
            action_id,
            person: ann(),
            via: by_token(),
            reply,
        };
        self.machine().await.try_cast(wish).expect("room");
    }

    /// Ann has an action driven again.
    pub(crate) async fn redrive(&self, action_id: ActionId) -> StepAnswer {
        let (reply, mut answer) = oneshot::channel();
        let wish = RedriveAction {
            action_id,
            person: ann(),
            reply,
        };
        self.machine().await.try_cast(wish).expect("room");
        self.quiet().await;
        answer.try_recv().expect("an answer").expect("durable")
    }

    /// A trusted service asks for the host to be contained.
    pub(crate) async fn execute(&self, request_id: &str, body: &str) -> Waits {
        let claim = ClaimMade {
            request_id: request_id.to_owned(),
            rollback: false,
            body_sha256: Digest::of(body.as_bytes()),
        };
        self.request(claim, HOST).await
    }

    /// A trusted service asks for a machine to be contained, or to be given back.
    pub(crate) async fn request(&self, claim: ClaimMade, target_urn: &str) -> Waits {
        let (reply, answer) = oneshot::channel();
        let request = External {
            claim,
            action_type: ActionType::HostIsolation,
            alert_id: AlertId(self.world.fresh_id(self.world.now())),
            target: Ok(ExternalTarget {
                vendor: Vendor::Crowdstrike,
                target_urn: target_urn.into(),
                host: Some("ws-1".into()),
                parameters: BTreeMap::new(),
                protected: None,
                verdict: None,
                incident_id: None,
            }),
            approved_by: "bob".into(),
            approved_at: self.world.now(),
        };
        let message = ExecuteAction { request, reply };
        self.machine().await.try_cast(message).expect("room");
        answer
    }

    /// All actions, the last one first.
    pub(crate) async fn acts(&self) -> Vec<(ActionId, Act)> {
        let (reply, mut answer) = oneshot::channel();
        let list = ListActs {
            only: None,
            limit: 100,
            reply,
        };
        self.machine().await.try_cast(list).expect("room");
        self.quiet().await;
        answer.try_recv().expect("an answer")
    }
}

/// The answer that a trusted service waits for.
pub(crate) type Waits =
    oneshot::Receiver<Result<ExecuteAnswer, vyrox_actors::journal::AppendError>>;

/// The answer that a person waits for.
pub(crate) type Said = oneshot::Receiver<Result<Outcome, vyrox_actors::journal::AppendError>>;

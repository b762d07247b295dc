//! Vendors' clouds that are asked for alerts, and do as they are told.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard},
};

use futures_util::{FutureExt as _, future::BoxFuture};
use vyrox_actors::{
    edr::{
        Checked, Edr, EdrCredential, EdrError, EdrSetupError, Edrs, Guard, LineState, Polled,
        Reading, Sent,
    },
    keyring::{EdrKeys, Keyring, TenantKeys},
};
use vyrox_domain::{
    action::{ActionManifest, jws::SignedAction},
    ids::TenantId,
    time::Timestamp,
    vendor::Vendor,
    webhook::Secret,
};

use super::House;

/// All clouds, by tenant and vendor.
#[derive(Clone, Default)]
pub(crate) struct Clouds(Arc<Mutex<BTreeMap<(String, Vendor), PolledCloud>>>);

/// What one vendor knows of one tenant.
#[derive(Default)]
pub(crate) struct PolledCloud {
    /// Alerts by the moment that the vendor gives them; and the one of their appearance, where it is later.
    pub(crate) alerts: Vec<(Timestamp, Vec<u8>)>,
    /// Beginnings of what is longer than is read of an answer.
    pub(crate) cut: Vec<Vec<u8>>,
    /// What each question is answered with, instead.
    pub(crate) fails: Option<EdrError>,
    /// So many questions make the one who asks fall.
    pub(crate) fells: u32,
    /// Questions are not answered at all.
    pub(crate) hangs: bool,
    /// Credentials that are not accepted.
    pub(crate) rejects: Vec<u64>,
    /// Who asked for what, and when.
    pub(crate) asked: Vec<Asked>,
    /// Questions without an answer yet, and the most that there were.
    pub(crate) open: (u32, u32),
}

pub(crate) struct Asked {
    pub(crate) version: u64,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

impl Clouds {
    /// What one of them does.
    pub(crate) fn of<T>(
        &self,
        tenant: &str,
        vendor: Vendor,
        look: impl FnOnce(&mut PolledCloud) -> T,
    ) -> T {
        let mut all = self.lock();
        look(all.entry((tenant.to_owned(), vendor)).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, Vendor), PolledCloud>> {
        // A question that fells the poller does so with the lock in its hand.
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Edrs for Clouds {
    fn connect(
        &self,
        tenant: &TenantId,
        vendor: Vendor,
        credential: &EdrCredential,
    ) -> Result<Arc<dyn Edr>, EdrSetupError> {
        Ok(Arc::new(Line {
            clouds: self.clone(),
            tenant: tenant.to_string(),
            vendor,
            version: credential.version,
        }))
    }
}

struct Line {
    clouds: Clouds,
    tenant: String,
    vendor: Vendor,
    version: u64,
}

/// A question that waits; counted off when it is answered or given up.
struct Open(Clouds, String, Vendor);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.of(&self.1, self.2, |cloud| cloud.open.0 -= 1);
    }
}

impl Edr for Line {
    fn read(
        &self,
        _: &ActionManifest,
        _: Option<&str>,
    ) -> BoxFuture<'static, Result<Reading, EdrError>> {
        nothing()
    }

    fn send(
        &self,
        _: &SignedAction,
        _: Option<&str>,
        _: Guard,
    ) -> BoxFuture<'static, Result<Sent, EdrError>> {
        nothing()
    }

    fn check(&self) -> BoxFuture<'static, Result<Checked, EdrError>> {
        nothing()
    }

    fn poll(
        &self,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> BoxFuture<'static, Result<Polled, EdrError>> {
        let (clouds, tenant) = (self.clouds.clone(), self.tenant.clone());
        let (vendor, version) = (self.vendor, self.version);
        async move {
            let (answer, open) = clouds.of(&tenant, vendor, |cloud| {
                cloud.open.0 += 1;
                cloud.open.1 = cloud.open.1.max(cloud.open.0);
                let asked = Asked { version, from, to };
                cloud.asked.push(asked);
                let open = Open(clouds.clone(), tenant.clone(), vendor);
                (cloud.answer(version, (from, to), limit), open)
            });
            let answer = match answer {
                Said::Answer(answer) => answer,
                Said::Nothing => std::future::pending().await,
                Said::Poison => panic!("a question that fells whoever asks"),
            };
            drop(open);
            answer
        }
        .boxed()
    }

    fn alert(&self, _: &str) -> BoxFuture<'static, Result<Option<Vec<u8>>, EdrError>> {
        nothing()
    }

    fn line(&self) -> LineState {
        LineState::default()
    }
}

/// What a question comes to.
enum Said {
    Answer(Result<Polled, EdrError>),
    /// It is never answered.
    Nothing,
    /// Whoever asked falls.
    Poison,
}

impl PolledCloud {
    fn answer(&mut self, version: u64, (from, to): (Timestamp, Timestamp), limit: usize) -> Said {
        if self.hangs {
            return Said::Nothing;
        }
        if self.fells > 0 {
            self.fells -= 1;
            return Said::Poison;
        }
        if self.rejects.contains(&version) {
            return Said::Answer(Err(EdrError::NotAuthorised { status: 401 }));
        }
        if let Some(error) = &self.fails {
            return Said::Answer(Err(error.clone()));
        }
        let mut found: Vec<_> = self
            .alerts
            .iter()
            .filter(|(at, _)| (from..=to).contains(at))
            .collect();
        found.sort_by_key(|(at, _)| *at);
        let more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().map(|(at, _)| *at).filter(|_| more);
        Said::Answer(Ok(Polled {
            alerts: found.into_iter().map(|(_, body)| body.clone()).collect(),
            up_to: last.unwrap_or(to),
            cut: self.cut.clone(),
        }))
    }
}

fn nothing<T: Send + 'static>() -> BoxFuture<'static, Result<T, EdrError>> {
    let unsent = EdrError::Unsent {
        why: "this cloud is for polling".into(),
        transient: false,
    };
    futures_util::future::ready(Err(unsent)).boxed()
}

impl House {
    /// Gives a tenant credentials of these versions, the last one in force and the one before it for ten
    /// minutes; none at all where there is no version.
    pub(crate) fn credentials(&self, tenant: &str, vendor: Vendor, versions: &[u64]) {
        let before = self.world.keyring.load_full();
        let until = self.world.now().plus_ms(600_000);
        let credential = |version: u64| {
            Arc::new(EdrCredential {
                version,
                base_url: "https://cloud.example".into(),
                login_url: None,
                client_id: None,
                secret: Secret::new(b"a token".to_vec()),
                realm: None,
            })
        };
        let keys_of = |versions: &[u64]| match versions {
            [.., previous, current] => Some((*current, Some((until, credential(*previous))))),
            [current] => Some((*current, None)),
            [] => None,
        };
        let tenants = before.tenants().map(|old| {
            let mut edr: HashMap<_, _> = old.edr.clone();
            if old.tenant.as_str() == tenant {
                edr.remove(&vendor);
                edr.extend(keys_of(versions).map(|(current, previous)| {
                    let current = credential(current);
                    (vendor, Arc::new(EdrKeys { current, previous }))
                }));
            }
            Arc::new(TenantKeys {
                tenant: old.tenant.clone(),
                opaque_id: old.opaque_id.clone(),
                data_key: Arc::clone(&old.data_key),
                webhooks: HashMap::new(),
                settings: old.settings.clone(),
                action_seed: None,
                action_kid: None,
                edr,
                action_secret: None,
                halted: false,
            })
        });
        self.world
            .keyring
            .store(Arc::new(Keyring::new(tenants, [])));
    }
}

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use futures_util::future::{BoxFuture, FutureExt as _, pending, ready};
use vyrox_actors::edr::{Edr, Guard, LineState, Polled, Reading, Sent};
use vyrox_domain::{
    action::{ActionManifest, jws::SignedAction},
    time::Timestamp,
    webhook::Secret,
};

use super::*;

/// What an EDR says when it is asked; `None` for nothing, ever.
type Said = Option<Result<Checked, EdrError>>;

/// An EDR that knows one call.
struct Vendors {
    said: Said,
    calls: Arc<AtomicU32>,
}

impl Edrs for Vendors {
    fn connect(
        &self,
        _: &TenantId,
        _: Vendor,
        credential: &EdrCredential,
    ) -> Result<Arc<dyn Edr>, EdrSetupError> {
        if credential.realm.is_none() {
            return Err(EdrSetupError {
                member: "realm",
                message: "it is missing".into(),
            });
        }
        Ok(Arc::new(Self {
            said: self.said.clone(),
            calls: Arc::clone(&self.calls),
        }))
    }
}

impl Edr for Vendors {
    fn check(&self) -> BoxFuture<'static, Result<Checked, EdrError>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        match self.said.clone() {
            Some(said) => ready(said).boxed(),
            None => pending().boxed(),
        }
    }

    fn read(
        &self,
        _: &ActionManifest,
        _: Option<&str>,
    ) -> BoxFuture<'static, Result<Reading, EdrError>> {
        unasked()
    }

    fn send(
        &self,
        _: &SignedAction,
        _: Option<&str>,
        _: Guard,
    ) -> BoxFuture<'static, Result<Sent, EdrError>> {
        unasked()
    }

    fn poll(
        &self,
        _: Timestamp,
        _: Timestamp,
        _: usize,
    ) -> BoxFuture<'static, Result<Polled, EdrError>> {
        unasked()
    }

    fn alert(&self, _: &str) -> BoxFuture<'static, Result<Option<Vec<u8>>, EdrError>> {
        unasked()
    }

    fn line(&self) -> LineState {
        LineState::default()
    }
}

/// Nothing but the harmless call is made for a check.
fn unasked<T>() -> BoxFuture<'static, T> {
    panic!("this was not to be called")
}

fn vendors(said: Said) -> Vendors {
    Vendors {
        said,
        calls: Arc::default(),
    }
}

fn credential(realm: Option<&str>) -> EdrCredential {
    EdrCredential {
        version: 1,
        base_url: "https://api.securitycenter.microsoft.com".into(),
        login_url: None,
        client_id: Some("0123".into()),
        secret: Secret::new(b"Kuckucksuhr".to_vec()),
        realm: realm.map(Into::into),
    }
}

async fn outcome(said: Said) -> Result<String, (Code, String)> {
    let edrs = vendors(said);
    let tenant = "acme".parse().unwrap();
    let whose = (&tenant, Vendor::Defender);
    let good = credential(Some("r"));
    let asked = ask(Some(&edrs), whose, &good, Duration::from_millis(1)).await;
    assert_eq!(edrs.calls.load(Ordering::SeqCst), 1);
    asked
        .map(|checked| checked.note)
        .map_err(|problem| (problem.code(), problem.to_string()))
}

#[tokio::test]
async fn what_the_vendor_says_decides() {
    let note = Checked {
        note: "us-1".into(),
    };
    assert_eq!(outcome(Some(Ok(note))).await, Ok("us-1".to_owned()));
    let refused = |why: &str| EdrError::Refused {
        status: 403,
        why: why.into(),
    };
    let unsent = |transient| EdrError::Unsent {
        why: "no connection".into(),
        transient,
    };
    let busy = EdrError::Busy {
        status: 429,
        retry_at: None,
    };
    let lost = EdrError::Ambiguous {
        status: Some(500),
        why: "an answer that is none".into(),
    };
    for (error, code) in [
        (
            EdrError::NotAuthorised { status: 401 },
            Code::CredentialRefused,
        ),
        (refused("a scope is missing"), Code::CredentialRefused),
        (unsent(true), Code::CredentialUnchecked),
        (unsent(false), Code::CredentialUnchecked),
        (busy, Code::CredentialUnchecked),
        (lost, Code::CredentialUnchecked),
    ] {
        let (answered, text) = outcome(Some(Err(error.clone()))).await.unwrap_err();
        assert_eq!(answered, code, "{error}");
        assert!(
            text.contains(&error.to_string()) && text.contains("; "),
            "{text}"
        );
        assert!(!text.contains("Kuckucksuhr"), "{text}");
    }
    let (silent, text) = outcome(None).await.unwrap_err();
    assert_eq!(silent, Code::CredentialUnchecked, "{text}");
}

#[tokio::test]
async fn nothing_is_called_with_a_credential_that_makes_no_connection() {
    let edrs = vendors(None);
    let tenant = "acme".parse().unwrap();
    let whose = (&tenant, Vendor::Defender);
    let second = Duration::from_secs(1);
    let bad = credential(None);
    let asked = ask(Some(&edrs), whose, &bad, second).await.unwrap_err();
    assert_eq!(asked.code(), Code::InvalidCredential);
    assert!(asked.to_string().contains("`realm`"), "{asked}");
    let unchecked = connect_only(Some(&edrs), whose, &bad).unwrap_err();
    assert_eq!(unchecked.code(), Code::InvalidCredential);
    connect_only(Some(&edrs), whose, &credential(Some("r"))).unwrap();
    assert_eq!(edrs.calls.load(Ordering::SeqCst), 0);
    let alone = ask(None, whose, &bad, second).await.unwrap_err();
    assert_eq!(alone.code(), Code::VendorCheckUnavailable);
    connect_only(None, whose, &bad).unwrap();
}

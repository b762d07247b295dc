//! Witnesses of the log over HTTP: C2SP `tlog-witness`, `POST <prefix>/add-checkpoint`.
//!
//! Only bytes are carried here; whether an answer is worth anything is judged where the log is. A
//! witness is the one that the operator named: it is called there and nowhere else, encrypted unless it
//! is on this machine, and no redirect is followed.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::BoxFuture};
use reqwest::{Client, Response, StatusCode, Url, header};
use vyrox_actors::{
    journal::proof::{
        MAX_ANSWER_BYTES, VerifierKey,
        note::{Algorithm, KeyError},
    },
    notary::{Witness, WitnessReply},
};

use super::{SetupFault, http};

/// One question, from the connection to the last byte of the answer.
const LIMIT: Duration = Duration::from_secs(10);
/// More are not asked.
const MOST: usize = 16;
/// The type of a body that says which size a witness knows.
const SIZE_TYPE: &str = "text/x.tlog.size";

/// Where a witness is, and the key that its words are checked with.
#[derive(Clone, Debug)]
pub struct Address {
    key: VerifierKey,
    url: Url,
}

/// Reads `NAME+ID+KEY URL`, with commas or ends of lines between several.
///
/// # Errors
/// What is wrong with the first bad one, and what would be right.
pub fn addresses(text: &str) -> Result<Vec<Address>, String> {
    let entries = text.split([',', '\n']).map(str::trim);
    let entries = entries.filter(|entry| !entry.is_empty());
    let mut found: Vec<Address> = Vec::new();
    for (number, entry) in (1..).zip(entries) {
        let fault = |what: &str| format!("witness {number}: {what}");
        let address = Address::parse(entry).map_err(|what| fault(&what))?;
        if found
            .iter()
            .any(|other| other.key.name() == address.key.name())
        {
            return Err(fault("its key has the name of another one's"));
        }
        found.push(address);
    }
    if found.len() > MOST {
        return Err(format!("there are more than {MOST} witnesses"));
    }
    Ok(found)
}

impl Address {
    fn parse(entry: &str) -> Result<Self, String> {
        let form = "expected its key and its address with a space between, like \
                    witness.example+1a2b3c4d+BAbC... https://witness.example";
        let (key, url) = entry.split_once(char::is_whitespace).ok_or(form)?;
        let key = VerifierKey::parse(key).map_err(|error| match error {
            KeyError::Name | KeyError::Form => form.to_owned(),
            KeyError::Algorithm | KeyError::Id => error.to_string(),
        })?;
        if key.algorithm() != Algorithm::CosignatureV1 {
            let other = "the key is not a witness's: after the second + such a key begins with B";
            return Err(other.into());
        }
        let url = call_of(url.trim()).ok_or(
            "expected an https URL, like https://witness.example; http is for this machine alone",
        )?;
        Ok(Self { key, url })
    }
}

/// Where requests go.
fn call_of(prefix: &str) -> Option<Url> {
    let url = Url::parse(prefix).ok()?;
    let plain = url.username().is_empty() && url.password().is_none();
    let bare = url.query().is_none() && url.fragment().is_none();
    let safe = url.scheme() == "https" || url.scheme() == "http" && http::is_loopback(&url);
    if !(url.has_host() && plain && bare && safe) {
        return None;
    }
    let call = format!("{}/add-checkpoint", prefix.trim_end_matches('/'));
    Url::parse(&call).ok()
}

/// A witness. Cheap to clone.
#[derive(Clone)]
pub struct HttpWitness(Arc<Inner>);

struct Inner {
    http: Client,
    address: Address,
}

impl HttpWitness {
    /// The ways to all witnesses of the configuration.
    ///
    /// # Errors
    /// An entry is not one, which the configuration should have said, or TLS cannot be set up.
    pub fn all(witnesses: &str) -> Result<Vec<Arc<dyn Witness>>, SetupFault> {
        let fault = |message| SetupFault {
            key: "audit.witnesses",
            message,
        };
        let addresses = addresses(witnesses).map_err(|_told| fault("names no witnesses"))?;
        let witnesses = addresses.into_iter().map(|address| {
            let http = http::client(&address.url);
            let http = http.map_err(|_unfit| fault("TLS cannot be set up"))?;
            Ok(Arc::new(Self(Arc::new(Inner { http, address }))) as Arc<dyn Witness>)
        });
        witnesses.collect()
    }
}

impl Witness for HttpWitness {
    fn key(&self) -> &VerifierKey {
        &self.0.address.key
    }

    fn add_checkpoint(&self, body: String) -> BoxFuture<'static, Result<WitnessReply, String>> {
        let inner = Arc::clone(&self.0);
        async move {
            let asked = tokio::time::timeout(LIMIT, inner.ask(body)).await;
            asked.unwrap_or_else(|_late| Err(format!("no answer within {} s", LIMIT.as_secs())))
        }
        .boxed()
    }
}

impl Inner {
    async fn ask(&self, body: String) -> Result<WitnessReply, String> {
        let request = self.http.post(self.address.url.clone());
        let request = request
            .header(header::CONTENT_TYPE, "text/plain")
            .body(body);
        let response = request.send().await;
        let response = response.map_err(|error| http::root_cause(&error))?;
        let status = response.status();
        let unnamed = status == StatusCode::CONFLICT && !is_size(&response);
        let body = http::body(response, MAX_ANSWER_BYTES).await;
        let body = body.map_err(|error| error.to_string())?;
        if unnamed && !body.is_empty() {
            return Err(format!("409 with a body that is not {SIZE_TYPE}"));
        }
        Ok(WitnessReply {
            status: status.as_u16(),
            body,
        })
    }
}

fn is_size(response: &Response) -> bool {
    let media_type = response.headers().get(header::CONTENT_TYPE);
    let media_type = media_type.and_then(|value| value.to_str().ok());
    let essence = media_type.and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(SIZE_TYPE))
}

#[cfg(test)]
mod tests {
    use vyrox_actors::journal::proof::KeyName;

    use super::*;

    fn vkey(name: &str, algorithm: Algorithm) -> String {
        let name = KeyName::parse(name).expect("a name");
        VerifierKey::new(name, algorithm, [7; 32]).to_string()
    }

    #[test]
    fn an_entry_is_a_key_and_an_address() {
        let (one, two) = ("one.example/w", "two.example");
        let [one, two] = [one, two].map(|name| vkey(name, Algorithm::CosignatureV1));
        let text = format!("{one} https://one.example/w/, {two}  http://127.0.0.1:9\n");
        let found = addresses(&text).expect("two");
        let urls: Vec<_> = found.iter().map(|address| address.url.as_str()).collect();
        assert_eq!(
            urls,
            [
                "https://one.example/w/add-checkpoint",
                "http://127.0.0.1:9/add-checkpoint"
            ]
        );
        assert_eq!(found[0].key.to_string(), one);
        assert!(addresses(" ,\n").expect("none").is_empty());
    }

    #[test]
    fn what_is_no_witness_is_refused_with_what_would_be_right() {
        let good = vkey("w.example", Algorithm::CosignatureV1);
        let log = vkey("w.example", Algorithm::Ed25519);
        let bent = good.replacen("w.example", "v.example", 1);
        for (text, says) in [
            (good.clone(), "with a space between"),
            ("https://w.example".into(), "with a space between"),
            ("w.example https://w.example".into(), "with a space between"),
            (format!("{log} https://w.example"), "begins with B"),
            (format!("{bent} https://w.example"), "id in the middle"),
            (format!("{good} http://w.example"), "expected an https URL"),
            (
                format!("{good} https://u:p@w.example"),
                "expected an https URL",
            ),
            (
                format!("{good} https://w.example/?q"),
                "expected an https URL",
            ),
            (format!("{good} w.example"), "expected an https URL"),
            (
                format!("{good} https://w.example,{good} https://v.example"),
                "witness 2: its key has the name",
            ),
        ] {
            let why = addresses(&text).expect_err("no witness");
            assert!(why.contains(says), "{text}: {why}");
        }
    }
}

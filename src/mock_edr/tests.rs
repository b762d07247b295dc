//! The stand-ins looked at with a plain client: each rule of the contracts once, each fault once.

mod crowdstrike;
mod defender;
mod faults;
mod sentinelone;
mod steering;

use reqwest::{Client, Method, RequestBuilder, redirect::Policy};
use serde_json::Value;
use vyrox_domain::vendor::Vendor;

use super::*;
use crate::scenario::Scenario;

/// Stand-ins and a client.
struct Bench {
    mock: MockEdr,
    client: Client,
    vendor: Vendor,
    /// The `Authorization` that holds.
    authorization: String,
}

impl Bench {
    /// A client of one of them that has its token.
    async fn new(vendor: Vendor) -> Self {
        // A second installation in the same process fails, which is as good as the first.
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let client = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        let mock = MockEdr::start(MockSettings::default()).unwrap();
        let mut bench = Self {
            mock,
            client,
            vendor,
            authorization: String::new(),
        };
        bench.authorize().await;
        bench
    }

    async fn authorize(&mut self) {
        let credential = self.mock.credential(self.vendor);
        if self.vendor == Vendor::Sentinelone {
            self.authorization = format!("ApiToken {}", credential.secret);
            return;
        }
        let answer = self.token_request().send().await.unwrap();
        let body: Value = answer.json().await.unwrap();
        self.authorization = format!("Bearer {}", body["access_token"].as_str().unwrap());
    }

    fn token_request(&self) -> RequestBuilder {
        let credential = self.mock.credential(self.vendor);
        let id = credential.client_id.clone().unwrap();
        let (url, extra) = match &credential.login_url {
            None => (format!("{}/oauth2/token", credential.base_url), ""),
            Some(login) => (
                format!(
                    "{login}/{}/oauth2/v2.0/token",
                    credential.realm.as_ref().unwrap()
                ),
                "&grant_type=client_credentials\
                 &scope=https%3A%2F%2Fapi.securitycenter.microsoft.com%2F.default",
            ),
        };
        let form = format!("client_id={id}&client_secret={}{extra}", credential.secret);
        self.client
            .post(url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
    }

    /// A request below the vendor's root, with the token.
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.mock.base(self.vendor)))
            .header("authorization", &self.authorization)
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        answered(self.request(Method::GET, path)).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        answered(self.request(Method::POST, path).json(&body)).await
    }

    async fn delete(&self, path: &str) -> (u16, Value) {
        answered(self.request(Method::DELETE, path)).await
    }

    /// Fails if a request broke the contract.
    fn is_sound(&self) {
        assert_eq!(self.mock.violations(), Vec::<String>::new());
    }

    /// How many violations there are.
    fn violations(&self) -> usize {
        self.mock.violations().len()
    }
}

/// Status and JSON of an answer; null where it has no body.
async fn answered(request: RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.bytes().await.unwrap();
    if body.is_empty() {
        return (status, Value::Null);
    }
    (status, serde_json::from_slice(&body).unwrap())
}

/// The id of the host in the Mimikatz story.
fn workstation(vendor: Vendor) -> String {
    Scenario::Mimikatz.sightings()[0].device_id(vendor)
}

//! The control interface, and the stand-ins' life.

use serde_json::json;
use vyrox_domain::{
    alert::Alert,
    webhook::{
        AuthScheme, HeaderList, Keys, RawWebhook, SIGNATURE_HEADER, Secret, signature_of, verify,
    },
};

use super::*;

const CS: Vendor = Vendor::Crowdstrike;

async fn control(bench: &Bench, method: Method, path: &str, body: &str) -> (u16, Value) {
    let url = format!("http://{}{path}", bench.mock.address());
    answered(bench.client.request(method, url).body(body.to_owned())).await
}

#[tokio::test]
async fn hosts_are_shown_and_changed() {
    let bench = Bench::new(CS).await;
    let page = bench
        .client
        .get(format!("http://{}/", bench.mock.address()));
    let page = page.send().await.unwrap().text().await.unwrap();
    let rows: Vec<_> = page
        .lines()
        .filter(|line| line.contains("WS-FINANCE-07"))
        .collect();
    assert_eq!(rows.len(), 3, "one a vendor: {page}");
    let path = "/_mock/hosts/WS-FINANCE-07";
    let wish = r#"{"online": false, "contained": true}"#;
    let (status, body) = control(&bench, Method::POST, path, wish).await;
    assert_eq!((status, body["hosts"].as_array().unwrap().len()), (200, 3));
    let host = bench.mock.host(CS, &workstation(CS)).unwrap();
    assert_eq!((host.online, host.network), (false, Network::Contained));
    control(&bench, Method::POST, path, r#"{"released": true}"#).await;
    let (_, all) = control(&bench, Method::GET, "/_mock/hosts", "").await;
    let shown = all["hosts"].as_array().unwrap().iter();
    let ours: Vec<_> = shown
        .filter(|host| host["name"] == "WS-FINANCE-07")
        .collect();
    assert!(
        ours.iter()
            .all(|host| host["network"] == "normal" && host["online"] == false)
    );
    assert_eq!(
        control(&bench, Method::POST, path, r#"{"on": true}"#)
            .await
            .0,
        400
    );
    assert_eq!(
        control(&bench, Method::POST, "/_mock/hosts/NOBODY", "{}")
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn faults_calls_and_alerts_have_their_places() {
    let bench = Bench::new(CS).await;
    let fault = "crowdstrike:list_hosts:503";
    let (status, body) = control(&bench, Method::POST, "/_mock/fault", fault).await;
    assert_eq!((status, &body["faults"]), (200, &json!([fault])));
    assert_eq!(bench.get("/devices/queries/devices/v1").await.0, 503);
    let in_json = r#"{"fault": "crowdstrike:list_hosts:503:always"}"#;
    control(&bench, Method::POST, "/_mock/fault", in_json).await;
    control(&bench, Method::DELETE, "/_mock/faults", "").await;
    assert_eq!(bench.get("/devices/queries/devices/v1").await.0, 200);
    assert_eq!(
        control(&bench, Method::POST, "/_mock/fault", "x").await.0,
        400
    );
    let (_, calls) = control(&bench, Method::GET, "/_mock/calls", "").await;
    let secret = &bench.mock.credential(CS).secret;
    assert!(!calls.to_string().contains(secret.as_str()));
    assert_eq!(
        calls["calls"].as_array().unwrap().len(),
        3,
        "a token and two lists"
    );
    for vendor in VENDORS {
        let wish = json!({ "vendor": vendor, "scenario": "lateral_chain" }).to_string();
        let (status, body) = control(&bench, Method::POST, "/_mock/alerts", &wish).await;
        assert_eq!((status, body["ids"].as_array().unwrap().len()), (200, 8));
    }
    assert_eq!(
        control(&bench, Method::POST, "/_mock/alerts", "{}").await.0,
        400
    );
}

/// What the stand-ins tell has to be what the parser of the real thing understands.
#[test]
fn alerts_in_full_shape_say_enough_to_contain_the_host() {
    let now = Timestamp::from_s(1_768_473_000);
    for vendor in VENDORS {
        for seen in Scenario::ALL.iter().flat_map(|story| story.sightings()) {
            let told = alerts::of_sighting(vendor, seen, "300", now);
            let alert = understood(vendor, &told.body.to_string(), now);
            let device = seen.device_id(vendor);
            assert_eq!(alert.device.id.as_deref(), Some(device.as_str()));
            assert_eq!(alert.device.hostname.as_deref(), Some(seen.host));
        }
    }
}

fn understood(vendor: Vendor, body: &str, now: Timestamp) -> Alert {
    let secret = Secret::new(b"s3cret".to_vec());
    let signature = signature_of(&secret, body.as_bytes());
    let keys = Keys {
        scheme: AuthScheme::VyroxHmac,
        current: secret,
        previous: None,
    };
    let raw = RawWebhook {
        vendor,
        body: body.as_bytes(),
        headers: &HeaderList(&[(SIGNATURE_HEADER, signature.as_bytes())]),
        now,
    };
    let verified = verify(raw, Some(&keys)).outcome.unwrap();
    let [alert] = Alert::parse(&verified).unwrap().try_into().unwrap();
    alert
}

#[tokio::test]
async fn any_host_will_do_where_that_is_asked_for() {
    let settings = MockSettings {
        any_host: true,
        ..MockSettings::default()
    };
    let mut bench = Bench::new(Vendor::Sentinelone).await;
    bench.mock = MockEdr::start(settings).unwrap();
    bench.authorize().await;
    let filter = json!({ "filter": { "ids": ["unheard-of"] } });
    let disconnect = "/web/api/v2.1/agents/actions/disconnect";
    let (_, body) = bench.post(disconnect, filter.clone()).await;
    assert_eq!(body["data"]["affected"], 1);
    let (_, body) = bench
        .post("/web/api/v2.1/threats/mitigate/kill", filter)
        .await;
    assert_eq!(body["data"]["affected"], 1);
    let simulated = "mimikatz-0197-4f5e-1";
    let path = format!("/web/api/v2.1/threats?ids={simulated}");
    let threat = bench.get(&path).await.1["data"][0].clone();
    let agent = workstation(Vendor::Sentinelone);
    assert_eq!(threat["id"], simulated);
    assert_eq!(threat["agentRealtimeInfo"]["agentId"], json!(agent));
    bench.is_sound();
}

#[tokio::test]
async fn they_stop_when_they_are_told_and_hold_nothing_back() {
    let bench = Bench::new(CS).await;
    let address = bench.mock.address();
    bench
        .mock
        .fault(Fault::once(CS, Route::ListHosts, Answer::Hang));
    let waiting = bench.request(Method::GET, "/devices/queries/devices/v1");
    let waiting = tokio::spawn(waiting.send());
    let asked = |calls: &[Call]| calls.iter().any(|call| call.is(CS, Route::ListHosts));
    let mock = bench.mock;
    let mock = tokio::task::spawn_blocking(move || {
        assert!(mock.wait_until(Duration::from_mins(1), asked));
        mock
    });
    mock.await.unwrap().stop();
    assert!(waiting.await.unwrap().is_err());
    assert!(TcpListener::bind(address).is_ok(), "the port is free again");
}

#[test]
fn a_credential_is_not_shown_by_debug() {
    let mock = MockEdr::start(MockSettings::default()).unwrap();
    for vendor in VENDORS {
        assert!(!format!("{mock:?}").contains(&mock.credential(vendor).secret));
    }
}

//! SentinelOne.

use serde_json::json;

use super::*;

const S1: Vendor = Vendor::Sentinelone;
const API: &str = "/web/api/v2.1";

async fn status(bench: &Bench) -> Value {
    let path = format!("{API}/agents?ids={}", workstation(S1));
    bench.get(&path).await.1["data"][0]["networkStatus"].clone()
}

async fn act(bench: &Bench, action: &str) -> Value {
    let body = json!({ "filter": { "ids": [workstation(S1)] } });
    let path = format!("{API}/agents/actions/{action}");
    let (code, body) = bench.post(&path, body).await;
    assert_eq!(code, 200);
    body["data"]["affected"].clone()
}

#[tokio::test]
async fn an_agent_is_cut_off_and_let_back() {
    let bench = Bench::new(S1).await;
    assert_eq!(status(&bench).await, "connected");
    assert_eq!(act(&bench, "disconnect").await, 1);
    assert_eq!(act(&bench, "disconnect").await, 0, "it is already");
    assert_eq!(status(&bench).await, "disconnected");
    bench.mock.set_online(&workstation(S1), false);
    assert_eq!(act(&bench, "connect").await, 1);
    assert_eq!(status(&bench).await, "connecting");
    bench.mock.set_online(&workstation(S1), true);
    assert_eq!(status(&bench).await, "connected");
    bench.is_sound();
}

#[tokio::test]
async fn a_wrong_token_is_refused() {
    let mut bench = Bench::new(S1).await;
    let path = format!("{API}/agents?limit=1");
    assert_eq!(bench.get(&path).await.0, 200);
    bench.authorization = "ApiToken wrong".to_owned();
    let (status, body) = bench.get(&path).await;
    assert_eq!(status, 401);
    assert_eq!(body["errors"][0]["title"], "Authentication Failed");
    bench.is_sound();
}

/// A filter without ids is every agent that the token can reach.
#[tokio::test]
async fn an_empty_filter_is_answered_400_and_never_forgotten() {
    let bench = Bench::new(S1).await;
    let id = workstation(S1);
    let wrong = [
        json!({ "filter": {} }),
        json!({ "filter": { "ids": [] } }),
        json!({ "filter": { "ids": [""] } }),
        json!({ "filter": { "ids": [id], "siteIds": ["1"] } }),
        json!({ "data": {} }),
        json!({ "filter": { "ids": [id] }, "force": true }),
    ];
    for (index, body) in wrong.iter().enumerate() {
        let path = format!("{API}/agents/actions/disconnect");
        assert_eq!(bench.post(&path, body.clone()).await.0, 400, "{body}");
        assert_eq!(bench.violations(), index + 1, "{body}");
    }
    assert_eq!(status(&bench).await, "connected");
    assert_eq!(bench.mock.host(S1, &id).unwrap().network, Network::Normal);
}

#[tokio::test]
async fn a_threat_is_mitigated_and_says_how_far_that_is() {
    let bench = Bench::new(S1).await;
    let seen = &Scenario::Mimikatz.sightings()[0];
    let id = bench
        .mock
        .add_sighting(S1, seen, Timestamp::from_s(1_768_473_000));
    bench.mock.set_online(&workstation(S1), false);
    let filter = json!({ "filter": { "ids": [id] } });
    let (_, body) = bench
        .post(&format!("{API}/threats/mitigate/kill"), filter.clone())
        .await;
    assert_eq!(body["data"]["affected"], 1);
    let read = format!("{API}/threats?ids={id}");
    let row = bench.get(&read).await.1["data"][0]["mitigationStatus"][0].clone();
    assert_eq!(
        (&row["action"], &row["status"]),
        (&json!("kill"), &json!("pending"))
    );
    bench.mock.set_online(&workstation(S1), true);
    let threat = bench.get(&read).await.1["data"][0].clone();
    assert_eq!(threat["mitigationStatus"][0]["status"], "success");
    assert_eq!(threat["threatInfo"]["mitigationStatus"], "mitigated");
    let unknown = json!({ "filter": { "ids": ["7"] } });
    let (_, body) = bench
        .post(&format!("{API}/threats/mitigate/quarantine"), unknown)
        .await;
    assert_eq!(body["data"]["affected"], 0);
    bench.is_sound();
    assert_eq!(
        bench
            .post(&format!("{API}/threats/mitigate/obliterate"), filter)
            .await
            .0,
        400
    );
    assert_eq!(bench.violations(), 1);
}

#[tokio::test]
async fn threats_come_in_pages_between_two_moments() {
    let bench = Bench::new(S1).await;
    let at = |s: u64| Timestamp::from_s(1_768_473_000 + s);
    let seen = &Scenario::Mimikatz.sightings()[0];
    let ids: Vec<_> = (0..3)
        .map(|s| bench.mock.add_sighting(S1, seen, at(s)))
        .collect();
    let find = format!(
        "{API}/threats?createdAt__gte={}&createdAt__lt={}&sortBy=createdAt&sortOrder=asc&limit=1",
        at(0),
        at(2)
    );
    let (_, first) = bench.get(&find).await;
    assert_eq!(first["data"][0]["id"], json!(ids[0]));
    assert_eq!(first["pagination"]["totalItems"], 2);
    let cursor = first["pagination"]["nextCursor"].as_str().unwrap();
    let (_, second) = bench.get(&format!("{find}&cursor={cursor}")).await;
    assert_eq!(second["data"][0]["id"], json!(ids[1]));
    assert_eq!(second["pagination"]["nextCursor"], Value::Null);
    bench.is_sound();
}

#[tokio::test]
async fn a_hash_goes_on_the_blocklist_and_off_it() {
    let bench = Bench::new(S1).await;
    let hash = "ab".repeat(20);
    let data = json!({
        "type": "black_hash", "value": hash, "osType": "windows", "description": "x",
        "source": "user",
    });
    let restrictions = format!("{API}/restrictions");
    let body = json!({ "data": data, "filter": { "tenant": true } });
    let (code, made) = bench.post(&restrictions, body.clone()).await;
    assert_eq!(code, 200);
    let id = made["data"][0]["id"].clone();
    let find = format!("{restrictions}?type=black_hash&value={hash}&includeChildren=true");
    assert_eq!(bench.get(&find).await.1["data"][0]["id"], id);
    bench.is_sound();
    for (at, value) in [
        ("/filter", json!({})),
        ("/filter", json!({ "tenant": false })),
        ("/filter", json!({ "tenant": true, "siteIds": ["1"] })),
        ("/data/osType", json!("beos")),
        ("/data/value", json!("xyz")),
        ("/data/type", json!("white_hash")),
    ] {
        let mut wrong = body.clone();
        *wrong.pointer_mut(at).unwrap() = value;
        assert_eq!(
            bench.post(&restrictions, wrong.clone()).await.0,
            400,
            "{wrong}"
        );
    }
    assert_eq!(bench.violations(), 6);
    let gone = json!({ "data": { "type": "black_hash", "ids": [id] } });
    let delete = bench.request(Method::DELETE, &restrictions).json(&gone);
    assert_eq!(answered(delete).await.1["data"]["affected"], 1);
    assert_eq!(bench.get(&find).await.1["data"], json!([]));
}

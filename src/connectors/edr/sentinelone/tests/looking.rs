//! Threats looked for and looked up, and the check of a credential.

use super::*;

#[tokio::test]
async fn polls_follow_the_cursor_and_say_how_far_they_came() {
    let (from, to) = (
        Timestamp::from_s(1_768_471_200),
        Timestamp::from_s(1_768_474_800),
    );
    let threat = |id: u32| {
        let at = format!("2026-01-15T10:{id:02}:00.000000Z");
        json!({ "id": id.to_string(), "threatInfo": { "createdAt": at } })
    };
    let page = |ids: std::ops::Range<u32>, cursor: Option<&str>| {
        let threats: Vec<_> = ids.map(threat).collect();
        reply(
            200,
            &json!({ "data": threats, "pagination": { "nextCursor": cursor, "totalItems": 9 } }),
        )
    };

    let (vendor, edr) = console(None, vec![page(1..3, Some("c1")), page(3..4, None)]).await;
    let polled = edr.poll(from, to, 5).await.unwrap();
    assert_eq!((polled.alerts.len(), polled.up_to), (3, to));
    assert_eq!(polled.alerts[2], threat(3).to_string().into_bytes());
    let between =
        "createdAt__gte=2026-01-15T10%3A00%3A00.000Z&createdAt__lt=2026-01-15T11%3A00%3A00.000Z";
    let asked = format!("GET /web/api/v2.1/threats?{between}&sortBy=createdAt&sortOrder=asc");
    assert_eq!(
        vendor.lines(),
        [
            format!("{asked}&limit=5"),
            format!("{asked}&limit=3&cursor=c1")
        ]
    );

    let (vendor, edr) = console(None, vec![page(1..3, Some("c1")), page(3..4, Some("c2"))]).await;
    let polled = edr.poll(from, to, 3).await.unwrap();
    assert_eq!(
        polled.up_to,
        Timestamp::from_rfc3339("2026-01-15T10:03:00Z").unwrap()
    );
    assert_eq!((polled.alerts.len(), vendor.left()), (3, 0));
}

/// A page that is cut short is followed by one from its last threat on. Were it not in order, what is older
/// than that and not on the page would never be asked for again.
#[tokio::test]
async fn a_short_page_that_is_not_in_order_is_not_taken() {
    let threats = json!([
        { "id": "2", "threatInfo": { "createdAt": "2026-01-15T10:02:00Z" } },
        { "id": "1", "threatInfo": { "createdAt": "2026-01-15T10:01:00Z" } },
    ]);
    let page = json!({ "data": threats, "pagination": { "nextCursor": "c1" } });
    let (_vendor, edr) = console(None, vec![reply(200, &page)]).await;
    let polled = edr
        .poll(Timestamp::from_s(0), Timestamp::from_s(1), 2)
        .await;
    assert_eq!(name(&polled), "unsent");
}

#[tokio::test]
async fn one_threat_is_looked_up_as_it_is_or_not_at_all() {
    let (vendor, edr) = console(None, vec![threat("11", &Value::Null), entries(&json!([]))]).await;
    let found = edr.alert("77").await.unwrap().unwrap();
    let found: Value = serde_json::from_slice(&found).unwrap();
    assert_eq!(found["agentRealtimeInfo"]["agentId"], "11");
    assert_eq!(edr.alert("77").await, Ok(None));
    assert_eq!(edr.alert("7,8").await, Ok(None));
    assert_eq!(vendor.lines(), [THREAT_77, THREAT_77]);
}

#[tokio::test]
async fn a_check_says_how_many_hosts_there_are() {
    let body = json!({ "data": [{ "id": "1" }], "pagination": { "totalItems": 12 } });
    let (vendor, edr) = console(None, vec![reply(200, &body), reply(401, &json!({}))]).await;
    assert_eq!(edr.check().await.unwrap().note, "12 hosts seen");
    assert_eq!(vendor.lines(), ["GET /web/api/v2.1/agents?limit=1"]);
    assert_eq!(name(&edr.check().await), "not authorised");
}

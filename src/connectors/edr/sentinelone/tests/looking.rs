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

/// A threat that came to be in the minute that its id's first digit says.
fn threat_of(id: u32) -> Value {
    let at = format!("2026-01-15T10:{:02}:00.000000Z", id / 10);
    json!({ "id": id.to_string(), "threatInfo": { "createdAt": at } })
}

fn page_of(ids: &[u32], cursor: Option<&str>) -> Reply {
    let threats: Vec<_> = ids.iter().copied().map(threat_of).collect();
    reply(
        200,
        &json!({ "data": threats, "pagination": { "nextCursor": cursor } }),
    )
}

/// A page of long threats was longer than is read of an answer. Each round asked for the same page, and that
/// tenant's threats were seen no more.
#[tokio::test]
async fn a_page_that_is_too_long_is_asked_for_by_half_and_a_threat_that_is_too_long_is_passed_over()
{
    let (from, to) = (
        Timestamp::from_s(1_768_471_200),
        Timestamp::from_s(1_768_474_800),
    );
    let begins = r#"{"id":"13","threatInfo":{"storyline":""#;
    let giant = || {
        let filling = "x".repeat(8 << 20);
        let body =
            format!(r#"{{"pagination":{{"nextCursor":"c9"}},"data":[{begins}{filling}"}}}}]}}"#);
        raw(200, &body)
    };
    let replies = vec![
        giant(),
        page_of(&[11, 12], Some("c1")),
        giant(),
        giant(),
        page_of(&[14, 20], Some("c2")),
        page_of(&[21], None),
    ];
    let (vendor, edr) = console(None, replies).await;
    let polled = edr.poll(from, to, 5).await.unwrap();
    let read: Vec<Value> = polled
        .alerts
        .iter()
        .map(|alert| serde_json::from_slice(alert).unwrap())
        .collect();
    assert_eq!(read, [11, 12, 14, 20, 21].map(threat_of));
    assert_eq!(polled.up_to, to);
    let [cut] = polled.cut.as_slice() else {
        panic!("one threat was passed over");
    };
    assert!(cut.starts_with(begins.as_bytes()) && cut.len() < 64 << 10);
    let tails: Vec<_> = vendor
        .lines()
        .iter()
        .map(|line| line.split_once("createdAt__gte=").unwrap().1.to_owned())
        .collect();
    let asked = |since: &str, tail: &str| {
        format!(
            "{since}.000Z&createdAt__lt=2026-01-15T11%3A00%3A00.000Z&sortBy=createdAt&sortOrder=asc&{tail}"
        )
    };
    let (begin, eleven) = ("2026-01-15T10%3A00%3A00", "2026-01-15T10%3A01%3A00");
    assert_eq!(
        tails,
        [
            asked(begin, "limit=5"),
            asked(begin, "limit=2"),
            asked(begin, "limit=3&cursor=c1"),
            asked(begin, "limit=1&cursor=c1"),
            // Both of that minute were read, and the third is passed over.
            asked(eleven, "limit=1&skip=3"),
            asked(eleven, "limit=1&cursor=c2"),
        ]
    );
}

#[tokio::test]
async fn what_was_read_before_the_vendor_broke_off_is_what_was_polled() {
    let page = json!({
        "data": [{ "id": "1", "threatInfo": { "createdAt": "2026-01-15T10:01:00Z" } }],
        "pagination": { "nextCursor": "c1" },
    });
    let moment = |text: &str| Timestamp::from_rfc3339(text).unwrap();
    let stretch = [
        moment("2026-01-15T10:00:00Z"),
        moment("2026-01-15T11:00:00Z"),
    ];
    let busy = || reply(503, &json!({}));
    let (_vendor, edr) = console(None, vec![reply(200, &page), busy(), busy()]).await;
    let polled = edr.poll(stretch[0], stretch[1], 9).await.unwrap();
    assert_eq!(
        (polled.alerts.len(), polled.up_to),
        (1, moment("2026-01-15T10:01:00Z"))
    );
    assert_eq!(name(&edr.poll(polled.up_to, stretch[1], 9).await), "busy");
}

/// A service user's token can reach several sites. Where the tenant is one of them, agents and threats of the
/// others were read and acted upon; only the blocklist was kept to the site.
#[tokio::test]
async fn with_a_site_nothing_of_another_one_is_read_or_changed() {
    let replies = vec![
        affected(1),
        agent("connected"),
        threat("11", &Value::Null),
        affected(1),
        entries(&json!([])),
        entries(&json!([])),
        entries(&json!([])),
    ];
    let (vendor, edr) = console(Some("9"), replies).await;
    send(&edr, HostIsolation, false).await.unwrap();
    edr.read(&manifest(HostIsolation, false), None)
        .await
        .unwrap();
    send(&edr, ProcessKill, false).await.unwrap();
    edr.alert("77").await.unwrap();
    edr.poll(Timestamp::from_s(0), Timestamp::from_s(1), 2)
        .await
        .unwrap();
    edr.check().await.unwrap();
    let asked = vendor.asked();
    assert_eq!(asked.len(), 7);
    for one in asked {
        let in_site = one.line.contains("?siteIds=9&");
        let in_filter = one.body["filter"]["siteIds"] == json!(["9"]);
        assert!(in_site || in_filter, "{one:?}");
    }
}

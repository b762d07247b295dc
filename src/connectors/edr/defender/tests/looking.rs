//! Alerts looked for and looked up, and what a credential has to say.

use super::*;

#[tokio::test]
async fn a_stretch_with_more_than_a_page_is_asked_for_again_by_half() {
    let (from, to) = (
        Timestamp::from_s(1_768_471_200),
        Timestamp::from_s(1_768_474_800),
    );
    let alert = |id: &str, minute: u32| {
        let at = format!("2026-01-15T10:{minute:02}:00.1234567Z");
        json!({ "id": id, "alertCreationTime": at, "evidence": [] })
    };
    let full = || list(&json!([alert("c", 20), alert("d", 59)]));
    let (vendor, edr) = centre(vec![full(), full(), list(&json!([alert("a", 1)]))]).await;
    let polled = edr.poll(from, to, 2).await.unwrap();
    assert_eq!(polled.alerts, [alert("a", 1).to_string().into_bytes()]);
    assert_eq!(polled.up_to, Timestamp::from_s(1_768_471_200 + 900));
    let asked = |until: &str| {
        format!(
            "GET /api/alerts?%24filter=alertCreationTime+ge+2026-01-15T10%3A00%3A00.000Z+and+\
             alertCreationTime+lt+2026-01-15T{until}%3A00.000Z&%24expand=evidence&%24top=2"
        )
    };
    assert_eq!(
        lines(&vendor),
        [asked("11%3A00"), asked("10%3A30"), asked("10%3A15")]
    );

    let more = json!({ "value": [alert("a", 1)], "@odata.nextLink": "https://elsewhere.example/" });
    let (vendor, edr) = centre(vec![reply(200, &more), list(&json!([]))]).await;
    let polled = edr.poll(from, to, 2).await.unwrap();
    assert_eq!(
        (polled.alerts.len(), polled.up_to),
        (0, Timestamp::from_s(1_768_471_200 + 1_800))
    );
    assert_eq!(lines(&vendor), [asked("11%3A00"), asked("10%3A30")]);
}

fn alert_at(id: &str, second: u32) -> Value {
    let at = format!("2026-01-15T10:00:{second:02}.1234567Z");
    json!({ "id": id, "alertCreationTime": at })
}

fn too_long() -> Reply {
    let filling = "x".repeat(8 << 20);
    raw(
        200,
        &format!(r#"{{"value":[{{"id":"b","title":"{filling}"}}]}}"#),
    )
}

/// What was asked for in a poll: up to which second, and whether with evidence; or which alert.
fn pieces(vendor: &Scripted) -> Vec<String> {
    let piece = |line: String| match line.split_once("lt+2026-01-15T10%3A") {
        Some((_, rest)) => {
            let evidence = if rest.contains("expand") { "" } else { " bare" };
            format!("{}{evidence}", rest.split('Z').next().unwrap_or_default())
        }
        None => line,
    };
    lines(vendor).into_iter().map(piece).collect()
}

/// A list of alerts with much evidence was longer than is read of an answer. Each round asked for the same
/// list, and that tenant's alerts were seen no more.
#[tokio::test]
async fn a_list_that_is_too_long_is_asked_for_in_pieces() {
    let moment = |text: &str| Timestamp::from_rfc3339(text).unwrap();
    let (from, to) = (
        moment("2026-01-15T10:00:00Z"),
        moment("2026-01-15T10:30:00Z"),
    );
    let seconds = [("a", 1), ("b", 2), ("c", 3), ("d", 4)];
    let bare = || list(&json!(seconds.map(|(id, second)| alert_at(id, second))));

    // Half of them will do.
    let full = list(&json!([alert_at("a", 1), alert_at("b", 2)]));
    let (vendor, edr) = centre(vec![too_long(), bare(), full]).await;
    let polled = edr.poll(from, to, 9).await.unwrap();
    assert_eq!(polled.alerts.len(), 2);
    assert_eq!(polled.up_to, moment("2026-01-15T10:00:03.123Z"));
    let asked = ["30%3A00.000", "30%3A00.000 bare", "00%3A03.123"];
    assert_eq!(pieces(&vendor), asked);

    // The first by itself is too long: it is taken without its evidence, and the next poll goes on behind it.
    let replies = vec![too_long(), bare(), too_long(), too_long(), too_long()];
    let (vendor, edr) = centre(replies).await;
    let polled = edr.poll(from, to, 9).await.unwrap();
    assert_eq!(polled.alerts, [alert_at("a", 1).to_string().into_bytes()]);
    assert_eq!(polled.up_to, moment("2026-01-15T10:00:02.123Z"));
    assert_eq!(polled.cut, Vec::<Vec<u8>>::new());
    let asked = [
        "30%3A00.000",
        "30%3A00.000 bare",
        "00%3A03.123",
        "00%3A02.123",
        "GET /api/alerts/a?%24expand=evidence",
    ];
    assert_eq!(pieces(&vendor), asked);
}

/// Even without evidence it is too long, down to one millisecond: what there is of it is kept.
#[tokio::test]
async fn a_moment_that_is_too_long_is_passed_over() {
    let (from, to) = (Timestamp::from_ms(1_000), Timestamp::from_ms(1_002));
    let (vendor, edr) = centre(vec![too_long(), too_long(), too_long()]).await;
    let polled = edr.poll(from, to, 9).await.unwrap();
    assert_eq!((polled.alerts.len(), polled.up_to.ms()), (0, 1_001));
    assert!(polled.cut[0].starts_with(br#"{"value":[{"id":"b""#));
    assert_eq!((polled.cut[0].len(), vendor.left()), (64 << 10, 0));
}

/// A vendor that gives more than it is asked for, and all there is, has given all.
#[tokio::test]
async fn a_page_that_is_longer_than_asked_for_is_taken() {
    let (from, to) = (Timestamp::from_ms(1_000), Timestamp::from_ms(9_000));
    let all = list(&json!([
        alert_at("a", 1),
        alert_at("b", 2),
        alert_at("c", 3)
    ]));
    let (_vendor, edr) = centre(vec![all]).await;
    let polled = edr.poll(from, to, 2).await.unwrap();
    assert_eq!((polled.alerts.len(), polled.up_to), (3, to));
}

#[tokio::test]
async fn one_alert_is_looked_up_as_it_is_or_not_at_all() {
    let found = reply(200, &json!({ "id": "da63_1", "evidence": [] }));
    let other = reply(200, &json!({ "id": "da63_2" }));
    let (vendor, edr) = centre(vec![found, other, refusal(404, "ResourceNotFound")]).await;
    let alert: Value =
        serde_json::from_slice(&edr.alert("da63_1").await.unwrap().unwrap()).unwrap();
    assert_eq!(alert["id"], "da63_1");
    assert_eq!(edr.alert("da63_1").await, Ok(None));
    assert_eq!(edr.alert("da63_1").await, Ok(None));
    assert_eq!(edr.alert("../machines/m1").await, Ok(None));
    assert_eq!(
        lines(&vendor),
        ["GET /api/alerts/da63_1?%24expand=evidence"; 3]
    );
}

#[tokio::test]
async fn a_check_reads_one_machine() {
    let (vendor, edr) = centre(vec![list(&json!([{}])), refusal(403, "Forbidden")]).await;
    assert_eq!(edr.check().await.unwrap().note, "machines can be read");
    assert_eq!(name(&edr.check().await), "refused");
    assert_eq!(lines(&vendor), ["GET /api/machines?%24top=1"; 2]);
}

#[test]
fn a_credential_says_whose_and_which_application() {
    let new = |realm: Option<&str>, client: Option<&str>| {
        let mut credential = credential("https://api.security.microsoft.com", realm);
        credential.login_url = None;
        credential.client_id = client.map(str::to_owned);
        let line = Arc::new(Line::new(Pace { per_s: 1, burst: 1 }));
        Defender::new(&credential, settings(), line)
            .err()
            .map(|error| error.member)
    };
    assert_eq!(new(Some("contoso.onmicrosoft.com"), Some("app")), None);
    assert_eq!(new(None, Some("app")), Some("realm"));
    assert_eq!(new(Some("../common"), Some("app")), Some("realm"));
    assert_eq!(new(Some("a/b"), Some("app")), Some("realm"));
    assert_eq!(new(Some(REALM), None), Some("client_id"));
}

#[test]
fn a_governments_cloud_has_its_own_scope() {
    let gov = "https://api-gov.securitycenter.microsoft.us";
    assert_eq!(scope(gov), format!("{gov}/.default"));
    for base in [
        "https://api.security.microsoft.com",
        "https://127.0.0.1:1",
        "x",
    ] {
        assert_eq!(scope(base), SCOPE);
    }
}

/// A machine's actions do not say which machine it is. A forged alert with the id of another machine was
/// taken at its word.
#[tokio::test]
async fn before_a_machine_is_cut_off_it_is_looked_at() {
    let machine = |id: &str| {
        let machine = json!({
            "id": id,
            "computerDnsName": "dc-1.corp.example",
            "osPlatform": "WindowsServer2022",
            "lastIpAddress": "10.0.0.1",
            "lastExternalIpAddress": null,
        });
        reply(200, &machine)
    };
    let (vendor, edr) = centre(vec![list(&json!([])), machine("M1")]).await;
    let reading = edr.read(&manifest(HostIsolation, false), None).await;
    let reading = reading.unwrap();
    assert_eq!(reading.effect, EffectSeen::NotInEffect);
    let expected = DeviceSeen {
        hostname: Some("dc-1.corp.example".to_owned()),
        role: None,
        ips: vec!["10.0.0.1".to_owned()],
        platform: Some("WindowsServer2022".to_owned()),
    };
    assert_eq!(reading.device, Some(expected));
    assert_eq!(lines(&vendor), [ACTIONS, MACHINE]);

    let (_vendor, edr) = centre(vec![list(&json!([])), machine("m2")]).await;
    let other = edr.read(&manifest(HostIsolation, false), None).await;
    assert_eq!(name(&other), "unsent");

    let (vendor, edr) = centre(vec![list(&json!([]))]).await;
    let lifted = edr.read(&manifest(HostIsolation, true), None).await;
    assert_eq!(lifted.unwrap().effect, EffectSeen::InEffect);
    assert_eq!(lines(&vendor), [ACTIONS]);
}

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

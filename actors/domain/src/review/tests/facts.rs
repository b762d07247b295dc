//! What a model is told, and what it is not.

use super::*;

#[test]
fn what_cannot_be_seen_is_shown() {
    for (text, shown) in [
        (
            "plain \"quoted\" \\path 'x' ü 漢字 🙂",
            "plain \"quoted\" \\path 'x' ü 漢字 🙂",
        ),
        ("a\nb\tc\0", r"a\u{a}b\u{9}c\u{0}"),
        ("\u{202e}exe.txt\u{202c}", r"\u{202e}exe.txt\u{202c}"),
        (
            "\u{200b}\u{200d}\u{feff}\u{2060}",
            r"\u{200b}\u{200d}\u{feff}\u{2060}",
        ),
        ("\u{e0041}\u{e007f}\u{fe0f}", r"\u{e0041}\u{e007f}\u{fe0f}"),
        (
            "\u{3164}\u{2800}\u{a0}\u{2028}",
            r"\u{3164}\u{2800}\u{a0}\u{2028}",
        ),
        ("e\u{301}\u{e000}\u{ffff}", r"e\u{301}\u{e000}\u{ffff}"),
    ] {
        assert_eq!(visible(text, 1000), shown);
    }
}

#[test]
fn a_long_text_loses_its_middle() {
    let text = format!("powershell {} -enc AAAA", "A".repeat(5_000));
    let cut = visible(&text, 64);
    assert_eq!(cut.len(), 64);
    assert!(cut.starts_with("powershell AAA"), "{cut}");
    assert!(cut.ends_with("AA -enc AAAA"), "{cut}");
    assert_eq!(visible("abcdef", 3), "\u{2026}");
    assert_eq!(visible("abcdef", 2), "");
}

#[test]
fn the_facts_do_not_say_whose_alert_it_is() {
    let mut alert = Alert::bare(Vendor::Crowdstrike, "ldt:secret-alert-id".into());
    alert.account = Some("secret-account".into());
    alert.link = Some("https://secret-link".into());
    alert.threat_id = Some("secret-threat".into());
    alert.device.id = Some("secret-device".into());
    alert.device.hostname = Some("secret-host".into());
    alert.device.domain = Some("secret-domain".into());
    alert.device.ips = vec!["10.0.0.1-secret".into()];
    alert.user.name = Some("secret-user".into());
    alert.user.domain = Some("secret-user-domain".into());
    alert.user.sid = Some("S-1-5-secret".into());
    alert.process.hashes.sha256 = Some("secret-hash".into());
    let facts = facts(&alert, &undecided(Severity::Medium, None));
    assert!(!facts.contains("secret"), "{facts}");
}

/// An alert all of whose texts are `text`, and whose lists are as long as they get.
pub(super) fn filled_with(text: &str) -> Alert {
    let some = || Some(text.to_owned());
    let many = || vec![text.to_owned(); 64];
    let mut alert = Alert::bare(Vendor::Sentinelone, text.to_owned());
    for slot in [
        &mut alert.product,
        &mut alert.account,
        &mut alert.title,
        &mut alert.description,
        &mut alert.detection_source,
        &mut alert.disposition,
        &mut alert.vendor_verdict,
        &mut alert.link,
        &mut alert.threat_id,
        &mut alert.device.id,
        &mut alert.device.hostname,
        &mut alert.device.platform,
        &mut alert.device.role,
        &mut alert.device.domain,
        &mut alert.user.name,
        &mut alert.user.domain,
        &mut alert.user.sid,
        &mut alert.file.name,
        &mut alert.file.path,
    ] {
        *slot = some();
    }
    for process in [
        &mut alert.process,
        &mut alert.parent,
        &mut alert.grandparent,
    ] {
        (process.image, process.path, process.command_line) = (some(), some(), some());
    }
    (alert.tactics, alert.techniques, alert.device.ips) = (many(), many(), many());
    let connection = Connection {
        remote_ip: some(),
        remote_port: Some(65_535),
        remote_name: some(),
        protocol: some(),
    };
    alert.network = vec![connection; 64];
    alert
}

pub(super) fn with_many_rules(text: &str) -> Assessment {
    let mut one = hit(Leaning::Malicious, Level::Informational, 100);
    (one.rule_id, one.title) = (text.to_owned(), text.to_owned());
    assess(Severity::Medium, &vec![one; 64], Bands::default())
}

#[test]
fn the_facts_have_a_bound_whatever_the_texts_are() {
    let mut longest = 0;
    for c in ['x', '"', '\\', '\u{0}', '\u{202e}', '\u{10ffff}', '漢'] {
        let text = c.to_string().repeat(32 * 1024);
        let facts = facts(&filled_with(&text), &with_many_rules(&text));
        longest = longest.max(facts.len());
        serde_json::from_str::<serde_json::Value>(&facts).expect("JSON");
    }
    assert!(longest <= MAX_FACTS_BYTES, "{longest}");
    assert!(
        longest > MAX_FACTS_BYTES / 2,
        "{longest}: the bound says little"
    );
}

proptest! {
    #[test]
    fn visible_text_keeps_its_bound_and_hides_nothing(text in any_text(), limit in 0_usize..300) {
        let shown = visible(&text, limit);
        let json = serde_json::to_string(&shown).expect("a text");
        prop_assert!(json.len() <= limit + 2, "{} > {limit}", json.len());
        let hidden = |c: char| c.is_control() || ('\u{200b}'..='\u{200f}').contains(&c);
        prop_assert!(!shown.contains(hidden));
    }

    #[test]
    fn facts_are_one_object_with_the_same_keys(text in any_text()) {
        let facts = facts(&filled_with(&text), &with_many_rules(&text));
        prop_assert!(facts.len() <= MAX_FACTS_BYTES);
        prop_assert_eq!(injections::keys_of(&facts), injections::keys_of_any());
    }
}

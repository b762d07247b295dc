use serde_json::{Value, json};

use super::*;

const SECRET: &str = "q7V!mZ2#pX9$wL4%tR8^nK1&yH6*cB3(";

fn body(members: &Value) -> Body {
    let mut body = json!({
        "base_url": "https://api.eu-1.crowdstrike.com", "client_id": "0123", "secret": SECRET,
    });
    let body_members = body.as_object_mut().unwrap();
    body_members.extend(members.as_object().unwrap().clone());
    serde_json::from_value(body).unwrap()
}

fn read(members: &Value, allow_private: bool) -> Answer<Offered> {
    Offered::read(Vendor::Crowdstrike, body(members), allow_private)
}

/// What is wrong with it; fails the test where nothing is.
fn flaw(members: &Value, allow_private: bool) -> String {
    let problem = read(members, allow_private).err().expect("refused");
    assert_eq!(problem.code(), Code::InvalidCredential, "{members}");
    assert!(!problem.body().contains(SECRET), "{members}");
    problem.to_string()
}

#[test]
fn a_credential_is_taken_as_it_is_but_for_a_slash() {
    let members = json!({
        "base_url": "https://API.eu-1.crowdstrike.com/", "realm": "a:b.c-d_e",
        "login_url": "https://login.microsoftonline.com/x/", "unchecked": true, "overlap_h": 0,
    });
    let offered = read(&members, false).unwrap();
    let credential = offered.credential;
    assert_eq!(credential.base_url, "https://api.eu-1.crowdstrike.com");
    let login = credential.login_url.as_deref();
    assert_eq!(login, Some("https://login.microsoftonline.com/x"));
    assert_eq!(credential.secret.expose(), SECRET.as_bytes());
    assert_eq!(credential.realm.as_deref(), Some("a:b.c-d_e"));
    assert!(offered.unchecked && offered.overlap_s == 0);
    let usual = read(&json!({}), false).unwrap();
    assert!(!usual.unchecked && usual.overlap_s == 86_400);
}

#[test]
fn an_address_is_https_and_nothing_but_an_address() {
    for url in [
        "",
        "api.crowdstrike.com",
        "ftp://api.crowdstrike.com",
        "http://api.crowdstrike.com",
        "https://user@api.crowdstrike.com",
        "https://:pass@api.crowdstrike.com",
        "https://api.crowdstrike.com/?a=b",
        "https://api.crowdstrike.com#a",
        "file:///etc/passwd",
        &format!("https://{}.com", "a".repeat(600)),
    ] {
        for allow_private in [false, true] {
            for member in ["base_url", "login_url"] {
                let why = flaw(&json!({ member: url }), allow_private);
                assert!(why.contains(member), "{url}: {why}");
            }
        }
    }
}

#[test]
fn this_machine_and_private_networks_are_for_stand_ins_alone() {
    let private = [
        "https://localhost",
        "https://api.localhost.",
        "https://127.0.0.1:8443",
        "https://127.1",
        "https://2130706433",
        "https://0x7f000001",
        "https://[::1]",
        "https://[::ffff:127.0.0.1]",
        "https://[::ffff:10.0.0.1]",
        "https://0.0.0.0",
        "https://10.1.2.3",
        "https://172.16.0.1",
        "https://192.168.1.1",
        "https://169.254.169.254",
        "https://100.64.0.1",
        "https://255.255.255.255",
        "https://224.0.0.1",
        "https://[fd00::1]",
        "https://[fe80::1]",
        "https://[::]",
    ];
    for url in private {
        let why = flaw(&json!({ "base_url": url }), false);
        assert!(why.contains("edr.allow_private"), "{url}: {why}");
        assert!(read(&json!({ "base_url": url }), true).is_ok(), "{url}");
    }
    for (url, allowed) in [
        ("http://127.0.0.1:8443", true),
        ("http://[::1]:1/crowdstrike", true),
        ("http://localhost:1", true),
        ("http://10.1.2.3", false),
    ] {
        assert!(read(&json!({ "base_url": url }), false).is_err(), "{url}");
        let read = read(&json!({ "base_url": url }), true);
        assert_eq!(read.is_ok(), allowed, "{url}");
    }
    assert!(read(&json!({ "base_url": "https://8.8.8.8" }), false).is_ok());
}

#[test]
fn members_are_what_a_request_can_carry() {
    let long = "x".repeat(4097);
    for secret in [
        "",
        " ",
        "two words",
        "line\nbreak",
        "tab\t",
        "caf\u{e9}",
        &long,
    ] {
        let why = flaw(&json!({ "secret": secret }), false);
        assert!(why.contains("`secret`"), "{why}");
    }
    assert!(read(&json!({ "secret": "x".repeat(4096) }), false).is_ok());
    for text in ["", "a b", "a/b", "a\nb", "<b>", &"x".repeat(257)] {
        for member in ["client_id", "realm"] {
            let why = flaw(&json!({ member: text }), false);
            assert!(why.contains(member), "{why}");
        }
    }
    assert!(flaw(&json!({ "overlap_h": 721 }), false).contains("720"));
    assert!(read(&json!({ "overlap_h": 720 }), false).is_ok());
}

#[test]
fn each_vendor_has_what_its_api_asks_for() {
    let nothing = json!({ "client_id": null });
    let client = json!({});
    let both = json!({ "realm": "0190a2d4-0000-7000-8000-000000000000" });
    for (vendor, fits) in [
        (Vendor::Crowdstrike, [false, true, true]),
        (Vendor::Sentinelone, [true, true, true]),
        (Vendor::Defender, [false, false, true]),
    ] {
        let read = [&nothing, &client, &both]
            .map(|members| Offered::read(vendor, body(members), false).is_ok());
        assert_eq!(read, fits, "{vendor}");
    }
    for name in ["generic", "falcon", "", "CrowdStrike"] {
        let refused = edr(name).map_err(|problem| problem.code());
        assert_eq!(refused, Err(Code::InvalidCredential), "{name}");
    }
}

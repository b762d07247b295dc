//! Who is let in.

use std::prelude::v1::test as plain_test;

use proptest::prelude::*;

use super::*;

const PING: &[u8] = br#"{"type":1}"#;

fn a_door() -> Data<ChatDoor> {
    let (desk, _) = Recording::open();
    Data::new(door(&desk))
}

async fn with(door: &Data<ChatDoor>, headers: &[(&'static str, &str)], body: &[u8]) -> Got {
    post(door, "/interactions", headers, body).await
}

#[actix_web::test]
async fn a_ping_is_answered() {
    let got = signed(&a_door(), PING).await;
    assert_eq!(
        (got.status, got.body),
        (StatusCode::OK, json!({ "type": 1 }))
    );
    assert_eq!(got.kind, "application/json");
}

#[actix_web::test]
async fn without_a_key_nobody_is_let_in() {
    let (desk, _) = Recording::open();
    let mut keyless = door(&desk);
    keyless.key = None;
    let keyless = Data::new(keyless);
    for got in [
        signed(&keyless, PING).await,
        with(&keyless, &[], PING).await,
    ] {
        assert_eq!(got.status, StatusCode::NOT_IMPLEMENTED);
        assert_eq!(got.body["code"], "interactions_not_provisioned");
    }
}

#[actix_web::test]
async fn every_failure_is_the_same_401() {
    let (desk, mut asked) = Recording::open();
    let door = Data::new(door(&desk));
    let body = pressed(1, &button("approve")).to_string();
    let stamp = NOW.s().to_string();
    let good = signature(&signing_key(), &stamp, body.as_bytes());
    let other = signature(&SigningKey::from_bytes(&[8; 32]), &stamp, body.as_bytes());
    let (short, letters) = (good.split_at(126).0, good.replace('a', "x"));
    let stale = (NOW.s() - 301).to_string();
    let future = (NOW.s() + 301).to_string();
    let signed_stale = signature(&signing_key(), &stale, body.as_bytes());
    let signed_future = signature(&signing_key(), &future, body.as_bytes());
    let mut flipped = body.clone().into_bytes();
    flipped[20] ^= 1;
    let mut answers = Vec::new();
    for headers in [
        vec![],
        vec![(SIGNATURE, good.as_str())],
        vec![(TIMESTAMP, stamp.as_str())],
        vec![(SIGNATURE, short), (TIMESTAMP, &stamp)],
        vec![(SIGNATURE, &letters), (TIMESTAMP, &stamp)],
        vec![(SIGNATURE, &other), (TIMESTAMP, &stamp)],
        vec![(SIGNATURE, &good), (TIMESTAMP, &future)],
        vec![(SIGNATURE, &good), (SIGNATURE, &good), (TIMESTAMP, &stamp)],
        vec![(SIGNATURE, &signed_stale), (TIMESTAMP, &stale)],
        vec![(SIGNATURE, &signed_future), (TIMESTAMP, &future)],
    ] {
        answers.push(with(&door, &headers, body.as_bytes()).await);
    }
    let headers = [(SIGNATURE, good.as_str()), (TIMESTAMP, stamp.as_str())];
    answers.push(with(&door, &headers, &flipped).await);
    answers.push(with(&door, &headers, b"").await);
    let mut foreign = pressed(1, &button("approve"));
    foreign["application_id"] = json!("1100000000000000002");
    answers.push(signed(&door, foreign.to_string().as_bytes()).await);
    for (number, got) in answers.iter().enumerate() {
        assert_eq!(got.status, StatusCode::UNAUTHORIZED, "{number}: {got:?}");
        assert_eq!(got.body, answers[0].body, "{number}");
    }
    assert_eq!(answers[0].body["code"], "invalid_signature");
    assert!(asked.try_recv().is_err(), "nobody was asked anything");
    assert_eq!(
        with(&door, &headers, body.as_bytes()).await.status,
        StatusCode::OK
    );
}

/// The service probes an endpoint with wrong signatures, and takes the URL away from whoever answers
/// them with anything but 401. A ration of failures once would have done that behind a proxy, where a
/// stranger's flood and the probes have one source.
#[actix_web::test]
async fn probes_are_told_401_however_many_came_before() {
    let door = a_door();
    let stamp = NOW.s().to_string();
    let wrong = "0".repeat(128);
    let headers = [(SIGNATURE, wrong.as_str()), (TIMESTAMP, stamp.as_str())];
    for round in 0..200 {
        let got = with(&door, &headers, PING).await;
        assert_eq!(got.status, StatusCode::UNAUTHORIZED, "{round}");
        if round % 20 == 0 {
            assert_eq!(signed(&door, PING).await.status, StatusCode::OK, "{round}");
        }
    }
}

#[actix_web::test]
async fn a_body_has_64_kib_at_most() {
    let door = a_door();
    let mut body = PING.to_vec();
    body.resize(MAX_BODY_BYTES, b' ');
    assert_eq!(signed(&door, &body).await.status, StatusCode::OK);
    body.push(b' ');
    let got = signed(&door, &body).await;
    assert_eq!(got.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[actix_web::test]
async fn what_is_signed_and_no_interaction_is_a_bad_request() {
    let door = a_door();
    let deep = format!("{{\"type\":{}1{}}}", "[".repeat(40), "]".repeat(40));
    let wide = format!("[{}1]", "1,".repeat(30_000));
    for body in [
        "",
        "{",
        "null",
        "[]",
        "{\"type\":\"1\"}",
        "\u{0}",
        &deep,
        &wide,
    ] {
        let got = signed(&door, body.as_bytes()).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{body:.40}: {got:?}");
        assert_eq!(got.body["code"], "invalid_payload", "{body:.40}");
    }
    let got = signed(&door, b"\xff\xfe{\"type\":1}").await;
    assert_eq!(got.status, StatusCode::BAD_REQUEST);
    let mut nameless = pressed(1, &button("approve"));
    nameless["member"]["user"]["id"] = json!("<b>");
    let got = signed(&door, nameless.to_string().as_bytes()).await;
    assert_eq!(got.body["detail"], "id is missing or malformed");
}

/// Any value in any place of what somebody did.
fn anything() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        ".{0,120}".prop_map(Value::from),
        "(approve|deny|investigate)_[0-9a-f-]{30,36}_[a-z.0-9]{1,40}".prop_map(Value::from),
        Just(Value::Null),
        Just(json!([{ "type": 1, "name": "register", "options": [{}] }])),
        Just(json!([{ "type": 18, "component": { "value": 7 } }])),
        Just(json!({ "id": "1" })),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[plain_test]
    fn whatever_is_signed_gets_an_answer_of_ours(
        kind in 0_u64..7,
        place in 0_usize..10,
        value in anything(),
    ) {
        let places = [
            "/data/custom_id", "/data/components", "/data/options", "/data", "/member", "/message",
            "/guild_id", "/token", "/application_id", "/member/roles",
        ];
        let data = json!({ "component_type": 2, "type": 1, "name": "vyrox", "options": [],
            "custom_id": button("deny"), "components": [] });
        let mut body = done(1, kind, &data);
        *body.pointer_mut(places[place]).expect("a member") = value;
        let posted = async { signed(&a_door(), body.to_string().as_bytes()).await };
        let got = actix_web::rt::System::new().block_on(posted);
        match got.status.as_u16() {
            200 => prop_assert!(matches!(got.body["type"].as_u64(), Some(1 | 4 | 5 | 9)), "{:?}", got),
            400 => prop_assert_eq!(&got.body["code"], "invalid_payload"),
            401 => prop_assert_eq!(&got.body["code"], "invalid_signature"),
            _ => prop_assert!(false, "{:?} to {}", got, body),
        }
    }
}

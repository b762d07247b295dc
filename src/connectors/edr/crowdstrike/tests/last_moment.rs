//! What is known of a host before anything is sent to it, and what stops a request on its last steps.

use std::sync::atomic::{AtomicBool, Ordering};

use vyrox_actors::edr::DeviceSeen;

use super::*;

const STOPPED: &str = "containment is halted";

/// Permits everything until it is shut.
fn gate() -> (Arc<AtomicBool>, Guard) {
    let shut = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&shut);
    let guard = move || {
        if seen.load(Ordering::Acquire) {
            Err(STOPPED.to_owned())
        } else {
            Ok(())
        }
    };
    (shut, Arc::new(guard))
}

/// The approval was proven before the turn, the token and the session were waited for, which took up to half
/// a minute. A halt that came in that time stopped nothing.
#[tokio::test]
async fn a_halt_that_comes_while_a_token_is_fetched_stops_the_request() {
    let (shut, guard) = gate();
    let stub = Stub::start(move |request| {
        assert!(request.line.starts_with("POST /oauth2/token"));
        shut.store(true, Ordering::Release);
        json(201, r#"{"access_token":"t","expires_in":1799}"#)
    })
    .await;
    let edr = connect(&stub.base);
    let sent = edr.0.send(&isolation(false), None, &guard).await;
    assert_eq!(sent, Err(never(STOPPED)));
    assert_eq!(stub.seen().len(), 1);
}

#[tokio::test]
async fn a_halt_that_comes_in_a_session_stops_the_command_and_closes_the_session() {
    let (shut, guard) = gate();
    let act = "POST /real-time-response/entities/active-responder-command/v1";
    let stub = falcon(move |path, _| match path.split_once(' ') {
        Some(("POST", path)) if path.ends_with("sessions/v1") => {
            resources(201, r#"[{"session_id":"s1"}]"#)
        }
        Some(("POST", path)) if path.ends_with("entities/command/v1") => {
            resources(201, r#"[{"cloud_request_id":"c1"}]"#)
        }
        Some(("GET", _)) => {
            shut.store(true, Ordering::Release);
            let list = r"Name Id\r\nevil.exe 4711\r\n";
            resources(200, &format!(r#"[{{"complete":true,"stdout":"{list}"}}]"#))
        }
        Some(("DELETE", _)) => json(204, ""),
        _ => panic!("{path}"),
    })
    .await;
    let kill = manifest(
        ActionType::ProcessKill,
        &[("pid", "4711"), ("image", "evil.exe")],
    );
    let sent = connect(&stub.base).0.send(&kill, None, &guard).await;
    assert_eq!(sent, Err(never(STOPPED)));
    assert_eq!(stub.count(act), 0);
    assert_eq!(
        stub.count("DELETE /real-time-response/entities/sessions/v1?session_id=s1"),
        1
    );
}

#[tokio::test]
async fn a_reading_tells_which_host_it_is_of() {
    let stub = falcon(|_, _| {
        let host = format!(
            r#"[{{"device_id":"{DEVICE}","status":"normal","hostname":"DC-1","local_ip":"10.0.0.1",
            "product_type_desc":"Domain Controller","external_ip":"198.51.100.1","platform_name":"Windows"}}]"#
        );
        resources(200, &host)
    })
    .await;
    let reading = connect(&stub.base).read(&isolation(false), None).await;
    let expected = DeviceSeen {
        hostname: Some("DC-1".to_owned()),
        role: Some("Domain Controller".to_owned()),
        ips: ["10.0.0.1", "198.51.100.1"].map(str::to_owned).into(),
        platform: Some("Windows".to_owned()),
    };
    assert_eq!(reading.unwrap().device, Some(expected));
}

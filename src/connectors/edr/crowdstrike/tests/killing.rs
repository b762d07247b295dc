//! Ending a process: only the one that was meant, and the session is closed whatever happens in it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::*;

const IMAGE: &str = r"C:\Users\Public\evil.exe";
const SESSIONS: &str = "/real-time-response/entities/sessions/v1";
const LOOK: &str = "/real-time-response/entities/command/v1";
const ACT: &str = "/real-time-response/entities/active-responder-command/v1";

fn kill() -> ActionManifest {
    manifest(
        ActionType::ProcessKill,
        &[("pid", "4711"), ("image", IMAGE)],
    )
}

/// How a host behaves.
#[derive(Clone, Default)]
struct Host {
    /// The line of process 4711; none where it is gone.
    row: &'static str,
    offline: bool,
    stderr: &'static str,
    /// The kill is taken and the host never says that it is done.
    mute: bool,
    ended: Arc<AtomicBool>,
}

impl Host {
    fn says(&self, path: &str, request: &Request) -> Act {
        let (method, path) = path.split_once(' ').unwrap_or_default();
        match (method, path) {
            ("POST", SESSIONS) if self.offline => json(404, r#"{"errors":[{"code":40407}]}"#),
            ("POST", SESSIONS) => resources(201, r#"[{"session_id":"s1","offline_queued":false}]"#),
            ("POST", LOOK) => resources(201, r#"[{"cloud_request_id":"c-look"}]"#),
            ("POST", ACT) => {
                self.ended.store(true, Ordering::Release);
                resources(
                    201,
                    r#"[{"cloud_request_id":"c-act","queued_command_offline":false}]"#,
                )
            }
            ("GET", LOOK) => self.list(request),
            ("GET", ACT) if self.mute => json(403, "{}"),
            ("GET", ACT) => resources(
                200,
                &format!(
                    r#"[{{"complete":true,"stdout":"","stderr":"{}"}}]"#,
                    self.stderr
                ),
            ),
            ("DELETE", SESSIONS) => json(204, ""),
            other => panic!("{other:?}"),
        }
    }

    /// The list of processes in two pieces, with a question between them that comes too early.
    fn list(&self, request: &Request) -> Act {
        let piece = if request.line.contains("sequence_id=0") {
            r#"{"complete":false,"stdout":"Name       Id   Start\r\nSystem     4    10:00\r\n"}"#
                .to_owned()
        } else {
            format!(r#"{{"complete":true,"stdout":"{}","stderr":""}}"#, self.row)
        };
        resources(200, &format!("[{piece}]"))
    }
}

const THERE: &str = r"evil.exe   4711 10:01\r\n";
const ANOTHER: &str = r"notepad.exe 4711 10:02\r\n";
/// Should an action ever name a process that the host needs, the host's own list gives it away.
const VITAL: &str = r"lsass.exe  4711 10:02\r\n";

#[tokio::test]
async fn a_process_is_gone_when_its_id_is_and_another_image_proves_nothing() {
    for (row, effect, observed) in [
        (THERE, EffectSeen::NotInEffect, "running"),
        ("", EffectSeen::InEffect, "gone"),
        (ANOTHER, EffectSeen::NoSuchTarget, "pid_reused"),
    ] {
        let host = Host {
            row,
            ..Host::default()
        };
        let stub = falcon(move |path, request| host.says(path, request)).await;
        let read = connect(&stub.base).read(&kill(), None).await.unwrap();
        assert_eq!((read.effect, read.observed.as_str()), (effect, observed));
        assert_eq!(
            stub.count(&format!("POST {ACT}")),
            0,
            "reading ends nothing"
        );
        assert_eq!(stub.count(&format!("DELETE {SESSIONS}?session_id=s1")), 1);
    }
}

#[tokio::test]
async fn only_the_process_that_was_meant_is_ended() {
    for (row, ends) in [(THERE, true), ("", false), (ANOTHER, false), (VITAL, false)] {
        let host = Host {
            row,
            ..Host::default()
        };
        let ended = Arc::clone(&host.ended);
        let stub = falcon(move |path, request| host.says(path, request)).await;
        let mut wanted = kill();
        if row == VITAL {
            let image = "/x/lsass.exe".to_owned();
            wanted.parameters.insert("image".to_owned(), image);
        }
        let edr = connect(&stub.base);
        let sent = edr.0.send(&wanted, None, &unguarded()).await;
        assert_eq!(sent.is_ok(), ends, "{row} {sent:?}");
        assert_eq!(ended.load(Ordering::Acquire), ends);
        let refused = |why: &str| EdrError::Refused {
            status: 200,
            why: why.to_owned(),
        };
        let expected = match row {
            ANOTHER => Some(refused("the process id has another image now")),
            VITAL => Some(refused("the host needs the process to run")),
            "" => Some(crate::connectors::edr::not_now(
                "the process is no longer there",
            )),
            _ => None,
        };
        assert_eq!(sent.clone().err(), expected);
        assert_eq!(stub.count(&format!("DELETE {SESSIONS}")), 1);
        if let Ok(sent) = sent {
            assert_eq!(sent.reference.as_deref(), Some("c-act"));
            let seen = stub.seen().clone();
            let kill = seen.iter().find(|one| one.line.ends_with(ACT)).unwrap();
            let body: Value = serde_json::from_str(&kill.body).unwrap();
            assert_eq!(body["command_string"], "kill 4711");
            assert_eq!(body["persist"], false);
            let opening = seen.iter().find(|one| one.line.contains("?timeout="));
            let opening: Value = serde_json::from_str(&opening.unwrap().body).unwrap();
            assert_eq!(opening["queue_offline"], false);
        }
    }
}

#[tokio::test]
async fn a_host_that_is_away_is_a_refusal_and_nothing_waits_for_it() {
    let host = Host {
        row: THERE,
        offline: true,
        ..Host::default()
    };
    let stub = falcon(move |path, request| host.says(path, request)).await;
    let edr = connect(&stub.base);
    for error in [
        edr.read(&kill(), None).await.map(|_| ()).unwrap_err(),
        edr.0
            .send(&kill(), None, &unguarded())
            .await
            .map(|_| ())
            .unwrap_err(),
    ] {
        let why = "host offline".to_owned();
        assert_eq!(error, EdrError::Refused { status: 404, why });
    }
    assert_eq!(stub.count(&format!("POST {LOOK}")), 0);
}

#[tokio::test]
async fn a_session_that_waits_for_the_host_is_closed_again() {
    let stub = falcon(|path, _| {
        if path.starts_with("POST") {
            resources(201, r#"[{"session_id":"s1","offline_queued":true}]"#)
        } else {
            json(204, "")
        }
    })
    .await;
    let sent = connect(&stub.base)
        .0
        .send(&kill(), None, &unguarded())
        .await;
    let refused = sent.unwrap_err();
    assert!(refused.to_string().contains("host offline"), "{refused}");
    assert_eq!(stub.count(&format!("DELETE {SESSIONS}?session_id=s1")), 1);
    assert_eq!(stub.seen().len(), 3);
}

#[tokio::test]
async fn what_the_host_says_of_the_end_decides() {
    let complains = Host {
        row: THERE,
        stderr: "Access denied",
        ..Host::default()
    };
    let mute = Host {
        row: THERE,
        mute: true,
        ..Host::default()
    };
    for (host, expected) in [(complains, "Refused"), (mute, "Ambiguous")] {
        let stub = falcon(move |path, request| host.says(path, request)).await;
        let sent = connect(&stub.base)
            .0
            .send(&kill(), None, &unguarded())
            .await;
        let error = format!("{:?}", sent.unwrap_err());
        assert!(error.starts_with(expected), "{error}");
        assert!(!error.contains("denied"), "{error}");
        assert_eq!(stub.count(&format!("POST {ACT}")), 1);
        assert_eq!(stub.count(&format!("DELETE {SESSIONS}")), 1);
    }
}

/// Two alerts that were forged: one named the image by a number, which stands in many a line of the list; the
/// other had the host write without an end.
#[tokio::test]
async fn a_forged_image_opens_no_session_and_endless_output_is_not_read() {
    let stub = falcon(|_, _| json(500, "{}")).await;
    let mut forged = kill();
    forged.parameters.insert("image".into(), r"C:\a\0".into());
    let sent = connect(&stub.base)
        .0
        .send(&forged, None, &unguarded())
        .await;
    assert!(
        matches!(
            sent,
            Err(EdrError::Unsent {
                transient: false,
                ..
            })
        ),
        "{sent:?}"
    );
    assert_eq!(stub.seen().len(), 0);

    let host = Host::default();
    let stub = falcon(move |path, request| match path.split_once(' ') {
        Some(("GET", LOOK)) => {
            resources(200, r#"[{"complete":false,"stdout":"","stderr":"again "}]"#)
        }
        _ => host.says(path, request),
    })
    .await;
    let read = connect(&stub.base).read(&kill(), None).await;
    assert_eq!(
        read,
        Err(crate::connectors::edr::not_now(
            "the output of a command is too long"
        ))
    );
    assert_eq!(stub.count(&format!("GET {LOOK}")), 64);
    assert_eq!(stub.count(&format!("DELETE {SESSIONS}")), 1);
}

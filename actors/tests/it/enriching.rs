//! Short alerts, for which the vendor is asked before anything is proposed.

use std::time::Duration;

use serde_json::{Value, json};
use vyrox_actors::{evidence, messages::Outcome};
use vyrox_domain::{
    alert::Alert, digest::Digest, ids::AlertId, protocol::EvidenceKind, vendor::Vendor,
};

use crate::house::{Full, HOST, House, Model, Wish, alert, housed};

const STEP: Duration = Duration::from_secs(1);
const LIVE: Wish = Wish {
    live: true,
    ..Wish::PLAIN
};

/// An alert about the host `ws-1` that does not say which device that is.
fn short(n: u64, title: &str) -> Alert {
    let mut alert = alert(n, 1, title);
    alert.device.id = None;
    alert
}

/// What the vendor knows of an alert.
fn full(n: u64, host: &str, role: &str) -> Full {
    let body = json!({
        "composite_id": format!("ldt:{n}"),
        "severity": 50,
        "filename": "a.exe",
        "local_process_id": "4012",
        "device": {
            "device_id": format!("{:032x}", 1),
            "hostname": host,
            "platform_name": "Windows",
            "product_type_desc": role,
            "local_ip": "192.0.2.1",
        },
    });
    Full::Says(body.to_string())
}

impl House {
    fn vendor_says(&self, full: Full) {
        self.cloud.lock().full = full;
    }

    fn looked_up(&self) -> usize {
        self.cloud.lock().looked_up.len()
    }

    async fn until_triaged(&self, count: usize) -> u32 {
        self.until("a verdict", |house| house.count("alert.triaged") == count)
            .await
    }

    /// Takes one in and gives its id, and the seconds until its verdict stands.
    async fn judge(&self, alert: Alert) -> (AlertId, u32) {
        let before = self.count("alert.triaged");
        let alert_id = self.take(alert).await.alert_id;
        (alert_id, self.until_triaged(before + 1).await)
    }

    fn proposed(&self) -> Vec<Value> {
        let requested = self.entries("approval.requested");
        requested
            .into_iter()
            .map(|mut one| one["manifest"].take())
            .collect()
    }
}

#[test]
fn a_short_alert_leads_to_a_proposal_for_the_machine_that_the_vendor_names() {
    housed(LIVE, async |house| {
        let said = full(1, "WS-1.corp.example", "Workstation");
        house.vendor_says(said.clone());
        let (alert_id, _) = house.judge(short(1, "lsassworst")).await;
        assert_eq!(house.cloud.lock().looked_up, ["ldt:1"]);
        let proposed = house.proposed();
        assert_eq!(proposed[0]["target_urn"], HOST);
        assert_eq!(proposed[0]["host"], "ws-1", "as the alert has it");
        assert_eq!(proposed[0]["protected"], Value::Null);

        let Full::Says(body) = said else {
            panic!("it says something")
        };
        let triaged = &house.entries("alert.triaged")[0];
        let expected = json!({
            "device_id": format!("{:032x}", 1),
            "host": "ws-1",
            "evidence": {
                "kind": "enriched",
                "sha256": Digest::of(body.as_bytes()).to_hex(),
                "length": body.len(),
            },
        });
        assert_eq!(triaged["enriched"], expected);
        assert_eq!(
            triaged["placed"]["facts"]["device_id"],
            format!("{:032x}", 1)
        );
        assert_eq!(
            house.entries("alert.received")[0]["device_id"],
            Value::Null,
            "the alert stays what it was"
        );
        let chain = house.chain();
        let entry = chain.iter().find(|line| line["event"] == "alert.triaged");
        let seq = entry
            .and_then(|line| line["seq"].as_u64())
            .expect("a place");
        let keyring = house.world.keyring.load();
        let keys = keyring.tenant("acme").expect("the tenant");
        let kept = evidence::read(&house.world, keys, seq, EvidenceKind::Enriched);
        assert_eq!(kept.expect("kept").as_slice(), body.as_bytes());

        let outcome = house.approve(alert_id).await;
        assert!(matches!(outcome, Outcome::Granted { .. }), "{outcome:?}");
        house
            .until("it is contained", |house| house.cloud.sent() == 1)
            .await;
        assert_eq!(house.cloud.lock().sent, [(HOST.to_owned(), false)]);
        house.verify();
    });
}

#[test]
fn whatever_else_the_vendor_says_the_verdict_stands_and_nothing_is_proposed() {
    let cases = [
        (Full::Unknown, 1),
        (Full::Fails, 1),
        (Full::Hangs, 11),
        (Full::Says("[{\"composite_id\"".to_owned()), 1),
        (Full::Says("{\"composite_id\":\"ldt:1\"}".to_owned()), 1),
        (full(1, "ws-2", "Workstation"), 1),
        (full(2, "ws-1", "Workstation"), 1),
    ];
    for (said, within) in cases {
        housed(LIVE, async |house| {
            house.vendor_says(said.clone());
            let (_, waited) = house.judge(short(1, "lsassworst")).await;
            assert!(waited <= within, "{said:?}: {waited} s");
            house.pass(5 * STEP, STEP).await;
            assert_eq!(house.looked_up(), 1, "{said:?}");
            assert_eq!(house.proposed().len(), 0, "{said:?}");
            assert_eq!(house.count("incident.opened"), 1, "{said:?}");
            let triaged = house.entries("alert.triaged");
            assert_eq!(triaged.len(), 1, "{said:?}");
            assert_eq!(triaged[0]["enriched"], Value::Null, "{said:?}");
            house.verify();
        });
    }
}

#[test]
fn the_vendor_is_asked_only_where_that_could_lead_to_something() {
    housed(LIVE, async |house| {
        house.vendor_says(full(1, "ws-1", "Workstation"));
        house.judge(alert(1, 1, "lsassworst")).await;
        house.judge(short(2, "nothing")).await;
        house.judge(short(3, "odd")).await;
        assert_eq!(house.looked_up(), 0, "whole, harmless, or undecided");
        house.credentials("acme", Vendor::Crowdstrike, &[]);
        house.judge(short(4, "lsassworst")).await;
        assert_eq!(house.looked_up(), 0, "there is no credential");
    });
}

#[test]
fn a_machine_that_falls_meanwhile_asks_again_and_says_it_once() {
    housed(LIVE, async |house| {
        house.vendor_says(Full::Hangs);
        house.take(short(1, "lsassworst")).await;
        house
            .until("the vendor is asked", |house| house.looked_up() == 1)
            .await;
        house.fell("machine");
        house.vendor_says(full(1, "ws-1", "Workstation"));
        house.take(alert(2, 2, "nothing")).await;
        house.until_triaged(2).await;
        assert_eq!(house.proposed().len(), 1);
        // The answer to the first question comes to nothing.
        house.pass(Duration::from_secs(20), STEP).await;
        assert_eq!(house.looked_up(), 2);
        assert_eq!(house.count("alert.triaged"), 2);
        house.verify();
    });
}

#[test]
fn an_adapter_that_falls_meanwhile_costs_no_verdict() {
    housed(LIVE, async |house| {
        house.judge(short(2, "nothing")).await;
        // The question fells it, and is lost.
        house.fell("edr/crowdstrike");
        house.vendor_says(full(1, "ws-1", "Workstation"));
        let (_, waited) = house.judge(short(1, "lsassworst")).await;
        assert!(waited <= 13, "{waited} s");
        assert_eq!(house.proposed().len(), 0);
    });
}

#[test]
fn of_many_at_once_those_beyond_64_do_not_wait() {
    housed(LIVE, async |house| {
        house.vendor_says(Full::Hangs);
        for n in 0..70 {
            house.send(short(n, "lsassworst")).await;
        }
        house.until_triaged(6).await;
        assert_eq!(house.looked_up(), 64);
        let waited = house.until_triaged(70).await;
        assert!(waited <= 12, "{waited} s");
        assert_eq!(house.looked_up(), 64);
        assert_eq!(house.proposed().len(), 0);
        house.verify();
    });
}

#[test]
fn a_machine_that_only_the_vendor_knows_to_be_special_is_protected() {
    housed(LIVE, async |house| {
        house.vendor_says(full(1, "ws-1", "Domain Controller"));
        house.judge(short(1, "lsassworst")).await;
        assert_eq!(house.proposed()[0]["protected"], "tier0");
    });
}

#[test]
fn what_stage_2_holds_to_be_bad_is_completed_too() {
    let wish = Wish {
        llm: true,
        opted_in: true,
        daily_calls: 10,
        ..LIVE
    };
    housed(wish, async |house| {
        let answer = r#"{"verdict":"HIGH","confidence_bp":9000,"reasons":["It reads lsass."]}"#;
        house.services.lock().model = Model::Says(answer);
        house.vendor_says(full(1, "ws-1", "Workstation"));
        let mut doubtful = short(1, "odd");
        doubtful.tactics = vec!["Credential Access".to_owned()];
        doubtful.techniques = vec!["T1003.001".to_owned()];
        house.take(doubtful).await;
        house
            .until("it is reviewed", |house| house.count("alert.reviewed") == 1)
            .await;
        let reviewed = &house.entries("alert.reviewed")[0];
        assert_eq!(reviewed["verdict"], "HIGH", "{reviewed}");
        assert_eq!(reviewed["enriched"]["host"], "ws-1");
        assert_eq!(house.entries("alert.triaged")[0]["enriched"], Value::Null);
        assert_eq!(house.proposed()[0]["target_urn"], HOST);
        house.verify();
    });
}

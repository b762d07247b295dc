//! Chains of earlier releases, to the letter: they knew no incidents, no second stage and no proposals.

use vyrox_domain::{
    entry::Recorded,
    protocol::Event,
    tenant::{TenantState, outstanding_effects, replay},
};

const LINES: [&str; 6] = [
    r#"{"actor":"system","event":"chain.opened","event_version":1,"hash":"00","payload":{"format_version":1,"key_ids":["k1"],"opaque_id":"00112233445566778899aabbccddeeff"},"previous_hash":"00","seq":0,"tenant_id":"acme","timestamp":1768473000,"timestamp_ms":1768473000001}"#,
    r#"{"actor":"vendor:crowdstrike","alert_id":"0198f2b0-1111-7000-8000-000000000001","event":"alert.received","event_version":1,"hash":"00","payload":{"detected_at_ms":null,"device_id":"0123456789abcdef","evidence":[{"kind":"alert","length":310,"sha256":"1f40fc92da241694750979ee6cf582f2d5d7d28e18335de05abc54d0560e0f53"},{"kind":"raw","length":290,"sha256":"1f40fc92da241694750979ee6cf582f2d5d7d28e18335de05abc54d0560e0f53"}],"host":"ws-1","severity":"high","severity_score":70,"techniques":["T1003.001"],"vendor":"crowdstrike","vendor_alert_id":"ldt:1"},"previous_hash":"00","seq":1,"tenant_id":"acme","timestamp":1768473000,"timestamp_ms":1768473000002}"#,
    r#"{"actor":"service:triage","alert_id":"0198f2b0-1111-7000-8000-000000000001","event":"alert.triaged","event_version":1,"hash":"00","payload":{"band":"closed","confidence_bp":9100,"reasons":[{"leaning":"benign","level":"low","matched":["process.path"],"rule_id":"r.1","techniques":[],"title":"Known good","weight_bp":4000}],"rules_sha256":"1f40fc92da241694750979ee6cf582f2d5d7d28e18335de05abc54d0560e0f53","score_bp":900,"verdict":"BENIGN"},"previous_hash":"00","seq":2,"tenant_id":"acme","timestamp":1768473000,"timestamp_ms":1768473000003}"#,
    r#"{"actor":"system","alert_id":"0198f2b0-1111-7000-8000-000000000001","event":"alert.closed","event_version":1,"hash":"00","payload":{"reason":"benign"},"previous_hash":"00","seq":3,"tenant_id":"acme","timestamp":1768473000,"timestamp_ms":1768473000003}"#,
    r#"{"actor":"vendor:generic","alert_id":"0198f2b0-1111-7000-8000-000000000002","event":"alert.received","event_version":1,"hash":"00","payload":{"detected_at_ms":1768472999000,"device_id":null,"evidence":[{"kind":"raw","length":100,"sha256":"1f40fc92da241694750979ee6cf582f2d5d7d28e18335de05abc54d0560e0f53"},{"at_seq":1,"kind":"raw","length":290,"sha256":"1f40fc92da241694750979ee6cf582f2d5d7d28e18335de05abc54d0560e0f53"}],"host":null,"severity":"unknown","severity_score":0,"techniques":[],"vendor":"generic","vendor_alert_id":"g:1","vendor_id_reused":true},"previous_hash":"00","seq":4,"tenant_id":"acme","timestamp":1768473001,"timestamp_ms":1768473001000}"#,
    r#"{"actor":"service:triage","alert_id":"0198f2b0-1111-7000-8000-000000000002","event":"alert.triaged","event_version":1,"hash":"00","payload":{"band":"stage2","confidence_bp":5000,"reasons":[],"rules_sha256":"1f40fc92da241694750979ee6cf582f2d5d7d28e18335de05abc54d0560e0f53","score_bp":5000,"verdict":"MEDIUM"},"previous_hash":"00","seq":5,"tenant_id":"acme","timestamp":1768473001,"timestamp_ms":1768473001001}"#,
];

#[test]
fn chains_of_earlier_releases_are_read_as_they_were_meant() {
    let mut state = TenantState::default();
    for line in LINES {
        let recorded = Recorded::parse(line.as_bytes()).expect("a line");
        let event = replay(&mut state, &recorded).expect("known");
        // Whoever writes it today writes the same.
        let entry = event.entry(recorded.timestamp_ms);
        assert_eq!(
            (entry.event, &entry.actor, entry.alert_id, &entry.payload),
            (
                recorded.event.as_str(),
                &recorded.actor,
                recorded.alert_id,
                &recorded.payload
            )
        );
        if let Event::AlertTriaged { triaged, .. } = event {
            assert_eq!((triaged.stage2, triaged.placed), (None, None));
        }
    }
    assert_eq!(state.next_seq, LINES.len() as u64);
    let counts = state.counts;
    assert_eq!((counts.received, counts.triaged, counts.closed), (2, 2, 1));
    assert_eq!(state.evidence_bytes, 700);
    // The verdict of old stands; nobody is asked anew, and there is nothing to show.
    assert_eq!(outstanding_effects(&state), []);
    assert_eq!(state.incidents.len(), 0);
}

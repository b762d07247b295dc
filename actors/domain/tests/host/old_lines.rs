//! Lines that releases before wrote, byte for byte: their payloads lack the members that came since.

use vyrox_domain::{
    entry::Recorded,
    host::{self, HostState, TenantSettings},
};

const LINES: [&str; 5] = [
    r#"{"actor":"system","event":"chain.opened","event_version":1,"payload":{"format_version":1,"key_ids":["00ff00ff00ff00ff"],"opaque_id":"0011"},"seq":0,"tenant_id":"_host","timestamp":1700000000,"timestamp_ms":1700000000000}"#,
    r#"{"actor":"system","event":"token.issued","event_version":1,"payload":{"scopes":["all"],"token_id":"bootstrap"},"seq":1,"tenant_id":"_host","timestamp":1700000000,"timestamp_ms":1700000000001}"#,
    r#"{"actor":"api_token:bootstrap","event":"tenant.added","event_version":1,"payload":{"accounts":[],"by":"api_token:bootstrap","data_key_id":"1122334455667788","opaque_id":"2233","tenant_id":"acme","webhooks":[{"auth":"vyrox-hmac","secret_version":1,"vendor":"crowdstrike"}]},"seq":2,"tenant_id":"_host","timestamp":1700000001,"timestamp_ms":1700000001000}"#,
    r#"{"actor":"api_token:bootstrap","event":"tenant.updated","event_version":1,"payload":{"add_accounts":[{"id":"0123ABCD","vendor":"crowdstrike"}],"by":"api_token:bootstrap","remove_accounts":[],"tenant_id":"acme","webhooks":[]},"seq":3,"tenant_id":"_host","timestamp":1700000002,"timestamp_ms":1700000002000}"#,
    r#"{"actor":"system","event":"journal.recovered","event_version":1,"payload":{"cut":true,"damaged":false,"held":[{"chain":"acme","from_seq":7}]},"seq":4,"tenant_id":"_host","timestamp":1700000003,"timestamp_ms":1700000003000}"#,
];

#[test]
fn a_chain_from_before_there_were_people_is_still_read() {
    let mut state = HostState::default();
    for line in LINES {
        let recorded = Recorded::parse(line.as_bytes()).expect("a line");
        let event = host::replay(&mut state, &recorded).expect("replays");
        // Written again it is what it was: no member is added to what others have hashed.
        assert_eq!(event.entry(recorded.timestamp_ms).payload, recorded.payload);
    }
    let acme = &state.tenants[&"acme".parse().expect("a name")];
    assert_eq!(acme.settings, TenantSettings::default());
    assert!(!acme.settings.llm, "nobody said that alert data may leave");
    assert!(acme.action_key.is_none() && acme.chat_code.is_none());
    assert_eq!(acme.accounts.len(), 1);
    assert!(state.people.is_empty() && state.secrets.is_empty());
    assert_eq!(state.next_seq, 5);
}

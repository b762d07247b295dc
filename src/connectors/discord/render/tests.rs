use std::collections::BTreeMap;

use proptest::prelude::*;
use uuid::Uuid;
use vyrox_domain::{
    action::{ActionType, OnExpiry},
    digest::Digest,
    ids::{ActionId, AlertId, PersonId},
    notice::Standing,
    vendor::Vendor,
};

mod standings;

use self::standings::{act, standing};
use super::*;
use crate::connectors::discord::documented::{Call, faults};

const NOW: Timestamp = Timestamp::from_s(1_800_000_000);

/// What an attacker may have put into any text, and anything else.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "@everyone @here",
            "<@1234567890> <@&55> <#77> </register:1> <:e:1> <t:1:R>",
            "[Approve here](https://evil.example/a)",
            "https://evil.example discord.gg/abc <https://evil.example>",
            "```\ncode\n``` `x` ||spoiler|| **bold** # h",
            "\u{202e}live\u{200b}\u{0}\u{7}",
            "",
            "\u{200b}",
        ])
        .prop_map(str::to_owned),
        ".{0,40}",
        r"[@<>`\[\]()*_:/|\\ 𝔞]{0,80}",
        "[_*]{1200}",
        "😀{700}",
    ]
}

fn person() -> impl Strategy<Value = PersonId> {
    "[a-z0-9][a-z0-9._-]{0,62}[a-z0-9]".prop_map(|name| name.parse().unwrap())
}

prop_compose! {
    fn proposal()(
        // Few of each, so that two proposals come to share them.
        (alert, digest) in (0_u128..4, 0_u8..4),
        action_type in prop::sample::select(ActionType::ALL.to_vec()),
        target_urn in hostile(),
        parameters in prop::collection::btree_map(hostile(), hostile(), 0..4),
        host in prop::option::of(hostile()),
        protected in prop::option::of(hostile()),
        (dry_run, lift) in any::<(bool, bool)>(),
        hold_minutes in any::<u32>(),
        expires in prop_oneof![Just(NOW.plus_ms(60_000)), any::<u64>().prop_map(Timestamp::from_ms)],
        standing in standing(),
        act in act(),
    ) -> Proposal {
        Proposal {
            action_id: ActionId(Uuid::from_u128(alert)),
            alert_id: AlertId(Uuid::from_u128(alert)),
            action_type,
            target_urn,
            parameters,
            verdict: if lift { Verdict::High } else { Verdict::Critical },
            host,
            dry_run,
            protected,
            on_expiry: if lift { OnExpiry::Lift } else { OnExpiry::Ask },
            hold_minutes,
            digest: Digest([digest; 32]),
            expires_at: expires,
            standing,
            act,
        }
    }
}

prop_compose! {
    fn notice()(
        tenant in "[a-z0-9][a-z0-9_-]{0,30}[a-z0-9]",
        level in prop::sample::select(vec![
            Verdict::Critical, Verdict::High, Verdict::Medium, Verdict::Low, Verdict::Benign,
        ]),
        title in hostile(),
        hosts in prop::collection::vec(hostile(), 0..10),
        reasons in prop::collection::vec(hostile(), 0..8),
        tactics in prop::collection::vec(hostile(), 0..20),
        techniques in prop::collection::vec(hostile(), 0..20),
        linked_by in prop::collection::vec(hostile(), 0..9),
        (alerts, folded, host_count, opened) in any::<(u64, u64, u64, u64)>(),
        (storm, quietly) in any::<(bool, bool)>(),
        proposals in prop::collection::vec(proposal(), 0..12),
        closed in prop::option::of(hostile()),
    ) -> Notice {
        Notice {
            tenant_id: tenant.parse().unwrap(),
            incident_id: IncidentId(Uuid::from_u128(7)),
            revision: 1,
            level,
            title,
            vendor: Vendor::Crowdstrike,
            hosts,
            host_count,
            reasons,
            tactics,
            techniques,
            alerts,
            folded,
            linked_by,
            storm,
            opened_at: Timestamp::from_ms(opened),
            last_at: Timestamp::from_ms(u64::MAX),
            proposals,
            closed,
            quietly,
            lead_alert: AlertId(Uuid::from_u128(9)),
        }
    }
}

/// Every text of a message that people see.
fn texts(message: &Value) -> Vec<&str> {
    let embed = &message["embeds"][0];
    let fields = embed["fields"].as_array().unwrap().iter();
    let fields = fields.flat_map(|field| [&field["name"], &field["value"]]);
    let buttons = buttons_of(message)
        .into_iter()
        .map(|button| &button["label"]);
    let all = fields.chain(buttons).chain([&embed["title"]]);
    all.map(|text| text.as_str().unwrap()).collect()
}

fn buttons_of(message: &Value) -> Vec<&Value> {
    let rows = message["components"].as_array().unwrap().iter();
    rows.flat_map(|row| row["components"].as_array().unwrap())
        .collect()
}

fn ids_of(message: &Value) -> Vec<CustomId> {
    let buttons = buttons_of(message).into_iter();
    buttons
        .map(|button| button["custom_id"].as_str().unwrap().parse().unwrap())
        .collect()
}

/// Takes our own time stamps out: what `<` is left then is somebody else's.
fn without_moments(text: &str) -> String {
    let mut parts = text.split("<t:");
    let mut rest = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (number, after) = part.split_once(":R>").expect("a whole time stamp");
        assert!(number.parse::<u64>().is_ok(), "{text}");
        rest.push_str(after);
    }
    rest
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    #[test]
    fn every_limit_is_kept(notice in notice()) {
        let message = message(&notice, NOW);
        let found = faults(&message, Call::Create);
        prop_assert!(found.is_empty(), "{:?}", found);
        prop_assert_eq!(&message["allowed_mentions"], &json!({"parse": []}));
        prop_assert_eq!(message["flags"] == 4096, notice.quietly);
    }

    #[test]
    fn nothing_of_a_vendor_can_be_clicked_or_calls_anybody(notice in notice()) {
        let message = message(&notice, NOW);
        for text in texts(&message) {
            let text = without_moments(text);
            for active in ["@", "<", "``", "\u{202e}", "\u{200b}"] {
                prop_assert!(!text.contains(active), "{} in {}", active, text);
            }
            prop_assert!(text.matches('`').count().is_multiple_of(2), "an open code span: {}", text);
            for outside in text.split('`').step_by(2) {
                for active in ["](", "://", "||", "**", "__", "~~"] {
                    prop_assert!(!outside.contains(active), "{} in {}", active, text);
                }
            }
        }
    }

    #[test]
    fn a_button_binds_to_a_digest_that_the_message_shows(notice in notice()) {
        let message = message(&notice, NOW);
        let shown = texts(&message).join("\n");
        let ids = ids_of(&message);
        let open: Vec<_> = proposal::waiting(&notice.proposals, NOW);
        prop_assert_eq!(ids.len(), if open.is_empty() { 1 } else { 3 * open.len().min(4) });
        for id in ids {
            prop_assert_eq!(&id.tenant, &notice.tenant_id);
            let Some(digest) = &id.digest else {
                prop_assert!(open.is_empty());
                prop_assert_eq!(id.verb, Verb::Investigate);
                prop_assert_eq!(id.alert_id, notice.lead_alert);
                continue;
            };
            let line = format!("digest `{digest}`");
            prop_assert!(shown.contains(&line), "{} is not shown", line);
            let bound = open.iter().find(|one| one.alert_id == id.alert_id && short(&one.digest) == *digest);
            prop_assert!(bound.is_some(), "{} binds to nothing that waits", id);
        }
    }
}

fn one(standing: Standing) -> Notice {
    let proposal = Proposal {
        action_id: ActionId(Uuid::from_u128(1)),
        alert_id: AlertId(Uuid::from_u128(2)),
        action_type: ActionType::HostIsolation,
        target_urn: "urn:edr:crowdstrike:0123abcd".into(),
        parameters: BTreeMap::from([("sha256".to_owned(), "0f".repeat(32))]),
        verdict: Verdict::Critical,
        host: Some("WIN_7".into()),
        dry_run: true,
        protected: Some("tier0".into()),
        on_expiry: OnExpiry::Ask,
        hold_minutes: 240,
        digest: Digest([0xab; 32]),
        expires_at: Timestamp::from_s(1_800_000_900),
        standing,
        act: None,
    };
    Notice {
        tenant_id: "acme".parse().unwrap(),
        incident_id: IncidentId(Uuid::from_u128(3)),
        revision: 4,
        level: Verdict::Critical,
        title: "LSASS read by rundll32".into(),
        vendor: Vendor::Crowdstrike,
        hosts: vec!["WIN_7".into(), "DC-01".into()],
        host_count: 3,
        reasons: vec![
            "Memory of LSASS".into(),
            "Rundll32 without arguments".into(),
        ],
        tactics: vec!["execution".into(), "credential-access".into()],
        techniques: vec!["T1003.001".into()],
        alerts: 412,
        folded: 400,
        linked_by: vec!["host".into(), "user".into()],
        storm: false,
        opened_at: Timestamp::from_s(1_799_999_000),
        last_at: Timestamp::from_s(1_799_999_900),
        proposals: vec![proposal],
        closed: None,
        quietly: false,
        lead_alert: AlertId(Uuid::from_u128(2)),
    }
}

#[test]
fn an_analyst_reads_it_from_top_to_bottom() {
    let waiting = Standing::Waiting {
        approved_by: vec!["ada".parse().unwrap()],
    };
    let message = message(&one(waiting), NOW);
    let embed = &message["embeds"][0];
    assert_eq!(embed["title"], "CRITICAL · LSASS read by rundll32");
    let fields = embed["fields"].as_array().unwrap().iter();
    let read: Vec<_> = fields
        .map(|field| {
            format!(
                "{}\n{}",
                field["name"].as_str().unwrap(),
                field["value"].as_str().unwrap()
            )
        })
        .collect();
    let expected = [
        "Hosts\nWIN\\_7, DC-01 (3 in all)",
        "Why\n• Memory of LSASS\n• Rundll32 without arguments",
        "ATT&CK\nexecution → credential-access\nT1003.001",
        "Alerts\n412 alerts, 400 of them folded into this message: same host, same user",
        "Incident\nacme from crowdstrike, began <t:1799999000:R>, last alert <t:1799999900:R>\n\
         incident `00000000-0000-0000-0000-000000000003`\n\
         first to open: alert `00000000-0000-0000-0000-000000000002`",
        "HOST\\_ISOLATION · WIN\\_7 · dry run\n`urn:edr:crowdstrike:0123abcd`\n\
         sha256 `0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f`\n⚠ protected: tier0\n\
         holds 240 min, then a person is asked\ndigest `abababababababab`\n\
         1 of 2 approved: ada; waits for another person, expires <t:1800000900:R>",
    ];
    assert_eq!(read, expected);
    let labels: Vec<_> = buttons_of(&message)
        .into_iter()
        .map(|button| &button["label"])
        .collect();
    assert_eq!(labels, ["Approve (dry run)", "Deny", "Investigate"]);
    assert_eq!(
        ids_of(&message)[0].to_string(),
        "approve_00000000-0000-0000-0000-000000000002_acme.abababababababab"
    );
}

#[test]
fn what_is_decided_or_too_late_has_no_button() {
    let late = Timestamp::from_s(1_800_000_901);
    let waiting = Standing::Waiting {
        approved_by: Vec::new(),
    };
    for (standing, now, line) in [
        (waiting, late, "expired: nobody decided"),
        (Standing::Expired, NOW, "expired: nobody decided"),
        (
            Standing::Approved {
                by: vec!["ada".parse().unwrap()],
            },
            NOW,
            "approved by ada",
        ),
        (
            Standing::Denied {
                by: "bob_1".parse().unwrap(),
            },
            NOW,
            "denied by bob\\_1",
        ),
    ] {
        let message = message(&one(standing), now);
        let value = message["embeds"][0]["fields"][5]["value"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(value.ends_with(line), "{value}");
        let ids = ids_of(&message);
        assert_eq!(ids.len(), 1);
        assert_eq!((ids[0].verb, &ids[0].digest), (Verb::Investigate, &None));
    }
}

#[test]
fn of_many_that_wait_the_newest_have_buttons_and_the_others_are_counted() {
    let mut notice = one(Standing::Waiting {
        approved_by: Vec::new(),
    });
    let first = notice.proposals[0].clone();
    notice.proposals = (0..30_u8)
        .map(|at| Proposal {
            digest: Digest([at; 32]),
            verdict: if at == 7 {
                Verdict::Critical
            } else {
                Verdict::High
            },
            ..first.clone()
        })
        .collect();
    let message = message(&notice, NOW);
    let digests: Vec<_> = ids_of(&message)
        .into_iter()
        .filter_map(|id| id.digest)
        .collect();
    assert_eq!(digests.len(), 12);
    assert_eq!(digests[0], "07".repeat(8), "the worst first");
    assert_eq!(digests[9], "1b".repeat(8));
    let fields = message["embeds"][0]["fields"].as_array().unwrap();
    let last = fields.last().unwrap();
    assert_eq!(
        last["value"],
        "26 more wait without a button here: \
         `vyrox incident show 00000000-0000-0000-0000-000000000003 --tenant acme`"
    );
    assert!(
        fields[5]["name"].as_str().unwrap().starts_with("1. HOST"),
        "{}",
        fields[5]
    );
}

#[test]
fn without_its_flags_it_is_an_edit_or_an_answer() {
    let mut message = message(&one(Standing::Expired), NOW);
    message.as_object_mut().unwrap().remove("flags");
    for call in [Call::Edit, Call::Answer] {
        assert_eq!(faults(&message, call), Vec::<String>::new(), "{call:?}");
    }
}

#[test]
fn a_nonce_fits_and_differs() {
    let (one, other) = (
        IncidentId(Uuid::from_u128(1)),
        IncidentId(Uuid::from_u128(2)),
    );
    assert_eq!(digest_nonce(one), digest_nonce(one));
    assert_ne!(digest_nonce(one), digest_nonce(other));
    assert!(digest_nonce(one).len() <= 25);
}

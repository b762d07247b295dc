//! What is proposed for which alert, and what never is.

use proptest::prelude::*;
use vyrox_domain::{
    action::{ActionType, OnExpiry, parse_target, same_target},
    alert::Alert,
    playbook::{Assets, Case, Playbook, Playbooks, possible},
    triage::Verdict,
    vendor::Vendor,
};

use super::cases::{builtins, full, propose, sources, step};

#[test]
fn a_plain_alert_is_left_alone_by_every_builtin() {
    let playbooks = builtins();
    for vendor in Vendor::ALL {
        assert_eq!(propose(&playbooks, &full(vendor), &[], &[]), []);
        let alert = full(vendor);
        for verdict in [Verdict::Medium, Verdict::Low, Verdict::Benign] {
            let techniques = ["T1486".to_owned()];
            let case = Case {
                alert: &alert,
                verdict,
                tactics: &["execution".to_owned()],
                techniques: &techniques,
            };
            assert_eq!(
                playbooks.propose(&case, &Assets::default()),
                [],
                "{verdict}"
            );
        }
    }
}

#[test]
fn each_builtin_speaks_for_its_example() {
    let examples: [(&str, &[&str], &[&str]); 5] = [
        ("contain_ransomware", &["impact"], &["T1486"]),
        (
            "contain_credential_theft",
            &["credential-access"],
            &["T1003.001"],
        ),
        (
            "contain_lateral_movement",
            &["lateral-movement"],
            &["T1021.002"],
        ),
        ("block_malware_hash", &["execution"], &["T1204.002"]),
        ("stop_process", &["execution"], &["T1059.001"]),
    ];
    let playbooks = builtins();
    let ids: Vec<&str> = playbooks.iter().map(Playbook::id).collect();
    assert_eq!(ids, examples.map(|(id, ..)| id), "most urgent first");
    let mut table = Vec::new();
    for (id, tactics, techniques) in examples {
        for vendor in Vendor::ALL {
            let drafts = propose(&playbooks, &full(vendor), tactics, techniques);
            assert!(
                drafts.iter().all(|draft| draft.playbook == id),
                "{id} {vendor}"
            );
            let said: Vec<&str> = drafts
                .iter()
                .map(|draft| draft.action_type.as_str())
                .collect();
            let said = if said.is_empty() {
                "-".to_owned()
            } else {
                said.join("+")
            };
            table.push(format!("{id} {vendor} {said}"));
        }
    }
    insta::assert_snapshot!(table.join("\n"), @r"
    contain_ransomware crowdstrike HOST_ISOLATION
    contain_ransomware sentinelone HOST_ISOLATION
    contain_ransomware defender HOST_ISOLATION
    contain_ransomware generic -
    contain_credential_theft crowdstrike HOST_ISOLATION
    contain_credential_theft sentinelone HOST_ISOLATION
    contain_credential_theft defender HOST_ISOLATION
    contain_credential_theft generic -
    contain_lateral_movement crowdstrike HOST_ISOLATION
    contain_lateral_movement sentinelone NETWORK_QUARANTINE
    contain_lateral_movement defender HOST_ISOLATION
    contain_lateral_movement generic -
    block_malware_hash crowdstrike HASH_BLOCK
    block_malware_hash sentinelone HASH_BLOCK
    block_malware_hash defender HASH_BLOCK
    block_malware_hash generic -
    stop_process crowdstrike PROCESS_KILL
    stop_process sentinelone PROCESS_KILL
    stop_process defender FILE_QUARANTINE
    stop_process generic -
    ");
}

#[test]
fn a_draft_says_where_it_comes_from() {
    let playbooks = builtins();
    let drafts = propose(&playbooks, &full(Vendor::Defender), &[], &["T1490"]);
    let ransomware = playbooks.iter().next().unwrap();
    let [draft] = drafts.as_slice() else {
        panic!("one step")
    };
    assert_eq!(draft.target_urn, "urn:edr:defender:0a1b2c");
    assert_eq!(draft.playbook, ransomware.id());
    assert_eq!(draft.playbook_sha256, ransomware.digest());
    assert_eq!((draft.on_expiry, draft.hold_minutes), (OnExpiry::Ask, 240));
    assert_eq!(draft.protected, None);
}

#[test]
fn a_playbook_that_cannot_do_all_of_its_steps_is_passed_over() {
    let both = "id = 'both'\ntitle = 'Both'\npriority = 9\nwhen = { min_verdict = 'HIGH' }\n\
                steps = [{ action = 'HOST_ISOLATION' }, { action = 'HASH_BLOCK' }]";
    let one = "id = 'one'\ntitle = 'One'\npriority = 1\nwhen = { min_verdict = 'HIGH' }\n\
               steps = [{ action = 'PROCESS_KILL' }]";
    let playbooks = Playbooks::compile(&sources(&[one, both])).unwrap();
    let names = |alert: &Alert| -> Vec<&str> {
        let drafts = propose(&playbooks, alert, &[], &[]);
        drafts
            .iter()
            .map(|draft| draft.action_type.as_str())
            .collect()
    };
    let mut alert = full(Vendor::Crowdstrike);
    assert_eq!(names(&alert), ["HOST_ISOLATION", "HASH_BLOCK"]);
    alert.process.hashes.sha256 = None;
    assert_eq!(names(&alert), ["PROCESS_KILL"]);
    alert.process.pid = None;
    assert_eq!(names(&alert), [""; 0]);
}

#[test]
fn every_condition_has_to_hold() {
    let text = "id = 'one'\ntitle = 'One'\npriority = 1\n[when]\nmin_verdict = 'CRITICAL'\n\
                tactics = ['impact', 'execution']\ntechniques = ['T1003', 'T1059.001']\n\
                vendors = ['crowdstrike']\nplatforms = ['linux']\n\
                [[steps]]\naction = 'HOST_ISOLATION'";
    let playbooks = Playbooks::compile(&sources(&[text])).unwrap();
    let speaks = |vendor, platform: &str, verdict, tactic: &str, technique: &str| {
        let mut alert = full(vendor);
        alert.device.platform = Some(platform.to_owned());
        let case = Case {
            alert: &alert,
            verdict,
            tactics: &[tactic.to_owned()],
            techniques: &[technique.to_owned()],
        };
        !playbooks.propose(&case, &Assets::default()).is_empty()
    };
    let (cs, s1) = (Vendor::Crowdstrike, Vendor::Sentinelone);
    let (critical, high) = (Verdict::Critical, Verdict::High);
    assert!(speaks(cs, "linux", critical, "impact", "T1003"));
    assert!(speaks(cs, "linux", critical, "execution", "T1003.008"));
    assert!(speaks(cs, "linux", critical, "impact", "t1059.001"));
    assert!(!speaks(s1, "linux", critical, "impact", "T1003"));
    assert!(!speaks(cs, "windows", critical, "impact", "T1003"));
    assert!(!speaks(cs, "linux", high, "impact", "T1003"));
    assert!(!speaks(cs, "linux", critical, "discovery", "T1003"));
    assert!(
        !speaks(cs, "linux", critical, "impact", "T1059"),
        "a parent is more than its part"
    );
    assert!(!speaks(cs, "linux", critical, "impact", "T1059.002"));
    assert!(!speaks(cs, "linux", critical, "impact", "T10031"));
}

#[test]
fn a_protected_machine_is_not_proposed_without_saying_so() {
    let mut alert = full(Vendor::Crowdstrike);
    alert.device.role = Some("domain_controller".to_owned());
    let draft = step(&alert, ActionType::HostIsolation).unwrap();
    assert_eq!(draft.protected.as_deref(), Some("tier0"));

    let assets = Assets::parse(&[], &["host:srv-*".to_owned()]).unwrap();
    let case = Case {
        alert: &full(Vendor::Crowdstrike),
        verdict: Verdict::Critical,
        tactics: &[],
        techniques: &["T1486".to_owned()],
    };
    let drafts = builtins().propose(&case, &assets);
    assert!(!drafts.is_empty());
    for draft in drafts {
        assert_eq!(draft.protected.as_deref(), Some("pattern:host:srv-*"));
    }
}

prop_compose! {
    /// An alert whose every text was chosen by somebody hostile.
    fn hostile()(
        vendor in prop::sample::select(Vendor::ALL.to_vec()),
        device in prop::option::of("(urn:edr:crowdstrike:)?[a-f0-9]{1,8}|\\PC{0,12}"),
        texts in prop::collection::vec(prop::option::of("[a-z0-9]{1,12}|\\PC{0,40}|C:\\\\Temp\\\\[a-z]{1,5}"), 8),
        pid in prop::option::of(any::<u64>()),
        hash in prop::option::of("[0-9a-f]{64}"),
    ) -> Alert {
        let mut alert = Alert::bare(vendor, "x".to_owned());
        let mut texts = texts.into_iter();
        let mut text = || texts.next().flatten();
        alert.device.id = device;
        alert.device.hostname = text();
        alert.device.platform = text().or_else(|| Some("windows".to_owned()));
        alert.device.role = text();
        alert.threat_id = text();
        alert.process.image = text();
        alert.process.path = text();
        alert.file.path = text();
        alert.title = text();
        alert.process.pid = pid;
        alert.process.hashes.sha256 = hash;
        alert
    }
}

proptest! {
    #[test]
    fn a_target_is_the_device_id_and_nothing_else(
        alert in hostile(),
        technique in prop::sample::select(vec!["T1486", "T1003", "T1204", "T9999"]),
        tactic in prop::sample::select(vec!["lateral-movement", "execution", "impact"]),
    ) {
        for draft in propose(&builtins(), &alert, &[tactic], &[technique]) {
            let (vendor, id) = parse_target(&draft.target_urn).expect("a target");
            prop_assert_eq!(vendor, alert.vendor);
            let device = alert.device.id.as_deref().expect("an id");
            let spelled = format!("urn:edr:{vendor}:{device}");
            prop_assert!(same_target(&draft.target_urn, &spelled));
            prop_assert!(id.eq_ignore_ascii_case(device));
            prop_assert!(possible(alert.vendor, draft.action_type));
            for value in draft.parameters.values() {
                prop_assert!(!value.is_empty() && value.len() <= 512);
                prop_assert!(!value.chars().any(char::is_control));
            }
        }
    }
}

#[test]
fn more_is_wanted_only_where_it_could_lead_to_something() {
    let playbooks = builtins();
    let wants = |alert: &Alert, tactic: &str, verdict| {
        let technique = match tactic {
            "credential-access" => "T1003.001",
            _ => "T1059.001",
        };
        let case = Case {
            alert,
            verdict,
            tactics: &[tactic.to_owned()],
            techniques: &[technique.to_owned()],
        };
        playbooks.want_more(&case)
    };
    for vendor in Vendor::ALL
        .into_iter()
        .filter(|one| *one != Vendor::Generic)
    {
        let whole = full(vendor);
        let mut no_device = full(vendor);
        no_device.device.id = None;
        let mut no_object = full(vendor);
        (no_object.process.pid, no_object.threat_id) = (None, None);
        let mut no_target = full(vendor);
        no_target.device.id = Some("../x".to_owned());
        for (tactic, applies) in [("credential-access", true), ("resource-development", false)] {
            assert!(!wants(&whole, tactic, Verdict::Critical), "{vendor}");
            assert!(!wants(&no_target, tactic, Verdict::Critical), "{vendor}");
            assert_eq!(wants(&no_device, tactic, Verdict::Critical), applies);
            assert!(!wants(&no_device, tactic, Verdict::Medium), "{vendor}");
            assert!(!wants(&no_object, tactic, Verdict::Critical), "{vendor}");
        }
        // Defender takes away the file, for which nothing is missing.
        let missing = vendor != Vendor::Defender;
        assert_eq!(wants(&no_object, "discovery", Verdict::High), missing);
        assert!(!wants(&whole, "discovery", Verdict::High), "{vendor}");
    }
}

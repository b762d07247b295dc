use super::*;
use crate::vendor::Vendor;

#[test]
fn tactics_are_read_in_every_way_vendors_write_them() {
    for tactic in Tactic::ALL {
        for text in [
            tactic.as_str().to_owned(),
            tactic.as_str().replace('-', "_"),
            tactic.name().to_owned(),
            tactic.name().to_uppercase(),
            tactic.name().replace(' ', ""),
            tactic.id().to_owned(),
            tactic.id().to_lowercase(),
            format!("  {} ", tactic.name()),
        ] {
            assert_eq!(Tactic::parse(&text), Some(tactic), "{text}");
        }
        let json = serde_json::to_string(&tactic).expect("JSON");
        assert_eq!(json, format!("\"{}\"", tactic.as_str()));
        assert_eq!(serde_json::from_str::<Tactic>(&json).expect("read"), tactic);
    }
}

#[test]
fn what_became_of_defense_evasion_is_still_read_as_it() {
    for text in [
        "Stealth",
        "Defense Impairment",
        "defense_impairment",
        "TA0112",
        "Defence Evasion",
    ] {
        assert_eq!(Tactic::parse(text), Some(Tactic::DefenseEvasion), "{text}");
    }
}

#[test]
fn a_vendors_own_words_are_no_tactics() {
    let long = "impact ".repeat(100);
    for text in [
        "", " ", "-", "Malware", "CSTA0001", "CST0016", "TA9999", "TA00", "TA00061", "None", &long,
    ] {
        assert_eq!(Tactic::parse(text), None, "{text}");
    }
}

#[test]
fn the_order_is_that_of_an_attack() {
    assert!(Tactic::ALL.is_sorted());
    assert!(Tactic::CommandAndControl < Tactic::Exfiltration);
    assert!(Tactic::CredentialAccess < Tactic::LateralMovement);
}

#[test]
fn the_table_is_sorted_and_made_of_ids() {
    assert!(table::TABLE.is_sorted_by(|a, b| a.0 < b.0));
    for (id, name, tactics) in table::TABLE {
        assert!(is_technique_id(id), "{id}");
        assert!(!tactics.is_empty(), "{id}");
        assert_eq!(technique_name(&id.to_lowercase()), Some(*name));
        assert_eq!(tactic_of_technique(id), tactics.first().copied());
    }
}

#[test]
fn a_sub_technique_falls_back_to_its_parent() {
    assert_eq!(technique_name("T1003.001"), Some("LSASS Memory"));
    assert_eq!(technique_name("T1003.008"), Some("OS Credential Dumping"));
    assert_eq!(
        tactic_of_technique("T1003.008"),
        Some(Tactic::CredentialAccess)
    );
    assert_eq!(
        tactic_of_technique("OS Credential Dumping"),
        Some(Tactic::CredentialAccess)
    );
    for unknown in [
        "",
        "T",
        "T9999",
        "T9999.001",
        "CST0016",
        "T1003.001.001.001",
        ".",
    ] {
        assert_eq!(technique_name(unknown), None, "{unknown}");
    }
}

#[test]
fn only_an_id_looks_like_one() {
    for id in ["T1003", "T1003.001"] {
        assert!(is_technique_id(id), "{id}");
    }
    for other in [
        "t1003",
        "T100",
        "T10031",
        "T1003.",
        "T1003.01",
        "T1003.0011",
        "T1003.001.1",
        "T１００３",
        "",
    ] {
        assert!(!is_technique_id(other), "{other}");
    }
}

#[test]
fn an_alert_speaks_of_named_tactics_and_of_techniques_that_nobody_placed() {
    let text = |words: &[&str]| {
        words
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    let mut alert = Alert::bare(Vendor::Crowdstrike, "a-1".into());
    alert.tactics = text(&["Persistence", "Malware", "persistence"]);
    // Valid accounts serve persistence too, so that the table has nothing to add to it.
    alert.techniques = text(&["T1078", "T1003.001"]);
    assert_eq!(
        tactics_of(&alert, &text(&["execution"]), &text(&["T1486", "nonsense"])),
        [
            Tactic::Execution,
            Tactic::Persistence,
            Tactic::CredentialAccess,
            Tactic::Impact
        ]
    );
    assert_eq!(
        tactics_of(&Alert::bare(Vendor::Generic, "x".into()), &[], &[]),
        []
    );
}

//! What a rule set promises to whoever loads one: all errors at once, public Sigma rules, filters.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use serde_json::{Value, json};
use vyrox_domain::triage::{Leaning, Level, RuleHit};
use vyrox_rules::{Example, RuleSet, builtin_sources, fields};

fn source(text: &str) -> Vec<(String, String)> {
    vec![("test.yml".to_owned(), text.to_owned())]
}

fn hits(rules: &RuleSet, alert: Value) -> Vec<RuleHit> {
    rules.evaluate(
        &Example {
            alert,
            verdict: None,
        }
        .build()
        .unwrap(),
    )
}

fn messages(text: &str) -> Vec<String> {
    let errors = RuleSet::compile(&source(text)).err().unwrap_or_default();
    errors.iter().map(ToString::to_string).collect()
}

/// A rule in the shape of the public process-creation rules.
const PUBLIC: &str = r"
title: Whoami from an Office parent
id: 6b1b3a52-0d8c-4a7e-8f0e-0f1d4a7c5b11
status: test
author: somebody
logsource:
    category: process_creation
    product: windows
detection:
    selection_img:
        - Image|endswith: '\whoami.exe'
        - OriginalFileName: 'whoami.exe'
    selection_parent:
        ParentImage|endswith:
            - '\winword.exe'
            - '\excel.exe'
    filter_main:
        User|contains: 'AUTHORI'
        IntegrityLevel: System
    condition: all of selection_* and not 1 of filter_main*
level: high
tags:
    - attack.discovery
    - attack.t1033
    - attack.s0385
";

#[test]
fn public_rules_run_on_the_process() {
    let rules = RuleSet::compile(&source(PUBLIC)).unwrap();
    for process in [
        json!({"image": "whoami.exe"}),
        json!({"path": r"C:\Windows\System32\WHOAMI.EXE"}),
        json!({"path": r"C:\Windows\System32", "image": "whoami.exe"}),
        json!({"command_line": r#""C:\Windows\System32\whoami.exe" /all"#}),
    ] {
        let found = hits(
            &rules,
            json!({"process": process, "parent": {"image": "WINWORD.EXE"}}),
        );
        assert_eq!(found.len(), 1, "{process}");
    }
    let found = hits(
        &rules,
        json!({"process": {"image": "whoami.exe"}, "parent": {"path": r"C:\o\EXCEL.EXE"}}),
    );
    let hit = found.first().unwrap();
    assert_eq!(
        (hit.leaning, hit.level, hit.weight_bp),
        (Leaning::Malicious, Level::High, 7_500)
    );
    assert_eq!(
        (hit.techniques.as_slice(), hit.tactics.as_slice()),
        (&["T1033".to_owned()][..], &["discovery".to_owned()][..])
    );
    assert_eq!(hit.matched, ["parent.path", "process.image"]);
}

#[test]
fn a_platform_s_rules_leave_other_platforms_alone() {
    let rules = RuleSet::compile(&source(PUBLIC)).unwrap();
    let alert = |platform: &str| json!({"device": {"platform": platform}, "process": {"image": "whoami.exe"}, "parent": {"image": "excel.exe"}});
    assert_eq!(hits(&rules, alert("windows")).len(), 1);
    assert_eq!(hits(&rules, alert("linux")).len(), 0);
}

#[test]
fn user_and_hashes_as_sysmon_writes_them() {
    let rules = RuleSet::compile(&source(
        r"
title: By user and hash
id: 5f0a3c50-77fb-4a4f-8d1c-3b1f7b1a8a01
logsource: {category: process_creation}
detection:
    selection:
        User: 'CORP\ann'
        Hashes|contains: 'MD5=D41D8CD98F00B204E9800998ECF8427E'
    condition: selection
",
    ))
    .unwrap();
    let alert = json!({"user": {"name": "ann", "domain": "CORP"}, "process": {"hashes": {"md5": "d41d8cd98f00b204e9800998ecf8427e"}}});
    let found = hits(&rules, alert);
    assert_eq!(found.first().unwrap().level, Level::Medium);
    assert_eq!(
        found.first().unwrap().matched,
        ["process.hashes.md5", "user.domain", "user.name"]
    );
}

/// One rule for each thing that can be wrong with one.
const BROKEN: &str = r"
title: No id
logsource: {product: edr, category: alert}
detection: {a: {title: x}, condition: a}
level: low
---
title: Misspelt field
id: 8f0f5f2e-3f0c-4a5e-9a53-0a5c2f9d0002
logsource: {product: edr, category: alert}
detection: {a: {process.comand_line: x}, condition: a}
level: low
---
title: Misspelt key
id: 8f0f5f2e-3f0c-4a5e-9a53-0a5c2f9d0003
logsource: {product: edr, category: alert}
detection: {a: {title: x}, condition: a}
level: low
vyrx: {weight_bp: 1}
---
title: Heavy
id: 8f0f5f2e-3f0c-4a5e-9a53-0a5c2f9d0004
logsource: {product: edr, category: alert}
detection: {a: {title: x}, condition: a}
level: low
vyrox: {weight_bp: 10001}
---
title: Registry
id: 8f0f5f2e-3f0c-4a5e-9a53-0a5c2f9d0005
logsource: {product: windows, category: registry_set}
detection: {a: {TargetObject: x}, condition: a}
---
title: Bad expression
id: 8f0f5f2e-3f0c-4a5e-9a53-0a5c2f9d0006
logsource: {product: edr, category: alert}
detection: {a: {title|re: '('}, condition: a}
level: low
---
title: Twice
id: 8f0f5f2e-3f0c-4a5e-9a53-0a5c2f9d0007
logsource: {product: edr, category: alert}
detection: {a: {title: x}, condition: a}
level: low
---
title: Twice again
id: 8f0f5f2e-3f0c-4a5e-9a53-0a5c2f9d0007
logsource: {product: edr, category: alert}
detection: {a: {title: x}, condition: a}
level: low
";

#[test]
fn every_error_is_told_with_its_rule() {
    let found = messages(BROKEN);
    for (wanted, rule) in [
        ("it has no `id`", "No id"),
        ("no field `process.comand_line`", "Misspelt field"),
        ("unknown key `vyrx`", "Misspelt key"),
        ("above 10000", "Heavy"),
        ("log source", "Registry"),
        ("regex", "Bad expression"),
        (
            "taken by another rule",
            "8f0f5f2e-3f0c-4a5e-9a53-0a5c2f9d0007",
        ),
    ] {
        let told = found
            .iter()
            .any(|message| message.contains(wanted) && message.contains(rule));
        assert!(told, "{wanted}: {found:#?}");
    }
    assert_eq!(found.len(), 7, "{found:#?}");
}

#[test]
fn an_override_leans_benign_and_is_sure_of_itself() {
    let rule = |extension: &str| {
        let text = format!(
            "title: Known\nid: 8f0f5f2e-3f0c-4a5e-9a53-0a5c2f9d0032\n\
             logsource: {{product: edr, category: alert}}\n\
             detection: {{a: {{title: known}}, condition: a}}\n\
             level: informational\nvyrox: {extension}\n"
        );
        RuleSet::compile(&source(&text))
    };
    let rules = rule("{override: true}").unwrap();
    let hit = &hits(&rules, json!({"title": "known"}))[0];
    assert_eq!(
        (hit.overrides, hit.leaning, hit.weight_bp),
        (true, Leaning::Benign, 9_500)
    );
    let rules = rule("{override: true, leaning: benign, weight_bp: 8000}").unwrap();
    let hit = &hits(&rules, json!({"title": "known"}))[0];
    assert_eq!((hit.overrides, hit.weight_bp), (true, 8_000));
    let refused = rule("{override: true, leaning: malicious}").err().unwrap();
    let [refused] = refused.as_slice() else {
        panic!("{refused:?}")
    };
    assert!(refused.message.contains("override"), "{refused}");
}

#[test]
fn broken_yaml_is_an_error_not_a_smaller_set() {
    for text in ["title: [", "just text", "title: x", "a: 1\na: 2"] {
        assert!(!messages(text).is_empty(), "{text}");
    }
}

#[test]
fn a_failed_example_names_the_rule() {
    let rules = RuleSet::compile(&source(
        r"
title: Wrong about itself
id: 8f0f5f2e-3f0c-4a5e-9a53-0a5c2f9d0011
name: test.wrong
logsource: {product: edr, category: alert}
detection: {a: {title: x}, condition: a}
level: low
vyrox:
  tests:
    positive:
      - alert: {title: y}
      - alert: {titel: x}
      - {alert: {title: x}, verdict: CRITICAL}
    negative:
      - alert: {title: X}
",
    ))
    .unwrap();
    let failures = rules.run_examples();
    assert_eq!(failures.len(), 4, "{failures:#?}");
    assert!(
        failures
            .iter()
            .all(|failure| failure.rule.as_deref() == Some("test.wrong"))
    );
}

#[test]
fn a_filter_narrows_a_rule() {
    let rule = r"
title: Any title
id: 8f0f5f2e-3f0c-4a5e-9a53-0a5c2f9d0021
logsource: {product: edr, category: alert}
detection: {a: {title|exists: true}, condition: a}
level: low
";
    let filter = r"
title: Not on the lab
logsource: {product: edr, category: alert}
filter:
    rules: [8f0f5f2e-3f0c-4a5e-9a53-0a5c2f9d0021]
    lab: {device.hostname|startswith: lab-}
    condition: not lab
";
    let sources = [
        ("rule.yml".to_owned(), rule.to_owned()),
        ("filter.yml".to_owned(), filter.to_owned()),
    ];
    let rules = RuleSet::compile(&sources).unwrap();
    assert_eq!(
        hits(&rules, json!({"title": "x", "device": {"hostname": "ws1"}})).len(),
        1
    );
    assert_eq!(
        hits(
            &rules,
            json!({"title": "x", "device": {"hostname": "lab-7"}})
        )
        .len(),
        0
    );
}

#[test]
fn keywords_search_the_whole_alert() {
    let rules = RuleSet::compile(&source(
        r"
title: Keyword
id: 8f0f5f2e-3f0c-4a5e-9a53-0a5c2f9d0031
logsource: {product: edr, category: alert}
detection:
    words: [evil-marker]
    condition: words
level: low
",
    ))
    .unwrap();
    assert_eq!(
        hits(
            &rules,
            json!({"parent": {"command_line": "x EVIL-marker y"}})
        )
        .len(),
        1
    );
    assert_eq!(
        hits(
            &rules,
            json!({"network": [{"remote_name": "evil-marker.example"}]})
        )
        .len(),
        1
    );
    assert_eq!(hits(&rules, json!({"title": "fine"})).len(), 0);
}

#[test]
fn the_digest_tells_sets_apart_and_not_their_order() {
    let mut sources = builtin_sources();
    let one = RuleSet::compile(&sources).unwrap().digest();
    sources.reverse();
    assert_eq!(RuleSet::compile(&sources).unwrap().digest(), one);
    sources.pop();
    assert_ne!(RuleSet::compile(&sources).unwrap().digest(), one);
}

#[test]
fn every_field_is_documented() {
    let page = include_str!("../../../docs/rules.md");
    let missing: Vec<&str> = fields()
        .filter(|name| !page.contains(&format!("`{name}`")))
        .collect();
    assert!(missing.is_empty(), "docs/rules.md doesn't name {missing:?}");
}

#[test]
fn a_set_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<RuleSet>();
}

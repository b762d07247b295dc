//! What is refused when policies are loaded, and what their digest is of.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use vyrox_policy::{POLICIES_MAX, Policies, PolicyError, SOURCES_MAX_BYTES, parse_cases};

const GOOD: &str = r#"
@id("one")
permit (principal in Role::"approver", action == Action::"approve", resource)
when { resource.tenant == Tenant::"acme" };
"#;

fn compile(sources: &[(&str, &str)]) -> Result<Policies, Vec<PolicyError>> {
    let sources: Vec<_> = sources
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    Policies::compile(&sources)
}

fn errors(sources: &[(&str, &str)]) -> Vec<PolicyError> {
    let taken = compile(sources).map(|policies| policies.list().to_vec());
    taken.unwrap_err()
}

/// The only error of one source.
fn error(text: &str) -> PolicyError {
    let mut errors = errors(&[("site.cedar", text)]);
    assert_eq!(errors.len(), 1, "{errors:#?}");
    errors.remove(0)
}

/// A policy whose condition is `condition`.
fn permit(id: &str, condition: &str) -> String {
    format!(
        "@id(\"{id}\")\npermit (principal is Person, action == Action::\"execute\", resource)\nwhen {{ {condition} }};\n"
    )
}

#[test]
fn a_misspelt_attribute_is_named_with_file_line_and_policy() {
    let text = format!("{GOOD}\n{}", permit("typo", "resource.tier_0"));
    let error = error(&text);
    assert_eq!(error.source, "site.cedar");
    assert_eq!(error.policy.as_deref(), Some("typo"));
    assert_eq!(error.line, Some(8), "{error}");
    assert!(error.message.contains("tier_0"), "{error}");
    assert!(error.to_string().starts_with("site.cedar:8: policy typo: "));
}

#[test]
fn whatever_is_not_in_the_schema_is_refused() {
    for (condition, word) in [
        ("context.approval > 1", "approval"),
        ("resource.verdict == Verdict::\"CRITCAL\"", "CRITCAL"),
        ("principal in Role::\"aprover\"", "aprover"),
        ("principal in Roles::\"approver\"", "Roles"),
        ("resource.proposer == principal", "proposer"),
        ("resource.verdict == \"CRITICAL\"", ""),
        ("context.approvals == \"2\"", ""),
        ("context.approvals", ""),
        ("resource.tier0 == 1", ""),
        ("ip(context.reason).isLoopback()", ""),
    ] {
        let text = permit("typo", condition);
        let errors = errors(&[("site.cedar", &text)]);
        assert!(
            errors
                .iter()
                .all(|error| error.policy.as_deref() == Some("typo") && error.line.is_some()),
            "{condition}: {errors:#?}"
        );
        assert!(
            errors.iter().any(|error| error.message.contains(word)),
            "{condition}: {errors:#?}"
        );
    }
}

#[test]
fn what_can_never_apply_is_refused() {
    for text in [
        permit("idle", "resource.tier0 && !resource.tier0 && false"),
        r#"@id("idle") permit (principal is Service, action == Action::"approve", resource);"#
            .to_owned(),
        r#"@id("idle") permit (principal, action == Action::"shutdown", resource);"#.to_owned(),
        r#"@id("idle") permit (principal is Tenant, action, resource);"#.to_owned(),
        r#"@id("idle") permit (principal, action, resource is Person);"#.to_owned(),
    ] {
        let errors = errors(&[("site.cedar", &text)]);
        let named = errors
            .iter()
            .all(|error| error.policy.as_deref() == Some("idle"));
        assert!(named, "{text}: {errors:#?}");
    }
}

#[test]
fn every_policy_has_a_good_id_of_its_own() {
    let bare = "permit (principal, action == Action::\"deny\", resource);";
    let missing = error(&format!("\n\n{bare}"));
    assert!(missing.message.contains("has no @id"), "{missing}");
    assert_eq!(missing.line, Some(3));
    for id in ["", "Two", "-a", "a b", "hard.mine", "ä", &"a".repeat(65)] {
        let error = error(&format!("@id(\"{id}\") {bare}"));
        assert!(error.message.contains("@id"), "{id}: {error}");
    }
    let twice = errors(&[("a.cedar", GOOD), ("b.cedar", GOOD)]);
    assert_eq!(twice.len(), 1, "{twice:#?}");
    assert_eq!(
        twice[0].to_string(),
        "b.cedar:2: policy one: the same @id stands in a.cedar already"
    );
}

#[test]
fn all_errors_are_told_at_once() {
    let typo = permit("typo", "resource.tier_0");
    let told = errors(&[
        ("a.cedar", "permit (principal, action;"),
        ("b.cedar", &typo),
        (
            "c.cedar",
            "permit (principal, action == Action::\"deny\", resource);",
        ),
        ("d.cedar", GOOD),
        (
            "e.cedar",
            "@id(\"t\") permit (principal == ?principal, action, resource);",
        ),
    ]);
    let mut sources: Vec<_> = told.iter().map(|error| error.source.as_str()).collect();
    sources.sort_unstable();
    assert_eq!(
        sources,
        ["a.cedar", "b.cedar", "c.cedar", "e.cedar"],
        "{told:#?}"
    );
    let syntax = told.iter().find(|error| error.source == "a.cedar").unwrap();
    assert_eq!(syntax.line, Some(1), "{syntax}");
}

#[test]
fn sources_are_bounded() {
    let many: String = (0..=POLICIES_MAX)
        .map(|n| permit(&format!("p{n}"), "resource.tier0"))
        .collect();
    assert!(error(&many).message.contains("more than 256"));
    let long = format!("//{}", "/".repeat(SOURCES_MAX_BYTES));
    assert!(error(&long).message.contains("longer than"));
    assert!(compile(&[("site.cedar", long.get(2..).unwrap())]).is_ok());
}

/// A policy file that nests without end must be an error, not the end of the process: Cedar goes
/// down into expressions on the stack of whoever loads them.
#[test]
fn what_nests_without_end_is_refused_on_a_small_stack() {
    let texts = [
        permit("deep", &"(".repeat(100_000)),
        permit(
            "deep",
            &format!("{}true{}", "(".repeat(30_000), ")".repeat(30_000)),
        ),
        permit(
            "deep",
            &format!("{}true{}", "[".repeat(5_000), "]".repeat(5_000)),
        ),
        permit("deep", &format!("true{}", " && true".repeat(20_000))),
        permit("deep", &format!("0 < 1{}", " + 1".repeat(20_000))),
        permit("deep", &format!("resource{}", ".tenant".repeat(20_000))),
        permit(
            "deep",
            &format!("{} true", "if true then true else".repeat(8_000)),
        ),
    ];
    let small = std::thread::Builder::new().stack_size(1024 * 1024);
    let refused = small.spawn(move || {
        texts
            .iter()
            .all(|text| compile(&[("a.cedar", text)]).is_err())
    });
    assert!(refused.unwrap().join().unwrap());
}

/// The longest chains that are still taken are read, held against the schema, decided and dropped
/// on the usual stack of a thread.
#[test]
fn what_is_just_short_enough_is_handled_on_a_usual_stack() {
    let chains = [
        format!("true{}", " && true".repeat(650)),
        format!("0 < 1{}", " + 1".repeat(1_950)),
        format!("resource{}", ".a".repeat(1_950)),
        format!("{}true{}", "(".repeat(28), ")".repeat(28)),
        format!("{} true", "if true then true else".repeat(190)),
    ];
    let case = parse_cases(
        "[[case]]\nname=\"a\"\nact=\"execute\"\nperson=\"ann\"\napprovals=1\nexpect=\"deny\"",
    );
    let usual = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
    let outcomes = usual.spawn(move || {
        let question = case.unwrap()[0].question().unwrap();
        chains.map(|chain| {
            let text = permit("long", &chain);
            compile(&[("a.cedar", &text)]).map(|policies| policies.decide(&question))
        })
    });
    for outcome in outcomes.unwrap().join().unwrap() {
        match outcome {
            Ok(ruling) => assert!(ruling.allowed || !ruling.errors.is_empty(), "{ruling:?}"),
            Err(errors) => assert_eq!(errors[0].source, "a.cedar", "{errors:?}"),
        }
    }
}

#[test]
fn the_digest_is_of_what_is_meant() {
    let two = permit("two", "resource.tier0 && context.approvals > 1");
    let together = format!("{two}\n// a comment\n{GOOD}");
    let spaced = GOOD.replace(' ', "  \n ").replace("//", "");
    let digest = compile(&[("a.cedar", GOOD), ("b.cedar", &two)])
        .unwrap()
        .digest();
    for same in [
        vec![("b.cedar", two.as_str()), ("a.cedar", GOOD)],
        vec![("whole.cedar", together.as_str())],
        vec![("a.cedar", spaced.as_str()), ("b.cedar", two.as_str())],
    ] {
        assert_eq!(compile(&same).unwrap().digest(), digest, "{same:?}");
    }
    let other_condition = two.replace("> 1", "> 2");
    let other_effect = two.replace("permit", "forbid");
    let other_id = two.replace("two", "three");
    let other_text = format!("@text(\"why\") {two}");
    let other_tenant = GOOD.replace("acme", "globex");
    let others = [
        vec![("a.cedar", GOOD)],
        vec![("a.cedar", GOOD), ("b.cedar", &other_condition)],
        vec![("a.cedar", GOOD), ("b.cedar", &other_effect)],
        vec![("a.cedar", GOOD), ("b.cedar", &other_id)],
        vec![("a.cedar", GOOD), ("b.cedar", &other_text)],
        vec![("a.cedar", &other_tenant), ("b.cedar", &two)],
    ];
    let mut seen = vec![digest];
    for other in others {
        let digest = compile(&other).unwrap().digest();
        assert!(!seen.contains(&digest), "{other:?}");
        seen.push(digest);
    }
}

#[test]
fn a_table_that_makes_no_sense_is_refused() {
    let good = "[[case]]\nname = \"a\"\nact = \"deny\"\nperson = \"ann\"\nexpect = \"deny\"\n";
    assert_eq!(parse_cases(good).unwrap().len(), 1);
    for bad in [
        String::new(),
        good.replace("person", "persona"),
        good.replace("\"deny\"", "\"no\""),
        good.replace("person = \"ann\"", ""),
        format!("{good}service = \"compat\"\n"),
        format!("{good}verdict = \"critical\"\n"),
        good.replace(
            "person = \"ann\"",
            "service = \"compat\"\nroles = [\"analyst\"]",
        ),
        format!("#{}", " ".repeat(1024 * 1024)),
    ] {
        assert!(parse_cases(&bad).is_err(), "{bad:.200}");
    }
}

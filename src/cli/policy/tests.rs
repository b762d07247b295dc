use std::path::Path;

use super::{super::out::tests::Paper, *};

const TWO: &str = r#"
@id("site.approve")
@text("Approvers approve.")
permit (principal in Role::"approver", action in [Action::"approve", Action::"execute"], resource);
"#;

const TABLE: &str = r#"
[[case]]
name = "an approver approves"
act = "approve"
person = "ann"
roles = ["approver"]
expect = "allow"

[[case]]
name = "nobody denies"
act = "deny"
person = "ann"
roles = ["approver"]
expect = "allow"
"#;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn place(folder: &Path) -> Place {
    Place(Some(folder.to_owned()))
}

fn told(paper: &Paper) -> Value {
    serde_json::from_str(&paper.text()).unwrap()
}

#[test]
fn the_compiled_in_policies_are_sound_and_pass_their_table() {
    let place = Place(None);
    let paper = Paper::default();
    check(&place, &mut paper.out(false)).unwrap();
    assert!(
        paper
            .text()
            .starts_with("ok  14 policies are sound, sha256 ")
    );
    let paper = Paper::default();
    let tables = place.tables(&[]).unwrap();
    test(&place.policies().unwrap(), &tables, &mut paper.out(false)).unwrap();
    assert!(paper.text().starts_with("ok  all 8"), "{}", paper.text());
}

#[test]
fn what_is_shown_names_every_policy_and_the_digest() {
    let policies = Place(None).policies().unwrap();
    let paper = Paper::default();
    show(&policies, &mut paper.out(false)).unwrap();
    let text = paper.text();
    for policy in policies.list() {
        assert!(text.contains(&policy.id) && text.contains(&policy.text));
    }
    assert!(text.contains(&policies.digest().to_string()));
    let paper = Paper::default();
    show(&policies, &mut paper.out(true)).unwrap();
    let shown = told(&paper);
    assert_eq!(shown["policy_sha256"], policies.digest().to_string());
    assert_eq!(shown["policies"][0]["effect"], "permit");
    assert_eq!(
        shown["policies"].as_array().unwrap().len(),
        policies.list().len()
    );
}

#[test]
fn a_copy_of_the_defaults_is_the_defaults() {
    let paper = Paper::default();
    cedar(&Place(None), &mut paper.out(false)).unwrap();
    let copy = folder(&[("copy.cedar", &paper.text())]);
    assert_eq!(
        place(copy.path()).policies().unwrap().digest(),
        Place(None).policies().unwrap().digest()
    );
}

#[test]
fn every_error_is_named_and_the_answer_is_no() {
    let typo = TWO
        .replace("Approvers approve.", "")
        .replace("resource);", "resource) when { resource.tier_0 };");
    let broken = folder(&[
        ("a.cedar", &typo),
        ("b.cedar", "permit (principal, action, resource);"),
    ]);
    let paper = Paper::default();
    let failure = check(&place(broken.path()), &mut paper.out(false)).unwrap_err();
    assert_eq!(failure.exit(), Exit::NotSo);
    let text = paper.text();
    assert!(text.contains("a.cedar:4: policy site.approve: "), "{text}");
    assert!(text.contains("b.cedar:1: has no @id"), "{text}");
    let paper = Paper::default();
    check(&place(broken.path()), &mut paper.out(true)).unwrap_err();
    assert_eq!(told(&paper)["errors"].as_array().unwrap().len(), 2);
    assert_eq!(
        place(broken.path()).policies().unwrap_err().exit(),
        Exit::NotSo
    );
}

#[test]
fn a_directory_without_policies_is_refused() {
    let empty = folder(&[("README.md", "permit")]);
    let paper = Paper::default();
    check(&place(empty.path()), &mut paper.out(false)).unwrap_err();
    assert!(paper.text().contains("nothing would be permitted"));
}

#[test]
fn a_case_that_fails_is_told_with_what_decided() {
    let own = folder(&[("site.cedar", TWO), ("cases.toml", TABLE)]);
    let place = place(own.path());
    let (policies, tables) = (place.policies().unwrap(), place.tables(&[]).unwrap());
    let paper = Paper::default();
    let failure = test(&policies, &tables, &mut paper.out(false)).unwrap_err();
    assert_eq!(failure.exit(), Exit::NotSo);
    let text = paper.text();
    assert!(
        text.contains("cases.toml: \"nobody denies\" is denied by no policy"),
        "{text}"
    );
    assert!(text.ends_with("1 of 2 cases failed\n"), "{text}");
    let paper = Paper::default();
    test(&policies, &tables, &mut paper.out(true)).unwrap_err();
    let told = told(&paper);
    assert_eq!(told["cases"], 2);
    assert_eq!(told["failures"][0]["ruling"]["allowed"], false);
}

#[test]
fn tables_that_are_none_are_refused() {
    let own = folder(&[("site.cedar", TWO), ("cases.txt", "[[case]]\nname = 1")]);
    let place = place(own.path());
    let exit = |files: &[PathBuf]| place.tables(files).map(|_| ()).unwrap_err().exit();
    assert_eq!(exit(&[]), Exit::NotSo);
    assert_eq!(exit(&[own.path().join("cases.txt")]), Exit::NotSo);
    assert_eq!(exit(&[own.path().join("missing.toml")]), Exit::Unreachable);
}

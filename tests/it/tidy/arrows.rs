//! Which package may know which: the arrows of docs/architecture.md.

use super::house::{House, code_only};

/// Each package's directory, name, and the packages of this workspace that it may depend on.
const ARROWS: &[(&str, &str, &[&str])] = &[
    ("", "vyrox", &["vyrox-actors", "vyrox-domain"]),
    (
        "actors/",
        "vyrox-actors",
        &[
            "vyrox-domain",
            "vyrox-rules",
            "vyrox-policy",
            "vyrox-journal",
            "vyrox-supervision",
        ],
    ),
    ("actors/domain/", "vyrox-domain", &[]),
    ("actors/rules/", "vyrox-rules", &["vyrox-domain"]),
    ("actors/policy/", "vyrox-policy", &["vyrox-domain"]),
    ("actors/journal/", "vyrox-journal", &[]),
    ("actors/supervision/", "vyrox-supervision", &[]),
];

/// Crates from outside that one package alone may link.
const OWNED: &[(&str, &str)] = &[
    ("actix-web", "vyrox"),
    ("reqwest", "vyrox"),
    ("governor", "vyrox"),
    ("clap", "vyrox"),
    ("config", "vyrox"),
    ("hmac", "vyrox-domain"),
    ("ed25519-dalek", "vyrox-domain"),
    ("redb", "vyrox-journal"),
    ("chacha20poly1305", "vyrox-journal"),
    ("rsigma-eval", "vyrox-rules"),
    ("rsigma-parser", "vyrox-rules"),
    ("cedar-policy", "vyrox-policy"),
];

/// What pure code never says, with the reason.
const IMPURE: &[(&str, &str)] = &[
    (".await", "nothing in the domain waits"),
    ("async fn", "nothing in the domain waits"),
    ("std::fs", "nothing in the domain reads files"),
    ("std::net::Tcp", "nothing in the domain talks to anybody"),
    ("std::env", "nothing in the domain reads the environment"),
    ("std::thread", "nothing in the domain runs by itself"),
    ("std::process", "nothing in the domain starts anything"),
    ("SystemTime", "time is an argument"),
    ("Instant::", "time is an argument"),
    ("rand::", "randomness is an argument"),
    ("now_v7", "ids are an argument"),
    ("new_v4", "ids are an argument"),
];

/// The names under `[dependencies]` and `[build-dependencies]` of a package.
fn dependencies(manifest: &str) -> Vec<String> {
    let manifest: toml::Table = manifest.parse().expect("a manifest");
    ["dependencies", "build-dependencies"]
        .iter()
        .filter_map(|section| manifest.get(*section)?.as_table())
        .flat_map(|table| table.keys().cloned())
        .collect()
}

fn packages(house: &House) -> Vec<(&'static str, Vec<String>, &'static [&'static str])> {
    let mut found = Vec::new();
    for (directory, name, allowed) in ARROWS {
        let manifest = format!("{directory}Cargo.toml");
        if house.all().any(|file| file.path == manifest) {
            found.push((*name, dependencies(house.read(&manifest)), *allowed));
        }
    }
    found
}

#[test]
fn packages_know_only_whom_they_may() {
    let house = House::open();
    let mut wrong = Vec::new();
    for (name, dependencies, allowed) in packages(&house) {
        for dependency in dependencies {
            if dependency.starts_with("vyrox-") && !allowed.contains(&dependency.as_str()) {
                wrong.push(format!("{name} -> {dependency}"));
            }
            let owner = OWNED.iter().find(|(owned, _)| *owned == dependency);
            if let Some((_, owner)) = owner.filter(|(_, owner)| *owner != name) {
                wrong.push(format!("{name} -> {dependency}, which belongs to {owner}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "these arrows are not in docs/architecture.md; ask the owning package for what you need, or \
         change the page, deny.toml and this table together:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_package_stands_in_the_table() {
    let house = House::open();
    let manifests = house
        .with_ending("toml")
        .filter(|file| file.path.ends_with("Cargo.toml"));
    let unknown: Vec<_> = manifests
        .filter(|file| !file.path.starts_with("tests/"))
        .filter(|file| {
            ARROWS
                .iter()
                .all(|(dir, ..)| file.path != format!("{dir}Cargo.toml"))
        })
        .map(|file| file.path.as_str())
        .collect();
    assert!(
        unknown.is_empty(),
        "say in ARROWS whom these packages may know: {unknown:?}"
    );
}

fn is_of_tests(path: &str) -> bool {
    path.ends_with("tests.rs") || path.contains("/tests/")
}

#[test]
fn the_domain_is_pure() {
    let mut found = Vec::new();
    for file in House::open().with_ending("rs") {
        if !file.path.starts_with("actors/domain/src/") || is_of_tests(&file.path) {
            continue;
        }
        let production = file.text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code_only(production) {
            let broken = IMPURE.iter().filter(|(word, _)| line.contains(word));
            found
                .extend(broken.map(|(word, why)| format!("{}:{number}: {word}: {why}", file.path)));
        }
    }
    assert!(
        found.is_empty(),
        "move these out of vyrox-domain and pass their result in:\n{}",
        found.join("\n")
    );
}

#[test]
fn actors_leave_files_to_the_journal() {
    let mut found = Vec::new();
    for file in House::open().with_ending("rs") {
        if !file.path.starts_with("actors/src/") || is_of_tests(&file.path) {
            continue;
        }
        let production = file.text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code_only(production) {
            if ["std::fs", "tokio::fs", "File::"]
                .iter()
                .any(|word| line.contains(word))
            {
                found.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    assert!(
        found.is_empty(),
        "file IO belongs to vyrox-journal, or to the edge; hand the bytes in:\n{}",
        found.join("\n")
    );
}

//! The defaults, their pages and the examples name the same things.

use std::collections::BTreeSet;

use vyrox::{
    config::{Config, PLACEHOLDER_WORDS, Sources, setting_names, short_names},
    http::problem::Code,
};

use super::house::{House, root};

#[test]
fn configuration_md_has_every_setting_and_no_other() {
    let house = House::open();
    let known: BTreeSet<_> = setting_names().expect("the defaults").into_iter().collect();
    let page = first_cells(house.read("docs/configuration.md"));
    let dotted: BTreeSet<_> = page
        .iter()
        .filter(|cell| cell.contains('.'))
        .cloned()
        .collect();
    assert_eq!(
        dotted, known,
        "docs/configuration.md (left) and config/default.toml (right) differ"
    );
}

#[test]
fn defaults_on_the_page_are_the_defaults() {
    let house = House::open();
    let defaults: toml::Table = house.read("config/default.toml").parse().expect("TOML");
    let mut wrong = Vec::new();
    for line in house.read("docs/configuration.md").lines() {
        let cells: Vec<_> = line
            .split('|')
            .map(|cell| cell.trim().replace('`', ""))
            .collect();
        let [_, name, default, _, ..] = cells.as_slice() else {
            continue;
        };
        let Some((section, key)) = name.split_once('.') else {
            continue;
        };
        let real = match &defaults[section][key] {
            toml::Value::String(text) if text.is_empty() => continue,
            toml::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if *default != real {
            wrong.push(format!(
                "{name}: {default} on the page, {real} in config/default.toml"
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "correct docs/configuration.md:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn the_environment_example_has_every_short_name_and_no_other() {
    let house = House::open();
    let example = house.read("config/vyrox.env.example");
    let in_example: BTreeSet<_> = example
        .lines()
        .filter_map(|line| line.trim_start_matches('#').split_once('='))
        .map(|(name, _)| name)
        .filter(|name| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
        .filter(|name| !name.contains("__"))
        .collect();
    let known: BTreeSet<_> = short_names().map(|(variable, _)| variable).collect();
    assert_eq!(
        in_example, known,
        "config/vyrox.env.example (left) and the code (right) differ"
    );
    let page = first_cells(house.read("docs/configuration.md"));
    let settings = setting_names().expect("the defaults");
    for (variable, setting) in short_names() {
        assert!(
            page.contains(variable),
            "add {variable} to docs/configuration.md"
        );
        assert!(
            settings.iter().any(|name| name == setting),
            "{variable} sets {setting}: no such name"
        );
    }
}

#[test]
fn the_production_example_has_valid_names_and_values() {
    let file = Some(root().join("config/production.example.toml"));
    let errors = Config::load(&Sources {
        file,
        ..Sources::default()
    })
    .err()
    .unwrap_or_default();
    // Its certificates are on the reader's machine, not on this one.
    let others: Vec<_> = errors
        .iter()
        .filter(|error| !error.message.contains("is not a file"))
        .collect();
    assert!(
        others.is_empty(),
        "correct config/production.example.toml: {others:#?}"
    );
}

#[test]
fn operations_md_has_every_error_code_and_no_other() {
    let house = House::open();
    let page = house.read("docs/operations.md");
    let rows = page.lines().filter_map(|line| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let status: u16 = cells.next()?.parse().ok()?;
        Some((cells.next()?.trim_matches('`').to_owned(), status))
    });
    let written: BTreeSet<_> = rows.collect();
    let known: BTreeSet<_> = Code::ALL
        .iter()
        .map(|code| (code.as_str().to_owned(), code.status().as_u16()))
        .collect();
    assert_eq!(
        written, known,
        "docs/operations.md (left) and the table of codes (right) differ"
    );
}

#[test]
fn configuration_md_has_every_placeholder() {
    let house = House::open();
    let page = house.read("docs/configuration.md");
    let missing: Vec<_> = PLACEHOLDER_WORDS
        .iter()
        .filter(|word| !page.contains(&format!("`{word}`")))
        .collect();
    assert!(
        missing.is_empty(),
        "add these words to docs/configuration.md: {missing:?}"
    );
}

/// The first cell of each table row, without its backticks.
fn first_cells(page: &str) -> BTreeSet<String> {
    page.lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .map(str::to_owned)
        .collect()
}

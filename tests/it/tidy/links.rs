//! Links between pages lead somewhere.

use std::{collections::HashSet, path::Path};

use super::house::{File, House, root};

#[test]
fn relative_links_lead_somewhere() {
    let house = House::open();
    let mut dead = Vec::new();
    for page in house.with_ending("md") {
        for target in targets(&page.text) {
            if let Some(why) = fault(&house, page, target) {
                dead.push(format!("{}: ({target}): {why}", page.path));
            }
        }
    }
    assert!(
        dead.is_empty(),
        "mend or remove these links:\n{}",
        dead.join("\n")
    );
}

fn fault(house: &House, page: &File, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let directory = Path::new(&page.path)
        .parent()
        .unwrap_or_else(|| Path::new(""));
    let text = if path.is_empty() {
        page.text.clone()
    } else {
        let file = root().join(directory).join(path);
        if !file.exists() {
            return Some("there is no such file".into());
        }
        let same = |other: &&File| {
            root().join(&other.path).canonicalize().ok() == file.canonicalize().ok()
        };
        house
            .all()
            .find(same)
            .map(|found| found.text.clone())
            .unwrap_or_default()
    };
    (!anchor.is_empty() && !anchors(&text).contains(anchor)).then(|| "no such heading".into())
}

/// What stands in `](...)`, outside of code.
fn targets(page: &str) -> Vec<&str> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in page.lines() {
        fenced ^= line.trim_start().starts_with("```");
        if !fenced {
            let parts = line.split("](").skip(1);
            found.extend(parts.filter_map(|part| part.split([')', ' ']).next()));
        }
    }
    found
}

/// The names that headings can be linked by.
fn anchors(page: &str) -> HashSet<String> {
    page.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let kept = heading
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.collect::<String>().replace(' ', "-")
        })
        .collect()
}

//! Playbooks from the binary and from the configured directory, and the machines that are special.

use vyrox_domain::playbook::{Assets, Playbooks, builtin};

use super::sources::read_dir;
use crate::config::Config;

/// The playbooks and the special machines that the configuration asks for.
///
/// # Errors
/// Everything that is wrong with either, one line each.
pub(super) fn load(config: &Config) -> Result<(Playbooks, Assets), Vec<String>> {
    match (playbooks(config), assets(config)) {
        (Ok(playbooks), Ok(assets)) => Ok((playbooks, assets)),
        (playbooks, assets) => {
            let mut faults = playbooks.err().unwrap_or_default();
            faults.extend(assets.err().unwrap_or_default());
            Err(faults)
        }
    }
}

fn playbooks(config: &Config) -> Result<Playbooks, Vec<String>> {
    let mut sources = Vec::new();
    if config.playbooks.builtin {
        let named = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        sources.extend(builtin().iter().map(named));
    }
    if let Some(dir) = &config.playbooks.dir {
        sources.extend(read_dir(dir, &["toml"])?);
    }
    Playbooks::compile(&sources).map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

fn assets(config: &Config) -> Result<Assets, Vec<String>> {
    let assets = &config.assets;
    let named = |fault: &String| format!("assets.{fault}");
    Assets::parse(&assets.tier0, &assets.protected)
        .map_err(|faults| faults.iter().map(named).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use vyrox_domain::playbook::Playbook;

    use super::*;
    use crate::config::Sources;

    fn config(settings: &[(&str, &str)]) -> Config {
        let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        let sources = Sources {
            overrides: settings.iter().map(owned).collect(),
            ..Sources::default()
        };
        Config::load(&sources).unwrap().0
    }

    const OWN: &str = "id = 'own'\ntitle = 'Own'\npriority = 1\n\
                       when = { min_verdict = 'HIGH' }\nsteps = [{ action = 'HOST_ISOLATION' }]";

    #[test]
    fn those_of_the_binary_and_of_the_directory_are_one_set() {
        let (playbooks, _) = load(&config(&[])).unwrap();
        assert_eq!(playbooks.iter().len(), builtin().len());

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_str().unwrap();
        fs::write(dir.path().join("own.toml"), OWN).unwrap();
        fs::write(dir.path().join("notes.txt"), "not a playbook").unwrap();
        let (playbooks, _) = load(&config(&[("playbooks.dir", path)])).unwrap();
        assert_eq!(playbooks.iter().len(), builtin().len() + 1);

        let alone = [("playbooks.dir", path), ("playbooks.builtin", "false")];
        let (playbooks, _) = load(&config(&alone)).unwrap();
        assert!(playbooks.iter().map(Playbook::id).eq(["own"]));
    }

    #[test]
    fn every_fault_names_its_file_or_setting() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_str().unwrap();
        fs::write(dir.path().join("a.toml"), OWN.replace("'HIGH'", "'LOW'")).unwrap();
        fs::write(dir.path().join("b.toml"), "id = ").unwrap();
        let faults = load(&config(&[
            ("playbooks.dir", path),
            ("assets.tier0", "role:domain_controller, dc-*\nhost:"),
            ("assets.protected", "who:knows"),
        ]));
        let faults = faults.unwrap_err();
        let starts = [
            format!("{path}/a.toml: when.min_verdict: "),
            format!("{path}/b.toml: line 1: "),
            "assets.tier0: \"dc-*\": ".to_owned(),
            "assets.tier0: \"host:\": ".to_owned(),
            "assets.protected: \"who:knows\": ".to_owned(),
        ];
        assert_eq!(faults.len(), starts.len(), "{faults:#?}");
        for (fault, start) in faults.iter().zip(&starts) {
            assert!(fault.starts_with(start), "{fault}");
        }
        let missing = config(&[("playbooks.dir", "/nonexistent/playbooks")]);
        assert_eq!(load(&missing).unwrap_err().len(), 1);
    }
}

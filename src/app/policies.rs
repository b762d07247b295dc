//! Policies from the configured directory, else from the binary.

use std::path::Path;

use vyrox_actors::policy::Policies;

use super::sources::read_dir;
use crate::config::Config;

/// Everything that is wrong with the policies that the configuration points to, one line each.
pub(super) fn check(config: &Config) -> Vec<String> {
    load(config.policy.dir.as_deref()).err().unwrap_or_default()
}

/// The policies of a directory together with the hard rules; without one, the defaults with them.
///
/// # Errors
/// Every broken policy and unreadable file, one line each.
pub(crate) fn load(dir: Option<&Path>) -> Result<Policies, Vec<String>> {
    Policies::compile(&sources(dir)?)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

/// The texts of a directory's policies, or of the defaults, as `(name, Cedar)`.
///
/// # Errors
/// Every unreadable file, one line each. A directory without policies is an error: nothing could
/// ever be approved.
pub(crate) fn sources(dir: Option<&Path>) -> Result<Vec<(String, String)>, Vec<String>> {
    let Some(dir) = dir else {
        let builtin = Policies::builtin().iter();
        return Ok(builtin
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect());
    };
    let sources = read_dir(dir, &["cedar"])?;
    if sources.is_empty() {
        let message = "no file in it ends in .cedar, so nothing would be permitted";
        return Err(vec![format!("{}: {message}", dir.display())]);
    }
    Ok(sources)
}

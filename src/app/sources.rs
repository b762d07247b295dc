//! The text files of a directory that an operator fills.

use std::{fs, path::Path};

/// The files of `dir` with one of these endings as path and text, in the order of their names.
///
/// # Errors
/// Everything that cannot be read, one line each.
pub(crate) fn read_dir(dir: &Path, endings: &[&str]) -> Result<Vec<(String, String)>, Vec<String>> {
    let failed = |error: std::io::Error| vec![format!("{}: {error}", dir.display())];
    let (mut sources, mut errors) = (Vec::new(), Vec::new());
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.sort();
    for path in paths {
        let wanted = path
            .extension()
            .is_some_and(|ending| endings.iter().any(|one| ending == *one));
        if !wanted {
            continue;
        }
        match fs::read_to_string(&path) {
            Ok(text) => sources.push((path.display().to_string(), text)),
            Err(error) => errors.push(format!("{}: {error}", path.display())),
        }
    }
    if errors.is_empty() {
        Ok(sources)
    } else {
        Err(errors)
    }
}

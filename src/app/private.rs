//! The data directory is for its owner alone.

use std::{
    fs::{self, DirBuilder, Metadata, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use anyhow::{Context as _, bail};
use nix::unistd::geteuid;

/// Makes the directory, or looks at the one that is there: nobody but its owner (this process's user,
/// or root) may write in it. One of our own that others may read is closed to them.
///
/// # Errors
/// It can't be made or changed, is no directory, or others may write in it.
pub(super) fn directory(dir: &Path) -> anyhow::Result<()> {
    let shown = dir.display();
    let meta = match fs::metadata(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(dir)
                .with_context(|| format!("cannot make the data directory {shown}"));
        }
        found => found.with_context(|| format!("cannot look at the data directory {shown}"))?,
    };
    let us = geteuid().as_raw();
    if let Some(why) = fault(&meta, us) {
        bail!("the data directory {shown} {why}");
    }
    let mode = meta.mode() & 0o777;
    if meta.uid() == us && mode & 0o077 != 0 {
        fs::set_permissions(dir, Permissions::from_mode(0o700))
            .with_context(|| format!("cannot close the data directory {shown} to others"))?;
        tracing::info!(directory = %shown, was = format!("{mode:o}"), "data directory closed to others (mode 700)");
    }
    Ok(())
}

/// Why nothing secret may be put there; `us` is the user of this process.
fn fault(meta: &Metadata, us: u32) -> Option<String> {
    let (owner, mode) = (meta.uid(), meta.mode() & 0o777);
    if !meta.is_dir() {
        return Some("is not a directory".into());
    }
    if owner != us && owner != 0 {
        return Some(format!(
            "belongs to user {owner}, and this server runs as user {us}; run it as its owner, or chown it"
        ));
    }
    (mode & 0o022 != 0).then(|| {
        format!("can be written by others (mode {mode:o}); see who put what there, then: chmod 700")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(dir: &Path) -> u32 {
        fs::metadata(dir).expect("there").mode() & 0o777
    }

    #[test]
    fn a_new_one_and_a_readable_one_end_up_closed() {
        let parent = tempfile::tempdir().expect("a directory");
        let made = parent.path().join("a/b");
        directory(&made).expect("made");
        assert_eq!(mode(&made), 0o700);
        for wide in [0o755, 0o750, 0o711] {
            fs::set_permissions(&made, Permissions::from_mode(wide)).expect("chmod");
            directory(&made).expect("closed");
            assert_eq!(mode(&made), 0o700, "{wide:o}");
        }
    }

    #[test]
    fn one_that_others_write_in_or_own_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        for open in [0o770, 0o702, 0o777] {
            fs::set_permissions(dir.path(), Permissions::from_mode(open)).expect("chmod");
            let error = directory(dir.path()).expect_err("refused");
            assert!(error.to_string().contains("written by others"), "{error}");
            assert_eq!(mode(dir.path()), open, "and left as it was");
        }
        fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).expect("chmod");
        let meta = fs::metadata(dir.path()).expect("there");
        assert_eq!(fault(&meta, meta.uid()), None);
        // Root's own is good for everybody whom root lets in; a stranger's is not.
        let stranger = fault(&meta, meta.uid() + 1);
        assert_eq!(stranger.is_some(), meta.uid() != 0, "{stranger:?}");
        let file = dir.path().join("file");
        fs::write(&file, b"").expect("written");
        assert!(directory(&file).is_err());
    }
}

//! A file that stands under its name only when it is complete.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    process,
};

use super::failure::Failure;

/// Names that are tried for one draft; all of them taken is somebody's doing.
const NAMES: u32 = 100;

/// A file beside its target, under a name of this process alone, that takes the target's place when it is
/// complete and is removed otherwise. Neither it nor the target is ever written through a link.
#[derive(Debug)]
pub(super) struct Draft {
    target: PathBuf,
    path: PathBuf,
    file: File,
}

impl Draft {
    /// Begins one. A target that is there and is no plain file (a directory, a device, a pipe) is refused.
    pub(super) fn of(target: &Path) -> Result<Self, Failure> {
        let refused = |error: io::Error| cannot_write(target, &error);
        if fs::metadata(target).is_ok_and(|there| !there.is_file()) {
            let text = format!("cannot write {}: it is no plain file", target.display());
            return Err(Failure::unreachable(text)
                .hint("name a file, or leave --output out for standard output"));
        }
        let name = target
            .file_name()
            .ok_or_else(|| refused(io::ErrorKind::InvalidInput.into()))?;
        for number in 0..NAMES {
            let mut own = OsString::from(".");
            own.push(name);
            own.push(format!(".{}-{number}.part", process::id()));
            let path = target.with_file_name(own);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(refused(error)),
                Ok(file) => {
                    let target = target.to_owned();
                    return Ok(Self { target, path, file });
                }
            }
        }
        Err(refused(io::ErrorKind::AlreadyExists.into()))
    }

    /// Adds bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.file.write_all(bytes);
        written.map_err(|error| cannot_write(&self.target, &error))
    }

    /// Puts it in the target's place, on the disk.
    pub(super) fn complete(self) -> Result<(), Failure> {
        let moved = || -> io::Result<()> {
            self.file.sync_all()?;
            fs::rename(&self.path, &self.target)?;
            let directory = match self.target.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            File::open(directory)?.sync_all()
        };
        moved().map_err(|error| cannot_write(&self.target, &error))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Of one that is complete there is nothing left under this name.
        fs::remove_file(&self.path).ok();
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::unreachable(format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(dir: &Path) -> usize {
        fs::read_dir(dir).unwrap().count()
    }

    #[test]
    fn it_appears_only_when_it_is_complete() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("acme.jsonl");
        let mut draft = Draft::of(&target).unwrap();
        draft.write(b"{}\n").unwrap();
        assert!(!target.exists());
        draft.complete().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"{}\n");
        assert_eq!(names(dir.path()), 1);
    }

    #[test]
    fn one_that_is_given_up_leaves_nothing_and_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("acme.jsonl");
        fs::write(&target, "old").unwrap();
        let mut draft = Draft::of(&target).unwrap();
        draft.write(b"new").unwrap();
        drop(draft);
        assert_eq!(fs::read(&target).unwrap(), b"old");
        assert_eq!(names(dir.path()), 1);
    }

    /// Two exports to one file once wrote into one draft, and a link in its place was followed.
    #[test]
    fn two_at_once_and_a_link_in_the_way_spoil_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (target, other) = (dir.path().join("acme"), dir.path().join("precious"));
        fs::write(&other, "precious").unwrap();
        let own = format!(".acme.{}-0.part", process::id());
        symlink(&other, dir.path().join(own)).unwrap();
        symlink(&other, &target).unwrap();
        let (mut first, mut second) = (Draft::of(&target).unwrap(), Draft::of(&target).unwrap());
        first.write(b"first").unwrap();
        second.write(b"second").unwrap();
        first.complete().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"first");
        second.complete().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"second");
        assert_eq!(fs::read(&other).unwrap(), b"precious");
    }

    #[test]
    fn what_is_no_plain_file_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        for target in [dir.path(), Path::new("/dev/null")] {
            let refused = Draft::of(target).unwrap_err().to_string();
            assert!(refused.contains("no plain file"), "{refused}");
        }
        assert!(Draft::of(&dir.path().join("missing/acme")).is_err());
        assert_eq!(names(dir.path()), 0);
    }
}

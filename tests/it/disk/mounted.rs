//! A file system of a test's own, in a file: made, mounted, shut down in mid-flight, filled.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{ErrorKind, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

/// What file systems the tests are played on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ext4,
    Xfs,
}

impl Kind {
    /// The smallest in which a data directory of these tests has room. Only what is written takes room
    /// on the machine's own disk.
    const fn bytes(self) -> u64 {
        match self {
            Self::Ext4 => 192 << 20,
            // No smaller one is made.
            Self::Xfs => 320 << 20,
        }
    }

    fn make(self, image: &Path) -> Result<(), String> {
        match self {
            // No block is kept back for root, who runs these tests, and no inode table is left to a
            // thread of the kernel.
            Self::Ext4 => run(Command::new("mkfs.ext4")
                .args(["-q", "-F", "-m", "0", "-E", "lazy_itable_init=0"])
                .arg(image)),
            Self::Xfs => run(Command::new("mkfs.xfs").args(["-q", "-f"]).arg(image)),
        }
    }
}

/// A mounted file system. It goes with this value.
pub(super) struct Mounted {
    room: TempDir,
    kind: Kind,
}

impl Mounted {
    /// A new one, mounted. Err with the reason where this machine or this user cannot.
    pub(super) fn new(kind: Kind) -> Result<Self, String> {
        let room = TempDir::new().expect("a directory");
        let mounted = Self { room, kind };
        let file = File::create(mounted.image()).expect("a file");
        file.set_len(kind.bytes()).expect("a sparse file");
        kind.make(&mounted.image())?;
        fs::create_dir(mounted.point()).expect("a directory");
        mounted.mount()?;
        fs::create_dir(mounted.data_dir()).expect("there is room yet");
        Ok(mounted)
    }

    /// Where a server's data goes: the root holds what the file system itself puts there.
    pub(super) fn data_dir(&self) -> PathBuf {
        self.point().join("data")
    }

    /// From now on nothing that is not on the disk gets there, and every call fails.
    pub(super) fn shut_down(&self) -> Result<(), String> {
        // It is the same call for every file system that knows it.
        run(Command::new("xfs_io")
            .args(["-x", "-c", "shutdown"])
            .arg(self.point()))
    }

    /// Takes it away and puts it back, with what its own journal makes of it.
    pub(super) fn mount_again(&self) {
        let unmounted = run(Command::new("umount").arg(self.point()));
        unmounted.unwrap_or_else(|why| panic!("{why}"));
        self.mount().unwrap_or_else(|why| panic!("{why}"));
    }

    /// Leaves not a byte to anybody, until the ballast is thrown off.
    pub(super) fn fill(&self) -> Ballast {
        let path = self.point().join("ballast");
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .expect("a file");
        // Not zeros in holes: blocks, the last of them one by one.
        for piece in [1 << 20, 4096, 1] {
            let bytes = vec![0xb5; piece];
            loop {
                match file.write(&bytes) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => panic!("filling {}: {error}", self.point().display()),
                }
            }
            // What was written late may have found less room than was thought.
            file.sync_all().ok();
        }
        Ballast(path)
    }

    fn image(&self) -> PathBuf {
        self.room.path().join("image")
    }

    fn point(&self) -> PathBuf {
        self.room.path().join("mnt")
    }

    fn mount(&self) -> Result<(), String> {
        let mount = run(Command::new("mount")
            .args(["-o", "loop"])
            .arg(self.image())
            .arg(self.point()));
        let private = Permissions::from_mode(0o700);
        mount.map_err(|why| format!("no {:?} is mounted here: {why}", self.kind))?;
        fs::set_permissions(self.point(), private).expect("the test's own");
        Ok(())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // A server that fell with the test may still hold it.
        run(Command::new("umount").arg("-l").arg(self.point())).ok();
    }
}

/// What fills a file system.
pub(super) struct Ballast(PathBuf);

impl Ballast {
    pub(super) fn throw_off(self) {
        fs::remove_file(&self.0).expect("the test's own");
    }
}

/// Err with what the command said, where it cannot be run or fails.
fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|why| format!("{name} can't be run: {why}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{name}: {}", said.trim()))
}

//! The one seam between the writer and the disk, so that a test can make it fail.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

/// A log segment open for writing.
///
/// After any error the file's content is unknown: nobody may write to it or trust it again until
/// recovery has read it.
pub(crate) trait LogFile: Send {
    /// Writes all of `bytes` in one call. A short write is an error.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes everything written durable.
    fn sync(&mut self) -> io::Result<()>;
}

/// How the journal opens the files of its log.
pub(crate) type OpenLog = Arc<dyn Fn(&Path) -> io::Result<Box<dyn LogFile>> + Send + Sync>;

/// The real disk.
pub(crate) fn real() -> OpenLog {
    Arc::new(|path| {
        let file = OpenOptions::new().write(true).open(path)?;
        let file: Box<dyn LogFile> = Box::new(RealFile(file));
        Ok(file)
    })
}

struct RealFile(File);

impl LogFile for RealFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let written = self.0.write_at(bytes, offset)?;
        if written == bytes.len() {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::WriteZero,
            "the disk took only a part of a batch",
        ))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

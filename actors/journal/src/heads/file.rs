//! The file under the database.

use std::io;
use std::path::Path;

use crate::bytes::{index, wide};
use crate::disk::{Disk, Open, lacks_room};

/// Bytes that are read and written at a time.
const CHUNK: usize = 1 << 16;

/// Writes the whole file over itself, byte for byte, and syncs it, before anything is read from it.
///
/// A sync that failed in an earlier process may have left bytes in the page cache that the disk does
/// not have and that no later sync would write. And every hole in the file gets its room now, so
/// that commits on a disk that has become full do not ask for any. A hole for which there is no room
/// is left for another start; what stands behind it is written all the same.
pub(crate) fn rewrite(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    let (from, to) = (disk.open(path, Open::Read)?, disk.open(path, Open::Write)?);
    let len = from.len()?;
    let mut chunk = vec![0; CHUNK];
    let (mut offset, mut warned) = (0, false);
    while offset < len {
        let part = index(len - offset).min(chunk.len());
        let bytes = chunk.get_mut(..part).unwrap_or_default();
        from.read_exact_at(bytes, offset)?;
        match to.write_at(bytes, offset) {
            Ok(()) => {}
            Err(error) if lacks_room(&error) => {
                if !std::mem::replace(&mut warned, true) {
                    tracing::warn!(%error, "no room could be kept for heads.redb");
                }
            }
            Err(error) => return Err(error),
        }
        offset += wide(part);
    }
    to.sync_data()
}

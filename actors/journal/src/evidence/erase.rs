//! Overwriting attachments in a store, in place.

use std::io::{self, BufReader, Read as _};

use super::{CRC, ERASED, HEADER, Header, MARK_AT};
use crate::bytes::{index, wide};
use crate::directory::Directory;
use crate::disk::{DiskFile, Open, Reader};
use crate::erasure::Runs;

/// Where one entry's attachments stand in the store.
pub(crate) struct Place {
    /// Where its header begins.
    header: u64,
    /// Where its attachments begin.
    body: u64,
    /// The length of its attachments and of their CRC.
    len: u64,
    /// It is marked as erased.
    pub(crate) marked: bool,
}

/// Finds the entries of `runs` in the first `len` bytes of a store, whether or not they were erased
/// already. `None` if bytes on the way do not prove themselves.
pub(crate) fn places(
    directory: &Directory,
    chain: &str,
    len: u64,
    runs: &Runs,
) -> io::Result<Option<Vec<Place>>> {
    let path = directory.evidence_path(chain);
    let file = directory.disk().open(&path, Open::Read)?;
    let mut store = BufReader::new(Reader::new(file, 0));
    let mut found = Vec::new();
    let mut bytes = [0; HEADER];
    let mut at = 0;
    while at < len {
        match store.read_exact(&mut bytes) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let Some(header) = Header::read(&bytes) else {
            return Ok(None);
        };
        let (body, body_len) = (at + wide(HEADER), wide(header.body_len() + CRC));
        if body + body_len > len {
            return Ok(None);
        }
        if runs.contains(header.seq) {
            found.push(Place {
                header: at,
                body,
                len: body_len,
                marked: header.mark == ERASED,
            });
        }
        store.seek_relative(i64::try_from(body_len).unwrap_or(i64::MAX))?;
        at = body + body_len;
    }
    Ok(Some(found))
}

/// Marks the entries as erased, overwrites their attachments with zeros, syncs, and gives the space
/// back where the filesystem can.
///
/// The mark comes first: whoever reads at the same time then finds it before half a body. After an
/// error nothing is known of the places but that they hold old bytes or zeros; all of it is written
/// again before anybody may call it erased.
pub(crate) fn overwrite(directory: &Directory, chain: &str, places: &[Place]) -> io::Result<()> {
    let path = directory.evidence_path(chain);
    let file = directory.disk().open(&path, Open::Write)?;
    for place in places {
        file.write_at(&ERASED, place.header + wide(MARK_AT))?;
        write_zeros(&*file, place)?;
    }
    file.sync_data()?;
    for place in places {
        // The hole reads as the same zeros, so it needs no sync; a filesystem that cannot make it
        // loses nothing but the space.
        if let Err(error) = file.give_back(place.body, place.len) {
            tracing::debug!(%error, "erased evidence keeps its space");
        }
    }
    Ok(())
}

fn write_zeros(file: &dyn DiskFile, place: &Place) -> io::Result<()> {
    static CHUNK: [u8; 1 << 16] = [0; 1 << 16];
    let mut done = 0;
    while done < place.len {
        let len = wide(CHUNK.len()).min(place.len - done);
        let zeros = CHUNK.get(..index(len)).unwrap_or_default();
        file.write_at(zeros, place.body + done)?;
        done += len;
    }
    Ok(())
}

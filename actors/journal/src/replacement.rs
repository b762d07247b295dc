//! The fresh segment that every start writes: the surviving batches of the last one, under a new
//! salt. Whatever else the old file holds, torn or damaged, can then never be read again.

use std::io;
use std::path::Path;

use crate::batch::{BatchBuilder, ManifestItem};
use crate::bytes::{narrow, wide};
use crate::directory::{Directory, Kind, Name};
use crate::disk::{Disk, DiskFile, Open};
use crate::frame::{FrameHeader, Seed};
use crate::options::StartError;
use crate::scan::{Scan, ScannedBatch};
use crate::segment::{PAGE, SegmentHeader};
use crate::writer::write_headers;

/// A segment that is written and synced but does not have its name yet.
pub(crate) struct Replacement {
    pub(crate) file: Box<dyn DiskFile>,
    /// The first free page.
    pub(crate) page: u64,
    /// Where each surviving frame went, in order: offset and length.
    pub(crate) frames: Vec<(u64, u32)>,
}

/// Gets a file of zeros under the name `tmp-ID`, whose first use this is.
///
/// A spare first; without one a retired file is zeroed; without that one is made.
pub(crate) fn take_file(directory: &Directory, id: u64, bytes: u64) -> Result<Name, StartError> {
    let fresh = Name::new(Kind::Tmp, id);
    let listed = directory
        .list()
        .map_err(StartError::io("list", directory.root()))?;
    let usable = |name: &&Name| {
        let len = directory.disk().len(&directory.path(**name));
        name.kind == Kind::Spare && len.is_ok_and(|len| len == bytes)
    };
    let rename = |from: Name| {
        let moved = directory
            .rename(from, fresh)
            .and_then(|()| directory.sync());
        moved.map_err(StartError::io("rename", &directory.path(from)))
    };
    if let Some(spare) = listed.iter().find(usable) {
        rename(*spare)?;
        return Ok(fresh);
    }
    let retired = listed.iter().find(|name| name.kind == Kind::Tmp).copied();
    let file = retired.unwrap_or(fresh);
    directory
        .zero(file, bytes)
        .map_err(StartError::io("zero", &directory.path(file)))?;
    if file != fresh {
        rename(file)?;
    }
    Ok(fresh)
}

/// Writes header and surviving batches into a file of zeros and syncs it.
pub(crate) fn write(
    disk: &dyn Disk,
    path: &Path,
    header: &SegmentHeader,
    scan: Option<&Scan<'_>>,
) -> Result<Replacement, StartError> {
    let failed = |error: io::Error| StartError::io("write", path)(error);
    let file = disk.open(path, Open::Write).map_err(failed)?;
    write_headers(&*file, header).map_err(failed)?;
    let mut replacement = Replacement {
        file,
        page: 1,
        frames: Vec::new(),
    };
    let mut builder = BatchBuilder::new();
    let mut expected = header.first;
    for batch in scan.map_or(&[][..], |scan| &scan.batches) {
        // The number of a batch that is lost whole is taken by an empty one: no gap is left that
        // the next start would take for a new damage.
        while expected < batch.number {
            let empty = ScannedBatch {
                number: expected,
                frames: Vec::new(),
            };
            replacement.add(&mut builder, &empty, header, path)?;
            expected += 1;
        }
        replacement.add(&mut builder, batch, header, path)?;
        expected = batch.number + 1;
    }
    while expected < scan.map_or(0, |scan| scan.next) {
        let empty = ScannedBatch {
            number: expected,
            frames: Vec::new(),
        };
        replacement.add(&mut builder, &empty, header, path)?;
        expected += 1;
    }
    replacement.file.sync_data().map_err(failed)?;
    Ok(replacement)
}

impl Replacement {
    fn add(
        &mut self,
        builder: &mut BatchBuilder,
        batch: &ScannedBatch<'_>,
        header: &SegmentHeader,
        path: &Path,
    ) -> Result<(), StartError> {
        let seed = Seed::new(&header.salt);
        builder.begin(batch.number);
        for scanned in &batch.frames {
            let frame = FrameHeader {
                batch: batch.number,
                ..scanned.frame.header
            };
            builder.announce(&ManifestItem::of(&frame));
        }
        let at = self.page * PAGE;
        let out = builder.frames(&seed);
        for scanned in &batch.frames {
            let start = out.len();
            scanned.frame.copy_to(batch.number, &seed, out);
            self.frames
                .push((at + wide(start), narrow(out.len() - start)));
        }
        let bytes = builder.finish(&header.salt);
        self.page += wide(bytes.len()) / PAGE;
        if self.page > header.last_page() {
            return Err(StartError::NoFit);
        }
        self.file
            .write_at(bytes, at)
            .map_err(StartError::io("write", path))
    }
}

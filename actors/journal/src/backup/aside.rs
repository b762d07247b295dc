//! What there is of held chains beside their files: entries that only the log has, and whatever was set
//! aside. Nothing of it is trusted by a restore; a repair proves each entry of it.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::sync::Arc;

use super::chains::Taking;
use super::copying::{Copying, FailedCopy};
use super::{BackupError, described, new_file};
use crate::aside::file_of;
use crate::disk::{Disk as _, Open, Reader, RealDisk};
use crate::frame::{CRC, Frame};
use crate::heads::Holds;
use crate::segment::{FrameRef, Segment};
use crate::shared::lock;

const FOLDER: &str = "held";

impl Taking<'_> {
    /// Takes along what the chains of `holds` have in the log, and what was set aside, each in a file of
    /// its own.
    pub(super) fn set_aside(&mut self, holds: &Holds) -> Result<(), BackupError> {
        let folder = self.into.join(FOLDER);
        RealDisk
            .make_directory(&folder)
            .map_err(BackupError::target(&folder))?;
        let segments: Vec<_> = lock(&self.shared.segments).iter().cloned().collect();
        let (mut taken, mut partial) = (BTreeSet::new(), Vec::new());
        for segment in segments {
            let frames = self.frames_of(&segment, holds);
            if frames.is_empty() {
                continue;
            }
            let name = format!("{FOLDER}/seg-{}.frames", segment.id);
            let (bytes, whole) = self.read(&segment, &frames);
            if whole {
                self.write(&name, &bytes)?;
                taken.insert(name);
            } else {
                partial.push((name, bytes));
            }
        }
        let listed = self.shared.directory.set_aside_files();
        let listed = listed.map_err(BackupError::target(&folder))?;
        for name in listed {
            let name = format!("{FOLDER}/{name}");
            // This one is only there while it is being made.
            if name != "held/copying" && taken.insert(name.clone()) {
                self.copy(&name)?;
            }
        }
        // A segment that was recycled meanwhile was set aside before. Another one has turned bad.
        for (name, bytes) in partial {
            if !taken.contains(&name) {
                self.write(&name, &bytes)?;
            }
        }
        RealDisk
            .sync_directory(&folder)
            .map_err(BackupError::target(&folder))
    }

    /// Where a segment has entries of held chains. Of a chain whose file is left out, or cut, they count
    /// also if they had been copied to it.
    fn frames_of(&self, segment: &Arc<Segment>, holds: &Holds) -> Vec<FrameRef> {
        let mut frames = lock(&segment.stranded).clone();
        let left_out = &self.copy.left_out;
        if left_out.is_empty() {
            return frames;
        }
        let noted: BTreeSet<u64> = frames.iter().map(|frame| frame.offset).collect();
        let found = segment.frames(|chain, seq| {
            holds.chains.contains_key(chain) && left_out.get(chain).is_some_and(|next| seq >= *next)
        });
        let found = found.unwrap_or_else(|error| {
            tracing::error!(%error, id = segment.id, "a segment can't be read; what it has of held chains is missing from the backup");
            Vec::new()
        });
        let found = found.into_iter();
        frames.extend(found.filter(|frame| !noted.contains(&frame.offset)));
        frames
    }

    /// The frames as a file of what was set aside, and whether all of them proved themselves.
    fn read(&self, segment: &Segment, frames: &[FrameRef]) -> (Vec<u8>, bool) {
        let (mut all, mut whole, mut bytes) = (Vec::new(), true, Vec::new());
        for place in frames {
            let read = place.read(&mut bytes);
            let frame = Frame::read(&bytes, &segment.seed).filter(|_| read.is_ok());
            let Some(frame) = frame else {
                whole = false;
                continue;
            };
            let header = &frame.header;
            // What is on its way out is not to come back from a backup.
            if header.attachments > 0 && self.shared.erasures.contains(header.chain, header.seq) {
                let kept = bytes.len().saturating_sub(frame.attached.len() + CRC);
                bytes.get_mut(kept..).unwrap_or_default().fill(0);
            }
            all.extend_from_slice(&bytes);
        }
        (file_of(&segment.header, &all), whole)
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), BackupError> {
        let path = self.into.join(name);
        let written = new_file(&path).and_then(|mut file| file.write_all(bytes));
        written.map_err(BackupError::target(&path))?;
        self.copy.files.insert(name.to_owned(), described(&path)?);
        Ok(())
    }

    /// Copies a file as it is. One that cannot be read is left out, and keeps nothing else out.
    fn copy(&mut self, name: &str) -> Result<(), BackupError> {
        let (source, path) = (
            self.shared.directory.root().join(name),
            self.into.join(name),
        );
        let copied = || {
            let file = self.shared.directory.disk().open(&source, Open::Read);
            let reader = Reader::new(file.map_err(FailedCopy::Source)?, 0);
            let target = new_file(&path).map_err(FailedCopy::Target)?;
            let mut copying = Copying::reading(reader, u64::MAX, self.watched).into_file(target);
            copying.drain()?;
            copying.finish()
        };
        match copied() {
            Ok(file) => {
                self.copy.files.insert(name.to_owned(), file);
                Ok(())
            }
            Err(FailedCopy::Stopped) => Err(BackupError::Stopped),
            Err(FailedCopy::Target(error)) => Err(BackupError::target(&path)(error)),
            Err(FailedCopy::Source(error)) => {
                tracing::error!(name, %error, "what was set aside can't be read; it is missing from the backup");
                match std::fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        Err(BackupError::target(&path)(error))
                    }
                    Ok(()) | Err(_) => Ok(()),
                }
            }
        }
    }
}

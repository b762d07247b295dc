//! Opening a redb file so that every failure has a name, and what redb's errors come to.

use std::{
    any::Any,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use redb::{
    Builder, CommitError, Database, DatabaseError, SetDurabilityError,
    StorageError as RedbStorageError, TableError, TransactionError,
};

use crate::disk::{Disk, Open, lacks_room, parent_of};

/// What went wrong with a database file.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file is no database of ours, or its content does not agree with its checksums.
    #[error("damaged: {0}")]
    Damaged(String),
    /// Another process has the file open.
    #[error("another process has the file open")]
    Busy,
    /// There is no room for what has to be written.
    #[error("no room on the disk: {0}; make some and start again")]
    NoRoom(String),
    /// The file system refused, or the database gave up after it had refused before.
    #[error("{0}")]
    Io(String),
}

/// Opens the file, or makes it with mode 0600. Checks the checksum of every page, so the time
/// grows with the file. What a crash left undone is repaired on the way.
pub(crate) fn open_on(
    disk: &dyn Disk,
    path: &Path,
    cache_bytes: usize,
) -> Result<Database, StoreError> {
    let mut builder = Builder::new();
    builder
        .set_cache_size(cache_bytes)
        .set_check_integrity_on_open(true);
    if !disk.exists(path) {
        make(disk, path, &builder)?;
    }
    let database = open_checked(|| disk.database(path, &builder, false))?;
    // Also for a file that was there: whoever made it may have ended before its name was durable,
    // and then a power cut would take it with all that was committed since.
    disk.sync_directory(parent_of(path))?;
    Ok(database)
}

/// Makes an empty database beside its place and moves it there whole: a crash in between leaves
/// none, not half a one that every later start would take for damage.
fn make(disk: &dyn Disk, path: &Path, builder: &Builder) -> Result<(), StoreError> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = Path::new(&fresh);
    if disk.exists(fresh) {
        disk.remove(fresh)?;
    }
    // Made here because redb would make it readable to everybody.
    disk.open(fresh, Open::Make)?;
    drop(open_checked(|| disk.database(fresh, builder, true))?);
    disk.rename(fresh, path)?;
    Ok(())
}

/// A damaged file can make redb panic where it trusts its own bytes; that is damage too, and must
/// not take the process down at every start.
fn open_checked(
    open: impl FnOnce() -> Result<Database, DatabaseError>,
) -> Result<Database, StoreError> {
    match catch_unwind(AssertUnwindSafe(open)) {
        Ok(opened) => opened.map_err(refused_at_open),
        Err(panic) => Err(StoreError::Damaged(panic_message(panic.as_ref()))),
    }
}

/// At open, bytes that cannot be read as a database are damage; later they are an IO error.
fn refused_at_open(error: DatabaseError) -> StoreError {
    if let DatabaseError::Storage(RedbStorageError::Io(cause)) = &error
        && matches!(
            cause.kind(),
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
        )
    {
        return StoreError::Damaged(cause.to_string());
    }
    named(&error.into())
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "unreadable".to_owned())
}

fn named(error: &redb::Error) -> StoreError {
    let text = error.to_string();
    if is_damage(error) {
        StoreError::Damaged(text)
    } else if matches!(
        error,
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch
    ) {
        StoreError::Busy
    } else if let redb::Error::Io(cause) = error
        && lacks_room(cause)
    {
        StoreError::NoRoom(text)
    } else {
        StoreError::Io(text)
    }
}

/// A table of another type or a missing one means that other code wrote the file.
fn is_damage(error: &redb::Error) -> bool {
    matches!(
        error,
        redb::Error::Corrupted(_)
            | redb::Error::UpgradeRequired(_)
            | redb::Error::RepairAborted
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TableIsMultimap(_)
            | redb::Error::TableIsNotMultimap(_)
            | redb::Error::TypeDefinitionChanged { .. }
            | redb::Error::TableDoesNotExist(_)
    )
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        Self::Io(error.to_string())
    }
}

macro_rules! named_by_what_they_mean {
    ($($error:ty),*) => {$(
        impl From<$error> for StoreError {
            fn from(error: $error) -> Self {
                named(&error.into())
            }
        }
    )*};
}

named_by_what_they_mean!(
    DatabaseError,
    TransactionError,
    TableError,
    RedbStorageError,
    CommitError,
    SetDurabilityError
);

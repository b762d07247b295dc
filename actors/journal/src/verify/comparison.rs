//! Two copies of one chain, verified side by side.

use std::io::{self, BufRead};
use std::path::Path;

use super::{Passed, VerifyReport, Walk, open};
use crate::journal::Head;

/// What two copies of a chain are, and where they part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The first copy, by itself.
    pub file: VerifyReport,
    /// The other one, by itself.
    pub mirror: VerifyReport,
    /// The first place where both have a good entry, and not the same one.
    pub parting: Option<Parting>,
    /// The mirror's entry where the file has none, or none that is good.
    pub missing: Option<Head>,
}

/// Two good entries of one seq: somebody wrote one of the copies anew, and the copies alone do not
/// tell which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parting {
    /// The first copy's entry.
    pub file: Head,
    /// The other one's.
    pub mirror: Head,
}

/// Compares the chains in two files, and shows each good entry of the first to `each`.
pub fn compare_files(
    file: &Path,
    mirror: &Path,
    each: impl FnMut(Passed<'_>),
) -> io::Result<Comparison> {
    compare(open(file)?, open(mirror)?, each)
}

/// The same for any two readers, whose errors are the only ones.
pub fn compare(
    file: impl BufRead,
    mirror: impl BufRead,
    mut each: impl FnMut(Passed<'_>),
) -> io::Result<Comparison> {
    let (mut file, mut mirror) = (Walk::new(file), Walk::new(mirror));
    let mut parting = None;
    let mut missing = None;
    loop {
        let ours = file.step()?.map(|passed| {
            each(passed);
            passed.entry
        });
        let theirs = mirror.step()?.map(|passed| passed.entry);
        match (ours, theirs) {
            (Some(file), Some(mirror)) if file != mirror && parting.is_none() => {
                parting = Some(Parting { file, mirror });
            }
            (None, Some(mirror)) if missing.is_none() => missing = Some(mirror),
            (None, None) => break,
            _ => {}
        }
    }
    Ok(Comparison {
        file: file.report(),
        mirror: mirror.report(),
        parting,
        missing,
    })
}

impl Comparison {
    /// What the file is in the light of the mirror: `mirror` where the two part, `truncated` if it
    /// ends while the mirror goes on, and otherwise what it is by itself. A mirror that ends before
    /// the file does, or is damaged, says nothing against the file.
    pub fn verdict(&self) -> VerifyReport {
        let file = self.file.clone();
        if let Some(parting) = self.parting {
            return VerifyReport {
                ok: false,
                kind: Some("mirror"),
                divergent_seq: Some(parting.file.seq),
                expected_hash: Some(parting.mirror.hash_hex()),
                observed_hash: Some(parting.file.hash_hex()),
                ..file
            };
        }
        match &self.missing {
            Some(missing) => file.expecting(missing),
            None => file,
        }
    }
}

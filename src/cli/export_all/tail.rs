//! What the server has behind a copy: verified while it comes, so that no more is taken than what
//! follows.

use std::{
    cell::Cell,
    fs::{self, File, OpenOptions},
    io::{self, BufReader, BufWriter, Read, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    rc::Rc,
};

use serde::Deserialize;
use tokio::sync::mpsc::{self, Receiver, Sender};
use vyrox_actors::journal::{VerifyReport, verify_each};

use super::{
    super::{chain_name::ChainName, client::Client, failure::Failure},
    cannot,
};

/// Pieces of an answer that wait to be verified.
const PIECES: usize = 16;

/// New entries before they are added to the copy; gone again afterwards.
pub(super) struct Tail {
    pub(super) path: PathBuf,
}

/// Where new entries belong.
pub(super) struct Behind {
    pub(super) chain: ChainName,
    /// The copy, if there is one yet.
    pub(super) copy: Option<PathBuf>,
    /// How much of it is whole lines, in bytes.
    pub(super) length: u64,
    /// The first new seq.
    pub(super) from: u64,
}

/// What the verification of the copy and of all that came found.
pub(super) struct Received {
    pub(super) report: VerifyReport,
    /// The entries say that they are of a chain of another name.
    pub(super) is_anothers: bool,
}

/// An entry as far as it tells whose it is.
#[derive(Deserialize)]
struct Owned {
    tenant_id: String,
}

impl Tail {
    /// A tail without a file. What an earlier command left there is removed.
    pub(super) fn beside(copy: &Path) -> Result<Self, Failure> {
        let path = copy.with_extension("new");
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(cannot("remove", &path, &error))
            }
            Ok(()) | Err(_) => Ok(Self { path }),
        }
    }

    /// Takes entries from the server as long as they follow.
    pub(super) async fn receive(
        &self,
        client: &Client,
        behind: Behind,
    ) -> Result<Received, Failure> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let tail = options.open(&self.path);
        let tail = tail.map_err(|error| cannot("write", &self.path, &error))?;
        let (pieces, coming) = mpsc::channel(PIECES);
        let (chain, from) = (behind.chain.clone(), behind.from);
        let verifying = tokio::task::spawn_blocking(move || behind.verify(coming, tail));
        let fetched = fetch(client, &chain, from, pieces).await;
        let received = verifying.await.map_err(io::Error::other);
        fetched?;
        received
            .flatten()
            .map_err(|error| cannot("verify", &self.path, &error))
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        fs::remove_file(&self.path).ok();
    }
}

/// Passes on what the server sends, until its end or until nobody takes more.
async fn fetch(
    client: &Client,
    chain: &ChainName,
    from: u64,
    pieces: Sender<Vec<u8>>,
) -> Result<(), Failure> {
    let from = from.to_string();
    let query = [
        ("tenant_id", chain.as_str()),
        ("format", "jsonl"),
        ("from_seq", &from),
    ];
    let mut response = client.open(&["audit", "export"], &query).await?;
    while let Some(piece) = client.next_chunk(&mut response).await? {
        if pieces.send(piece).await.is_err() {
            break;
        }
    }
    Ok(())
}

impl Behind {
    /// Verifies the copy and what comes, and writes the good entries of the latter to `tail`.
    fn verify(self, coming: Receiver<Vec<u8>>, tail: File) -> io::Result<Received> {
        let copy: Box<dyn Read> = match &self.copy {
            None => Box::new(io::empty()),
            Some(copy) => Box::new(File::open(copy)?.take(self.length)),
        };
        let stopped = Rc::new(Cell::new(false));
        let coming = Coming {
            pieces: coming,
            piece: io::Cursor::default(),
            stopped: Rc::clone(&stopped),
        };
        let (mut tail, mut written, mut is_anothers) = (BufWriter::new(tail), Ok(()), false);
        let report = verify_each(BufReader::new(copy.chain(coming)), |passed| {
            is_anothers |= passed.entry.seq == 0 && !self.is_of_chain(passed.line);
            if passed.entry.seq >= self.from && written.is_ok() {
                let line = tail.write_all(passed.line);
                written = line.and_then(|()| tail.write_all(b"\n"));
            }
            stopped.set(is_anothers || written.is_err());
        })?;
        written.and_then(|()| tail.flush())?;
        Ok(Received {
            report,
            is_anothers,
        })
    }

    /// Whether an entry is of this chain; all that follow it are of the same one.
    fn is_of_chain(&self, line: &[u8]) -> bool {
        let entry: Option<Owned> = serde_json::from_slice(line).ok();
        entry.is_some_and(|entry| entry.tenant_id == self.chain.as_str())
    }
}

/// An answer that is read while it comes; at its end as soon as no more of it is wanted.
struct Coming {
    pieces: Receiver<Vec<u8>>,
    piece: io::Cursor<Vec<u8>>,
    stopped: Rc<Cell<bool>>,
}

impl Read for Coming {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while !self.stopped.get() {
            let read = self.piece.read(into)?;
            if read > 0 || into.is_empty() {
                return Ok(read);
            }
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = io::Cursor::new(piece),
                None => break,
            }
        }
        Ok(0)
    }
}

//! `vyrox audit export`: a chain, streamed to wherever it is wanted.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Response;

use super::{chain_name::ChainName, client::Client, export_all, failure::Failure, out::Out};

/// In which the server says how many entries come.
const ENTRIES_HEADER: &str = "X-Vyrox-Entries";

/// Arguments of `audit export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The tenant, or _host
    #[arg(value_name = "TENANT", required_unless_present = "all")]
    pub tenant: Option<ChainName>,
    /// What to write; jsonl is the chain itself, line by line
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    pub format: Format,
    /// The first entry; from the beginning if left out
    #[arg(long, value_name = "SEQ")]
    pub from: Option<u64>,
    /// The last entry; to the end if left out
    #[arg(long, value_name = "SEQ")]
    pub to: Option<u64>,
    /// Keep copies of all chains instead: what is new is added to them, once they were compared
    #[arg(long, requires = "into", conflicts_with_all = ["tenant", "format", "from", "to", "output"])]
    pub all: bool,
    /// The directory of these copies
    #[arg(long, value_name = "DIR", requires = "all", conflicts_with = "tenant")]
    pub into: Option<PathBuf>,
    /// Write to this file instead of standard output; it appears only when it is complete
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// What an export looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One array of entries.
    Json,
    /// One entry a line, the very bytes that the hashes are over.
    Jsonl,
    /// A table.
    Csv,
}

impl Format {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
        }
    }
}

/// Streams the chain out.
pub async fn run(client: &Client, args: &ExportArgs, out: &mut Out) -> Result<(), Failure> {
    let tenant = match (&args.tenant, &args.into) {
        (Some(tenant), _) => tenant,
        (None, Some(directory)) => return export_all::run(client, directory, out).await,
        (None, None) => return Err(Failure::usage("name a tenant, or --all --into DIR")),
    };
    let (from, to) = (
        args.from.map(|seq| seq.to_string()),
        args.to.map(|seq| seq.to_string()),
    );
    let mut query = vec![
        ("tenant_id", tenant.as_str()),
        ("format", args.format.as_str()),
    ];
    query.extend(from.as_deref().map(|seq| ("from_seq", seq)));
    query.extend(to.as_deref().map(|seq| ("to_seq", seq)));
    let response = client.open(&["audit", "export"], &query).await?;
    match &args.output {
        Some(path) => to_file(client, response, path).await,
        None => to_stdout(client, response, out).await,
    }
}

async fn to_stdout(client: &Client, mut response: Response, out: &mut Out) -> Result<(), Failure> {
    while let Some(chunk) = client.next_chunk(&mut response).await? {
        out.bytes(&chunk)?;
    }
    Ok(out.flush()?)
}

/// Writes beside the target and renames at the end, so that a broken export never looks whole.
async fn to_file(client: &Client, mut response: Response, path: &Path) -> Result<(), Failure> {
    let mut draft = Draft::beside(path).map_err(|error| cannot_write(path, &error))?;
    let progress = progress_bar(entries(&response));
    while let Some(chunk) = client.next_chunk(&mut response).await? {
        draft
            .file
            .write_all(&chunk)
            .map_err(|error| cannot_write(path, &error))?;
        // Every format begins a line with each entry, and no entry has a line end in it.
        let lines = chunk.split(|byte| *byte == b'\n').skip(1).count();
        progress.inc(lines as u64);
    }
    progress.finish_and_clear();
    draft
        .complete(path)
        .map_err(|error| cannot_write(path, &error))
}

/// A file that is removed again unless it is completed.
struct Draft {
    path: PathBuf,
    file: File,
}

impl Draft {
    fn beside(path: &Path) -> io::Result<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push(".part");
        let path = PathBuf::from(name);
        let file = File::create(&path)?;
        Ok(Self { path, file })
    }

    fn complete(&mut self, target: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, target)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After `complete` there is nothing left under this name.
        fs::remove_file(&self.path).ok();
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::unreachable(format!("cannot write {}: {error}", path.display()))
}

/// How many entries the server said there are.
fn entries(response: &Response) -> Option<u64> {
    let header = response.headers().get(ENTRIES_HEADER)?;
    header.to_str().ok()?.parse().ok()
}

/// Shown on standard error, and only if that is a terminal.
fn progress_bar(entries: Option<u64>) -> ProgressBar {
    let (progress, template) = match entries {
        Some(entries) => (
            ProgressBar::new(entries),
            "{bar:30} {human_pos} of {human_len} entries exported, {eta} left",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{spinner} {human_pos} entries exported",
        ),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => progress.with_style(style),
        Err(_) => progress,
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{fake_server::FakeServer, out::tests::Paper},
        *,
    };

    #[tokio::test]
    async fn a_part_of_a_chain_is_written_as_it_came() {
        let server = FakeServer::new(|_| (200, "{\"seq\":3}\n".into()));
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("acme.jsonl");
        let mut args = ExportArgs {
            tenant: Some("acme".parse().unwrap()),
            all: false,
            into: None,
            format: Format::Jsonl,
            from: Some(3),
            to: None,
            output: Some(target.clone()),
        };
        let paper = Paper::default();
        run(&server.client(), &args, &mut paper.out(false))
            .await
            .unwrap();
        args.output = None;
        run(&server.client(), &args, &mut paper.out(true))
            .await
            .unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "{\"seq\":3}\n");
        assert_eq!(paper.text(), "{\"seq\":3}\n");
        let asked = server.asked();
        assert_eq!(
            asked[0].line,
            "GET /audit/export?tenant_id=acme&format=jsonl&from_seq=3"
        );
    }

    #[test]
    fn a_file_appears_only_when_it_is_complete() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("acme.jsonl");
        let mut draft = Draft::beside(&target).unwrap();
        draft.file.write_all(b"{}\n").unwrap();
        assert!(!target.exists());
        draft.complete(&target).unwrap();
        drop(draft);
        assert_eq!(fs::read(&target).unwrap(), b"{}\n");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_broken_export_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("acme.jsonl");
        drop(Draft::beside(&target).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}

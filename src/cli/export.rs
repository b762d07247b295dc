//! `vyrox audit export`: a chain, streamed to wherever it is wanted.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Response;

use self::tally::{Tally, no_export};
use super::{
    chain_name::ChainName, client::Client, draft::Draft, export_all, failure::Failure, out::Out,
};

mod tally;

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

    /// With what an export begins, if there is anything in it.
    const fn first_byte(self) -> u8 {
        match self {
            Self::Json => b'[',
            Self::Jsonl => b'{',
            Self::Csv => b's',
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
    let tally = Tally::new(args.format, entries(&response).ok_or_else(no_export)?);
    match &args.output {
        Some(path) => to_file(client, response, tally, path).await,
        None => to_stdout(client, response, tally, out).await,
    }
}

async fn to_stdout(
    client: &Client,
    mut response: Response,
    mut tally: Tally,
    out: &mut Out,
) -> Result<(), Failure> {
    while let Some(chunk) = client.next_chunk(&mut response).await? {
        tally.take(&chunk)?;
        out.bytes(&chunk)?;
    }
    out.flush()?;
    tally.conclude()
}

/// Writes beside the target and renames at the end, so that a broken export never looks whole.
async fn to_file(
    client: &Client,
    mut response: Response,
    mut tally: Tally,
    path: &Path,
) -> Result<(), Failure> {
    let mut draft = Draft::of(path)?;
    let progress = progress_bar(tally.promised());
    while let Some(chunk) = client.next_chunk(&mut response).await? {
        let entries = tally.take(&chunk)?;
        draft.write(&chunk)?;
        progress.set_position(entries);
    }
    progress.finish_and_clear();
    tally.conclude()?;
    draft.complete()
}

/// How many entries the server said there are.
fn entries(response: &Response) -> Option<u64> {
    let header = response.headers().get(ENTRIES_HEADER)?;
    header.to_str().ok()?.parse().ok()
}

/// Shown on standard error, and only if that is a terminal.
fn progress_bar(entries: u64) -> ProgressBar {
    let template = "{bar:30} {human_pos} of {human_len} entries exported, {eta} left";
    let progress = ProgressBar::new(entries);
    match ProgressStyle::with_template(template) {
        Ok(style) => progress.with_style(style),
        Err(_) => progress,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{
        super::{fake_server::FakeServer, out::tests::Paper},
        *,
    };

    #[tokio::test]
    async fn a_part_of_a_chain_is_written_as_it_came() {
        let server = FakeServer::with_headers(|_| {
            let entries = ("x-vyrox-entries", "1".to_owned());
            (200, vec![entries], "{\"seq\":3}\n".into())
        });
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

    /// A proxy that cuts a download in the middle of nothing once left a file that looked whole.
    #[tokio::test]
    async fn a_part_that_looks_whole_is_no_export() {
        let line = "{\"seq\":0}\n";
        for (headers, said) in [
            (vec![("x-vyrox-entries", "2".to_owned())], "1 of 2 entries"),
            (Vec::new(), "no export"),
        ] {
            let server = FakeServer::with_headers(move |_| (200, headers.clone(), line.into()));
            let dir = tempfile::tempdir().unwrap();
            let target = dir.path().join("acme.jsonl");
            for output in [Some(target.clone()), None] {
                let args = ExportArgs {
                    tenant: Some("acme".parse().unwrap()),
                    all: false,
                    into: None,
                    format: Format::Jsonl,
                    from: None,
                    to: None,
                    output,
                };
                let mut out = Paper::default().out(false);
                let failure = run(&server.client(), &args, &mut out).await.unwrap_err();
                assert!(failure.what().contains(said), "{failure}");
            }
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        }
    }
}

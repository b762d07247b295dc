//! A chain as a download: how fast it comes, beside reading its file, and beside a bare server that
//! streams that file; and how much memory the server needs for it.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

use crate::{
    alerts::Alerts,
    baseline::Baseline,
    load::Load,
    report::{cores, head, line, row},
    rounds::{Plan, measure as window_of},
    vyrox::Vyrox,
};

const FORMATS: [&str; 3] = ["json", "jsonl", "csv"];
const CONNECTIONS: usize = 64;
/// Alerts that are sent before the chain's length is looked at again.
const STEP: usize = 10_000;
const LONGEST: Duration = Duration::from_mins(10);
const MIB: f64 = 1024.0 * 1024.0;

/// One download and what it took.
struct Download {
    bytes: u64,
    elapsed: Duration,
    /// Memory of the server at its peak, above what it held before the first download.
    above_idle_kib: u64,
    server: Duration,
}

struct Round {
    /// Bytes a second of reading the chain's file.
    file: f64,
    /// Bytes a second of a bare server that streams it.
    stream: f64,
    /// In the order of [`FORMATS`].
    downloads: Vec<Download>,
}

/// Prints the table.
pub(crate) fn measure(plan: &Plan, entries: usize) -> anyhow::Result<()> {
    let vyrox = Vyrox::start(&[])?;
    let tenant = fill(&vyrox, entries)?;
    // What filling the chain left in memory would be room that the downloads find free.
    let vyrox = vyrox.restart(&[])?;
    vyrox.come_to_rest()?;
    let idle_kib = vyrox.child().resident_kib()?;
    let file = vyrox.chain_file(&tenant);
    let bare = Baseline::Stream.start(Some(file.clone()))?;
    let mut rounds = Vec::new();
    for _ in 0..plan.rounds {
        let (bytes, elapsed) = read(&file)?;
        let streamed = get(bare.address(), "/", "")?;
        let downloads = FORMATS.map(|format| download(&vyrox, &tenant, format, idle_kib));
        rounds.push(Round {
            file: rate(bytes, elapsed),
            stream: rate(streamed.0, streamed.1),
            downloads: downloads.into_iter().collect::<anyhow::Result<_>>()?,
        });
    }
    print(&rounds, entries);
    Ok(())
}

/// Has one tenant send alerts until its chain has so many entries; answers which.
fn fill(vyrox: &Vyrox, entries: usize) -> anyhow::Result<String> {
    let tenants = vyrox.add_tenants(1)?;
    let tenant = tenants.first().context("no tenant")?.id.clone();
    let mut alerts = Alerts::new(tenants);
    let entries = u64::try_from(entries)?;
    while vyrox.counters()?.entries < entries {
        let prepared = alerts.prepare(STEP);
        let load = Load {
            connections: CONNECTIONS,
            requests: &prepared,
            repeat: false,
            longest: LONGEST,
        };
        let window = window_of(vyrox.child(), &load, 202)?;
        ensure!(window.ran.others == 0, "an alert was refused");
        vyrox.come_to_rest()?;
    }
    Ok(tenant)
}

fn download(vyrox: &Vyrox, tenant: &str, format: &str, idle_kib: u64) -> anyhow::Result<Download> {
    let child = vyrox.child();
    let cpu = child.cpu()?;
    child.forget_peak()?;
    let path = format!("/audit/export?tenant_id={tenant}&format={format}");
    let authorization = format!("Authorization: Bearer {}\r\n", vyrox.token());
    let (bytes, elapsed) = get(child.address(), &path, &authorization)?;
    let server = child.cpu()?.saturating_sub(cpu);
    let above_idle_kib = child.peak_kib()?.saturating_sub(idle_kib);
    vyrox.come_to_rest()?;
    Ok(Download {
        bytes,
        elapsed,
        above_idle_kib,
        server,
    })
}

/// Reads a file from its start to its end.
fn read(path: &Path) -> anyhow::Result<(u64, Duration)> {
    let began = Instant::now();
    let bytes = drain(File::open(path)?)?;
    Ok((bytes, began.elapsed()))
}

/// Fetches something that comes in chunks, and throws it away; answers its length without the
/// chunks' own lines.
fn get(address: SocketAddr, path: &str, headers: &str) -> anyhow::Result<(u64, Duration)> {
    let began = Instant::now();
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n"
    )?;
    let mut answer = BufReader::with_capacity(256 * 1024, stream);
    let mut text = String::new();
    answer.read_line(&mut text)?;
    ensure!(text.starts_with("HTTP/1.1 200"), "{text}");
    while text.trim_end() != "" {
        text.clear();
        answer.read_line(&mut text)?;
    }
    let mut bytes = 0;
    loop {
        text.clear();
        answer.read_line(&mut text)?;
        let chunk = u64::from_str_radix(text.trim_end(), 16).context("the download broke off")?;
        let read = drain(answer.by_ref().take(chunk))?;
        ensure!(read == chunk, "the download broke off");
        bytes += chunk;
        text.clear();
        answer.read_line(&mut text)?;
        if chunk == 0 {
            return Ok((bytes, began.elapsed()));
        }
    }
}

fn drain(mut from: impl std::io::Read) -> std::io::Result<u64> {
    let mut piece = vec![0; 64 * 1024];
    let mut bytes = 0;
    loop {
        let read = from.read(&mut piece)?;
        if read == 0 {
            return Ok(bytes);
        }
        bytes += u64::try_from(read).unwrap_or_default();
    }
}

fn rate(bytes: u64, elapsed: Duration) -> f64 {
    bytes as f64 / elapsed.as_secs_f64()
}

fn print(rounds: &[Round], entries: usize) {
    line("");
    line(&format!(
        "{} cores, shared by server and load; {} rounds; a chain of {entries} entries or more",
        cores(),
        rounds.len(),
    ));
    head("/audit/export");
    let show = |name: &str, digits, aim, figure: &dyn Fn(&Round) -> Option<f64>| {
        let figures = rounds.iter().filter_map(figure);
        row(name, digits, aim, figures.collect());
    };
    show("reading the chain's file, MiB a second", 0, None, &|it| {
        Some(it.file / MIB)
    });
    show(
        "a bare server that streams it, MiB a second",
        0,
        None,
        &|it| Some(it.stream / MIB),
    );
    for (at, format) in FORMATS.iter().enumerate() {
        let speed = |it: &Download| rate(it.bytes, it.elapsed);
        let of = |it: &Round, figure: &dyn Fn(&Download) -> f64| it.downloads.get(at).map(figure);
        show(&format!("{format}, MiB"), 1, None, &|it| {
            of(it, &|got| got.bytes as f64 / MIB)
        });
        show(&format!("{format}, MiB a second"), 0, None, &|it| {
            of(it, &|got| speed(got) / MIB)
        });
        show(&format!("{format}, by reading the file"), 3, None, &|it| {
            of(it, &|got| speed(got) / it.file)
        });
        show(&format!("{format}, by streaming it bare"), 3, None, &|it| {
            of(it, &|got| speed(got) / it.stream)
        });
        show(
            &format!("{format}, CPU of the server, ms a MiB"),
            2,
            None,
            &|it| {
                of(it, &|got| {
                    1e3 * got.server.as_secs_f64() / (got.bytes as f64 / MIB)
                })
            },
        );
        let name = format!("{format}, memory above idle, MiB");
        show(&name, 1, Some("64 or less"), &|it| {
            of(it, &|got| got.above_idle_kib as f64 / 1024.0)
        });
    }
}

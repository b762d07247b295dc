//! The load: so many connections, each with one request under way at any time. It shares the cores
//! with the server it loads, so all it does is write bytes that are ready, and find the answer's end.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use futures_util::future::try_join_all;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{alerts::Prepared, child::cpu_of};

/// How much load.
pub(crate) struct Load<'a> {
    pub(crate) connections: usize,
    pub(crate) requests: &'a [Prepared],
    /// Whether to begin again when all requests are sent.
    pub(crate) repeat: bool,
    /// No request begins later than this.
    pub(crate) longest: Duration,
}

/// What came of it.
pub(crate) struct Ran {
    /// Answers of the status that was asked for.
    pub(crate) wanted: u64,
    /// Other answers.
    pub(crate) others: u64,
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
    /// From request to answer, in microseconds, in order of size.
    latencies_us: Vec<u64>,
}

/// CPU that this process has used so far.
pub(crate) fn own_cpu() -> anyhow::Result<Duration> {
    cpu_of("self")
}

impl Load<'_> {
    /// Loads the server at `address` and counts answers of the status `wanted`.
    pub(crate) fn run(&self, address: SocketAddr, wanted: u16) -> anyhow::Result<Ran> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        runtime.block_on(async {
            let connect = (0..self.connections).map(|_| Connection::open(address));
            let connections = try_join_all(connect).await.context("connecting")?;
            let run = Run {
                load: self,
                wanted,
                began: Instant::now(),
                next: Cell::new(0),
                counts: Cell::default(),
                latencies_us: RefCell::default(),
            };
            try_join_all(connections.into_iter().map(|one| run.drive(one))).await?;
            Ok(run.end())
        })
    }
}

struct Run<'a> {
    load: &'a Load<'a>,
    wanted: u16,
    began: Instant,
    next: Cell<usize>,
    /// Wanted answers and others.
    counts: Cell<(u64, u64)>,
    latencies_us: RefCell<Vec<u64>>,
}

impl<'a> Run<'a> {
    async fn drive(&self, mut connection: Connection) -> anyhow::Result<()> {
        let mut began = Instant::now();
        while let Some(request) = self.next(began) {
            connection
                .stream
                .write_all(request.bytes())
                .await
                .context("sending")?;
            let status = connection.answer().await?;
            let ended = Instant::now();
            self.note(status, ended.duration_since(began));
            began = ended;
        }
        Ok(())
    }

    fn next(&self, now: Instant) -> Option<&'a Prepared> {
        if now.duration_since(self.began) >= self.load.longest {
            return None;
        }
        let requests = self.load.requests;
        let number = self.next.replace(self.next.get() + 1);
        let number = if self.load.repeat {
            number % requests.len()
        } else {
            number
        };
        requests.get(number)
    }

    fn note(&self, status: u16, latency: Duration) {
        let (wanted, others) = self.counts.get();
        if status == self.wanted {
            self.counts.set((wanted + 1, others));
            let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
            self.latencies_us.borrow_mut().push(us);
        } else {
            self.counts.set((wanted, others + 1));
        }
    }

    fn end(self) -> Ran {
        let elapsed = self.began.elapsed();
        let (wanted, others) = self.counts.get();
        let mut latencies_us = self.latencies_us.into_inner();
        latencies_us.sort_unstable();
        Ran {
            wanted,
            others,
            elapsed,
            latencies_us,
        }
    }
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(8192),
        })
    }

    /// Reads one answer and gives its status.
    async fn answer(&mut self) -> anyhow::Result<u16> {
        self.buffer.clear();
        loop {
            let read = self
                .stream
                .read_buf(&mut self.buffer)
                .await
                .context("receiving")?;
            ensure!(read > 0, "the server closed a connection");
            if let Some(head_len) = find(&self.buffer, b"\r\n\r\n") {
                let head = self.buffer.get(..head_len).unwrap_or_default();
                let (status, body_len) = read_head(head).context("an unreadable answer")?;
                if self.buffer.len() >= head_len + 4 + body_len {
                    return Ok(status);
                }
            }
        }
    }
}

/// Status and length of the body.
fn read_head(head: &[u8]) -> Option<(u16, usize)> {
    const LENGTH: &[u8] = b"content-length: ";
    let status = number(head.get(9..12)?)?;
    let length = head.get(find(head, LENGTH)? + LENGTH.len()..)?;
    let end = length
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(length.len());
    Some((status.try_into().ok()?, number(length.get(..end)?)?))
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

impl Ran {
    /// Wanted answers a second.
    pub(crate) fn rate(&self) -> f64 {
        self.wanted as f64 / self.elapsed.as_secs_f64()
    }

    /// An equal share for each wanted answer.
    pub(crate) fn each(&self, whole: Duration) -> Duration {
        whole.div_f64(self.wanted.max(1) as f64)
    }

    /// The latency that so many in a hundred did not exceed.
    pub(crate) fn latency(&self, percent: usize) -> Duration {
        let rank = (self.latencies_us.len() * percent).div_ceil(100);
        let us = self.latencies_us.get(rank.saturating_sub(1)).copied();
        Duration::from_micros(us.unwrap_or_default())
    }
}

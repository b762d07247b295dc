//! A server that does what a test tells it, on a real socket: it answers, or fails in one of the ways in
//! which servers fail.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// What it does with a request.
pub(super) enum Act {
    /// Writes these bytes and closes.
    Say(String),
    /// Writes these bytes, then others without end.
    SayForEver(String),
    /// Closes without a word.
    Close,
    /// Never answers, and keeps the connection.
    Hang,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// Method and path with query (`GET /a?b=c`).
    pub(super) line: String,
    /// The header lines in lower case.
    pub(super) head: String,
    pub(super) body: String,
}

/// The server; it listens until the runtime ends.
pub(super) struct Stub {
    pub(super) base: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

type Behaviour = dyn Fn(&Request) -> Act + Send + Sync;

impl Stub {
    pub(super) async fn start(behaviour: impl Fn(&Request) -> Act + Send + Sync + 'static) -> Self {
        // A second installation in the same process fails, which is as good as the first.
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let seen = Arc::<Mutex<Vec<Request>>>::default();
        let (behaviour, log): (Arc<Behaviour>, _) = (Arc::new(behaviour), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&behaviour), Arc::clone(&log)));
            }
        });
        Self { base, seen }
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Vec<Request>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many requests had this beginning.
    pub(super) fn count(&self, line: &str) -> usize {
        let seen = self.seen();
        seen.iter().filter(|one| one.line.starts_with(line)).count()
    }
}

/// An answer with this status, these header lines and this body.
pub(super) fn answer(status: u16, headers: &[&str], body: &str) -> String {
    let mut text = format!(
        "HTTP/1.1 {status} Some\r\ncontent-length: {}\r\nconnection: close\r\n",
        body.len()
    );
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text + "\r\n" + body
}

/// The same of JSON.
pub(super) fn json(status: u16, body: &str) -> Act {
    Act::Say(answer(status, &["content-type: application/json"], body))
}

/// An address at which nobody listens.
pub(super) async fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

async fn serve(mut stream: TcpStream, behaviour: Arc<Behaviour>, log: Arc<Mutex<Vec<Request>>>) {
    let Some(request) = read(&mut stream).await else {
        return;
    };
    let act = behaviour(&request);
    log.lock().expect("nobody panics with it").push(request);
    // What a client does with a broken answer may end the connection before everything is written.
    match act {
        Act::Say(text) => stream.write_all(text.as_bytes()).await.unwrap_or_default(),
        Act::SayForEver(text) => {
            let block = format!("10000\r\n{}\r\n", "x".repeat(0x1_0000));
            let mut written = stream.write_all(text.as_bytes()).await;
            while written.is_ok() {
                written = stream.write_all(block.as_bytes()).await;
            }
        }
        Act::Close => {}
        Act::Hang => std::future::pending().await,
    }
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    loop {
        let mut block = [0; 4096];
        let count = stream
            .read(&mut block)
            .await
            .ok()
            .filter(|count| *count > 0)?;
        bytes.extend_from_slice(&block[..count]);
        // A TLS client's first word; there is no certificate here to show it.
        if bytes.first() == Some(&0x16) {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let (line, head) = head.split_once("\r\n")?;
        let head = head.to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().expect("a length")) {
            let line = line.trim_end_matches(" HTTP/1.1").to_owned();
            let body = body.to_owned();
            return Some(Request { line, head, body });
        }
    }
}

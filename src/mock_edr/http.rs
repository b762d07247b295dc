//! HTTP/1.1 on a bare socket, as far as a stand-in needs it. A framework would see to it that every request
//! gets a sound answer; here a reset, half a body and an answer without an end must be possible too.

use std::{io, time::Duration};

use reqwest::Url;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

const HEAD_MAX: u64 = 64 * 1024;
const BODY_MAX: usize = 4 * 1024 * 1024;
const HUGE_BYTES: usize = 1024 * 1024 * 1024;
const HUGE_CHUNK: usize = 64 * 1024;

/// Names and values.
type Pairs = Vec<(String, String)>;

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST`, ...
    pub method: String,
    /// Path and query as they were sent.
    pub target: String,
    /// The segments of the path, below the vendor's own root.
    pub path: Vec<String>,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// Header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// The first header of that name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The first value of that name in the query.
    pub fn asked(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// All values of that name in the query, commas in them taken as separators.
    pub fn asked_list(&self, name: &str) -> Vec<String> {
        let values = self.query.iter().filter(|(known, _)| known == name);
        values
            .flat_map(|(_, value)| value.split(','))
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// The pairs of a form in the body.
    pub(super) fn form(&self) -> Option<Pairs> {
        let text = str::from_utf8(&self.body).ok()?;
        pairs_of(&format!("/?{text}")).map(|(_, pairs)| pairs)
    }
}

/// One answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// Status.
    pub status: u16,
    /// Headers beside length and type.
    pub headers: Vec<(String, String)>,
    /// Content type.
    pub content_type: String,
    /// Body.
    pub body: Vec<u8>,
}

impl Reply {
    /// A JSON answer.
    pub fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content_type: "application/json".to_owned(),
            body: body.to_string().into_bytes(),
        }
    }

    /// 204: done, and nothing to say.
    pub fn nothing() -> Self {
        Self::text(204, "")
    }

    /// An answer in plain text.
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content_type: "text/plain; charset=utf-8".to_owned(),
            body: body.into().into_bytes(),
        }
    }

    /// The same with one header more.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    fn head(&self, length: Option<usize>) -> String {
        let mut head = format!(
            "HTTP/1.1 {} Mock\r\ncontent-type: {}\r\n",
            self.status, self.content_type
        );
        for (name, value) in &self.headers {
            head = format!("{head}{name}: {value}\r\n");
        }
        match length {
            Some(0) if self.status == 204 => head + "\r\n",
            Some(length) => format!("{head}content-length: {length}\r\n\r\n"),
            None => head + "transfer-encoding: chunked\r\n\r\n",
        }
    }
}

/// Reads the next request of a connection; `None` at its end.
pub(super) async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Request>> {
    let mut lines = Vec::new();
    let mut left = HEAD_MAX;
    loop {
        let mut line = String::new();
        let read = (&mut *stream).take(left).read_line(&mut line).await?;
        left = left.saturating_sub(u64::try_from(read).unwrap_or(HEAD_MAX));
        match line.trim_end() {
            _ if !line.ends_with('\n') && line.is_empty() && lines.is_empty() => return Ok(None),
            _ if !line.ends_with('\n') => return Err(bad("the head has no end")),
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut request = parsed(&lines).ok_or_else(|| bad("not a request"))?;
    let length = match request.header("content-length") {
        Some(length) => length.parse().map_err(|_error| bad("not a length"))?,
        None => 0,
    };
    if length > BODY_MAX || request.header("transfer-encoding").is_some() {
        return Err(bad("the body is too long, or of no stated length"));
    }
    request.body = vec![0; length];
    stream.read_exact(&mut request.body).await?;
    Ok(Some(request))
}

fn parsed(lines: &[String]) -> Option<Request> {
    let (first, rest) = lines.split_first()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let (path, query) = pairs_of(target)?;
    let header = |line: &String| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    Some(Request {
        method: method.to_owned(),
        target: target.to_owned(),
        path,
        query,
        headers: rest.iter().map(header).collect::<Option<_>>()?,
        body: Vec::new(),
    })
}

/// The segments of a path and the pairs of its query.
fn pairs_of(target: &str) -> Option<(Vec<String>, Pairs)> {
    let url = Url::parse(&format!("http://mock{target}")).ok()?;
    let path = url.path_segments()?.map(str::to_owned).collect();
    Some((path, url.query_pairs().into_owned().collect()))
}

fn bad(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Answers as one should.
pub(super) async fn write(stream: &mut BufReader<TcpStream>, reply: &Reply) -> io::Result<()> {
    let mut bytes = reply.head(Some(reply.body.len())).into_bytes();
    bytes.extend_from_slice(&reply.body);
    stream.write_all(&bytes).await?;
    stream.flush().await
}

/// Announces the whole body, sends half of it and hangs up.
pub(super) async fn write_half(mut stream: BufReader<TcpStream>, reply: &Reply) -> io::Result<()> {
    let mut bytes = reply.head(Some(reply.body.len())).into_bytes();
    bytes.extend(reply.body.iter().take(reply.body.len() / 2));
    stream.write_all(&bytes).await?;
    stream.shutdown().await
}

/// Sends a body of a gibibyte, of which nothing is known beforehand, or its length.
pub(super) async fn write_huge(
    mut stream: BufReader<TcpStream>,
    reply: &Reply,
    announced: bool,
) -> io::Result<()> {
    let head = reply.head(announced.then_some(HUGE_BYTES));
    stream.write_all(head.as_bytes()).await?;
    let mut chunk = vec![b' '; HUGE_CHUNK];
    if !announced {
        chunk = [format!("{HUGE_CHUNK:x}\r\n").as_bytes(), &chunk, b"\r\n"].concat();
    }
    for _ in 0..HUGE_BYTES / HUGE_CHUNK {
        stream.write_all(&chunk).await?;
    }
    if !announced {
        stream.write_all(b"0\r\n\r\n").await?;
    }
    stream.shutdown().await
}

/// Breaks the connection off so that the other side sees a reset.
pub(super) fn reset(stream: BufReader<TcpStream>) -> io::Result<()> {
    let stream = stream.into_inner();
    stream.set_zero_linger()
}

/// Waits for the other side to hang up, at most so long; whatever it sends meanwhile is thrown away.
pub(super) async fn hung_up(stream: &mut BufReader<TcpStream>, at_most: Duration) {
    let until_the_end = async {
        let mut sink = [0; 1024];
        while stream.read(&mut sink).await.is_ok_and(|read| read > 0) {}
    };
    // Either way there is nothing more to wait for.
    tokio::time::timeout(at_most, until_the_end).await.ok();
}

//! A server of canned answers on a real socket, for tests of what the commands make of them.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
    thread,
};

use super::client::{Client, Credentials};

/// What was asked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// Method and target, `GET /health`.
    pub(super) line: String,
    /// Header lines, names in lower case.
    pub(super) headers: Vec<String>,
    /// The body.
    pub(super) body: Vec<u8>,
}

/// Status and body of an answer.
pub(super) type Answer = (u16, String);

/// Name and value.
pub(super) type Header = (&'static str, String);

/// Answers every request on a port of its own for as long as the test runs.
pub(super) struct FakeServer {
    base: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl FakeServer {
    pub(super) fn new(answer: impl Fn(&Asked) -> Answer + Send + 'static) -> Self {
        Self::with_headers(move |asked| {
            let (status, body) = answer(asked);
            (status, Vec::new(), body)
        })
    }

    /// The same, with headers of its own in the answers.
    pub(super) fn with_headers(
        answer: impl Fn(&Asked) -> (u16, Vec<Header>, String) + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = read(&mut stream).unwrap();
                log.lock().unwrap().push(request.clone());
                let (status, headers, body) = answer(&request);
                write(&mut stream, status, &headers, &body).unwrap();
            }
        });
        Self { base, asked }
    }

    /// A client of it that shows the token `t0ken`.
    pub(super) fn client(&self) -> Client {
        // A second installation in the same process fails, which is as good as the first.
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        Client::new(&self.base, Credentials::given("t0ken".into())).unwrap()
    }

    /// A client of it without a token.
    pub(super) fn stranger(&self) -> Client {
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        Client::new(&self.base, Credentials::missing(Path::new("admin.token"))).unwrap()
    }

    /// Everything that was asked so far.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Asked {
    /// Whether a header line was sent, as `name: value`.
    pub(super) fn has_header(&self, header: &str) -> bool {
        self.headers.iter().any(|sent| sent == header)
    }
}

fn read(stream: &mut TcpStream) -> io::Result<Asked> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let line = head.remove(0).trim_end_matches(" HTTP/1.1").to_owned();
    let lower = |header: &String| match header.split_once(':') {
        Some((name, value)) => format!("{}:{value}", name.to_ascii_lowercase()),
        None => header.clone(),
    };
    let headers: Vec<String> = head.iter().map(lower).collect();
    let length = headers
        .iter()
        .find_map(|header| header.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body)?;
    Ok(Asked {
        line,
        headers,
        body,
    })
}

fn write(stream: &mut TcpStream, status: u16, headers: &[Header], body: &str) -> io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n"
    )?;
    for (name, value) in headers {
        write!(stream, "{name}: {value}\r\n")?;
    }
    write!(stream, "connection: close\r\n\r\n{body}")
}

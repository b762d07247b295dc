//! A small HTTP/1.1 client that sends exactly the bytes it is given, broken ones too.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
};

use serde_json::Value;

use super::DEADLINE;

/// A connection that is kept alive, and opened anew where the server closed it in good order.
pub(crate) struct Http {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

/// An answer as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Names in lower case, in the order in which they came.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body, which must be JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|why| {
            panic!(
                "the body is no JSON ({why}): {} {}",
                self.status,
                self.text()
            )
        })
    }
}

impl Http {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            stream: None,
        }
    }

    pub(crate) fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.request("GET", path, headers, b"")
    }

    /// A POST of JSON.
    pub(crate) fn post(&mut self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.request("POST", path, &all, body)
    }

    /// Any request; a connection that breaks ends the test.
    pub(crate) fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        self.try_send(&request_bytes(method, path, headers, body))
            .unwrap_or_else(|why| panic!("{method} {path} got no answer: {why}"))
    }

    /// Sends bytes and reads one answer.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> io::Result<Reply> {
        // A server that has refused already may close before it read everything: its answer counts.
        let sent = self.send_raw(bytes);
        match (self.read_reply(), sent) {
            (Err(_), Err(error)) | (Err(error), Ok(())) => {
                self.stream = None;
                Err(error)
            }
            (Ok(reply), sent) => {
                let closes = reply
                    .header("connection")
                    .is_some_and(|value| value == "close");
                if closes || sent.is_err() {
                    self.stream = None;
                }
                Ok(reply)
            }
        }
    }

    /// Sends bytes and reads nothing.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        let stream = self.open()?.get_mut();
        stream.write_all(bytes)?;
        stream.flush()
    }

    /// Reads one answer to what was sent.
    pub(crate) fn read_reply(&mut self) -> io::Result<Reply> {
        read_reply(self.open()?)
    }

    /// Says that nothing more will be sent; the answer can still be read.
    pub(crate) fn end_sending(&mut self) -> io::Result<()> {
        self.open()?.get_mut().shutdown(Shutdown::Write)
    }

    /// Waits until an answer has begun, and leaves it unread.
    pub(crate) fn wait_for_a_byte(&mut self) -> io::Result<()> {
        self.open()?.fill_buf().map(|_| ())
    }

    /// Goes away without a word: what is unread is lost.
    pub(crate) fn go_away(&mut self) {
        self.stream = None;
    }

    fn open(&mut self) -> io::Result<&mut BufReader<TcpStream>> {
        let stream = if let Some(stream) = self.stream.take() {
            stream
        } else {
            let stream = TcpStream::connect_timeout(&self.address, DEADLINE)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(DEADLINE))?;
            stream.set_write_timeout(Some(DEADLINE))?;
            BufReader::new(stream)
        };
        Ok(self.stream.insert(stream))
    }
}

/// A whole request. A Host and a length are added where `headers` name none.
pub(crate) fn request_bytes(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    use std::fmt::Write as _;
    let mut head = format!("{method} {path} HTTP/1.1\r\n");
    let names = |name: &str| {
        headers
            .iter()
            .any(|(key, _)| key.eq_ignore_ascii_case(name))
    };
    if !names("host") {
        head.push_str("host: localhost\r\n");
    }
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").expect("text grows");
    }
    let sized = names("content-length") || names("transfer-encoding");
    if !sized && (method != "GET" || !body.is_empty()) {
        write!(head, "content-length: {}\r\n", body.len()).expect("text grows");
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn read_reply(stream: &mut BufReader<TcpStream>) -> io::Result<Reply> {
    let (mut status, mut headers) = read_head(stream)?;
    // Interim answers are not answers.
    while status == 100 {
        (status, headers) = read_head(stream)?;
    }
    let header = |name: &str| {
        headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, v)| v.as_str())
    };
    let chunked = header("transfer-encoding").is_some_and(|value| value == "chunked");
    let length = header("content-length").map(str::parse::<usize>);
    let body = match length {
        _ if status == 204 || status == 304 => Vec::new(),
        _ if chunked => read_chunks(stream)?,
        Some(length) => read_exactly(stream, length.map_err(broken)?)?,
        None => {
            let mut body = Vec::new();
            stream.read_to_end(&mut body)?;
            body
        }
    };
    Ok(Reply {
        status,
        headers,
        body,
    })
}

type Head = (u16, Vec<(String, String)>);

fn read_head(stream: &mut BufReader<TcpStream>) -> io::Result<Head> {
    let line = read_line(stream)?;
    let status = line
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| broken(format!("no status in {line:?}")))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(stream)?;
        match line.split_once(':') {
            Some((name, value)) => {
                headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
            None if line.is_empty() => return Ok((status, headers)),
            None => return Err(broken(format!("no header in {line:?}"))),
        }
    }
}

fn read_line(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn read_exactly(stream: &mut BufReader<TcpStream>, length: usize) -> io::Result<Vec<u8>> {
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(body)
}

fn read_chunks(stream: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(stream)?;
        let length = usize::from_str_radix(line.trim(), 16).map_err(broken)?;
        body.extend(read_exactly(stream, length)?);
        read_line(stream)?;
        if length == 0 {
            return Ok(body);
        }
    }
}

fn broken(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

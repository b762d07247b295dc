//! As much of HTTP/1.1 as one client needs, by hand: so that a connection can break at any moment.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};

/// A request.
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// An answer.
pub(super) struct Reply {
    pub(super) status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

/// Answers each request on a connection until one is not answered.
pub(super) fn serve(stream: TcpStream, answer: impl Fn(&Request) -> Option<Reply>) {
    let mut reader = BufReader::new(stream);
    while let Ok(request) = Request::read(&mut reader) {
        let Some(reply) = answer(&request) else {
            return;
        };
        if reply.write(reader.get_mut()).is_err() {
            return;
        }
    }
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(known, _)| known == name);
        header.map(|(_, value)| value.as_str())
    }

    fn read(reader: &mut BufReader<TcpStream>) -> io::Result<Self> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let mut first = lines
            .first()
            .map(|line| line.split(' '))
            .into_iter()
            .flatten();
        let mut word = || first.next().unwrap_or_default().to_owned();
        let (method, path) = (word(), word());
        let headers: Vec<_> = lines
            .iter()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut request = Self {
            method,
            path,
            headers,
            body: Vec::new(),
        };
        let length = request
            .header("content-length")
            .and_then(|text| text.parse().ok());
        request.body = vec![0; length.unwrap_or_default()];
        reader.read_exact(&mut request.body)?;
        Ok(request)
    }
}

impl Reply {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: vec![("Content-Type", "application/json".into())],
            body: body.to_string(),
        }
    }

    pub(super) fn error(status: u16, code: u64, message: &str) -> Self {
        Self::json(status, &json!({"code": code, "message": message}))
    }

    /// A message that breaks limits.
    pub(super) fn form(faults: &[String]) -> Self {
        let errors = json!({"_errors": faults});
        let body = json!({"code": 50035, "message": "Invalid Form Body", "errors": errors});
        Self::json(400, &body)
    }

    pub(super) fn slow_down(time: Duration, global: bool) -> Self {
        let body = json!({
            "message": "You are being rate limited.",
            "retry_after": time.as_secs_f64(),
            "global": global,
        });
        let whole = time.as_secs_f64().ceil();
        Self::json(429, &body).with(vec![("Retry-After", whole.to_string())])
    }

    /// What stands before Discord speaks HTML.
    pub(super) fn page(status: u16) -> Self {
        Self {
            status,
            headers: vec![("Content-Type", "text/html".into())],
            body: "<html>error code: 1010</html>".into(),
        }
    }

    pub(super) fn with(mut self, headers: Vec<(&'static str, String)>) -> Self {
        self.headers.extend(headers);
        self
    }

    fn write(&self, stream: &mut TcpStream) -> io::Result<()> {
        let mut head = format!(
            "HTTP/1.1 {} X\r\nContent-Length: {}\r\n",
            self.status,
            self.body.len()
        );
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        stream.write_all(format!("{head}\r\n{}", self.body).as_bytes())
    }
}

/// The message of a request, and the file beside it.
pub(super) type Parts = (Vec<u8>, Option<(String, Vec<u8>)>);

/// Takes a body apart that may be `multipart/form-data`; `None` for one in another form than Discord's.
pub(super) fn parts(request: &Request) -> Option<Parts> {
    let kind = request.header("content-type")?;
    if kind == "application/json" {
        return Some((request.body.clone(), None));
    }
    let boundary = kind.strip_prefix("multipart/form-data; boundary=")?;
    let body = request.body.as_slice();
    let opening = format!("--{boundary}\r\n");
    let closing = format!("\r\n--{boundary}--\r\n");
    let inner = body
        .strip_prefix(opening.as_bytes())?
        .strip_suffix(closing.as_bytes())?;
    let between = format!("\r\n--{boundary}\r\n");
    let (message, file) = cut(inner, between.as_bytes())?;
    let (head, message) = cut(message, b"\r\n\r\n")?;
    let named = String::from_utf8_lossy(head).contains("name=\"payload_json\"");
    let (head, bytes) = cut(file, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(head);
    let name = head
        .split("filename=\"")
        .nth(1)?
        .split('"')
        .next()?
        .to_owned();
    let placed = named && head.contains("name=\"files[0]\"");
    placed.then(|| (message.to_vec(), Some((name, bytes.to_vec()))))
}

fn cut<'a>(bytes: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let found = bytes.windows(at.len()).position(|window| window == at)?;
    Some((&bytes[..found], &bytes[found + at.len()..]))
}

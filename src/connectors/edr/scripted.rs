//! A vendor for tests: it gives the answers that it was told to give, in order, and keeps what was asked.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use vyrox_actors::edr::EdrCredential;
use vyrox_domain::webhook::Secret;

use super::{WireSettings, approved::ACTION};

/// What stands in what we make at a vendor for it.
pub(super) fn own_mark() -> String {
    format!("Vyrox action {ACTION}")
}

/// An answer.
pub(super) struct Reply {
    status: u16,
    body: Vec<u8>,
}

/// A request that came, as `METHOD path?query`, with its JSON body.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) line: String,
    pub(super) authorization: String,
    pub(super) body: Value,
}

/// The vendor.
pub(super) struct Scripted {
    pub(super) base: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
}

/// An answer of JSON.
pub(super) fn reply(status: u16, body: &Value) -> Reply {
    Reply {
        status,
        body: body.to_string().into_bytes(),
    }
}

/// An answer that says that it is JSON and may be none.
pub(super) fn raw(status: u16, body: &str) -> Reply {
    Reply {
        status,
        body: body.as_bytes().to_vec(),
    }
}

impl Scripted {
    /// Starts it on this runtime. When it has no answer left it breaks connections off.
    pub(super) async fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let replies = Arc::new(Mutex::new(VecDeque::from(replies)));
        let (kept, given) = (Arc::clone(&asked), Arc::clone(&replies));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&kept), Arc::clone(&given)));
            }
        });
        Self {
            base,
            asked,
            replies,
        }
    }

    /// Everything that was asked for, in order.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The lines of it.
    pub(super) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }

    /// Answers that nobody asked for.
    pub(super) fn left(&self) -> usize {
        self.replies.lock().unwrap().len()
    }
}

async fn serve(
    mut stream: TcpStream,
    asked: Arc<Mutex<Vec<Asked>>>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
) {
    let Some(request) = read(&mut stream).await else {
        return;
    };
    asked.lock().unwrap().push(request);
    let Some(reply) = replies.lock().unwrap().pop_front() else {
        return;
    };
    let head = format!(
        "HTTP/1.1 {} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        reply.status,
        reply.body.len()
    );
    let answer = [head.into_bytes(), reply.body].concat();
    stream.write_all(&answer).await.ok();
    stream.shutdown().await.ok();
}

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let (first, rest) = head.split_once("\r\n")?;
    let headers: BTreeMap<String, String> = rest
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers
        .get("content-length")
        .map_or(0, |text| text.parse().unwrap());
    while bytes.len() < end + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(Asked {
        line: first.trim_end_matches(" HTTP/1.1").to_owned(),
        authorization: headers.get("authorization").cloned().unwrap_or_default(),
        body: serde_json::from_slice(&bytes[end..]).unwrap_or_default(),
    })
}

/// Settings with which this machine may be spoken to.
pub(super) fn settings() -> WireSettings {
    // The first test installs it, and the others find it there.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    WireSettings {
        timeout: Duration::from_secs(30),
        allow_private: true,
    }
}

/// What opens the vendor at `base`.
pub(super) fn credential(base: &str, realm: Option<&str>) -> EdrCredential {
    EdrCredential {
        version: 1,
        base_url: base.to_owned(),
        login_url: Some(base.to_owned()),
        client_id: Some("app-1".to_owned()),
        secret: Secret::new(b"s3cr3t-value".to_vec()),
        realm: realm.map(str::to_owned),
    }
}

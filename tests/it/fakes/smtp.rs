//! A mail server that speaks SMTP (RFC 5321) to the letter and keeps what it was given.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

/// The longest line of a mail, in bytes, its end not counted.
const LINE_MAX: usize = 998;

/// What it does, and what it saw.
#[derive(Default)]
pub(crate) struct Seen {
    /// The answer to `RCPT` instead of 250.
    pub(crate) recipient_answer: Option<&'static str>,
    /// Mail is taken from this account alone: the text of `AUTH PLAIN`, as it is decoded.
    pub(crate) account: Option<String>,
    /// All commands, without what follows `AUTH PLAIN`.
    pub(crate) commands: Vec<String>,
    /// Whole mails, with the dots of the transport taken away.
    pub(crate) mails: Vec<String>,
    /// What was wrong.
    pub(crate) faults: Vec<String>,
}

/// The server.
pub(crate) struct FakeSmtp {
    pub(crate) port: u16,
    seen: Arc<Mutex<Seen>>,
}

impl FakeSmtp {
    /// Listens on a free port of this machine until the runtime ends.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let seen = Arc::<Mutex<Seen>>::default();
        let kept = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let kept = Arc::clone(&kept);
                tokio::spawn(async move { talk(stream, &kept).await });
            }
        });
        Self { port, seen }
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("nobody panics with the lock")
    }
}

/// One connection, until either side ends it.
async fn talk(stream: TcpStream, seen: &Mutex<Seen>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 fake ESMTP\r\n").await.ok()?;
    let (mut trusted, mut sender, mut recipients) = (false, false, 0);
    loop {
        let line = line(&mut stream, seen).await?;
        let verb = line.split(' ').next().unwrap_or_default().to_uppercase();
        let answer = {
            let mut seen = seen.lock().expect("nobody panics with the lock");
            let shown = if verb == "AUTH" {
                "AUTH PLAIN"
            } else {
                line.as_str()
            };
            seen.commands.push(shown.to_owned());
            let open = trusted || seen.account.is_none();
            match verb.as_str() {
                "EHLO" => "250-fake\r\n250-8BITMIME\r\n250 AUTH PLAIN",
                "AUTH" => {
                    trusted = line.strip_prefix("AUTH PLAIN ") == seen.account.as_deref();
                    if trusted { "235 ok" } else { "535 no" }
                }
                "MAIL" if open => {
                    sender = true;
                    "250 ok"
                }
                "RCPT" if sender => {
                    recipients += usize::from(seen.recipient_answer.is_none());
                    seen.recipient_answer.unwrap_or("250 ok")
                }
                "DATA" if recipients > 0 => "354 go on",
                "RSET" | "NOOP" => "250 ok",
                "QUIT" => "221 bye",
                _ => {
                    seen.faults.push(line.clone());
                    "503 bad sequence"
                }
            }
        };
        stream
            .write_all(format!("{answer}\r\n").as_bytes())
            .await
            .ok()?;
        match answer {
            "354 go on" => {
                let mail = data(&mut stream, seen).await?;
                seen.lock()
                    .expect("nobody panics with the lock")
                    .mails
                    .push(mail);
                (sender, recipients) = (false, 0);
                stream.write_all(b"250 kept\r\n").await.ok()?;
            }
            "221 bye" => return None,
            _ => {}
        }
    }
}

/// What follows `DATA`, up to the lone dot.
async fn data(stream: &mut BufReader<TcpStream>, seen: &Mutex<Seen>) -> Option<String> {
    let mut mail = String::new();
    loop {
        let line = line(stream, seen).await?;
        if line == "." {
            return Some(mail);
        }
        mail.push_str(line.strip_prefix('.').unwrap_or(&line));
        mail.push_str("\r\n");
    }
}

/// One line without its end, which must be CR LF, and the only one of its kind.
async fn line(stream: &mut BufReader<TcpStream>, seen: &Mutex<Seen>) -> Option<String> {
    let mut bytes = Vec::new();
    (stream.read_until(b'\n', &mut bytes).await.ok()? > 0).then_some(())?;
    let whole = String::from_utf8_lossy(&bytes).into_owned();
    let line = whole.strip_suffix("\r\n").unwrap_or(&whole).to_owned();
    if !whole.ends_with("\r\n") || line.contains(['\r', '\n']) || line.len() > LINE_MAX {
        let fault = format!("a line that is none: {whole:?}");
        seen.lock()
            .expect("nobody panics with the lock")
            .faults
            .push(fault);
    }
    Some(line)
}

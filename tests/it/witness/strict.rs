//! A witness exactly as C2SP `tlog-witness` says, on a real socket: it checks the log's signature, the
//! size that it remembers and the proof that the log only grew, with other people's code, and cosigns
//! nothing else. On demand it is as ill-behaved as a test wants it.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use ed25519_dalek::{Signer as _, SigningKey, Verifier as _, VerifyingKey};
use signed_note::{Note, Signature, StandardVerifier, Verifier, VerifierList};
use tlog_tiles::{Checkpoint, Hash, check_tree};

use crate::server::unix_s;

const NAME: &str = "witness.example/w";

/// How it behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Honest,
    /// Hangs up without an answer.
    Down,
    /// Says yes, with a signature that is not one.
    Forges,
    /// Says yes, and then goes on and on.
    Floods,
    /// Sends elsewhere.
    Redirects,
    /// Never answers.
    Silent,
    /// Names a size that it cannot have seen.
    Boasts,
}

/// What it knows of one log.
#[derive(Clone, Default)]
struct Log {
    vkeys: Vec<String>,
    size: u64,
    root: Option<Hash>,
}

struct State {
    mood: Mood,
    logs: BTreeMap<String, Log>,
    /// How many requests there were, answered or not.
    asked: usize,
    /// The status of each answer in good faith.
    answers: Vec<u16>,
    /// Requests that came back by a redirect.
    followed: usize,
    /// Connections that it never answers.
    held: Vec<TcpStream>,
}

/// The running witness; its port lives as long as the test.
#[derive(Clone)]
pub(crate) struct StrictWitness {
    base: String,
    key: SigningKey,
    state: Arc<Mutex<State>>,
}

impl StrictWitness {
    pub(crate) fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let base = format!("http://{}/w", listener.local_addr().expect("bound"));
        let state = State {
            mood,
            logs: BTreeMap::new(),
            asked: 0,
            answers: Vec::new(),
            followed: 0,
            held: Vec::new(),
        };
        let witness = Self {
            base,
            key: SigningKey::from_bytes(&[9; 32]),
            state: Arc::new(Mutex::new(state)),
        };
        let serving = witness.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = serving.clone();
                thread::spawn(move || serving.serve(stream));
            }
        });
        witness
    }

    /// Its key, as those who verify know it.
    pub(crate) fn vkey(&self) -> String {
        let encoded = [&[4], self.key.verifying_key().as_bytes().as_slice()].concat();
        let id = signed_note::key_id(NAME, &encoded);
        format!("{NAME}+{id:08x}+{}", BASE64.encode(encoded))
    }

    /// What the server is told of it.
    pub(crate) fn setting(&self) -> String {
        format!("{} {}", self.vkey(), self.base)
    }

    /// Tells it of a log's key; the log's name is the key's.
    pub(crate) fn learn(&self, vkey: &str) {
        let origin = vkey.split('+').next().expect("a name").to_owned();
        let mut state = self.state();
        let log = state.logs.entry(origin).or_default();
        log.vkeys.push(vkey.to_owned());
    }

    pub(crate) fn is_now(&self, mood: Mood) {
        let mut state = self.state();
        state.mood = mood;
        state.held.clear();
    }

    /// How much it has seen of a log.
    pub(crate) fn seen(&self, vkey: &str) -> u64 {
        let origin = vkey.split('+').next().expect("a name");
        self.state().logs.get(origin).map_or(0, |log| log.size)
    }

    /// How often it was asked so far, whatever came of it.
    pub(crate) fn asked(&self) -> usize {
        self.state().asked
    }

    /// The statuses of its answers so far.
    pub(crate) fn answers(&self) -> Vec<u16> {
        self.state().answers.clone()
    }

    /// How many requests came by its own redirect.
    pub(crate) fn followed(&self) -> usize {
        self.state().followed
    }

    /// How many connections wait for an answer that never comes.
    pub(crate) fn held(&self) -> usize {
        self.state().held.len()
    }

    /// The unix second of its good word under a note; `None` without one.
    pub(crate) fn word_under(&self, note: &str) -> Option<u64> {
        let known = VerifierList::new(vec![Box::new(Cosigner(self.key.verifying_key()))]);
        let note = Note::from_bytes(note.as_bytes()).expect("a note");
        let (good, _others) = note.verify(&known).ok()?;
        let time = good.first()?.signature().first_chunk::<8>()?;
        Some(u64::from_be_bytes(*time))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with the lock")
    }

    fn serve(&self, stream: TcpStream) {
        let Some((line, body)) = request(&stream) else {
            return;
        };
        let mood = {
            let mut state = self.state();
            state.asked += 1;
            state.mood
        };
        let mut out = &stream;
        match mood {
            Mood::Down => {}
            Mood::Silent => self.state().held.push(stream),
            Mood::Floods => {
                let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n";
                let mut taken = out.write_all(head).is_ok();
                while taken {
                    taken = out.write_all(&[b'\n'; 4096]).is_ok();
                }
            }
            Mood::Redirects => {
                if line.contains("/elsewhere") {
                    self.state().followed += 1;
                }
                let to = format!("location: {}/elsewhere\r\n", self.base);
                answer(&stream, 307, &to, "");
            }
            Mood::Boasts => answer(
                &stream,
                409,
                "content-type: text/x.tlog.size\r\n",
                "999999\n",
            ),
            Mood::Honest | Mood::Forges => {
                let judged = if line == "POST /w/add-checkpoint HTTP/1.1" {
                    self.judge(&body, mood == Mood::Forges)
                } else {
                    Err((405, String::new()))
                };
                let (status, body) = match judged {
                    Ok(line) => (200, line),
                    Err(refused) => refused,
                };
                self.state().answers.push(status);
                let size = "content-type: text/x.tlog.size\r\n";
                answer(
                    &stream,
                    status,
                    if status == 409 { size } else { "" },
                    &body,
                );
            }
        }
    }

    /// The cosignature's line, or the status and body of a refusal.
    fn judge(&self, body: &str, forge: bool) -> Result<String, (u16, String)> {
        let refused = |status: u16| move || (status, String::new());
        let (old, proof, note) = parse(body).ok_or_else(refused(400))?;
        let signed = Note::from_bytes(note.as_bytes()).map_err(|_unfit| refused(400)())?;
        let point = Checkpoint::from_bytes(signed.text()).map_err(|_unfit| refused(400)())?;
        let mut state = self.state();
        let log = state.logs.get_mut(point.origin());
        let log = log.ok_or_else(refused(404))?;
        let verifier = |vkey: &String| -> Box<dyn Verifier> {
            Box::new(StandardVerifier::new(vkey).expect("a key"))
        };
        let known = VerifierList::new(log.vkeys.iter().map(verifier).collect());
        signed.verify(&known).map_err(|_unfit| refused(403)())?;
        if old > point.size() {
            return Err(refused(400)());
        }
        let contradicts = old == point.size() && log.root.is_some_and(|root| root != *point.hash());
        if old != log.size || contradicts {
            return Err((409, format!("{}\n", log.size)));
        }
        let grew = match (old, log.root) {
            (0, _) => proof.is_empty(),
            (_, Some(root)) if old == point.size() => proof.is_empty() && root == *point.hash(),
            (_, Some(root)) => check_tree(&proof, point.size(), *point.hash(), old, root).is_ok(),
            (_, None) => false,
        };
        if !grew {
            return Err(refused(422)());
        }
        if !forge {
            (log.size, log.root) = (point.size(), Some(*point.hash()));
        }
        Ok(self.cosign(signed.text(), forge))
    }

    fn cosign(&self, text: &[u8], forge: bool) -> String {
        let time = unix_s();
        let message = message(time, text);
        let mut signature = self.key.sign(&message).to_bytes();
        signature[0] ^= u8::from(forge);
        let bytes = [time.to_be_bytes().as_slice(), &signature].concat();
        let line = Signature::new(
            NAME.into(),
            Cosigner(self.key.verifying_key()).key_id(),
            bytes,
        );
        String::from_utf8(line.expect("a line").to_bytes()).expect("text")
    }
}

/// C2SP `cosignature/v1`, for the other implementation of notes.
struct Cosigner(VerifyingKey);

impl Verifier for Cosigner {
    fn name(&self) -> &str {
        NAME
    }

    fn key_id(&self) -> u32 {
        signed_note::key_id(NAME, &[&[4], self.0.as_bytes().as_slice()].concat())
    }

    fn verify(&self, text: &[u8], bytes: &[u8]) -> bool {
        let Some((time, signature)) = bytes.split_first_chunk::<8>() else {
            return false;
        };
        let message = message(u64::from_be_bytes(*time), text);
        let signature = ed25519_dalek::Signature::from_slice(signature);
        signature.is_ok_and(|signature| self.0.verify(&message, &signature).is_ok())
    }
}

fn message(time: u64, text: &[u8]) -> Vec<u8> {
    let head = format!("cosignature/v1\ntime {time}\n");
    [head.as_bytes(), text].concat()
}

/// The old size, the proof and the note of a request.
fn parse(body: &str) -> Option<(u64, Vec<Hash>, &str)> {
    let (head, note) = body.split_once("\n\n")?;
    let mut lines = head.split('\n');
    let old = lines.next()?.strip_prefix("old ")?;
    let canonical = old == "0" || !old.starts_with(['0', '+']);
    let hash = |line: &str| Some(Hash(BASE64.decode(line).ok()?.try_into().ok()?));
    let proof: Option<Vec<_>> = lines.map(hash).collect();
    let proof = proof.filter(|proof| proof.len() <= 63)?;
    Some((old.parse().ok().filter(|_| canonical)?, proof, note))
}

/// The first line and the body of a request.
fn request(stream: &TcpStream) -> Option<(String, String)> {
    let mut from = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_owned());
    }
    let length = head.iter().find_map(|line| {
        let line = line.to_ascii_lowercase();
        line.strip_prefix("content-length:")?.trim().parse().ok()
    });
    let mut body = vec![0; length?];
    from.read_exact(&mut body).ok()?;
    Some((head.swap_remove(0), String::from_utf8(body).ok()?))
}

fn answer(mut stream: &TcpStream, status: u16, headers: &str, body: &str) {
    let text = format!(
        "HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).ok();
}

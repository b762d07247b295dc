//! Discord's REST side on a loopback port, as strict as its documentation: it checks who asks and in which
//! form, refuses every message that Discord would refuse, keeps nonces, counts every limit and bans who
//! overruns them. It can be away in three manners. It never sleeps; who waits for it waits for what it did.

use std::{
    collections::HashMap,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::server::{DEADLINE, now};

mod answering;
mod counting;
mod http;

use self::{
    counting::Counting,
    http::{Reply, Request},
};

/// The token that it takes at first.
pub(crate) const TOKEN: &str = "Qm90.t0ken-of.tests-0123456789abcdef";

/// The application that the token belongs to.
pub(crate) const APPLICATION: &str = "198622483471925248";

/// How it counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Requests in one window of one channel's bucket.
    pub(crate) bucket: u32,
    /// The length of a window.
    pub(crate) window: Duration,
    /// Requests of the bot in a second.
    pub(crate) per_s: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            bucket: 5,
            window: Duration::from_millis(400),
            per_s: 50,
        }
    }
}

/// In which manner it is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outage {
    /// It answers 503.
    Unavailable,
    /// It takes a request and breaks the connection.
    Reset,
    /// It takes a request, does it, and breaks the connection before it answers.
    AnswerLost,
    /// It takes a request and says nothing.
    Silent,
}

/// One message in a channel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) channel: String,
    /// What it shows now.
    pub(crate) body: Value,
    /// What it showed before, the first first.
    pub(crate) before: Vec<Value>,
}

/// One request as it came, with the status that it was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Method and path below the base.
    pub(crate) line: String,
    /// 0 where there was no answer.
    pub(crate) status: u16,
}

/// An answer to an interaction, first or later.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answered {
    /// The interaction's token.
    pub(crate) token: String,
    /// `PATCH` of the first answer or `POST` of a further one.
    pub(crate) method: String,
    pub(crate) body: Value,
    /// Name and bytes of the file beside it.
    pub(crate) file: Option<(String, Vec<u8>)>,
}

/// The server. It serves for as long as the process lives.
#[derive(Clone)]
pub(crate) struct Fake {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    rules: Rules,
    counting: Counting,
    token: String,
    outage: Option<Outage>,
    closed: HashMap<String, u64>,
    messages: Vec<Message>,
    nonces: HashMap<String, String>,
    commands: HashMap<String, Value>,
    answers: Vec<Answered>,
    asked: Vec<Asked>,
    next_id: u64,
}

impl Fake {
    pub(crate) fn start() -> Self {
        Self::with(Rules::default())
    }

    pub(crate) fn with(rules: Rules) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let state = State {
            rules,
            counting: Counting::default(),
            token: TOKEN.into(),
            outage: None,
            closed: HashMap::new(),
            messages: Vec::new(),
            nonces: HashMap::new(),
            commands: HashMap::new(),
            answers: Vec::new(),
            asked: Vec::new(),
            next_id: 1_100_000_000_000_000_000,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let fake = Self { address, shared };
        let server = fake.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                thread::spawn(move || http::serve(stream, |request| server.handle(request)));
            }
        });
        fake
    }

    /// For `discord.api_base`.
    pub(crate) fn base(&self) -> String {
        format!("http://{}/api/v10", self.address)
    }

    /// From now on it is away in this manner, or there again.
    pub(crate) fn outage(&self, outage: Option<Outage>) {
        self.state().outage = outage;
        self.shared.changed.notify_all();
    }

    /// The token was reset in the portal: from now on this one is taken and no other.
    pub(crate) fn set_token(&self, token: &str) {
        token.clone_into(&mut self.state().token);
    }

    /// The bot may not write there (50013), does not see it (50001), or it is gone (10003).
    pub(crate) fn close(&self, channel: &str, code: u64) {
        self.state().closed.insert(channel.into(), code);
    }

    /// Somebody deletes a message.
    pub(crate) fn delete(&self, id: &str) {
        self.state().messages.retain(|message| message.id != id);
    }

    /// The messages of a channel, the oldest first.
    pub(crate) fn messages(&self, channel: &str) -> Vec<Message> {
        let state = self.state();
        let here = state
            .messages
            .iter()
            .filter(|message| message.channel == channel);
        here.cloned().collect()
    }

    /// All answers to interactions.
    pub(crate) fn answers(&self) -> Vec<Answered> {
        self.state().answers.clone()
    }

    /// The commands of a server, or with an empty name those that all servers have.
    pub(crate) fn commands(&self, guild: &str) -> Option<Value> {
        self.state().commands.get(guild).cloned()
    }

    /// All requests.
    pub(crate) fn calls(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }

    /// Requests that were answered like this.
    pub(crate) fn answered(&self, status: u16) -> usize {
        let state = self.state();
        state
            .asked
            .iter()
            .filter(|asked| asked.status == status)
            .count()
    }

    /// Waits until this holds of all requests so far.
    pub(crate) fn wait_for(&self, what: &str, holds: impl Fn(&[Asked]) -> bool) {
        let end: Instant = now() + DEADLINE;
        let mut state = self.state();
        while !holds(&state.asked) {
            let left = end.saturating_duration_since(now());
            assert!(!left.is_zero(), "{what}: never, of {:?}", state.asked);
            (state, _) = self.shared.changed.wait_timeout(state, left).unwrap();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }

    /// The answer to a request; `None` breaks the connection.
    fn handle(&self, request: &Request) -> Option<Reply> {
        let mut state = self.state();
        let outage = state.outage;
        let reply = match outage {
            None => Some(state.answer(request)),
            Some(Outage::Unavailable) => Some(Reply::error(503, 0, "upstream")),
            Some(Outage::Reset | Outage::Silent) => None,
            Some(Outage::AnswerLost) => {
                state.answer(request);
                None
            }
        };
        let status = reply.as_ref().map_or(0, |reply| reply.status);
        let line = format!("{} {}", request.method, request.path);
        state.asked.push(Asked { line, status });
        self.shared.changed.notify_all();
        if outage == Some(Outage::Silent) {
            let there = |state: &mut State| state.outage == Some(Outage::Silent);
            drop(self.shared.changed.wait_while(state, there).unwrap());
        }
        reply
    }
}

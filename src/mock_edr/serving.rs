//! Connections: each is read, answered, or ill-treated as scripted.

use std::{
    io,
    net::TcpListener,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    io::BufReader,
    net::TcpStream,
    sync::{oneshot, watch},
    task::JoinSet,
};
use vyrox_domain::vendor::Vendor;

use super::{
    Credentials, MockSettings, answering,
    calls::{Call, Calls},
    control,
    fault::{Answer, Fault, Script},
    http::{self, Reply, Request},
    world::World,
};

/// An answer that is held back is given up after so long.
const HANG_MAX: Duration = Duration::from_hours(1);

/// Everything that changes.
#[derive(Debug)]
pub(super) struct State {
    pub(super) world: World,
    pub(super) script: Script,
    pub(super) calls: Calls,
}

/// What the connections and whoever steers the stand-ins have in common.
#[derive(Debug)]
pub(super) struct Desk {
    state: Mutex<State>,
    called: Condvar,
    credentials: Credentials,
    /// Counts how often everything that hangs was let go.
    let_go: watch::Sender<u64>,
}

/// How an answer is to be delivered.
struct Delivery {
    reply: Reply,
    fault: Option<Fault>,
}

impl Desk {
    pub(super) fn new(settings: MockSettings, credentials: Credentials) -> Self {
        let state = State {
            world: World::new(
                settings.any_host,
                settings.settle_after,
                settings.token_ttl_s,
            ),
            script: Script::default(),
            calls: Calls::default(),
        };
        Self {
            state: Mutex::new(state),
            called: Condvar::new(),
            credentials,
            let_go: watch::Sender::new(0),
        }
    }

    pub(super) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Looks at the state or changes it.
    pub(super) fn with<T>(&self, does: impl FnOnce(&mut State) -> T) -> T {
        does(&mut self.lock())
    }

    /// A test that panicked while it held the state has not left it half changed in any way that matters.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn let_go(&self) {
        self.let_go
            .send_modify(|times| *times = times.wrapping_add(1));
    }

    pub(super) fn wait_until(&self, at_most: Duration, so: impl Fn(&[Call]) -> bool) -> bool {
        let not_yet = |state: &mut State| {
            let calls: Vec<_> = state.calls.iter().cloned().collect();
            !so(&calls)
        };
        let waited = self
            .called
            .wait_timeout_while(self.lock(), at_most, not_yet)
            .unwrap_or_else(PoisonError::into_inner);
        !waited.1.timed_out()
    }

    /// The answer to a request, whose effect is there when this returns.
    fn answer(&self, mut request: Request) -> Delivery {
        let first = request.path.first().map(String::as_str);
        if matches!(first, Some("_mock" | "") | None) {
            return Delivery {
                reply: control::answer(self, &request),
                fault: None,
            };
        }
        match answering::addressed(&mut request) {
            Some(addressed) => self.answer_as(addressed, &request),
            None => Delivery {
                reply: Reply::text(404, "nobody answers here; see GET /\n"),
                fault: None,
            },
        }
    }

    fn answer_as(&self, addressed: (Vendor, bool), request: &Request) -> Delivery {
        let mut state = self.lock();
        let tried = answering::tried(&state.world, &self.credentials, addressed, request);
        let fault = state.script.take(addressed.0, tried.route);
        let call = answering::call(addressed.0, request, &tried, fault.as_ref());
        state.calls.add(call);
        let usual = tried.answered.reply;
        if fault.as_ref().is_none_or(|fault| fault.applies) {
            state.world = tried.after;
        }
        let reply = match &fault {
            Some(fault) => fault.reply(usual),
            None => usual,
        };
        drop(state);
        self.called.notify_all();
        Delivery { reply, fault }
    }
}

/// Takes connections until `stopped`, and drops those that are open then.
pub(super) async fn serve(
    listener: TcpListener,
    desk: Arc<Desk>,
    mut stopped: oneshot::Receiver<()>,
) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    open.spawn(converse(BufReader::new(stream), Arc::clone(&desk)));
                }
            }
            Some(_) = open.join_next() => {}
        }
    }
}

/// One connection to its end. Its errors are the client's to notice.
async fn converse(mut stream: BufReader<TcpStream>, desk: Arc<Desk>) {
    // No answer waits for the one after it.
    stream.get_ref().set_nodelay(true).ok();
    while let Ok(Some(request)) = http::read(&mut stream).await {
        let let_go = desk.let_go.subscribe();
        let delivery = desk.answer(request);
        match deliver(stream, delivery, let_go).await {
            Ok(Some(again)) => stream = again,
            Ok(None) | Err(_) => return,
        }
    }
}

/// Delivers an answer; gives the connection back where it can go on.
async fn deliver(
    mut stream: BufReader<TcpStream>,
    delivery: Delivery,
    mut let_go: watch::Receiver<u64>,
) -> io::Result<Option<BufReader<TcpStream>>> {
    let Delivery { reply, fault } = delivery;
    let Some(fault) = fault else {
        http::write(&mut stream, &reply).await?;
        return Ok(Some(stream));
    };
    if !fault.delay.is_zero() {
        tokio::time::sleep(fault.delay).await;
    }
    match fault.answer {
        Answer::Reset => http::reset(stream)?,
        Answer::BrokenOff => http::write_half(stream, &reply).await?,
        Answer::Huge(announced) => http::write_huge(stream, &reply, announced).await?,
        Answer::Hang => {
            tokio::select! {
                _ = let_go.changed() => {
                    http::write(&mut stream, &reply).await?;
                    return Ok(Some(stream));
                }
                () = http::hung_up(&mut stream, HANG_MAX) => {}
            }
        }
        Answer::Usual
        | Answer::Status(_)
        | Answer::TooMany(_)
        | Answer::Canned(_)
        | Answer::ErrorsInside
        | Answer::Garbled
        | Answer::WrongType
        | Answer::Redirect(_) => {
            http::write(&mut stream, &reply).await?;
            return Ok(Some(stream));
        }
    }
    Ok(None)
}

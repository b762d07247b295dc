//! What goes wrong on purpose: which request, how often, what is answered, and whether the request takes
//! effect all the same. These are two questions, for a lost answer says nothing about what was done.

use std::{collections::VecDeque, fmt, str::FromStr, time::Duration};

use serde_json::{Value, json};
use vyrox_domain::vendor::Vendor;

use super::{http::Reply, route::Route, shape};
use crate::clock;

/// One thing to go wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Whose API.
    pub vendor: Vendor,
    /// At which request; any of them if left out.
    pub route: Option<Route>,
    /// How often; `None` for always.
    pub times: Option<u32>,
    /// Whether the request takes effect nevertheless.
    pub applies: bool,
    /// How long the answer is held back.
    pub delay: Duration,
    /// What is answered.
    pub answer: Answer,
}

/// An answer, or what comes in its place.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// What would have been answered anyway; with a delay it is slow.
    Usual,
    /// This status, with a body as the vendor words errors.
    Status(u16),
    /// 429, and when to come again in one of the forms that are in use.
    TooMany(ComeAgain),
    /// Exactly this.
    Canned(Reply),
    /// The usual status, and a body that holds errors as the vendor words them.
    ErrorsInside,
    /// No answer until the other side gives up, or [`super::MockEdr::let_go`].
    Hang,
    /// The connection is reset.
    Reset,
    /// Half of the usual body, then the connection ends.
    BrokenOff,
    /// A body of a gibibyte; whether its length is announced.
    Huge(bool),
    /// The usual body, cut in half, of the right length.
    Garbled,
    /// The usual status, and a page in HTML.
    WrongType,
    /// 307 to there.
    Redirect(String),
}

/// How a vendor says when to come again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ComeAgain {
    /// It does not.
    Unsaid,
    /// `Retry-After`, in seconds.
    Seconds(u64),
    /// `Retry-After`, as an HTTP date so many seconds from now.
    Date(u64),
    /// `X-RateLimit-RetryAfter`, the Unix second so many from now.
    Epoch(u64),
}

impl Fault {
    /// The next request of that kind gets that answer and takes no effect.
    pub fn once(vendor: Vendor, route: Route, answer: Answer) -> Self {
        Self {
            vendor,
            route: Some(route),
            times: Some(1),
            applies: false,
            delay: Duration::ZERO,
            answer,
        }
    }

    /// The same so often.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// The same for good.
    #[must_use]
    pub fn always(mut self) -> Self {
        self.times = None;
        self
    }

    /// The request takes effect nevertheless.
    #[must_use]
    pub fn applied(mut self) -> Self {
        self.applies = true;
        self
    }

    /// The answer is held back so long.
    #[must_use]
    pub fn delayed(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// The answer that comes in the place of `usual`, where one comes at all.
    pub(super) fn reply(&self, usual: Reply) -> Reply {
        match &self.answer {
            Answer::Status(status) => shape::error(self.vendor, *status, "Mock", "as scripted"),
            Answer::TooMany(when) => too_many(self.vendor, when),
            Answer::Canned(reply) => reply.clone(),
            Answer::ErrorsInside => Reply {
                body: shape::error(self.vendor, 400, "Mock", "as scripted").body,
                ..usual
            },
            Answer::Garbled => {
                let half = usual.body.len() / 2;
                let body = usual.body.into_iter().take(half).collect();
                Reply { body, ..usual }
            }
            Answer::WrongType => Reply {
                content_type: "text/html".to_owned(),
                body: b"<html><body>Sign in to continue</body></html>".to_vec(),
                ..usual
            },
            Answer::Redirect(to) => Reply::text(307, "").header("location", to),
            Answer::Usual | Answer::Hang | Answer::Reset | Answer::BrokenOff | Answer::Huge(_) => {
                usual
            }
        }
    }
}

fn too_many(vendor: Vendor, when: &ComeAgain) -> Reply {
    let reply = shape::error(vendor, 429, "TooManyRequests", "API rate limit exceeded.");
    let now_s = clock::now().s();
    match when {
        ComeAgain::Unsaid => reply,
        ComeAgain::Seconds(seconds) => reply.header("retry-after", seconds.to_string()),
        ComeAgain::Date(seconds) => {
            reply.header("retry-after", http_date(now_s.saturating_add(*seconds)))
        }
        ComeAgain::Epoch(seconds) => reply.header(
            "x-ratelimit-retryafter",
            now_s.saturating_add(*seconds).to_string(),
        ),
    }
}

fn http_date(epoch_s: u64) -> String {
    let second = i64::try_from(epoch_s).unwrap_or(i64::MAX);
    let moment = jiff::Timestamp::from_second(second).unwrap_or(jiff::Timestamp::MAX);
    moment.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The faults that wait for their requests, the oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Script {
    faults: VecDeque<Fault>,
}

impl Script {
    pub(super) fn add(&mut self, fault: Fault) {
        self.faults.push_back(fault);
    }

    pub(super) fn clear(&mut self) {
        self.faults.clear();
    }

    /// The fault for this request, used up by it.
    pub(super) fn take(&mut self, vendor: Vendor, route: Option<Route>) -> Option<Fault> {
        let fits = |fault: &Fault| {
            fault.vendor == vendor && (fault.route.is_none() || fault.route == route)
        };
        let at = self.faults.iter().position(fits)?;
        let fault = self.faults.get_mut(at)?;
        let found = fault.clone();
        fault.times = fault.times.map(|times| times.saturating_sub(1));
        if fault.times == Some(0) {
            self.faults.remove(at);
        }
        Some(found)
    }

    pub(super) fn to_json(&self) -> Value {
        let told = |fault: &Fault| json!(fault.to_string());
        self.faults.iter().map(told).collect()
    }
}

/// The text is no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a fault is VENDOR:REQUEST:ANSWER[:applied][:slow=SECONDS][:times=N|always]; {0}. Answers: usual, a status, \
     429=seconds/N, 429=date/N, 429=epoch/N, errors_inside, hang, reset, broken_off, huge, huge_announced, \
     garbled, wrong_type, redirect=URL"
)]
pub struct NoFault(String);

impl FromStr for Fault {
    type Err = NoFault;

    /// Reads `crowdstrike:contain:503:applied:times=2`. A URL to redirect to may hold colons.
    fn from_str(text: &str) -> Result<Self, NoFault> {
        let why = |why: &str| NoFault(why.to_owned());
        let (vendor, rest) = text.split_once(':').ok_or_else(|| why("no vendor"))?;
        let (route, rest) = rest.split_once(':').ok_or_else(|| why("no request"))?;
        let mut fault = Self {
            vendor: vendor.parse().map_err(|_error| why("unknown vendor"))?,
            route: match route {
                "any" => None,
                name => Some(name.parse().map_err(NoFault)?),
            },
            times: Some(1),
            applies: false,
            delay: Duration::ZERO,
            answer: Answer::Usual,
        };
        if let Some(to) = rest.strip_prefix("redirect=") {
            fault.answer = Answer::Redirect(to.to_owned());
            return Ok(fault);
        }
        let mut words = rest.split(':');
        let answer = words.next().unwrap_or_default();
        fault.answer = answer_of(answer).ok_or_else(|| why("unknown answer"))?;
        fault.applies = fault.answer == Answer::Usual;
        for word in words {
            match word.split_once('=').unwrap_or((word, "")) {
                ("applied", "") => fault.applies = true,
                ("always", "") => fault.times = None,
                ("times", n) => fault.times = Some(n.parse().map_err(|_error| why("how often?"))?),
                ("slow", s) => {
                    let seconds: u32 = s.parse().map_err(|_error| why("how slow?"))?;
                    fault.delay = Duration::from_secs(seconds.into());
                }
                _ => return Err(why("an unknown word at its end")),
            }
        }
        Ok(fault)
    }
}

fn answer_of(text: &str) -> Option<Answer> {
    if let Some(when) = text.strip_prefix("429=") {
        let (form, seconds) = when.split_once('/')?;
        let seconds = seconds.parse().ok()?;
        return Some(Answer::TooMany(match form {
            "seconds" => ComeAgain::Seconds(seconds),
            "date" => ComeAgain::Date(seconds),
            "epoch" => ComeAgain::Epoch(seconds),
            _ => return None,
        }));
    }
    Some(match text {
        "usual" => Answer::Usual,
        "errors_inside" => Answer::ErrorsInside,
        "hang" => Answer::Hang,
        "reset" => Answer::Reset,
        "broken_off" => Answer::BrokenOff,
        "huge" => Answer::Huge(false),
        "huge_announced" => Answer::Huge(true),
        "garbled" => Answer::Garbled,
        "wrong_type" => Answer::WrongType,
        "429" => Answer::TooMany(ComeAgain::Unsaid),
        status => Answer::Status(status.parse().ok().filter(|s| (200..600).contains(s))?),
    })
}

impl fmt::Display for Fault {
    /// As [`Fault::from_str`] reads it, but for canned answers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.vendor)?;
        write!(f, "{}:", self.route.map_or("any", Route::as_str))?;
        match &self.answer {
            Answer::Usual => f.write_str("usual"),
            Answer::Status(status) => write!(f, "{status}"),
            Answer::TooMany(ComeAgain::Unsaid) => f.write_str("429"),
            Answer::TooMany(ComeAgain::Seconds(n)) => write!(f, "429=seconds/{n}"),
            Answer::TooMany(ComeAgain::Date(n)) => write!(f, "429=date/{n}"),
            Answer::TooMany(ComeAgain::Epoch(n)) => write!(f, "429=epoch/{n}"),
            Answer::Canned(reply) => write!(f, "canned {}", reply.status),
            Answer::ErrorsInside => f.write_str("errors_inside"),
            Answer::Hang => f.write_str("hang"),
            Answer::Reset => f.write_str("reset"),
            Answer::BrokenOff => f.write_str("broken_off"),
            Answer::Huge(false) => f.write_str("huge"),
            Answer::Huge(true) => f.write_str("huge_announced"),
            Answer::Garbled => f.write_str("garbled"),
            Answer::WrongType => f.write_str("wrong_type"),
            Answer::Redirect(to) => return write!(f, "redirect={to}"),
        }?;
        if self.applies && self.answer != Answer::Usual {
            f.write_str(":applied")?;
        }
        if !self.delay.is_zero() {
            write!(f, ":slow={}", self.delay.as_secs())?;
        }
        match self.times {
            None => f.write_str(":always"),
            Some(1) => Ok(()),
            Some(times) => write!(f, ":times={times}"),
        }
    }
}

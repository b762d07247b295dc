//! From a request to its answer: which vendor, which route, is it in order, what goes wrong on purpose, and
//! whether it takes effect.

use vyrox_domain::{digest::Digest, vendor::Vendor};

use super::{
    Credentials,
    calls::Call,
    crowdstrike, defender,
    fault::{Answer, Fault},
    http::{Reply, Request},
    route::Route,
    sentinelone,
    shape::{self, Wrong},
    tokens::Known,
    world::World,
};
use crate::clock;

/// Where the login of Defender stands, beside the vendors' own roots.
pub(super) const LOGIN_ROOT: &str = "login";

/// What a vendor answers, and about whom.
#[derive(Clone, Debug)]
pub(super) struct Answered {
    pub(super) reply: Reply,
    pub(super) subject: Option<String>,
}

impl Answered {
    /// An answer about one host or one threat.
    pub(super) fn about(subject: Option<&String>, reply: Reply) -> Self {
        Self {
            reply,
            subject: subject.cloned(),
        }
    }
}

impl From<Reply> for Answered {
    fn from(reply: Reply) -> Self {
        Self::about(None, reply)
    }
}

/// Whose request it is. The vendor's root is taken off its path.
pub(super) fn addressed(request: &mut Request) -> Option<(Vendor, bool)> {
    let root = request.path.first()?.clone();
    request.path.remove(0);
    match root.as_str() {
        LOGIN_ROOT => Some((Vendor::Defender, true)),
        root => {
            let vendor: Vendor = root.parse().ok()?;
            (vendor != Vendor::Generic).then_some((vendor, false))
        }
    }
}

/// One request, tried on a copy of the world.
pub(super) struct Tried {
    pub(super) after: World,
    pub(super) route: Option<Route>,
    pub(super) answered: Answered,
    /// How the request breaks the contract.
    pub(super) violation: Option<String>,
}

/// Tries a request on a copy of the world.
pub(super) fn tried(
    world: &World,
    credentials: &Credentials,
    (vendor, is_login): (Vendor, bool),
    request: &Request,
) -> Tried {
    let mut after = world.clone();
    let route = match vendor {
        _ if is_login => is_login_route(request).then_some(Route::Token),
        Vendor::Crowdstrike => crowdstrike::route(request),
        Vendor::Sentinelone => sentinelone::route(request),
        Vendor::Defender | Vendor::Generic => defender::route(request),
    };
    let known = Known {
        credential: credentials.of(vendor),
        now: clock::now(),
    };
    let done = match route {
        None => {
            let reply = shape::error(vendor, 404, "NotFound", "no such route");
            let what = format!("nothing answers to {} {}", request.method, request.target);
            return Tried {
                after,
                route,
                answered: reply.into(),
                violation: Some(what),
            };
        }
        Some(_) if is_login => defender::login(&mut after, request, &known).map(Answered::from),
        Some(route) => match vendor {
            Vendor::Crowdstrike => crowdstrike::answer(&mut after, route, request, &known),
            Vendor::Sentinelone => sentinelone::answer(&mut after, route, request, &known),
            Vendor::Defender | Vendor::Generic => {
                defender::answer(&mut after, route, request, &known)
            }
        },
    };
    let (answered, violation) = match done {
        Ok(answered) => (answered, None),
        Err(Wrong::Answer(reply)) => (reply.into(), None),
        Err(Wrong::Contract(why)) => {
            let reply = shape::error(vendor, 400, "InvalidRequest", &why);
            (reply.into(), Some(why))
        }
    };
    Tried {
        after,
        route,
        answered,
        violation,
    }
}

fn is_login_route(request: &Request) -> bool {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    request.method == "POST" && matches!(path.as_slice(), [_, "oauth2", "v2.0", "token"])
}

/// The entry of the log about it.
pub(super) fn call(
    vendor: Vendor,
    request: &Request,
    tried: &Tried,
    fault: Option<&Fault>,
) -> Call {
    let usual = tried.answered.reply.clone();
    let (status, applies) = match fault {
        None => (Some(usual.status), true),
        Some(fault) => {
            let silent = matches!(fault.answer, Answer::Hang | Answer::Reset);
            let status = fault.reply(usual).status;
            ((!silent).then_some(status), fault.applies)
        }
    };
    let in_order = (200..300).contains(&tried.answered.reply.status);
    Call {
        at: clock::now(),
        vendor,
        route: tried.route,
        method: request.method.clone(),
        target: request.target.clone(),
        changes: tried.route.is_some_and(Route::changes),
        subject: tried.answered.subject.clone(),
        body: request.body.clone(),
        body_sha256: Digest::of(&request.body).to_hex(),
        applied: applies && in_order,
        status,
        fault: fault.map(ToString::to_string),
        violation: tried.violation.clone(),
    }
}

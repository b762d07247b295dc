//! PagerDuty, Events API v2: one event a page. The same key is the same page, so a repeat wakes nobody.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::BoxFuture};
use reqwest::{Client, StatusCode, Url};
use serde_json::{Value, json};
use vyrox_actors::outbound::{Page, Pager, ReachError};
use vyrox_domain::{
    notice::{Notice, Proposal},
    triage::Verdict,
};

use super::{SetupFault, became::Hand, http};
use crate::config::{PagerdutyConfig, Secret};

/// One attempt.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(10);
/// All attempts together, below the 60 s of the port's contract.
const LIMIT: Duration = Duration::from_secs(55);
/// The first pause; each one after it is twice as long.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(15);

const DEDUP_KEY_MAX: usize = 255;
const SUMMARY_MAX: usize = 1024;
/// The longest text among the details.
const DETAIL_MAX: usize = 256;
/// The most entries of a list among the details.
const LIST_MAX: usize = 20;

/// How a page says what became of an action.
const HAND: Hand = Hand {
    moment: |at| at.to_string(),
    quote: |text| cut(text, DETAIL_MAX),
};

/// The connector.
#[derive(Clone)]
pub struct Pagerduty {
    line: Arc<Line>,
}

struct Line {
    http: Client,
    url: Url,
    routing_key: Secret,
    pause: Duration,
    limit: Duration,
}

impl Pagerduty {
    /// The pager of the configuration; `None` if nobody is to be paged.
    ///
    /// # Errors
    /// The address is no URL, or would be spoken to in the clear.
    pub fn new(config: &PagerdutyConfig) -> Result<Option<Self>, SetupFault> {
        let Some(routing_key) = config.routing_key.clone() else {
            return Ok(None);
        };
        let base = config.base_url.as_deref().unwrap_or_default();
        let fault = |message| SetupFault {
            key: "pagerduty.base_url",
            message,
        };
        let url = Url::parse(&format!("{base}/v2/enqueue"))
            .map_err(|_unfit| fault("expected a URL, like https://events.pagerduty.com"))?;
        let inside = url.scheme() == "http" && http::is_loopback(&url);
        if url.scheme() != "https" && !inside {
            return Err(fault(
                "must begin with https://, for the key travels with it",
            ));
        }
        let http = http::client(&url).map_err(|_unfit| fault("TLS cannot be set up"))?;
        let line = Line {
            http,
            url,
            routing_key,
            pause: PAUSE,
            limit: LIMIT,
        };
        Ok(Some(Self {
            line: Arc::new(line),
        }))
    }

    /// The same with another first pause between attempts, and another limit to all of them.
    #[must_use]
    pub fn timed(&self, pause: Duration, limit: Duration) -> Self {
        let Line {
            http,
            url,
            routing_key,
            ..
        } = self.line.as_ref();
        let line = Line {
            http: http.clone(),
            url: url.clone(),
            routing_key: routing_key.clone(),
            pause,
            limit,
        };
        Self {
            line: Arc::new(line),
        }
    }
}

impl Pager for Pagerduty {
    fn page(&self, page: &Page) -> BoxFuture<'static, Result<(), ReachError>> {
        let line = Arc::clone(&self.line);
        let event = event(page, line.routing_key.expose());
        async move {
            let mut why = "no attempt ended";
            let attempts = line.attempts(&event, &mut why);
            let Ok(result) = tokio::time::timeout(line.limit, attempts).await else {
                return Err(ReachError::Unavailable(why.into()));
            };
            result
        }
        .boxed()
    }
}

/// What came of one attempt.
enum Attempt {
    Taken,
    Refused(StatusCode),
    Again(&'static str),
}

impl Line {
    /// Tries until it is taken or refused; why the last attempt failed is left in `why`.
    async fn attempts(&self, event: &Value, why: &mut &'static str) -> Result<(), ReachError> {
        let mut pause = self.pause;
        loop {
            match self.attempt(event).await {
                Attempt::Taken => return Ok(()),
                Attempt::Refused(status) => {
                    let text = format!("the pager refused the event ({})", status.as_u16());
                    return Err(ReachError::Refused(text));
                }
                Attempt::Again(reason) => *why = reason,
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(PAUSE_MAX);
        }
    }

    async fn attempt(&self, event: &Value) -> Attempt {
        let request = self.http.post(self.url.clone()).json(event);
        match request.timeout(ATTEMPT_LIMIT).send().await {
            Ok(response) => judge(response.status()),
            Err(error) if error.is_timeout() => Attempt::Again("the pager gave no answer in time"),
            Err(error) if error.is_connect() => Attempt::Again("the pager cannot be reached"),
            Err(_) => Attempt::Again("the connection to the pager broke"),
        }
    }
}

fn judge(status: StatusCode) -> Attempt {
    match status {
        StatusCode::ACCEPTED => Attempt::Taken,
        StatusCode::TOO_MANY_REQUESTS => Attempt::Again("the pager is asked too often"),
        StatusCode::REQUEST_TIMEOUT => Attempt::Again("the pager gave no answer in time"),
        status if status.is_server_error() => Attempt::Again("the pager is out of order"),
        status => Attempt::Refused(status),
    }
}

fn event(page: &Page, routing_key: &str) -> Value {
    json!({
        "routing_key": routing_key,
        "event_action": "trigger",
        "dedup_key": cut(&page.dedup_key, DEDUP_KEY_MAX),
        "client": "Vyrox",
        "payload": {
            "summary": cut(&page.summary, SUMMARY_MAX),
            "source": format!("vyrox/{}", page.tenant),
            "severity": severity(page.notice.level),
            "group": page.tenant.as_str(),
            "class": "incident",
            "custom_details": details(&page.notice),
        },
    })
}

const fn severity(level: Verdict) -> &'static str {
    match level {
        Verdict::Critical => "critical",
        Verdict::High => "error",
        Verdict::Medium => "warning",
        Verdict::Low | Verdict::Benign => "info",
    }
}

/// What an incident may say of itself outside of the house: machines, rules, ids and digests.
fn details(notice: &Notice) -> Value {
    json!({
        "incident_id": notice.incident_id.to_string(),
        "level": notice.level.as_str(),
        "title": cut(&notice.title, DETAIL_MAX),
        "vendor": notice.vendor.as_str(),
        "hosts": list(&notice.hosts),
        "host_count": notice.host_count,
        "reasons": list(&notice.reasons),
        "tactics": list(&notice.tactics),
        "techniques": list(&notice.techniques),
        "alerts": notice.alerts,
        "lead_alert_id": notice.lead_alert.to_string(),
        "opened_at": notice.opened_at.to_string(),
        "last_at": notice.last_at.to_string(),
        "proposals": notice.proposals.iter().rev().take(LIST_MAX).map(proposal).collect::<Vec<_>>(),
    })
}

fn proposal(proposal: &Proposal) -> Value {
    json!({
        "alert_id": proposal.alert_id.to_string(),
        "action": proposal.action_type.as_str(),
        "host": proposal.host.as_deref().map(|host| cut(host, DETAIL_MAX)),
        "digest": proposal.digest.to_hex(),
        "expires_at": proposal.expires_at.to_string(),
        "standing": &proposal.standing,
        "became": HAND.became(proposal),
    })
}

fn list(texts: &[String]) -> Vec<String> {
    let few = texts.iter().take(LIST_MAX);
    few.map(|text| cut(text, DETAIL_MAX)).collect()
}

/// At most `max` characters, and no control characters.
fn cut(text: &str, max: usize) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(max).map(plain).collect()
}

#[cfg(test)]
mod tests;

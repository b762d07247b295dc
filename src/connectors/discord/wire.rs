//! One request to Discord and what came of it, as values. Nothing here retries, waits or decides; and no
//! error text holds a URL or a header, because the one may hold an interaction's token and the other holds
//! the bot's.

use std::{error::Error, time::Duration};

use reqwest::{
    Client, Method, Response, StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER},
    redirect::Policy,
};
use serde_json::Value;

use super::limits::{Route, Told, Wait};
use crate::{
    config::{DiscordConfig, Secret},
    connectors::http::is_loopback,
};

/// Discord asks for this form, with a URL and a version.
const USER_AGENT: &str = concat!(
    "DiscordBot (https://vyrox.example.org, ",
    env!("CARGO_PKG_VERSION"),
    ")"
);

/// An answer is read no further.
const ANSWER_MAX_BYTES: usize = 1 << 20;

/// How long to wait where Discord says wait and not how long.
const WAIT_UNSAID: Duration = Duration::from_secs(5);

/// No wait that anybody orders is longer: sums of moments must not overflow.
const WAIT_MAX_S: f64 = 3_600.0;

/// The longest name of a bucket that is believed.
const BUCKET_NAME_MAX: usize = 64;

/// What is sent. Not `Debug`: the path may hold an interaction's token.
pub(super) struct Call {
    pub(super) method: Method,
    /// The path's segments below the base.
    pub(super) path: Vec<String>,
    pub(super) body: Option<Body>,
    /// Shows the bot's token; else what is in the path is proof enough.
    pub(super) as_bot: bool,
    pub(super) route: Route,
    /// To send it twice is the same as once.
    pub(super) repeatable: bool,
}

/// A body with its type.
pub(super) struct Body {
    pub(super) content_type: String,
    pub(super) bytes: Vec<u8>,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Answer {
    /// What it said about limits.
    pub(super) told: Told,
    pub(super) end: End,
}

/// How a request ended.
#[derive(Debug)]
pub(super) enum End {
    /// With success, and this body; `null` for none.
    Taken(Value),
    /// With a refusal: the status, and Discord's own code where it gave one.
    Refused(u16, Option<u64>),
    /// With an order to wait, which [`Told::wait`] has. `ours`: it counts towards a ban.
    Limited { ours: bool },
    /// Without an answer of use. `unsent`: certainly nothing arrived.
    Trouble { cause: String, unsent: bool },
}

/// A connection to Discord.
#[derive(Debug)]
pub(super) struct Wire {
    http: Client,
    base: Url,
}

impl Wire {
    /// # Errors
    /// The base is no URL, or HTTP can't be set up.
    pub(super) fn new(settings: &DiscordConfig) -> anyhow::Result<Self> {
        let base = Url::parse(&settings.api_base)?;
        anyhow::ensure!(
            !base.cannot_be_a_base(),
            "discord.api_base can have no path"
        );
        let mut builder = Client::builder()
            .user_agent(USER_AGENT)
            .redirect(Policy::none());
        // A proxy of the environment must not come between us and our own machine.
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        let http = builder.build()?;
        Ok(Self { http, base })
    }

    /// Sends it once; ends within `time`.
    pub(super) async fn send(&self, call: &Call, token: Option<&Secret>, time: Duration) -> Answer {
        let sent = tokio::time::timeout(time, self.exchange(call, token)).await;
        let exchanged = sent.unwrap_or_else(|_| Err(trouble("no answer in time", false)));
        exchanged.unwrap_or_else(|end| Answer {
            told: Told::default(),
            end,
        })
    }

    async fn exchange(&self, call: &Call, token: Option<&Secret>) -> Result<Answer, End> {
        let mut request = self
            .http
            .request(call.method.clone(), self.url(&call.path)?);
        if let Some(token) = token.filter(|_| call.as_bot) {
            request = request.header(AUTHORIZATION, bot(token)?);
        }
        if let Some(body) = &call.body {
            request = request
                .header(CONTENT_TYPE, &body.content_type)
                .body(body.bytes.clone());
        }
        let response = request.send().await.map_err(|error| lost(&error))?;
        let status = response.status();
        let headers = response.headers().clone();
        let body = whole(response).await?;
        Ok(read(status, &headers, &body))
    }

    fn url(&self, path: &[String]) -> Result<Url, End> {
        let mut url = self.base.clone();
        let mut segments = url
            .path_segments_mut()
            .map_err(|()| trouble("the base can have no path", true))?;
        segments.pop_if_empty().extend(path);
        drop(segments);
        Ok(url)
    }
}

fn bot(token: &Secret) -> Result<HeaderValue, End> {
    let value = HeaderValue::from_str(&format!("Bot {}", token.expose()));
    // A token that is no header value is as good as one that Discord refused.
    let mut value =
        value.map_err(|_invalid| End::Refused(StatusCode::UNAUTHORIZED.as_u16(), None))?;
    value.set_sensitive(true);
    Ok(value)
}

async fn whole(mut response: Response) -> Result<Vec<u8>, End> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| lost(&error))? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_MAX_BYTES {
            return Err(trouble("an answer without end", false));
        }
    }
    Ok(body)
}

/// The innermost cause says the most, and unlike the outer ones never has a URL in it.
fn lost(error: &reqwest::Error) -> End {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let said = if std::ptr::addr_eq(cause, error) {
        "the connection broke".to_owned()
    } else {
        cause.to_string()
    };
    End::Trouble {
        cause: said,
        unsent: error.is_connect(),
    }
}

fn trouble(cause: &str, unsent: bool) -> End {
    End::Trouble {
        cause: cause.to_owned(),
        unsent,
    }
}

fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Answer {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let mut told = Told {
        bucket: bucket_name(headers),
        remaining: text(headers, "x-ratelimit-remaining").and_then(|text| text.parse().ok()),
        reset_after: text(headers, "x-ratelimit-reset-after").and_then(seconds),
        wait: None,
    };
    let end = match status.as_u16() {
        200..=299 => End::Taken(json.unwrap_or_default()),
        429 => {
            told.wait = Some(wait(headers, json.as_ref()));
            let shared = text(headers, "x-ratelimit-scope") == Some("shared");
            End::Limited { ours: !shared }
        }
        400..=499 => {
            let code = json.as_ref().and_then(|json| json.get("code")?.as_u64());
            End::Refused(status.as_u16(), code)
        }
        other => trouble(&format!("status {other}"), false),
    };
    Answer { told, end }
}

/// An answer that is not Discord's JSON comes from what stands before it, and is for all of the bot.
fn wait(headers: &HeaderMap, json: Option<&Value>) -> Wait {
    let said = json.and_then(|json| json.get("retry_after")?.as_f64());
    let said = said.and_then(span);
    let header = || text(headers, RETRY_AFTER.as_str()).and_then(seconds);
    let flagged = json.and_then(|json| json.get("global")?.as_bool());
    let scope = text(headers, "x-ratelimit-scope") == Some("global");
    let named = headers.contains_key("x-ratelimit-global");
    Wait {
        time: said.or_else(header).unwrap_or(WAIT_UNSAID),
        global: flagged.unwrap_or_else(|| json.is_none()) || scope || named,
    }
}

fn bucket_name(headers: &HeaderMap) -> Option<String> {
    let name = text(headers, "x-ratelimit-bucket")?;
    (1..=BUCKET_NAME_MAX)
        .contains(&name.len())
        .then(|| name.to_owned())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn seconds(text: &str) -> Option<Duration> {
    span(text.trim().parse().ok()?)
}

/// `None` for what is no length of time.
fn span(seconds: f64) -> Option<Duration> {
    if seconds.is_nan() {
        return None;
    }
    Duration::try_from_secs_f64(seconds.min(WAIT_MAX_S)).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Answer {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect();
        read(
            StatusCode::from_u16(status).unwrap(),
            &headers,
            body.as_bytes(),
        )
    }

    #[test]
    fn limits_are_read_off_headers_and_body() {
        let told = answer(
            200,
            &[
                ("x-ratelimit-bucket", "abcd"),
                ("x-ratelimit-remaining", "3"),
                ("x-ratelimit-reset-after", "1.25"),
            ],
            "{}",
        )
        .told;
        assert_eq!(told.bucket.as_deref(), Some("abcd"));
        assert_eq!(told.remaining, Some(3));
        assert_eq!(told.reset_after, Some(Duration::from_millis(1250)));
    }

    /// Headers, body, milliseconds to wait, for all of the bot, counts towards a ban.
    type Case = (
        &'static [(&'static str, &'static str)],
        &'static str,
        u64,
        bool,
        bool,
    );

    #[test]
    fn an_order_to_wait_is_read_off_body_or_headers() {
        let cases: [Case; 7] = [
            (
                &[],
                r#"{"retry_after":1e300,"global":false}"#,
                3_600_000,
                false,
                true,
            ),
            (
                &[],
                r#"{"retry_after":0.5,"global":false}"#,
                500,
                false,
                true,
            ),
            (&[], r#"{"retry_after":2,"global":true}"#, 2000, true, true),
            (
                &[("x-ratelimit-scope", "shared")],
                r#"{"retry_after":1.5,"global":false}"#,
                1500,
                false,
                false,
            ),
            (
                &[("retry-after", "7")],
                "<html>banned</html>",
                7000,
                true,
                true,
            ),
            (
                &[("x-ratelimit-global", "true")],
                r#"{"retry_after":1}"#,
                1000,
                true,
                true,
            ),
            (
                &[],
                r#"{"retry_after":-1e300,"global":false}"#,
                5000,
                false,
                true,
            ),
        ];
        for (headers, body, wait_ms, global, ours) in cases {
            let answer = answer(429, headers, body);
            let time = Duration::from_millis(wait_ms);
            assert_eq!(answer.told.wait, Some(Wait { time, global }), "{body}");
            assert!(
                matches!(answer.end, End::Limited { ours: said } if said == ours),
                "{body}"
            );
        }
    }

    #[test]
    fn refusals_and_troubles_are_told_apart() {
        let code = r#"{"code":50001,"message":"Missing Access"}"#;
        assert!(matches!(
            answer(403, &[], code).end,
            End::Refused(403, Some(50001))
        ));
        assert!(matches!(
            answer(401, &[], "nonsense").end,
            End::Refused(401, None)
        ));
        for status in [302, 500, 503] {
            let end = answer(status, &[], "").end;
            assert!(matches!(end, End::Trouble { unsent: false, .. }), "{end:?}");
        }
        assert!(matches!(answer(204, &[], "").end, End::Taken(Value::Null)));
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(status in 100_u16..1000, value in "[ -~]{0,30}", body in ".{0,60}") {
            let mut headers = HeaderMap::new();
            for name in ["x-ratelimit-remaining", "x-ratelimit-reset-after", "retry-after", "x-ratelimit-bucket"] {
                headers.insert(name, HeaderValue::from_str(&value).unwrap());
            }
            let answer = read(StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes());
            prop_assert_eq!(matches!(answer.end, End::Taken(_)), (200..300).contains(&status));
        }
    }
}

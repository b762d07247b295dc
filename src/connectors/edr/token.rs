//! Tokens of OAuth client credentials: fetched by one at a time, kept until shortly before their end.

use std::time::Duration;

use reqwest::header::HeaderValue;
use serde::Deserialize;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout_at},
};
use vyrox_actors::edr::EdrError;
use vyrox_domain::webhook::Secret;
use zeroize::Zeroizing;

use super::{
    call::{Answer, Call},
    never, not_now,
    wire::Wire,
};

/// A token is not used in its last minute.
const MARGIN: Duration = Duration::from_mins(1);
/// How long a token holds that does not say so.
const LIFE_UNSAID_S: u64 = 300;
/// No token is kept longer, whatever it says.
const LIFE_MAX_S: u64 = 86_400;

/// Where tokens come from.
pub(crate) struct TokenSource {
    /// The way to the host that gives them.
    pub(crate) wire: Wire,
    /// The path there.
    pub(crate) path: Vec<String>,
    /// The form's members beside the secret.
    pub(crate) form: Vec<(&'static str, String)>,
    /// The member `client_secret`.
    pub(crate) secret: Secret,
}

/// The token in force.
pub(super) struct TokenCache {
    source: TokenSource,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    header: HeaderValue,
    until: Instant,
    /// Which fetch it came of, so that a refusal of an earlier one does not drop it.
    number: u64,
}

/// A token to show, and which one it is.
pub(super) struct Shown {
    pub(super) header: HeaderValue,
    number: u64,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: Option<u64>,
}

impl TokenCache {
    pub(super) fn new(source: TokenSource) -> Self {
        Self {
            source,
            kept: Mutex::new(None),
        }
    }

    /// The token in force, fetched if need be; whoever comes meanwhile waits for the same.
    ///
    /// # Errors
    /// It could not be had; nothing else was sent.
    pub(super) async fn token(&self, until: Instant) -> Result<Shown, EdrError> {
        let kept = timeout_at(until, self.kept.lock()).await;
        let mut kept = kept.map_err(|_elapsed| not_now("no token in time"))?;
        let now = Instant::now();
        if let Some(one) = kept.as_ref().filter(|one| now < one.until) {
            return Ok(one.shown());
        }
        let number = kept.as_ref().map_or(0, |one| one.number.wrapping_add(1));
        let fresh = self.fetch(number, now, until).await?;
        let shown = fresh.shown();
        *kept = Some(fresh);
        Ok(shown)
    }

    /// That token was refused: the next one who asks fetches another.
    pub(super) async fn drop_token(&self, refused: &Shown) {
        let mut kept = self.kept.lock().await;
        if let Some(one) = kept.as_mut().filter(|one| one.number == refused.number) {
            one.until = Instant::now();
        }
    }

    async fn fetch(&self, number: u64, now: Instant, until: Instant) -> Result<Kept, EdrError> {
        let source = &self.source;
        let mut call = Call::post("").form(source.form());
        call.path.clone_from(&source.path);
        let answer = source.wire.send(&call, None, until).await?;
        let granted = granted(&answer)?;
        let text = Zeroizing::new(format!("Bearer {}", granted.as_str()));
        let header = HeaderValue::from_str(&text);
        let mut header = header.map_err(|_unfit| never("the token is no token"))?;
        header.set_sensitive(true);
        let life = granted.life.saturating_sub(MARGIN);
        Ok(Kept {
            header,
            until: now.checked_add(life).unwrap_or(now),
            number,
        })
    }
}

impl Kept {
    fn shown(&self) -> Shown {
        Shown {
            header: self.header.clone(),
            number: self.number,
        }
    }
}

impl TokenSource {
    fn form(&self) -> Zeroizing<String> {
        let secret = Zeroizing::new(String::from_utf8_lossy(self.secret.expose()).into_owned());
        let mut form = Zeroizing::new(String::with_capacity(4 * secret.len() + 512));
        let members = self
            .form
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        for (name, value) in members.chain([("client_secret", secret.as_str())]) {
            if !form.is_empty() {
                form.push('&');
            }
            form.push_str(name);
            form.push('=');
            encode(value, &mut form);
        }
        form
    }
}

/// As `application/x-www-form-urlencoded` has it; whatever is not plain is written in hex.
fn encode(text: &str, form: &mut String) {
    const HEX: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'*') {
            form.push(char::from(byte));
        } else {
            let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or('0');
            form.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

/// A token and its life.
struct Grant {
    token: Zeroizing<String>,
    life: Duration,
}

impl Grant {
    fn as_str(&self) -> &str {
        &self.token
    }
}

fn granted(answer: &Answer) -> Result<Grant, EdrError> {
    if !answer.is_success() {
        return Err(EdrError::NotAuthorised {
            status: answer.status,
        });
    }
    let granted: Granted = answer.json()?;
    let life = granted.expires_in.unwrap_or(LIFE_UNSAID_S).min(LIFE_MAX_S);
    Ok(Grant {
        token: Zeroizing::new(granted.access_token),
        life: Duration::from_secs(life),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_holds_what_was_put_in_and_nothing_else() {
        let mut form = String::new();
        encode("a b&c=d%\u{e4}+~Z9-._*", &mut form);
        assert_eq!(form, "a%20b%26c%3Dd%25%C3%A4%2B%7EZ9-._*");
    }
}

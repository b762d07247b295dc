//! Mail over SMTP: one plain text a mail, with nothing in it to click. A decision is taken on the command
//! line; the mail says with which command.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_util::{FutureExt as _, future::BoxFuture};
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    address::Envelope,
    message::{
        Mailbox,
        header::{ContentType, MIME_VERSION_1_0},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
        extension::ClientId,
    },
};
use vyrox_actors::outbound::{Mail, Mailer, ReachError};
use vyrox_domain::{digest::Digest, time::Timestamp};

mod text;

use super::{SetupFault, http::is_loopback_host};
use crate::{
    clock,
    config::{EmailConfig, MailTls},
};

/// One exchange with the server, below the 60 s of the port's contract.
const LIMIT: Duration = Duration::from_secs(30);
/// The longest subject, in characters.
const SUBJECT_MAX: usize = 200;
/// Digits of the digest in a `Message-ID`.
const ID_DIGITS: usize = 32;

type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// The connector.
#[derive(Clone)]
pub struct Email {
    transport: Transport,
    envelope: Arc<Envelope>,
    from: Mailbox,
    to: Arc<[Mailbox]>,
}

impl Email {
    /// The mail service of the configuration; `None` if no mail is to be sent.
    ///
    /// # Errors
    /// A setting is missing, or a password or a mail would travel in the clear.
    pub fn new(config: &EmailConfig) -> Result<Option<Self>, SetupFault> {
        let Some(host) = config.host.as_deref() else {
            return Ok(None);
        };
        let from = addresses("email.from", config.from.as_deref())?;
        let to = addresses("email.to", config.to.as_deref())?;
        let [from] = from.as_slice() else {
            return Err(fault("email.from", "expected one address"));
        };
        let envelope = Envelope::new(Some(from.clone()), to.clone())
            .map_err(|_unfit| fault("email.to", "expected at least one address"))?;
        Ok(Some(Self {
            transport: transport(host, config)?,
            envelope: Arc::new(envelope),
            from: Mailbox::new(Some("Vyrox".into()), from.clone()),
            to: to.into_iter().map(|to| Mailbox::new(None, to)).collect(),
        }))
    }

    fn message(&self, mail: &Mail, now: Timestamp) -> Result<Message, lettre::error::Error> {
        let domain = self.from.email.domain();
        let thread = mail.thread_key.split('/').next().unwrap_or_default();
        let mut message = Message::builder()
            .from(self.from.clone())
            .date(SystemTime::UNIX_EPOCH + Duration::from_millis(now.ms()))
            .message_id(Some(message_id(&mail.thread_key, domain)))
            .references(message_id(thread, domain))
            .subject(one_line(&mail.subject, SUBJECT_MAX))
            .header(MIME_VERSION_1_0)
            .header(ContentType::TEXT_PLAIN);
        for to in self.to.iter() {
            message = message.to(to.clone());
        }
        message.body(text::body(mail))
    }
}

impl Mailer for Email {
    fn mail(&self, mail: &Mail) -> BoxFuture<'static, Result<(), ReachError>> {
        let message = self.message(mail, clock::now());
        let (transport, envelope) = (self.transport.clone(), Arc::clone(&self.envelope));
        async move {
            let message = message
                .map_err(|_unfit| ReachError::Refused("the mail cannot be written".into()))?;
            let bytes = message.formatted();
            let sent = transport.send_raw(&envelope, &bytes);
            match tokio::time::timeout(LIMIT, sent).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(judge(&error)),
                Err(_) => Err(ReachError::Unavailable(
                    "the mail server gave no answer in time".into(),
                )),
            }
        }
        .boxed()
    }
}

/// In our words: what a server says may be anything, and may repeat what it was told.
fn judge(error: &lettre::transport::smtp::Error) -> ReachError {
    let status = error.status();
    let said = |what: &str| match status {
        Some(code) => format!("{what} ({code})"),
        None => what.to_owned(),
    };
    if error.is_permanent() {
        return ReachError::Refused(said("the mail server refused the mail"));
    }
    ReachError::Unavailable(if error.is_transient() {
        said("the mail server put the mail off")
    } else if error.is_tls() {
        "the connection to the mail server could not be made private".into()
    } else if error.is_timeout() {
        "the mail server gave no answer in time".into()
    } else {
        "the mail server cannot be reached or broke off".into()
    })
}

fn transport(host: &str, config: &EmailConfig) -> Result<Transport, SetupFault> {
    let private = || {
        TlsParameters::new(host.to_owned())
            .map_err(|_unfit| fault("email.host", "is no name that TLS can be made with"))
    };
    let tls = match config.tls {
        MailTls::Starttls => Tls::Required(private()?),
        MailTls::Tls => Tls::Wrapper(private()?),
        MailTls::None if is_loopback_host(host) => Tls::None,
        MailTls::None => {
            let message = "may be none only for a server on this machine";
            return Err(fault("email.tls", message));
        }
    };
    let builder = Transport::builder_dangerous(host)
        .port(config.port)
        .tls(tls)
        .timeout(Some(LIMIT))
        .hello_name(ClientId::Domain("localhost".into()));
    match (&config.username, &config.password) {
        (Some(username), Some(password)) => {
            let password = password.expose().to_owned();
            let credentials = Credentials::new(username.clone(), password);
            Ok(builder.credentials(credentials).build())
        }
        (None, None) => Ok(builder.build()),
        (Some(_), None) => Err(fault("email.password", "is missing beside email.username")),
        (None, Some(_)) => Err(fault("email.username", "is missing beside email.password")),
    }
}

fn addresses(key: &'static str, text: Option<&str>) -> Result<Vec<Address>, SetupFault> {
    let text = text.ok_or_else(|| fault(key, "is missing beside email.host"))?;
    let addresses: Result<Vec<Address>, _> =
        text.split(',').map(|one| one.trim().parse()).collect();
    addresses.map_err(|_unfit| fault(key, "expected mail addresses, with commas between"))
}

const fn fault(key: &'static str, message: &'static str) -> SetupFault {
    SetupFault { key, message }
}

/// The same for the same key, so that a mail that comes twice is known as one.
fn message_id(key: &str, domain: &str) -> String {
    let hex = Digest::of(key.as_bytes()).to_hex();
    let digits: String = hex.chars().take(ID_DIGITS).collect();
    format!("<{digits}@{domain}>")
}

/// At most `max` characters on one line: no line break, nor anything else that a terminal obeys.
fn one_line(text: &str, max: usize) -> String {
    let plain = |c: char| if c.is_control() || is_bidi(c) { ' ' } else { c };
    text.chars().take(max).map(plain).collect()
}

/// Characters that turn the direction of what follows, so that it reads as something else; and the
/// separators that some programs take for line breaks.
const fn is_bidi(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests;

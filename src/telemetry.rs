//! Logging: to stderr, as text or JSON, filtered by directives that can be changed while it runs.
//!
//! What never gets into a log line, whoever writes it:
//! * secrets: they travel in types whose `Debug` and `Display` print `***`;
//! * bodies, headers and command lines of alerts: a line names the tenant, the alert's id and a code;
//! * text from outside, unless as a field (`field = value`, `?value`): the formatters escape control
//!   characters in fields, so that a sender can't forge lines or steer a terminal.

use std::io::{self, IsTerminal};

use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::ParseError,
    fmt,
    layer::SubscriberExt,
    registry::LookupSpan,
    reload,
    util::{SubscriberInitExt, TryInitError},
};

use crate::config::{LogConfig, LogFormat};

/// Changes the filter of the running process.
#[derive(Debug, Clone)]
pub struct LogControl(reload::Handle<EnvFilter, Registry>);

/// Logging could not be set up or changed.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The directives can't be read.
    #[error("log.level can't be read: {0}")]
    Level(#[from] ParseError),
    /// Another subscriber was there first.
    #[error("logging is already set up: {0}")]
    Taken(#[from] TryInitError),
    /// The subscriber is gone.
    #[error("logging can't be changed: {0}")]
    Gone(#[from] reload::Error),
}

/// Sets up logging for the whole process. Call it once, early in `main`.
///
/// # Errors
/// The directives are wrong, or logging is set up already.
pub fn init(log: &LogConfig) -> Result<LogControl, LogError> {
    let (filter, handle) = reload::Layer::new(filter(&log.level)?);
    tracing_subscriber::registry()
        .with(filter)
        .with(output(log.format, io::stderr, io::stderr().is_terminal()))
        .try_init()?;
    Ok(LogControl(handle))
}

impl LogControl {
    /// Filters by other directives from now on.
    ///
    /// # Errors
    /// The directives are wrong; the old ones stay.
    pub fn set_level(&self, level: &str) -> Result<(), LogError> {
        self.0.reload(filter(level)?)?;
        Ok(())
    }
}

/// What the web framework says about broken connections is a sender's to choose, line by line: it is
/// silent unless the directives name it.
fn filter(level: &str) -> Result<EnvFilter, ParseError> {
    let filter = EnvFilter::try_new(level)?;
    if level.contains(FRAMEWORK) {
        return Ok(filter);
    }
    Ok(filter.add_directive(format!("{FRAMEWORK}=off").parse()?))
}

const FRAMEWORK: &str = "actix_http";

fn output<S, W>(format: LogFormat, writer: W, colours: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> fmt::MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = fmt::layer().with_writer(writer);
    match format {
        LogFormat::Text => layer.with_ansi(colours).boxed(),
        LogFormat::Json => layer
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .boxed(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::config::Secret;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("a page").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_field_from_outside_forges_no_line_and_a_secret_shows_nothing() {
        let nasty = "a\nERROR forged\r\u{1b}[2J";
        let secret = Secret::new("6b1f0c2d9e8a7745".into());
        for format in [LogFormat::Text, LogFormat::Json] {
            let page = Page::default();
            let written = page.clone();
            let layer = output(format, move || page.clone(), false);
            let subscriber = tracing_subscriber::registry().with(layer);
            tracing::subscriber::with_default(subscriber, || {
                tracing::warn!(host = nasty, list = ?[nasty], ?secret, %secret, "alert");
            });
            let bytes = written.0.lock().expect("a page").clone();
            let text = String::from_utf8(bytes).expect("UTF-8");
            assert_eq!(text.lines().count(), 1, "{text}");
            assert!(
                !text.trim_end_matches('\n').contains(char::is_control),
                "{text:?}"
            );
            assert!(text.contains("forged") && text.contains("***"), "{text}");
            assert!(!text.contains("6b1f0c2d"), "{text}");
        }
    }

    #[test]
    fn strangers_do_not_write_the_log_unless_that_is_asked_for() {
        let lines = |level: &str| {
            let page = Page::default();
            let written = page.clone();
            let subscriber = tracing_subscriber::registry()
                .with(filter(level).expect("good directives"))
                .with(output(LogFormat::Text, move || page.clone(), false));
            tracing::subscriber::with_default(subscriber, || {
                tracing::error!(target: "actix_http::h1::dispatcher", "stream error");
                tracing::error!("ours");
            });
            let bytes = written.0.lock().expect("a page").clone();
            String::from_utf8(bytes).expect("UTF-8").lines().count()
        };
        for level in ["info", "trace", "warn,vyrox=debug"] {
            assert_eq!(lines(level), 1, "{level:?}");
        }
        assert_eq!(lines("info,actix_http=warn"), 2);
    }

    #[test]
    fn set_up_once_and_changed_later() {
        let log = LogConfig {
            level: "warn".into(),
            format: LogFormat::Json,
        };
        let control = init(&log).expect("the first time works");
        assert!(matches!(init(&log), Err(LogError::Taken(_))));
        control
            .set_level("info,vyrox=debug")
            .expect("good directives");
        assert!(matches!(
            control.set_level("a=b=c"),
            Err(LogError::Level(_))
        ));
    }
}

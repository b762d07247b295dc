//! The two formats of a scrape, and who gets which.

use std::fmt;

use actix_web::{
    HttpRequest,
    http::header::{Accept, Header as _, Quality},
};
use prometheus_client::{encoding::text::encode, registry::Registry};

/// A format of a scrape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Prometheus' own, version 0.0.4.
    Text,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

const OPEN_METRICS: &str = "application/openmetrics-text";

/// What plain text may be asked for by, the most exact one first.
const PLAIN: [&str; 3] = ["text/plain", "text/*", "*/*"];

impl Format {
    /// OpenMetrics for whoever names it and likes it no less than plain text; text for all others,
    /// those among them that would take neither.
    pub(super) fn wanted_by(request: &HttpRequest) -> Self {
        let Ok(accept) = Accept::parse(request) else {
            return Self::Text;
        };
        let liking = |wanted: &str| {
            let offers = accept.iter().filter(|offer| {
                let version = offer.item.get_param("version");
                let spoken = version.is_none_or(|version| version == "1.0.0");
                offer.item.essence_str() == wanted && (wanted != OPEN_METRICS || spoken)
            });
            offers.map(|offer| offer.quality).max()
        };
        let open = liking(OPEN_METRICS).unwrap_or(Quality::ZERO);
        let plain = PLAIN.into_iter().find_map(liking);
        if open > Quality::ZERO && open >= plain.unwrap_or(Quality::ZERO) {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }

    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Everything in `registry` as it is now.
    pub(super) fn write(self, registry: &Registry) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, registry)?;
        Ok(match self {
            Self::Text => plain(&text),
            Self::OpenMetrics => text,
        })
    }
}

/// The older format of the same: there a counter's family is called as its samples are, with
/// `_total`, and units and the end mark are unknown.
fn plain(open: &str) -> String {
    let mut text = String::with_capacity(open.len());
    let mut lines = open.lines().peekable();
    while let Some(line) = lines.next() {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        // A family's help stands right before its type.
        let type_line = lines.peek().filter(|_| line.starts_with("# HELP "));
        let counter = counter_in(type_line.unwrap_or(&line));
        match counter.and_then(|name| Some((name, line.split_once(name)?))) {
            Some((name, (before, after))) => text.extend([before, name, "_total", after, "\n"]),
            None => text.extend([line, "\n"]),
        }
    }
    text
}

/// The name in a type line of a counter.
fn counter_in(line: &str) -> Option<&str> {
    line.strip_prefix("# TYPE ")?.strip_suffix(" counter")
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use prometheus_client::{
        metrics::{counter::Counter, family::Family, gauge::Gauge},
        registry::Unit,
    };

    use super::*;

    fn wanted(accept: &[&str]) -> Format {
        let request = accept.iter().fold(TestRequest::get(), |request, value| {
            request.append_header(("accept", *value))
        });
        Format::wanted_by(&request.to_http_request())
    }

    #[test]
    fn open_metrics_is_for_those_who_name_it() {
        for accept in [
            "application/openmetrics-text",
            "application/openmetrics-text; version=1.0.0",
            "APPLICATION/OpenMetrics-Text;version=1.0.0;charset=utf-8",
            "application/openmetrics-text;version=1.0.0,text/plain",
            "text/plain;q=0.5,application/openmetrics-text;version=1.0.0;q=0.5",
            "application/openmetrics-text;q=0.1,text/plain;q=0",
            "application/openmetrics-text;version=1.0.0;q=0.5,\
             application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
             encoding=delimited;q=0.6,\
             application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,*/*;q=0.2",
        ] {
            assert_eq!(wanted(&[accept]), Format::OpenMetrics, "{accept}");
        }
        let apart = ["text/plain;q=0.3", "application/openmetrics-text;q=0.4"];
        assert_eq!(wanted(&apart), Format::OpenMetrics);
    }

    #[test]
    fn everybody_else_gets_text() {
        assert_eq!(wanted(&[]), Format::Text);
        for accept in [
            "*/*",
            "text/plain",
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "application/*",
            "application/json",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;version=0.0.1",
            "application/openmetrics-text;version=2.0.0,*/*;q=0.1",
            "application/openmetrics-text;q=0.2,text/plain;q=0.3",
            "application/openmetrics-text;q=0.2,text/*;q=0.3,*/*;q=0.1",
            "not,,a header;;",
            "",
        ] {
            assert_eq!(wanted(&[accept]), Format::Text, "{accept}");
        }
    }

    #[test]
    fn both_formats_say_the_same_each_in_its_own_way() {
        let mut registry = Registry::with_prefix("v");
        let (sent, waits) = (Counter::<u64>::default(), Gauge::<i64>::default());
        let by_name = Family::<[(&str, &str); 1], Counter>::default();
        registry.register(
            "sent",
            "What v_sent is, and # TYPE v_sent counter",
            sent.clone(),
        );
        registry.register_with_unit("wait", "How long", Unit::Seconds, waits.clone());
        registry.register_with_unit("read", "How much", Unit::Bytes, by_name.clone());
        sent.inc_by(3);
        waits.set(4);
        let told = by_name.get_or_create(&[("name", "# EOF \"\n# UNIT")]);
        told.inc();
        drop(told);
        let open = Format::OpenMetrics.write(&registry).unwrap();
        assert_eq!(
            open,
            "# HELP v_sent What v_sent is, and # TYPE v_sent counter.\n\
             # TYPE v_sent counter\n\
             v_sent_total 3\n\
             # HELP v_wait_seconds How long.\n\
             # TYPE v_wait_seconds gauge\n\
             # UNIT v_wait_seconds seconds\n\
             v_wait_seconds 4\n\
             # HELP v_read_bytes How much.\n\
             # TYPE v_read_bytes counter\n\
             # UNIT v_read_bytes bytes\n\
             v_read_bytes_total{name=\"# EOF \\\"\\n# UNIT\"} 1\n\
             # EOF\n"
        );
        let text = Format::Text.write(&registry).unwrap();
        assert_eq!(
            text,
            "# HELP v_sent_total What v_sent is, and # TYPE v_sent counter.\n\
             # TYPE v_sent_total counter\n\
             v_sent_total 3\n\
             # HELP v_wait_seconds How long.\n\
             # TYPE v_wait_seconds gauge\n\
             v_wait_seconds 4\n\
             # HELP v_read_bytes_total How much.\n\
             # TYPE v_read_bytes_total counter\n\
             v_read_bytes_total{name=\"# EOF \\\"\\n# UNIT\"} 1\n"
        );
    }
}

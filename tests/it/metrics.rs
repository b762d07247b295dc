//! What `/metrics` says can be read in both of its formats, stays true over a tenant's rest, and is
//! what docs/metrics.md describes.

#[cfg(feature = "fault-injection")]
use std::time::Duration;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::read_to_string,
    path::Path,
};

use tempfile::tempdir;

#[cfg(feature = "fault-injection")]
use crate::server::unix_s;
use crate::server::{DEADLINE, NO_RATIONS, Server, Tenant, eventually};

/// A scrape, taken apart by the rules that both formats share. Whatever breaks one ends the test.
struct Scrape {
    families: BTreeMap<String, Family>,
}

#[derive(Default)]
struct Family {
    kind: String,
    unit: Option<String>,
    /// By labels as they stand there.
    samples: BTreeMap<String, f64>,
}

/// The header that each format is asked for with, and the content type of its answer.
const FORMATS: [(&str, &str); 2] = [
    ("text/plain", "text/plain; version=0.0.4; charset=utf-8"),
    (
        "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.3,*/*;q=0.2",
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
    ),
];

impl Scrape {
    fn of(server: &Server, open: bool) -> Self {
        let (accept, kind) = FORMATS[usize::from(open)];
        let reply = server.http().get("/metrics", &[("accept", accept)]);
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.header("content-type"), Some(kind));
        assert_eq!(reply.header("vary"), Some("accept"));
        let text = reply.text();
        let body = if open {
            text.strip_suffix("# EOF\n").expect("the end mark, last")
        } else {
            text.as_str()
        };
        assert!(body.ends_with('\n') && !body.contains("# EOF"), "{text}");
        Self::read(body, open)
    }

    fn read(body: &str, open: bool) -> Self {
        let mut families = BTreeMap::<String, Family>::new();
        let mut current = String::new();
        for line in body.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').expect("a help text");
                assert!(help.ends_with('.') && !help.ends_with(".."), "{line}");
                let before = families.insert(name.to_owned(), Family::default());
                assert!(before.is_none(), "{name} stands in two places");
                name.clone_into(&mut current);
                continue;
            }
            let family = families.get_mut(&current).expect("its help comes first");
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let kind = rest
                    .strip_prefix(&format!("{current} "))
                    .expect("its own type");
                assert!(
                    family.kind.is_empty() && family.samples.is_empty(),
                    "{line}"
                );
                kind.clone_into(&mut family.kind);
            } else if let Some(rest) = line.strip_prefix("# UNIT ") {
                let unit = rest
                    .strip_prefix(&format!("{current} "))
                    .expect("its own unit");
                assert!(open && current.ends_with(&format!("_{unit}")), "{line}");
                family.unit = Some(unit.to_owned());
            } else {
                family.take(&current, line, open);
            }
        }
        Self { families }
    }

    /// The value of a sample of `family`, as it is called in the text format.
    fn value(&self, family: &str, labels: &str) -> f64 {
        let samples = &self.families[family].samples;
        let value = samples.get(labels);
        *value.unwrap_or_else(|| panic!("no {family}{{{labels}}} among {samples:?}"))
    }
}

impl Family {
    fn take(&mut self, name: &str, line: &str, open: bool) {
        let (series, value) = line.rsplit_once(' ').expect("a value");
        let suffix = if self.kind == "counter" && open {
            "_total"
        } else {
            ""
        };
        let rest = series.strip_prefix(&format!("{name}{suffix}"));
        let labels = rest.unwrap_or_else(|| panic!("{line} is not of {name}{suffix}"));
        let labels = labels.trim_start_matches('{').trim_end_matches('}');
        assert_eq!(
            self.kind == "counter",
            series
                .split('{')
                .next()
                .expect("a name")
                .ends_with("_total"),
            "{line}"
        );
        let value = value.parse().expect("a number");
        let before = self.samples.insert(labels.to_owned(), value);
        assert_eq!(before, None, "{series} stands there twice");
    }

    fn label_names(&self) -> BTreeSet<String> {
        let labels = self.samples.keys().flat_map(|labels| labels.split(','));
        labels
            .filter_map(|label| Some(label.split_once('=')?.0.to_owned()))
            .collect()
    }
}

fn with_an_alert(env: &[(&str, &str)], check: impl FnOnce(&Server, &Tenant)) {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), env);
    let acme = server.add_tenant("acme");
    let body = acme.body("d-1", "whoami");
    let answer = acme.alert(&mut server.http(), "crowdstrike", &body);
    server.judged("acme", answer["alert_id"].as_str().expect("an id"));
    check(&server, &acme);
}

#[test]
fn metrics_md_has_every_metric_and_no_other() {
    with_an_alert(NO_RATIONS, |server, _| {
        let shown = Scrape::of(server, false).families;
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
        let page = read_to_string(page).expect("docs/metrics.md can be read");
        let written: BTreeMap<_, _> = page.lines().filter_map(row).collect();
        let of_page = written.iter().map(|(name, (kind, _))| (name, kind));
        let of_server = shown.iter().map(|(name, family)| (name, &family.kind));
        assert_eq!(
            of_page.collect::<BTreeSet<_>>(),
            of_server.collect(),
            "docs/metrics.md (left) and what a server shows (right) differ"
        );
        for (name, family) in shown
            .iter()
            .filter(|(_, family)| !family.samples.is_empty())
        {
            assert_eq!(
                written[name].1,
                family.label_names(),
                "labels of {name} in docs/metrics.md (left) and as shown (right) differ"
            );
        }
    });
}

/// Name, type and labels in a row of the page.
fn row(line: &str) -> Option<(String, (String, BTreeSet<String>))> {
    let mut cells = line.split('|').map(str::trim).skip(1);
    let name = cells.next()?.strip_prefix("`vyrox_")?.strip_suffix('`')?;
    let (kind, labels) = (cells.next()?, cells.next()?);
    let labels = labels.split('`').skip(1).step_by(2).map(str::to_owned);
    Some((format!("vyrox_{name}"), (kind.to_owned(), labels.collect())))
}

#[test]
fn both_formats_show_the_same_families() {
    with_an_alert(NO_RATIONS, |server, _| {
        let [text, open] = [false, true].map(|open| Scrape::of(server, open).families);
        let called_as_in_text = |(name, family): (&String, &Family)| {
            let suffix = if family.kind == "counter" {
                "_total"
            } else {
                ""
            };
            (format!("{name}{suffix}"), family.kind.clone())
        };
        let of_text = text
            .iter()
            .map(|(name, family)| (name.clone(), family.kind.clone()));
        assert_eq!(
            of_text.collect::<BTreeMap<_, _>>(),
            open.iter().map(called_as_in_text).collect()
        );
        for (name, family) in &open {
            let seconds = name.ends_with("_seconds");
            let bytes = name.ends_with("_bytes");
            assert_eq!(
                family.unit.is_some(),
                seconds || bytes,
                "the unit of {name}"
            );
        }
    });
}

#[test]
fn actors_are_counted_by_kind_and_tenant() {
    with_an_alert(NO_RATIONS, |server, _| {
        let scrape = Scrape::of(server, true);
        let machine = "kind=\"machine\",tenant=\"acme\"";
        assert!(scrape.value("vyrox_actor_messages_handled", machine) >= 1.0);
        assert!(scrape.value("vyrox_actor_queue_wait_p99_seconds", machine) > 0.0);
        assert!(scrape.value("vyrox_actor_mailbox_capacity", machine) > 2048.0);
        for family in ["messages_rejected", "messages_poisoned", "restarts"] {
            let name = format!("vyrox_actor_{family}");
            assert!(scrape.value(&name, machine).abs() < f64::EPSILON, "{name}");
        }
        let stalled = "kind=\"machine\",state=\"stalled\"";
        assert!(scrape.value("vyrox_actors", stalled).abs() < f64::EPSILON);
        assert!(scrape.value("vyrox_actors", "kind=\"machine\",state=\"running\"") >= 1.0);
        assert!(scrape.value("vyrox_actor_messages_handled", "kind=\"registry\"") >= 1.0);
        let crashes = &scrape.families["vyrox_actor_last_crash_timestamp_seconds"];
        assert!(
            crashes.samples.is_empty(),
            "nobody fell: {:?}",
            crashes.samples
        );
    });
}

#[cfg(feature = "fault-injection")]
#[test]
fn a_fall_is_counted_and_dated() {
    with_an_alert(NO_RATIONS, |server, acme| {
        let fault =
            serde_json::json!({ "actor": "tenant/acme/machine", "fault": "panic", "times": 1 });
        let ordered = server.api("POST", "/api/v1/faults", Some(&fault));
        assert_eq!(ordered.status, 204, "{ordered:?}");
        let from = Duration::from_secs(unix_s());
        let body = acme.body("falls", "whoami");
        let reply = acme.post(&mut server.http(), "crowdstrike", &body);
        assert_eq!(reply.status, 202, "its sender noticed nothing: {reply:?}");
        let machine = "kind=\"machine\",tenant=\"acme\"";
        let fallen = eventually(DEADLINE, || {
            let scrape = Scrape::of(server, true);
            (scrape.value("vyrox_actor_restarts", machine) > 0.0).then_some(scrape)
        });
        let restarts = fallen.value("vyrox_actor_restarts", machine);
        assert!((restarts - 1.0).abs() < f64::EPSILON, "{restarts}");
        let at = fallen.value("vyrox_actor_last_crash_timestamp_seconds", machine);
        let at = Duration::try_from_secs_f64(at).expect("a date");
        let latest = Duration::from_secs(unix_s() + 1);
        assert!(
            (from..=latest).contains(&at),
            "{from:?}, {at:?}, {latest:?}"
        );
        let crashes = &fallen.families["vyrox_actor_last_crash_timestamp_seconds"];
        assert_eq!(crashes.samples.len(), 1, "nobody else fell");
    });
}

/// Sums over the actors present fell when a tenant was put to rest, and a scraper then took the
/// remaining sum for new counts.
#[test]
fn counters_stay_when_a_tenant_goes_to_rest() {
    let mut env = NO_RATIONS.to_vec();
    env.push(("VYROX_SUPERVISION__IDLE_PASSIVATE_S", "1"));
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &env);
    let acme = server.add_tenant("acme");
    let machine = "kind=\"machine\",tenant=\"acme\"";
    let mut alerts = 0;
    // An alert wakes the tenant, and a slow machine may put it to rest again before it is looked at.
    let before = eventually(DEADLINE, || {
        alerts += 1;
        let body = acme.body(&format!("d-{alerts}"), "whoami");
        acme.alert(&mut server.http(), "crowdstrike", &body);
        let scrape = Scrape::of(&server, true);
        let handled = &scrape.families["vyrox_actor_messages_handled"].samples;
        handled
            .get(machine)
            .copied()
            .filter(|handled| *handled >= 1.0)
    });
    let rested = eventually(DEADLINE, || {
        // While it is put away its old actors go first, so for a moment there is no such node.
        let node = server.api("GET", "/health/actors/tenant/acme", None);
        let passive = node.status == 200 && node.json()["state"] == "passive";
        passive.then(|| Scrape::of(&server, true))
    });
    assert!(rested.value("vyrox_actor_messages_handled", machine) >= before);
    let capacity = rested.value("vyrox_actor_mailbox_capacity", machine);
    assert!(capacity.abs() < f64::EPSILON, "{capacity}");
    let passive = "kind=\"tenant\",state=\"passive\"";
    assert!(rested.value("vyrox_actors", passive) >= 1.0);
}

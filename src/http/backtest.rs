//! `POST /api/v1/backtest`: what changed rules would have said of the alerts that are there.
//!
//! The answer is a stream of lines, each a JSON object. The next part of it is worked out when the one
//! before it has been taken, on a thread that may block; a client that goes away ends the work with the
//! part in hand. There is one backtest at a time, and between two parts it rests for as long as the last
//! one took, so that it never has more than half of one core.

use std::{sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Bytes, Payload},
};
use futures_util::{Stream, stream::unfold};
use serde::Deserialize;
use tokio::{sync::OwnedSemaphorePermit, task::spawn_blocking};
use vyrox_actors::{
    backtest::{Backtest, Plan, Present, Said},
    keyring::TenantKeys,
    ports::Clock,
    rules::{RuleSet, builtin_sources},
};
use vyrox_domain::{playbook::Playbooks, time::Timestamp};

use super::{
    Edge, Shared,
    admin::caller,
    input,
    problem::{Answer, Code, Problem},
    tokens::Scope,
};

/// The longest body: a whole directory of rules.
const BODY_BYTES: usize = 4 * 1024 * 1024;
/// Errors of rules that are told; more are counted.
const ERRORS_MAX: usize = 200;

/// The longest rest: a part takes half a second, unless the machine is slow or its clock was set.
const REST_MAX_MS: u64 = 5_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    rules: Vec<Source>,
    #[serde(default = "yes")]
    builtin: bool,
    playbooks: Option<Vec<Source>>,
    since_ms: u64,
    until_ms: Option<u64>,
    tenant_id: Option<String>,
    limit_diffs: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    name: String,
    text: String,
}

const fn yes() -> bool {
    true
}

/// `POST /api/v1/backtest`
pub(super) async fn run(
    request: HttpRequest,
    edge: Shared,
    payload: Payload,
) -> Answer<HttpResponse> {
    let caller = caller(&request, &edge, Scope::BacktestRun)?;
    // Before the body, of which there are long ones: so there is one of them at a time as well.
    let permit = Arc::clone(&edge.backtests)
        .try_acquire_owned()
        .map_err(|_taken| Problem::new(Code::BacktestRunning))?;
    let patience = edge.body_patience();
    let asked: Asked = input::json_up_to(BODY_BYTES, &request, payload, patience).await?;
    let tenants = tenants(&edge, asked.tenant_id.as_deref())?;
    if asked.until_ms.is_some_and(|until| until < asked.since_ms) {
        return Err(Problem::new(Code::InvalidJson).detail("until_ms lies before since_ms"));
    }
    // Thousands of rules take seconds to compile.
    let plan = spawn_blocking(move || plan(asked, tenants)).await;
    let plan = plan.map_err(|_fell| Problem::new(Code::Internal))??;
    tracing::info!(
        actor = caller.actor,
        rules = plan.rules.len(),
        "a backtest begins"
    );
    let running = Running {
        backtest: Backtest::new(Present::of(&edge.world), plan),
        clock: Arc::clone(&edge.world.clock),
        rest: Duration::ZERO,
        _one: permit,
    };
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/x-ndjson"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(parts(running)))
}

/// The one tenant that is named, or all of them by name.
fn tenants(edge: &Edge, named: Option<&str>) -> Answer<Vec<Arc<TenantKeys>>> {
    let keyring = edge.world.keyring.load();
    if let Some(name) = named {
        let keys = keyring.tenant(name);
        let keys = keys.ok_or_else(|| Problem::new(Code::TenantNotFound))?;
        return Ok(vec![Arc::clone(keys)]);
    }
    let mut all: Vec<_> = keyring.tenants().map(Arc::clone).collect();
    all.sort_by(|one, other| one.tenant.cmp(&other.tenant));
    Ok(all)
}

fn plan(asked: Asked, tenants: Vec<Arc<TenantKeys>>) -> Answer<Plan> {
    let mut sources = if asked.builtin {
        builtin_sources()
    } else {
        Vec::new()
    };
    sources.extend(named(asked.rules));
    let rules = RuleSet::compile(&sources);
    let playbooks = asked
        .playbooks
        .map(|texts| Playbooks::compile(&named(texts)));
    let (rules, playbooks) = match (rules, playbooks.transpose()) {
        (Ok(rules), Ok(playbooks)) => (rules, playbooks),
        (rules, playbooks) => {
            let rules = rules.err().unwrap_or_default();
            let playbooks = playbooks.err().unwrap_or_default();
            let errors = rules.iter().map(ToString::to_string);
            return Err(broken(
                errors
                    .chain(playbooks.iter().map(ToString::to_string))
                    .collect(),
            ));
        }
    };
    Ok(Plan {
        rules,
        playbooks,
        since: Timestamp::from_ms(asked.since_ms),
        until: asked.until_ms.map(Timestamp::from_ms),
        tenants,
        differences_max: asked.limit_diffs.unwrap_or(u64::MAX),
    })
}

fn named(sources: Vec<Source>) -> Vec<(String, String)> {
    let pair = |source: Source| (source.name, source.text);
    sources.into_iter().map(pair).collect()
}

/// The answer to rules that do not compile, with every error of them.
fn broken(mut errors: Vec<String>) -> Problem {
    let count = errors.len();
    errors.truncate(ERRORS_MAX);
    let first = errors.first().map_or("", String::as_str);
    Problem::new(Code::InvalidRules)
        .detail(format!("{count} errors, of which the first is: {first}"))
        .member("errors", errors)
}

/// A backtest between two parts of its answer.
struct Running {
    backtest: Backtest,
    clock: Arc<dyn Clock>,
    rest: Duration,
    /// Given back when this is dropped, be it on the thread that works.
    _one: OwnedSemaphorePermit,
}

impl Running {
    /// Works out the next part; gives itself back where there is more to come.
    fn step(mut self) -> Result<(Bytes, Option<Self>), serde_json::Error> {
        let begun = self.clock.now();
        let lines = lines(&self.backtest.step())?;
        let took_ms = self.clock.now().distance_ms(begun);
        self.rest = Duration::from_millis(took_ms.clamp(1, REST_MAX_MS));
        let more = !self.backtest.is_over();
        Ok((lines, more.then_some(self)))
    }
}

/// The answer broke off; the connection is closed without its proper end, so that nobody takes a part
/// for the whole.
#[derive(Debug, thiserror::Error)]
#[error("the backtest broke off")]
struct Cut;

fn parts(running: Running) -> impl Stream<Item = Result<Bytes, Cut>> {
    unfold(Some(running), |running| async move {
        let running = running?;
        tokio::time::sleep(running.rest).await;
        match spawn_blocking(move || running.step()).await {
            Ok(Ok((lines, more))) => Some((Ok(lines), more)),
            Ok(Err(error)) => {
                tracing::error!(%error, "a backtest broke off");
                Some((Err(Cut), None))
            }
            Err(fell) => {
                tracing::error!(error = %fell, "a backtest fell");
                Some((Err(Cut), None))
            }
        }
    })
}

fn lines(said: &[Said]) -> Result<Bytes, serde_json::Error> {
    let mut bytes = Vec::new();
    for one in said {
        serde_json::to_writer(&mut bytes, one)?;
        bytes.push(b'\n');
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::{StreamExt as _, poll};
    use tokio::sync::Semaphore;
    use vyrox_actors::journal::{Journal, LocalJournal, Options};
    use vyrox_domain::{playbook::Assets, triage::Bands};

    use super::*;

    struct Stopped;

    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            Timestamp::from_ms(0)
        }
    }

    fn running(journal: &Arc<dyn Journal>, place: &Arc<Semaphore>) -> Running {
        let present = Present {
            journal: Arc::clone(journal),
            clock: Arc::new(Stopped),
            bands: Bands::default(),
            assets: Assets::parse(&[], &[]).expect("no pattern is broken"),
            playbooks: Arc::new(Playbooks::compile(&[]).expect("no playbook is broken")),
        };
        let plan = Plan {
            rules: RuleSet::compile(&[]).expect("no rule is broken"),
            playbooks: None,
            since: Timestamp::from_ms(0),
            until: None,
            tenants: Vec::new(),
            differences_max: 0,
        };
        Running {
            backtest: Backtest::new(present, plan),
            clock: Arc::new(Stopped),
            rest: Duration::ZERO,
            _one: Arc::clone(place).try_acquire_owned().expect("it is free"),
        }
    }

    #[actix_web::test]
    async fn the_place_is_free_again_however_the_answer_ends() {
        let dir = tempfile::tempdir().expect("a directory");
        let options = Options {
            segment_bytes: 1 << 20,
            ..Options::default()
        };
        let journal = LocalJournal::open(dir.path(), options, None).expect("a journal");
        let journal: Arc<dyn Journal> = Arc::new(journal);
        let place = Arc::new(Semaphore::new(1));

        // Nobody took a line.
        drop(parts(running(&journal, &place)));

        // Somebody took all of them.
        let all: Vec<_> = parts(running(&journal, &place)).collect().await;
        let text = all.into_iter().map(|part| part.expect("a part").to_vec());
        let text = String::from_utf8(text.flatten().collect()).expect("text");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.starts_with("{\"done\":{\"alerts\":0,"), "{text}");

        // Somebody went away before the first part was there.
        {
            let mut parts = pin!(parts(running(&journal, &place)));
            let begun = poll!(parts.next());
            assert!(
                begun.is_pending(),
                "it rests first, and works on another thread"
            );
            assert_eq!(place.available_permits(), 0);
        }
        let free = tokio::time::timeout(Duration::from_mins(1), place.acquire()).await;
        assert!(free.expect("in good time").is_ok());
    }
}

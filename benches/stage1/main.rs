//! Stage 1 and incidents under load: what an alert costs with few rules and with many, and with few
//! incidents open and with many.
//!
//! Each figure is CPU time of this thread. What an alert costs is given beside the serialising of the
//! very same alerts to JSON, measured in the same round, so that the ratio says something on any
//! machine. `docs/benchmarks.md` says what each figure means. No figure fails the run.

mod made_up;

use std::{
    collections::BTreeSet,
    env, fs,
    hint::black_box,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use rand::{SeedableRng as _, rngs::StdRng};
use uuid::Uuid;
use vyrox_actors::rules::RuleSet;
use vyrox_domain::{
    alert::Alert,
    attack::Tactic,
    ids::{AlertId, IncidentId},
    incident::{Arrival, CaseFacts, Incidents, Link, LinkKind, Window},
    time::Timestamp,
    triage::{Bands, Verdict, assess},
    vendor::Vendor,
};

use self::made_up::{alert, rule};

/// Every run makes the same rules and the same alerts.
const SEED: u64 = 0x5EED_516A;
/// How many rules there are in each set.
const RULES: [usize; 3] = [40, 400, 3_000];
/// How many incidents are open.
const OPEN: [u64; 3] = [10, 1_000, 10_000];
/// How many different alerts there are.
const ALERTS: usize = 2_000;
/// How long a figure is measured.
const ENOUGH: Duration = Duration::from_millis(200);
/// A folder of public Sigma rules, measured beside the made-up ones.
const FOLDER: &str = "VYROX_BENCH_RULES";

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark is told by the environment what to measure"
)]
fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let folder = env::var_os(FOLDER).map(PathBuf::from);
    match run(&arguments, folder.as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            line(&format!("stage1: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String], folder: Option<&Path>) -> anyhow::Result<()> {
    if !arguments.iter().any(|argument| argument == "--bench") {
        line("stage1: measures only under `cargo bench`, where code is optimised");
        return Ok(());
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let rounds = if quick { 3 } else { 9 };
    rules_table(rounds, folder)?;
    incidents_table(rounds)
}

/// What stage 1 costs an alert, set by set.
fn rules_table(rounds: usize, folder: Option<&Path>) -> anyhow::Result<()> {
    let mut random = StdRng::seed_from_u64(SEED);
    let alerts: Vec<Alert> = (0..ALERTS).map(|n| alert(&mut random, n)).collect();
    line(&format!(
        "stage 1, {ALERTS} different alerts, {rounds} rounds"
    ));
    head(&["us an alert", "by JSON", "rules that spoke"]);
    let builtin = RuleSet::builtin().map_err(|errors| anyhow::anyhow!("{errors:?}"))?;
    let name = format!("the {} rules of the binary", builtin.len());
    rules_row(&name, &builtin, &alerts, rounds)?;
    for count in RULES {
        let mut random = StdRng::seed_from_u64(SEED);
        let sources: Vec<_> = (0..count).map(|n| rule(&mut random, n)).collect();
        let rules = RuleSet::compile(&sources);
        let rules = rules.map_err(|errors| anyhow::anyhow!("{:?}", errors.first()))?;
        rules_row(&format!("{count} rules, made up"), &rules, &alerts, rounds)?;
    }
    if let Some(folder) = folder {
        let (rules, refused) = folder_of(folder)?;
        let name = format!("{} rules of the folder ({refused} refused)", rules.len());
        rules_row(&name, &rules, &alerts, rounds)?;
    }
    Ok(())
}

fn rules_row(name: &str, rules: &RuleSet, alerts: &[Alert], rounds: usize) -> anyhow::Result<()> {
    let (mut costs, mut ratios, mut spoke) = (Vec::new(), Vec::new(), 0_usize);
    // The first round warms up.
    for round in 0..=rounds {
        let json = a_pass(|| {
            for alert in alerts {
                black_box(serde_json::to_vec(black_box(alert)).ok());
            }
        })?;
        let stage1 = a_pass(|| {
            spoke = 0;
            for alert in alerts {
                let hits = rules.evaluate(black_box(alert));
                spoke += hits.len();
                black_box(assess(alert.severity, &hits, Bands::default()));
            }
        })?;
        if round > 0 {
            costs.push(us(stage1) / float(alerts.len()));
            ratios.push(stage1.as_secs_f64() / json.as_secs_f64());
        }
    }
    let spoken = float(spoke) / float(alerts.len());
    row(
        name,
        &[
            shown(costs, 1),
            shown(ratios, 1),
            format!("{spoken:.2} an alert"),
        ],
    );
    Ok(())
}

/// What placing and applying costs an alert, with so many incidents open.
fn incidents_table(rounds: usize) -> anyhow::Result<()> {
    line(&format!(
        "\nplacing an alert among incidents and applying that, {rounds} rounds"
    ));
    head(&["us an alert", "by that at 10 open", ""]);
    let mut costs: [Vec<f64>; OPEN.len()] = Default::default();
    let mut ratios: [Vec<f64>; OPEN.len()] = Default::default();
    for round in 0..=rounds {
        let mut first = f64::NAN;
        for ((open, costs), ratios) in OPEN.into_iter().zip(&mut costs).zip(&mut ratios) {
            let cost = placing(open)?;
            first = if first.is_nan() { cost } else { first };
            if round > 0 {
                costs.push(cost);
                ratios.push(cost / first);
            }
        }
    }
    for ((open, costs), ratios) in OPEN.into_iter().zip(costs).zip(ratios) {
        let name = format!("{open} open incidents");
        row(&name, &[shown(costs, 2), shown(ratios, 2), String::new()]);
    }
    Ok(())
}

/// Microseconds an alert.
fn placing(open: u64) -> anyhow::Result<f64> {
    let mut tenant = Incidents::default();
    (0..open).for_each(|n| take(&mut tenant, n, n));
    let mut next = open;
    let used = a_pass(|| {
        let end = next + ALERTS as u64;
        (next..end).for_each(|n| take(&mut tenant, n, n % open));
        next = end;
    })?;
    anyhow::ensure!(tenant.len() as u64 == open, "an incident opened or closed");
    Ok(us(used) / float(ALERTS))
}

/// One alert on one of the machines, with the links that most alerts have.
fn take(tenant: &mut Incidents, n: u64, machine: u64) {
    let window = Window {
        open_max: 20_000,
        ..Window::default()
    };
    let link = |kind, key| Link { kind, key };
    let facts = CaseFacts {
        vendor: Vendor::Crowdstrike,
        host: Some(format!("ws-{machine}")),
        device_id: None,
        links: vec![
            link(LinkKind::VendorAlert, n),
            link(LinkKind::Host, machine),
            link(LinkKind::User, machine),
            link(LinkKind::Hash, machine),
        ],
        tactics: vec![Tactic::Execution],
        techniques: vec!["T1059.001".into()],
        reasons: vec!["A shell below an office program".into()],
    };
    let arrival = Arrival {
        alert_id: AlertId(Uuid::from_u64_pair(1, n)),
        verdict: Verdict::Medium,
        at: Timestamp::from_s(1_760_000_000).plus_ms(n / 100),
    };
    let placement = tenant.place(arrival, IncidentId(Uuid::from_u64_pair(2, n)), facts);
    tenant.apply(arrival, &placement, &window);
}

/// Every rule below a folder that this build takes, and how many it does not.
fn folder_of(folder: &Path) -> anyhow::Result<(RuleSet, usize)> {
    let (mut sources, mut files) = (Vec::new(), BTreeSet::new());
    collect(folder, &mut files).with_context(|| folder.display().to_string())?;
    let mut refused = 0;
    for path in files {
        let text = fs::read_to_string(&path)?;
        let source = (path.display().to_string(), text);
        match RuleSet::compile(std::slice::from_ref(&source)) {
            Ok(_) => sources.push(source),
            Err(_) => refused += 1,
        }
    }
    let rules = RuleSet::compile(&sources);
    let rules = rules.map_err(|errors| anyhow::anyhow!("{:?}", errors.first()))?;
    Ok((rules, refused))
}

fn collect(folder: &Path, files: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "yml") {
            files.insert(path);
        }
    }
    Ok(())
}

/// CPU that this thread uses for one pass of `work`, which is repeated until that is much more than a tick
/// of the scheduler, by which the figure may lag.
fn a_pass(mut work: impl FnMut()) -> anyhow::Result<Duration> {
    let before = thread_cpu()?;
    let mut passes = 0;
    loop {
        work();
        passes += 1;
        let used = thread_cpu()?.saturating_sub(before);
        if used >= ENOUGH {
            return Ok(used / passes);
        }
    }
}

/// CPU that this thread has used, to the nanosecond.
fn thread_cpu() -> anyhow::Result<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let ns = text.split(' ').next().and_then(|field| field.parse().ok());
    Ok(Duration::from_nanos(ns.context("an unreadable schedstat")?))
}

fn us(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[expect(
    clippy::cast_precision_loss,
    reason = "figures for people have a few digits"
)]
fn float(count: usize) -> f64 {
    count as f64
}

/// `median (lowest-highest)`
fn shown(mut values: Vec<f64>, digits: usize) -> String {
    values.sort_by(f64::total_cmp);
    let at = |position: usize| values.get(position).copied().unwrap_or(f64::NAN);
    let last = values.len().saturating_sub(1);
    let median = f64::midpoint(at(last / 2), at(values.len() / 2));
    format!(
        "{median:.digits$} ({:.digits$}-{:.digits$})",
        at(0),
        at(last)
    )
}

fn head(columns: &[&str]) {
    row(
        "",
        &columns
            .iter()
            .map(|&one| one.to_owned())
            .collect::<Vec<_>>(),
    );
}

fn row(name: &str, cells: &[String]) {
    let cells: Vec<_> = cells.iter().map(|cell| format!("{cell:>26}")).collect();
    line(format!("  {name:44}{}", cells.concat()).trim_end());
}

/// Writes a line to standard output.
fn line(text: &str) {
    // If nobody reads it, nobody misses it.
    writeln!(io::stdout(), "{text}").ok();
}

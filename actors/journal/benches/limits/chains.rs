//! The same load on one chain, on a hundred, on ten thousand.

use std::time::{Duration, Instant};

use crate::{
    Outcome, Plan,
    appenders::Chains,
    entries::Kind,
    ground::{Ground, directory},
    raw::RawLog,
    report::{head, line, row},
};

const CHAINS: [usize; 3] = [1, 100, 10_000];
const APPENDERS: usize = 256;
/// A window is so much longer than those of the other parts, so that the chains' own files are
/// written all through it.
const LONGER: usize = 4;
const ROUNDS_MAX: usize = 3;

/// A journal with so many chains, all of which have their files already.
struct Field {
    ground: Ground,
    chains: Chains,
    count: usize,
}

struct Window {
    /// Entries a second.
    rate: f64,
    of_raw: f64,
    entries_a_batch: f64,
    /// From the last answer until all files were complete.
    rest: Duration,
}

/// Prints the table.
pub(crate) fn measure(plan: &Plan) -> Outcome<()> {
    let folder = directory()?;
    let mut raw = RawLog::create(&folder.path().join("raw"))?;
    let mut fields = Vec::new();
    for count in CHAINS {
        fields.push(Field::open(count)?);
    }
    let entries = plan.entries * LONGER;
    let rounds = plan.rounds.min(ROUNDS_MAX);
    let mut windows: Vec<Vec<Window>> = Vec::new();
    for round in 0..rounds {
        line(&format!("limits chains: round {} of {rounds}", round + 1));
        let mut of_round = Vec::new();
        for field in &mut fields {
            of_round.push(field.window(&mut raw, entries)?);
        }
        windows.push(of_round);
    }
    head(&format!(
        "alerts with evidence, {APPENDERS} appenders, {entries} entries"
    ));
    for (at, field) in fields.iter().enumerate() {
        field.print(at, &windows);
    }
    Ok(())
}

impl Field {
    fn open(count: usize) -> Outcome<Self> {
        let ground = Ground::open()?;
        let mut chains = Chains::open(&ground.journal, count)?;
        chains.run(&ground.journal, Kind::Alert.drafts(count), APPENDERS)?;
        ground.complete()?;
        Ok(Self {
            ground,
            chains,
            count,
        })
    }

    fn window(&mut self, raw: &mut RawLog, entries: usize) -> Outcome<Window> {
        let journal = &self.ground.journal;
        self.ground.take_batches();
        let elapsed = self
            .chains
            .run(journal, Kind::Alert.drafts(entries), APPENDERS)?;
        let answered = Instant::now();
        self.ground.complete()?;
        let rest = answered.elapsed();
        let batches = self.ground.take_batches();
        let sizes: Vec<usize> = batches.iter().map(|it| it.bytes(Kind::Alert)).collect();
        let (raw, _) = raw.write(&sizes)?;
        Ok(Window {
            rate: entries as f64 / elapsed.as_secs_f64(),
            of_raw: raw.as_secs_f64() / elapsed.as_secs_f64(),
            entries_a_batch: entries as f64 / batches.len().max(1) as f64,
            rest,
        })
    }

    fn print(&self, at: usize, rounds: &[Vec<Window>]) {
        let show = |name: &str, digits, aim, figure: &dyn Fn(&Window, &Window) -> f64| {
            let figures = rounds
                .iter()
                .filter_map(|windows| Some(figure(windows.get(at)?, windows.first()?)));
            let name = format!("{} chains, {name}", self.count);
            row(&name, digits, figures.collect(), aim);
        };
        show("entries a second", 0, "", &|it, _| it.rate);
        let aim = if at == 0 { "" } else { "0.8 or more" };
        show("by the rate of one chain", 2, aim, &|it, one| {
            it.rate / one.rate
        });
        show("as a multiple of raw", 2, "", &|it, _| it.of_raw);
        show("entries a batch", 1, "", &|it, _| it.entries_a_batch);
        show("then until all files are complete, s", 1, "", &|it, _| {
            it.rest.as_secs_f64()
        });
    }
}

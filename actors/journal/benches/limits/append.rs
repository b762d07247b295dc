//! What an append costs beside the disk alone and beside hashing alone.

use std::time::Duration;

use crate::{
    Outcome, Plan,
    appenders::Chains,
    cpu,
    entries::Kind,
    ground::{Batch, Ground, directory},
    raw::{self, RawLog},
    report::{each, head, line, row, us},
};

const APPENDERS: [usize; 2] = [64, 256];
/// Chains that the entries are spread over.
const CHAINS: usize = 16;
/// What the journal calls its writer's thread.
const WRITER: &str = "journal-writer";

/// Slices of a window: the journal and the raw file have their turns within each, so that a disk
/// that is slow for a while is slow for both.
const SLICES: usize = 10;
/// Bytes that are hashed to know what hashing costs.
const HASHED: usize = 32 << 20;

/// The journal and its baselines, over the very same bytes.
#[derive(Default)]
struct Window {
    entries: usize,
    batches: usize,
    /// Bytes of an entry: its line and its attachments.
    entry_bytes: usize,
    elapsed: Duration,
    /// One write and one sync for each of the same batches.
    raw: Duration,
    raw_cpu: Duration,
    /// CPU of the process until the last answer; of it the writer's thread.
    until_answered: Duration,
    writer: Duration,
    /// CPU until the chains' own files were complete.
    until_copied: Duration,
    /// Two SHA-256 of as many bytes as an entry has.
    hashing: Duration,
}

/// What is measured with.
struct Bench {
    ground: Ground,
    chains: Chains,
    raw: RawLog,
}

/// All windows of one load.
struct Load {
    kind: Kind,
    appenders: usize,
    windows: Vec<Window>,
}

/// Prints the tables.
pub(crate) fn measure(plan: &Plan) -> Outcome<()> {
    let ground = Ground::open()?;
    let chains = Chains::open(&ground.journal, CHAINS)?;
    let folder = directory()?;
    let raw = RawLog::create(&folder.path().join("raw"))?;
    let mut bench = Bench {
        ground,
        chains,
        raw,
    };
    let kinds = [Kind::Alert, Kind::Line].into_iter();
    let load = |kind| {
        APPENDERS.map(|appenders| Load {
            kind,
            appenders,
            windows: Vec::new(),
        })
    };
    let mut loads: Vec<_> = kinds.flat_map(load).collect();
    for round in 0..=plan.rounds {
        for load in &mut loads {
            let window = bench.window(load.kind, load.appenders, plan.entries)?;
            // The first round warms up.
            load.windows.extend((round > 0).then_some(window));
        }
    }
    line(&format!(
        "\nlimits append: {} entries a window, {CHAINS} chains, {} rounds",
        plan.entries, plan.rounds
    ));
    loads.iter().for_each(Load::print);
    Ok(())
}

impl Bench {
    fn window(&mut self, kind: Kind, appenders: usize, entries: usize) -> Outcome<Window> {
        let slice = (entries / SLICES).max(1);
        let mut window = Window::default();
        let slices: Vec<_> = (0..SLICES).map(|_| kind.drafts(slice)).collect();
        let (before, _) = cpu::of_all_and_of(WRITER)?;
        let mut all = Vec::new();
        for drafts in slices {
            let began = cpu::of_all_and_of(WRITER)?;
            window.elapsed += self.chains.run(&self.ground.journal, drafts, appenders)?;
            let ended = cpu::of_all_and_of(WRITER)?;
            window.until_answered += ended.0.saturating_sub(began.0);
            window.writer += ended.1.saturating_sub(began.1);
            let batches = self.ground.take_batches();
            let sizes: Vec<_> = batches.iter().map(|batch| batch.bytes(kind)).collect();
            let (raw, raw_cpu) = self.raw.write(&sizes)?;
            window.raw += raw;
            window.raw_cpu += raw_cpu;
            all.extend(batches);
        }
        self.ground.complete()?;
        let (after, _) = cpu::of_all_and_of(WRITER)?;
        window.until_copied = after.saturating_sub(before).saturating_sub(window.raw_cpu);
        window.entries = slice * SLICES;
        window.batches = all.len();
        window.entry_bytes = Batch::mean_line(&all) + kind.attached();
        let bytes = vec![0x61; HASHED];
        let pieces = HASHED.div_ceil(window.entry_bytes);
        window.hashing = each(raw::hashing(&bytes, window.entry_bytes, 2)?, pieces);
        Ok(window)
    }
}

impl Load {
    fn print(&self) {
        let bytes = self.windows.first().map_or(0, |window| window.entry_bytes);
        let (kind, appenders) = (self.kind.name(), self.appenders);
        head(&format!("{kind} ({bytes} bytes), {appenders} appenders"));
        let show = |name, digits, aim, figure: &dyn Fn(&Window) -> f64| {
            row(name, digits, self.windows.iter().map(figure).collect(), aim);
        };
        show("entries a second", 0, "", &|it| it.rate(it.elapsed));
        show("raw group commit, the same batches", 0, "", &|it| {
            it.rate(it.raw)
        });
        show("as a multiple of raw", 2, "0.8 or more", &|it| {
            it.raw.as_secs_f64() / it.elapsed.as_secs_f64()
        });
        show("entries a batch", 1, "", &|it| {
            it.entries as f64 / it.batches as f64
        });
        self.print_cpu();
    }

    fn print_cpu(&self) {
        let show = |name, digits, aim, figure: &dyn Fn(&Window) -> f64| {
            row(name, digits, self.windows.iter().map(figure).collect(), aim);
        };
        show("two SHA-256 of the same bytes, us", 2, "", &|it| {
            us(it.hashing)
        });
        show("raw group commit, us of CPU an entry", 2, "", &|it| {
            it.share(it.raw_cpu)
        });
        show("until answered, us of CPU an entry", 2, "", &|it| {
            it.share(it.until_answered)
        });
        show("of it the writer's thread", 2, "", &|it| {
            it.share(it.writer)
        });
        show("until copied, us of CPU an entry", 2, "", &|it| {
            it.share(it.until_copied)
        });
        let multiple = |it: &Window, time| it.share(time) / us(it.hashing);
        show(
            "until answered, multiple of two SHA-256",
            1,
            "3 or less",
            &|it| multiple(it, it.until_answered),
        );
        show("the same without what raw needs", 1, "", &|it| {
            multiple(it, it.until_answered.saturating_sub(it.raw_cpu))
        });
        show("until copied, multiple of two SHA-256", 1, "", &|it| {
            multiple(it, it.until_copied)
        });
    }
}

impl Window {
    fn rate(&self, time: Duration) -> f64 {
        self.entries as f64 / time.as_secs_f64()
    }

    /// An entry's share, in microseconds.
    fn share(&self, time: Duration) -> f64 {
        us(each(time, self.entries))
    }
}

//! The table: absolute figures and ratios, the median of the rounds with the lowest and the highest.

use std::{
    io::{self, Write as _},
    thread,
    time::Duration,
};

use crate::{
    alerts::BODY_BYTES,
    rounds::{CONNECTIONS, DURABLE_CONNECTIONS, Plan, Round, TENANTS, Turn, Window},
};

/// Writes a line to standard output.
pub(crate) fn line(text: &str) {
    // If nobody reads it, nobody misses it.
    writeln!(io::stdout(), "{text}").ok();
}

/// Prints everything.
pub(crate) fn print(plan: &Plan, rounds: &[Round]) {
    let cores = cores();
    line(&format!(
        "\n{cores} cores, shared by server and load; {} rounds; {} alerts a window; {TENANTS} tenants; \
         bodies of {BODY_BYTES} bytes",
        plan.rounds, plan.alerts,
    ));
    head("");
    let table = Table { rounds };
    table.rates();
    table.ratios();
    table.cpu();
    table.journal();
    table.times();
    table.refusals();
}

/// What the design promises itself at so many connections.
type Aim = (usize, &'static str);

/// Cores that servers and load share.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

struct Table<'a> {
    rounds: &'a [Round],
}

impl Table<'_> {
    fn rates(&self) {
        line("answers a second");
        self.turns("durable 202s", 0, None, |turn| turn.vyrox.ran.rate());
        self.turns("bare echo", 0, None, |turn| turn.echo.ran.rate());
        self.disk("one fdatasync a request, one by one", |round| {
            round.serial.ran.rate()
        });
        self.disk("one fdatasync a request, 64 threads", |round| {
            round.parallel.ran.rate()
        });
    }

    fn ratios(&self) {
        line("durable 202s, as a multiple of");
        let echo = |turn: &Turn| turn.vyrox.ran.rate() / turn.echo.ran.rate();
        self.turns("bare echo", 2, Some((256, "0.6 or more")), echo);
        let multiple = |round: &Round, of: &Window| {
            durable(round, |turn| turn.vyrox.ran.rate()) / of.ran.rate()
        };
        let label = |text| format!("{text}, {DURABLE_CONNECTIONS} connections");
        let values = self.each(|round| multiple(round, &round.serial));
        row(
            &label("one fdatasync a request, one by one"),
            1,
            Some("15 or more"),
            values,
        );
        let values = self.each(|round| multiple(round, &round.parallel));
        row(
            &label("one fdatasync a request, 64 threads"),
            1,
            None,
            values,
        );
    }

    fn cpu(&self) {
        line("CPU, microseconds an alert");
        let hashing = |round: &Round| us(round.hashing);
        row(
            "HMAC-SHA256 and two SHA-256 of the body",
            1,
            None,
            self.each(hashing),
        );
        self.turns("echo", 1, None, |turn| us(turn.echo.server_each()));
        self.turns("Vyrox until the last 202", 1, None, |turn| {
            us(turn.vyrox.server_each())
        });
        self.turns("Vyrox until it rests", 1, None, |turn| us(turn.whole()));
        self.turns("the load generator, loading Vyrox", 1, None, |turn| {
            us(turn.vyrox.ran.each(turn.vyrox.client))
        });
        line("CPU as a multiple of echo, HMAC and two SHA-256");
        let floor = |round: &Round, turn: &Turn| us(turn.echo.server_each() + round.hashing);
        self.turns_of(
            "Vyrox until the last 202",
            2,
            Some((DURABLE_CONNECTIONS, "2 or less")),
            |round, turn| us(turn.vyrox.server_each()) / floor(round, turn),
        );
        self.turns_of(
            "Vyrox until it rests",
            2,
            Some((DURABLE_CONNECTIONS, "2 or less")),
            |round, turn| us(turn.whole()) / floor(round, turn),
        );
    }

    fn journal(&self) {
        line("the journal, until the last 202");
        self.turns("entries a batch", 1, None, |turn| {
            turn.after.at_last.entries as f64 / turn.after.at_last.batches.max(1) as f64
        });
        self.turns("fsyncs an alert", 4, None, |turn| {
            turn.after.at_last.fsyncs as f64 / turn.vyrox.ran.wanted.max(1) as f64
        });
        self.turns("entries an alert, until it rests", 2, None, |turn| {
            turn.after.at_rest.entries as f64 / turn.vyrox.ran.wanted.max(1) as f64
        });
    }

    fn times(&self) {
        line("milliseconds");
        self.turns("from request to 202, half within", 2, None, |turn| {
            ms(turn.vyrox.ran.latency(50))
        });
        self.turns("from request to 202, 99 % within", 2, None, |turn| {
            ms(turn.vyrox.ran.latency(99))
        });
        self.turns("from the last 202 until it rests", 0, None, |turn| {
            ms(turn.after.rest)
        });
    }

    fn refusals(&self) {
        let of = |window: &Window| window.ran.others;
        let turn = |turn: &Turn| of(&turn.vyrox) + of(&turn.echo);
        let round = |round: &Round| {
            of(&round.serial) + of(&round.parallel) + round.turns.iter().map(turn).sum::<u64>()
        };
        let others: u64 = self.rounds.iter().map(round).sum();
        line(&format!("answers that were something else: {others}"));
    }

    /// A row for each number of connections; the aim belongs to one of them.
    fn turns(&self, name: &str, digits: usize, aim: Option<Aim>, figure: impl Fn(&Turn) -> f64) {
        self.turns_of(name, digits, aim, |_, turn| figure(turn));
    }

    fn turns_of(
        &self,
        name: &str,
        digits: usize,
        aim: Option<Aim>,
        figure: impl Fn(&Round, &Turn) -> f64,
    ) {
        for connections in CONNECTIONS {
            let values = self.rounds.iter().flat_map(|round| {
                let turns = round
                    .turns
                    .iter()
                    .filter(|turn| turn.connections == connections);
                turns.map(|turn| figure(round, turn))
            });
            let aim = aim.filter(|(at, _)| *at == connections).map(|(_, aim)| aim);
            row(
                &format!("{name}, {connections} connections"),
                digits,
                aim,
                values.collect(),
            );
        }
    }

    fn disk(&self, name: &str, figure: impl Fn(&Round) -> f64) {
        let name = format!("{name}, {DURABLE_CONNECTIONS} connections");
        row(&name, 0, None, self.each(figure));
    }

    fn each(&self, figure: impl Fn(&Round) -> f64) -> Vec<f64> {
        self.rounds.iter().map(figure).collect()
    }
}

impl Turn {
    /// All CPU that an alert cost, its triage, projections and files included.
    fn whole(&self) -> Duration {
        self.vyrox.ran.each(self.after.cpu)
    }
}

/// A figure of the turn that is held against the disk.
fn durable(round: &Round, figure: impl Fn(&Turn) -> f64) -> f64 {
    let turn = round
        .turns
        .iter()
        .find(|turn| turn.connections == DURABLE_CONNECTIONS);
    turn.map_or(f64::NAN, figure)
}

/// Begins a table.
pub(crate) fn head(title: &str) {
    line(&format!(
        "{title:56}{:>10}{:>10}{:>10}   aim",
        "median", "lowest", "highest"
    ));
}

/// One figure, round by round.
pub(crate) fn row(name: &str, digits: usize, aim: Option<&str>, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let at = |position: usize| values.get(position).copied().unwrap_or(f64::NAN);
    let last = values.len().saturating_sub(1);
    let median = f64::midpoint(at(last / 2), at(values.len() / 2));
    let (lowest, highest, aim) = (at(0), at(last), aim.unwrap_or_default());
    let text =
        format!("  {name:54}{median:>10.digits$}{lowest:>10.digits$}{highest:>10.digits$}   {aim}");
    line(text.trim_end());
}

pub(crate) fn us(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

pub(crate) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

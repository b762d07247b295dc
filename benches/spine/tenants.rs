//! The same alerts from one tenant, from a hundred, from ten thousand, beside the echo.

use crate::{
    alerts::Alerts,
    baseline::Baseline,
    load::Load,
    report::{cores, head, line, ms, row},
    rounds::{LONGEST, Plan, Window, baseline_window, measure as window_of},
    vyrox::Vyrox,
};

const CONNECTIONS: [usize; 2] = [64, 256];
const ROUNDS_MAX: usize = 3;
const ALERTS_MAX: usize = 10_000;

struct Turn {
    tenants: usize,
    connections: usize,
    vyrox: Window,
    echo: Window,
}

/// Prints the table. All tenants are there all the time; what changes is how many of them send.
pub(crate) fn measure(plan: &Plan, most: usize) -> anyhow::Result<()> {
    let (rounds, count) = (plan.rounds.min(ROUNDS_MAX), plan.alerts.min(ALERTS_MAX));
    let mut senders = vec![1, 100.min(most), most];
    senders.dedup();
    let vyrox = Vyrox::start(&[])?;
    let echo = Baseline::Echo.start(None)?;
    line(&format!("spine tenants: adding {most}"));
    let mut alerts = Alerts::new(vyrox.add_tenants(most)?);
    // Each tenant's first alert makes its actors and its files; that is nobody's window.
    let mut window = |tenants, connections, count| {
        let prepared = alerts.prepare_for(tenants, count);
        let load = Load {
            connections,
            requests: &prepared,
            repeat: false,
            longest: LONGEST,
        };
        let window = window_of(vyrox.child(), &load, 202)?;
        vyrox.come_to_rest()?;
        let echo = baseline_window(&echo, &prepared, connections)?;
        anyhow::Ok(Turn {
            tenants,
            connections,
            vyrox: window,
            echo,
        })
    };
    window(most, CONNECTIONS[0], most)?;
    vyrox.learn_idle()?;
    let mut turns = Vec::new();
    for round in 1..=rounds {
        line(&format!("spine tenants: round {round} of {rounds}"));
        for connections in CONNECTIONS {
            for tenants in &senders {
                turns.push(window(*tenants, connections, count)?);
            }
        }
    }
    line("");
    line(&format!(
        "{} cores, shared by server and load; {rounds} rounds; {count} alerts a window; {most} tenants, of \
         which so many send",
        cores()
    ));
    for connections in CONNECTIONS {
        table(&turns, connections, &senders);
    }
    Ok(())
}

fn table(turns: &[Turn], connections: usize, senders: &[usize]) {
    head(&format!("durable 202s, {connections} connections"));
    let of = |tenants: usize| {
        let ours = move |it: &&Turn| it.tenants == tenants && it.connections == connections;
        turns.iter().filter(ours)
    };
    let show = |name: &str, digits, aim, figure: &dyn Fn(&Turn) -> f64| {
        for tenants in senders {
            let name = format!("{name}, {tenants} tenants");
            row(&name, digits, aim, of(*tenants).map(figure).collect());
        }
    };
    show("a second", 0, None, &|it| it.vyrox.ran.rate());
    show("bare echo, answers a second", 0, None, &|it| {
        it.echo.ran.rate()
    });
    let aim = (connections == 256).then_some("0.6 or more");
    show("as a multiple of echo", 3, aim, &|it| {
        it.vyrox.ran.rate() / it.echo.ran.rate()
    });
    for tenants in senders {
        let pairs = of(*tenants).zip(of(1));
        let by_one = pairs.map(|(it, one)| it.vyrox.ran.rate() / one.vyrox.ran.rate());
        let name = format!("by the rate of one tenant, {tenants} tenants");
        row(&name, 2, Some("0.8 or more"), by_one.collect());
    }
    show("half within, ms", 1, None, &|it| {
        ms(it.vyrox.ran.latency(50))
    });
    show("99 % within, ms", 1, None, &|it| {
        ms(it.vyrox.ran.latency(99))
    });
    let others = turns.iter().filter(|it| it.connections == connections);
    let others: u64 = others
        .map(|it| it.vyrox.ran.others + it.echo.ran.others)
        .sum();
    line(&format!("answers that were something else: {others}"));
}

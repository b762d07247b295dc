//! Verification of a chain's own file, beside two SHA-256 passes over it.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use vyrox_journal::verify_file;

use crate::{
    Outcome, Plan,
    appenders::Chains,
    cpu,
    entries::Kind,
    ground::Ground,
    raw,
    report::{head, mib, row},
};

const APPENDERS: usize = 256;
const STEP: usize = 4_096;

struct Verified {
    elapsed: Duration,
    cpu: Duration,
    two_passes: Duration,
}

/// Prints the table.
pub(crate) fn measure(plan: &Plan) -> Outcome<()> {
    let ground = Ground::open()?;
    let file = chain_file(&ground, plan.tail_bytes)?;
    let bytes = fs::read(&file)?;
    let entries = usize::try_from(verify_file(&file)?.entries)?;
    let line = bytes.len() / entries.max(1);
    let mut rounds = Vec::new();
    for round in 0..=plan.rounds {
        let verified = verify(&file, &bytes, line)?;
        // The first round warms up.
        rounds.extend((round > 0).then_some(verified));
    }
    let size = mib(u64::try_from(bytes.len())?);
    head(&format!("verify, {size:.1} MiB with {entries} entries"));
    let show = |name, digits, aim, figure: &dyn Fn(&Verified) -> f64| {
        row(name, digits, rounds.iter().map(figure).collect(), aim);
    };
    let speed = |time: Duration| size / time.as_secs_f64();
    show("MiB a second", 0, "", &|it| speed(it.elapsed));
    show("two SHA-256 of each line, MiB a second", 0, "", &|it| {
        speed(it.two_passes)
    });
    show("as a multiple of that", 2, "0.5 or more", &|it| {
        it.two_passes.as_secs_f64() / it.elapsed.as_secs_f64()
    });
    show("the same by CPU instead of time", 2, "", &|it| {
        it.two_passes.as_secs_f64() / it.cpu.as_secs_f64()
    });
    Ok(())
}

/// The file of a chain that is at least so long.
fn chain_file(ground: &Ground, bytes: u64) -> Outcome<PathBuf> {
    let mut chains = Chains::open(&ground.journal, 1)?;
    let file = ground.path().join("tenants").join("tenant-00000.jsonl");
    loop {
        chains.run(&ground.journal, Kind::Line.drafts(STEP), APPENDERS)?;
        ground.flush("tenant-00000")?;
        if fs::metadata(&file)?.len() >= bytes {
            ground.complete()?;
            return Ok(file);
        }
    }
}

fn verify(file: &Path, bytes: &[u8], line: usize) -> Outcome<Verified> {
    let two_passes = raw::hashing(bytes, line, 2)?;
    let before = cpu::of_this_process()?;
    let began = Instant::now();
    let report = verify_file(file)?;
    let elapsed = began.elapsed();
    let after = cpu::of_this_process()?;
    if !report.ok {
        return Err(format!("the chain does not verify: {report:?}").into());
    }
    Ok(Verified {
        elapsed,
        cpu: after.saturating_sub(before),
        two_passes,
    })
}

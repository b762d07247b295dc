//! `vyrox restore`: from a backup to an empty data directory.

use std::{io, ops::ControlFlow, path::PathBuf};

use clap::Args;
use serde_json::{Value, json};
use vyrox_actors::journal::backup::{Manifest, Progress, RestoreError, Restored, restore};

use super::{
    backup::{Faults, bytes_bar},
    failure::Failure,
    model::view,
    out::{Line, Out, Tone},
    settings::Settings,
};
use crate::app::stores::summary;

/// Chains whose ends are listed for people; programs get them all.
const LISTED: usize = 40;

const EXAMPLES: &str = "\
Examples:
  vyrox restore /backup/vyrox-20261122T031500000Z --data-dir /var/lib/vyrox

The data directory must be empty or not there yet. Chains and evidence are verified before anything
is written. No server is needed, and none may run there. What is left of a restore that was cut off is
no data directory: nothing starts on it. Delete it and restore again.";

/// Arguments of `restore`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RestoreArgs {
    /// The backup: a directory with a manifest.json
    #[arg(value_name = "BACKUP")]
    pub backup: PathBuf,
}

/// Verifies the backup and copies it.
pub fn run(args: &RestoreArgs, settings: &Settings, out: &mut Out) -> Result<(), Failure> {
    let (config, _) = settings.config(&[])?;
    let data_dir = &config.storage.data_dir;
    let bar = bytes_bar("read");
    let report = |progress: Progress| {
        bar.set_length(progress.bytes);
        bar.set_position(progress.bytes_done);
        ControlFlow::Continue(())
    };
    let restored = restore(&args.backup, data_dir, &report);
    bar.finish_and_clear();
    let restored = restored.map_err(|error| failure(&error))?;
    let shown = data_dir.display().to_string();
    if out.is_json() {
        return Ok(out.json(&as_json(&shown, &restored))?);
    }
    tell(&shown, &restored, out)
}

fn failure(error: &RestoreError) -> Failure {
    let said = error.to_string();
    match error {
        RestoreError::Differs { .. } | RestoreError::Chain { .. } | RestoreError::Parts(_) => {
            Failure::not_so(format!("the backup is not whole: {said}"))
                .hint("nothing was restored; take another backup, or another copy of this one")
        }
        // The manifest names a file that is not there.
        RestoreError::Source { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            Failure::not_so(format!("the backup is not whole: {said}"))
                .hint("nothing was restored; take another backup, or another copy of this one")
        }
        RestoreError::NoBackup { .. }
        | RestoreError::NotEmpty(_)
        | RestoreError::CutShort(_)
        | RestoreError::Source { .. }
        | RestoreError::Target { .. }
        | RestoreError::Stopped => Failure::unreachable(said),
    }
}

fn as_json(data_dir: &str, restored: &Restored) -> Value {
    let mut told = summary(data_dir, &restored.manifest);
    if let Some(members) = told.as_object_mut() {
        members.remove("name");
        members.insert("data_dir".to_owned(), data_dir.into());
        members.insert("heads".to_owned(), heads(&restored.manifest));
        members.insert("host_keys".to_owned(), json!(restored.host_keys));
    }
    told
}

fn heads(manifest: &Manifest) -> Value {
    let head = |copy: &vyrox_actors::journal::backup::ChainCopy| json!({ "seq": copy.seq, "hash": copy.hash });
    let heads = manifest.chains.iter();
    heads
        .map(|(chain, copy)| (chain.clone(), head(copy)))
        .collect()
}

fn tell(data_dir: &str, restored: &Restored, out: &mut Out) -> Result<(), Failure> {
    let manifest = &restored.manifest;
    out.line(Line::item("restored", data_dir))?;
    let taken = i64::try_from(manifest.taken_at_ms).unwrap_or(i64::MAX);
    let taken = jiff::Timestamp::from_millisecond(taken).unwrap_or(jiff::Timestamp::MAX);
    let chains = manifest.chains.len();
    out.line(Line::item(
        "from",
        format!("a backup of {taken}, {chains} chains"),
    ))?;
    out.gap()?;
    let row = |(chain, copy): (&String, &vyrox_actors::journal::backup::ChainCopy)| {
        let seq = copy.seq.to_string();
        vec![(Tone::Strong, chain.clone()), (Tone::Plain, seq)]
    };
    let rows: Vec<_> = manifest.chains.iter().take(LISTED).map(row).collect();
    out.table(&["CHAIN", "LAST SEQ"], &rows)?;
    if chains > LISTED {
        let more = chains - LISTED;
        out.line(format!("and {more} more; --json has them all"))?;
    }
    out.gap()?;
    let faults: Faults = view(&summary(data_dir, manifest));
    for fault in faults.lines() {
        out.line(Line::named("but").tone(Tone::Bad, fault))?;
    }
    for key in &restored.host_keys {
        let text =
            format!("the host key {key}, which no backup holds: put it where it was configured");
        out.line(Line::named("needs").tone(Tone::Warn, text))?;
    }
    if manifest.files.keys().any(|file| file.starts_with("proof/")) {
        let text =
            "the log's key, checkpoint.key, which no backup holds: put it where it was configured";
        out.line(Line::named("needs").tone(Tone::Warn, text))?;
    }
    let next = "the chains go on where the backup ends. What was acknowledged after it is not in it: \
                compare receipts or mirrors with the numbers above";
    Ok(out.line(Line::item("next", next))?)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{failure::Exit, out::tests::Paper},
        *,
    };

    fn restored(chains: usize) -> Restored {
        let copy = json!({"seq": 7, "hash": "0".repeat(64), "first_bad_seq": null, "evidence_whole": true});
        let chains: serde_json::Map<String, Value> = (0..chains)
            .map(|n| (format!("t{n:02}"), copy.clone()))
            .collect();
        let manifest = json!({
            "format": "vyrox-backup", "version": 1, "program": "vyrox 1", "taken_at_ms": 1_700_000_000_000_u64,
            "chains": chains, "left_out": {"t00": 8}, "held": {},
            "files": {"proof/proof.redb": {"bytes": 1, "sha256": "0".repeat(64)}},
        });
        Restored {
            manifest: serde_json::from_value(manifest).unwrap(),
            host_keys: vec!["k1".to_owned()],
        }
    }

    #[test]
    fn it_says_where_chains_end_what_is_needed_and_what_is_missing() {
        let paper = Paper::default();
        tell("/new", &restored(41), &mut paper.out(false)).unwrap();
        let text = paper.text();
        for expected in [
            "a backup of 2023-11-14T22:13:20Z, 41 chains",
            "t00    7",
            "and 1 more",
            "but       t00: entries from 8 on",
            "needs     the host key k1",
            "needs     the log's key",
        ] {
            assert!(text.contains(expected), "{expected} in:\n{text}");
        }
        let told = as_json("/new", &restored(2));
        assert_eq!(told["heads"]["t01"]["seq"], 7);
        assert_eq!(told["host_keys"], json!(["k1"]));
        assert_eq!(told["data_dir"], "/new");
    }

    #[test]
    fn a_backup_that_lies_is_another_thing_than_one_that_is_not_there() {
        let lies = RestoreError::Chain {
            chain: "acme".into(),
            seq: 3,
        };
        assert_eq!(failure(&lies).exit(), Exit::NotSo);
        let gone = |kind: io::ErrorKind| RestoreError::Source {
            path: "/backup/vault.redb".into(),
            source: kind.into(),
        };
        assert_eq!(failure(&gone(io::ErrorKind::NotFound)).exit(), Exit::NotSo);
        let denied = gone(io::ErrorKind::PermissionDenied);
        assert_eq!(failure(&denied).exit(), Exit::Unreachable);
        let full = RestoreError::NotEmpty("/new".into());
        assert_eq!(failure(&full).exit(), Exit::Unreachable);
    }
}

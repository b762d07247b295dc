//! `vyrox audit verify`: chains of the server, and files without one.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use vyrox_actors::journal::verify_file;

use super::{
    chain_name::ChainName,
    failure::{Exit, Failure},
    model::{Verification, view},
    out::{Line, Out, Tone},
    settings::Settings,
};

/// What to verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A file of entries on this machine.
    File(PathBuf),
    /// A chain of the server.
    Chain(ChainName),
}

impl Target {
    /// An existing file is that file; any other name is a tenant's, if it can be one.
    pub fn new(name: PathBuf) -> Result<Self, Failure> {
        if name.exists() && !name.is_dir() {
            return Ok(Self::File(name));
        }
        let chain = name.to_str().and_then(|name| name.parse().ok());
        chain.map(Self::Chain).ok_or_else(|| {
            Failure::unreachable(format!("there is no file {}", name.display()))
                .hint("name a file of audit entries, or a tenant of the server")
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Chain(chain) => write!(f, "{chain}"),
        }
    }
}

/// Verifies all targets and says of each how it is; the failure says only that one was not whole.
pub async fn run(targets: &[Target], settings: &Settings, out: &mut Out) -> Result<(), Failure> {
    let mut all_whole = true;
    for target in targets {
        let answer = match target {
            Target::File(path) => file(path)?,
            Target::Chain(chain) => {
                let query = [("tenant_id", chain.as_str())];
                settings.client()?.get(&["audit", "verify"], &query).await?
            }
        };
        let found: Verification = view(&answer);
        all_whole &= found.ok;
        if out.is_json() {
            out.json(&named(answer, target, targets.len() > 1))?;
        } else {
            show(&target.to_string(), &found, out)?;
        }
    }
    if all_whole {
        Ok(())
    } else {
        Err(Failure::said(Exit::NotSo))
    }
}

/// With several targets each answer has to say whose it is.
fn named(mut answer: Value, target: &Target, several: bool) -> Value {
    if let Some(members) = answer.as_object_mut().filter(|_| several) {
        members.insert("target".into(), target.to_string().into());
    }
    answer
}

/// What is said of a file in which there is no entry: that nothing is wrong in it shows nothing.
const EMPTY: &str = "empty";

/// Checks a file with nothing but the file. One without entries is not whole: a chain has at least
/// its first entry, and an export that came to nothing must not pass for one that was checked.
fn file(path: &Path) -> Result<Value, Failure> {
    let report = verify_file(path).map_err(|error| {
        Failure::unreachable(format!("cannot read {}: {error}", path.display()))
    })?;
    if report.ok && report.entries == 0 {
        return Ok(json!({
            "ok": false,
            "entries": 0,
            "head": null,
            "kind": EMPTY,
            "divergent_seq": 0,
            "expected_hash": null,
            "observed_hash": null,
        }));
    }
    Ok(report.to_json())
}

/// One chain's verdict in a line or four.
pub(super) fn show(name: &str, found: &Verification, out: &mut Out) -> Result<(), Failure> {
    if found.ok {
        let entries = found.entries.unwrap_or_default();
        out.line(
            Line::new()
                .tone(Tone::Good, "ok")
                .text(format!("        {name}: {entries} entries")),
        )?;
        if let Some(head) = &found.head {
            out.line(Line::item(
                "head",
                format!("seq {}  {}", head.seq, head.hash),
            ))?;
        }
        return Ok(());
    }
    let kind = found.kind.as_deref().unwrap_or("unknown");
    let place = match found.divergent_seq {
        _ if kind == EMPTY => "there is not one entry in it".to_owned(),
        Some(seq) => format!("first bad seq {seq}"),
        None => "no seq can be named".to_owned(),
    };
    out.line(
        Line::new()
            .tone(Tone::Bad, "NOT OK")
            .text(format!("    {name}: {place} ({kind})")),
    )?;
    for (label, hash) in [
        ("expected", &found.expected_hash),
        ("observed", &found.observed_hash),
    ] {
        if let Some(hash) = hash {
            out.line(Line::item(label, hash))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use vyrox_domain::digest::Digest;

    use super::{
        super::{Global, out::tests::Paper},
        *,
    };

    #[test]
    fn an_existing_file_goes_before_a_tenant_of_that_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("acme");
        assert!(Target::new(file.clone()).is_err());
        std::fs::write(&file, "").unwrap();
        assert_eq!(Target::new(file.clone()).unwrap(), Target::File(file));
        assert_eq!(
            Target::new("no-such-file-here".into()).unwrap(),
            Target::Chain("no-such-file-here".parse().unwrap())
        );
    }

    /// Three good entries, as any writer of the documented format would make them.
    fn chain() -> String {
        let mut previous = "0".repeat(64);
        let mut lines = String::new();
        for seq in 0..3 {
            let entry = json!({
                "actor": "system", "event": "alert.received", "event_version": 1, "payload": {},
                "previous_hash": previous, "seq": seq, "tenant_id": "acme",
                "timestamp": 1_768_473_000, "timestamp_ms": 1_768_473_000_000_u64,
            });
            let entry = entry.to_string();
            previous = Digest::of(format!("{previous}|{entry}").as_bytes()).to_hex();
            let hash = format!("\"hash\":\"{previous}\",\"payload\"");
            lines = format!("{lines}{}\n", entry.replacen("\"payload\"", &hash, 1));
        }
        lines
    }

    async fn verified(contents: &str, json: bool) -> (Option<Exit>, String) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("acme.jsonl");
        std::fs::write(&file, contents).unwrap();
        let paper = Paper::default();
        let targets = [Target::new(file).unwrap()];
        let ended = run(
            &targets,
            &Settings::new(Global::default()),
            &mut paper.out(json),
        )
        .await;
        (ended.err().map(|failure| failure.exit()), paper.text())
    }

    #[tokio::test]
    async fn a_whole_file_is_verified_without_a_server() {
        let (exit, text) = verified(&chain(), false).await;
        assert_eq!(exit, None, "{text}");
        assert!(text.contains("3 entries"), "{text}");
        let (_, json) = verified(&chain(), true).await;
        let found: Verification = serde_json::from_str(&json).unwrap();
        assert!(found.ok);
        assert_eq!(
            (found.entries, found.head.map(|head| head.seq)),
            (Some(3), Some(2))
        );
    }

    #[tokio::test]
    async fn a_changed_byte_is_found_and_its_seq_is_named() {
        let forged = chain().replacen(
            "\"seq\":1,\"tenant_id\":\"acme\",\"timestamp\":1768473000",
            "\"seq\":1,\"tenant_id\":\"acme\",\"timestamp\":1768473001",
            1,
        );
        let (exit, text) = verified(&forged, false).await;
        assert_eq!(exit, Some(Exit::NotSo));
        assert!(text.contains("first bad seq 1 (chain)"), "{text}");
        let (exit, json) = verified(&forged, true).await;
        assert_eq!(exit, Some(Exit::NotSo));
        assert!(json.contains("\"divergent_seq\":1"), "{json}");
    }

    #[tokio::test]
    async fn a_half_line_is_found() {
        let whole = chain();
        let (exit, text) = verified(whole.trim_end(), false).await;
        assert_eq!(exit, Some(Exit::NotSo));
        assert!(text.contains("first bad seq 2 (half_line)"), "{text}");
    }

    #[tokio::test]
    async fn an_empty_file_is_no_chain() {
        let (exit, text) = verified("", false).await;
        assert_eq!(exit, Some(Exit::NotSo));
        assert!(text.starts_with("NOT OK"), "{text}");
        assert!(
            text.ends_with(": there is not one entry in it (empty)\n"),
            "{text}"
        );
        let (exit, json) = verified("", true).await;
        assert_eq!(exit, Some(Exit::NotSo));
        let found: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(found["ok"], false);
        assert_eq!(found["kind"], "empty");
        assert_eq!(found["entries"], 0);
    }

    #[test]
    fn the_first_bad_seq_is_named_with_both_hashes() {
        let found = Verification {
            kind: Some("chain".into()),
            divergent_seq: Some(7),
            expected_hash: Some("aa".into()),
            observed_hash: Some("bb".into()),
            ..Verification::default()
        };
        let paper = Paper::default();
        show("acme", &found, &mut paper.out(false)).unwrap();
        let expected = "\
NOT OK    acme: first bad seq 7 (chain)
expected  aa
observed  bb
";
        assert_eq!(paper.text(), expected);
    }

    #[test]
    fn several_targets_are_told_apart() {
        let target = Target::Chain("acme".parse().unwrap());
        let answer = json!({"ok": true});
        assert_eq!(named(answer.clone(), &target, false), answer);
        assert_eq!(named(answer, &target, true)["target"], "acme");
    }
}

//! `vyrox tenant remove`: nothing is taken in for it any more, and nothing comes back.

use clap::Args;
use serde::Deserialize;
use serde_json::Value;
use vyrox_domain::ids::TenantId;

use crate::cli::{
    client::Client,
    failure::Failure,
    model::view,
    out::{Line, Out, Tone},
};

pub(super) const EXAMPLES: &str = "\
Its webhooks answer as those of nobody, its secrets and credentials leave the vault, its actors end. Its
chain stays, can be exported and verifies; the name is not given again. With --erase its evidence is
overwritten, and the key destroyed that every copy of it is sealed under. What a full disk keeps of that
is named, and tried again until it is done; the same command says how far it has come.

Examples:
  vyrox tenant remove acme --reason 'the contract ended' --yes
  vyrox tenant remove acme --reason 'the contract ended' --erase --yes";

/// Arguments of `tenant remove`.
#[derive(Debug, Args)]
pub struct RemoveArgs {
    /// The tenant
    #[arg(value_name = "ID")]
    pub tenant: TenantId,
    /// Why, 1 to 500 characters; it stands on the chains
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Erase all its evidence and destroy the key that it is sealed under
    #[arg(long)]
    pub erase: bool,
    /// Remove it although actions are under way or hold hosts, or although it gives no answer
    #[arg(long)]
    pub force: bool,
    /// Say that it is meant: nothing brings the tenant back
    #[arg(long)]
    pub yes: bool,
}

/// Does it.
pub(super) async fn run(client: &Client, args: &RemoveArgs, out: &mut Out) -> Result<(), Failure> {
    if !args.yes {
        return Err(Failure::usage(
            "nothing brings a removed tenant back; say --yes if it is meant",
        ));
    }
    let path = ["api", "v1", "tenants", args.tenant.as_str()];
    let mut query = vec![("reason", args.reason.as_str())];
    query.extend(args.erase.then_some(("erase", "true")));
    query.extend(args.force.then_some(("force", "true")));
    let answer: Value = client.delete_where(&path, &query).await?;
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    show(&view(&answer), out)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Removed {
    tenant_id: String,
    erased: bool,
    copies: Vec<String>,
    unfinished: Vec<String>,
}

fn show(removed: &Removed, out: &mut Out) -> Result<(), Failure> {
    out.line(Line::named("removed").tone(Tone::Good, &removed.tenant_id))?;
    let left = |what: &str| removed.unfinished.iter().any(|left| left == what);
    let evidence = if removed.erased && (left(SECRETS) || left(EVIDENCE)) {
        "is being erased"
    } else if removed.erased {
        "erased, and its key destroyed"
    } else {
        "kept, sealed; `--erase` erases it later as well"
    };
    out.line(Line::item("evidence", evidence))?;
    for copy in &removed.copies {
        out.line(Line::item("may hold a copy", copy))?;
    }
    let is_file = |what: &&String| !matches!(what.as_str(), SECRETS | EVIDENCE);
    if removed.unfinished.iter().any(|what| is_file(&what)) {
        let text = "not complete: the log has no room to go on without what it holds; try again when \
            there is some";
        out.line(Line::new().tone(Tone::Warn, text))?;
    }
    for file in removed.unfinished.iter().filter(is_file) {
        let text = format!("{file}  (never remove it by hand)");
        out.line(Line::item("holds a copy", text))?;
    }
    for (what, text) in LEFT {
        if left(what) {
            out.line(Line::new().tone(Tone::Warn, *text))?;
        }
    }
    Ok(())
}

const SECRETS: &str = "secrets";
const EVIDENCE: &str = "evidence";
/// What the server still has to do of a removal.
const LEFT: &[(&str, &str)] = &[
    (
        SECRETS,
        "not complete: its secrets lie in the vault still (is the disk full?); the server tries again until \
            they are gone",
    ),
    (
        EVIDENCE,
        "not complete: its evidence is not overwritten yet (is the disk full?); the server tries again until \
            it is",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{fake_server::FakeServer, out::tests::Paper};

    #[tokio::test]
    async fn what_is_left_is_said() {
        let answer =
            r#"{"tenant_id":"acme","erased":true,"unfinished":["secrets","evidence","seg-7"]}"#;
        let server = FakeServer::new(move |_| (202, answer.into()));
        let args = RemoveArgs {
            tenant: "acme".parse().unwrap(),
            reason: "it ended".into(),
            erase: true,
            force: false,
            yes: true,
        };
        let paper = Paper::default();
        run(&server.client(), &args, &mut paper.out(false))
            .await
            .unwrap();
        let text = paper.text();
        for says in [
            "removed",
            "lie in the vault still",
            "not overwritten yet",
            "seg-7  (never remove it by hand)",
        ] {
            assert!(text.contains(says), "{says}: {text}");
        }
        assert!(!text.contains("key destroyed"), "{text}");
    }

    #[tokio::test]
    async fn it_is_one_request_and_only_if_it_is_meant() {
        let server = FakeServer::new(|_| (200, "{}".into()));
        let client = server.client();
        for (flags, yes, line) in [
            ((false, false), false, None),
            ((false, false), true, Some("?reason=it+ended")),
            ((true, false), true, Some("?reason=it+ended&erase=true")),
            (
                (true, true),
                true,
                Some("?reason=it+ended&erase=true&force=true"),
            ),
        ] {
            let args = RemoveArgs {
                tenant: "acme".parse().unwrap(),
                reason: "it ended".into(),
                erase: flags.0,
                force: flags.1,
                yes,
            };
            let paper = Paper::default();
            let done = run(&client, &args, &mut paper.out(false)).await;
            assert_eq!(done.is_ok(), yes);
            let sent = server.asked().pop().filter(|_| yes).map(|asked| asked.line);
            let expected = line.map(|rest| format!("DELETE /api/v1/tenants/acme{rest}"));
            assert_eq!(sent, expected);
        }
    }
}

//! `vyrox token`: the tokens that people decide with. `vyrox person token` makes one.

use clap::Subcommand;
use serde::Deserialize;
use serde_json::Value;
use vyrox_domain::time::Timestamp;

use super::{
    client::Client,
    failure::Failure,
    model::view,
    out::{Line, Out, Tone},
    settings::Settings,
};

/// What can be done about tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// List the tokens that count, never their text
    List,
    /// Let one count no longer
    #[command(after_help = REVOKE_HELP)]
    Revoke {
        /// What it is called, as `list` shows it
        #[arg(value_name = "TOKEN_ID")]
        token_id: String,
    },
}

const REVOKE_HELP: &str = "\
It is refused from the next request on. To take everything from a person: vyrox person remove ID

Example:
  vyrox token revoke tok_0f3c5a7e9b1d2f4a6c8e0b2d4f6a8c0e";

/// A token.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Token {
    #[serde(rename = "token_id")]
    id: String,
    person_id: String,
    expires_at_ms: u64,
    scopes: Vec<String>,
}

/// Does what was asked.
pub async fn run(command: TokenCommand, settings: &Settings, out: &mut Out) -> Result<(), Failure> {
    let client = settings.client()?;
    match command {
        TokenCommand::List => list(&client, out).await,
        TokenCommand::Revoke { token_id } => revoke(&client, &token_id, out).await,
    }
}

async fn list(client: &Client, out: &mut Out) -> Result<(), Failure> {
    let answer: Value = client.get(&["api", "v1", "tokens"], &[]).await?;
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    let tokens: Vec<Token> = answer.get("tokens").map(view).unwrap_or_default();
    if tokens.is_empty() {
        return Ok(out.line("no tokens count now; make one with `vyrox person token ID`")?);
    }
    let row = |token: &Token| {
        let until = Timestamp::from_ms(token.expires_at_ms).to_string();
        vec![
            (Tone::Strong, token.id.clone()),
            (Tone::Plain, token.person_id.clone()),
            (Tone::Plain, token.scopes.join(" ")),
            (Tone::Plain, until),
        ]
    };
    let rows: Vec<_> = tokens.iter().map(row).collect();
    Ok(out.table(&["TOKEN", "PERSON", "MAY", "UNTIL"], &rows)?)
}

async fn revoke(client: &Client, token_id: &str, out: &mut Out) -> Result<(), Failure> {
    let answer: Value = client.delete(&["api", "v1", "tokens", token_id]).await?;
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    Ok(out.line(Line::named("revoked").tone(Tone::Strong, token_id))?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::{fake_server::FakeServer, out::tests::Paper},
        *,
    };

    #[tokio::test]
    async fn tokens_are_listed_and_revoked() {
        let answer = json!({"tokens": [{
            "token_id": "tok_1", "person_id": "alice", "scopes": ["approve"],
            "issued_at_ms": 1, "expires_at_ms": 1_768_473_000_000_u64,
        }]});
        let server = FakeServer::new(move |_| (200, answer.to_string()));
        let paper = Paper::default();
        let (client, mut out) = (server.client(), paper.out(false));
        list(&client, &mut out).await.unwrap();
        revoke(&client, "tok_1", &mut out).await.unwrap();
        let expected = "\
TOKEN  PERSON  MAY      UNTIL
tok_1  alice   approve  2026-01-15T10:30:00.000Z
revoked   tok_1
";
        assert_eq!(paper.text(), expected);
        let last = server.asked().pop().unwrap();
        assert_eq!(last.line, "DELETE /api/v1/tokens/tok_1");
    }
}

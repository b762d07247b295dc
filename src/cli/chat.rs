//! `vyrox chat`: what the host speaks in chat with.

use clap::Subcommand;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::{
    client::Client,
    failure::Failure,
    out::{Line, Out, Tone},
    settings::Settings,
    tenant::spec::secret_from_stdin,
};

/// What can be done about chat.
#[derive(Debug, Subcommand)]
pub enum ChatCommand {
    /// Seal the Discord bot's token, read from standard input, in place of the one before
    #[command(after_help = SET_TOKEN_HELP)]
    SetToken,
}

const SET_TOKEN_HELP: &str = "\
The token is sealed in the vault and never shown again. It goes before DISCORD_BOT_TOKEN in the
server's environment. It is never an argument, as other users can see those.

Examples:
  vyrox chat set-token < bot.token
  systemd-ask-password 'Bot token:' | vyrox chat set-token";

/// Does what was asked.
pub async fn run(command: ChatCommand, settings: &Settings, out: &mut Out) -> Result<(), Failure> {
    let client = settings.client()?;
    match command {
        ChatCommand::SetToken => {
            let Some(token) = secret_from_stdin(true)? else {
                return Err(Failure::usage("standard input holds no token"));
            };
            set_token(&client, &token, out).await
        }
    }
}

async fn set_token(client: &Client, token: &SecretString, out: &mut Out) -> Result<(), Failure> {
    let path = ["api", "v1", "chat", "discord", "bot-token"];
    let request = json!({ "token": token.expose_secret() });
    let answer: Value = client.put(&path, &request).await?;
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    let version = answer.get("secret_version").and_then(Value::as_u64);
    let version = version.unwrap_or_default();
    let line = Line::named("sealed").tone(Tone::Strong, "discord/bot_token");
    Ok(out.line(line.text(format!("  version {version}")))?)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{fake_server::FakeServer, out::tests::Paper},
        *,
    };

    #[tokio::test]
    async fn the_token_is_sent_and_not_shown() {
        let answer = json!({"name": "discord/bot_token", "secret_version": 2});
        let server = FakeServer::new(move |_| (200, answer.to_string()));
        let paper = Paper::default();
        let token = SecretString::from("s3cret");
        set_token(&server.client(), &token, &mut paper.out(false))
            .await
            .unwrap();
        assert_eq!(paper.text(), "sealed    discord/bot_token  version 2\n");
        let asked = server.asked().pop().unwrap();
        assert_eq!(asked.line, "PUT /api/v1/chat/discord/bot-token");
        let body: Value = serde_json::from_slice(&asked.body).unwrap();
        assert_eq!(body, json!({ "token": "s3cret" }));
    }
}

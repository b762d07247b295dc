//! What a request is answered, and what it changes.

use serde_json::{Value, json};

use super::{
    APPLICATION, Answered, Message, State,
    http::{self, Reply, Request},
};
use crate::{
    discord::limits::{Call, command_faults, faults},
    server::now,
};

impl State {
    pub(super) fn answer(&mut self, request: &Request) -> Reply {
        let Some(path) = request.path.strip_prefix("/api/v10/") else {
            return Reply::error(404, 0, "no such version of the API");
        };
        let path: Vec<_> = path.split('/').collect();
        let method = request.method.as_str();
        if let Some(reply) = form_fault(request) {
            return reply;
        }
        if let ("PATCH" | "POST", ["webhooks", APPLICATION, token, below @ ..]) =
            (method, path.as_slice())
        {
            let first = method == "PATCH" && below == ["messages", "@original"];
            let further = method == "POST" && below.is_empty();
            if first || further {
                return self.interaction(request, token);
            }
            return Reply::error(404, 0, "404: Not Found");
        }
        let expected = format!("Bot {}", self.token);
        if request.header("authorization") != Some(expected.as_str()) {
            return Reply::error(401, 0, "401: Unauthorized");
        }
        let place = path.get(1).copied().unwrap_or_default();
        let bucket = format!("{method} {} {place}", path.len());
        let counted = match self.counting.count(&bucket, self.rules, now()) {
            Ok(headers) => headers,
            Err(reply) => return reply,
        };
        let reply = match (method, path.as_slice()) {
            ("GET", ["applications", "@me"]) => {
                Reply::json(200, &json!({"id": APPLICATION, "name": "Vyrox"}))
            }
            ("PUT", ["applications", APPLICATION, "guilds", guild, "commands"]) => {
                self.set_commands(guild, request)
            }
            ("PUT", ["applications", APPLICATION, "commands"]) => self.set_commands("", request),
            ("POST", ["channels", channel, "messages"]) => self.create(channel, request),
            ("PATCH", ["channels", channel, "messages", id]) => self.edit(channel, id, request),
            _ => Reply::error(404, 0, "404: Not Found"),
        };
        reply.with(counted)
    }

    fn create(&mut self, channel: &str, request: &Request) -> Reply {
        let body = match self.message(channel, request, Call::Create) {
            Ok(body) => body,
            Err(reply) => return reply,
        };
        let nonce = body["nonce"]
            .as_str()
            .map(|nonce| format!("{channel}/{nonce}"));
        let nonce = nonce.filter(|_| body["enforce_nonce"] == true);
        let known = nonce
            .as_ref()
            .and_then(|nonce| self.nonces.get(nonce))
            .cloned();
        let id = known.unwrap_or_else(|| {
            self.next_id += 1;
            let id = self.next_id.to_string();
            self.messages.push(Message {
                id: id.clone(),
                channel: channel.into(),
                body,
                before: Vec::new(),
            });
            id
        });
        if let Some(nonce) = nonce {
            self.nonces.insert(nonce, id.clone());
        }
        Reply::json(200, &json!({"id": id, "channel_id": channel, "type": 0}))
    }

    fn edit(&mut self, channel: &str, id: &str, request: &Request) -> Reply {
        let body = match self.message(channel, request, Call::Edit) {
            Ok(body) => body,
            Err(reply) => return reply,
        };
        let is = |message: &&mut Message| message.id == id && message.channel == channel;
        match self.messages.iter_mut().find(is) {
            Some(message) => {
                let before = std::mem::replace(&mut message.body, body);
                message.before.push(before);
                Reply::json(200, &json!({"id": id, "channel_id": channel}))
            }
            None => Reply::error(404, 10008, "Unknown Message"),
        }
    }

    fn message(&self, channel: &str, request: &Request, call: Call) -> Result<Value, Reply> {
        match self.closed.get(channel) {
            Some(10003) => return Err(Reply::error(404, 10003, "Unknown Channel")),
            Some(50013) => return Err(Reply::error(403, 50013, "Missing Permissions")),
            Some(code) => return Err(Reply::error(403, *code, "Missing Access")),
            None => {}
        }
        if request.header("content-type") != Some("application/json") {
            return Err(Reply::error(415, 0, "the type of the body"));
        }
        checked(&request.body, call)
    }

    fn set_commands(&mut self, guild: &str, request: &Request) -> Reply {
        let commands: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let faults = command_faults(&commands);
        if !faults.is_empty() {
            return Reply::form(&faults);
        }
        self.commands.insert(guild.into(), commands.clone());
        Reply::json(200, &commands)
    }

    fn interaction(&mut self, request: &Request, token: &str) -> Reply {
        if request.header("authorization").is_some() {
            return Reply::error(400, 0, "the bot's token does not belong here");
        }
        let Some((body, file)) = http::parts(request) else {
            return Reply::error(400, 50109, "The request body contains invalid JSON.");
        };
        match checked(&body, Call::Answer) {
            Ok(body) => {
                let token = token.to_owned();
                let method = request.method.clone();
                self.answers.push(Answered {
                    token,
                    method,
                    body,
                    file,
                });
                Reply::json(200, &json!({"id": "1"}))
            }
            Err(reply) => reply,
        }
    }
}

/// What is wrong with a request before it is looked at who asks.
fn form_fault(request: &Request) -> Option<Reply> {
    let agent = request.header("user-agent").unwrap_or_default();
    let named = agent
        .strip_prefix("DiscordBot (http")
        .and_then(|rest| rest.strip_suffix(')'))
        .is_some_and(|rest| rest.contains(", "));
    if !named {
        // Discord's gatekeeper answers this one, with a page and without a code.
        return Some(Reply::page(403));
    }
    let ids = request
        .path
        .split('/')
        .filter(|part| part.starts_with(|c: char| c.is_ascii_digit()));
    let wrong = ids.clone().any(|id| {
        id.len() > 20
            || !id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b))
    });
    wrong.then(|| Reply::error(400, 50035, "not a snowflake"))
}

fn checked(body: &[u8], call: Call) -> Result<Value, Reply> {
    let body: Value = serde_json::from_slice(body)
        .map_err(|_broken| Reply::error(400, 50109, "The request body contains invalid JSON."))?;
    let faults = faults(&body, call);
    if faults.is_empty() {
        Ok(body)
    } else {
        Err(Reply::form(&faults))
    }
}

//! `vyrox person`: who there is, and what each may decide where.

use std::{io::Write as _, str::FromStr};

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};
use vyrox_domain::{
    ids::{PersonId, TenantId},
    person::Role,
    time::Timestamp,
};

use super::{
    client::Client,
    failure::Failure,
    model::view,
    out::{Line, Out, Tone},
    settings::Settings,
};

/// What can be done about people.
#[derive(Debug, Subcommand)]
pub enum PersonCommand {
    /// Add a person, and say at once what it may decide
    #[command(after_help = ADD_HELP)]
    Add(AddArgs),
    /// List all people with their roles and accounts
    List,
    /// Say what a person is to one tenant, in place of what it was
    #[command(after_help = GRANT_HELP)]
    Grant(GrantArgs),
    /// Let an account stand for a person
    #[command(after_help = LINK_HELP)]
    Link(LinkArgs),
    /// Let it stand for the person no longer
    Unlink(LinkArgs),
    /// Remove a person, with all accounts, roles and tokens
    Remove {
        /// The person
        #[arg(value_name = "ID")]
        person: PersonId,
    },
    /// Make a token that a person approves with, and print it, this once
    #[command(after_help = TOKEN_HELP)]
    Token(TokenArgs),
}

const ADD_HELP: &str = "\
A person is one person by all of its accounts and tokens: four eyes are two people, not two accounts.
Roles: analyst (looks into incidents, turns proposals down), approver (approves), emergency_approver
(does without the second person, with an incident and a reason).

Examples:
  vyrox person add alice
  vyrox person add alice --tenant acme --role approver
  vyrox person add bob --tenant acme --tenant globex --role analyst --role approver";

const GRANT_HELP: &str = "\
Examples:
  vyrox person grant alice --tenant acme --role approver --role emergency_approver
  vyrox person grant alice --tenant acme --none              nothing any more, there";

const LINK_HELP: &str = "\
The number of a Discord account: turn on its developer mode, then \"Copy User ID\".
An account stands for one person.

Example:
  vyrox person link alice --discord 80351110224678912";

const TOKEN_HELP: &str = "\
Give it to that person alone. It approves, reads the alerts of that person's tenants, and does nothing
else; it counts for 24 hours at most. Only its digest is kept. Standard output has the token and
nothing else; what it is called and when it ends goes to standard error.

Examples:
  vyrox person token alice
  VYROX_TOKEN=$(vyrox person token alice --ttl 30m) vyrox alert list --tenant acme";

/// Arguments of `person add`.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// 2 to 64 characters of a-z, 0-9, '.', '-' and '_'
    #[arg(value_name = "ID")]
    pub person: PersonId,
    /// A tenant that it is something to; may be repeated
    #[arg(long = "tenant", value_name = "ID", requires = "roles")]
    pub tenants: Vec<TenantId>,
    /// What it is to each of them; may be repeated
    #[arg(long = "role", value_name = "ROLE", requires = "tenants")]
    pub roles: Vec<Role>,
}

/// Arguments of `person grant`.
#[derive(Debug, Args)]
pub struct GrantArgs {
    /// The person
    #[arg(value_name = "ID")]
    pub person: PersonId,
    /// The tenant
    #[arg(long, value_name = "ID")]
    pub tenant: TenantId,
    /// `analyst`, `approver` or `emergency_approver`; may be repeated
    #[arg(long = "role", value_name = "ROLE", required_unless_present = "none")]
    pub roles: Vec<Role>,
    /// Nothing any more
    #[arg(long, conflicts_with = "roles")]
    pub none: bool,
}

/// Arguments of `person link` and `person unlink`.
#[derive(Debug, Args)]
pub struct LinkArgs {
    /// The person
    #[arg(value_name = "ID")]
    pub person: PersonId,
    /// The number of a Discord account
    #[arg(long, value_name = "USER_ID")]
    pub discord: String,
}

/// Arguments of `person token`.
#[derive(Debug, Args)]
pub struct TokenArgs {
    /// The person
    #[arg(value_name = "ID")]
    pub person: PersonId,
    /// How long it counts: seconds, or a number with s, m or h; 24h at most
    #[arg(long, default_value = "8h")]
    pub ttl: Ttl,
}

/// A length of time as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ttl {
    /// In seconds.
    pub seconds: u64,
}

/// A text that is no length of time.
#[derive(Debug, thiserror::Error)]
#[error("a length of time is a number of seconds, or a number with s, m or h")]
pub struct InvalidTtl;

impl FromStr for Ttl {
    type Err = InvalidTtl;

    fn from_str(text: &str) -> Result<Self, InvalidTtl> {
        let (number, unit) = match text.strip_suffix(['s', 'm', 'h']) {
            Some(number) if text.ends_with('h') => (number, 3600),
            Some(number) if text.ends_with('m') => (number, 60),
            Some(number) => (number, 1),
            None => (text, 1),
        };
        let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let number: Option<u64> = number.parse().ok().filter(|_| plain);
        let seconds = number.and_then(|number| number.checked_mul(unit));
        seconds.map(|seconds| Self { seconds }).ok_or(InvalidTtl)
    }
}

/// A person.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Person {
    #[serde(rename = "person_id")]
    id: String,
    added_at_ms: u64,
    roles: std::collections::BTreeMap<String, Vec<String>>,
    links: Vec<Link>,
}

/// An account that stands for one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Link {
    provider: String,
    account_id: String,
}

/// Does what was asked.
pub async fn run(
    command: PersonCommand,
    settings: &Settings,
    out: &mut Out,
) -> Result<(), Failure> {
    let client = settings.client()?;
    match command {
        PersonCommand::Add(args) => add(&client, args, out).await,
        PersonCommand::List => list(&client, out).await,
        PersonCommand::Grant(args) => grant(&client, args, out).await,
        PersonCommand::Link(args) => link(&client, args, out).await,
        PersonCommand::Unlink(args) => unlink(&client, args, out).await,
        PersonCommand::Remove { person } => remove(&client, &person, out).await,
        PersonCommand::Token(args) => token(&client, args, out).await,
    }
}

const PEOPLE: [&str; 3] = ["api", "v1", "people"];

async fn add(client: &Client, args: AddArgs, out: &mut Out) -> Result<(), Failure> {
    let request = json!({ "person_id": args.person });
    let mut answer: Value = client.post(&PEOPLE, &request).await?;
    for tenant in &args.tenants {
        answer = put_roles(client, &args.person, tenant, &args.roles).await?;
    }
    show(&answer, out)
}

async fn grant(client: &Client, args: GrantArgs, out: &mut Out) -> Result<(), Failure> {
    let answer = put_roles(client, &args.person, &args.tenant, &args.roles).await?;
    show(&answer, out)
}

async fn put_roles(
    client: &Client,
    person: &PersonId,
    tenant: &TenantId,
    roles: &[Role],
) -> Result<Value, Failure> {
    let [api, v1, people] = PEOPLE;
    let path = [api, v1, people, person.as_str(), "roles", tenant.as_str()];
    client.put(&path, &json!({ "roles": roles })).await
}

async fn link(client: &Client, args: LinkArgs, out: &mut Out) -> Result<(), Failure> {
    let [api, v1, people] = PEOPLE;
    let path = [api, v1, people, args.person.as_str(), "links"];
    let request = json!({ "provider": "discord", "account_id": args.discord });
    let answer: Value = client.post(&path, &request).await?;
    show(&answer, out)
}

async fn unlink(client: &Client, args: LinkArgs, out: &mut Out) -> Result<(), Failure> {
    let [api, v1, people] = PEOPLE;
    let (person, account) = (args.person.as_str(), args.discord.as_str());
    let path = [api, v1, people, person, "links", "discord", account];
    let answer: Value = client.delete(&path).await?;
    show(&answer, out)
}

async fn remove(client: &Client, person: &PersonId, out: &mut Out) -> Result<(), Failure> {
    let [api, v1, people] = PEOPLE;
    let answer: Value = client.delete(&[api, v1, people, person.as_str()]).await?;
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    Ok(out.line(Line::named("removed").tone(Tone::Strong, person))?)
}

async fn token(client: &Client, args: TokenArgs, out: &mut Out) -> Result<(), Failure> {
    let [api, v1, people] = PEOPLE;
    let path = [api, v1, people, args.person.as_str(), "tokens"];
    let request = json!({ "ttl_s": args.ttl.seconds });
    let answer: Value = client.post(&path, &request).await?;
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    let (Some(token), Some(id)) = (text("token"), text("token_id")) else {
        return Err(Failure::unreachable("the answer holds no token"));
    };
    out.line(token)?;
    let until = answer.get("expires_at_ms").and_then(Value::as_u64);
    let until = Timestamp::from_ms(until.unwrap_or_default());
    let note = format!(
        "{id} of {} counts until {until}; it is shown this once\n",
        args.person
    );
    // Who reads the token from a pipe need not read this.
    std::io::stderr().lock().write_all(note.as_bytes()).ok();
    Ok(())
}

async fn list(client: &Client, out: &mut Out) -> Result<(), Failure> {
    let answer: Value = client.get(&PEOPLE, &[]).await?;
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    let people: Vec<Person> = answer.get("people").map(view).unwrap_or_default();
    if people.is_empty() {
        return Ok(out.line("nobody yet; add a person with `vyrox person add ID`")?);
    }
    let row = |person: &Person| {
        vec![
            (Tone::Strong, person.id.clone()),
            (Tone::Plain, roles_of(person).join(" ")),
            (Tone::Plain, links_of(person).join(" ")),
        ]
    };
    let rows: Vec<_> = people.iter().map(row).collect();
    Ok(out.table(&["PERSON", "ROLES", "ACCOUNTS"], &rows)?)
}

fn show(answer: &Value, out: &mut Out) -> Result<(), Failure> {
    if out.is_json() {
        return Ok(out.json(answer)?);
    }
    let person: Person = view(answer);
    out.line(Line::named("person").tone(Tone::Strong, &person.id))?;
    out.line(Line::item("since", Timestamp::from_ms(person.added_at_ms)))?;
    for roles in roles_of(&person) {
        out.line(Line::item("roles", roles))?;
    }
    for link in links_of(&person) {
        out.line(Line::item("account", link))?;
    }
    Ok(())
}

fn roles_of(person: &Person) -> Vec<String> {
    let roles = person.roles.iter();
    roles
        .map(|(tenant, roles)| format!("{tenant}:{}", roles.join(",")))
        .collect()
}

fn links_of(person: &Person) -> Vec<String> {
    let links = person.links.iter();
    links
        .map(|link| format!("{}:{}", link.provider, link.account_id))
        .collect()
}

#[cfg(test)]
mod tests;

//! Reading an interaction: strict about every member that is used, blind to all others.

use super::{Button, Caller, Command, Form, Interaction, Order, VerifiedInteraction};
use crate::{
    json::{Limits, Value},
    webhook::Secret,
};

/// The longest body that is read, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

const LIMITS: Limits = Limits {
    bytes: MAX_BODY_BYTES,
    depth: 32,
    values: 16 * 1024,
};

/// The only command that we register.
const COMMAND: &str = "vyrox";

const CUSTOM_ID_CHARS: usize = 100;
const FIELD_CHARS: usize = 4000;
const OPTION_CHARS: usize = 6000;
const SCENARIO_CHARS: usize = 100;
const TOKEN_CHARS: usize = 1024;

/// Twice as many as a guild can have.
const ROLES_MAX: usize = 512;

/// Decimal digits of a 64-bit number.
const SNOWFLAKE_DIGITS: usize = 20;

/// Why an authentic interaction is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It was meant for another application than ours.
    #[error("signed for another application")]
    AnotherApplication,
    /// A member that is needed is missing or malformed; its name.
    #[error("{0} is missing or malformed")]
    Malformed(&'static str),
}

/// Reads what somebody did. `own` is our application's id, where it is known.
///
/// # Errors
/// What is no interaction of the documented shape, and what names another application. A ping need not
/// name any.
pub fn parse(
    verified: &VerifiedInteraction<'_>,
    own: Option<&str>,
) -> Result<Interaction, Refusal> {
    let body =
        Value::read(verified.body, LIMITS).map_err(|_json| Refusal::Malformed("the body"))?;
    let Some(Value::Number(kind)) = body.get("type") else {
        return Err(Refusal::Malformed("type"));
    };
    let named = body.get("application_id").is_some();
    let foreign = own.is_some_and(|own| {
        text_of(&body, "application_id", SNOWFLAKE_DIGITS).as_deref() != Some(own)
    });
    if foreign && (named || *kind != "1") {
        return Err(Refusal::AnotherApplication);
    }
    match *kind {
        "1" => Ok(Interaction::Ping),
        "2" | "3" | "5" if is_absent(body.get("guild_id")) => Ok(Interaction::Direct),
        "2" => command(&body),
        "3" => button(&body),
        "5" => form(&body),
        _ => Ok(Interaction::Unknown),
    }
}

fn command(body: &Value<'_>) -> Result<Interaction, Refusal> {
    let by = caller(body)?;
    let data = body.get("data").ok_or(Refusal::Malformed("data"))?;
    let is_ours = is_number(data.get("type"), "1") && is_text(data.get("name"), COMMAND);
    let Some(sub) = items(data.get("options")).first().filter(|_| is_ours) else {
        return Ok(Interaction::Unknown);
    };
    Ok(order(sub)?.map_or(Interaction::Unknown, |order| {
        Interaction::Command(Command { by, order })
    }))
}

/// The command that a sub-command names; `None` for one that we never registered.
fn order(sub: &Value<'_>) -> Result<Option<Order>, Refusal> {
    let name = text_of(sub, "name", SCENARIO_CHARS).filter(|_| is_number(sub.get("type"), "1"));
    let options = items(sub.get("options"));
    Ok(match name.as_deref() {
        Some("register") => Some(Order::Register {
            code: option(options, "code", OPTION_CHARS)
                .map(|code| Secret::new(code.into_bytes()))
                .ok_or(Refusal::Malformed("code"))?,
            admin_role: match named(options, "admin_role") {
                Some(role) => Some(snowflake(role, "value")?),
                None => None,
            },
        }),
        Some("status") => Some(Order::Status),
        Some("test-alert") => Some(Order::TestAlert {
            scenario: option(options, "scenario", SCENARIO_CHARS),
        }),
        Some("alerts") => Some(Order::Alerts),
        _ => None,
    })
}

fn button(body: &Value<'_>) -> Result<Interaction, Refusal> {
    let by = caller(body)?;
    let data = body.get("data").ok_or(Refusal::Malformed("data"))?;
    if !is_number(data.get("component_type"), "2") {
        return Ok(Interaction::Unknown);
    }
    let message = body.get("message").ok_or(Refusal::Malformed("message"))?;
    Ok(Interaction::Button(Button {
        by,
        message_id: snowflake(message, "id")?,
        custom_id: custom_id(data)?,
    }))
}

fn form(body: &Value<'_>) -> Result<Interaction, Refusal> {
    let by = caller(body)?;
    let data = body.get("data").ok_or(Refusal::Malformed("data"))?;
    let message = body
        .get("message")
        .filter(|message| !is_absent(Some(message)));
    let message_id = match message {
        Some(message) => Some(snowflake(message, "id")?),
        None => None,
    };
    let value = match items(data.get("components")).iter().find_map(field) {
        Some(field) => {
            Some(text_of(field, "value", FIELD_CHARS).ok_or(Refusal::Malformed("value"))?)
        }
        None => None,
    };
    Ok(Interaction::Form(Form {
        by,
        message_id,
        custom_id: custom_id(data)?,
        value,
    }))
}

/// The field in a label, as forms are built now, or the first of a row, as they were built before.
fn field<'v, 'a>(around: &'v Value<'a>) -> Option<&'v Value<'a>> {
    let labelled = around.get("component");
    let has_value = |field: &&'v Value<'a>| field.get("value").is_some();
    let in_row = || items(around.get("components")).iter().find(has_value);
    labelled.filter(has_value).or_else(in_row)
}

fn caller(body: &Value<'_>) -> Result<Caller, Refusal> {
    let member = body.get("member").ok_or(Refusal::Malformed("member"))?;
    let user = member
        .get("user")
        .ok_or(Refusal::Malformed("member.user"))?;
    let token = text_of(body, "token", TOKEN_CHARS)
        .filter(|token| !token.is_empty() && token.bytes().all(is_plain))
        .ok_or(Refusal::Malformed("token"))?;
    Ok(Caller {
        interaction_id: snowflake(body, "id")?,
        application_id: snowflake(body, "application_id")?,
        token: Secret::new(token.into_bytes()),
        guild_id: snowflake(body, "guild_id")?,
        channel_id: snowflake(body, "channel_id")?,
        user_id: snowflake(user, "id")?,
        roles: roles(member)?,
        permissions: permissions(member)?,
    })
}

/// Whether a byte may stand in one segment of a path, whatever stands beside it.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'=')
}

fn roles(member: &Value<'_>) -> Result<Vec<String>, Refusal> {
    let malformed = Refusal::Malformed("member.roles");
    let Some(Value::List(roles)) = member.get("roles") else {
        return Err(malformed);
    };
    if roles.len() > ROLES_MAX {
        return Err(malformed);
    }
    let ids = roles.iter().map(|role| plain_text(role, SNOWFLAKE_DIGITS));
    let ids = ids.map(|id| id.filter(|id| is_snowflake(id)));
    ids.collect::<Option<_>>().ok_or(malformed)
}

/// The bit set; without one the member may do nothing.
fn permissions(member: &Value<'_>) -> Result<u128, Refusal> {
    let Some(bits) = member.get("permissions") else {
        return Ok(0);
    };
    let digits = plain_text(bits, 39).filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    let bits = digits.and_then(|digits| digits.parse().ok());
    bits.ok_or(Refusal::Malformed("member.permissions"))
}

fn custom_id(data: &Value<'_>) -> Result<String, Refusal> {
    text_of(data, "custom_id", CUSTOM_ID_CHARS)
        .filter(|id| !id.is_empty())
        .ok_or(Refusal::Malformed("custom_id"))
}

fn snowflake(of: &Value<'_>, name: &'static str) -> Result<String, Refusal> {
    text_of(of, name, SNOWFLAKE_DIGITS)
        .filter(|id| is_snowflake(id))
        .ok_or(Refusal::Malformed(name))
}

fn is_snowflake(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit())
}

/// The text of an option; `None` where it was not given or is no text within its bound.
fn option(options: &[Value<'_>], name: &str, max_chars: usize) -> Option<String> {
    text_of(named(options, name)?, "value", max_chars)
}

fn named<'v, 'a>(options: &'v [Value<'a>], name: &str) -> Option<&'v Value<'a>> {
    options
        .iter()
        .find(|option| is_text(option.get("name"), name))
}

fn text_of(of: &Value<'_>, name: &str, max_chars: usize) -> Option<String> {
    plain_text(of.get(name)?, max_chars)
}

/// A text of at most `max_chars` characters, decoded.
fn plain_text(value: &Value<'_>, max_chars: usize) -> Option<String> {
    let Value::Text(text) = value else {
        return None;
    };
    let text = text.decoded();
    (text.chars().count() <= max_chars).then(|| text.into_owned())
}

fn items<'v, 'a>(list: Option<&'v Value<'a>>) -> &'v [Value<'a>] {
    match list {
        Some(Value::List(items)) => items,
        _ => &[],
    }
}

fn is_absent(value: Option<&Value<'_>>) -> bool {
    matches!(value, None | Some(Value::Null))
}

fn is_number(value: Option<&Value<'_>>, expected: &str) -> bool {
    matches!(value, Some(Value::Number(number)) if *number == expected)
}

fn is_text(value: Option<&Value<'_>>, expected: &str) -> bool {
    matches!(value, Some(Value::Text(text)) if text.is(expected))
}

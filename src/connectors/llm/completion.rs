//! The frame around an answer.

use serde::Deserialize;
use serde_json::Value;
use vyrox_actors::outbound::LlmError;

/// The text that a model wrote, out of a body that came with status 200.
///
/// # Errors
/// The body is an error, or no whole answer of one text: cut short, filtered, refused, a call of a tool
/// (none was offered), several answers, or of another shape.
pub(super) fn text_of(body: &[u8]) -> Result<String, LlmError> {
    let completion: Completion =
        serde_json::from_slice(body).map_err(|_invalid| unusable("it is no completion in JSON"))?;
    if is_there(completion.error.as_ref()) {
        return Err(error_of(200, body));
    }
    let mut choices = completion.choices.into_iter();
    let (Some(choice), None) = (choices.next(), choices.next()) else {
        return Err(unusable("it has not exactly one choice"));
    };
    if is_there(choice.error.as_ref()) {
        return Err(LlmError::Refused("200 with an error in its choice".into()));
    }
    match choice.finish_reason.as_deref() {
        Some("stop") => {}
        Some("length") => return Err(unusable("it is cut short")),
        Some("content_filter") => return Err(unusable("a filter took it away")),
        Some("tool_calls" | "function_call") => return Err(unusable("it calls a tool")),
        Some(_) | None => return Err(unusable("it did not come to its end")),
    }
    let message = choice.message;
    if message.refusal.is_some_and(|refusal| !refusal.is_empty()) {
        return Err(unusable("the model refuses"));
    }
    if is_there(message.tool_calls.as_ref()) || is_there(message.function_call.as_ref()) {
        return Err(unusable("it calls a tool"));
    }
    message.content.ok_or_else(|| unusable("it has no text"))
}

/// An error of the endpoint, by its status and, where it has one, its code.
pub(super) fn error_of(status: u16, body: &[u8]) -> LlmError {
    let code = serde_json::from_slice::<Completion>(body)
        .ok()
        .and_then(|completion| code_of(&completion.error?));
    LlmError::Refused(match code {
        Some(code) => format!("{status}, {code}"),
        None if status == 200 => "200 with an error".to_owned(),
        None => status.to_string(),
    })
}

#[derive(Deserialize)]
struct Completion {
    error: Option<Value>,
    #[serde(default)]
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    error: Option<Value>,
    finish_reason: Option<String>,
    #[serde(default)]
    message: Message,
}

#[derive(Default, Deserialize)]
struct Message {
    content: Option<String>,
    refusal: Option<String>,
    tool_calls: Option<Value>,
    function_call: Option<Value>,
}

/// The one code of an error that is worth a line in a log. Only codes that are known are repeated: any other
/// text of the endpoint could hold the key.
fn code_of(error: &Value) -> Option<String> {
    if let Some(number) = error.get("code").and_then(Value::as_u64) {
        return (number < 1_000).then(|| number.to_string());
    }
    let words = [error.get("code"), error.get("type")];
    let words = words.into_iter().flatten().filter_map(Value::as_str);
    words
        .filter_map(|word| KNOWN_CODES.iter().find(|known| **known == word))
        .map(|known| (*known).to_owned())
        .next()
}

const KNOWN_CODES: &[&str] = &[
    "authentication_error",
    "content_filter",
    "context_length_exceeded",
    "insufficient_quota",
    "invalid_api_key",
    "invalid_request_error",
    "model_not_found",
    "not_found_error",
    "overloaded_error",
    "permission_error",
    "rate_limit_error",
    "rate_limit_exceeded",
    "server_error",
];

/// `null`, `[]`, `{}` and `""` stand for "none" with one endpoint or another.
fn is_there(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(members)) => !members.is_empty(),
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Bool(_) | Value::Number(_)) => true,
    }
}

fn unusable(why: &str) -> LlmError {
    LlmError::Unusable(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"id":"x","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"{}","refusal":null,"tool_calls":[]}}],"usage":{"total_tokens":9},"error":null}"#;

    #[test]
    fn the_text_of_a_whole_answer() {
        assert_eq!(text_of(GOOD.as_bytes()), Ok("{}".to_owned()));
    }

    #[test]
    fn what_is_no_answer() {
        let cases = [
            ("", "no completion"),
            ("<html></html>", "no completion"),
            (&GOOD.replace("}]", ""), "no completion"),
            ("[]", "no completion"),
            ("{}", "exactly one choice"),
            (r#"{"choices":[]}"#, "exactly one choice"),
            (&GOOD.replace(r#""stop""#, r#""length""#), "cut short"),
            (&GOOD.replace(r#""stop""#, r#""content_filter""#), "filter"),
            (
                &GOOD.replace(r#""stop""#, r#""tool_calls""#),
                "calls a tool",
            ),
            (&GOOD.replace(r#""stop""#, "null"), "come to its end"),
            (&GOOD.replace(r#""stop""#, r#""error""#), "come to its end"),
            (
                &GOOD.replace(r#""refusal":null"#, r#""refusal":"I can't""#),
                "refuses",
            ),
            (
                &GOOD.replace(r#""tool_calls":[]"#, r#""tool_calls":[{"id":"a"}]"#),
                "calls a tool",
            ),
            (
                &GOOD.replace(r#""content":"{}""#, r#""content":null"#),
                "no text",
            ),
            (
                &GOOD.replace(r#""content":"{}""#, r#""content":[{"text":"{}"}]"#),
                "no completion",
            ),
            (&"[".repeat(100_000), "no completion"),
        ];
        for (body, part) in cases {
            match text_of(body.as_bytes()) {
                Err(LlmError::Unusable(why)) => assert!(why.contains(part), "{body:.80}: {why}"),
                other => panic!("{body:.80}: {other:?}"),
            }
        }
        let twice = GOOD.replace(r#""choices":["#, r#""choices":[{},"#);
        assert!(matches!(
            text_of(twice.as_bytes()),
            Err(LlmError::Unusable(_))
        ));
    }

    #[test]
    fn an_error_within_a_success_is_an_error() {
        let cases = [
            (
                r#"{"error":{"code":502,"message":"no provider"}}"#,
                "200, 502",
            ),
            (
                r#"{"error":{"type":"overloaded_error"},"choices":[]}"#,
                "200, overloaded_error",
            ),
            (r#"{"error":"down"}"#, "200 with an error"),
            (
                &GOOD.replace(r#""index":0"#, r#""error":{"code":502}"#),
                "200 with an error in its choice",
            ),
        ];
        for (body, why) in cases {
            assert_eq!(text_of(body.as_bytes()), Err(LlmError::Refused(why.into())));
        }
    }

    #[test]
    fn an_error_repeats_no_text_of_the_endpoint() {
        let body = r#"{"error":{"message":"bad key sk-live-1","code":"sk-live-1","type":"invalid_request_error"}}"#;
        let error = error_of(401, body.as_bytes());
        assert_eq!(
            error,
            LlmError::Refused("401, invalid_request_error".into())
        );
        assert_eq!(
            error_of(500, b"<h1>sk-live-1"),
            LlmError::Refused("500".into())
        );
    }
}

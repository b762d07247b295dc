//! What people in chat are told: one sentence for every outcome, for their eyes only, and nothing of
//! what goes on inside.

use serde_json::{Value, json};

use super::desk::{Decided, Said, Shown};
use crate::connectors::discord::custom_id::CustomId;

/// A message that only the person who asked can see.
const EPHEMERAL: u64 = 64;

/// How an interaction is answered, by the service's own numbers.
const PONG: u8 = 1;
const MESSAGE: u8 = 4;
const DEFERRED_MESSAGE: u8 = 5;
const MODAL: u8 = 9;

/// Parts of a form.
const TEXT_FIELD: u8 = 4;
const LABEL: u8 = 18;
const PARAGRAPH: u8 = 2;

/// The longest reason, in characters.
pub(super) const REASON_MAX: usize = 1024;

/// The most that is shown of a name or reason, in characters.
const SHOWN_MAX: usize = 300;

/// What is to be told, now or later.
pub(super) struct Reply {
    pub(super) message: Value,
    pub(super) file: Option<(String, Vec<u8>)>,
}

pub(super) const ALREADY_HANDLED: &str = "This was already handled.";
pub(super) const NOT_HERE: &str =
    "Vyrox works in servers only, where people have roles; a direct message can decide nothing.";
pub(super) const NOT_KNOWN: &str = "Vyrox does not know this button or command. It may be from an older message; use the newest one.";
pub(super) const NOT_LINKED: &str = "This server is not linked to an organisation yet. Somebody who manages it can do that with \
     /vyrox register and the code of `vyrox tenant chat-code`.";
pub(super) const NOT_A_MANAGER: &str =
    "Only somebody who may manage this server can link it to an organisation.";
pub(super) const NO_REASON: &str =
    "A denial needs a reason of 1 to 1024 characters; nothing was decided.";
pub(super) const TOO_FAST: &str =
    "That was too much at once; nothing was done. Try again in a few seconds.";
pub(super) const TRY_LATER: &str = "Vyrox could not do this just now. Try again in a moment; if it was done after all, you will be told so.";
pub(super) const WRONG_TENANT: &str =
    "This alert does not belong to the organisation of this server; nothing was done.";

/// The answer to a ping.
pub(super) fn pong() -> Value {
    json!({ "type": PONG })
}

/// "I am at it", seen by the person who asked.
pub(super) fn deferred() -> Value {
    json!({ "type": DEFERRED_MESSAGE, "data": { "flags": EPHEMERAL } })
}

/// One sentence, at once.
pub(super) fn sentence(text: &str) -> Value {
    now(Reply::text(text).message)
}

/// A message, at once.
pub(super) fn now(mut message: Value) -> Value {
    if let Value::Object(members) = &mut message {
        members.insert("flags".into(), EPHEMERAL.into());
    }
    json!({ "type": MESSAGE, "data": message })
}

/// The form that asks why.
pub(super) fn ask_why(button: &CustomId) -> Value {
    json!({
        "type": MODAL,
        "data": {
            "custom_id": button.to_string(),
            "title": "Deny this action",
            "components": [{
                "type": LABEL,
                "label": "Why should it not be done?",
                "description": "Kept in the audit log with your name.",
                "component": {
                    "type": TEXT_FIELD,
                    "custom_id": "reason",
                    "style": PARAGRAPH,
                    "min_length": 1,
                    "max_length": REASON_MAX,
                    "required": true,
                },
            }],
        },
    })
}

impl Reply {
    pub(super) fn text(text: &str) -> Self {
        Self::message(json!({ "content": text }))
    }

    /// Whatever stands in a message, it calls nobody.
    fn message(mut message: Value) -> Self {
        if let Value::Object(members) = &mut message {
            members.insert("allowed_mentions".into(), json!({ "parse": [] }));
        }
        Self {
            message,
            file: None,
        }
    }

    pub(super) fn decided(decided: Decided) -> Self {
        Self::text(&match decided {
            Decided::Approved { by } => {
                format!(
                    "Approved by {}. The message in the channel shows what comes of it.",
                    plain(&by)
                )
            }
            Decided::SecondNeeded { by } => format!(
                "Your approval counts ({} so far). A second person has to approve it too.",
                plain(&by)
            ),
            Decided::Denied { by } => {
                format!("Denied by {}. Nothing will be done.", plain(&by))
            }
            Decided::AlreadyHandled { how } => {
                format!("This was already handled: {}.", plain(&how))
            }
            Decided::Expired => {
                "Nobody decided in time, so this has expired; nothing was done.".to_owned()
            }
            Decided::WrongDigest => {
                "The action has changed since this message was sent; nothing was \
                                     done. Read the newest message and decide there."
                    .to_owned()
            }
            Decided::WrongMessage => {
                "This is not the message that asks for this decision; nothing was \
                                      done. Use the newest one."
                    .to_owned()
            }
            Decided::WrongTenant => WRONG_TENANT.to_owned(),
            Decided::NotAPerson => {
                "Your account is not linked to a person that Vyrox knows; nothing \
                                    was done. Ask an administrator for `vyrox person link`."
                    .to_owned()
            }
            Decided::NoRole => {
                "Your roles in this server do not allow you to decide; nothing was done.".to_owned()
            }
            Decided::NotAllowed { why } => {
                format!(
                    "You may not decide this: {}. Nothing was done.",
                    plain(&why)
                )
            }
            Decided::Unknown => "There is nothing here to decide about any more.".to_owned(),
            Decided::TryLater => TRY_LATER.to_owned(),
        })
    }

    pub(super) fn shown(shown: Shown) -> Self {
        match shown {
            Shown::Detail { message, file } => Self {
                file,
                ..Self::message(message)
            },
            Shown::NotAllowed { why } => {
                Self::text(&format!("You may not see this: {}.", plain(&why)))
            }
            Shown::Unknown => Self::text("There is no such alert in this organisation."),
            Shown::TryLater => Self::text(TRY_LATER),
        }
    }

    pub(super) fn said(said: Said) -> Self {
        match said {
            Said::Message(message) => Self::message(message),
            Said::WrongCode => Self::text(
                "This code is wrong, used or too old; make a new one with `vyrox tenant chat-code`.",
            ),
            Said::AlreadyLinked => Self::text("This server is linked to an organisation already."),
            Said::NotAllowed { why } => {
                Self::text(&format!("You may not do this: {}.", plain(&why)))
            }
            Said::TryLater => Self::text(TRY_LATER),
        }
    }
}

/// A text that shows as itself: no markup, no mention, nothing invisible, not too long.
fn plain(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars().filter(|c| is_visible(*c)).take(SHOWN_MAX) {
        if c.is_ascii_punctuation() && !matches!(c, '.' | ',' | ':' | ';' | '\'' | '"' | '/') {
            shown.push('\\');
        }
        shown.push(c);
    }
    shown
}

/// Not a control, nor one of the marks that hide text or turn its direction.
fn is_visible(c: char) -> bool {
    !c.is_control()
        && !matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(reply: &Reply) -> &str {
        reply.message["content"].as_str().expect("a sentence")
    }

    #[test]
    fn names_and_reasons_call_nobody_and_mark_nothing_up() {
        let nasty =
            "@everyone <@&1> [x](https://evil.example) `a` **b** ||c|| \u{202e}d\u{200b}\n# e";
        let why = nasty.to_owned();
        let reply = Reply::decided(Decided::NotAllowed { why });
        assert_eq!(
            text(&reply),
            "You may not decide this: \\@everyone \\<\\@\\&1\\> \\[x\\]\\(https://evil.example\\) \\`a\\` \
             \\*\\*b\\*\\* \\|\\|c\\|\\| d\\# e. Nothing was done."
        );
        assert_eq!(reply.message["allowed_mentions"], json!({ "parse": [] }));
        let by = "*".repeat(5000);
        assert!(text(&Reply::decided(Decided::Approved { by })).len() < 2000);
    }

    #[test]
    fn every_outcome_has_a_sentence_of_its_own() {
        let name = || "alice".to_owned();
        let all = [
            Decided::Approved { by: name() },
            Decided::SecondNeeded { by: name() },
            Decided::Denied { by: name() },
            Decided::AlreadyHandled { how: name() },
            Decided::Expired,
            Decided::WrongDigest,
            Decided::WrongMessage,
            Decided::WrongTenant,
            Decided::NotAPerson,
            Decided::NoRole,
            Decided::NotAllowed { why: name() },
            Decided::Unknown,
            Decided::TryLater,
        ];
        let replies: Vec<_> = all.into_iter().map(Reply::decided).collect();
        let different: std::collections::HashSet<_> = replies.iter().map(text).collect();
        assert_eq!(different.len(), 13);
        let named = different.iter().filter(|text| text.contains("alice"));
        assert_eq!(named.count(), 5);
    }

    /// The flag belongs to the door: a desk that forgets it must not show evidence to a whole channel.
    #[test]
    fn whatever_is_shown_at_once_is_for_one_person() {
        let said = Said::Message(
            json!({ "content": "hi", "flags": 0, "allowed_mentions": { "parse": ["everyone"] } }),
        );
        let answer = now(Reply::said(said).message);
        assert_eq!(answer["data"]["flags"], 64);
        assert_eq!(answer["data"]["allowed_mentions"], json!({ "parse": [] }));
        assert_eq!(answer["type"], 4);
    }
}

//! What Discord refuses in a message, from its documentation: written without a look at what we send.
//! Lengths are counted in UTF-16 units, the strictest reading.

use std::collections::HashSet;

use serde_json::Value;

/// Which call a message is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// A new message by the bot.
    Create,
    /// A change of a message by the bot.
    Edit,
    /// An answer to an interaction, or a change of one.
    Answer,
}

impl Call {
    fn members(self) -> &'static [&'static str] {
        match self {
            Self::Create => &[
                "content",
                "embeds",
                "components",
                "allowed_mentions",
                "flags",
                "nonce",
                "enforce_nonce",
            ],
            Self::Edit => &[
                "content",
                "embeds",
                "components",
                "allowed_mentions",
                "flags",
            ],
            Self::Answer => &[
                "content",
                "embeds",
                "components",
                "allowed_mentions",
                "flags",
                "attachments",
            ],
        }
    }

    /// `SUPPRESS_EMBEDS` can always be set, `SUPPRESS_NOTIFICATIONS` at first alone, `EPHEMERAL` in an answer.
    fn flags(self) -> u64 {
        match self {
            Self::Create => (1 << 2) | (1 << 12),
            Self::Edit => 1 << 2,
            Self::Answer => (1 << 2) | (1 << 6),
        }
    }
}

/// Everything that is wrong with a message; empty for one that is taken.
pub(crate) fn faults(message: &Value, call: Call) -> Vec<String> {
    let mut found = Faults::default();
    found.members("message", message, call.members());
    found.text("content", &message["content"], 0, 2000);
    found.embeds(&message["embeds"]);
    found.rows(&message["components"]);
    found.mentions(&message["allowed_mentions"]);
    let flags = &message["flags"];
    let known = flags.as_u64().map(|flags| flags & !call.flags() == 0);
    found.unless(
        flags.is_null() || known == Some(true),
        "flags: not for this call",
    );
    if let Some(nonce) = message["nonce"].as_str() {
        found.unless(
            (1..=25).contains(&units(nonce)),
            "nonce: 1 to 25 characters",
        );
    } else {
        let absent = message["nonce"].is_null() || message["nonce"].is_i64();
        found.unless(absent, "nonce: a text or a number");
    }
    let filled = |name: &str| {
        message[name]
            .as_array()
            .is_some_and(|list| !list.is_empty())
    };
    let said = message["content"]
        .as_str()
        .is_some_and(|text| !text.trim().is_empty());
    let anything = said || filled("embeds") || filled("components") || filled("attachments");
    found.unless(anything || call != Call::Create, "message: empty (50006)");
    found.0
}

pub(crate) fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn unless(&mut self, holds: bool, what: impl Into<String>) {
        if !holds {
            self.0.push(what.into());
        }
    }

    fn members(&mut self, place: &str, value: &Value, known: &[&str]) {
        let Some(object) = value.as_object() else {
            self.0.push(format!("{place}: no object"));
            return;
        };
        for name in object.keys() {
            self.unless(
                known.contains(&name.as_str()),
                format!("{place}.{name}: unknown"),
            );
        }
    }

    /// A text within its limits once the white space at its ends is gone; absent is fine where `min` is 0.
    fn text(&mut self, place: &str, value: &Value, min: usize, max: usize) {
        match value {
            Value::Null => self.unless(min == 0, format!("{place}: required")),
            Value::String(text) => {
                let length = units(text.trim());
                let fits = length >= min && units(text) <= max;
                self.unless(
                    fits,
                    format!("{place}: {length}, {min} to {max} are allowed"),
                );
            }
            _ => self.0.push(format!("{place}: no text")),
        }
    }

    fn list<'a>(&mut self, place: &str, value: &'a Value, max: usize) -> &'a [Value] {
        match value {
            Value::Null => &[],
            Value::Array(list) => {
                self.unless(list.len() <= max, format!("{place}: more than {max}"));
                list
            }
            _ => {
                self.0.push(format!("{place}: no list"));
                &[]
            }
        }
    }

    fn embeds(&mut self, embeds: &Value) {
        let known = [
            "title",
            "description",
            "url",
            "color",
            "timestamp",
            "footer",
            "fields",
        ];
        let mut sum = 0;
        for embed in self.list("embeds", embeds, 10) {
            self.members("embed", embed, &known);
            self.text("embed.title", &embed["title"], 0, 256);
            self.text("embed.description", &embed["description"], 0, 4096);
            let colour = embed["color"]
                .as_u64()
                .is_none_or(|colour| colour <= 0x00ff_ffff);
            self.unless(colour, "embed.color: beyond 24 bits");
            sum += length(&embed["title"]) + length(&embed["description"]);
            if let Some(footer) = embed.get("footer") {
                self.members("footer", footer, &["text", "icon_url"]);
                self.text("footer.text", &footer["text"], 1, 2048);
                sum += length(&footer["text"]);
            }
            for field in self.list("embed.fields", &embed["fields"], 25) {
                self.members("field", field, &["name", "value", "inline"]);
                self.text("field.name", &field["name"], 1, 256);
                self.text("field.value", &field["value"], 1, 1024);
                sum += length(&field["name"]) + length(&field["value"]);
            }
        }
        self.unless(
            sum <= 6000,
            format!("embeds: {sum} in all, 6000 are allowed"),
        );
    }

    fn rows(&mut self, rows: &Value) {
        let mut seen = HashSet::new();
        for row in self.list("components", rows, 5) {
            self.members("row", row, &["type", "id", "components"]);
            self.unless(row["type"] == 1, "row.type: no action row");
            let buttons = self.list("row.components", &row["components"], 5);
            self.unless(!buttons.is_empty(), "row.components: empty");
            for button in buttons {
                self.button(button);
                let id = button["custom_id"].as_str().unwrap_or_default();
                self.unless(seen.insert(id), format!("custom_id {id}: twice"));
            }
        }
    }

    fn button(&mut self, button: &Value) {
        let known = [
            "type",
            "id",
            "style",
            "label",
            "emoji",
            "custom_id",
            "disabled",
        ];
        self.members("button", button, &known);
        self.unless(button["type"] == 2, "button.type: no button");
        let style = button["style"]
            .as_u64()
            .is_some_and(|style| (1..=4).contains(&style));
        self.unless(style, "button.style: 1 to 4");
        self.text("button.label", &button["label"], 1, 80);
        self.text("button.custom_id", &button["custom_id"], 1, 100);
    }

    fn mentions(&mut self, mentions: &Value) {
        if mentions.is_null() {
            return;
        }
        self.members(
            "allowed_mentions",
            mentions,
            &["parse", "roles", "users", "replied_user"],
        );
        for kind in self.list("allowed_mentions.parse", &mentions["parse"], 3) {
            let known = ["roles", "users", "everyone"];
            let kind = kind.as_str().unwrap_or_default();
            self.unless(
                known.contains(&kind),
                "allowed_mentions.parse: unknown kind",
            );
        }
    }
}

fn length(value: &Value) -> usize {
    value.as_str().map_or(0, units)
}

/// Everything that is wrong with a list of commands.
pub(crate) fn command_faults(commands: &Value) -> Vec<String> {
    let mut found = Faults::default();
    found.unless(commands.is_array(), "commands: no list");
    for command in found.list("commands", commands, 100) {
        let known = [
            "name",
            "type",
            "description",
            "options",
            "default_member_permissions",
            "contexts",
            "integration_types",
        ];
        found.members("command", command, &known);
        let bits = &command["default_member_permissions"];
        let number = bits
            .as_str()
            .is_some_and(|bits| bits.parse::<u64>().is_ok());
        found.unless(
            bits.is_null() || number,
            "default_member_permissions: a text of digits",
        );
        found.named("command", command);
        found.options(&command["options"], 0);
    }
    found.0
}

impl Faults {
    fn named(&mut self, place: &str, value: &Value) {
        let name = value["name"].as_str().unwrap_or_default();
        let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
        let fits = (1..=32).contains(&units(name)) && name.chars().all(letter);
        self.unless(fits, format!("{place}.name: {name:?}"));
        self.text(
            &format!("{place}.description"),
            &value["description"],
            1,
            100,
        );
    }

    fn options(&mut self, options: &Value, depth: u32) {
        let mut optional = false;
        for option in self.list("options", options, 25) {
            let known = [
                "type",
                "name",
                "description",
                "required",
                "choices",
                "options",
                "min_length",
                "max_length",
            ];
            self.members("option", option, &known);
            self.named("option", option);
            let kind = option["type"].as_u64().unwrap_or_default();
            self.unless((1..=11).contains(&kind), "option.type: unknown");
            self.unless(
                kind > 2 || depth < 2,
                "option.type: too deep for a subcommand",
            );
            let required = option["required"] == true;
            self.unless(
                !(required && optional),
                "options: a required one after an optional one",
            );
            optional |= kind > 2 && !required;
            for choice in self.list("choices", &option["choices"], 25) {
                self.members("choice", choice, &["name", "value"]);
                self.text("choice.name", &choice["name"], 1, 100);
            }
            self.options(&option["options"], depth + 1);
        }
    }
}

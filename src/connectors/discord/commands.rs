//! The slash commands as Discord is told of them. Only who may manage the server sees them at first; its
//! owner can open them to others in the server's settings.

use serde_json::{Value, json};

use crate::scenario::Scenario;

/// `MANAGE_GUILD`, as the text of a number.
const MANAGE_GUILD: &str = "32";

/// Kinds of options.
const SUBCOMMAND: u8 = 1;
const STRING: u8 = 3;
const ROLE: u8 = 8;

/// The command that every server has: it makes one a tenant's.
pub(super) fn everywhere() -> Value {
    vyrox(&[register()])
}

/// What a server of a tenant has beside it. The two lists have nothing in common, or people would be
/// offered the same twice.
pub(super) fn in_guild() -> Value {
    vyrox(&[status(), test_alert(), alerts()])
}

/// A list of one command, for a call that puts it in the place of what was there.
fn vyrox(subcommands: &[Value]) -> Value {
    json!([{
        "name": "vyrox",
        "type": 1,
        "description": "Alerts and approvals of Vyrox in this server",
        "default_member_permissions": MANAGE_GUILD,
        "contexts": [0],
        "integration_types": [0],
        "options": subcommands,
    }])
}

fn register() -> Value {
    json!({
        "type": SUBCOMMAND,
        "name": "register",
        "description": "Connect this channel to a tenant with the code from `vyrox tenant chat-code`",
        "options": [
            {
                "type": STRING,
                "name": "code",
                "description": "The code, VYX-...; good once and for 15 minutes",
                "required": true,
                "min_length": 8,
                "max_length": 64,
            },
            {
                "type": ROLE,
                "name": "admin_role",
                "description": "Who may administer Vyrox here besides those who manage the server",
                "required": false,
            },
        ],
    })
}

fn status() -> Value {
    json!({
        "type": SUBCOMMAND,
        "name": "status",
        "description": "Which tenant this server belongs to, and whether it is served",
    })
}

fn test_alert() -> Value {
    let scenarios = Scenario::ALL.iter();
    let choices: Vec<_> = scenarios
        .map(|scenario| json!({"name": scenario.as_str(), "value": scenario.as_str()}))
        .collect();
    json!({
        "type": SUBCOMMAND,
        "name": "test-alert",
        "description": "Play an attack into the tenant and see what comes here",
        "options": [{
            "type": STRING,
            "name": "scenario",
            "description": "Which attack",
            "required": true,
            "choices": choices,
        }],
    })
}

fn alerts() -> Value {
    json!({
        "type": SUBCOMMAND,
        "name": "alerts",
        "description": "The tenant's latest alerts",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connectors::discord::documented::command_faults;

    #[test]
    fn discord_takes_them_all() {
        for commands in [everywhere(), in_guild()] {
            assert_eq!(command_faults(&commands), Vec::<String>::new());
        }
    }
}

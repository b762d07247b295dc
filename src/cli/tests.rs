//! What the command line takes and refuses.

use super::{failure::Exit, *};

fn parsed(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split(' '))
}

#[test]
fn the_parse_tree_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_documented_command_parses() {
    let lines = [
        "vyrox serve --data-dir d --listen 127.0.0.1:0 --demo",
        "vyrox demo --keep",
        "vyrox --config f.toml check",
        "vyrox tenant add acme --vendor crowdstrike:vyrox-hmac --vendor sentinelone:bearer",
        "vyrox tenant add acme --account crowdstrike:abc --secret-stdin --json",
        "vyrox tenant list",
        "vyrox tenant show acme",
        "vyrox tenant update acme --account defender:x --remove-account defender:y",
        "vyrox tenant rotate-secret acme --vendor generic --overlap 60 --secret-stdin",
        "vyrox tenant update acme --llm on --chat-admin-role 42",
        "vyrox tenant chat-code acme",
        "vyrox tenant chat-release acme",
        "vyrox person add alice",
        "vyrox person add alice --tenant acme --tenant globex --role analyst --role approver",
        "vyrox person list --json",
        "vyrox person grant alice --tenant acme --role emergency_approver",
        "vyrox person grant alice --tenant acme --none",
        "vyrox person link alice --discord 42",
        "vyrox person unlink alice --discord 42",
        "vyrox person remove alice",
        "vyrox person token alice --ttl 30m",
        "vyrox token list",
        "vyrox token revoke tok_1",
        "vyrox chat set-token",
        "vyrox simulate mimikatz --tenant acme --rate 50 --count 100 --vendor generic",
        "vyrox simulate --list",
        "vyrox alert list --tenant acme --limit 5",
        "vyrox alert show 0190a2d4-0000-7000-8000-000000000000 --tenant acme",
        "vyrox incident list --tenant acme --limit 5",
        "vyrox incident show 0190a2d4-0000-7000-8000-000000000000 --tenant acme --json",
        "vyrox approve 0190a2d4-0000-7000-8000-000000000000 --tenant acme --digest 5f0e",
        "vyrox approve 0190a2d4-0000-7000-8000-000000000000 --break-glass 0190a2d4-0000-7000-8000-000000000001 --reason because",
        "vyrox deny 0190a2d4-0000-7000-8000-000000000000 --digest 5f0e --reason no",
        "vyrox audit verify acme",
        "vyrox audit verify a.jsonl b.jsonl --json",
        "vyrox audit export acme --format csv --from 3 --to 9 --output f.csv",
        "vyrox audit verify _host",
        "vyrox audit head acme --url http://127.0.0.1:1 --token t",
        "vyrox backtest --rules d --since 30d",
        "vyrox backtest --rules d --replace --tenant acme --since 12h --until 2026-01-31T00:00:00Z --limit-diffs 5 --fail-on-diff --json",
        "vyrox policy check",
        "vyrox policy check ./policies --json",
        "vyrox policy show --dir d --cedar",
        "vyrox policy test --dir d a.toml b.toml",
        "vyrox dead-letter list",
        "vyrox dead-letter list --tenant acme --json",
        "vyrox dead-letter redrive 3 4",
        "vyrox dead-letter redrive --all --tenant acme",
        "vyrox dead-letter discard 3",
        "vyrox top",
        "vyrox top --interval 0.2 --sort restarts --filter acme",
        "vyrox top --once --json --state suspended",
        "vyrox completions fish",
    ];
    for line in lines {
        assert!(parsed(line).is_ok(), "{line}: {:?}", parsed(line).err());
    }
}

#[test]
fn nonsense_is_a_usage_error() {
    let lines = [
        "vyrox frobnicate",
        "vyrox tenant add _host",
        "vyrox tenant add acme --vendor nobody:bearer",
        "vyrox tenant add acme --vendor crowdstrike",
        "vyrox tenant update acme --llm maybe",
        "vyrox person add A",
        "vyrox person add alice --tenant acme",
        "vyrox person add alice --role approver",
        "vyrox person grant alice --tenant acme",
        "vyrox person grant alice --tenant acme --role boss",
        "vyrox person grant alice --tenant acme --none --role analyst",
        "vyrox person link alice",
        "vyrox person token alice --ttl 8d",
        "vyrox chat set-token s3cret",
        "vyrox simulate",
        "vyrox simulate unheard-of",
        "vyrox simulate mimikatz --rate 0",
        "vyrox alert show not-a-uuid",
        "vyrox alert list",
        "vyrox deny 0190a2d4-0000-7000-8000-000000000000",
        "vyrox approve 0190a2d4-0000-7000-8000-000000000000 --reason because",
        "vyrox incident list",
        "vyrox backtest",
        "vyrox backtest --rules d --since yesterday",
        "vyrox audit verify",
        "vyrox audit export acme --format xml",
        "vyrox dead-letter redrive",
        "vyrox dead-letter redrive x",
        "vyrox dead-letter redrive 3 --all",
        "vyrox dead-letter redrive 3 --tenant acme",
        "vyrox dead-letter discard",
        "vyrox top --interval 0.1",
        "vyrox top --interval NaN",
        "vyrox top --state unwell",
        "vyrox top --sort name",
    ];
    for line in lines {
        let code = parsed(line).map_err(|error| error.exit_code()).err();
        assert_eq!(code, Some(Exit::Usage as i32), "{line}");
    }
}

#[test]
fn a_token_is_not_shown_by_debug() {
    let cli = parsed("vyrox tenant list --token hunter2").unwrap();
    assert!(!format!("{cli:?}").contains("hunter2"));
}

#[test]
fn help_teaches_by_example() {
    let help = Cli::command().render_help().to_string();
    assert!(help.contains("Examples:"));
    assert!(help.contains("Exit codes:"));
}

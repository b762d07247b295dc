use super::*;

/// The base point of the curve: as good a public key as any.
const PUBLIC_KEY: &str = "5866666666666666666666666666666666666666666666666666666666666666";

#[test]
fn a_bots_token_leaves_this_machine_encrypted_or_not_at_all() {
    for (name, text) in [
        ("VYROX_DISCORD__API_BASE", "http://discord.com/api/v10"),
        (
            "VYROX_DISCORD__API_BASE",
            "http://127.0.0.1.example.org/api",
        ),
        ("VYROX_DISCORD__API_BASE", "http://user@10.0.0.1/api"),
        ("VYROX_DISCORD__API_BASE", "ftp://127.0.0.1/"),
        ("VYROX_DISCORD__API_BASE", ""),
        ("DISCORD_BOT_TOKEN", "t0ken with a space"),
        ("DISCORD_BOT_TOKEN", "t0ken\n"),
        ("DISCORD_PUBLIC_KEY", "no key"),
        ("DISCORD_APPLICATION_ID", "1e5"),
    ] {
        let texts = texts(load(&[(name, text)]));
        assert_eq!(texts.len(), 1, "{name} {text}: {texts:?}");
        assert!(!texts[0].contains("t0ken"), "{texts:?}");
    }
    let discord = good(load(&[
        ("VYROX_DISCORD__API_BASE", "http://[::1]:8080/api/v10"),
        ("DISCORD_BOT_TOKEN", "t0ken"),
        ("DISCORD_PUBLIC_KEY", PUBLIC_KEY),
        ("DISCORD_APPLICATION_ID", "198622483471925248"),
    ]))
    .discord;
    assert_eq!(
        discord.bot_token.as_ref().map(Secret::expose),
        Some("t0ken")
    );
    assert!(!format!("{discord:?}").contains("t0ken"));
}

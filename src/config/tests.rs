use std::{fs, os::unix::fs::PermissionsExt};

use super::*;

mod audit;
mod discord;
mod edr;

const SECRET: &str = "6b1f0c2d9e8a7745c3d2e1f00912ab34cd56ef7890a1b2c3d4e5f60718293a4b";

type Loaded = Result<(Config, Vec<Warning>), Vec<ConfigError>>;

fn load(env: &[(&str, &str)]) -> Loaded {
    let env = env
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    Config::load(&Sources {
        env,
        ..Sources::default()
    })
}

fn load_file(text: &str) -> (Loaded, String) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), text).expect("written");
    let sources = Sources {
        file: Some(file.path().to_owned()),
        ..Sources::default()
    };
    (Config::load(&sources), file.path().display().to_string())
}

fn good(loaded: Loaded) -> Config {
    loaded.expect("valid settings").0
}

fn texts(loaded: Loaded) -> Vec<String> {
    let errors = loaded.err().unwrap_or_default();
    errors.iter().map(ToString::to_string).collect()
}

fn warnings(loaded: Loaded) -> Vec<String> {
    loaded
        .expect("valid settings")
        .1
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn the_defaults_load_without_a_word() {
    let (config, warnings) = load(&[]).expect("valid settings");
    assert_eq!(warnings, []);
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8001");
    assert!((1..=8).contains(&config.server.workers));
    assert!(config.actions.dry_run);
    assert!(config.auth.hmac_secret.is_none());
    assert_eq!(config.limits.per_tenant_per_s, 50);
    assert!(matches!(
        config.storage.host_key_source(),
        HostKeySource::File(path) if path.ends_with("vyrox-data/host.key")
    ));
    assert_eq!(
        config.server.base_url(config.server.listen),
        "http://127.0.0.1:8001"
    );
}

#[test]
fn later_layers_win() {
    let (loaded, _) = load_file("[server]\nlisten = \"127.0.0.1:1\"\nkeep_alive_s = 5\n");
    assert_eq!(good(loaded).server.listen.port(), 1);

    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(
        file.path(),
        "[server]\nlisten = \"127.0.0.1:1\"\nkeep_alive_s = 5\n",
    )
    .expect("written");
    let mut sources = Sources {
        file: Some(file.path().to_owned()),
        ..Sources::default()
    };
    sources
        .env
        .insert("VYROX_SERVER__LISTEN".into(), "127.0.0.1:2".into());
    assert_eq!(good(Config::load(&sources)).server.listen.port(), 2);
    sources.env.insert("BIND_ADDR".into(), "127.0.0.1:3".into());
    assert_eq!(good(Config::load(&sources)).server.listen.port(), 3);
    sources
        .overrides
        .insert("server.listen".into(), "127.0.0.1:4".into());
    let config = good(Config::load(&sources));
    assert_eq!(config.server.listen.port(), 4);
    assert_eq!(config.server.keep_alive_s, 5);
    assert_eq!(config.server.head_timeout_ms, 5000);
}

#[test]
fn every_mistake_is_named_at_once_with_file_and_key() {
    let (loaded, path) = load_file(
        "stray = 1\n[server]\nlisen = \"x\"\nlisten = \"nowhere\"\nkeep_alive_s = \"9\"\n\
         [limits]\nper_tenant_per_s = 0\n[sevrer]\nlisten = \"x\"\n[log.level]\ndeep = 1\n",
    );
    let errors = texts(loaded);
    for (key, part) in [
        ("stray", "unknown section"),
        (
            "server.lisen",
            "unknown setting; [server] has allow_insecure,",
        ),
        ("server.listen", "expected an IP address"),
        ("server.keep_alive_s", "expected a whole number"),
        ("limits.per_tenant_per_s", "0 is out of range, 1 to"),
        ("sevrer.listen", "unknown section"),
        ("log.level", "expected a text"),
    ] {
        let start = format!("{path}: {key}: {part}");
        assert!(
            errors.iter().any(|e| e.starts_with(&start)),
            "{start}\nin {errors:#?}"
        );
    }
    assert_eq!(errors.len(), 7, "{errors:#?}");
}

#[test]
fn mistakes_of_all_layers_come_together() {
    let mut sources = Sources {
        file: Some("/nonexistent/vyrox.toml".into()),
        ..Sources::default()
    };
    sources
        .env
        .insert("VYROX_LIMITS__TENANT_MAX".into(), "many".into());
    sources
        .env
        .insert("VYROX_LIMIT__TENANT_MAX".into(), "1".into());
    sources
        .overrides
        .insert("storage.data_dir".into(), String::new());
    let errors = texts(Config::load(&sources));
    assert_eq!(errors.len(), 4, "{errors:#?}");
    assert!(errors[0].starts_with("/nonexistent/vyrox.toml: can't be read"));
    assert!(
        errors[1].starts_with("environment variable VYROX_LIMITS__TENANT_MAX: limits.tenant_max")
    );
    assert!(
        errors
            .iter()
            .any(|e| e.starts_with("environment variable VYROX_LIMIT__TENANT_MAX"))
    );
    assert!(
        errors
            .iter()
            .any(|e| e.starts_with("command line: storage.data_dir"))
    );
}

#[test]
fn names_without_a_double_underscore_belong_to_others() {
    let config = good(load(&[
        ("VYROX_TOKEN", "x"),
        ("VYROX_PORT_8001_TCP", "x"),
        ("PATH", "/bin"),
    ]));
    assert_eq!(config.server.listen.port(), 8001);
}

#[test]
fn the_shared_secret_is_strong_or_absent() {
    let config = good(load(&[("VYROX_HMAC_SECRET", SECRET)]));
    assert_eq!(
        config.auth.hmac_secret.as_ref().map(Secret::expose),
        Some(SECRET)
    );
    assert!(!format!("{config:?}").contains(SECRET));
    for bad in [
        "",
        "short",
        "changeme-changeme-changeme-changeme",
        &"0".repeat(64),
    ] {
        let errors = texts(load(&[("VYROX_HMAC_SECRET", bad)]));
        assert_eq!(errors.len(), 1, "{bad}");
        let start = "environment variable VYROX_HMAC_SECRET: auth.hmac_secret";
        assert!(errors[0].starts_with(start), "{}", errors[0]);
        assert!(bad.is_empty() || !errors[0].contains(bad), "{}", errors[0]);
    }
    let odd = warnings(load(&[(
        "VYROX_HMAC_SECRET",
        "x9!Lq2-Vt7_Rz4+Km8=Wp3:Yb6.Nc1~Hd5",
    )]));
    assert!(odd[0].contains("not 64 hex"), "{odd:?}");
}

#[test]
fn the_host_key_can_be_given() {
    let config = good(load(&[("VYROX_HOST_KEY", SECRET)]));
    assert!(matches!(
        config.storage.host_key_source(),
        HostKeySource::Given(key) if key.expose() == SECRET
    ));
    assert_eq!(texts(load(&[("VYROX_HOST_KEY", "abc")])).len(), 1);
}

#[test]
fn a_rehearsal_unless_clearly_told_otherwise() {
    for off in ["false", "0", "no", "off", "OFF", " False "] {
        assert!(!good(load(&[("DRY_RUN", off)])).actions.dry_run, "{off}");
    }
    for on in ["true", "1", "yes", "on"] {
        let (config, warnings) = load(&[("DRY_RUN", on)]).expect("valid settings");
        assert!(config.actions.dry_run && warnings.is_empty(), "{on}");
    }
    for odd in ["", "flase", "2", "nope"] {
        let (config, warnings) = load(&[("DRY_RUN", odd)]).expect("valid settings");
        assert!(config.actions.dry_run, "{odd}");
        assert_eq!(warnings.len(), 1, "{odd}");
    }
}

#[test]
fn bad_rates_warn_and_keep_what_was() {
    for odd in ["0", "-5", "fast", "", "1e3", "99999999999999999999"] {
        let (config, warnings) =
            load(&[("RATE_LIMIT_PER_TENANT", odd), ("RATE_LIMIT_GLOBAL", odd)]).expect("valid");
        assert_eq!(config.limits.per_tenant_per_s, 50);
        assert_eq!(config.limits.global_per_s, 1000);
        assert_eq!(warnings.len(), 2, "{odd}");
    }
    let config = good(load(&[
        ("RATE_LIMIT_PER_TENANT", "500"),
        ("RATE_LIMIT_GLOBAL", "7"),
    ]));
    assert_eq!(
        (config.limits.per_tenant_per_s, config.limits.global_per_s),
        (500, 7)
    );
}

#[test]
fn plain_http_stays_on_loopback() {
    for safe in [
        "127.0.0.1:0",
        "127.8.0.1:1",
        "[::1]:1",
        "[::ffff:127.0.0.1]:1",
    ] {
        assert!(load(&[("BIND_ADDR", safe)]).is_ok(), "{safe}");
    }
    for open in ["0.0.0.0:8001", "[::]:8001", "192.0.2.1:1"] {
        let errors = texts(load(&[("BIND_ADDR", open)]));
        assert!(errors[0].contains("ALLOW_INSECURE"), "{errors:?}");
        let allowed = warnings(load(&[("BIND_ADDR", open), ("ALLOW_INSECURE", "yes")]));
        assert!(allowed[0].contains("unencrypted"), "{allowed:?}");
    }
    let errors = texts(load(&[
        ("BIND_ADDR", "0.0.0.0:1"),
        ("ALLOW_INSECURE", "maybe"),
    ]));
    assert_eq!(
        errors.len(),
        1,
        "a word that can't be read does not open the door"
    );
}

#[test]
fn tls_takes_both_files_or_neither() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().to_str().expect("a plain name");
    let open = ("BIND_ADDR", "0.0.0.0:8001");
    assert!(texts(load(&[open, ("TLS_CERT_PATH", path)]))[0].contains("tls_key_path"));
    assert!(texts(load(&[("TLS_KEY_PATH", path)]))[0].contains("tls_cert_path"));
    let config = good(load(&[
        open,
        ("TLS_CERT_PATH", path),
        ("TLS_KEY_PATH", path),
    ]));
    assert!(config.server.tls());
    assert_eq!(
        config.server.base_url(config.server.listen),
        "https://0.0.0.0:8001"
    );
    let errors = texts(load(&[
        ("TLS_CERT_PATH", "/nonexistent/a"),
        ("TLS_KEY_PATH", path),
    ]));
    assert!(errors[0].contains("is not a file"), "{errors:?}");
    assert!(load(&[("TLS_CERT_PATH", ""), ("TLS_KEY_PATH", "")]).is_ok());
}

#[test]
fn settings_that_do_not_go_together_are_refused() {
    for (env, key) in [
        (
            vec![("VYROX_AUTH__WEBHOOK_FALLBACK", "true")],
            "auth.webhook_fallback",
        ),
        (
            vec![("VYROX_TRIAGE__BUILTIN_RULES", "off")],
            "triage.builtin_rules",
        ),
        (
            vec![("VYROX_TRIAGE__RULES_DIR", "/nonexistent/rules")],
            "triage.rules_dir",
        ),
        (
            vec![("VYROX_POLICY__DIR", "/nonexistent/policies")],
            "policy.dir",
        ),
        (
            vec![("VYROX_TRIAGE__CLOSED_TO_BP", "9000")],
            "triage.closed_to_bp",
        ),
        (
            vec![("VYROX_SUPERVISION__BACKOFF_MS", "9000")],
            "supervision.backoff_ms",
        ),
        (
            vec![("VYROX_STORAGE__QUEUE_ENTRIES", "9")],
            "storage.batch_entries",
        ),
        (
            vec![("VYROX_SERVER__PUBLIC_URL", "vyrox.example.org")],
            "server.public_url",
        ),
        (vec![("VYROX_LOG__FORMAT", "xml")], "log.format"),
        (vec![("VYROX_LOG__LEVEL", "info,a=b=c")], "log.level"),
    ] {
        let errors = texts(load(&env));
        assert_eq!(errors.len(), 1, "{errors:#?}");
        assert!(errors[0].contains(key), "{}", errors[0]);
    }
}

#[test]
fn a_readable_file_with_a_secret_is_warned_of() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), format!("[auth]\nhmac_secret = \"{SECRET}\"\n")).expect("written");
    let sources = Sources {
        file: Some(file.path().to_owned()),
        ..Sources::default()
    };
    for (mode, count) in [(0o644, 1), (0o600, 0)] {
        fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).expect("mode set");
        assert_eq!(warnings(Config::load(&sources)).len(), count, "{mode:o}");
    }
}

#[test]
fn the_public_url_loses_its_last_slash() {
    let config = good(load(&[(
        "VYROX_SERVER__PUBLIC_URL",
        "https://v.example.org/edr/",
    )]));
    assert_eq!(
        config.server.base_url(config.server.listen),
        "https://v.example.org/edr"
    );
}

proptest::proptest! {
    /// Whatever stands in the file and the environment, loading answers and never panics.
    #[test]
    fn loading_never_panics(text in ".{0,200}", name in "[A-Z_]{0,12}", value in ".{0,40}") {
        let (loaded, path) = load_file(&text);
        proptest::prop_assert!(loaded.is_ok() || texts(loaded).iter().all(|e| e.starts_with(&path)));
        let loaded = load(&[(&format!("VYROX_SERVER__{name}"), &value)]);
        proptest::prop_assert!(loaded.is_ok() || !texts(loaded).is_empty());
    }
}

#[test]
fn settings_of_notification_are_checked_together() {
    for (document, key) in [
        (
            "[notify]\ncritical_fallback_s = 900\n",
            "notify.critical_fallback_s",
        ),
        ("[notify]\nhigh_within_s = 600\n", "notify.high_fallback_s"),
        (
            "[pagerduty]\nrouting_key = \"short\"\n",
            "pagerduty.routing_key",
        ),
        ("[pagerduty]\nbase_url = \"\"\n", "pagerduty.base_url"),
        ("[email]\nhost = \"mail.example.org\"\n", "email.from"),
        ("[email]\ntls = \"maybe\"\n", "email.tls"),
        ("[email]\nto = \"soc\"\n", "email.to"),
    ] {
        let errors = texts(load_file(document).0);
        assert!(
            errors.len() == 1 && errors[0].contains(&format!("{key}: ")),
            "{document}: {errors:#?}"
        );
    }
}

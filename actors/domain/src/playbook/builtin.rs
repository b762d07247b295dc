//! The playbooks that come with Vyrox, compiled in.

macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../../config/playbooks/", $name)))),*]
    };
}

/// The built-in playbooks as name and text, for a set that adds others to them.
pub const fn builtin() -> &'static [(&'static str, &'static str)] {
    embedded![
        "contain_ransomware.toml",
        "contain_credential_theft.toml",
        "contain_lateral_movement.toml",
        "block_malware_hash.toml",
        "stop_process.toml",
    ]
}

//! What the global options, the environment and the configuration come to for one command.

use std::{
    collections::BTreeMap,
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret as _, SecretString};

use super::{
    Global,
    client::{Client, Credentials},
    failure::Failure,
};
use crate::config::{Config, Sources, Warning, process_environment};

/// Which file in the data directory holds the first token.
pub const ADMIN_TOKEN_FILE: &str = "admin.token";

/// The global options together with the environment of this process.
#[derive(Debug)]
pub struct Settings {
    global: Global,
    environment: BTreeMap<String, String>,
}

impl Settings {
    /// Reads the environment once.
    pub fn new(global: Global) -> Self {
        Self {
            global,
            environment: process_environment(),
        }
    }

    /// Whether programs are to read the output.
    pub fn json(&self) -> bool {
        self.global.json
    }

    /// Whether the user asked every program for output without colours.
    pub fn no_color(&self) -> bool {
        self.variable("NO_COLOR").is_some()
    }

    /// An environment variable that is set and not empty.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The configuration with the global options and `overrides` (dotted names) over it.
    pub fn config(&self, overrides: &[(&str, String)]) -> Result<(Config, Vec<Warning>), Failure> {
        Config::load(&self.sources(overrides)).map_err(|errors| {
            let many = if errors.len() == 1 { "error" } else { "errors" };
            Failure::not_so(format!("the configuration has {} {many}", errors.len()))
                .details(errors)
                .hint("`vyrox check` shows these and the rules' errors without starting anything")
        })
    }

    /// Where the layers of the configuration come from.
    pub fn sources(&self, overrides: &[(&str, String)]) -> Sources {
        let mut flags: BTreeMap<String, String> = overrides
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        if let Some(dir) = &self.global.data_dir {
            flags
                .entry("storage.data_dir".to_owned())
                .or_insert_with(|| dir.display().to_string());
        }
        Sources {
            file: self.global.config.clone(),
            env: self.environment.clone(),
            overrides: flags,
        }
    }

    /// A client of the server that the options, else the configuration, name.
    pub fn client(&self) -> Result<Client, Failure> {
        let base = self.base_url()?;
        Client::new(&base, self.credentials()?)
    }

    fn base_url(&self) -> Result<String, Failure> {
        if let Some(url) = &self.global.url {
            return Ok(url.clone());
        }
        let (config, _) = self.config(&[])?;
        Ok(url_of(config.server.listen, config.server.tls()))
    }

    /// The token of the options or the environment, else the one that the server left for its
    /// operator. None at all is not yet a failure: the server may not ask for one.
    fn credentials(&self) -> Result<Credentials, Failure> {
        // An empty variable is how shells say that there is none.
        let given = self
            .global
            .token
            .as_ref()
            .filter(|token| !token.expose_secret().is_empty());
        if let Some(token) = given {
            let token = token.expose_secret().trim();
            // In a header it would be refused in words that nobody understands.
            if token.contains(|letter: char| !letter.is_ascii_graphic()) {
                return Err(
                    Failure::usage("the token has characters in it that no token has")
                        .hint("--token or VYROX_TOKEN: one line, as it was printed"),
                );
            }
            return Ok(Credentials::given(token.into()));
        }
        let file = self.data_dir()?.join(ADMIN_TOKEN_FILE);
        read_token(&file)
    }

    fn data_dir(&self) -> Result<PathBuf, Failure> {
        match &self.global.data_dir {
            Some(dir) => Ok(dir.clone()),
            None => Ok(self.config(&[])?.0.storage.data_dir),
        }
    }
}

/// Reads the token that the server wrote, if it is there.
pub fn read_token(file: &Path) -> Result<Credentials, Failure> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Credentials::given(SecretString::from(text.trim()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Credentials::missing(file)),
        Err(error) => Err(
            Failure::unreachable(format!("cannot read {}: {error}", file.display()))
                .hint("give a token with --token or VYROX_TOKEN, or run as the server's own user"),
        ),
    }
}

/// The URL of an address that a server listens on, seen from the same machine.
pub fn url_of(address: SocketAddr, tls: bool) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let scheme = if tls { "https" } else { "http" };
    format!("{scheme}://{}", SocketAddr::new(ip, address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_every_address_is_reached_on_loopback() {
        let seen = |address: &str, tls| url_of(address.parse().unwrap(), tls);
        assert_eq!(seen("0.0.0.0:8001", false), "http://127.0.0.1:8001");
        assert_eq!(seen("[::]:8001", true), "https://[::1]:8001");
        assert_eq!(seen("10.1.2.3:80", false), "http://10.1.2.3:80");
    }

    #[test]
    fn the_token_is_the_files_text_without_its_newline() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(ADMIN_TOKEN_FILE);
        assert!(!read_token(&file).unwrap().is_given());
        fs::write(&file, "abc\n").unwrap();
        assert_eq!(read_token(&file).unwrap().expose(), Some("abc"));
        assert!(read_token(dir.path()).is_err());
    }
}

//! Machines that an action must not touch without saying so.

use std::{fmt, net::IpAddr, str::Chars};

use crate::{action::is_shown, alert::Alert};

/// How many patterns there may be of each kind.
pub const ASSET_PATTERNS_MAX: usize = 1024;

/// The longest pattern, in bytes of UTF-8.
const PATTERN_MAX_BYTES: usize = 200;

const WANTED: &str = "expected host:, device:, role: or ip: and a name, * and ? stand for others";

/// Which machines are special, by patterns of the configuration. By default the domain controllers are.
#[derive(Clone, Debug)]
pub struct Assets {
    tier0: Vec<Pattern>,
    protected: Vec<Pattern>,
}

/// Why a machine is special.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Whoever has it has everything.
    Tier0,
    /// This pattern of the configuration.
    Pattern(String),
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tier0 => f.write_str("tier0"),
            Self::Pattern(text) => write!(f, "pattern:{text}"),
        }
    }
}

impl Assets {
    /// Reads patterns: `host:dc-*`, `device:0a1b`, `role:domain_controller`, `ip:10.0.0.0/24`. They
    /// disregard case; `*` stands for any text, `?` for one character. A host is also known by its
    /// name up to the first dot.
    ///
    /// # Errors
    /// Every pattern that cannot be read.
    pub fn parse(tier0: &[String], protected: &[String]) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let assets = Self {
            tier0: patterns("tier0", tier0, &mut faults),
            protected: patterns("protected", protected, &mut faults),
        };
        if faults.is_empty() {
            Ok(assets)
        } else {
            Err(faults)
        }
    }

    /// Why the alert's machine is special, if it is; the stronger reason of two.
    pub fn of(&self, alert: &Alert) -> Option<Protection> {
        if self.tier0.iter().any(|pattern| pattern.matches(alert)) {
            return Some(Protection::Tier0);
        }
        let pattern = self.protected.iter().find(|pattern| pattern.matches(alert));
        pattern.map(|pattern| Protection::Pattern(pattern.text.clone()))
    }
}

impl Default for Assets {
    fn default() -> Self {
        let controllers = Pattern {
            text: "role:domain_controller".to_owned(),
            test: Test::Role("domain_controller".to_owned()),
        };
        Self {
            tier0: vec![controllers],
            protected: Vec::new(),
        }
    }
}

#[derive(Clone, Debug)]
struct Pattern {
    text: String,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Host(String),
    Device(String),
    Role(String),
    Ip(String),
    Network { address: IpAddr, prefix: u32 },
}

impl Pattern {
    fn read(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once(':')?;
        let name = name.trim().to_lowercase();
        if name.is_empty() || !is_shown(text, PATTERN_MAX_BYTES) {
            return None;
        }
        let meant = match kind {
            "host" => Test::Host(name),
            "device" => Test::Device(name),
            "role" => Test::Role(name),
            "ip" => match name.split_once('/') {
                Some((address, prefix)) => network(address, prefix)?,
                None => Test::Ip(name),
            },
            _ => return None,
        };
        Some(Self {
            text: text.to_owned(),
            test: meant,
        })
    }

    fn matches(&self, alert: &Alert) -> bool {
        let device = &alert.device;
        let is = |glob: &str, text: &Option<String>| {
            text.as_ref()
                .is_some_and(|text| fits(glob, text.trim().to_lowercase().as_str()))
        };
        match &self.test {
            Test::Host(glob) => device.hostname.as_ref().is_some_and(|name| {
                let name = name.trim().trim_end_matches('.').to_lowercase();
                let (label, _) = name.split_once('.').unwrap_or((&name, ""));
                fits(glob, &name) || fits(glob, label)
            }),
            Test::Device(glob) => is(glob, &device.id),
            Test::Role(glob) => is(glob, &device.role),
            Test::Ip(glob) => device
                .ips
                .iter()
                .any(|ip| fits(glob, ip.trim().to_lowercase().as_str())),
            Test::Network { address, prefix } => device
                .ips
                .iter()
                .filter_map(|ip| ip.trim().parse().ok())
                .any(|ip| in_network(ip, *address, *prefix)),
        }
    }
}

fn patterns(list: &str, texts: &[String], faults: &mut Vec<String>) -> Vec<Pattern> {
    if texts.len() > ASSET_PATTERNS_MAX {
        faults.push(format!("{list}: more than {ASSET_PATTERNS_MAX} patterns"));
        return Vec::new();
    }
    let mut read = Vec::new();
    for text in texts {
        match Pattern::read(text) {
            Some(pattern) => read.push(pattern),
            None => faults.push(format!("{list}: {text:?}: {WANTED}")),
        }
    }
    read
}

fn network(address: &str, prefix: &str) -> Option<Test> {
    let address: IpAddr = address.parse().ok()?;
    let prefix: u32 = prefix.parse().ok()?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    (prefix <= bits).then_some(Test::Network { address, prefix })
}

fn in_network(ip: IpAddr, network: IpAddr, prefix: u32) -> bool {
    let shared = |zeros: u32| zeros >= prefix;
    match (ip.to_canonical(), network) {
        (IpAddr::V4(ip), IpAddr::V4(network)) => {
            shared((ip.to_bits() ^ network.to_bits()).leading_zeros())
        }
        (IpAddr::V6(ip), IpAddr::V6(network)) => {
            shared((ip.to_bits() ^ network.to_bits()).leading_zeros())
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

/// Whether a text fits a pattern with `*` and `?`; both are in lower case. The time is bounded by the
/// product of their lengths, because only the last star is ever tried again.
fn fits(glob: &str, text: &str) -> bool {
    let (mut glob, mut text) = (glob.chars(), text.chars());
    // What stands behind the last star, and the text from where it began to stand for nothing.
    let mut star: Option<(Chars<'_>, Chars<'_>)> = None;
    loop {
        let here = text.clone();
        match (glob.next(), text.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                star = Some((glob.clone(), here.clone()));
                text = here;
            }
            (Some(_), None) => return false,
            (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {}
            (Some(_) | None, Some(_)) => {
                let Some((behind, rest)) = &mut star else {
                    return false;
                };
                if rest.next().is_none() {
                    return false;
                }
                (glob, text) = (behind.clone(), rest.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::vendor::Vendor;

    fn alert() -> Alert {
        let mut alert = Alert::bare(Vendor::Crowdstrike, "1".to_owned());
        alert.device.id = Some("0A1B".to_owned());
        alert.device.hostname = Some("DC-01.corp.example".to_owned());
        alert.device.role = Some("server".to_owned());
        alert.device.ips = ["10.0.3.7", "fe80::1", "nonsense"]
            .map(str::to_owned)
            .into();
        alert
    }

    fn is_protected(pattern: &str) -> bool {
        let assets = Assets::parse(&[], &[pattern.to_owned()]).unwrap();
        assets.of(&alert()).is_some()
    }

    #[test]
    fn a_pattern_finds_its_machine() {
        for pattern in [
            "host:dc-01.corp.example",
            "host:dc-01",
            "host:DC-??",
            "host:dc-*",
            "host:*.corp.example",
            "host:*",
            "device:0a1b",
            "device:0*",
            "role:Server",
            "ip:10.0.3.7",
            "ip:10.0.3.*",
            "ip:10.0.0.0/22",
            "ip:0.0.0.0/0",
            "ip:10.0.3.7/32",
            "ip:fe80::/10",
        ] {
            assert!(is_protected(pattern), "{pattern}");
        }
        for pattern in [
            "host:dc-0",
            "host:dc-???",
            "host:corp.example",
            "host:dc-01.",
            "device:0a1",
            "role:serve",
            "ip:10.0.3.70",
            "ip:10.0.4.0/22",
            "ip:10.0.3.6/32",
            "ip:fec0::/10",
        ] {
            assert!(!is_protected(pattern), "{pattern}");
        }
    }

    #[test]
    fn the_stronger_reason_is_given() {
        let both = Assets::parse(&["host:dc-*".to_owned()], &["ip:10.*".to_owned()]).unwrap();
        assert_eq!(both.of(&alert()), Some(Protection::Tier0));
        let one = Assets::parse(&[], &["host:x".to_owned(), "ip:10.*".to_owned()]).unwrap();
        let why = one.of(&alert()).map(|why| why.to_string());
        assert_eq!(why.as_deref(), Some("pattern:ip:10.*"));
    }

    #[test]
    fn domain_controllers_are_special_unless_said_otherwise() {
        let mut controller = alert();
        controller.device.role = Some("domain_controller".to_owned());
        let default = Assets::default();
        assert_eq!(default.of(&controller), Some(Protection::Tier0));
        assert_eq!(default.of(&alert()), None);
        let none = Assets::parse(&[], &[]).unwrap();
        assert_eq!(none.of(&controller), None);
    }

    #[test]
    fn every_pattern_that_cannot_be_read_is_told() {
        let wrong = [
            "dc-*",
            "host:",
            "host: ",
            "name:dc",
            "ip:10.0.0.0/33",
            "ip:ten/8",
            "ip:fe80::/129",
            "host:a\nb",
            "",
        ]
        .map(str::to_owned);
        let faults = Assets::parse(&wrong, &["also wrong".to_owned()]).unwrap_err();
        assert_eq!(faults.len(), wrong.len() + 1, "{faults:#?}");
        let many = vec!["host:x".to_owned(); ASSET_PATTERNS_MAX + 1];
        assert_eq!(Assets::parse(&many, &[]).unwrap_err().len(), 1);
    }

    /// As the definition of a pattern says it, and so slow that it must not be used.
    fn fits_by_definition(glob: &[char], text: &[char]) -> bool {
        match (glob, text) {
            ([], []) => true,
            (['*', behind @ ..], _) => {
                (0..=text.len()).any(|at| fits_by_definition(behind, text.split_at(at).1))
            }
            (['?', behind @ ..], [_, rest @ ..]) => fits_by_definition(behind, rest),
            ([one, behind @ ..], [other, rest @ ..]) => {
                one == other && fits_by_definition(behind, rest)
            }
            ([], [_, ..]) | ([_, ..], []) => false,
        }
    }

    proptest! {
        #[test]
        fn a_pattern_fits_as_defined(glob in "[ab*?]{0,8}", text in "[abc]{0,8}") {
            let glob_chars: Vec<char> = glob.chars().collect();
            let text_chars: Vec<char> = text.chars().collect();
            prop_assert_eq!(fits(&glob, &text), fits_by_definition(&glob_chars, &text_chars));
        }
    }
}

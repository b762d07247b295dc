//! `vyrox mock-edr`: stand-ins of the three EDRs, to try the whole way out without one.

use std::net::SocketAddr;

use clap::Args;
use serde_json::{Value, json};
use vyrox_domain::vendor::Vendor;

use super::{failure::Failure, out::Out, wait_for};
use crate::{
    mock_edr::{Credential, Fault, MockEdr, MockSettings, VENDORS},
    shutdown::{Event, Signals},
};

const EXAMPLES: &str = "\
Examples:
  vyrox mock-edr                                      on a free port of this machine
  vyrox mock-edr --listen 127.0.0.1:9900 --settle-after 3
  vyrox mock-edr --fault crowdstrike:contain:503:times=2
  vyrox mock-edr --fault defender:contain:hang:applied
  curl http://127.0.0.1:9900/                         how every host is, and what else can be asked
  curl -d '{\"online\":false}' http://127.0.0.1:9900/_mock/hosts/WS-FINANCE-07

A fault is VENDOR:REQUEST:ANSWER, then what fits of :applied (it takes effect all the same),
:slow=SECONDS, :times=N, :always. A REQUEST is any, token, read_host, contain, release, kill,
mitigate, block_hash, ...; an ANSWER is usual, a status, 429=seconds/N, 429=date/N, 429=epoch/N,
errors_inside, hang, reset, broken_off, huge, huge_announced, garbled, wrong_type or redirect=URL.

The server must run with `edr.allow_private = true` to speak to this machine.";

/// Arguments of `mock-edr`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct MockEdrArgs {
    /// Where to listen: an address of this machine; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Know the hosts of the built-in attacks and no other
    #[arg(long)]
    pub only_known_hosts: bool,
    /// How often an online host must be read until it has done what it was told
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub settle_after: u32,
    /// Let something go wrong; may be given more than once
    #[arg(long = "fault", value_name = "FAULT")]
    pub faults: Vec<Fault>,
}

/// Stands in until it is told to end.
pub fn run(args: MockEdrArgs, out: &mut Out) -> Result<(), Failure> {
    if !args.listen.ip().is_loopback() {
        return Err(
            Failure::not_so("the stand-ins listen on this machine alone")
                .hint("give an address of 127.0.0.0/8, or [::1]"),
        );
    }
    let settings = MockSettings {
        listen: args.listen,
        any_host: !args.only_known_hosts,
        settle_after: args.settle_after,
        ..MockSettings::default()
    };
    let mock = MockEdr::start(settings).map_err(|error| {
        Failure::unreachable(format!("cannot listen on {}: {error}", args.listen))
    })?;
    args.faults.into_iter().for_each(|fault| mock.fault(fault));
    if out.is_json() {
        out.json(&in_json(&mock))?;
    } else {
        say(&mock, out)?;
    }
    wait_for(until_told())?;
    mock.stop();
    Ok(())
}

async fn until_told() -> Result<(), Failure> {
    let failed = |error| Failure::unreachable(format!("cannot listen for signals: {error}"));
    let mut signals = Signals::listen().map_err(failed)?;
    while matches!(signals.next().await, Event::Reload) {}
    Ok(())
}

/// What there is to be told of each: addresses, and the secrets of this start, which are nobody else's.
fn in_json(mock: &MockEdr) -> Value {
    let told = |vendor: &Vendor| {
        let credential = mock.credential(*vendor);
        json!({
            "vendor": vendor,
            "base_url": credential.base_url,
            "login_url": credential.login_url,
            "client_id": credential.client_id,
            "secret": credential.secret,
            "realm": credential.realm,
        })
    };
    let vendors: Value = VENDORS.iter().map(told).collect();
    json!({ "url": url(mock), "vendors": vendors })
}

fn url(mock: &MockEdr) -> String {
    format!("http://{}", mock.address())
}

fn say(mock: &MockEdr, out: &mut Out) -> Result<(), Failure> {
    let url = url(mock);
    out.line(format!("listening on {url}"))?;
    out.gap()?;
    for vendor in VENDORS {
        let credential = mock.credential(vendor);
        out.line(format!("{:<13}{}", vendor.as_str(), credential.base_url))?;
    }
    out.gap()?;
    out.line("Make them known to a server that runs with VYROX_EDR__ALLOW_PRIVATE=true:")?;
    for vendor in VENDORS {
        out.line(format!("  {}", set_line(vendor, mock.credential(vendor))))?;
    }
    out.gap()?;
    out.line("See how the hosts are, and what else can be asked:")?;
    out.line(format!("  curl {url}/"))?;
    Ok(())
}

/// The command that gives a server the credential. The secret is an argument of the shell's own `printf`
/// alone, which no other process can see.
fn set_line(vendor: Vendor, credential: &Credential) -> String {
    let mut line = format!(
        "printf %s {} | vyrox secret set TENANT {vendor} --base-url {}",
        credential.secret, credential.base_url
    );
    let options = [
        ("login-url", &credential.login_url),
        ("client-id", &credential.client_id),
        ("realm", &credential.realm),
    ];
    for (name, value) in options {
        if let Some(value) = value {
            line = format!("{line} --{name} {value}");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::{
        super::{Cli, out::tests::Paper},
        *,
    };

    #[test]
    fn faults_are_read_on_the_command_line() {
        for (line, reads) in [
            ("vyrox mock-edr", true),
            (
                "vyrox mock-edr --listen 127.0.0.1:9900 --settle-after 3 --only-known-hosts",
                true,
            ),
            (
                "vyrox mock-edr --fault crowdstrike:contain:503:times=2 --fault defender:any:hang",
                true,
            ),
            ("vyrox mock-edr --fault nobody:contain:503", false),
            ("vyrox mock-edr --fault crowdstrike:contain:somehow", false),
            ("vyrox mock-edr --listen everywhere", false),
        ] {
            let parsed = Cli::try_parse_from(line.split(' '));
            assert_eq!(parsed.is_ok(), reads, "{line}: {:?}", parsed.err());
        }
    }

    #[test]
    fn they_are_for_this_machine_alone() {
        let args = MockEdrArgs {
            listen: SocketAddr::from(([0, 0, 0, 0], 0)),
            only_known_hosts: false,
            settle_after: 0,
            faults: Vec::new(),
        };
        assert!(run(args, &mut Paper::default().out(false)).is_err());
    }

    #[test]
    fn it_says_how_to_make_each_known() {
        let mock = MockEdr::start(MockSettings::default()).unwrap();
        let paper = Paper::default();
        say(&mock, &mut paper.out(false)).unwrap();
        let text = paper.text();
        assert!(text.starts_with(&format!("listening on http://{}\n", mock.address())));
        for vendor in VENDORS {
            let credential = mock.credential(vendor);
            let line = text
                .lines()
                .find(|line| line.contains(&format!("secret set TENANT {vendor} ")))
                .unwrap();
            assert!(
                line.contains(&format!("printf %s {} |", credential.secret)),
                "{line}"
            );
            assert!(
                line.contains(&format!("--base-url {}", credential.base_url)),
                "{line}"
            );
        }
        let defender = text
            .lines()
            .find(|line| line.contains("--login-url"))
            .unwrap();
        assert!(
            defender.contains("--realm") && defender.contains("--client-id"),
            "{defender}"
        );
    }

    #[test]
    fn programs_get_the_same_in_json() {
        let mock = MockEdr::start(MockSettings::default()).unwrap();
        let told = in_json(&mock);
        for (vendor, told) in VENDORS.iter().zip(told["vendors"].as_array().unwrap()) {
            let credential = mock.credential(*vendor);
            assert_eq!(told["secret"], json!(credential.secret));
            assert_eq!(told["base_url"], json!(credential.base_url));
            assert_eq!(told["realm"], json!(credential.realm));
        }
    }
}

//! `vyrox vendor`: whether EDRs can be spoken to.

use clap::Subcommand;
use serde_json::Value;
use vyrox_domain::{ids::TenantId, vendor::Vendor};

use super::{
    client::Client,
    failure::Failure,
    out::{Line, Out, Tone},
    settings::Settings,
};

/// What can be asked about EDRs.
#[derive(Debug, Subcommand)]
pub enum VendorCommand {
    /// Ask an EDR whether it accepts the credential that is in force
    #[command(after_help = CHECK_HELP)]
    Check {
        /// The tenant
        #[arg(value_name = "TENANT")]
        tenant: TenantId,
        /// Whose EDR: crowdstrike, sentinelone or defender
        #[arg(value_name = "VENDOR")]
        vendor: Vendor,
    },
}

const CHECK_HELP: &str = "\
One call is made that changes nothing. The exit code is 0 if the EDR accepts the credential, 1 if not,
and 3 if it could not be asked.

Example:
  vyrox vendor check acme crowdstrike";

/// Does what was asked.
pub async fn run(
    command: VendorCommand,
    settings: &Settings,
    out: &mut Out,
) -> Result<(), Failure> {
    let client = settings.client()?;
    match command {
        VendorCommand::Check { tenant, vendor } => check(&client, &tenant, vendor, out).await,
    }
}

async fn check(
    client: &Client,
    tenant: &TenantId,
    vendor: Vendor,
    out: &mut Out,
) -> Result<(), Failure> {
    let (tenant, vendor) = (tenant.as_str(), vendor.as_str());
    let path = ["api", "v1", "tenants", tenant, "edr", vendor, "check"];
    let answer: Value = client.post(&path, &Value::Null).await?;
    if out.is_json() {
        return Ok(out.json(&answer)?);
    }
    let note = answer.get("note").and_then(Value::as_str);
    let line = Line::named("accepted").tone(Tone::Good, format!("{vendor} of {tenant}"));
    out.line(line)?;
    Ok(out.line(Line::item("note", note.unwrap_or_default()))?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::{failure::Exit, fake_server::FakeServer, out::tests::Paper},
        *,
    };

    async fn checked(status: u16, answer: Value) -> (Result<(), Failure>, String) {
        let server = FakeServer::new(move |_| (status, answer.to_string()));
        let (paper, acme) = (Paper::default(), "acme".parse().unwrap());
        let (client, mut out) = (server.client(), paper.out(false));
        let done = check(&client, &acme, Vendor::Defender, &mut out).await;
        let asked = server.asked().pop().unwrap();
        assert_eq!(asked.line, "POST /api/v1/tenants/acme/edr/defender/check");
        (done, paper.text())
    }

    #[tokio::test]
    async fn the_exit_code_says_whether_the_vendor_accepts_it() {
        let (done, text) = checked(200, json!({ "ok": true, "note": "12 hosts seen" })).await;
        done.unwrap();
        assert_eq!(
            text,
            "accepted  defender of acme\nnote      12 hosts seen\n"
        );
        for (status, code, exit) in [
            (422, "credential_refused", Exit::NotSo),
            (404, "credential_not_found", Exit::NotSo),
            (502, "credential_unchecked", Exit::Unreachable),
            (501, "vendor_check_unavailable", Exit::Unreachable),
        ] {
            let (done, _) = checked(status, json!({ "title": "No", "code": code })).await;
            let failure = done.unwrap_err();
            assert_eq!(failure.exit(), exit, "{code}");
            assert!(failure.way_on().is_some(), "{code}");
        }
    }
}

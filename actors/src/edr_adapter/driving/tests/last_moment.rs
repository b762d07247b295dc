//! What stops an action right before it would leave.

use vyrox_domain::action::Release;

use super::*;
use crate::edr::DeviceSeen;

/// Between the second proof of an approval and the request there lay up to twenty seconds of waiting for a
/// turn, a token or a session. A halt that came meanwhile stopped nothing.
#[test]
fn what_is_stopped_while_the_connector_waits_is_not_sent() {
    let not = || Reads(NotInEffect);
    let expired = Barred::Rejected(JwsError::Expired);
    for (holds, barred, outcome) in [
        (3, Barred::Halted, Executed),
        (2, Barred::Halted, Unreachable),
        (2, Barred::CredentialGone, Unreachable),
        (2, Barred::GivenUp, Unreachable),
        (2, expired, Refused),
    ] {
        let vendor = Vendors::new(&[not(), Reads(InEffect)], &[does("asks")]);
        let (report, _) = driven(&errand(false, true), &vendor, holds, barred);
        let stopped = outcome != Executed;
        assert_eq!(report.outcome, outcome, "{barred:?}: {report:?}");
        assert_eq!(report.sent, u32::from(!stopped), "{report:?}");
        let why = report.why.unwrap_or_default();
        assert_eq!(why.contains(&barred.to_string()), stopped, "{why}");
    }
}

/// A webhook that was forged named a workstation and the device id of a domain controller, and people
/// approved what they read. The vendor knew better and was not asked.
#[test]
fn a_device_that_is_another_than_was_approved_is_left_alone() {
    let workstation = || DeviceSeen {
        hostname: Some("WS-BOB.corp.example".into()),
        role: Some("Workstation".into()),
        ips: vec!["10.0.0.7".into()],
        platform: Some("Windows".into()),
    };
    let controller = || DeviceSeen {
        hostname: Some("dc-1".into()),
        role: Some("Domain Controller".into()),
        ..workstation()
    };
    let (other, special) = (
        Some("the vendor knows this device by another name"),
        Some("the device is protected, and that was not approved"),
    );
    let released = Some(Release { of: None });
    let nameless = DeviceSeen {
        hostname: Some(String::new()),
        ..DeviceSeen::default()
    };
    for (device, host, protected, release, expected) in [
        (workstation(), Some("ws-bob"), None, None, None),
        (
            workstation(),
            Some("WS-Bob.other.example"),
            None,
            None,
            None,
        ),
        (workstation(), Some("abc"), None, None, None),
        (workstation(), Some("ws-bo"), None, None, other),
        (workstation(), None, None, None, None),
        (nameless, Some("ws-bob"), None, None, None),
        (controller(), Some("ws-bob"), None, None, other),
        (controller(), Some("ws-bob"), Some("tier0"), None, other),
        (controller(), None, None, None, special),
        (controller(), Some("dc-1"), None, None, special),
        (controller(), Some("dc-1"), Some("tier0"), None, None),
        (controller(), Some("ws-bob"), None, released, None),
    ] {
        let vendor = Vendors::new(&[Reads(NotInEffect), Reads(InEffect)], &[Takes]);
        vendor.is(device.clone());
        let mut errand = errand(false, true);
        errand.manifest.host = host.map(str::to_owned);
        errand.manifest.protected = protected.map(str::to_owned);
        errand.manifest.release = release;
        let (report, _) = driven(&errand, &vendor, usize::MAX, Barred::Halted);
        assert_eq!(report.why.as_deref(), expected, "{device:?} {host:?}");
        let (outcome, calls) = match expected {
            Some(_) => (Refused, "r"),
            None => (Executed, "rSr"),
        };
        assert_eq!((report.outcome, vendor.calls().as_str()), (outcome, calls));
    }
    let vendor = Vendors::new(&[Reads(NotInEffect)], &[Takes]);
    vendor.is(controller());
    let (report, _) = driven(&errand(true, true), &vendor, usize::MAX, Barred::Halted);
    assert_eq!((report.outcome, report.sent), (Refused, 0), "after a fall");
}

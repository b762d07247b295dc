//! A short alert, completed from the full shape that the vendor's API gives of it.

use super::{Alert, Hashes, Process};

impl Alert {
    /// This alert with what it left out of its machine, its process's identity and its threat, as `full`
    /// says it. What it says itself stays, whatever `full` says.
    ///
    /// `None` unless both are the same alert of the same vendor, on the same machine as far as both name it.
    pub fn completed(&self, full: &Self) -> Option<Self> {
        let same = self.vendor == full.vendor && self.vendor_alert_id == full.vendor_alert_id;
        let (ours, theirs) = (&self.device, &full.device);
        let same_machine = agree(ours.id.as_ref(), theirs.id.as_ref(), |one, other| {
            one.eq_ignore_ascii_case(other)
        }) && agree(
            ours.hostname.as_deref(),
            theirs.hostname.as_deref(),
            is_same_host,
        );
        if !same || !same_machine {
            return None;
        }
        let mut alert = self.clone();
        let device = &mut alert.device;
        fill(&mut device.id, theirs.id.as_ref());
        fill(&mut device.hostname, theirs.hostname.as_ref());
        fill(&mut device.platform, theirs.platform.as_ref());
        fill(&mut device.role, theirs.role.as_ref());
        if device.ips.is_empty() {
            device.ips.clone_from(&theirs.ips);
        }
        if is_within(&self.process, &full.process) {
            let process = &mut alert.process;
            fill(&mut process.pid, full.process.pid.as_ref());
            fill(&mut process.image, full.process.image.as_ref());
            fill_hashes(&mut process.hashes, &full.process.hashes);
        }
        fill(&mut alert.threat_id, full.threat_id.as_ref());
        Some(alert)
    }
}

/// Whether what `short` says of its process is what `full` says too. An id or a hash of another process must
/// not be put beside this one's name and path.
fn is_within(short: &Process, full: &Process) -> bool {
    let text = |ours: &Option<String>, theirs: &Option<String>| {
        let theirs = theirs.as_ref();
        ours.as_ref()
            .is_none_or(|ours| theirs.is_some_and(|it| it.to_lowercase() == ours.to_lowercase()))
    };
    let (hashes, known) = (&short.hashes, &full.hashes);
    let hash = |ours: &Option<String>, theirs: &Option<String>| {
        agree(ours.as_ref(), theirs.as_ref(), |one, other| one == other)
    };
    text(&short.image, &full.image)
        && text(&short.path, &full.path)
        && agree(short.pid, full.pid, |one, other| one == other)
        && hash(&hashes.md5, &known.md5)
        && hash(&hashes.sha1, &known.sha1)
        && hash(&hashes.sha256, &known.sha256)
}

/// What only one of them says, nobody contradicts.
fn agree<T>(one: Option<T>, other: Option<T>, same: impl Fn(T, T) -> bool) -> bool {
    one.zip(other).is_none_or(|(one, other)| same(one, other))
}

/// Host names disregard case, and one without a domain is the same as one with.
fn is_same_host(one: &str, other: &str) -> bool {
    let name = |text: &str| text.trim().trim_end_matches('.').to_lowercase();
    let (one, other) = (name(one), name(other));
    match (one.split_once('.'), other.split_once('.')) {
        (Some((label, _)), None) => label == other,
        (None, Some((label, _))) => label == one,
        (Some(_), Some(_)) | (None, None) => one == other,
    }
}

fn fill<T: Clone>(ours: &mut Option<T>, theirs: Option<&T>) {
    if ours.is_none() {
        *ours = theirs.cloned();
    }
}

fn fill_hashes(ours: &mut Hashes, theirs: &Hashes) {
    fill(&mut ours.md5, theirs.md5.as_ref());
    fill(&mut ours.sha1, theirs.sha1.as_ref());
    fill(&mut ours.sha256, theirs.sha256.as_ref());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::vendor::Vendor;

    fn short() -> Alert {
        let mut alert = Alert::bare(Vendor::Crowdstrike, "ldt:1".to_owned());
        alert.device.hostname = Some("WS-1".to_owned());
        alert.process.image = Some("mimi.exe".to_owned());
        alert
    }

    fn full() -> Alert {
        let mut alert = short();
        alert.title = Some("another title".to_owned());
        alert.device.id = Some("0a1b".to_owned());
        alert.device.hostname = Some("ws-1.corp.example".to_owned());
        alert.device.role = Some("domain_controller".to_owned());
        alert.device.ips = vec!["192.0.2.1".to_owned()];
        alert.process.image = Some("Mimi.exe".to_owned());
        alert.process.pid = Some(4242);
        alert.process.path = Some("C:\\Temp\\Mimi.exe".to_owned());
        alert.process.hashes.sha256 = Some("ab".repeat(32));
        alert.threat_id = Some("77".to_owned());
        alert
    }

    #[test]
    fn only_what_is_missing_is_filled_in() {
        let found = short().completed(&full()).unwrap();
        let mut expected = short();
        expected.device = full().device;
        expected.device.hostname = short().device.hostname;
        expected.process.pid = Some(4242);
        expected.process.hashes = full().process.hashes;
        expected.threat_id = full().threat_id;
        assert_eq!(found, expected);
    }

    #[test]
    fn another_alert_or_machine_completes_nothing() {
        let mut others = vec![full(), full(), full(), full()];
        others[0].vendor = Vendor::Defender;
        others[1].vendor_alert_id = "ldt:2".to_owned();
        others[2].device.hostname = Some("ws-2".to_owned());
        others[3].device.hostname = Some("ws-10".to_owned());
        for other in others {
            assert_eq!(short().completed(&other), None, "{other:?}");
        }
        let mut known = short();
        known.device.id = Some("ffff".to_owned());
        assert_eq!(known.completed(&full()), None);
        known.device.id = Some("0A1B".to_owned());
        known.device.hostname = Some("ws-1.elsewhere.example".to_owned());
        assert_eq!(known.completed(&full()), None);
    }

    /// The hash of a file of the operating system, put beside the path of another file, would have that hash
    /// blocked everywhere.
    #[test]
    fn of_another_process_nothing_is_taken() {
        let mut elsewhere = short();
        elsewhere.process.path = Some("C:\\Users\\eve\\mimi.exe".to_owned());
        let mut renamed = short();
        renamed.process.image = Some("svchost.exe".to_owned());
        let mut other_pid = short();
        other_pid.process.pid = Some(7);
        for alert in [elsewhere, renamed, other_pid] {
            let found = alert.completed(&full()).unwrap();
            assert_eq!(found.process, alert.process);
            assert_eq!(found.device.id, full().device.id, "the machine is the same");
        }
    }

    proptest! {
        #[test]
        fn names_of_a_host_agree_both_ways(one in "[aB]{1,2}(\\.[cD]{1,2})?\\.?", other in "[aB]{1,2}(\\.[cD]{1,2})?") {
            prop_assert_eq!(is_same_host(&one, &other), is_same_host(&other, &one));
            prop_assert!(is_same_host(&one, &one.to_uppercase()));
        }
    }
}

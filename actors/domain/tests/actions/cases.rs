//! Alerts, and what is proposed for them.

use vyrox_domain::{
    action::{ActionType, Draft},
    alert::{Alert, Process},
    playbook::{Assets, Case, Playbooks, builtin},
    triage::Verdict,
    vendor::Vendor,
};

pub(crate) fn sources(texts: &[&str]) -> Vec<(String, String)> {
    let named = |(at, text): (usize, &&str)| (format!("{at}.toml"), (*text).to_owned());
    texts.iter().enumerate().map(named).collect()
}

pub(crate) fn builtins() -> Playbooks {
    let texts: Vec<&str> = builtin().iter().map(|(_, text)| *text).collect();
    Playbooks::compile(&sources(&texts)).unwrap()
}

/// An alert that says all that any action could need.
pub(crate) fn full(vendor: Vendor) -> Alert {
    let mut alert = Alert::bare(vendor, "v-1".to_owned());
    alert.device.id = Some("0a1b2c".to_owned());
    alert.device.hostname = Some("srv-1".to_owned());
    alert.device.platform = Some("windows".to_owned());
    alert.threat_id = Some("99".to_owned());
    alert.process = Process {
        image: Some("evil.exe".to_owned()),
        path: Some(r"C:\Users\eve\evil.exe".to_owned()),
        pid: Some(4711),
        ..Process::default()
    };
    alert.process.hashes.sha1 = Some("1".repeat(40));
    alert.process.hashes.sha256 = Some("2".repeat(64));
    alert
}

pub(crate) fn propose(
    playbooks: &Playbooks,
    alert: &Alert,
    tactics: &[&str],
    techniques: &[&str],
) -> Vec<Draft> {
    let owned = |words: &[&str]| {
        words
            .iter()
            .map(|one| (*one).to_owned())
            .collect::<Vec<_>>()
    };
    let case = Case {
        alert,
        verdict: Verdict::High,
        tactics: &owned(tactics),
        techniques: &owned(techniques),
    };
    playbooks.propose(&case, &Assets::default())
}

/// What one playbook with this one step proposes.
pub(crate) fn step(alert: &Alert, action: ActionType) -> Option<Draft> {
    let text = format!(
        "id = 'one'\ntitle = 'One'\npriority = 1\nwhen = {{ min_verdict = 'HIGH' }}\n\
         steps = [{{ action = '{action}' }}]"
    );
    let playbooks = Playbooks::compile(&sources(&[&text])).unwrap();
    let mut drafts = propose(&playbooks, alert, &[], &[]);
    assert!(drafts.len() <= 1);
    drafts.pop()
}

//! Rules and alerts that nobody has, in the shape of those that everybody has.

use rand::{RngExt as _, rngs::StdRng};
use uuid::Uuid;
use vyrox_domain::{
    alert::{Alert, Severity},
    vendor::Vendor,
};

const IMAGES: [&str; 8] = [
    "powershell.exe",
    "cmd.exe",
    "rundll32.exe",
    "wmic.exe",
    "svchost.exe",
    "python3",
    "bash",
    "msbuild.exe",
];
const FLAGS: [&str; 10] = [
    "-enc",
    "/transfer",
    "--reverse",
    "-nop",
    "shadowcopy",
    "http://",
    "-u ",
    ".dll,",
    "/add",
    "certutil",
];
const TACTICS: [(&str, &str); 5] = [
    ("execution", "t1059.001"),
    ("persistence", "t1543.003"),
    ("defense-evasion", "t1218.011"),
    ("discovery", "t1082"),
    ("impact", "t1490"),
];

#[expect(clippy::indexing_slicing, reason = "the range is that of the slice")]
fn pick<T: Copy>(random: &mut StdRng, from: &[T]) -> T {
    from[random.random_range(0..from.len())]
}

/// A word that hardly any alert has in it: real rules look for names, and most do not match.
fn word(random: &mut StdRng) -> String {
    let length = random.random_range(5..12);
    (0..length)
        .map(|_| char::from(random.random_range(b'a'..=b'z')))
        .collect()
}

/// A rule in the shape of the public ones about processes: an image, a few words of the command line, a
/// parent, and now and then an expression and a filter.
pub(crate) fn rule(random: &mut StdRng, n: usize) -> (String, String) {
    let image = pick(random, &IMAGES);
    let words: Vec<_> = (0..random.random_range(2..8))
        .map(|_| word(random))
        .collect();
    let flag = pick(random, &FLAGS);
    let (tactic, technique) = pick(random, &TACTICS);
    let parent = pick(random, &IMAGES);
    let id = Uuid::from_u64_pair(0x4000, 0x8000_0000_0000_0000 | n as u64);
    let words = words.join("', '");
    let expression = if n.is_multiple_of(10) {
        format!(
            "  pattern:\n    CommandLine|re: '{}[0-9]{{2,6}}\\.(tmp|dat)$'\n",
            word(random)
        )
    } else {
        String::new()
    };
    let condition = match n % 10 {
        0 => "(image and command) or pattern",
        1..=3 => "image and command and not filter",
        _ => "image and command",
    };
    let text = format!(
        "title: Rule {n}\nid: {id}\nname: bench.rule_{n}\ndescription: Made up for a benchmark.\n\
         logsource: {{category: process_creation, product: windows}}\ndetection:\n  image:\n    \
         Image|endswith: '\\{image}'\n  command:\n    CommandLine|contains: ['{words}']\n  filter:\n    \
         ParentImage|endswith: '\\{parent}'\n    CommandLine|contains|all: ['{flag}', '{n}']\n{expression}  \
         condition: {condition}\nlevel: medium\ntags: [attack.{tactic}, attack.{technique}]\n"
    );
    (format!("rule-{n}.yml"), text)
}

/// An alert of a process with a command line of a usual length.
pub(crate) fn alert(random: &mut StdRng, n: usize) -> Alert {
    let mut alert = Alert::bare(Vendor::Crowdstrike, format!("ldt:bench:{n}"));
    let image = pick(random, &IMAGES);
    let words: Vec<_> = (0..random.random_range(6..30))
        .map(|_| word(random))
        .collect();
    alert.severity = pick(random, &[Severity::Low, Severity::Medium, Severity::High]);
    alert.severity_score = alert.severity.middle();
    alert.title = Some("Suspicious process".into());
    alert.description = Some("A process behaved as those of attackers do.".into());
    alert.tactics = vec!["Execution".into()];
    alert.techniques = vec!["T1059.001".into()];
    alert.device.id = Some(format!("{n:032x}"));
    alert.device.hostname = Some(format!("WS-{:04}", n % 500));
    alert.device.platform = Some("windows".into());
    alert.user.name = Some(format!(r"CORP\user{}", n % 900));
    alert.process.image = Some(image.into());
    alert.process.path = Some(format!(r"C:\Windows\System32\{image}"));
    let flag = pick(random, &FLAGS);
    alert.process.command_line = Some(format!("{image} {flag} {}", words.join(" ")));
    alert.process.hashes.sha256 = Some(format!("{n:064x}"));
    alert.parent.image = Some(pick(random, &IMAGES).into());
    alert
}

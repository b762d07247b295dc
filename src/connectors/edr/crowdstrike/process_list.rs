//! Reads what `ps` wrote on a host. The columns differ between operating systems, and names may have spaces
//! in them; what cannot be read for certain is not read.

use vyrox_domain::playbook::is_vital_process;

/// What became of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It is there, under this image.
    Running,
    /// It is there, under this image, and its end would take the host down.
    Vital,
    /// No process has the id.
    Gone,
    /// Another image has the id.
    Reused,
}

/// How many lines may stand before the heading.
const PREAMBLE_LINES: usize = 20;
/// Linux tells no more than this of a name.
const SHORT_NAME: usize = 15;

const PID_WORDS: [&str; 3] = ["pid", "processid", "id"];
const NAME_WORDS: [&str; 10] = [
    "name",
    "image",
    "imagename",
    "process",
    "processname",
    "command",
    "cmd",
    "cmdline",
    "comm",
    "path",
];
/// Headings of two words are read as one; each is as long as what stands for it.
const JOINED: [(&str, &str); 3] = [
    ("process id", "process_id"),
    ("process name", "process_name"),
    ("image name", "image_name"),
];

/// The file that an image's path names; `None` where that could be anything, as a number could.
pub(super) fn file_name(image: &str) -> Option<String> {
    let file = image.rsplit(['\\', '/']).next().unwrap_or(image);
    let file = file.trim().to_lowercase();
    let speaks = file.chars().any(char::is_alphabetic);
    speaks.then_some(file)
}

/// Looks for a process by the name of its file; `None` where the text is no list of processes.
pub(super) fn look_for(text: &str, pid: u32, file: &str) -> Option<Seen> {
    let mut lines = text.lines();
    let heading = lines
        .by_ref()
        .take(PREAMBLE_LINES)
        .find_map(Heading::read)?;
    let (mut rows, mut seen) = (0_usize, None);
    for line in lines {
        let Some((id, name)) = heading.row(line) else {
            continue;
        };
        rows = rows.saturating_add(1);
        if id != u64::from(pid) {
            continue;
        }
        // Where several lines seem to have the id, all of them have to be the process that is meant.
        seen = Some(match (seen, judge(&name, file)) {
            (Some(Seen::Vital), _) | (_, Seen::Vital) => Seen::Vital,
            (None | Some(Seen::Running), Seen::Running) => Seen::Running,
            _ => Seen::Reused,
        });
    }
    seen.or_else(|| (rows > 0).then_some(Seen::Gone))
}

/// What a process of this name is to one who means that file.
fn judge(name: &str, file: &str) -> Seen {
    if !is_of(name, file) {
        Seen::Reused
    } else if is_vital_process(name) || is_vital_process(&format!("{name}.exe")) {
        Seen::Vital
    } else {
        Seen::Running
    }
}

/// Whether a name that a host tells is that file's; some hosts leave the ending out, or cut it short.
fn is_of(name: &str, file: &str) -> bool {
    let long = file.chars().count() > SHORT_NAME;
    let short = file.chars().take(SHORT_NAME);
    name == file || file.strip_suffix(".exe") == Some(name) || (long && short.eq(name.chars()))
}

/// Where a line has the id and the name.
struct Heading {
    /// Which words they are.
    pid: usize,
    name: usize,
    /// How many there are.
    columns: usize,
    /// The characters that the heading of the id takes up.
    from: usize,
    to: usize,
}

impl Heading {
    fn read(line: &str) -> Option<Self> {
        let mut lower = line.to_ascii_lowercase();
        for (two, one) in JOINED {
            lower = lower.replace(two, one);
        }
        let words: Vec<(usize, &str)> = words(&lower).collect();
        let is = |word: &str, known: &str| {
            let word = word.trim_matches(['"', ',', ':']);
            word.chars().filter(|c| *c != '_').eq(known.chars())
        };
        let pid = PID_WORDS
            .iter()
            .find_map(|known| words.iter().position(|(_, word)| is(word, known)))?;
        let name = words
            .iter()
            .position(|(_, word)| NAME_WORDS.iter().any(|known| is(word, known)))?;
        let (from, word) = words.get(pid)?;
        Some(Self {
            pid,
            name,
            columns: words.len(),
            from: *from,
            to: from.saturating_add(word.chars().count()),
        })
    }

    /// The id and the name of the file in a line. Of the columns only a name may be of several words, and
    /// what is the last.
    fn row(&self, line: &str) -> Option<(u64, String)> {
        let words: Vec<(usize, &str)> = words(line).collect();
        let at = self.pid_in(&words)?;
        let id = words.get(at)?.1.parse().ok()?;
        let (from, to) = if self.name < self.pid {
            let between = self.pid.saturating_sub(self.name).saturating_sub(1);
            (self.name, at.saturating_sub(between))
        } else {
            let behind = self.columns.saturating_sub(self.name).saturating_sub(1);
            (self.name, words.len().saturating_sub(behind))
        };
        let cell = words.get(from..to).unwrap_or_default();
        let cell: Vec<&str> = cell.iter().map(|(_, word)| *word).collect();
        Some((id, named_in(&cell.join(" "))))
    }

    /// Which word is the id: the number under the heading, else the first one of the line.
    fn pid_in(&self, words: &[(usize, &str)]) -> Option<usize> {
        if self.name > self.pid {
            return Some(self.pid);
        }
        let mut first = None;
        for (index, (from, word)) in words.iter().enumerate() {
            if word.parse::<u64>().is_err() {
                continue;
            }
            let to = from.saturating_add(word.chars().count());
            if *from < self.to && self.from < to {
                return Some(index);
            }
            first = first.or(Some(index));
        }
        first
    }
}

/// The file that a name or a command line begins with, in lower case and without its path. What follows it
/// is a process's own choice, and proves nothing.
fn named_in(cell: &str) -> String {
    let cell = cell.trim().to_lowercase();
    let program = match cell.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap_or_default(),
        None => match cell.split_once(".exe ") {
            Some((stem, _)) => cell.get(..stem.len().saturating_add(4)).unwrap_or(&cell),
            None if cell.starts_with('/') => cell.split(' ').next().unwrap_or_default(),
            None => &cell,
        },
    };
    let file = program.rsplit(['\\', '/']).next().unwrap_or_default();
    file.trim().to_owned()
}

/// The words of a line, each with the character at which it begins.
fn words(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0_usize;
    line.split(char::is_whitespace).filter_map(move |word| {
        let begin = at;
        at = at.saturating_add(word.chars().count()).saturating_add(1);
        (!word.is_empty()).then_some((begin, word))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WINDOWS: &str = "TOTAL NUMBER OF PROCESSES 4\n\n\
        Name                 PID   PPID  Session\n\
        ----                 ---   ----  -------\n\
        System                 4      0        0\n\
        My 77 Tool.exe      4321   4711        1\n\
        powershell.exe      4711    900        1\n\
        powershell.exe      4800   4712        1\n";

    const LINUX: &str = "UID        PID  PPID  C STIME TTY          TIME CMD\n\
        1000      4711     1  0 10:00 ?        00:00:01 /usr/bin/xmrig -o pool\n\
        root      4712  4711  0 10:00 ?        00:00:00 sh -c sleep 99\n";

    fn seen_as(list: &str, pid: u32, image: &str) -> Option<Seen> {
        look_for(list, pid, &file_name(image).unwrap())
    }

    /// A name was once looked for in the whole line. An alert that named the id of `lsass.exe` and an image
    /// called `0` was then taken at its word, for a `0` stands in the column of sessions, and the host went
    /// down with the process.
    #[test]
    fn nothing_but_the_column_of_names_tells_whose_an_id_is() {
        let list = "Name            PID   PPID  Session User\n\
            lsass.exe       624   500        0 SYSTEM\n\
            notes.exe       700   500        0 evil.exe\n\
            two.exe         800   500        0 ann\n\
            evil.exe 800   1 0 ann\n";
        assert_eq!(look_for(list, 624, "0"), Some(Seen::Reused));
        assert_eq!(look_for(list, 624, "system"), Some(Seen::Reused));
        assert_eq!(look_for(list, 624, "lsass.exe"), Some(Seen::Vital));
        assert_eq!(look_for(list, 700, "0"), Some(Seen::Reused));
        assert_eq!(look_for(list, 700, "evil.exe"), Some(Seen::Reused));
        assert_eq!(look_for(list, 700, "notes.exe"), Some(Seen::Running));
        assert_eq!(look_for(list, 800, "evil.exe"), Some(Seen::Reused));
        let lines = "PID USER CMD\n\
            10 root /usr/bin/sshd /tmp/evil\n\
            11 root sh evil\n\
            12 root /usr/lib/systemd/systemd --user\n\
            13 ann \"C:\\Program Files\\A B.exe\" evil\n\
            14 ann C:\\Program Files\\lsass.exe evil\n\
            15 ann /tmp/evil -o evil\n";
        for (pid, seen) in [
            (10, Seen::Reused),
            (11, Seen::Reused),
            (12, Seen::Reused),
            (13, Seen::Reused),
            (14, Seen::Reused),
            (15, Seen::Running),
        ] {
            assert_eq!(look_for(lines, pid, "evil"), Some(seen), "{pid}");
        }
        assert_eq!(look_for(lines, 13, "a b.exe"), Some(Seen::Running));
        assert_eq!(look_for(lines, 12, "systemd"), Some(Seen::Vital));
        assert_eq!(look_for(lines, 14, "lsass.exe"), Some(Seen::Vital));
        let bare = "Process Name  Process ID\nlsass  624\nevil  625\n";
        assert_eq!(look_for(bare, 624, "lsass"), Some(Seen::Vital));
        assert_eq!(look_for(bare, 625, "evil.exe"), Some(Seen::Running));
    }

    #[test]
    fn a_number_is_no_name_of_an_image() {
        for image in ["", " ", "0", r"C:\a\0", "/x/", "12.5", "-", "0 "] {
            assert_eq!(file_name(image), None, "{image:?}");
        }
        assert_eq!(file_name(r"C:\X\7Z.exe").as_deref(), Some("7z.exe"));
        assert_eq!(file_name("/bin/a").as_deref(), Some("a"));
    }

    #[test]
    fn a_process_is_found_by_id_and_image() {
        for (list, pid, image, seen) in [
            (
                WINDOWS,
                4711,
                r"\Device\HarddiskVolume2\Windows\PowerShell.EXE",
                Seen::Running,
            ),
            (WINDOWS, 4711, "mimikatz.exe", Seen::Reused),
            (WINDOWS, 4712, "powershell.exe", Seen::Gone),
            (WINDOWS, 77, "My 77 Tool.exe", Seen::Gone),
            (WINDOWS, 4321, "my 77 tool.exe", Seen::Running),
            (WINDOWS, 900, "powershell.exe", Seen::Gone),
            (LINUX, 4711, "/usr/bin/xmrig", Seen::Running),
            (LINUX, 1000, "xmrig", Seen::Gone),
            (LINUX, 99, "sleep", Seen::Gone),
            (LINUX, 4712, "xmrig", Seen::Reused),
        ] {
            assert_eq!(seen_as(list, pid, image), Some(seen), "{pid} {image}");
        }
    }

    #[test]
    fn a_name_without_its_ending_and_a_cut_one_are_known() {
        let list = "ProcessName Id\npowershell 11\nvery-long-progr 12\nshell 13\n";
        assert_eq!(seen_as(list, 11, "PowerShell.exe"), Some(Seen::Running));
        let cut = seen_as(list, 12, "/opt/very-long-program-name");
        assert_eq!(cut, Some(Seen::Running));
        assert_eq!(look_for(list, 13, "powershell.exe"), Some(Seen::Reused));
    }

    #[test]
    fn what_is_no_list_says_nothing() {
        for text in [
            "",
            "access denied",
            "Name PID\n",
            "4711 powershell.exe\n",
            "PID\n4711\n",
        ] {
            assert_eq!(look_for(text, 4711, "powershell.exe"), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in "(Name PID\n)?([ -~\u{e4}]{0,30}\n){0,8}", pid: u32) {
            look_for(&text, pid, "a.exe");
        }

        #[test]
        fn a_process_in_a_list_is_seen(
            pids in proptest::collection::btree_set(1_u32..70_000, 1..20),
            pick: prop::sample::Index,
        ) {
            let rows = pids.iter().map(|pid| format!("some tool.exe {pid:>5} {:>7}", pid / 2));
            let heading = "Name            PID    PPID".to_owned();
            let list = [heading].into_iter().chain(rows).collect::<Vec<_>>().join("\n");
            let pids: Vec<u32> = pids.into_iter().collect();
            let pid = pids[pick.index(pids.len())];
            prop_assert_eq!(look_for(&list, pid, "some tool.exe"), Some(Seen::Running));
            prop_assert_eq!(look_for(&list, pid, "tool2.exe"), Some(Seen::Reused));
            prop_assert_eq!(look_for(&list, 70_001, "some tool.exe"), Some(Seen::Gone));
        }
    }
}

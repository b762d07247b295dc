//! Makes text from outside harmless in a message. Alerts carry what an attacker chose: a file name that
//! mentions everyone, a title that is a link to somewhere else, letters that turn the line around. People
//! decide by these messages, so what they see is what stands there, and nothing of it can be clicked.
//!
//! * `@`, `<`, `>` and the backtick have no escape that holds everywhere in Discord, so a letter that looks
//!   like them takes their place: no mention, channel, emoji, time stamp or end of a code span is left.
//! * What is markup otherwise is escaped, a link's `://` with it.
//! * White space becomes single spaces; control, direction and invisible characters go.
//!
//! Lengths are counted in UTF-16 units, which is never less than what Discord counts.

/// Stands where nothing visible was left.
const NOTHING: &str = "–";

/// Stands at the end of what was cut.
const CUT: &str = "…";

/// The text as it may stand in a title, a description or a field; at most `max` units, never empty.
pub fn escaped(text: &str, max: usize) -> String {
    let mut out = Capped::new(max);
    for c in visible(text) {
        if is_markup(c) || (out.is_empty() && matches!(c, '-' | '+')) {
            out.push_pair(c);
        } else {
            out.push(c);
        }
    }
    out.finish()
}

/// The text as a code span, ticks included; at most `max` units. What is in it can be copied as it is.
pub fn code(text: &str, max: usize) -> String {
    let mut out = Capped::new(max.saturating_sub(2));
    for c in visible(text) {
        out.push(c);
    }
    format!("`{}`", out.finish())
}

/// As many of the texts as go into `max` units, each of at most `each` units, with `between` between them.
pub(super) fn joined<'a>(
    texts: impl IntoIterator<Item = &'a str>,
    between: &str,
    each: usize,
    max: usize,
) -> String {
    let mut out = String::new();
    for text in texts {
        let text = escaped(text, each);
        let between = if out.is_empty() { "" } else { between };
        let grown = units(&out) + units(between) + units(&text);
        if grown + units(CUT) > max {
            out.push_str(CUT);
            break;
        }
        out.push_str(between);
        out.push_str(&text);
    }
    out
}

/// The length as it is counted here.
pub(super) fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// A text that grows up to a limit and says so when it is cut.
struct Capped {
    text: String,
    left: usize,
    cut: bool,
}

impl Capped {
    fn new(max: usize) -> Self {
        Self {
            text: String::new(),
            left: max.saturating_sub(units(CUT)),
            cut: false,
        }
    }

    fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    fn push(&mut self, c: char) {
        if self.takes(c.len_utf16()) {
            self.text.push(c);
        }
    }

    /// The character with a backslash before it: both or neither.
    fn push_pair(&mut self, c: char) {
        if self.takes(1 + c.len_utf16()) {
            self.text.extend(['\\', c]);
        }
    }

    fn takes(&mut self, units: usize) -> bool {
        let rest = self.left.checked_sub(units).filter(|_| !self.cut);
        self.cut = rest.is_none();
        self.left = rest.unwrap_or_default();
        !self.cut
    }

    fn finish(mut self) -> String {
        if self.cut {
            self.text.push_str(CUT);
        }
        if self.text.is_empty() {
            NOTHING.clone_into(&mut self.text);
        }
        self.text
    }
}

/// What of a text people can see, white space made single spaces with none at either end.
fn visible(text: &str) -> impl Iterator<Item = char> {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let words = words
        .map(|word| {
            word.chars()
                .filter(|c| !is_invisible(*c))
                .collect::<String>()
        })
        .filter(|word| !word.is_empty());
    let spaced = words.enumerate().flat_map(|(at, word)| {
        let space = (at > 0).then_some(' ');
        space.into_iter().chain(word.chars().collect::<Vec<_>>())
    });
    spaced.map(lookalike)
}

fn lookalike(c: char) -> char {
    match c {
        '@' => '＠',
        '<' => '‹',
        '>' => '›',
        '`' => 'ˋ',
        other => other,
    }
}

fn is_markup(c: char) -> bool {
    matches!(
        c,
        '\\' | '*' | '_' | '~' | '|' | '[' | ']' | '(' | ')' | '#' | ':' | '/'
    )
}

/// Takes no room, or turns the direction of what follows; a letter that nobody sees makes two names look
/// like one.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_an_attacker_writes_is_shown_and_does_nothing() {
        for (text, shown) in [
            ("plain words, 1.2 & more", "plain words, 1.2 & more"),
            ("@everyone <@123> <#4>", "＠everyone ‹＠123› ‹\\#4›"),
            (
                "[good](https://evil.example)",
                "\\[good\\]\\(https\\:\\/\\/evil.example\\)",
            ),
            ("```sh\nrm```", "ˋˋˋsh rmˋˋˋ"),
            (
                "||hidden|| __u__ ~~s~~",
                "\\|\\|hidden\\|\\| \\_\\_u\\_\\_ \\~\\~s\\~\\~",
            ),
            ("# big\n> quote", "\\# big › quote"),
            ("- item", "\\- item"),
            ("C:\\Users\\x", "C\\:\\\\Users\\\\x"),
            ("a\u{202e}gpj.exe", "agpj.exe"),
            ("ad\u{200b}min\u{e0041}", "admin"),
            (" \u{feff}\t\r\n ", "–"),
        ] {
            assert_eq!(escaped(text, 256), shown, "{text:?}");
        }
        assert_eq!(code("a`b <@1>\u{7}", 64), "`aˋb ‹＠1›`");
        assert_eq!(code("", 64), "`–`");
    }

    #[test]
    fn a_cut_never_parts_an_escape_from_its_character() {
        let long = "*".repeat(300);
        assert_eq!(escaped(&long, 8), "\\*\\*\\*…");
        assert_eq!(joined(["one", "two", "three"], ", ", 9, 10), "one, two…");
        assert_eq!(joined(["one", "two"], ", ", 9, 40), "one, two");
    }

    proptest! {
        #[test]
        fn nothing_active_is_left(text in r"[\x00-\x7f\u{200b}-\u{2066}@<>`\[\]():/*_~|#\\]{0,120}", max in 10_usize..300) {
            let out = escaped(&text, max);
            prop_assert!(units(&out) <= max);
            prop_assert!(out.trim() == out && !out.is_empty());
            let mut letters = out.chars();
            while let Some(c) = letters.next() {
                if c == '\\' {
                    prop_assert!(letters.next().is_some(), "an escape of nothing: {}", out);
                } else {
                    prop_assert!(!"*_~|[]()#:/@<>`".contains(c), "{} in {}", c, out);
                }
            }
            let span = code(&text, max);
            prop_assert!(units(&span) <= max);
            prop_assert_eq!(span.matches('`').count(), 2);
        }

        #[test]
        fn any_text_stays_in_its_limits(text in ".{0,200}", max in 10_usize..300) {
            prop_assert!(units(&escaped(&text, max)) <= max);
            prop_assert!(units(&code(&text, max)) <= max);
        }
    }
}

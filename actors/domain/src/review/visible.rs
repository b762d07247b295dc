//! Hostile text made fit to be shown: nothing in it is invisible, and it has a bound.

/// Stands where something was cut out.
const CUT: char = '\u{2026}';

/// Shows `text` in at most `limit` bytes, counted as they stand within quotes in JSON.
///
/// What cannot be seen, or changes how its neighbours are seen (control and format characters, marks of
/// direction, tags, variation selectors, fillers, combining marks, what has no meaning), becomes
/// `\u{...}`. A text that is too long loses its middle: padding at one end must not hide the other.
pub fn visible(text: &str, limit: usize) -> String {
    let whole: usize = text.chars().map(cost).fold(0, usize::saturating_add);
    if whole <= limit {
        return shown(text.chars());
    }
    let room = limit.saturating_sub(CUT.len_utf8());
    let tail_room = room / 4;
    let head = fitting(text.chars(), room.saturating_sub(tail_room));
    let tail = fitting(text.chars().rev(), tail_room);
    let mut cut = shown(text.chars().take(head));
    if limit >= CUT.len_utf8() {
        cut.push(CUT);
    }
    let mut end: Vec<char> = text.chars().rev().take(tail).collect();
    end.reverse();
    cut.push_str(&shown(end.into_iter()));
    cut
}

/// How many of `chars` fit into `room` bytes.
fn fitting(chars: impl Iterator<Item = char>, room: usize) -> usize {
    chars
        .scan(0_usize, |used, c| {
            *used = used.saturating_add(cost(c));
            (*used <= room).then_some(())
        })
        .count()
}

fn shown(chars: impl Iterator<Item = char>) -> String {
    let mut text = String::new();
    for c in chars {
        if is_plain(c) {
            text.push(c);
        } else {
            text.extend(c.escape_unicode());
        }
    }
    text
}

/// The bytes that a character takes within quotes in JSON once it is shown.
fn cost(c: char) -> usize {
    match c {
        '"' | '\\' => 2,
        _ if is_plain(c) => c.len_utf8(),
        // Its backslash is written twice.
        _ => c.escape_unicode().len().saturating_add(1),
    }
}

fn is_plain(c: char) -> bool {
    match c {
        '"' | '\'' | '\\' => true,
        // Letters by their category, and yet nothing to be seen.
        '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{2800}' => false,
        _ => c.escape_debug().len() == 1,
    }
}

//! Where each policy of a text begins and how large it is, before Cedar reads it: Cedar goes down
//! into what nests, so how deep that may be is settled first.

/// How many bytes one policy has at most, comments and white space not counted. It bounds chains of
/// operators, which nest without brackets.
const BYTES_MAX: usize = 4 * 1024;

/// How deep brackets of all kinds nest at most.
const DEPTH_MAX: usize = 32;

/// One policy as far as a scan without a grammar can tell.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    /// Its first line, from 1.
    pub(crate) line: usize,
    bytes: usize,
    depth: usize,
}

impl Statement {
    /// Why it is not read, if it is too large.
    pub(crate) fn excess(&self) -> Option<String> {
        if self.bytes > BYTES_MAX {
            return Some(format!("a policy is longer than {BYTES_MAX} bytes"));
        }
        (self.depth > DEPTH_MAX).then(|| format!("brackets nest deeper than {DEPTH_MAX}"))
    }
}

/// The policies of a text in their order; what follows the last semicolon counts as one.
pub(crate) fn statements(text: &str) -> Vec<Statement> {
    let mut scan = Scan::default();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' => scan.newlines = scan.newlines.saturating_add(1),
            '/' if chars.peek() == Some(&'/') => {
                // The line's end stays, to be counted.
                while chars.next_if(|c| *c != '\n').is_some() {}
            }
            '"' => {
                scan.take(c);
                let mut escaped = false;
                for c in chars.by_ref() {
                    scan.take(c);
                    if c == '\n' {
                        scan.newlines = scan.newlines.saturating_add(1);
                    }
                    if c == '"' && !escaped {
                        break;
                    }
                    escaped = c == '\\' && !escaped;
                }
            }
            ';' => scan.end(),
            c if c.is_whitespace() => {}
            c => scan.take(c),
        }
    }
    scan.end();
    scan.done
}

#[derive(Default)]
struct Scan {
    newlines: usize,
    open: usize,
    current: Option<Statement>,
    done: Vec<Statement>,
}

impl Scan {
    fn take(&mut self, c: char) {
        let line = self.newlines.saturating_add(1);
        let current = self.current.get_or_insert(Statement {
            line,
            bytes: 0,
            depth: 0,
        });
        current.bytes = current.bytes.saturating_add(c.len_utf8());
        match c {
            '(' | '[' | '{' => self.open = self.open.saturating_add(1),
            ')' | ']' | '}' => self.open = self.open.saturating_sub(1),
            _ => {}
        }
        current.depth = current.depth.max(self.open);
    }

    fn end(&mut self) {
        self.open = 0;
        self.done.extend(self.current.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_found_at_their_lines() {
        let text = "// one; not yet\n@id(\"a;b\\\"{\")\npermit(principal,\n action, resource);\n\n\nforbid(x) // ;\n when { [1] };";
        let found = statements(text);
        let lines: Vec<_> = found.iter().map(|statement| statement.line).collect();
        assert_eq!(lines, [2, 7]);
        assert_eq!(found[1].depth, 2);
        assert!(found.iter().all(|statement| statement.excess().is_none()));
    }

    #[test]
    fn what_is_too_large_is_seen() {
        let deep = format!("permit{}", "(".repeat(DEPTH_MAX + 1));
        let long = format!("permit{}", "x".repeat(BYTES_MAX));
        for text in [&deep, &long] {
            assert!(statements(text).iter().any(|s| s.excess().is_some()));
        }
        let comment = format!("permit // {}\n;", "(".repeat(BYTES_MAX * 2));
        assert_eq!(statements(&comment)[0].excess(), None);
    }
}

//! The supervision tree, drawn.

use super::{
    failure::Failure,
    model::{Crash, Node},
    out::{Line, Out, Tone},
};

/// At most so many siblings are drawn; ten thousand tenants fit no screen.
const SIBLINGS: usize = 12;

/// Draws the tree below `root`.
pub fn show(root: &Node, out: &mut Out) -> Result<(), Failure> {
    out.line(node_line(root, "", root.id.as_str()))?;
    branches(root, "", out)
}

fn branches(parent: &Node, indent: &str, out: &mut Out) -> Result<(), Failure> {
    let hidden = parent.children.len().saturating_sub(SIBLINGS);
    let shown = parent.children.len() - hidden;
    for (index, child) in parent.children.iter().take(shown).enumerate() {
        let last = hidden == 0 && index + 1 == shown;
        let (branch, below) = if last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        out.line(node_line(
            child,
            &format!("{indent}{branch}"),
            short_name(&child.id, &parent.id),
        ))?;
        branches(child, &format!("{indent}{below}"), out)?;
    }
    if hidden > 0 {
        out.line(Line::new().tone(Tone::Dim, format!("{indent}└─ and {hidden} more")))?;
    }
    Ok(())
}

/// A child's name without the part that its parent's line says already.
fn short_name<'a>(child: &'a str, parent: &str) -> &'a str {
    child
        .strip_prefix(parent)
        .and_then(|rest| rest.strip_prefix('/'))
        .unwrap_or(child)
}

fn node_line(node: &Node, indent: &str, name: &str) -> Line {
    const NAME_COLUMN: usize = 34;
    let used = indent.chars().count() + name.chars().count();
    let pad = " ".repeat(NAME_COLUMN.saturating_sub(used).max(1));
    let mut line = Line::new()
        .tone(Tone::Dim, indent)
        .text(format!("{name}{pad}"))
        .tone(state_tone(&node.state), format!("{:<11}", node.state))
        .tone(Tone::Dim, what_it_does(node));
    if node.mailbox.depth > 0 {
        let waiting = format!("  waiting {}/{}", node.mailbox.depth, node.mailbox.capacity);
        line = line.tone(Tone::Warn, waiting);
    }
    if node.mailbox.rejected > 0 {
        line = line.tone(
            Tone::Warn,
            format!("  turned away {}", node.mailbox.rejected),
        );
    }
    if node.restarts > 0 {
        line = line.tone(Tone::Warn, format!("  restarts {}", node.restarts));
    }
    match &node.last_crash {
        Some(crash) => line.tone(Tone::Bad, format!("  {}", crash_text(crash))),
        None => line,
    }
}

/// A supervisor handles no messages, but it has a way to answer falls.
fn what_it_does(node: &Node) -> String {
    match &node.strategy {
        Some(strategy) => format!(" restarts {}", strategy.replace('_', " ")),
        None => format!(" life {}  handled {}", node.generation, node.handled),
    }
}

fn crash_text(crash: &Crash) -> String {
    let said = crash
        .panic
        .as_deref()
        .or(crash.message.as_deref())
        .unwrap_or("crashed");
    match &crash.location {
        Some(location) => format!("last crash: {said} at {location}"),
        None => format!("last crash: {said}"),
    }
}

fn state_tone(state: &str) -> Tone {
    match state {
        "running" => Tone::Good,
        "passive" => Tone::Dim,
        "backing_off" => Tone::Warn,
        _ => Tone::Bad,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::{model::view, out::tests::Paper},
        *,
    };

    fn drawn(root: &serde_json::Value) -> String {
        let paper = Paper::default();
        show(&view(root), &mut paper.out(false)).unwrap();
        paper.text()
    }

    #[test]
    fn a_crash_is_shown_beside_the_actor_that_had_it() {
        let text = drawn(&json!({
            "id": "host", "state": "running", "generation": 1,
            "children": [
                {"id": "audit_writer", "state": "running", "generation": 1, "handled": 42},
                {"id": "tenant/acme", "state": "running", "generation": 1,
                 "strategy": "one_for_one", "children": [
                    {"id": "tenant/acme/machine", "state": "backing_off", "generation": 2,
                     "restarts": 1, "last_crash": {"panic": "boom", "location": "a.rs:3"}}
                ]},
            ],
        }));
        let expected = "\
host                              running     life 1  handled 0
├─ audit_writer                   running     life 1  handled 42
└─ tenant/acme                    running     restarts one for one
   └─ machine                     backing_off life 2  handled 0  restarts 1  last crash: boom at a.rs:3
";
        assert_eq!(text, expected);
    }

    #[test]
    fn ten_thousand_tenants_fit_a_screen() {
        let child = json!({"id": "t", "state": "passive"});
        let text = drawn(&json!({"id": "tenants", "children": vec![child; 10_000]}));
        assert_eq!(text.lines().count(), 1 + SIBLINGS + 1);
        assert!(text.contains(&format!("and {} more", 10_000 - SIBLINGS)));
    }
}

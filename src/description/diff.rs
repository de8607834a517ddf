//! The difference between two descriptions, in the format of `diff -u`.

use std::fmt::Write;

use similar::{DiffOp, TextDiff};

/// The unified diff from `old` to `new`, with `context` lines around each change; empty if they are the same.
///
/// The header names `a/name` and `b/name`. `patch` and `git apply` accept the diff: lines end at `\n` only, so the
/// `\r` of a Windows line ending is part of its line, and a missing newline at the end is marked as in git. Control
/// characters stay; callers that display the diff must make them harmless.
pub fn unified_diff(old: &str, new: &str, name: &str, context: usize) -> String {
    let mut text = String::new();
    if old == new {
        return text;
    }
    let (old, new): (Vec<_>, Vec<_>) =
        (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let diff = TextDiff::from_slices(&old, &new);
    let _ = write!(text, "--- a/{name}\n+++ b/{name}\n");
    for hunk in diff.grouped_ops(context) {
        let (Some(first), Some(last)) = (hunk.first(), hunk.last()) else { continue };
        let removed = side(first.old_range().start, last.old_range().end);
        let added = side(first.new_range().start, last.new_range().end);
        let _ = writeln!(text, "@@ -{removed} +{added} @@");
        for op in &hunk {
            let mark = if matches!(op, DiffOp::Equal { .. }) { ' ' } else { '-' };
            push_lines(&mut text, mark, &old[op.old_range()]);
            if mark == '-' {
                push_lines(&mut text, '+', &new[op.new_range()]);
            }
        }
    }
    text
}

/// A hunk's range on one side: first line and count. An empty range starts at the line before.
fn side(start: usize, end: usize) -> String {
    match end - start {
        0 => format!("{start},0"),
        1 => format!("{}", start + 1),
        count => format!("{},{count}", start + 1),
    }
}

fn push_lines(text: &mut String, mark: char, lines: &[&str]) {
    for line in lines {
        text.push(mark);
        text.push_str(line);
        if !line.ends_with('\n') {
            text.push_str("\n\\ No newline at end of file\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn one_changed_line_is_shown_with_its_context() {
        let old = "a\nb\nc\nd\ne\n";
        assert_snapshot!(unified_diff(old, &old.replace('c', "X"), "s.js", 1), @r"
    --- a/s.js
    +++ b/s.js
    @@ -2,3 +2,3 @@
     b
    -c
    +X
     d
    ");
        assert_snapshot!(unified_diff(old, &old.replace('c', "X"), "s.js", 0), @r"
    --- a/s.js
    +++ b/s.js
    @@ -3 +3 @@
    -c
    +X
    ");
    }

    #[test]
    fn the_same_text_has_no_diff() {
        assert_eq!(unified_diff("a", "a", "x", 3), "");
    }

    #[test]
    fn a_missing_newline_at_the_end_is_marked_on_its_own_side() {
        assert_snapshot!(unified_diff("a\nb", "a\nb\n", "x", 3), @r"
    --- a/x
    +++ b/x
    @@ -1,2 +1,2 @@
     a
    -b
    \ No newline at end of file
    +b
    ");
        assert_snapshot!(unified_diff("a\nb", "X\nb", "x", 3), @r"
    --- a/x
    +++ b/x
    @@ -1,2 +1,2 @@
    -a
    +X
     b
    \ No newline at end of file
    ");
        assert_snapshot!(unified_diff("", "b", "x", 3), @r"
    --- a/x
    +++ b/x
    @@ -0,0 +1 @@
    +b
    \ No newline at end of file
    ");
    }

    #[test]
    fn carriage_returns_are_part_of_their_lines() {
        let diff = unified_diff("a\r\nb\r\nc\rd", "a\r\nX\r\nc\rd", "x", 3);
        assert!(diff.ends_with(" a\r\n-b\r\n+X\r\n c\rd\n\\ No newline at end of file\n"), "{diff:?}");
    }

    #[test]
    fn applying_the_diff_to_the_old_text_gives_the_new_text() {
        let many = |change: &str| {
            (0..40)
                .map(|n| if n % 13 == 5 { change.to_owned() } else { n.to_string() })
                .collect::<Vec<_>>()
                .join("\n")
        };
        for (old, new) in
            [("a\nb", "a\nb\n"), ("", "x\n"), ("x\n", ""), ("a\r\nb", "b\r\na"), (&*many("a"), &*many("b"))]
        {
            for context in 0..4 {
                assert_eq!(
                    applied(old, &unified_diff(old, new, "f", context)),
                    new,
                    "{old:?} {new:?} {context}"
                );
            }
        }
    }

    /// Applies a diff like `patch`, following the specification of the format.
    fn applied(old: &str, diff: &str) -> String {
        let old: Vec<_> = old.split_inclusive('\n').collect();
        let (mut new, mut at) = (String::new(), 0);
        let mut lines = diff.split_inclusive('\n').skip(2).peekable();
        while let Some(line) = lines.next() {
            if let Some(head) = line.strip_prefix("@@ -") {
                let mut numbers = head.split([',', ' ']).map(|n| n.parse::<usize>().ok());
                let start = numbers.next().flatten().unwrap();
                let empty = head.split(' ').next().unwrap().ends_with(",0");
                let start = if empty { start } else { start - 1 };
                new.extend(old[at..start].iter().copied());
                at = start;
                continue;
            }
            let unended = lines.next_if(|next| next.starts_with('\\')).is_some();
            let body = if unended { line[1..].trim_end_matches('\n') } else { &line[1..] };
            if !line.starts_with('+') {
                assert_eq!(old[at], body);
                at += 1;
            }
            if !line.starts_with('-') {
                new.push_str(body);
            }
        }
        new.extend(old[at..].iter().copied());
        new
    }
}

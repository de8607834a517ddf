//! Escapes untrusted text for Markdown so that it stays text: no markup, HTML, link, mention, end of a cell or fence.

use super::changes::Change;
use super::spread::spread;
use crate::views::terminal::{clip, visible};

/// The longest sentence that is not cut, in columns.
const LONGEST_PROSE: usize = 300;
/// The longest line of code that is not cut, in columns.
const LONGEST_LINE: usize = 400;
/// The width of a diff in columns; a comment shows no more without scrolling.
const WIDEST_DIFF: usize = 80;

/// One line of text in a monospaced font, cut to `most` columns. GitHub detects no mentions or references in it.
pub(in crate::views) fn code(text: &str, most: usize) -> String {
    format!("<code>{}</code>", escaped(&clip(&visible(text), most), false))
}

/// A sentence with names in backticks.
pub(in crate::views) fn prose(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = visible(&text);
    let text = clip(&text, LONGEST_PROSE);
    let mut written = String::with_capacity(text.len() * 2);
    let mut parts = text.split('`').enumerate().peekable();
    while let Some((at, part)) = parts.next() {
        match (at % 2 == 1, parts.peek()) {
            (false, _) => written.push_str(&escaped(part, true)),
            (true, Some(_)) => written.push_str(&format!("<code>{}</code>", escaped(part, false))),
            // An unclosed backtick.
            (true, None) => written.push_str(&format!("&#96;{}", escaped(part, true))),
        }
    }
    written
}

/// Escapes text as character references, which can never be markup
/// (<https://spec.commonmark.org/0.31.2/#entity-and-numeric-character-references>), including `:` and `.`, without
/// which there is no link.
///
/// GitHub looks for mentions and issue references only after that, in the rendered text outside code (`MentionFilter`
/// of <https://github.com/gjtorikian/html-pipeline>): with `apart`, a zero-width space follows `@` and `#`.
fn escaped(text: &str, apart: bool) -> String {
    let mut written = String::with_capacity(text.len() * 2);
    for c in text.chars() {
        match c {
            '@' | '#' if apart => written.push_str(&format!("&#{};&#8203;", u32::from(c))),
            ' ' | ',' | '-' | '/' | '+' | '=' | ';' => written.push(c),
            _ if c.is_ascii_alphanumeric() || !c.is_ascii() => written.push(c),
            _ => written.push_str(&format!("&#{};", u32::from(c))),
        }
    }
    written
}

/// The changes of a description in a fenced block of at most `most` bytes, and how many lines of the diff are missing.
pub(super) fn fenced(changes: &[Change<'_>], most: usize) -> (String, usize) {
    let mut body = String::new();
    let mut written = 0;
    for change in changes {
        let lines = lines(change);
        if body.len() + lines.len() > most {
            break;
        }
        body.push_str(&lines);
        written += 1;
    }
    let longest = body.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let more = changes[written..].iter().map(Change::diff_lines).sum();
    (format!("{fence}diff\n{body}{fence}\n"), more)
}

/// GitHub colours a line by its first character: an edited line uses the `!` of a context diff.
fn lines(change: &Change<'_>) -> String {
    let mark = match change {
        Change::Place(_) => "",
        Change::Removed(_) => "- ",
        Change::Added(_) => "+ ",
        Change::Edited(_) => "! ",
    };
    let mut lines = String::new();
    for (at, line) in spread(change, WIDEST_DIFF - mark.len()).into_iter().enumerate() {
        let line: String = line.into_iter().map(|span| span.text).collect();
        let head = if at == 0 { mark } else { "  " };
        lines.push_str(&format!("{head}{}\n", clip(&line, LONGEST_LINE)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn markup_in_untrusted_text_is_shown_literally() {
        assert_snapshot!(code("a|b `c` </code><img src=x> **x** \u{202e}\nz", 80), @"<code>a&#124;b &#96;c&#96; &#60;/code&#62;&#60;img src=x&#62; &#42;&#42;x&#42;&#42; &#92;u&#123;202e&#125;␊z</code>");
        assert_snapshot!(prose("`build` failed: ask @acme/team about #7 on https://x.io"), @"<code>build</code> failed&#58; ask &#64;&#8203;acme/team about &#35;&#8203;7 on https&#58;//x&#46;io");
    }

    #[test]
    fn an_unclosed_backtick_is_only_a_backtick() {
        assert_snapshot!(prose("it's `a` and `b"), @"it&#39;s <code>a</code> and &#96;b");
    }

    #[test]
    fn a_fence_is_longer_than_any_in_the_block() {
        let (block, missing) =
            fenced(&[Change::Added("a"), Change::Added("````"), Change::Removed("\x1b[0m")], 1000);
        assert_eq!((block.as_str(), missing), ("`````diff\n+ a\n+ ````\n- ␛[0m\n`````\n", 0));
    }

    #[test]
    fn a_block_is_cut_at_a_line() {
        let changes = [Change::Added("1234"), Change::Added("1234"), Change::Added("1234")];
        assert_eq!(fenced(&changes, 15), ("```diff\n+ 1234\n+ 1234\n```\n".to_owned(), 1));
    }

    proptest! {
        #[test]
        fn no_text_produces_markup(text in any::<String>()) {
            let tags = |text: &str| text.replace("<code>", "").replace("</code>", "");
            for written in [code(&text, 80), prose(&text)] {
                let plain = tags(&written);
                let markup = ['<', '>', '|', '`', '*', '_', '[', ']', '(', ')', '@', '!', '\\', '~', '$', '\n', '\r', ':', '.'];
                prop_assert!(!plain.contains(markup), "{written:?}");
                let references = written.matches("&#").count();
                prop_assert_eq!(written.matches('&').count(), references);
                prop_assert_eq!(written.matches('#').count(), references);
                prop_assert_eq!(written.matches("<code>").count(), written.matches("</code>").count());
            }
        }
    }
}

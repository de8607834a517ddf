//! Text for a terminal: escapes untrusted text, colours it without adding meaning, and wraps lines.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

/// Width and colour of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether to use colours. The text is the same with and without.
    pub colour: bool,
    /// The columns a line may take; at least [`Style::NARROWEST`] is used.
    pub width: usize,
}

/// The look of a piece of text, if there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextStyle {
    /// A heading.
    Bold,
    /// Less important text.
    Dim,
    /// An addition, or a success.
    Green,
    /// A change, or something pending.
    Yellow,
    /// A removal, or a problem.
    Red,
    /// A position in a file, or work in progress.
    Cyan,
}

impl Default for Style {
    /// Eighty columns without colour.
    fn default() -> Self {
        Self { colour: false, width: 80 }
    }
}

impl Style {
    /// The narrowest width that can be laid out.
    pub const NARROWEST: usize = 40;

    /// The fewest columns in which prose is readable.
    pub const PROSE: usize = 30;

    /// Whether there is room for prose after `indent` columns.
    pub fn has_room_beside(self, indent: usize) -> bool {
        self.columns() >= indent + Self::PROSE
    }

    /// The columns a line may take.
    pub fn columns(self) -> usize {
        self.width.max(Self::NARROWEST)
    }

    /// `text` in the given style. It must already be escaped; see [`visible`].
    pub fn paint(self, ink: TextStyle, text: &str) -> String {
        let code = match ink {
            TextStyle::Bold => 1,
            TextStyle::Dim => 2,
            TextStyle::Red => 31,
            TextStyle::Green => 32,
            TextStyle::Yellow => 33,
            TextStyle::Cyan => 36,
        };
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// `text` on one line, with visible symbols for everything that would control a terminal, reorder the line or be
/// invisible: `\x1b` as `␛`, a line break as `␊`, a right-to-left override as `\u{202e}`.
///
/// <https://trojansource.codes> explains the danger of reordering characters in reviewed text. The two joiners are
/// kept, since several scripts and emoji need them.
pub fn visible(text: &str) -> Cow<'_, str> {
    let harmless = |c: char| !(c.is_control() || is_deceptive(c));
    if text.chars().all(harmless) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            _ if harmless(c) => shown.push(c),
            // Unicode has a symbol for each of these.
            '\0'..='\x1f' => shown.extend(char::from_u32(0x2400 + u32::from(c))),
            '\x7f' => shown.push('␡'),
            _ => shown.extend(c.escape_unicode()),
        }
    }
    Cow::Owned(shown)
}

/// Whether `c` is invisible and changes how the surrounding text reads: bidirectional controls, line separators,
/// invisible blanks, tags.
pub fn is_deceptive(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// The most columns that `text` takes.
pub fn columns(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

fn columns_of(c: char) -> usize {
    match c {
        // Turns the previous character into an emoji of two columns.
        '\u{fe0f}' => 1,
        _ => c.width().unwrap_or(0),
    }
}

/// `text`, cut with an `…` to at most `most` columns.
pub fn clip(text: &str, most: usize) -> Cow<'_, str> {
    // Zero-width marks are bounded too, or a line of them could be endless.
    let fits = |columns: usize, characters: usize| columns <= most && characters <= 4 * most;
    if fits(columns(text), text.chars().count()) {
        return Cow::Borrowed(text);
    }
    let mut taken = 0;
    let mut end = 0;
    for (characters, (at, c)) in text.char_indices().enumerate() {
        taken += columns_of(c);
        if !fits(taken + 1, characters + 1) {
            break;
        }
        end = at + c.len_utf8();
    }
    Cow::Owned(format!("{}…", &text[..end]))
}

/// Wraps prose to lines of at most `most` columns and escapes it with [`visible`]. Line breaks in it count as blanks; a
/// word too long for a line is broken.
pub fn wrap(text: &str, most: usize) -> Vec<String> {
    lines(text, most, true)
}

/// Like [`wrap`], but a word too long for a line gets a line of its own, so that paths can be copied.
pub fn wrap_words(text: &str, most: usize) -> Vec<String> {
    lines(text, most, false)
}

fn lines(text: &str, most: usize, breaks_words: bool) -> Vec<String> {
    let most = most.max(2);
    let mut lines = Vec::new();
    let (mut line, mut taken) = (String::new(), 0);
    for word in text.split_whitespace() {
        let word = visible(word);
        let length = columns(&word);
        if taken > 0 && taken + 1 + length > most {
            lines.push(std::mem::take(&mut line));
            taken = 0;
        }
        if taken > 0 {
            line.push(' ');
            taken += 1;
        }
        for c in word.chars() {
            if breaks_words && taken + columns_of(c) > most {
                lines.push(std::mem::take(&mut line));
                taken = 0;
            }
            line.push(c);
            taken += columns_of(c);
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Prose after `head`, with further lines indented to the start of the first. `head` is already coloured and takes
/// `indent` columns. Ends with a line break.
pub fn hang(head: &str, indent: usize, text: &str, style: Style) -> String {
    hang_lines(head, indent, wrap(text, style.columns().saturating_sub(indent)))
}

/// Lines after `head`, laid out like [`hang`].
pub fn hang_lines(head: &str, indent: usize, lines: Vec<String>) -> String {
    let mut lines = lines.into_iter();
    let mut written = format!("{head}{}", lines.next().unwrap_or_default()).trim_end().to_owned();
    written.push('\n');
    for line in lines {
        written.push_str(&format!("{:indent$}{line}\n", ""));
    }
    written
}

/// Prose beside `head`, laid out like [`hang`]; below it if fewer than [`Style::PROSE`] columns are left.
pub fn beside(head: &str, indent: usize, text: &str, style: Style) -> String {
    match (style.has_room_beside(indent), head.trim_end(), text.trim()) {
        (true, ..) | (false, _, "") => hang(head, indent, text, style),
        (false, "", _) => hang("    ", 4, text, style),
        (false, head, _) => format!("{head}\n{}", hang("    ", 4, text, style)),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_characters_are_shown_as_symbols() {
        assert_snapshot!(visible("\x1b[31mred\x07\r\n\t\x7f\u{9b}2J"), @r"␛[31mred␇␍␊␉␡\u{9b}2J");
        assert_snapshot!(visible("a\u{202e}b\u{2066}c\u{200b}d\u{2028}e\u{e0041}"), @r"a\u{202e}b\u{2066}c\u{200b}d\u{2028}e\u{e0041}");
    }

    #[test]
    fn ordinary_text_is_unchanged() {
        for text in ["", "Füge Körbe hinzu", "修复", "👩‍💻 ships", "می‌خواهم", "שלום"]
        {
            assert!(matches!(visible(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn a_clipped_line_ends_with_an_ellipsis() {
        assert_eq!(clip("0123456789", 10), "0123456789");
        assert_eq!(clip("0123456789a", 10), "012345678…");
        assert_eq!(clip("修复修复修复", 7), "修复修…");
        assert_eq!(clip("修复修复修复", 8), "修复修…");
        assert!(clip(&"e\u{301}\u{301}".repeat(4000), 20).chars().count() < 100);
    }

    #[test]
    fn a_word_too_long_for_a_line_is_broken() {
        assert_eq!(wrap("aa bbbbbbbbb c", 4), ["aa", "bbbb", "bbbb", "b c"]);
        assert_eq!(wrap("one\ntwo  three", 9), ["one two", "three"]);
        assert!(wrap("  \n ", 9).is_empty());
        assert_eq!(wrap_words("aa bbbbbbbbb c d", 4), ["aa", "bbbbbbbbb", "c d"]);
    }

    proptest! {
        #[test]
        fn no_line_is_too_wide_and_no_text_is_lost(text in "\\PC{0,60}", most in 2_usize..40) {
            let lines = wrap(&text, most);
            for line in &lines {
                prop_assert!(columns(line) <= most, "{line:?}");
            }
            let kept = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            let words: String = text.split_whitespace().map(visible).collect();
            prop_assert_eq!(kept(&lines.concat()), words);
            prop_assert!(columns(&clip(&text, most)) <= most);
        }

        #[test]
        fn no_text_keeps_a_control_character(text in any::<String>()) {
            let shown = visible(&text);
            prop_assert!(!shown.chars().any(|c| c.is_control() || is_deceptive(c)));
            prop_assert_eq!(visible(&shown), shown.clone());
        }
    }
}

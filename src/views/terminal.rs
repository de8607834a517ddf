//! Text on a terminal: strangers' text made harmless, colours that carry no meaning, and lines that fit.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

/// How to write for a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether to colour. The text is the same with and without.
    pub colour: bool,
    /// How many columns a line may take. Below [`Style::NARROWEST`] it counts as that.
    pub width: usize,
}

/// What a piece of text looks like where there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// A heading.
    Bold,
    /// Of little importance.
    Dim,
    /// Something that comes.
    Green,
    /// Something that changes.
    Yellow,
    /// Something that goes, or that is wrong.
    Red,
    /// A place in a file.
    Cyan,
}

impl Default for Style {
    /// Eighty columns without colour.
    fn default() -> Self {
        Self { colour: false, width: 80 }
    }
}

impl Style {
    /// Narrower than this, nothing can be laid out any more.
    pub const NARROWEST: usize = 40;

    /// In fewer columns than this, prose is hard to read.
    pub const PROSE: usize = 30;

    /// Whether there is room for prose behind so many columns.
    pub fn has_room_beside(self, indent: usize) -> bool {
        self.columns() >= indent + Self::PROSE
    }

    /// The columns that a line may take.
    pub fn columns(self) -> usize {
        self.width.max(Self::NARROWEST)
    }

    /// `text` in that ink. The text itself must be harmless already; see [`visible`].
    pub fn paint(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Bold => 1,
            Ink::Dim => 2,
            Ink::Red => 31,
            Ink::Green => 32,
            Ink::Yellow => 33,
            Ink::Cyan => 36,
        };
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// `text` in one line, in which everything that would steer a terminal, reorder the line or not be seen is shown: `\x1b`
/// as `␛`, a line break as `␊`, a right-to-left override as `\u{202e}`.
///
/// The danger of the reordering ones in reviewed text: <https://trojansource.codes>. The two joiners are left alone, since
/// several scripts and emoji cannot be written without them.
pub fn visible(text: &str) -> Cow<'_, str> {
    let harmless = |c: char| !(c.is_control() || is_deceptive(c));
    if text.chars().all(harmless) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            _ if harmless(c) => shown.push(c),
            // Unicode has a picture of each of these.
            '\0'..='\x1f' => shown.extend(char::from_u32(0x2400 + u32::from(c))),
            '\x7f' => shown.push('␡'),
            _ => shown.extend(c.escape_unicode()),
        }
    }
    Cow::Owned(shown)
}

/// Whether `c` is not seen and changes how what is around it is read: bidirectional controls, line separators, invisible
/// blanks, tags.
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

/// How many columns `text` takes at most.
pub fn columns(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

fn columns_of(c: char) -> usize {
    match c {
        // It makes the character before it an emoji of two columns.
        '\u{fe0f}' => 1,
        _ => c.width().unwrap_or(0),
    }
}

/// `text`, cut with an `…` so that it takes no more than `most` columns.
pub fn clip(text: &str, most: usize) -> Cow<'_, str> {
    // Marks that take no column are bounded too, or a line of them would never end.
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

/// Prose in lines of at most `most` columns, made harmless with [`visible`]. Line breaks in it are blanks like any other; a
/// word that is too long for a line is broken.
pub fn wrap(text: &str, most: usize) -> Vec<String> {
    lines(text, most, true)
}

/// The same, but a word that is too long for a line has one to itself: paths can be copied.
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

/// Prose behind `head`, with every further line indented to where the first begins. `head` is already painted and takes
/// `indent` columns. Ends with a line break.
pub fn hang(head: &str, indent: usize, text: &str, style: Style) -> String {
    hang_lines(head, indent, wrap(text, style.columns().saturating_sub(indent)))
}

/// Lines behind `head`, as [`hang`] writes them.
pub fn hang_lines(head: &str, indent: usize, lines: Vec<String>) -> String {
    let mut lines = lines.into_iter();
    let mut written = format!("{head}{}", lines.next().unwrap_or_default()).trim_end().to_owned();
    written.push('\n');
    for line in lines {
        written.push_str(&format!("{:indent$}{line}\n", ""));
    }
    written
}

/// Prose beside `head`, as [`hang`] writes it; below it where fewer than [`Style::PROSE`] columns are left beside it.
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
    fn what_would_steer_a_terminal_is_shown_instead() {
        assert_snapshot!(visible("\x1b[31mred\x07\r\n\t\x7f\u{9b}2J"), @r"␛[31mred␇␍␊␉␡\u{9b}2J");
        assert_snapshot!(visible("a\u{202e}b\u{2066}c\u{200b}d\u{2028}e\u{e0041}"), @r"a\u{202e}b\u{2066}c\u{200b}d\u{2028}e\u{e0041}");
    }

    #[test]
    fn honest_text_stays_as_it_is() {
        for honest in ["", "Füge Körbe hinzu", "修复", "👩‍💻 ships", "می‌خواهم", "שלום"]
        {
            assert!(matches!(visible(honest), Cow::Borrowed(same) if same == honest), "{honest}");
        }
    }

    #[test]
    fn a_clipped_line_says_that_it_is() {
        assert_eq!(clip("0123456789", 10), "0123456789");
        assert_eq!(clip("0123456789a", 10), "012345678…");
        assert_eq!(clip("修复修复修复", 7), "修复修…");
        assert_eq!(clip("修复修复修复", 8), "修复修…");
        assert!(clip(&"e\u{301}\u{301}".repeat(4000), 20).chars().count() < 100);
    }

    #[test]
    fn a_word_that_no_line_can_hold_is_broken() {
        assert_eq!(wrap("aa bbbbbbbbb c", 4), ["aa", "bbbb", "bbbb", "b c"]);
        assert_eq!(wrap("one\ntwo  three", 9), ["one two", "three"]);
        assert!(wrap("  \n ", 9).is_empty());
        assert_eq!(wrap_words("aa bbbbbbbbb c d", 4), ["aa", "bbbbbbbbb", "c d"]);
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_asked_and_nothing_is_lost(text in "\\PC{0,60}", most in 2_usize..40) {
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

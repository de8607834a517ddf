//! What a terminal shows of a log line after printing all of it.
//!
//! Tools show progress by going back to the start of the line and overwriting it, and print their error in the same
//! place. Sequences that move the cursor in its line or erase parts of the line work; all others, including colours,
//! are dropped. A line is as wide as it needs to be, and there is no line above it.

use unicode_width::UnicodeWidthChar;

use crate::domain::shortened;

/// How long the parameters of a control sequence may be; longer ones are ignored.
const LONGEST: usize = 64;

/// How many marks (accents, say) one character may have. No readable text has more.
const MARKS: usize = 16;

/// The line as shown, at most `most` characters of it.
///
/// Takes time linear in the line, and memory only for what it shows.
pub fn as_shown(line: &str, most: usize) -> String {
    if !line.contains(|c| matches!(c, '\r' | '\x08' | '\x1b' | '\u{80}'..='\u{9f}')) {
        return shortened(line, most);
    }
    // If all characters are two columns wide, this leaves one more than is shown.
    let mut screen = Line { cells: Vec::new(), column: 0, end: 0, most: 2 * most + 2 };
    let mut state = State::Text;
    for c in line.chars() {
        state = screen.take(state, c);
    }
    shortened(&screen.text(), most)
}

/// The position in a control sequence; see ECMA-48 §§5.3–5.6.
enum State {
    Text,
    /// After `ESC`, or `ESC` and intermediate bytes.
    Escape,
    /// After `ESC [`, with the parameters so far.
    Sequence(String),
    /// In a string for the terminal, such as its title.
    Command,
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Cell {
    Blank,
    /// A character with its marks.
    Character(char, String),
    /// The second half of a wide character.
    Half,
}

/// A line of a terminal, and the cursor in it.
struct Line {
    /// Its first columns, up to the last non-blank one.
    cells: Vec<Cell>,
    /// Where the cursor is.
    column: usize,
    /// The column after the last non-blank one, even if there are no cells for it.
    end: usize,
    /// The maximum number of cells.
    most: usize,
}

impl Line {
    fn take(&mut self, state: State, c: char) -> State {
        match (state, c) {
            // Each of these restarts, wherever it appears.
            (_, '\x1b') => State::Escape,
            (_, '\u{9b}') => State::Sequence(String::new()),
            (_, '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}') => State::Command,
            (State::Escape, '[') => State::Sequence(String::new()),
            (State::Escape, 'P' | 'X' | ']' | '^' | '_') => State::Command,
            (State::Escape, ' '..='/') => State::Escape,
            (State::Sequence(mut parameters), ' '..='?') => {
                if parameters.len() <= LONGEST {
                    parameters.push(c);
                }
                State::Sequence(parameters)
            }
            (State::Sequence(parameters), '@'..='~') => {
                self.apply_escape(&parameters, c);
                State::Text
            }
            // An unterminated string would hide everything after it, so going back ends it too.
            (State::Command, c) if !matches!(c, '\r' | '\x07' | '\x18' | '\x1a' | '\u{9c}') => State::Command,
            (State::Escape, '0'..='~') | (State::Command, '\x07' | '\x18' | '\x1a' | '\u{9c}') => State::Text,
            (State::Text | State::Escape | State::Sequence(_) | State::Command, _) => {
                self.print(c);
                State::Text
            }
        }
    }

    fn print(&mut self, c: char) {
        match c {
            '\r' => self.column = 0,
            '\x08' => self.column = self.column.saturating_sub(1),
            '\t' => self.column = (self.column / 8 + 1) * 8,
            _ if c.is_control() => {}
            _ => match c.width().unwrap_or(0) {
                0 => self.mark(c),
                width => {
                    self.write(c, width);
                    self.column += width;
                    self.end = self.end.max(self.column);
                }
            },
        }
    }

    /// A mark belongs to the character before the cursor.
    fn mark(&mut self, c: char) {
        let Some(before) = self.column.checked_sub(1) else { return };
        let before = before - usize::from(self.cells.get(before) == Some(&Cell::Half));
        if let Some(Cell::Character(_, marks)) = self.cells.get_mut(before)
            && marks.len() < MARKS
        {
            marks.push(c);
        }
    }

    /// Overwrites the cell at the cursor.
    fn write(&mut self, c: char, width: usize) {
        let after = self.column + width;
        if after > self.most {
            return;
        }
        if self.cells.len() < after {
            self.cells.resize(after, Cell::Blank);
        }
        self.split(self.column);
        self.split(after);
        self.cells[self.column] = Cell::Character(c, String::new());
        self.cells[self.column + 1..after].fill(Cell::Half);
    }

    /// Blanks a wide character that loses one half.
    fn split(&mut self, column: usize) {
        if self.cells.get(column) == Some(&Cell::Half) {
            self.cells[column - 1..=column].fill(Cell::Blank);
        }
    }

    fn apply_escape(&mut self, parameters: &str, last: char) {
        let first = parameters.split(';').next().unwrap_or_default();
        let number = match first.parse::<u16>() {
            Ok(number) => usize::from(number),
            Err(_) if parameters.is_empty() || first.is_empty() => 0,
            // Not in the standard, or larger than any terminal.
            Err(_) => return,
        };
        match last {
            'C' => self.column += number.max(1),
            'D' => self.column = self.column.saturating_sub(number.max(1)),
            'G' | '`' => self.column = number.max(1) - 1,
            // The start of another line, whose content is unknown.
            'E' | 'F' => self.column = 0,
            'K' | 'J' => match number {
                0 => self.erase_to_end(),
                1 => self.erase_to_cursor(),
                _ => self.erase(),
            },
            _ => {}
        }
    }

    fn erase(&mut self) {
        self.cells.clear();
        self.end = 0;
    }

    fn erase_to_end(&mut self) {
        self.split(self.column);
        self.cells.truncate(self.column);
        self.end = self.end.min(self.column);
    }

    fn erase_to_cursor(&mut self) {
        if self.column + 1 >= self.end {
            return self.erase();
        }
        self.split(self.column + 1);
        let erased = self.cells.len().min(self.column + 1);
        self.cells[..erased].fill(Cell::Blank);
    }

    fn text(mut self) -> String {
        if self.end > self.most {
            self.cells.resize(self.most, Cell::Blank);
        }
        let mut text = String::new();
        for cell in self.cells {
            match cell {
                Cell::Blank => text.push(' '),
                Cell::Character(c, marks) => {
                    text.push(c);
                    text.push_str(&marks);
                }
                Cell::Half => {}
            }
        }
        // Blanks that were printed to hide the end of a longer text.
        if self.end <= self.most { text.trim_end_matches(' ').to_owned() } else { text }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_after_a_carriage_return_overwrites_the_line() {
        for (printed, shown) in [
            ("plain\ttext", "plain\ttext"),
            ("10%\r20%\r100%", "100%"),
            (
                "\rlayer: 400 of 400 MB [====>    ]\rdenied: push access to acme/web refused",
                "denied: push access to acme/web refused",
            ),
            ("downloading 99%\rfailed", "failedading 99%"),
            ("downloading 99%\r\x1b[Kfailed", "failed"),
            ("downloading 99%\x1b[2K\rfailed", "failed"),
            ("downloading 99%\r               \rfailed", "failed"),
            ("downloading 99%\x1b[1K\rfailed", "failed"),
            ("downloading 99%\r\x1b[11Cdone\x1b[0J", "downloadingdone"),
            ("abcdef\x1b[3D\x1b[1KX", "   Xef"),
            ("abcdef\x1b[2GX", "aXcdef"),
            ("abc\x08\x08X", "aXc"),
            ("error\r", "error"),
            ("error\r\r", "error"),
            ("\tx\rabc", "abc     x"),
            ("\x1b[31mred\x1b[0m", "red"),
            ("\x1b]0;title\x07text", "text"),
            ("\x1b]0;never ends\rtext", "text"),
            ("\x1b[?25l\x1b[1;31mx", "x"),
            ("\u{9b}31mx\u{9b}K", "x"),
            ("日本\rx", "x 本"),
            ("日本\r x", " x本"),
            ("日本\x08x", "日 x"),
            ("e\u{301}\rx", "x"),
            ("e\u{301}a\r", "e\u{301}a"),
            ("", ""),
            ("\r\x1b[K", ""),
        ] {
            assert_eq!(as_shown(printed, 100), shown, "{printed:?}");
        }
    }

    #[test]
    fn a_long_line_is_shortened() {
        assert_eq!(as_shown("abcdef", 3), "abc…");
        assert_eq!(as_shown("xxxxxxxxx\rabcdef", 3), "abc…");
        assert_eq!(as_shown("日本日本日本日本日本\r", 3), "日本日…");
        assert_eq!(as_shown("xxxxxxxxxxxxx\r\x1b[Kabc", 3), "abc");
        assert_eq!(as_shown("\x1b[65535C\x1b[65535Cx\rabc", 3), "abc…");
    }

    /// Prints the parts one after the other, each from the first column on.
    fn by_columns(parts: &[String]) -> String {
        let mut columns: Vec<char> = Vec::new();
        for part in parts {
            for (column, c) in part.chars().enumerate() {
                match columns.get_mut(column) {
                    Some(there) => *there = c,
                    None => columns.push(c),
                }
            }
        }
        columns.into_iter().collect::<String>().trim_end_matches(' ').to_owned()
    }

    proptest! {
        #[test]
        fn every_column_shows_what_was_written_there_last(
            parts in proptest::collection::vec("[a-c ]{0,8}", 2..6),
        ) {
            prop_assert_eq!(as_shown(&parts.join("\r"), 100), by_columns(&parts));
        }

        #[test]
        fn showing_a_shown_line_again_changes_nothing(
            line in "([a-c日\u{301}]|\r|\x08|\t|\x1b\\[[0-2]?[KJDCG]|\x1b\\[31m){0,20}",
        ) {
            let shown = as_shown(&line, 100);
            prop_assert!(!shown.contains(|c: char| c.is_control() && c != '\t'));
            prop_assert_eq!(as_shown(&shown, 100), shown.clone());
            // An erased line leaves nothing behind.
            prop_assert_eq!(as_shown(&format!("{line}\x1b[2K\rx"), 100), "x");
        }

        #[test]
        fn any_output_is_bounded_and_free_of_control_characters(line in any::<String>(), most in 0usize..20) {
            let shown = as_shown(&format!("\r{line}"), most);
            prop_assert!(shown.chars().count() <= most + 1);
            prop_assert!(!shown.chars().any(char::is_control));
        }
    }

    #[test]
    fn long_progress_lines_take_linear_time() {
        let updates = |bytes: usize| {
            let update = "\rlayer a1b2c3: 17 of 400 MB [====>    ]\x1b[K\x1b[1K";
            let line = update.repeat(bytes / update.len());
            let began = Instant::now();
            assert_eq!(as_shown(&line, 1000), "");
            began.elapsed().as_secs_f64()
        };
        let small = (0..3).map(|_| updates(1 << 18)).fold(f64::MAX, f64::min);
        let large = (0..3).map(|_| updates(1 << 22)).fold(f64::MAX, f64::min);
        assert!(large < 16.0 * small * 4.0, "{large} s against {small} s for a sixteenth");
    }
}

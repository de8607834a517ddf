//! Redraws text in place on a terminal.

use std::io::IsTerminal;
use std::os::fd::AsFd;

/// The size of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Size {
    pub(in crate::cli) rows: usize,
    pub(in crate::cli) columns: usize,
}

impl Size {
    /// The size of a terminal; `None` if it is not one. A terminal that reports no size gets 24 rows of 80 columns.
    pub(in crate::cli) fn of(terminal: &(impl AsFd + IsTerminal)) -> Option<Self> {
        if !terminal.is_terminal() {
            return None;
        }
        let size = rustix::termios::tcgetwinsize(terminal).ok()?;
        let or = |cells: u16, common: usize| if cells > 0 { cells.into() } else { common };
        Some(Self { rows: or(size.ws_row, 24), columns: or(size.ws_col, 80) })
    }
}

/// The last frame. The cursor is at the beginning of the line below it.
#[derive(Debug, Default)]
pub(in crate::cli) struct Screen {
    shown: Vec<String>,
    size: Option<Size>,
    /// Nothing else on the screen needs to be kept.
    owns_all: bool,
}

impl Screen {
    /// A screen that owns the whole terminal.
    pub(in crate::cli) fn whole() -> Self {
        Self { owns_all: true, ..Self::default() }
    }

    /// The bytes that draw `text` over the last frame, to be written at once. They contain only changed lines, so
    /// nothing flickers, and are empty if nothing changed. `above` stays on the terminal, above the frame. Lines that
    /// do not fit are omitted, because the cursor could not go back to them.
    pub(in crate::cli) fn frame(&mut self, above: &str, text: &str, size: Size) -> String {
        let lines = fitting(text, size);
        let mut frame = String::new();
        if self.size.is_some_and(|before| before != size) {
            // The terminal has rewrapped the lines, so their positions are unknown.
            frame.push_str(if self.owns_all { "\x1b[H\x1b[J" } else { "\x1b[J" });
            self.shown.clear();
        }
        self.size = Some(size);
        if !above.is_empty() {
            frame.push_str(&self.erase());
            for line in above.lines() {
                frame.push_str(line);
                frame.push_str("\x1b[K\n");
            }
        }
        let mut row = self.shown.len();
        for (at, line) in lines.iter().enumerate() {
            if self.shown.get(at) != Some(line) {
                frame.push_str(&moved(row, at));
                frame.push_str(line);
                frame.push_str("\x1b[K\n");
                row = at + 1;
            }
        }
        frame.push_str(&moved(row, lines.len()));
        if lines.len() < self.shown.len() {
            frame.push_str("\x1b[J");
        }
        self.shown = lines;
        // Typed characters, such as `^C`, may have moved the cursor.
        if frame.is_empty() { frame } else { format!("\r{frame}") }
    }

    /// The bytes that erase the last frame.
    pub(in crate::cli) fn erased(&mut self) -> String {
        let erased = self.erase();
        if erased.is_empty() { erased } else { format!("\r{erased}") }
    }

    fn erase(&mut self) -> String {
        match std::mem::take(&mut self.shown).len() {
            0 => String::new(),
            lines => format!("{}\x1b[J", moved(lines, 0)),
        }
    }
}

/// The lines of a text that fit, and a count of the rest.
fn fitting(text: &str, size: Size) -> Vec<String> {
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    let room = size.rows.saturating_sub(1).max(1);
    if lines.len() > room {
        let more = lines.len() - (room - 1);
        lines.truncate(room - 1);
        lines.push(format!("… {more} more lines"));
    }
    lines
}

/// Moves the cursor from one line to another.
fn moved(from: usize, to: usize) -> String {
    match (from, to) {
        _ if from > to => format!("\x1b[{}A", from - to),
        _ if from < to => format!("\x1b[{}B", to - from),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { rows: 5, columns: 80 };

    #[test]
    fn only_what_changed_is_drawn() {
        let mut screen = Screen::whole();
        assert_eq!(screen.frame("", "one\ntwo\n", SIZE), "\rone\x1b[K\ntwo\x1b[K\n");
        assert_eq!(screen.frame("", "one\ntwo\n", SIZE), "");
        assert_eq!(screen.frame("", "one\n2\n", SIZE), "\r\x1b[1A2\x1b[K\n");
        assert_eq!(screen.frame("", "1\n2\n", SIZE), "\r\x1b[2A1\x1b[K\n\x1b[1B");
        assert_eq!(screen.frame("", "1\n2\n3\n", SIZE), "\r3\x1b[K\n");
        assert_eq!(screen.frame("", "1\n", SIZE), "\r\x1b[2A\x1b[J");
    }

    #[test]
    fn lines_that_stay_are_written_above_the_frame() {
        let mut screen = Screen::default();
        screen.frame("", "one\ntwo\n", SIZE);
        let frame = screen.frame("done\n", "two\n", SIZE);
        assert_eq!(frame, "\r\x1b[2A\x1b[Jdone\x1b[K\ntwo\x1b[K\n");
        assert_eq!(screen.erased(), "\r\x1b[1A\x1b[J");
        assert_eq!(screen.erased(), "");
    }

    #[test]
    fn a_resized_terminal_is_redrawn() {
        let (mut whole, mut part) = (Screen::whole(), Screen::default());
        let high = whole.frame("", "1\n2\n3\n4\n5\n", SIZE);
        assert_eq!(high, "\r1\x1b[K\n2\x1b[K\n3\x1b[K\n… 2 more lines\x1b[K\n");
        part.frame("", "one\n", SIZE);
        let narrow = Size { rows: 5, columns: 40 };
        assert_eq!(whole.frame("", "one\n", narrow), "\r\x1b[H\x1b[Jone\x1b[K\n");
        assert_eq!(part.frame("", "one\n", narrow), "\r\x1b[Jone\x1b[K\n");
    }
}

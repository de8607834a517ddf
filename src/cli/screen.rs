//! Text on a terminal that is drawn again where it was drawn before.

/// The size of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) rows: usize,
    pub(super) columns: usize,
}

/// What was drawn last.
#[derive(Debug, Default)]
pub(super) struct Screen {
    lines: usize,
    size: Option<Size>,
}

impl Screen {
    /// The bytes that draw `text` over what was drawn last, in one piece so that nothing flickers. Lines for which the
    /// terminal has no room are left out: the cursor could not go back to them.
    pub(super) fn frame(&mut self, text: &str, size: Size) -> String {
        let lines: Vec<_> = text.lines().collect();
        let room = size.rows.saturating_sub(1).max(1);
        let shown = if lines.len() > room { room - 1 } else { lines.len() };
        let mut frame = String::with_capacity(text.len() + 8 * lines.len());
        match self.size {
            // The terminal has wrapped the lines anew, so that nobody knows where they are.
            Some(before) if before != size => frame.push_str("\x1b[H\x1b[J"),
            Some(_) if self.lines > 0 => frame.push_str(&format!("\x1b[{}A", self.lines)),
            _ => {}
        }
        for line in &lines[..shown] {
            frame.push_str(line);
            frame.push_str("\x1b[K\n");
        }
        self.lines = shown;
        if shown < lines.len() {
            frame.push_str(&format!("… {} more lines\x1b[K\n", lines.len() - shown));
            self.lines += 1;
        }
        frame.push_str("\x1b[J");
        self.size = Some(size);
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_replaces_the_one_before() {
        let mut screen = Screen::default();
        let size = Size { rows: 4, columns: 80 };
        assert_eq!(screen.frame("one\ntwo\n", size), "one\x1b[K\ntwo\x1b[K\n\x1b[J");
        assert_eq!(screen.frame("three\n", size), "\x1b[2Athree\x1b[K\n\x1b[J");
        let high = screen.frame("1\n2\n3\n4\n", size);
        assert_eq!(high, "\x1b[1A1\x1b[K\n2\x1b[K\n… 2 more lines\x1b[K\n\x1b[J");
        let resized = screen.frame("one\n", Size { rows: 4, columns: 40 });
        assert_eq!(resized, "\x1b[H\x1b[Jone\x1b[K\n\x1b[J");
    }
}

//! JSON that is safe to print on a terminal.

use std::fmt;

use serde::Serialize;

use crate::views::terminal::is_deceptive;

/// A JSON document, indented or on a single line, ending with a line break.
///
/// Safe to print: every character that a terminal would interpret or hide is written as a JSON escape, so parsers read
/// the same value.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a, T> {
    content: &'a T,
    indented: bool,
}

impl<'a, T: Serialize> Document<'a, T> {
    /// Indented.
    pub fn new(content: &'a T) -> Self {
        Self { content, indented: true }
    }

    /// On a single line.
    pub fn line(content: &'a T) -> Self {
        Self { content, indented: false }
    }
}

impl<T: Serialize> fmt::Display for Document<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = if self.indented {
            serde_json::to_string_pretty(self.content)
        } else {
            serde_json::to_string(self.content)
        };
        let json = json.map_err(|_| fmt::Error)?;
        let mut rest = json.as_str();
        // Apart from line breaks, these occur only inside strings.
        while let Some(at) = rest.find(|c: char| (c.is_control() && c != '\n') || is_deceptive(c)) {
            let (before, from) = rest.split_at(at);
            f.write_str(before)?;
            let mut characters = from.chars();
            let units = &mut [0; 2];
            for unit in characters.next().map(|c| c.encode_utf16(units)).into_iter().flatten() {
                write!(f, "\\u{unit:04x}")?;
            }
            rest = characters.as_str();
        }
        writeln!(f, "{rest}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_parse_to_the_same_value() {
        let hostile = "\u{1b}[2J\u{9b}31m\u{202e}\u{e0041}\u{7f}ü";
        let text = Document::line(&hostile).to_string();
        assert_eq!(text, "\"\\u001b[2J\\u009b31m\\u202e\\udb40\\udc41\\u007fü\"\n");
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), hostile);
    }
}

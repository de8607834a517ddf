//! Strips terminal control sequences from a program's output, chunk by chunk.

use super::decode::Decoder;
use super::sgr;
use crate::views::terminal::is_deceptive;

/// The longest parameters of a control sequence; longer ones are dropped.
const LONGEST: usize = 64;

/// Makes a log safe to print, in chunks that may be cut anywhere: control sequences and control characters are removed,
/// except line breaks, tabs and, on request, colours. Invalid UTF-8 becomes `U+FFFD`; invisible characters that reorder
/// text are shown as escapes.
///
/// A lone carriage return, with which progress bars overwrite their line, becomes a line break: later output hides
/// nothing that was printed before.
#[derive(Debug)]
pub struct Cleaner {
    colour: bool,
    state: State,
    decoder: Decoder,
    /// The last character was a carriage return.
    returned: bool,
    /// Colours were set and not reset.
    coloured: bool,
}

/// The position within a control sequence; see ECMA-48 §§5.3–5.6.
#[derive(Debug)]
enum State {
    Text,
    /// After `ESC`, or `ESC` and intermediate bytes.
    Escape,
    /// After `ESC [`, with the parameters so far; `None` once they cannot be kept.
    Sequence(Option<String>),
    /// In a string for the terminal, such as a title.
    Command,
}

impl Cleaner {
    /// A cleaner at the start of a log; `colour` keeps colours.
    pub fn new(colour: bool) -> Self {
        Self { colour, state: State::Text, decoder: Decoder::default(), returned: false, coloured: false }
    }

    /// Whether colours were set and not reset.
    pub fn is_coloured(&self) -> bool {
        self.coloured
    }

    /// Appends the next chunk to `out`.
    pub fn clean(&mut self, bytes: &[u8], out: &mut String) {
        let mut decoder = std::mem::take(&mut self.decoder);
        decoder.decode(bytes, |text| self.text(text, out));
        self.decoder = decoder;
    }

    /// Ends the log: resets colours.
    pub fn finish(&mut self, out: &mut String) {
        let mut decoder = std::mem::take(&mut self.decoder);
        decoder.finish(|text| self.text(text, out));
        if std::mem::take(&mut self.coloured) {
            out.push_str("\x1b[0m");
        }
        self.state = State::Text;
        self.returned = false;
    }

    fn text(&mut self, mut text: &str, out: &mut String) {
        while !text.is_empty() {
            if matches!(self.state, State::Text) && !self.returned {
                // The fast path, for most of most logs.
                let plain =
                    text.bytes().position(|byte| !(b' '..=b'~').contains(&byte)).unwrap_or(text.len());
                out.push_str(&text[..plain]);
                text = &text[plain..];
            }
            let mut characters = text.chars();
            if let Some(c) = characters.next() {
                self.character(c, out);
            }
            text = characters.as_str();
        }
    }

    #[allow(clippy::match_same_arms, reason = "in the order a terminal decides")]
    fn character(&mut self, c: char, out: &mut String) {
        if std::mem::take(&mut self.returned) && c != '\n' {
            if c == '\r' {
                self.returned = true;
                return;
            }
            out.push('\n');
        }
        match (&mut self.state, c) {
            // Each of these starts a new sequence in any state.
            (_, '\x1b') => self.state = State::Escape,
            (_, '\u{9b}') => self.state = State::Sequence(Some(String::new())),
            (_, '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}') => self.state = State::Command,
            (State::Escape, '[') => self.state = State::Sequence(Some(String::new())),
            (State::Escape, 'P' | 'X' | ']' | '^' | '_') => self.state = State::Command,
            (State::Escape, ' '..='/') => {}
            (State::Escape, '0'..='~') => self.state = State::Text,
            (State::Sequence(Some(parameters)), '0'..='?') if parameters.len() < LONGEST => {
                parameters.push(c)
            }
            (State::Sequence(parameters), ' '..='?') => *parameters = None,
            (State::Sequence(parameters), '@'..='~') => {
                let colours = parameters.take().filter(|_| c == 'm');
                self.state = State::Text;
                self.colours(colours, out);
            }
            // An unterminated string would hide everything after it: a line break ends it too.
            (State::Command, '\n' | '\r') => self.plain(c, out),
            (State::Command, '\x07' | '\x18' | '\x1a' | '\u{9c}') => self.state = State::Text,
            (State::Command, _) => {}
            (State::Text | State::Escape | State::Sequence(_), _) => self.plain(c, out),
        }
    }

    fn plain(&mut self, c: char, out: &mut String) {
        self.state = State::Text;
        match c {
            '\n' | '\t' => out.push(c),
            '\r' => self.returned = true,
            _ if c.is_control() => {}
            _ if is_deceptive(c) => out.extend(c.escape_unicode()),
            _ => out.push(c),
        }
    }

    fn colours(&mut self, parameters: Option<String>, out: &mut String) {
        let Some(kept) = parameters.filter(|_| self.colour).and_then(|parameters| sgr::kept(&parameters))
        else {
            return;
        };
        self.coloured = !sgr::resets(&kept);
        out.push_str(&format!("\x1b[{kept}m"));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cleaned(colour: bool, pieces: &[&[u8]]) -> String {
        let mut cleaner = Cleaner::new(colour);
        let mut out = String::new();
        for piece in pieces {
            cleaner.clean(piece, &mut out);
        }
        cleaner.finish(&mut out);
        out
    }

    #[test]
    fn control_sequences_are_removed_and_text_stays() {
        for (printed, shown) in [
            ("\x1b[2J\x1b[Hhello\x07\x08\x00", "hello"),
            ("\x1b]0;a title\x07text", "text"),
            ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
            ("\x1bPq#0;2;0;0;0\x1b\\image", "image"),
            ("\u{9b}31mc1\u{9d}0;title\u{9c}", "c1"),
            ("\x1b]0;never ends\nbut the line does", "\nbut the line does"),
            ("10%\r20%\r\r\n100%\r\n", "10%\n20%\n100%\n"),
            ("\x1b(B\x1b=\x1b7\x1b[?25lx", "x"),
            ("\x1b[31\nm", "\nm"),
            ("safe\u{202e}reversed", "safe\\u{202e}reversed"),
            ("tab\there", "tab\there"),
            ("\x1b[31mred", "red"),
        ] {
            assert_eq!(cleaned(false, &[printed.as_bytes()]), shown, "{printed:?}");
        }
        assert_eq!(
            cleaned(false, &[b"\xff\xfe\x9b31mbinary\xc3"]),
            "\u{fffd}\u{fffd}\u{fffd}31mbinary\u{fffd}"
        );
    }

    #[test]
    fn colours_are_kept_on_request_and_reset_at_the_end() {
        assert_eq!(cleaned(true, &[b"\x1b[1;31mred\x1b[8mhidden\x1b[5n"]), "\x1b[1;31mredhidden\x1b[0m");
        assert_eq!(cleaned(true, &[b"\x1b[32mgreen\x1b[m"]), "\x1b[32mgreen\x1b[m");
        assert_eq!(cleaned(true, &[b"\x1b[>4;1m\x1b[?4mx"]), "x");
    }

    proptest! {
        #[test]
        fn the_result_does_not_depend_on_where_a_log_is_cut(
            parts in proptest::collection::vec(
                prop_oneof![
                    Just(b"\x1b[".to_vec()), Just(b"\x1b]".to_vec()), Just(b"31m".to_vec()), Just(b"\r".to_vec()),
                    Just("\u{9b}ü".as_bytes().to_vec()), Just(b"\n\x1b\\".to_vec()),
                    proptest::collection::vec(any::<u8>(), 0..6),
                ],
                0..12,
            ),
            at in any::<proptest::sample::Index>(),
            colour in any::<bool>(),
        ) {
            let bytes = parts.concat();
            let (one, two) = bytes.split_at(at.index(bytes.len() + 1));
            prop_assert_eq!(cleaned(colour, &[&bytes]), cleaned(colour, &[one, two]));
        }

        #[test]
        fn no_control_character_gets_through(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let shown = cleaned(false, &[&bytes]);
            prop_assert!(!shown.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')), "{:?}", shown);
        }
    }
}

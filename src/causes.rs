//! Formats errors in one line: what happened, and what caused it.

use std::error::Error;

/// The error's own text and that of each of its causes, joined by colons.
pub fn in_one_line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

/// The longest foreign text that a message includes, in bytes.
pub const LONGEST: usize = 4096;

/// Cuts a foreign text that is too long, and marks the cut.
pub fn cut(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let (kept, cut) = text.split_at(text.floor_char_boundary(LONGEST));
    format!("{kept}… ({} more bytes were cut)", cut.len())
}

/// Replaces an error whose text is too long by one with the text cut.
pub fn short(error: impl Error + Send + Sync + 'static) -> Box<dyn Error + Send + Sync> {
    let text = in_one_line(&error);
    if text.len() <= LONGEST { error.into() } else { cut(&text).into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters_and_marked() {
        assert_eq!(cut("no such image"), "no such image");
        let long = "a".repeat(LONGEST - 1) + "éé";
        let text = cut(&long);
        assert!(text.starts_with(&"a".repeat(LONGEST - 1)), "{text}");
        assert!(text.ends_with("a… (4 more bytes were cut)"), "{text}");
        let error = short(std::io::Error::other(long));
        assert_eq!(error.to_string(), text);
    }
}

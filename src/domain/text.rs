//! Text in messages and URLs.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// The text cut to its first `longest` characters, with `…` for the rest.
pub fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// `a`, `a and b`, or `a, b and c`.
pub fn enumerated(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// The text without its middle if it has more than `longest` characters, for paths: both ends matter.
pub fn abridged(text: &str, longest: usize) -> String {
    let length = text.chars().count();
    if length <= longest {
        return text.to_owned();
    }
    let end = longest / 3;
    let begin: String = text.chars().take(longest - end).collect();
    format!("{begin}…{}", text.chars().skip(length - end).collect::<String>())
}

/// Everything but `/` and the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A path for a URL, percent-encoded (RFC 3986).
pub fn percent_encoded(path: &[u8]) -> String {
    percent_encode(path, ENCODED).to_string()
}

/// Decodes a percent-encoded text; `None` if a `%` is not followed by two hex digits.
pub fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let is_byte = |after: &str| after.get(..2).is_some_and(|two| two.bytes().all(|c| c.is_ascii_hexdigit()));
    text.split('%').skip(1).all(is_byte).then(|| percent_decode_str(text).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!((shortened("äöü", 3), shortened("äöü", 2)), ("äöü".to_owned(), "äö…".to_owned()));
        assert_eq!((shortened("", 0), shortened("a", 0)), (String::new(), "…".to_owned()));
    }

    #[test]
    fn the_last_of_several_words_follows_and() {
        let words = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(
            [&words[..0], &words[..1], &words[..2], &words].map(enumerated),
            ["", "a", "a and b", "a, b and c"]
        );
    }

    #[test]
    fn a_path_keeps_both_ends() {
        assert_eq!(
            (abridged("abcdef", 6), abridged("äbcdefü", 6)),
            ("abcdef".to_owned(), "äbcd…fü".to_owned())
        );
    }

    #[test]
    fn all_bytes_survive_percent_encoding() {
        let all: Vec<u8> = (0..=255).collect();
        let encoded = percent_encoded(&all);
        assert!(encoded.bytes().all(|c| c.is_ascii_alphanumeric() || b"/-._~%".contains(&c)), "{encoded}");
        assert_eq!(percent_decoded(&encoded), Some(all));
        assert_eq!(percent_encoded("/a b/ü~".as_bytes()), "/a%20b/%C3%BC~");
        assert_eq!(percent_decoded("%c3%bc%41"), Some("üA".as_bytes().to_vec()));
        for broken in ["%", "a%2", "%zz", "%+1", "%ü", "%%41"] {
            assert_eq!(percent_decoded(broken), None, "{broken}");
        }
    }
}

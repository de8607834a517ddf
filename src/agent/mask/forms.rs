//! How a secret may appear in a log: verbatim, or encoded by the program that prints it.
//!
//! Forms that differ only in case, or in `+/` and `-_`, are listed once: the automaton treats them as equal.

use crate::fleet::Secrets;

/// The shortest text that is masked. A shorter value (`1`, `on`) occurs everywhere and reveals nothing, but masking it
/// would make every log unreadable.
const SHORTEST: usize = 4;

/// The shortest value whose encoded forms are masked too, and the shortest such form. Without its edges, a shorter one
/// could match anything.
const ENCODED: usize = 8;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Every text to mask for these secrets.
pub fn of(secrets: &Secrets) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for value in secrets.0.values() {
        let value = value.trim();
        plain(value, &mut all);
        // Tools print the lines of a value one by one.
        if value.contains(['\n', '\r']) {
            value.lines().for_each(|line| plain(line.trim(), &mut all));
        }
        if value.len() >= ENCODED {
            all.extend((0..3).map(|before| base64(value.as_bytes(), before)));
            all.push(value.bytes().flat_map(hex).collect());
        }
    }
    all
}

/// A text verbatim, and escaped for the formats that programs print.
fn plain(text: &str, all: &mut Vec<Vec<u8>>) {
    if text.len() < SHORTEST {
        return;
    }
    all.push(text.as_bytes().to_vec());
    if text.len() < ENCODED {
        return;
    }
    let escapes: [fn(char) -> bool; 3] = [
        // Only what JSON requires; also non-ASCII; also what is special in HTML.
        |_| false,
        |c| !c.is_ascii(),
        |c| matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}'),
    ];
    let mut forms = Vec::from(escapes.map(|escaped| json(text, escaped, "/")));
    forms.push(json(text, |_| false, "\\/"));
    // The unescaped characters of RFC 3986, of JavaScript, in paths, and in forms, where a blank is a plus.
    for (kept, blank) in [("-._~", "%20"), ("-._~!*'()", "%20"), ("-._~/", "%20"), ("-._*", "+")] {
        forms.push(percent(text, kept, blank));
    }
    // If nothing needs escaping, the form is the text itself.
    all.extend(forms.into_iter().filter(|form| form != text.as_bytes()));
}

/// The base64 characters that depend only on `value`, if `before` bytes precede it in its group of three.
fn base64(value: &[u8], before: usize) -> Vec<u8> {
    let bits = 8 * value.len();
    // A character encodes six bits; the first one to use starts at the next multiple of six.
    let skipped = (6 - 8 * before % 6) % 6;
    let mut form = Vec::with_capacity(bits / 6);
    let mut at = skipped;
    while at + 6 <= bits {
        let byte = |index: usize| u16::from(value.get(index).copied().unwrap_or(0));
        let two = byte(at / 8) << 8 | byte(at / 8 + 1);
        form.push(ALPHABET[usize::from(two >> (10 - at % 8) & 63)]);
        at += 6;
    }
    form
}

fn hex(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

/// The text as a JSON string (RFC 8259 §7). `escaped` selects what to escape beyond what JSON requires.
fn json(text: &str, escaped: fn(char) -> bool, slash: &str) -> Vec<u8> {
    let mut form = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '"' => form.push_str("\\\""),
            '\\' => form.push_str("\\\\"),
            '\n' => form.push_str("\\n"),
            '\r' => form.push_str("\\r"),
            '\t' => form.push_str("\\t"),
            '\u{8}' => form.push_str("\\b"),
            '\u{c}' => form.push_str("\\f"),
            '/' => form.push_str(slash),
            _ if c.is_control() && c.is_ascii() || escaped(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    form.push_str(&format!("\\u{unit:04x}"));
                }
            }
            _ => form.push(c),
        }
    }
    form.into_bytes()
}

fn percent(text: &str, kept: &str, blank: &str) -> Vec<u8> {
    let mut form = Vec::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        match byte {
            b' ' => form.extend_from_slice(blank.as_bytes()),
            _ if byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) => form.push(byte),
            _ => {
                form.push(b'%');
                form.extend(hex(byte));
            }
        }
    }
    form
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(form: Vec<u8>) -> String {
        String::from_utf8(form).unwrap()
    }

    #[test]
    fn base64_keeps_only_characters_that_depend_on_the_value() {
        // `hunter22` alone, after one byte, and after two: aHVudGVyMjI=, eGh1bnRlcjIy, eHhodW50ZXIyMg==.
        let forms = [0, 1, 2].map(|before| text(base64(b"hunter22", before)));
        assert_eq!(forms, ["aHVudGVyMj", "h1bnRlcjIy", "odW50ZXIyM"]);
    }

    #[test]
    fn json_and_percent_encoding_escape_what_they_must() {
        let value = "a\"b/<é> \n";
        assert_eq!(text(json(value, |_| false, "/")), r#"a\"b/<é> \n"#);
        assert_eq!(text(json(value, |c| !c.is_ascii(), "/")), r#"a\"b/<\u00e9> \n"#);
        assert_eq!(text(json(value, |c| c == '<', "\\/")), r#"a\"b\/\u003cé> \n"#);
        assert_eq!(text(percent(value, "-._~", "%20")), "a%22b%2F%3C%C3%A9%3E%20%0A");
        assert_eq!(text(percent("a/b c", "-._*/", "+")), "a/b+c");
    }

    #[test]
    fn no_form_is_short_enough_to_match_other_text() {
        let forms = |value: &str| of(&Secrets([("X".to_owned(), value.to_owned())].into()));
        assert_eq!(forms("abc"), Vec::<Vec<u8>>::new());
        assert_eq!(forms("a b/c"), [b"a b/c"]);
        assert!(forms("a b/c/de").iter().all(|form| form.len() >= ENCODED));
    }

    proptest! {
        /// Checks against a second implementation of base64 (RFC 4648 §4), from bits to characters.
        #[test]
        fn base64_is_found_in_the_encoding_of_any_text_around_it(
            head in prop::collection::vec(any::<u8>(), 0..6),
            value in prop::collection::vec(any::<u8>(), 8..40),
            tail in prop::collection::vec(any::<u8>(), 0..6),
        ) {
            let whole = [head.clone(), value.clone(), tail].concat();
            let bits: String = whole.iter().map(|byte| format!("{byte:08b}")).collect();
            let encoded: Vec<u8> = bits
                .as_bytes()
                .chunks(6)
                .map(|chunk| {
                    let text = format!("{:0<6}", std::str::from_utf8(chunk).unwrap());
                    ALPHABET[usize::from_str_radix(&text, 2).unwrap()]
                })
                .collect();
            let form = base64(&value, head.len() % 3);
            prop_assert!(form.len() >= 8 * value.len() / 6 - 1);
            prop_assert!(encoded.windows(form.len()).any(|window| window == form));
        }
    }
}

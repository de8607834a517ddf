//! Masks the values of secrets in a stream, wherever the stream is cut.

use aho_corasick::AhoCorasick;

use crate::fleet::Secrets;

/// What stands in a log in place of a secret.
const STARS: &[u8] = b"***";

/// The shortest text that is masked. A shorter value (`1`, `on`) would be found everywhere and tell nobody anything,
/// while the stars in its place made every log unreadable.
const SHORTEST: usize = 4;

/// Replaces secrets in a stream by `***`.
///
/// Masked is each value, without blanks and line breaks around it, and of a value of several lines each line as well,
/// for tools that print them one by one. Secrets that overlap in the stream are masked as a whole.
#[derive(Debug)]
pub struct Mask {
    patterns: Vec<Vec<u8>>,
    finder: Option<AhoCorasick>,
    /// Whether a pattern begins with this byte.
    begins: Box<[bool; 256]>,
    /// The tail of the stream that may be the beginning of a secret.
    held: Vec<u8>,
    /// How many bytes of `held` belong to a secret whose stars were written already.
    covered: usize,
}

impl Mask {
    /// A mask for these values.
    pub fn new(secrets: &Secrets) -> Self {
        let mut patterns: Vec<Vec<u8>> = Vec::new();
        for value in secrets.0.values() {
            let pieces = std::iter::once(value.trim()).chain(value.lines().map(str::trim));
            patterns.extend(
                pieces.filter(|piece| piece.len() >= SHORTEST).map(|piece| piece.as_bytes().to_vec()),
            );
        }
        patterns.sort();
        patterns.dedup();
        let mut begins = Box::new([false; 256]);
        for pattern in &patterns {
            begins[usize::from(pattern[0])] = true;
        }
        // Building fails only for more patterns than any environment can hold.
        let finder = if patterns.is_empty() { None } else { AhoCorasick::new(&patterns).ok() };
        Self { patterns, finder, begins, held: Vec::new(), covered: 0 }
    }

    /// Appends `bytes`, masked, to `out`; holds back only a tail that is the beginning of a secret.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.finder.is_none() {
            return out.extend_from_slice(bytes);
        }
        let mut text = std::mem::take(&mut self.held);
        text.extend_from_slice(bytes);
        let keep = self.tail(&text);
        let end = self.replace(&text, self.covered, keep, out);
        self.covered = end.saturating_sub(keep);
        text.drain(..keep);
        self.held = text;
    }

    /// Appends what was held back, masked: the stream ended, so it is not the beginning of a longer secret. It may still
    /// be, or hold, a shorter one.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        self.replace(&held, self.covered, held.len(), out);
        self.covered = 0;
    }

    /// A whole text, masked. The stream is not touched.
    pub fn text(&self, text: &str) -> String {
        let mut out = Vec::with_capacity(text.len());
        self.replace(text.as_bytes(), 0, text.len(), &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Writes `text[..keep]` with stars for every secret that begins in it; the first `covered` bytes are part of one
    /// whose stars were written before. Returns where the last secret ends, which may be behind `keep`.
    fn replace(&self, text: &[u8], covered: usize, keep: usize, out: &mut Vec<u8>) -> usize {
        let mut found: Vec<(usize, usize)> = match &self.finder {
            Some(finder) => finder.find_overlapping_iter(text).map(|it| (it.start(), it.end())).collect(),
            None => Vec::new(),
        };
        // They come in the order of their ends; a longer one may begin before a shorter one inside it.
        found.sort_unstable();
        let mut end = covered;
        for (start, stop) in found.into_iter().filter(|(start, _)| *start < keep) {
            if start >= end {
                out.extend_from_slice(&text[end..start]);
                out.extend_from_slice(STARS);
            }
            end = end.max(stop);
        }
        if end < keep {
            out.extend_from_slice(&text[end..keep]);
        }
        end
    }

    /// Where the longest tail of `text` begins that is the beginning of a pattern, but not the whole of it.
    fn tail(&self, text: &[u8]) -> usize {
        let longest = self.patterns.iter().map(Vec::len).max().unwrap_or(0);
        let from = text.len().saturating_sub(longest.saturating_sub(1));
        let begins = |at: &usize| {
            let tail = &text[*at..];
            self.begins[usize::from(tail[0])]
                && self.patterns.iter().any(|pattern| pattern.len() > tail.len() && pattern.starts_with(tail))
        };
        (from..text.len()).find(begins).unwrap_or(text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mask(values: &[&str]) -> Mask {
        let numbered = values.iter().enumerate();
        Mask::new(&Secrets(numbered.map(|(n, value)| (n.to_string(), (*value).to_owned())).collect()))
    }

    fn masked(values: &[&str], pieces: &[&str]) -> String {
        let (mut mask, mut out) = (mask(values), Vec::new());
        for piece in pieces {
            mask.feed(piece.as_bytes(), &mut out);
        }
        mask.finish(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_secret_is_masked_wherever_the_stream_is_cut() {
        assert_eq!(masked(&["hunter22"], &["is hun", "te", "r22, really"]), "is ***, really");
        assert_eq!(masked(&["hunter22"], &["hunter2", "3"]), "hunter23");
    }

    #[test]
    fn a_secret_that_begins_a_longer_one_is_masked_at_the_end_of_the_stream_too() {
        assert_eq!(masked(&["aabb", "aabba"], &["aabb"]), "***");
        assert_eq!(masked(&["aabb", "aabba"], &["x aa", "bb"]), "x ***");
    }

    #[test]
    fn overlapping_secrets_are_masked_as_a_whole() {
        assert_eq!(masked(&["abcdef", "defghi"], &["xabcd", "efgh", "ix"]), "x***x");
        assert_eq!(masked(&["bbbb", "abbbbc"], &["abbbb", "c"]), "***");
        assert_eq!(masked(&["bbbb", "abbbbc"], &["abbbb", "d"]), "a***d");
    }

    #[test]
    fn the_lines_of_a_secret_are_masked_one_by_one_too() {
        let key = "-----BEGIN-----\nMIIEvQ\nab\n-----END-----\n";
        assert_eq!(masked(&[key], &["key: MIIEvQ, ab"]), "key: ***, ab");
        assert_eq!(masked(&[key], &[key]), "***\n");
    }

    #[test]
    fn a_value_too_short_to_be_a_secret_is_left_alone() {
        assert_eq!(masked(&["on", ""], &["turn on"]), "turn on");
    }

    #[test]
    fn only_the_beginning_of_a_secret_is_held_back() {
        let (mut mask, mut out) = (mask(&["hunter22"]), Vec::new());
        mask.feed(b"login: hunt", &mut out);
        assert_eq!(out, b"login: ");
        assert_eq!(mask.text("a hunter22 in a sentence"), "a *** in a sentence");
        mask.finish(&mut out);
        assert_eq!(out, b"login: hunt");
    }

    proptest! {
        #[test]
        fn cutting_the_stream_changes_nothing(
            values in prop::collection::vec("[ab]{4,7}", 1..4),
            text in "[abc]{0,60}",
            cuts in prop::collection::vec(0usize..60, 0..6),
        ) {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts {
                pieces.push(&text[from..cut]);
                from = cut;
            }
            pieces.push(&text[from..]);
            let whole = masked(&values, &[&text]);
            prop_assert_eq!(masked(&values, &pieces), whole.clone());
            prop_assert!(values.iter().all(|value| !whole.contains(value)));
        }
    }
}

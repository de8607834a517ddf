//! "Did you mean" suggestions, and quoting of manifest text in messages.

use crate::domain::{enumerated, shortened};

/// The longest word to compare, in bytes; longer ones are not typing errors.
const LONGEST: usize = 64;

/// The candidate that `word` probably stands for.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.is_empty() || word.len() > LONGEST {
        return None;
    }
    let folded = fold(word);
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= allowed + 2 && candidate.len() <= LONGEST)
        .map(|candidate| (strsim::damerau_levenshtein(&folded, &fold(candidate)), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Ignores case and the kind of dash, the most common slips.
fn fold(word: &str) -> String {
    word.to_lowercase().replace('_', "-")
}

/// `text` in backquotes, shortened if it is long.
pub(super) fn quoted(text: &str) -> String {
    format!("`{}`", shortened(text, 60))
}

/// The end of a message about an unknown word: `, did you mean `x`?` or nothing.
pub(super) fn did_you_mean(guess: Option<&str>) -> String {
    guess.map(|guess| format!(", did you mean {}?", quoted(guess))).unwrap_or_default()
}

/// "`a`, `b` and `c`", at most the first 32.
pub(super) fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    const MOST: usize = 32;
    let words: Vec<_> = words.into_iter().take(MOST + 1).map(quoted).collect();
    if words.len() > MOST {
        return format!("{}, …", words[..MOST].join(", "));
    }
    enumerated(&words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_is_recognized_and_another_word_is_not() {
        let keys = ["folder", "branch", "build-fleet", "run"];
        assert_eq!(nearest("forlder", keys), Some("folder"));
        assert_eq!(nearest("brnach", keys), Some("branch"));
        assert_eq!(nearest("build_fleet", keys), Some("build-fleet"));
        assert_eq!(nearest("Run", keys), Some("run"));
        assert_eq!(nearest("rnu", keys), Some("run"));
        assert_eq!(nearest("directory", keys), None);
        assert_eq!(nearest("", keys), None);
        assert_eq!(nearest(&"x".repeat(1_000_000), keys), None);
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(quoted("é"), "`é`");
        assert_eq!(quoted(&"é".repeat(61)), format!("`{}…`", "é".repeat(60)));
    }
}

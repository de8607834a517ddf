//! What a deployment changes in its service description: lines added and removed, and words changed within a line.

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// One change of a description. Its text is not escaped yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change<'a> {
    /// The position of the changes that follow: `@@ -4 +4 @@`.
    Place(&'a str),
    /// A removed line.
    Removed(&'a str),
    /// An added line.
    Added(&'a str),
    /// A line with changed words.
    Edited(Vec<Piece<'a>>),
}

/// A part of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub fate: PieceKind,
    pub text: &'a str,
}

/// Whether a part of a line is in the old text, in the new one, or in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PieceKind {
    Stays,
    Goes,
    Comes,
}

/// Lines are compared word by word only up to this length, in bytes.
const LONGEST_LINE: usize = 2_000;
/// Lines that replace others are paired only if there are at most this many.
const MOST_PAIRED: usize = 64;

impl Change<'_> {
    /// How many lines of the unified diff it represents.
    pub(super) fn diff_lines(&self) -> usize {
        match self {
            Self::Place(_) | Self::Removed(_) | Self::Added(_) => 1,
            Self::Edited(_) => 2,
        }
    }
}

/// The changes in the first `most` lines of a unified diff, and how many lines are left out. Lines lose the indentation
/// that their hunk has in common.
pub(super) fn changes(diff: &str, most: usize) -> (Vec<Change<'_>>, usize) {
    // A diff ends lines with `\n` only: a carriage return is part of its line. The first two lines name the file.
    let lines = diff.split_terminator('\n').skip(2).filter(|line| line.starts_with(['+', '-', '@']));
    let mut lines: Vec<_> = lines.collect();
    let more = lines.len().saturating_sub(most);
    lines.truncate(most);
    let mut changes = Vec::new();
    for hunk in lines.chunk_by(|_, line| !line.starts_with('@')) {
        let (places, lines): (Vec<&str>, Vec<&str>) = hunk.iter().partition(|line| line.starts_with('@'));
        changes.extend(places.into_iter().map(Change::Place));
        let indent = indentation(&lines);
        for block in lines.chunk_by(|a, b| a.starts_with('-') || b.starts_with('+')) {
            let (removed, added): (Vec<&str>, Vec<&str>) =
                block.iter().partition(|line| line.starts_with('-'));
            replaced(&bare(&removed, indent), &bare(&added, indent), &mut changes);
        }
    }
    (changes, more)
}

/// The lines without their marks and `indent` bytes of indentation.
fn bare<'a>(lines: &[&'a str], indent: usize) -> Vec<&'a str> {
    lines.iter().map(|line| &line[1 + indent..]).collect()
}

/// How many bytes of blanks all lines have in common after their marks.
fn indentation(lines: &[&str]) -> usize {
    let Some(first) = lines.first() else { return 0 };
    let blanks = first[1..].bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let common = |line: &&str| first[1..].bytes().zip(line[1..].bytes()).take_while(|(a, b)| a == b).count();
    lines.iter().map(common).min().unwrap_or(0).min(blanks)
}

/// Adds the changes of replaced lines: each removed line is paired with the most similar added one, in order.
fn replaced<'a>(removed: &[&'a str], added: &[&'a str], changes: &mut Vec<Change<'a>>) {
    let mut added = added;
    for old in removed {
        let pairs = match removed.len().max(added.len()) <= MOST_PAIRED {
            true => added.iter().enumerate(),
            false => [].iter().enumerate(),
        };
        let alike = pairs.filter_map(|(at, new)| edited(old, new).map(|(alike, pieces)| (alike, at, pieces)));
        // On a tie, the first one.
        match alike.max_by_key(|(alike, at, _)| (*alike, usize::MAX - at)) {
            Some((_, at, pieces)) => {
                changes.extend(added[..at].iter().copied().map(Change::Added));
                changes.push(Change::Edited(pieces));
                added = &added[at + 1..];
            }
            None => changes.push(Change::Removed(old)),
        }
    }
    changes.extend(added.iter().copied().map(Change::Added));
}

/// The changes from one line to the other, and their similarity in thousandths; `None` if less than half of their words
/// are the same.
fn edited<'a>(old: &'a str, new: &'a str) -> Option<(usize, Vec<Piece<'a>>)> {
    if old == new || old.len().max(new.len()) > LONGEST_LINE {
        return None;
    }
    let (before, after) = (words(old), words(new));
    let is_word = |word: &&&str| word.starts_with(is_part_of_word);
    let count = |words: &[&str]| words.iter().filter(is_word).count();
    let (mut kept, mut pieces) = (0, Vec::new());
    for op in capture_diff_slices(Algorithm::Myers, &before, &after) {
        let (gone, come) = (op.old_range(), op.new_range());
        if let DiffOp::Equal { .. } = op {
            kept += count(&before[gone.clone()]);
            pieces.push(Piece { fate: PieceKind::Stays, text: joined(old, &before, gone) });
            continue;
        }
        pieces.push(Piece { fate: PieceKind::Goes, text: joined(old, &before, gone) });
        pieces.push(Piece { fate: PieceKind::Comes, text: joined(new, &after, come) });
    }
    pieces.retain(|piece| !piece.text.is_empty());
    let all = count(&before) + count(&after);
    (all > 0 && 4 * kept >= all).then(|| (2000 * kept / all, pieces))
}

/// The part of `line` that this `range` of its words covers.
fn joined<'a>(line: &'a str, words: &[&str], range: std::ops::Range<usize>) -> &'a str {
    let start: usize = words[..range.start].iter().map(|word| word.len()).sum();
    let length: usize = words[range].iter().map(|word| word.len()).sum();
    &line[start..start + length]
}

/// Splits a line into unbreakable pieces: words, runs of blanks, and single other characters.
pub(super) fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let end = match first {
            _ if is_part_of_word(first) => rest.find(|c| !is_part_of_word(c)),
            _ if is_blank(first) => rest.find(|c| !is_blank(c)),
            _ => Some(first.len_utf8()),
        };
        let (word, behind) = rest.split_at(end.unwrap_or(rest.len()));
        words.push(word);
        rest = behind;
    }
    words
}

/// Keeps shas, versions, host names and identifiers in one word.
pub(super) fn is_part_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

pub(super) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn edit(old: &str, new: &str) -> Option<String> {
        let (_, pieces) = edited(old, new)?;
        let show = |Piece { fate, text }: Piece<'_>| match fate {
            PieceKind::Stays => text.to_owned(),
            PieceKind::Goes => format!("[-{text}-]"),
            PieceKind::Comes => format!("{{+{text}+}}"),
        };
        Some(pieces.into_iter().map(show).collect())
    }

    #[test]
    fn a_line_changes_by_whole_words() {
        let shown = edit(r#""Image": "eu.io/web:1a2b","#, r#""Image": "eu.io/web:1a9c","#);
        assert_eq!(shown.as_deref(), Some(r#""Image": "eu.io/web:[-1a2b-]{+1a9c+}","#));
        let shown = edit("\"Tag\": \"v1.2.3\"", "\"Tag\": \"v1.3.0\",\r");
        assert_eq!(shown.as_deref(), Some("\"Tag\": \"[-v1.2.3-]{+v1.3.0+}\"{+,\r+}"));
    }

    #[test]
    fn dissimilar_lines_are_not_merged() {
        assert_eq!(edit(r#""web","#, r#""worker","#), None);
        assert_eq!(edit(r#""Cpu": "256""#, r#""Memory": "512""#), None);
        assert_eq!(edit("same", "same"), None);
        assert_eq!(edit("{", "}"), None);
    }

    #[test]
    fn a_changed_line_is_matched_among_added_ones() {
        let diff = "--- a/s\n+++ b/s\n@@ -2,2 +2,3 @@\n-  \"Cpu\": 256,\n-  \"Name\": \"web\"\n+  \"Debug\": true,\n+  \
                    \"Cpu\": 512,\n+    \"x\"\n";
        let (changes, more) = changes(diff, 100);
        let cpu = [
            (PieceKind::Stays, "\"Cpu\": "),
            (PieceKind::Goes, "256"),
            (PieceKind::Comes, "512"),
            (PieceKind::Stays, ","),
        ];
        let cpu = cpu.map(|(fate, text)| Piece { fate, text }).to_vec();
        assert_eq!(
            changes,
            [
                Change::Place("@@ -2,2 +2,3 @@"),
                Change::Added("\"Debug\": true,"),
                Change::Edited(cpu),
                Change::Removed("\"Name\": \"web\""),
                Change::Added("  \"x\""),
            ]
        );
        assert_eq!(more, 0);
    }

    #[test]
    fn omitted_changes_are_counted_in_lines_of_the_diff() {
        let diff = "--- a/s\n+++ b/s\n@@ -1,3 +1,3 @@\n-a 1\n-b\n+a 2\n+c\n";
        let (changes, more) = changes(diff, 3);
        assert_eq!((changes.iter().map(Change::diff_lines).sum::<usize>(), more), (3, 2));
    }

    proptest! {
        #[test]
        fn both_lines_can_be_read_from_the_pieces(old in "[a-c \t/:.,ü\r]{0,12}", new in "[a-c \t/:.,ü\r]{0,12}") {
            if let Some((_, pieces)) = edited(&old, &new) {
                let side = |gone: PieceKind| {
                    pieces.iter().filter(|piece| piece.fate != gone).map(|piece| piece.text).collect::<String>()
                };
                prop_assert_eq!(side(PieceKind::Comes), old.as_str());
                prop_assert_eq!(side(PieceKind::Goes), new.as_str());
            }
        }
    }
}

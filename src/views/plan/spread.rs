//! Lays out a change of a description in lines that fit. Words are never broken, and changes are in brackets, so that
//! they show without colours.

use super::changes::{Change, Piece, PieceKind, is_blank, is_part_of_word, words};
use crate::views::terminal::{columns, visible};

/// A piece of a line, already escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub fate: PieceKind,
    pub text: String,
}

/// The indentation of every line of a change but the first.
const FURTHER: usize = 4;

/// A change in lines of at most `most` columns; only a longer word makes a longer line.
///
/// Removed words are in `[-…-]` and added ones in `{+…+}`, as in `git diff --word-diff`. A line removed or added as a
/// whole has no brackets: its mark shows which.
pub(super) fn spread(change: &Change<'_>, most: usize) -> Vec<Vec<Span>> {
    let atoms = match change {
        Change::Place(place) => return vec![vec![Span::new(PieceKind::Stays, &visible(place))]],
        Change::Removed(text) => atoms(&[Piece { fate: PieceKind::Goes, text }], false),
        Change::Added(text) => atoms(&[Piece { fate: PieceKind::Comes, text }], false),
        Change::Edited(pieces) => atoms(pieces, true),
    };
    let mut lines = Lines { done: Vec::new(), line: Vec::new(), taken: 0, is_empty: true, most };
    for run in atoms.chunk_by(|_, atom| !atom.is_good) {
        lines.make_room(run);
        for atom in run {
            lines.make_room(std::slice::from_ref(atom));
            lines.push(atom);
        }
    }
    lines.done.push(lines.line);
    lines.done
}

/// Words that are never separated.
#[derive(Debug)]
struct WordGroup {
    /// The blanks before it, dropped at the start of a line.
    blanks: Option<Span>,
    /// Whether this is a good place for a line break. Before other groups a line breaks only if it must.
    is_good: bool,
    spans: Vec<Span>,
}

impl WordGroup {
    fn width(&self) -> usize {
        self.spans.iter().map(|span| columns(&span.text)).sum()
    }
}

#[derive(Debug)]
struct Lines {
    done: Vec<Vec<Span>>,
    line: Vec<Span>,
    taken: usize,
    /// Whether the line contains only its indentation.
    is_empty: bool,
    most: usize,
}

impl Lines {
    /// Starts another line if this one has no room for all of `atoms`.
    fn make_room(&mut self, atoms: &[WordGroup]) {
        let blanks = atoms[0].blanks.as_ref().map_or(0, |span| columns(&span.text));
        let width: usize = atoms.iter().map(WordGroup::width).sum();
        if !self.is_empty && self.taken + blanks + width > self.most {
            let indent = Span::new(PieceKind::Stays, &" ".repeat(FURTHER));
            self.done.push(std::mem::replace(&mut self.line, vec![indent]));
            (self.taken, self.is_empty) = (FURTHER, true);
        }
    }

    fn push(&mut self, atom: &WordGroup) {
        let blanks = atom.blanks.iter().filter(|_| !self.is_empty);
        for span in blanks.chain(&atom.spans) {
            self.taken += columns(&span.text);
            match self.line.last_mut().filter(|last| last.fate == span.fate) {
                Some(last) => last.text.push_str(&span.text),
                None => self.line.push(span.clone()),
            }
        }
        self.is_empty = false;
    }
}

/// Splits the pieces of a line where it may break.
fn atoms(pieces: &[Piece<'_>], brackets: bool) -> Vec<WordGroup> {
    let mut atoms: Vec<WordGroup> = Vec::new();
    let mut blanks = None;
    let mut before = PieceKind::Stays;
    for Piece { fate, text } in pieces {
        // A replacement goes below what it replaces if both do not fit on one line.
        let replaces = before == PieceKind::Goes && *fate == PieceKind::Comes;
        before = *fate;
        let marks = match fate {
            PieceKind::Goes if brackets => Some(("[-", "-]")),
            PieceKind::Comes if brackets => Some(("{+", "+}")),
            _ => None,
        };
        if let Some((opens, _)) = marks {
            atoms.push(WordGroup {
                blanks: blanks.take(),
                is_good: !replaces,
                spans: vec![Span::new(*fate, opens)],
            });
        }
        let words = words(text);
        let mut last = None;
        for (at, word) in words.iter().enumerate() {
            let at_mark = marks.is_some() && (at == 0 || at + 1 == words.len());
            let span = Span::shown(*fate, word, marks.is_some());
            let breaks = last.is_some_and(|c| matches!(c, '/' | ',' | ':' | ';' | '=' | '&' | '?'));
            last = word.chars().next_back();
            if word.starts_with(is_blank) && !at_mark && !atoms.is_empty() {
                blanks = Some(span);
                continue;
            }
            match atoms.last_mut() {
                Some(atom) if blanks.is_none() && !(breaks && word.starts_with(is_part_of_word)) => {
                    atom.spans.push(span);
                }
                _ => {
                    let is_good = blanks.is_some() || atoms.is_empty();
                    atoms.push(WordGroup { blanks: blanks.take(), is_good, spans: vec![span] });
                }
            }
        }
        if let (Some((_, closes)), Some(atom)) = (marks, atoms.last_mut()) {
            atom.spans.push(Span::new(*fate, closes));
        }
    }
    atoms
}

impl Span {
    fn new(fate: PieceKind, text: &str) -> Self {
        Self { fate, text: text.to_owned() }
    }

    /// Shows a tab as four blanks, but in brackets, where the difference matters, as a symbol.
    fn shown(fate: PieceKind, word: &str, in_brackets: bool) -> Self {
        match in_brackets {
            true => Self::new(fate, &visible(word)),
            false => Self::new(fate, &visible(&word.replace('\t', "    "))),
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::views::plan::changes::changes;

    fn shown(old: &str, new: &str, most: usize) -> String {
        let diff = format!("--- a/s\n+++ b/s\n@@ -1 +1 @@\n-{old}\n+{new}\n");
        let (changes, _) = changes(&diff, 100);
        let lines = changes[1..].iter().flat_map(|change| spread(change, most));
        lines.map(|line| line.into_iter().map(|span| span.text).collect::<String>() + "\n").collect()
    }

    const REGISTRY: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/web";

    #[test]
    fn a_line_never_breaks_inside_a_sha() {
        let image = |digit: &str| format!("      \"DockerImage\": \"{REGISTRY}:{}\",", digit.repeat(40));
        assert_snapshot!(shown(&image("1"), &image("2"), 72), @r#"
        "DockerImage":
            "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/web:
            [-1111111111111111111111111111111111111111-]
            {+2222222222222222222222222222222222222222+}",
        "#);
        assert_snapshot!(shown(&image("1"), &image("2"), 32), @r#"
        "DockerImage":
            "123456789012.dkr.ecr.eu-central-1.amazonaws.com/
            shop/web:
            [-1111111111111111111111111111111111111111-]
            {+2222222222222222222222222222222222222222+}",
        "#);
    }

    #[test]
    fn a_change_of_blanks_is_visible() {
        assert_snapshot!(shown("a:\tb", "a:  b", 60), @"a:[-␉-]{+  +}b");
        assert_snapshot!(shown("\"a\": 1,", "  \"a\": 1,", 60), @r#"{+  +}"a": 1,"#);
    }

    #[test]
    fn a_whole_line_breaks_at_blanks() {
        assert_snapshot!(shown("\"Command\": \"serve --port 8080 --host 0.0.0.0\"", "{}", 30), @r#"
        "Command": "serve --port 8080
            --host 0.0.0.0"
        {}
        "#);
    }
}

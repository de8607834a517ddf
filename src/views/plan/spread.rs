//! A change of a description in lines that fit: no word is broken, and what changes stands in brackets, so that nobody needs
//! colours to see it.

use super::changes::{Change, Fate, Piece, is_blank, is_part_of_word, words};
use crate::views::terminal::{columns, visible};

/// A piece of a line, harmless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub fate: Fate,
    pub text: String,
}

/// How far all lines of a change but its first are indented.
const FURTHER: usize = 4;

/// A change in lines of at most `most` columns; only a word that is longer makes a longer line.
///
/// What goes from a line stands in `[-…-]` and what comes into it in `{+…+}`, as `git diff --word-diff` writes it. A line that
/// goes or comes as a whole has no brackets: its mark tells.
pub(super) fn spread(change: &Change<'_>, most: usize) -> Vec<Vec<Span>> {
    let atoms = match change {
        Change::Place(place) => return vec![vec![Span::new(Fate::Stays, &visible(place))]],
        Change::Removed(text) => atoms(&[Piece { fate: Fate::Goes, text }], false),
        Change::Added(text) => atoms(&[Piece { fate: Fate::Comes, text }], false),
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

/// What is not broken.
#[derive(Debug)]
struct Atom {
    /// The blanks before it, which are left out where it begins a line.
    blanks: Option<Span>,
    /// Whether a line is best broken here. Before other atoms it is broken only where it has to be.
    is_good: bool,
    spans: Vec<Span>,
}

impl Atom {
    fn width(&self) -> usize {
        self.spans.iter().map(|span| columns(&span.text)).sum()
    }
}

#[derive(Debug)]
struct Lines {
    done: Vec<Vec<Span>>,
    line: Vec<Span>,
    taken: usize,
    /// Whether the line holds nothing but its indentation.
    is_empty: bool,
    most: usize,
}

impl Lines {
    /// Begins another line if this one has no room for all of these.
    fn make_room(&mut self, atoms: &[Atom]) {
        let blanks = atoms[0].blanks.as_ref().map_or(0, |span| columns(&span.text));
        let width: usize = atoms.iter().map(Atom::width).sum();
        if !self.is_empty && self.taken + blanks + width > self.most {
            let indent = Span::new(Fate::Stays, &" ".repeat(FURTHER));
            self.done.push(std::mem::replace(&mut self.line, vec![indent]));
            (self.taken, self.is_empty) = (FURTHER, true);
        }
    }

    fn push(&mut self, atom: &Atom) {
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

/// The pieces of a line, taken apart where it may be broken.
fn atoms(pieces: &[Piece<'_>], brackets: bool) -> Vec<Atom> {
    let mut atoms: Vec<Atom> = Vec::new();
    let mut blanks = None;
    let mut before = Fate::Stays;
    for Piece { fate, text } in pieces {
        // What comes in the place of something stands below it, where both do not fit beside each other.
        let replaces = before == Fate::Goes && *fate == Fate::Comes;
        before = *fate;
        let marks = match fate {
            Fate::Goes if brackets => Some(("[-", "-]")),
            Fate::Comes if brackets => Some(("{+", "+}")),
            _ => None,
        };
        if let Some((opens, _)) = marks {
            atoms.push(Atom {
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
                    atoms.push(Atom { blanks: blanks.take(), is_good, spans: vec![span] });
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
    fn new(fate: Fate, text: &str) -> Self {
        Self { fate, text: text.to_owned() }
    }

    /// Tabs are as wide as four blanks; in brackets, where it matters which it is, they are seen.
    fn shown(fate: Fate, word: &str, in_brackets: bool) -> Self {
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
    fn no_line_is_broken_inside_of_a_sha() {
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
    fn a_change_of_blanks_is_seen() {
        assert_snapshot!(shown("a:\tb", "a:  b", 60), @"a:[-␉-]{+  +}b");
        assert_snapshot!(shown("\"a\": 1,", "  \"a\": 1,", 60), @r#"{+  +}"a": 1,"#);
    }

    #[test]
    fn what_is_no_edit_is_broken_at_blanks() {
        assert_snapshot!(shown("\"Command\": \"serve --port 8080 --host 0.0.0.0\"", "{}", 30), @r#"
        "Command": "serve --port 8080
            --host 0.0.0.0"
        {}
        "#);
    }
}

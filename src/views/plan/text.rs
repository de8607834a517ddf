//! A plan as text for a terminal.

use std::fmt;

use super::changes::{Change, PieceKind, changes};
use super::counts::{Counts, number};
use super::group::{Group, grouped};
use super::spread::{Span, spread};
use super::story::{ChangeMark, Entry, commits, course, entries, held};
use crate::domain::LinkId;
use crate::plan::{CommitLine, DeployStep, LinkPlan, OrphanedService, Plan};
use crate::views::terminal::{Style, TextStyle, clip, columns, hang, visible, wrap};

/// A plan as text for a terminal. Every line ends with a line break.
///
/// No line is wider than the style's width, unless a word in a diff is. The first character shows the kind of step:
/// `+` something runs, `~` something changes, `-` something is removed, `·` nothing happens, `!` something is held.
#[derive(Clone, Copy, Debug)]
pub struct PlanText<'a> {
    /// The plan to show.
    pub plan: &'a Plan,
    /// Width and colour.
    pub style: Style,
}

/// The widest label that still has its explanation on the same line.
const WIDEST_LABEL: usize = 26;
/// The fewest columns an explanation gets.
const NARROWEST_DETAIL: usize = 24;
/// The most lines of a diff; `--format json` has all of them.
const LONGEST_DIFF: usize = 200;
/// The most commits listed.
const COMMITS: usize = 5;
/// The most orphaned services listed.
const SWEEPS: usize = 20;

impl fmt::Display for PlanText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { version: _, manifest: _, refresh_only: _, links, sweeps, up_to_date: _ } = self.plan;
        for Group { ids, told: (heading, body) } in grouped(links, |link, name| self.told(link, name)) {
            f.write_str(&self.heading(&ids, &heading))?;
            writeln!(f, "{body}")?;
        }
        if !sweeps.is_empty() {
            f.write_str(&self.sweeps(sweeps))?;
            writeln!(f)?;
        }
        f.write_str(&hang("", 0, &Counts::of(self.plan).to_string(), self.style))
    }
}

impl PlanText<'_> {
    /// The text after the id, and below it.
    fn told(&self, link: &LinkPlan, name: &str) -> (String, String) {
        let LinkPlan {
            link: id,
            base: _,
            concern: _,
            takes_over: _,
            deployed: _,
            want: _,
            steps: _,
            on_failure: _,
            holds,
            notes,
            rolled_back_elsewhere: _,
            rejections: _,
            waived: _,
            approval: _,
            unpinned: _,
            reviewed: _,
            landed: _,
        } = link;
        let heading = match (course(link), commits(link)) {
            (course, 0) => course,
            (course, commits) => format!("{course}, {}", number(commits, "commit")),
        };
        let entries = entries(link);
        let labels = entries.iter().map(|entry| columns(&label(entry)));
        let most = WIDEST_LABEL.min(self.style.columns().saturating_sub(6 + NARROWEST_DETAIL));
        let widest = labels.filter(|width| *width <= most).max().unwrap_or(0);
        let mut body: String = entries.iter().map(|entry| self.entry(entry, widest)).collect();
        for hold in holds {
            let (word, reason, hint) = held(hold, id, name);
            let head = format!("  {} {word}: ", self.style.paint(TextStyle::Red, "!"));
            body.push_str(&hang(&head, 6 + word.len(), &reason, self.style));
            if let Some(hint) = hint {
                body.push_str(&hang("      hint: ", 12, &hint, self.style));
            }
        }
        for note in notes {
            body.push_str(&hang(
                &format!("  {} note: ", self.style.paint(TextStyle::Dim, "·")),
                10,
                note,
                self.style,
            ));
        }
        (heading, body)
    }

    fn heading(&self, ids: &[&LinkId], behind: &str) -> String {
        let style = self.style;
        let name = match ids {
            [id] => id.to_string(),
            _ => number(ids.len(), "link"),
        };
        let bold = |line: &str| style.paint(TextStyle::Bold, line);
        let mut heading = if columns(&name) + 2 + columns(behind) <= style.columns() {
            format!("{}  {behind}", bold(&name)).trim_end().to_owned() + "\n"
        } else {
            let lines = wrap(&name, style.columns());
            let name: String = lines.iter().map(|line| bold(line) + "\n").collect();
            if behind.is_empty() { name } else { name + &hang("  ", 2, behind, style) }
        };
        if ids.len() > 1 {
            let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
            heading.push_str(&hang("    ", 4, &ids.join(" "), style));
        }
        heading
    }

    fn entry(&self, entry: &Entry<'_>, widest: usize) -> String {
        let Entry { mark, verb: _, phase: _, replicas: _, detail, deploy } = entry;
        let (symbol, ink) = match mark {
            ChangeMark::Run => ("+", TextStyle::Green),
            ChangeMark::Change => ("~", TextStyle::Yellow),
            ChangeMark::Remove => ("-", TextStyle::Red),
            ChangeMark::Nothing => ("·", TextStyle::Dim),
        };
        let symbol = self.style.paint(ink, symbol);
        let label = label(entry);
        let mut text = if columns(&label) <= widest {
            let blank = widest - columns(&label) + 2;
            hang(&format!("  {symbol} {label}{:blank$}", ""), 4 + widest + 2, detail, self.style)
        } else {
            hang(&format!("  {symbol} "), 4, &label, self.style) + &hang("      ", 6, detail, self.style)
        };
        if let Some(deploy) = deploy {
            text.push_str(&self.deploy(deploy));
        }
        text
    }

    fn deploy(&self, deploy: &DeployStep) -> String {
        let DeployStep {
            // Shown by the entry itself.
            phase: _,
            order: _,
            purpose: _,
            from: _,
            to: _,
            strategy: _,
            on_failure: _,
            images,
            // The policy's; the images show it.
            pinned: _,
            // The diff shows what matters of it.
            description: _,
            diff,
            commits,
            more_commits,
            timeout: _,
            // A note says so.
            barrier: _,
        } = deploy;
        let mut text = self.diff(diff);
        if text.is_empty() {
            for image in images {
                let from = image.from.as_deref().unwrap_or("nothing");
                text.push_str(&hang(
                    "      ",
                    8,
                    &format!("{}: {from} → {}", image.role, image.to),
                    self.style,
                ));
            }
        }
        for CommitLine { sha, author, subject } in commits.iter().take(COMMITS) {
            let line = format!("      {} {} ({})", sha.short(), visible(subject), clip(&visible(author), 20));
            text.push_str(&clip(&line, self.style.columns()));
            text.push('\n');
        }
        let more = commits.len().saturating_sub(COMMITS) + more_commits;
        if more > 0 {
            text.push_str(&format!("      … and {more} more\n"));
        }
        text
    }

    fn diff(&self, diff: &str) -> String {
        let mut text = String::new();
        let (changes, more) = changes(diff, LONGEST_DIFF);
        for change in &changes {
            let (mark, ink) = match change {
                Change::Place(_) => ("", TextStyle::Cyan),
                Change::Removed(_) => ("- ", TextStyle::Red),
                Change::Added(_) => ("+ ", TextStyle::Green),
                Change::Edited(_) => ("~ ", TextStyle::Yellow),
            };
            let indent = 6 + mark.len();
            let lines = spread(change, self.style.columns().saturating_sub(indent));
            for (at, line) in lines.iter().enumerate() {
                let head =
                    if at == 0 { format!("      {}", self.ink(ink, mark)) } else { " ".repeat(indent) };
                let line: String = line.iter().map(|span| self.span(change, span)).collect();
                text.push_str(&format!("{head}{line}\n"));
            }
        }
        if more > 0 {
            text.push_str(&format!("      … and {} of the diff\n", number(more, "more line")));
        }
        text
    }

    fn span(&self, change: &Change<'_>, Span { fate, text }: &Span) -> String {
        match (change, fate) {
            (Change::Place(_), _) => self.ink(TextStyle::Cyan, text),
            (_, PieceKind::Stays) => text.clone(),
            (_, PieceKind::Goes) => self.ink(TextStyle::Red, text),
            (_, PieceKind::Comes) => self.ink(TextStyle::Green, text),
        }
    }

    /// Colours text, but not its trailing blanks.
    fn ink(&self, ink: TextStyle, text: &str) -> String {
        let bare = text.trim_end();
        match bare {
            "" => text.to_owned(),
            _ => self.style.paint(ink, bare) + &text[bare.len()..],
        }
    }

    fn sweeps(&self, sweeps: &[OrphanedService]) -> String {
        let mut text = self.style.paint(TextStyle::Bold, &number(sweeps.len(), "orphaned service")) + "\n";
        for OrphanedService { fleet, handle, token: _, link } in sweeps.iter().take(SWEEPS) {
            let whose = link.as_ref().map(|link| format!(", left by {link}")).unwrap_or_default();
            let head = format!("  {} ", self.style.paint(TextStyle::Red, "-"));
            text.push_str(&hang(&head, 4, &format!("remove {handle} from fleet {fleet}{whose}"), self.style));
        }
        if sweeps.len() > SWEEPS {
            text.push_str(&format!("  … and {} more\n", sweeps.len() - SWEEPS));
        }
        text
    }
}

fn label(entry: &Entry<'_>) -> String {
    let mut label = entry.verb.to_owned();
    if let Some(phase) = entry.phase {
        label.push(' ');
        label.push_str(&visible(phase));
    }
    if entry.replicas > 1 {
        label.push_str(&format!(" ×{}", entry.replicas));
    }
    label
}

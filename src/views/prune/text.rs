//! A prune as text: what it would remove, and what it removed.

use std::collections::BTreeMap;
use std::fmt;

use super::repair_hint;
use crate::domain::LinkId;
use crate::report::{Amount, LinkPruning, PruneResult, Pruning};
use crate::views::artifacts::bytes;
use crate::views::moment::minute;
use crate::views::terminal::{beside, columns, hang};
use crate::views::{Style, TextStyle, visible};

/// The most rows. More links than this are shown by tenant, and further tenants as one total.
const ROWS: usize = 20;
/// The most skipped links that are named.
const NAMED: usize = 12;
/// The widest name in its column.
const WIDEST: usize = 28;

/// What would be removed.
#[derive(Clone, Copy, Debug)]
pub struct PruningText<'a> {
    /// The prune.
    pub pruning: &'a Pruning,
    /// Width and colour.
    pub style: Style,
}

/// What was removed.
#[derive(Clone, Copy, Debug)]
pub struct PrunedText<'a> {
    /// The prune.
    pub pruning: &'a Pruning,
    /// Width and colour.
    pub style: Style,
}

/// The totals of one link, or of several links of a tenant.
#[derive(Default)]
struct Row {
    name: String,
    links: usize,
    left: Amount,
    events: u64,
    finishes: usize,
}

impl Row {
    fn add(&mut self, link: &LinkPruning) {
        let LinkPruning { link: _, left, events, through: _, finishes, result: _ } = link;
        self.links += 1;
        self.left = self.left.and(*left);
        self.events += events;
        self.finishes += usize::from(*finishes);
    }

    fn describe(&self) -> String {
        let mut parts = Vec::new();
        if self.links > 1 {
            parts.push(number(self.links, "link"));
        }
        if self.left.blobs > 0 {
            parts.push(amount(self.left, "attempt"));
        }
        if self.events > 0 {
            parts.push(events(self.events));
        }
        if self.finishes > 0 {
            parts.push("finishes an interrupted prune".to_owned());
        }
        parts.join(", ")
    }
}

fn number(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn events(number: u64) -> String {
    if number == 1 { "1 event".to_owned() } else { format!("{number} events") }
}

/// `3 attempts (12 blobs, 45.1 kB)`
fn amount(Amount { things, blobs, bytes: size }: Amount, thing: &str) -> String {
    format!("{} ({}, {})", number(things, thing), number(blobs, "blob"), bytes(size))
}

fn rows(links: &[LinkPruning]) -> Vec<Row> {
    let by_link = links.len() <= ROWS;
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for link in links {
        let name = if by_link { link.link.to_string() } else { link.link.tenant.to_string() };
        rows.entry(name.clone()).or_insert(Row { name, ..Row::default() }).add(link);
    }
    let mut rows: Vec<_> = rows.into_values().collect();
    if rows.len() > ROWS {
        // The largest tenants get a row of their own.
        rows.sort_by(|a, b| b.left.bytes.cmp(&a.left.bytes).then_with(|| a.name.cmp(&b.name)));
        let mut rest = Row { name: format!("… and {} more", rows.len() - ROWS), ..Row::default() };
        for row in rows.drain(ROWS..) {
            rest.links += row.links;
            rest.left = rest.left.and(row.left);
            rest.events += row.events;
            rest.finishes += row.finishes;
        }
        rows.push(rest);
    }
    rows
}

fn total(pruning: &Pruning) -> Row {
    let mut total = Row::default();
    pruning.links.iter().for_each(|link| total.add(link));
    total
}

impl fmt::Display for PruningText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Pruning { before, links, packs, packs_result: _, left, damaged, keeps_packs } = self.pruning;
        let style = self.style;
        if !self.pruning.is_empty() {
            let heading = format!("To remove, older than {}:", minute(*before));
            writeln!(f, "{}", style.paint(TextStyle::Bold, &heading))?;
            let mut rows: Vec<_> =
                rows(links).into_iter().map(|row| (row.name.clone(), row.describe())).collect();
            if packs.blobs > 0 {
                rows.push(("packs".to_owned(), format!("{}, rebuilt when needed", amount(*packs, "commit"))));
            }
            let widest =
                rows.iter().map(|(name, _)| columns(name)).filter(|it| *it <= WIDEST).max().unwrap_or(0);
            for (name, text) in rows {
                let blank = (widest + 2).saturating_sub(columns(&name)).max(2);
                let head = format!("  {} {name}{:blank$}", style.paint(TextStyle::Red, "-"), "");
                let indent = if columns(&name) > widest { 6 } else { 4 + widest + 2 };
                if columns(&name) > widest {
                    write!(f, "{}\n{}", head.trim_end(), hang("      ", indent, &text, style))?;
                } else {
                    f.write_str(&hang(&head, indent, &text, style))?;
                }
            }
        }
        f.write_str(&named("Skipped, because another process is handling them:", left, style))?;
        let damaged: Vec<_> = damaged
            .iter()
            .map(|(link, error)| (link.clone(), format!("{}; {}", visible(error), repair_hint(link))))
            .collect();
        f.write_str(&named("Skipped, because their record is damaged:", &damaged, style))?;
        if *keeps_packs {
            f.write_str(&hang("", 0, "No packs are removed, because a damaged link may need them.", style))?;
        }
        if self.pruning.is_empty() {
            let none = format!("Nothing to remove that is older than {}.", minute(*before));
            return f.write_str(&hang("", 0, &none, style));
        }
        let total = total(self.pruning);
        let all = total.left.and(*packs);
        let mut text = format!("{} in {}", bytes(all.bytes), number(all.blobs, "blob"));
        if total.events > 0 {
            text.push_str(&format!(", and {}", events(total.events)));
        }
        let from =
            if links.is_empty() { String::new() } else { format!(", from {}", number(links.len(), "link")) };
        f.write_str(&hang("", 0, &format!("{text}{from}."), style))
    }
}

/// Links with a text for each; only the first [`NAMED`] of them.
fn named(heading: &str, links: &[(LinkId, String)], style: Style) -> String {
    if links.is_empty() {
        return String::new();
    }
    let mut text = format!("{heading}\n");
    for (link, reason) in links.iter().take(NAMED) {
        let head = format!("  {} {link}  ", style.paint(TextStyle::Dim, "·"));
        text.push_str(&beside(&head, 4 + columns(&link.to_string()) + 2, reason, style));
    }
    if links.len() > NAMED {
        text.push_str(&format!("  … and {} more\n", links.len() - NAMED));
    }
    text
}

impl fmt::Display for PrunedText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Pruning { before: _, links, packs, packs_result, left: _, damaged: _, keeps_packs: _ } =
            self.pruning;
        let style = self.style;
        let (mut total, mut others, mut changed) = (Row::default(), Vec::new(), Vec::new());
        for link in links {
            match &link.result {
                PruneResult::Done => total.add(link),
                PruneResult::Left { by } => others.push((link.link.clone(), by.clone())),
                PruneResult::Changed => changed.push((link.link.clone(), String::new())),
                PruneResult::Planned => {}
                PruneResult::Failed { error, hint } => {
                    failed(f, &link.link.to_string(), error, hint.as_deref(), style)?
                }
            }
        }
        if let PruneResult::Failed { error, hint } = packs_result {
            failed(f, "packs", error, hint.as_deref(), style)?;
        }
        f.write_str(&named("Skipped, because another process is handling them:", &others, style))?;
        let again = "Skipped, because they changed meanwhile; prune again:";
        f.write_str(&named(again, &changed, style))?;
        let packs = if *packs_result == PruneResult::Done { *packs } else { Amount::default() };
        let all = total.left.and(packs);
        let mut text = format!("Removed {} in {}", bytes(all.bytes), number(all.blobs, "blob"));
        if total.events > 0 {
            text.push_str(&format!(" and {}", events(total.events)));
        }
        f.write_str(&hang("", 0, &format!("{text}."), style))
    }
}

fn failed(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    error: &str,
    hint: Option<&str>,
    style: Style,
) -> fmt::Result {
    let head = format!("{}  ", style.paint(TextStyle::Bold, name));
    f.write_str(&hang(&head, 2, &visible(error), style))?;
    match hint {
        Some(hint) => f.write_str(&hang("  hint: ", 8, &visible(hint), style)),
        None => Ok(()),
    }
}
